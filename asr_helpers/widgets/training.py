"""A training as it happens. It imports transformers at once, so it is imported where it is used."""

import time
from typing import Any

import ipywidgets
import numpy as np
from transformers import TrainerCallback

from ..collapse import collapse_warning
from ..plots import plot_learning_curves
from ..wording import mark, say
from .kit import FULL, View, draw, note, page, picture


class TrainingView(View, TrainerCallback):
    """A widget and a `TrainerCallback` in one: see `widgets.training_view`."""

    def __init__(self):
        self.progress = ipywidgets.IntProgress(description=say("step"), layout=FULL)
        self.status = ipywidgets.HTML(page(say("The training has not begun.")))
        self.warning, self.shown = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__("training", [self.progress, self.status, self.warning, self.shown])

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._started, self._first = time.perf_counter(), state.global_step
        self.progress.max = state.max_steps

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress.value = state.global_step
        spent = time.perf_counter() - self._started
        left = spent / (state.global_step - self._first) * (state.max_steps - state.global_step)
        self.status.value = page(
            say("Step {step} of {steps}, {left:.0f} s left.", step=state.global_step, steps=state.max_steps, left=left)
        )

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        history = state.log_history
        last = {name: entry[name] for entry in history for name in entry}
        by_character = "eval_chance_cer" in last
        seen = "; ".join(
            f"{say(words)} {last[name]:.3g}"
            for name, words in (
                ("loss", mark("loss")),
                ("eval_cer", mark("validation CER")) if by_character else ("eval_wer", mark("validation WER")),
                ("eval_blank_share", mark("share of blank frames")),
                ("learning_rate", mark("learning rate")),
            )
            if name in last
        )
        figure = plot_learning_curves(history, steps=state.max_steps or None)
        described = say("Curves up to step {step}. Last: {values}.", step=state.global_step, values=seen)
        self.shown.value = picture(draw(figure), described) + page(seen)
        losses = [entry["loss"] for entry in history if "loss" in entry]
        self.warning.value = note(trouble) if (trouble := _trouble(last, losses)) else ""

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        spent = time.perf_counter() - self._started
        self.status.value = page(say("Done: {steps} steps in {spent:.0f} s.", steps=state.global_step, spent=spent))


def _trouble(last: dict[str, float], losses: list[float]) -> str:
    """What the last values warn of, in words; "" for nothing."""
    if not np.isfinite(last.get("loss", 0.0)):
        return say("The loss is not a number: the training has diverged. Lower the learning rates.")
    return collapse_warning({name: last[name] for name in last if name.startswith("eval_")}, losses)
