"""Measures what ten sentences of one person teach a recogniser: WER on thirty others, before and after.

    python -m benchmarks voice DIR [--people SPEAKER ...] [--seeds 3]

DIR is an audiofolder with a column `speaker`, or LibriSpeech's form. The seed chooses the ten clips, the thirty others
and the training's draws; of a sentence that a person says twice, one clip is taken. Each training is
`asr-helpers train` in a process of its own, as a user starts it.
"""

import argparse
import csv
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr_helpers import InputError
from asr_helpers.cli.common import positive, printable, quiet
from asr_helpers.sources import source

from . import trainings
from .common import machine, write_json
from .people import read_people

LEARN, MEASURE = 10, 30  # clips of a person


@dataclass(frozen=True)
class VoiceResult:
    """What one person's ten sentences taught.

    Attributes:
        speaker: the person.
        seed: of the clips and of the training.
        before, after: WER on the thirty others; after is None where the training left no recogniser.
        seconds: of the whole training command, Python's start included.
        failure: what a training that failed said; "" for a success.
    """

    speaker: str
    seed: int
    before: float
    after: float | None
    seconds: float
    failure: str = ""

    @property
    def fall(self) -> float | None:
        """The share of the WER that is gone, below 0 where it rose; None where there is none.

        >>> VoiceResult("ann", 0, before=0.8, after=0.2, seconds=60.0).fall
        0.75
        """
        return 1 - self.after / self.before if self.before and self.after is not None else None


def clips_by_person(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Each person's clips, one for each sentence.

    Args:
        rows: from `read_people`.

    Raises:
        InputError: the rows name no speaker.
    """
    people: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if not row.get("speaker"):
            raise InputError("The recordings name no speaker: add a column 'speaker' to the metadata.csv.")
        people.setdefault(row["speaker"], {}).setdefault(row["transcription"], row)
    return {name: list(sentences.values()) for name, sentences in people.items()}


def choose_people(people: dict[str, list[dict[str, Any]]], wanted: Sequence[str] | None = None) -> list[str]:
    """The people who are wanted, or else all who have said enough sentences.

    Raises:
        InputError: one who is wanted is not there or has not said enough, or nobody has.
    """
    needed = LEARN + MEASURE
    for name in wanted or ():
        if len(people.get(name, ())) < needed:
            raise InputError(f"{name!r} has said {len(people.get(name, ()))} sentences here, and {needed} are needed.")
    chosen = list(wanted or (name for name in sorted(people) if len(people[name]) >= needed))
    if not chosen:
        most = max(map(len, people.values()), default=0)
        raise InputError(f"Nobody has said {needed} sentences here, at most {most}: choose another folder or split.")
    return chosen


def draw_clips(rows: Sequence[dict[str, Any]], seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draws a person's clips to learn from and to measure on: none is in both."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[number] for number in order[:LEARN]], [rows[number] for number in order[LEARN : LEARN + MEASURE]]


def write_folder(folder: Path, learn: Sequence[dict[str, Any]], measure: Sequence[dict[str, Any]]) -> None:
    """Writes copies of the clips as a user would: an audiofolder with train and test."""
    for split, rows in {"train": learn, "test": measure}.items():
        (folder / split).mkdir(parents=True)
        with open(folder / split / "metadata.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["file_name", "transcription"])
            for number, row in enumerate(rows):
                path = Path(row["audio"]["path"] if isinstance(row["audio"], dict) else row["audio"])
                name = f"{number:02}{path.suffix}"
                shutil.copyfile(path, folder / split / name)
                table.writerow([name, row["transcription"]])


def teach(
    speaker: str, rows: Sequence[dict[str, Any]], seed: int, model: str, arguments: Sequence[str] = ()
) -> VoiceResult:
    """Trains on ten clips of one person and measures on thirty others.

    Args:
        speaker: the person.
        rows: the person's, from `clips_by_person`.
        seed: of the clips and of the training.
        model: the recogniser before.
        arguments: of `asr-helpers train`.

    Raises:
        InputError: a command was stopped or not understood, or the clips cannot be scored.
    """
    with tempfile.TemporaryDirectory() as place:
        data, output_dir = Path(place) / "data", Path(place) / "recogniser"
        write_folder(data, *draw_clips(rows, seed))
        before = trainings.evaluate(data, model).result["wer"]
        done = trainings.train(data, output_dir, seed, arguments)
        if not (output_dir / "config.json").is_file():
            return VoiceResult(speaker, seed, before, None, done.seconds, done.said or "it left no recogniser")
        after = trainings.evaluate(data, output_dir).result["wer"]
        return VoiceResult(speaker, seed, before, after, done.seconds, done.said)


def report(result: VoiceResult) -> str:
    """One result for a person to read."""
    where = f"{printable(result.speaker)}, seed {result.seed}: WER {result.before:.3f} before"
    after = "" if result.after is None else f", {result.after:.3f} after"
    fall = "" if result.fall is None else f" ({-result.fall:+.0%})".replace("%", " %")
    failure = f"; the training failed: {printable(result.failure)}" if result.failure else ""
    return f"{where}{after}{fall}, {result.seconds:.0f} s{failure}"


def main(arguments: Sequence[str]) -> None:
    """Teaches and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks voice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DIR", help="recordings of people, with their names")
    parser.add_argument("--people", nargs="+", metavar="SPEAKER", help=f"default: all with {LEARN + MEASURE} sentences")
    parser.add_argument("--split", help="of an audiofolder that has several (default: test)")
    parser.add_argument("--seeds", type=positive, default=3, help="trainings for each person (default: 3)")
    parser.add_argument("--checkpoint", metavar="DIR", help="start from this recogniser instead of the demo's own")
    parser.add_argument("--max-steps", metavar="N", help=argparse.SUPPRESS)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there, for a program to read")
    args = parser.parse_args(arguments)
    quiet()
    people = clips_by_person(read_people(args.data, args.split))
    options = ["--checkpoint", args.checkpoint] if args.checkpoint else []
    options += ["--max-steps", args.max_steps] if args.max_steps else []
    model = args.checkpoint or source("demo").fine_tuned
    chosen, results = choose_people(people, args.people), []
    print(f"{LEARN} clips to learn from, {MEASURE} others to measure on, on {machine()}", flush=True)
    for name in chosen:
        for seed in range(args.seeds):
            results.append(teach(name, people[name], seed, model, options))
            print(report(results[-1]), flush=True)
    falls = [one.fall for one in results if one.fall is not None]
    if falls:
        seconds = max(one.seconds for one in results)
        print(f"WER falls by {statistics.median(falls):.0%} at the median, {min(falls):.0%} at the least".replace(
            "%", " %") + f"; the longest training took {seconds:.0f} s")  # fmt: skip
    if args.json:
        write_json(args.json, {"machine": machine(), "results": [{**asdict(one), "fall": one.fall} for one in results]})
