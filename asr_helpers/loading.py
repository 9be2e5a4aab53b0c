"""01  Rows: a dataset in, split honestly, its audio left encoded.

Conventions: a row holds at least `audio` (undecoded: `{"bytes", "path"}`) and
`transcription`; MInDS-14's rows also hold `path`, `english_transcription`,
`intent_class` and `lang_id`. Durations are in seconds.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from . import AsrError, InputError, audio
from .charsets import not_utf8
from .compat import split_of_word
from .fragments import file_of
from .layouts import layout_rows
from .layouts.paths import LEADS_OUT, leads_out
from .sources import Source
from .speakers import hold_out, hold_out_texts

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SPLITS = ("train", "validation", "test")
FEWEST = 10  # training rows from which some are held out
SEED = 0


def load_rows(source: Source, split: str = "train") -> "Dataset":
    """One split as it is published, audio undecoded. MInDS-14 and the demo have `train` only.

    Args:
        source: from `sources.source`.
        split: a `datasets` split: "train", "train[:100]".

    Raises:
        InputError: the dataset has no such split, or lacks a column.
    """
    from datasets import Audio, ReadInstruction, concatenate_datasets, load_dataset

    try:
        if source.locale:
            rows = load_dataset(source.dataset, name=source.locale, split=split, revision=source.dataset_revision)
        else:
            parts = _read_folder(source)
            lengths = {name: len(part) for name, part in parts.items()}
            chosen = ReadInstruction.from_spec(split).to_absolute(lengths)
            rows = concatenate_datasets([parts[part.splitname].select(range(part.from_, part.to)) for part in chosen])
    except AsrError:
        raise
    except (ValueError, OSError) as error:  # OSError: the hub is out of reach, or has no such dataset
        raise InputError(f"{source.dataset!r} cannot be loaded: {str(error).splitlines()[0]}") from error
    _check_columns(source.dataset, rows.column_names)
    # Without this, touching a row needs torchcodec and FFmpeg.
    return rows.cast_column("audio", Audio(decode=False))


def _check_columns(name: str, columns: Iterable[str], sound: str = "audio") -> None:
    missing = {sound, "transcription"} - set(columns)
    if missing:
        raise InputError(
            f"{name!r} has no column {sorted(missing)[0]!r}, only {', '.join(columns)}: "
            "a folder needs a metadata.csv with file_name and transcription, or --columns that say which they are."
        )


def _read_folder(source: Source, missing_files: bool = False, outside_files: bool = False) -> dict[str, "Dataset"]:
    """The splits of a folder in the audiofolder form, metadata.csv beside the sounds or above them, or else in one of
    `layouts`.

    A folder in a sound's path names its split, as in test/clip.wav; without one it is "train". (The
    library's own audiofolder asks for torchcodec even to write down a path.)

    Args:
        missing_files: keep rows whose file is missing, for the audit to name them.
        outside_files: keep rows whose file_name leads out of the folder, without their sound, likewise.
    """
    from datasets import Audio, Dataset

    splits: dict[str, list[dict[str, Any]]] = {}
    folder = source.dataset
    tables = _tables(source)
    if tables:
        found = folder_rows(map(TablePart, tables), folder, missing_files, outside_files)
    else:
        found = layout_rows(folder, source.columns, source.audio_root, missing_files, outside_files)
    for split, row in found:
        splits.setdefault(split, []).append(row)
    if not splits:
        raise InputError(f"{str(tables[0])!r} has no rows: write one for each sound.")
    if not tables and not any(row["speaker"] for rows in splits.values() for row in rows):
        for row in chain.from_iterable(splits.values()):
            del row["speaker"]
    return {
        name: Dataset.from_list(splits[name]).cast_column("audio", Audio(decode=False))
        for name in SPLITS
        if name in splits
    }


def _tables(source: Source) -> list[Path]:
    """The metadata.csv files of a folder in the audiofolder form; none where it is in another layout."""
    if source.columns or source.audio_root or not Path(source.dataset).is_dir():
        return []
    return sorted(Path(source.dataset).rglob("metadata.csv"))


@dataclass(frozen=True)
class TablePart:
    """Lines of a metadata.csv: all of them, or so many from one place on.

    Attributes:
        table: the file.
        offset: where in the file they begin, as its `tell` says it; 0 for the first one.
        line: the number of the line before them.
        rows: how many; None for all.
    """

    table: Path
    offset: int = 0
    line: int = 0
    rows: int | None = None


def table_parts(table: Path, rows: int) -> list[TablePart]:
    """A metadata.csv in parts of so many rows, so that they can be read in any order."""
    parts, count = [], 0
    offset = line = 0
    for count, (number, _, end) in enumerate(_read_table(TablePart(table)), 1):
        if count % rows == 0:
            parts.append(TablePart(table, offset, line, rows))
            offset, line = end, number
    if count % rows:
        parts.append(TablePart(table, offset, line, rows))
    return parts


def folder_rows(
    parts: Iterable[TablePart], folder: str, missing_files: bool = False, outside_files: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a folder's metadata.csv files, one at a time, each with its split; `audio` is a path.

    Args:
        parts: of the metadata.csv files.
        folder: what no file may lie outside of.
        missing_files: give rows whose file is missing, too.
        outside_files: give rows whose file_name leads out of the folder, too: with None as `audio`. Each row then has
            the column LEADS_OUT.
    """
    names = split_of_word()
    for part in parts:
        table = part.table
        if not table.resolve().is_relative_to(Path(folder).resolve()):
            raise InputError(f"{str(table)!r} leads out of {folder!r}: bring the file into the folder.")
        for number, line, _ in _read_table(part):
            name = Path(line.pop("file_name"))
            path = table.parent / name
            where = f"{str(table)!r}, line {number}"
            outside = _leaves(name, path, folder)
            if outside and not outside_files:
                raise InputError(f"{where}: {str(name)!r} leads out of {folder!r}: bring the file into the folder.")
            if not missing_files and not outside and not os.path.isfile(file_of(path)):
                raise InputError(f"{where}: there is no file {str(path)!r}.")
            row = {**line, "audio": None if outside else str(path.absolute())}
            if outside_files:
                row[LEADS_OUT] = str(name) if outside else ""
            folders = [*table.parent.relative_to(folder).parts, *name.parent.parts]
            split = next((names[part] for part in folders if part in names), "train")
            yield split, row


def _leaves(name: Path, path: Path, folder: str) -> bool:
    """Whether a metadata.csv's file_name leads out of its folder, by what it says or by what a link in it does."""
    if name.is_absolute() or PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
        return True
    return leads_out(path, folder)


def _read_table(part: TablePart) -> Iterator[tuple[int, dict[str, str], int]]:
    """Lines of a metadata.csv, each with its number, as an editor counts, and with where the next one begins."""
    table = part.table
    with open(table, newline="", encoding="utf-8-sig") as file:
        # A file that is iterated reads ahead, and cannot say where it is.
        lines = csv.DictReader(iter(file.readline, ""), restval="")
        skipped = 0
        try:
            columns = lines.fieldnames or ()
            _check_columns(str(table), columns, sound="file_name")
            for column in ("audio", LEADS_OUT):
                if column in columns:
                    raise InputError(f"{str(table)!r} has a column {column!r}, a name that is taken: rename it.")
            if part.offset:
                file.seek(part.offset)
                skipped = part.line - lines.line_num
            for line in islice(lines, part.rows):
                number = lines.line_num + skipped
                if None in line:
                    raise InputError(
                        f"{str(table)!r}, line {number}: more fields than columns; put a text with a comma in quotes."
                    )
                yield number, line, file.tell()
        except UnicodeDecodeError:
            raise not_utf8(table) from None
        except csv.Error as error:
            number = lines.line_num + skipped
            raise InputError(f"{str(table)!r}, line {number}: {error}; is a quote left open?") from None


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
def voice_table(source: Source) -> dict[str, dict[str, str]]:
    """A locale's voices.csv by voice: engine, sex, accent, …, and the split it speaks in; empty without one."""
    path = Path(source.dataset) / (source.locale or "") / "voices.csv"
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

    Raises:
        InputError: a voice speaks no row, or the rows have no `path` that would name theirs.
    """
    if "path" not in rows.column_names:
        raise InputError(f"The rows have no 'path' that would name a voice, only {', '.join(rows.column_names)}.")
    apart = set(held_out)
    heard = [voice_of(path) or "" for path in rows["path"]]
    unknown = apart - set(heard)
    if unknown:
        voices = ", ".join(sorted({*heard} - {""}))
        raise InputError(f"No row is spoken by {sorted(unknown)[0]!r}: the voices are {voices}.")
    test = [index for index, voice in enumerate(heard) if voice in apart]
    train = [index for index, voice in enumerate(heard) if voice not in apart]
    return rows.select(train), rows.select(test)


def published_splits(source: Source) -> "DatasetDict":
    """A dataset's own splits, every row in its place, for the audit: nothing is held out, no file is looked for.

    A row whose file_name leads out of the folder has no audio, and that name in the column LEADS_OUT.

    Raises:
        InputError: a folder's metadata.csv is missing or wrong, or lies outside the folder.
    """
    from datasets import DatasetDict

    return DatasetDict({"train": load_rows(source)} if source.locale else _read_folder(source, True, True))


def load_splits(source: Source, missing_files: bool = False) -> "DatasetDict":
    """Train, validation and test rows.

    - A folder's own splits stay as they are; one without train rows is not split further.
    - The demo's test rows are those of the voices held out.
    - Without test rows, a fifth is held out, and for validation, which chooses the best checkpoint, a tenth of what is
      left: whole speakers where they are named (`speakers.hold_out`), rows drawn at random where they are not, as in
      MInDS-14. A folder with a metadata.csv and test rows of its own has validation rows drawn at random, and the demo
      sentences drawn at random, each with all of its voices.

    Args:
        source: from `sources.source`.
        missing_files: keep a folder's rows whose file is missing, for the audit to set aside.

    Raises:
        InputError: a folder's metadata.csv is missing or wrong, a file is missing or outside the folder, or there are
            too few rows to hold some out.
    """
    from datasets import DatasetDict

    if source.locale:
        rows = load_rows(source)
        held_out = [name for name, voice in voice_table(source).items() if voice["split"] == "test"]
        splits = {"train": rows}
        if held_out:
            splits["train"], splits["test"] = split_by_voice(rows, held_out)
    else:
        splits = _read_folder(source, missing_files)
    if "train" not in splits:
        return DatasetDict(splits)
    found = len(splits["train"])
    if found < FEWEST and not {"test", "validation"} <= set(splits):
        raise InputError(f"{found} rows are too few to hold some out for measuring: bring at least {FEWEST}.")
    by_speaker = not source.locale and ("test" not in splits or not _tables(source))
    if "test" not in splits:
        splits["train"], splits["test"] = hold_out(splits["train"], 0.2, SEED)
    if "validation" not in splits and source.locale:
        splits["train"], splits["validation"] = hold_out_texts(splits["train"], 0.1, SEED)
    elif "validation" not in splits:
        splits["train"], splits["validation"] = hold_out(splits["train"], 0.1, SEED, by_speaker)
    return DatasetDict({name: splits[name] for name in SPLITS})


def durations(rows: "Dataset") -> list[float]:
    """Each clip's length in seconds, from its header: nothing is decoded.

    Raises:
        InputError: a row's clip cannot be read.
    """
    lengths = []
    for number, clip in enumerate(rows["audio"]):
        try:
            lengths.append(audio.duration(clip))
        except AsrError as error:
            raise InputError(f"Row {number}: {error}") from None
    return lengths


@dataclass(frozen=True)
class RowFacts:
    """What a row can be found by.

    Attributes:
        text: its transcription.
        seconds: its clip's length, from the header; 0 where that cannot be read.
        intent: its intent's name, "" where it has none.
        voice: who speaks, "" where that is not known.
    """

    text: str
    seconds: float
    intent: str = ""
    voice: str = ""


def describe(rows: Iterable[Mapping[str, Any]]) -> list[RowFacts]:
    """What each row can be found by: nothing is decoded.

    Args:
        rows: from `load_rows` or `load_splits`, or dicts with `audio` and `transcription`.

    Raises:
        InputError: a row lacks one of these two.
    """
    intents = getattr(getattr(rows, "features", {}).get("intent_class"), "names", None)
    described: list[RowFacts] = []
    for row in rows:
        for column in ("audio", "transcription"):
            if column not in row:
                raise InputError(f"Row {len(described)} has no {column!r}, only {', '.join(row)}: rename its columns.")
        try:
            seconds = audio.duration(row["audio"])
        except AsrError:
            seconds = 0.0
        intent = row.get("intent_class")
        if intent is None:
            intent = ""
        elif intents:
            intent = intents[intent]
        described.append(RowFacts(row["transcription"], seconds, str(intent), voice_of(row.get("path") or "") or ""))
    return described


def find_rows(
    facts: Sequence[RowFacts], *, text: str = "", intent: str = "", voice: str = "", seconds: tuple | None = None
) -> list[int]:
    """The numbers of the rows that match.

    Args:
        facts: from `describe`.
        text: each of its words is somewhere in the transcription, in whatever case.
        intent, voice: the row's own; "" takes every one.
        seconds: the shortest and the longest length wanted, both included.

    >>> find_rows([RowFacts("My card is lost", 2.0), RowFacts("Pay my bill", 3.0)], text="MY b")
    [1]
    """
    shortest, longest = seconds or (0, float("inf"))
    words = text.casefold().split()
    return [
        number
        for number, row in enumerate(facts)
        if all(word in row.text.casefold() for word in words)
        and intent in ("", row.intent)
        and voice in ("", row.voice)
        and shortest <= row.seconds <= longest
    ]
