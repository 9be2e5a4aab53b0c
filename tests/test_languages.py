"""How languages are written: units, normalisers and vocabularies, by hand and by random texts of each script."""

import sys
import unicodedata
from functools import cache
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr_helpers import InputError, languages
from asr_helpers.charsets import not_utf8
from asr_helpers.languages import LANGUAGES, Writing, compose, language, script, units
from asr_helpers.preprocessing import coverage, normalise_text
from asr_helpers.vocabularies import FEWEST_ROWS, SYLLABLES_ROWS, choose_vocabulary


def normalised(tag, text, **how):
    return Writing(language(tag), **how).normalise(text)


# Normalisers


@pytest.mark.parametrize(("tag", "text", "expected"), [
    ("ja", "が", "が"),  # no か: NFKD without marks would make one of it
    ("ja", "か\u3099", "が"),
    ("ja", "コーヒー、佐々木さん。", "コーヒー佐々木さん"),
    ("ja", "ｶﾞｰﾄﾞ　２", "ガード2"),
    ("ko", "한글, 한국어!", "한글 한국어"),
    ("ko", unicodedata.normalize("NFD", "한글"), "한글"),
    ("ko", "값이", "값이"),
    ("zh-Hant-TW", "你好，世界", "你好世界"),
    ("th", "สวัสดี ครับ", "สวัสดีครับ"),
    ("ar", "مُحَمَّد", "محمد"),  # one word: an NFKC variant makes four of it
    ("ar", "آمنة إلى مسؤول", "آمنة إلى مسؤول"),  # hamza is kept
    ("ar", "ا\u0653منة", "آمنة"),
    ("ar", "كـــتاب؟", "كتاب"),
    ("ar", "\ufefb", "لا"),
    ("hi", "हिन्दी में।", "हिन्दी में"),
    ("hi", "क्\u200dष", "क्ष"),
    ("tr", "İSTANBUL IŞIK’ta", "istanbul ışık'ta"),
    ("de", "Straße, STRAẞE, Größe", "straße straße größe"),
    ("fr", "L’Été à Nîmes", "l'été à nîmes"),
    ("pl", "Zażółć GĘŚLĄ jaźń", "zażółć gęślą jaźń"),
    ("ru", "Ещё ёлка, Йод", "ещё ёлка йод"),
    ("ru", "объ\u200bект", "объект"),
    ("en", "Well-known: ＡＴＭ!", "well known atm"),
    ("el", "ΟΔΟΣ", "οδος"),
    ("vi", "Tiếng Việt", "tiếng việt"),
    ("sw", "Ng'ombe", "ng'ombe"),
    ("en", "👍🏽 it’s 5", "it's 5"),
])  # fmt: skip
def test_a_text_is_normalised_by_its_languages_rules(tag, text, expected):
    assert normalised(tag, text) == expected
    assert normalised(tag, expected) == expected, "a second time changes nothing"


def test_vowel_marks_are_kept_where_they_are_written():
    assert normalised("ar", "مُحَمَّد!", vowel_marks=True) == "مُحَمَّد"
    assert len(normalised("ar", "مُحَمَّد", vowel_marks=True).split()) == 1


def test_hamza_is_folded_in_the_lenient_comparison_alone():
    assert languages.fold("آمنة إلى مسؤول شيء") == "امنه الي مسوول شي"
    assert normalised("ar", "شيء") == "شيء"


@pytest.mark.parametrize(("tag", "short"), [
    ("ko-KR", "ko"), ("ko_kr", "ko"), ("kor", "ko"), ("JA", "ja"), ("cmn_hans_cn", "zh"), ("zh-Hant-TW", "zh"),
    ("ara", "ar"), ("pt-BR", "pt"), ("sr-Latn", "sr"), ("sw", "sw"),
])  # fmt: skip
def test_the_first_part_of_a_tag_names_the_language(tag, short):
    assert language(tag).tag == short


@pytest.mark.parametrize("tag", ["", "k", "korean", "ko KR", "../ko", "12", "ko-"])
def test_what_is_no_tag_is_refused(tag):
    with pytest.raises(InputError, match=r"is no language tag \(BCP 47\): write one such as"):
        language(tag)


def test_each_locale_of_the_guide_has_an_entry():
    assert set("en de fr es pt it pl ru ko ja zh ar hi tr".split()) <= set(LANGUAGES)
    for one in LANGUAGES.values():
        assert Writing(one).normalise(one.alphabet).replace(" ", "") == compose(one.alphabet)
        assert {script(letter) for letter in one.alphabet} - {""} <= set(one.scripts)
    assert len(LANGUAGES["ko"].alphabet) == 67


def test_where_no_space_parts_words_characters_are_counted():
    assert [tag for tag, one in LANGUAGES.items() if not one.spaced] == ["ja", "zh", "th"]
    assert {one.metrics for one in LANGUAGES.values() if not one.spaced} == {("cer",)}
    assert language("ko").metrics == ("cer", "wer")
    assert language("km").metrics == ("cer",)


def test_lower_case_keeps_the_length():
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assert {len(languages.lower(one)) for one in every} == {1}


# Round trips: every text becomes labels, and the labels the same text


@cache
def alphabet_of(tag):
    """Letters, capitals and other shapes of a language's scripts, with some punctuation."""
    spoken = language(tag)
    every = map(chr, (*range(0x20, 0xD800), *range(0xF900, 0x10000)))
    letters = [one for one in every if unicodedata.category(one)[0] == "L" and script(one) in spoken.scripts]
    marks = {"ar": "ًٌٍَُِّْٰٓ", "hi": "ािीुूृेैोौ्ंँः़", "th": "ิีึืุู่้๊๋์ั็", "ja": "\u3099\u309a"}.get(tag, "")
    if tag == "zh":
        letters = letters[:7_000]
    return (*letters, *marks * 20, *" -.,!?「」、。،؟।…\u00a0\u200b\u200f" * 10, *spoken.inside)


@cache
def vocabulary_of(tag, unit):
    """The units of all those letters, and a way from and to ids."""
    writing = Writing(language(tag), unit, vowel_marks=tag == "hi")
    form = "NFD" if unit == "jamo" else "NFC"
    whole = (writing.normalise(one) for one in (*alphabet_of(tag), *LANGUAGES[tag].alphabet))
    tokens = sorted({part for text in whole for part in unicodedata.normalize(form, text)} - {" "})
    return writing, frozenset(tokens) | ({" "} if writing.language.spaced else set())


@cache
def tables(characters):
    """From signs to ids, and from ids to signs."""
    ids = {token: number for number, token in enumerate(sorted(characters))}
    return ids, {number: token for token, number in ids.items()}


def round_trip(text, writing, characters):
    """Text to ids, and ids to text, as a tokenizer does it that knows each character of a vocabulary."""
    ids, signs = tables(characters)
    labels = [ids[one] for one in units(normalise_text(text, characters).text, characters)]
    return compose("".join(signs[label] for label in labels))


SCRIPTS = [(tag, "characters") for tag in LANGUAGES if tag != "ko"] + [("ko", "jamo"), ("ko", "syllables")]


def check_round_trips(tag, unit, count):
    writing, characters = vocabulary_of(tag, unit)
    texts = st.text(st.sampled_from(alphabet_of(tag)), max_size=12)
    forms = st.sampled_from(("NFC", "NFD"))

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(texts, forms)
    def check(text, form):
        text = unicodedata.normalize(form, text)
        assert round_trip(text, writing, characters) == writing.normalise(text)

    check()


@pytest.mark.parametrize(("tag", "unit"), SCRIPTS)
def test_random_texts_come_back_as_they_are_normalised(tag, unit):
    check_round_trips(tag, unit, 300)


@pytest.mark.soak
@pytest.mark.parametrize(("tag", "unit"), SCRIPTS)
def test_ten_thousand_random_texts_come_back(tag, unit):
    check_round_trips(tag, unit, 10_000)


def test_a_round_trip_without_jamo_loses_the_syllables():
    writing, _ = vocabulary_of("ko", "jamo")
    assert round_trip("한글", writing, frozenset("한ᄀ ")) == "한", "글 lacks a vowel and a final"


# Vocabularies


def test_a_vocabulary_is_what_the_texts_have():
    found = choose_vocabulary(["Hällo, hällo!", "Ok 24 ok", None, 3.0], "de")
    assert found.characters == ("a" < "z") * tuple("hkloä")
    assert found.foreign == {"2": 1, "4": 1}
    assert found.writing == Writing(language("de"))


def test_what_is_rare_is_left_out_and_counted():
    texts = ["garçon et çà", "ça va", "un señor", "naïve"]
    found = choose_vocabulary(texts, "en")
    assert FEWEST_ROWS == 2
    assert "ç" in found.characters
    assert found.rare == {"ñ": 1, "à": 1, "ï": 1}
    assert "left out: " in str(found)
    french = choose_vocabulary(texts, "fr")
    assert french.rare == {"ñ": 1}, "the others are letters of French"


def test_an_apostrophe_counts_between_letters():
    assert "'" in choose_vocabulary(["don’t go"], "en").characters
    assert "'" not in choose_vocabulary(["'go' he said"], "en").characters


def test_letters_of_other_scripts_are_left_out():
    found = choose_vocabulary(["АТМ и банк ATM", "карта банка"], "ru")
    assert set("atm") == set(found.foreign)
    assert set(found.characters) == set("атмибнкр")


def test_texts_of_another_language_are_refused():
    with pytest.raises(
        InputError, match=r"training texts are not Korean: their letters are Latin 100%.*`--language ko`"
    ):
        choose_vocabulary(["hello there"], "ko")
    with pytest.raises(InputError, match="No text has a letter"):
        choose_vocabulary(["123", "!"], "ko")


def test_a_language_without_an_entry_shows_its_scripts_and_is_told_so():
    found = choose_vocabulary(["ბანკი ბარათი", "ბარათი ბანკი ATM"] * 10, "ka")
    assert set(found.characters) == set("ბანკირთatm"), "Latin is a tenth of its letters"
    assert "has no entry here: Unicode's own rules hold" in str(found)
    found = choose_vocabulary(["ბანკი ბარათი"] * 20 + ["ATM"] * 2, "ka")
    assert set(found.characters) == set("ბანკირთ")


def test_korean_is_written_in_jamo_until_its_syllables_are_heard_often():
    texts = ["가방", "방가"]
    few = choose_vocabulary(texts * (SYLLABLES_ROWS // 2 - 1), "ko")
    assert (few.writing.unit, few.characters) == ("jamo", tuple(sorted("가ᄇᆼ")))
    many = choose_vocabulary(texts * (SYLLABLES_ROWS // 2), "ko")
    assert (many.writing.unit, many.characters) == ("syllables", ("가", "방"))
    assert choose_vocabulary(texts, "ko", "syllables").characters == ("가", "방")
    with pytest.raises(InputError, match="Korean has no unit 'words': choose one of jamo, syllables"):
        choose_vocabulary(texts, "ko", "words")


def test_japanese_is_kana_or_kanji_and_kana_as_the_text_has_it():
    assert choose_vocabulary(["いろいろ", "カード"], "ja").writing.unit == "kana"
    found = choose_vocabulary(["銀行の口座", "銀行へ行く", "コーヒー佐々木"], "ja")
    assert found.writing.unit == "kanji and kana"
    assert {"銀", "行", "の", "ー", "々"} <= set(found.characters), "kana and its signs are never rare"
    assert found.rare.keys() == set("口座佐木")


def test_arabic_vowel_marks_are_written_if_every_text_has_them():
    marked = choose_vocabulary(["كَتَبَ", "مُحَمَّد"], "ar")
    assert marked.writing.vowel_marks
    assert "\u064e" in marked.characters
    half = choose_vocabulary(["كَتَبَ", "محمد"], "ar")
    assert not half.writing.vowel_marks
    assert not set(half.characters) & languages.VOWEL_MARKS


def test_hamza_stays_with_its_letter_in_an_arabic_vocabulary():
    found = choose_vocabulary(["آمنة", "أحمد إلى", "مسؤول بيئة شيء"], "ar")
    assert set("آأإؤئء") <= set(found.characters)


@pytest.mark.parametrize(("characters", "text", "written"), [
    ("abcçdefgğhıijklmnoöprsştuüvyz ", "ISPARTA İzmir", "ısparta izmir"),
    ("ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ ", "ısparta İzmir", "ISPARTA İZMİR"),
    ("abcdefghijklmnopqrstuvwxyz ", "INN İzmir", "inn izmir"),
    ("οδςσ ", "ΟΔΟΣ ΣΟΔ", "οδος σοδ"),
    ("かき", "がき", "き"),  # が is not か
    ("하 ", "한", ""),  # nor ᄒ a third of it
    ("くるま", "くる ま", "くるま"),  # a vocabulary without the space
    ("бнак ", "бXанк", "банк"),  # a letter that is left out parts no word
    ("كتاب ", "كـتاب", "كتاب"),
])  # fmt: skip
def test_a_text_is_written_in_a_vocabularys_characters(characters, text, written):
    assert normalise_text(text, frozenset(characters)).text == written


def test_coverage_counts_what_a_vocabulary_lacks():
    tokens = {token: number for number, token in enumerate(["<pad>", "|", *"가ᄇᆼ"])}
    tokenizer = SimpleNamespace(
        all_special_tokens=["<pad>"], word_delimiter_token="|", get_vocab=lambda: tokens,
        init_kwargs={"language": "ko", "unit": "jamo"},
    )  # fmt: skip
    found = coverage(["가방 값", "가"], SimpleNamespace(tokenizer=tokenizer))
    assert (found.written, found.characters, found.lost) == (3, 4, {"값": 1})
    assert str(found) == "75.0% of 4 characters can be written; not 값 × 1"


# Files in other encodings


@pytest.mark.parametrize(("encoding", "name", "text"), [
    ("cp932", "Shift-JIS", "口座の残高を確認したいです\n2.wav,カードをなくしました\n3.wav,明日電話してください"),
    ("euc_jp", "EUC-JP", "口座の残高を確認したいです\n2.wav,カードをなくしました\n3.wav,明日電話してください"),
    ("euc_kr", "EUC-KR", "카드를 잃어버렸어요\n2.wav,계좌 잔액을 확인하고 싶습니다\n3.wav,내일 전화해 주세요"),
    ("cp1256", "Windows-1256", "أريد أن أعرف رصيدي\n2.wav,لقد فقدت بطاقتي البنكية\n3.wav,اتصل بي غدا من فضلك"),
    ("cp1251", "Windows-1251", "Я потерял карту\n2.wav,Сколько денег на счёте"),
    ("utf_16", "UTF-16", "Ich möchte Geld überweisen"),
])  # fmt: skip
def test_a_file_in_another_encoding_is_named_with_the_way_out(tmp_path, encoding, name, text):
    file = tmp_path / "metadata.csv"
    file.write_bytes(f"file_name,transcription\n1.wav,{text}\n".encode(encoding))
    message = str(not_utf8(file))
    assert f"metadata.csv' is not written in UTF-8 but, it seems, in {name}" in message
    assert text.splitlines()[0][:10] in message
    shown = message.rpartition("`iconv -f ")[2].partition(" ")[0]
    assert text.encode(encoding).decode(shown) == text, "iconv's name is right"


def test_a_file_in_no_encoding(tmp_path):
    file = tmp_path / "metadata.csv"
    file.write_bytes(bytes(range(256)) * 4)
    assert "is not written in UTF-8" in str(not_utf8(file))
