"""The command line: the stages without a notebook, for scripts, launchers and clusters.

Exit status: 0 done, 1 input that cannot be used or an audit with findings, 2 a command that cannot be understood;
stopped by a signal, 128 and its number.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import AsrError, __version__, models
from .checkpoints import Terminated

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from transformers import ProcessorMixin

    from .audit import Audit

# Options of `train` that are fields of `recipes.Recipe`.
RECIPE_OPTIONS = (
    "learning_rate", "head_learning_rate", "num_train_epochs", "seconds_per_batch", "warmup_steps",
    "freeze_feature_encoder",
)  # fmt: skip
# Beside the package in a checkout; an installed wheel has none.
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
# Or each kernel would warn that it talks to this machine without encryption.
QUIET_KERNEL = ["--IPKernelApp.log_level=ERROR"]


def _is_first() -> bool:
    """Of the processes that torchrun or accelerate started, one prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def _say(line: str) -> None:
    if _is_first():
        print(line, flush=True)


def _write_json(path: str | Path | None, result: Any) -> None:
    if path and _is_first():
        _write(Path(path), json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise AsrError(f"{str(path)!r} cannot be written ({error.strerror}): name another place.") from None


def printable(text: object) -> str:
    """Text from outside for a line on a terminal: what it would obey, turn round or not show is written as its code.

    >>> print(printable("pay\\x1b[2J now"))
    pay\\x1b[2J now
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))


def audit(args: argparse.Namespace) -> int:
    """Lists every row of DATA that would harm training."""
    from . import loading
    from .models import load_processor

    splits = loading.published_splits(args.source)
    if args.split and args.split not in splits:
        raise AsrError(f"There is no split {args.split!r}: use {', '.join(splits)}.")
    audits = _audit(splits, load_processor(args.source.checkpoint))
    if args.split:
        audits = {args.split: audits[args.split]}
    lines = [
        (f"{name} {one.row}", printable(one.file)[-40:], one.reason, one.action, one.message)
        for name, found in audits.items()
        for one in found.findings
    ]
    if lines:
        lines = [("row", "file", "reason", "action", ""), *lines]
        *widths, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
        for *fields, message in lines:
            print(*(f"{part:{width}}" for part, width in zip(fields, widths, strict=True)), message, sep="  ")
        print()
    characters = sum((found.characters for found in audits.values()), Counter())
    rows = sum(len(found.seconds) for found in audits.values())
    if characters:
        shares = (f"{one!r} in {count} rows ({count / rows:.1%})" for one, count in characters.most_common(12))
        print(f"outside the vocabulary: {', '.join(shares)}")
    totals = _totals(audits)
    parts = (f"{action} {part['rows']} ({part['hours']:.2f} h)" for action, part in totals.items())
    print(f"{max(len(lines) - 1, 0)} findings in {rows} rows: {', '.join(parts)}")
    _write_json(args.json, {
        "findings": [{"split": name, **vars(one)} for name, found in audits.items() for one in found.findings],
        "totals": totals,
        "characters": {one: {"rows": count, "share": count / rows} for one, count in characters.most_common()},
    })  # fmt: skip
    return 1 if lines else 0


def _audit(
    splits: "DatasetDict", processor: "ProcessorMixin", folder: str | Path | None = None
) -> "dict[str, Audit]":
    """Audits splits; with a folder, the ranks share the work and keep what they found there."""
    from .audit import audit_splits

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # under torchrun, so many of us do the same on this machine
    # The progress that it shows is the same in all of them.
    with open(os.devnull, "w") as nowhere, nullcontext() if _is_first() else redirect_stderr(nowhere):
        place = {"rank": int(os.environ.get("RANK", 0)), "world_size": int(os.environ.get("WORLD_SIZE", 1))}
        return audit_splits(
            splits, processor, processes=max(cores // here, 1), folder=folder, **(place if folder else {})
        )


def _totals(audits: "dict[str, Audit]") -> dict[str, dict[str, float]]:
    parts = [found.totals for found in audits.values()]
    return {action: {key: sum(part[action][key] for part in parts) for key in of} for action, of in parts[0].items()}


def _reasons(audits: "dict[str, Audit]") -> str:
    """What was found how often, in words; "" for nothing."""
    counts = Counter(one.reason for part in audits.values() for one in part.findings)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


def _set_aside(splits: "DatasetDict", processor: "ProcessorMixin", output_dir: str, strict: bool) -> "DatasetDict":
    """Audits all splits and leaves out of train and validation what must be; its list stays in `output_dir`."""
    from .audit import apply

    audits = _audit(splits, processor, Path(output_dir) / ".audit")
    reasons = _reasons(audits)
    if strict and reasons:
        raise AsrError(f"The audit found {reasons}: see `asr-helpers audit`, and mend the rows or leave out --strict.")
    lines = []
    for name in ("train", "validation"):
        kept, aside = apply(splits[name], audits[name])
        if not len(kept):
            raise AsrError(f"No row of {name} is left to train with; the audit found {reasons}.")
        splits[name] = kept
        lines += [{"split": name, **row} for row in aside]
    file = Path(output_dir) / "set_aside.jsonl"
    if _is_first():
        if file.is_file():
            file.unlink()  # an earlier run's
        if lines:
            _write(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    if reasons:
        _say(f"the audit found {reasons}")
    if lines:
        _say(f"{len(lines)} rows are set aside: {printable(file)} names them")
    return splits


def _measurable(rows: "Dataset", split: str, processor: "ProcessorMixin") -> "tuple[Dataset, list[dict[str, Any]]]":
    """Audits a split that is to measure, and says which rows cannot: what `audit.apply` returns."""
    from .audit import apply

    audits = _audit({split: rows}, processor)
    kept, aside = apply(rows, audits[split])
    reasons = _reasons(audits)
    if not len(kept):
        raise AsrError(f"No row of {split} is left to measure with; the audit found {reasons}.")
    if reasons:
        print(f"the audit found {reasons}")
    if aside:
        print(f"{len(aside)} of {len(rows)} rows are left out:")
    for one in aside:
        for finding in one["findings"]:
            print(f"  {split} {one['row']}  {printable(one['file'])[-40:]}  {finding['reason']}  {finding['message']}")
    return kept, aside


def train(args: argparse.Namespace) -> int:
    """Fine-tunes a checkpoint on DATA; the status is 1 where it learnt nothing."""
    from dataclasses import replace

    from . import loading, training
    from .models import load_processor
    from .recipes import changed, read_recipe
    from .streaming import stream_splits

    source = args.source
    changes = read_recipe(args.recipe) if args.recipe else {}
    changes |= {name: getattr(args, name) for name in RECIPE_OPTIONS if getattr(args, name) is not None}
    if args.checkpoint:
        source = replace(source, checkpoint=args.checkpoint)
    processor = load_processor(source.checkpoint)
    if args.streaming:
        rows, validation = stream_splits(source)
        found = "a stream of clips"
    else:
        splits = loading.load_splits(source, missing_files=True)
        if "train" not in splits:
            raise AsrError(f"{args.data!r} has no train rows, only {', '.join(splits)}: name their folder 'train'.")
        splits = _set_aside(splits, processor, args.output_dir, args.strict)
        rows, validation = splits["train"], splits["validation"]
        found = f"{len(rows)} clips"
    _say(f"{found} to train on, {len(validation)} to choose the best checkpoint by")
    recipe = changed(training.recipe_for(source, rows, processor, args.fresh_head), changes)
    _say(f"recipe: {recipe}")
    result = training.fine_tune(
        replace(source, recipe=recipe), rows, validation, processor, args.output_dir,
        seed=args.seed, fresh_head=args.fresh_head, resume=args.resume, push_to_hub=args.push_to_hub,
        **({"max_steps": args.max_steps} if args.max_steps else {}),
    )  # fmt: skip
    _write_json(args.json, {
        "output_dir": result.output_dir, "wer_before": result.wer_before, "wer_after": result.wer_after,
        "train_seconds": result.seconds, "trouble": result.trouble,
    })  # fmt: skip
    _say(f"validation WER {result.wer_before:.3f} before, {result.wer_after:.3f} after {result.seconds:.0f} s")
    if result.failed:
        _say(f"The training failed. {result.trouble}")
        return 1
    what = f"{result.steps} steps made no recogniser yet: they are" if result.trouble else "the recogniser is"
    _say(f"{what} in {result.output_dir}")
    return 0


def evaluate(args: argparse.Namespace) -> None:
    """Scores a recogniser on DATA."""
    from . import evaluation, loading
    from .inference import load_recogniser

    model = args.model or args.source.recogniser
    recogniser = load_recogniser(model)
    splits = loading.load_splits(args.source, missing_files=True)
    if args.split not in splits:
        raise AsrError(f"There is no split {args.split!r}: use {', '.join(splits)}.")
    rows, aside = _measurable(splits[args.split], args.split, recogniser.processor)
    scores, pairs = evaluation.evaluate(recogniser, rows)
    if args.transcripts:
        for pair in pairs:
            print(f"REF {printable(pair['reference'])}\nHYP {printable(pair['hypothesis'])}\n")
    print(f"model: {printable(model)}")
    print(scores)
    _write_json(args.json, {"model": model, **scores.as_dict(), "transcripts": pairs, "set_aside": aside})


def transcribe(args: argparse.Namespace) -> int:
    """Writes down sound files; a file that cannot be heard is told of, and the next one follows."""
    from .audit import audit_clip
    from .inference import load_recogniser
    from .sources import source

    recogniser = load_recogniser(args.model or source().recogniser)
    results: list[dict[str, Any]] = []
    for file in args.files:
        try:
            transcript = recogniser.transcribe(file)
        except AsrError as error:
            print(f"asr-helpers: {printable(error)}", file=sys.stderr)
            results.append({"file": file, "error": str(error)})
            continue
        result: dict[str, Any] = {"file": file, "text": transcript.text}
        print(f"{printable(file)}: {printable(transcript.text)}")
        if args.timestamps:
            result["words"] = [vars(word) for word in transcript.words]
            for word in transcript.words:
                print(f"  {word.start:7.2f} {word.end:7.2f} s  {word.confidence:4.0%}  {printable(word.text)}")
        if problems := audit_clip(file, recogniser.sampling_rate):
            result["problems"] = problems
            for message in problems.values():
                print(f"asr-helpers: {printable(file)}: {printable(message)}", file=sys.stderr)
        results.append(result)
    _write_json(args.json, results)
    return int(any("error" in result for result in results))


def demo(args: argparse.Namespace) -> None:
    """Runs the series end to end: every notebook where they are at hand, else the training alone."""
    from . import evaluation, loading, training
    from .inference import Recogniser, load_recogniser
    from .models import load_processor
    from .sources import source

    started = time.perf_counter()
    outputs = Path("outputs").resolve()
    os.environ.update(ASR_SOURCE="demo", ASR_OUTPUTS=str(outputs), HF_HUB_OFFLINE="1")
    the_demo = source()
    processor = load_processor(the_demo.checkpoint)
    splits = loading.load_splits(the_demo)
    if NOTEBOOKS.is_dir():
        _run_notebooks(outputs / "notebooks")
    else:
        print("No notebooks beside this package: running its stages alone", flush=True)
        training.fine_tune(
            the_demo, splits["train"], splits["validation"], processor, the_demo.output_dir, fresh_head=True
        )

    fresh = Recogniser(models.build_model(the_demo.checkpoint, processor, fresh_head=True).eval(), processor)
    before, _ = evaluation.evaluate(fresh, splits["test"])
    after, pairs = evaluation.evaluate(load_recogniser(the_demo.output_dir), splits["test"])
    result = {
        "wer_before": before.wer,
        "wer_after": after.wer,
        "train_seconds": json.loads((the_demo.output_dir / "training.json").read_text())["seconds"],
        "total_seconds": time.perf_counter() - started,
        "transcripts": pairs,
    }
    _write_json(outputs / "demo.json", result)
    _write_json(args.json, result)
    print(f"\n{len(pairs)} clips by voices never heard in training. Three of them:\n")
    for pair in pairs[:3]:
        print(f"  said   {printable(pair['reference'])}\n  heard  {printable(pair['hypothesis'])}\n")
    print(f"WER before (fresh head): {before.wer:.3f}\nWER after fine-tuning:   {after.wer:.3f}")
    print(
        f"trained in {result['train_seconds']:.0f} s, {result['total_seconds']:.0f} s in all; results are in outputs/"
    )


def _run_notebooks(folder: Path) -> None:
    """Executes copies of the notebooks and leaves them in `folder`."""
    import nbformat
    from nbclient import NotebookClient

    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        print(f"{path.stem} … ", end="", flush=True)
        begun = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        try:
            NotebookClient(
                notebook, timeout=1_800, resources={"metadata": {"path": folder}}, extra_arguments=QUIET_KERNEL
            ).execute()
        finally:
            nbformat.write(notebook, folder / path.name)
        print(f"{time.perf_counter() - begun:.0f} s", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asr-helpers", description="From sound files to a fine-tuned speech recogniser."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run, help):
        sub = commands.add_parser(run.__name__, help=help, description=help.replace("%%", "%"))
        sub.set_defaults(run=run)
        sub.add_argument("--json", metavar="FILE", help="write the result there, for a program to read")
        return sub

    def with_data(sub):
        sub.add_argument(
            "data", metavar="DATA", help="demo, hub, or a folder with a metadata.csv (file_name, transcription)"
        )
        sub.add_argument("--locale", help="another of the dataset's locales, such as de-DE")
        return sub

    command(demo, "run the series end to end and print what it learnt")

    sub = with_data(command(audit, "list every row of DATA that would harm training, and what is done about it"))
    sub.add_argument("--split", help="only train, validation or test (default: all)")

    sub = with_data(command(train, "fine-tune a checkpoint on DATA"))
    sub.add_argument("--output-dir", metavar="DIR", required=True, help="gets the recogniser and its card")
    sub.add_argument("--checkpoint", metavar="DIR", help="start from this checkpoint instead of DATA's own")
    sub.add_argument("--max-steps", type=_positive, help="stop after so many steps")
    sub.add_argument(
        "--streaming", action="store_true",
        help="never hold more than some rows: for a folder larger than memory, or Parquet files; needs --max-steps, a "
        "train and a validation folder, and no audit: rows that would harm the training are named and left out as met",
    )  # fmt: skip
    sub.add_argument("--seed", type=int, default=0)
    recipe = sub.add_argument_group(
        "recipe", "what is not given here is chosen by the checkpoint's size and the hours of sound, and printed"
    )
    recipe.add_argument("--learning-rate", type=_above_0, metavar="RATE", help="the encoder's peak rate")
    recipe.add_argument("--head-learning-rate", type=_above_0, metavar="RATE", help="the head's peak rate")
    recipe.add_argument("--epochs", type=_above_0, metavar="N", dest="num_train_epochs", help="passes over the rows")
    recipe.add_argument(
        "--batch-seconds", type=_above_0, metavar="S", dest="seconds_per_batch",
        help="sound in a step on one device, padding included",
    )  # fmt: skip
    recipe.add_argument(
        "--warmup", type=_not_negative, metavar="STEPS", dest="warmup_steps",
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

    sub = with_data(command(evaluate, "WER and CER of a recogniser, with counts and a 95 %% interval"))
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: DATA's own)")
    sub.add_argument("--split", default="test", help="train, validation or test (default)")
    sub.add_argument("--transcripts", action="store_true", help="print each reference and hypothesis")

    sub = command(transcribe, "write down sound files")
    sub.add_argument("files", metavar="FILE", nargs="+")
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    sub.add_argument("--timestamps", action="store_true", help="add words with start, end and confidence")
    return parser


def _above_0(text: str) -> float:
    number = _not_negative(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if getattr(args, "streaming", False):
        if not args.max_steps:
            parser.error("--streaming has no end of its own: say when to stop with --max-steps")
        if args.strict:
            parser.error("--strict needs an audit of all rows, which --streaming does not wait for: leave one out")
    if hasattr(args, "data"):
        from .sources import source

        try:
            args.source = source(args.data, args.locale)
        except AsrError as error:
            parser.error(str(error))
    try:
        _quiet()
        return args.run(args) or 0
    except Terminated as error:  # in every process
        if _is_first():
            print(f"asr-helpers: {printable(error)}", file=sys.stderr)
        return 143
    except (AsrError, OSError) as error:  # OSError: a disk that is full, a folder that may not be read
        print(f"asr-helpers: {printable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        resume = "; --resume goes on from the newest checkpoint" if args.run is train else ""
        print(f"asr-helpers: interrupted{resume}", file=sys.stderr)
        return 130


def _quiet() -> None:
    """Libraries' progress bars and advice off: what a command prints is its result."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    sys.exit(main())
