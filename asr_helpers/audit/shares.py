"""The audit shared out: each rank keeps what it found of its rows in a file, and reads the other ranks' files.

Conventions: a share is chunks in their order, a chunk a list of `Row`. A file has a line of JSON for each chunk; its
name says which rows were looked at and for which model, so that the same audit, as of a training that is resumed,
decodes nothing again.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import __version__
from ..fragments import file_of
from .reasons import Model, Row

WAIT = 0.1  # s between two looks for another rank's file


def fingerprint(rows: Iterable[tuple[Any, Any, str, bool]], model: Model) -> str:
    """What an audit is of, in short: the rows, given as (audio, transcription, file, outside), and the model.

    Nothing is decoded: of a file its path, its size and when it was changed are taken.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((__version__, model.sampling_rate, sorted(model.characters or "-"))).encode())
    for clip, text, file, outside in rows:
        content = clip.get("bytes") if isinstance(clip, dict) else clip
        state: tuple[int, ...] = ()
        if isinstance(content, (bytes, bytearray, memoryview)):
            state = (len(content),)
            digest.update(content)
        elif not outside:
            try:
                facts = os.stat(file_of(file))
                state = (facts.st_size, facts.st_mtime_ns)
            except (OSError, ValueError):  # it is missing, or no name of a file
                pass
        digest.update(ascii((text, file, outside, state)).encode())
    return digest.hexdigest()


def share_file(folder: Path, name: str, rank: int, world_size: int) -> Path:
    """Where a rank keeps its share of the audit that has this fingerprint."""
    return folder / f"{name}-{rank}-of-{world_size}.jsonl"


def write_share(file: Path, share: Iterable[list[Row]]) -> None:
    """Writes a rank's share, whole or not at all, in place of the one it wrote of other rows."""
    rank = file.name.partition("-")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{rank}.partial")  # the same for all rows: what is stopped leaves one file at most
    with open(partial, "w") as lines:
        for chunk in share:
            print(json.dumps([asdict(row) | {"outside": sorted(row.outside)} for row in chunk]), file=lines)
    for old in file.parent.glob(f"*-{rank}"):
        old.unlink()
    os.replace(partial, file)


def read_share(file: Path) -> Iterator[list[Row]]:
    """Reads a rank's share, a chunk at a time; waits for it where it is not there yet."""
    while not file.is_file():
        time.sleep(WAIT)
    with open(file) as lines:
        for line in lines:
            yield [Row(**row | {"outside": frozenset(row["outside"])}) for row in json.loads(line)]
