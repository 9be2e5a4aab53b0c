"""03  Which examples go into a batch: batch samplers, and what they cost in padding.

Conventions: a batch is a list of clips' numbers, a length is in s or in samples, the same unit throughout. Under
torchrun or accelerate a rank's sampler gives its own batches alone.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from . import InputError


def _check_lengths(lengths: Sequence[float]) -> None:
    numbers = np.asarray(lengths, dtype=np.float64)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers < math.inf)))
    if len(wrong):
        raise InputError(f"Clip {wrong[0]} has the length {lengths[wrong[0]]!r}: it is to be 0 or more.")
    if not numbers.any():
        raise InputError("There is no clip with any length: there is nothing to make batches of.")


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


def duration_batches(lengths: Sequence[float], max_duration: float) -> list[list[int]]:
    """Clips from long to short, as many in a batch as fit a duration, padding included: batches of about one size.

    It is one epoch of `DurationBatchSampler` with nothing left to chance.

    >>> duration_batches([3.0, 1.0, 2.0], 4.0)
    [[0], [2, 1]]
    """
    return list(DurationBatchSampler(lengths, max_duration, jitter=0, shuffle=False))


class _RankBatchSampler:
    """What the batch samplers below share: one rank's place, the epoch, and where an epoch's clips are cut."""

    cuts: list[int]

    def __init__(self, clips: int, seed: int, rank: int, world_size: int):
        if clips < world_size:
            raise InputError(f"{clips} clips are too few for {world_size} ranks: start fewer.")
        self.seed, self.rank, self.world_size, self.epoch = seed, rank, world_size, 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch's batches come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.cuts) - 1


class DurationBatchSampler(_RankBatchSampler):
    """Batches of about one amount of sound, padding included: a batch sampler for `torch.utils.data.DataLoader`.

    Clips are sorted from long to short and cut where the padded batch would exceed `max_duration`, into groups of one
    batch for each rank. All batches of a group have as many clips, dealt in turn, so that no rank waits for another.
    Each epoch jitters the lengths before sorting and shuffles the groups; where the cuts are stays the same, so
    every epoch has as many batches. The order follows from lengths, seed and epoch alone: a run resumed goes on in it.

    Args:
        lengths: each clip's.
        max_duration: of a batch as the model gets it, in the unit of the lengths. A clip above it is a batch by itself.
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
        InputError: there are fewer clips than ranks, a length is no number, or the duration is none above 0.

    >>> [list(DurationBatchSampler([3, 1, 2, 2], 4, jitter=0, shuffle=False, rank=r, world_size=2)) for r in range(2)]
    [[[0], [3]], [[2], [1]]]
    """

    def __init__(
        self,
        lengths: Sequence[float],
        max_duration: float,
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
        if not max_duration > 0:
            raise InputError(f"A batch holds more than nothing: give a max_duration above 0, not {max_duration}.")
        self.jitter, self.shuffle = jitter, shuffle
        # Jitter only shortens, so the k-th clip of any epoch is at most 1 / (1 - jitter) times the k-th longest.
        longest = -np.sort(-self.lengths) / (1 - jitter)
        self.cuts = _cuts(padded_lengths(longest, slowest, pad_to_multiple_of), max_duration, world_size)

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


class RandomBatchSampler(_RankBatchSampler):
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
        InputError: there are fewer clips than ranks, or less than one clip is to be in a batch.

    >>> [[len(batch) for batch in RandomBatchSampler(13, 2, rank=rank, world_size=2)] for rank in range(2)]
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


def _cuts(lengths: np.ndarray, max_duration: float, world_size: int) -> list[int]:
    """Where lengths, from long to short, are cut into groups of `world_size` batches within `max_duration`."""
    cuts = [0]
    while cuts[-1] < len(lengths):
        longest = lengths.item(cuts[-1])
        cuts.append(cuts[-1] + max(1, int(max_duration / longest) if longest else len(lengths)) * world_size)
    if cuts[-1] > len(lengths):
        cuts[-1] = len(lengths)
        if len(cuts) > 2:  # what is left for the last group shares with the group before it: no rank goes without
            left = (len(lengths) - cuts[-3]) / world_size  # clips for each rank's last two batches
            clips = min((cuts[-2] - cuts[-3]) // world_size, math.ceil(left / 2), math.floor(left - 1))
            cuts[-2:-1] = [cuts[-3] + clips * world_size] if clips else []
    return cuts


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"A batch has 1 clip or more, not {batch_size}.")


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
