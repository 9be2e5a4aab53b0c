"""Kaldi's data directories, and ESPnet's in a recipe's dump/raw: text, wav.scp and, where they are, segments, utt2spk.

A line of each is a name and what belongs to it (https://kaldi-asr.org/doc/data_prep.html):

    text      UTTERANCE WORDS
    wav.scp   RECORDING FILE          (UTTERANCE FILE without segments)
    segments  UTTERANCE RECORDING START END
    utt2spk   UTTERANCE SPEAKER

wav.scp may hold commands, which Kaldi runs. Nothing that comes as data is run here: such a line is refused.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import InputError
from .tables import Utterance, at_line, read_lines, seconds, split_below


def find_espnet(tables: Sequence[Path]) -> list[Path]:
    """The wav.scp files below a folder dump/raw.

    ESPnet writes a set twice, in dump/raw/org as it came and in dump/raw without what is too short or too long: of a
    set that is in both, the second one is taken.
    """
    found = {table.parent: table for table in _directories(tables) if _dump(table)}
    return [
        table
        for folder, table in found.items()
        if folder.parent.name != "org" or folder.parent.parent / folder.name not in found
    ]


def find_kaldi(tables: Sequence[Path]) -> list[Path]:
    """The wav.scp files that stand beside a text."""
    return [table for table in _directories(tables) if not _dump(table)]


def _directories(tables: Sequence[Path]) -> list[Path]:
    """The wav.scp files; for a folder's `text` or `segments` alone, named by hand, the one beside it."""
    known = set(tables)
    if len(known) == 1:
        known |= set(tables[0].parent.iterdir())
    return sorted(table for table in known if table.name == "wav.scp" and table.with_name("text") in known)


def _dump(table: Path) -> Path | None:
    """The recipe's folder, which holds dump/raw; None where the table is in none."""
    parts = table.absolute().parts
    places = [at for at in range(len(parts) - 1) if parts[at : at + 2] == ("dump", "raw")]
    return Path(*parts[: places[-1]]) if places else None


def read(tables: Sequence[Path], data: Path) -> Iterator[Utterance]:
    """The utterances of data directories.

    Raises:
        InputError: a line cannot be understood or is a command, a name comes twice, or the files name different
            utterances.
    """
    for table in tables:
        home = table.parent
        sounds = {name: (_file(path, where), where) for name, path, where in _pairs(table)}
        texts = {name: (text, where) for name, text, where in _pairs(home / "text", bare=True)}
        speakers = {}
        if (home / "utt2spk").is_file():
            speakers = {name: speaker for name, speaker, _ in _pairs(home / "utt2spk")}
        parts: dict[str, tuple[str, float | None, float | None, str]]
        if (home / "segments").is_file():
            parts = {name: _segment(line, where) for name, line, where in _pairs(home / "segments")}
        else:
            parts = {name: (name, None, None, where) for name, (_, where) in sounds.items()}
        for name, (_, where) in texts.items():
            if name not in parts:
                raise InputError(f"{where}: {name[:60]} has a text and no sound: {_MEND}.")
        split = split_below(home.resolve(), data.resolve().parent)
        folders = tuple(filter(None, (_dump(table), home, data)))
        for name, (recording, start, end, where) in parts.items():
            if recording not in sounds:
                raise InputError(f"{where}: there is no recording {recording[:60]!r} in {str(table)!r}: {_MEND}.")
            if name not in texts:
                raise InputError(f"{where}: {name[:60]} has a sound and no text: {_MEND}.")
            if speakers and name not in speakers:
                raise InputError(f"{where}: {name[:60]} has no speaker in {str(home / 'utt2spk')!r}: {_MEND}.")
            path, said_at = sounds[recording]
            yield Utterance(
                said_at if start is None else where, path, texts[name][0], folders, split, speakers.get(name, ""),
                name, start, end,
            )  # fmt: skip


_MEND = "correct the files, or let utils/fix_data_dir.sh take it out"


def _pairs(table: Path, bare: bool = False) -> Iterator[tuple[str, str, str]]:
    """A file's lines as (name, what belongs to it, where); with `bare`, a name may stand alone."""
    seen: dict[str, int] = {}
    for number, line in read_lines(table):
        where = at_line(table, number)
        name, *rest = line.strip().split(maxsplit=1)[:2] or [""]
        if not name or not (rest or bare):
            raise InputError(f"{where}: {line[:40]!r} is not a name and what belongs to it: correct the line.")
        if name in seen:
            raise InputError(f"{where}: {name[:60]} stands in line {seen[name]} already: take one of them out.")
        seen[name] = number
        yield name, rest[0] if rest else "", where


def _file(path: str, where: str) -> str:
    if path.endswith("|") or path.startswith("|") or path == "-":
        raise InputError(
            f"{where}: {path[:60]!r} is a command, and nothing that comes as data is run: run it yourself, write its "
            "output to a WAV, and put that file's path here."
        )
    if re.search(r"\.ark(:\d+)?(\[.*\])?$", path):
        raise InputError(
            f"{where}: {path[:60]!r} is in a Kaldi archive, and none is opened: write its sounds as files (wav-copy)."
        )
    return path


def _segment(line: str, where: str) -> tuple[str, float, float | None, str]:
    fields = line.split()
    if len(fields) == 4:
        raise InputError(
            f"{where}: the segment is of channel {fields[3]}, and channels are mixed when a sound is read: write each "
            "channel as a file of its own."
        )
    if len(fields) != 3:
        raise InputError(f"{where}: {line[:40]!r} is not 'RECORDING START END': correct the line.")
    start = seconds(fields[1], where)
    end = None if fields[2] in ("-1", "-1.0") else seconds(fields[2], where)
    return fields[0], start, end, where
