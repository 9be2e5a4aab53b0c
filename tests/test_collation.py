"""03: a batch holds each example unchanged and, behind it, padding that no loss counts."""

import random
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
import tiny
import torch
from torch.utils.data import RandomSampler

from asr_helpers import AsrError
from asr_helpers.augmentation import change_speed
from asr_helpers.collation import IGNORED, DataCollatorCTCWithPadding
from asr_helpers.loading import durations, load_rows, load_splits
from asr_helpers.models import load_processor
from asr_helpers.preprocessing import prepare
from asr_helpers.samplers import (
    DurationBatchSampler,
    RandomBatchSampler,
    duration_batches,
    padded_lengths,
    padding_share,
    random_batches,
    sorted_batches,
    total_padding_share,
)
from asr_helpers.sources import source


@pytest.fixture(scope="module")
def processor():
    """The demo's: its feature extractor wants no attention mask."""
    return load_processor(source("demo").checkpoint)


@pytest.fixture
def processor_with_mask(processor):
    processor = deepcopy(processor)
    processor.feature_extractor.return_attention_mask = True
    return processor


def example(values, labels):
    return {"input_values": np.array(values, dtype="float32"), "labels": labels}


TWO = [example([1.0, 2.0, 3.0], [7, 8]), example([4.0], [9, 5, 6])]


def test_sound_is_padded_with_0_and_labels_with_minus_100(processor):
    batch = DataCollatorCTCWithPadding(processor)(TWO)
    assert set(batch) == {"input_values", "labels"}
    assert batch["input_values"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch["labels"].tolist() == [[7, 8, -100], [9, 5, 6]]


def test_dtypes_are_those_a_model_takes(processor):
    batch = DataCollatorCTCWithPadding(processor)(TWO)
    assert batch["input_values"].dtype == torch.float32
    assert batch["labels"].dtype == torch.int64


@pytest.mark.parametrize("values", [[0.5, -0.5], np.array([0.5, -0.5]), np.array([0.5, -0.5], dtype="float32")])
def test_lists_and_arrays_of_any_float_become_float32(processor, values):
    batch = DataCollatorCTCWithPadding(processor)([{"input_values": values, "labels": np.array([5])}])
    assert batch["input_values"].dtype == torch.float32
    assert batch["input_values"].tolist() == [[0.5, -0.5]]
    assert batch["labels"].tolist() == [[5]]


def test_one_example_needs_no_padding(processor):
    batch = DataCollatorCTCWithPadding(processor)(TWO[:1])
    assert batch["input_values"].tolist() == [[1, 2, 3]]
    assert batch["labels"].tolist() == [[7, 8]]


def test_the_examples_are_left_as_they_were(processor):
    examples = deepcopy(TWO)
    DataCollatorCTCWithPadding(processor, pad_to_multiple_of=8)(examples)
    assert [e["input_values"].tolist() for e in examples] == [[1, 2, 3], [4]]
    assert [e["labels"] for e in examples] == [[7, 8], [9, 5, 6]]


def test_a_clip_without_a_word_has_only_ignored_labels(processor):
    batch = DataCollatorCTCWithPadding(processor)([example([1.0], []), example([2.0], [5, 6])])
    assert batch["labels"].tolist() == [[-100, -100], [5, 6]]


@pytest.mark.parametrize(("multiple", "width"), [(None, 3), (1, 3), (2, 4), (3, 3), (4, 4), (10, 10)])
def test_the_width_is_rounded_up_to_a_multiple(processor, multiple, width):
    batch = DataCollatorCTCWithPadding(processor, pad_to_multiple_of=multiple)(TWO)
    assert batch["input_values"].shape == (2, width)
    assert batch["input_values"][0].tolist() == [1, 2, 3] + [0] * (width - 3)
    assert batch["labels"].shape == (2, 3), "labels are not rounded"


@pytest.mark.parametrize(("multiple", "mask"), [(None, [[1, 1, 1], [1, 0, 0]]), (4, [[1, 1, 1, 0], [1, 0, 0, 0]])])
def test_an_attention_mask_marks_the_sound_where_the_extractor_wants_one(processor_with_mask, multiple, mask):
    batch = DataCollatorCTCWithPadding(processor_with_mask, multiple)(TWO)
    assert set(batch) == {"input_values", "attention_mask", "labels"}
    assert batch["attention_mask"].tolist() == mask


@pytest.mark.parametrize("seed", range(10))
def test_it_agrees_with_padding_lists_by_hand(processor, seed):
    generator = random.Random(seed)
    examples = [
        example(
            [generator.gauss(0, 1) for _ in range(generator.randint(1, 50))],
            [generator.randrange(1, 32) for _ in range(generator.randint(0, 20))],
        )
        for _ in range(generator.randint(1, 9))
    ]
    batch = DataCollatorCTCWithPadding(processor)(examples)
    for name, padding in (("input_values", 0.0), ("labels", -100)):
        longest = max(len(e[name]) for e in examples)
        assert batch[name].tolist() == [list(e[name]) + [padding] * (longest - len(e[name])) for e in examples]


def test_prepared_rows_come_through_unchanged(processor):
    rows = prepare(load_rows(source("demo"), "train[:3]"), processor)
    examples = [rows[number] for number in range(3)]
    batch = DataCollatorCTCWithPadding(processor)(examples)
    assert batch["input_values"].shape == (3, max(len(e["input_values"]) for e in examples))
    for row, one in enumerate(examples):
        samples, count = len(one["input_values"]), len(one["labels"])
        assert np.array_equal(batch["input_values"][row, :samples], one["input_values"])
        assert not batch["input_values"][row, samples:].any()
        assert batch["labels"][row, :count].tolist() == list(one["labels"])
        assert (batch["labels"][row, count:] == IGNORED).all()


def test_a_loss_over_the_batch_is_that_of_the_clips_own_labels(processor):
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    convolutions = {"conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2}
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(ctc_loss_reduction="sum", **small, **convolutions)).eval()
    noise = np.random.default_rng(0).normal(size=(2, 2_000)).astype("float32")
    batch = DataCollatorCTCWithPadding(processor)([example(noise[0], [7, 8]), example(noise[1, :1_500], [9, 5, 6, 5])])
    with torch.inference_mode():
        output = model(**batch)
    log_probabilities = output.logits.log_softmax(-1)  # (B, frames, vocabulary)
    frames = torch.tensor(log_probabilities.shape[1])
    own = sum(
        torch.nn.functional.ctc_loss(row, torch.tensor(labels), frames, torch.tensor(len(labels)), reduction="sum")
        for row, labels in zip(log_probabilities, ([7, 8], [9, 5, 6, 5]), strict=True)
    )
    assert output.loss == pytest.approx(own.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("lengths", "share"),
    [([3.0], 0.0), ([2, 2, 2], 0.0), ([1, 3], 2 / 6), ([1.0, 2.0, 3.0, 4.0], 6 / 16), ([1, 1, 1, 5], 12 / 20)],
)
def test_the_share_of_padding(lengths, share):
    assert padding_share(lengths) == pytest.approx(share)


@pytest.mark.parametrize("seed", range(5))
def test_the_share_of_padding_is_that_of_the_mask(processor_with_mask, seed):
    generator = random.Random(seed)
    lengths = [generator.randint(1, 40) for _ in range(8)]
    batch = DataCollatorCTCWithPadding(processor_with_mask)([example(np.ones(length), [5]) for length in lengths])
    assert padding_share(lengths) == pytest.approx(1 - batch["attention_mask"].double().mean().item())


# Batches


LENGTHS = np.random.default_rng(0).uniform(1, 9, 53).tolist()
WAYS = {
    "random": lambda: random_batches(LENGTHS, 8),
    "sorted": lambda: sorted_batches(LENGTHS, 8),
    "by duration": lambda: duration_batches(LENGTHS, 40.0),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_clip_is_in_one_batch(way):
    batches = WAYS[way]()
    assert sorted(clip for batch in batches for clip in batch) == list(range(53))
    assert all(batches)


def test_batches_of_a_size_have_that_size():
    for way in ("random", "sorted"):
        assert [len(batch) for batch in WAYS[way]()] == [8] * 6 + [5]


def test_a_seed_is_an_order():
    assert random_batches(LENGTHS, 8, seed=1) == random_batches(LENGTHS, 8, seed=1)
    assert random_batches(LENGTHS, 8, seed=1) != random_batches(LENGTHS, 8, seed=2)


def test_sorted_batches_run_from_short_to_long():
    in_order = [LENGTHS[clip] for batch in sorted_batches(LENGTHS, 8) for clip in batch]
    assert in_order == sorted(LENGTHS)


def test_a_budget_counts_padding_and_a_longer_clip_is_alone():
    assert duration_batches([1, 1, 2, 5], max_duration=4) == [[3], [2, 0], [1]]  # three clips would take 3 * 2
    assert duration_batches([2, 1, 1], max_duration=6) == [[0, 1, 2]]
    for batch in duration_batches(LENGTHS, 40.0):
        assert len(batch) * max(LENGTHS[clip] for clip in batch) <= 40


def test_the_share_of_all_batches_is_pooled():
    assert total_padding_share([2.0, 4.0, 1.0], [[0, 1], [2]]) == pytest.approx(2 / 9)  # not the mean of 2/8 and 0
    assert total_padding_share(LENGTHS, [list(range(53))]) == pytest.approx(padding_share(LENGTHS))
    assert total_padding_share(LENGTHS, [[clip] for clip in range(53)]) == pytest.approx(0)
    assert total_padding_share(LENGTHS, WAYS["sorted"]()) < total_padding_share(LENGTHS, WAYS["random"]())


# Batches by duration, for ranks and epochs


def ranks_batches(lengths, budget, world_size, epoch=0, **options):
    """Each rank's batches of an epoch."""
    samplers = [
        DurationBatchSampler(lengths, budget, rank=rank, world_size=world_size, **options) for rank in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    return [list(sampler) for sampler in samplers]


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [8, 9, 17, 53, 200])
@pytest.mark.parametrize("budget", [0.5, 12.0, 40.0, 1e9])
def test_each_epoch_has_every_clip_once_and_as_many_batches_on_each_rank(count, budget, world_size):
    lengths = np.random.default_rng(count).uniform(1, 9, count)
    for epoch in range(3):
        batches = ranks_batches(lengths, budget, world_size, epoch)
        assert sorted(clip for rank in batches for batch in rank for clip in batch) == list(range(count))
        assert all(batch for rank in batches for batch in rank)
        assert {len(rank) for rank in batches} == {len(DurationBatchSampler(lengths, budget, world_size=world_size))}


@pytest.mark.parametrize("world_size", [1, 4])
def test_no_epochs_batch_is_above_the_budget(world_size):
    lengths = np.random.default_rng(1).uniform(1, 9, 1_000)
    for epoch in range(5):
        for rank in ranks_batches(lengths, 30.0, world_size, epoch, jitter=0.05):
            assert max(len(batch) * max(lengths[batch]) for batch in rank) <= 30


SLOWEST, MULTIPLE = 0.9, 10_240  # what a training may slow a batch down to, and pads it to afterwards, in samples


@pytest.mark.parametrize("seconds", [(0.7, 0.7), (2.0, 2.0), (0.3, 9.0)])
def test_no_batch_is_above_the_budget_once_it_is_slowed_down_and_padded_again(seconds):
    lengths = np.random.default_rng(0).uniform(*seconds, 400).round(3)
    plan = {"slowest": SLOWEST, "pad_to_multiple_of": MULTIPLE / 16_000}
    sizes = []
    for batch in DurationBatchSampler(lengths, 60.0, **plan):
        values = torch.zeros(len(batch), round(lengths[batch].max() * 16_000))
        for speed in (2 - SLOWEST, 1.0, SLOWEST):
            played = change_speed({"input_values": values}, speed, MULTIPLE)["input_values"]
            assert played.numel() / 16_000 <= 60
        sizes.append(played.numel() / 16_000)
    assert len(sizes) == len(DurationBatchSampler(lengths, 60.0, **plan))
    assert np.median(sizes) > 50, "few are far below"


def test_lengths_in_a_batch_by_hand():
    assert padded_lengths([0.7, 2.0, 0.0], 0.5).tolist() == [1.4, 4.0, 0.0]
    assert padded_lengths([700, 2_000, 640], 1.0, 640).tolist() == [1_280, 2_560, 640]
    # Clips of 0.7 s, at most 0.778 s when slowed down, are padded to 1.28 s: 60 s hold 46 of them.
    batches = DurationBatchSampler([0.7] * 138, 60, jitter=0, slowest=0.9, pad_to_multiple_of=0.64)
    assert [len(batch) for batch in batches] == [46, 46, 46]


def test_ranks_have_batches_of_one_size_side_by_side_but_for_the_last_group():
    lengths = np.random.default_rng(1).uniform(1, 9, 1_003)
    steps = list(zip(*ranks_batches(lengths, 60.0, 4), strict=True))
    uneven = [step for step in steps if len({len(batch) for batch in step}) > 1]
    assert len(uneven) == 1, "1,003 clips are no multiple of 4"
    sizes = [len(batch) for batch in uneven[0]]
    assert max(sizes) - min(sizes) == 1
    assert min(lengths[batch].max() for batch in uneven[0]) < 2, "the shortest clips"


def test_the_last_clips_are_spread_over_the_ranks():
    # Ten clips of 1 s, budget 4: eight fill a group of two batches, two are left. 3 + 3 and 2 + 2 take their place.
    assert [[len(batch) for batch in rank] for rank in ranks_batches([1] * 10, 4, 2, jitter=0, shuffle=False)] == [
        [3, 2]
    ] * 2
    # Three clips of 1 s, none of which may share a batch: one rank has two, since none may go without.
    assert sorted(len(rank[-1]) for rank in ranks_batches([1] * 3, 1, 2)) == [1, 2]
    with pytest.raises(AsrError, match="3 clips are too few for 4 ranks: start fewer"):
        DurationBatchSampler([1] * 3, 1, world_size=4)


@pytest.mark.parametrize("budget", [0, -1.0, float("nan")])
def test_a_budget_that_holds_nothing(budget):
    with pytest.raises(AsrError, match=f"give a max_duration above 0, not {budget}"):
        DurationBatchSampler([1.0, 2.0], budget)


def test_epochs_differ_in_order_and_company_and_come_again():
    lengths = np.random.default_rng(1).uniform(1, 9, 500)
    sampler = DurationBatchSampler(lengths, 40.0, seed=3)
    first, again = list(sampler), list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first == again == list(DurationBatchSampler(lengths, 40.0, seed=3)) != second
    assert list(DurationBatchSampler(lengths, 40.0, seed=4)) != first
    assert [len(batch) for batch in first] != [len(batch) for batch in second], "the groups are in another order"
    in_sets = [{frozenset(batch) for batch in batches} for batches in (first, second)]
    assert len(in_sets[0] & in_sets[1]) < len(first) / 4, "clips meet others"


def test_the_demo_corpus_is_padded_by_less_than_a_thirtieth():
    lengths = durations(load_splits(source("demo"))["train"])
    sampler = DurationBatchSampler(lengths, 60.0)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert total_padding_share(lengths, list(sampler)) <= 0.03
    assert total_padding_share(lengths, random_batches(lengths, 16)) > 0.2


@pytest.mark.parametrize("clips", [200_000, pytest.param(10_000_000, marks=pytest.mark.soak)])
def test_a_thousand_ranks(clips):
    """Planned in a minute and 2 GB, without torch; measured in a process of its own."""
    code = f"""
import time
import numpy as np
from asr_helpers.samplers import DurationBatchSampler
from benchmarks.common import peak_memory

clips, ranks = {clips}, 1_024
lengths = np.clip(np.random.default_rng(0).lognormal(2.3, 0.6, clips), 1, 35)
started = time.perf_counter()
sampler = DurationBatchSampler(lengths, 120.0, rank=1_023, world_size=ranks)
assert sum(1 for _ in sampler) == len(sampler)
order, groups = sampler.plan()
seconds = time.perf_counter() - started
gigabytes = peak_memory() / 2**30
assert np.array_equal(np.sort(order), np.arange(clips)) and sorted(groups) == list(range(len(sampler)))
padded, real = np.zeros(ranks), np.zeros(ranks)
for start, stop in zip(sampler.cuts, sampler.cuts[1:]):
    assert stop - start >= ranks
    clip = np.arange(stop - start)
    group = np.full((-(-(stop - start) // ranks), ranks), np.nan)
    group.flat[: stop - start] = lengths[order[start:stop]]
    step = np.nanmax(group, 0) * np.isfinite(group).sum(0)
    assert step.max() <= 120
    padded, real = padded + step, real + np.nansum(group, 0)
print(seconds, gigabytes, 1 - real.sum() / padded.sum(), padded.max() / padded.min() - 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=tiny.environment()
    )
    seconds, gigabytes, padding, difference = map(float, done.stdout.split())
    assert seconds <= 60 * max(clips / 10_000_000, 0.1)
    assert gigabytes <= 2
    assert padding <= (0.01 if clips == 10_000_000 else 0.1), "fewer clips are further apart"
    assert difference <= 0.05


# Batches of so many, on several ranks


def test_on_one_rank_they_are_the_librarys_own():
    for epoch in range(2):
        sampler = RandomBatchSampler(27, 8, seed=5)
        sampler.set_epoch(epoch)
        order = list(RandomSampler(range(27), generator=torch.Generator().manual_seed(5 + epoch)))
        assert list(sampler) == [order[:8], order[8:16], order[16:24], order[24:]]
        assert len(sampler) == 4


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_every_clip_once_and_as_many_batches_on_each_rank(world_size, batch_size):
    for clips in range(world_size, 60):
        place = {"world_size": world_size, "seed": clips}
        ranks = [list(RandomBatchSampler(clips, batch_size, rank=rank, **place)) for rank in range(world_size)]
        assert len({len(rank) for rank in ranks}) == 1
        assert sorted(clip for rank in ranks for batch in rank for clip in batch) == list(range(clips))
        sizes = [len(batch) for rank in ranks for batch in rank]
        assert min(sizes) > 0
        assert max(sizes) <= max(batch_size, 2), "of batches of one, some rank may have to take two"


def test_clips_too_few_for_the_ranks():
    with pytest.raises(AsrError, match="2 clips are too few for 3 ranks: start fewer"):
        RandomBatchSampler(2, 8, world_size=3)
    with pytest.raises(AsrError, match="A batch has 1 clip or more, not 0"):
        RandomBatchSampler(2, 0)


# Bad input


@pytest.mark.parametrize(("examples", "says"), [
    ([], "There is no example"),
    ([{"input_values": np.zeros(8)}], "Example 0 has no 'labels', only input_values"),
    ([{"audio": {}, "labels": [5]}], "Example 0 has no 'input_values', only audio, labels"),
    ([example(np.ones(8), [5]), example(np.ones((2, 8)), [5])], r"Example 1: .* the shape \(2, 8\): take the mean"),
    ([{"input_values": np.ones(8, dtype="int16"), "labels": [5]}], "Example 0: .* holds int16: divide by 32,768"),
    ([example(np.ones(8), [5]), example(np.ones(8), [5, 32])], "Example 1 has the label 32, .* has 32 tokens"),
    ([example(np.ones(8), [-100])], "Example 0 has the label -100"),
])  # fmt: skip
def test_examples_that_make_no_batch(processor, examples, says):
    with pytest.raises(AsrError, match=says):
        DataCollatorCTCWithPadding(processor)(examples)


@pytest.mark.parametrize(("lengths", "says"), [
    ([], "no clip with any length"), ([0, 0], "no clip with any length"),
    ([1.0, -1.0], "Clip 1 has the length -1.0"), ([float("nan")], "Clip 0 has the length nan"),
])  # fmt: skip
def test_lengths_that_are_none(lengths, says):
    with pytest.raises(AsrError, match=says):
        padding_share(lengths)
    with pytest.raises(AsrError, match=says):
        total_padding_share(lengths, [])
    if lengths:
        with pytest.raises(AsrError, match=says):
            DurationBatchSampler(lengths, 30.0)


@pytest.mark.parametrize("batches", [random_batches, sorted_batches])
def test_batches_of_nothing(batches):
    with pytest.raises(AsrError, match="A batch has 1 clip or more, not 0"):
        batches([1.0, 2.0], 0)


# Speed


def test_a_batch_played_faster_is_higher_and_shorter_and_keeps_its_labels():
    tone = torch.sin(2 * torch.pi * 400 * torch.arange(16_000) / 16_000).expand(2, -1)
    batch = {"input_values": tone, "labels": torch.tensor([[1], [2]])}
    for speed, hertz in ((1.25, 500), (0.8, 320)):
        changed = change_speed(batch, speed)
        assert changed["input_values"].shape == (2, round(16_000 / speed))
        assert changed["labels"] is batch["labels"]
        loudest = (
            torch.fft.rfft(changed["input_values"]).abs().argmax(dim=1) * 16_000 / changed["input_values"].shape[1]
        )
        assert loudest.tolist() == pytest.approx([hertz, hertz], abs=2)
    assert change_speed(batch, 1.25, 1_000)["input_values"].shape == (2, 13_000)


def test_the_attention_mask_goes_with_the_speed():
    batch = {
        "input_values": torch.ones(2, 100),
        "attention_mask": (torch.arange(100) < torch.tensor([[100], [50]])).int(),
    }
    mask = change_speed(batch, 1.25, 32)["attention_mask"]
    assert mask.dtype == torch.int32
    assert mask.shape == (2, 96)
    assert mask.sum(dim=1).tolist() == [80, 40]


def test_a_batch_on_another_device_stays_there(monkeypatch):
    """Without a GPU: torch's "meta" device stands for it, whose tensors have no numbers to copy to this memory."""
    to_cpu = torch.Tensor.cpu
    monkeypatch.setattr(
        torch.Tensor, "cpu", lambda self: torch.zeros(self.shape, dtype=self.dtype) if self.is_meta else to_cpu(self)
    )
    batch = {
        "input_values": torch.zeros(2, 100, device="meta"),
        "attention_mask": torch.ones(2, 100, dtype=torch.int32, device="meta"),
        "labels": torch.zeros(2, 1, dtype=torch.int64, device="meta"),
    }
    changed = change_speed(batch, 1.25, 32)
    assert {name: (values.device.type, *values.shape) for name, values in changed.items()} == {
        "input_values": ("meta", 2, 96), "attention_mask": ("meta", 2, 96), "labels": ("meta", 2, 1),
    }  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_batch_on_a_gpu_is_that_of_a_cpu():
    values = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
    batch = {"input_values": values, "attention_mask": torch.ones(2, 16_000, dtype=torch.int32)}
    here = change_speed(batch, 0.9, 320)
    there = change_speed({name: part.cuda() for name, part in batch.items()}, 0.9, 320)
    for name, part in there.items():
        assert part.is_cuda
        assert torch.equal(part.cpu(), here[name])
