"""Measures the guide's way and ours in turn, each in a process of its own, and prints their ratios.

    python -m benchmarks [--size base] [--only TASK ...]

Writes outputs/bench.json, a list of `name`, `guide`, `ours`, `ratio` and `unit`, and a picture beside it. The ladder
goes from the guide's training step to ours, one change at a time: each rung is a row, `ours` its speed with all changes
so far, and `factor` how many times that is the rung's before.

Other measurements are commands of their own, and each takes --help:

    python -m benchmarks people DIR            a recogniser on people's recordings, by speaker
    python -m benchmarks seeds                 ten trainings each on the demo and on people's digits
    python -m benchmarks voice DIR             what ten sentences of one person teach
    python -m benchmarks digits SOURCE DEST    people's digits, from the Free Spoken Digit Dataset
    python -m benchmarks speed                 clips to text by pipeline, our recogniser and ONNX
    python -m benchmarks boundaries            word boundaries against those of synthetic speech
    python -m benchmarks hour                  an hour of sound: memory, a kill, and several processes
"""

import argparse
import importlib
import json
import statistics
import subprocess
import sys
from pathlib import Path

from asr_helpers import AsrError
from asr_helpers.cli.common import printable

from . import tasks
from .common import machine

COMMANDS = ("people", "seeds", "voice", "digits", "speed", "boundaries", "hour")

# name: what is measured, its unit, and whether more is better.
MEASURED = {
    "first_batch": ("time to the first batch, 336 clips prepared or 8", "s", False),
    "first_epoch": ("data time of the first epoch, 22 minutes of speech", "s", False),
    "later_epoch": ("data time of each later epoch", "s", False),
    "disk": ("bytes that preparing writes to disk", "bytes", False),
    "memory": ("memory that the first batch adds", "bytes", False),
    "padding": ("share of padding", "share", False),
    "eval_memory": ("memory that the evaluation of 1,000 clips adds", "bytes", False),
    "seconds_to_wer": ("time to a WER of 0.3 on voices never heard", "s", False),
    "wer": ("counting the word errors of 20,000 utterances", "s", False),
} | {rung: (f"training, + {change}", "s/s", True) for rung, change in tasks.LADDER.items()}
# Printed, and not among the names of bench.json.
PRINTED = {"memory"}
TASKS = ("first_batch", "padding", "ladder", "seconds_to_wer", "eval_memory", "wer")


def measure(task: str, way: str, setting: tasks.Setting) -> dict[str, float]:
    """One measurement, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "--one", task, way, json.dumps(vars(setting))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{task}, {way}: failed\n{done.stderr[-3_000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def ratio(theirs: float, ours: float, unit: str, more: bool) -> float:
    """How many times better ours is; nothing at all counts as one byte, or as 1e-9 of what is not bytes.

    >>> ratio(100.0, 25.0, "s", more=False), ratio(100.0, 25.0, "s/s", more=True)
    (4.0, 0.25)
    """
    return ours / theirs if more else theirs / max(ours, 1 if unit == "bytes" else 1e-9)


def said(name: str, number: float) -> str:
    """A number as a person reads it.

    >>> said("disk", 7.783e7), said("disk", 0), said("padding", 0.199), said("seconds_to_wer", 300)
    ('77.8 MB', 'none', '19.9 %', 'not in 300 s')
    """
    unit = MEASURED[name][1]
    if unit == "bytes":
        return f"{number / 1e6:,.3g} MB" if number else "none"
    if unit == "share":
        return f"{number:.1%}".replace("%", " %")
    return f"not in {number:g} s" if name == "seconds_to_wer" and number >= tasks.SECONDS else f"{number:,.3g} {unit}"


def medians(measured: list[dict[str, float]]) -> dict[str, float]:
    """Of each number, over the times it was measured.

    >>> medians([{"wer": 3.0}, {"wer": 1.0}, {"wer": 2.0}])
    {'wer': 2.0}
    """
    return {name: statistics.median(one[name] for one in measured) for name in measured[0]}


def hold_against(middle: dict[str, dict[str, float]]) -> list[dict]:
    """Prints the guide's numbers beside ours; returns their rows of bench.json."""
    results = []
    for name in (name for name in MEASURED if name in middle["ours"]):
        theirs, ours = middle["guide"][name], middle["ours"][name]
        what, unit, more = MEASURED[name]
        times = ratio(theirs, ours, unit, more)
        if name not in PRINTED:
            results.append({"name": name, "guide": theirs, "ours": ours, "ratio": times, "unit": unit})
        gain = f": {times:,.1f} times" if ours else ""
        print(f"{what}: the guide's way {said(name, theirs)}, ours {said(name, ours)}{gain}", flush=True)
    return results


def climb(middle: dict[str, dict[str, float]]) -> list[dict]:
    """Prints the ladder, a rung a line; returns their rows of bench.json."""
    (first, *rungs), speeds = middle, {rung: numbers["throughput"] for rung, numbers in middle.items()}
    print(f"speech trained on in a second, {tasks.LADDER[first]}: {said(first, speeds[first])}", flush=True)
    results, before = [], first
    for rung in rungs:
        theirs, ours = speeds[first], speeds[rung]
        row = {"name": rung, "guide": theirs, "ours": ours, "ratio": ours / theirs, "unit": "s/s"}
        results.append(row | {"factor": ours / speeds[before]})
        print(
            f"  + {tasks.LADDER[rung]}: {said(rung, ours)}, {ours / speeds[before]:.2f} times the line before, "
            f"{ours / theirs:.2f} times the guide's",
            flush=True,
        )
        before = rung
    if "bfloat16" not in rungs:
        print("  bfloat16 is left out: this processor does not multiply in it", flush=True)
    return results


def picture(results: list[dict], title: str):
    """A bar for each ratio, on an axis by powers of ten, with the two numbers behind it."""
    from asr_helpers.plots import BLUE, GREY, VERMILION, WIDTH, Picture

    most = 10_000  # where one of the two needs nothing, the ratio is without end
    figure = Picture(figsize=(WIDTH, 1.2 + 0.5 * len(results)), dpi=80, layout="constrained", facecolor="white")
    axes = figure.subplots()
    for place, one in enumerate(results):
        axes.barh(-place, min(one["ratio"], most) - 1, left=1, color=BLUE if one["ratio"] >= 1 else VERMILION)
        end = max(min(one["ratio"], most), 1)
        label = f"{said(one['name'], one['guide'])} / {said(one['name'], one['ours'])}"
        label = f"{one['ratio']:,.1f} ×   {label}" if one["ours"] else label
        axes.text(end * 1.1, -place, label, va="center", fontsize=9, color=GREY, parse_math=False)
    axes.set(xscale="log", xlim=(0.5, most * 300), xlabel="how many times better ours is: the guide's way / ours")
    axes.set_yticks([-place for place in range(len(results))], [MEASURED[one["name"]][0] for one in results])
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_title(title, fontsize=9, parse_math=False)
    return figure


def main() -> int:
    """Runs the command that is named, or else the comparison; returns the exit status."""
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        try:
            importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
        except (AsrError, OSError) as error:  # OSError: a disk that is full, a folder that may not be read
            print(f"benchmarks: {printable(error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("benchmarks: interrupted", file=sys.stderr)
            return 130
        return 0
    compare()
    return 0


def compare() -> None:
    """Measures both ways, and writes what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("demo", "base"), default="demo")
    parser.add_argument("--times", type=int, default=3, help="each way is measured so often, in turn")
    parser.add_argument("--only", nargs="*", choices=TASKS, default=TASKS)
    parser.add_argument("--output", type=Path, default=Path("outputs/bench.json"))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        task, way, setting = args.one
        print(json.dumps(getattr(tasks, task)(way, tasks.Setting(**json.loads(setting)))))
        return
    import torch

    # A GPU is through 24 clips of base size before it is warm.
    setting = tasks.Setting(args.size, 128 if args.size == "demo" else 1_024 if torch.cuda.is_available() else 24)
    where = f"{args.size} size on {machine()}"
    print(where, flush=True)
    results = []
    for task in args.only:
        found = {way: [] for way in (tasks.rungs() if task == "ladder" else ("guide", "ours"))}
        for _ in range(args.times):
            for way, numbers in found.items():
                numbers.append(measure(task, way, setting))
        middle = {way: medians(numbers) for way, numbers in found.items()}
        results += climb(middle) if task == "ladder" else hold_against(middle)
        if task == "seconds_to_wer":
            best = {way: min(one["best_wer"] for one in numbers) for way, numbers in found.items()}
            print(f"  the lowest WER seen: {best}; never at {tasks.TARGET} is counted as {tasks.SECONDS} s")
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results, indent=1) + "\n")
    args.output.with_suffix(".png").write_bytes(picture(results, where)._repr_png_())


if __name__ == "__main__":
    sys.exit(main())
