"""How fast clips become text, by `pipeline`, by our recogniser and by ONNX, in turn on the same clips.

    python -m benchmarks speed [--size demo] [--threads 2] [--rounds 3]

Speed is seconds of sound for a second of work, as the open ASR leaderboard has it: feature extraction and decoding are
counted, a first clip that warms everything up is not. Each round asks every way once, clip by clip; the medians of the
rounds are printed, and each way's speed by that of `pipeline` on one clip at a time. `--size base` is a model of
wav2vec2-base's size with random weights: its texts mean nothing, its time is that of a trained one.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .common import machine

ONE, BATCHES = "pipeline, one clip at a time", "pipeline, batches of 8, sorted by length"


def ways(recogniser: Any, folder: Path, threads: int) -> dict[str, Callable[[Sequence[np.ndarray]], list[str]]]:
    """By name, what writes clips down."""
    from asr_helpers import shipping
    from asr_helpers.inference import Recogniser
    from asr_helpers.models import has_bf16
    from asr_helpers.onnx_model import OnnxModel

    pipe, rate = recogniser.pipeline(), recogniser.sampling_rate

    def one_by_one(clips: Sequence[np.ndarray]) -> list[str]:
        return [pipe({"raw": clip, "sampling_rate": rate})["text"] for clip in clips]

    def in_batches(clips: Sequence[np.ndarray]) -> list[str]:
        sorted_clips = ({"raw": clip, "sampling_rate": rate} for clip in sorted(clips, key=len))
        return [found["text"] for found in pipe(sorted_clips, batch_size=8)]

    def ours(one: Recogniser) -> Callable[[Sequence[np.ndarray]], list[str]]:
        return lambda clips: [one.decode(one.emission(clip)).text for clip in clips]

    found = {ONE: one_by_one, BATCHES: in_batches, "ours, float32": ours(recogniser)}
    if has_bf16():
        found["ours, bfloat16"] = ours(replace(recogniser, bf16=True))
    shipping.write_graph(recogniser, folder / "model.onnx")
    shipping.write_files(recogniser, folder)
    shipping.quantise(folder / "model.onnx")
    for name, graph in (("ONNX, float32", "model.onnx"), ("ONNX, int8", "model.int8.onnx")):
        found[name] = ours(replace(recogniser, model=OnnxModel.load(folder / graph, threads)))
    return found


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("demo", "base"), default="demo")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(arguments)

    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    from asr_helpers import audio, loading
    from asr_helpers.cli.common import quiet
    from asr_helpers.inference import load_recogniser
    from asr_helpers.sources import source

    quiet()
    torch.set_num_threads(args.threads)
    recogniser = load_recogniser(source("demo").fine_tuned)
    if args.size == "base":
        torch.manual_seed(0)
        model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=32, pad_token_id=0)).eval()
        recogniser = replace(recogniser, model=model)
    rows = loading.load_splits(source("demo"))["test"].select(range(9 if args.size == "base" else 41))
    first, *clips = (audio.load(clip, recogniser.sampling_rate) for clip in rows["audio"])
    seconds = sum(map(len, clips)) / recogniser.sampling_rate
    print(f"{args.size}, {len(clips)} clips, {seconds:.0f} s of sound, {args.threads} threads, on {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        found = ways(recogniser, Path(folder), args.threads)
        times: dict[str, list[float]] = {name: [] for name in found}
        texts: dict[str, list[str]] = {}
        for way in found.values():
            way([first])
        for _ in range(args.rounds):
            for name, way in found.items():
                started = time.perf_counter()
                texts[name] = way(clips)
                times[name].append(time.perf_counter() - started)
    usual = statistics.median(times[ONE])
    for name, spent in times.items():
        middle = statistics.median(spent)
        same = sum(a == b for a, b in zip(sorted(texts[name]), sorted(texts[ONE]), strict=True))
        print(f"{name:42} {seconds / middle:7.1f} s/s  x {usual / middle:.2f}  same text {same} of {len(clips)}")
