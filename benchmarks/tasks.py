"""What is measured, for each way: a function `name(way, setting)` that returns numbers. Each runs in its own process.

A way is "guide" or "ours"; the ladder's are the rungs between the two.

Units: s, bytes, shares of 1. `setting` names the model's size and how many clips.
"""

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from asr_helpers import collation, evaluation, loading, models, preprocessing, samplers, sources, training
from asr_helpers.recipes import Recipe

from . import guide
from .common import peak_memory

EVALUATED = 1_000  # clips
SCORED = 20_000  # utterances of 20 words
TARGET = 0.3  # WER
SECONDS = 300  # how long a training may try to reach it
# From the guide's training step to ours: each rung keeps the changes of those before it and adds its own.
LADDER = {
    "guide_step": "the guide's step",
    "no_checkpointing": "no gradient checkpointing",
    "frozen": "convolutions frozen",
    "recurring": "shapes that recur",  # batches are padded to a multiple of 0.64 s
    "decoded": "rows decoded as they come",  # in the training's time; before, they are prepared ahead of it
    "duration": "batches by duration",  # of as much sound as the guide's; their shapes need not recur
    "minute": "batches of a minute",
    "workers": "rows decoded by processes beside the training's",
    "bfloat16": "bfloat16",
}


@dataclass(frozen=True)
class Setting:
    """How the benchmark is run.

    Attributes:
        size: "demo", the embedded checkpoint, or "base", a random model of wav2vec2-base's shape.
        clips: how many throughput is measured over; the corpus again and again where it has fewer.
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
    """What the data takes: s to the first batch, to the end of the first epoch, and of a later epoch; bytes written.

    The guide's way prepares all clips before the first batch, ours each batch's as it comes, in every epoch again.
    `memory` is what is added up to the first batch. No model is trained meanwhile.
    """
    import torch

    rows, processor = _rows(), _processor()
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        times = [time.perf_counter()]
        if way == "guide":
            ready, collate = guide.prepare(rows, processor, Path(folder)), partial(guide.collate, processor=processor)
        else:
            ready = preprocessing.prepare(rows, processor)
            collate = collation.DataCollatorCTCWithPadding(processor)
        loader = torch.utils.data.DataLoader(ready, guide.BATCH_SIZE, shuffle=True, collate_fn=collate)
        batches = iter(loader)
        next(batches)
        times.append(time.perf_counter())
        memory = peak_memory() - before
        for rest in (batches, loader):
            for _ in rest:
                pass
            times.append(time.perf_counter())
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {
        "first_batch": times[1] - times[0], "first_epoch": times[2] - times[0], "later_epoch": times[3] - times[2],
        "disk": written, "memory": memory,
    }  # fmt: skip


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


def rungs() -> list[str]:
    """Those of LADDER that this machine can climb: with a GPU for `workers`, with bfloat16 for the last one."""
    can = {"workers": models.dataloader_workers() > 0, "bfloat16": models.has_bf16()}
    return [rung for rung in LADDER if can.get(rung, True)]


def ladder(rung: str, setting: Setting) -> dict[str, float]:
    """Seconds of speech trained on in a second with a rung's changes: one epoch, after two steps to warm up."""
    rows = _rows().shuffle(seed=0)
    rows = rows.select(list(islice(cycle(range(len(rows))), setting.clips)))
    with tempfile.TemporaryDirectory() as folder:
        ladder_trainer(rung, setting, rows, folder, max_steps=2).train()
        metrics = ladder_trainer(rung, setting, rows, folder, num_train_epochs=1).train().metrics
    return {"throughput": sum(loading.durations(rows)) / metrics["train_runtime"]}


def ladder_trainer(rung: str, setting: Setting, rows, folder: str, **arguments):
    """A trainer with a rung's change and those of all rungs below; each step is over two batches, as the guide's."""
    on = list(LADDER)[: list(LADDER).index(rung) + 1]
    seconds_per_batch = None
    if "minute" in on:
        seconds_per_batch = 60.0
    elif "duration" in on:  # as much sound in a batch, padding included, as the guide's have on average
        seconds = loading.durations(rows)
        batches = samplers.random_batches(seconds, guide.BATCH_SIZE)
        seconds_per_batch = float(np.mean([len(batch) * max(seconds[clip] for clip in batch) for batch in batches]))
    recipe = Recipe(
        guide.LEARNING_RATE, None, 1, guide.BATCH_SIZE, seconds_per_batch, freeze_feature_encoder="frozen" in on
    )
    arguments |= {
        "gradient_checkpointing": "no_checkpointing" not in on, "gradient_accumulation_steps": 2,
        "bf16": "bfloat16" in on, "dataloader_num_workers": models.dataloader_workers() if "workers" in on else 0,
    }  # fmt: skip
    way = "ours" if "decoded" in on else "guide"
    trainer = _trainer(way, setting, rows, rows.select(range(4)), folder, recipe, **arguments)
    if "frozen" in on:
        trainer.model.freeze_feature_encoder()
    if way == "guide" and "recurring" in on:
        trainer.data_collator = partial(trainer.data_collator, pad_to_multiple_of=collation.PAD_TO_MULTIPLE_OF)
    return trainer


def seconds_to_wer(way: str, setting: Setting) -> dict[str, float]:
    """How long until the held-out voices' WER is at most TARGET, evaluations included; the limit if it never is."""
    from .watch import Watch

    splits = loading.load_splits(sources.source("demo"))
    recipe = _recipe()
    watch = Watch(TARGET, SECONDS)
    often = {"eval_strategy": "steps", "eval_steps": 15 if way == "ours" else 50}
    length = {"max_steps": 2_000} if way == "guide" else {}
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(way, setting, splits["train"], splits["test"], folder, recipe, **often, **length)
        trainer.add_callback(watch)
        trainer.train()
    return {"seconds_to_wer": watch.seconds, "best_wer": min(watch.wers)}
