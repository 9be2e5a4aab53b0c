"""Reads a folder as LibriSpeech publishes it: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside its FLAC files.

A line of a transcript file is `SPEAKER-CHAPTER-NUMBER THE WORDS`, and its sound is SPEAKER-CHAPTER-NUMBER.flac in
the same folder (https://www.openslr.org/12).
"""

import re
from pathlib import Path

from asr_helpers import InputError

TRANSCRIPTS = "*.trans.txt"
NAME = re.compile(r"(\w+)-\w+-\w+")  # no dot and no slash: a name leads nowhere else


def read_librispeech(folder: str | Path) -> list[dict[str, str]]:
    """Reads every utterance below a folder, such as LibriSpeech/test-other. Links that lead out are refused.

    Returns:
        Rows with `audio` (a path), `transcription` and `speaker`, in the order of the transcript files.

    Raises:
        InputError: a line cannot be understood, a transcript and a sound do not come in pairs, or a link leads out.
    """
    home, rows = Path(folder).resolve(), {}
    for table in sorted(Path(folder).rglob(TRANSCRIPTS)):
        try:
            lines = _inside(table, home).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise InputError(f"{str(table)!r} is not written in UTF-8: save it so.") from None
        for number, line in enumerate(lines, start=1):
            name, _, text = line.strip().partition(" ")
            where, match = f"{str(table)!r}, line {number}", NAME.fullmatch(name)
            if not match or not text:
                raise InputError(f"{where}: {line[:40]!r} is not 'SPEAKER-CHAPTER-NUMBER WORDS'.")
            sound = table.with_name(f"{name}.flac")
            if sound in rows:
                raise InputError(f"{where}: {name} has a transcript already: take one of them out.")
            if not _inside(sound, home).is_file():
                raise InputError(f"{where}: the transcript has no sound {str(sound)!r}.")
            rows[sound] = {"audio": str(sound), "transcription": text, "speaker": match[1]}
    for sound in sorted(Path(folder).rglob("*.flac")):
        if sound not in rows:
            raise InputError(f"{str(sound)!r} has no transcript: write its line in the {TRANSCRIPTS} beside it.")
    return list(rows.values())


def _inside(path: Path, home: Path) -> Path:
    try:
        inside = path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # links in a circle
        inside = False
    if not inside:
        raise InputError(f"{str(path)!r} leads out of {str(home)!r}: bring the file into the folder.")
    return path
