"""A long recording: a strip to click through, part by part, to hear and to read."""

from typing import TYPE_CHECKING, Any

import ipywidgets

from .. import audio, recordings
from ..audio import Audio
from ..plots import plot_parts
from ..recordings import clock
from ..wording import say
from .kit import FULL, PALE, WIDE, View, draw, page, picture, plain, read_along, sound, telling, text, unheard

if TYPE_CHECKING:
    from ..inference import Recogniser, Word
    from ..recordings import HeardPart

SHOWN = 180.0  # s of the recording in one picture


def recording_view(recogniser: "Recogniser", recording: Audio) -> View:
    """Hears a recording of any length; click a part of its strip to play it and read its words.

    Args:
        recogniser: hears it.
        recording: a file of any length.

    Returns:
        A view with the controls `section`, which some minutes are shown, `strip`, a button for each part, and
        `parts`, the same as a list.

    Raises:
        InputError: it cannot be read.
    """
    rate, length = recogniser.sampling_rate, audio.duration(recording)
    progress = ipywidgets.FloatProgress(max=max(length, 0.1), description=say("heard"), layout=FULL, style=WIDE)
    section = ipywidgets.Dropdown(description=say("section"), style=WIDE)
    parts = ipywidgets.Select(description=say("parts"), rows=6, layout=FULL, style=WIDE)
    strip = ipywidgets.HBox(layout={"width": "100%"}).add_class("asr-time")
    message, shown, player, words = (ipywidgets.HTML() for _ in range(4))
    heard: list[HeardPart] = []
    drawn: dict[str, Any] = {}

    def show_part(change: object = None) -> None:
        if parts.value is None:
            return
        part = heard[parts.value]
        here, width = part.start - drawn["start"], drawn["end"] - drawn["start"]
        ends = {"start": clock(drawn["start"]), "end": clock(drawn["end"])}
        seen = say("Waveform from {start} to {end}, cut into {parts} parts.", **ends, parts=len(parts.options))
        shown.value = picture(drawn["drawing"], seen, (here / width, (part.end - drawn["start"]) / width))
        with telling(message):
            waveform = recordings.excerpt(recording, rate, part.start, part.end)
            player.value = sound(
                waveform, rate, say("play {start} to {end}", start=clock(part.start), end=clock(part.end))
            )
        spoken = " ".join(f'<span title="{hint(word)}">{text(word.text)}</span>' for word in part.words)
        nothing = f'<span style="color:{PALE}">{say("nothing is heard here")}</span>'
        words.value = page(read_along(part.text, spoken) if spoken else nothing)

    def show_section(change: object = None) -> None:
        if section.value is None:
            return
        inside = [number for number, part in enumerate(heard) if part.start // SHOWN == section.value]
        start, end = heard[inside[0]].start, heard[inside[-1]].end
        with telling(message):
            waveform = recordings.excerpt(recording, rate, start, end)
            drawing = draw(plot_parts(waveform, rate, [heard[number] for number in inside], start))
            drawn.update(drawing=drawing, start=start, end=end)
            strip.children = [button(number) for number in inside]
            strip.layout.max_width = f"{drawing.width}px"
            strip.layout.padding = f"0 {1 - drawing.right:.2%} 0 {drawing.left:.2%}"
            with unheard(show_part, parts):
                parts.options = [(f"{clock(heard[number].start)} · {plain(heard[number].text)}", number)
                                 for number in inside]  # fmt: skip
                parts.value = inside[0]
            show_part()

    def hint(word: "Word") -> str:
        place = {"start": word.start, "end": word.end, "share": word.confidence}
        return say("{start:.2f} to {end:.2f} s, {share:.0%} sure", **place)

    def button(number: int) -> ipywidgets.Button:
        part = heard[number]
        length = f"{(part.end - part.start) * 100:.0f} 1 0"
        made = ipywidgets.Button(
            tooltip=f"{clock(part.start)} {plain(part.text)}",
            layout={"flex": length, "min_width": "4px", "margin": "0 1px 0 0", "padding": "0"},
        )
        made.on_click(lambda _: setattr(parts, "value", number))
        return made

    view = View(
        "recording",
        [progress, section, message, shown, strip, parts, player, words],
        section=section, strip=strip, parts=parts, shown=shown, player=player, words=words, message=message,
        heard=heard,
    )  # fmt: skip
    for part in recordings.transcribe(recogniser, recording):
        heard.append(part)
        progress.value = part.end
    progress.layout.display = "none"
    sections = sorted({int(part.start // SHOWN) for part in heard})
    section.options = [(say("from {start}", start=clock(number * SHOWN)), number) for number in sections]
    section.value = sections[0]
    section.layout.display = None if len(sections) > 1 else "none"
    parts.observe(show_part, "value")
    section.observe(show_section, "value")
    show_section()
    return view
