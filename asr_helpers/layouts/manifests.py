"""NeMo's and lhotse's manifests: lines of JSON.

NeMo (https://docs.nvidia.com/nemo-framework/user-guide/latest/nemotoolkit/asr/datasets.html): a line holds
`audio_filepath`, `duration`, `text` and, where a part of the file is meant, `offset`; it may hold `speaker`.

lhotse (https://lhotse.readthedocs.io/en/latest/corpus.html): recordings and supervisions in two files, or cuts, which
hold both, in one; each may be compressed. A recording may be a command or an address, which are refused.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import InputError
from .tables import Utterance, at_line, first_line, read_lines, seconds, split_below

LINES = (".jsonl", ".jsonl.gz")


def _objects(table: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in read_lines(table):
        if not line.strip():
            continue
        where = at_line(table, number)
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{where} is no JSON: a manifest has an object in each line.") from None
        if not isinstance(found, dict):
            raise InputError(f"{where} is no JSON object: a manifest has an object in each line.")
        yield where, found


def _field(found: Any, key: str, where: str) -> Any:
    if not isinstance(found, dict) or found.get(key) is None:
        raise InputError(f"{where} has no {key!r}: write it.")
    return found[key]


def find_nemo(tables: Sequence[Path]) -> list[Path]:
    """The files whose first line has an `audio_filepath`."""
    return [
        table
        for table in tables
        if table.name.lower().endswith((".json", ".jsonl")) and '"audio_filepath"' in first_line(table)
    ]


def read_nemo(tables: Sequence[Path], data: Path) -> Iterator[Utterance]:
    """The rows of NeMo's manifests.

    Raises:
        InputError: a line is no JSON, lacks `audio_filepath` or `text`, or has a time that is none.
    """
    for table in tables:
        split = split_below(table, data)
        for where, line in _objects(table):
            start = end = None
            if line.get("offset") is not None:
                start = seconds(line["offset"], where)
                end = start + seconds(_field(line, "duration", where), where)
            path = str(_field(line, "audio_filepath", where))
            speaker = "" if line.get("speaker") is None else str(line["speaker"])
            text = str(_field(line, "text", where))
            yield Utterance(where, path, text, (table.parent, data), split, speaker, path, start, end)


def find_lhotse(tables: Sequence[Path]) -> list[Path]:
    """The supervisions, each beside its recordings; where there are none, the cuts."""
    known = set(tables)
    if len(known) == 1:
        known |= set(tables[0].parent.iterdir())  # the other one of a pair of which one is named
    manifests = [table for table in sorted(known) if table.name.lower().endswith(LINES)]
    pairs = [table for table in manifests if "supervisions" in table.name and _recordings(table) in known]
    return pairs or [table for table in manifests if "cuts" in table.name]


def _recordings(supervisions: Path) -> Path:
    return supervisions.with_name(supervisions.name.replace("supervisions", "recordings"))


def read_lhotse(tables: Sequence[Path], data: Path) -> Iterator[Utterance]:
    """The supervisions of lhotse's manifests.

    Raises:
        InputError: a line is no JSON or lacks something, a name comes twice, or a sound is no file: a command, an
            address, several files, something changed or mixed.
    """
    for table in tables:
        split = split_below(table, data)
        folders = (table.parent, data)
        seen: dict[str, str] = {}
        for where, supervision, recording, start in _supervised(table):
            name = str(_field(supervision, "id", where))
            if name in seen:
                raise InputError(f"{where}: the supervision {name} stands in {seen[name]} already: take one out.")
            seen[name] = where
            path, channels = _source(recording, where)
            if channels > 1 and not isinstance(supervision.get("channel"), list):
                raise InputError(
                    f"{where}: the supervision {name} is of one of {channels} channels, which are mixed when a "
                    "sound is read: write each channel as a file of its own."
                )
            start += seconds(supervision.get("start", 0), where)
            end = start + seconds(_field(supervision, "duration", where), where)
            speaker = str(supervision.get("speaker") or "")
            text = str(supervision.get("text") or "")
            yield Utterance(where, path, text, folders, split, speaker, name, start, end)


def _supervised(table: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], float]]:
    """Each supervision with where it stands, its recording, and what its start is counted from."""
    if "supervisions" in table.name:
        recordings: dict[str, dict[str, Any]] = {}
        for where, recording in _objects(_recordings(table)):
            name = str(_field(recording, "id", where))
            if name in recordings:
                raise InputError(f"{where}: the recording {name} comes twice: take one of them out.")
            recordings[name] = recording
        for where, supervision in _objects(table):
            name = str(_field(supervision, "recording_id", where))
            if name not in recordings:
                raise InputError(f"{where}: there is no recording {name!r} in {str(_recordings(table))!r}: add it.")
            yield where, supervision, recordings[name], 0.0
        return
    for where, cut in _objects(table):
        if cut.get("type") not in ("MonoCut", "MultiCut"):
            raise InputError(f"{where}: a cut of type {cut.get('type')!r} is mixed or padded: bring the plain cuts.")
        start = seconds(cut.get("start", 0), where)
        for supervision in cut.get("supervisions") or []:
            if not isinstance(supervision, dict):
                raise InputError(f"{where}: a supervision is no JSON object: write the cuts again.")
            yield where, supervision, _field(cut, "recording", where), start


def _source(recording: dict[str, Any], where: str) -> tuple[str, int]:
    """A recording's file, and how many channels it has."""
    if recording.get("transforms"):
        raise InputError(f"{where}: its recording is changed when it is read ('transforms'): bring the plain manifest.")
    sources = _field(recording, "sources", where)
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise InputError(f"{where}: its recording has several sources: bring one file for each recording.")
    kind, path = sources[0].get("type"), str(_field(sources[0], "source", where))
    if kind != "file":
        raise InputError(
            f"{where}: its sound is a {kind} ({path[:60]!r}), and nothing that comes as data is run or fetched: save "
            "the sound as a file and put its path here."
        )
    channels = sources[0].get("channels")
    return path, len(channels) if isinstance(channels, list) else 1
