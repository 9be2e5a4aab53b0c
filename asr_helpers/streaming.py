"""05  Rows from a stream: for a corpus that no disk or memory holds.

Conventions: a stream is a `datasets.IterableDataset` of rows with `audio`, undecoded, and `transcription`. One pass
over it is an epoch. It reads the stream's shards one after another, in an order of its own: parts of a metadata.csv,
row groups of Parquet files. BUFFER rows are in memory at a time: they are sorted by length, cut into batches and
mixed, then the next ones are read.
"""

import logging
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import AsrError, InputError, audio
from .compat import parquet_files
from .layouts.paths import LEADS_OUT, leads_out
from .loading import TablePart, folder_rows, table_parts
from .preprocessing import prepare_dataset
from .samplers import DurationBatchSampler, padded_lengths
from .sources import Source

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from transformers import ProcessorMixin

logger = logging.getLogger(__name__)

PART = 64  # lines of a metadata.csv that are read together: those in a buffer come from 16 places of it
BUFFER = 1_024  # rows; some 200 MB of FLAC bytes for clips of 10 s, or their paths where they are files
MANY = 64  # shards for each rank: where there are so many, each reads its own alone, though some have a little more
GROUPS = 4_096  # what a stream of more shards is read in: to choose one costs time that grows with their number


def stream_splits(source: Source) -> tuple["IterableDataset", "Dataset"]:
    """Train rows as a stream, and validation rows, which every evaluation reads again, in memory.

    Nothing is held out: a stream cannot be split before it has been read. A folder holds Parquet files with the
    columns `audio` and `transcription`, or sounds with a metadata.csv.

    Raises:
        InputError: there are no validation rows or no train rows of their own, or they cannot be read.
    """
    from datasets import Dataset, IterableDataset

    if source.locale:
        return _load_stream(source, "train"), Dataset.from_list(list(_load_stream(source, "validation")))
    if next(Path(source.dataset).rglob("*.parquet"), None):
        groups = {"groups": _parquet_groups(source, "train"), "folder": source.dataset}  # each group is a shard
        rows = list(_rows_of_parquet(_parquet_groups(source, "validation"), source.dataset))
        return IterableDataset.from_generator(_rows_of_parquet, gen_kwargs=groups), Dataset.from_list(rows)
    tables = sorted(Path(source.dataset).rglob("metadata.csv"))
    if not tables or source.columns:
        raise InputError(
            f"{source.dataset!r} has no metadata.csv and no Parquet files: a stream reads no other layout, so write "
            "them first, with `asr-helpers convert DATA --output-dir DIR --format parquet`."
        )
    validation = list(_rows_of([TablePart(table) for table in tables], source.dataset, "validation"))
    if not validation:
        raise _no_rows(source, "validation")
    parts = [part for table in tables for part in table_parts(table, PART) if _has_train(part, source.dataset)]
    if not parts:
        raise _no_rows(source, "train")
    shards = {"parts": parts, "folder": source.dataset, "split": "train"}  # each part is a shard
    return IterableDataset.from_generator(_rows_of, gen_kwargs=shards), Dataset.from_list(validation)


def _load_stream(source: Source, split: str) -> "IterableDataset":
    """A split from the hub, or of the demo."""
    from datasets import Audio, load_dataset

    try:
        # Without streaming, all splits would be written to the disk for one.
        rows = load_dataset(
            source.dataset, name=source.locale, revision=source.dataset_revision, split=split, streaming=True
        ).select_columns(["audio", "transcription"])
    except (ValueError, OSError) as error:
        raise _no_rows(source, split, f" ({str(error).splitlines()[0].rstrip('.')})") from error
    # Without this, touching a row needs torchcodec and FFmpeg.
    return rows.cast_column("audio", Audio(decode=False))


def _parquet_groups(source: Source, split: str) -> list[tuple[str, int]]:
    """Every row group of a split's Parquet files, as a file's path and the group's number in it.

    Which split a file belongs to follows from its name, by the rules of `datasets`. Its `load_dataset` is not asked:
    the folder's README.md could send it to other folders and to the network.
    """
    from pyarrow.parquet import read_metadata

    folder = str(Path(source.dataset).resolve())
    try:
        files = parquet_files(folder, split)
        for file in files:
            if leads_out(file, folder):
                raise InputError(f"{file!r} leads out of {source.dataset!r}: bring the file into the folder.")
        facts = {file: read_metadata(file) for file in files}
    except AsrError:
        raise
    except (ValueError, OSError) as error:
        raise _no_rows(source, split, f" ({str(error).splitlines()[0].rstrip('.')})") from error
    for file, found in facts.items():
        missing = {"audio", "transcription"} - set(found.schema.to_arrow_schema().names)
        if missing:
            raise _no_rows(source, split, f" ({file!r} has no column {', '.join(sorted(missing))})")
    groups = [(file, group) for file, found in facts.items() for group in range(found.num_row_groups)]
    if not groups:
        raise _no_rows(source, split)
    return groups


def _rows_of_parquet(groups: list[tuple[str, int]], folder: str) -> Iterator[dict[str, Any]]:
    """The rows of row groups. A row whose path leads out of the folder is named and left out."""
    from pyarrow.parquet import ParquetFile

    for file, group in groups:
        with ParquetFile(file) as opened:
            for batch in opened.iter_batches(64, row_groups=[group], columns=["audio", "transcription"]):
                for row in batch.to_pylist():
                    row["audio"] = _undecoded(row["audio"])
                    content, path = row["audio"].values()
                    if content is None and path and leads_out(path, folder):
                        left_out(row, _outside(folder))
                    else:
                        yield row


def _outside(folder: str) -> InputError:
    return InputError(f"it leads out of {folder!r}: bring the file into the folder.")


def _undecoded(clip: Any) -> dict[str, Any]:
    """A Parquet row's sound, which is a dict, a path or a file's bytes, as a dataset's row holds it."""
    if isinstance(clip, dict):
        return {"bytes": clip.get("bytes"), "path": clip.get("path")}
    return {"bytes": clip if isinstance(clip, bytes) else None, "path": clip if isinstance(clip, str) else None}


def _no_rows(source: Source, split: str, reason: str = "") -> InputError:
    return InputError(
        f"{source.dataset!r} has no {split} rows of its own{reason}: a stream is not split, so bring a folder with "
        "train and validation."
    )


def _has_train(part: TablePart, folder: str) -> bool:
    return any(name == "train" for name, _ in folder_rows([part], folder, missing_files=True, outside_files=True))


def _rows_of(parts: list[TablePart], folder: str, split: str) -> Iterator[dict[str, Any]]:
    for name, row in folder_rows(parts, folder, missing_files=True, outside_files=True):
        if name != split:
            continue
        if row["audio"] is None:
            left_out({**row, "audio": {"path": row[LEADS_OUT]}}, _outside(folder))
        else:
            yield {"audio": {"bytes": None, "path": row["audio"]}, "transcription": row["transcription"]}


class _Pass:
    """One pass of a rank over its share of a stream: the shards in an order that follows from seed and epoch.

    The share is shards, where as many fall to each rank or there are MANY; otherwise every rank reads all shards, and
    its share is one of `world_size` rows. Where there are more than GROUPS, several are read together, from places
    all over the stream. (`IterableDataset.shuffle` cannot go on exactly where it stopped, and
    `set_epoch` without it changes nothing in datasets 4.0.)

    Args:
        rows: the whole stream.
        epoch, seed, rank, world_size: as in `StreamedBatchSampler`.
        state: from `state_dict`, to go on from there; None starts at the beginning.
    """

    def __init__(
        self, rows: "IterableDataset", epoch: int, seed: int, rank: int, world_size: int, state: dict[str, Any] | None
    ):
        self.rows, self.epoch, self.rank = rows, epoch, rank
        self.every, self.groups = world_size, min(rows.num_shards, max(GROUPS, world_size))
        own = rows.num_shards % world_size == 0 or rows.num_shards >= MANY * world_size
        if own:
            self.groups -= self.groups % world_size
        self.order = np.random.default_rng((seed, epoch)).permutation(self.groups).tolist()
        if own:
            self.order, self.every, self.rank = self.order[rank::world_size], 1, 0
        self.state = state
        self.place: int = state["place"] if state else 0
        self.read: int = state["read"] if state else 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while self.place < len(self.order):
            self.shard = self.rows.shard(self.groups, self.order[self.place], contiguous=False)
            self.shard.set_epoch(self.epoch)  # for a stream that is shuffled already
            if self.state:
                self.shard.load_state_dict(self.state["shard"])
                self.state = None
            for row in self.shard:
                self.read += 1
                if self.read % self.every == self.rank:
                    yield row
            self.place += 1

    def state_dict(self) -> dict[str, Any]:
        """Where the pass stands."""
        return {"place": self.place, "read": self.read, "shard": self.shard.state_dict()}


class StreamedBatchSampler:
    """A stream's batches by duration: a batch sampler whose batches hold the rows themselves, not their numbers.

    It passes over the stream again and again until it has given `steps` batches, so that every rank has as many.
    Each rank keeps its own rows in memory and no others; in each pass, every row is in one rank's share. Rows that
    `check` refuses are named on standard error and left out; so are batches of which no sound can be decoded.

    Each row says in `position` where the stream stands once its batch is trained on: `load_state_dict` starts from
    there with the very batches that would have come. Of what was read before, only the lines of the shard in hand are
    read again.

    Args:
        rows: the whole stream.
        steps: how many batches to give.
        check: returns a row's length, s, or raises AsrError.
        max_duration: sound in a batch, s, padding included; None for as much as `batch_size` clips have on average.
        batch_size: see `max_duration`.
        slowest, pad_to_multiple_of: as in `DurationBatchSampler`, the latter in s.
        seed, rank, world_size: as in `DurationBatchSampler`.

    Raises:
        InputError: in iterating, a pass gave this rank no row that can be trained on.
    """

    def __init__(
        self,
        rows: "IterableDataset",
        steps: int,
        check: Callable[[dict[str, Any]], float],
        *,
        max_duration: float | None = None,
        batch_size: int = 8,
        slowest: float = 1.0,
        pad_to_multiple_of: float | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        self.rows, self.steps, self.check = rows, steps, check
        self.max_duration, self.batch_size = max_duration, batch_size
        self.slowest, self.pad_to_multiple_of = slowest, pad_to_multiple_of
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.load_state_dict({"given": 0, "epoch": 0, "buffer": 0, "batch": 0, "state": None})

    def load_state_dict(self, position: dict[str, Any]) -> None:
        """Starts from a row's `position`, on the same rank of as many."""
        self.position = position

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        given = self.position["given"]
        # Trainer passes over as many batches as it was trained on: these are gone, and cost nothing.
        yield from ([] for _ in range(given))
        for number, (batch, place) in enumerate(islice(self._batches(), self.steps - given), given + 1):
            yield [{**row, "position": {"given": number, **place}} for row in batch]

    def _batches(self) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
        start = self.position
        for epoch in count(start["epoch"]):
            state, first, skip = None, 0, 0
            if epoch == start["epoch"]:
                state, first, skip = start["state"], start["buffer"], start["batch"]
            rows = _Pass(self.rows, epoch, self.seed, self.rank, self.world_size, state)
            stream, some = iter(rows), bool(state or skip)
            for buffer in count(first):
                read = list(islice(stream, BUFFER))
                if not read:
                    break
                planned = self._plan(read, epoch, buffer)
                for batch in range(skip, len(planned)):
                    if kept := _with_a_sound(planned[batch]):
                        some = True
                        yield kept, {"epoch": epoch, "buffer": buffer, "batch": batch + 1, "state": state}
                state, skip = rows.state_dict(), 0
            if not some:
                raise InputError(f"The stream holds no row for rank {self.rank} that can be trained on: see above.")

    def _plan(self, read: list[dict[str, Any]], epoch: int, buffer: int) -> list[list[dict[str, Any]]]:
        kept, seconds = [], []
        for row in read:
            try:
                seconds.append(self.check(row))
                kept.append(row)
            except AsrError as error:
                left_out(row, error)
        if not kept:
            return []
        padding: dict[str, Any] = {"slowest": self.slowest, "pad_to_multiple_of": self.pad_to_multiple_of}
        max_duration = self.max_duration or self.batch_size * float(np.mean(padded_lengths(seconds, **padding)))
        seed = int(np.random.default_rng((self.seed, epoch, buffer)).integers(2**32))
        batches = DurationBatchSampler(seconds, max_duration, seed=seed, **padding)
        return [[kept[clip] for clip in batch] for batch in batches]


def _with_a_sound(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A batch whose last row can be decoded: rows behind it, where a header is well and the samples are not, are left
    out. They are from long to short, so that what is decoded twice, here and by `PreparedRows`, is the shortest.

    Without this, a batch could come to nothing once it is given, and the ranks would no longer train side by side.
    """
    while batch:
        try:
            audio.load(batch[-1]["audio"], 16_000)  # at any rate: whether it can be loaded is what is asked
            break
        except AsrError as error:
            left_out(batch[-1], error)
            batch = batch[:-1]
    return batch


def left_out(row: dict[str, Any], error: AsrError) -> None:
    """Warns that a row is not trained on, and why."""
    logger.warning("left out %r: %s", row_name(row), error)


def row_name(row: dict[str, Any]) -> str:
    """What a streamed row is known by: its sound's path, or its text where it has none."""
    return (row["audio"] or {}).get("path") or row["transcription"]


class PreparedRows:
    """The dataset that `StreamedBatchSampler` asks: it prepares rows for the collator, in a worker if there are any."""

    def __init__(self, processor: "ProcessorMixin"):
        self.processor = processor

    def __getitem__(self, row: dict[str, Any]) -> dict[str, Any]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        items = []
        for row in rows:
            try:
                prepared = prepare_dataset(row, self.processor)
                items.append({**prepared, "row": row_name(row), "position": row["position"]})
            except AsrError as error:  # its header was well, its samples break off
                left_out(row, error)
        if not items:
            raise InputError(f"No sound of a batch can be read, {row_name(rows[0])!r} among them: see above.")
        return items
