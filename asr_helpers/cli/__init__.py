"""The command line: the stages without a notebook, for scripts, launchers and clusters. A file for each command.

Exit status: 0 done, 1 input that cannot be used or an audit with findings, 2 a command that cannot be understood;
stopped by a signal, 128 and its number.
"""

import argparse
import sys
from functools import partial

from .. import AsrError, __version__
from ..checkpoints import Terminated
from . import align, app, audit, convert, demo, evaluate, export, lm, train, transcribe
from .common import is_first, printable, quiet


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    whole = argparse.ArgumentParser(
        prog="asr-helpers", description="From sound files to a fine-tuned speech recogniser.",
        formatter_class=partial(argparse.HelpFormatter, max_help_position=20),
    )  # fmt: skip
    whole.add_argument("-V", "--version", action="version", version=__version__)
    commands = whole.add_subparsers(title="commands (asr-helpers COMMAND --help says more)", metavar="COMMAND")
    for module in (demo, audit, convert, train, evaluate, transcribe, lm, align, export, app):
        module.add(commands)
    return whole


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    whole = parser()
    args = whole.parse_args(argv)
    if not hasattr(args, "run"):
        whole.print_help()
        return 2
    if args.run is train.train and (wrong := train.complaint(args)):
        whole.error(wrong)
    if getattr(args, "data", None):
        from ..sources import source

        try:
            args.source = source(
                args.data, *(getattr(args, name, None) for name in ("locale", "columns", "audio_root"))
            )
        except AsrError as error:
            whole.error(str(error))
    try:
        quiet()
        return args.run(args) or 0
    except Terminated as error:  # in every process
        if is_first():
            print(f"asr-helpers: {printable(error)}", file=sys.stderr)
        return 143
    except (AsrError, OSError) as error:  # OSError: a disk that is full, a folder that may not be read
        print(f"asr-helpers: {printable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        resume = "; --resume goes on from the newest checkpoint" if args.run is train.train else ""
        print(f"asr-helpers: interrupted{resume}", file=sys.stderr)
        return 130
