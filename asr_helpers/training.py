"""05  Batches to a checkpoint.

Conventions: a checkpoint folder holds the model (safetensors), its processor and a model
card. Rates are AdamW's peak rates; they rise over the warm-up and then fall to 0 in a line.
The training loop is `transformers.Trainer`'s.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import AsrError
from .collation import DataCollatorCTCWithPadding
from .evaluation import argmax_ids, compute_metrics
from .preprocessing import prepare
from .sources import Recipe, Source

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import ProcessorMixin, Trainer, TrainerCallback, TrainingArguments, Wav2Vec2ForCTC

# Samples. Batches padded to multiples of 32 frames have shapes that recur: on a CPU they run faster.
PAD_TO_MULTIPLE_OF = 32 * 320


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        output_dir: the checkpoint folder.
        wer_before, wer_after: on the validation rows, with a fresh head and with the best checkpoint.
        seconds: of training and its evaluations.
        history: the Trainer's log, a dict for each entry.
    """

    output_dir: str
    wer_before: float
    wer_after: float
    seconds: float
    history: list[dict[str, Any]] = field(repr=False)


def build_model(checkpoint: str, processor: "ProcessorMixin", seed: int = 0) -> "Wav2Vec2ForCTC":
    """An encoder with a fresh CTC head of the processor's vocabulary.

    Args:
        checkpoint: a folder or a name on the hub.
        processor: its tokenizer's size is the head's, its padding token the CTC blank.
        seed: of the head's random start.

    Raises:
        AsrError: the checkpoint lacks weights of its encoder.
    """
    import torch
    from transformers import AutoModelForCTC, set_seed
    from transformers.utils import logging

    set_seed(seed)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # its report would call the fresh head a mistake
    try:
        model, report = AutoModelForCTC.from_pretrained(
            checkpoint,
            dtype=torch.float32,
            vocab_size=len(processor.tokenizer),
            pad_token_id=processor.tokenizer.pad_token_id,
            ctc_loss_reduction="mean",
            ctc_zero_infinity=True,
            layerdrop=0.0,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(verbosity)
    # masked_spec_embed is the mask's own vector: a checkpoint never trained with masking has none.
    missing = {key for key in report["missing_keys"] if not key.startswith("lm_head") and "masked_spec" not in key}
    if missing:
        raise AsrError(f"The checkpoint {checkpoint!r} lacks weights of its encoder, such as {sorted(missing)[0]!r}.")
    # A head that came with the checkpoint starts anew: fine-tuning means the same for every checkpoint.
    model.lm_head.reset_parameters()
    # forward takes **kwargs, from which Trainer concludes that it averages the loss over the accumulated
    # batches. It does not: without this line, 4 accumulation steps give 4 times the gradient.
    model.accepts_loss_kwargs = False
    return model


def parameter_groups(model: "Wav2Vec2ForCTC", recipe: Recipe) -> list[dict[str, Any]]:
    """The optimizer's groups: the encoder at its rate, the fresh head at its own, much higher."""
    head = list(model.lm_head.parameters())
    encoder = [p for name, p in model.named_parameters() if not name.startswith("lm_head") and p.requires_grad]
    return [
        {"params": encoder, "lr": recipe.learning_rate},
        {"params": head, "lr": recipe.head_learning_rate},
    ]


def has_bf16() -> bool:
    """Whether this machine multiplies in bfloat16 by itself; emulated, it would be slower than float32."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # mkldnn says yes on every machine with AVX-512; without one of these two it emulates, at half float32's speed.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def training_arguments(output_dir: str | Path, recipe: Recipe, **changes: Any) -> "TrainingArguments":
    """The recipe in `TrainingArguments`' words; `changes` are its own arguments, unrenamed."""
    import torch
    from transformers import TrainingArguments

    arguments = {
        "output_dir": str(output_dir),
        "learning_rate": recipe.learning_rate,
        "num_train_epochs": recipe.num_train_epochs,
        "per_device_train_batch_size": recipe.per_device_train_batch_size,
        "per_device_eval_batch_size": 1,  # a model with group norm hears padding: measure without any
        "warmup_steps": recipe.warmup_steps,
        "lr_scheduler_type": "linear",
        "use_cpu": not torch.cuda.is_available(),
        "bf16": has_bf16(),
        "eval_strategy": "steps",
        "save_strategy": "steps",
        "logging_strategy": "steps",
        "eval_steps": 1 / 4,
        "save_steps": 1 / 4,
        "logging_steps": 1 / 16,
        "save_total_limit": 1,
        "load_best_model_at_end": True,
        "metric_for_best_model": "wer",
        "greater_is_better": False,
        "logging_nan_inf_filter": False,  # a loss that is not a number is to be seen
        "remove_unused_columns": False,  # the columns are made when a row is asked for
        "report_to": "none",
        "disable_tqdm": True,  # a line at each evaluation takes the bars' place
    }
    return TrainingArguments(**{**arguments, **changes})


def build_trainer(
    model: "Wav2Vec2ForCTC",
    processor: "ProcessorMixin",
    train: "Dataset",
    validation: "Dataset",
    recipe: Recipe,
    args: "TrainingArguments",
    callbacks: Sequence["TrainerCallback"] = (),
) -> "Trainer":
    """A `Trainer` over prepared rows, with the recipe's two rates, that prints a line at each evaluation.

    Args:
        train, validation: rows as they were loaded; `preprocessing.prepare` is applied here.
        callbacks: what else watches the training, such as `widgets.training_view()`.
    """
    import torch
    from transformers.trainer_callback import PrinterCallback

    if recipe.freeze_feature_encoder:
        model.freeze_feature_encoder()
    trainer = _trainer_class(recipe.head_only_steps)(
        model=model,
        args=args,
        data_collator=DataCollatorCTCWithPadding(processor, PAD_TO_MULTIPLE_OF),
        train_dataset=prepare(train, processor),
        eval_dataset=prepare(validation, processor),
        processing_class=processor,
        compute_metrics=partial(compute_metrics, processor=processor),
        preprocess_logits_for_metrics=argmax_ids,
        callbacks=[_progress(), *callbacks],
        optimizers=(torch.optim.AdamW(parameter_groups(model, recipe), weight_decay=0.005, fused=True), None),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _trainer_class(head_only_steps: float):
    """A `Trainer` whose encoder stands still for so many steps, a share of all where it is below 1."""
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import Trainer

    class HeadFirstTrainer(Trainer):
        def create_scheduler(self, num_training_steps, optimizer=None):
            if self.lr_scheduler is None:
                usual = super().create_scheduler(num_training_steps, optimizer)
                first = head_only_steps * num_training_steps if head_only_steps < 1 else head_only_steps
                encoder, head = usual.lr_lambdas  # in the order of parameter_groups
                factors = [lambda step: encoder(step) if step >= first else 0.0, head]
                self.lr_scheduler = LambdaLR(usual.optimizer, factors)
            return self.lr_scheduler

    return HeadFirstTrainer


def _progress():
    """A line at each evaluation; it reads the same in a terminal, a notebook and a log."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.started = time.perf_counter()

        def on_evaluate(self, args, state, control, metrics, **kwargs):
            if not state.is_world_process_zero or not state.global_step:
                return
            spent = time.perf_counter() - self.started
            left = spent * (state.max_steps / state.global_step - 1)
            losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
            print(
                f"step {state.global_step} of {state.max_steps}: loss {losses[-1] if losses else float('nan'):.2f}, "
                f"validation WER {metrics['eval_wer']:.3f}, blank {metrics['eval_blank_share']:.0%}, "
                f"{left:.0f} s left",
                flush=True,
            )

    return Progress()


def fine_tune(
    source: Source,
    train: "Dataset",
    validation: "Dataset",
    processor: "ProcessorMixin",
    output_dir: str | Path,
    *,
    seed: int = 0,
    resume: bool = False,
    push_to_hub: bool = False,
    callbacks: Sequence["TrainerCallback"] = (),
    **changes: Any,
) -> TrainingResult:
    """Fine-tunes a source's checkpoint with its recipe, and leaves the best checkpoint in `output_dir`.

    Args:
        source: names the checkpoint and the recipe.
        train, validation: rows from `loading.load_splits`.
        output_dir: gets model, processor and card; its `checkpoint-…` folders are what `resume` goes on from.
        seed: of the fresh head and of the order of rows.
        resume: go on from the newest checkpoint in `output_dir`.
        push_to_hub: upload the result as well, under the folder's name.
        callbacks: what watches the training besides the lines that are printed, such as `widgets.training_view()`.
        changes: `TrainingArguments`' own, unrenamed: `max_steps=100`.

    Raises:
        AsrError: `resume` is asked for and there is nothing to go on from, or the loss is not finite.
    """
    from transformers.trainer_utils import get_last_checkpoint

    output_dir = Path(output_dir)
    if resume and not (output_dir.is_dir() and get_last_checkpoint(str(output_dir))):
        raise AsrError(f"There is no checkpoint in {str(output_dir)!r} to resume from: leave out resume.")
    model = build_model(source.checkpoint, processor, seed)
    args = training_arguments(output_dir, source.recipe, seed=seed, **changes)
    trainer = build_trainer(model, processor, train, validation, source.recipe, args, callbacks)
    before = trainer.evaluate()["eval_wer"]
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=resume or None)
    seconds = time.perf_counter() - started
    best = trainer.state.best_metric
    result = TrainingResult(
        output_dir=str(output_dir),
        wer_before=before,
        wer_after=trainer.evaluate()["eval_wer"] if best is None else best,
        seconds=seconds,
        history=trainer.state.log_history,
    )
    trainer.save_model()
    if trainer.is_world_process_zero():
        write_model_card(result, source, len(train), len(validation), seed)
        if push_to_hub:
            _push(output_dir)
    return result


def write_model_card(result: TrainingResult, source: Source, num_train: int, num_validation: int, seed: int) -> None:
    """Writes what a checkpoint is, how it came about and how to use it: README.md and training.json in its folder."""
    folder = Path(result.output_dir)
    (folder / "training.json").write_text(
        json.dumps(asdict(result) | {"recipe": asdict(source.recipe)}, indent=1) + "\n"
    )
    name = f"{source.dataset} at {source.dataset_revision}" if source.dataset_revision else Path(source.dataset).name
    checkpoint = source.checkpoint if source.name == "hub" else "the demo checkpoint of asr-helpers"
    recipe = "\n".join(f"- {key}: {value}" for key, value in asdict(source.recipe).items())
    (folder / "README.md").write_text(
        f"""---
library_name: transformers
pipeline_tag: automatic-speech-recognition
metrics:
- wer
---

# {folder.name}

A speech recogniser: {checkpoint}, fine-tuned with a fresh CTC head on {num_train} clips of
{name}{f" ({source.locale})" if source.locale else ""} in {result.seconds:.0f} s, seed {seed}.

Word error rate on {num_validation} validation clips, by which this checkpoint was chosen:
{result.wer_before:.3f} before, {result.wer_after:.3f} after. It is no measure of voices or recordings of another kind.

## Recipe

{recipe}

## Use

```python
from asr_helpers.inference import load_recogniser

print(load_recogniser("{folder.name}").transcribe("clip.wav").text)
```
"""
    )


def _push(folder: Path) -> None:
    from huggingface_hub import HfApi

    api = HfApi()
    repository = api.create_repo(folder.name, exist_ok=True)
    api.upload_folder(repo_id=repository.repo_id, folder_path=folder, ignore_patterns=["checkpoint-*"])
