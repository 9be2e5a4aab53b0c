"""07  What validation rows tell of a recogniser's words: how sure it may be of them, and when they begin.

Conventions: an emission is (frames, vocabulary) probabilities. A certainty is what the model believes of its own
frames; a confidence is a probability that the word is right, which validation rows have taught it.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from . import AsrError, InputError, audio
from .preprocessing import normalise_text, vocabulary

if TYPE_CHECKING:
    from .inference import Recogniser

# Of Tsallis' entropy: below 1, small probabilities count. The source has 1/3; the demo's validation rows prefer 1/2.
ORDER = 1 / 2
SMALLEST = 1e-4  # a certainty is kept so far from 0 and 1, where its log odds have no end
MOST_ROWS = 500  # are listened to for a calibration
PIECE = 0.01  # s: where speech begins is looked for in pieces of this length
MOST_DELAY = 0.15  # s: what seems later has noise before its speech


def frame_certainty(emission: np.ndarray) -> np.ndarray:
    """How far each frame is from not knowing: 1 where one token has all the probability, 0 where all have the same.

    It is Tsallis' entropy of order 1/2, divided by its largest value and turned round.

    Args:
        emission: (frames, vocabulary) probabilities.

    Returns:
        (frames,) from 0 to 1.

    Source:
        A. Laptev and B. Ginsburg, "Fast entropy-based methods of word-level confidence estimation for end-to-end
        automatic speech recognition", 2022 (https://arxiv.org/abs/2212.08703).

    >>> frame_certainty(np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]])).round(6).tolist()
    [1.0, 0.0]
    """
    most = emission.shape[1] ** (1 - ORDER)  # the sum of powers where all are alike
    powers = (np.asarray(emission, np.float64) ** ORDER).sum(axis=-1)
    return np.clip((most - powers) / (most - 1), 0, 1)


def word_certainty(emission: np.ndarray, silent: Collection[int]) -> float:
    """The certainty of a word's least sure letter, in its surest frame; where no letter is likeliest, the frames' mean.

    One letter in doubt puts the word in doubt, so the mean over the letters tells less: on validation rows it parts
    right words from wrong ones in 80 % of all pairs, and the least sure letter in 86 %.

    Args:
        emission: (frames, vocabulary) probabilities of the word's frames.
        silent: ids that write no letter: the blank and the word delimiter.
    """
    certainties, best = frame_certainty(emission), emission.argmax(axis=-1).tolist()
    letters = [max(certainty for _, certainty in run)
               for token, run in groupby(zip(best, certainties.tolist(), strict=True), key=lambda frame: frame[0])
               if token not in silent]  # fmt: skip
    return min(letters) if letters else float(certainties.mean())


@dataclass(frozen=True)
class Calibration:
    """Turns a certainty into a confidence: a straight line in log odds. Unless it is fitted, both are the same.

    Attributes:
        slope: how much the log odds of being right grow with those of the certainty.
        intercept: the log odds of being right at a certainty of one half.
        delay: how long a word's sound lasts before the model writes its first letter, s.
    """

    slope: float = 1.0
    intercept: float = 0.0
    delay: float = 0.0

    def __call__(self, certainty: float) -> float:
        """The probability that a word of such a certainty is right.

        >>> Calibration()(0.75), round(Calibration(slope=2.0, intercept=-1.0)(0.75), 3)
        (0.75, 0.768)
        """
        return 1 / (1 + math.exp(-(self.slope * log_odds(certainty) + self.intercept)))

    @classmethod
    def read(cls, written: Any, where: str) -> "Calibration":
        """From the JSON of a model's configuration or of a language model's weights; None is no calibration.

        Raises:
            InputError: it is not numbers.
        """
        if written is None:
            return cls()
        try:
            found = cls(float(written["slope"]), float(written["intercept"]), float(written.get("delay", 0.0)))
        except (AttributeError, TypeError, KeyError, ValueError):
            found = cls(math.nan)
        if not all(math.isfinite(number) for number in (found.slope, found.intercept, found.delay)):
            raise InputError(f"The confidence in {where} is no slope and intercept but {written!r}: take it out.")
        return found


def log_odds(certainty: float) -> float:
    """The logarithm of p to 1 - p, for p no nearer than 0.0001 to 0 and to 1."""
    certainty = min(max(certainty, SMALLEST), 1 - SMALLEST)
    return math.log(certainty / (1 - certainty))


def fit(certainties: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Learns from words how often one of a certainty is right: logistic regression, by Newton's method.

    The right ones count as a little less than right and the wrong ones as a little more than wrong, so that no number
    of words, all of them right, makes it sure.

    Raises:
        InputError: the lists differ in length, or are empty.

    Source:
        J. Platt, "Probabilistic outputs for support vector machines", 1999.

    >>> fit([0.9, 0.8, 0.6, 0.4] * 50, [True, True, False, False] * 50)(0.9) > 0.9
    True
    """
    if not 0 < len(certainties) == len(right):
        raise InputError(f"{len(certainties)} certainties and {len(right)} verdicts: one of each for a word is needed.")
    good = sum(right)
    targets = np.where(right, (good + 1) / (good + 2), 1 / (len(right) - good + 2))  # (N,)
    inputs = np.stack([[log_odds(one) for one in certainties], np.ones(len(right))], axis=1)  # (N, 2)
    # Without words the slope is 1; what a few words say of it counts little.
    start = np.array([1.0, 0.0])
    weights, ridge = start.copy(), np.diag([0.3, 0.01])
    for _ in range(50):
        found = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (found - targets) + ridge @ (weights - start)
        curvature = (inputs * (found * (1 - found))[:, None]).T @ inputs + ridge
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step / max(1.0, np.abs(step).max())
    return Calibration(*weights.tolist())


@dataclass(frozen=True)
class HeardWords:
    """Words that a recogniser wrote, judged by what was said.

    Attributes:
        certainties: of its frames, (N,).
        confidences: what it gave for them, (N,).
        right: whether each word was said there, (N,).
    """

    certainties: np.ndarray
    confidences: np.ndarray
    right: np.ndarray

    def calibration(self) -> Calibration:
        """What the certainties are worth."""
        return fit(self.certainties.tolist(), self.right.tolist())

    @property
    def normalised_cross_entropy(self) -> float:
        """How much the confidences tell beyond the share of right words: 1 is all, 0 nothing, below 0 they mislead.

        NaN where all words are right, or none.

        Source:
            NIST's scoring toolkit, sctk.
        """
        share = self.right.mean()
        if share in (0, 1):
            return math.nan
        known = np.clip(self.confidences, SMALLEST, 1 - SMALLEST)
        told = np.where(self.right, np.log(known), np.log(1 - known)).mean()
        return float(1 - told / (share * np.log(share) + (1 - share) * np.log(1 - share)))

    @property
    def calibration_error(self) -> float:
        """How far confidence and truth lie apart, on average: the bins of `reliability`, each by its words.

        Source:
            C. Guo and others, "On calibration of modern neural networks", 2017 (https://arxiv.org/abs/1706.04599).
        """
        bins = self.reliability()
        return sum(abs(believed - true) * words for believed, true, words in bins) / len(self.right)

    def reliability(self, bins: int = 10) -> list[tuple[float, float, int]]:
        """The words in bins of equal width by confidence, empty ones left out.

        Returns:
            For each bin its mean confidence, its share of right words, and its number of words.
        """
        which = np.minimum((self.confidences * bins).astype(int), bins - 1)
        groups = [which == number for number in np.unique(which)]
        return [
            (float(self.confidences[group].mean()), float(self.right[group].mean()), int(group.sum()))
            for group in groups
        ]


def judge(recogniser: "Recogniser", rows: Iterable[dict[str, Any]]) -> HeardWords:
    """Has a recogniser write down rows, and looks which of its words were said.

    Args:
        recogniser: hears the rows one by one.
        rows: each with `audio`, undecoded, and `transcription`.

    Raises:
        InputError: a row cannot be read, or it wrote no word at all.
    """
    return judge_words(recogniser, ((said, emission) for said, emission, _ in _heard(recogniser, rows)))


def _heard(recogniser: "Recogniser", rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What was said in each row, its emission, and its waveform."""
    characters = vocabulary(recogniser.processor)
    for number, row in enumerate(rows):
        try:
            waveform = audio.load(row["audio"], recogniser.sampling_rate)
            emission = recogniser.emission(waveform)
        except AsrError as error:
            raise InputError(f"Row {number}: {error}") from error
        yield normalise_text(row["transcription"], characters).text, emission, waveform


def judge_words(recogniser: "Recogniser", heard: Iterable[tuple[str, np.ndarray]]) -> HeardWords:
    """`judge` for clips that were heard already: what was said in each, and its emission.

    Raises:
        InputError: the recogniser wrote no word at all.
    """
    import jiwer

    certainties, confidences, right = [], [], []
    silent = recogniser.silent
    for said, emission in heard:
        words = recogniser.decode(emission).words
        if not said or not words:
            continue
        verdict = [False] * len(words)
        for chunk in jiwer.process_words(said, " ".join(word.text for word in words)).alignments[0]:
            if chunk.type == "equal":
                verdict[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
        for word in words:
            certainties.append(word_certainty(emission[word.frames(recogniser.frame)], silent))
            confidences.append(word.confidence)
        right += verdict
    if not right:
        raise InputError("The recogniser wrote no word, so there is none to judge: give it rows that it can hear.")
    return HeardWords(np.array(certainties), np.array(confidences), np.array(right))


def calibrate(recogniser: "Recogniser", rows: Iterable[dict[str, Any]]) -> Calibration:
    """What a recogniser's certainties are worth, and its words' delay, by the first 500 rows it was not trained on.

    The delay is the median over the rows, at most 0.15 s. A CTC model writes a letter when it has heard enough of it,
    and nothing in its training asks for less.

    Raises:
        InputError: a row cannot be read, or it wrote no word at all.
    """
    recogniser, heard, delays = replace(recogniser, calibration=Calibration()), [], []
    for said, emission, waveform in _heard(recogniser, islice(rows, MOST_ROWS)):
        heard.append((said, emission))
        if words := recogniser.decode(emission).words:
            delays.append(words[0].start - speech_begin(waveform, recogniser.sampling_rate))
    found = judge_words(recogniser, heard).calibration()
    return replace(found, delay=round(float(np.clip(np.median(delays), 0, MOST_DELAY)), 3))


def speech_begin(waveform: np.ndarray, sampling_rate: int) -> float:
    """When a clip is first louder than its quiet parts, s, to 10 ms.

    Args:
        waveform: (num_samples,).
        sampling_rate: Hz.

    >>> speech = np.random.default_rng(0).normal(0, 0.1, 16_000)
    >>> speech[:4_800] *= 0.01
    >>> speech_begin(speech, 16_000)
    0.3
    """
    levels = audio.loudness(audio.piece_power(waveform, round(PIECE * sampling_rate)))
    return float(np.argmax(levels > audio.quiet_below(levels))) * PIECE
