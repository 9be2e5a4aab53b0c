"""What can be wrong in one translated text, by machine: its structure, terms, script, punctuation and length.

Every function yields sentences about one text; tools/editions.py says which text it is.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

SHORTEST, LONGEST = 0.4, 2.0  # a translation's length, as a multiple of the English
TOO_SHORT_TO_MEASURE = 25  # characters: a heading may be a third as long
LEAST_SCRIPT = 0.5  # of the letters outside code, links' targets and quotations

_KANA, _HANGUL, _ARABIC = r"\u3041-\u30ff", r"\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f", r"\u0620-\u064a"
_HAN = r"\u4e00-\u9fff\u3005"
# What a text in the language is written with; what it must hold at least once.
SCRIPTS = {"ja": f"[{_KANA}{_HAN}]", "ko": f"[{_HANGUL}]", "ar": f"[{_ARABIC}]"}
OWN = {"ja": f"[{_KANA}]", "ko": f"[{_HANGUL}]", "ar": f"[{_ARABIC}]"}
DENSE = {"ja", "ko"}  # one sign says what two letters say
# Punctuation of another script. A comma in 8,000 or a point in 0.5 has digits on both sides.
MIXED = {
    "ja": rf"(?<=[{_KANA}{_HAN}」）])[,.;:?!](?!\d)|[，．؛،؟]",
    "ko": r"[、。，．！？：；「」『』؛،؟]",
    "ar": rf"(?<=[{_ARABIC}»)\ufffc])\s?[,;?]|[,;?](?=\s*[{_ARABIC}])|[、。，．！？٬٫]",
}
_OTHER_DIGITS = re.compile(r"[٠-٩۰-۹０-９]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TAG = re.compile(r"</?[a-z][a-z0-9]*\b[^>]*>|<!--.*?-->")
_PLACEHOLDER = re.compile(r"\{\w*(?::[^{}]*)?\}|%\(\w+\)[sd]|\$[A-Z_]{3,}|\b(?:SERIES|SOURCE)\b")
_QUOTED = re.compile(r'"[^"\n]*"|“[^”\n]*”|「[^」\n]*」|『[^』\n]*』|«[^»\n]*»|‘[^’\n]*’|\([^()\n]*\)|（[^（）\n]*）')
_ENGLISH = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[ ,;:]+[A-Za-z][A-Za-z'’-]*){3,}")
_FUNCTION_WORDS = set(
    "a an the is are was were be of to and or in on at by for from with that this it its as not no which what when how "
    "one each all you we they has have had may can will does do than then so but if into under over".split()
)
_EMPTY = "\ufffc"  # stands in plain text where code, a formula or a picture stood


@dataclass(frozen=True)
class Shape:
    """What of a Markdown text must be the same in every language.

    Attributes:
        kept: by name, the pieces of that kind with how often each occurs.
        plain: the prose alone, with an object-replacement character for what was taken out.
        emphasis: the prose that should hold no asterisk, one piece of text each.
    """

    kept: dict[str, Counter[str]]
    plain: str
    emphasis: tuple[str, ...]


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """Reads Markdown as notebooks have it: CommonMark, tables, formulas."""
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, double_inline=True)


def shape(source: str) -> Shape:
    """Takes a Markdown text apart.

    >>> shape("## A `b`, see [c](d.ipynb)").plain
    'A \ufffc, see c'
    >>> sorted(name for name, pieces in shape("## A `b`, see [c](d.ipynb)").kept.items() if pieces)
    ['heading levels', 'inline code', 'links']
    """
    names = ("inline code", "formulas", "links", "images", "code fences", "heading levels", "HTML tags")
    kept: dict[str, Counter[str]] = {name: Counter() for name in (*names, "placeholders", "arrows", "list and table")}
    plain: list[str] = []
    texts: list[str] = []

    def walk(tokens: Iterable[Token]) -> None:
        for token in tokens:
            if token.type == "heading_open":
                kept["heading levels"][token.tag] += 1
            elif token.type in ("list_item_open", "th_open", "td_open", "tr_open", "blockquote_open"):
                kept["list and table"][token.tag] += 1
            elif token.type in ("fence", "code_block"):
                kept["code fences"][f"{token.info.strip()}\n{token.content}"] += 1
            elif token.type == "code_inline":
                kept["inline code"][token.content] += 1
                plain.append(_EMPTY)
            elif token.type.startswith("math"):
                kept["formulas"][token.content.strip()] += 1
                plain.append(_EMPTY)
            elif token.type == "link_open":
                kept["links"][str(token.attrs["href"])] += 1
            elif token.type == "image":
                kept["images"][str(token.attrs["src"])] += 1
                plain.append(_EMPTY)
            elif token.type in ("html_block", "html_inline"):
                kept["HTML tags"].update(_TAG.findall(token.content))
                plain.append(_TAG.sub("", token.content))
            elif token.type == "text":
                plain.append(token.content)
                texts.append(token.content)
            elif token.type in ("softbreak", "hardbreak"):
                plain.append(" ")
            elif token.type == "inline":
                walk(token.children or [])
                plain.append("\n")

    walk(parser().parse(source))
    prose = "".join(plain).strip()
    kept["placeholders"].update(_PLACEHOLDER.findall(prose))
    kept["arrows"].update(re.findall(r"[←→]", prose))
    return Shape(kept, _PLACEHOLDER.sub(_EMPTY, prose), tuple(texts))


def structure(language: str, english: str, translated: str) -> Iterator[str]:
    """What the translation lost or added: code, formulas, links, pictures, fences, headings, tags, numbers."""
    ours, theirs = shape(english), shape(translated)
    for name, pieces in ours.kept.items():
        missing, added = pieces - theirs.kept[name], theirs.kept[name] - pieces
        if name == "inline code":  # where English says "it", a translation may say the name again
            added = Counter({piece: count for piece, count in added.items() if piece not in pieces})
        if missing or added:
            parts = [f"lacks {_listed(missing)}"] * bool(missing) + [f"has {_listed(added)} too much"] * bool(added)
            yield f"{name}: {' and '.join(parts)}"
    numbers = Counter(_NUMBER.findall(ours.plain)) - Counter(_NUMBER.findall(theirs.plain))
    if language == "ar":  # one and two are forms of the noun
        numbers = Counter({number: count for number, count in numbers.items() if number not in ("1", "2")})
    if numbers:
        yield f"numbers: lacks {_listed(numbers)}"
    for text in theirs.emphasis:
        if "**" in text or re.search(r"(?<![\w*])\*(?=\w)|(?<=\w)\*(?![\w*])", text):
            yield f"emphasis that Markdown does not read as such, near {text.strip()[:30]!r}: put a space beside the **"


def _listed(pieces: Counter[str]) -> str:
    return ", ".join(f"{piece[:60]!r}" + (f" ({count} times)" if count > 1 else "") for piece, count in pieces.items())


def script(language: str, english: str, translated: str) -> Iterator[str]:
    """Whether the text is written in the language's script, with its punctuation, and holds no English sentence."""
    ours, plain = shape(english).plain, shape(translated).plain
    # Quotations and what stands in brackets may be English: what a clip says, a term's English word.
    unquoted = _QUOTED.sub(_EMPTY, plain)
    if not re.search(r"[A-Za-z]{3}", _QUOTED.sub("", ours)):
        return  # nothing to translate
    letters = [letter for letter in unquoted if unicodedata.category(letter)[0] == "L"]
    own = [letter for letter in letters if re.match(SCRIPTS[language], letter)]
    # A heading may be all kanji; a sentence is not.
    needed = SCRIPTS if language == "ja" and len(letters) < TOO_SHORT_TO_MEASURE else OWN
    if not re.search(needed[language], plain):
        yield f"script: no letter of the language ({language})"
    elif letters and len(own) < LEAST_SCRIPT * len(letters) / (2 if language in DENSE else 1):
        yield f"script: {len(own)} of {len(letters)} letters are the language's"
    for run in _ENGLISH.findall(unquoted):
        if len(set(run.lower().split()) & _FUNCTION_WORDS) >= 2:
            yield f"an English sentence: {run!r}"
    if digits := [digit for digit in _OTHER_DIGITS.findall(plain) if digit not in ours]:  # the English may quote some
        yield f"digits that are not 0 to 9: {''.join(digits)}"
    for found in re.finditer(MIXED[language], plain):
        around = plain[max(0, found.start() - 12) : found.end() + 6].replace(_EMPTY, "…").strip()
        yield f"mixed punctuation: {found[0].strip()!r} in {around!r}"


def length(language: str, english: str, translated: str) -> Iterator[str]:
    """Whether the translation is 0.4 to 2 times as long as the English.

    A kana, a kanji or a syllable of Hangul says what two letters say, and is drawn as wide as two: it counts as two.
    """
    ours, theirs = (re.sub(r"\s+", " ", shape(text).plain) for text in (english, translated))
    if len(ours) < TOO_SHORT_TO_MEASURE:
        return
    size = sum(1 + (language in DENSE and unicodedata.east_asian_width(sign) in "WF") for sign in theirs)
    if not SHORTEST <= size / len(ours) <= LONGEST:
        yield f"length: {size / len(ours):.2f} times the English"


# Terms


@dataclass(frozen=True)
class Term:
    """A term of the glossary: what finds it in English, and what one of must stand in the translation."""

    english: str
    pattern: re.Pattern
    wanted: tuple[str, ...]


def read_glossary(path: Path, language: str) -> list[Term]:
    """The glossary's terms that have a word in the language, the longest first. Forms are separated by `|`."""
    if not path.exists():
        return []
    terms = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            forms = [form.strip() for form in row["English"].split("|") if form.strip()]
            wanted = tuple(form.strip() for form in (row[language] or "").split("|") if form.strip())
            if forms and wanted:
                body = "|".join(re.escape(form).replace(r"\ ", r"[\s-]+") for form in forms)
                terms.append(Term(forms[0], re.compile(rf"(?<![\w-])(?:{body})(?:s|es)?(?![\w-])", re.I), wanted))
    return sorted(terms, key=lambda term: -len(term.english))


def terms(language: str, glossary: Iterable[Term], english: str, translated: str) -> Iterator[str]:
    """Terms of the English text that the translation words otherwise than the glossary."""
    ours, theirs = shape(english).plain, normalised(language, shape(translated).plain)
    for term in glossary:
        found = term.pattern.search(ours)
        ours = term.pattern.sub(_EMPTY, ours)  # "error rate" is not looked for in "word error rate"
        if found and not any(_says(language, wanted, theirs) for wanted in term.wanted):
            yield f"glossary: {term.english!r} is {' or '.join(term.wanted)}"


def normalised(language: str, text: str) -> str:
    """A text for comparing words: in Arabic without vowel marks, tatweel and the hamza's seats.

    >>> normalised("ar", "مُجَمِّع الإطارات")
    'مجمع الاطارات'
    """
    text = unicodedata.normalize("NFC", text).casefold()
    if language == "ar":
        text = re.sub(r"[\u064b-\u0652\u0670\u0640\u200e\u200f]", "", text)
        text = re.sub("[أإآٱ]", "ا", text).replace("ى", "ي")
    return text


def _says(language: str, wanted: str, text: str) -> bool:
    """Whether a term stands in a text, whatever particles, articles or endings are put to it."""
    wanted = normalised(language, wanted)
    if language != "ar":  # particles follow the word; a space within a term is often left out
        return re.sub(r"[\s・]+", "", wanted) in re.sub(r"[\s・]+", "", text)
    words = []
    for word in wanted.split():
        stem = word.removeprefix("ال") if len(word) > 4 else word
        stem = stem[:-1] if stem.endswith(("ة", "ه")) and len(stem) > 3 else stem
        # و ف ب ك ل س before, the article, and up to four letters of an ending after.
        words.append(rf"(?<!\w)[وف]?[بكلس]?(?:ال|ل)?{re.escape(stem)}\w{{0,4}}")
    return re.search(r"[\s\ufffc]+".join(words), text) is not None


def breaches(language: str, glossary: Iterable[Term], english: str, translated: str) -> Iterator[str]:
    """All that is wrong with one translated text."""
    yield from structure(language, english, translated)
    yield from script(language, english, translated)
    yield from length(language, english, translated)
    yield from terms(language, glossary, english, translated)
