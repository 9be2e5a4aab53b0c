"""The committed notebooks keep the house rules, and tools/notebooks.py notices each rule that is broken.

The cells themselves are run and compared by nbval, and the exercises' solutions with them (conftest.py).
"""

import json
import re
import shutil
import subprocess
import sys
import types
from importlib import metadata, util

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebooks


def test_the_series_is_whole_and_keeps_the_rules():
    assert [path.name[:3] for path in notebooks.series()] == [f"{number:02}_" for number in range(11)]
    assert notebooks.check(notebooks.series()) == []


def code(cell_id, source, outputs=(), count=1, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, id=cell_id, outputs=list(outputs), execution_count=count, metadata=metadata)


def prose(cell_id, source):
    return new_markdown_cell(source, id=cell_id)


def small_notebook():
    """A notebook without a fault: title, setup cell, one cell with an output."""
    nb = new_notebook(
        cells=[
            prose("title", "# Sounds\n\nWhat this is for."),
            code("setup", notebooks.SETUP_CELL),
            prose("sum", "A sum."),
            code("one-and-one", "1 + 1", [new_output("execute_result", {"text/plain": "2"}, execution_count=2)], 2),
        ]
    )
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nb


def breaches(tmp_path, nb):
    (tmp_path / "00_a.ipynb").write_text(json.dumps(nb))  # nbformat.write would mend some of the faults
    return notebooks.check([tmp_path / "00_a.ipynb"])


def test_a_notebook_without_a_fault_passes(tmp_path):
    assert breaches(tmp_path, small_notebook()) == []


def with_source(source):
    def spoil(nb):
        nb.cells[3].source = source

    return spoil


def with_output(*args, **kwargs):
    def spoil(nb):
        nb.cells[3].outputs.append(new_output(*args, **kwargs))

    return spoil


def with_id(cell_id):
    def spoil(nb):
        nb.cells[3].id = cell_id

    return spoil


def no_ids(nb):
    for cell in nb.cells:
        cell.pop("id")


def null_count(nb):
    nb.cells[3].execution_count = None


def counts_out_of_order(nb):
    nb.cells[1].execution_count, nb.cells[3].execution_count = 2, 1


def no_outputs(nb):
    nb.cells[3].outputs = []


def foreign_tag(nb):
    nb.cells[3].metadata.tags = ["nbval-skip"]


def widget_state(nb):
    nb.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def another_kernel(nb):
    nb.metadata.kernelspec.name = "my-venv"


def too_big(nb):
    with_output("display_data", {"image/png": "A" * 300_001})(nb)


def other_setup_cell(nb):
    nb.cells[1].source += "\nprint('ready')"


def no_setup_cell(nb):
    nb.cells[1].id = "prepare"


def three_code_cells(nb):
    nb.cells += [code("two", "2", count=3), code("three", "3", count=4)]


def long_median(nb):
    nb.cells[3].source = "\n".join("12345678")


def path_in_prose(nb):
    nb.cells[2].source = "Look in /home/ada/speech."


def token_in_prose(nb):
    nb.cells[2].source = "hf_" + "aB3" * 11


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (null_count, "execution counts are not 1 to 2"),
        (counts_out_of_order, "execution counts are not 1 to 2"),
        (no_outputs, "no cell has an output"),
        (with_output("error", ename="KeyError", evalue="'a'", traceback=[]), "an error among its outputs (KeyError)"),
        (foreign_tag, "tag 'nbval-skip' is not one of"),
        (with_source("# NBVAL_IGNORE_OUTPUT\n1 + 1"), "NBVAL_IGNORE_OUTPUT hides"),
        (with_source("from IPython.display import clear_output"), "clear_output hides"),
        (widget_state, "widget state"),
        (with_output("display_data", {"application/vnd.jupyter.widget-view+json": {}}), "a widget's view"),
        (another_kernel, "its kernel is not named python3"),
        (too_big, "more than 300,000"),
        (with_id("a1b2c3d4"), "not a readable name"),
        (with_id("One_And_One"), "not a readable name"),
        (with_id("3f2a9c1b-77aa-4c1d-9a3e-0123456789ab"), "not a readable name"),
        (with_id("title"), "'title' is used twice"),
        (no_ids, "there are cells without an id"),
        (other_setup_cell, "`setup` is missing or differs"),
        (no_setup_cell, "`setup` is missing or differs"),
        (three_code_cells, "cell one-and-one: three code cells in a row"),
        (with_source("\n".join("1234567890123456")), "16 lines, more than 15"),
        (long_median, "the median code cell has more than 7 lines"),
        (path_in_prose, "a path of a machine: /home"),
        (with_output("stream", text="/tmp/clip.wav"), "a path of a machine: /tmp"),
        (with_output("stream", text="C:\\Users\\ada"), "a path of a machine: C:\\Users"),
        (with_output("execute_result", {"text/html": "<a href='/Users/ada'>"}), "a path of a machine: /Users"),
        (token_in_prose, "an access token"),
    ],
)
def test_each_rule_is_noticed(tmp_path, spoil, says):
    nb = small_notebook()
    spoil(nb)
    assert says in "\n".join(breaches(tmp_path, nb))


@pytest.mark.parametrize(
    "change",
    [
        with_output("stream", text="https://example.org/home/tmp and input/work and 2/Users"),
        with_output("display_data", {"text/html": "<audio src='data:audio/wav;base64,AAA+/tmp/AAA=' />"}),
        with_source("from huggingface_hub import hf_hub_download"),
        with_id("facade"),
    ],
)
def test_what_only_looks_like_a_breach_passes(tmp_path, change):
    nb = small_notebook()
    change(nb)
    assert breaches(tmp_path, nb) == []


def test_an_error_that_is_shown_on_purpose_passes(tmp_path):
    nb = small_notebook()
    with_output("error", ename="KeyError", evalue="'a'", traceback=[])(nb)
    nb.cells[3].metadata.tags = ["raises-exception"]
    assert breaches(tmp_path, nb) == []


def test_neighbours_link_to_each_other_and_install_from_one_address(tmp_path):
    first, second = small_notebook(), small_notebook()
    first.cells[0].source += "\n\n[Next](01_b.ipynb)"
    second.cells[1].source = notebooks.setup_cell("git+https://github.com/ada/speech@v0.1.0")
    paths = [tmp_path / "00_a.ipynb", tmp_path / "01_b.ipynb"]
    for nb, path in zip((first, second), paths, strict=True):
        nbformat.write(nb, path)
    missing, differing = notebooks.check(paths)
    assert missing == "01_b.ipynb: no link to its neighbour 00_a.ipynb"
    assert differing.startswith("the setup cells install from different addresses: ['', 'git+")


def test_execute_writes_a_clean_notebook(tmp_path):
    path = tmp_path / "00_a.ipynb"
    nb = new_notebook(
        cells=[
            prose("title", "# Sounds"),
            code("setup", notebooks.SETUP_CELL, count=None),
            prose("a-widget", "A widget, then a mistake."),
            code("slide", "import ipywidgets\nipywidgets.IntSlider(3)", count=7, tags=["raises-exception"]),
            prose("mistake", "The mistake."),
            code("fail", "import json\njson.loads('')", count=None, tags=["raises-exception"]),
        ]
    )
    nb.metadata.widgets = {"a": 1}
    nb.cells[0].metadata["execution"] = {"iopub.execute_input": "2026-11-20T18:22:00Z"}
    nbformat.write(nb, path)
    notebooks.execute(path)

    after = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in after.cells if cell.cell_type == "code"] == [1, 2, 3]
    assert set(after.metadata) == {"kernelspec", "language_info"}
    assert after.cells[0].metadata == {}
    assert after.cells[3].metadata == {"tags": ["raises-exception"]}
    assert set(after.cells[3].outputs[0].data) == {"text/plain"}
    assert after.cells[5].outputs[0].ename == "JSONDecodeError"
    assert notebooks.check([path]) == []

    written = path.read_bytes()
    notebooks.execute(path)
    assert path.read_bytes() == written, "executed twice, the same bytes"


def test_execute_leaves_a_notebook_that_fails_as_it_was(tmp_path):
    path = tmp_path / "00_a.ipynb"
    nb = small_notebook()
    nb.cells[3].source = "1 / 0"
    nbformat.write(nb, path)
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.execute(path)
    assert path.read_bytes() == before


def test_versions_that_are_not_the_pinned_ones_are_named(tmp_path):
    pins = tmp_path / "constraints.txt"
    pins.write_text(f"# comment\npytest=={pytest.__version__}\nnbformat==0.1  # old\nnot-installed==1\n")
    assert notebooks.unpinned(pins) == [f"nbformat {metadata.version('nbformat')} (pinned: 0.1)"]


# Stamps


def test_stamping_and_clearing(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/speech")
    path, readme = tmp_path / "00_a.ipynb", tmp_path / "README.md"
    nbformat.write(small_notebook(), path)
    readme.write_text("# Speech\n\n<!-- badges -->\n<!-- /badges -->\n\nText.\n")
    unstamped = path.read_bytes(), readme.read_bytes()

    notebooks.stamp([path], readme)
    nb = nbformat.read(path, as_version=4)
    version = notebooks.tag()
    opens = f"https://colab.research.google.com/github/ada/speech/blob/{version}/notebooks/00_a.ipynb"
    assert nb.cells[0].source.splitlines()[2].endswith(f"({opens})")
    assert nb.cells[0].source.endswith("\n\nWhat this is for.")
    assert f'ADDRESS = "git+https://github.com/ada/speech@{version}"' in nb.cells[1].source
    assert opens in readme.read_text()
    binder = f"https://mybinder.org/v2/gh/ada/speech/{version}?urlpath=lab/tree/notebooks/00_a.ipynb"
    assert binder in readme.read_text()
    assert notebooks.check([path]) == []

    once = path.read_bytes(), readme.read_bytes()
    notebooks.stamp([path], readme)
    assert (path.read_bytes(), readme.read_bytes()) == once
    monkeypatch.setenv("GITHUB_REPOSITORY", "fork/speech")
    notebooks.stamp([path], readme)
    assert b"ada/speech" not in path.read_bytes() + readme.read_bytes()
    notebooks.stamp([path], readme, clear=True)
    assert (path.read_bytes(), readme.read_bytes()) == unstamped


@pytest.mark.parametrize(
    "url", ["https://github.com/ada/speech.git", "https://github.com/ada/speech", "git@github.com:ada/speech.git"]
)
def test_the_repository_is_read_from_the_remote(tmp_path, monkeypatch, url):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", url], check=True)
    assert notebooks.repository() == "ada/speech"


def test_without_a_github_address_stamping_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="no GitHub address to stamp"):
        notebooks.repository()


# The setup cell


@pytest.fixture
def colab(monkeypatch):
    """Runs the setup cell as on a Colab runtime without the package; returns the commands it started."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    started = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: started.append(command))
    return started


def test_on_colab_the_setup_cell_installs_from_the_tag_and_holds_what_is_there(colab):
    exec(notebooks.setup_cell("git+https://github.com/ada/speech@v0.1.0"), {})
    (command,) = colab
    assert command[1:4] == ["-m", "pip", "install"]
    assert "asr-helpers @ git+https://github.com/ada/speech@v0.1.0" in command
    assert [c for c in command if "==" in c] == [f"{n}=={metadata.version(n)}" for n in ("torch", "numpy", "pyarrow")]


def test_on_colab_an_unstamped_setup_cell_says_what_to_do(colab):
    with pytest.raises(RuntimeError, match="set ADDRESS to 'git"):
        exec(notebooks.SETUP_CELL, {})
    assert colab == []


def test_on_colab_an_installed_package_is_left_alone(colab, monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: object())
    exec(notebooks.setup_cell("git+https://github.com/ada/speech@v0.1.0"), {})
    assert colab == []


def test_elsewhere_the_setup_cell_does_nothing(colab, monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab")
    exec(notebooks.SETUP_CELL, {})
    assert colab == []


# Exercises


def test_solutions_are_the_python_blocks_in_a_fold():
    fold = "Try.\n\n```python\nignored()\n```\n\n<details><summary>Solution</summary>\n\n```python\na = 1\n```\n"
    both = fold + "\nthen\n\n```python\nb = a\n```\n\n</details>"
    assert notebooks.solutions(prose("exercise", both)) == ["a = 1\n", "b = a\n"]
    assert notebooks.solutions(prose("exercise", fold)) == []
    assert notebooks.solutions(code("fold", both)) == []


def test_a_solution_is_run_where_it_stands_and_may_fail(pytester_notebook):
    works = "<details><summary>Solution</summary>\n\n```python\nassert x == 1\n```\n\n</details>"
    fails = works.replace("== 1", "== 2")
    cells = [code("one", "x = 1"), prose("a", works), code("two", "x = 2", count=2), prose("b", fails)]
    cells += [prose("c", fails.replace("== 2", "== 3"))]
    report = pytester_notebook(cells)
    order = ["Cell 0 PASSED", "Solution 1 PASSED", "Cell 1 PASSED", "Solution 2 PASSED", "Solution 3 FAILED"]
    assert re.findall(r"::((?:Cell|Solution) \d+ \w+) ", report) == order
    assert "assert x == 3" in report


def test_a_stored_output_that_no_longer_comes_is_noticed(pytester_notebook):
    stale = [new_output("execute_result", {"text/plain": "3"}, execution_count=1)]
    report = pytester_notebook([code("sum", "1 + 1", stale)])
    assert "Cell outputs differ" in report


def test_addresses_in_memory_are_not_compared(pytester_notebook):
    stored = [new_output("execute_result", {"text/plain": "<object at 0x7f0011223344>"}, execution_count=1)]
    report = pytester_notebook([code("thing", "object()", stored)])
    assert "Cell 0 PASSED" in report


def test_a_notebook_under_test_has_no_network(pytester_notebook):
    report = pytester_notebook([code("ask", "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)")])
    assert "NetworkBlocked" in report
    assert "1 failed" in report


@pytest.fixture
def pytester_notebook(tmp_path):
    """Runs a notebook of these cells as `make test` runs the series; returns what pytest prints."""

    def run(cells):
        nbformat.write(new_notebook(cells=cells), tmp_path / "00_a.ipynb")
        command = [sys.executable, "-m", "pytest", "-v", "--color=no", "-p", "no:cacheprovider"]
        command += ["-c", str(notebooks.ROOT / "pyproject.toml"), "--rootdir", str(notebooks.ROOT)]
        command += ["--confcutdir", "/", "-p", "conftest", str(tmp_path / "00_a.ipynb")]
        return subprocess.run(command, capture_output=True, text=True, cwd=notebooks.ROOT).stdout

    return run


# Another language


@pytest.mark.soak
@pytest.mark.parametrize("locale", ["ar-SA", "ja-JP", "ko-KR"])
def test_the_series_runs_in_the_language_of_the_environments_locale(locale, tmp_path, monkeypatch):
    """Some ten minutes each. 10 comes first: it trains what the others speak with. 07 has an English language model."""
    monkeypatch.setenv("ASR_LOCALE", locale)
    monkeypatch.setenv("ASR_OUTPUTS", str(tmp_path / "outputs"))
    by_number = {path.name[:2]: path for path in notebooks.series()}
    for number in ("10", *sorted(by_number.keys() - {"07", "10"})):
        copy = tmp_path / by_number[number].name
        shutil.copy(by_number[number], copy)
        notebooks.execute(copy)
