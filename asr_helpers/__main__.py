"""The command line: the stages without a notebook, for scripts, launchers and clusters.

Exit status: 0 done, 1 input that cannot be used, 2 a command that cannot be understood; stopped by a signal, 128 and
its number.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import AsrError, __version__
from .checkpoints import Terminated

# Beside the package in a checkout; an installed wheel has none.
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def _write_json(path: str | Path | None, result: Any) -> None:
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def train(args: argparse.Namespace) -> None:
    """Fine-tunes a checkpoint on DATA."""
    from dataclasses import replace

    from . import loading, training
    from .preprocessing import load_processor

    source = args.source
    if args.checkpoint:
        source = replace(source, checkpoint=args.checkpoint)
    processor = load_processor(source.checkpoint)
    splits = loading.load_splits(source)
    if "train" not in splits:
        raise AsrError(f"{args.data!r} has no train rows, only {', '.join(splits)}: name their folder 'train'.")
    print(f"{len(splits['train'])} clips to train on, {len(splits['validation'])} to choose the best checkpoint by")
    changes = {"max_steps": args.max_steps} if args.max_steps else {}
    result = training.fine_tune(
        source, splits["train"], splits["validation"], processor, args.output_dir,
        seed=args.seed, resume=args.resume, push_to_hub=args.push_to_hub, **changes,
    )  # fmt: skip
    print(
        f"validation WER {result.wer_before:.3f} before, {result.wer_after:.3f} after {result.seconds:.0f} s; "
        f"the recogniser is in {result.output_dir}"
    )
    _write_json(args.json, {
        "output_dir": result.output_dir, "wer_before": result.wer_before, "wer_after": result.wer_after,
        "train_seconds": result.seconds,
    })  # fmt: skip


def evaluate(args: argparse.Namespace) -> None:
    """Scores a recogniser on DATA."""
    from . import evaluation, loading
    from .inference import load_recogniser

    recogniser = load_recogniser(args.model or args.source.recogniser)
    splits = loading.load_splits(args.source)
    if args.split not in splits:
        raise AsrError(f"There is no split {args.split!r}: use {', '.join(splits)}.")
    scores, pairs = evaluation.evaluate(recogniser, splits[args.split])
    if args.transcripts:
        for pair in pairs:
            print(f"REF {pair['reference']}\nHYP {pair['hypothesis']}\n")
    print(scores)
    _write_json(args.json, {**scores.as_dict(), "transcripts": pairs})


def transcribe(args: argparse.Namespace) -> None:
    """Writes down sound files."""
    from .inference import load_recogniser
    from .sources import source

    recogniser = load_recogniser(args.model or source().recogniser)
    results = []
    for file in args.files:
        transcript = recogniser.transcribe(file)
        result = {"file": file, "text": transcript.text}
        print(f"{file}: {transcript.text}")
        if args.timestamps:
            result["words"] = [vars(word) for word in transcript.words]
            for word in transcript.words:
                print(f"  {word.start:7.2f} {word.end:7.2f} s  {word.confidence:4.0%}  {word.text}")
        results.append(result)
    _write_json(args.json, results)


def demo(args: argparse.Namespace) -> None:
    """Runs the series end to end: every notebook where they are at hand, else the training alone."""
    from . import evaluation, loading, training
    from .inference import Recogniser, load_recogniser
    from .preprocessing import load_processor
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
        training.fine_tune(the_demo, splits["train"], splits["validation"], processor, the_demo.output_dir)

    fresh = Recogniser(training.build_model(the_demo.checkpoint, processor).eval(), processor)
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
        print(f"  said   {pair['reference']}\n  heard  {pair['hypothesis']}\n")
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
            NotebookClient(notebook, timeout=1_800, resources={"metadata": {"path": folder}}).execute()
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

    sub = with_data(command(train, "fine-tune a checkpoint on DATA"))
    sub.add_argument("--output-dir", metavar="DIR", required=True, help="gets the recogniser and its card")
    sub.add_argument("--checkpoint", metavar="DIR", help="start from this encoder instead of DATA's own")
    sub.add_argument("--max-steps", type=_positive, help="stop after so many steps")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in DIR")
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


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if hasattr(args, "data"):
        from .sources import source

        try:
            args.source = source(args.data, args.locale)
        except AsrError as error:
            parser.error(str(error))
    try:
        _quiet()
        args.run(args)
    except AsrError as error:
        print(f"asr-helpers: {error}", file=sys.stderr)
        return 143 if isinstance(error, Terminated) else 1
    except KeyboardInterrupt:
        resume = "; --resume goes on from the newest checkpoint" if args.run is train else ""
        print(f"asr-helpers: interrupted{resume}", file=sys.stderr)
        return 130
    return 0


def _quiet() -> None:
    """Libraries' progress bars and advice off: what a command prints is its result."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    sys.exit(main())
