"""02  How a language is written: its units, its normaliser, its error rate.

Conventions: a text is Unicode; what leaves this module is composed (NFC). A mark is a combining character, such as an
Arabic vowel sign. A language is named by a BCP 47 tag, of which the first part decides: `ko-KR` is Korean.
"""

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache

from . import InputError

TATWEEL = "\u0640"  # stretches an Arabic word; it is no letter, though Unicode calls it one
# What a text may leave out of its letters: Arabic and Hebrew vowel signs, and signs of recitation. Hamza and madda are
# no vowel signs: they belong to their letter, and NFC puts them there.
VOWEL_MARKS = frozenset(
    map(chr, (*range(0x64B, 0x653), 0x670, *range(0x610, 0x61B), *range(0x6D6, 0x6DD), *range(0x6DF, 0x6E5),
              0x6E7, 0x6E8, *range(0x6EA, 0x6EE), *range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7))
)  # fmt: skip
VOWELLED = 0.3  # marks for each letter: a text written with its vowels has nearly one
# Typographic characters that mean a plain one.
PLAIN = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})
# Unicode's tags of a character that is another one in another shape.
SHAPES = ("<wide>", "<narrow>", "<font>", "<initial>", "<medial>", "<final>", "<isolated>")
# Hamza and its carriers, alif maqsura and ta marbuta, which many writers do not tell apart.
FOLDED = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ؤ": "و", "ئ": "ي", "ء": None, "ى": "ي", "ة": "ه"})
FOLDING = "hamza, alif maqsura and ta marbuta folded"

_AZ = "abcdefghijklmnopqrstuvwxyz"
_KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)))) + "ー々ゝゞヽヾ"
_JAMO = "".join(map(chr, (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3))))


@dataclass(frozen=True)
class Language:
    """A language's writing.

    Attributes:
        tag: BCP 47, the shortest that names the language.
        name: in English; the tag again for a language without an entry.
        scripts: a letter of another one is foreign here. Empty where the text decides.
        alphabet: characters that a vocabulary has as soon as the text has them, however rare they are.
        inside: what is no letter and stands inside words.
        spaced: words are parted by spaces.
        metrics: "wer", "cer" or both; the first one chooses the best checkpoint.
        aliases: other codes of the language: ISO 639-2 and 639-3.
        dotted: i and ı are two letters, with the capitals İ and I.
    """

    tag: str
    name: str
    scripts: tuple[str, ...] = ("LATIN",)
    alphabet: str = ""
    inside: str = "'"
    spaced: bool = True
    metrics: tuple[str, ...] = ("wer",)
    aliases: tuple[str, ...] = ()
    dotted: bool = False

    @property
    def known(self) -> bool:
        """Whether it has an entry; else Unicode's own rules hold."""
        return self.tag in LANGUAGES


LANGUAGES = {
    one.tag: one
    for one in (
        Language("en", "English", alphabet=_AZ, aliases=("eng",)),
        Language("de", "German", alphabet=f"{_AZ}äöüß", aliases=("deu", "ger")),
        Language("fr", "French", alphabet=f"{_AZ}àâæçéèêëîïôœùûüÿ", aliases=("fra", "fre")),
        Language("es", "Spanish", alphabet=f"{_AZ}áéíñóúü", aliases=("spa",)),
        Language("pt", "Portuguese", alphabet=f"{_AZ}áâãàçéêíóôõúü", aliases=("por",)),
        Language("it", "Italian", alphabet=f"{_AZ}àèéìíîòóùú", aliases=("ita",)),
        Language("pl", "Polish", alphabet=f"{_AZ}ąćęłńóśźż", aliases=("pol",)),
        Language("tr", "Turkish", alphabet=f"{_AZ}çğıöşüâîû", aliases=("tur",), dotted=True),
        Language("ru", "Russian", ("CYRILLIC",), "абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "", aliases=("rus",)),
        Language("ko", "Korean", ("HANGUL",), _JAMO, "", metrics=("cer", "wer"), aliases=("kor",)),
        Language("ja", "Japanese", ("HIRAGANA", "KATAKANA", "CJK"), _KANA, "", False, ("cer",), ("jpn",)),
        Language("zh", "Chinese", ("CJK",), "", "", False, ("cer",), ("zho", "chi", "cmn")),
        Language("th", "Thai", ("THAI",), "", "", False, ("cer",), ("tha",)),
        Language("ar", "Arabic", ("ARABIC",), "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي", "", aliases=("ara", "arb")),
        Language("hi", "Hindi", ("DEVANAGARI",), "अआइईउऊऋएऐओऔकखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहािीुूृेैोौ्ंँः़", "",
                 aliases=("hin",)),
    )
}  # fmt: skip
_BY_CODE = {code: one for one in LANGUAGES.values() for code in (one.tag, *one.aliases)}
# Of those without an entry: whose words no space parts, and whose i has two forms.
UNSPACED = frozenset("lo lao km khm my mya bo bod dz dzo yue wuu nan hak gan hsn".split())
DOTTED = frozenset("az aze crh gag tt tat kk kaz kaa ky kir ba bak".split())
# A name of a letter begins with its script, but for these.
_SCRIPTS = {"KATAKANA-HIRAGANA": "KATAKANA", "IDEOGRAPHIC": "CJK", "FULLWIDTH": "", "HALFWIDTH": ""}


def language(tag: str) -> Language:
    """The language that a BCP 47 tag names. One without an entry in LANGUAGES gets Unicode's own rules.

    Raises:
        InputError: it is no tag.

    Source:
        BCP 47 (https://www.rfc-editor.org/info/bcp47).

    >>> language("ko-KR").name, language("jpn").tag, language("sw").known
    ('Korean', 'ja', False)
    """
    code = re.fullmatch(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*", tag.strip())
    if not code:
        raise InputError(f"{tag!r} is no language tag (BCP 47): write one such as ar, ko-KR or zh-Hant.")
    short = code[1].lower()
    return _BY_CODE.get(short) or Language(
        short, short, (), inside="'\u05f3\u05f4", spaced=short not in UNSPACED,
        metrics=("cer",) if short in UNSPACED else ("wer",), dotted=short in DOTTED,
    )  # fmt: skip


@lru_cache(maxsize=50_000)
def script(character: str) -> str:
    """A letter's script, as the names of Unicode's characters begin; "" for what has none, as a digit or an accent.

    >>> script("が"), script("한"), script("ー"), script("々"), script("7")
    ('HIRAGANA', 'HANGUL', 'KATAKANA', 'CJK', '')
    """
    if unicodedata.category(character)[0] != "L":
        return ""
    first = unicodedata.name(plain_shape(character)[0], "").partition(" ")[0]
    return _SCRIPTS.get(first, first)


@lru_cache(maxsize=50_000)
def plain_shape(character: str) -> str:
    """The characters that stand behind one of another width, position or font, or a Latin ligature; else itself.

    >>> plain_shape("Ａ"), plain_shape("ｶ"), plain_shape("ﻻ"), plain_shape("²")
    ('A', 'カ', 'لا', '²')
    """
    if character.isascii():
        return character
    if unicodedata.decomposition(character).split(" ")[0] in SHAPES or "\ufb00" <= character <= "\ufb06":
        return unicodedata.normalize("NFKC", character)
    return character


def plain_shapes(text: str) -> str:
    """A text in plain shapes, composed (NFC): full-width letters narrow, half-width kana wide, ligatures apart.

    >>> plain_shapes("ｶﾞｰﾄﾞ ＡＴＭ")
    'ガード ATM'
    """
    return text if text.isascii() else unicodedata.normalize("NFC", "".join(map(plain_shape, text)))


def lower(text: str, dotted: bool = False) -> str:
    """A text in lower case, of the same length.

    Args:
        dotted: i and ı are two letters, as in Turkish; else an ı in a name is an i.

    >>> lower("İSTANBUL IŞIK", dotted=True), lower("ΟΔΟΣ"), lower("Straẞe")
    ('istanbul ışık', 'οδος', 'straße')
    """
    text = text.replace("İ", "i")  # alone, Python would put the dot behind it
    return (text.replace("I", "ı") if dotted else text.replace("ı", "i")).lower()


def compose(text: str) -> str:
    """What a model's units write: jamo put together to syllables, marks to their letters (NFC).

    >>> compose("\\u1112\\u1161\\u11ab\\u1100\\u1173\\u11af")
    '한글'
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def units(text: str, characters: Container[str]) -> str:
    """A text in the units of a vocabulary: what it lacks is taken apart where it has all the parts (NFD).

    Args:
        text: composed (NFC).
        characters: of the vocabulary, or the signs of a head.

    >>> [ascii(one) for one in units("한", {"ᄒ", "ᅡ", "ᆫ"})], units("한", {"한"})
    (["'\\\\u1112'", "'\\\\u1161'", "'\\\\u11ab'"], '한')
    """
    if text.isascii():
        return text
    return "".join(one if one in characters else _parts(one, characters) for one in text)


def _parts(character: str, characters: Container[str]) -> str:
    parts = unicodedata.normalize("NFD", character)
    return parts if all(part in characters for part in parts) else character


def is_mark(character: str) -> bool:
    """Whether it belongs to the letter before it, and parts no word: a mark, an invisible character, tatweel."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf") or character == TATWEEL


@dataclass(frozen=True)
class Writing:
    """How a recogniser writes a language, and how its texts are compared.

    Attributes:
        language: what it writes.
        unit: "characters"; for Korean "syllables" or "jamo", for Japanese "kana" or "kanji and kana".
        vowel_marks: Arabic and Hebrew vowel marks are written.
    """

    language: Language
    unit: str = "characters"
    vowel_marks: bool = False

    @property
    def metric(self) -> str:
        """ "wer" or "cer": what chooses the best checkpoint."""
        return self.language.metrics[0]

    @property
    def normaliser(self) -> str:
        """What `normalise` does, in words.

        >>> Writing(language("ar")).normaliser
        'NFC, lower case, no punctuation, no vowel marks'
        """
        marked = not self.language.scripts or {"ARABIC", "HEBREW"} & {*self.language.scripts}
        marks = "" if not marked else f", vowel marks {'kept' if self.vowel_marks else 'left out'}"
        spaces = "" if self.language.spaced else ", no spaces"
        return f"NFC, lower case, no punctuation{marks}{spaces}".replace("vowel marks left out", "no vowel marks")

    def named(self, metric: str) -> str:
        """A metric's name, with its unit and its normaliser.

        >>> Writing(language("ja")).named("cer")
        'CER, characters, NFC, lower case, no punctuation, no spaces'
        """
        return f"{metric.upper()}, {'words' if metric == 'wer' else 'characters'}, {self.normaliser}"

    def normalise(self, text: str) -> str:
        """A text as it is compared: letters, their marks and digits, in lower case, words apart by one space.

        Punctuation and symbols part words. Where no space parts words, there is none.

        >>> Writing(language("en")).normalise("It’s well-known: ＡＴＭ!")
        "it's well known atm"
        >>> Writing(language("ja")).normalise("コーヒーが、 佐々木さん")
        'コーヒーが佐々木さん'
        """
        text = compose(lower(plain_shapes(text).translate(PLAIN), self.language.dotted))
        words = "".join(map(self._written, text)).split()
        return compose((" " if self.language.spaced else "").join(words))

    def _written(self, character: str) -> str:
        if character.isascii():
            return character if character.isalnum() or character in self.language.inside else " "
        category = unicodedata.category(character)
        if category == "Me" or category == "Cf" or character == TATWEEL or "\ufe00" <= character <= "\ufe0f":
            return ""
        if character in VOWEL_MARKS:
            return character if self.vowel_marks else ""
        return character if category[0] in "LMN" or character in self.language.inside else " "


def is_vowelled(text: str) -> bool:
    """Whether an Arabic or Hebrew text is written with its vowel marks: the odd one, as in شكرًا, does not count.

    >>> is_vowelled("مُحَمَّد"), is_vowelled("شكرًا")
    (True, False)
    """
    letters = sum(script(one) in ("ARABIC", "HEBREW") for one in text)
    return sum(one in VOWEL_MARKS for one in text) >= VOWELLED * max(letters, 1)


def has_vowel_marks(texts: Iterable[str]) -> bool:
    """Whether all texts with Arabic or Hebrew letters are vowelled, and there is one.

    >>> has_vowel_marks(["مُحَمَّد", "كَتَبَ"]), has_vowel_marks(["مُحَمَّد", "كتب"])
    (True, False)
    """
    marked = [is_vowelled(text) for text in texts if any(script(one) in ("ARABIC", "HEBREW") for one in text)]
    return bool(marked) and all(marked)


def fold(text: str) -> str:
    """An Arabic text without what writers do not tell apart: a lenient comparison's normaliser, named FOLDING.

    >>> fold("آمنة إلى مسؤول")
    'امنه الي مسوول'
    """
    folded = text.translate(FOLDED)
    return "".join(one for one in folded if one not in VOWEL_MARKS)
