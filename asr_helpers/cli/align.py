"""`asr-helpers align`."""

import argparse
from pathlib import Path
from typing import Any

from .. import InputError
from .common import command, printable, word_line, write, write_json

FORMS = ("text", "ctm", "textgrid")


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, align, "find where each word of a known text lies in its sound")
    sub.add_argument("sound", metavar="SOUND", help="a sound file")
    sub.add_argument("text", metavar="TEXT", help="what is said in it, or a text file")
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    sub.add_argument("--format", choices=FORMS, default="text", help="of what is printed (default: text)")
    sub.add_argument("--output", metavar="FILE", help="write it there instead")


def _said(given: str) -> str:
    """A text, or what a text file holds."""
    from ..preprocessing import read_text

    try:
        is_file = Path(given).is_file()
    except (OSError, ValueError):  # a text is often too long for a file's name
        is_file = False
    return read_text(given) if is_file else given


def align(args: argparse.Namespace) -> None:
    """Finds where each word of a known text lies in its sound."""
    from .. import alignment, audio, subtitles
    from ..inference import load_recogniser
    from ..preprocessing import normalise_text, vocabulary
    from ..sources import source

    said = _said(args.text)
    recogniser = load_recogniser(args.model or source().recogniser)
    text = normalise_text(said, vocabulary(recogniser.processor)).text
    if not text:
        raise InputError(f"The text {said[:40]!r} has no letter that this recogniser writes: give what is said.")
    emission = recogniser.emission(audio.load(args.sound, recogniser.sampling_rate))
    alphabet, delay = alignment.Alphabet.of(recogniser), recogniser.calibration.delay
    words = alignment.align_words(emission, text, alphabet, recogniser.frame, delay)
    if args.format == "text":
        content = "".join(f"{word_line(word)}\n" for word in words)
    else:
        content = subtitles.FORMS[args.format](words, Path(args.sound).stem)
    if args.output:
        write(Path(args.output), content)
    else:
        print("\n".join(map(printable, content.splitlines())))
    write_json(args.json, {"sound": args.sound, "text": text, "words": [vars(word) for word in words]})
