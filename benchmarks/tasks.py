"""What is measured, for each way: a function `name(way, setting)` that returns numbers. Each runs in its own process.

Units: s, bytes, shares of 1. `setting` names the model's size and how many clips.
"""

import tempfile
import time
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from asr_helpers import collation, evaluation, loading, models, preprocessing, samplers, sources, training

from . import guide
from .common import peak_memory

EVALUATED = 1_000  # clips
SCORED = 20_000  # utterances of 20 words
TARGET = 0.3  # WER
SECONDS = 300  # how long a training may try to reach it


@dataclass(frozen=True)
class Setting:
    """How the benchmark is run.

    Attributes:
        size: "demo", the embedded checkpoint, or "base", a random model of wav2vec2-base's shape.
        clips: how many throughput is measured over.
    """

    size: str
    clips: int


def _rows():
    """The whole demo corpus: 336 clips, 22 minutes."""
    return loading.load_rows(sources.source("demo"))


def _processor():
    return models.load_processor(sources.source("demo").checkpoint)


def _recipe():
    """Ours for the demo: notebook 05's, with a fresh head, as the guide has one."""
    demo = sources.source("demo")
    return training.recipe_for(demo, loading.load_splits(demo)["train"], _processor(), fresh_head=True)


def _model(setting: Setting):
    if setting.size == "demo":
        return models.build_model(sources.source("demo").checkpoint, _processor(), fresh_head=True)
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, set_seed

    set_seed(0)
    return Wav2Vec2ForCTC(Wav2Vec2Config(ctc_loss_reduction="mean", ctc_zero_infinity=True, layerdrop=0.0))


def first_batch(way: str, setting: Setting) -> dict[str, float]:
    """From rows to the first batch a model can eat: time, bytes written to disk, peak memory."""
    import torch

    rows, processor = _rows(), _processor()
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        ready = (
            guide.prepare(rows, processor, Path(folder)) if way == "guide" else preprocessing.prepare(rows, processor)
        )
        collate = collation.DataCollatorCTCWithPadding(processor)
        next(iter(torch.utils.data.DataLoader(ready, guide.BATCH_SIZE, shuffle=True, collate_fn=collate)))
        seconds = time.perf_counter() - started
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {"first_batch": seconds, "disk": written, "memory": peak_memory() - before}


def wer(way: str, setting: Setting) -> dict[str, float]:
    """The time to count the word errors of 20,000 utterances of 20 words, a tenth of them wrong."""
    chance = np.random.default_rng(0)
    words = np.array([f"W{number}" for number in range(500)])
    said = words[chance.integers(0, len(words), (SCORED, 20))]
    heard = np.where(chance.random(said.shape) < 0.1, "X", said)
    references, hypotheses = ([" ".join(line) for line in lines] for lines in (said, heard))
    import jiwer  # noqa: F401  imported before the clock starts

    started = time.perf_counter()
    if way == "guide":
        found = guide.word_error_rate(references, hypotheses)
    else:
        found = evaluation.sum_counts(evaluation.count_errors(references, hypotheses)).rate
    return {"wer": time.perf_counter() - started, "rate": found}


def padding(way: str, setting: Setting) -> dict[str, float]:
    """The share of padding in an epoch's batches: the guide's eight random clips, ours of about a minute."""
    seconds = loading.durations(_rows())
    if way == "guide":
        batches = samplers.random_batches(seconds, guide.BATCH_SIZE)
    else:
        batches = list(samplers.DurationBatchSampler(seconds, 60))
    return {"padding": samplers.total_padding_share(seconds, batches)}


def eval_memory(way: str, setting: Setting) -> dict[str, float]:
    """What the evaluation of 1,000 clips adds to the process's peak memory, beyond that of a few clips."""
    rows, processor, model = _rows(), _processor(), _model(setting)
    many = rows.select(list(islice(cycle(range(len(rows))), EVALUATED)))
    longest = int(np.argmax(loading.durations(many)))
    with tempfile.TemporaryDirectory() as folder:
        if way == "guide":
            ready = guide.prepare(many, processor, Path(folder))
            trainer = guide.trainer(model, processor, ready, ready, Path(folder))
        else:
            recipe = _recipe()
            args = training.training_arguments(folder, recipe)
            trainer = training.build_trainer(model, processor, many, many, recipe, args)
            ready = trainer.eval_dataset
        trainer.evaluate(ready.select([longest] * guide.BATCH_SIZE))  # so that the model's own memory is there already
        before = peak_memory()
        trainer.evaluate()
    return {"eval_memory": peak_memory() - before}


def _trainer(way: str, setting: Setting, rows, evaluation, folder: str, recipe, **arguments):
    processor, model = _processor(), _model(setting)
    arguments = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False} | arguments
    if way == "guide":
        ready = [guide.prepare(part, processor, Path(tempfile.mkdtemp(dir=folder))) for part in (rows, evaluation)]
        return guide.trainer(model, processor, *ready, Path(folder), **arguments)
    args = training.training_arguments(folder, recipe, **arguments)
    return training.build_trainer(model, processor, rows, evaluation, recipe, args)


def _throughput(way: str, setting: Setting, **arguments) -> float:
    """Seconds of speech trained on in a second: one epoch, after two steps to warm up."""
    rows = _rows().shuffle(seed=0).select(range(setting.clips))
    seconds = loading.durations(rows)
    # As much sound in a batch, padding included, as the guide's have on average.
    batches = samplers.random_batches(seconds, guide.BATCH_SIZE)
    budget = float(np.mean([len(batch) * max(seconds[clip] for clip in batch) for batch in batches]))
    recipe = replace(_recipe(), seconds_per_batch=arguments.pop("budget", budget))
    with tempfile.TemporaryDirectory() as folder:
        few = rows.select(range(4))
        _trainer(way, setting, rows, few, folder, recipe, max_steps=2, **arguments).train()
        trainer = _trainer(way, setting, rows, few, folder, recipe, num_train_epochs=1, **arguments)
        return sum(seconds) / trainer.train().metrics["train_runtime"]


def throughput_same(way: str, setting: Setting) -> dict[str, float]:
    """Both in float32, with batches of as much sound, padding included."""
    return {"throughput_same": _throughput(way, setting, bf16=False)}


def throughput_best(way: str, setting: Setting) -> dict[str, float]:
    """Ours in bfloat16, where the processor multiplies in it, and batches of a minute; the guide's as it is."""
    ours = {"bf16": models.has_bf16(), "budget": 60.0}
    return {"throughput_best": _throughput(way, setting, **(ours if way == "ours" else {"bf16": False}))}


def seconds_to_wer(way: str, setting: Setting) -> dict[str, float]:
    """How long until the held-out voices' WER is at most TARGET, evaluations included; the limit if it never is."""
    from transformers import TrainerCallback

    splits = loading.load_splits(sources.source("demo"))
    recipe = _recipe()

    class Watch(TrainerCallback):
        wers, seconds, started = (), SECONDS, 0.0

        def on_train_begin(self, args, state, control, **kwargs):
            self.started = time.perf_counter()

        def on_evaluate(self, args, state, control, metrics, **kwargs):
            spent = time.perf_counter() - self.started
            self.wers = (*self.wers, metrics["eval_wer"])
            if metrics["eval_wer"] <= TARGET:
                self.seconds = min(self.seconds, spent)
            control.should_training_stop = spent >= self.seconds

    watch = Watch()
    often = {"eval_strategy": "steps", "eval_steps": 15 if way == "ours" else 50}
    length = {"max_steps": 2_000} if way == "guide" else {}
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(way, setting, splits["train"], splits["test"], folder, recipe, **often, **length)
        trainer.add_callback(watch)
        trainer.train()
    return {"seconds_to_wer": watch.seconds, "best_wer": min(watch.wers)}
