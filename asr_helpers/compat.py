"""What is used of other libraries' insides: names that they do not document, each with the release it was read in.

A release that moves one of them breaks this module and no other, and tests/test_compat.py says which name it was.
pyproject.toml has a ceiling for each library, and the job `newest` of CI tries the newest releases once a week.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import Trainer, Wav2Vec2ForCTC
else:
    Trainer = object  # importing transformers takes seconds, and most of what imports this does without


class TrainerHooks(Trainer):
    """Names of our own for private methods of `transformers.Trainer`: `class OfOurs(TrainerHooks, Trainer)`.

    Read in transformers 5.23.
    """

    def checkpoints_go_to(self, folder: str) -> str:
        """The folder in which `checkpoint-<step>` is written, where `Trainer` would take `folder`."""
        return folder

    def write_checkpoint(self, folder: Path, write: Callable[[], None]) -> None:
        """Writes a checkpoint into `folder`, as `write()` does it."""
        write()

    def wrote_random_state(self, folder: Path) -> None:
        """Called when this process's random state has been written to a checkpoint's folder."""

    def rows_to_sample(self, rows: Any) -> Any:
        """The dataset whose lengths a sampler of `Trainer`'s reads, where it would take `rows`."""
        return rows

    def _get_output_dir(self, trial):
        return self.checkpoints_go_to(super()._get_output_dir(trial))

    def _save_checkpoint(self, model, trial):
        usual = super()._save_checkpoint
        self.write_checkpoint(Path(self._get_output_dir(trial)), lambda: usual(model, trial))

    def _save_rng_state(self, output_dir):
        super()._save_rng_state(output_dir)
        self.wrote_random_state(Path(output_dir))

    def _get_train_sampler(self, train_dataset=None):
        return super()._get_train_sampler(self.rows_to_sample(train_dataset))


def mark_unprepared(model: Any) -> None:
    """Lets accelerate wrap a model for several ranks.

    An evaluation before the training leaves the model marked as prepared. It would then never be wrapped, and each rank
    would train a model of its own. Read in transformers 5.23 and accelerate 1.15.
    """
    model._is_accelerate_prepared = False


def count_frames(model: "Wav2Vec2ForCTC", samples: "torch.Tensor") -> "torch.Tensor":
    """How many frames a model's convolutions make of so many samples: (clips,) int64 of (clips,) int64.

    Read in transformers 5.23.
    """
    return model._get_feat_extract_output_lengths(samples)  # type: ignore[arg-type]


def cpu_has_bf16() -> bool:
    """Whether this processor has instructions that multiply in bfloat16. Read in torch 2.13."""
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def split_of_word() -> dict[str, str]:
    """The split that a word in a path stands for: `{"train": "train", "dev": "validation", …}`.

    Read in datasets 5.2, whose documentation gives these words.
    """
    from datasets.data_files import SPLIT_KEYWORDS

    return {word: str(split) for split, words in SPLIT_KEYWORDS.items() for word in words}


def parquet_files(folder: str, split: str) -> list[str]:
    """The Parquet files of a split in a folder, by the names that `datasets` knows. Read in datasets 5.2.

    Raises:
        OSError, ValueError: there are no files, or the folder cannot be read.
    """
    from datasets.data_files import DataFilesDict, get_data_patterns

    files = DataFilesDict.from_patterns(get_data_patterns(folder), base_path=folder, allowed_extensions=[".parquet"])
    return list(files.get(split, []))
