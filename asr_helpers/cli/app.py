"""`asr-helpers app`."""

import argparse
import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from .. import InputError
from .common import above_0, command, say, takes_beam, with_beam


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, app, "serve a page that writes recordings down, on this machine alone")
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    sub.add_argument("--port", type=int, default=8765, help="of 127.0.0.1 (default: 8765; 0 for any that is free)")
    sub.add_argument("--max-mb", type=above_0, default=200.0, metavar="N", help="of a file (default: 200)")
    sub.add_argument("--max-minutes", type=above_0, default=120.0, metavar="N", help="of sound (default: 120)")
    takes_beam(sub)


def app(args: argparse.Namespace) -> None:
    """Serves a page that writes recordings down, until it is interrupted."""
    try:
        from ..app import Limits, serve
    except ImportError as error:
        raise InputError(f"The page needs {error.name}, which is not installed: pip install tornado.") from None
    from ..inference import load_recogniser
    from ..sources import source

    recogniser = with_beam(load_recogniser(args.model or source().recogniser), args)
    limits = Limits(args.max_mb, args.max_minutes)
    served = serve(recogniser, args.port, limits, lambda at: say(f"Open {at} in a browser; Ctrl-C stops it."))
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_until_stopped(served))


async def _until_stopped(served: Coroutine[Any, Any, None]) -> None:
    """Ends in peace on Ctrl-C and SIGTERM, also where a shell that started it in the background had Ctrl-C ignored."""
    task = asyncio.ensure_future(served)
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows, where Ctrl-C is an exception
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task
