"""01  Rows: a dataset in, split honestly, its audio left encoded.

Conventions: a row holds at least `audio` (undecoded: `{"bytes", "path"}`) and
`transcription`; MInDS-14's rows also hold `path`, `english_transcription`,
`intent_class` and `lang_id`. Durations are in seconds.
"""

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import AsrError, audio
from .sources import Source

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SPLITS = ("train", "validation", "test")
SEED = 0


def load_rows(source: Source, split: str = "train") -> "Dataset":
    """One split as it is published, audio undecoded. MInDS-14 and the demo have `train` only.

    Args:
        source: from `sources.source`.
        split: a `datasets` split: "train", "train[:100]".

    Raises:
        AsrError: the dataset has no such split, or lacks a column.
    """
    rows = _load(source, split)
    missing = {"audio", "transcription"} - set(rows.column_names)
    if missing:
        raise AsrError(
            f"{source.dataset!r} has no column {sorted(missing)[0]!r}, only {', '.join(rows.column_names)}: "
            "a folder needs a metadata.csv with file_name and transcription."
        )
    return rows


def _load(source: Source, split: str | None):
    from datasets import Audio, load_dataset

    if source.locale:
        arguments = {"path": source.dataset, "name": source.locale, "revision": source.dataset_revision}
    else:
        if not list(Path(source.dataset).rglob("metadata.*")):
            raise AsrError(f"{source.dataset!r} has no metadata.csv: write one with file_name and transcription.")
        arguments = {"path": "audiofolder", "data_dir": source.dataset}
    try:
        rows = load_dataset(**arguments, split=split)
    except (ValueError, OSError) as error:  # OSError: the hub is out of reach, or has no such dataset
        raise AsrError(f"{source.dataset!r} cannot be loaded: {str(error).splitlines()[0]}") from error
    # Without this, touching a row needs torchcodec and FFmpeg.
    return rows.cast_column("audio", Audio(decode=False))


def voice_of(path: str) -> str | None:
    """The voice in a demo path, `en-US~BALANCE/espeak-f2_0123.flac`; None where there is none, as in MInDS-14.

    >>> voice_of("en-US~BALANCE/espeak-f2_0123.flac")
    'espeak-f2'
    >>> voice_of("en-US~BALANCE/602ba55abb1e6d0fbce92065.wav") is None
    True
    """
    stem = Path(path).stem
    return stem.rsplit("_", 1)[0] if "_" in stem else None


@cache
def voice_table(folder: str) -> dict[str, dict[str, str]]:
    """A corpus's voices.csv by voice: engine, sex, accent, …, and the split it speaks in; empty without one."""
    path = Path(folder) / "voices.csv"
    if not path.is_file():
        return {}
    with open(path, newline="") as file:
        return {row["voice"]: row for row in csv.DictReader(file)}


def split_by_voice(rows: "Dataset", held_out: Iterable[str]) -> tuple["Dataset", "Dataset"]:
    """Splits rows into those of other voices and those of the voices held out.

    A random split puts every voice on both sides, so its test measures how well the
    model knows those voices. This one measures what a new caller would meet.

    Returns:
        (train, test): no voice is in both.
    """
    held_out = set(held_out)
    heard = [voice_of(path) for path in rows["path"]]
    unknown = held_out - set(heard)
    if unknown:
        raise AsrError(f"No row is spoken by {sorted(unknown)[0]!r}: the voices are {', '.join(sorted(set(heard)))}.")
    test = [index for index, voice in enumerate(heard) if voice in held_out]
    train = [index for index, voice in enumerate(heard) if voice not in held_out]
    return rows.select(train), rows.select(test)


def load_splits(source: Source) -> "DatasetDict":
    """Train, validation and test rows.

    - A folder's own splits stay as they are; one without train rows is not split further.
    - The demo's test rows are those of the voices held out.
    - MInDS-14 names no speakers: a fifth of its rows, drawn at random, are its test rows.

    Validation, which chooses the best checkpoint, is a tenth of what is left where the dataset has none of its own.
    """
    from datasets import DatasetDict

    if source.locale:
        rows = load_rows(source)
        held_out = [name for name, voice in voice_table(source.dataset).items() if voice["split"] == "test"]
        if held_out:
            train, test = split_by_voice(rows, held_out)
        else:
            train, test = _hold_out(rows, 0.2)
        splits = {"train": train, "test": test}
    else:
        splits = dict(_load(source, None))
    if "train" not in splits:
        return DatasetDict(splits)
    if "test" not in splits:
        splits["train"], splits["test"] = _hold_out(splits["train"], 0.2)
    if "validation" not in splits:
        splits["train"], splits["validation"] = _hold_out(splits["train"], 0.1)
    return DatasetDict({name: splits[name] for name in SPLITS})


def _hold_out(rows: "Dataset", share: float) -> tuple["Dataset", "Dataset"]:
    if len(rows) < 10:
        raise AsrError(f"{len(rows)} rows are too few to hold some out for measuring: bring at least 10.")
    halves = rows.train_test_split(test_size=share, seed=SEED)
    return halves["train"], halves["test"]


def durations(rows: "Dataset") -> list[float]:
    """Each clip's length in seconds, from its header: nothing is decoded."""
    return [audio.duration(clip) for clip in rows["audio"]]
