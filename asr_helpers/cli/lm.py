"""`asr-helpers lm`."""

import argparse
import json
from pathlib import Path
from typing import Any

from .common import command, positive, printable, say, write, write_json


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, lm, "make a language model of text, for evaluate and transcribe")
    sub.add_argument("texts", metavar="TEXT", nargs="+", help="text files, a sentence on each line")
    sub.add_argument("--output", metavar="FILE", required=True, help="gets the model, in ARPA's form")
    sub.add_argument("--order", type=positive, default=3, help="words of its longest n-grams (default: 3)")
    sub.add_argument("--model", metavar="DIR", help="the recogniser it is for (default: DATA's own)")
    sub.add_argument(
        "--tune", metavar="DATA", dest="data", default=None,
        help="choose its weight on the validation rows of demo, hub, or a folder, and keep it in FILE.json",
    )  # fmt: skip


def lm(args: argparse.Namespace) -> int:
    """Makes a language model of text; the status is 1 where it was tuned and did not help."""
    say(f"reading {printable(args.texts[0])}")  # before what takes seconds to import
    from dataclasses import asdict

    from .. import decoding, loading, ngrams
    from ..inference import load_recogniser
    from ..models import load_processor
    from ..preprocessing import normalise_text, read_text, vocabulary
    from ..sources import source

    where = args.source if args.data else source()
    model = args.model or where.recogniser
    characters = vocabulary(load_processor(model))
    sentences = [normalise_text(line, characters).text for file in args.texts for line in read_text(file).splitlines()]
    language_model = ngrams.estimate(sentences, args.order)
    write(Path(args.output), "")  # makes its folders, and says at once where it cannot be written
    ngrams.write_arpa(language_model, args.output)
    say(f"{sum(map(bool, sentences)):,} sentences, {len(language_model.ngrams):,} n-grams: {printable(args.output)}")
    result: dict[str, Any] = {"output": args.output, "ngrams": len(language_model.ngrams)}
    if not args.data:
        write_json(args.json, result)
        return 0
    rows = loading.load_splits(where)["validation"]
    tuning = decoding.tune(load_recogniser(model), rows, decoding.Beam(language_model=language_model))
    write(decoding.weights_file(Path(args.output)), json.dumps(asdict(tuning), indent=1) + "\n")
    say(
        f"on {len(rows)} validation rows WER is {tuning.greedy:.3f}, {tuning.beam:.3f} with a beam alone, and "
        f"{tuning.language_model:.3f} with the language model: weight {tuning.weight:g}, word bonus "
        f"{tuning.word_bonus:g}; {tuning.unknown_share:.1%} of their words are unknown to it"
    )
    if not tuning.helped:
        say("The language model did not help here: give it more text of the kind that is spoken.")
    write_json(args.json, result | asdict(tuning))
    return int(not tuning.helped)
