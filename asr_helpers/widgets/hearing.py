"""Panels on one row's sound: a typed text aligned to it, and the hypotheses of a beam search."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import ipywidgets
import numpy as np

from .. import InputError, audio
from ..alignment import Alphabet, align_words
from ..decoding import BeamRecogniser, Hypothesis
from ..evaluation import AlignedWord, align, count_errors
from ..inference import Recogniser
from ..plots import KIND_COLOURS
from ..preprocessing import normalise_text, vocabulary
from ..wording import mark, say
from .kit import (
    FULL,
    KIND_LINES,
    WIDE,
    View,
    line,
    page,
    plain,
    read_along,
    sound,
    table,
    telling,
    text,
    unheard,
    word_options,
    word_span,
)

BEST = 10  # hypotheses listed

Hear = Callable[[int], tuple[np.ndarray, np.ndarray]]  # from a row's number to its waveform and its emission


def hearing(recogniser: Recogniser, rows: Sequence[Mapping[str, Any]]) -> Hear:
    """What gives a row's waveform and emission; the last row's are kept."""

    @lru_cache(maxsize=1)
    def hear(row: int) -> tuple[np.ndarray, np.ndarray]:
        waveform = audio.load(rows[row]["audio"], recogniser.sampling_rate)
        return waveform, recogniser.emission(waveform)

    return hear


def text_panel(recogniser: Recogniser, hear: Hear, references: Sequence[str]) -> View:
    """A typed text aligned to a row's sound: when each of its words is said, and how it sounds.

    Args:
        recogniser: finds the words.
        hear: from `hearing`.
        references: each row's text, which stands in the box at first.

    Returns:
        A view with the controls `typed`, the text, and `word`; and `show_row`, which takes a row's number.
    """
    alphabet, characters = Alphabet.of(recogniser), vocabulary(recogniser.processor)
    typed = ipywidgets.Textarea(description=say("typed text"), rows=2, layout=FULL, style=WIDE)
    word = ipywidgets.Dropdown(description=say("word"), options=word_options(()), layout=FULL, style=WIDE)
    message, player = ipywidgets.HTML(), ipywidgets.HTML()
    found: dict[str, Any] = {"row": 0, "words": ()}

    def show_word(change: object = None) -> None:
        with telling(message):
            waveform, _ = hear(found["row"])
            rate = recogniser.sampling_rate
            start, end = word_span(found["words"], word.value, len(waveform) / rate)
            what = say("typed word {number}", number=word.value + 1) if word.value >= 0 else say("the whole clip")
            player.value = sound(waveform[int(start * rate) : int(end * rate)], rate, say("play {what}", what=what))

    def show_text(change: object = None) -> None:
        found["words"], player.value = (), ""
        with telling(message):
            written = normalise_text(typed.value, characters).text
            if not written:
                raise InputError(say("The typed text has no letter that this recogniser writes: type what is said."))
            emission, delay = hear(found["row"])[1], recogniser.calibration.delay
            found["words"] = align_words(emission, written, alphabet, recogniser.frame, delay)
        with unheard(show_word, word):
            word.options = word_options(found["words"], mark("{share:.0%} fit"))
            word.value = -1
        if found["words"]:
            show_word()

    def show_row(row: int) -> None:
        found["row"] = row
        with unheard(show_text, typed):
            typed.value = plain(references[row])
        show_text()

    typed.observe(show_text, "value")
    word.observe(show_word, "value")
    return View(
        "text",
        [typed, message, word, player],
        typed=typed,
        message=message,
        word=word,
        player=player,
        show_row=show_row,
    )


def hypotheses_panel(recogniser: BeamRecogniser, hear: Hear, references: Sequence[str]) -> View:
    """The best hypotheses of a row with their scores and errors, and the lowest WER among them.

    Args:
        recogniser: searches.
        hear: from `hearing`.
        references: each row's text.

    Returns:
        A view with `show_row`, which takes a row's number.
    """
    message, shown = ipywidgets.HTML(), ipywidgets.HTML()

    def show_row(row: int) -> None:
        shown.value = ""
        with telling(message):
            shown.value = hypotheses_table(recogniser, hear(row)[1], references[row])

    return View("hypotheses", [message, shown], message=message, shown=shown, show_row=show_row)


def hypotheses_table(recogniser: BeamRecogniser, emission: np.ndarray, reference: str = "") -> str:
    """The greedy text and under it a beam's best hypotheses as HTML, with the words marked that differ from greedy.

    Args:
        recogniser: searches.
        emission: (frames, vocabulary) probabilities.
        reference: what is said; without it no errors are counted.
    """
    greedy = Recogniser.decode(recogniser, emission).text
    best = recogniser.hypotheses(emission)[:BEST]
    counts = count_errors([reference] * len(best), [one.text for one in best]) if reference else []
    errors = [[str(count.errors)] for count in counts] or [[]] * len(best)
    lines = [
        [changed_words(greedy, one), *(f"{score:.1f}" for score in (one.acoustic, one.language, one.score)), *cells]
        for one, cells in zip(best, errors, strict=True)
    ]
    head = [say("hypothesis"), say("acoustic"), say("language model"), say("sum"), *([say("errors")] if counts else [])]
    told = line(say("Greedy: {text}", text=f"<b>{text(greedy)}</b>"))
    told += table(head, lines, say("The best {count} of the search", count=len(best)))
    told += line(say("Wavy line: the search changed the word. Struck through: a greedy word that it left out."))
    if counts:
        rates = [count.rate for count in counts]
        oracle = min(range(len(rates)), key=rates.__getitem__)
        told += line(
            say(
                "The first has a WER of {first:.2f}. The lowest of these {count} is {lowest:.2f}, of hypothesis "
                "{number} (oracle WER).",
                first=rates[0], count=len(best), lowest=rates[oracle], number=oracle + 1,
            )
        )  # fmt: skip
    return page(told)


def changed_words(greedy: str, hypothesis: Hypothesis) -> str:
    """A hypothesis as HTML: words changed against the greedy text are marked, those it dropped are struck through."""
    if greedy.strip():
        steps = align(greedy, hypothesis.text)
    else:
        steps = [AlignedWord("I", "", word) for word in hypothesis.text.split()]
    words = []
    for step in steps:
        kind = {"I": "S"}.get(step.kind, step.kind)
        mark = "" if kind == "H" else f"text-decoration:{KIND_LINES[kind]} {KIND_COLOURS[kind]} 2px"
        words.append(f'<span style="{mark}">{text(step.hypothesis or step.reference)}</span>')
    return read_along(hypothesis.text or greedy, " ".join(words))
