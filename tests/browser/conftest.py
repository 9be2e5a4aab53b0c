"""A JupyterLab server, a browser, and the notebooks open in it; `make test-browser` runs these tests.

A screenshot of each view goes to outputs/screenshots (or $ASR_SCREENSHOTS); of a test that fails, the whole
page and the browser's console go to outputs/browser-failures.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

try:
    from lab import PATIENCE, ROOT, VIEWPORT, Notebook, serve
    from playwright.sync_api import Browser, Locator, sync_playwright
except ImportError as error:
    raise pytest.UsageError(f"tests/browser: {error.name} is missing; `make test-browser` installs it") from None
import chromium
from scratch import (
    write_hostile,
    write_long,
    write_recording,
    write_search,
    write_spoken,
    write_training,
    write_voice,
)

SCREENSHOTS = Path(os.environ.get("ASR_SCREENSHOTS", ROOT / "outputs" / "screenshots"))
FAILURES = ROOT / "outputs" / "browser-failures"
MAX_BYTES = 2_000_000  # of all screenshots

# A time limit ends the tests with SIGTERM: like Ctrl-C, it must not leave a server and its kernels behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_sessionstart() -> None:
    shutil.rmtree(FAILURES, ignore_errors=True)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """What the server shows: a copy of the notebooks, and those that the tests make."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    write_training(folder / "training.ipynb")
    write_long(folder / "long.ipynb")
    write_hostile(folder / "hostile.ipynb")
    write_search(folder / "search.ipynb")
    write_recording(folder / "recording.ipynb")
    write_voice(folder / "voice.ipynb")
    write_voice(folder / "unrecorded.ipynb")
    return folder


@pytest.fixture(scope="session")
def server(folder, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab on that folder."""
    with serve(folder, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@pytest.fixture(scope="session")
def spoken(tmp_path_factory) -> Path:
    """The sound file that the browser's microphone plays, once, whenever it is opened; then it is silent."""
    return write_spoken(tmp_path_factory.mktemp("spoken") / "spoken.wav")


@pytest.fixture(scope="session")
def browser(spoken) -> Iterator[Browser]:
    """Chromium without a window, and without any network but this machine. Its microphone plays `spoken`."""
    program = chromium.find()
    if program is None:
        pytest.exit(chromium.MISSING, returncode=1)
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}%noloop",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments, timeout=PATIENCE * 1_000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def notebook(request, server, browser) -> Iterator[Notebook]:
    """The notebook named by the parameter, open and run from the top. pytest runs all tests of one in a row."""
    with Notebook.open(browser, server, request.param) as notebook:
        try:
            notebook.run_all()
        except AssertionError:
            keep_evidence(notebook, request.param)
            raise
        yield notebook


@pytest.fixture(scope="session")
def screenshot() -> Iterator[Callable[[Locator, str], None]]:
    """Saves the picture of a view under a name."""
    saved = {}

    def save(view: Locator, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        height = int(view.bounding_box()["height"]) + 200  # all of it in the window, below JupyterLab's bars
        view.page.set_viewport_size(VIEWPORT | {"height": max(height, VIEWPORT["height"])})
        saved[name] = len(view.screenshot(path=SCREENSHOTS / f"{name}.png"))
        view.page.set_viewport_size(VIEWPORT)

    yield save
    assert sum(saved.values()) < MAX_BYTES, f"the screenshots are too large: {saved}"


@pytest.fixture(autouse=True)
def no_console_errors(request) -> Iterator[None]:
    """Fails the test in which the browser's console gets an error."""
    yield
    if "notebook" in request.fixturenames:
        assert request.getfixturevalue("notebook").take_errors() == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    # Not in the teardown, when the browser may be gone.
    if report.failed and report.when == "call" and "notebook" in getattr(item, "funcargs", {}):
        folder = keep_evidence(item.funcargs["notebook"], item.name)
        report.sections.append(("browser", f"screenshot and console: {folder}"))
    return report


def keep_evidence(notebook: Notebook, name: str) -> Path:
    """Writes what the page looks like and what its console holds; returns the folder."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    (FAILURES / f"{name}.console.txt").write_text("\n".join(notebook.console))
    notebook.page.screenshot(path=FAILURES / f"{name}.png")
    return FAILURES


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """All tests of a notebook in a row: it is opened and run once."""

    def name(item: pytest.Item) -> str:
        return item.callspec.params.get("notebook", "") if hasattr(item, "callspec") else ""

    items.sort(key=name)
