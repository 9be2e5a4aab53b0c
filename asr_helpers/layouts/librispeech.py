"""LibriSpeech's trees: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside its FLAC files.

A line of a transcript file is `SPEAKER-CHAPTER-NUMBER THE WORDS`, and its sound is SPEAKER-CHAPTER-NUMBER.flac in
the same folder (https://www.openslr.org/12). A folder above, such as dev-clean, names the split.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import InputError
from .paths import leads_out
from .tables import Utterance, at_line, read_lines, split_below, tables_in

TRANSCRIPTS = "*.trans.txt"
NAME = re.compile(r"(\w+)-\w+-\w+")  # no dot and no slash: a name leads nowhere else


def find(tables: Sequence[Path]) -> list[Path]:
    """The transcript files."""
    return [table for table in tables if table.name.endswith(TRANSCRIPTS[1:])]


def read(tables: Sequence[Path], data: Path) -> Iterator[Utterance]:
    """The utterances of transcript files.

    Raises:
        InputError: a line cannot be understood, a name comes twice, or a sound has no transcript.
    """
    known: dict[Path, set[str]] = {}
    for table in tables:
        names = known.setdefault(table.parent, set())
        for number, line in read_lines(table):
            name, _, text = line.strip().partition(" ")
            where, match = at_line(table, number), NAME.fullmatch(name)
            if not match or not text:
                raise InputError(f"{where}: {line[:40]!r} is not 'SPEAKER-CHAPTER-NUMBER WORDS'.")
            if name in names:
                raise InputError(f"{where}: {name} has a transcript already: take one of them out.")
            names.add(name)
            split = split_below(table.parent.resolve(), data.resolve().parent)
            yield Utterance(where, f"{name}.flac", text, (table.parent,), split, speaker=match[1], id=name)
    for sound in sorted(data.rglob("*.flac")):
        if sound.stem not in known.get(sound.parent, ()):
            raise InputError(f"{str(sound)!r} has no transcript: write its line in the {TRANSCRIPTS} beside it.")


def read_librispeech(folder: str | Path) -> list[dict[str, str]]:
    """Reads every utterance below a folder, such as LibriSpeech/test-other. Links that lead out are refused.

    Returns:
        Rows with `audio` (a path), `transcription` and `speaker`, in the order of the transcript files.

    Raises:
        InputError: a line cannot be understood, a transcript and a sound do not come in pairs, or a link leads out.
    """
    tables, rows = find(tables_in(Path(folder))), []
    for path in tables:
        _check_inside(path, folder)
    for one in read(tables, Path(folder)):
        sound = one.folders[0] / one.path
        _check_inside(sound, folder)
        if not sound.is_file():
            raise InputError(f"{one.where}: the transcript has no sound {str(sound)!r}.")
        rows.append({"audio": str(sound), "transcription": one.text, "speaker": one.speaker})
    return rows


def _check_inside(path: Path, folder: str | Path) -> None:
    if leads_out(path, str(folder)):
        raise InputError(f"{str(path)!r} leads out of {str(folder)!r}: bring the file into the folder.")
