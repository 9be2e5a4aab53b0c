"""09  A page that writes recordings down: upload or microphone in, text with times and subtitles out.

Conventions: it answers this machine alone, on 127.0.0.1. One recording is heard at a time, in a thread; what is heard
goes to the page part by part, a line of JSON each. What is sent stays in memory while it is heard, and is not kept.

The server is tornado's, which is there wherever Jupyter is.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, Finish, RequestHandler, stream_request_body

from .. import AsrError, InputError, audio, recordings, subtitles
from ..inference import Recogniser
from ..microphone_words import SAYS

HERE = Path(__file__).parent
HOSTS = {"127.0.0.1", "localhost"}
# The files of the page, each with its type. The microphone's script is the notebooks' own.
FILES: dict[str, tuple[Path | str, str]] = {
    "": (HERE / "page.html", "text/html"),
    "page.css": (HERE / "page.css", "text/css"),
    "page.js": (HERE / "page.js", "text/javascript"),
    "icon.svg": (HERE / "icon.svg", "image/svg+xml"),
    "microphone.js": (HERE.parent / "widgets" / "microphone.js", "text/javascript"),
    "words.js": (f"export default {json.dumps(SAYS)};", "text/javascript"),
}
# The page loads nothing from elsewhere, sends nothing elsewhere, and stands in no other page. An audio thread's module
# comes from a blob, and so does the sound that the page plays.
POLICY = (
    "default-src 'none'; script-src 'self' blob:; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Limits:
    """What the page takes.

    Attributes:
        megabytes: of a file.
        minutes: of sound.
        waiting: recordings, the one that is heard among them.
    """

    megabytes: float = 200.0
    minutes: float = 120.0
    waiting: int = 4


@dataclass
class Desk:
    """Hears one recording after the other.

    Attributes:
        recogniser: hears them.
        limits: of what is taken.
    """

    recogniser: Recogniser
    limits: Limits
    waiting: int = 0
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    async def hear(self, content: bytes, name: str, stop: threading.Event) -> AsyncIterator[dict[str, Any]]:
        """What is heard, as it comes: `length`, then each part's `end` and `words`, then the finished `files`.

        Args:
            content: a sound file's bytes.
            name: the file's.
            stop: set when nobody waits for the rest.

        Raises:
            AsrError: it cannot be heard: what was heard before comes first.
        """
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any] | Exception | None]()

        def put(line: dict[str, Any] | Exception | None) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, line)

        task = loop.run_in_executor(self.thread, self._work, {"bytes": content, "path": name}, put, stop)
        try:
            while (line := await lines.get()) is not None:
                if isinstance(line, Exception):
                    raise line
                yield line
        finally:
            stop.set()
            await task

    def _work(self, sound: dict[str, Any], put: Callable[[Any], None], stop: threading.Event) -> None:
        try:
            if stop.is_set():
                return
            length = audio.duration(sound)
            if length > 60 * self.limits.minutes:
                raise InputError(
                    f"{sound['path']!r} lasts {length / 60:.0f} minutes, and this page takes "
                    f"{self.limits.minutes:g}: cut it, or use asr-helpers transcribe, which takes any length."
                )
            put({"length": length})
            heard = []
            for part in recordings.transcribe(self.recogniser, sound):
                if stop.is_set():
                    return
                heard.append(part)
                put({"end": part.end, "words": [vars(word) for word in part.words]})
            put({"files": _files(recordings.joined(heard), sound["path"])})
        except Exception as error:  # whatever it is, the page waits for a line
            put(error)
        finally:
            put(None)


def _files(transcript: recordings.Transcript, name: str) -> dict[str, str]:
    """The transcript in each form, by the name of the file to save it as."""
    stem = Path(name).stem or "recording"
    return {f"{stem}{ending}": subtitles.document(transcript, name, form)
            for form, ending in subtitles.ENDINGS.items()}  # fmt: skip


class _Handler(RequestHandler):
    """Answers this page alone: no other site that a browser has open, under whatever name it calls this machine."""

    def prepare(self) -> None:
        origin = self.request.headers.get("Origin")
        if self.request.host_name not in HOSTS or (origin and urlsplit(origin).netloc != self.request.host):
            self.refuse(403, "This page answers the machine that it runs on, and no other page.")

    def set_default_headers(self) -> None:
        for name, value in (
            ("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"), ("Server", "asr-helpers"),
        ):  # fmt: skip
            self.set_header(name, value)

    def refuse(self, status: int, why: str) -> None:
        """Answers with a sentence, and ends here."""
        self.set_status(status)
        self.finish({"error": why})
        raise Finish


class _Page(_Handler):
    """Gives the page's files."""

    def get(self, name: str) -> None:
        content, kind = FILES[name]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.finish(content if isinstance(content, str) else content.read_bytes())


class _Limits(_Handler):
    """Tells the page what it takes, so that nobody sends what will be refused."""

    def get(self) -> None:
        limits = self.settings["desk"].limits
        self.finish({"bytes": int(limits.megabytes * 1e6), "megabytes": limits.megabytes, "minutes": limits.minutes})


@stream_request_body
class _Transcribe(_Handler):
    """Takes a sound file as the body of a request and answers with lines of JSON."""

    def prepare(self) -> None:
        super().prepare()
        desk: Desk = self.settings["desk"]
        limit = int(desk.limits.megabytes * 1e6)
        if int(self.request.headers.get("Content-Length", "0")) > limit:
            self.set_header("Connection", "close")  # what comes is not read
            self.refuse(413, f"The file has more than {desk.limits.megabytes:g} MB, which is what this page takes.")
        if desk.waiting >= desk.limits.waiting:
            self.set_header("Connection", "close")
            self.refuse(503, f"{desk.waiting} recordings wait already: send this one a little later.")
        connection: Any = self.request.connection
        connection.set_max_body_size(limit)
        self.chunks: list[bytes] = []
        self.stop = threading.Event()

    def data_received(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def on_connection_close(self) -> None:
        self.stop.set()

    async def post(self) -> None:
        desk: Desk = self.settings["desk"]
        content, self.chunks = b"".join(self.chunks), []
        name = Path(unquote(self.request.headers.get("X-File-Name", ""))).name or "recording"
        self.set_header("Content-Type", "application/x-ndjson; charset=utf-8")
        desk.waiting += 1
        try:
            async for line in desk.hear(content, name, self.stop):
                await self._say(line)
        except AsrError as error:
            await self._say({"error": str(error)})
        except StreamClosedError:  # nobody waits any more
            pass
        finally:
            desk.waiting -= 1

    async def _say(self, line: dict[str, Any]) -> None:
        self.write(json.dumps(line, ensure_ascii=False) + "\n")
        await self.flush()


def application(recogniser: Recogniser, limits: Limits) -> Application:
    """The page as a tornado application."""
    names = "|".join(name.replace(".", r"\.") for name in FILES)
    handlers = [(rf"/({names})", _Page), ("/limits", _Limits), ("/transcribe", _Transcribe)]
    return Application(handlers, desk=Desk(recogniser, limits), log_function=lambda handler: None)


async def serve(recogniser: Recogniser, port: int, limits: Limits, ready: Callable[[str], None]) -> None:
    """Serves the page on 127.0.0.1 until it is cancelled.

    Args:
        port: 0 for one that is free.
        ready: is told the address.

    Raises:
        InputError: the port is taken.
    """
    try:
        sockets = bind_sockets(port, "127.0.0.1")
    except OSError as error:
        raise InputError(f"Port {port} cannot be had ({error.strerror}): name another one with --port.") from None
    server = HTTPServer(application(recogniser, limits))
    server.add_sockets(sockets)
    ready(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/")
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        await server.close_all_connections()
