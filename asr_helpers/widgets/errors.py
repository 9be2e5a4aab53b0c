"""Every utterance and its errors: to sort, to filter, to hear, to edit, and between two models; and every word."""

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from .. import InputError, audio
from ..decoding import BeamRecogniser
from ..evaluation import AlignedWord, align, confusions, count_errors, group_counts, score, sum_counts
from ..loading import RowFacts, describe
from ..wording import mark, say
from ..words import count_words
from .hearing import hearing, hypotheses_panel, text_panel
from .kit import (
    FULL,
    PALE,
    WIDE,
    RowChooser,
    View,
    alignment,
    counts,
    isolated,
    line,
    note,
    page,
    plain,
    sound,
    table,
    telling,
    text,
    unheard,
)
from .words import keywords_panel, unknown_panel, words_panel

if TYPE_CHECKING:
    from ..inference import Recogniser

SORTS = {
    mark("highest WER"): "rate",
    mark("most errors"): "errors",
    mark("row"): "row",
    mark("longest"): "seconds",
    mark("text"): "text",
}
KINDS = {
    mark("any"): None,
    mark("no errors"): lambda words: not words.errors,
    mark("substitutions"): lambda words: words.substitutions,
    mark("deletions"): lambda words: words.deletions,
    mark("insertions"): lambda words: words.insertions,
}
COMMONEST = 30  # confusions listed


def errors_view(
    rows: Sequence[Mapping[str, Any]],
    references: Sequence[str],
    hypotheses: Sequence[str],
    other: Sequence[str] | None = None,
    names: tuple[str, str] = ("this model", "the other"),
    known: Container[str] | None = None,
    recogniser: "Recogniser | None" = None,
) -> View:
    """Look through utterances by their errors, hear them, and edit a hypothesis to see what counts.

    Below are the errors by word and by group: the share of each word that is heard right, and keywords of one's own.

    Args:
        rows: from `loading.load_splits`, one for each utterance.
        references: what was said, normalised.
        hypotheses: what a model wrote.
        other: what another model wrote, to compare: the same one before its training.
        names: the two models'.
        known: the words of the training rows, or a language model: unknown words are listed, with their error rate.
        recogniser: aligns a typed text to the utterance's sound; one that searches shows its best hypotheses too.

    Returns:
        A view with the controls `chooser` (its `search`, `intent`, `voice`, `seconds` and the list `rows`), `kind`,
        `sort`, `confusion`, `group`, `hypothesis`, the box to edit, and `show`, which of the `panels` is shown: a view
        each, by name.

    Raises:
        InputError: the lists differ in length, or a reference is empty.
    """
    facts, references = describe(rows), list(references)
    if len(facts) != len(references):
        raise InputError(f"{len(facts)} rows and {len(references)} references: there must be one each.")
    models = {names[0]: list(hypotheses)} | ({names[1]: list(other)} if other is not None else {})
    words = {name: count_errors(references, written) for name, written in models.items()}
    aligned = {
        name: [align(*pair) for pair in zip(references, written, strict=True)] for name, written in models.items()
    }
    mine, others = words[names[0]], words.get(names[1], [])
    commonest = confusions(aligned[names[0]]).most_common(COMMONEST)

    sorts = SORTS | ({mark("most gained"): "gained", mark("most lost"): "lost"} if others else {})
    sorted_by = [(say(name), key) for name, key in sorts.items()]
    sort = ipywidgets.Dropdown(description=say("sort by"), options=sorted_by, style=WIDE, layout=FULL)
    kinds = [(say(name), name) for name in KINDS]
    kind = ipywidgets.Dropdown(description=say("with"), options=kinds, style=WIDE, layout=FULL)
    listed = [(say("all utterances"), None), *((_confusion(step, times), step) for step, times in commonest)]
    confusion = ipywidgets.Select(description=say("confusions"), options=listed, rows=12, style=WIDE, layout=FULL)
    groups = _groups(facts)
    group = ipywidgets.Dropdown(description=say("WER by"), options=[(say(name), name) for name in groups], style=WIDE)
    hypothesis = ipywidgets.Textarea(description=say("edit"), rows=2, layout=FULL, style=WIDE)
    message, summary, detail, player, edited, by_group = (ipywidgets.HTML() for _ in range(6))
    by_word = {name: count_words(alignments) for name, alignments in aligned.items()}
    panels = {mark("each word"): words_panel(by_word), mark("keywords"): keywords_panel(by_word)}
    if known is not None:
        panels[mark("unknown words")] = unknown_panel(by_word, known)
    if recogniser:
        hear = hearing(recogniser, rows)
        panels[mark("typed text")] = text_panel(recogniser, hear, references)
        if isinstance(recogniser, BeamRecogniser):
            panels[mark("best hypotheses")] = hypotheses_panel(recogniser, hear, references)
    show = ipywidgets.Dropdown(description=say("show"), options=[(say(name), name) for name in panels], style=WIDE)
    panel = ipywidgets.VBox(layout={"width": "100%"})

    def label(row: int) -> str:
        rates = " → ".join(f"{words[name][row].rate:.2f}" for name in reversed(models))
        number = isolated(say("row {row}", row=row))
        return f"WER {rates} · {number} · {facts[row].seconds:.1f} s · {references[row]}"

    def arrange(found: list[int]) -> list[int]:
        wanted, step = KINDS[kind.value], confusion.value
        found = [row for row in found if wanted is None or wanted(mine[row])]
        found = [row for row in found if step is None or step in aligned[names[0]][row]]
        keys = {
            "rate": lambda row: -mine[row].rate,
            "errors": lambda row: -mine[row].errors,
            "row": lambda row: row,
            "seconds": lambda row: -facts[row].seconds,
            "text": lambda row: references[row],
            "gained": lambda row: mine[row].errors - others[row].errors,
            "lost": lambda row: others[row].errors - mine[row].errors,
        }
        return sorted(found, key=keys[sort.value])

    chooser = RowChooser(facts, label, arrange, {"kind": kind, "sort": sort}, lines=16)

    def show_row(change: object = None) -> None:
        row = chooser.row
        one = facts[row]
        about = [
            say("row {row}", row=row),
            *(text(what) for what in (one.intent, one.voice) if what),
            text(f"{one.seconds:.1f} s"),
        ]
        parts = [line(" · ".join(about), PALE)]
        for name in reversed(models):
            title = f"<b>{text(name)}</b>: " if others else ""
            parts.append(line(f"{title}{counts(words[name][row])}") + alignment(aligned[name][row]))
        detail.value = page("".join(parts))
        with unheard(show_edit, hypothesis):
            hypothesis.value = plain(models[names[0]][row])
        show_edit()
        player.value = ""
        with telling(message):
            player.value = sound(*audio.decode(rows[row]["audio"]), say("play row {row}", row=row))
        show_panel()

    def show_panel(change: object = None) -> None:
        shown = panels[show.value]
        panel.children = [shown]
        if hasattr(shown, "show_row"):
            shown.show_row(chooser.row)

    def show_edit(change: object = None) -> None:
        row, content = chooser.row, " ".join(hypothesis.value.split())
        (count,) = count_errors([references[row]], [content])
        empty = "" if content else note(say("Nothing is written: every word of the reference counts as a deletion."))
        steps = align(references[row], content)
        changed = alignment(steps) if steps != aligned[names[0]][row] else ""  # else it stands above
        edited.value = empty + page(line(say("As edited: {counts}", counts=counts(count))) + changed)

    def show_groups(change: object = None) -> None:
        head, lines = [say(group.value), say("utterances"), say("words")], []
        for name in models:
            head += [
                f'WER <span style="overflow-wrap:anywhere">{text(name)}</span>' if others else "WER",
                say("errors"),
            ]
        parts = [group_counts(groups[group.value], words[name]) for name in models]
        for value, members in sorted(parts[0].items(), key=lambda part: -sum_counts(part[1]).rate):
            totals = [sum_counts(part[value]) for part in parts]
            cells = [
                text(value),
                str(len(members)),
                str(totals[0].hits + totals[0].substitutions + totals[0].deletions),
            ]
            for total in totals:
                cells += [f"{total.rate:.3f}", str(total.errors)]
            lines.append(cells)
        by_group.value = table(head, lines, say("WER by {group}", group=say(group.value)))

    hypothesis.observe(show_edit, "value")
    chooser.observe(show_row, "row")
    confusion.observe(lambda change: chooser.fill(), "value")
    group.observe(show_groups, "value")
    show.observe(show_panel, "value")
    for name, written in models.items():
        summary.value += page(f"<b>{text(name)}</b>: {score(references, written)}")
    show_row()
    show_groups()
    left = ipywidgets.VBox([chooser.rows, chooser.found], layout={"width": "42%"})
    right = ipywidgets.VBox([detail, player, message, hypothesis, edited], layout={"width": "58%", "padding": "0 12px"})
    below = ipywidgets.VBox([confusion], layout={"width": "42%"})
    beside = ipywidgets.VBox([group, by_group], layout={"width": "58%", "padding": "0 12px"})
    return View(
        "errors",
        [summary, chooser.filters, ipywidgets.HBox([left, right]), ipywidgets.HBox([below, beside]), show, panel],
        chooser=chooser, kind=kind, sort=sort, confusion=confusion, group=group, hypothesis=hypothesis,
        summary=summary, detail=detail, player=player, edited=edited, by_group=by_group, message=message,
        show=show, panels=panels,
    )  # fmt: skip


def _confusion(step: AlignedWord, times: int) -> str:
    if step.kind == "S":
        what = f"{step.reference} → {step.hypothesis}"
    else:
        what = (
            say("{word} left out", word=step.reference)
            if step.kind == "D"
            else say("{word} put in", word=step.hypothesis)
        )
    return plain(f"{times} × {step.kind} {what}")


def _groups(facts: Sequence[RowFacts]) -> dict[str, list[str]]:
    """What utterances can be grouped by: the values of each."""
    first, second = np.quantile([fact.seconds for fact in facts], [1 / 3, 2 / 3])
    names = (
        say("up to {end:.1f} s", end=first),
        say("{start:.1f} to {end:.1f} s", start=first, end=second),
        say("over {start:.1f} s", start=second),
    )
    groups = {
        mark("voice"): [fact.voice or say("unknown") for fact in facts],
        mark("intent"): [fact.intent or say("unknown") for fact in facts],
        mark("length"): [names[int(np.searchsorted([first, second], fact.seconds))] for fact in facts],
    }
    return {name: values for name, values in groups.items() if len(set(values)) > 1} or {"length": groups["length"]}
