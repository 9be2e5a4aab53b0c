"""python -m benchmarks.augmentation: does augmentation lower the word error rate on the demo corpus?

Fine-tunes the demo checkpoint with the demo's recipe, once for each augmentation and seed, and prints the WER on
validation rows, which choose the checkpoint, and on voices never heard. Each training takes minutes on two cores.

- masking: SpecAugment (https://arxiv.org/abs/1904.08779) by the model's own `mask_time_prob`;
- speed: batches up to 10 % faster or slower, the recipe's `speed_perturbation`;
- noise: white noise, 10 to 30 dB below the clip.

The noise's draw follows from seed, epoch and row, so a resumed training would meet the same ones.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from typing import Any

import numpy as np
from transformers import TrainerCallback

from asr_helpers import evaluation, loading, models, sources, training
from asr_helpers.inference import Recogniser
from asr_helpers.trainer import NumberedRows

MASKED = 0.06  # of a clip's frames may begin a mask of 10, as `mask_time_prob` counts
SPEED = 0.1
NOISE = (10, 30)  # dB


WAYS = ("none", "masking", "speed", "noise")


def add_noise(values: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Adds white noise to (num_samples,) input values, whose variance is 1, and scales them back to that."""
    level = 10 ** (-chance.uniform(*NOISE) / 20)
    noisy = values + level * chance.standard_normal(len(values), dtype=np.float32)
    return (noisy / np.sqrt(1 + level**2)).astype(np.float32)


class NoisyRows:
    """Training rows with noise, another in each epoch: a dataset for torch.

    Args:
        rows: `NumberedRows`.
        seed: of the draws.

    Attributes:
        epoch: the one that is read; the draws follow from it.
    """

    def __init__(self, rows: NumberedRows, seed: int):
        self.rows, self.seed, self.epoch = rows, seed, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, numbers: list[int]) -> list[dict[str, Any]]:
        items = self.rows.__getitems__(numbers)
        for item in items:
            chance = np.random.default_rng((self.seed, self.epoch, item["row"]))
            item["input_values"] = add_noise(item["input_values"], chance)
        return items


class Epochs(TrainerCallback):
    """Tells noisy rows which epoch begins."""

    def __init__(self, rows: NoisyRows):
        self.rows = rows

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.rows.epoch = int(state.epoch or 0)


def wers(way: str, seed: int, max_steps: int = -1) -> tuple[float, float]:
    """WER on validation rows and on voices never heard, after a training with one of WAYS."""
    import torch

    demo = sources.source("demo")
    splits = loading.load_splits(demo)
    processor = models.load_processor(demo.checkpoint)
    model = models.build_model(demo.checkpoint, processor, seed, fresh_head=True)
    if way == "masking":
        model.config.mask_time_prob = MASKED
        # The mask's own vector, as the library starts it: the demo checkpoint was made without masking and has none.
        model.wav2vec2.masked_spec_embed = torch.nn.Parameter(torch.empty(model.config.hidden_size).uniform_())
    recipe = training.recipe_for(demo, splits["train"], processor, fresh_head=True)
    recipe = replace(recipe, speed_perturbation=SPEED if way == "speed" else 0.0)
    with tempfile.TemporaryDirectory() as folder:
        args = training.training_arguments(folder, recipe, seed=seed, max_steps=max_steps)
        trainer = training.build_trainer(model, processor, splits["train"], splits["validation"], recipe, args)
        if way == "noise":
            trainer.train_dataset = NoisyRows(trainer.train_dataset, seed)
            trainer.add_callback(Epochs(trainer.train_dataset))
        trainer.train()
        scores, _ = evaluation.evaluate(Recogniser(trainer.model.eval(), processor), splits["test"])
    return trainer.state.best_metric, scores.wer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.augmentation", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, default=3, help="trainings for each")
    parser.add_argument("--max-steps", type=int, default=-1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    for way in args.only:
        found = [wers(way, seed, args.max_steps) for seed in range(args.seeds)]
        for rows, numbers in zip(("validation", "new voices"), zip(*found, strict=True), strict=True):
            each = ", ".join(f"{number:.3f}" for number in numbers)
            print(f"{way:8} {rows:11} WER {statistics.mean(numbers):.3f} ({each})", flush=True)


if __name__ == "__main__":
    main()
