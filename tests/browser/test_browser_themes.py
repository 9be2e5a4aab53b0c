"""What a view says can be read in JupyterLab's light theme and in its dark one."""

import pytest
from lab import Notebook
from looks import faint_texts


@pytest.mark.parametrize("notebook", ["hostile.ipynb"], indirect=True)
@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_no_text_is_faint(notebook: Notebook, theme: str):
    notebook.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    notebook.page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg=str("Light" in theme).lower()
    )
    for name in ("clip", "vocabulary", "emission", "errors", "voice"):
        assert faint_texts(notebook.view(f"asr-{name}-view")) == [], name
