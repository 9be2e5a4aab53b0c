"""Write the sources of the site's pages: notebooks, documents, reference, first page.

The English site has all of them. An edition in another language has notebooks, README and first page, and links to
the English reference.

Nothing is run here. A notebook's page is the committed notebook with its outputs; what a page needs beyond them (what a
picture shows, in words; a sound's name; where to open the notebook) is added to a copy.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from words import Words, translated_pages  # noqa: E402

from asr_helpers.wording import RIGHT_TO_LEFT  # noqa: E402
from tools.edition_texts import LINE_OF_LANGUAGES  # noqa: E402
from tools.editions import mirrored_by_page  # noqa: E402
from tools.notebooks import badge, colab, install_address, repository, series, stamp_notebook, tag  # noqa: E402

PACKAGE = ROOT / "asr_helpers"

# The documents that are pages, by page.
DOCUMENTS = {
    "project/readme": ROOT / "README.md",
    "project/contributing": ROOT / "CONTRIBUTING.md",
    "project/changelog": ROOT / "CHANGELOG.md",
    "project/security": ROOT / "SECURITY.md",
}

# In each language, that a page which does not run shows only a view's name: not true of these pages.
_VIEW_REMARK = re.compile(
    r"\s*[（(][^（）()]*(?:shows only (?:its|the view's) name\.|ビューの名前だけが表示されます。|이름만 보입니다\."
    r"|فلا تُظهر إلا اسم اللوحة\.)[)）]"
)
TITLES = {"project/readme": "label/about"}  # the first page has README's title

# The reference's pages in their order: title, what they hold, modules. A module's submodules stand with it.
REFERENCE = {
    "foundations": (
        "Sources, sound and models", "What all stages use.",
        "sources audio fragments models languages vocabularies charsets compat",
    ),
    "loading": (
        "01 Loading", "Data becomes rows, and rows that would harm are found.",
        "loading streaming layouts speakers conversion audit",
    ),
    "preprocessing": ("02 Preprocessing", "Sound and text become what the model takes.", "preprocessing"),
    "collation": ("03 Collation", "Examples become batches.", "collation samplers augmentation"),
    "evaluation": ("04 Evaluation", "Transcripts become error rates.", "evaluation edits words metric"),
    "training": (
        "05 Training",
        "Batches become a recogniser.",
        "training recipes heads trainer callbacks collapse checkpoints cards",
    ),
    "inference": ("06 Inference", "Sound becomes text.", "inference"),
    "decoding": ("07 Decoding", "Emissions become better text, with times.", "decoding ngrams alignment confidence"),
    "recordings": ("08 Long recordings", "Hours of sound become text and subtitles.", "recordings subtitles"),
    "shipping": ("09 Shipping", "A recogniser runs elsewhere.", "shipping onnx_graph onnx_model app"),
    "plots": ("Pictures", "Static pictures of each stage.", "plots"),
    "widgets": ("Views", "The pictures made interactive, in a notebook that runs.", "widgets"),
}
REST = ("other", ("Other modules", "What the stages share.", ""))
UNLISTED = {"__main__", "cli"}  # the command line has a page of its own

_NOTEBOOK_LINK = re.compile(r"\[([^\]]+)\]\((\d\d_\w+)\.ipynb\)")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.DOTALL | re.MULTILINE)
_BADGES = re.compile(r"<!-- badges -->.*?<!-- /badges -->\n*", re.DOTALL)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_VIEW = re.compile(r"(\w+_view)\(\)")
_PLOT = re.compile(r"\bplots\.(plot_\w+)")


def address() -> str:
    """The repository on GitHub, `owner/name`; "" where none is known."""
    try:
        return repository()
    except SystemExit:
        return ""


def write_sources(folder: Path, downloads: Path, language: str = "en") -> None:
    """Writes every page's source to `folder`, and the notebooks as a reader downloads them to `downloads`."""
    repo, words, pages = address(), Words(language), documents()
    if language != "en":
        pages = {page: words.edition.path(path) for page, path in pages.items() if page in translated_pages(language)}
    for path in series():
        write_notebook(path, folder, downloads, repo, words)
    for page, path in pages.items():
        write(folder / f"{page}.md", document(path, page, pages, folder, repo, words))
    if language == "en":
        write_reference(folder / "reference")
    write(folder / "index.md", first_page(folder, pages, repo, words))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# Notebooks


def write_notebook(english: Path, folder: Path, downloads: Path, repo: str, words: Words) -> None:
    """Writes a notebook's page, and the notebook to download: stamped where the address is known, else as it is."""
    downloads.mkdir(parents=True, exist_ok=True)
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    path = words.edition.path(english)
    place = path.relative_to(english.parent).as_posix()
    page = nbformat.read(path, as_version=4)
    if repo:
        stamped = nbformat.read(path, as_version=4)
        stamp_notebook(stamped, badge(place, repo, tag()), install_address(repo, tag()))
        nbformat.write(stamped, downloads / path.name)
        stamp_notebook(page, "", install_address(repo, tag()))
    else:
        shutil.copy(path, downloads / path.name)
    if words.language in RIGHT_TO_LEFT:  # the whole page is written from right to left
        for cell in page.cells:
            cell.source = mirrored_by_page(cell.source)
    page.cells[0].source = LINE_OF_LANGUAGES.sub("", page.cells[0].source)
    dress(page, place, repo, words)
    nbformat.write(page, folder / "notebooks" / path.name)


def dress(nb: NotebookNode, name: str, repo: str, words: Words) -> None:
    """Adds to a notebook what its page needs. Changes `nb`."""
    nb.metadata.language_info["pygments_lexer"] = "ipython3"
    title = nb.cells[0]
    lines = [line for line in title.source.splitlines() if _NOTEBOOK_LINK.sub("", line).strip(" ·") or not line]
    neighbours = _NOTEBOOK_LINK.findall("\n".join(set(title.source.splitlines()) - set(lines)))
    title.source = "\n".join(lines).rstrip() + "\n\n" + links(neighbours, name, repo, words)
    nb.cells = [fold(cell, words) if cell.get("id") == "setup" else cell for cell in nb.cells]
    prose = ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = _VIEW_REMARK.sub("", cell.source)  # the page says it where the view would be
            prose = re.sub(r"</?(?:div|span)[^>]*>", "", cell.source)
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                seen = words.get(f"picture/{Path(name).stem}/{cell.id}") or picture_in_words(cell.source, prose, words)
                cell.metadata["mystnb"] = {"image": {"alt": seen}}
            elif "<audio" in data.get("text/html", ""):
                label = html.escape(f"{words.get('label/sound')} {sentence(prose)}".strip())
                data["text/html"] = data["text/html"].replace("<audio ", f'<audio aria-label="{label}" ', 1)
            elif match := _VIEW.fullmatch(data.get("text/plain", "")):
                data["text/html"] = view_in_words(match[1], words)


def fold(cell: NotebookNode, words: Words) -> NotebookNode:
    """The setup cell, the same in every notebook, folded as solutions are."""
    shown = words.get("label/setup")
    code = f"<details><summary>{shown}</summary>\n\n```python\n{cell.source}\n```\n\n</details>"
    return nbformat.v4.new_markdown_cell(code, id=cell.id)


def links(neighbours: list[tuple[str, str]], name: str, repo: str, words: Words) -> str:
    """The line under a title: the pages before and after, and where to open the notebook."""
    here = [f'<a href="{page}.html">{html.escape(text)}</a>' for text, page in neighbours]
    there = [f'<a href="../downloads/{Path(name).name}" download>{words.get("label/download")}</a>']
    if repo:
        there.insert(0, f'<a href="{colab(name, repo, tag())}">{words.get("label/colab")}</a>')
    return '<p class="page-links"><span>{}</span> <span>{}</span></p>'.format(" · ".join(here), " · ".join(there))


def picture_in_words(code: str, prose: str, words: Words) -> str:
    """A picture's alternative text: what the drawing function says it draws, and how the prose announces it."""
    drawn = _PLOT.search(code)
    kind = words.get(f"shows/{drawn[1]}" if drawn else "label/picture")
    return f"{kind} {sentence(prose)}".strip()


def view_in_words(name: str, words: Words) -> str:
    """What stands where a view would be: what it does, that it needs a notebook that runs, and a link."""
    top = ".." if words.language == "en" else "../.."
    shows = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(words.get(f"shows/{name}")))
    return (
        f'<div class="view-note"><p><strong>{words.get("label/view")}</strong> '
        f"{shows} {words.get('label/view-where')} "
        f'<a href="{top}/reference/widgets.html#asr_helpers.widgets.{name}"><code>{name}</code></a>.</p></div>'
    )


def sentence(prose: str) -> str:
    """The last paragraph's first sentence that states something, as plain text; "" where there is none."""
    last = [part for part in prose.strip().split("\n\n") if not part.startswith("#")][-1:]
    text = " ".join("".join(last).split())
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*`]+", "", text)
    return next((one for one in re.split(r"(?<=[.?!؟]) |(?<=[。！？])", text) if one.endswith((".", "!", "。"))), "")


# Documents


def documents() -> dict[str, Path]:
    """The documents that are pages, with the cards of what is embedded, by page."""
    cards = {f"embedded/{path.parent.name}": path for path in sorted(PACKAGE.glob("demo/*/README.md"))}
    more = {f"project/{path.stem}": path for path in sorted(ROOT.glob("docs/*.md"))}
    first, *rest = ((page, path) for page, path in DOCUMENTS.items() if path.exists())
    return cards | dict([first]) | more | dict(rest)


def document(path: Path, page: str, pages: dict[str, Path], folder: Path, repo: str, words: Words) -> str:
    """A document of the repository as a page: its links lead to pages, or to the repository."""
    text = _FRONT_MATTER.sub("", _BADGES.sub("", path.read_text(encoding="utf-8")))
    if words.language in RIGHT_TO_LEFT:
        text = mirrored_by_page(text)
    text = LINE_OF_LANGUAGES.sub("", text)
    if page in TITLES:
        text = re.sub(r"\A\s*# .*", f"# {words.get(TITLES[page])}", text)
    parts = _FENCE.split(text)
    parts[::2] = [_LINK.sub(_to_pages(path, page, pages, folder, repo, words), part) for part in parts[::2]]
    return "".join(parts)


def _to_pages(
    path: Path, page: str, pages: dict[str, Path], folder: Path, repo: str, words: Words
) -> Callable[[re.Match], str]:
    """Rewrites one link of the document at `path`; pictures are copied to `folder`."""
    by_path = {file: f"{name}.md" for name, file in pages.items()}
    by_path |= {words.edition.path(notebook): f"notebooks/{notebook.name}" for notebook in series()}
    in_english = {file: f"{name}.html" for name, file in documents().items()}

    def rewrite(match: re.Match) -> str:
        picture, text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        name, mark, anchor = target.partition("#")
        file = (path.parent / name).resolve()
        if picture:
            (folder / "images").mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / "images")
            return f"![{text}]({os.path.relpath('images/' + file.name, Path(page).parent)})"
        if file in by_path:
            return f"[{text}]({os.path.relpath(by_path[file], Path(page).parent)}{mark}{anchor})"
        if words.language != "en" and file in in_english:
            to_root = "../" * len(Path(page).parts)  # an edition's pages lie one folder deeper
            return f'<a href="{to_root}{in_english[file]}{mark}{anchor}">{text}</a>'
        if repo:
            return f"[{text}](https://github.com/{repo}/blob/main/{file.relative_to(ROOT).as_posix()}{mark}{anchor})"
        return text

    return rewrite


# Reference


def modules() -> list[str]:
    """The package's modules, `audio`, `audit.clip` and so on, in the order of their names."""
    names = [path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")]
    dotted = {".".join(parts).removesuffix("__init__").rstrip(".") for parts in names}
    return sorted(name for name in dotted if name and name.partition(".")[0] not in UNLISTED)


def reference() -> Iterator[tuple[str, str, str, list[str]]]:
    """The reference's pages: name, title, what it holds, modules. Those that no page names come last."""
    left = modules()
    for page, (title, holds, named) in {**REFERENCE, REST[0]: REST[1]}.items():
        order = named.split() or sorted({name.partition(".")[0] for name in left})
        chosen = [name for first in order for name in left if name.partition(".")[0] == first]
        left = [name for name in left if name not in chosen]
        if chosen:
            yield page, title, holds, chosen


def write_reference(folder: Path) -> None:
    """Writes the pages that autodoc fills, the page of the command line, and the page that lists them."""
    listed = []
    for page, title, holds, names in reference():
        text = [_heading(title, "="), holds, ""]
        if page == "foundations":
            text += [_heading("asr_helpers", "-"), ".. automodule:: asr_helpers", ""]
        for name in names:
            text += [_heading(f"asr_helpers.{name}", "-"), f".. automodule:: asr_helpers.{name}"]
            if name.startswith("widgets."):  # the views stand in asr_helpers.widgets already
                text += ["   :exclude-members: " + ", ".join(_views())]
            text += [""]
        write(folder / f"{page}.rst", "\n".join(text))
        listed += [
            f":doc:`{title} <{page}>`",
            f"   {holds} " + ", ".join(f"``{name}``" for name in names if "." not in name),
            "",
        ]
    write(folder / "command_line.rst", command_line())
    listed += [":doc:`Command line <command_line>`", "   The stages without a notebook: ``asr-helpers``.", ""]
    contents = [".. toctree::", "   :hidden:", ""]
    contents += [f"   {page}" for page, *_ in reference()] + ["   command_line", ""]
    intro = (
        "Each stage of the series is a module of the package ``asr_helpers`` that has the name of its notebook. These "
        "pages are made from the docstrings. The :ref:`index <genindex>` lists every name."
    )
    write(folder / "index.rst", "\n".join([_heading("The package", "="), intro, "", *listed, *contents]))


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _views() -> list[str]:
    names = re.search(r"__all__ = \[(.*?)\]", (PACKAGE / "widgets" / "__init__.py").read_text(), re.DOTALL)
    return re.findall(r'"(\w+)"', names[1])


def command_line() -> str:
    """What `asr-helpers --help` says, of itself and of each command."""
    os.environ["COLUMNS"] = "80"
    from asr_helpers.cli import parser

    whole = parser()
    commands = next(a for a in whole._actions if isinstance(a, argparse._SubParsersAction)).choices
    text = [_heading("Command line", "="), "What ``asr-helpers COMMAND --help`` prints.", ""]
    for name, one in {"": whole, **commands}.items():
        lines = one.format_help().splitlines()
        text += [_heading(f"asr-helpers {name}".strip(), "-"), ".. code-block:: text", ""]
        text += [f"   {line}" if line else "" for line in lines] + [""]
    return "\n".join(text)


# The first page


def first_page(folder: Path, pages: dict[str, Path], repo: str, words: Words) -> str:
    """index.md with the series' list, and the contents of the whole site."""
    rows = []
    for path in series():
        cell = nbformat.read(words.edition.path(path), as_version=4).cells[0].source
        title, _, rest = mirrored_by_page(cell).partition("\n")
        lede = next(line for line in rest.splitlines() if line.strip() and not line.startswith("["))
        rows.append(f"[{title.lstrip('# ')}](notebooks/{path.name})\n: {lede}\n")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "docs" / "emission.png", folder / "images")
    text = words.index().replace("SERIES\n", "\n".join(rows))
    source = words.get("label/source").replace("GitHub", f"[GitHub](https://github.com/{repo})") if repo else ""
    text = text.replace("SOURCE\n", source + "\n")
    english = words.language == "en"
    if not english:  # the reference is in English alone
        text = re.sub(r"\[([^\]]*)\]\((reference/[^)]*)\.rst\)", r'<a href="../\2.html">\1</a>', text)
        if "project/readme" not in pages:
            text = re.sub(r"\[([^\]]*)\]\((project/[^)]*)\.md\)", r'<a href="../\2.html">\1</a>', text)
    contents = {
        "label/series": [f"notebooks/{path.stem}" for path in series()],
        "label/reference": ["reference/index"] * english,
        "label/embedded": [page for page in pages if page.startswith("embedded/")],
        "label/project": [page for page in pages if page.startswith("project/")],
    }
    for name, entries in contents.items():
        caption, lines = words.get(name), "\n".join(entries)
        if not entries:
            continue
        text += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n"
    return text
