"""A spreadsheet saved as CSV or TSV: a row for each sound, in columns of any name.

Conventions: `columns` says which of the sheet's columns holds what, `{"sentence": "transcription"}`. Fields are parted
by commas, semicolons or tabs, whichever the first line has most of.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .. import InputError
from .tables import Utterance, at_line, read_columns, read_lines, split_below, split_of

MEANINGS = ("file_name", "transcription", "speaker")


def check_columns(columns: Mapping[str, str]) -> None:
    """Makes sure that columns are given meanings that there are.

    Raises:
        InputError: a meaning is unknown, or is given twice.
    """
    for meaning in columns.values():
        if meaning not in MEANINGS:
            raise InputError(f"A column cannot be {meaning!r}: it is {', '.join(MEANINGS[:-1])} or {MEANINGS[-1]}.")
    if len(set(columns.values())) < len(columns):
        raise InputError(f"Two columns have one meaning: {', '.join(f'{a}={b}' for a, b in columns.items())}.")


def find(tables: Sequence[Path]) -> list[Path]:
    """The CSV and TSV files."""
    return [table for table in tables if table.name.lower().endswith((".csv", ".tsv"))]


def read(tables: Sequence[Path], data: Path, columns: Mapping[str, str]) -> Iterator[Utterance]:
    """The rows of spreadsheets.

    A folder in a sound's path names its split, or else the sheet's name or folder does.

    Raises:
        InputError: a sheet has no column for the sound or for the text, or none that was named.
    """
    own = {meaning: column for column, meaning in columns.items()}
    for table in tables:
        header = next(read_lines(table), (0, ""))[1]
        delimiter = max(",;\t", key=header.count)
        rows = read_columns(table, delimiter, quoted=True)
        names = [name.strip('"') for name in header.split(delimiter)]
        holds = {meaning: own.get(meaning, meaning) for meaning in MEANINGS}
        missing = [one for one in MEANINGS if holds[one] not in names and (one != "speaker" or one in own)]
        if missing:
            raise InputError(
                f"{str(table)!r} has no column {holds[missing[0]]!r}, only "
                f"{', '.join(filter(None, names)) or 'nothing'}: say which it is, as in --columns NAME={missing[0]}."
            )
        near = split_below(table, data)
        for number, row in rows:
            path = row[holds["file_name"]]
            split = next((found for part in _folders(path) if (found := split_of(part, ""))), near)
            yield Utterance(
                at_line(table, number), path, row[holds["transcription"]], (table.parent, data), split,
                row.get(holds["speaker"]) or "", path,
            )  # fmt: skip


def _folders(path: str) -> tuple[str, ...]:
    """The folders in a sound's path, the nearest first; none where it is absolute, since they are not the corpus's."""
    return () if Path(path).is_absolute() else tuple(reversed(Path(path).parts[:-1]))
