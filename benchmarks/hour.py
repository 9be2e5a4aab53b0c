"""Measures `asr-helpers transcribe` on an hour of sound: memory, words, a kill with a resume, and several processes.

    python -m benchmarks hour [--minutes 60]

The sound is the demo's test clips in random order, with pauses of 0.3 to 1 s between them. Each command is started as a
user starts it. What a killed run wrote is gone on with by --resume, and must give the text of a run that was let alone.
For the processes there is twice as much of that sound, in files of two minutes; each process has one thread.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asr_helpers import audio, evaluation, loading
from asr_helpers.cli.common import positive, quiet
from asr_helpers.inference import load_recogniser
from asr_helpers.preprocessing import normalise_text, vocabulary
from asr_helpers.sources import source

from .common import machine

RATE = 16_000  # Hz
NOISE = 1e-4  # of the pauses
# The command line, which tells its largest memory at the end.
COMMAND = "import sys; from asr_helpers import cli; from benchmarks.common import peak_memory; " \
          "status = cli.main(sys.argv[1:]); print(peak_memory(), file=sys.stderr); sys.exit(status)"  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A clip to join, (num_samples,) at 16 kHz, and what is said in it."""

    waveform: np.ndarray
    text: str


def join(clips: Sequence[Clip], seconds: float, path: Path, seed: int = 0) -> list[str]:
    """Writes clips in random order, pauses between them, until so much sound is there; returns the texts in order."""
    rng, texts, total = np.random.default_rng(seed), [], 0
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        while total < seconds * RATE:
            clip = clips[rng.integers(len(clips))]
            pause = rng.normal(0, NOISE, round(rng.uniform(0.3, 1.0) * RATE))
            for part in (clip.waveform, pause):
                file.write(part)
                total += len(part)
            texts.append(clip.text)
    return texts


def command(*arguments: object) -> list[str]:
    """`asr-helpers` with these arguments."""
    return [sys.executable, "-c", COMMAND, *map(str, arguments)]


def transcribe(sound: Path, folder: Path, *more: str) -> tuple[str, int]:
    """Has a sound written down; returns its text and the largest memory, bytes."""
    done = subprocess.run(
        command("transcribe", sound, "--format", "json", "--output", folder, *more),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = json.loads((folder / sound.with_suffix(".json").name).read_text())["text"]
    return text, int(done.stderr.splitlines()[-1])


def kill_half_way(sound: Path, folder: Path, parts: int) -> int:
    """Starts to have a sound written down and kills the process behind so many parts; returns how many were kept."""
    journal = folder / ".parts" / (sound.with_suffix(".json").name + ".jsonl")
    running = subprocess.Popen(
        command("transcribe", sound, "--format", "json", "--output", folder),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while running.poll() is None and (not journal.is_file() or journal.read_text().count("\n") <= parts):
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    running.wait()
    return journal.read_text().count("\n") - 1


def share(folder: Path, output: Path, processes: int) -> float:
    """Has a folder written down by so many processes of one thread each; returns how long it took, s."""
    alone = [sys.executable, "-m"]
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"] if processes > 1 else []
    started = time.perf_counter()
    subprocess.run(
        [*alone, *launcher, "asr_helpers", "transcribe", str(folder), "--output", str(output)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return time.perf_counter() - started


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks hour", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=positive, default=60, help="of sound (default: 60)")
    args = parser.parse_args(arguments)
    quiet()
    recogniser = load_recogniser(source("demo").recogniser)
    characters, rows = vocabulary(recogniser.processor), loading.load_splits(source("demo"))["test"]
    clips = [Clip(audio.load(row["audio"], RATE), normalise_text(row["transcription"], characters).text)
             for row in rows]  # fmt: skip
    print(f"{args.minutes} minutes of sound, on {machine()}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        minute, whole = place / "minute.flac", place / "whole.flac"
        join(clips, 60, minute)
        texts = join(clips, args.minutes * 60, whole)
        _, little = transcribe(minute, place / "minute")
        started = time.perf_counter()
        text, much = transcribe(whole, place / "whole")
        seconds = time.perf_counter() - started
        print(f"memory: {much / 1e6:.0f} MB, {(much - little) / 1e6:+.0f} MB against one minute", flush=True)
        print(f"time: {seconds:.0f} s, {args.minutes * 60 / seconds:.0f} times as fast as it was spoken", flush=True)
        alone = {clip.text: recogniser.decode(recogniser.emission(clip.waveform)).text for clip in clips}
        by_clip = evaluation.score(texts, [alone[said] for said in texts]).wer
        as_one = evaluation.score([" ".join(texts)], [text]).wer
        print(f"WER: {as_one:.3f}, of the clips one by one {by_clip:.3f}", flush=True)
        journal = place / "whole" / ".parts" / "whole.json.jsonl"
        parts = journal.read_text().count("\n")
        kept = kill_half_way(whole, place / "killed", parts // 2)
        resumed, _ = transcribe(whole, place / "killed", "--resume")
        print(f"killed behind {kept} of {parts - 2} parts and resumed: the same text: {resumed == text}", flush=True)
        files = place / "files"
        files.mkdir()
        for number in range(args.minutes):
            join(clips, 120, files / f"{number:02}.flac", seed=number)
        one, two = (share(files, place / f"by{processes}", processes) for processes in (1, 2))
        written = [len(list((place / f"by{processes}").glob("*.txt"))) for processes in (1, 2)]
        print(f"{args.minutes} files by one process {one:.0f} s, by two {two:.0f} s: {one / two:.2f} times; {written}")
