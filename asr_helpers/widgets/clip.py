"""One clip: seen, heard, measured, and at other rates."""

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np

from .. import audio
from ..loading import describe
from ..plots import plot_clip
from ..wording import mark, say
from .kit import FULL, WIDE, RowChooser, View, draw, page, picture, sound, table, telling, text, unheard

RATES = {mark("as recorded"): 0, "16 kHz": 16_000, "8 kHz": 8_000, "4 kHz": 4_000}


FACTS = (mark("length"), mark("rate"), mark("level"), mark("clipped"), mark("silence"), mark("signal to noise"))


def clip_view(rows: Sequence[Mapping[str, Any]]) -> View:
    """Choose a clip; see its waveform and spectrogram, play a span of it, hear what other rates keep.

    Args:
        rows: from `loading.load_rows`, or dicts with `audio` and `transcription`.

    Returns:
        A view with the controls `chooser` (its `search`, `intent`, `voice`, `seconds`, `rows`), `rate` and `span`.
    """
    chooser = RowChooser(facts := describe(rows))
    rate = ipywidgets.ToggleButtons(
        options=[(say(name), rate) for name, rate in RATES.items()],
        description=say("rate"),
        style={**WIDE, "button_width": "100px"},
    )
    span = ipywidgets.FloatRangeSlider(
        description=say("span (s)"),
        min=0,
        max=1,
        value=(0, 1),
        step=0.01,
        readout_format=".2f",
        layout=FULL,
        style=WIDE,
    )
    message, shown, player, measured = (ipywidgets.HTML() for _ in range(4))
    view = View(
        "clip",
        [chooser, rate, message, shown, span, player, measured],
        chooser=chooser, rate=rate, span=span, message=message, shown=shown, player=player, measured=measured,
    )  # fmt: skip
    clip: dict[str, Any] = {}  # the last one that could be read

    def show_span(change: object = None) -> None:
        if not clip:
            return
        start, end = span.value
        place = {"row": clip["row"], "start": start, "end": end, "rate": clip["kept"] / 1_000}
        what = say("row {row}, {start:.2f} to {end:.2f} s, at {rate:g} kHz", **place)
        seen = say("Waveform and spectrogram of {what}. Transcription: {text}", what=what, text=facts[clip["row"]].text)
        part = [] if (start, end) == (span.min, span.max) else [(start / span.max, end / span.max)]
        shown.value = picture(clip["drawing"], seen, *part)
        first, last = (int(time * clip["rate"]) for time in span.value)
        player.value = sound(clip["waveform"][first : last + 1], clip["rate"], say("play {what}", what=what))

    def show_rate(change: object = None) -> None:
        if not clip:
            return
        recorded, sampling_rate = clip["recorded"]
        kept = rate.value or sampling_rate
        resampled = audio.resample(recorded, sampling_rate, kept)
        # A browser need not play 4 kHz: the player gets what 4 kHz kept, at a rate that every one plays.
        played = max(kept, sampling_rate)
        drawing = draw(plot_clip(resampled, kept, highest=max(sampling_rate, 16_000) / 2_000))
        clip.update(kept=kept, drawing=drawing, rate=played, waveform=audio.resample(resampled, kept, played))
        show_span()

    def show_clip(change: object = None) -> None:
        with telling(message):
            recorded = audio.decode(rows[chooser.row]["audio"])
            measured.value = page(text(facts[chooser.row].text)) + clip_facts(audio.facts(*recorded))
            clip.update(row=chooser.row, recorded=recorded)
            with unheard(show_span, span):
                span.max = max(0.01, round(len(recorded[0]) / recorded[1], 2))
                span.value = (0, span.max)
            show_rate()

    span.observe(show_span, "value")
    rate.observe(show_rate, "value")
    chooser.observe(show_clip, "row")
    show_clip()
    return view


def clip_facts(facts: audio.ClipFacts) -> str:
    """A clip's facts as a table in HTML."""
    level = f"{facts.level:.1f} dBFS" if np.isfinite(facts.level) else say("digital silence")
    snr = say("no pause to measure it in") if facts.snr is None else say("about {snr:.0f} dB", snr=facts.snr)
    head = [say(name) for name in FACTS]
    line = [f"{facts.seconds:.2f} s", f"{facts.sampling_rate:,} Hz", level]
    return table(head, [[*line, f"{facts.clipped:.2%}", f"{facts.silence:.0%}", snr]], say("This clip as recorded"))
