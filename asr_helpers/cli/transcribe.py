"""`asr-helpers transcribe`."""

import argparse
import sys
from typing import Any

from .. import AsrError
from .common import command, printable, takes_beam, with_beam, write_json


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, transcribe, "write down sound files")
    sub.add_argument("files", metavar="FILE", nargs="+")
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    sub.add_argument("--timestamps", action="store_true", help="add words with start, end and confidence")
    takes_beam(sub)


def transcribe(args: argparse.Namespace) -> int:
    """Writes down sound files; a file that cannot be heard is told of, and the next one follows."""
    from ..audit import audit_clip
    from ..inference import load_recogniser
    from ..sources import source

    recogniser = with_beam(load_recogniser(args.model or source().recogniser), args)
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
    write_json(args.json, results)
    return int(any("error" in result for result in results))
