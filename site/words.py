"""The site's words in one language, and where a page is in the others."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.edition_texts import NAMES, NOTEBOOKS, README, Text, site_texts  # noqa: E402
from tools.editions import Edition, languages  # noqa: E402


@dataclass(frozen=True)
class Words:
    """What the site says in a language; in English what is not translated yet."""

    language: str

    @cached_property
    def edition(self) -> Edition:
        """Where this language's notebooks and README are."""
        return Edition(self.language)

    @cached_property
    def _texts(self) -> dict[str, Text]:
        return {text.context: text for text in site_texts()}

    @cached_property
    def _catalogue(self) -> dict[str, tuple[str, str]]:
        return self.edition.catalogue("site")

    def get(self, context: str) -> str:
        """The text of a context such as `label/series`; "" where there is none."""
        text = self._texts.get(context)
        if text is None:
            return ""
        source, translated = self._catalogue.get(context, ("", ""))
        return translated if source == text.source else text.source

    def index(self) -> str:
        """The first page."""
        return "\n\n".join(self.get(context) for context in self._texts if context.startswith("index/")) + "\n"


def translated_pages(language: str) -> set[str]:
    """The pages that an edition has; the English one has more."""
    pages = {"index", "search"} | {f"notebooks/{path.stem}" for path in NOTEBOOKS.glob("*.ipynb")}
    return pages | ({"project/readme"} if Edition(language).path(README) != README else set())


def switch(page: str, language: str) -> list[tuple[str, str, str]]:
    """For each language of the site: its tag, its name, and where the page is in it; "" for the page's own."""
    top = "../" * (page.count("/") + (language != "en"))
    found = []
    for other in ("en", *languages()):
        there = page if other == "en" or page in translated_pages(other) else "index"
        folder = "" if other == "en" else f"{other}/"
        found.append((other, NAMES[other], "" if other == language else f"{top}{folder}{there}.html"))
    return found
