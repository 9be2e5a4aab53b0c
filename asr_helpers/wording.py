"""The words of views and pictures in the reader's language.

English stands in the code; locale/<language>/LC_MESSAGES/asr_helpers.mo has the other languages (gettext). The language
is that of $ASR_LANGUAGE, or of the folder a notebook was opened in: notebooks/ja, ko and ar hold the editions. What
cells print, errors and logs stay English, so that results can be compared.
"""

import gettext
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import InputError

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("en", *sorted(path.name for path in LOCALE.glob("*") if path.is_dir()))
RIGHT_TO_LEFT = {"ar"}
_NUMBER = r"\d+(?:[.,]\d+)*"
_UNIT = r"(?: ?%| (?:k?Hz|dB(?:FS)?)(?![A-Za-z]))"
# What a line from right to left would take apart: -100, 10 %, 8 kHz, 3-5, C++, (1, T). Markdown's pictures and links'
# targets, tags and formulas come first: they are passed over.
_TAKEN_APART = re.compile(
    r"!\[[^\]]*\]\([^)]*\)|(?<=\])\([^)]*\)|<[^>]+>|\$[^$\n]+\$"
    rf"|(?<![A-Za-z0-9.])(?P<piece>[-+−±~≈]{_NUMBER}{_UNIT}?|{_NUMBER}(?: ?[-–×/] ?{_NUMBER}{_UNIT}?|{_UNIT})"
    r"|[A-Za-z]+(?:\+\+|#)|\((?:[A-Za-z0-9.]+, )+[A-Za-z0-9.]+\))"
)

# Families with a language's letters: the first that is installed is taken. Debian's fonts-noto-cjk brings one.
FONTS = {
    "ja": ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic"),
    "ko": (
        "Noto Sans CJK KR",
        "Noto Sans CJK JP",
        "Noto Sans KR",
        "NanumGothic",
        "Apple SD Gothic Neo",
        "Malgun Gothic",
    ),
}


def _opened_in() -> str:
    try:
        return Path.cwd().name
    except OSError:  # the folder is gone
        return ""


FOLDER = _opened_in()  # a kernel starts in its notebook's folder


def language() -> str:
    """The language of views and pictures: $ASR_LANGUAGE, or that of the notebook's folder, or English.

    Returns:
        One of `LANGUAGES`: its BCP 47 tag.

    Raises:
        InputError: $ASR_LANGUAGE is none of them.
    """
    named = os.environ.get("ASR_LANGUAGE", "")
    if named and named not in LANGUAGES:
        raise InputError(
            f"There are no words in the language ASR_LANGUAGE={named!r}: it is one of {', '.join(LANGUAGES)}."
        )
    return named or (FOLDER if FOLDER in LANGUAGES else "en")


def say(message: str, /, **values: Any) -> str:
    """A message in the reader's language, with values put in as `str.format` does it; English where it has none.

    >>> say("row {row}, {start:.2f} s", row=3, start=0.5)
    'row 3, 0.50 s'
    """
    translated = _translations(language()).gettext(message)
    said = translated.format(**values) if values else translated
    return keep_together(said) if language() in RIGHT_TO_LEFT else said


def keep_together(text: str, opening: str = "\u2066", closing: str = "\u2069") -> str:
    """A text from right to left in which signed numbers, percentages and the like stay from left to right.

    Args:
        text: plain or Markdown, without inline code.
        opening, closing: what isolates a piece: invisible signs (Unicode Standard Annex 9) if not told otherwise.

    >>> keep_together("بالقيمة -100 في 3 صفوف", "[", "]")
    'بالقيمة [-100] في 3 صفوف'
    """
    return _TAKEN_APART.sub(lambda match: f"{opening}{match[0]}{closing}" if match["piece"] else match[0], text)


def label(message: str, /, **values: Any) -> str:
    """A message for a picture: as `say`, but English where matplotlib cannot draw the language."""
    if can_draw(language()):
        return say(message, **values)
    return message.format(**values) if values else message


def mark(message: str) -> str:
    """Marks a constant as a message, to be said later. Returns it as it is."""
    return message


@lru_cache
def _translations(tag: str) -> gettext.NullTranslations:
    return gettext.translation("asr_helpers", LOCALE, [tag], fallback=True)


@lru_cache
def find_font(tag: str) -> str | None:
    """The installed font family that has a language's letters; None where matplotlib's own has them or none is there.

    Args:
        tag: one of `LANGUAGES`.
    """
    return next((family for family in FONTS.get(tag, ()) if family in _installed_fonts()), None)


@lru_cache
def _installed_fonts() -> frozenset[str]:
    """The families that matplotlib can use, those among them that were installed after it made its own list."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    for path in set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}:
        try:
            manager.addfont(path)
        except (OSError, RuntimeError):  # not a font that it can read
            continue
    return frozenset(font.name for font in manager.ttflist)


@lru_cache
def add_fonts() -> None:
    """Lets every figure of this process use what fonts are installed, after its own, for letters that its own lacks."""
    import matplotlib

    found = dict.fromkeys(family for tag in FONTS if (family := find_font(tag)))
    own = matplotlib.rcParams["font.family"]
    matplotlib.rcParams["font.family"] = [*([own] if isinstance(own, str) else own), *found]


@lru_cache
def can_draw(tag: str) -> bool:
    """Whether matplotlib can draw a language's letters here; if not, a warning says what to install, once.

    Args:
        tag: one of `LANGUAGES`.
    """
    import matplotlib

    if tag == "ar" and tuple(map(int, matplotlib.__version__.split(".")[:2])) < (3, 11):
        warnings.warn(
            "Pictures are labelled in English: Arabic letters are joined by matplotlib 3.11 and newer, and this is "
            f"{matplotlib.__version__}.",
            stacklevel=3,
        )
        return False
    if tag not in FONTS:
        return True  # matplotlib's own font has the letters
    if find_font(tag) is None:
        warnings.warn(
            f"Pictures are labelled in English: no font with the letters of {tag!r} is installed. Install one, such as "
            f"{FONTS[tag][0]} (on Debian, Ubuntu and Colab: apt-get install fonts-noto-cjk), and restart the kernel.",
            stacklevel=3,
        )
        return False
    return True
