"""`asr-helpers evaluate`."""

import argparse
from typing import Any

from .. import InputError
from .common import command, printable, say, takes_beam, takes_data, with_beam, write_json


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, evaluate, "WER and CER of a recogniser, with counts and a 95 %% interval")
    takes_data(sub)
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: DATA's own)")
    sub.add_argument("--split", default="test", help="train, validation or test (default)")
    sub.add_argument("--transcripts", action="store_true", help="print each reference and hypothesis")
    takes_beam(sub)


def evaluate(args: argparse.Namespace) -> None:
    """Scores a recogniser on DATA."""
    say(f"reading {printable(args.data)}")  # before what takes seconds to import
    from .. import evaluation, loading
    from ..audit.policy import measurable
    from ..inference import load_recogniser
    from ..preprocessing import writing_of

    model = args.model or args.source.recogniser
    recogniser = with_beam(load_recogniser(model), args)
    splits = loading.load_splits(args.source, missing_files=True)
    if args.split not in splits:
        raise InputError(f"There is no split {args.split!r}: use {', '.join(splits)}.")
    rows, aside, found = measurable(splits[args.split], args.split, recogniser.processor)
    if found:
        print(f"the audit found {found}")
    if aside:
        print(f"{len(aside)} of {len(splits[args.split])} rows are left out:")
    for row in aside:
        for finding in row["findings"]:
            file = printable(row["file"])[-40:]
            print(f"  {args.split} {row['row']}  {file}  {finding['reason']}  {finding['message']}")
    scores, pairs = evaluation.evaluate(recogniser, rows)
    if args.transcripts:
        for pair in pairs:
            print(f"REF {printable(pair['reference'])}\nHYP {printable(pair['hypothesis'])}\n")
    say(f"model: {printable(model)}")
    writing = writing_of(recogniser.processor)
    if writing:
        say(f"language: {writing.language.name}; measured by {writing.named(scores.metric)}")
    print(scores)
    named = {
        "language": writing.language.tag if writing else None,
        "unit": writing.unit if writing else "characters",
        "normaliser": writing.normaliser if writing else "the model's vocabulary",
    }
    write_json(args.json, {"model": model, **named, **scores.as_dict(), "transcripts": pairs, "set_aside": aside})
