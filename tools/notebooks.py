"""Keep the notebooks executed, clean and stamped.

    python tools/notebooks.py execute [NAME ...]   run top to bottom, clean, write back
    python tools/notebooks.py check [NAME ...]     print every breach of the house rules
    python tools/notebooks.py stamp [--clear]      write (or take out) badges and install address, then `make editions`

NAME is the beginning of a notebook's file name: `05` is notebooks/05_training.ipynb.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
README = ROOT / "README.md"

SETUP_CELL = """\
import subprocess
import sys
from importlib import metadata, util

ADDRESS = ""  # written by tools/notebooks.py

# On Colab this installs the package and leaves what is there alone. Anywhere else it does nothing.
if "google.colab" in sys.modules and util.find_spec("asr_helpers") is None:
    if not ADDRESS:
        raise RuntimeError("This copy is unstamped: set ADDRESS to 'git+https://github.com/OWNER/NAME' and rerun.")
    kept = [f"{name}=={metadata.version(name)}" for name in ("torch", "numpy", "pyarrow")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"asr-helpers @ {ADDRESS}", *kept], check=True)"""

MAX_BYTES = 300_000
MAX_LINES = 15
MAX_MEDIAN_LINES = 7
TAGS = {"raises-exception"}

_ADDRESS = re.compile(r'^ADDRESS = "([^"\n]*)"', re.MULTILINE)
_BADGE = re.compile(r"\n+\[!\[Open In Colab\][^\n]*")
_BADGES = re.compile(r"(<!-- badges -->\n).*?(<!-- /badges -->)", re.DOTALL)
_DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CELL_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RANDOM_ID = re.compile(r"(^|-)[0-9a-f]{8,}(-|$)")
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home|tmp|Users)\b|\b[A-Z]:\\+Users\b")
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\bgh[a-z]_[A-Za-z0-9]{16,}")
_BASE64 = re.compile(r"base64,[A-Za-z0-9+/=\s]+")
_FORBIDDEN_SOURCE = re.compile(r"\bclear_output\b|\bNBVAL_\w+|\bPYTEST_VALIDATE_\w+")
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def series(names: list[str] | None = None) -> list[Path]:
    """The notebooks in their order; with names, those whose file names begin with one of them."""
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not names:
        return paths
    for name in names:
        if not any(path.name.startswith(name) for path in paths):
            raise SystemExit(f"no notebook begins with {name!r} in {NOTEBOOKS.relative_to(ROOT)}/")
    return [path for path in paths if path.name.startswith(tuple(names))]


def setup_cell(address: str) -> str:
    """The one setup cell of all notebooks, with the address pip installs from ("" when unstamped)."""
    return _ADDRESS.sub(f'ADDRESS = "{address}"', SETUP_CELL)


def solutions(cell: NotebookNode) -> list[str]:
    """The Python blocks folded in a markdown cell's `<details>`: the solutions of its exercises."""
    if cell.cell_type != "markdown":
        return []
    return [code for fold in _DETAILS.findall(cell.source) for code in _PYTHON.findall(fold)]


# Execute


def offline_environment(home: Path) -> dict[str, str]:
    """Variables under which a process finds no network, no caches and no settings but those in `home`."""
    paths = [str(ROOT / "tests" / "no_network"), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(home / "huggingface"),
        "HF_DATASETS_CACHE": str(home / "huggingface" / "datasets"),
        "IPYTHONDIR": str(home / "ipython"),
        "ASR_OUTPUTS": str(home / "outputs"),
    }


def unpinned(constraints: Path = ROOT / "constraints.txt") -> list[str]:
    """The installed packages whose versions differ from those of the constraints file."""
    differing = []
    for line in constraints.read_text().splitlines():
        name, _, wanted = line.partition("#")[0].strip().partition("==")
        try:
            installed = metadata.version(name).partition("+")[0] if name else wanted
        except metadata.PackageNotFoundError:
            continue
        if installed != wanted:
            differing.append(f"{name} {installed} (pinned: {wanted})")
    return differing


def execute(path: Path) -> None:
    """Runs a notebook in its folder, without network, and writes it back clean; if a cell fails, leaves it be."""
    from nbclient import NotebookClient

    nb = nbformat.read(path, as_version=4)
    options = {"record_timing": False, "store_widget_state": False, "coalesce_streams": True, "timeout": 1200}
    client = NotebookClient(nb, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}, **options)
    with tempfile.TemporaryDirectory() as home:
        client.execute(env=os.environ | offline_environment(Path(home)))
    clean(nb)
    nbformat.write(nb, path)


def clean(nb: NotebookNode) -> None:
    """Takes out what differs between machines or runs and what no reader needs. Changes `nb`."""
    nb.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in nb.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
        for output in cell.get("outputs", []):
            if "data" in output:
                # The text beside it says what the widget is; without its saved state the view is an error message.
                output.data.pop(_WIDGET_VIEW, None)
            if output.output_type == "error":
                output.traceback = [_without_folders(line) for line in output.traceback]


def _without_folders(text: str) -> str:
    text = re.sub(r"\S*ipykernel_\d+/\d+\.py", "cell", text)  # what IPython 7 calls a cell
    for folder in (str(ROOT), sys.prefix, sys.base_prefix, str(Path.home())):
        text = text.replace(folder + os.sep, "")
    return text


# Check


def check(paths: list[Path]) -> list[str]:
    """Every breach of the house rules, one sentence each: the rules of each notebook, then those of the series."""
    breaches = []
    addresses = set()
    for number, path in enumerate(paths):
        nb = nbformat.v4.reads_json(path.read_text(encoding="utf-8"))  # as it is: nbformat.read mends ids
        breaches += [f"{path.name}: {breach}" for breach in _breaches(path, nb)]
        addresses |= {_ADDRESS.findall(cell.source)[0] for cell in nb.cells if _ADDRESS.search(cell.source)}
        prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
        for neighbour in paths[max(number - 1, 0) : number] + paths[number + 1 : number + 2]:
            if f"({neighbour.name})" not in prose:
                breaches.append(f"{path.name}: no link to its neighbour {neighbour.name}")
    if len(addresses) > 1:
        breaches.append(f"the setup cells install from different addresses: {sorted(addresses)}")
    return breaches


def _breaches(path: Path, nb: NotebookNode) -> Iterator[str]:
    """The rules that one notebook can break by itself."""
    if path.stat().st_size > MAX_BYTES:
        yield f"{path.stat().st_size:,} bytes, more than {MAX_BYTES:,}"
    if "widgets" in nb.metadata:
        yield "holds widget state, which keeps GitHub from drawing the notebook"
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not named python3"

    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield f"execution counts are not 1 to {len(code)}: run tools/notebooks.py execute"
    if not any(cell.outputs for cell in code):
        yield "no cell has an output: run tools/notebooks.py execute"
    if code and statistics.median(len(cell.source.splitlines()) for cell in code) > MAX_MEDIAN_LINES:
        yield f"the median code cell has more than {MAX_MEDIAN_LINES} lines"

    setup = [cell for cell in nb.cells if cell.get("id") == "setup"]
    address = _ADDRESS.findall(setup[0].source) if setup else []
    if len(address) != 1 or setup[0].source != setup_cell(address[0]):
        yield "the cell `setup` is missing or differs from SETUP_CELL in tools/notebooks.py"

    ids = [cell.get("id") for cell in nb.cells]
    if None in ids:
        yield "there are cells without an id: save it in notebook format 4.5"
        return
    for cell_id in sorted({i for i in ids if ids.count(i) > 1}):
        yield f"cell id {cell_id!r} is used twice"
    kinds = [cell.cell_type for cell in nb.cells]
    for position, cell in enumerate(nb.cells):
        if kinds[position : position + 3] == ["code"] * 3:
            yield f"cell {cell.id}: three code cells in a row start here"
        yield from (f"cell {cell.id}: {breach}" for breach in _cell_breaches(cell))


def _cell_breaches(cell: NotebookNode) -> Iterator[str]:
    """The rules that one cell can break by itself."""
    if not _CELL_ID.fullmatch(cell.id) or _RANDOM_ID.search(cell.id):
        yield "its id is not a readable name in lower case (like-this)"
    tags = cell.metadata.get("tags", [])
    for tag in sorted(set(tags) - TAGS):
        yield f"tag {tag!r} is not one of {sorted(TAGS)}"
    texts = [cell.source]
    if cell.cell_type == "code":
        lines = len(cell.source.splitlines())
        if lines > MAX_LINES:
            yield f"{lines} lines, more than {MAX_LINES}"
        for word in sorted(set(_FORBIDDEN_SOURCE.findall(cell.source))):
            yield f"{word} hides from the test what the cell prints"
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags:
                yield f"an error among its outputs ({output.ename}) without the tag raises-exception"
            if _WIDGET_VIEW in output.get("data", {}):
                yield "a widget's view among its outputs: run tools/notebooks.py execute"
            texts += _output_texts(output)
    text = _BASE64.sub("", "\n".join(texts))
    for match in sorted(set(_MACHINE_PATH.findall(text))):
        yield f"a path of a machine: {match}"
    if _TOKEN.search(text):
        yield "an access token"


def _output_texts(output: NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return [output.evalue, *output.traceback]
    return [str(data) for mime, data in output.data.items() if not mime.startswith("image/")]


# Stamp


def repository() -> str:
    """`owner/name` on GitHub: the workflow's repository, or the git remote `origin`."""
    if named := os.environ.get("GITHUB_REPOSITORY"):
        return named
    command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    url = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if match := re.search(r"github\.com[:/]([^/]+/[^/]+?)(?:\.git)?/?$", url):
        return match[1]
    raise SystemExit("no GitHub address to stamp: set GITHUB_REPOSITORY=owner/name, or a git remote origin on GitHub")


def tag() -> str:
    """The git tag of this version: `v0.1.0`."""
    return "v" + tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def colab(notebook: str, repo: str, at: str) -> str:
    """The address that opens one notebook on Colab."""
    return f"https://colab.research.google.com/github/{repo}/blob/{at}/notebooks/{notebook}"


def badge(notebook: str, repo: str, at: str) -> str:
    """Markdown of the button that opens one notebook on Colab."""
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open In Colab]({picture})]({colab(notebook, repo, at)})"


def install_address(repo: str, at: str) -> str:
    """What pip installs the package from."""
    return f"git+https://github.com/{repo}@{at}"


def stamp_notebook(nb: NotebookNode, badge_line: str, address: str) -> None:
    """Puts the badge under the title and the address into the setup cell; empty strings take them out. Changes `nb`."""
    title = nb.cells[0]
    title.source = _BADGE.sub("", title.source)
    if badge_line:
        heading, newline, rest = title.source.partition("\n")
        title.source = f"{heading}\n\n{badge_line}{newline}{rest}"
    for cell in nb.cells:
        if cell.get("id") == "setup":
            cell.source = setup_cell(address)


def stamp_readme(text: str, badges: list[str]) -> str:
    """README's text with these badges between its two markers."""
    if not _BADGES.search(text):
        raise SystemExit("README.md has no place for badges: <!-- badges --> and <!-- /badges -->, on two lines")
    return _BADGES.sub(lambda match: match[1] + "".join(f"{line}\n" for line in badges) + match[2], text)


def stamp(paths: list[Path], readme: Path, clear: bool = False) -> None:
    """Writes badges and install address into README and notebooks, or takes them out."""
    repo, at = ("", "") if clear else (repository(), tag())
    for path in paths:
        nb = nbformat.read(path, as_version=4)
        stamp_notebook(nb, repo and badge(path.name, repo, at), repo and install_address(repo, at))
        nbformat.write(nb, path)
    badges = []
    if repo:
        first = paths[0].name
        lab = f"https://studiolab.sagemaker.aws/import/github/{repo}/blob/{at}/notebooks/{first}"
        binder = f"https://mybinder.org/v2/gh/{repo}/{at}?urlpath=lab/tree/notebooks/{first}"
        badges = [
            badge(first, repo, at),
            f"[![Open In SageMaker Studio Lab](https://studiolab.sagemaker.aws/studiolab.svg)]({lab})",
            f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({binder})",
        ]
    readme.write_text(stamp_readme(readme.read_text(encoding="utf-8"), badges), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("execute", "check"):
        commands.add_parser(command).add_argument("names", nargs="*", metavar="NAME")
    commands.add_parser("stamp").add_argument("--clear", action="store_true", help="take badges and address out")
    args = parser.parse_args()

    if args.command == "stamp":
        stamp(series(), README, args.clear)
    elif args.command == "check":
        chosen = {path.name for path in series(args.names)}
        breaches = [breach for breach in check(series()) if breach.split(":")[0] in chosen or not args.names]
        print("\n".join(breaches) or "no breach")
        sys.exit(bool(breaches))
    else:
        if differing := unpinned():
            raise SystemExit("notebooks are executed with the versions of constraints.txt, not " + ", ".join(differing))
        for path in series(args.names):
            print(f"{path.name} ...", flush=True)
            execute(path)


if __name__ == "__main__":
    main()
