"""05: checkpoints are whole or not there, and a training killed anywhere ends as if nothing had happened."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from transformers import TrainerCallback

from asr_helpers import AsrError, checkpoints
from asr_helpers.checkpoints import PARTIAL, Terminated, all_checkpoints, newest_whole, rotate, seal, why_incomplete

FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def write(folder: Path, step: int, files=FILES) -> Path:
    """A sealed checkpoint whose files hold a line."""
    partial = folder / PARTIAL / f"checkpoint-{step}"
    partial.mkdir(parents=True)
    for name in files:
        (partial / name).write_text(f"{name} of step {step}\n")
    seal(partial, folder / partial.name)
    return folder / partial.name


# One checkpoint


def test_a_sealed_checkpoint_is_whole_and_says_what_it_holds(tmp_path):
    checkpoint = write(tmp_path, 3)
    assert why_incomplete(checkpoint) == ""
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    assert sorted(manifest["files"]) == sorted(FILES)
    # printf 'optimizer.pt of step 3\n' | sha256sum
    assert manifest["files"]["optimizer.pt"] == {
        "bytes": 23,
        "sha256": "26a1bd77d9f7f2fbeb28e6f504f3831254dba28318208008adb30611e131c247",
    }
    assert not (tmp_path / PARTIAL / checkpoint.name).exists()


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("harm", ["removed", "emptied", "truncated", "changed"])
def test_damage_to_any_file_is_recognised_and_an_older_checkpoint_taken(tmp_path, name, harm):
    old, new = write(tmp_path, 9), write(tmp_path, 10)
    assert newest_whole(tmp_path) == (new, {})
    damage(new / name, harm)
    found, passed_over = newest_whole(tmp_path)
    assert found == old
    assert list(passed_over) == ["checkpoint-10"]
    assert name in passed_over["checkpoint-10"]


def damage(path: Path, harm: str) -> None:
    content = path.read_bytes()
    if harm == "removed":
        path.unlink()
    else:
        half = len(content) // 2
        kept = {"emptied": b"", "truncated": content[:half], "changed": content[:half] + b"?" + content[half + 1 :]}
        path.write_bytes(kept[harm])


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("optimizer.pt", "it was saved without its optimizer"),
        ("scheduler.pt", "it was saved without its scheduler"),
        ("model.safetensors", "it was saved without its weights"),
        ("trainer_state.json", "it was saved without its state"),
        ("rng_state.pth", "it holds the random state of 0 processes, not of 1"),
    ],
)
def test_nothing_is_resumed_that_would_not_go_on_exactly(tmp_path, missing, reason):
    assert why_incomplete(write(tmp_path, 1, [name for name in FILES if name != missing])) == reason


def test_each_process_needs_its_random_state(tmp_path):
    two = [name for name in FILES if name != "rng_state.pth"] + ["rng_state_0.pth", "rng_state_1.pth"]
    checkpoint = write(tmp_path, 1, two)
    assert why_incomplete(checkpoint, world_size=2) == ""
    assert why_incomplete(checkpoint, world_size=1) == "it holds the random state of 2 processes, not of 1"
    assert why_incomplete(checkpoint, world_size=3) == "it holds the random state of 2 processes, not of 3"
    assert why_incomplete(write(tmp_path, 2), world_size=2) == "it holds the random state of 1 processes, not of 2"


def test_a_checkpoint_that_was_never_sealed_is_passed_over(tmp_path):
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / PARTIAL / "checkpoint-6").mkdir(parents=True)
    assert newest_whole(tmp_path) == (None, {"checkpoint-5": "it has no manifest.json"})
    assert newest_whole(tmp_path / "nowhere") == (None, {})


def test_newer_is_by_number_not_by_name(tmp_path):
    for step in (9, 100, 10):
        write(tmp_path, step)
    assert [path.name for path in all_checkpoints(tmp_path)] == ["checkpoint-100", "checkpoint-10", "checkpoint-9"]


def test_sealing_again_replaces(tmp_path):
    damage(write(tmp_path, 1) / "optimizer.pt", "emptied")
    assert why_incomplete(write(tmp_path, 1)) == ""


def names(folder: Path) -> list[str]:
    return [path.name.removeprefix("checkpoint-") for path in all_checkpoints(folder)]


def test_only_whole_checkpoints_count_in_the_rotation(tmp_path):
    for step in range(1, 7):
        write(tmp_path, step)
    rotate(tmp_path, None, {"checkpoint-6"})
    assert names(tmp_path) == ["6", "5", "4", "3", "2", "1"]
    damage(tmp_path / "checkpoint-5" / "optimizer.pt", "emptied")
    rotate(tmp_path, 3, {"checkpoint-6", "checkpoint-1"})  # the newest, and the best
    assert names(tmp_path) == ["6", "4", "1"]
    rotate(tmp_path, 1, {"checkpoint-6", "checkpoint-1"})
    assert names(tmp_path) == ["6", "1"]


# A training


RECIPE = tiny.RECIPE
STEPS = 12  # 3 epochs of 4


@pytest.fixture(scope="module")
def dropout(tmp_path_factory):
    """A checkpoint whose random state matters."""
    return tiny.write_checkpoint(tmp_path_factory.mktemp("checkpoint"), hidden_dropout=0.1, final_dropout=0.1)


@pytest.fixture(scope="module")
def tune(dropout):
    """Fine-tunes on clips of different lengths with dropout on, so that order and random state matter."""
    return tiny.tuner(dropout)


MODES = {"plain": {"speed_perturbation": 0.1}, "by duration": {"seconds_per_batch": 1.9}}


@pytest.fixture(scope="module", params=MODES)
def undisturbed(request, tune, tmp_path_factory):
    """A run's folder with a checkpoint of each step, and the recipe it was made with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    recipe = replace(RECIPE, **MODES[request.param])
    tune(folder, recipe, **tiny.EACH_STEP)
    assert names(folder) == [str(step) for step in range(STEPS, 0, -1)]
    assert all(why_incomplete(path) == "" for path in all_checkpoints(folder))
    return folder, recipe


def final(folder: Path) -> bytes:
    """The recogniser a training left: every bit of its weights."""
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("step", [2, 4, 7, 9])  # within the first epoch, between two, within later ones
def test_a_resumed_run_ends_bit_equal(tune, undisturbed, tmp_path, step):
    whole, recipe = undisturbed
    shutil.copytree(whole / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    tune(tmp_path, recipe, resume=True, **tiny.EACH_STEP)
    assert final(tmp_path) == final(whole)
    # The weights after each step, too, and with them the order of the rows.
    for later in range(step + 1, STEPS + 1):
        name = f"checkpoint-{later}/model.safetensors"
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert final(whole) != (whole / "checkpoint-11" / "model.safetensors").read_bytes()


def test_resuming_says_what_it_passes_over(tune, undisturbed, tmp_path, caplog):
    whole, recipe = undisturbed
    for step in (10, 11, 12):
        shutil.copytree(whole / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    (tmp_path / "checkpoint-12" / "optimizer.pt").unlink()
    damage(tmp_path / "checkpoint-11" / "model.safetensors", "truncated")
    tune(tmp_path, recipe, resume=True, **tiny.EACH_STEP)
    (said,) = caplog.messages
    assert said.startswith("passed over checkpoint-12: its optimizer.pt is missing; checkpoint-11: its model.safe")
    assert said.endswith("; going on from checkpoint-10")
    assert final(tmp_path) == final(whole)
    assert all(why_incomplete(path) == "" for path in all_checkpoints(tmp_path)), "what was damaged is replaced"
    for checkpoint in all_checkpoints(tmp_path):
        damage(checkpoint / "rng_state.pth", "emptied")
    with pytest.raises(AsrError, match=r"no whole checkpoint in .*checkpoint-12: its rng_state.pth has 0 bytes, not"):
        tune(tmp_path, recipe, resume=True, **tiny.EACH_STEP)


def test_each_file_that_trainer_writes_is_guarded(undisturbed, tmp_path):
    whole, _ = undisturbed
    files = sorted(path.name for path in (whole / "checkpoint-4").iterdir())
    assert {*FILES, "manifest.json", "config.json", "vocab.json"} <= set(files)
    shutil.copytree(whole / "checkpoint-3", tmp_path / "checkpoint-3")
    for name in files:
        for harm in ("removed", "emptied", "truncated"):
            shutil.copytree(whole / "checkpoint-4", tmp_path / "checkpoint-4", dirs_exist_ok=True)
            assert newest_whole(tmp_path)[0].name == "checkpoint-4"
            damage(tmp_path / "checkpoint-4" / name, harm)
            found, passed_over = newest_whole(tmp_path)
            assert found.name == "checkpoint-3"
            assert name in passed_over["checkpoint-4"]


# The default: the best checkpoint and the newest are kept, and the best is what is left


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in the processes that are killed: with more threads, sums differ in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole_run(tune, tmp_path_factory):
    """An undisturbed run's folder."""
    folder = tmp_path_factory.mktemp("whole-run")
    tune(folder, RECIPE)
    return folder


class Watch:
    """Calls before each change of a folder: what is on the disk then is what a kill at that moment leaves."""

    def __init__(self):
        self.folder, self.call, self.busy = None, None, False
        sys.addaudithook(self.heard)  # for good: it is deaf while `folder` is None

    def heard(self, event, args):
        if self.folder is None or self.busy:
            return
        written = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.truncate")
        if event == "open":
            _, mode, flags = args
            written = (isinstance(mode, str) and set(mode) & set("wax+")) or (flags & (os.O_WRONLY | os.O_RDWR))
        if (
            written
            and isinstance(args[0], str | Path)
            and (self.folder in str(args[0]) or event in ("os.remove", "os.rmdir"))
        ):
            self.change(f"{event} {Path(args[0]).name}")

    def change(self, what):
        if self.folder is not None and not self.busy:
            self.busy = True
            self.call(what)
            self.busy = False


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.fixture
def moments(tune, watch, monkeypatch, tmp_path):
    """What a kill would leave before each change that a training makes in its folder: (what, a copy of the folder)."""
    import torch
    import transformers.modeling_utils

    found, folder = [], tmp_path / "run"

    def copy(what):
        shutil.copytree(folder, tmp_path / str(len(found)))
        found.append((what, tmp_path / str(len(found))))

    def torn(save, name_at):
        """Around a write that Python does not see: before it, when half is written, and after it."""

        def call(*args, **kwargs):
            path = Path(args[name_at])
            watch.change(f"before {path.name}")
            result = save(*args, **kwargs)
            if watch.folder is not None:
                content = path.read_bytes()
                watch.busy = True
                path.write_bytes(content[: len(content) // 2])
                watch.busy = False
                watch.change(f"half of {path.name}")
                watch.busy = True
                path.write_bytes(content)
                watch.busy = False
            return result

        return call

    monkeypatch.setattr(torch, "save", torn(torch.save, 1))
    modeling = transformers.modeling_utils
    monkeypatch.setattr(modeling, "safe_save_file", torn(modeling.safe_save_file, 1))
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (watch.change("fsync"), fsync(handle))[1])
    folder.mkdir()
    watch.folder, watch.call = str(folder), copy
    try:
        tune(folder, RECIPE)
    finally:
        watch.folder = None
    return found


def test_a_kill_at_any_write_loses_nothing_but_the_checkpoint_in_flight(tune, whole_run, moments):
    assert len(moments) > 100
    seen, reached, kinds = set(), 0, set()
    for what, folder in moments:
        kinds.add(what)
        found, passed_over = newest_whole(folder)
        step = int(found.name.rpartition("-")[2]) if found else 0
        # At its end, Trainer itself deletes the newest checkpoint where that is not the best.
        assert not passed_over or (reached == STEPS and list(passed_over) == [f"checkpoint-{STEPS}"]), what
        assert step >= reached or reached == STEPS, f"{what}: the checkpoint of step {reached} is lost"
        reached = max(reached, step)
        # From each kind of state that a kill leaves behind, the training ends the same.
        state = (step, tuple(names(folder)), (folder / "model.safetensors").exists(), bool(passed_over))
        if state not in seen:
            seen.add(state)
            tune(folder, RECIPE, resume=found is not None)
            assert final(folder) == final(whole_run), what
    assert reached == STEPS
    assert {"half of optimizer.pt", "half of model.safetensors", "fsync", "open manifest.json"} <= kinds


def test_a_training_from_the_start_replaces_an_earlier_one(tune, whole_run, tmp_path):
    shutil.copytree(whole_run, tmp_path, dirs_exist_ok=True)
    write(tmp_path, 400)
    tune(tmp_path, RECIPE)
    assert final(tmp_path) == final(whole_run)
    assert names(tmp_path) == names(whole_run)


def test_a_best_checkpoint_that_is_lost_is_forgotten(tune, tmp_path, caplog):
    tune(tmp_path, RECIPE, max_steps=8, save_total_limit=None, save_steps=2, eval_steps=2)
    state = json.loads((tmp_path / "checkpoint-8" / "trainer_state.json").read_text())
    assert Path(state["best_model_checkpoint"]).name == f"checkpoint-{state['best_global_step']}"
    assert state["best_global_step"] < 8, "all of the tiny model's WERs are 1"
    best = tmp_path / f"checkpoint-{state['best_global_step']}"
    damage(best / "model.safetensors", "changed")
    result = tune(tmp_path, RECIPE, resume=True, save_total_limit=None, save_steps=2, eval_steps=2)
    assert (
        f"{best.name}, the best so far, is lost (its model.safetensors is not what manifest.json says)" in caplog.text
    )
    assert result.wer_after == 1


# Signals and full disks


class At(TrainerCallback):
    """Does something after a step."""

    def __init__(self, step, do):
        self.step, self.do = step, do

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.do()


def test_sigterm_saves_and_stops_and_the_rest_is_exact(tune, whole_run, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated, match=r"after step 5 of 12: checkpoint-5 in .* is whole, resume=True goes on"):
        tune(tmp_path, RECIPE, callbacks=[At(5, lambda: os.kill(os.getpid(), signal.SIGTERM))])
    assert signal.getsignal(signal.SIGTERM) == before
    assert newest_whole(tmp_path) == (tmp_path / "checkpoint-5", {})
    assert not (tmp_path / "model.safetensors").exists()
    tune(tmp_path, RECIPE, resume=True)
    assert final(tmp_path) == final(whole_run)


def file_size_limit(size):
    """A disk that is full, as far as this process can see: no file grows beyond so many bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.parametrize("size", [0, 100, 5_000, 20_000])
def test_a_full_disk_leaves_the_last_good_checkpoint(tune, whole_run, tmp_path, size, capsys):
    try:
        with pytest.raises(AsrError, match=r"no room in .* for checkpoint-6 \(.*\): free some, then checkpoint-3 is"):
            tune(tmp_path, RECIPE, callbacks=[At(5, file_size_limit(size))])
    finally:
        file_size_limit(resource.RLIM_INFINITY)()
    assert newest_whole(tmp_path) == (tmp_path / "checkpoint-3", {})
    assert not (tmp_path / PARTIAL).exists()
    tune(tmp_path, RECIPE, resume=True)
    assert final(tmp_path) == final(whole_run)


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="of another kind"), checkpoints._full_disk_explained(tmp_path, "it"):
        raise RuntimeError("of another kind")


# Killed in earnest


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.soak)])
def test_killed_at_random_and_resumed(dropout, whole_run, tmp_path, kills):
    """SIGKILL at random moments, again and again, until the run is through; then from the start."""
    command = [sys.executable, tiny.__file__, str(dropout)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    generator, folder, done, through = random.Random(0), tmp_path / "run", 0, 0
    with subprocess.Popen(command, text=True, bufsize=1, env=tiny.environment(), **pipes) as trainings:
        longest = 0.0
        while done < kills or not through:
            trainings.stdin.write(f"{folder}\n")
            process, began = int(trainings.stdout.readline()), time.perf_counter()
            if longest and done < kills:
                time.sleep(generator.uniform(0, longest))
                with suppress(ProcessLookupError):  # it was through
                    os.kill(process, signal.SIGKILL)
            status = int(trainings.stdout.readline())
            if status == 0:
                longest = longest or time.perf_counter() - began
                through += 1
                assert final(folder) == final(whole_run)
                shutil.rmtree(folder)
            else:
                assert status == signal.SIGKILL
                done += 1
        trainings.stdin.close()
