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
from safetensors import safe_open

from asr_helpers import evaluation, loading
from asr_helpers.inference import load_recogniser
from asr_helpers.models import load_processor
from asr_helpers.sources import source

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import speech
import train_checkpoint
import train_on_people
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
    assert card == train_on_people.card(record)
    assert record["rounds"] == sum(stage.rounds for stage in train_on_people.STAGES)
    assert record["first"]["rounds"] * train_checkpoint.CLIPS_PER_ROUND == record["first"]["num_clips"]
    for corpus, (clips, speakers) in record["people"].items():
        assert f"| {corpus} | {clips:,} | {speakers} | {train_on_people.ATTRIBUTION[corpus]} |" in card


def test_the_recogniser_reaches_its_cards_number_on_voices_never_heard():
    recogniser = load_recogniser(DEMO.fine_tuned)
    scores, _ = evaluation.evaluate(recogniser, loading.load_splits(DEMO)["test"])
    card = (Path(DEMO.fine_tuned) / "README.md").read_text()
    stated = re.search(r"\| the demo's test rows \|[^|]+\| 66 \| ([\d.]+) \|", card)
    assert scores.wer == pytest.approx(float(stated[1]), abs=0.005)
    assert scores.wer <= 0.30


def test_a_stage_follows_from_the_round():
    stages = [train_on_people.stage_of(number) for number in range(sum(one.rounds for one in train_on_people.STAGES))]
    assert stages[0] == (train_on_people.STAGES[0], 0)
    assert stages[-1] == (train_on_people.STAGES[-1], train_on_people.STAGES[-1].rounds - 1)
    with pytest.raises(ValueError, match="rounds"):
        train_on_people.stage_of(len(stages))


@pytest.mark.parametrize("telephone", [0.0, 1.0])
def test_disturbed_speech_keeps_its_band(telephone):
    """A telephone carries nothing above 4 kHz; a microphone does."""
    noise = np.random.default_rng(0).normal(0, 3_000, 32_000).astype(np.int16)
    above = []
    for seed in range(8):
        sound = train_on_people.disturb(noise, np.random.default_rng(seed), telephone).astype(np.float64)
        power = np.abs(np.fft.rfft(sound)) ** 2
        frequency = np.fft.rfftfreq(len(sound), 1 / 16_000)
        above.append(power[frequency > 4_300].sum() / power.sum())
        assert 0.85 < len(sound) / len(noise) < 1.15  # played faster or slower
    assert (max(above) < 0.01) if telephone else (max(above) > 0.2)


def test_a_clips_recipe_follows_from_seed_and_index():
    assert train_checkpoint.clip(1, 7) == train_checkpoint.clip(1, 7)
    assert train_checkpoint.clip(1, 7) != train_checkpoint.clip(1, 8)
    texts, voices = train_checkpoint.heard(1, 50)
    assert len(texts) > 40
    assert {voice.partition("-")[0] for voice in voices} == {"espeak", "flite"}


def test_no_variant_is_both_trained_on_and_held_out():
    held_out = {voice.variant for voice in speech.HELD_OUT_VOICES}
    trained_on = {*train_checkpoint.VARIANTS, *train_checkpoint.FLITE}
    assert not held_out & trained_on
    assert not set(train_checkpoint.DEVELOPMENT_VARIANTS) & (held_out | trained_on)


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


def test_batches_keep_to_their_budget_and_their_shapes():
    rng = random.Random(0)
    clips = sorted(((np.zeros(rng.randint(20_000, 120_000)), "") for _ in range(200)), key=lambda clip: len(clip[0]))
    groups = train_checkpoint.batches(clips)
    assert sum(map(len, groups)) == 200
    for group in groups:
        length = train_checkpoint.padded_length(len(group[-1][0]))
        assert length >= len(group[-1][0])
        assert (length - 80) % (32 * 320) == 0
        assert len(group) * length <= 1.2 * train_checkpoint.SECONDS_PER_BATCH * train_checkpoint.SAMPLING_RATE


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


def test_an_equaliser_colours_a_sound_within_its_limit():
    noise = np.random.default_rng(0).standard_normal(16_000).astype("float32")
    coloured = [speech.equalise(noise, 16_000, np.random.default_rng(seed), 12) for seed in (1, 2)]
    before, *after = (np.abs(np.fft.rfft(one, 16_384))[300:3_500] for one in (noise, *coloured))
    for one in after:
        decibels = 20 * np.log10(one / before)
        assert 3 < np.ptp(decibels[200:2_500]) < 26  # the edges of the clip blur it by a little
    assert len(coloured[0]) == len(noise)
    assert not np.allclose(after[0], after[1])
    assert speech.equalise(noise, 16_000, np.random.default_rng(1), 0) == pytest.approx(noise, abs=1e-5)


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
