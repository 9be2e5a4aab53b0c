"""Trains demo and people's digits with ten seeds each and prints all of them: WER on validation and test rows.

    python -m benchmarks seeds [--seeds 10] [--only demo digits] [--digits DIR] [--fresh-head]

Each training is `asr-helpers train` in a process of its own, then `asr-helpers evaluate` on the test rows. The results
so far are kept in outputs/seeds.json: a second run with the same package, rows, options and machine goes on with the
seeds that are missing. A seed whose training fails stays in the table, with what the command said.

`digits` needs a folder with train and test clips: `python -m benchmarks digits --help` says how to make it.
"""

import argparse
import hashlib
import json
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asr_helpers
from asr_helpers import InputError, evaluation, loading
from asr_helpers.cli.common import positive, printable, quiet
from asr_helpers.sources import source

from . import trainings
from .common import machine, write_json

HOW = (
    "digits needs a folder of people saying digits: clone github.com/Jakobovski/free-spoken-digit-dataset, run "
    "`python -m benchmarks digits free-spoken-digit-dataset/recordings outputs/digits`, and add --digits outputs/digits"
)
# What a training is not made of: a change there leaves the results as they are.
NOT_TRAINING = ("plots.py", "widgets", "app", "shipping.py")


@dataclass(frozen=True)
class SeedResult:
    """One seed's training.

    Attributes:
        name: "demo" or "digits".
        settings: `settings_digest` of what it was made with.
        options: of the training, such as "--fresh-head".
        seed: of the training.
        seconds: of the whole command, Python's start included.
        validation, test: WER; None where the training left no recogniser.
        blank_share: of the validation frames at the chosen checkpoint; None where it is not known.
        voices: WER of each voice of the test rows.
        failure: what a training that failed said; "" for a success.
    """

    name: str
    settings: str
    options: str
    seed: int
    seconds: float
    validation: float | None = None
    test: float | None = None
    blank_share: float | None = None
    voices: dict[str, float] = field(default_factory=dict)
    failure: str = ""


def settings_digest(data: str, arguments: Sequence[str], checkpoint: str | None = None) -> str:
    """A hash of all that a result depends on: package, demo, rows, options, checkpoint, machine and threads.

    Args:
        data: "demo" or a folder.
        arguments: of the training.
        checkpoint: a folder that the training starts from, where it is not the package's.
    """
    import torch

    digest = hashlib.sha256(repr((data, list(arguments), machine(), torch.get_num_threads())).encode())
    package = Path(asr_helpers.__file__).parent
    for path in sorted(package.rglob("*")):
        place = path.relative_to(package)
        if path.is_file() and path.suffix != ".pyc" and place.parts[0] not in NOT_TRAINING:
            digest.update(str(place).encode() + path.read_bytes())
    for folder in (name for name in (data, checkpoint) if name and Path(name).is_dir()):
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                content = path.read_bytes() if folder == checkpoint or path.suffix == ".csv" else b""
                digest.update(f"{path.relative_to(folder)} {path.stat().st_size} ".encode() + content)
    return digest.hexdigest()[:16]


def run_seed(name: str, data: str, seed: int, arguments: Sequence[str], settings: str) -> SeedResult:
    """Trains with one seed and measures what came out; the recogniser itself is thrown away.

    Args:
        name, settings: see `SeedResult`.
        data: "demo" or a folder.
        seed: of the training.
        arguments: of `asr-helpers train`.

    Raises:
        InputError: the command was stopped or not understood, or the test rows cannot be scored.
    """
    with tempfile.TemporaryDirectory() as folder:
        output_dir, options = Path(folder) / "recogniser", " ".join(arguments)
        done = trainings.train(data, output_dir, seed, arguments)
        if not (output_dir / "config.json").is_file():
            return SeedResult(name, settings, options, seed, done.seconds, failure=done.said or "it left no recogniser")
        scored = trainings.evaluate(data, output_dir).result
        return SeedResult(
            name=name,
            settings=settings,
            options=options,
            seed=seed,
            seconds=done.seconds,
            validation=done.result.get("wer_after"),
            test=scored["wer"],
            blank_share=chosen_blank_share(output_dir),
            voices=voice_wers(data, scored),
            failure=done.said,
        )


def chosen_blank_share(output_dir: Path) -> float | None:
    """The share of blank frames at the evaluation that chose the checkpoint; None where nothing was written down."""
    file = output_dir / "training.json"
    history = json.loads(file.read_text(encoding="utf-8"))["history"] if file.is_file() else []
    evaluations = [entry for entry in history if "eval_blank_share" in entry]
    return min(evaluations, key=lambda entry: entry["eval_wer"])["eval_blank_share"] if evaluations else None


def voice_wers(data: str, scored: dict[str, Any]) -> dict[str, float]:
    """The WER of each voice of the test rows.

    Args:
        data: "demo" or a folder.
        scored: what `asr-helpers evaluate` wrote: `transcripts`, and the rows `set_aside`.
    """
    rows = loading.load_splits(source(data), missing_files=True)["test"]
    gone = {one["row"] for one in scored["set_aside"]}
    columns = [name for name in ("speaker", "path") if name in rows.column_names]
    if not columns:
        return {}
    names = rows[columns[0]] if columns[0] == "speaker" else map(loading.voice_of, rows["path"])
    voices = [name or "?" for number, name in enumerate(names) if number not in gone]
    sides = ([pair[side] for pair in scored["transcripts"]] for side in ("reference", "hypothesis"))
    counts = evaluation.count_errors(*sides)
    return {name: evaluation.sum_counts(of).rate for name, of in evaluation.group_counts(voices, counts).items()}


def columns_of(results: Sequence[SeedResult]) -> dict[str, list[float | None]]:
    """A table's columns, a number for each seed: what is measured, then each voice's WER.

    >>> columns_of([SeedResult("demo", "", "", 0, 60.0, 0.1, 0.2, 0.5, {"ann": 0.2})])["ann"]
    [0.2]
    """
    columns = {
        "validation": [one.validation for one in results],
        "test": [one.test for one in results],
        "seconds": [one.seconds for one in results],
        "blank": [one.blank_share for one in results],
    }
    for name in sorted({name for one in results for name in one.voices}):
        columns[name] = [one.voices.get(name) for one in results]
    return columns


def summarise(numbers: Iterable[float | None]) -> tuple[float, float, float] | None:
    """Minimum, median and maximum of those that are there; None where none is.

    >>> summarise([0.3, None, 0.1, 0.2])
    (0.1, 0.2, 0.3)
    """
    there = [number for number in numbers if number is not None]
    return (min(there), statistics.median(there), max(there)) if there else None


def table(results: Sequence[SeedResult]) -> str:
    """The results for a person to read: a line for each seed, then minimum, median and maximum."""
    columns = columns_of(results)
    widths = {name: max(len(printable(name)), 6) for name in columns}

    def line(first: object, numbers: Iterable[float | None]) -> str:
        cells = [
            f"{'-' if number is None else format(number, '.0f' if name == 'seconds' else '.3f'):>{widths[name]}}"
            for name, number in zip(columns, numbers, strict=True)
        ]
        return "  ".join([f"{first:>6}", *cells])

    lines = ["  ".join(["  seed", *(f"{printable(name):>{widths[name]}}" for name in columns)])]
    lines += [line(one.seed, (numbers[place] for numbers in columns.values())) for place, one in enumerate(results)]
    summaries = [summarise(numbers) or (None, None, None) for numbers in columns.values()]
    for place, kind in enumerate(("min", "median", "max")):
        lines.append(line(kind, (summary[place] for summary in summaries)))
    failed = [one for one in results if one.failure]
    if failed:
        lines.append(f"{len(failed)} of {len(results)} trainings failed:")
        lines += [f"  seed {one.seed}: {printable(one.failure)}" for one in failed]
    return "\n".join(lines)


def read_results(file: Path) -> list[SeedResult]:
    """The results so far; none where there is no such file.

    Raises:
        InputError: it is no file of this command's.
    """
    if not file.is_file():
        return []
    try:
        return [SeedResult(**one) for one in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError):
        raise InputError(f"{str(file)!r} is not a list of seeds' results: move it away.") from None


def main(arguments: Sequence[str]) -> None:
    """Trains the seeds that are missing, and prints all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks seeds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=positive, default=10, help="trainings for each (default: 10, the seeds 0 to 9)")
    parser.add_argument("--only", nargs="+", choices=("demo", "digits"), help="default: both, where --digits is given")
    parser.add_argument("--digits", metavar="DIR", help="an audiofolder with train and test clips")
    parser.add_argument("--fresh-head", action="store_true", help="train with a fresh CTC head")
    parser.add_argument("--checkpoint", metavar="DIR", help="start from this one instead of the package's")
    parser.add_argument("--max-steps", metavar="N", help=argparse.SUPPRESS)
    parser.add_argument("--output", metavar="FILE", type=Path, default=Path("outputs/seeds.json"))
    args = parser.parse_args(arguments)
    names = args.only or (["demo", "digits"] if args.digits else ["demo"])
    if "digits" in names and not args.digits:
        raise InputError(f"{HOW}.")
    quiet()
    data = {"demo": "demo", "digits": args.digits}
    if "digits" in names and not {"train", "test"} <= set(loading.published_splits(source(args.digits))):
        raise InputError(f"{args.digits!r} has no train and test clips: {HOW}.")
    options = ["--fresh-head"] if args.fresh_head else []
    options += ["--checkpoint", args.checkpoint] if args.checkpoint else []
    options += ["--max-steps", args.max_steps] if args.max_steps else []
    print(f"on {machine()}", flush=True)
    results = read_results(args.output)
    for name in names:
        settings = settings_digest(data[name], options, args.checkpoint)
        own = {one.seed: one for one in results if (one.name, one.settings) == (name, settings)}
        for seed in range(args.seeds):
            if seed in own:
                continue
            if settings != settings_digest(data[name], options, args.checkpoint):
                raise InputError("The package or the rows changed while the seeds were trained: start again.")
            own[seed] = run_seed(name, data[name], seed, options, settings)
            results.append(own[seed])
            write_json(args.output, [asdict(one) for one in results])
            print(f"{name}, seed {seed}: {own[seed].seconds:.0f} s", flush=True)
        print(f"\n{name}, WER:\n{table([own[seed] for seed in range(args.seeds)])}\n", flush=True)
    if "digits" not in names and not args.only:
        print(f"{HOW}.")
