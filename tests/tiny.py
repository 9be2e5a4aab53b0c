"""A Wav2Vec2 of a few thousand parameters and a few seconds of sound: tests train and transcribe in moments."""

import csv
import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from asr_helpers.models import build_model, load_processor
from asr_helpers.recipes import Recipe
from asr_helpers.sources import source

TEXTS = ("HELLO", "CARD", "MY BANK", "PAY IT", "LOST", "NO", "A BILL", "YES", "I OWE", "CASH", "SEND", "WHO")


def processor():
    """The demo's: 32 tokens, blank 0, 16 kHz."""
    return load_processor(source("demo").checkpoint)


def write_checkpoint(folder: Path, head: bool = False, **config) -> Path:
    """A random encoder with its processor; with `head`, a random CTC head too."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

    torch.manual_seed(1)
    sizes = {
        "vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip
    still = dict.fromkeys(
        "hidden_dropout attention_dropout activation_dropout feat_proj_dropout final_dropout mask_time_prob".split(),
        0.0,
    )
    model = (Wav2Vec2ForCTC if head else Wav2Vec2Model)(Wav2Vec2Config(**sizes | still | config))
    model.save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder


def clip(number: int, seconds: float = 0.5) -> bytes:
    """A tone of its own pitch in a little noise: 8 kHz WAV."""
    time = np.arange(round(seconds * 8_000)) / 8_000
    noise = np.random.default_rng(number).normal(0, 0.02, len(time))
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 150 * (number + 1) * time) + noise, 8_000, format="WAV")
    return file.getvalue()


def rows(count: int, seconds: float = 0.5, longer: float = 0.0):
    """A dataset of clips, each so much longer than the one before, each with one of TEXTS."""
    from datasets import Dataset

    return Dataset.from_list(
        [
            {
                "audio": {"bytes": clip(number, seconds + number * longer), "path": f"{number}.wav"},
                "transcription": TEXTS[number % 12],
            }
            for number in range(count)
        ]
    )


RECIPE = Recipe(learning_rate=1e-3, head_learning_rate=2e-2, num_train_epochs=3, per_device_train_batch_size=3)


def environment() -> dict[str, str]:
    """For a process that a test starts: this checkout's package, one thread."""
    here = Path(__file__).resolve().parent
    paths = [str(here.parent), str(here), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}


# TrainingArguments of a run that keeps a checkpoint of each step, and evaluates nothing.
EACH_STEP = {
    "save_steps": 1, "logging_steps": 1, "save_total_limit": None,
    "eval_strategy": "no", "load_best_model_at_end": False,
}  # fmt: skip


def tuner(checkpoint: Path):
    """What fine-tunes a checkpoint on 12 clips of different lengths: 4 steps an epoch with RECIPE, in float32.

    As in any training, a checkpoint is saved and the validation rows are measured every quarter.
    """
    from asr_helpers import training

    def tune(folder, recipe=RECIPE, clips=12, streamed=False, **changes):
        tiny_source = replace(source("demo"), checkpoint=str(checkpoint), recipe=recipe)
        changes = {"bf16": False, **changes}
        train = rows(clips, 0.4, 0.02)
        train = train.to_iterable_dataset(num_shards=3) if streamed else train
        return training.fine_tune(tiny_source, train, rows(2), processor(), folder, **changes)

    return tune


def one_step(checkpoint: Path, folder: Path, accepts_loss_kwargs: bool | None = None, **changes) -> tuple[float, float]:
    """Loss and gradient norm of one step over 8 clips."""
    from asr_helpers import training

    recipe = replace(RECIPE, head_only_steps=0)
    model = build_model(str(checkpoint), processor())
    if accepts_loss_kwargs is not None:
        model.accepts_loss_kwargs = accepts_loss_kwargs
    args = training.training_arguments(
        folder, recipe, max_steps=1, logging_steps=1, bf16=False, save_strategy="no", eval_strategy="no",
        load_best_model_at_end=False, **changes,
    )  # fmt: skip
    trainer = training.build_trainer(model, processor(), rows(8), rows(8), recipe, args)
    trainer.train()
    return trainer.state.log_history[0]["loss"], trainer.state.log_history[0]["grad_norm"]


def losses(result) -> list[float]:
    """Of each step that was logged."""
    return [entry["loss"] for entry in result.history if "loss" in entry]


def write_audiofolder(folder: Path, sounds: list[bytes], texts: list[str], suffix: str = "wav") -> Path:
    """A folder of one's own: sound files and a metadata.csv."""
    folder.mkdir(parents=True)
    with open(folder / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "transcription"])
        for number, (sound, text) in enumerate(zip(sounds, texts, strict=True)):
            (folder / f"{number}.{suffix}").write_bytes(sound)
            table.writerow([f"{number}.{suffix}", text])
    return folder


if __name__ == "__main__":
    # Trains as `tuner` does, for each folder named on standard input in a process of its own, to be killed at will;
    # there it goes on from the newest checkpoint. Prints the process id and, once it has ended, its status.
    import jiwer  # noqa: F401  these are imported once, here
    import torch
    import transformers
    from transformers import Trainer, Wav2Vec2ForCTC  # noqa: F401

    from asr_helpers import training  # noqa: F401
    from asr_helpers.checkpoints import newest_whole

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tune, answers = tuner(Path(sys.argv[1])), sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        if not (process := os.fork()):
            status = 1
            try:
                tune(line.strip(), resume=newest_whole(line.strip())[0] is not None)
                status = 0
            finally:
                os._exit(status)
        print(process, file=answers, flush=True)
        print(os.waitpid(process, 0)[1], file=answers, flush=True)
