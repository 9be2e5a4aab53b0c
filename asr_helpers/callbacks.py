"""05  What happens beside the training's steps: lines of progress, the sampler's epoch, an end at SIGTERM.

It imports torch and transformers at once, so it is imported where it is used.
"""

import logging
import time
from pathlib import Path

import torch
from transformers import TrainerCallback

from .checkpoints import Terminated, WholeCheckpoints, why_incomplete
from .collapse import collapse_warning

logger = logging.getLogger(__name__)


class Epochs(TrainerCallback):
    """Tells the sampler its epoch: Trainer does not reach a batch sampler, nor know after a resume which it was in."""

    def on_epoch_begin(self, args, state, control, train_dataloader, **kwargs):
        if hasattr(train_dataloader.batch_sampler, "set_epoch"):
            train_dataloader.batch_sampler.set_epoch(int(state.epoch or 0))


class Progress(TrainerCallback):
    """A line at each evaluation; it reads the same in a terminal, a notebook and a log."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.started, self.first_step = time.perf_counter(), state.global_step

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        if not state.is_world_process_zero or not state.global_step:
            return
        spent = time.perf_counter() - self.started
        done = state.global_step - self.first_step  # since a resume
        left = spent / done * (state.max_steps - state.global_step) if done else 0.0
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        trouble = collapse_warning(metrics, losses)
        metric = "cer" if "eval_chance_cer" in metrics else "wer"
        print(
            f"step {state.global_step} of {state.max_steps}: loss {losses[-1] if losses else float('nan'):.2f}, "
            f"validation {metric.upper()} {metrics[f'eval_{metric}']:.3f}, blank {metrics['eval_blank_share']:.0%}, "
            f"{left:.0f} s left" + (f". {trouble}" if trouble else ""),
            flush=True,
        )


class StopAtSigterm(TrainerCallback):
    """Ends the training after the step in which SIGTERM came to any of its processes.

    On resuming it also looks at the best checkpoint so far, which the end of the training will want to read.

    Args:
        trainer: a `Trainer` with `WholeCheckpoints`.
    """

    def __init__(self, trainer: WholeCheckpoints):
        self.trainer = trainer
        self.stopping = False  # in every process after the same step; `terminating` is of one process

    def on_train_begin(self, args, state, control, **kwargs):
        if not state.best_global_step:
            return
        best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
        state.best_model_checkpoint = str(best)
        if reason := why_incomplete(best, args.world_size):
            if state.is_world_process_zero:
                logger.warning(
                    "%s, the best so far, is lost (%s): the best from here on takes its place", best.name, reason
                )
            state.best_model_checkpoint = state.best_global_step = state.best_metric = None

    def on_step_end(self, args, state, control, **kwargs):
        self.stopping = self.trainer.terminating
        if args.world_size > 1:
            asked = torch.tensor(float(self.trainer.terminating), device=args.device)
            self.stopping = self.trainer.accelerator.reduce(asked).item() > 0
        if self.stopping:
            control.should_save = control.should_training_stop = True

    def on_save(self, args, state, control, **kwargs):
        if self.stopping:
            raise Terminated(
                f"SIGTERM stopped the training after step {state.global_step} of {state.max_steps}: "
                f"checkpoint-{state.global_step} in {args.output_dir!r} is whole, resume=True goes on from it."
            )
