"""05  Batches to a checkpoint.

Conventions: a checkpoint folder holds the model (safetensors), its processor and a model
card. Rates are AdamW's peak rates; they rise over the warm-up and then fall to 0 in a line.
The training loop is `transformers.Trainer`'s.
"""

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import AsrError, InputError, audio
from .cards import push, write_model_card
from .checkpoints import checkpoint_to_resume
from .collapse import collapse_warning
from .collation import PAD_TO_MULTIPLE_OF, DataCollatorCTCWithPadding
from .confidence import calibrate
from .evaluation import argmax_ids, compute_metrics
from .heads import fit_head
from .inference import Recogniser
from .loading import durations
from .models import build_model, count_frames, dataloader_workers, has_bf16, model_loading, writes_vocabulary
from .preprocessing import encode_text, frames_needed, prepare, writing_of
from .recipes import Recipe, changed, choose_recipe
from .samplers import DurationBatchSampler, RandomBatchSampler
from .sources import Source
from .streaming import PreparedRows, StreamedBatchSampler

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from transformers import ProcessorMixin, Trainer, TrainerCallback, TrainingArguments, Wav2Vec2ForCTC

logger = logging.getLogger(__name__)

TRIAL_STEPS = 50  # A fresh head that was given fewer has not been trained, only tried.


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        output_dir: the checkpoint folder.
        wer_before, wer_after: on the validation rows, of the model as it started and of the one that was saved.
        cer_before, cer_after: the same by characters.
        metric: "wer" or "cer", by which the best checkpoint was chosen: the language's.
        steps: of the optimizer, those before a resume included.
        seconds: of training and its evaluations.
        fresh_head: the head started from random numbers.
        recipe: it was trained with.
        trouble: why the result is no recogniser, and what to do; "" for a success.
        history: the Trainer's log, a dict for each entry.
    """

    output_dir: str
    wer_before: float
    wer_after: float
    cer_before: float
    cer_after: float
    metric: str
    steps: int
    seconds: float
    fresh_head: bool
    recipe: Recipe
    trouble: str
    history: list[dict[str, Any]] = field(repr=False)

    @property
    def before(self) -> float:
        """The chosen metric's value of the model as it started."""
        return self.cer_before if self.metric == "cer" else self.wer_before

    @property
    def after(self) -> float:
        """The chosen metric's value of the model that was saved."""
        return self.cer_after if self.metric == "cer" else self.wer_after

    @property
    def failed(self) -> bool:
        """Whether there is trouble where a recogniser could be expected: a fresh head needs some steps."""
        return bool(self.trouble) and not (self.fresh_head and self.steps < TRIAL_STEPS)


def recipe_for(
    source: Source, train: "Dataset | IterableDataset", processor: "ProcessorMixin", fresh_head: bool = False
) -> Recipe:
    """The source's own recipe; where it has none, the one for its checkpoint's size and the hours of training sound.

    Args:
        train: rows as they were loaded, whose lengths are read from their headers, or a stream of them.
        fresh_head: as for `fine_tune`.
    """
    import torch
    from datasets import Dataset
    from transformers import AutoConfig, AutoModelForCTC

    if source.recipe is not None:
        return source.recipe
    with model_loading(source.checkpoint), torch.device("meta"):  # shapes alone, no weights
        config = AutoConfig.from_pretrained(source.checkpoint, trust_remote_code=False)
        parameters = AutoModelForCTC.from_config(config, trust_remote_code=False).num_parameters()
    hours = sum(durations(train)) / 3600 if isinstance(train, Dataset) else None
    return choose_recipe(parameters, hours, fresh_head or not writes_vocabulary(source.checkpoint, processor))


def parameter_groups(model: "Wav2Vec2ForCTC", recipe: Recipe) -> list[dict[str, Any]]:
    """The optimizer's groups: the encoder at its rate; the head at its own, which is much higher for a fresh one."""
    head = list(model.lm_head.parameters())
    encoder = [p for name, p in model.named_parameters() if not name.startswith("lm_head") and p.requires_grad]
    of_head = recipe.learning_rate if recipe.head_learning_rate is None else recipe.head_learning_rate
    return [{"params": encoder, "lr": recipe.learning_rate}, {"params": head, "lr": of_head}]


def training_arguments(output_dir: str | Path, recipe: Recipe, **changes: Any) -> "TrainingArguments":
    """The recipe in `TrainingArguments`' words; `changes` are its own arguments, unrenamed."""
    import torch
    from transformers import TrainingArguments

    arguments = {
        "output_dir": str(output_dir),
        "learning_rate": recipe.learning_rate,
        "num_train_epochs": recipe.num_train_epochs,
        "per_device_train_batch_size": recipe.per_device_train_batch_size,
        # A clip alone and as long as it is, as it will be transcribed: a model with group norm hears any padding.
        "per_device_eval_batch_size": 1,
        "warmup_steps": recipe.warmup_steps,
        "lr_scheduler_type": "linear",
        "optim": "adamw_torch_fused",
        "weight_decay": 0.005,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": has_bf16(),
        "dataloader_num_workers": dataloader_workers(),
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


def check_labels(rows: "Dataset", model: "Wav2Vec2ForCTC", processor: "ProcessorMixin") -> None:
    """Makes sure that every row's labels fit into its frames: the loss would pass over those that do not.

    Nothing is decoded: lengths are read from the clips' headers.

    Raises:
        InputError: a row has fewer frames than its labels need, or no character of the vocabulary.
    """
    seconds = durations(rows)
    frames = count_frames(seconds, model, processor)
    needed = [frames_needed(encode_text(text, processor)) for text in rows["transcription"]]
    short = [row for row in range(len(frames)) if frames[row] < needed[row]]
    if short:
        row = short[0]
        raise InputError(
            f"Training row {row}, {rows[row]['transcription']!r} in {seconds[row]:.2f} s, has {frames[row]} frames and "
            f"its labels need {needed[row]}; {len(short)} of {len(frames)} rows are like it: correct or remove them."
        )


def check_row(row: dict[str, Any], model: "Wav2Vec2ForCTC", processor: "ProcessorMixin") -> float:
    """Makes sure, as `check_labels` does, that one row can be trained on; returns its clip's length, s.

    Raises:
        InputError: its sound cannot be read, its text has no character of the vocabulary, or it has too few frames.
    """
    seconds = audio.duration(row["audio"])
    needed = frames_needed(encode_text(row["transcription"], processor))
    (frames,) = count_frames([seconds], model, processor)
    if frames < needed:
        raise InputError(
            f"{row['transcription']!r} in {seconds:.2f} s has {frames} frames and its labels need {needed}: "
            "correct or remove it."
        )
    return seconds


def build_trainer(
    model: "Wav2Vec2ForCTC",
    processor: "ProcessorMixin",
    train: "Dataset | IterableDataset",
    validation: "Dataset",
    recipe: Recipe,
    args: "TrainingArguments",
    callbacks: Sequence["TrainerCallback"] = (),
) -> "Trainer":
    """A `Trainer` over prepared rows, with the recipe's rates and batches, that prints a line at each evaluation.

    It stops at a loss that is not finite, and its checkpoints are whole or not there (`asr_helpers.checkpoints`).
    Every rank trains on as many batches, and each row is in one of them in an epoch. That holds for the recipe's
    batches; a `train_sampling_strategy` other than "random" takes the library's own, which repeat rows to fill the
    ranks' last batches, and which no resumed training meets again in the same order. "group_by_length" sorts by the
    lengths in the clips' headers.

    Args:
        train: rows as they were loaded, or a stream of them (`asr_helpers.streaming`), which needs `args.max_steps`.
        validation: rows as they were loaded. `preprocessing.prepare` is applied here.
        callbacks: what else watches the training, such as `widgets.training_view()`.

    Raises:
        InputError: there are fewer rows than ranks, a stream without `max_steps`, or a model that was not built for
            this processor.
    """
    from datasets import Dataset
    from transformers import Trainer
    from transformers.trainer_callback import PrinterCallback

    from .callbacks import Epochs, Progress, StopAtSigterm
    from .trainer import NumberedRows, RecipeTrainer, collate_rows

    head = (model.config.vocab_size, model.config.pad_token_id)
    wanted = (len(processor.tokenizer), processor.tokenizer.pad_token_id)
    if head != wanted:
        raise InputError(
            f"The model writes {head[0]} tokens, {head[1]} its blank, and the processor has {wanted[0]}, {wanted[1]} "
            "its blank: build the model with build_model and this processor."
        )
    recipe = replace(recipe, learning_rate=args.learning_rate)
    if recipe.freeze_feature_encoder:
        model.freeze_feature_encoder()
    optimizer_class, settings = Trainer.get_optimizer_cls_and_kwargs(args)
    settings = {"weight_decay": args.weight_decay, **settings}
    seed = args.seed if args.data_seed is None else args.data_seed
    place = {"seed": seed, "rank": args.process_index, "world_size": args.world_size}
    played = {}  # how much longer a batch becomes where its speed is changed
    if recipe.speed_perturbation:
        rate = processor.feature_extractor.sampling_rate
        played = {"slowest": 1 - recipe.speed_perturbation, "pad_to_multiple_of": PAD_TO_MULTIPLE_OF / rate}
    lengths: Dataset | None = None
    batches: DurationBatchSampler | RandomBatchSampler | StreamedBatchSampler | None = None
    if not isinstance(train, Dataset):
        if args.max_steps < 1:
            raise InputError("A stream has no end: say when to stop with max_steps.")
        batches = StreamedBatchSampler(
            train, args.max_steps * args.gradient_accumulation_steps,
            partial(check_row, model=model, processor=processor),
            max_duration=recipe.seconds_per_batch, batch_size=args.train_batch_size, **played, **place,
        )  # fmt: skip
    elif args.train_sampling_strategy != "random":
        lengths = Dataset.from_dict({args.length_column_name: durations(train)})
    elif recipe.seconds_per_batch:
        batches = DurationBatchSampler(durations(train), recipe.seconds_per_batch, **played, **place)
    else:
        batches = RandomBatchSampler(len(train), args.train_batch_size, **place)
    streamed = isinstance(batches, StreamedBatchSampler)
    trainer = RecipeTrainer(
        recipe=recipe,
        batches=batches,
        lengths=lengths,
        model=model,
        args=args,
        data_collator=partial(collate_rows, collator=DataCollatorCTCWithPadding(processor)),
        train_dataset=PreparedRows(processor) if streamed else NumberedRows(prepare(train, processor)),
        eval_dataset=prepare(validation, processor),
        processing_class=processor,
        compute_metrics=partial(compute_metrics, processor=processor),
        preprocess_logits_for_metrics=argmax_ids,
        callbacks=[Progress(), Epochs(), *callbacks],
        optimizers=(optimizer_class(parameter_groups(model, recipe), **settings), None),
    )
    trainer.add_callback(StopAtSigterm(trainer))
    trainer.remove_callback(PrinterCallback)
    return trainer


def fine_tune(
    source: Source,
    train: "Dataset | IterableDataset",
    validation: "Dataset",
    processor: "ProcessorMixin",
    output_dir: str | Path,
    *,
    seed: int = 0,
    fresh_head: bool = False,
    resume: bool = False,
    push_to_hub: bool = False,
    callbacks: Sequence["TrainerCallback"] = (),
    **changes: Any,
) -> TrainingResult:
    """Fine-tunes a source's checkpoint, and leaves the best checkpoint in `output_dir`.

    The validation rows choose the best checkpoint and teach it how sure it may be of a word (`confidence.calibrate`).

    The recipe is the source's own; where it has none, `recipes.choose_recipe` finds one for the checkpoint's size and
    the hours of training sound. A head that writes the processor's vocabulary is kept.

    The same call runs on one processor, one GPU, or many machines under `torchrun` or `accelerate launch`; of several
    processes the first one writes and prints. The same seed gives the same weights, to the bit, and a run that was
    killed and resumed ends with them, on the same machine with the same versions, number of processes and number of
    threads. On another, sums are taken in another order, and the weights differ in their last digits.

    Args:
        source: names the checkpoint and, where it has one, the recipe.
        train, validation: rows from `loading.load_splits`, or from `streaming.stream_splits` with `max_steps`.
        output_dir: gets model, processor and card; its `checkpoint-…` folders are what `resume` goes on from.
        seed: of a fresh head and of the order of rows.
        fresh_head: start with a head of random numbers even where the checkpoint's own could be kept.
        resume: go on from the newest whole checkpoint in `output_dir`, exactly as if nothing had happened. The rows
            must be the same; a stream goes on in the middle of its pass. Where there is no checkpoint yet, it begins
            at the beginning and says so: a scheduler can repeat the same command.
        push_to_hub: upload the result as well, under the folder's name.
        callbacks: what watches the training besides the lines that are printed, such as `widgets.training_view()`.
        changes: the recipe's fields and `TrainingArguments`' own, unrenamed: `learning_rate=1e-4, max_steps=100`.

    Returns:
        What it came to. A training that learnt nothing is no error: `trouble` says so, and so does its card.

    Raises:
        InputError: `resume` is asked for and no checkpoint there is whole, a row's labels are longer than its frames
            (a stream leaves such rows out and names them), the loss is not finite, a GPU's memory or the disk is full,
            or `output_dir` cannot be written to.
        Terminated: SIGTERM came; a checkpoint of that moment is whole.

    >>> import tempfile
    >>> from asr_helpers import loading, models, sources
    >>> demo = sources.source("demo")
    >>> rows = loading.load_splits(demo)
    >>> few, fewer = rows["train"].select(range(8)), rows["validation"].select(range(2))
    >>> processor = models.load_processor(demo.checkpoint)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fine_tune(demo, few, fewer, processor, folder, fresh_head=True, max_steps=1).steps
    step 1 of 1: loss ...
    1
    """
    from datasets import Dataset

    output_dir = Path(output_dir)
    _check_writable(output_dir)
    fresh_head = fresh_head or not writes_vocabulary(source.checkpoint, processor)
    recipe = recipe_for(source, train, processor, fresh_head)
    recipe = changed(recipe, {name: changes.pop(name) for name in vars(recipe) if name in changes})
    writing = writing_of(processor)
    metric = writing.metric if writing else "wer"
    args = training_arguments(output_dir, recipe, seed=seed, **{"metric_for_best_model": metric, **changes})
    checkpoint = checkpoint_to_resume(output_dir, args) if resume else None
    model = build_model(source.checkpoint, processor, seed, fresh_head)
    if isinstance(train, Dataset):
        check_labels(train, model, processor)
    trainer = build_trainer(model, processor, train, validation, recipe, args, callbacks)
    before = trainer.evaluate()
    started = time.perf_counter()
    if fresh_head and recipe.head_fit_steps and not checkpoint:
        fit_head(model, train, processor, recipe.head_fit_steps, seed)
    trainer.train(resume_from_checkpoint=checkpoint)
    seconds = time.perf_counter() - started
    # Of what is saved, which need not be what was measured last, nor what had the lowest WER.
    prepared: Any = trainer.eval_dataset
    after = trainer.predict(prepared, metric_key_prefix="eval").metrics or {}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    result = TrainingResult(
        output_dir=str(output_dir),
        wer_before=before["eval_wer"],
        wer_after=after["eval_wer"],
        cer_before=before["eval_cer"],
        cer_after=after["eval_cer"],
        metric=metric,
        steps=trainer.state.global_step,
        seconds=seconds,
        fresh_head=fresh_head,
        recipe=recipe,
        trouble=collapse_warning(after, losses, before=before[f"eval_{metric}"]),
        history=trainer.state.log_history,
    )
    if trainer.is_world_process_zero():
        recogniser = Recogniser(model.eval(), processor)
        model.config.confidence = None if result.trouble else vars(calibrate(recogniser, validation))
    trainer.save_model()
    if trainer.is_world_process_zero():
        (output_dir / "training_args.bin").unlink(missing_ok=True)  # a pickle: training.json says what it says
        num_train = len(train) if isinstance(train, Dataset) else None
        write_model_card(result, source, num_train, len(validation), seed, writing)
        if push_to_hub:
            push(output_dir)
    return result


def _check_writable(folder: Path) -> None:
    """Makes sure, before anything is trained, that what is learnt can be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        raise AsrError(f"{str(folder)!r} cannot be written to ({error.strerror}): name another folder.") from None
