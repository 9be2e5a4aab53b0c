"""What espeak-ng is given to read, so that it says what people say.

Its Korean leaves out most changes of sound between syllables, its Japanese reads は and へ
as they are written, and its Arabic loses the vowel after a doubled letter. Each function
writes a text by its sound; none changes what stands in the corpus.
"""

import re
import unicodedata

# Korean: what a final consonant is heard as, by its place in Unicode's order of final consonants (0: none).
_NASAL = dict.fromkeys((1, 2, 3, 9, 24), 21)  # g, kk, gs, lg, k: ng
_NASAL |= dict.fromkeys((7, 19, 20, 22, 23, 25, 27), 4)  # d, s, ss, j, ch, t, h: n
_NASAL |= dict.fromkeys((17, 18, 26), 16)  # b, bs, p: m
_G, _N, _D, _R, _M, _J, _H = 0, 2, 3, 5, 6, 12, 18  # initial consonants, in Unicode's order of them
_ASPIRATED = {_G: 15, _D: 16, _J: 14}  # after a final h: k, t, ch
_BEFORE_H = {1: 15, 7: 16, 17: 17, 22: 14}  # final g, d, b, j before h: k, t, p, ch
_LOSING_H = {6: 4, 15: 8, 27: 0}  # nh, lh, h: what is left of them


def korean(text: str) -> str:
    """Hangul, spelled as it sounds where neighbouring consonants change each other.

    Nasals before nasals, l beside n, and h that joins its neighbour; the rest espeak-ng knows.

    Source:
        Standard Pronunciation of Korean (표준 발음법), articles 12, 18, 19 and 20.

    >>> korean("등록된 연락처가 어떻게 막혔나요")
    '등녹된 열락처가 어떠케 마켰나요'
    """
    spoken = list(unicodedata.normalize("NFC", text))
    for place in range(len(spoken) - 1):
        one, other = _parts(spoken[place]), _parts(spoken[place + 1])
        if not one or not other:
            continue
        final, initial = one[2], other[0]
        if final in _LOSING_H and initial in _ASPIRATED:
            final, initial = _LOSING_H[final], _ASPIRATED[initial]
        elif final in _BEFORE_H and initial == _H:
            final, initial = 0, _BEFORE_H[final]
        elif final in _NASAL and initial in (_N, _M):
            final = _NASAL[final]
        elif final == 4 and initial == _R:
            final = 8
        elif final in (16, 21) and initial == _R:
            initial = _N
        spoken[place], spoken[place + 1] = _syllable(one[0], one[1], final), _syllable(initial, other[1], other[2])
    return "".join(spoken)


def _parts(syllable: str) -> tuple[int, int, int] | None:
    code = ord(syllable) - 0xAC00
    return (code // 588, code % 588 // 28, code % 28) if 0 <= code < 11_172 else None


def _syllable(initial: int, vowel: int, final: int) -> str:
    return chr(0xAC00 + initial * 588 + vowel * 28 + final)


def japanese(kana: str) -> str:
    """Kana, phrase by phrase, with は, へ and を as particles sound, and long vowels with ー.

    A phrase (文節) that ends in は or へ ends in that particle: the corpus's sentences are written so.

    >>> japanese("こうざは ぎんこうへ カードを")
    'こーざわ ぎんこーえ カードお'
    """
    particles = kana
    for written, said in (("は", "わ"), ("へ", "え")):
        particles = re.sub(rf"(?<=\w){written}(?=\W|$)", said, particles)
    particles = particles.replace("を", "お")
    long = re.sub(r"(?<=[おこそとのほもよろごぞどぼぽょ])う", "ー", particles)
    return re.sub(r"(?<=[えけせねめれげぜべぺ])い", "ー", long)


VOWEL_SIGNS = "\u064b-\u0652\u0670"  # as a range of a regular expression
_SHADDA, _SUKUN = "\u0651", "\u0652"
_SUN = "تثدذرزسشصضطظلن"


def arabic(vowelled: str) -> str:
    """Arabic with all its vowel signs, spelled as it sounds.

    Doubled letters are written twice, an article joins the word before it and the letter behind it, and the last
    short vowel before a pause is left out, as people do.

    >>> arabic("فِي السُّوقِ") == "فِي " + "سْسُوقْ"
    True
    """
    said = []
    for sentence in re.split("([؟،.]+)", unicodedata.normalize("NFC", vowelled)):
        words = sentence.split()
        if words and not re.fullmatch("[؟،.]+", sentence):
            words[-1] = _pausal(words[-1])
            words = [_joined(word, at_start=not number) for number, word in enumerate(words)]
        said.append(" ".join(words))
    return re.sub(" *([؟،.]) *", r"\1 ", "".join(said)).strip()


def _pausal(word: str) -> str:
    word = re.sub("\u064b\u0627$", "\u064e\u0627", word)  # -an: -a
    word = re.sub(f"\u0629[{VOWEL_SIGNS}]*$", "\u0647", word)  # -at: -ah
    return re.sub("(?<=[^\u0627\u0649])[\u064b-\u0650]+(\u0651?)$", rf"\1{_SUKUN}", word)


def _joined(word: str, at_start: bool) -> str:
    word = re.sub("\u064f\u0648\u0627$", "\u064f\u0648", word)  # a verb's plural ends in an alif that is silent
    # NFC puts a shadda behind the vowel sign of its letter.
    word = re.sub(f"(.)([\u064b-\u0650]?){_SHADDA}{_SUKUN}?", rf"\1{_SUKUN}\1\2", word)
    word = re.sub("\u0650\u0627(?!$)", "\u0650", word)  # an alif that is only written: بِاسْم
    word = re.sub(f"^\u0627\u064e?\u0644(?=([{_SUN}]){_SUKUN}\\1)", "\u0627", word)  # a sun letter swallows the l
    if at_start:
        return re.sub("^\u0627(?=[^\u064b-\u0650])", "\u0623\u064e", re.sub("^\u0627\u064e", "\u0623\u064e", word))
    return re.sub("^\u0627[\u064e\u0650\u064f]?", "", word)
