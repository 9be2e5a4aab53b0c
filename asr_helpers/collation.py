"""03  Examples to batches.

Conventions: B is the batch size, T the longest clip's number of samples, L the longest
transcript's number of labels. Padding is 0 in the sound and -100 in the labels, which
the loss passes over.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import AsrError, InputError
from .audio import as_waveform

if TYPE_CHECKING:
    import torch
    from transformers import ProcessorMixin

IGNORED = -100
# Samples: 0.64 s at 16 kHz. Batches padded to multiples of it have shapes that recur: on a CPU they run faster.
PAD_TO_MULTIPLE_OF = 32 * 320


@dataclass
class DataCollatorCTCWithPadding:
    """Pads examples of different lengths into one batch.

    Args:
        processor: pads the sound, and adds an attention mask where its model wants one.
        pad_to_multiple_of: samples; T is rounded up to a multiple, so that shapes recur. A
            processor on a CPU runs known shapes faster.
    """

    processor: "ProcessorMixin"
    pad_to_multiple_of: int | None = None

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, "torch.Tensor"]:
        """Collates.

        Args:
            examples: each with `input_values`, (num_samples,), and `labels`, (num_labels,).

        Returns:
            `input_values`, (B, T) float32; `labels`, (B, L) int64, padded with -100; and
            `attention_mask`, (B, T), where the feature extractor says `return_attention_mask`.

        Raises:
            InputError: there is no example, a waveform is none, or a label is not the processor's.
        """
        import torch

        _check_examples(examples, len(self.processor.tokenizer))
        batch = self.processor.feature_extractor.pad(
            [{"input_values": example["input_values"]} for example in examples],
            pad_to_multiple_of=self.pad_to_multiple_of,
            return_tensors="pt",
        )
        longest = max(len(example["labels"]) for example in examples)
        labels = np.full((len(examples), longest), IGNORED)  # (B, L)
        for row, example in enumerate(examples):
            labels[row, : len(example["labels"])] = example["labels"]
        return {**batch, "labels": torch.from_numpy(labels)}


def _check_examples(examples: list[dict[str, Any]], num_tokens: int) -> None:
    if not examples:
        raise InputError("There is no example to make a batch of.")
    for row, example in enumerate(examples):
        for name in ("input_values", "labels"):
            if name not in example:
                raise InputError(f"Example {row} has no {name!r}, only {', '.join(example)}: prepare the rows first.")
        try:
            as_waveform(example["input_values"])
        except AsrError as error:
            raise InputError(f"Example {row}: {error}") from None
        wrong = [label for label in example["labels"] if not 0 <= label < num_tokens]
        if wrong:
            raise InputError(
                f"Example {row} has the label {wrong[0]}, and the vocabulary has {num_tokens} tokens: "
                "prepare the rows with this processor."
            )
