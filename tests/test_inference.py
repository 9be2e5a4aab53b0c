"""06: collapsing a path, words in time, and what is refused. Emissions are written by hand."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import tiny
import torch

from asr_helpers import AsrError, audio, loading
from asr_helpers.confidence import Calibration, frame_certainty
from asr_helpers.inference import Recogniser, Word, collapse, load_recogniser
from asr_helpers.sources import source


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A recogniser with a random model: its `read` is as good as any."""
    return load_recogniser(tiny.write_checkpoint(tmp_path_factory.mktemp("reader"), head=True))


@pytest.fixture(scope="module")
def demo_recogniser():
    return load_recogniser(source("demo").fine_tuned)


def emission(path: str, probabilities: float | list[float] = 0.9) -> np.ndarray:
    """(frames, 32): each frame gives its token of the path that probability, and the others the rest in equal parts."""
    vocabulary = tiny.processor().tokenizer.get_vocab()
    ids = [0 if token == "-" else vocabulary[token] for token in path]
    best = np.broadcast_to(probabilities, len(ids))
    rows = np.repeat((1 - best)[:, None] / 31, 32, axis=1)
    rows[np.arange(len(ids)), ids] = best
    return rows


# Collapse


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("HI", "HI"),
        ("HHHII", "HI"),  # repeats merge
        ("HELLO", "HELO"),  # two Ls in a row are one
        ("HEL-LO", "HELLO"),  # a blank parts them
        ("HEL--LO", "HELLO"),
        ("-H--I-", "HI"),  # blanks drop
        ("MY|CARD", "MY CARD"),
        ("MY||-CARD", "MY CARD"),
        ("A|A", "A A"),
        ("||-HI-|", "HI"),  # delimiters at the ends
        ("DON'T", "DON'T"),
        ("----", ""),
        ("|-|", ""),
    ],
)
def test_a_path_collapses(reader, path, text):
    transcript = reader.decode(emission(path))
    assert transcript.text == text
    assert [word.text for word in transcript.words] == text.split()


def test_reading_is_the_processors_own(reader):
    random = np.random.default_rng(0).dirichlet(np.ones(32), 300)
    random[:, [1, 2, 3]] = 0  # <s>, </s> and <unk> are no characters
    random[:, 0] += (np.arange(300) % 2) * 0.5
    text = reader.decode(random).text
    assert text == reader.processor.batch_decode(random.argmax(axis=-1)[None])[0]
    assert len(text) > 100


# Words


def test_words_begin_and_end_with_their_letters_frames(reader):
    #                              0123456789
    words = reader.decode(emission("--HH-I|-AB-")).words
    assert [word.text for word in words] == ["HI", "AB"]
    assert [word.start for word in words] == pytest.approx([2 * 0.02, 8 * 0.02])
    assert [word.end for word in words] == pytest.approx([6 * 0.02, 10 * 0.02])


def test_a_letter_lasts_as_long_as_it_repeats(reader):
    (word,) = reader.decode(emission("-AAA--")).words
    assert (word.start, word.end) == pytest.approx((0.02, 0.08))


def test_a_word_begins_before_its_first_letter_is_written(reader):
    given = emission("---AA-B|CC--C", [0.9] * 13)
    late = replace(reader, calibration=Calibration(delay=0.03)).decode(given).words
    assert [(word.text, pytest.approx(word.start), word.end) for word in late] == [
        (word.text, max(before, word.start - 0.03), word.end)
        for before, word in zip((0, 0.14), reader.decode(given).words, strict=True)
    ]


def test_confidence_is_what_the_certainty_of_the_words_frames_is_worth(reader):
    given = emission("A-B|C", [0.9, 0.3, 0.4, 0.5, 0.8])
    first, second = reader.decode(given).words
    certain = frame_certainty(given)
    assert first.confidence == pytest.approx(reader.calibration(min(certain[0], certain[2])))  # not the blank's
    assert second.confidence == pytest.approx(reader.calibration(certain[4]))


def test_words_are_plain_values(reader):
    (word,) = reader.decode(emission("-HI")).words
    assert [type(value) for value in vars(word).values()] == [str, float, float, float]
    assert word == Word("HI", 0.02, 0.06, word.confidence)


# The model


def test_an_emission_is_a_distribution_for_each_frame(reader):
    result = reader.emission(np.random.default_rng(0).normal(size=16_000).astype(np.float32))
    assert result.shape == (49, 32)  # (16,000 - 400) // 320 + 1 frames
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(axis=-1), 1, rtol=1e-5)
    assert (result >= 0).all()


def test_the_shortest_clip_is_one_frame(reader):
    assert reader.emission(np.ones(400, dtype=np.float32)).shape == (1, 32)
    with pytest.raises(AsrError, match=r"399 samples is shorter than one frame \(400\)"):
        reader.emission(np.ones(399, dtype=np.float32))


def test_a_frame_is_20_ms_at_16_khz(reader):
    assert reader.sampling_rate == 16_000
    assert reader.frame == 0.02


def test_memory_is_flat():
    """60 clips of 60 lengths, after one longer than all of them. In a process of its own."""
    code = """
import numpy as np
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source
from benchmarks.common import peak_memory

recogniser = load_recogniser(source("demo").fine_tuned)
sound = np.random.default_rng(0).normal(size=64_000).astype(np.float32)
for lengths in ([64_000], range(16_000, 64_000, 800)):
    for length in lengths:
        recogniser.emission(sound[:length])
    print(peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=tiny.environment())
    assert done.returncode == 0, done.stderr[-2_000:]
    one, many = map(int, done.stdout.split())
    assert many - one < 40e6, "with oneDNN's kernels kept it is more than 100 MB"


def test_transcribing_is_what_the_pipeline_does(demo_recogniser):
    rows = loading.load_splits(source("demo"))["test"]
    listen = demo_recogniser.pipeline()
    for clip in rows.select(range(4))["audio"]:
        waveform = audio.load(clip, 16_000)
        text = demo_recogniser.transcribe(clip).text
        assert text == listen({"raw": waveform, "sampling_rate": 16_000})["text"]
        assert text


def test_a_file_at_another_rate_and_with_two_channels(demo_recogniser, tmp_path):
    clip = loading.load_rows(source("demo"), "train[:1]")[0]["audio"]
    waveform, rate = audio.decode(clip)
    both = np.stack([waveform * 0.5, waveform * 1.5], axis=1)  # (num_samples, 2): their mean is the clip
    soundfile.write(tmp_path / "own.wav", both, rate, subtype="FLOAT")
    assert demo_recogniser.transcribe(tmp_path / "own.wav") == demo_recogniser.transcribe(clip)


def test_a_model_in_half_precision_is_read_in_full(tmp_path):
    tiny.write_checkpoint(tmp_path, head=True)
    recogniser = load_recogniser(tmp_path)
    recogniser.model.half().save_pretrained(tmp_path)
    result = load_recogniser(tmp_path).emission(np.ones(4_000, dtype=np.float32))
    assert result.dtype == np.float32


# What is refused


def test_a_file_that_is_missing_or_no_sound(reader, tmp_path):
    with pytest.raises(AsrError, match=r"There is no file 'nowhere\.wav'"):
        reader.transcribe("nowhere.wav")
    (tmp_path / "notes.wav").write_text("Dear bank,")
    with pytest.raises(AsrError, match=r"notes\.wav' is not a sound file that can be read"):
        reader.transcribe(tmp_path / "notes.wav")


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(AsrError, match=r"There is no checkpoint in '.*nowhere'"):
        load_recogniser(tmp_path / "nowhere")


def test_a_folder_without_a_processor(tmp_path):
    folder = tiny.write_checkpoint(tmp_path / "model", head=True)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "bare").mkdir(exist_ok=True)
        shutil.copy(folder / name, tmp_path / "bare")
    with pytest.raises(AsrError, match="bare' has no processor beside it"):
        load_recogniser(tmp_path / "bare")


def test_a_folder_without_a_head(tmp_path):
    with pytest.raises(AsrError, match="has no CTC head, so it cannot write yet: fine-tune it first"):
        load_recogniser(tiny.write_checkpoint(tmp_path))


def test_a_recogniser_is_a_model_and_its_processor(reader):
    again = Recogniser(reader.model, reader.processor)
    waveform = np.random.default_rng(1).normal(size=8_000).astype(np.float32)
    np.testing.assert_array_equal(again.emission(waveform), reader.emission(waveform))


def test_the_frames_left_by_the_collapse_are_what_the_tokenizer_reads():
    tokenizer = tiny.processor().tokenizer
    tokens = tokenizer.convert_ids_to_tokens(range(32))
    some = tokenizer.convert_tokens_to_ids(["<pad>", "|", "A", "L", "O"])
    for seed in range(50):
        path = np.random.default_rng(seed).choice(some, 30, p=[0.4, 0.1, 0.1, 0.3, 0.1]).tolist()
        merged, kept = collapse(path, blank=0)
        assert "".join(tokens[path[frame]] for frame in kept).replace("|", " ").strip() == tokenizer.decode(path)
        assert set(kept) <= set(merged) <= set(range(30))
        assert all(path[one] != path[one + 1] or one + 1 not in merged for one in range(29))


@pytest.mark.parametrize(
    ("path", "merged", "kept"),
    [
        ([], [], []),
        ([0, 0], [0], []),
        ([5, 5, 0, 5], [0, 2, 3], [0, 3]),  # a blank parts two equal letters
        ([5, 6, 5], [0, 1, 2], [0, 1, 2]),
    ],
)
def test_repeats_are_merged_before_blanks_are_dropped(path, merged, kept):
    assert collapse(path, blank=0) == (merged, kept)


@pytest.mark.parametrize(("waveform", "says"), [
    (np.zeros((2, 8_000), dtype="float32"), r"the shape \(2, 8000\): take the mean over axis 0"),
    (np.zeros(8_000, dtype="int16"), "holds int16: divide by 32,768"),
    (np.zeros(399, dtype="float32"), "A clip of 399 samples is shorter than one frame"),
])  # fmt: skip
def test_what_is_no_waveform(reader, waveform, says):
    with pytest.raises(AsrError, match=says):
        reader.emission(waveform)


@pytest.mark.parametrize("shape", [(10,), (1, 10, 32), (32, 10)], ids=["one axis", "a batch", "turned"])
def test_what_is_no_emission(reader, shape):
    with pytest.raises(AsrError, match=r"An emission is \(frames, 32\), and this one has the shape"):
        reader.decode(np.full(shape, 0.1))


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
], ids=["GPU", "CPU"])  # fmt: skip
def test_a_clip_too_long_for_the_memory(reader, monkeypatch, error):
    def full(values):
        raise error

    monkeypatch.setattr(reader.model, "forward", full)
    with pytest.raises(AsrError, match=r"'a clip of \d+ bytes': A clip of 2 s does not fit the memory, .* below 30 s"):
        reader.transcribe(tiny.clip(0, 2.0))


def test_other_errors_of_a_model_stay_what_they_are(reader, monkeypatch):
    def wrong(values):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(reader.model, "forward", wrong)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        reader.transcribe(tiny.clip(0))


def test_weights_that_are_missing_or_damaged(tmp_path):
    folder = tiny.write_checkpoint(tmp_path / "model", head=True)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    says = r"The model of '.*model' cannot be loaded as one with a CTC head \(.+\): take a whole checkpoint"
    with pytest.raises(AsrError, match=says):
        load_recogniser(folder)
    weights.unlink()
    with pytest.raises(AsrError, match=says) as caught:
        load_recogniser(folder)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_architecture(tmp_path):
    from transformers import BertConfig, BertModel

    tiny.processor().save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=32, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(AsrError, match=r"cannot be loaded as one with a CTC head .*BertConfig.*: take a whole"):
        load_recogniser(tmp_path)


@pytest.mark.parametrize(("config", "says"), [
    ({"vocab_size": 40}, "writes 40 tokens and its processor knows 32: save the processor it was trained with"),
    ({"vocab_size": 30}, "writes 30 tokens and its processor knows 32: save the processor it was trained with"),
    ({"pad_token_id": 3}, "the model's blank is token 3 and the processor's is 0: save the processor it was"),
])  # fmt: skip
def test_a_model_and_a_processor_that_disagree(tmp_path, config, says):
    with pytest.raises(AsrError, match=says):
        load_recogniser(tiny.write_checkpoint(tmp_path, head=True, **config))
