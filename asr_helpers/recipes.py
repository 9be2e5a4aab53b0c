"""05  How to fine-tune: rates, epochs and batches, by the checkpoint's size and the hours of sound.

Conventions: rates are AdamW's peak rates. They rise over the warm-up and then fall to 0 in a line. A kept head is one
that writes the vocabulary already; a fresh head starts from random numbers.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from . import InputError

# Parameters. wav2vec2-base has 94 million, the large ones 315, the demo's checkpoint 7.
BASE_SIZE, LARGE_SIZE = 30e6, 200e6
MUCH = 30.0  # hours of sound, from which on few passes are enough
LITTLE = 0.05  # hours, three minutes: some sentences of one person, which a kept head soon knows by heart


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune.

    Attributes:
        learning_rate: the encoder's peak rate.
        head_learning_rate: the CTC head's; None for the encoder's.
        num_train_epochs: passes over the training rows.
        per_device_train_batch_size: clips in a step on one device.
        seconds_per_batch: instead, sound in a step on one device, padding included: clips of like length together.
        warmup_steps: a share of all steps (below 1), or their number. The encoder warms up when it begins to learn.
        head_fit_steps: before the training, so many steps of a fresh head alone, on frames that the encoder makes once
            (`heads.fit_head`). For an encoder that has learnt to write: its frames tell letters apart.
        head_only_steps: a share of all steps, or their number; so long only the head learns, then the encoder joins in.
            What a random head asks of an encoder would undo what it knows. wav2vec 2.0's authors fine-tune in this way
            (https://arxiv.org/abs/2006.11477).
        freeze_feature_encoder: keep the convolutions as they are.
        speed_perturbation: play each training batch up to this share faster or slower, another share in each step
            (https://www.isca-archive.org/interspeech_2015/ko15_interspeech.html). A clip that its labels fit only just
            is passed over by the loss where it is played too fast for them.
    """

    learning_rate: float
    head_learning_rate: float | None
    num_train_epochs: float
    per_device_train_batch_size: int = 8
    seconds_per_batch: float | None = None
    warmup_steps: float = 0.1
    head_fit_steps: int = 0
    head_only_steps: float = 0.0
    freeze_feature_encoder: bool = True
    speed_perturbation: float = 0.0

    def __str__(self) -> str:
        """On one line, as `asr-helpers train` prints it."""
        return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                         for name, value in asdict(self).items())  # fmt: skip


def choose_recipe(parameters: int, hours: float | None, fresh_head: bool) -> Recipe:
    """The recipe for an encoder of so many parameters and so many hours of training sound.

    Args:
        parameters: of the whole model. Below 30 million it is of the demo checkpoint's kind, below 200 million of
            wav2vec2-base's, else a large one.
        hours: of sound to train on; None where nobody knows, as with a stream.
        fresh_head: the head starts from random numbers.

    Source:
        The demo checkpoint's rates are our own (CONTRIBUTING.md).
        Base and large, below 30 hours: rate and epochs of transformers' CTC examples (TIMIT for wav2vec2-base,
        Common Voice Turkish for XLSR-53), from 30 hours on those of its LibriSpeech runs
        (https://github.com/huggingface/transformers/tree/main/examples/pytorch/speech-recognition). Warm-up, frozen
        convolutions and the seconds in a batch are those of wav2vec 2.0 and XLS-R (https://arxiv.org/abs/2006.11477,
        https://arxiv.org/abs/2111.09296, fairseq's `vox_10h.yaml`). They give a fresh head the encoder's rate and
        13,000 steps or more; for the fewer steps of one machine ours gets 10 or 20 times as much and a start alone.

    >>> choose_recipe(94_000_000, hours=1.3, fresh_head=True).learning_rate
    0.0001
    """
    few = hours is not None and hours < MUCH
    if parameters < BASE_SIZE:
        # So many passes that an hour or more is heard: some minutes on two cores.
        heard = 1.2 if fresh_head else 1.4
        epochs = max(3, min(40, round(heard / hours))) if hours else 3
        if fresh_head:
            return Recipe(
                learning_rate=1e-4, head_learning_rate=1e-3, num_train_epochs=epochs, head_fit_steps=300,
                speed_perturbation=0.1,
            )  # fmt: skip
        little = hours is not None and hours < LITTLE
        return Recipe(
            learning_rate=1e-4 if little else 5e-4, head_learning_rate=None, num_train_epochs=12 if little else epochs,
            freeze_feature_encoder=False, speed_perturbation=0.1,
        )  # fmt: skip
    base = parameters < LARGE_SIZE
    rate = 1e-4 if base and few else 3e-4
    epochs = (20 if base else 15) if few else 3
    return Recipe(
        learning_rate=rate,
        head_learning_rate=rate * (20 if base else 10) if fresh_head else None,
        num_train_epochs=epochs,
        seconds_per_batch=80.0,
        head_only_steps=0.1 if fresh_head else 0.0,
    )


def read_recipe(path: str | Path) -> dict[str, Any]:
    """A recipe, or a part of one, from a JSON file: an object with fields of `Recipe`.

    Raises:
        InputError: the file cannot be read, is no JSON object, or names something that `Recipe` lacks.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The recipe {str(path)!r} cannot be read ({error}): give a JSON object.") from None
    if not isinstance(found, dict):
        raise InputError(f'The recipe {str(path)!r} is no JSON object: write {{"learning_rate": 0.0005}}, say.')
    return found


def changed(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """The recipe with some of its fields changed; a batch size takes the place of seconds in a batch.

    Raises:
        InputError: a name is no field of `Recipe`, or a value is of the wrong kind or below 0.

    >>> changed(choose_recipe(94_000_000, 1.3, fresh_head=True), {"num_train_epochs": 2}).num_train_epochs
    2
    """
    known = {field.name: field.type for field in fields(Recipe)}
    for name, value in changes.items():
        if name not in known:
            raise InputError(f"A recipe has no {name!r}: it has {', '.join(known)}.")
        if name == "freeze_feature_encoder":
            right = isinstance(value, bool)
        else:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            right = (number and value >= 0) or (value is None and "None" in str(known[name]))
        if not right:
            raise InputError(f"The recipe's {name} cannot be {value!r}: see asr_helpers.recipes.Recipe.")
    if "per_device_train_batch_size" in changes and "seconds_per_batch" not in changes:
        changes = {**changes, "seconds_per_batch": None}
    return Recipe(**{**asdict(recipe), **changes})
