"""The search of the Arabic pages, with and without vowel marks.

Sphinx takes a mark for the end of a word: it would store متعرِّف as two pieces, and a reader types متعرف. Here marks are
dropped from the pages' words and from the query alike. English words in the pages are searched as English ones.
"""

import re

from sphinx.search.en import SearchEnglish

# Vowel marks, the small alef above a letter, and the stroke that stretches a word.
MARKS = "\u064b-\u0652\u0670\u0640"
_MARK = re.compile(f"[{MARKS}]")


class SearchArabic(SearchEnglish):
    """Splits texts into words without their marks, in the index and in the browser."""

    lang = "ar"  # the name stays English: it is also that of the stemmer which the browser loads
    js_splitter_code = rf"""
var splitQuery = (query) =>
  query
    .replace(/[{MARKS}]/g, "")
    .split(/[^\p{{Letter}}\p{{Number}}_\p{{Emoji_Presentation}}]+/gu)
    .filter((term) => term);
"""

    def split(self, input: str) -> list[str]:
        """The words of a page's text."""
        return super().split(_MARK.sub("", input))
