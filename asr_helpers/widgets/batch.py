"""The padded batch, and what its size and the order of clips cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from .. import AsrError, InputError, audio
from ..plots import plot_lengths
from ..preprocessing import encode_text
from ..samplers import duration_batches, random_batches, sorted_batches, total_padding_share
from ..wording import label, mark, say
from .kit import WIDE, View, draw, note, picture, table, text, unheard

if TYPE_CHECKING:
    from transformers import ProcessorMixin


WAYS = (mark("random"), mark("sorted"), mark("by duration"))


def batch_view(rows: Sequence[Mapping[str, Any]], processor: "ProcessorMixin") -> View:
    """Move the batch size, choose how clips are put together, and watch the padding.

    Args:
        rows: from `loading.load_rows`, or dicts with `audio` and `transcription`. One that cannot be prepared is
            left out, and the view says why.
        processor: makes the labels.

    Returns:
        A view with the controls `size`, `strategy`, `number` (which batch is drawn) and `shuffle`.
    """
    seconds, labels, left_out = [], [], []
    for number, row in enumerate(rows):
        try:
            length, ids = audio.duration(row["audio"]), encode_text(row["transcription"], processor)
        except AsrError as error:
            left_out.append(say("Row {row} is left out: {error}", row=number, error=error))
            continue
        seconds.append(length)
        labels.append(len(ids))
    if not any(seconds):
        raise InputError("There are no rows to make batches of.")
    size = ipywidgets.IntSlider(description=say("batch size"), value=8, min=1, max=32, style=WIDE)
    strategy = ipywidgets.ToggleButtons(options=[(say(way), way) for way in WAYS], description=say("order"), style=WIDE)
    number = ipywidgets.IntSlider(description=say("batch"), min=1, max=2, style=WIDE)
    shuffle = ipywidgets.Button(description=say("shuffle again"), tooltip=say("another random order"))
    shown, shares, message = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
    if left_out:
        message.value = note("<br>".join(map(text, left_out)))
    state: dict[str, Any] = {"seed": 0}

    def show_batch(change: object = None) -> None:
        batches = state["batches"]
        drawn = min(number.value, len(batches))
        batch = batches[drawn - 1]
        chosen = [seconds[row] for row in batch]
        share = f"{total_padding_share(seconds, [batch]):.0%}"
        figure = plot_lengths(chosen, [labels[row] for row in batch])
        title = label("batch {batch} of {batches}: {share} padding", batch=drawn, batches=len(batches), share=share)
        figure.suptitle(title, fontsize=10)
        seen = say(
            "Batch {batch} of {batches}: {clips} clips of {shortest:.1f} to {longest:.1f} s, {share} of its sound is "
            "padding; right, their labels, filled up with -100.",
            batch=drawn, batches=len(batches), clips=len(batch), shortest=min(chosen), longest=max(chosen), share=share,
        )  # fmt: skip
        shown.value = picture(draw(figure), seen)

    def show(change: object = None) -> None:
        budget = size.value * float(np.mean(seconds))
        ways = {
            "random": random_batches(seconds, size.value, state["seed"]),
            "sorted": sorted_batches(seconds, size.value),
            "by duration": duration_batches(seconds, budget),
        }
        lines = []
        for name, batches in ways.items():
            largest = max(len(batch) * max(seconds[row] for row in batch) for batch in batches)
            clips = [len(batch) for batch in batches]
            share = f"{total_padding_share(seconds, batches):.1%}"
            sizes = say("{least} to {most}", least=min(clips), most=max(clips))
            line = [say(name), share, str(len(batches)), sizes, f"{largest:.0f} s"]
            lines.append([f"<b>{cell}</b>" for cell in line] if name == strategy.value else line)
        head = [say("order"), say("padding"), say("batches"), say("clips in a batch"), say("largest, padding included")]
        caption = say(
            "{clips} clips, {size} to a batch; by duration: up to {budget:.0f} s to a batch",
            clips=len(seconds), size=size.value, budget=budget,
        )  # fmt: skip
        shares.value = table(head, lines, caption)
        state["batches"] = ways[strategy.value]
        with unheard(show_batch, number):
            number.max = max(2, len(state["batches"]))  # no browser draws a slider of one place
        show_batch()

    def show_another(button: object) -> None:
        state["seed"] += 1
        show()

    number.observe(show_batch, "value")
    show()
    size.observe(show, "value")
    strategy.observe(show, "value")
    shuffle.on_click(show_another)
    return View(
        "batch",
        [ipywidgets.HBox([size, number]), ipywidgets.HBox([strategy, shuffle]), message, shares, shown],
        size=size, strategy=strategy, number=number, shuffle=shuffle, shown=shown, shares=shares, message=message,
    )  # fmt: skip
