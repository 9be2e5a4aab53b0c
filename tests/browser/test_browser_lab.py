"""The ground the other tests stand on: faults in a notebook and in the console are seen, widgets answer."""

import pytest
from lab import Notebook
from playwright.sync_api import expect
from scratch import write_notebook

SLIDER = """\
import ipywidgets as widgets
slider, answer = widgets.IntSlider(3), widgets.HTML("not moved")
slider.observe(lambda change: setattr(answer, "value", f"moved to <b>{change.new}</b>"), "value")
view = widgets.VBox([slider, answer])
view.add_class("slider-view")
view"""


def test_faults_are_seen_and_widgets_answer(folder, server, browser):
    write_notebook(
        folder / "faults.ipynb",
        tagged="expected",
        slider=SLIDER,
        markup="widgets.HTML('<img src=data:, onerror=window.asrPwned=1>')",
        expected="1 / 0",
        script="from IPython.display import HTML\nHTML('<script>console.error(\"from a script\")</script>')",
        broken="{}['key']",
        after="1 + 1",
    )
    with Notebook.open(browser, server, "faults.ipynb") as notebook:
        with pytest.raises(AssertionError) as caught:
            notebook.run_all()
        assert str(caught.value) == (
            "faults.ipynb: cell broken failed: KeyError: 'key'; cell after has the execution count None, not 6"
        )

        (error,) = notebook.take_errors()
        assert "from a script" in error
        assert notebook.take_errors() == [], "each is reported once"

        assert notebook.page.evaluate("window.asrPwned") == 1, "JupyterLab runs what is in an HTML widget"

        view = notebook.view("slider-view")
        expect(view).to_contain_text("not moved")
        view.get_by_role("slider").press("ArrowRight")
        expect(view.locator("b")).to_have_text("4")


def test_a_notebook_that_takes_too_long_is_named(folder, server, browser):
    write_notebook(folder / "slow.ipynb", sleep="import time\ntime.sleep(60)")
    with Notebook.open(browser, server, "slow.ipynb") as notebook, pytest.raises(AssertionError, match="not finished"):
        notebook.run_all(seconds=1)
