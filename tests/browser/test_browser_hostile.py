"""Text from outside is text in every view, whatever it looks like."""

import pytest
from lab import Notebook
from playwright.sync_api import Locator, expect
from scratch import PAYLOADS

pytestmark = pytest.mark.parametrize("notebook", ["hostile.ipynb"], indirect=True)


def assert_harmless(view: Locator) -> None:
    assert view.page.evaluate("window.asrPwned ?? 'untouched'") == "untouched"
    assert view.locator("script, svg, img[src=x], [onload], [onerror], [onfocus], [autofocus]").count() == 0


@pytest.mark.parametrize(
    ("name", "choice"),
    [("clip", ".widget-select select"), ("errors", ".widget-select select >> nth=0"), ("emission", "select >> nth=0")],
)
def test_rows(notebook: Notebook, name: str, choice: str):
    view = notebook.view(f"asr-{name}-view")
    rows = view.locator(choice)
    assert_harmless(view)
    for payload in PAYLOADS:
        expect(rows.locator("option").filter(has_text=payload)).to_have_count(1)
    for number in [*range(1, len(PAYLOADS)), 0]:
        before = view.locator("audio").get_attribute("src")
        rows.select_option(index=number)
        expect(view.locator("audio")).not_to_have_attribute("src", before)
        assert_harmless(view)


def test_an_edited_hypothesis(notebook: Notebook):
    view = notebook.view("asr-errors-view")
    for payload in PAYLOADS:
        view.get_by_label("edit").fill(payload)
        for word in payload.split():
            expect(view.get_by_text(word, exact=True).last).to_be_visible()
        assert_harmless(view)


def test_a_typed_text(notebook: Notebook):
    view = notebook.view("asr-vocabulary-view")
    for payload in PAYLOADS:
        view.get_by_label("text", exact=True).fill(payload)
        expect(view).to_contain_text(f"{len(payload)} characters:")
        assert_harmless(view)


def test_the_name_of_a_file(notebook: Notebook):
    view = notebook.view("asr-voice-view")
    for payload in PAYLOADS:
        with notebook.page.expect_file_chooser() as chooser:
            view.get_by_role("button", name="choose a recording").click()
        chooser.value.set_files({"name": f"{payload}.wav", "mimeType": "audio/wav", "buffer": b"no sound"})
        expect(view.get_by_role("status")).to_contain_text(repr(f"{payload}.wav"))
        assert_harmless(view)
