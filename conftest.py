"""For every test, docstring example and notebook cell: no network, throwaway caches, exercises' solutions run too.

The variables are set when pytest loads this file, before any library reads them, and the notebooks' kernels
and every command line that a test starts inherit them.
"""

import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from asr_helpers.wording import FONTS, find_font
from tools.notebooks import offline_environment, solutions

HOME = Path(tempfile.mkdtemp(prefix="asr-helpers-tests-"))
os.environ.update(offline_environment(HOME))
os.environ.pop("MPLBACKEND", None)  # kernels draw inline
os.environ.pop("ASR_SOURCE", None)  # the default is what is tested

import matplotlib  # noqa: E402
import no_network  # noqa: E402, F401  tests/no_network/: this process was started without it

matplotlib.use("agg")

# The browser tests run when they are asked for (make test-browser); the other is a script for torchrun. Of the editions
# one notebook in each language is run: the code of all is the English notebooks', and test_editions.py proves it.
collect_ignore = ["tests/browser", "tests/two_ranks.py"]
collect_ignore_glob = ["notebooks/[a-z][a-z]/0[1-9]_*", "notebooks/[a-z][a-z]/[1-9]*"]


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


class Solution(IPyNbCell):
    """The folded solution of an exercise, run in the notebook's kernel where it stands. It must not fail."""

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::{self.name}"


class Notebook(IPyNbFile):
    """nbval's notebook: every cell compared with its stored outputs, and the solutions run in between."""

    def setup(self):
        # What 05 trains stays with 05: every other notebook speaks with the embedded recogniser, in any order.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ASR_OUTPUTS", tempfile.mkdtemp(dir=HOME))
            tag = self.path.parent.name
            if tag in FONTS and find_font(tag) is None:
                patch.setenv("ASR_LANGUAGE", "en")  # or the first picture would warn that it is labelled in English
            super().setup()

    def collect(self):
        items = {id(item.cell): item for item in super().collect()}
        number = 0
        for cell in self.nb.cells:
            if id(cell) in items:
                yield items[id(cell)]
            for code in solutions(cell):
                number += 1
                new = nbformat.v4.new_code_cell(code)  # never executed, so nbval compares no outputs
                kind = {"cell_num": number, "cell": new, "options": defaultdict(bool)}
                yield Solution.from_parent(self, name=f"Solution {number}", **kind)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    collectors = yield
    return [Notebook.from_parent(parent, path=c.path) if isinstance(c, IPyNbFile) else c for c in collectors]
