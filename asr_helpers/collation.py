"""03  Examples to batches.

Conventions: B is the batch size, T the longest clip's number of samples, L the longest
transcript's number of labels. Padding is 0 in the sound and -100 in the labels, which
the loss passes over.
"""

from collections.abc import Sequence
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


def random_batches(lengths: Sequence[float], batch_size: int, seed: int = 0) -> list[list[int]]:
    """Clips in random order, cut into batches, as training usually takes them.

    Args:
        lengths: each clip's, in s or in samples.
        batch_size: clips; the last batch may have fewer.
        seed: of the order.

    Returns:
        Each batch's clips, as numbers.
    """
    return _cut(np.random.default_rng(seed).permutation(len(lengths)).tolist(), batch_size)


def sorted_batches(lengths: Sequence[float], batch_size: int) -> list[list[int]]:
    """Clips from short to long, cut into batches: next to no padding, but an order that is the same in every epoch.

    >>> sorted_batches([3.0, 1.0, 2.0], 2)
    [[1, 2], [0]]
    """
    return _cut(np.argsort(lengths, kind="stable").tolist(), batch_size)


def duration_batches(lengths: Sequence[float], budget: float) -> list[list[int]]:
    """Clips from short to long, as many in a batch as fit a budget, padding included: batches of about one size.

    Args:
        lengths: each clip's.
        budget: of a batch, in the unit of the lengths. A clip above it is a batch by itself.

    >>> duration_batches([3.0, 1.0, 2.0], 4.0)
    [[1, 2], [0]]
    """
    batches: list[list[int]] = []
    for clip in np.argsort(lengths, kind="stable").tolist():
        if batches and lengths[clip] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(clip)
        else:
            batches.append([clip])
    return batches


def _cut(order: list[int], batch_size: int) -> list[list[int]]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def total_padding_share(lengths: Sequence[float], batches: Sequence[Sequence[int]]) -> float:
    """What share of all batches together is padding.

    >>> total_padding_share([2.0, 4.0, 1.0], [[0, 1], [2]])
    0.222...
    """
    padded = sum(len(batch) * max(lengths[clip] for clip in batch) for batch in batches)
    return 1 - sum(lengths[clip] for batch in batches for clip in batch) / padded
