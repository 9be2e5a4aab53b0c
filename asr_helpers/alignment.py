"""07  Where a text lies in its sound.

Conventions: an emission is (frames, vocabulary) probabilities. A token's span is its first frame and its last one, both
included; what is silent between two tokens belongs to neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import InputError
from .inference import Recogniser, Word, begin_word
from .languages import units


@dataclass(frozen=True)
class Alphabet:
    """What a head's ids write.

    Attributes:
        signs: each id's text; "" for what writes nothing, as <s>.
        blank: the blank's id.
        delimiter: the id of what parts words; None where words are not parted.
    """

    signs: tuple[str, ...]
    blank: int
    delimiter: int | None

    @classmethod
    def of(cls, recogniser: Recogniser) -> "Alphabet":
        """A recogniser's."""
        tokenizer, size = recogniser.processor.tokenizer, int(recogniser.model.config.vocab_size or 0)
        silent = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id}
        delimiter: Any = tokenizer.convert_tokens_to_ids(tokenizer.word_delimiter_token)
        tokens = tokenizer.convert_ids_to_tokens(list(range(size)))
        signs = ["" if number in silent else token for number, token in enumerate(tokens)]
        return cls(tuple(signs), tokenizer.pad_token_id, delimiter)


def align_tokens(log_probs: np.ndarray, ids: Sequence[int], blank: int) -> tuple[np.ndarray, float]:
    """The likeliest CTC path that writes some tokens (Viterbi's algorithm).

    Args:
        log_probs: (frames, vocabulary) natural logarithms.
        ids: of the tokens, (L,).
        blank: the blank's id.

    Returns:
        (L, 2), the first and the last frame of each token; and the mean of the path's logarithms, -inf where there are
        too few frames for the tokens.

    Source:
        A. Graves and others, "Connectionist temporal classification", 2006, section 4.1, with max in place of sum.

    >>> log_probs = np.log(np.full((4, 3), 0.1) + 0.7 * np.eye(3)[[1, 0, 2, 2]])
    >>> align_tokens(log_probs, [1, 2], blank=0)[0].tolist()
    [[0, 0], [2, 3]]
    """
    states = np.full(2 * len(ids) + 1, blank)  # a blank before, between and behind the tokens
    states[1::2] = ids
    # Over a blank one may go from a token to the next, where they differ.
    may_skip = np.zeros(len(states), bool)
    may_skip[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    scores = np.full(len(states), -np.inf)
    scores[:2] = log_probs[0, states[:2]]
    steps = np.zeros((len(log_probs), len(states)), np.int8)
    for frame, row in enumerate(log_probs[1:], 1):
        ways = np.full((3, len(states)), -np.inf)  # to stay, or come from one or two states before
        ways[0], ways[1, 1:], ways[2, 2:] = scores, scores[:-1], scores[:-2]
        ways[2, ~may_skip] = -np.inf
        steps[frame] = ways.argmax(0)
        scores = ways.max(0) + row[states]
    state = len(states) - 1 - int(scores[-2:].argmax() == 0 and len(states) > 1)
    score = float(scores[state]) / len(log_probs)
    spans = np.full((len(ids), 2), -1)
    for frame in range(len(log_probs) - 1, -1, -1):
        if state % 2:
            spans[state // 2, 0] = frame
            if spans[state // 2, 1] < 0:
                spans[state // 2, 1] = frame
        state -= int(steps[frame, state])
    return spans, score


def align_words(
    emission: np.ndarray, text: str, alphabet: Alphabet, frame: float, delay: float = 0.0
) -> tuple[Word, ...]:
    """Where a text's words lie in an emission.

    Args:
        emission: (frames, vocabulary) probabilities.
        text: of the alphabet's signs, or of what they compose, as jamo do syllables; its words parted by spaces.
        frame: the time from one frame to the next, s.
        delay: how long a word's sound lasts before its first letter, s: `Calibration.delay`.

    Returns:
        The words. A word's confidence is the geometric mean of its signs' probabilities in their frames: how well the
        given word fits, not whether another one would.

    Raises:
        InputError: a character is none of the alphabet's signs, or the text is too long for the sound.
    """
    words = text.split()
    if not words:
        return ()
    ids = {sign: number for number, sign in enumerate(alphabet.signs) if sign}
    spelt = [units(word, ids) for word in words]
    unknown = sorted({sign for word in spelt for sign in word if sign not in ids})
    if unknown:
        raise InputError(f"The text {text!r} has {unknown[0]!r}, which this recogniser cannot write: leave it out.")
    tokens: list[int] = []
    for signs in spelt:
        if tokens and alphabet.delimiter is not None:
            tokens.append(alphabet.delimiter)
        tokens += [ids[sign] for sign in signs]
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.asarray(emission, np.float64))
    spans, score = align_tokens(log_probs, tokens, alphabet.blank)
    if not np.isfinite(score):
        raise InputError(f"The text {text!r} cannot lie in {len(emission)} frames: it is too long, or another clip's.")
    place = 0
    found: list[Word] = []
    for word, signs in zip(words, spelt, strict=True):
        letters = range(place, place + len(signs))
        believed = np.concatenate([log_probs[spans[i, 0] : spans[i, 1] + 1, tokens[i]] for i in letters])
        first, last = int(spans[letters[0], 0]), int(spans[letters[-1], 1])
        start = begin_word(first * frame, found, delay)
        found.append(Word(word, start, (last + 1) * frame, float(np.exp(believed.mean()))))
        place += len(signs) + (alphabet.delimiter is not None)
    return tuple(found)
