"""03  Examples to batches.

Conventions: B is the batch size, T the longest clip's number of samples, L the longest
transcript's number of labels. Padding is 0 in the sound and -100 in the labels, which
the loss passes over.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from transformers import ProcessorMixin

IGNORED = -100


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
        """
        import torch

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


def padding_share(lengths: list[int] | list[float]) -> float:
    """What share of a padded batch is padding, from its clips' lengths.

    >>> padding_share([2.0, 4.0])
    0.25
    """
    return 1 - sum(lengths) / (len(lengths) * max(lengths))
