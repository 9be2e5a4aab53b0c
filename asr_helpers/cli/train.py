"""`asr-helpers train`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import InputError
from ..languages import language
from .common import above_0, command, is_first, not_negative, positive, printable, say, takes_data, write, write_json

if TYPE_CHECKING:
    from datasets import DatasetDict
    from transformers import ProcessorMixin

# Options that are fields of `recipes.Recipe`.
RECIPE_OPTIONS = (
    "learning_rate", "head_learning_rate", "num_train_epochs", "seconds_per_batch", "warmup_steps",
    "freeze_feature_encoder",
)  # fmt: skip


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, train, "fine-tune a checkpoint on DATA")
    takes_data(sub)
    sub.add_argument("--output-dir", metavar="DIR", required=True, help="gets the recogniser and its card")
    sub.add_argument("--checkpoint", metavar="DIR", help="start from this checkpoint instead of DATA's own")
    sub.add_argument(
        "--language", metavar="TAG",
        help="a BCP 47 tag such as ar or ko-KR: make a vocabulary of the train rows' texts, and give the checkpoint a "
        "fresh head for it where it writes another",
    )  # fmt: skip
    sub.add_argument("--max-steps", type=positive, help="stop after so many steps")
    sub.add_argument(
        "--streaming", action="store_true",
        help="never hold more than some rows: for a folder larger than memory, or Parquet files; needs --max-steps, a "
        "train and a validation folder, and no audit: rows that would harm the training are named and left out as met",
    )  # fmt: skip
    sub.add_argument("--seed", type=int, default=0)
    recipe = sub.add_argument_group(
        "recipe", "what is not given here is chosen by the checkpoint's size and the hours of sound, and printed"
    )
    recipe.add_argument("--learning-rate", type=above_0, metavar="RATE", help="the encoder's peak rate")
    recipe.add_argument("--head-learning-rate", type=above_0, metavar="RATE", help="the head's peak rate")
    recipe.add_argument("--epochs", type=above_0, metavar="N", dest="num_train_epochs", help="passes over the rows")
    recipe.add_argument(
        "--batch-seconds", type=above_0, metavar="S", dest="seconds_per_batch",
        help="sound in a step on one device, padding included",
    )  # fmt: skip
    recipe.add_argument(
        "--warmup", type=not_negative, metavar="STEPS", dest="warmup_steps",
        help="steps in which the rates rise; below 1, a share of all",
    )  # fmt: skip
    recipe.add_argument(
        "--freeze-feature-encoder", action=argparse.BooleanOptionalAction, help="keep the convolutions as they are"
    )
    recipe.add_argument(
        "--fresh-head", action="store_true", help="start with a head of random numbers, even where one could be kept"
    )
    recipe.add_argument("--recipe", metavar="FILE", help="a JSON object of the recipe's fields")
    sub.add_argument("--resume", action="store_true", help="go on from DIR's newest whole checkpoint, if it has one")
    sub.add_argument("--strict", action="store_true", help="stop where the audit finds anything")
    sub.add_argument("--push-to-hub", action="store_true", help="upload the result, under DIR's name")


def complaint(args: argparse.Namespace) -> str:
    """What keeps these options from going together; "" for nothing."""
    if args.language:
        try:
            language(args.language)
        except InputError as error:
            return str(error)
    if args.streaming and not args.max_steps:
        return "--streaming has no end of its own: say when to stop with --max-steps"
    if args.streaming and args.strict:
        return "--strict needs an audit of all rows, which --streaming does not wait for: leave one out"
    return ""


def train(args: argparse.Namespace) -> int:
    """Fine-tunes a checkpoint on DATA; the status is 1 where it learnt nothing."""
    say(f"reading {printable(args.data)}")  # before what takes seconds to import
    from dataclasses import replace

    from .. import loading, training
    from ..models import load_processor
    from ..recipes import changed, read_recipe
    from ..streaming import stream_splits

    source = args.source
    changes = read_recipe(args.recipe) if args.recipe else {}
    changes |= {name: getattr(args, name) for name in RECIPE_OPTIONS if getattr(args, name) is not None}
    if args.checkpoint:
        source = replace(source, checkpoint=args.checkpoint, vocabulary=None)
    processor = None if args.language else load_processor(source.processor)
    if args.streaming:
        rows, validation = stream_splits(source)
        processor = processor or _processor_for(args.language, source.checkpoint, rows, validation)
        found = "a stream of clips"
    else:
        splits = loading.load_splits(source, missing_files=True)
        if "train" not in splits:
            raise InputError(f"{args.data!r} has no train rows, only {', '.join(splits)}: name their folder 'train'.")
        processor = processor or _processor_for(args.language, source.checkpoint, splits["train"], splits["validation"])
        splits = _set_aside(splits, processor, Path(args.output_dir), args.strict)
        rows, validation = splits["train"], splits["validation"]
        found = f"{len(rows)} clips"
    say(f"{found} to train on, {len(validation)} to choose the best checkpoint by")
    recipe = changed(training.recipe_for(source, rows, processor, args.fresh_head), changes)
    say(f"recipe: {recipe}")
    result = training.fine_tune(
        replace(source, recipe=recipe), rows, validation, processor, args.output_dir,
        seed=args.seed, fresh_head=args.fresh_head, resume=args.resume, push_to_hub=args.push_to_hub,
        **({"max_steps": args.max_steps} if args.max_steps else {}),
    )  # fmt: skip
    write_json(args.json, {
        "output_dir": result.output_dir, "wer_before": result.wer_before, "wer_after": result.wer_after,
        "cer_before": result.cer_before, "cer_after": result.cer_after, "metric": result.metric,
        "train_seconds": result.seconds, "trouble": result.trouble,
    })  # fmt: skip
    rate = result.metric.upper()
    say(f"validation {rate} {result.before:.3f} before, {result.after:.3f} after {result.seconds:.0f} s")
    if result.failed:
        say(f"The training failed. {result.trouble}")
        return 1
    what = f"{result.steps} steps made no recogniser yet: they are" if result.trouble else "the recogniser is"
    say(f"{what} in {result.output_dir}")
    return 0


def _processor_for(tag: str, checkpoint: str, train: Any, validation: Any) -> "ProcessorMixin":
    """A processor with a vocabulary of the train rows' texts; says what is in it, and what of validation it covers."""
    from ..audit.rows import only
    from ..models import load_feature_extractor
    from ..preprocessing import build_processor, coverage
    from ..vocabularies import choose_vocabulary

    texts = [row["transcription"] for row in only(train, "transcription")]
    say(f"language: {printable(choose_vocabulary(texts, tag))}")
    processor = build_processor(texts, tag, feature_extractor=load_feature_extractor(checkpoint))
    heard = coverage((row["transcription"] for row in only(validation, "transcription")), processor)
    say(f"validation texts: {printable(heard)}")
    return processor


def _set_aside(splits: "DatasetDict", processor: "ProcessorMixin", output_dir: Path, strict: bool) -> "DatasetDict":
    """Leaves out what would harm the training, says so, and keeps the list in `output_dir`."""
    from ..audit.policy import trainable

    splits, aside, found = trainable(splits, processor, output_dir / ".audit", strict)
    file = output_dir / "set_aside.jsonl"
    if is_first():
        if file.is_file():
            file.unlink()  # an earlier run's
        if aside:
            write(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in aside))
    if found:
        say(f"the audit found {found}")
    if aside:
        say(f"{len(aside)} rows are set aside: {printable(file)} names them")
    return splits
