"""python -m benchmarks: measures the guide's way and ours in turn, prints their ratios, writes outputs/bench.json."""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from . import tasks

# name: what is measured, its unit, and whether more is better.
MEASURED = {
    "first_batch": ("preparing 22 minutes of audio, to the first batch", "s", False),
    "disk": ("bytes written to disk for it", "bytes", False),
    "padding": ("share of padding", "share", False),
    "eval_memory": ("memory that the evaluation of 1,000 clips adds", "bytes", False),
    "throughput_same": ("speech trained on in a second, float32", "s/s", True),
    "throughput_best": ("speech trained on in a second, ours at its best", "s/s", True),
    "seconds_to_wer": ("time to a WER of 0.3 on voices never heard", "s", False),
    "wer": ("scoring 20,000 utterances", "s", False),
}
TASKS = ("first_batch", "padding", "throughput_same", "throughput_best", "seconds_to_wer", "eval_memory", "wer")


def measure(task: str, way: str, setting: tasks.Setting) -> dict[str, float]:
    """One measurement, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "--one", task, way, json.dumps(vars(setting))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{task}, {way}: failed\n{done.stderr[-3_000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
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
    setting = tasks.Setting(args.size, clips=128 if args.size == "demo" else 24, seconds=300)
    results = []
    for task in args.only:
        found = {"guide": [], "ours": []}
        for _ in range(args.times):
            for way, numbers in found.items():
                numbers.append(measure(task, way, setting))
        for name in MEASURED.keys() & found["ours"][0].keys():
            theirs, ours = (statistics.median(one[name] for one in found[way]) for way in ("guide", "ours"))
            what, unit, more = MEASURED[name]
            # Nothing at all counts as one byte.
            ratio = ours / theirs if more else theirs / max(ours, 1 if unit == "bytes" else 1e-9)
            results.append({"name": name, "guide": theirs, "ours": ours, "ratio": ratio, "unit": unit})
            print(f"{what}: the guide's way {theirs:,.4g} {unit}, ours {ours:,.4g}: {ratio:,.1f} times", flush=True)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
