"""Make the editions of the series in other languages, from the English notebooks and gettext catalogues.

    python tools/editions.py extract [NAME ...]   bring the catalogues up to date with the English
    python tools/editions.py build [NAME ...]     write notebooks/ja, notebooks/ko, notebooks/ar and README.*.md
    python tools/editions.py check [NAME ...]     print every breach, and every entry that is behind the English

NAME is the beginning of a catalogue's name: `05` is notebooks/locale/*/05_training.po. `--language ja` chooses one
language. `check --locale DIR` checks catalogues that lie elsewhere, without the editions built from them.

A catalogue has an entry for each Markdown cell, in their order: the context is the cell's id, the text its source. An
edition is the English notebook with the Markdown exchanged; its code, outputs, ids and counts are the English ones.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import polib

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from asr_helpers.wording import RIGHT_TO_LEFT, keep_together  # noqa: E402
from tools import edition_checks  # noqa: E402
from tools.edition_texts import (  # noqa: E402
    BADGE,
    BADGES,
    FENCE,
    LANGUAGES,
    LINE_OF_LANGUAGES,
    NAMES,
    NOTEBOOKS,
    PACKAGE,
    README,
    Text,
    bare,
    page_texts,
    sources,
)  # fmt: skip

LOCALE = NOTEBOOKS / "locale"

FLUSH_RIGHT = '<span dir="rtl" style="display:block;text-align:right">'
# What stands below a text that is not translated, or was translated from an older English one.
BEHIND = {
    "ja": "*（この部分はまだ英語のままです）*",
    "ko": "*(이 부분은 아직 영어로 되어 있습니다)*",
    "ar": "*(لم يُترجم هذا الجزء بعد)*",
}

_INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")


# Catalogues


def read_catalogue(path: Path) -> polib.POFile:
    """A catalogue; an empty one where there is none yet."""
    if path.exists():
        return polib.pofile(str(path), wrapwidth=0, encoding="utf-8")
    catalogue = polib.POFile(wrapwidth=0)
    catalogue.metadata = {"Language": path.parent.name, "MIME-Version": "1.0"}
    catalogue.metadata |= {"Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "8bit"}
    return catalogue


def update(catalogue: polib.POFile, texts: list[Text]) -> None:
    """Brings a catalogue up to date with the English. Changes `catalogue`.

    A changed text keeps its translation, marked fuzzy, with the English that it translates as the previous one. A
    text under a new name takes over the translation of the vanished one most like it.
    """
    old = {entry.msgctxt or entry.msgid: entry for entry in catalogue if not entry.obsolete}
    vanished = {entry.msgid: entry for name, entry in old.items() if name not in {text.name for text in texts}}
    entries = []
    for text in texts:
        entry = old.get(text.name)
        if entry is None and (like := difflib.get_close_matches(text.source, vanished, 1, cutoff=0.7)):
            entry = vanished.pop(like[0])
            entry.msgctxt = text.context
        if entry is None:
            entry = polib.POEntry(msgctxt=text.context, msgid=text.source, msgstr="")
        if entry.msgid != text.source:
            if entry.msgstr and not entry.fuzzy:
                entry.flags.append("fuzzy")
                entry.previous_msgid = entry.msgid
            entry.msgid = text.source
        if entry.fuzzy and entry.previous_msgid == entry.msgid:  # the English is again what was translated
            entry.flags.remove("fuzzy")
            entry.previous_msgid = None
        entries.append(entry)
    catalogue[:] = entries


def translations(catalogue: polib.POFile) -> dict[str, tuple[str, str]]:
    """English and translation of each entry that is translated and not fuzzy, by its context."""
    return {
        entry.msgctxt or entry.msgid: (entry.msgid, entry.msgstr)
        for entry in catalogue
        if entry.msgstr and not entry.fuzzy
    }


def languages(locale: Path | None = None) -> list[str]:
    """The languages that have an edition: a catalogue of a notebook at least."""
    return [language for language in LANGUAGES if any(((locale or LOCALE) / language).glob("[0-9]*.po"))]


# Editions


@dataclass(frozen=True)
class Edition:
    """A language's own copy of notebooks and README."""

    language: str

    def path(self, english: Path) -> Path:
        """Where this edition of an English file is; the file itself where it is not translated."""
        if english.parent == NOTEBOOKS and english.suffix == ".ipynb":
            return english if self.language == "en" else NOTEBOOKS / self.language / english.name
        if english == README and self.language in languages() and (LOCALE / self.language / "README.po").exists():
            return README.with_suffix(f".{self.language}.md")
        return english

    def catalogue(self, name: str) -> dict[str, tuple[str, str]]:
        """The translations of one catalogue."""
        return translations(read_catalogue(LOCALE / self.language / f"{name}.po"))

    def translate(self, text: Text, catalogue: dict[str, tuple[str, str]], english: Path) -> str:
        """A text in this edition's language, with links that hold where the edition is."""
        source, translated = catalogue.get(text.name, ("", ""))
        if source != text.source:  # missing, fuzzy, or translated from another English text
            translated = f"{text.source}\n\n{BEHIND[self.language]}"
        parts = FENCE.split(translated)
        parts[::2] = [_LINK.sub(lambda match: self._link(match[0], english), part) for part in parts[::2]]
        return "".join(parts)

    def _link(self, target: str, english: Path) -> str:
        """A link's target, as it is written in this edition of an English file."""
        name, mark, anchor = target.partition("#")
        if not name or re.match(r"[a-z]+:", name):
            return target
        path = self.path((english.parent / name).resolve())
        return os.path.relpath(path, self.path(english).parent).replace(os.sep, "/") + mark + anchor

    def notebook(self, english: Path) -> str:
        """The edition of a notebook, as it is written to its file."""
        nb, catalogue = nbformat.read(english, as_version=4), self.catalogue(english.stem)
        for number, cell in enumerate(nb.cells):
            if cell.cell_type != "markdown":
                continue
            translated = self.translate(Text(cell.id, bare(cell.source)), catalogue, english)
            if number == 0:
                if badge := BADGE.search(cell.source):
                    place = self.path(english).relative_to(NOTEBOOKS).as_posix()
                    heading, newline, rest = translated.partition("\n")
                    translated = heading + badge[0].replace(f"/{english.name})", f"/{place})") + newline + rest
                translated += self.line_of_languages(english)
            cell.source = right_to_left(translated) if self.language in RIGHT_TO_LEFT else translated
        return nbformat.writes(nb).rstrip("\n") + "\n"

    def page(self, english: Path) -> str:
        """The edition of a Markdown file."""
        badges, catalogue = BADGES.search(english.read_text(encoding="utf-8")), self.catalogue(english.stem)
        texts = [self.translate(text, catalogue, english) for text in page_texts(english)]
        heading, newline, rest = texts[0].partition("\n")
        texts[0] = heading + self.line_of_languages(english) + newline + rest
        if self.language in RIGHT_TO_LEFT:
            texts = [right_to_left(text) for text in texts]
        whole = "\n\n".join(texts) + "\n"
        first = sorted(NOTEBOOKS.glob("*.ipynb"))[0]
        own = self.path(first).relative_to(ROOT).as_posix()
        lines = badges[2].replace(first.relative_to(ROOT).as_posix(), own) if badges else ""
        return BADGES.sub(lambda match: match[1] + lines + match[3], whole)

    def line_of_languages(self, english: Path) -> str:
        """The line that names the other editions of a file; "" where there are none."""
        here = self.path(english).parent
        links = []
        for language in ("en", *languages()):
            path = Edition(language).path(english)
            if language != self.language and (language == "en" or path != english):
                links.append(f"[{NAMES[language]}]({os.path.relpath(path, here).replace(os.sep, '/')})")
        return "\n\n" + " · ".join(links) if links else ""


def right_to_left(source: str) -> str:
    """Markdown written from right to left: arrows are turned; code and numbers with signs stay from left to right.

    Jupyter sets paragraphs flush left, whatever their direction: so the words of each are a block of their own.

    >>> print(right_to_left("## [→ a](b.ipynb) `--c`"))
    <div dir="rtl">
    <BLANKLINE>
    ## [← a](b.ipynb) <span dir="ltr">`--c`</span>
    <BLANKLINE>
    </div>
    """
    parts = FENCE.split(source)
    parts[1::2] = [f'<div dir="ltr">\n\n{fence}\n\n</div>' for fence in parts[1::2]]
    parts[::2] = [_right_to_left_prose(part) for part in parts[::2]]
    lines = "".join(parts).split("\n")
    for token in edition_checks.parser().parse("\n".join(lines)):
        if token.type == "paragraph_open" and token.level == 0 and token.map:
            lines[token.map[0]] = FLUSH_RIGHT + lines[token.map[0]]
            lines[token.map[1] - 1] += "</span>"
    return '<div dir="rtl">\n\n' + "\n".join(lines) + "\n\n</div>"


def mirrored_by_page(source: str) -> str:
    """What `right_to_left` made, for a page that is written from right to left as a whole."""
    source = re.sub(rf"{re.escape(FLUSH_RIGHT)}(.*?)</span>(?=\n\n|\s*\Z)", r"\1", source, flags=re.DOTALL)
    whole = r'^<div dir="rtl">\n\n(.*?)\n\n</div>(?=\n\n<div dir="rtl">|\s*\Z)'
    return re.sub(whole, r"\1", source, flags=re.DOTALL | re.MULTILINE)


def _right_to_left_prose(prose: str) -> str:
    written, at = [], 0
    for code in _INLINE_CODE.finditer(prose):
        written += [_right_to_left_words(prose[at : code.start()]), f'<span dir="ltr">{code[0]}</span>']
        at = code.end()
    return "".join([*written, _right_to_left_words(prose[at:])])


def _right_to_left_words(words: str) -> str:
    return keep_together(words.translate(str.maketrans("←→", "→←")), '<span dir="ltr">', "</span>")


def with_line_of_languages(english: Path) -> str:
    """An English file with the line that names its editions."""
    line = Edition("en").line_of_languages(english)
    if english.suffix == ".ipynb":
        nb = nbformat.read(english, as_version=4)
        nb.cells[0].source = LINE_OF_LANGUAGES.sub("", nb.cells[0].source) + line
        return nbformat.writes(nb).rstrip("\n") + "\n"
    heading, newline, rest = LINE_OF_LANGUAGES.sub("", english.read_text(encoding="utf-8")).partition("\n")
    return heading + line + newline + rest


def view_words(language: str) -> bytes:
    """The words of views and pictures, compiled for gettext; without those that are behind the English."""
    compiled = polib.POFile()
    compiled.metadata = {"Language": language, "Content-Type": "text/plain; charset=UTF-8"}
    for source, translated in Edition(language).catalogue("views").values():
        compiled.append(polib.POEntry(msgid=source, msgstr=translated))
    return compiled.to_binary()


def built(names: list[str], chosen: list[str]) -> dict[Path, bytes]:
    """What the editions' files hold, by path, those of the English files among them."""
    files = {}
    if not names or "views".startswith(tuple(names)):
        words = PACKAGE / "locale"
        said = [tag for tag in LANGUAGES if (LOCALE / tag / "views.po").exists()]
        files = {words / tag / "LC_MESSAGES" / "asr_helpers.mo": view_words(tag) for tag in said}
    for english in [*sorted(NOTEBOOKS.glob("*.ipynb")), README]:
        if names and not english.stem.startswith(tuple(names)):
            continue
        files[english] = with_line_of_languages(english).encode()
        for edition in map(Edition, chosen):
            path = edition.path(english)
            if path != english:
                text = edition.notebook(english) if path.suffix == ".ipynb" else edition.page(english)
                files[path] = text.encode()
    return files


# Check


def catalogue_breaches(locale: Path, language: str, names: list[str]) -> tuple[list[str], list[str]]:
    """What is wrong with a language's translations, and which texts are behind the English: two lists of sentences."""
    breaches, behind = [], []
    glossary = edition_checks.read_glossary(locale / "glossary.csv", language)
    for name, texts in sources(names).items():
        path = locale / language / f"{name}.po"
        if not path.exists():
            behind.append(f"{language}/{name}: there is no catalogue: run tools/editions.py extract")
            continue
        catalogue = read_catalogue(path)
        done = translations(catalogue)
        for text in texts:
            source, translated = done.get(text.name, (None, ""))
            here = f"{language}/{name}: {text.name[:60]}"
            if source != text.source:
                behind.append(f"{here}: {'is not translated' if source is None else 'translates an older text'}")
            else:
                found = edition_checks.breaches(language, glossary, text.source, translated)
                breaches += [f"{here}: {breach}" for breach in found]
        if [entry.msgctxt for entry in catalogue] != [text.context for text in texts]:
            behind.append(f"{language}/{name}: its entries are not those of the English: run tools/editions.py extract")
    return breaches, behind


def build_breaches(names: list[str], chosen: list[str]) -> Iterator[str]:
    """The files that are not what the build makes, and notebooks whose code is not the English one's."""
    for path, content in built(names, chosen).items():
        place = path.relative_to(ROOT).as_posix()
        if not path.exists():
            yield f"{place} is missing: run tools/editions.py build"
        elif path.read_bytes() != content:
            yield f"{place} is not what is built from the catalogue: run tools/editions.py build"
    expected = {Edition(language).path(path) for language in chosen for path in NOTEBOOKS.glob("*.ipynb")}
    for language in chosen:
        for path in sorted((NOTEBOOKS / language).glob("*.ipynb")):
            if path not in expected:
                yield f"{path.relative_to(ROOT).as_posix()} is the edition of no notebook"
            else:
                yield from code_breaches(NOTEBOOKS / path.name, path)


def code_breaches(english: Path, edition: Path) -> Iterator[str]:
    """Cells of an edition that differ from the English ones in anything but their prose."""
    ours, theirs = (nbformat.read(path, as_version=4).cells for path in (english, edition))
    place = f"{edition.parent.name}/{edition.name}"
    if [cell.id for cell in ours] != [cell.id for cell in theirs]:
        yield f"{place}: its cells are not those of the English notebook"
        return
    for one, other in zip(ours, theirs, strict=True):
        one, other = ({**cell, "source": "" if cell.cell_type == "markdown" else cell.source} for cell in (one, other))
        if one != other:
            yield f"{place}: cell {one['id']} differs from the English one"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("extract", "build", "check"):
        added = commands.add_parser(command)
        added.add_argument("names", nargs="*", metavar="NAME")
        added.add_argument("--language", choices=LANGUAGES, help="one language; all of them without it")
        if command == "check":
            added.add_argument("--locale", type=Path, metavar="DIR", help="check these catalogues, no editions")
            added.add_argument("--release", action="store_true", help="a text that is behind is a breach")
    args = parser.parse_args()
    chosen = [args.language] if args.language else languages(getattr(args, "locale", None))

    if args.command == "extract":
        for language in [args.language] if args.language else LANGUAGES:
            for name, texts in sources(args.names).items():
                path = LOCALE / language / f"{name}.po"
                path.parent.mkdir(parents=True, exist_ok=True)
                update(catalogue := read_catalogue(path), texts)
                catalogue.save(str(path))
    elif args.command == "build":
        for path, content in built(args.names, chosen).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    else:
        breaches, behind = [], []
        for language in chosen:
            more = catalogue_breaches(args.locale or LOCALE, language, args.names)
            breaches, behind = breaches + more[0], behind + more[1]
        if not args.locale:
            breaches += build_breaches(args.names, chosen)
        print("\n".join([*breaches, *(f"behind: {text}" for text in behind)]) or "no breach")
        print(f"{len(breaches)} breaches, {len(behind)} texts behind", file=sys.stderr)
        sys.exit(bool(breaches) or (args.release and bool(behind)))


if __name__ == "__main__":
    main()
