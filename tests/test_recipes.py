"""05: the recipe follows from the checkpoint's size and the hours of sound, and every part of it can be changed."""

import json

import pytest

from asr_helpers import AsrError
from asr_helpers.recipes import Recipe, changed, choose_recipe, read_recipe

DEMO, BASE, LARGE = 4_300_000, 94_400_000, 315_400_000


@pytest.mark.parametrize("parameters", [DEMO, BASE, LARGE])
@pytest.mark.parametrize("hours", [0.01, 0.2, 5.0, 100.0, None])
def test_a_fresh_head_learns_faster_than_the_encoder_and_a_kept_one_like_it(parameters, hours):
    fresh, kept = (choose_recipe(parameters, hours, fresh_head) for fresh_head in (True, False))
    assert fresh.head_learning_rate >= 10 * fresh.learning_rate
    # A fresh head has a start alone: in one go where the encoder has learnt to write, else within the training.
    assert (fresh.head_fit_steps > 0) == (parameters == DEMO)
    assert (fresh.head_only_steps > 0) == (parameters != DEMO)
    assert kept.head_learning_rate is None
    assert kept.head_only_steps == kept.head_fit_steps == 0


def test_published_rates_for_published_checkpoints():
    # transformers' CTC examples: TIMIT with wav2vec2-base, Turkish with XLSR-53, LibriSpeech's 100 hours with both.
    assert [choose_recipe(BASE, 4, False).learning_rate, choose_recipe(BASE, 4, False).num_train_epochs] == [1e-4, 20]
    assert [choose_recipe(LARGE, 4, False).learning_rate, choose_recipe(LARGE, 4, False).num_train_epochs] == [3e-4, 15]
    for size in (BASE, LARGE):
        much = choose_recipe(size, 100, False)
        assert (much.learning_rate, much.num_train_epochs) == (3e-4, 3)
        assert much.freeze_feature_encoder


@pytest.mark.parametrize(
    ("hours", "epochs"), [(0.005, 12), (0.06, 23), (0.1, 14), (0.24, 6), (1.0, 3), (20.0, 3), (None, 3)]
)
def test_the_less_sound_the_more_passes_but_for_a_few_sentences(hours, epochs):
    """Some sentences of one person would soon be known by heart: fewer passes, at a lower rate."""
    recipe = choose_recipe(DEMO, hours, False)
    assert recipe.num_train_epochs == epochs
    assert recipe.learning_rate == (1e-4 if hours == 0.005 else 5e-4)
    assert choose_recipe(DEMO, hours, True).learning_rate == 1e-4


def test_a_change_of_the_batch_size_takes_the_place_of_its_seconds():
    by_seconds = choose_recipe(BASE, 4, False)
    assert by_seconds.seconds_per_batch
    by_clips = changed(by_seconds, {"per_device_train_batch_size": 4})
    assert (by_clips.per_device_train_batch_size, by_clips.seconds_per_batch) == (4, None)
    assert changed(by_seconds, {}) == by_seconds


@pytest.mark.parametrize(("changes", "says"), [
    ({"lr": 1e-3}, r"A recipe has no 'lr': it has learning_rate, "),
    ({"learning_rate": "fast"}, r"The recipe's learning_rate cannot be 'fast'"),
    ({"learning_rate": None}, r"The recipe's learning_rate cannot be None"),
    ({"num_train_epochs": -1}, r"num_train_epochs cannot be -1"),
    ({"warmup_steps": True}, r"warmup_steps cannot be True"),
    ({"freeze_feature_encoder": 1}, r"freeze_feature_encoder cannot be 1"),
])  # fmt: skip
def test_a_change_that_is_none_is_named(changes, says):
    with pytest.raises(AsrError, match=says):
        changed(choose_recipe(DEMO, 1, False), changes)


def test_a_recipe_is_read_from_a_file(tmp_path):
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps({"learning_rate": 2e-4, "head_learning_rate": None}))
    recipe = changed(choose_recipe(DEMO, 1, True), read_recipe(file))
    assert (recipe.learning_rate, recipe.head_learning_rate) == (2e-4, None)


@pytest.mark.parametrize("content", ["", "[1]", "learning_rate = 1", None])
def test_a_file_that_is_no_recipe_is_named(tmp_path, content):
    file = tmp_path / "recipe.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AsrError, match=r"The recipe '.*recipe\.json' (cannot be read|is no JSON object)"):
        read_recipe(file)


def test_a_recipe_reads_on_one_line():
    assert str(Recipe(5e-4, None, 3)).startswith("learning_rate 0.0005, head_learning_rate None, num_train_epochs 3, ")
