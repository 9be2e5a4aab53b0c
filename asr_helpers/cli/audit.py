"""`asr-helpers audit`."""

import argparse
from collections import Counter
from typing import Any

from .. import InputError
from .common import command, printable, takes_data, write_json


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, audit, "list every row of DATA that would harm training")
    takes_data(sub)
    sub.add_argument("--split", help="only train, validation or test (default: all)")


def audit(args: argparse.Namespace) -> int:
    """Lists every row of DATA that would harm training."""
    from .. import loading
    from ..audit.policy import audit_here, totals
    from ..models import load_processor

    splits = loading.published_splits(args.source)
    if args.split and args.split not in splits:
        raise InputError(f"There is no split {args.split!r}: use {', '.join(splits)}.")
    audits = audit_here(splits, load_processor(args.source.processor))
    if args.split:
        audits = {args.split: audits[args.split]}
    lines: list[tuple[str, ...]] = [
        (f"{name} {finding.row}", printable(finding.file)[-40:], finding.reason, finding.action, finding.message)
        for name, found in audits.items()
        for finding in found.findings
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
    parts = (f"{action} {part['rows']} ({part['hours']:.2f} h)" for action, part in totals(audits).items())
    print(f"{max(len(lines) - 1, 0)} findings in {rows} rows: {', '.join(parts)}")
    write_json(args.json, {
        "findings": [{"split": name, **vars(finding)} for name, found in audits.items() for finding in found.findings],
        "totals": totals(audits),
        "characters": {one: {"rows": count, "share": count / rows} for one, count in characters.most_common()},
    })  # fmt: skip
    return 1 if lines else 0
