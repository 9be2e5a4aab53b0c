"""Common Voice's folders and FLEURS's: a TSV for each split, and the clips beside it.

Common Voice (https://commonvoice.mozilla.org/datasets): train.tsv, dev.tsv and test.tsv, or validated.tsv where there
are none of these, with columns client_id, path and sentence; `path` is a file in clips/. No field stands in quotes.

FLEURS (https://arxiv.org/abs/2205.12446): train.tsv, dev.tsv and test.tsv without names of columns: id, file, raw
transcription, transcription, letters, samples, gender; the file is in audio/train/ and so on. It names no speakers.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import InputError
from .tables import Utterance, at_line, read_columns, read_lines, split_of

SPLIT_TABLES = ("train.tsv", "dev.tsv", "test.tsv")
ALL = "validated.tsv"
COLUMNS = ("client_id", "path", "sentence")
FIELDS = 7  # of a line of FLEURS


def find_common_voice(tables: Sequence[Path]) -> list[Path]:
    """The tables beside a folder clips/: those of the splits, or else the one of all validated rows."""
    beside = [table for table in tables if (table.parent / "clips").is_dir()]
    return [table for table in beside if table.name in SPLIT_TABLES] or [table for table in beside if table.name == ALL]


def read_common_voice(tables: Sequence[Path], data: Path) -> Iterator[Utterance]:
    """The rows of Common Voice's tables; `client_id` is the speaker.

    Raises:
        InputError: a table lacks a column.
    """
    for table in tables:
        columns = next(read_lines(table), (0, ""))[1].split("\t")
        missing = [column for column in COLUMNS if column not in columns]
        if missing:
            raise InputError(
                f"{str(table)!r} has no column {missing[0]!r}, only {', '.join(filter(None, columns)) or 'nothing'}: "
                "download the corpus again, or name its columns with --columns."
            )
        clips, split = table.parent / "clips", split_of(table.stem)
        for number, row in read_columns(table, "\t", quoted=False):
            yield Utterance(
                at_line(table, number), row["path"], row["sentence"], (clips,), split, row["client_id"], row["path"]
            )


def find_fleurs(tables: Sequence[Path]) -> list[Path]:
    """The splits' tables beside a folder audio/."""
    return [table for table in tables if table.name in SPLIT_TABLES and (table.parent / "audio").is_dir()]


def read_fleurs(tables: Sequence[Path], data: Path) -> Iterator[Utterance]:
    """The rows of FLEURS's tables.

    Raises:
        InputError: a line has another number of fields, or a split's sounds are still packed.
    """
    for table in tables:
        sounds = table.parent / "audio" / table.stem
        packed = sounds.with_name(f"{sounds.name}.tar.gz")
        if packed.is_file() and not sounds.is_dir():
            raise InputError(f"{str(packed)!r} is an archive, and none is opened: unpack it into the folder beside it.")
        for number, line in read_lines(table):
            fields = line.split("\t")
            if len(fields) != FIELDS:
                raise InputError(
                    f"{at_line(table, number)}: {len(fields)} fields, where FLEURS has {FIELDS} (id, file, raw "
                    "transcription, transcription, letters, samples, gender): download it again."
                )
            yield Utterance(at_line(table, number), fields[1], fields[3], (sounds,), split_of(table.stem), id=fields[1])
