"""Stops a training where a word error rate is reached, or where the time is up."""

import time

from transformers import TrainerCallback


class Watch(TrainerCallback):
    """Stops a training at the first evaluation whose WER is at most a target, or that ends after a limit.

    Args:
        target: the WER.
        limit: s.

    Attributes:
        wers: one of each evaluation.
        seconds: from the training's start until the target was reached; the limit if it never was.
    """

    def __init__(self, target: float, limit: float):
        self.target, self.seconds = target, limit
        self.wers: tuple[float, ...] = ()

    def on_train_begin(self, args, state, control, **kwargs):
        self.started = time.perf_counter()

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        spent = time.perf_counter() - self.started
        self.wers = (*self.wers, metrics["eval_wer"])
        if metrics["eval_wer"] <= self.target:
            self.seconds = min(self.seconds, spent)
        control.should_training_stop = spent >= self.seconds
