"""How the checkpoint's training cuts people's sentences at words and puts them together anew."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import splices
import train_on_people

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


def test_parts_are_heard_one_after_the_other_with_quiet_between():
    samples = np.concatenate([np.full(1_600, 1_000), np.full(3_200, 2_000)]).astype(np.int16)
    parts = [splices.Part(1_600, 4_800, "B"), splices.Part(0, 1_600, "A")]
    sound = splices.sound(samples, parts, [0.1, 0.0], np.random.default_rng(0))
    assert len(sound) == 3_200 + 1_600 + 1_600
    assert sound[1_000] == pytest.approx(2_000 / 32_768)
    assert sound[-800] == pytest.approx(1_000 / 32_768)
    assert sound[0] == sound[-1] == 0  # faded, so that no click is heard


@pytest.fixture
def corpus(tmp_path):
    texts, number = [" ".join(WORDS), "GO ON", "NO CUTS HERE"], 7 * 16_000
    places = [[0, *range(16_000, 96_000, 16_000), 100_000, number], [number, number + 8_000, 2 * number], []]
    return train_on_people.Corpus(
        tmp_path, [0, number, 2 * number, 3 * number], texts, ["LJSpeech"] * 3, ["a", "a", "b"], places
    )


def test_a_round_holds_each_word_once(corpus):
    stage = train_on_people.Stage(1, (0, 0), 0, plain=1, synthetic=0, frozen_from=0, spliced=0.5)
    for seed in range(20):
        clips = train_on_people.cut_and_joined(random.Random(seed), corpus, [0, 1, 2], stage)
        said = sorted(" ".join(part.text for clip in clips for part in clip).split())
        assert said == sorted(" ".join(corpus.texts).split())


def test_single_words_are_one_persons(corpus):
    for clip in train_on_people.single_words(random.Random(0), corpus, 30):
        assert {part.text for part in clip} <= {*WORDS, "GO", "ON"}
        assert all(part.stop <= 2 * 7 * 16_000 for part in clip)


def test_a_model_that_grows_says_the_same():
    import torch

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8,) * 7, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    model = Wav2Vec2ForCTC._from_config(config, attn_implementation="eager").eval()
    grown = train_on_people.grow(model, 48).eval()
    sound = torch.randn(1, 4_000)
    assert grown.config.intermediate_size == 48
    assert torch.allclose(model(sound).logits, grown(sound).logits, atol=1e-6)
    assert model.config.intermediate_size == 32
