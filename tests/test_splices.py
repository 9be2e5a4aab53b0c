"""How the checkpoint's training cuts people's sentences at words and puts them together anew."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import splices
import training_speech

WORDS = "I AM HERE AND YOU ARE NOT".split()


def test_a_cut_lies_in_the_pause():
    waveform = np.random.default_rng(0).normal(0, 3_000, 32_000).astype(np.int16)
    waveform[15_000:16_000] = 0
    # "A B": A is heard in frame 30 and B in frame 60, the space anywhere between.
    first, between, end = splices.cuts(waveform, np.array([[30, 31], [40, 40], [60, 62]]), ["A", "B"])
    assert 15_000 <= between <= 16_000
    assert first == 30 * 320 - 2_400
    assert end == 62 * 320 + 3_200


def test_parts_and_what_is_joined_of_them_keep_every_word():
    rng, places = random.Random(0), [0, 4_000, 9_000, 16_000, 20_000, 26_000, 30_000, 40_000]
    parts = splices.parts(rng, WORDS, places, (0.5, 1.0))
    assert " ".join(part.text for part in parts).split() == WORDS
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert all(part.start in places and part.stop in places for part in parts)
    clips = splices.joined(rng, parts * 4, (1.0, 2.0))
    assert sorted(part for clip in clips for part in clip) == sorted(parts * 4)
    assert len(clips) > 1


@pytest.fixture
def corpus(tmp_path):
    texts, number = [" ".join(WORDS), "GO ON", "NO CUTS HERE"], 7 * 16_000
    places = [[0, *range(16_000, 96_000, 16_000), 100_000, number], [number, number + 8_000, 2 * number], []]
    return training_speech.Corpus(
        tmp_path, [0, number, 2 * number, 3 * number], texts, ["LJSpeech"] * 3, ["a", "a", "b"], places
    )


def test_a_round_holds_each_word_once(corpus):
    for seed in range(20):
        clips = training_speech.cut_and_joined(random.Random(seed), corpus, [0, 1, 2], 0.5)
        said = sorted(" ".join(part.text for clip in clips for part in clip).split())
        assert said == sorted(" ".join(corpus.texts).split())


def test_single_words_are_one_persons(corpus):
    for clip in training_speech.single_words(random.Random(0), corpus, 30):
        assert {part.text for part in clip} <= {*WORDS, "GO", "ON"}
        assert all(part.stop <= 2 * 7 * 16_000 for part in clip)
