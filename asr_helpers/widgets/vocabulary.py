"""Any text, character by character: what the normaliser keeps, changes and loses."""

from collections import Counter
from typing import TYPE_CHECKING

import ipywidgets

from ..plots import BLUE, GREEN, VERMILION
from ..preprocessing import encode_text, vocabulary, write_characters
from ..wording import mark, say
from .kit import FULL, LINE, PALE, WIDE, View, line, page, read_along, telling, text

if TYPE_CHECKING:
    from transformers import ProcessorMixin

MAX_SHOWN = 300  # characters shown one by one
MARKS = {
    mark("kept"): ("K", GREEN, "#000"),
    mark("changed"): ("C", BLUE, "#fff"),
    mark("lost"): ("L", VERMILION, "#000"),
}


def vocabulary_view(processor: "ProcessorMixin", content: str = "") -> View:
    """Type a text; see what becomes of each character, and the label ids.

    Args:
        processor: its tokenizer names the vocabulary.
        content: to start with.

    Returns:
        A view with the control `written`, a box to type in.
    """
    written = ipywidgets.Textarea(value=content, description=say("text"), rows=2, layout=FULL, style=WIDE)
    shown, message = ipywidgets.HTML(), ipywidgets.HTML()
    characters = vocabulary(processor)
    ids = processor.tokenizer.get_vocab()
    space = processor.tokenizer.word_delimiter_token

    def show(change: object = None) -> None:
        steps = write_characters(written.value, characters)
        if not steps:
            shown.value, message.value = "", page(say("Type a text: each of its characters is shown here."))
            return
        cells = []
        for step in steps[:MAX_SHOWN]:
            letter, colour, ink = MARKS[step.kind]
            labels = " ".join(str(ids[space if character == " " else character]) for character in step.written)
            struck = ";text-decoration:line-through" if step.kind == "lost" else ""
            cells.append(
                '<div style="display:inline-block;vertical-align:top;text-align:center;min-width:26px;'
                f'margin:0 2px 6px 0;border:1px solid {LINE};border-top:4px solid {colour};padding:0 3px">'
                f'<span style="font-size:120%{struck}">{_visible(step.character)}</span><br>'
                f'<span style="font-size:120%">{_visible(step.written)}</span><br>'
                f'<span style="color:{PALE};font-size:85%">{labels or "&nbsp;"}</span><br>'
                f'<span style="background:{colour};color:{ink};padding:0 4px" title="{say(step.kind)}">{letter}</span>'
                "</div>"
            )
        numbers = Counter(step.kind for step in steps)
        counts = ", ".join(f"{numbers[kind]} {say(kind)} ({letter})" for kind, (letter, *_) in MARKS.items())
        more = line(say("The first {count} are shown.", count=MAX_SHOWN)) if len(steps) > MAX_SHOWN else ""
        legend = line(say("From top: as typed, as written, label id. ␣ is a space, · is nothing."), PALE)
        shown.value = page(
            line(say("{count} characters: {counts}.", count=len(steps), counts=counts))
            + read_along(written.value, "".join(cells))
            + more
            + legend
        )
        with telling(message):
            encoded = encode_text(written.value, processor)
            normalised = "".join(step.written for step in steps)
            shown.value += page(
                line(say("Written: {text}", text=f"<b>{text(normalised)}</b>"))
                + line(say("Labels: {labels}", labels=f'<bdi style="direction:ltr">{encoded}</bdi>'))
            )

    show()
    written.observe(show, "value")
    return View("vocabulary", [written, message, shown], written=written, shown=shown, message=message)


def _visible(character: str) -> str:
    return {"": "·", " ": "␣"}.get(character) or text(character)
