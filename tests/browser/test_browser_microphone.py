"""The microphone's script in bare pages: what it records, and what it says where it cannot."""

import io
import json

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect

from asr_helpers.microphone_words import SAYS
from asr_helpers.widgets.microphone import Microphone

HERE = "http://127.0.0.1/"
# A page without Jupyter: the model keeps what it is told.
SHOW = """
window.sent = [];
window.state = { longest: 1, words: WORDS };
const model = {
    get: name => state[name],
    set: (name, value) => { state[name] = value; },
    save_changes: () => {},
    send: (content, callbacks, buffers) => sent.push({ content, bytes: [...new Uint8Array(buffers[0])] }),
};
window.leave = render({ model, el: document.body });
""".replace("WORDS", json.dumps(SAYS))


@pytest.fixture
def show(browser: Browser):
    """Opens a page at an address, with its headers, and the microphone in it."""
    pages = []

    def open_page(address: str = HERE, headers: dict[str, str] | None = None, before: str = "") -> Page:
        context = browser.new_context()
        context.grant_permissions(["microphone"])
        page = context.new_page()
        pages.append(page)
        html = "<!doctype html><title>page</title><body>"
        page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html", headers=headers))
        page.goto(address)
        script = Microphone()._esm.replace("export default { render };", "")
        page.evaluate(f"() => {{ {before}\n{script}\n{SHOW} }}")
        return page

    yield open_page
    for page in pages:
        page.context.close()


def wait_for_recording(page: Page) -> tuple[np.ndarray, int]:
    """The samples and the rate of what the page sends, once it has stopped."""
    expect(page.get_by_role("button")).to_have_text("record")
    (message,) = page.evaluate("sent")
    assert message["content"] == {"recording": True}
    file = soundfile.SoundFile(io.BytesIO(bytes(message["bytes"])))
    assert (file.format, file.subtype, file.channels) == ("WAV", "PCM_16", 1)
    return file.read(), file.samplerate


NOTE_THE_OLDER_WAY = """
const older = BaseAudioContext.prototype.createScriptProcessor;
window.blocksInThePage = 0;
BaseAudioContext.prototype.createScriptProcessor = function (...sizes) {
    const node = older.apply(this, sizes);
    node.addEventListener("audioprocess", () => { blocksInThePage += 1; });
    return node;
};
"""


@pytest.mark.parametrize(
    ("headers", "in_the_page"),
    [(None, False), ({"Content-Security-Policy": "script-src 'none'"}, True)],
    ids=["in the audio thread", "where no module may be added"],
)
def test_it_records_what_the_microphone_hears_and_stops_by_itself(show, spoken, headers, in_the_page):
    page = show(headers=headers, before=NOTE_THE_OLDER_WAY)
    page.evaluate("state.longest = 3")
    button = page.get_by_role("button")
    expect(button).to_have_text("record")
    button.click()
    expect(button).to_have_text("stop")
    samples, rate = wait_for_recording(page)
    assert rate == page.evaluate("new AudioContext().sampleRate")
    assert len(samples) == 3 * rate
    assert (page.evaluate("blocksInThePage") > 0) == in_the_page
    expect(page.get_by_role("timer")).to_have_text("3.0 s of 3 s")
    assert likeness(samples, rate, *soundfile.read(spoken)) > 0.95


def likeness(samples: np.ndarray, rate: int, other: np.ndarray, other_rate: int) -> float:
    """The highest correlation of two sounds' loudness in pieces of 10 ms, over all shifts."""
    first, second = (
        np.sqrt((wave[: len(wave) // size * size].reshape(-1, size) ** 2).mean(axis=1))
        for wave, size in ((samples, rate // 100), (other[: 3 * other_rate], other_rate // 100))
    )
    first, second = first - first.mean(), second - second.mean()
    return float(np.correlate(first, second, "full").max() / np.sqrt((first @ first) * (second @ second)))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"address": "http://lab.example/"}, "plain http"),
        ({"headers": {"Permissions-Policy": "microphone=()"}}, "page around this one"),
        ({"before": "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});"}, "reaches no microphone"),
        ({"before": "window.AudioContext = undefined;"}, "lacks AudioContext"),
    ],
    ids=["plain http", "policy", "no devices", "no AudioContext"],
)
def test_where_nothing_can_be_recorded_it_says_why(show, where, words):
    page = show(**where)
    expect(page.locator("[aria-live]")).to_contain_text(words)
    expect(page.locator("[aria-live]")).to_contain_text("upload a recording instead")
    expect(page.get_by_role("button")).to_have_count(0)
    assert page.evaluate("state.answered") is True


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("new DOMException('', 'NotFoundError')", "finds no microphone"),
        ("new DOMException('', 'NotReadableError')", "another program may hold it"),
        ("new DOMException('out of order', 'AbortError')", "out of order"),
    ],
)
def test_a_microphone_that_fails_is_told_of_and_can_be_asked_again(show, error, words):
    page = show(before=f"navigator.mediaDevices.getUserMedia = () => Promise.reject({error});")
    for _ in range(2):
        page.get_by_role("button", name="record").click()
        expect(page.locator("[aria-live]")).to_contain_text(words)
        expect(page.locator("[aria-live]")).to_contain_text("upload a recording instead")
    assert page.evaluate("sent.length") == 0


def test_leaving_the_page_lets_the_microphone_go(show):
    page = show(
        before="""
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async wish => window.stream = await open(wish);
    """
    )
    page.get_by_role("button", name="record").click()
    expect(page.get_by_role("button", name="stop")).to_be_visible()
    assert page.evaluate("stream.getTracks().map(track => track.readyState)") == ["live"]
    page.evaluate("leave()")
    assert page.evaluate("stream.getTracks().map(track => track.readyState)") == ["ended"]
    page.wait_for_timeout(1_200)
    assert page.evaluate("sent.length") == 0
