"""The page of `asr-helpers app` in Chromium: a file, a microphone, what is refused, and what is saved."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import ROOT
from playwright.sync_api import Browser, Page, expect

from asr_helpers import loading
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """Where the page is served."""
    command = [sys.executable, "-m", "asr_helpers", "app", "--port", "0", "--max-minutes", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("Open http://127.0.0.1:"), line
        yield line.split()[1]
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, open; nothing in its console, and nothing asked of any other address."""
    context = browser.new_context(accept_downloads=True, color_scheme="light")
    context.grant_permissions(["microphone"])
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith((address, "blob:"))] == []
    context.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "my <b>call.flac"
    path.write_bytes(loading.load_splits(source("demo"))["test"][0]["audio"]["bytes"])
    return path


def written(page: Page) -> str:
    return " ".join(page.locator("#text button").all_inner_texts())


def test_a_file_is_heard_shown_played_and_saved(page, clip, screenshot):
    expect(page.locator("#limits")).to_contain_text("up to 200 MB and 1 minutes")
    page.locator("#file").set_input_files(clip)
    expect(page.get_by_text("Save as")).to_be_visible(timeout=30_000)
    assert written(page) == load_recogniser(source("demo").fine_tuned).transcribe(clip).text
    assert page.locator("#name").inner_text() == clip.name, "a name is text, not markup"
    word = page.locator("#text button").nth(3)
    assert float(word.get_attribute("data-start")) > 0
    assert "% sure" in word.get_attribute("title")
    word.click()
    page.wait_for_function("document.getElementById('player').currentTime >= 0.5")
    saved = {}
    for link in page.locator("#downloads a").all():
        with page.expect_download() as download:
            link.click()
        saved[link.inner_text()] = Path(download.value.path()).read_text(encoding="utf-8")
        assert download.value.suggested_filename.endswith(f".{link.inner_text()}")
    assert sorted(saved) == ["TextGrid", "ctm", "json", "srt", "txt", "vtt"]
    assert saved["txt"].strip() == written(page)
    assert "-->" in saved["srt"]
    screenshot(page.locator("main"), "app")


def test_what_is_recorded_is_heard_within_three_seconds(page):
    page.get_by_role("button", name="record").click()
    page.get_by_role("button", name="stop").wait_for()
    time.sleep(3)
    page.get_by_role("button", name="stop").click()
    stopped = time.monotonic()
    expect(page.get_by_text("Save as")).to_be_visible(timeout=30_000)
    assert time.monotonic() - stopped <= 3
    assert page.locator("#name").inner_text() == "recording.wav"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("letter.wav", b"Dear bank,", "is not a sound file"),
        ("empty.wav", b"", "empty.wav is empty."),
        ("long.wav", None, "lasts 2 minutes, and this page takes 1"),
    ],
)
def test_what_cannot_be_heard_is_said_in_a_sentence(page, tmp_path, name, content, why):
    import numpy as np
    import soundfile

    path = tmp_path / name
    if content is None:
        soundfile.write(path, np.zeros(8_000 * 90), 8_000)
    else:
        path.write_bytes(content)
    page.locator("#file").set_input_files(path)
    expect(page.get_by_role("alert")).to_contain_text(why)
    expect(page.get_by_text("Save as")).to_be_hidden()


def test_keyboard_alone(page, clip):
    page.locator("#file").set_input_files(clip)
    expect(page.get_by_text("Save as")).to_be_visible(timeout=30_000)
    page.locator("#text button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("!document.getElementById('player').paused")
    order = []
    page.locator("#file").focus()
    for _ in range(3):
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        page.keyboard.press("Tab")
    assert order[:2] == ["file", "record"]


def test_dark_and_narrow(browser: Browser, address: str, clip, screenshot):
    context = browser.new_context(color_scheme="dark", viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(address)
    page.locator("#file").set_input_files(clip)
    expect(page.get_by_text("Save as")).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screenshot(page.locator("main"), "app-dark")
    context.close()
