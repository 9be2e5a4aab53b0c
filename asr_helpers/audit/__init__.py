"""01  The audit: every row that would harm training, named before training, with what is done about it.

Conventions: a row is its number in its split, counted from 0. An error is a row that cannot teach what it says, and
it is set aside; a warning is one that trains, as it is ("keep") or after a repair that changes only how it is written
down. Levels are in dB relative to full scale (dBFS), lengths in seconds, totals in hours. A clip's header is read
first; its samples are decoded once, and not at all where the header says enough.
"""

import os
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import AsrError, audio
from ..loading import LEADS_OUT, voice_of
from ..preprocessing import vocabulary
from .clip import examine_clip
from .reasons import MENDED, NORMALISED_AWAY, REASONS, Action, Model, Row, Severity
from .shares import fingerprint, read_share, share_file, write_share
from .text import examine_text, repair_text

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import ProcessorMixin

# A clip is a wrong transcript's when it is spoken this many times faster or slower than the corpus's median, and
# this many times its usual spread; a median of fewer clips says nothing.
FASTER, SPREADS, FEWEST_CLIPS = 3.0, 5.0, 20

CHUNK = 64  # rows handed to a process at a time: some hundreds of ms of work
FEWEST_ROWS = 4_096  # some 5 hours, 10 s of work: below, starting processes takes longer than they save
PROGRESS = 1.0  # s between two updates of the progress line; an audit shorter than that prints none

SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id", "voice")


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
        for one in self.findings:
            actions[one.row] = max(actions[one.row], one.action, key=rank.index)
        return actions

    @property
    def totals(self) -> dict[str, dict[str, float]]:
        """For each action its `rows` and `hours`; every row is in one."""
        totals = {action: {"rows": 0, "hours": 0.0} for action in ("keep", "repair", "set aside")}
        for action, seconds in zip(self.actions, self.seconds, strict=True):
            totals[action]["rows"] += 1
            totals[action]["hours"] += seconds / 3_600
        return totals


# A row among the others


def _set(row: Row, reason: str, message: str) -> None:
    row.problems.setdefault(reason, message)


def _compare(rows: list[Row]) -> None:
    """Finds what only the whole split shows."""
    rates = Counter(row.sampling_rate for row in rows if row.sampling_rate)
    usual = max(rates, key=rates.__getitem__, default=0)
    clips: dict[str, list[int]] = defaultdict(list)
    texts: dict[str, int] = {}
    for number, row in enumerate(rows):
        if row.lost:
            continue
        if row.sampling_rate not in (0, usual):
            _set(
                row, "mixed-sampling-rates",
                f"It has {row.sampling_rate} Hz, most of the {len(rows)} clips have {usual}: check that the header "
                "is true.",
            )  # fmt: skip
        if row.digest:
            clips[row.digest].append(number)
        first = texts.setdefault(row.words, number)
        if first != number and rows[first].digest != row.digest:
            _set(row, "duplicate-text", f"Row {first} has the same transcript.")
    for same in clips.values():
        for number in same[1:]:
            _set(rows[number], "duplicate-audio", f"Row {same[0]} is the same sound.")
        said = [rows[number].words for number in same]
        other = next((number for number, words in zip(same, said, strict=True) if words != said[0]), None)
        if other is None:
            continue
        for number, words in zip(same, said, strict=True):
            _set(
                rows[number], "conflicting-transcripts",
                f"Row {other if words == said[0] else same[0]} is the same sound with another transcript: one of the "
                "two is wrong.",
            )  # fmt: skip
    _compare_speech_rates(rows)
    unspaced = [row for row in rows if row.unspaced]
    if len(unspaced) > len(rows) / 2:
        _set(
            unspaced[0], "no-word-spaces",
            f"{len(unspaced)} of {len(rows)} transcripts are in a script without spaces between words: WER counts "
            "each as one word, so judge by CER.",
        )  # fmt: skip


def _compare_speech_rates(rows: list[Row]) -> None:
    timed = [row for row in rows if row.seconds and row.text and not row.lost]
    if len(timed) < FEWEST_CLIPS:
        return
    rates = np.array([len(row.text) / row.seconds for row in timed])
    logarithms = np.log(rates)
    away = np.abs(logarithms - np.median(logarithms))
    limit = max(np.log(FASTER), SPREADS * 1.4826 * np.median(away))  # 1.4826: a normal distribution's spread
    for place in np.flatnonzero(away > limit):
        _set(
            timed[place], "speech-rate",
            f"{rates[place]:.1f} characters a second, where {np.median(rates):.1f} is usual here: its transcript may "
            "be another clip's.",
        )  # fmt: skip


# The audit


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
        AsrError: there are several ranks and no folder.
    """
    if world_size > 1 and folder is None:
        raise AsrError(f"{world_size} ranks share an audit by files: name a folder that all of them see.")
    extractor: Any = getattr(processor, "feature_extractor", None)
    model = Model() if processor is None else Model(extractor.sampling_rate, vocabulary(processor))
    normalises = processor is None or getattr(extractor, "do_normalize", False)
    places = [(name, start) for name, part in splits.items() for start in range(0, len(part), CHUNK)]
    if folder is None:
        shares = [_examine_share(splits, places, model, processes)]
    else:
        every = (row for name, start in places for row in _chunk(splits[name], start))
        name = fingerprint(every, model)
        files = [share_file(Path(folder), name, one, world_size) for one in range(world_size)]
        if not files[rank].is_file():
            write_share(files[rank], _examine_share(splits, places[rank::world_size], model, processes))
        shares = [read_share(file) for file in files]
    examined: dict[str, list[Row]] = {name: [] for name in splits}
    for number, (name, _) in enumerate(places):
        examined[name] += shares[number % world_size][number // world_size]
    for part in examined.values():
        _compare(part)
    _compare_splits(examined, _speakers(splits))
    return {name: _audit(part, normalises) for name, part in examined.items()}


def _examine_share(
    splits: Mapping[str, Any], places: list[tuple[str, int]], model: Model, processes: int
) -> list[list[Row]]:
    """Looks at the chunks that begin at these rows of these splits."""
    total = sum(min(CHUNK, len(splits[name]) - start) for name, start in places)
    chunks = ((name, _chunk(splits[name], start)) for name, start in places)
    progress = _Progress(total)
    share = []
    for _, done in _work(chunks, model, processes if total >= FEWEST_ROWS else 1):
        share.append(done)
        progress.add(done)
    progress.end()
    return share


def _audit(rows: list[Row], normalises: bool) -> Audit:
    findings = []
    for number, row in enumerate(rows):
        for reason, message in row.problems.items():
            action = REASONS[reason]
            severity: Severity = "error" if action == "set aside" else "warning"
            if reason in NORMALISED_AWAY and not normalises:
                action = "keep"
            findings.append(Finding(number, row.file, reason, severity, action, message))
    return Audit(
        findings,
        seconds=[row.seconds for row in rows],
        characters=Counter(one for row in rows for one in row.outside),
        digests=[row.digest for row in rows],
    )


def _examine(rows: list[tuple[Any, Any, str, bool]], model: Model) -> list[Row]:
    """Looks at rows given as `_chunk` gives them."""
    examined = []
    for clip, text, file, outside in rows:
        row = Row(file)
        examine_text(row, text, model)
        if outside:
            row.problems["outside-folder"] = "Its file_name leads out of the folder: bring the file into the folder."
        else:
            examine_clip(row, clip, model)
        examined.append(row)
    return examined


def _chunk(rows: Any, start: int) -> list[tuple[Any, Any, str, bool]]:
    """CHUNK rows from a place on, as (audio, transcription, file, whether it leads out of its folder)."""
    part = rows[start : start + CHUNK]
    if not isinstance(rows, Sequence):  # a dataset's slice is a dict of columns
        part = [dict(zip(part, values, strict=True)) for values in zip(*part.values(), strict=True)]
    return [(row.get("audio"), row.get("transcription"), _file(row), bool(row.get(LEADS_OUT))) for row in part]


def _file(row: Mapping[str, Any]) -> str:
    clip = row.get("audio")
    path = clip.get("path") if isinstance(clip, dict) else clip if isinstance(clip, (str, os.PathLike)) else None
    return str(row.get(LEADS_OUT) or path or row.get("path") or "")


def _work(chunks: Iterable[tuple[str, list]], model: Model, processes: int) -> Iterator[tuple[str, list[Row]]]:
    """Examines chunks in their order, no more of them at once than keeps the processes busy."""
    if processes < 2:
        for name, chunk in chunks:
            yield name, _examine(chunk, model)
        return
    waiting: deque = deque()

    def first() -> tuple[str, list[Row]]:
        name, examined = waiting.popleft()
        try:
            return name, examined.result()
        except BrokenProcessPool:
            raise AsrError(
                f"A process that looked at rows{f' of {name}' if name else ''} was ended from outside, or by a file "
                "that breaks the decoder: look at half of the rows at a time to find it."
            ) from None

    # spawn: this process may hold threads and locks of other libraries that a copy of it could not use.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for name, chunk in chunks:
            waiting.append((name, pool.submit(_examine, chunk, model)))
            if len(waiting) > 2 * processes:
                yield first()
        while waiting:
            yield first()


class _Progress:
    """A line on stderr that is written over, in a terminal as in a notebook."""

    def __init__(self, total: int):
        self.total, self.done, self.seconds = total, 0, 0.0
        self.started = self.shown = time.perf_counter()

    def add(self, rows: list[Row]) -> None:
        self.done += len(rows)
        self.seconds += sum(row.seconds for row in rows)
        now = time.perf_counter()
        if now - self.shown > PROGRESS and (self.done < self.total or self.shown != self.started):
            self.shown = now
            times = self.seconds / (now - self.started)
            print(f"\raudit: {self.done} of {self.total} rows, {times:.0f} × real time ", end="", file=sys.stderr)
            sys.stderr.flush()

    def end(self) -> None:
        if self.shown != self.started:
            print(file=sys.stderr)


def _speakers(splits: Mapping[str, Any]) -> dict[str, list[str]]:
    """Who speaks in each split's rows: a column's word, or the demo paths'; "" where that is not known."""
    speakers, voices = {}, {}
    for name, rows in splits.items():
        columns = rows.column_names if hasattr(rows, "column_names") else (rows[0].keys() if len(rows) else ())
        column = next((one for one in SPEAKER_COLUMNS if one in columns), None)
        speakers[name] = [str(row.get(column) or "") for row in _only(rows, column)] if column else [""] * len(rows)
        if "path" in columns:
            voices[name] = [voice_of(row.get("path") or "") or "" for row in _only(rows, "path")]
    # Many corpora's names begin alike, as in clip_0001.wav: that is no voice.
    if len({one for part in voices.values() for one in part} - {""}) > 1 and not any(map(any, speakers.values())):
        speakers |= voices
    return speakers


def _only(rows: Any, column: str) -> Any:
    return rows.select_columns([column]) if hasattr(rows, "select_columns") else rows


def _compare_splits(splits: dict[str, list[Row]], speakers: dict[str, list[str]]) -> None:
    order = [name for name in ("test", "validation", "train") if name in splits]
    seen: dict[str, tuple[str, int]] = {}
    for name in [*order, *(name for name in splits if name not in order)]:
        for number, row in enumerate(splits[name]):
            where = seen.get(row.digest, (name, number))
            if row.digest and not row.lost:  # what is set aside measures nothing
                seen.setdefault(row.digest, where)
            if where[0] != name:
                _set(
                    row, "clip-in-two-splits",
                    f"It is row {where[1]} of {where[0]} too, where it is to measure: it must not teach.",
                )  # fmt: skip
    first = {speaker: number for number, speaker in reversed(list(enumerate(speakers.get("test", []))))}
    for name in splits:
        if name == "test" or "test" not in splits:
            continue
        known = set(speakers[name]) - {""}
        counts = Counter(one for one in speakers["test"] if one in known)
        for speaker, count in counts.items():
            _set(
                splits["test"][first[speaker]], "speaker-in-two-splits",
                f"The speaker {speaker!r} of {count} test rows also speaks in {name}: the measure will flatter.",
            )  # fmt: skip


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
        raise AsrError(f"The audit is of {len(audit.seconds)} rows and there are {len(rows)}: audit these rows.")
    gone: dict[int, list[Finding]] = defaultdict(list)
    for one in audit.findings:
        if one.action == "set aside":
            gone[one.row].append(one)
    texts = [row["transcription"] for row in _only(rows, "transcription")]
    aside = [
        {
            "row": number, "file": found[0].file, "transcription": texts[number],
            "findings": [{"reason": one.reason, "message": one.message} for one in found],
        }
        for number, found in sorted(gone.items())
    ]  # fmt: skip
    stay = [number for number in range(len(rows)) if number not in gone]
    mended = {
        one.row: repair_text(texts[one.row]) for one in audit.findings if one.reason in MENDED and one.row not in gone
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
