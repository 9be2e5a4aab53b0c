"""What the commands share: their words to a terminal, their files, their options."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import AsrError, InputError

if TYPE_CHECKING:
    from ..inference import Recogniser, Word


def is_first() -> bool:
    """Of the processes that torchrun or accelerate started, one prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def say(line: str) -> None:
    """Prints a line at once, in the first process."""
    if is_first():
        print(line, flush=True)


def write_json(path: str | Path | None, result: Any) -> None:
    """Writes a result for a program to read, where a file was named."""
    if path and is_first():
        write(Path(path), json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def write(path: Path, text: str) -> None:
    """Writes a text file and the folders that it lies in.

    Raises:
        AsrError: it cannot be written.
    """
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


def word_line(word: "Word") -> str:
    """A word in time, for a person to read."""
    return f"{word.start:7.2f} {word.end:7.2f} s  {word.confidence:4.0%}  {word.text}"


def quiet() -> None:
    """Libraries' progress bars and advice off: what a command prints is its result."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def command(commands: Any, run: Any, help: str) -> argparse.ArgumentParser:
    """Adds a command that is named as its function."""
    sub = commands.add_parser(run.__name__, help=help, description=help.replace("%%", "%"))
    sub.set_defaults(run=run)
    sub.add_argument("--json", metavar="FILE", help="write the result there, for a program to read")
    return sub


def takes_data(sub: argparse.ArgumentParser) -> None:
    """Adds the arguments that say which rows."""
    sub.add_argument(
        "data", metavar="DATA",
        help="demo, hub, a folder with a metadata.csv (file_name, transcription), or a corpus in another layout: "
        "Common Voice, LibriSpeech, Kaldi, FLEURS, ESPnet, NeMo, lhotse, a CSV or TSV",
    )  # fmt: skip
    sub.add_argument("--locale", help="another of the dataset's locales, such as de-DE")
    sub.add_argument(
        "--columns", type=column_names, metavar="NAME=MEANING,…",
        help="a spreadsheet's columns: which is file_name, transcription, speaker",
    )  # fmt: skip
    sub.add_argument("--audio-root", metavar="DIR", help="where sounds may lie besides DATA, for a manifest's paths")


def takes_beam(sub: argparse.ArgumentParser) -> None:
    """Adds the arguments that say how an emission becomes text."""
    how = sub.add_argument_group("decoding", "without these, each frame's likeliest token is taken")
    how.add_argument("--beam", type=positive, metavar="N", help="follow the N likeliest texts (25 with what follows)")
    how.add_argument("--lm", metavar="FILE", help="a language model in ARPA's form, or demo")
    how.add_argument("--hotwords", metavar="FILE", help="words expected here, one on a line; with a number, its bonus")
    how.add_argument("--bf16", action="store_true", help="compute in bfloat16, where this machine has it")


def with_beam(recogniser: "Recogniser", args: argparse.Namespace) -> "Recogniser":
    """The recogniser as the command line wants it to decode.

    Raises:
        InputError: a file cannot be read, or does not fit the recogniser.
    """
    from dataclasses import replace

    if args.bf16:
        recogniser = replace(recogniser, bf16=_bf16_for(recogniser))
    if not (args.beam or args.lm or args.hotwords):
        return recogniser
    from ..alignment import Alphabet
    from ..decoding import Beam, BeamRecogniser, read_hotwords
    from ..sources import DEMO_LANGUAGE_MODEL

    width, lm = args.beam or 25, DEMO_LANGUAGE_MODEL if args.lm == "demo" else args.lm
    beam = Beam.read(lm, Alphabet.of(recogniser), width) if lm else Beam(width)
    if args.hotwords:
        beam = replace(beam, hotwords=read_hotwords(args.hotwords, recogniser.processor))
    return BeamRecogniser(**(vars(recogniser) | {"beam": beam}))


def _bf16_for(recogniser: "Recogniser") -> bool:
    from ..models import has_bf16
    from ..onnx_model import OnnxModel

    if isinstance(recogniser.model, OnnxModel):
        raise InputError("An ONNX graph computes as it was exported: leave out --bf16.")
    if not has_bf16():
        raise InputError("This machine does not multiply in bfloat16 by itself: leave out --bf16.")
    return True


def column_names(text: str) -> dict[str, str]:
    """Columns and their meanings from the command line.

    >>> column_names("path=file_name,sentence=transcription")
    {'path': 'file_name', 'sentence': 'transcription'}
    """
    columns = {}
    for pair in text.split(","):
        name, _, meaning = pair.rpartition("=")
        if not name or not meaning:
            raise argparse.ArgumentTypeError(f"{pair!r} is not NAME=MEANING, as sentence=transcription")
        columns[name] = meaning
    return columns


def above_0(text: str) -> float:
    """A number above 0 from the command line.

    >>> above_0("1e-3")
    0.001
    """
    number = not_negative(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number


def not_negative(text: str) -> float:
    """A number from 0 on from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def positive(text: str) -> int:
    """A whole number above 0 from the command line.

    >>> positive("10")
    10
    """
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
