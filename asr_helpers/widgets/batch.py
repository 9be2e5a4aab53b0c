"""The padded batch, and what its size and the order of clips cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from .. import AsrError
from ..collation import duration_batches, random_batches, sorted_batches, total_padding_share
from ..loading import durations
from ..plots import plot_lengths
from ..preprocessing import encode_text
from .kit import WIDE, View, draw, picture, table, unheard

if TYPE_CHECKING:
    from transformers import ProcessorMixin


def batch_view(rows: Sequence[Mapping[str, Any]], processor: "ProcessorMixin") -> View:
    """Move the batch size, choose how clips are put together, and watch the padding.

    Args:
        rows: a dataset, from `loading.load_rows`.
        processor: makes the labels.

    Returns:
        A view with the controls `size`, `strategy`, `number` (which batch is drawn) and `shuffle`.
    """
    seconds = durations(rows)
    labels = [len(encode_text(content, processor)) for content in rows["transcription"]]
    size = ipywidgets.IntSlider(description="batch size", value=8, min=1, max=min(32, len(seconds)), style=WIDE)
    strategy = ipywidgets.ToggleButtons(options=["random", "sorted", "by duration"], description="order", style=WIDE)
    number = ipywidgets.IntSlider(description="batch", min=1, max=1, style=WIDE)
    shuffle = ipywidgets.Button(description="shuffle again", tooltip="another random order")
    shown, shares = ipywidgets.HTML(), ipywidgets.HTML()
    state: dict[str, Any] = {"seed": 0}

    def show_batch(change: object = None) -> None:
        batch = state["batches"][number.value - 1]
        chosen = [seconds[row] for row in batch]
        share = total_padding_share(seconds, [batch])
        seen = (
            f"Batch {number.value} of {number.max}: {len(batch)} clips of {min(chosen):.1f} to {max(chosen):.1f} s, "
            f"{share:.0%} of its sound is padding; right, their labels, filled up with -100."
        )
        figure = plot_lengths(chosen, [labels[row] for row in batch])
        figure.suptitle(f"batch {number.value} of {number.max}: {share:.0%} padding", fontsize=10)
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
            line = [name, share, str(len(batches)), f"{min(clips)} to {max(clips)}", f"{largest:.0f} s"]
            lines.append([f"<b>{cell}</b>" for cell in line] if name == strategy.value else line)
        head = ["order", "padding", "batches", "clips in a batch", "largest, padding included"]
        caption = f"{len(seconds)} clips, {size.value} to a batch; by duration: up to {budget:.0f} s to a batch"
        shares.value = table(head, lines, caption)
        state["batches"] = ways[strategy.value]
        with unheard(show_batch, number):
            number.max = len(state["batches"])
        show_batch()

    def show_another(button: object) -> None:
        state["seed"] += 1
        show()

    if not seconds:
        raise AsrError("There are no rows to make batches of.")
    number.observe(show_batch, "value")
    show()
    size.observe(show, "value")
    strategy.observe(show, "value")
    shuffle.on_click(show_another)
    return View(
        [ipywidgets.HBox([size, number]), ipywidgets.HBox([strategy, shuffle]), shares, shown],
        css="asr-batch-view",
        size=size, strategy=strategy, number=number, shuffle=shuffle, shown=shown, shares=shares,
    )  # fmt: skip
