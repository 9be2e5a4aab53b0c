"""The undocumented names that the package uses are still there, and mean what they meant."""

import inspect
import re
from pathlib import Path

import pytest
import tiny
import torch
import transformers

from asr_helpers import compat
from asr_helpers.models import build_model


@pytest.mark.parametrize(("name", "arguments"), [
    ("_get_output_dir", ["trial"]), ("_save_checkpoint", ["model", "trial"]), ("_save_rng_state", ["output_dir"]),
    ("_get_train_sampler", ["train_dataset"]),
])  # fmt: skip
def test_trainer_has_the_private_methods_that_are_hooked(name, arguments):
    assert list(inspect.signature(getattr(transformers.Trainer, name)).parameters) == ["self", *arguments]


def test_frames_are_counted_as_the_model_makes_them(tmp_path):
    model = build_model(str(tiny.write_checkpoint(tmp_path)), tiny.processor())
    samples = torch.tensor([400, 719, 720, 16_000])
    made = [model.wav2vec2.feature_extractor(torch.zeros(1, int(count))).shape[-1] for count in samples]
    assert compat.count_frames(model, samples).tolist() == made == [1, 1, 2, 49]


def test_words_in_a_path_stand_for_splits():
    words = compat.split_of_word()
    assert (words["training"], words["dev"], words["eval"]) == ("train", "validation", "test")


def test_parquet_files_are_found_by_their_names(tmp_path):
    for name in ("train-00000-of-00001.parquet", "dev.parquet"):
        (tmp_path / name).touch()
    assert [Path(file).name for file in compat.parquet_files(str(tmp_path), "validation")] == ["dev.parquet"]


def test_no_other_module_reaches_inside_another_library():
    """`library._name` stands in compat.py alone; `self._name` and names of our own are no such thing."""
    package = Path(compat.__file__).parent
    inside = re.compile(r"(super\(\)|model|torch\.cpu|trainer|tokenizer|accelerator)\._[a-z]")
    reached = [
        f"{file.name}:{number}"
        for file in sorted(package.rglob("*.py"))
        if file.name != "compat.py"
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if inside.search(line.partition("#")[0])
    ]
    assert reached == []
