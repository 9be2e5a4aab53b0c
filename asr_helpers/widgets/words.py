"""Panels of the errors view on words: how well each is heard, those that are unknown, and keywords."""

import re
from collections.abc import Callable, Container, Mapping, Sequence

import ipywidgets

from ..wording import mark, say
from ..words import WordCounts, split_known, sum_words
from .kit import FULL, WIDE, View, page, table, text

OFTEN = 3  # times a word must be said to be listed: of fewer, a share says little
LISTED = 20  # words in a table

ByModel = Mapping[str, Mapping[str, WordCounts]]  # by the model's name and the word


def words_panel(models: ByModel) -> View:
    """A table of the words said at least 3 times, and which share of each is heard right.

    Args:
        models: each model's counts, from `words.count_words`; the first model's order the table.

    Returns:
        A view with the control `order`: the words least right first, or those most said.
    """
    counts = {word: count for word, count in _first(models).items() if count.said >= OFTEN}
    orders: dict[str, Callable[[str], tuple]] = {
        mark("least right"): lambda word: (counts[word].recall, -counts[word].said, word),
        mark("most said"): lambda word: (-counts[word].said, word),
    }
    order = ipywidgets.Dropdown(description=say("order"), options=[(say(name), name) for name in orders], style=WIDE)
    shown = ipywidgets.HTML()

    def show(change: object = None) -> None:
        listed = sorted(counts, key=orders[order.value])[:LISTED]
        caption = say(
            "{listed} of {words} words that are said {times} times or more",
            listed=len(listed), words=len(counts), times=OFTEN,
        )  # fmt: skip
        shown.value = _word_table(caption, listed, models)

    order.observe(show, "value")
    show()
    return View("words", [order, shown], order=order, shown=shown)


def unknown_panel(models: ByModel, known: Container[str]) -> View:
    """How unknown words are heard, beside the known ones; and a table of the unknown words said or written.

    Args:
        models: each model's counts, from `words.count_words`.
        known: the words that the model or its language model has seen.
    """
    parts = {name: split_known(counts, known) for name, counts in models.items()}
    sums: dict[str, dict[str, WordCounts]] = {
        name: {title: sum_words(some.values()) for title, some in zip(("known", "unknown"), both, strict=True)}
        for name, both in parts.items()
    }
    unknown = {name: both[1] for name, both in parts.items()}
    words = dict.fromkeys(word for counts in unknown.values() for word in counts)
    listed = sorted(words, key=lambda word: _most(word, unknown))[:LISTED]
    shown = ipywidgets.HTML(
        _word_table(say("Known and unknown words"), (mark("known"), mark("unknown")), sums, ours=True)
        + _word_table(say("{listed} of {words} unknown words", listed=len(listed), words=len(words)), listed, unknown)
    )
    return View("unknown", [shown], shown=shown)


def keywords_panel(models: ByModel) -> View:
    """Of words that matter, how many are heard, and how often each is written where it is not said.

    Args:
        models: each model's counts, from `words.count_words`.

    Returns:
        A view with the control `keywords`: words, separated by commas; upper and lower case are the same.
    """
    words = {word.casefold(): word for counts in models.values() for word in counts}
    keywords = ipywidgets.Text(
        description=say("keywords"), placeholder=say("words, separated by commas"), layout=FULL, style=WIDE
    )
    shown = ipywidgets.HTML()

    def show(change: object = None) -> None:
        typed = dict.fromkeys(filter(None, re.split(r"[,،、，\s]+", keywords.value)))
        listed = list(dict.fromkeys(words.get(word.casefold(), word) for word in typed))
        if not listed:
            shown.value = page(say("Type words, separated by commas."))
            return
        found = {name: {word: counts.get(word, WordCounts()) for word in listed} for name, counts in models.items()}
        totals = {name: {mark("all keywords"): sum_words(counts.values())} for name, counts in found.items()}
        shown.value = _word_table(say("Keywords"), listed, found)
        if len(listed) > 1:
            shown.value += _word_table(say("Together"), ("all keywords",), totals, ours=True)

    keywords.observe(show, "value")
    show()
    return View("keywords", [keywords, shown], keywords=keywords, shown=shown)


def _first(models: ByModel) -> Mapping[str, WordCounts]:
    return next(iter(models.values()))


def _most(word: str, models: ByModel) -> tuple[int, int, str]:
    """Sorts by how often a word is said, then by how often it is written falsely."""
    counts = [found.get(word, WordCounts()) for found in models.values()]
    return -max(count.said for count in counts), -max(count.false for count in counts), word


def _word_table(caption: str, words: Sequence[str], models: ByModel, ours: bool = False) -> str:
    """Of each word how often it is said, and for each model the share heard right and the times written falsely.

    `ours`: the words are names of groups, to be said in the reader's language.
    """
    head, lines = [say("words"), say("said")], []
    for name in models:
        of = f' <span style="overflow-wrap:anywhere">{text(name)}</span>' if len(models) > 1 else ""
        head += [f"{say('right')}{of}", say("falsely written")]
    for word in words:
        counts = [found.get(word, WordCounts()) for found in models.values()]
        cells = [
            say(word) if ours else text(word),
            str(max(count.said for count in counts)),
        ]  # by a model that never wrote it, it is not there
        for count in counts:
            cells += [f"{count.recall:.0%}" if count.said else "–", str(count.false)]
        lines.append(cells)
    return table(head, lines, caption)
