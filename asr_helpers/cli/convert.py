"""`asr-helpers convert`."""

import argparse
from pathlib import Path
from typing import Any

from .common import command, printable, say, takes_data, write_json


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, convert, "write DATA, in whatever layout, as an audiofolder or Parquet files")
    takes_data(sub)
    sub.add_argument("--output-dir", metavar="DIR", required=True, help="gets the rows; it must be empty")
    sub.add_argument("--format", choices=("folder", "parquet"), default="folder", help="default: folder")


def convert(args: argparse.Namespace) -> int:
    """Writes DATA as an audiofolder or Parquet files."""
    say(f"reading {printable(args.data)}")  # before what takes seconds to import
    from .. import loading
    from ..conversion import write_folder, write_parquet

    splits = loading.load_splits(args.source, missing_files=True)
    writer = write_folder if args.format == "folder" else write_parquet
    written, left_out = writer(splits, Path(args.output_dir))
    for one in left_out:
        print(f"left out {one['split']} {one['row']}: {printable(one['reason'])}")
    say(", ".join(f"{count} {name}" for name, count in written.items()) + f" rows are in {args.output_dir}")
    write_json(args.json, {"output_dir": args.output_dir, "rows": written, "left_out": left_out})
    return 1 if left_out else 0
