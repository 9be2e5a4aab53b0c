"""How sure a recogniser is of a word, and whether that is true."""

import io
import math

import numpy as np
import pytest
import soundfile

from asr_helpers import InputError, confidence, loading
from asr_helpers.confidence import Calibration, HeardWords, fit, frame_certainty, judge, word_certainty
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source


def heard(confidences, right):
    return HeardWords(np.array(confidences), np.array(confidences), np.array(right))


def wav(waveform):
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, 16_000, format="WAV")
    return buffer.getvalue()


# Certainties


def test_certainty_falls_as_probability_spreads():
    frames = np.array([[share, *[(1 - share) / 31] * 31] for share in np.linspace(1, 1 / 32, 20)])
    found = frame_certainty(frames)
    assert found[0] == 1
    assert found[-1] == pytest.approx(0)
    assert (np.diff(found) < 0).all()


def test_certainty_is_tsallis_entropy_by_its_definition():
    frames = np.random.default_rng(0).dirichlet(np.ones(32) * 0.1, 50)
    entropy = ((frames ** (1 / 2)).sum(axis=1) - 1) / (1 - 1 / 2)
    largest = (32 * (1 / 32) ** (1 / 2) - 1) / (1 - 1 / 2)
    np.testing.assert_allclose(frame_certainty(frames), 1 - entropy / largest)


def test_a_word_is_as_sure_as_its_least_sure_letter_where_that_is_surest():
    blank, delimiter, sure, fair, poor = ([0.4, 0.2, 0.2, 0.2], [0.1, 0.5, 0.2, 0.2], [0, 0, 1, 0], [0, 0, 0.2, 0.8],
                                          [0, 0, 0.4, 0.6])  # fmt: skip
    word = np.array([delimiter, blank, sure, blank, poor, fair, poor, blank, sure])
    assert word_certainty(word, silent=(0, 1)) == frame_certainty(np.array([fair]))[0] < 1
    assert word_certainty(word[[0, 1, 2]], silent=(0, 1)) == 1
    assert word_certainty(word, silent=(0,)) == frame_certainty(np.array([delimiter]))[0]  # here it is a letter


def test_where_no_letter_is_likeliest_all_frames_count():
    assert word_certainty(np.array([[0.4, 0.3, 0.3]] * 2), silent=(0,)) == frame_certainty(np.array([[0.4, 0.3, 0.3]]))


# What they are worth


def test_fitting_finds_what_words_were_drawn_by():
    random, truth = np.random.default_rng(0), Calibration(slope=2.5, intercept=-4.0)
    certainties = random.uniform(0.5, 0.99, 20_000)
    right = [random.random() < truth(certainty) for certainty in certainties]
    found = fit(certainties.tolist(), right)
    assert found.slope == pytest.approx(2.5, abs=0.1)
    assert found.intercept == pytest.approx(-4.0, abs=0.15)


@pytest.mark.parametrize("count", [1, 20, 500])
def test_words_that_are_all_right_make_it_not_quite_sure(count):
    found = fit([0.95] * count, [True] * count)
    assert 0.6 < found(0.95) < 1
    assert found(0.99) > found(0.95)


def test_nothing_to_fit():
    with pytest.raises(InputError, match="0 certainties and 0 verdicts"):
        fit([], [])
    with pytest.raises(InputError, match="2 certainties and 1 verdicts"):
        fit([0.5, 0.6], [True])


def test_cross_entropy_of_the_sure_the_ignorant_and_the_misled():
    right = [True] * 8 + [False] * 2
    assert heard([1.0] * 8 + [0.0] * 2, right).normalised_cross_entropy == pytest.approx(1, abs=1e-3)
    assert heard([0.8] * 10, right).normalised_cross_entropy == pytest.approx(0)
    assert heard([0.1] * 8 + [0.9] * 2, right).normalised_cross_entropy < 0
    assert math.isnan(heard([0.9] * 3, [True] * 3).normalised_cross_entropy)


def test_calibration_error_is_the_distance_from_the_truth():
    assert heard([0.85] * 20, [True] * 17 + [False] * 3).calibration_error == pytest.approx(0)
    # Half of the words are 0.1 too sure, half are right.
    confidences, right = [0.9] * 10 + [0.35] * 20, [True] * 8 + [False] * 2 + [True] * 7 + [False] * 13
    assert heard(confidences, right).calibration_error == pytest.approx(0.1 / 3)
    assert heard([1.0, 0.0], [True, False]).reliability() == [(0.0, 0.0, 1), (1.0, 1.0, 1)]


# A recogniser's


@pytest.fixture(scope="module")
def shipped():
    return load_recogniser(source("demo").recogniser)


@pytest.fixture(scope="module")
def rows():
    return loading.load_splits(source("demo"))


def test_the_shipped_recogniser_knows_how_sure_it_may_be(shipped, rows):
    assert shipped.calibration != Calibration()
    found = judge(shipped, rows["test"])
    assert found.normalised_cross_entropy > 0.2
    assert found.calibration_error < 0.08
    assert len(found.right) > 500


def test_verdicts_are_words_said(shipped, rows):
    row = rows["validation"][0]
    text = shipped.transcribe(row["audio"]).text
    assert judge(shipped, [{**row, "transcription": text}]).right.all()
    assert not judge(shipped, [{**row, "transcription": "ZZZ"}]).right.any()


def test_rows_with_no_word_to_judge(shipped, rows):
    with pytest.raises(InputError, match="wrote no word"):
        judge(shipped, [])
    with pytest.raises(InputError, match=r"Row 0: .*'nowhere\.wav'"):
        judge(shipped, [{"audio": "nowhere.wav", "transcription": "hello"}])


def test_no_more_rows_are_heard_than_needed(shipped, rows, monkeypatch):
    monkeypatch.setattr(confidence, "MOST_ROWS", 2)
    taken = []
    confidence.calibrate(shipped, (taken.append(row) or row for row in rows["validation"]))
    assert len(taken) == 2


BROKEN = [{"slope": "steep", "intercept": 0}, {"slope": 1}, [1, 2], {"slope": float("nan"), "intercept": 1},
          {"slope": 1, "intercept": 0, "delay": "late"}]  # fmt: skip


@pytest.mark.parametrize("written", BROKEN)
def test_a_calibration_that_is_none(written):
    with pytest.raises(InputError, match=r"The confidence in config\.json is no slope and intercept but"):
        Calibration.read(written, "config.json")


@pytest.mark.parametrize(
    ("late", "noise", "found"), [(4, 0.0, 0.08), (20, 0.0, 0.15), (-3, 0.0, 0.0), (4, 0.001, 0.08)]
)
def test_the_delay_is_how_late_the_first_letter_is(shipped, monkeypatch, late, noise, found):
    waveform = np.random.default_rng(0).normal(0, noise, 16_000).astype(np.float32)
    waveform[4_800:9_600] += np.sin(np.arange(4_800)).astype(np.float32) / 2  # from 0.3 s, frame 15, to 0.6 s
    blank, _ = shipped.silent
    path = np.full(50, blank)
    path[15 + late] = shipped.processor.tokenizer.convert_tokens_to_ids("A")
    emission = np.full((50, shipped.model.config.vocab_size), 1e-3)
    emission[range(50), path] = 0.9
    monkeypatch.setattr(type(shipped), "emission", lambda self, sound: emission)
    rows = [{"audio": wav(waveform), "transcription": "a"}] * 3
    assert confidence.calibrate(shipped, rows).delay == pytest.approx(found, abs=0.011)


def test_a_model_without_one_says_what_it_believes():
    assert Calibration.read(None, "") == Calibration()
    assert Calibration()(0.8) == pytest.approx(0.8)
