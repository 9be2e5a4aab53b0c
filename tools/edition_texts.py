"""What of the series is translated: notebooks, README and the site's words, as pieces of English with lasting names."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
README = ROOT / "README.md"
SITE = ROOT / "site"
PACKAGE = ROOT / "asr_helpers"

NAMES = {"en": "English", "ja": "日本語", "ko": "한국어", "ar": "العربية"}
LANGUAGES = ("ja", "ko", "ar")

LINE_OF_LANGUAGES = re.compile(rf"\n+(?:\[(?:{'|'.join(NAMES.values())})\]\([^)\n]*\)(?: · )?)+(?=\n|\Z)")
BADGE = re.compile(r"\n+\[!\[Open In Colab\][^\n]*")
BADGES = re.compile(r"(<!-- badges -->\n)(.*?)(<!-- /badges -->)", re.DOTALL)
FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Text:
    """A piece of English to translate: `context` is its lasting name, `source` what it says.

    A word of the package's views has no context: it is known by what it says, as gettext has it.
    """

    context: str | None
    source: str

    @property
    def name(self) -> str:
        """What it is known by in its catalogue."""
        return self.context or self.source


def bare(source: str) -> str:
    """A text without what tools write into it: badges and the line of languages."""
    source = BADGES.sub(r"\1\3", BADGE.sub("", source))
    return LINE_OF_LANGUAGES.sub("", source)


def notebook_texts(path: Path) -> list[Text]:
    """The Markdown cells of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return [Text(cell.id, bare(cell.source)) for cell in cells if cell.cell_type == "markdown"]


def page_texts(path: Path) -> list[Text]:
    """The sections of a Markdown file, each from its heading to the next; the heading's words name it.

    Joined by an empty line they are the file again.
    """
    sections = [[]]
    for part in FENCE.split(bare(path.read_text(encoding="utf-8"))):
        if part.startswith("```"):
            sections[-1].append(part)
            continue
        first, *others = re.split(r"(?=^#+ )", part, flags=re.MULTILINE)
        sections[-1].append(first)
        sections += [[other] for other in others]
    texts = ["".join(section).strip() for section in sections]
    return [Text(_name(text), text) for text in texts if text]


def _name(text: str) -> str:
    heading = _HEADING.match(text)
    return re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-") if heading else "top"


def summary(module: Path, function: str) -> str:
    """The first paragraph of a function's docstring, in one line; "" where there is no such function."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
    return ""


def summaries() -> dict[str, str]:
    """What each view and each drawing function shows, by its name: the first words of its docstring."""
    found = {}
    for path in [PACKAGE / "plots.py", PACKAGE / "microphone_words.py", *sorted((PACKAGE / "widgets").glob("*.py"))]:
        for name in re.findall(r"^def (plot_\w+|\w+_view)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[name] = summary(path, name)
    return found


def site_texts() -> list[Text]:
    """The site's own words: its first page, labels, what views and pictures show."""
    pictures = tomllib.loads((SITE / "pictures.toml").read_text(encoding="utf-8"))
    labels = tomllib.loads((SITE / "labels.toml").read_text(encoding="utf-8"))
    texts = [Text(f"index/{text.context}", text.source) for text in page_texts(SITE / "index.md")]
    texts += [Text(f"label/{name}", label) for name, label in labels.items()]
    texts += [Text(f"shows/{name}", shown) for name, shown in sorted(summaries().items())]
    texts += [Text(f"picture/{name}/{cell}", seen) for name, cells in pictures.items() for cell, seen in cells.items()]
    return texts


def view_texts() -> list[Text]:
    """The words of the package's views and pictures: what is given to `say`, `label` and `mark`."""
    found = {}
    for path in [PACKAGE / "plots.py", PACKAGE / "microphone_words.py", *sorted((PACKAGE / "widgets").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("say", "label", "mark") and node.args:
                message = node.args[0]
                if isinstance(message, ast.Constant) and isinstance(message.value, str):
                    found[message.value] = Text(None, message.value)
    return list(found.values())


def sources(names: list[str]) -> dict[str, list[Text]]:
    """What is translated, by catalogue; with names, the catalogues whose names begin with one of them."""
    found = {path.stem: notebook_texts(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    found |= {"README": page_texts(README), "site": site_texts(), "views": view_texts()}
    for name in names:
        if not any(stem.startswith(name) for stem in found):
            raise SystemExit(f"no catalogue's name begins with {name!r}: they are {', '.join(found)}")
    return {stem: texts for stem, texts in found.items() if not names or stem.startswith(tuple(names))}
