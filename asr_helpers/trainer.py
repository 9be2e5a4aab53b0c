"""05  The training loop: `transformers.Trainer` with our batches, rates and checkpoints.

It imports torch and transformers at once, so it is imported where it is used.
"""

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer

from . import AsrError, InputError
from .augmentation import change_speed
from .checkpoints import WholeCheckpoints
from .collation import PAD_TO_MULTIPLE_OF, DataCollatorCTCWithPadding
from .compat import mark_unprepared
from .models import onednn_disabled
from .recipes import Recipe
from .samplers import DurationBatchSampler, RandomBatchSampler
from .streaming import StreamedBatchSampler

if TYPE_CHECKING:
    from transformers import ProcessorMixin


class NumberedRows:
    """Rows that say which they are: a dataset for torch, each item with its number as `row`."""

    def __init__(self, rows: Dataset):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: list[int]) -> list[dict[str, Any]]:
        return [{**item, "row": row} for row, item in zip(numbers, self.rows.__getitems__(numbers), strict=True)]


def collate_rows(examples: list[dict[str, Any]], collator: DataCollatorCTCWithPadding) -> dict[str, Any]:
    """A batch that says which rows are in it, and, of a stream, the position behind it."""
    batch: dict[str, Any] = {**collator(examples)}
    if "row" in examples[0]:
        batch["rows"] = [example["row"] for example in examples]
    if "position" in examples[0]:  # the same for all
        batch["position"] = examples[0]["position"]
    return batch


class RecipeTrainer(WholeCheckpoints, Trainer):
    """A `Trainer` that takes from a recipe what `TrainingArguments` have no word for.

    Args:
        recipe: its head-only steps and speed perturbation.
        batches: from which rows each batch is made; None lets `Trainer` make its own.
        lengths: the rows' lengths as a dataset, for a sampling strategy of `Trainer`'s that wants them.
        arguments: `Trainer`'s own.
    """

    # Trainer allows for each of them to be missing.
    model: Any
    processing_class: Any
    train_dataset: Any

    def __init__(
        self,
        *arguments: Any,
        recipe: Recipe,
        batches: DurationBatchSampler | RandomBatchSampler | StreamedBatchSampler | None,
        lengths: Dataset | None,
        **more: Any,
    ):
        self._recipe, self._lengths = recipe, lengths
        self._batches: Any = batches
        super().__init__(*arguments, **more)

    def train(self, resume_from_checkpoint=None, *args, **kwargs):
        mark_unprepared(self.model)
        if resume_from_checkpoint:
            position = self._position_file(resume_from_checkpoint)
            if position.is_file() != self._streamed:
                raise InputError(
                    f"The training in {self.args.output_dir!r} took its rows from a "
                    f"{'dataset' if self._streamed else 'stream'}: go on with that, or leave out resume."
                )
            if self._streamed:
                self._batches.load_state_dict(json.loads(position.read_text()))
        return super().train(resume_from_checkpoint, *args, **kwargs)

    @property
    def _streamed(self) -> bool:
        return isinstance(self._batches, StreamedBatchSampler)

    def _position_file(self, checkpoint):
        return Path(checkpoint) / f"stream_{self.args.process_index}.json"

    def wrote_random_state(self, folder: Path) -> None:
        """Writes beside it where this process stands in the stream."""
        if self._streamed:
            self._position_file(folder).write_text(json.dumps(self._position))

    def create_scheduler(self, num_training_steps, optimizer=None):
        if self.lr_scheduler is None:
            usual: Any = super().create_scheduler(num_training_steps, optimizer)
            if not self._recipe.head_only_steps:
                return usual
            first = math.ceil(_steps(self._recipe.head_only_steps, num_training_steps))
            warmup = max(_steps(self.args.warmup_steps, num_training_steps), 1)
            encoder, head = usual.lr_lambdas  # in the order of parameter_groups
            factors = [
                lambda step: encoder(step) * min((step - first + 1) / warmup, 1) if step >= first else 0.0,
                head,
            ]
            self.lr_scheduler = LambdaLR(usual.optimizer, factors)
        return self.lr_scheduler

    def rows_to_sample(self, rows: Any) -> Any:
        """The lengths. Trainer finds them in a column alone; without one it decodes every clip to count its samples."""
        return self._lengths

    def get_train_dataloader(self):
        if self._batches is None:
            return super().get_train_dataloader()
        # Rounding up would pad clips of like length more than their differences do.
        rounding = PAD_TO_MULTIPLE_OF if isinstance(self._batches, RandomBatchSampler) else None
        # Not prepared by accelerate, which would share these batches out among the ranks a second time.
        return torch.utils.data.DataLoader(
            self.train_dataset,
            batch_sampler=self._batches,
            collate_fn=partial(collate_rows, collator=DataCollatorCTCWithPadding(self.processing_class, rounding)),
            num_workers=self.args.dataloader_num_workers,
            persistent_workers=self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def evaluation_loop(self, *args, **kwargs):
        with onednn_disabled(bf16=self.args.bf16):
            return super().evaluation_loop(*args, **kwargs)

    def training_step(self, model, inputs, num_items_in_batch=None):
        rows = inputs.pop("rows")
        self._position = inputs.pop("position", None)
        if self._recipe.speed_perturbation:
            # From seed and step alone: the same after a resume, and for all that makes up a step.
            chance = np.random.default_rng((self.args.seed, self.state.global_step))
            speed = chance.uniform(1 - self._recipe.speed_perturbation, 1 + self._recipe.speed_perturbation)
            inputs = change_speed(inputs, speed, PAD_TO_MULTIPLE_OF)
        try:
            loss = super().training_step(model, inputs, num_items_in_batch)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(inputs["input_values"].shape, self.processing_class, rows) from error
        if not torch.isfinite(loss):
            raise AsrError(
                f"The loss is {loss.item()} in step {self.state.global_step + 1}, on the training rows "
                f"{', '.join(map(str, rows))}: remove those that are at fault; where none is, the training has "
                "diverged, and lower learning rates keep it from that."
            )
        return loss


def _steps(share: float, num_training_steps: int) -> float:
    """A number of steps, or a share of all of them where it is below 1."""
    return share * num_training_steps if share < 1 else share


def _out_of_memory(shape: Sequence[int], processor: "ProcessorMixin", rows: list[int]) -> AsrError:
    """What to say of a batch of that shape, (B, T), that did not fit: a budget to try is half of what it took."""
    clips, seconds = shape[0], shape[0] * shape[1] / processor.feature_extractor.sampling_rate
    if clips > 1:
        way_out = f"try a recipe with seconds_per_batch={seconds / 2:.1f}"
    else:
        way_out = f"cut it into clips of {seconds / 2:.1f} s or less"
    return AsrError(
        f"The GPU's memory is full at {clips} clip{'s' * (clips > 1)} of {seconds:.1f} s in all, padding included, the "
        f"training rows {', '.join(map(str, rows))}: {way_out}."
    )
