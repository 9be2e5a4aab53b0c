"""01  Corpora as one finds them: the layouts other toolkits and publishers use, each read as it lies.

Conventions: nothing is copied, run, unpacked or fetched. A row holds `audio` (a path, with the part of the sound that
is meant behind it: see `fragments`), `transcription`, `id` and, where speakers are named, `speaker`. What a path
stands for lies in DATA, or below the folder that `--audio-root` names.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .. import InputError
from ..fragments import file_of, part_of
from . import common_voice, kaldi, librispeech, manifests, spreadsheet
from .paths import LEADS_OUT, leads_out, locate
from .tables import Utterance, tables_in


@dataclass(frozen=True)
class Layout:
    """One way in which corpora lie on a disk.

    Attributes:
        name: what people call it.
        looks_for: the files it is recognised by, for a message.
        find: of a folder's tables those of this layout; none where it is another one.
        read: the utterances of these tables, DATA given too.
    """

    name: str
    looks_for: str
    find: Callable[[Sequence[Path]], list[Path]]
    read: Callable[[Sequence[Path], Path], Iterator[Utterance]]


LAYOUTS = (
    Layout(
        "Common Voice", "train.tsv or validated.tsv beside clips/",
        common_voice.find_common_voice, common_voice.read_common_voice,
    ),
    Layout("LibriSpeech", "*.trans.txt beside FLAC files", librispeech.find, librispeech.read),
    Layout("Kaldi", "wav.scp beside text", kaldi.find_kaldi, kaldi.read),
    Layout("FLEURS", "train.tsv beside audio/", common_voice.find_fleurs, common_voice.read_fleurs),
    Layout("ESPnet", "dump/raw with wav.scp beside text", kaldi.find_espnet, kaldi.read),
    Layout("NeMo", "lines of JSON with audio_filepath", manifests.find_nemo, manifests.read_nemo),
    Layout(
        "lhotse", "recordings and supervisions, or cuts, in *.jsonl or *.jsonl.gz",
        manifests.find_lhotse, manifests.read_lhotse,
    ),
)  # fmt: skip
SPREADSHEET = "a spreadsheet: a *.csv or *.tsv"


def find_layout(data: Path, columns: Mapping[str, str]) -> tuple[Layout, list[Path]]:
    """The layout of a folder or a table, and its tables. Where columns are named, it is a spreadsheet.

    Raises:
        InputError: it has none of the layouts, or several.
    """
    sheet = Layout("spreadsheet", SPREADSHEET, spreadsheet.find, partial(spreadsheet.read, columns=columns))
    tables = tables_in(data)
    fits = [] if columns else [(one, found) for one in LAYOUTS if (found := one.find(tables))]
    if {one.name for one, _ in fits} == {"Kaldi", "ESPnet"}:  # a recipe's data/ is what its dump/ was made of
        fits = [(one, found) for one, found in fits if one.name == "ESPnet"]
    if len(fits) > 1:
        kinds = " and ".join(f"{one.name} ({str(found[0])!r})" for one, found in fits)
        raise InputError(f"{str(data)!r} holds {kinds}: name the folder of one of them.")
    if fits:
        return fits[0]
    if found := sheet.find(tables):
        return sheet, found
    known = "; ".join(f"{one.name}: {one.looks_for}" for one in LAYOUTS)
    raise InputError(
        f"{str(data)!r} has no metadata.csv: write one with file_name and transcription. "
        f"No other layout was found either ({known}; {SPREADSHEET})."
    )


def layout_rows(
    data: str | os.PathLike,
    columns: Mapping[str, str] | None = None,
    audio_root: str | os.PathLike | None = None,
    missing_files: bool = False,
    outside_files: bool = False,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a corpus, each with its split.

    Args:
        data: the folder, or one of its tables.
        columns: which of a spreadsheet's columns holds what, `{"sentence": "transcription"}`.
        audio_root: a folder that sounds may lie in as well.
        missing_files: give rows whose file is missing, too.
        outside_files: give rows whose sound lies outside the folder, too: with None as `audio`. Each row then has the
            column LEADS_OUT.

    Raises:
        InputError: there is no layout that fits or no row, a table cannot be understood or lies outside the folder, or
            a sound is missing or lies outside.
    """
    data = Path(data)
    spreadsheet.check_columns(columns or {})
    layout, tables = find_layout(data, columns or {})
    home = data.parent if data.is_file() else data
    roots = [home, *([Path(audio_root)] if audio_root else [])]
    for table in tables:
        if leads_out(table, home):
            raise InputError(f"{str(table)!r} leads out of {str(home)!r}: bring the file into the folder.")
    empty = True
    for one in layout.read(tables, home):
        empty = False
        path = locate(one.path, (*one.folders, *roots[1:]), roots)
        if path is None and not outside_files:
            raise InputError(
                f"{one.where}: {one.path!r} leads out of {str(home)!r}: bring the file into the folder, or name the "
                "folder that holds the sounds with --audio-root."
            )
        if path is not None and not missing_files and not os.path.isfile(file_of(path)):
            raise InputError(f"{one.where}: there is no file {str(path)!r}.")
        row: dict[str, Any] = {
            "audio": None if path is None else part_of(path.absolute(), one.start, one.end),
            "transcription": one.text, "speaker": one.speaker, "id": one.id,
        }  # fmt: skip
        if outside_files:
            row[LEADS_OUT] = one.path if path is None else ""
        yield one.split, row
    if empty:
        raise InputError(f"{str(tables[0])!r} has no rows: it is read as {layout.name}, with a row for each sound.")
