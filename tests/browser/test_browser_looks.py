"""The checks that every view goes through notice what they are for."""

import base64
import io

import numpy as np
import pytest
import soundfile
from looks import faint_texts, flaws, milliseconds_to_picture

DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
OTHER_DOT = "data:image/gif;base64,R0lGODlhAQABAPAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="


def silence() -> str:
    """A second of it, as the address of a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(8_000), 8_000, format="WAV")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(
    ("html", "flaw"),
    [
        (f"<img src='{DOT}' alt=''>", "a picture without alternative text"),
        ("<img src='data:image/png;base64,AAAA' alt='noise'>", "a picture that does not show"),
        ("<audio src='data:audio/wav;base64,AAAA'></audio>", "a sound that does not play"),
        ("<div style='width: 50px; overflow: hidden; white-space: nowrap'>a long label</div>", "cut off"),
        ("<div style='width: 90px; overflow: auto'><p style='width: 99px'>a table</p></div>", "scrolled sideways"),
        ("<p style='width: 5000px'>a table</p>", "wider than the page"),
        ("<pre data-mime-type='application/vnd.jupyter.error'>KeyError</pre>", "an error"),
    ],
    ids=["mute picture", "broken picture", "broken sound", "cut label", "scrolling table", "wide table", "error"],
)
def test_a_flaw_is_seen(page, html, flaw):
    page.set_content(f"<div id=view style='width: max-content'>{html}</div>")
    (found,) = flaws(page.locator("#view"))
    assert flaw in found


def test_nothing_is_said_of_a_view_that_looks_right(page):
    page.set_content(
        f"<div id=view><img src='{DOT}' alt='a dot'><audio src='{silence()}' preload=none></audio>"
        "<div style='overflow: hidden'>short</div></div>"
    )
    assert flaws(page.locator("#view")) == []


@pytest.mark.parametrize(
    ("colours", "faint"),
    [
        ("color: #767676", False), ("color: #777777", True), ("color: #eee; background: #111", False),
        ("color: #111; background: #222", True), ("color: rgb(0 0 0 / 30%)", True),
        ("color: white; background: rgb(0 0 0 / 40%)", True), ("color: white; display: none", False),
    ],
)  # fmt: skip
def test_a_text_that_is_hard_to_read_is_seen(page, colours, faint):
    page.set_content(f"<body style='background: white'><div id=view><p style='{colours}'>words</p></div>")
    assert bool(faint_texts(page.locator("#view"))) == faint


def test_the_time_to_a_picture_is_from_the_event_to_the_last_byte_drawn(page):
    page.set_content(
        f"<div id=view><img src='{DOT}'></div>"
        f"<button onkeydown=\"setTimeout(() => document.querySelector('img').src = '{OTHER_DOT}', 150)\">go</button>"
    )
    milliseconds = milliseconds_to_picture(page.locator("#view"), lambda: page.get_by_role("button").press("Enter"))
    assert 150 <= milliseconds < 5_000
