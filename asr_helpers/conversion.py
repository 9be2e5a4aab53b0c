"""01  Rows written out: as an audiofolder, or as Parquet files.

Conventions: a whole sound file keeps its bytes; a part of one becomes FLAC of the file's own width, or of 16 bits where
FLAC has no such width. A row whose sound cannot be read is not written, and is returned with the reason.
"""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile

from . import AsrError, InputError, audio
from .fragments import file_of, times_of

if TYPE_CHECKING:
    from datasets import Dataset

WIDTHS = ("PCM_S8", "PCM_16", "PCM_24")  # that FLAC has
GROUP = 256  # rows of a Parquet file's row group: what a stream reads at a time
ROWS = 20_000  # of a Parquet file: some GB of FLAC


def write_folder(splits: Mapping[str, "Dataset"], folder: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Writes splits as an audiofolder: a folder for each, with a metadata.csv and the sounds.

    Args:
        splits: by name, from `loading.load_splits`.
        folder: where; it must be empty, or not be there.

    Returns:
        How many rows of each split were written, and the others, as dicts with `split`, `row` and `reason`.

    Raises:
        InputError: the folder is not empty.
    """
    _make(folder)
    written: dict[str, int] = {}
    left_out: list[dict[str, Any]] = []
    for split, rows in splits.items():
        (folder / split).mkdir()
        columns = [name for name in rows.column_names if name not in ("audio", "file_name")]
        count = 0
        with open(folder / split / "metadata.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["file_name", *columns])
            for row, content, suffix in _sounds(split, rows, left_out):
                name = f"{count:06d}{suffix}"
                (folder / split / name).write_bytes(content)
                table.writerow([name, *(row[column] for column in columns)])
                count += 1
        written[split] = count
    return written, left_out


def write_parquet(splits: Mapping[str, "Dataset"], folder: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Writes splits as Parquet files, `train-00000.parquet` and so on, the sounds in them.

    `datasets.load_dataset` and `train --streaming` read them.

    Args, Returns, Raises: as `write_folder`.
    """
    import pyarrow
    from datasets import Audio
    from pyarrow.parquet import ParquetWriter

    _make(folder)
    written: dict[str, int] = {}
    left_out: list[dict[str, Any]] = []
    for split, rows in splits.items():
        features = rows.features.copy()
        features["audio"] = Audio()  # for whoever loads them: a column of sound
        schema = features.arrow_schema
        found = (
            {**row, "audio": {"bytes": content, "path": f"{number:06d}{suffix}"}}
            for number, (row, content, suffix) in enumerate(_sounds(split, rows, left_out))
        )
        count = 0
        for number in itertools.count():
            group = list(itertools.islice(found, GROUP))
            if not group:
                break
            with ParquetWriter(folder / f"{split}-{number:05d}.parquet", schema) as file:
                room = ROWS
                while group:
                    file.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                    count, room = count + len(group), room - len(group)
                    group = list(itertools.islice(found, GROUP)) if room > 0 else []
        written[split] = count
    return written, left_out


def _make(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{str(folder)!r} is there and not empty: name another folder.")
    folder.mkdir(parents=True, exist_ok=True)


def _sounds(split: str, rows: "Dataset", left_out: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bytes, str]]:
    """Each row with its sound's file and that file's ending; what cannot be read goes to `left_out`."""
    for number, row in enumerate(rows):
        try:
            content, suffix = sound_file(row["audio"])
        except AsrError as error:
            left_out.append({"split": split, "row": number, "reason": str(error)})
        else:
            yield row, content, suffix


def sound_file(clip: dict[str, Any]) -> tuple[bytes, str]:
    """A row's sound as a file by itself.

    Args:
        clip: undecoded audio, `{"bytes", "path"}`.

    Returns:
        The file's bytes, and what its name ends in.

    Raises:
        InputError: it cannot be read.
    """
    with audio.open_sound(clip) as file:  # a header that is well: what is no sound is not passed on
        endings = {"WAV": ".wav", "WAVEX": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3", "MPEG": ".mp3"}
        ending = endings.get(file.format, "")
    path = clip.get("path") or ""
    if clip.get("bytes") is not None:
        return clip["bytes"], ending or Path(path).suffix
    if not times_of(path):
        return Path(path).read_bytes(), ending or Path(path).suffix
    with audio.open_sound(file_of(path)) as file:
        width = file.subtype if file.subtype in WIDTHS else "PCM_16"
    with audio.open_sound(clip) as file:
        samples, rate = audio.read_samples(file, clip), file.samplerate
    flac = io.BytesIO()
    soundfile.write(flac, samples, rate, format="FLAC", subtype=width)
    return flac.getvalue(), ".flac"
