"""Notebooks of the series, opened as a reader opens them and run from the top."""

import pytest
from lab import Notebook
from looks import broken_media

RUN = ["01_loading.ipynb", "03_collation.ipynb", "04_evaluation.ipynb", "06_inference.ipynb"]


@pytest.mark.parametrize("notebook", RUN, indirect=True)
def test_every_cell_runs_and_every_picture_shows(notebook: Notebook):
    # The fixture ran it and would have named the cell that failed.
    outputs = notebook.page.locator(".jp-OutputArea")
    assert outputs.locator("img").count() > 0
    flaws = [flaw for part in outputs.all() for flaw in broken_media(part)]
    # JupyterLab shows a cell's image/png without alternative text, whatever the cell says.
    assert [flaw for flaw in flaws if not flaw.startswith("a picture without alternative text")] == []
