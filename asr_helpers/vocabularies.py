"""02  A vocabulary from the training rows' texts.

Conventions: a vocabulary is the units that a recogniser writes: characters, or jamo. A unit is rare if it stands in
fewer than FEWEST_ROWS rows: one clip alone teaches no sound. Letters of the language's own alphabet are never rare.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import InputError
from .languages import Language, Writing, has_vowel_marks, language, script

FEWEST_ROWS = 2
# A language without an entry is written in the scripts that have this share of its letters.
SCRIPT_SHARE = 0.05
# Of the letters: where more are of other scripts, the texts are of another language.
MOST_FOREIGN = 0.5
# Korean is written in syllables where this share of what is said is syllables that stand in so many rows or more: a
# syllable has to be heard often to be learnt. Else in jamo, of which there are 67.
SYLLABLES_SHARE, SYLLABLES_ROWS = 0.99, 20
JAMO, SYLLABLES = "jamo", "syllables"


@dataclass(frozen=True)
class Vocabulary:
    """What a recogniser of a language will write.

    Attributes:
        writing: the language, its unit, and whether vowel marks are written.
        characters: the units, in Unicode's order.
        rare: units left out because they are rare, and how often they stand in the texts.
        foreign: letters of other scripts, and digits: left out, since they tell little of how they are spoken.
    """

    writing: Writing
    characters: tuple[str, ...]
    rare: Counter = field(default_factory=Counter)
    foreign: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        """What there is, and what is left out, on one line."""
        of = self.writing.language
        rules = "" if of.known else ", which has no entry here: Unicode's own rules hold"
        text = f"{of.name}{rules}; unit {self.writing.unit}, {len(self.characters)} in the vocabulary"
        if self.rare:
            text += f"; rare, in fewer than {FEWEST_ROWS} rows, and left out: {_counted(self.rare)}"
        if self.foreign:
            text += "; digits and letters of other scripts, left out, write them as they are spoken: "
            text += _counted(self.foreign)
        return text


def _counted(counts: Counter) -> str:
    shown = ", ".join(f"{one} × {count}" for one, count in counts.most_common(8))
    return f"{shown} and {len(counts) - 8} more" if len(counts) > 8 else shown


def choose_vocabulary(texts: Iterable[str], tag: str, unit: str | None = None) -> Vocabulary:
    """The vocabulary for a language, from the texts of the training rows alone.

    A vocabulary has the letters and marks that the texts have, in lower case. Left out are punctuation and symbols,
    digits, letters of other scripts, and what stands in fewer than FEWEST_ROWS texts and is not in the language's own
    alphabet. Arabic and Hebrew vowel marks are in it if every text has them.

    Args:
        texts: as people wrote them. What is no text, such as None, is passed over: the audit names such rows.
        tag: the language, a BCP 47 tag.
        unit: for Korean "jamo" or "syllables"; None lets the texts decide (SYLLABLES_SHARE).

    Raises:
        InputError: the tag is none, the unit is not the language's, there is no letter, or most letters are of scripts
            in which the language is not written.

    >>> "".join(choose_vocabulary(["Grüße, Max!", "Zwölf Boxkämpfer"], "de-DE").characters)
    'abefgklmoprwxzßäöü'
    """
    spoken = language(tag)
    texts = [text for text in texts if isinstance(text, str)]
    writing = Writing(spoken, vowel_marks=has_vowel_marks(texts))
    written = [writing.normalise(text) for text in texts]
    scripts = _scripts(written, spoken)
    foreign = Counter(one for text in written for one in text if _is_foreign(one, scripts))
    unit = _unit(written, spoken, unit)
    if unit == JAMO:
        written = [unicodedata.normalize("NFD", text) for text in written]
    counts = Counter(one for text in written for one in text)
    rows = Counter(one for text in written for one in _seen(text, spoken))
    wanted = {one for one in rows if not one.isspace() and not _is_foreign(one, scripts)}
    kept = {one for one in wanted if rows[one] >= FEWEST_ROWS or one in spoken.alphabet + spoken.inside}
    if not kept:
        raise InputError(f"No text has a letter of {spoken.name} that stands in {FEWEST_ROWS} rows: bring more text.")
    rare = Counter({one: counts[one] for one in wanted - kept})
    return Vocabulary(Writing(spoken, unit, writing.vowel_marks), tuple(sorted(kept)), rare, foreign)


def _seen(text: str, spoken: Language) -> set[str]:
    """The characters of a text; an apostrophe only where it stands between letters."""
    seen = set(text) - set(spoken.inside)
    return seen | {one for before, one, after in zip(text, text[1:], text[2:], strict=False)
                   if one in spoken.inside and before.isalpha() and after.isalpha()}  # fmt: skip


def _is_foreign(character: str, scripts: frozenset[str]) -> bool:
    category = unicodedata.category(character)[0]
    return category == "N" or (category == "L" and script(character) not in scripts)


def _scripts(written: list[str], spoken: Language) -> frozenset[str]:
    """The scripts of a language, and of one without an entry those that the texts show."""
    counts = Counter(script(one) for text in written for one in text if one.isalpha())
    if not counts:
        raise InputError("No text has a letter, so there is no vocabulary: bring the transcripts of the training rows.")
    total = counts.total()
    if not spoken.scripts:
        return frozenset(one for one, count in counts.items() if count >= SCRIPT_SHARE * total)
    other = total - sum(counts[one] for one in spoken.scripts)
    if other > MOST_FOREIGN * total:
        names = ", ".join(f"{one.title()} {count / total:.0%}" for one, count in counts.most_common(3))
        raise InputError(
            f"The training texts are not {spoken.name}: their letters are {names}. Name their language, as in "
            "`--language ko`, or bring the texts in its own script."
        )
    return frozenset(spoken.scripts)


def _unit(written: list[str], spoken: Language, unit: str | None) -> str:
    choices = {"ko": (JAMO, SYLLABLES)}.get(spoken.tag, ())
    if unit is not None and unit not in choices:
        ways = f"one of {', '.join(choices)}" if choices else "nothing: its unit follows from the texts"
        raise InputError(f"{spoken.name} has no unit {unit!r}: choose {ways}.")
    if unit:
        return unit
    if spoken.tag == "ja":
        return "kanji and kana" if any(script(one) == "CJK" and one != "々" for one in "".join(written)) else "kana"
    if spoken.tag != "ko":
        return "characters"
    counts = Counter(one for text in written for one in text if "가" <= one <= "힣")
    rows = Counter(one for text in written for one in set(text))
    often = sum(count for one, count in counts.items() if rows[one] >= SYLLABLES_ROWS)
    return SYLLABLES if often >= SYLLABLES_SHARE * counts.total() else JAMO
