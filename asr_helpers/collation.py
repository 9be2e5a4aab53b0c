"""03  Examples to batches.

Conventions: B is the batch size, T the longest clip's number of samples, L the longest
transcript's number of labels. Padding is 0 in the sound and -100 in the labels, which
the loss passes over.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from . import AsrError
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
            AsrError: there is no example, a waveform is none, or a label is not the processor's.
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
        raise AsrError("There is no example to make a batch of.")
    for row, example in enumerate(examples):
        for name in ("input_values", "labels"):
            if name not in example:
                raise AsrError(f"Example {row} has no {name!r}, only {', '.join(example)}: prepare the rows first.")
        try:
            as_waveform(example["input_values"])
        except AsrError as error:
            raise AsrError(f"Example {row}: {error}") from None
        wrong = [label for label in example["labels"] if not 0 <= label < num_tokens]
        if wrong:
            raise AsrError(
                f"Example {row} has the label {wrong[0]}, and the vocabulary has {num_tokens} tokens: "
                "prepare the rows with this processor."
            )


def _check_lengths(lengths: Sequence[float]) -> None:
    numbers = np.asarray(lengths, dtype=np.float64)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers < math.inf)))
    if len(wrong):
        raise AsrError(f"Clip {wrong[0]} has the length {lengths[wrong[0]]!r}: it is to be 0 or more.")
    if not numbers.any():
        raise AsrError("There is no clip with any length: there is nothing to make batches of.")


def change_speed(
    batch: dict[str, "torch.Tensor"], speed: float, pad_to_multiple_of: int | None = None
) -> dict[str, "torch.Tensor"]:
    """A batch played faster or slower, its pitch with it, as a tape would be.

    Args:
        batch: from the collator: `input_values`, (B, T), its `labels`, and `attention_mask` where there is one.
        speed: 1.1 makes the sound a tenth faster.
        pad_to_multiple_of: samples, as in the collator.

    Returns:
        The batch with (B, about T / speed) samples; its labels are the same.

    >>> import torch
    >>> change_speed({"input_values": torch.zeros(2, 16_000)}, 1.25)["input_values"].shape
    torch.Size([2, 12800])
    """
    import soxr
    import torch

    waveforms = batch["input_values"]
    values = torch.from_numpy(soxr.resample(waveforms.cpu().T.numpy(), speed, 1.0)).T  # (B, T / speed)
    if pad_to_multiple_of:
        values = torch.nn.functional.pad(values, (0, -values.shape[1] % pad_to_multiple_of))
    changed = {**batch, "input_values": values.contiguous().to(waveforms.device)}
    if "attention_mask" in batch:
        lengths = batch["attention_mask"].sum(dim=1, keepdim=True).div(speed).round()  # (B, 1)
        places = torch.arange(values.shape[1], device=lengths.device)
        changed["attention_mask"] = (places < lengths).to(batch["attention_mask"].dtype)
    return changed


def padded_lengths(
    lengths: Sequence[float] | np.ndarray, slowest: float = 1.0, pad_to_multiple_of: float | None = None
) -> np.ndarray:
    """How long a batch becomes, at most, whose longest clip has one of these lengths.

    Args:
        lengths: each clip's, in s or in samples.
        slowest: the lowest speed at which the batch may be played.
        pad_to_multiple_of: what its length is then rounded up to a multiple of, in the unit of the lengths.

    Returns:
        (clips,) float64, in the unit of the lengths.

    >>> padded_lengths([0.7, 2.0], slowest=0.5, pad_to_multiple_of=1.0).tolist()
    [2.0, 4.0]
    """
    longest = np.asarray(lengths, dtype=np.float64) / slowest
    return np.ceil(longest / pad_to_multiple_of) * pad_to_multiple_of if pad_to_multiple_of else longest


def padding_share(lengths: list[int] | list[float]) -> float:
    """What share of a padded batch is padding, from its clips' lengths.

    >>> padding_share([2.0, 4.0])
    0.25
    """
    _check_lengths(lengths)
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
    """Clips from long to short, as many in a batch as fit a budget, padding included: batches of about one size.

    It is one epoch of `DurationBatches` with nothing left to chance.

    >>> duration_batches([3.0, 1.0, 2.0], 4.0)
    [[0], [2, 1]]
    """
    return list(DurationBatches(lengths, budget, jitter=0, shuffle=False))


class _RankBatches:
    """What the batch samplers below share: one rank's place, the epoch, and where an epoch's clips are cut."""

    cuts: list[int]

    def __init__(self, clips: int, seed: int, rank: int, world_size: int):
        if clips < world_size:
            raise AsrError(f"{clips} clips are too few for {world_size} ranks: start fewer.")
        self.seed, self.rank, self.world_size, self.epoch = seed, rank, world_size, 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch's batches come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.cuts) - 1


class DurationBatches(_RankBatches):
    """Batches of about one amount of sound, padding included: a batch sampler for `torch.utils.data.DataLoader`.

    Clips are sorted from long to short and cut where the padded batch would exceed the budget, into groups of one
    batch for each rank. All batches of a group have as many clips, dealt in turn, so that no rank waits for another.
    Each epoch jitters the lengths before sorting and shuffles the groups; where the cuts are stays the same, so
    every epoch has as many batches. The order follows from lengths, seed and epoch alone: a run resumed goes on in it.

    Args:
        lengths: each clip's.
        budget: of a batch as the model gets it, in the unit of the lengths. A clip above it is a batch by itself.
        slowest: the lowest speed at which a batch may be played (`change_speed`): at 0.5 it is twice as long.
        pad_to_multiple_of: what a batch's length is rounded up to a multiple of, in the unit of the lengths.
        jitter: the share of its length by which a clip may count as shorter when sorted; 0 sorts exactly.
        shuffle: mix the groups in each epoch, or leave them from long to short.
        seed: of jitter and shuffle.
        rank: which of the ranks' batches these are.
        world_size: how many ranks there are.

    Attributes:
        epoch: the one that is iterated next; `set_epoch` changes it.

    Raises:
        AsrError: there are fewer clips than ranks, a length is no number, or the budget is none above 0.

    >>> [list(DurationBatches([3, 1, 2, 2], 4, jitter=0, shuffle=False, rank=r, world_size=2)) for r in range(2)]
    [[[0], [3]], [[2], [1]]]
    """

    def __init__(
        self,
        lengths: Sequence[float],
        budget: float,
        *,
        slowest: float = 1.0,
        pad_to_multiple_of: float | None = None,
        jitter: float = 0.01,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        super().__init__(len(lengths), seed, rank, world_size)
        _check_lengths(lengths)
        self.lengths = np.asarray(lengths, dtype=np.float64)
        if not budget > 0:
            raise AsrError(f"A batch holds more than nothing: give a budget above 0, not {budget}.")
        self.jitter, self.shuffle = jitter, shuffle
        # Jitter only shortens, so the k-th clip of any epoch is at most 1 / (1 - jitter) times the k-th longest.
        longest = -np.sort(-self.lengths) / (1 - jitter)
        self.cuts = _cuts(padded_lengths(longest, slowest, pad_to_multiple_of), budget, world_size)

    def __iter__(self) -> Iterator[list[int]]:
        order, groups = self.plan()
        for group in groups.tolist():
            yield order[self.cuts[group] + self.rank : self.cuts[group + 1] : self.world_size].tolist()

    def plan(self) -> tuple[np.ndarray, np.ndarray]:
        """What all ranks' batches of this epoch are taken from.

        Returns:
            (clips,) the clips' numbers from long to short, and (batches,) the groups' numbers as they are trained on.
            Group g is `clips[cuts[g] : cuts[g + 1]]`; a rank's batch is every `world_size`-th of these.
        """
        generator = np.random.default_rng((self.seed, self.epoch))
        lengths = self.lengths
        if self.jitter:
            lengths = lengths * (1 - self.jitter * generator.random(len(lengths)))
        order = np.argsort(-lengths, kind="stable")
        groups = np.arange(len(self))
        if self.shuffle:
            generator.shuffle(groups)
        return order, groups


class RandomBatches(_RankBatches):
    """Batches of so many clips in random order: a batch sampler for `torch.utils.data.DataLoader`.

    On one rank the order is that of torch's `RandomSampler` with a generator of `seed` plus the epoch, and so
    `Trainer`'s own. On several, each rank has as many batches and every clip is in one of them: where the last clips
    are too few for all ranks, they are spread over the last two batches. (accelerate would repeat clips instead.)

    Args:
        clips: how many there are.
        batch_size: of them in a batch of one rank; the last one or two may have fewer, or 2 where it is 1.
        seed: of the order, together with the epoch.
        rank: which of the ranks' batches these are.
        world_size: how many ranks there are.

    Attributes:
        epoch: the one that is iterated next; `set_epoch` changes it.

    Raises:
        AsrError: there are fewer clips than ranks, or less than one clip is to be in a batch.

    >>> [[len(batch) for batch in RandomBatches(13, 2, rank=rank, world_size=2)] for rank in range(2)]
    [[2, 2, 2, 1], [2, 2, 1, 1]]
    """

    def __init__(self, clips: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1):
        super().__init__(clips, seed, rank, world_size)
        _check_batch_size(batch_size)
        self.cuts = [*range(0, clips, batch_size * world_size), clips]
        if self.cuts[-1] - self.cuts[-2] < world_size and len(self.cuts) > 2:
            left = clips - self.cuts[-3]  # for all ranks' last two batches; for one, where some would have none
            self.cuts[-2:-1] = [clips - left // 2] if left >= 2 * world_size else []

    def __iter__(self) -> Iterator[list[int]]:
        import torch

        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(self.cuts[-1], generator=generator).tolist()
        for start, stop in pairwise(self.cuts):
            yield order[start + self.rank : stop : self.world_size]


def _cuts(lengths: np.ndarray, budget: float, world_size: int) -> list[int]:
    """Where lengths, from long to short, are cut into groups of `world_size` batches within the budget."""
    cuts = [0]
    while cuts[-1] < len(lengths):
        longest = lengths.item(cuts[-1])
        cuts.append(cuts[-1] + max(1, int(budget / longest) if longest else len(lengths)) * world_size)
    if cuts[-1] > len(lengths):
        cuts[-1] = len(lengths)
        if len(cuts) > 2:  # what is left for the last group shares with the group before it: no rank goes without
            left = (len(lengths) - cuts[-3]) / world_size  # clips for each rank's last two batches
            clips = min((cuts[-2] - cuts[-3]) // world_size, math.ceil(left / 2), math.floor(left - 1))
            cuts[-2:-1] = [cuts[-3] + clips * world_size] if clips else []
    return cuts


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise AsrError(f"A batch has 1 clip or more, not {batch_size}.")


def _cut(order: list[int], batch_size: int) -> list[list[int]]:
    _check_batch_size(batch_size)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def total_padding_share(lengths: Sequence[float], batches: Sequence[Sequence[int]]) -> float:
    """What share of all batches together is padding.

    >>> total_padding_share([2.0, 4.0, 1.0], [[0, 1], [2]])
    0.222...
    """
    _check_lengths(lengths)
    padded = sum(len(batch) * max(lengths[clip] for clip in batch) for batch in batches)
    return 1 - sum(lengths[clip] for batch in batches for clip in batch) / padded
