"""Text and sound become what a model eats; what cannot be written is counted, what cannot be used is refused."""

import io
import json
import re
import shutil
import time
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Dataset

from asr_helpers import AsrError, loading, models, preprocessing
from asr_helpers.languages import plain_shapes
from asr_helpers.preprocessing import NormalisedText, normalise_text
from asr_helpers.sources import source

CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ' ")
SMALL = frozenset("abcdefghijklmnopqrstuvwxyz' ")


@pytest.fixture(scope="module")
def processor():
    return models.load_processor(source("demo").checkpoint)


@pytest.fixture(scope="module")
def rows():
    return loading.load_rows(source("demo"))


def clip(waveform, rate=16_000):
    """An undecoded sound, as a row holds it."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="FLOAT")
    return {"bytes": file.getvalue(), "path": "made-up.wav"}


# Normalised text


@pytest.mark.parametrize(("text", "expected", "lost"), [
    ("", "", ""),
    ("   ", "", ""),
    ("hello", "HELLO", ""),
    ("I'd like to PAY", "I'D LIKE TO PAY", ""),
    ("I\u2019d, \u2018ok\u2019", "I'D 'OK'", ","),
    ("o`clock o\u00b4clock o\u02bcclock", "O'CLOCK O'CLOCK O'CLOCK", ""),
    ("well-known", "WELL KNOWN", "-"),
    ("yes\u2014no\u2026", "YES NO", "\u2014\u2026"),
    ("  two\tspaces\n\u00a0here ", "TWO SPACES HERE", ""),
    ("error 404", "ERROR", "404"),
    ("20,000 dollars?", "DOLLARS", "20,000?"),
    ("£5", "", "£5"),
    ("café", "CAFE", "é"),
    ("cafe\u0301", "CAFE", "é"),  # the same in two code points
    ("Straße", "STRASSE", ""),
    ("Ångström, naïve", "ANGSTROM NAIVE", "Åö,ï"),
    ("x\u0302y", "XY", "\u0302"),  # no single code point has this letter: the mark parts no word
    ("co\u00adoperate", "COOPERATE", "\u00ad"),  # soft hyphen
    ("ok \U0001f600 bye", "OK BYE", "\U0001f600"),
    ("مرحبا", "", "مرحبا"),
    ("pay مرحبا now", "PAY NOW", "مرحبا"),
    ("안녕", "", "안녕"),
    ("'", "'", ""),
])  # fmt: skip
def test_text_in_capitals_by_hand(text, expected, lost):
    result = normalise_text(text, CAPITALS)
    assert result == NormalisedText(expected, Counter(lost))
    assert result.lost.total() == len(lost)


@pytest.mark.parametrize(("characters", "text", "expected", "lost"), [
    (SMALL, "Pay O'Neill", "pay o'neill", ""),
    (SMALL, "ÉCOLE", "ecole", "É"),
    (SMALL | {"é"}, "ÉCOLE", "école", ""),
    (SMALL | {"é"}, "E\u0301COLE", "école", ""),
    (SMALL | CAPITALS, "Mixed Case", "Mixed Case", ""),
    (CAPITALS | set("0123456789"), "gate 20", "GATE 20", ""),
    (CAPITALS - {"'"}, "don't", "DON T", "'"),
    (CAPITALS | {"-"}, "well-known", "WELL-KNOWN", ""),
    (CAPITALS | {"ß"}, "Straße", "STRAßE", ""),
    (frozenset("محد "), "مُحَمَّد", "محمد", "\u064f\u064e\u0651\u064e"),  # vowel signs part no word
    (frozenset("مُحَدّ "), "مُحَمَّد", "مُحَمَّد", ""),
    (frozenset("값이 "), "값이 20", "값이", "20"),
    (frozenset(), "anything", "", "anything"),
])  # fmt: skip
def test_a_text_follows_the_vocabulary(characters, text, expected, lost):
    result = normalise_text(text, characters)
    assert unicodedata.normalize("NFD", result.text) == unicodedata.normalize("NFD", expected)
    assert result.lost == Counter(lost)


def test_plain_english_agrees_with_a_regular_expression(rows):
    for text in rows["transcription"]:
        expected = " ".join(re.sub("[^A-Z']", " ", text.upper()).split())
        assert normalise_text(text, CAPITALS).text == expected
        lost = Counter(re.findall("[^A-Z' ]", text.upper()))
        assert normalise_text(text, CAPITALS).lost == lost


def test_what_is_normalised_is_in_the_vocabulary_and_stays_as_it_is(rows):
    nasty = ["İstanbul ıı", "ﬁnance ŉ", "Ελλάδα Σίσυφος", "ẞ ǆ", "a\u200db\ufeffc", "\x00\x1b[0m", "ⅷ ² ½", "हिन्दी"]
    for text in [*rows["transcription"], *nasty]:
        result = normalise_text(text, CAPITALS)
        assert set(result.text) <= CAPITALS
        assert normalise_text(result.text, CAPITALS) == NormalisedText(result.text, Counter())
        assert result.text == " ".join(result.text.split())
        assert not any(character.isspace() for character in result.lost)


# Vocabulary and processor


def test_the_vocabulary_is_capitals_apostrophe_and_space(processor):
    assert preprocessing.vocabulary(processor) == CAPITALS


def test_whatever_is_normalised_has_no_unknown_label(processor, rows):
    tokenizer = processor.tokenizer
    characters = preprocessing.vocabulary(processor)
    for text in rows["transcription"]:
        text = normalise_text(text, characters).text
        labels = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in labels
        assert tokenizer.decode(labels, group_tokens=False) == text


@pytest.mark.parametrize("checkpoint", ["no/such/folder", "missing", "/missing"])
def test_a_checkpoint_that_is_not_there_is_named(checkpoint):
    with pytest.raises(AsrError, match=re.escape(f"no checkpoint in '{checkpoint}'")):
        models.load_processor(checkpoint)


def test_a_checkpoint_that_the_hub_cannot_be_asked_for_is_named():
    with pytest.raises(AsrError, match="processor of 'someone/no-such-model'") as caught:
        models.load_processor("someone/no-such-model")
    assert "\n" not in str(caught.value)


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    started = time.perf_counter()
    with pytest.raises(AsrError, match="no folder 'someone/no-such-model' here, and the hub does not give") as caught:
        models.load_processor("someone/no-such-model")
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - started < 15, "its client asks for minutes"


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the demo checkpoint without its weights."""
    for path in Path(source("demo").checkpoint).glob("*.json"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_a_checkpoint_without_weights_has_a_processor_still(checkpoint):
    assert preprocessing.vocabulary(models.load_processor(checkpoint)) == CAPITALS


def test_a_checkpoint_without_a_processor_is_told_how_to_get_one(checkpoint):
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json", "vocab.json"):
        (checkpoint / name).unlink(missing_ok=True)
    with pytest.raises(AsrError, match=r"no processor beside it: save it there with processor\.save_pretrained"):
        models.load_processor(checkpoint)


@pytest.mark.parametrize("kept", ["processor_config.json", "tokenizer_config.json"])
def test_half_a_processor_is_refused(checkpoint, kept):
    for name in {"processor_config.json", "tokenizer_config.json", "vocab.json"} - {kept}:
        (checkpoint / name).unlink()
    with pytest.raises(AsrError) as caught:
        models.load_processor(checkpoint)
    assert checkpoint.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_processor_of_another_kind_of_model(tmp_path):
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertProcessor

    processor = models.load_processor(source("demo").checkpoint)
    Wav2Vec2BertProcessor(SeamlessM4TFeatureExtractor(), processor.tokenizer).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2-bert"}')
    with pytest.raises(AsrError, match="is not of Wav2Vec2's kind: its processor makes input_features"):
        models.load_processor(tmp_path)


@pytest.mark.parametrize("text", [None, 3.14, b"yes", ["yes"]])
def test_what_is_no_text(processor, text):
    for function in (
        lambda: normalise_text(text, CAPITALS), lambda: preprocessing.write_characters(text, CAPITALS),
        lambda: preprocessing.encode_text(text, processor),
    ):  # fmt: skip
        with pytest.raises(AsrError, match=f"A text is wanted, and this is {re.escape(repr(text))}: write what is"):
            function()


@pytest.mark.parametrize("column", ["audio", "transcription"])
def test_a_row_without_a_column_is_told_which(processor, rows, column):
    row = {"audio": clip([0.2, -0.2]), "transcription": "yes", "lang": 4}
    del row[column]
    with pytest.raises(AsrError, match=f"The row has no '{column}', only .*lang: rename its columns"):
        preprocessing.prepare_dataset(row, processor)
    with pytest.raises(AsrError, match=f"The rows have no '{column}', only "):
        preprocessing.prepare(rows.remove_columns(column), processor)


# One row


def test_a_row_by_hand(processor):
    ids = json.loads((Path(source("demo").checkpoint) / "vocab.json").read_text())
    row = {"audio": clip([0.2, -0.2, 0.2, -0.2]), "transcription": "ok, it's me"}
    prepared = preprocessing.prepare_dataset(row, processor)
    assert sorted(prepared) == ["input_values", "labels"]
    # Mean 0 and deviation 0.2 already: only the scale changes.
    np.testing.assert_allclose(prepared["input_values"], [1, -1, 1, -1], rtol=1e-5)
    assert prepared["input_values"].dtype == np.float32
    assert prepared["labels"] == [ids[character] for character in "OK|IT'S|ME"]


def test_input_values_have_mean_0_and_variance_1_at_the_models_rate(processor):
    rng = np.random.default_rng(0)
    row = {"audio": clip(0.1 + 0.05 * rng.normal(size=8_000), rate=8_000), "transcription": "hello"}
    values = preprocessing.prepare_dataset(row, processor)["input_values"]
    assert values.shape == (16_000,)
    assert abs(values.mean()) < 1e-4
    assert abs(values.var() - 1) < 1e-3


def test_a_quiet_caller_looks_like_a_loud_one(processor):
    waveform = np.sin(np.arange(16_000) / 10)
    loud, quiet = (
        preprocessing.prepare_dataset({"audio": clip(level * waveform), "transcription": "hello"}, processor)
        for level in (0.8, 0.08)
    )
    np.testing.assert_allclose(loud["input_values"], quiet["input_values"], atol=1e-3)


def test_silence_gives_numbers(processor):
    row = {"audio": clip(np.zeros(16_000)), "transcription": "hello"}
    np.testing.assert_array_equal(preprocessing.prepare_dataset(row, processor)["input_values"], np.zeros(16_000))


@pytest.mark.parametrize("text", ["", " ", "404", "¿?", "مرحبا"])
def test_a_text_without_a_character_of_the_vocabulary_is_refused(processor, text):
    with pytest.raises(AsrError) as caught:
        preprocessing.prepare_dataset({"audio": clip(np.zeros(1_600)), "transcription": text}, processor)
    assert str(caught.value).startswith(f"{text!r} has no character of the vocabulary: ")


def test_audio_that_cannot_be_read_is_named(processor):
    row = {"audio": {"bytes": b"no sound", "path": "corpus/notes.wav"}, "transcription": "hello"}
    with pytest.raises(AsrError, match=r"corpus/notes\.wav"):
        preprocessing.prepare_dataset(row, processor)


# All rows


def test_prepared_rows_are_those_of_prepare_dataset(processor, rows):
    prepared = preprocessing.prepare(rows, processor)
    assert len(prepared) == len(rows)
    expected = [preprocessing.prepare_dataset(rows[index], processor) for index in (0, 1, 335)]
    for found, row in zip((prepared[0], prepared[1], prepared[335]), expected, strict=True):
        np.testing.assert_array_equal(found["input_values"], row["input_values"])
        assert found["labels"] == row["labels"]
    batch = prepared[0:2]
    assert [len(values) for values in batch["input_values"]] == [len(row["input_values"]) for row in expected[:2]]
    assert batch["labels"] == [row["labels"] for row in expected[:2]]


def test_nothing_is_prepared_until_a_row_is_asked_for(processor):
    good, bad = clip(np.zeros(1_600)), {"bytes": b"no sound", "path": "bad.wav"}
    rows = Dataset.from_dict({"audio": [good, bad], "transcription": ["hello", "hello"], "intent_class": [1, 2]})
    prepared = preprocessing.prepare(rows, processor)  # the bad row is not looked at
    assert sorted(prepared[0]) == ["input_values", "labels"]
    with pytest.raises(AsrError, match=r"bad\.wav"):
        prepared[1]
    assert rows[1]["intent_class"] == 2, "the rows themselves stay as they were"


def test_nothing_is_written(processor, rows, monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    prepared = preprocessing.prepare(rows, processor)
    prepared[:3]
    assert prepared.cache_files == rows.cache_files
    assert list(tmp_path.iterdir()) == []


# Character by character


@pytest.mark.parametrize(
    ("text", "written", "kinds"),
    [
        ("Pay", ["P", "A", "Y"], "kcc"),
        ("a  b ", ["A", " ", "", "B", ""], "ckccc"),
        ("well-known", [*"WELL", " ", *"KNOWN"], "cccclccccc"),
        ("né", ["N", "E"], "cl"),
        ("O’N", ["O", "'", "N"], "kck"),
        ("-5-", ["", "", ""], "lll"),
        ("", [], ""),
    ],
)
def test_each_character_is_kept_changed_or_lost(text, written, kinds):
    steps = preprocessing.write_characters(text, CAPITALS)
    assert [step.written for step in steps] == written
    assert "".join(step.kind[0] for step in steps) == kinds


def test_the_characters_written_make_the_normalised_text():
    generator = np.random.default_rng(0)
    alphabet = list("abXY '’-£5é\u0301ßﬁ\u00a0\n\u200d今")
    for _ in range(300):
        text = "".join(generator.choice(alphabet, generator.integers(0, 12)))
        for characters in (CAPITALS, SMALL):
            steps = preprocessing.write_characters(text, characters)
            written = "".join(step.written for step in steps)
            assert "".join(step.character for step in steps) == plain_shapes(text)
            assert written == " ".join(written.split()) == normalise_text(text, characters).text
            assert set(written) <= characters


def test_a_text_of_nothing_but_lost_characters_has_no_labels(processor):
    assert preprocessing.encode_text("Hello", processor) == processor.tokenizer("HELLO").input_ids
    with pytest.raises(AsrError, match="'404' has no character"):
        preprocessing.encode_text("404", processor)


@pytest.mark.parametrize(("labels", "frames"), [([], 0), ([7], 1), ([7, 8, 7], 3), ([7, 7], 3), ([7, 7, 7, 8, 8], 8)])
def test_equal_labels_need_a_blank_between_them(labels, frames):
    assert preprocessing.frames_needed(labels) == frames
    if labels:  # a path of so many frames exists, of one fewer none does
        for number, finite in ((frames, True), (frames - 1, False)):
            emission = torch.zeros(max(number, 1), 1, 32).log_softmax(-1)
            loss = torch.nn.functional.ctc_loss(emission, torch.tensor([labels]), [number], [len(labels)])
            assert bool(torch.isfinite(loss)) == finite


# A vocabulary of one's own


OWN = [
    ("ko-KR", ["가방을 사요", "가방이 커요"], "가방이 커요", "가방이 커요"),
    ("ja", ["コーヒーが、二つ", "コーヒー二つが"], "二つ コーヒーが。", "二つコーヒーが"),
    ("ar", ["أريد بطاقة", "بطاقة جديدة"], "أُرِيدُ بِطَاقَة", "أريد بطاقة"),
    ("tr", ["Işık açık", "İyi ışık"], "IŞIK İYİ", "ışık iyi"),
]


@pytest.mark.parametrize(("tag", "texts", "text", "expected"), OWN, ids=[tag for tag, *_ in OWN])
def test_a_processor_of_ones_own_comes_back_from_its_folder(tmp_path, tag, texts, text, expected):
    made = preprocessing.build_processor(texts, language=tag)
    made.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    loaded = models.load_processor(tmp_path)
    assert loaded.tokenizer.get_vocab() == made.tokenizer.get_vocab()
    writing = preprocessing.writing_of(loaded)
    assert writing == preprocessing.writing_of(made)
    assert writing.language.tag == tag[:2]
    assert preprocessing.decode_ids(preprocessing.encode_text(text, loaded), loaded) == expected
    assert writing.normalise(text) == expected
    for file in tmp_path.glob("*.json"):
        assert "/tmp" not in file.read_text(), "no path of this machine"


def test_a_processor_of_ones_own_is_laid_out_as_the_field_does_it():
    made = preprocessing.build_processor(["가방"], language="ko")
    assert made.tokenizer.convert_ids_to_tokens(range(5)) == ["<pad>", "<s>", "</s>", "<unk>", "|"]
    assert len(made.tokenizer) == 5 + 4, "ᄀ ᄇ ᅡ ᆼ"
    assert made.feature_extractor.sampling_rate == 16_000
    assert " " in preprocessing.vocabulary(made)
    assert " " not in preprocessing.vocabulary(preprocessing.build_processor(["カード"], language="ja"))


def test_a_processor_that_names_no_language(processor):
    assert preprocessing.writing_of(processor) is None
    with pytest.raises(AsrError, match="names no language"):
        preprocessing.coverage(["a"], processor)
