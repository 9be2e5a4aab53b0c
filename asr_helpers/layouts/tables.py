"""What every layout's reader shares: the files of a folder, their lines, an utterance.

Conventions: times are in seconds. A line has the number that an editor shows. A name is looked for a split's word, of
which the last one counts: `train_dev` is validation, `train-clean-100` is train.
"""

import csv
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import InputError
from ..charsets import not_utf8
from ..compat import split_of_word

LONGEST = 2**20  # bytes in a line: more is no transcript, and a small compressed file could hold gigabytes of it
# What a table's name ends in; Kaldi's have no ending.
ENDINGS = (".tsv", ".csv", ".json", ".jsonl", ".jsonl.gz", ".trans.txt", ".scp")
NAMES = ("text", "segments", "utt2spk")


@dataclass(frozen=True)
class Utterance:
    """One transcript and where its sound is.

    Attributes:
        where: the table and the line that name it, for messages.
        path: the sound's, as the table writes it.
        text: the transcript.
        folders: what a path that is not absolute may start from, the likeliest first.
        split: "train", "validation" or "test".
        speaker: who speaks; "" where that is not said.
        id: the utterance's name; "" where it has none.
        start, end: the part of the sound that is meant, s; the whole of it where start is None.
    """

    where: str
    path: str
    text: str
    folders: tuple[Path, ...]
    split: str = "train"
    speaker: str = ""
    id: str = ""
    start: float | None = None
    end: float | None = None


def tables_in(data: Path) -> list[Path]:
    """The files below a folder that could be tables, in order; the file itself where `data` is one.

    Folders that are links are not entered.
    """
    if data.is_file():
        return [data]
    return sorted(
        Path(folder) / name
        for folder, _, names in os.walk(data)
        for name in names
        if name in NAMES or name.lower().endswith(ENDINGS)
    )


def split_of(name: str, default: str = "train") -> str:
    """The split that a file's or a folder's name stands for.

    >>> [split_of(name) for name in ("train-clean-100", "train_dev", "librispeech_cuts_test-other.jsonl.gz", "ar")]
    ['train', 'validation', 'test', 'train']
    """
    words, split = split_of_word(), default
    for word in re.split(r"[^a-z]+", name.lower()):
        split = words.get(word, split)
    return split


def split_below(path: Path, data: Path) -> str:
    """The split of a path below a folder: its own name's, or that of the nearest folder whose name has one."""
    parts = reversed(path.relative_to(data).parts)
    return next((split for part in parts if (split := split_of(part, ""))), "train")


def read_lines(table: Path) -> Iterator[tuple[int, str]]:
    """A text file's lines without their ends, each with its number. A `.gz` is unpacked a line at a time.

    Raises:
        InputError: it is not UTF-8, a line is longer than LONGEST, or the compressed file is damaged.
    """
    number = 0
    try:
        with gzip.open(table) if table.suffix == ".gz" else open(table, "rb") as file:
            while line := file.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise InputError(f"{str(table)!r}, line {number} is longer than 1 MB: is it another file?")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, text.rstrip("\r\n")
    except UnicodeDecodeError:
        raise not_utf8(table) from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError(f"{str(table)!r} breaks off or is damaged: copy or download it again.") from None


def read_columns(table: Path, delimiter: str, quoted: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table whose first line names its columns, each with its line's number.

    Args:
        table: the file.
        delimiter: between two fields.
        quoted: whether a field may stand in quotes, as spreadsheets write it.

    Raises:
        InputError: as `read_lines`; a row has more fields than columns, or a quote is left open.
    """
    lines = (line + "\n" for _, line in read_lines(table))
    rows = csv.DictReader(
        lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, restval=""
    )
    try:
        for row in rows:
            if None in row:
                raise InputError(
                    f"{str(table)!r}, line {rows.line_num}: more fields than columns; "
                    "put a text that holds the delimiter in quotes."
                )
            yield rows.line_num, row
    except csv.Error as error:
        raise InputError(f"{str(table)!r}, line {rows.line_num}: {error}; is a quote left open?") from None


def first_line(table: Path) -> str:
    """The first line of a table, "" where it has none or is not UTF-8: to recognise it by."""
    try:
        return next(read_lines(table), (0, ""))[1]
    except InputError:
        return ""


def at_line(table: Path, number: int) -> str:
    """How a message names a place in a table."""
    return f"{str(table)!r}, line {number}"


def seconds(value: Any, where: str) -> float:
    """A time in seconds that a table gives.

    Raises:
        InputError: it is no number from 0 on.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"{where}: {value!r} is no time in seconds: correct it.")
    return number
