"""The two embedded checkpoints are what their cards say, and the speech they were made from is what it claims."""

import json
import random
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from asr_helpers import evaluation, loading
from asr_helpers.inference import load_recogniser
from asr_helpers.models import load_processor
from asr_helpers.sources import source

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import speech
import train_checkpoint
import training_speech
from pretraining_sentences import call, sentence

DEMO = source("demo")
FOLDERS = [Path(DEMO.checkpoint), Path(DEMO.fine_tuned)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_checkpoint_is_small_half_precision_and_described(folder):
    assert sum(file.stat().st_size for file in folder.iterdir()) < 16_000_000
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = list(file.keys())
        assert {file.get_slice(name).get_dtype() for name in names} == {"F16"}
    assert any(name.startswith("lm_head") for name in names) == (folder.name == "fine_tuned")
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"
    assert (folder / "README.md").read_text().startswith("---\n")
    assert len(load_processor(folder).tokenizer) == 32


def test_the_checkpoints_card_is_the_one_its_training_gives():
    folder = Path(DEMO.checkpoint)
    record = json.loads((folder / "training.json").read_text())
    card = (folder / "README.md").read_text()
    assert card == train_checkpoint.card(record)
    for corpus, (clips, speakers) in record["people"].items():
        assert f"| {corpus} | {clips:,} | {speakers} | {train_checkpoint.ATTRIBUTION[corpus]} |" in card


def test_the_recogniser_reaches_its_cards_number_on_voices_never_heard():
    recogniser = load_recogniser(DEMO.fine_tuned)
    scores, _ = evaluation.evaluate(recogniser, loading.load_splits(DEMO)["test"])
    card = (Path(DEMO.fine_tuned) / "README.md").read_text()
    stated = re.search(r"\| the demo's test rows \|[^|]+\| 66 \| ([\d.]+) \|", card)
    assert scores.wer == pytest.approx(float(stated[1]), abs=0.005)
    assert scores.wer <= 0.18


def test_a_clips_recipe_follows_from_seed_and_number():
    assert training_speech.clip(7, seed=1) == training_speech.clip(7, seed=1)
    assert training_speech.clip(7, seed=1) != training_speech.clip(8, seed=1)
    assert training_speech.clip(7, seed=1) != training_speech.clip(7, seed=2)
    numbers = training_speech.SYNTHETIC
    kinds = [numbers[0], numbers[9_750], numbers[-1]]
    assert [training_speech.clip(number).formants > 0 for number in kinds[:2]] == [False, False]  # the last kind's only
    assert any(training_speech.clip(number).formants > 0 for number in numbers[-20:])


def test_no_variant_is_both_trained_on_and_held_out():
    held_out = {voice.variant for voice in speech.HELD_OUT_VOICES}
    trained_on = {*training_speech.VARIANTS, *training_speech.FLITE}
    assert not held_out & trained_on
    assert not set(training_speech.DEVELOPMENT_VARIANTS) & (held_out | trained_on)


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_a_made_up_speaker_has_a_voice_of_its_own_and_keeps_it():
    def say(variant):
        voice = speech.Voice("someone", "espeak-ng", "", "en-us", variant, 50, 150)
        return speech.synthesise("my card is lost", voice)[0]

    first, second = (speech.made_up_variant(random.Random(seed)) for seed in (1, 2))
    assert speech.made_up_variant(random.Random(1)) == first != second
    assert np.array_equal(say(first), say(first))
    assert not np.array_equal(say(first), say(second))
    assert not np.array_equal(say(first), say("f2"))


@pytest.mark.parametrize("draw", [sentence, call])
def test_sentences_are_words_of_letters(draw):
    rng = random.Random(0)
    for _ in range(500):
        assert re.fullmatch(r"[A-Za-z']+( [A-Za-z']+)+", draw(rng))


def test_a_telephone_passes_the_voice_band_only():
    rate = 22_050
    time = np.arange(rate) / rate
    powers = {}
    for frequency in (60, 1_000, 3_800):
        tone = np.sin(2 * np.pi * frequency * time) + np.sin(2 * np.pi * 1_000 * time)
        line = speech.telephone(tone.astype("float32"), rate, np.random.default_rng(0), snr=60)
        spectrum = np.abs(np.fft.rfft(line[:8_000])) ** 2
        powers[frequency] = spectrum[frequency] / spectrum[1_000]
    assert len(line) == 8_000
    assert powers[1_000] == 1
    assert powers[60] < 0.01
    assert powers[3_800] < 0.5


def test_formants_move_and_the_pitch_stays():
    rate, pitch = 16_000, 125
    pulses = np.zeros(rate, "float32")
    pulses[:: rate // pitch] = 1
    time = np.arange(800) / rate
    vowel = np.convolve(pulses, np.exp(-200 * time) * np.sin(2 * np.pi * 1_500 * time))[:rate].astype("float32")
    moved = speech.move_formants(vowel, rate, SimpleNamespace(uniform=lambda low, high, size: [1, high, 1, 1]), 0.2)

    def spectrum(waveform):
        return np.abs(np.fft.rfft(waveform))  # its bins are 1 Hz apart

    assert spectrum(vowel).argmax() == 1_500
    assert spectrum(moved).argmax() == pytest.approx(1_800, abs=pitch)
    assert spectrum(moved).argmax() % pitch == 0  # still a harmonic of the same voice
    assert len(moved) == len(vowel)
    assert speech.move_formants(vowel, rate, np.random.default_rng(1), 0) == pytest.approx(vowel, abs=1e-5)


@pytest.mark.parametrize("snr", [10, 20, 30])
def test_a_telephones_noise_is_as_loud_as_asked(snr):
    rate = 8_000
    tone = np.sin(2 * np.pi * 1_000 * np.arange(rate * 2) / rate).astype("float32")
    line = speech.telephone(tone, rate, np.random.default_rng(1), snr=snr, level=-20)
    spectrum = np.abs(np.fft.rfft(line)) ** 2
    signal = spectrum[1_998:2_003].sum()
    assert 10 * np.log10(signal / (spectrum.sum() - signal)) == pytest.approx(snr, abs=1.5)


# What the GPU does to sound, here on the CPU.


def noises(name, speakers):
    rng = np.random.default_rng(0)
    for speaker in speakers:
        yield rng.normal(0, 3_000, 48_000).astype(np.int16), "ONE GOOD THREE", name, speaker


@pytest.fixture
def corpora(tmp_path):
    """Two people's clips, cut at words, and synthetic ones."""
    people = training_speech.Corpus.made(tmp_path / "people", lambda: noises("LJSpeech", ["a", "b"] * 8))
    people.cuts = [[start, start + 16_000, start + 32_000, start + 48_000] for start in people.starts[:-1]]
    return [people, training_speech.Corpus.made(tmp_path / "synthetic", lambda: noises("synthetic", [""] * 34))]


def test_a_round_keeps_to_its_budget_and_every_clip_has_room_for_its_text(corpora):
    batches = train_checkpoint.draw_round(corpora, 1, 0, seconds=20)
    assert sum(len(batch.speeds) for batch in batches) > train_checkpoint.WORDS
    assert any(batch.synthetic.any() for batch in batches)
    end = sum(corpus.starts[-1] for corpus in corpora)
    for batch in batches:
        assert len(batch.speeds) * batch.size <= 20 * 16_000
        assert batch.size % train_checkpoint.STEP == 0
        assert len(batch.counts) == len(batch.speeds)
        assert batch.counts.sum() == len(batch.labels)
        assert (batch.lengths / batch.speeds / 320 > batch.counts).all()
        rows, start, place, length = batch.pieces.T
        assert (start + length <= batch.lengths[rows]).all()
        assert (place + length <= end).all()
    again = train_checkpoint.draw_round(corpora, 1, 0, seconds=20)
    assert all(np.array_equal(a, b) for x, y in zip(batches, again, strict=True) for a, b in zip(x, y, strict=True))


def test_a_batchs_sound_is_its_pieces(corpora):
    samples = torch.from_numpy(np.concatenate([corpus.samples() for corpus in corpora]))
    batch = train_checkpoint.draw_round(corpora, 1, 0, seconds=20)[0]
    rows = train_checkpoint.assemble(samples, batch)
    for (row, start, place, length), joined in zip(batch.pieces, batch.joined, strict=True):
        edge = train_checkpoint.FADE if joined else 0
        expected = samples[place + edge : place + length - edge] / 32_768
        assert torch.equal(rows[row, start + edge : start + length - edge], expected)


@pytest.mark.parametrize("speed", [0.85, 1.0, 1.18])
def test_a_tone_played_at_another_speed_is_as_clean(speed):
    tone = torch.sin(2 * np.pi * 1_000 * torch.arange(32_000) / 16_000)[None]
    played = train_checkpoint.play(tone, torch.tensor([speed]), torch.tensor([32_000]), 24_000)[0]
    expected = torch.sin(2 * np.pi * 1_000 * speed * torch.arange(24_000) / 16_000)
    assert (played - expected)[100:20_000].abs().max() < 0.02
    short = train_checkpoint.play(tone, torch.tensor([speed]), torch.tensor([8_000]), 24_000)[0]
    assert not short[int(8_000 / speed) + 20 :].any()


def test_formants_move_on_the_gpu_as_in_numpy():
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype("float32")
    same = train_checkpoint.move_formants(torch.from_numpy(sound)[None], torch.zeros(1, 1))[0]
    assert torch.allclose(same, torch.from_numpy(sound), atol=1e-5)
    torch.manual_seed(0)
    moved = train_checkpoint.move_formants(torch.from_numpy(sound)[None], torch.full((1, 1), 0.12))[0].numpy()
    torch.manual_seed(0)
    draws = (1 + 0.12 * train_checkpoint.uniform(1, -1, 1, "cpu", 4)[0]).numpy()
    expected = speech.move_formants(sound, 16_000, SimpleNamespace(uniform=lambda low, high, size: draws), 0.12)

    def spectrum(waveform):
        power = np.abs(np.fft.rfft(waveform[1_000:15_000])) ** 2
        return np.log(power[: 7_000 // 50 * 50].reshape(-1, 50).mean(1))

    assert spectrum(moved) == pytest.approx(spectrum(expected), abs=0.35)  # the frames lie elsewhere
    assert np.abs(spectrum(moved) - spectrum(sound)).max() > 0.1


@pytest.mark.parametrize("telephone", [0.0, 1.0])
def test_disturbed_speech_keeps_its_band(telephone):
    """A telephone carries nothing above 4 kHz; a microphone does."""
    torch.manual_seed(0)
    noise = torch.randn(12, 32_768) * 0.1
    share = torch.full((12, 1), telephone)
    sound = train_checkpoint.disturb(noise, torch.zeros(12, 1), share)
    power = torch.fft.rfft(sound).abs().square()
    frequency = torch.fft.rfftfreq(sound.shape[1], 1 / 16_000)
    above = power[:, frequency > 4_300].sum(1) / power.sum(1)
    assert sound.shape == noise.shape
    assert (above.max() < 0.01) if telephone else (above.max() > 0.2)


def test_a_plain_clip_is_as_it_was_but_for_its_level():
    torch.manual_seed(0)
    tone = torch.sin(2 * np.pi * 500 * torch.arange(32_768) / 16_000)[None].repeat(8, 1)
    sound = train_checkpoint.disturb(tone, torch.ones(8, 1), torch.ones(8, 1))
    masked = (train_checkpoint.normalised(sound) - train_checkpoint.normalised(tone)).abs()[:, 500:-500].amax(1)
    assert (masked < 0.03).sum() >= 5  # in the others a band that is missing holds the tone


def test_muon_makes_a_step_orthogonal():
    torch.manual_seed(0)
    for shape in ((3, 32, 96), (3, 96, 32)):
        values = torch.linalg.svdvals(train_checkpoint.orthogonal(torch.randn(shape)))
        assert values.min() > 0.5
        assert values.max() < 1.3


def test_the_convolutions_as_products_are_the_models_own():
    torch.manual_seed(0)
    model = train_checkpoint.new_model().bfloat16()
    sound = torch.randn(2, 8_192)
    expected = model.wav2vec2.feature_extractor(sound.bfloat16()).transpose(1, 2).float()
    found = train_checkpoint.convolved(model, sound).float()
    assert found.shape == expected.shape
    assert (found - expected).norm() / expected.norm() < 0.03


def test_two_views_that_agree_cost_nothing_more():
    """And the loss of a batch is CTC's, for each character."""
    torch.manual_seed(0)
    model = train_checkpoint.new_model().bfloat16().eval()
    sound = torch.randn(1, 16_384).repeat(2, 1)
    labels, counts = torch.tensor([5, 6, 7]), torch.tensor([3])
    mask = train_checkpoint.time_mask
    try:
        train_checkpoint.time_mask = lambda rows, frames, device: torch.ones(rows, frames, 1, dtype=torch.bool)
        _, ctc, apart = train_checkpoint.losses(model, sound, labels, counts, 0.2)
        logits = model(sound[:1].bfloat16()).logits.float().log_softmax(-1)
    finally:
        train_checkpoint.time_mask = mask
    expected = torch.nn.functional.ctc_loss(
        logits.transpose(0, 1), labels[None], torch.tensor([logits.shape[1]]), counts, blank=0, reduction="sum"
    )
    assert apart.item() == pytest.approx(0, abs=1e-3)
    assert ctc.item() == pytest.approx(expected.item() / 3, rel=0.02)
