"""A benchmark as `make bench` runs it, and what others compare."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

import benchmarks.__main__
from asr_helpers import collation, loading
from asr_helpers.sources import source
from benchmarks import guide, tasks

SETTING = tasks.Setting("demo", clips=8)


def bench(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    where = Path(__file__).parents[1]
    return subprocess.run(command, capture_output=True, text=True, env=tiny.environment(), cwd=where)


def test_preparing(tmp_path):
    done = bench("--times", 1, "--only", "first_batch", "--output", tmp_path / "bench.json")
    assert done.returncode == 0, done.stderr[-2_000:]
    first_batch, disk = json.loads((tmp_path / "bench.json").read_text())
    assert (first_batch["name"], first_batch["unit"]) == ("first_batch", "s")
    assert first_batch["guide"] > 5 * first_batch["ours"] > 0
    assert first_batch["ratio"] == pytest.approx(first_batch["guide"] / first_batch["ours"])
    seconds = sum(loading.durations(loading.load_rows(source("demo"))))
    assert disk["guide"] > seconds * 16_000 * 4, "float32, and each row's bookkeeping"
    assert disk["ours"] == 0
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_padding():
    theirs, ours = (tasks.padding(way, SETTING)["padding"] for way in ("guide", "ours"))
    seconds = loading.durations(loading.load_rows(source("demo")))
    assert theirs == collation.total_padding_share(seconds, collation.random_batches(seconds, guide.BATCH_SIZE))
    assert ours <= 0.03


def test_both_ways_count_the_same_errors(monkeypatch):
    monkeypatch.setattr(tasks, "SCORED", 500)
    theirs, ours = (tasks.wer(way, SETTING)["rate"] for way in ("guide", "ours"))
    assert theirs == ours
    assert 0.08 < ours < 0.12, "a tenth of the words was made wrong"


def test_its_examples():
    assert doctest.testmod(benchmarks.__main__) == (0, 2)


def test_an_unknown_one_is_refused():
    done = bench("--only", "loudness")
    assert done.returncode == 2
    assert "invalid choice: 'loudness'" in done.stderr
