"""`asr-helpers export`."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import AsrError
from .common import command, printable, say, write_json


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, export, "write a recogniser as ONNX, for programs without PyTorch")
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    sub.add_argument("--output-dir", metavar="DIR", required=True, help="where the graph and its files go")
    sub.add_argument("--int8", action="store_true", help="a smaller graph beside it, if it hears as well")
    sub.add_argument(
        "--data", metavar="DATA", default="demo", help="on whose validation rows both are compared (default: demo)"
    )


def export(args: argparse.Namespace) -> None:
    """Writes a recogniser as ONNX, compared on validation rows."""
    from .. import loading, shipping
    from ..inference import load_recogniser
    from ..sources import source

    data = source(args.data)
    recogniser = load_recogniser(args.model or source().recogniser)
    rows = loading.load_splits(data)["validation"]
    say("exporting: some seconds for the demo's model, minutes for a large one")
    graph = shipping.export(recogniser, args.output_dir)
    found = {graph.name: shipping.compare(recogniser, graph, rows)}
    say(f"{printable(graph)}: {found[graph.name]}")
    refusal = ""
    if args.int8:
        small = shipping.quantise(graph)
        found[small.name] = shipping.compare(recogniser, small, rows)
        say(f"{printable(small)}: {found[small.name]}")
        if refusal := found[small.name].refusal():
            Path(small).unlink()
    write_json(args.json, {name: asdict(one) for name, one in found.items()})
    if refusal:
        raise AsrError(f"The int8 graph is not kept: {refusal}. {str(graph)!r} stays.")
