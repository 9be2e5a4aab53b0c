"""01  The audit: every row that would harm training, named before training, with what is done about it.

Conventions: a row is its number in its split, counted from 0. An error is a row that cannot teach what it says, and
it is set aside; a warning is one that trains, as it is ("keep") or after a repair that changes only how it is written
down. Levels are in dB relative to full scale (dBFS), lengths in seconds, totals in hours. A clip's header is read
first; its samples are decoded once, and not at all where the header says enough.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import InputError, audio
from ..preprocessing import vocabulary
from .clip import examine_clip
from .comparison import compare, compare_splits, speakers_of
from .reasons import MENDED, NORMALISED_AWAY, REASONS, Action, Model, Row, Severity
from .rows import Rows, only
from .shares import fingerprint, read_share, share_file, write_share
from .text import repair_text
from .work import examine_share, places_of, rows_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import ProcessorMixin


@dataclass(frozen=True)
class Finding:
    """What is wrong with a row.

    Attributes:
        row: its number in its split, from 0.
        file: its sound's path; "" where it has none.
        reason: one of REASONS.
        severity: "error" or "warning".
        action: what training does with the row: "keep", "repair" or "set aside".
        message: a sentence, with nothing in it that a terminal would obey.
    """

    row: int
    file: str
    reason: str
    severity: Severity
    action: Action
    message: str


@dataclass(frozen=True)
class Audit:
    """What an audit found in a split.

    Attributes:
        findings: by row.
        seconds: each row's length; 0 where it cannot be known.
        characters: each character of the transcripts that the vocabulary cannot write, and in how many rows it stands.
        digests: each row's samples in short, so that the same sound is known again; "" where there is none.
    """

    findings: list[Finding]
    seconds: list[float] = field(repr=False)
    characters: Counter = field(repr=False, default_factory=Counter)
    digests: list[str] = field(repr=False, default_factory=list)

    @property
    def actions(self) -> list[Action]:
        """What is done with each row."""
        actions: list[Action] = ["keep"] * len(self.seconds)
        rank = ("keep", "repair", "set aside")
        for finding in self.findings:
            actions[finding.row] = max(actions[finding.row], finding.action, key=rank.index)
        return actions

    @property
    def totals(self) -> dict[str, dict[str, float]]:
        """For each action its `rows` and `hours`; every row is in one."""
        totals = {action: {"rows": 0, "hours": 0.0} for action in ("keep", "repair", "set aside")}
        for action, seconds in zip(self.actions, self.seconds, strict=True):
            totals[action]["rows"] += 1
            totals[action]["hours"] += seconds / 3_600
        return totals


def audit(
    rows: "Dataset | Sequence[Mapping[str, Any]]",
    processor: "ProcessorMixin | None" = None,
    processes: int = 1,
) -> Audit:
    """Looks at every row once.

    Args:
        rows: from `loading`, or dicts with `audio` (undecoded) and `transcription`.
        processor: what the rows are to train; its vocabulary and its rate are what they are held against. None leaves
            out what only a vocabulary can tell, and takes 16 kHz.
        processes: how many work at it, where the rows are many. In a script of one's own, more than one wants the
            call under `if __name__ == "__main__":`, as Python's multiprocessing does.

    Returns:
        Its findings, by row; a row that cannot be read is one of them.

    >>> [one.reason for one in audit([{"audio": {"bytes": b"", "path": "a.wav"}, "transcription": "Hello"}]).findings]
    ['empty-file']
    """
    return next(iter(audit_splits({"": rows}, processor, processes).values()))


def audit_clip(clip: audio.Audio, sampling_rate: int = 16_000) -> dict[str, str]:
    """Looks at one clip that has no transcript: what is wrong with its file and its sound.

    Args:
        clip: a dataset row's undecoded audio, a path, or a file's bytes.
        sampling_rate: the rate of the model that is to hear it, Hz.

    Returns:
        For each reason its message; nothing for a clip without fault.

    >>> audit_clip(b"")
    {'empty-file': 'The file has 0 bytes: copy or download it again.'}
    """
    path = clip.get("path") if isinstance(clip, dict) else None if isinstance(clip, bytes) else clip
    row = Row(str(path or ""))
    examine_clip(row, clip, Model(sampling_rate))
    return row.problems


def audit_splits(
    splits: "Mapping[str, Dataset | Sequence[Mapping[str, Any]]]",
    processor: "ProcessorMixin | None" = None,
    processes: int = 1,
    *,
    folder: str | os.PathLike | None = None,
    rank: int = 0,
    world_size: int = 1,
) -> dict[str, Audit]:
    """Looks at several splits, and at what they share: the same clip, or a speaker, on both sides of a measurement.

    A clip in two splits is set aside where it would teach, so that what it measures stays. A speaker is looked for in
    the test rows and any other; that validation knows its speakers is usual.

    Args:
        splits: by name, "train", "validation", "test".
        processor, processes: as in `audit`.
        folder: keeps what was found. The same rows, audited for the same model by as many ranks, are not decoded
            again. It must be one that all ranks see; it holds transcripts.
        rank, world_size: which of how many ranks this is, where several do the same. Each looks at its share, waits
            for the others' in `folder`, and returns what all found.

    Raises:
        InputError: there are several ranks and no folder.
    """
    if world_size > 1 and folder is None:
        raise InputError(f"{world_size} ranks share an audit by files: name a folder that all of them see.")
    extractor: Any = getattr(processor, "feature_extractor", None)
    model = Model() if processor is None else Model(extractor.sampling_rate, vocabulary(processor))
    normalises = processor is None or getattr(extractor, "do_normalize", False)
    places = places_of(splits)
    if folder is None:
        shares = [examine_share(splits, places, model, processes)]
    else:
        every = (row for name, start in places for row in rows_of(splits[name], start))
        name = fingerprint(every, model)
        files = [share_file(Path(folder), name, number, world_size) for number in range(world_size)]
        if not files[rank].is_file():
            write_share(files[rank], examine_share(splits, places[rank::world_size], model, processes))
        shares = [read_share(file) for file in files]
    examined = {name: Rows(len(part)) for name, part in splits.items()}
    chunks = filter(None, chain.from_iterable(zip_longest(*shares)))  # dealt to the ranks in turn
    for (name, _), chunk in zip(places, chunks, strict=True):
        examined[name].extend(chunk)
    for part in examined.values():
        compare(part)
    compare_splits(examined, speakers_of(splits))
    return {name: _audit(part, normalises) for name, part in examined.items()}


def _audit(rows: Rows, normalises: bool) -> Audit:
    findings = []
    for number, problems in sorted(rows.problems.items()):
        file = rows.file(number)
        for reason, message in problems.items():
            action = REASONS[reason]
            severity: Severity = "error" if action == "set aside" else "warning"
            if reason in NORMALISED_AWAY and not normalises:
                action = "keep"
            findings.append(Finding(number, file, reason, severity, action, message))
    return Audit(
        findings,
        seconds=rows.facts["seconds"].tolist(),
        characters=rows.characters,
        digests=[digest.decode() for digest in rows.facts["digest"].tolist()],
    )


def apply(rows: "Dataset | list[dict]", audit: Audit) -> tuple["Dataset | list[dict]", list[dict[str, Any]]]:
    """Does what an audit says: sets rows aside, and mends the transcripts of others. What is repaired in the sound
    is repaired whenever a row is decoded.

    Args:
        rows: the split that was audited.
        audit: its audit.

    Returns:
        The rows that stay, and for each row set aside a dict with `row`, `file`, `transcription` and its `findings`.

    >>> rows = [{"audio": {"bytes": b"", "path": "a.wav"}, "transcription": "Hello"}]
    >>> kept, aside = apply(rows, audit(rows))
    >>> len(kept), aside[0]["file"]
    (0, 'a.wav')
    """
    if len(rows) != len(audit.seconds):
        raise InputError(f"The audit is of {len(audit.seconds)} rows and there are {len(rows)}: audit these rows.")
    gone: dict[int, list[Finding]] = defaultdict(list)
    for finding in audit.findings:
        if finding.action == "set aside":
            gone[finding.row].append(finding)
    texts = [row["transcription"] for row in only(rows, "transcription")]
    aside = [
        {
            "row": number, "file": found[0].file, "transcription": texts[number],
            "findings": [{"reason": finding.reason, "message": finding.message} for finding in found],
        }
        for number, found in sorted(gone.items())
    ]  # fmt: skip
    stay = [number for number in range(len(rows)) if number not in gone]
    mended = {
        finding.row: repair_text(texts[finding.row])
        for finding in audit.findings
        if finding.reason in MENDED and finding.row not in gone
    }
    if isinstance(rows, list):
        said = [mended.get(number, texts[number]) for number in stay]
        return [{**rows[number], "transcription": text} for number, text in zip(stay, said, strict=True)], aside
    if mended:
        return _with_texts(rows, mended).select(stay), aside
    return rows.select(stay) if gone else rows, aside


def _with_texts(rows: "Dataset", texts: dict[int, str]) -> "Dataset":
    """Rows of which some have another transcript. The sound of these alone is written to the cache."""
    from datasets import concatenate_datasets

    numbers = list(texts)
    changed = rows.select(numbers).map(
        lambda row, place: {"transcription": texts[numbers[place]]}, with_indices=True, features=rows.features
    )
    order = list(range(len(rows)))
    for place, number in enumerate(numbers):
        order[number] = len(rows) + place
    return concatenate_datasets([rows, changed]).select(order)
