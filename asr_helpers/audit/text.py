"""What a transcript shows, and how it is mended."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ..languages import is_vowelled, plain_shape, script
from ..preprocessing import WHOLE, normalise_text
from .reasons import Model, Row

# Share of the letters that the vocabulary cannot write: above it, what would be learnt is another text.
UNWRITABLE = 0.2
# Share of the letters in scripts that put no space between words.
UNSPACED = 0.5

# Read as a word when spoken, though Unicode calls them punctuation.
SPOKEN_PUNCTUATION = frozenset("%&@#/*\\§‰‱")
BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
JOINERS = frozenset("\u200c\u200d")  # between letters of Arabic, Persian or an Indian script they are spelling
ONE_SCRIPT = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "HANGUL", "GEORGIAN")
UNSPACED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
LATIN_OF = dict(zip("АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝ", "ABESIJKMHOPCTYXaesijopcyxhdqw", strict=True)) | dict(
    zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)
)
CYRILLIC_OF = dict(zip("ABESIJKMHOPCTYXaesijopcyx", "АВЕЅІЈКМНОРСТУХаеѕіјорсух", strict=True))
WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*")


def _quoted(characters: Iterable[str]) -> str:
    shown = sorted(set(characters))
    return ", ".join(repr(sign) if sign.isprintable() else ascii(sign) for sign in shown[:8]) + (
        f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    )


def examine_text(row: Row, text: Any, model: Model) -> None:
    """Looks at a transcript, and writes its problems and the text the model would learn into its row."""
    found = row.problems
    if not isinstance(text, str):
        found["transcript-missing"] = "The row has no transcript: write what is said, or leave the row out."
        return
    if not text.strip():
        found["transcript-empty"] = "The transcript is empty: write what is said, or leave the row out."
        return
    if not text.isascii() or not text.isprintable():
        _examine_characters(row, text)
        if model.characters is not None and " " not in model.characters:
            row.unspaced = False  # the model's language is known to have no spaces
        text = repair_text(text)
    if model.characters is None:
        written, lost = " ".join(text.split()), Counter(text)
    else:
        normalised = normalise_text(text, model.characters)
        written, lost = normalised.text, normalised.lost
    row.text = written
    kinds = defaultdict(list)
    for character in lost:
        kinds[_kind(character)].append(character)
    if not written or not any(map(str.isalnum, written)):
        found["transcript-no-letters"] = f"Nothing of {_short(text)} can be written in the model's vocabulary."
        return
    if kinds["digit"]:
        found["digits"] = f"{_short(text)} has digits ({_quoted(kinds['digit'])}): write them as they are spoken."
    if kinds["symbol"]:
        found["symbols"] = f"{_short(text)} has symbols ({_quoted(kinds['symbol'])}): write them as they are spoken."
    if model.characters is not None and kinds["letter"]:
        row.outside = frozenset(kinds["letter"])
        count = sum(lost[character] for character in kinds["letter"])
        plain = {character: unicodedata.normalize("NFD", character)[0] for character in kinds["letter"]}
        gone = sum(
            lost[one]
            for one, base in plain.items()
            if unicodedata.category(one)[0] == "L"
            and (script(one) in WHOLE or not model.characters & {base, base.upper(), base.lower()})
        )
        letters = sum(map(str.isalpha, text))
        message = f"The vocabulary lacks {count} of its letters: {_quoted(kinds['letter'])}"
        if gone > UNWRITABLE * letters:
            found["mostly-outside-vocabulary"] = (
                f"{message}; take a checkpoint with the characters of this language, or train with --language."
            )
        else:
            found["outside-vocabulary"] = f"{message}; they are written without their accent, or left out."


def _short(text: str) -> str:
    """A transcript's beginning as a terminal may show it."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _kind(character: str) -> str:
    """ "letter", "digit", "symbol" (which speech spells out), or "" for what is not spoken."""
    category = unicodedata.category(character)
    if category[0] in "LM":
        return "" if "\ufe00" <= character <= "\ufe0f" else "letter"  # those choose how an emoji looks
    if category[0] == "N":
        return "digit"
    return "symbol" if category in ("Sc", "Sm", "So") or character in SPOKEN_PUNCTUATION else ""


def _script(character: str, scripts: Sequence[str]) -> str:
    return next((script for script in scripts if unicodedata.name(character, "").startswith(script)), "")


def _is_invisible(text: str, place: int) -> bool:
    character = text[place]
    if character in BIDIRECTIONAL or character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Co"):
        return False
    if character in JOINERS and place:
        before = unicodedata.name(text[place - 1], "")
        return before.startswith(("LATIN", "CYRILLIC", "GREEK", "DIGIT", "SPACE", "CJK", "HANGUL"))
    return True


def _unlike(character: str) -> str:
    """The plain letters or digits behind those of another width, position or font; else the character itself."""
    return plain_shape(character) if character.isalnum() else character


def _unmixed(word: str) -> str:
    """A word whose letters of another script all look like ones of its own, written in its own; else as it is."""
    scripts = Counter(_script(character, ONE_SCRIPT) for character in word)
    if len(scripts) > 1 and scripts["LATIN"]:
        foreign = [character for character in word if _script(character, ONE_SCRIPT) not in ("LATIN", "")]
        if all(character in LATIN_OF for character in foreign):
            return "".join(LATIN_OF.get(character, character) for character in word)
        latin = [character for character in word if _script(character, ONE_SCRIPT) == "LATIN"]
        if scripts["CYRILLIC"] and all(character in CYRILLIC_OF for character in latin):
            return "".join(CYRILLIC_OF.get(character, character) for character in word)
    return word


def repair_text(text: str) -> str:
    """A transcript as it was meant: composed (NFC), without invisible characters, each word in one script.

    Only what is written differently and reads the same is changed.

    >>> repair_text("Cafe\\u0301 \\u202ec\\u0430rd\\u200b")
    'Café card'
    """
    kept = [
        " " if unicodedata.category(one) == "Cc" else "" if one in BIDIRECTIONAL or _is_invisible(text, place) else one
        for place, one in enumerate(text)
    ]
    text = unicodedata.normalize("NFC", "".join(map(_unlike, kept)))
    return WORD.sub(lambda match: _unmixed(match[0]), text)


def _examine_characters(row: Row, text: str) -> None:
    """Looks at a transcript that is not plain ASCII."""
    found = row.problems
    if not unicodedata.is_normalized("NFC", text):
        found["not-nfc"] = f"{_short(text)} has letters and accents apart (not NFC): they are put together."
    controls = [character for character in text if character in BIDIRECTIONAL]
    if controls:
        found["bidirectional-controls"] = f"It has controls of the writing direction ({_quoted(controls)}): removed."
    invisible = [one for place, one in enumerate(text) if _is_invisible(text, place)]
    if invisible:
        found["invisible-characters"] = f"It has characters that cannot be seen ({_quoted(invisible)}): removed."
    text = unicodedata.normalize("NFC", text)
    mended = unicodedata.normalize("NFC", "".join(map(_unlike, text)))
    alike = [character for character in text if _unlike(character) != character]
    for word in WORD.findall(mended):
        new = _unmixed(word)
        alike += [one for one, other in zip(word, new, strict=True) if one != other]
        scripts = sorted({_script(character, ONE_SCRIPT) for character in new} - {""})
        if len(scripts) > 1:
            found["mixed-scripts"] = f"{word!r} mixes {' and '.join(script.title() for script in scripts)} letters."
    if alike:
        found["look-alike-letters"] = f"It has look-alikes of other letters ({_quoted(map(_named, alike))}): replaced."
    letters = [character for character in mended if character.isalpha()]
    if letters:
        unspaced = sum(bool(_script(letter, UNSPACED_SCRIPTS)) for letter in letters)
        row.unspaced = unspaced > UNSPACED * len(letters)
        if any(_script(letter, ("ARABIC", "HEBREW")) for letter in letters):
            row.vowels = "some" if is_vowelled(mended) else "none"


def _named(character: str) -> str:
    return f"{character} {unicodedata.name(character, '')}"
