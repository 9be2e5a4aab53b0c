"""05  Checkpoints that are whole or not there, and a training that SIGTERM stops without loss.

Conventions: a checkpoint is a folder `checkpoint-<step>`. It is written in the hidden folder `.partial`, flushed to
the disk, sealed with `manifest.json`, the size and SHA-256 of each of its files, and renamed into place. A kill at
any moment leaves it out or whole; what happens to it later, the manifest shows.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import AsrError, InputError
from .compat import TrainerHooks

if TYPE_CHECKING:
    from transformers import TrainingArguments

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
PARTIAL = ".partial"
# What a training cannot go on from exactly without, by how the files' names begin; the random state is apart.
NEEDED = {"model": "weights", "optimizer": "optimizer", "scheduler": "scheduler", "trainer_state.json": "state"}


class Terminated(AsrError):
    """SIGTERM stopped a training, after it saved a checkpoint. The message says how to go on."""


def seal(partial: Path, checkpoint: Path) -> None:
    """Flushes a folder to the disk, writes its manifest and renames it into place.

    Args:
        partial: the folder, all its files written; on the same file system as `checkpoint`.
        checkpoint: its name from now on. What has that name makes way.
    """
    files = {}
    for path in sorted(path for path in partial.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        files[path.relative_to(partial).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    with open(partial / MANIFEST, "w") as file:
        json.dump({"files": files}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    for folder in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
        _flush(folder)
    remove(checkpoint)
    os.rename(partial, checkpoint)
    _flush(checkpoint.parent)


def _flush(folder: Path) -> None:
    """Names in a folder are its own content: they reach the disk when the folder does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(checkpoint: Path) -> None:
    """Deletes a checkpoint, if it is there: at no moment is a part of it left under its name."""
    if checkpoint.exists():
        aside = checkpoint.parent / PARTIAL / f"removed-{checkpoint.name}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(exist_ok=True)
        os.rename(checkpoint, aside)
        shutil.rmtree(aside, ignore_errors=True)


def why_incomplete(checkpoint: Path, world_size: int = 1, *, hashes: bool = True) -> str:
    """Why a training cannot go on exactly from a checkpoint; "" if it can.

    Args:
        checkpoint: its folder.
        world_size: how many processes would go on: each needs its own random state.
        hashes: read each file and compare its SHA-256; otherwise only its size.
    """
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text())
        files = {name: (entry["bytes"], entry["sha256"]) for name, entry in manifest["files"].items()}
    except FileNotFoundError:
        return f"it has no {MANIFEST}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"its {MANIFEST} is damaged"
    for name, (size, digest) in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"its {name} is missing"
        if path.stat().st_size != size:
            return f"its {name} has {path.stat().st_size:,} bytes, not {size:,}"
        if hashes:
            with open(path, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    return f"its {name} is not what {MANIFEST} says"
    for start, what in NEEDED.items():
        if not any(name.startswith(start) for name in files):
            return f"it was saved without its {what}"
    names = [f"rng_state_{rank}.pth" for rank in range(world_size)] if world_size > 1 else ["rng_state.pth"]
    saved = sum(name.startswith("rng_state") for name in files)
    if saved != world_size or not files.keys() >= set(names):
        return f"it holds the random state of {saved} processes, not of {world_size}"
    return ""


def all_checkpoints(output_dir: str | Path) -> list[Path]:
    """A folder's checkpoints, whole or not, the newest first."""
    found = (path for path in Path(output_dir).glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit())
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)


def newest_whole(output_dir: str | Path, world_size: int = 1) -> tuple[Path | None, dict[str, str]]:
    """The newest checkpoint that a training can go on from exactly.

    Args:
        output_dir: the training's folder; it need not exist.
        world_size: how many processes would go on.

    Returns:
        Its folder, None where there is none, and the name of each newer one with the reason why not.
    """
    passed_over: dict[str, str] = {}
    for checkpoint in all_checkpoints(output_dir):
        reason = why_incomplete(checkpoint, world_size)
        if not reason:
            return checkpoint, passed_over
        passed_over[checkpoint.name] = reason
    return None, passed_over


def checkpoint_to_resume(output_dir: Path, args: "TrainingArguments") -> str | None:
    """The newest whole checkpoint, the same for all ranks; says what it passes over. None where there is none at all.

    Raises:
        InputError: there are checkpoints, and none is whole: a training from the beginning would take their place.
    """
    from accelerate.utils import broadcast_object_list

    found: list[Any] = [None, {}]
    if args.process_index == 0:
        found = list(newest_whole(output_dir, args.world_size))
    if args.world_size > 1:
        broadcast_object_list(found)
    checkpoint, passed_over = found
    reasons = "; ".join(f"{name}: {reason}" for name, reason in passed_over.items())
    if not checkpoint and reasons:
        raise InputError(
            f"There is no whole checkpoint in {str(output_dir)!r} to resume from ({reasons}): leave out resume."
        )
    if not checkpoint:
        if args.process_index == 0:
            logger.warning("no checkpoint in %r yet: the training begins at the beginning", str(output_dir))
        return None
    if args.process_index == 0 and reasons:
        logger.warning("passed over %s; going on from %s", reasons, checkpoint.name)
    return str(checkpoint)


def rotate(output_dir: str | Path, limit: int | None, keep: set[str]) -> None:
    """Deletes all but the newest checkpoints. Only whole ones count, so that damage never crowds out what is good.

    Args:
        output_dir: the training's folder.
        limit: how many are to be left; None or 0 for all.
        keep: the names of those that are left in any case, and counted: the best one and the newest.
    """
    if not limit:
        return
    keep = set(keep)
    for checkpoint in all_checkpoints(output_dir):
        if checkpoint.name in keep:
            continue
        if len(keep) < limit and not why_incomplete(checkpoint, hashes=False):
            keep.add(checkpoint.name)
        else:
            remove(checkpoint)


class WholeCheckpoints(TrainerHooks):
    """What a `transformers.Trainer` needs to save whole checkpoints: `class OfOurs(WholeCheckpoints, Trainer)`.

    A training from the start replaces an earlier one in the same folder, once its own first checkpoint is whole.
    """

    _aside = False
    _earlier: tuple[Path, ...] = ()
    terminating = False

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any):
        """Trains; SIGTERM sets `terminating`, for `callbacks.StopAtSigterm` to see.

        Raises:
            Terminated: after SIGTERM.
            InputError: the disk is full.
        """
        self._earlier = () if resume_from_checkpoint else tuple(all_checkpoints(str(self.args.output_dir)))
        with _sigterm_calls(lambda: setattr(self, "terminating", True)):
            return super().train(resume_from_checkpoint, *args, **kwargs)

    def checkpoints_go_to(self, folder: str) -> str:
        """The folder itself, and while a checkpoint is written a hidden one in it."""
        return os.path.join(folder, PARTIAL) if self._aside else folder

    def write_checkpoint(self, folder: Path, write: Callable[[], None]) -> None:
        """Writes a checkpoint aside, and gives it its name when it is whole."""
        name = f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        with _full_disk_explained(folder, name):
            self._aside = True
            try:
                write()
            finally:
                self._aside = False
            best = f"checkpoint-{self.state.best_global_step}"
            there = best == name or (folder / best).is_dir()
            self.state.best_model_checkpoint = str(folder / best) if there else None
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                self.state.save_to_json(str(folder / PARTIAL / name / "trainer_state.json"))
                seal(folder / PARTIAL / name, folder / name)
        if self.args.should_save:
            for checkpoint in self._earlier:
                if checkpoint.name != name:
                    remove(checkpoint)
            rotate(folder, self.args.save_total_limit, {name, best} if there else {name})
            shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        self._earlier = ()
        self.accelerator.wait_for_everyone()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False):
        """Saves model and processor; each file is replaced when the new one is whole."""
        if _internal_call:
            return super().save_model(output_dir, _internal_call)
        folder = Path(output_dir or str(self.args.output_dir))
        aside = folder / PARTIAL / "model"
        with _full_disk_explained(folder, "the model"):
            super().save_model(str(aside))
            if self.args.should_save:
                for path in aside.iterdir():
                    with open(path, "rb") as file:
                        os.fsync(file.fileno())
                    os.replace(path, folder / path.name)
                _flush(folder)
                shutil.rmtree(folder / PARTIAL, ignore_errors=True)


@contextmanager
def _sigterm_calls(called) -> Iterator[None]:
    """Python hands signals to the main thread only: elsewhere this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: called())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _full_disk_explained(output_dir: Path, name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # torch and safetensors report a failed write as errors of their own.
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        own = any(words in str(error) for words in ("No space left", "os error", "PytorchStreamWriter", "iostream"))
        if not (full or own):
            raise
        shutil.rmtree(output_dir / PARTIAL, ignore_errors=True)
        last = next(iter(all_checkpoints(output_dir)), None)
        way_out = f"{last.name} is whole: resume=True goes on from it" if last else "start anew"
        raise InputError(
            f"There is no room in {str(output_dir)!r} for {name} ({str(error).splitlines()[0]}): "
            f"free some, then {way_out}."
        ) from error
