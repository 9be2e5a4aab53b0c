"""Names the encoding of a text file that is not UTF-8, so that a person can convert it.

A file is never read in a guessed encoding: a wrong guess teaches wrong letters. The guess makes the message useful.
"""

import unicodedata
from collections.abc import Callable
from pathlib import Path

from .. import InputError

SAMPLE = 2**16  # bytes that are looked at
SURE = 0.8  # share of the characters beyond ASCII that must be of the encoding's script
KANA_SHARE = 0.1  # Japanese text has more
BEGINNINGS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))  # byte order marks


def _is(*starts: str) -> Callable[[str], bool]:
    return lambda one: unicodedata.name(one, "").startswith(starts)


_kana = _is("HIRAGANA", "KATAKANA")
_japanese = _is("HIRAGANA", "KATAKANA", "CJK UNIFIED", "IDEOGRAPHIC", "FULLWIDTH")
# Python's name, what people call it and iconv takes, its letters. Of two that fit alike the first one is taken.
ENCODINGS = (
    ("cp932", "SHIFT_JIS", _japanese),
    ("cp949", "EUC-KR", _is("HANGUL SYLLABLE")),
    ("euc_jp", "EUC-JP", _japanese),
    ("cp1256", "WINDOWS-1256", _is("ARABIC")),
    ("cp1251", "WINDOWS-1251", _is("CYRILLIC")),
    ("cp1252", "WINDOWS-1252", _is("LATIN", "LEFT", "RIGHT", "EN DASH", "EM DASH")),
    ("gb18030", "GB18030", _is("CJK UNIFIED", "IDEOGRAPHIC", "FULLWIDTH")),
)


def guess_encoding(content: bytes) -> str | None:
    """The likeliest encoding of text that is not UTF-8; None where none fits.

    >>> guess_encoding("請求書を送ってください".encode("cp932")), guess_encoding("أين بطاقتي".encode("cp1256"))
    ('SHIFT_JIS', 'WINDOWS-1256')
    """
    for start, name in BEGINNINGS:
        if content.startswith(start):
            return name
    shares = {name: _share(content, python, belongs) for python, name, belongs in ENCODINGS}
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] >= SURE else None


def _share(content: bytes, encoding: str, belongs: Callable[[str], bool]) -> float:
    """The share of the characters beyond ASCII that the encoding's script has; 0 where the bytes are none of it."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(content) - 4:
            return 0.0
        text = content[: error.start].decode(encoding)  # the sample ends within a character
    foreign = [one for one in text if not one.isascii()]
    if not foreign:
        return 0.0
    if encoding in ("cp932", "euc_jp") and sum(map(_kana, foreign)) < KANA_SHARE * len(foreign):
        return 0.0
    if encoding in ("cp1251", "cp1256"):  # a word of two alphabets is a Latin one with an accent
        foreign = [
            one for word in text.split() for one in word if not one.isascii() or (one.isalpha() and not word.isascii())
        ]
    return sum(map(belongs, foreign)) / len(foreign)


def not_utf_8(table: Path) -> InputError:
    """The error for a text file that is not UTF-8: what it seems to be, and how to convert it."""
    with open(table, "rb") as file:
        name = guess_encoding(file.read(SAMPLE))
    if not name:
        return InputError(f"{str(table)!r} is not written in UTF-8: save it so.")
    return InputError(
        f"{str(table)!r} is not written in UTF-8, it seems to be {name}: convert it with "
        f"`iconv -f {name} -t UTF-8 OLD > NEW`, or save it as UTF-8."
    )
