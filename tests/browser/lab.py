"""JupyterLab as a reader has it: a server on a folder of notebooks, and a notebook open in a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
from nbformat import NotebookNode
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
VIEWPORT = {"width": 1280, "height": 900}
PATIENCE = 180  # s, for a server, a browser and a kernel to start: on a busy machine each takes a minute
expect.set_options(timeout=30_000)

# What would get in the way of a test: cells outside the window that are not in the page, and questions.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
}
OPTIONS = {
    "IdentityProvider.token": "browser-tests",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.expose_app_in_browser": True,
    "LabApp.extension_manager": "readonly",  # the other one asks the package index
    "LabApp.news_url": None,
    "ServerApp.allow_root": True,
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.open_browser": False,
    "ServerApp.port": 0,  # a free one
}

# Errors in the console that no notebook and no view of ours causes; everything else fails a test.
FOREIGN_NOISE: tuple[re.Pattern[str], ...] = ()


@contextmanager
def serve(folder: Path, home: Path, seconds: float = PATIENCE) -> Iterator[str]:
    """Starts JupyterLab on `folder`, its settings, logs and kernels' outputs in `home`; yields its address.

    The server and its kernels are gone at the end, whatever happens in between.

    Raises:
        RuntimeError: it ended, or did not answer within `seconds`; with the end of its log.
    """
    for name, values in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    (home / "config").mkdir()
    config = {}
    for name, value in OPTIONS.items():
        config.setdefault(name.partition(".")[0], {})[name.partition(".")[2]] = value
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(config))

    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "ASR_OUTPUTS": str(home / "outputs"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    with open(home / "server.log", "w") as log:
        # Its own session, so that Ctrl-C reaches the tests alone, and they end it.
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", str(folder)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield _address(process, home, time.monotonic() + seconds)
    finally:
        _end(process)


def _address(process: subprocess.Popen, home: Path, deadline: float) -> str:
    """The server's address, once it has written it down."""
    path = home / "runtime" / f"jpserver-{process.pid}.json"
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            return json.loads(path.read_text())["url"]
        time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start:\n" + (home / "server.log").read_text()[-3_000:])


def _end(process: subprocess.Popen) -> None:
    """Asks the server to end with its kernels, and ends what is left after 10 s."""
    if process.poll() is None:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=10)
        for one in left:
            one.kill()
    process.wait()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, page: Page, name: str):
        self.page = page
        self.name = name
        self.console: list[str] = []
        self._seen = 0
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.console.append(f"error: uncaught {error}"))

    def _note(self, message: ConsoleMessage) -> None:
        place = message.location or {}
        self.console.append(f"{message.type}: {message.text} ({place.get('url')}:{place.get('lineNumber')})")

    @classmethod
    @contextmanager
    def open(cls, browser: Browser, address: str, name: str, blocked: str = "") -> Iterator[Notebook]:
        """Opens a notebook of the server's folder in a fresh profile; at the end, shuts its kernel down.

        Args:
            blocked: addresses that the page does not get, as Playwright's route takes them.
        """
        with browser.new_context(viewport=VIEWPORT) as context:
            page = context.new_page()
            if blocked:
                page.route(blocked, lambda route: route.abort())
            notebook = cls(page, name)
            token = OPTIONS["IdentityProvider.token"]
            # A workspace of its own: the usual one would open all notebooks of the tests before as well.
            page.goto(f"{address}lab/workspaces/{Path(name).stem}/tree/{name}?token={token}", timeout=PATIENCE * 1_000)
            page.wait_for_function(
                "name => window.jupyterapp?.shell.currentWidget?.context?.localPath === name"
                " && window.jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel?.status === 'idle'",
                arg=name,
                timeout=PATIENCE * 1_000,
            )
            yield notebook
            page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")

    def run_all(self, seconds: float = 300) -> None:
        """Run > Run All Cells, to the end.

        Raises:
            AssertionError: a code cell failed or did not run; with its id and its error.
        """
        finished = self.page.evaluate(
            """seconds => Promise.race([
                window.jupyterapp.commands.execute("notebook:run-all-cells").then(() => true),
                new Promise(resolve => setTimeout(() => resolve(false), seconds * 1000)),
            ])""",
            seconds,
        )
        problems = list(problems_of(self.document()))
        if problems and finished:  # the last messages of a cell that failed may still be on their way
            self.page.wait_for_timeout(2_000)
            problems = list(problems_of(self.document()))
        if not finished:
            problems.append(f"not finished after {seconds} s")
        assert not problems, f"{self.name}: " + "; ".join(problems)

    def document(self) -> NotebookNode:
        """The notebook as it stands in the page, outputs included."""
        model = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.toJSON()")
        return nbformat.from_dict(model)

    def view(self, css_class: str) -> Locator:
        """The one widget with this class, on screen."""
        view = self.page.locator(f".{css_class}")
        expect(view).to_have_count(1)
        view.scroll_into_view_if_needed()
        return view

    def take_errors(self) -> list[str]:
        """The console's errors since the last call, without FOREIGN_NOISE."""
        new, self._seen = self.console[self._seen :], len(self.console)
        errors = [line for line in new if line.startswith("error:")]
        return [line for line in errors if not any(noise.search(line) for noise in FOREIGN_NOISE)]


def problems_of(nb: NotebookNode) -> Iterator[str]:
    """Each code cell that failed, though not tagged as one that should, or was not run in its turn."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        if cell.execution_count != number:
            yield f"cell {cell.id} has the execution count {cell.execution_count}, not {number}"
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                yield f"cell {cell.id} failed: {output.ename}: {output.evalue}"
