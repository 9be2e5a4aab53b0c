"""03: a batch holds each example unchanged and, behind it, padding that no loss counts."""

import random
from copy import deepcopy

import numpy as np
import pytest
import torch

from asr_helpers.collation import (
    IGNORED,
    DataCollatorCTCWithPadding,
    duration_batches,
    padding_share,
    random_batches,
    sorted_batches,
    total_padding_share,
)
from asr_helpers.loading import load_rows
from asr_helpers.preprocessing import load_processor, prepare
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
    assert duration_batches([1, 1, 2, 5], budget=4) == [[0, 1], [2], [3]]  # three clips would take 3 * 2
    assert duration_batches([2, 1, 1], budget=6) == [[1, 2, 0]]
    for batch in duration_batches(LENGTHS, 40.0):
        assert len(batch) * max(LENGTHS[clip] for clip in batch) <= 40


def test_the_share_of_all_batches_is_pooled():
    assert total_padding_share([2.0, 4.0, 1.0], [[0, 1], [2]]) == pytest.approx(2 / 9)  # not the mean of 2/8 and 0
    assert total_padding_share(LENGTHS, [list(range(53))]) == pytest.approx(padding_share(LENGTHS))
    assert total_padding_share(LENGTHS, [[clip] for clip in range(53)]) == pytest.approx(0)
    assert total_padding_share(LENGTHS, WAYS["sorted"]()) < total_padding_share(LENGTHS, WAYS["random"]())
