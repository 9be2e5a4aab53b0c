"""07  Emissions to text by beam search, with a language model and hotwords where there are some.

Conventions: an emission is (frames, vocabulary) probabilities. A text's acoustic score is the logarithm of the sum over
all CTC paths that write it. Word delimiters at a text's ends, and more than one between two words, write nothing.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from . import InputError, audio
from .alignment import Alphabet, align_words
from .confidence import Calibration, judge_words, word_certainty
from .inference import Recogniser, Transcript
from .languages import compose, units
from .ngrams import BEGIN, END, UNKNOWN, NgramModel, read_arpa
from .preprocessing import normalise_text, read_text, vocabulary, writing_of

if TYPE_CHECKING:
    from transformers import ProcessorMixin

NOTHING = -math.inf
MOST_STRANGE = 0.2  # of a language model's words that the recogniser cannot write: more, and it is another language's
WEIGHTS, BONUSES = (0.1, 0.2, 0.35, 0.5, 0.7, 0.9), (0.0, 0.5, 1.0, 1.5, 2.0)  # what `tune` tries


@dataclass(frozen=True)
class Beam:
    """How to search.

    Attributes:
        width: how many texts are followed from frame to frame.
        language_model: judges each word when it ends, and the text's end; None for sound alone.
        weight: what the language model's logarithms count beside the sound's.
        word_bonus: is added for each word, where there is a language model: alone it would favour short texts.
        hotwords: words expected here, each with what is added to the score where it is heard.
        calibration: of the words that are found with it; None for the recogniser's own.
        floor: a token less likely than this in a frame, a natural logarithm, is not tried there.
    """

    width: int = 25
    language_model: NgramModel | None = None
    weight: float = 0.5
    word_bonus: float = 1.0
    hotwords: Mapping[str, float] = field(default_factory=dict)
    calibration: Calibration | None = None
    floor: float = -6.0

    def __post_init__(self) -> None:
        if self.width < 1:
            raise InputError(f"A beam cannot be {self.width} wide: 1 or more.")

    def word_score(self, history: Sequence[str], word: str) -> float:
        """What a word after others adds to the score."""
        score = self.hotwords.get(word, 0.0)
        if self.language_model:
            score += self.weight * self.language_model.log_prob(history, word) + self.word_bonus
        return score

    @classmethod
    def read(cls, path: str | Path, alphabet: "Alphabet", width: int = 25) -> "Beam":
        """A beam with a language model from an ARPA file, and the weights that `tune` has left beside it, if any.

        Raises:
            InputError: one of the files cannot be read, or the model is of another language or normalisation: the
                recogniser cannot write its words.
        """
        path = Path(path)
        model = read_arpa(path)
        words = [word for (word, *more) in model.ngrams if not more and word not in (BEGIN, END, UNKNOWN)]
        signs = frozenset(alphabet.signs)
        strange = [word for word in words if not set(units(word, signs)) <= signs]
        if len(strange) > MOST_STRANGE * len(words):
            raise InputError(
                f"{len(strange)} of the {len(words)} words of {str(path)!r}, such as {strange[0]!r}, cannot be written "
                "by this recogniser: make the language model of text in its language, with `asr-helpers lm`."
            )
        found: dict[str, Any] = {}
        if (weights := weights_file(path)).is_file():
            try:
                written = json.loads(weights.read_text(encoding="utf-8"))
                found = {name: float(written[name]) for name in ("weight", "word_bonus")}
                if "confidence" in written:
                    found["calibration"] = Calibration.read(written["confidence"], repr(str(weights)))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{str(weights)!r} cannot be read ({error}): make it anew or remove it.") from None
        return cls(width, model, **found)

    def end_score(self, history: Sequence[str]) -> float:
        """What the text's end adds."""
        return self.weight * self.language_model.log_prob(history, END) if self.language_model else 0.0


@dataclass(frozen=True)
class Hypothesis:
    """One of the texts that a search found.

    Attributes:
        text: the text.
        acoustic: the natural logarithm of its probability given the sound.
        language: what the language model and the hotwords add to it.
    """

    text: str
    acoustic: float
    language: float

    @property
    def score(self) -> float:
        """What the search ranks by."""
        return self.acoustic + self.language


class _Prefix:
    """A text's beginning. Each exists once: what is reached in two ways is one."""

    __slots__ = ("after", "before", "history", "language", "letters", "token")

    def __init__(self, token: int | None, before: tuple[str, ...], letters: str, history, language: float):
        self.token = token
        self.before = before  # the words that have ended
        self.letters = letters  # of the word that has not
        self.history = history  # as much of `before`, and of <s>, as the language model looks at
        self.language = language
        self.after: dict[int, _Prefix] = {}

    def ended(self, beam: Beam) -> tuple[tuple[str, ...], Sequence[str], float]:
        """Words, history and language score with the last word ended."""
        if not self.letters:
            return self.before, self.history, self.language
        word = compose(self.letters)
        history = (*self.history, word)
        if beam.language_model:
            history = beam.language_model.shortened(history)
        language = self.language + beam.word_score(self.history, word)
        return (*self.before, word), history, language

    def extended(self, token: int, alphabet: Alphabet, beam: Beam) -> "_Prefix":
        found = self.after.get(token)
        if found is None:
            if token == alphabet.delimiter:
                before, history, language = self.ended(beam)
                found = _Prefix(token, before, "", history, language)
            else:
                letters = self.letters + alphabet.signs[token]
                found = _Prefix(token, self.before, letters, self.history, self.language)
            self.after[token] = found
        return found


def _add(first: float, second: float) -> float:
    """log(exp(first) + exp(second))."""
    if first < second:
        first, second = second, first
    return first if second == NOTHING else first + math.log1p(math.exp(second - first))


def beam_search(emission: np.ndarray, alphabet: Alphabet, beam: Beam) -> list[Hypothesis]:
    """The likeliest texts of an emission, best first, at most `beam.width`.

    Args:
        emission: (frames, vocabulary) probabilities.

    Raises:
        InputError: the emission has another shape.

    Source:
        A. Hannun and others, "First-pass large vocabulary continuous speech recognition using bi-directional
        recurrent DNNs", 2014 (https://arxiv.org/abs/1408.2873), algorithm 1.

    >>> alphabet = Alphabet(("", "|", "A", "B"), blank=0, delimiter=1)
    >>> emission = np.array([[0.1, 0.0, 0.9, 0.0], [0.1, 0.0, 0.4, 0.5]])
    >>> [found.text for found in beam_search(emission, alphabet, Beam(width=3))]
    ['A', 'AB', 'B']
    """
    if np.ndim(emission) != 2 or emission.shape[1] != len(alphabet.signs):
        raise InputError(
            f"An emission is (frames, {len(alphabet.signs)}), and this one has the shape {np.shape(emission)}: "
            "give one clip's, frames first."
        )
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.asarray(emission, np.float64))
    blank, delimiter = alphabet.blank, alphabet.delimiter
    silent = [number for number, sign in enumerate(alphabet.signs) if not sign and number != blank]
    log_probs[:, silent] = NOTHING
    # The beginning is like the end of a word: a delimiter there writes nothing.
    begin = (BEGIN,) if beam.language_model else ()
    # Of each prefix the logarithms of its paths that end in the blank, and of those that do not.
    beams: dict[_Prefix, tuple[float, float]] = {_Prefix(delimiter, (), "", begin, 0.0): (0.0, NOTHING)}
    for row in log_probs:
        best = row.max()
        tried = [(token, row[token].item()) for token in np.flatnonzero(row > min(beam.floor, best)).tolist()]
        tried = tried or [(int(row.argmax()), float(best))]
        found: dict[_Prefix, list[float]] = {}
        for prefix, (blanked, spoken) in beams.items():
            both, last = _add(blanked, spoken), prefix.token
            for token, log_prob in tried:
                if token == blank:
                    place = found.setdefault(prefix, [NOTHING, NOTHING])
                    place[0] = _add(place[0], both + log_prob)
                    continue
                if token == last:
                    place = found.setdefault(prefix, [NOTHING, NOTHING])
                    again = both if token == delimiter else spoken
                    place[1] = _add(place[1], again + log_prob)
                    if token == delimiter or blanked == NOTHING:
                        continue
                    reached = blanked
                else:
                    reached = both
                place = found.setdefault(prefix.extended(token, alphabet, beam), [NOTHING, NOTHING])
                place[1] = _add(place[1], reached + log_prob)
        if len(found) > beam.width:
            ranked = sorted(found, key=lambda prefix: _add(*found[prefix]) + prefix.language, reverse=True)
            beams = {prefix: (found[prefix][0], found[prefix][1]) for prefix in ranked[: beam.width]}
        else:
            beams = {prefix: (scores[0], scores[1]) for prefix, scores in found.items()}
    texts: dict[str, tuple[float, float]] = {}
    for prefix, scores in beams.items():
        words, history, language = prefix.ended(beam)
        text = " ".join(words)
        acoustic = _add(_add(*scores), texts.get(text, (NOTHING, 0.0))[0])
        texts[text] = (acoustic, language + beam.end_score(history))
    hypotheses = [Hypothesis(text, *scores) for text, scores in texts.items()]
    return sorted(hypotheses, key=lambda hypothesis: hypothesis.score, reverse=True)


@dataclass(frozen=True)
class BeamRecogniser(Recogniser):
    """A recogniser that searches for the likeliest text instead of taking each frame's likeliest token.

    Attributes:
        beam: how it searches.
    """

    beam: Beam = field(default_factory=Beam)

    @cached_property
    def alphabet(self) -> Alphabet:
        """What its head's ids write."""
        return Alphabet.of(self)

    def hypotheses(self, emission: np.ndarray) -> list[Hypothesis]:
        """The likeliest texts of an emission, (frames, vocabulary), best first."""
        return beam_search(emission, self.alphabet, self.beam)

    def decode(self, emission: np.ndarray) -> Transcript:
        """The likeliest text of an emission, (frames, vocabulary), with its words in time."""
        text = self.hypotheses(emission)[0].text
        calibration, silent, words = self.beam.calibration or self.calibration, self.silent, []
        for word in align_words(emission, text, self.alphabet, self.frame, calibration.delay):
            certainty = word_certainty(emission[word.frames(self.frame)], silent)
            words.append(replace(word, confidence=calibration(certainty)))
        return Transcript(text, tuple(words))


def read_hotwords(path: str | Path, processor: "ProcessorMixin", bonus: float = 3.0) -> dict[str, float]:
    """Words expected in the sound, from a text file: one on a line, with a number behind it that is its bonus.

    Raises:
        InputError: the file cannot be read, a line has several words, or one that the recogniser cannot write.
    """
    hotwords = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        worth = bonus
        if len(fields) == 2 and re.fullmatch(r"[-+]?\d+(\.\d+)?", fields[1]):
            worth = float(fields.pop())
        word = normalise_text(fields[0], vocabulary(processor)).text
        if len(fields) > 1 or not word or " " in word:
            raise InputError(f"Line {number} of {str(path)!r}, {line.strip()!r}, is not a word and its bonus: mend it.")
        hotwords[word] = worth
    return hotwords


def weights_file(language_model: Path) -> Path:
    """Where the weights of an ARPA file's model lie: beside it."""
    return language_model.with_name(language_model.name + ".json")


@dataclass(frozen=True)
class Tuning:
    """What weights a language model got, and what it is good for.

    Attributes:
        weight, word_bonus: those of the lowest error rate; of equals the smallest weight.
        greedy, beam, language_model: WER without a search, of the search alone, and with the language model. Of a
            language that is measured by it, as Korean is, the CER.
        unknown_share: the share of the references' words that the language model has not seen.
        confidence: what the certainty of a word is worth that is found so.
    """

    weight: float
    word_bonus: float
    greedy: float
    beam: float
    language_model: float
    unknown_share: float
    confidence: Calibration

    @property
    def helped(self) -> bool:
        """Whether fewer words are wrong with the language model than without."""
        return self.language_model < min(self.greedy, self.beam)


def tune(recogniser: Recogniser, rows: Iterable[dict[str, Any]], beam: Beam) -> Tuning:
    """Chooses a language model's weight and word bonus on rows that nothing else is measured on.

    Args:
        recogniser: hears each row once.
        rows: validation rows, each with `audio`, undecoded, and `transcription`.
        beam: with the language model.

    Raises:
        InputError: the beam has no language model, there is no row, or one cannot be read or has no text to score.
    """
    from .evaluation import score

    if not beam.language_model:
        raise InputError("There is no language model to tune: give the beam one.")
    characters = vocabulary(recogniser.processor)
    references, emissions, greedy = [], [], []
    for row in rows:
        references.append(normalise_text(row["transcription"], characters).text)
        emissions.append(recogniser.emission(audio.load(row["audio"], recogniser.sampling_rate)))
        greedy.append(recogniser.decode(emissions[-1]).text)
    alphabet = Alphabet.of(recogniser)

    writing = writing_of(recogniser.processor)

    def measured(hypotheses: list[str]) -> float:
        scores = score(references, hypotheses, writing=writing)
        return scores.cer if scores.metric == "cer" else scores.wer

    def wer(searched: Beam) -> float:
        return measured([beam_search(emission, alphabet, searched)[0].text for emission in emissions])

    alone = wer(replace(beam, language_model=None))
    found = {(weight, bonus): wer(replace(beam, weight=weight, word_bonus=bonus))
             for weight, bonus in product(WEIGHTS, BONUSES)}  # fmt: skip
    weight, bonus = _best(found)
    best = replace(beam, weight=weight, word_bonus=bonus, calibration=None)
    searching = BeamRecogniser(recogniser.model, recogniser.processor, beam=best)
    confidence = judge_words(searching, zip(references, emissions, strict=True)).calibration()
    confidence = replace(confidence, delay=recogniser.calibration.delay)
    unknown = beam.language_model.unknown_share(references)
    return Tuning(weight, bonus, measured(greedy), alone, found[weight, bonus], unknown, confidence)


def _best(found: dict[tuple[float, float], float]) -> tuple[float, float]:
    """Of all weights and bonuses the pair with the lowest error rate; of equals the one whose neighbours' are lowest.

    Few rows make many equals, and a pair at their edge does worse on other rows.
    """

    def around(pair: tuple[float, float]) -> float:
        weight, bonus = WEIGHTS.index(pair[0]), BONUSES.index(pair[1])
        near = product(WEIGHTS[max(0, weight - 1) : weight + 2], BONUSES[max(0, bonus - 1) : bonus + 2])
        return fmean(found[neighbour] for neighbour in near)

    return min(found, key=lambda pair: (found[pair], around(pair), pair))
