"""What the project says about itself holds: docstrings, links, commands, version bounds.

Docstring examples are run by pytest's --doctest-modules, exercises' solutions by conftest.py.
"""

import ast
import importlib
import inspect
import re
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("notebooks/**/*.ipynb"))
PROJECT, TOOL = map(tomllib.loads((ROOT / "pyproject.toml").read_text()).get, ("project", "tool"))


def prose(page: Path) -> str:
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    cells = nbformat.read(page, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.glob("asr_helpers/**/*.py")
)


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_has_a_docstring(module):
    module = importlib.import_module(module)
    assert module.__doc__
    own = [
        (name, thing)
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__ and callable(thing)
    ]
    for name, thing in own:
        assert inspect.getdoc(thing), name
        methods = vars(thing).items() if inspect.isclass(thing) else ()
        for method_name, method in methods:
            if inspect.isfunction(method) and not method_name.startswith("_"):
                assert inspect.getdoc(getattr(thing, method_name)), f"{name}.{method_name}"


def test_every_package_rides_in_the_wheel():
    patterns = TOOL["setuptools"]["packages"]["find"]["include"]
    packages = {module.parent.relative_to(ROOT) for module in ROOT.glob("asr_helpers/**/__init__.py")}
    for package in packages:
        assert any(fnmatch(".".join(package.parts), pattern) for pattern in patterns), package


def test_every_file_beside_the_code_rides_in_the_wheel():
    package = ROOT / "asr_helpers"
    patterns = TOOL["setuptools"]["package-data"]["asr_helpers"]
    riding = {path for pattern in patterns for path in package.glob(pattern)}
    beside = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert beside
    assert beside <= riding


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose(page))
    targets = [target.partition("#")[0] for pair in links for target in pair if target]
    missing = [t for t in targets if t and not re.match(r"[a-z]+:", t) and not (page.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", prose(page), re.MULTILINE)) <= {
        pair for target in targets for pair in ((target, ""), ("", target))
    }
    scripts = re.findall(r"tools/\w+\.(?:py|sh)", prose(page))
    assert [script for script in scripts if not (ROOT / script).exists()] == []


@pytest.mark.parametrize("constraints", ["constraints.txt", "constraints-colab.txt"])
def test_the_tested_versions_are_within_the_bounds(constraints):
    lines = [line.partition("#")[0].strip() for line in (ROOT / constraints).read_text().splitlines()]
    pinned = dict(re.sub("_", "-", line).lower().split("==") for line in lines if line)
    extras = PROJECT["optional-dependencies"]
    if constraints == "constraints-colab.txt":
        extras = {name: extras[name] for name in ("onnx", "vad", "test")}  # all that are installed with it
    wanted = PROJECT["dependencies"] + [name for extra in extras.values() for name in extra]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[requirement.name]), f"{requirement} but {constraints} differs"


def test_every_library_that_is_imported_is_asked_for():
    """Something that another library happens to bring today need not come with its next release."""
    imported = set()
    for path in ROOT.glob("asr_helpers/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    extras = PROJECT["optional-dependencies"]
    wanted = PROJECT["dependencies"] + extras["notebooks"] + extras["onnx"] + extras["vad"]
    names = {"pillow": "PIL", "webrtcvad-wheels": "webrtcvad"}  # two whose modules are called otherwise
    found = (Requirement(line).name for line in wanted)
    asked_for = {names.get(name, name).replace("-", "_") for name in found}
    assert imported - set(sys.stdlib_module_names) <= asked_for


def test_every_pin_is_exact():
    for constraints in ("constraints.txt", "constraints-colab.txt"):
        for line in (ROOT / constraints).read_text().splitlines():
            assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line), f"{constraints}: {line}"
