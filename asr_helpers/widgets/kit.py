"""What the views share: text made harmless, figures and sound as HTML, rows to choose from.

Conventions: a view is a box of core ipywidgets whose parts are its attributes, so that a program
can work it as a hand does. Whatever comes from outside passes through `text` on its way into HTML.
Colours of text and lines are the theme's, so that they can be read on a dark page too.
"""

import base64
import html
import io
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from .. import AsrError, InputError, audio
from ..evaluation import AlignedWord, ErrorCounts
from ..inference import Word
from ..loading import RowFacts, find_rows
from ..plots import KIND_COLOURS, KIND_NAMES, SKY, VERMILION
from ..wording import RIGHT_TO_LEFT, language, mark, say

INK, PALE, LINE = "var(--jp-ui-font-color1, #111)", "var(--jp-ui-font-color2, #555)", "var(--jp-border-color1, #aaa)"
# Besides its colour each kind has its letter and its line.
KIND_LINES = {"H": "none", "S": "underline wavy", "D": "line-through", "I": "underline double"}
# Control characters have no shape, and some end an HTML document early: their pictures stand for them.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}
FULL = {"width": "auto"}  # in a column: all of its width, less the margins
WIDE = {"description_width": "initial"}
# From right to left: boxes, labels and tables are mirrored; time, in sliders and pictures, goes on from left to right.
# Clips' texts, to choose from or to type in, have their own direction.
MIRRORED = (
    "<style>.asr-mirrored {direction: rtl} "
    ".asr-mirrored .slider-container, .asr-mirrored .widget-readout, .asr-mirrored .asr-time, .asr-mirrored audio "
    "{direction: ltr} "
    ".asr-mirrored option, .asr-mirrored textarea, .asr-mirrored input {unicode-bidi: plaintext}</style>"
)


class View(ipywidgets.VBox):
    """A box of widgets; those worth working are its attributes.

    Args:
        name: what it is a view of; on the page its CSS class is `asr-{name}-view`.
        children: from top to bottom.
        parts: by name.
    """

    def __init__(self, name: str, children: Sequence[ipywidgets.Widget], **parts: Any):
        mirrored = language() in RIGHT_TO_LEFT
        super().__init__([*children, *[ipywidgets.HTML(MIRRORED)] * mirrored], layout={"width": "100%"})
        self.add_class(f"asr-{name}-view")
        if mirrored:
            self.add_class("asr-mirrored")
        self._name = name
        self.__dict__.update(parts)

    def __repr__(self) -> str:
        return f"{self._name}_view()"  # ipywidgets would write out all that is in it, pictures and sounds too


def plain(content: object) -> str:
    """Text from outside for a label: control characters as their pictures, nothing that cannot be sent."""
    return str(content).translate(PICTURES).encode("utf-8", "replace").decode()


def text(content: object) -> str:
    """Text from outside as HTML: no markup in it is alive, and its direction is its own.

    >>> text("<b> & ")
    '<bdi>&lt;b&gt; &amp; </bdi>'
    """
    return f"<bdi>{html.escape(plain(content))}</bdi>"


def isolated(said: str) -> str:
    """Words of ours amid a clip's, in plain text: from right to left, they do not carry their neighbours along."""
    return f"\u2068{said}\u2069" if language() in RIGHT_TO_LEFT else said


def read_along(content: str, pieces: str) -> str:
    """The pieces of a text, as HTML, one after the other in the direction in which that text is read.

    Args:
        content: the text: its first letter decides.
        pieces: HTML; in each piece its letters have a direction already.

    >>> read_along("MY CARD", "<bdi>MY</bdi> <bdi>CARD</bdi>")
    '<div dir="ltr"><bdi>MY</bdi> <bdi>CARD</bdi></div>'
    """
    directions = (unicodedata.bidirectional(character) for character in content)
    first = next((one for one in directions if one in ("L", "R", "AL")), "L")
    return f'<div dir="{"ltr" if first == "L" else "rtl"}">{pieces}</div>'


def page(content: str) -> str:
    """HTML of ours, in the theme's colours, with long words broken."""
    return f'<div style="color:{INK};line-height:1.5;overflow-wrap:anywhere">{content}</div>'


def line(content: str, colour: str = INK) -> str:
    """A line of HTML, close to the next."""
    return f'<p style="margin:4px 0;color:{colour}">{content}</p>'


def note(content: str) -> str:
    """A sentence that should be noticed; `content` is HTML."""
    return page(f'<div role="status" style="border-inline-start:4px solid {VERMILION};padding:2px 8px">{content}</div>')


@contextmanager
def telling(message: ipywidgets.HTML) -> Iterator[None]:
    """Says an AsrError in `message` instead of raising it; what was shown before stays."""
    try:
        yield
    except AsrError as error:
        message.value = note(text(error))
    else:
        message.value = ""


@contextmanager
def unheard(handler: Callable, *controls: ipywidgets.Widget) -> Iterator[None]:
    """While a program sets controls, their handler does not hear of it."""
    for control in controls:
        control.unobserve(handler, "value")
    try:
        yield
    finally:
        for control in controls:
            control.observe(handler, "value")


@dataclass(frozen=True)
class Drawing:
    """A figure drawn once.

    Attributes:
        source: the PNG as a data address.
        width: of the picture, px; a page that is narrower shrinks it.
        left, right: where its time axis begins and ends, as shares of its width.
        top, bottom: where its axes end, from above, as shares of its height.
    """

    source: str
    width: int
    left: float
    right: float
    top: float
    bottom: float


def draw(figure: Figure) -> Drawing:
    """Draws a figure quickly, with margins that are set, not searched for, and no second pass; then empties it."""
    width, height = figure.get_size_inches()
    figure.set_layout_engine(None)
    figure.subplots_adjust(0.8 / width, 0.5 / height, 1 - 0.1 / width, 1 - 0.4 / height, wspace=0.25, hspace=0.12)
    canvas, file = FigureCanvasAgg(figure), io.BytesIO()
    pixels = canvas.get_width_height()[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # what the font lacks is drawn as a box; the text stands beside
        canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(file, "png", compress_level=1)
    above, below = figure.axes[0].get_position(), figure.axes[-1].get_position()
    figure.clear()  # its parts know each other: without this they wait for the garbage collector
    return Drawing(_address("image/png", file.getvalue()), pixels, above.x0, above.x1, 1 - above.y1, 1 - below.y0)


def picture(drawing: Drawing, seen: str, *spans: tuple[float, float]) -> str:
    """A drawing as HTML.

    Args:
        seen: what there is to see, in words, for those who cannot; plain text.
        spans: stretches of the time axis to mark, as shares of it.
    """
    marks = ""
    for span in spans:
        start, end = (drawing.left + share * (drawing.right - drawing.left) for share in span)
        marks += (
            f'<div style="position:absolute;top:{drawing.top:.2%};height:{drawing.bottom - drawing.top:.2%};'
            f"left:{start:.2%};width:{end - start:.2%};min-width:2px;box-sizing:border-box;"
            f'background:{SKY}55;border:solid {VERMILION};border-width:0 1px"></div>'
        )
    image = f'<img style="max-width:100%;display:block" alt="{html.escape(plain(seen))}" src="{drawing.source}">'
    return f'<div style="position:relative;display:inline-block;max-width:100%">{image}{marks}</div>'


def sound(waveform: np.ndarray, sampling_rate: int, what: str) -> str:
    """A player as HTML.

    Args:
        what: what one hears, in a few words of ours; they stand beside it.
    """
    wave = _address("audio/wav", audio.encode(waveform, sampling_rate))
    return page(
        f'<div style="display:flex;align-items:center;gap:8px;flex-wrap:wrap">'
        f'<audio controls style="height:36px" aria-label="{html.escape(what)}" src="{wave}"></audio>'
        f"<span>{html.escape(what)}</span></div>"
    )


def word_options(words: Sequence[Word], what: str = mark("{share:.0%} sure")) -> list[tuple[str, int]]:
    """A transcript's words to choose from, by number; -1 is the whole clip.

    Args:
        what: their confidence says, in words of ours.
    """
    options = [(say("the whole clip"), -1)]
    for number, one in enumerate(words):
        time = say("{start:.2f} to {end:.2f} s", start=one.start, end=one.end)
        options.append((plain(f"{number + 1} · {one.text} · {time} · {say(what, share=one.confidence)}"), number))
    return options


def word_span(words: Sequence[Word], number: int, seconds: float) -> tuple[float, float]:
    """Where to play a word: CTC's spans are narrower than the words, so with a tenth of a second on either side."""
    if number < 0:
        return 0.0, seconds
    return max(0.0, words[number].start - 0.1), min(seconds, words[number].end + 0.1)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    """A small table; every cell is HTML, and all but the first of a line stand at the right."""
    style = f"padding-block:2px;padding-inline:0 10px;border-bottom:1px solid {LINE};overflow-wrap:normal;text-align:"
    rows = [f'<caption style="text-align:start;font-weight:bold">{caption}</caption>']
    for tag, cells in (("th", head), *(("td", cells) for cells in lines)):
        sides = ["start;overflow-wrap:anywhere;min-width:6em", *["end"] * (len(cells) - 1)]
        written = (
            f'<{tag} style="{style}{side}"><bdi>{cell}</bdi></{tag}>' for side, cell in zip(sides, cells, strict=True)
        )
        rows.append(f"<tr>{''.join(written)}</tr>")
    return page(f'<table style="border-collapse:collapse;max-width:100%;font-size:inherit">{"".join(rows)}</table>')


def chip(kind: str) -> str:
    """The letter of a hit, substitution, deletion or insertion, on its colour."""
    ink = "#fff" if kind == "D" else "#000"
    style = f"background:{KIND_COLOURS[kind]};color:{ink};padding:0 5px;border-radius:3px;font-weight:bold"
    return f'<span style="{style}" title="{say(KIND_NAMES[kind])}">{kind}</span>'


def counts(words: ErrorCounts) -> str:
    """Counts as HTML: 3 hits, 1 substitution, …, and the WER."""
    numbers = zip("HSDI", (words.hits, words.substitutions, words.deletions, words.insertions), strict=True)
    each = " ".join(f"{chip(kind)}&nbsp;{number}" for kind, number in numbers)
    return f"{each} &nbsp; WER {words.errors}/{words.hits + words.substitutions + words.deletions} = {words.rate:.2f}"


def alignment(steps: Sequence[AlignedWord]) -> str:
    """Reference over hypothesis, word by word, each pair with its letter: `plots.plot_alignment` as text."""
    label = f'<div style="display:inline-block;vertical-align:top;margin-inline-end:12px;color:{PALE}">'
    label += f"{say('said')}<br>{say('heard')}</div>"
    words = []
    for step in steps:
        said, heard = (text(word) if word else "·" for word in (step.reference, step.hypothesis))
        mark = f"text-decoration:{KIND_LINES[step.kind]} {KIND_COLOURS[step.kind]} 2px"
        struck, marked = (mark, "") if step.kind == "D" else ("", mark)
        words.append(
            '<div style="display:inline-block;vertical-align:top;text-align:center;margin:0 10px 8px 0;max-width:100%">'
            f'<span style="{struck}">{said}</span><br><span style="{marked}">{heard}</span><br>{chip(step.kind)}</div>'
        )
    spoken = " ".join(step.reference or step.hypothesis or "" for step in steps)
    return page(f'<div style="font-family:monospace">{read_along(spoken, label + "".join(words))}</div>')


class RowChooser(View):
    """A list of rows and what narrows it: text, intent, voice, length, and controls of a view's own.

    Its trait `row` is the row chosen. It keeps its value while that is in the list, or while nothing is.

    Args:
        facts: from `loading.describe`.
        label: a row's entry in the list.
        arrange: narrows further and sorts the rows that match.
        controls: what `arrange` goes by: a change of one of them fills the list anew.
        lines: how many entries can be seen at once.
    """

    row: Any = traitlets.Int(None, allow_none=True)  # None until a row is in the list

    def __init__(
        self,
        facts: Sequence[RowFacts],
        label: Callable[[int], str] | None = None,
        arrange: Callable[[list[int]], list[int]] = list,
        controls: Mapping[str, ipywidgets.Widget] | None = None,
        lines: int = 6,
    ):
        if not facts:
            raise InputError("There are no rows to show.")
        self._facts, self._arrange = facts, arrange
        self._label = label or (lambda row: f"{row} · {facts[row].seconds:.1f} s · {facts[row].text}")
        shortest = np.floor(min(fact.seconds for fact in facts) * 10) / 10
        longest = max(np.ceil(max(fact.seconds for fact in facts) * 10) / 10, shortest + 0.1)
        narrow = {"style": WIDE, "layout": {"width": "auto", "max_width": "320px"}}
        self.search = ipywidgets.Text(description=say("text"), placeholder=say("words of the text"), **narrow)
        self.intent = ipywidgets.Dropdown(description=say("intent"), options=_choices(facts, "intent"), **narrow)
        self.voice = ipywidgets.Dropdown(description=say("voice"), options=_choices(facts, "voice"), **narrow)
        self.seconds = ipywidgets.FloatRangeSlider(
            description=say("length (s)"), min=shortest, max=longest, value=(shortest, longest), step=0.1,
            readout_format=".1f", style=WIDE, layout={"width": "330px"},
        )  # fmt: skip
        self.rows = ipywidgets.Select(description=say("clips"), rows=lines, style=WIDE, layout=FULL)
        self.found = ipywidgets.HTML()
        filters = [self.search, self.seconds]
        filters += [control for control in (self.intent, self.voice) if len(control.options) > 1]
        filters += (controls or {}).values()
        self.filters = ipywidgets.HBox(filters, layout={"flex_flow": "row wrap", "width": "100%"})
        super().__init__("chooser", [self.filters, self.rows, self.found], **(controls or {}))
        self._filling = False
        for control in filters:
            control.observe(lambda change: self.fill(), "value")
        self.rows.observe(self._take, "value")
        self.fill()

    def fill(self) -> None:
        """Fills the list with the rows that match."""
        rows = self._arrange(
            find_rows(
                self._facts,
                text=self.search.value,
                intent=self.intent.value,
                voice=self.voice.value,
                seconds=(self.seconds.value[0] - 0.001, self.seconds.value[1] + 0.001),  # the slider's steps round
            )
        )
        self._filling = True
        self.rows.options = [(plain(self._label(row)), row) for row in rows]
        self._filling = False
        if self.row in rows:
            self.rows.value = self.row
        elif rows:
            self.rows.value = rows[0]
            self.row = rows[0]
        if rows:
            self.found.value = page(say("{found} of {rows} rows", found=len(rows), rows=len(self._facts)))
        else:
            self.found.value = note(say("No row matches: take a word out of the text, or widen the choice."))

    def _take(self, change: Mapping[str, Any]) -> None:
        if not self._filling and change["new"] is not None:
            self.row = change["new"]


def _choices(facts: Sequence[RowFacts], what: str) -> list[tuple[str, str]]:
    found = sorted({getattr(fact, what) for fact in facts} - {""})
    return [(say("all"), ""), *((plain(name), name) for name in found)]
