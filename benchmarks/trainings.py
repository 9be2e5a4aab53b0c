"""Trainings as a user starts them: `asr-helpers train` and `evaluate`, each in a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_helpers import AsrError

COMMAND = (sys.executable, "-m", "asr_helpers")


@dataclass(frozen=True)
class Run:
    """How a command ended.

    Attributes:
        status: 0 done; 1 input that cannot be used, or a training that failed.
        said: why it failed, in the command's words; "" where it is done.
        result: what it wrote with --json; {} where it wrote nothing.
        seconds: of wall time, Python's start included.
    """

    status: int
    said: str
    result: dict[str, Any]
    seconds: float


def train(data: str | Path, output_dir: Path, seed: int, arguments: Sequence[str] = ()) -> Run:
    """Fine-tunes on a folder or on "demo"; `arguments` are the command's own, such as --fresh-head."""
    return run("train", str(data), "--output-dir", str(output_dir), "--seed", str(seed), *arguments)


def evaluate(data: str | Path, model: str | Path) -> Run:
    """Scores a recogniser on the test rows.

    Raises:
        AsrError: it cannot be scored.
    """
    done = run("evaluate", str(data), "--model", str(model), "--split", "test")
    if done.status:
        raise AsrError(f"asr-helpers evaluate ended with status {done.status}: {done.said}")
    return done


def run(*arguments: str) -> Run:
    """Runs a command of asr-helpers.

    Raises:
        AsrError: it was not understood, or a signal ended it: that says nothing about a training.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        started = time.perf_counter()
        done = subprocess.run([*COMMAND, *arguments, "--json", str(file)], capture_output=True, text=True)
        seconds = time.perf_counter() - started
        result = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    lines = done.stderr.strip().splitlines() or [""]
    own = [line.removeprefix("asr-helpers: ") for line in lines if line.startswith("asr-helpers: ")]
    said = result.get("trouble") or (own or lines)[-1]
    ended = result or own  # without either, status 1 is Python's own: a traceback
    if done.returncode not in (0, 1) or (done.returncode and not ended):
        raise AsrError(f"asr-helpers {arguments[0]} ended with status {done.returncode}: {said}")
    return Run(done.returncode, said if done.returncode else "", result, seconds)
