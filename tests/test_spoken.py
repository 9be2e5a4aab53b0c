"""Texts are spelled by their sound as a speaker of the language says them."""

import csv
import importlib
import re
import unicodedata
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"


@pytest.fixture
def spoken(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("spoken")


@pytest.fixture(scope="module")
def requests():
    with open(TOOLS / "demo_requests.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


# The examples of the Standard Pronunciation's articles 12, 18, 19 and 20, but for what espeak-ng does by itself.
@pytest.mark.parametrize(("written", "said"), [
    ("놓고", "노코"), ("많고", "만코"), ("닳지", "달치"), ("각하", "가카"), ("맏형", "마텽"),
    ("먹는", "멍는"), ("국물", "궁물"), ("닫는", "단는"), ("앞마당", "암마당"), ("밥물", "밤물"),
    ("담력", "담녁"), ("침략", "침냑"), ("강릉", "강능"), ("대통령", "대통녕"),
    ("난로", "날로"), ("신라", "실라"), ("천리", "철리"),
    ("돈이 없어요", "돈이 없어요"), ("abc", "abc"), ("", ""),
])  # fmt: skip
def test_korean_consonants_change_each_other(spoken, written, said):
    assert spoken.korean(written) == said
    assert spoken.korean(unicodedata.normalize("NFD", written)) == said


@pytest.mark.parametrize(("written", "said"), [
    ("わたしは ぎんこうへ いく", "わたしわ ぎんこーえ いく"), ("はは へや", "はわ へや"), ("カードを", "カードお"),
    ("いっています", "いっています"), ("けいたい", "けーたい"), ("きょうは、 とても", "きょーわ、 とても"),
])  # fmt: skip
def test_japanese_particles_and_long_vowels(spoken, written, said):
    assert spoken.japanese(written) == said


# Each sign by a letter, since editors show and order them differently: fatha, kasra, damma, sukun, shadda, fathatan.
SIGNS = str.maketrans({"a": "\u064e", "i": "\u0650", "u": "\u064f", "o": "\u0652", "w": "\u0651", "F": "\u064b"})


@pytest.mark.parametrize(("written", "said"), [
    ("مuحaمwaدoتuهu أaناa", "مuحaمoمaدoتuهu أaنا"),  # a doubled letter
    ("فiي الoبaنoكi", "فiي لoبaنoكo"),  # the article's vowel falls away after a word, the last one before a pause
    ("الoبaنoكu هuنaا", "أaلoبaنoكu هuنaا"),  # and is said at the start
    ("فiي السwuوقi", "فiي سoسuوقo"),  # a sun letter
    ("بiطaاقaةi", "بiطaاقaه"),
    ("كaبiيرFا", "كaبiيرaا"),
    ("بiاسoمiي", "بiسoمiي"),
    ("اiسoمiي", "اiسoمiي"),
    ("لaا، الoآنa", "لaا، أaلoآنo"),  # after a comma a start
])
def test_arabic_doubles_joins_and_pauses(spoken, written, said):
    written, said = (unicodedata.normalize("NFC", text.translate(SIGNS)) for text in (written, said))
    if said.endswith("أ\u064eنا"):
        written = written.removesuffix("\u064e")
    assert spoken.arabic(written) == said


def test_every_request_stands_in_every_language(requests):
    assert len(requests) == 112
    for line in requests:
        assert None not in line
        assert all(text and text == " ".join(text.split()) for text in line.values()), line
        # A request that asks with a sign asks with it in every language.
        asks = {bool(re.search("[?？؟]", line[column])) for column in ("korean", "kana", "kanji", "arabic")}
        assert len(asks) == 1, line
        assert re.sub(r"\W", "", re.sub("[\u4e00-\u9fff々]", "", line["kanji"])) != "", line


def test_kana_are_the_kanjis_reading(requests):
    """Between its kanji a sentence has kana of its own: its reading has the same ones, in order."""
    for line in requests:
        pattern = re.sub("[\u4e00-\u9fff々]+", "[\u3041-\u3096]+", re.escape(line["kanji"].replace(" ", "")))
        assert re.fullmatch(pattern, line["kana"].replace(" ", "")), line


def test_arabic_requests_have_all_vowel_signs(requests):
    """Every letter has a sign, but for those that lengthen a vowel, carry the article or end a text."""
    for line in requests:
        for word in re.findall("[\u0621-\u0652\u0670]+", line["arabic"]):
            bare = re.findall("[\u0628\u062a-\u063a\u0641-\u0647](?![\u064b-\u0652])", word)  # no alif, waw, ya
            article = re.match("\u0627\u064e?\u0644|.[\u064b-\u0650]?\u0627\u0644|\u0644\u0650\u0644", word)
            allowed = ["\u0644"] if article and "\u0644" in bare else []
            assert bare == allowed or not bare, (word, bare, line["arabic"])
