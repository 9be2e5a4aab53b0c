"""What the model believes, frame by frame, and how a text comes of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from .. import audio
from ..decoding import BeamRecogniser
from ..inference import collapse
from ..loading import describe
from ..plots import SKY, VERMILION, plot_emission
from ..wording import mark, say
from .hearing import hypotheses_table
from .kit import (
    FULL,
    INK,
    LINE,
    PALE,
    WIDE,
    View,
    draw,
    line,
    page,
    picture,
    plain,
    sound,
    telling,
    text,
    unheard,
    word_options,
    word_span,
)

if TYPE_CHECKING:
    from ..inference import Recogniser

STRIP = (mark("frame"), mark("path"), mark("repeats merged"), mark("blanks dropped"))  # lines
AROUND = 12  # frames shown on either side of the one stepped to


def emission_view(recogniser: "Recogniser", rows: Sequence[Mapping[str, Any]]) -> View:
    """A clip's emission under its waveform; step through the collapse frame by frame, or hear a word.

    Args:
        recogniser: hears the clips. Of one that searches, the best hypotheses stand below the greedy text.
        rows: from `loading.load_splits`, or dicts with `audio` and `transcription`.

    Returns:
        A view with the controls `row`, `frame`, `play` (which moves `frame`) and `word`.
    """
    tokenizer = recogniser.processor.tokenizer
    tokens, blank = tokenizer.convert_ids_to_tokens(range(len(tokenizer))), tokenizer.pad_token_id
    names = {tokenizer.pad_token: "-", tokenizer.word_delimiter_token: "␣"}
    facts = describe(rows)
    options = [(plain(f"{number} · {one.seconds:.1f} s · {one.text}"), number) for number, one in enumerate(facts)]
    row = ipywidgets.Dropdown(description=say("clip"), options=options, layout=FULL, style=WIDE)
    word = ipywidgets.Dropdown(description=say("word"), options=word_options(()), layout=FULL, style=WIDE)
    frame = ipywidgets.IntSlider(description=say("frame"), max=1, layout={"flex": "1 1 auto"}, style=WIDE)
    play = ipywidgets.Play(interval=200, max=1)
    link = ipywidgets.jslink((play, "value"), (frame, "value"))
    message, shown, player, strip, best = (ipywidgets.HTML() for _ in range(5))
    heard: dict[str, Any] = {}  # of the last clip that could be read

    def show_word(change: object = None) -> None:
        if not heard:
            return
        waveform, rate = heard["waveform"], recogniser.sampling_rate
        start, end = word_span(heard["words"], word.value, len(waveform) / rate)
        what = say("word {number}", number=word.value + 1) if word.value >= 0 else say("the whole clip")
        player.value = sound(waveform[int(start * rate) : int(end * rate)], rate, say("play {what}", what=what))
        if word.value >= 0:
            with unheard(show_frame, frame):
                frame.value = round(heard["words"][word.value].start / recogniser.frame)
        show_frame()

    def show_frame(change: object = None) -> None:
        if not heard:
            return
        path, seconds = heard["path"], len(heard["waveform"]) / recogniser.sampling_rate
        now = min(frame.value, len(path) - 1)
        marks = [(now / len(path), (now + 1) / len(path))]
        if word.value >= 0:
            chosen = heard["words"][word.value]
            marks.insert(0, (chosen.start / seconds, chosen.end / seconds))
        start, end = (share * seconds for share in marks[0])
        seen = say(
            "Waveform, and under it the probability of each token in each of {frames} frames. Read from it: {text}. "
            "Marked: {start:.2f} to {end:.2f} s, and frame {now}.",
            frames=len(path), text=heard["text"], start=start, end=end, now=now,
        )  # fmt: skip
        shown.value = picture(heard["drawing"], seen, *marks)
        strip.value = collapse_strip(path, tokens, blank, now, names)

    def show_clip(change: object = None) -> None:
        with telling(message):
            waveform = audio.load(rows[row.value]["audio"], recogniser.sampling_rate)
            emission = recogniser.emission(waveform)
            transcript = recogniser.decode(emission)
            heard.update(waveform=waveform, path=emission.argmax(axis=-1).tolist(), words=transcript.words)
            heard["text"] = transcript.text
            if isinstance(recogniser, BeamRecogniser):
                best.value = hypotheses_table(recogniser, emission)
            heard["drawing"] = draw(plot_emission(emission, tokens, waveform, recogniser.sampling_rate, blank))
            with unheard(show_frame, frame), unheard(show_word, word):
                frame.max = play.max = max(1, len(heard["path"]) - 1)
                frame.value = 0
                word.options = word_options(transcript.words)
                word.value = -1
            show_word()

    frame.observe(show_frame, "value")
    word.observe(show_word, "value")
    row.observe(show_clip, "value")
    show_clip()
    found = [best] if isinstance(recogniser, BeamRecogniser) else []
    return View(
        "emission",
        [row, message, shown, ipywidgets.HBox([play, frame]), strip, *found, word, player],
        row=row, frame=frame, play=play, word=word, link=link,
        shown=shown, strip=strip, best=best, player=player, message=message,
    )  # fmt: skip


def collapse_strip(
    path: Sequence[int], tokens: Sequence[str], blank: int, now: int, names: Mapping[str, str] | None = None
) -> str:
    """The collapse up to a frame, as HTML: path, repeats merged, blanks dropped, and the text so far.

    Args:
        path: (frames,) ids.
        tokens: in the order of their ids.
        now: the frame stepped to.
        names: what stands for tokens that have no letter.
    """
    names = names or {}
    merged, kept = map(set, collapse(path[: now + 1], blank))
    start = max(0, min(now - AROUND, len(path) - 2 * AROUND - 1))
    window = range(start, min(start + 2 * AROUND + 1, len(path)))
    heading = "text-align:start;font-weight:normal;white-space:nowrap;padding-inline-end:8px"
    lines = []
    for title, members in zip(STRIP, (None, window, merged, kept), strict=True):
        cells = [f'<th style="{heading}">{say(title)}</th>']
        for frame in window:
            content = str(frame) if members is None else ""
            if members is not None and frame in members:
                content = text(names.get(tokens[path[frame]], tokens[path[frame]]))
            style = f"width:28px;text-align:center;border:1px solid {LINE};font-family:monospace"
            if members is None:
                style = f"width:28px;text-align:center;color:{INK if frame == now else PALE};font-size:75%"
            if frame == now:
                style += f";background:{SKY}66;border:2px solid {VERMILION};font-weight:bold"
            cells.append(f'<td style="{style}">{content}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    written = "".join(tokens[path[frame]] for frame in sorted(kept)).replace("|", " ")
    token = path[now]
    if token == blank:
        why = mark("Frame {frame} says {token}, a blank: it writes nothing, and parts two equal letters.")
    elif now in kept:
        why = mark("Frame {frame} says {token}, a new token: it is written.")
    else:
        why = mark("Frame {frame} says {token}, a repeat of the frame before: it is merged.")
    grid = f'<table style="direction:ltr;border-collapse:collapse;font-size:inherit">{"".join(lines)}</table>'
    return page(
        grid
        + line(say(why, frame=now, token=text(names.get(tokens[token], tokens[token]))))
        + line(say("Written so far: {text}", text=f"<b>{text(written)}</b>"))
    )
