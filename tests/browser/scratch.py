"""Notebooks that the tests make: what they hold is known, and no other test depends on them."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def write_notebook(path: Path, tagged: str = "", **cells: str) -> None:
    """Writes code cells, by id; the one named `tagged` is expected to fail."""
    made = [
        new_code_cell(source, id=name, metadata={"tags": ["raises-exception"]} if name == tagged else {})
        for name, source in cells.items()
    ]
    nbformat.write(new_notebook(cells=made, metadata=KERNEL), path)


def write_scratch(path: Path) -> None:
    """Writes a notebook with every view, each in the cell of its name."""
    write_notebook(path, one="1")
