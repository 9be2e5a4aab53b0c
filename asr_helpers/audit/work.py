"""Looks at rows, a chunk at a time, in this process or in several."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm

from .. import AsrError
from ..layouts.paths import LEADS_OUT
from .clip import examine_clip
from .reasons import Model, Row
from .text import examine_text

CHUNK = 64  # rows handed to a process at a time: some hundreds of ms of work
FEWEST_ROWS = 4_096  # some 5 hours, 10 s of work: below, starting processes takes longer than they save
PROGRESS = 1.0  # s between two updates of the progress line; an audit shorter than that prints none


def places_of(splits: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Where each chunk begins: its split, and its first row's number."""
    return [(name, start) for name, part in splits.items() for start in range(0, len(part), CHUNK)]


def examine_share(
    splits: Mapping[str, Any], places: list[tuple[str, int]], model: Model, processes: int
) -> Iterator[list[Row]]:
    """Looks at the chunks that begin at these rows of these splits."""
    total = sum(min(CHUNK, len(splits[name]) - start) for name, start in places)
    chunks = ((name, rows_of(splits[name], start)) for name, start in places)
    line = tqdm(
        desc="audit", total=total, delay=PROGRESS, mininterval=PROGRESS,
        bar_format="{desc}: {n} of {total} rows{postfix}",
    )  # fmt: skip
    started, seconds = time.perf_counter(), 0.0
    with line:
        for _, done in _work(chunks, model, processes if total >= FEWEST_ROWS else 1):
            yield done
            seconds += sum(row.seconds for row in done)
            line.set_postfix_str(f"{seconds / (time.perf_counter() - started):.0f} × real time", refresh=False)
            line.update(len(done))


def _examine(rows: list[tuple[Any, Any, str, bool]], model: Model) -> list[Row]:
    """Looks at rows given as `rows_of` gives them."""
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


def rows_of(rows: Any, start: int) -> list[tuple[Any, Any, str, bool]]:
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
