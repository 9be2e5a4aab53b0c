"""The editions in other languages: each rule is seen to be broken, and what is committed is what is built."""

import csv
import os
import re
import shutil
import subprocess
import sys
import warnings

import nbformat
import polib
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from asr_helpers import InputError, wording
from tools import edition_checks, edition_texts, editions
from tools.edition_texts import Text

ENGLISH = (
    "## 2 · Padding\n\nClips of 8,000 samples become one batch of `input_values`, "
    "see [03 Collation](03_collation.ipynb) → there. The loss is $x^2$.\n\n"
    "- one\n- two\n\n```python\nx = 1  # a comment\n```\n\n<details><summary>Solution</summary>\n\nNone.\n\n</details>"
)
JAPANESE = (
    "## 2 · パディング\n\n8,000 サンプルのクリップが一つの `input_values` のバッチになります。"
    "[03 バッチ化](03_collation.ipynb) → を見てください。損失は $x^2$ です。\n\n"
    "- 一つ\n- 二つ\n\n```python\nx = 1  # a comment\n```\n\n"
    "<details><summary>解答</summary>\n\nありません。\n\n</details>"
)


def found(translated, english=ENGLISH, language="ja", glossary=()):
    return list(edition_checks.breaches(language, glossary, english, translated))


def test_a_faithful_translation_has_no_breach():
    assert found(JAPANESE) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("`input_values`", "`input_value`", "inline code: lacks 'input_values' and has 'input_value' too much"),
        ("$x^2$", "$x^3$", "formulas: lacks 'x^2'"),
        ("(03_collation.ipynb)", "(04_evaluation.ipynb)", "links: lacks '03_collation.ipynb'"),
        ("# a comment", "# 注釈", "code fences: lacks"),
        ("```python", "```", "code fences: lacks"),
        ("## 2", "### 2", "heading levels: lacks 'h2' and has 'h3' too much"),
        ("<details>", "", "HTML tags: lacks '<details>'"),
        ("</summary>", "", "HTML tags: lacks '</summary>'"),
        ("8,000", "八千", "numbers: lacks '8,000'"),
        ("- 二つ\n", "", "list and table: lacks 'li'"),
        ("→", "←", "arrows: lacks '→'"),
        ("損失は", "**損失。**は", "emphasis that Markdown does not read"),
        ("です。\n", "です.\n", "mixed punctuation: '.'"),
        ("になります。", "になります，", "mixed punctuation: '，'"),
        (
            "になります。",
            "になります。This is what the batch is for. ",
            "an English sentence: 'This is what the batch is for'",
        ),
        ("8,000", "８,000", "digits that are not 0 to 9"),
        ("クリップが", "クリップが" + "とても" * 60, "length: "),
    ],
)
def test_each_rule_is_noticed(old, new, says):
    assert old in JAPANESE
    assert says in "\n".join(found(JAPANESE.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("language", "english", "translated", "says"),
    [
        ("ja", "Sound is stored as bytes.", "音声波形格納" * 5, "script: no letter of the language (ja)"),
        ("ko", "Sound is stored as bytes.", "音声です。", "script: no letter of the language (ko)"),
        ("ar", "Sound is stored as bytes.", "Sound.", "script: no letter of the language (ar)"),
        ("ko", "Sound is stored as bytes.", "소리는 바이트로 저장됩니다。", "mixed punctuation: '。'"),
        ("ar", "First, listen to it.", "أولا, استمع إليه.", "mixed punctuation: ','"),
        ("ar", "Is it there? Look.", "هل هو هناك? انظر.", "mixed punctuation: '?'"),
        ("ar", "Take `a`, then `b` of these.", "خذ `a`, ثم `b` من هذه.", "mixed punctuation: ','"),
        ("ar", "It takes 25 ms in all.", "يستغرق ٢٥ ms في المجموع.", "digits that are not 0 to 9"),
        ("ko", "Clip {number} of {count} is heard.", "클립 {number}을 듣습니다.", "placeholders: lacks '{count}'"),
        ("ko", "A picture: ![x](a.png) of it.", "그림: ![x](b.png).", "images: lacks 'a.png'"),
    ],
)
def test_rules_of_one_language_are_noticed(language, english, translated, says):
    assert says in "\n".join(found(translated, english, language))


@pytest.mark.parametrize(
    ("language", "english", "translated"),
    [
        ("ja", "## Exercises", "## 演習"),
        ("ko", "`a` and `b`, 0.5 of 8,000.", "`a`와 `b`, 8,000의 0.5."),
        ("ar", "One of 1 minute, `a`, or 8,000 (WER).", "واحد لمدة دقيقة، `a`، أو 8,000 (WER)."),
        ("ja", 'They said "is this the way to do it" here.', "ここで「is this the way to do it」と言いました。"),
        ("ja", "`make lint`", "`make lint`"),
    ],
)
def test_what_only_looks_like_a_breach_passes(language, english, translated):
    assert found(translated, english, language) == []


@pytest.fixture
def glossary(tmp_path):
    def write(*rows):
        with open(tmp_path / "glossary.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["English", "ja", "ko", "ar", "note"], *rows])
        return tmp_path / "glossary.csv"

    return write(
        ["word error rate", "単語誤り率", "단어 오류율", "معدل خطأ الكلمات", ""],
        ["error", "誤り", "오류", "الخطأ", ""],
        ["batch|batches", "バッチ", "배치", "الدفعة|دفعات", ""],
        ["seed", "", "", "", "no word yet"],
    )


@pytest.mark.parametrize(
    ("language", "english", "translated", "missing"),
    [
        ("ja", "A batch of clips.", "クリップのまとまり。", ["batch"]),
        ("ja", "Batches, and a seed.", "バッチと種。", []),
        ("ko", "The word error rate.", "단어오류율은 이렇습니다.", []),  # a particle, and no space in the term
        ("ja", "The word error rate.", "単語誤差。", ["word error rate"]),  # and not "error" as well
        ("ar", "The word error rate.", "وبمعدّل خطأ كلماتٍ", []),  # vowel marks, prefixes, no article
        ("ar", "In batches.", "في دفعات.", []),
        ("ar", "In the batch.", "للدفعة.", []),  # ل with the article
        ("ar", "In a batch.", "في مجموعة.", ["batch"]),
        ("ar", "An error.", "صواب.", ["error"]),
    ],
)
def test_terms_are_those_of_the_glossary(glossary, language, english, translated, missing):
    terms = edition_checks.read_glossary(glossary, language)
    said = list(edition_checks.terms(language, terms, english, translated))
    assert [line.split("'")[1] for line in said] == missing


# Catalogues


def entry(catalogue, name):
    return next(one for one in catalogue if one.msgctxt == name)


def test_a_catalogue_follows_the_english():
    catalogue = polib.POFile(wrapwidth=0)
    editions.update(catalogue, [Text("a", "One."), Text("b", "Two."), Text("c", "Three.")])
    for one in catalogue:
        one.msgstr = f"[{one.msgid}]"

    editions.update(catalogue, [Text("a", "One!"), Text("c", "Three."), Text("d", "Four.")])
    assert [one.msgctxt for one in catalogue] == ["a", "c", "d"]
    changed = entry(catalogue, "a")
    assert (changed.fuzzy, changed.previous_msgid, changed.msgid, changed.msgstr) == (True, "One.", "One!", "[One.]")
    assert editions.translations(catalogue) == {"c": ("Three.", "[Three.]")}

    editions.update(catalogue, [Text("a", "One?"), Text("renamed", "Three.")])
    assert entry(catalogue, "a").previous_msgid == "One.", "the English that the translation is of"
    assert entry(catalogue, "renamed").msgstr == "[Three.]"
    editions.update(catalogue, [Text("a", "One.")])
    assert not entry(catalogue, "a").fuzzy, "the English is again what was translated"


@pytest.fixture
def series(tmp_path, monkeypatch):
    """A series of one notebook with a Japanese and an Arabic catalogue, in a folder of its own."""
    root = tmp_path / "root"
    (root / "notebooks").mkdir(parents=True)
    cells = [
        new_markdown_cell("# 00 · Start\n\nHere it begins.\n\n[01 Loading →](01_loading.ipynb)", id="title"),
        new_code_cell("1 + 1", id="sum", execution_count=1),
        new_markdown_cell("Read `--help` in [the readme](../README.md).\n\n```python\nx = 1\n```", id="note"),
    ]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "00_start.ipynb")
    (root / "README.md").write_text(
        "# Speech\n\n<!-- badges -->\n<!-- /badges -->\n\nSee [00](notebooks/00_start.ipynb).\n"
    )
    for module in (edition_texts, editions):
        for name, path in {"ROOT": "", "NOTEBOOKS": "notebooks", "README": "README.md"}.items():
            monkeypatch.setattr(module, name, root / path)
    monkeypatch.setattr(editions, "LOCALE", root / "notebooks" / "locale")
    monkeypatch.setattr(editions, "PACKAGE", root / "asr_helpers")
    own = {"00_start": edition_texts.notebook_texts(root / "notebooks" / "00_start.ipynb")}
    own["README"] = edition_texts.page_texts(root / "README.md")
    monkeypatch.setattr(editions, "sources", lambda names: own)
    words = {
        "ja": [
            "# 00 · 始めに\n\nここから始まります。\n\n[01 読み込み →](01_loading.ipynb)",
            "[説明](../README.md)の `--help` を読んでください。",
        ],
        "ar": [
            "# 00 · ابدأ\n\nهنا البداية.\n\n[01 التحميل →](01_loading.ipynb)",
            "اقرأ `--help` في [الدليل](../README.md).",
        ],
    }
    for language, (title, note) in words.items():
        translate(root, language, "00_start", own, title, f"{note}\n\n```python\nx = 1\n```")
    translate(
        root,
        "ja",
        "README",
        own,
        "# 音声\n\n<!-- badges -->\n<!-- /badges -->\n\n[00](notebooks/00_start.ipynb) を見てください。",
    )
    return root


def translate(root, language, name, own, *translated):
    path = root / "notebooks" / "locale" / language / f"{name}.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    editions.update(catalogue := editions.read_catalogue(path), own[name])
    for one, text in zip(catalogue, translated, strict=True):
        one.msgstr = text
    catalogue.save(str(path))


def build(root):
    for path, content in editions.built([], editions.languages()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def cell(root, place, name):
    return next(one for one in nbformat.read(root / place, as_version=4).cells if one.id == name)


def test_an_edition_has_the_words_exchanged_and_links_that_hold(series):
    build(series)
    title = cell(series, "notebooks/ja/00_start.ipynb", "title").source
    assert title.startswith("# 00 · 始めに\n\nここから")
    assert "(01_loading.ipynb)" in title, "links between notebooks stay in the edition"
    assert title.endswith("\n\n[English](../00_start.ipynb) · [العربية](../ar/00_start.ipynb)")
    assert cell(series, "notebooks/00_start.ipynb", "title").source.endswith(
        "\n\n[日本語](ja/00_start.ipynb) · [العربية](ar/00_start.ipynb)"
    )
    assert "[説明](../../README.ja.md)" in cell(series, "notebooks/ja/00_start.ipynb", "note").source
    assert "[الدليل](../../README.md)" in cell(series, "notebooks/ar/00_start.ipynb", "note").source
    assert (series / "README.ja.md").read_text() == (
        "# 音声\n\n[English](README.md)\n\n<!-- badges -->\n<!-- /badges -->\n\n"
        "[00](notebooks/ja/00_start.ipynb) を見てください。\n"
    )
    assert (series / "README.md").read_text().startswith("# Speech\n\n[日本語](README.ja.md)\n\n<!-- badges")
    assert list(editions.build_breaches([], ["ja", "ar"])) == []


def test_arabic_is_from_right_to_left_but_for_its_code(series):
    build(series)
    assert cell(series, "notebooks/ar/00_start.ipynb", "note").source == (
        f'<div dir="rtl">\n\n{editions.FLUSH_RIGHT}اقرأ <span dir="ltr">`--help`</span> '
        "في [الدليل](../../README.md).</span>\n\n"
        '<div dir="ltr">\n\n```python\nx = 1\n```\n\n</div>\n\n</div>'
    )
    whole = cell(series, "notebooks/ar/00_start.ipynb", "note").source
    assert editions.mirrored_by_page(whole).startswith('اقرأ <span dir="ltr">`--help`</span> في')
    assert not editions.mirrored_by_page(whole).endswith("</div>\n\n</div>")
    assert "التحميل ←]" in cell(series, "notebooks/ar/00_start.ipynb", "title").source


@pytest.mark.parametrize(
    ("prose", "kept"),
    [
        ("بالقيمة -100، ثم", ["-100"]),
        ("و-100 و**+15**", ["-100", "+15"]),
        ("بين 10 % و 0.35 %.", ["10 %", "0.35 %"]),
        ("من 1-3 أو 2 × 4", ["1-3", "2 × 4"]),
        ("عند 8 kHz و -20.5 dBFS و 44.1 kHzx", ["8 kHz", "-20.5 dBFS"]),
        ("برنامج C++ أو C#", ["C++", "C#"]),
        ("شكله (1, T) أو (B, L)", ["(1, T)", "(B, L)"]),
        # What the line keeps together by itself, and what is no prose:
        ("عددها 8,000 في MInDS-14 و 1e-5 و wav2vec 2.0 (WER)", []),
        ('[-1](a-1_10.ipynb#-100) ![-1 %](b.png) <img width="10 %"> $x-100$ و', ["-1"]),
        ("- 3 صفوف\n- 4", []),
    ],
)
def test_what_a_line_from_right_to_left_would_take_apart_is_kept_together(prose, kept):
    written = editions.right_to_left(f"{prose} `-1 %`")
    assert re.findall(r'<span dir="ltr">([^`<]*)</span>', written) == kept
    bare = re.sub(r"</?(?:span|div)[^>]*>", "", written).strip()
    assert bare == f"{prose} `-1 %`"


def test_a_badge_of_an_edition_opens_the_edition(series):
    path = series / "notebooks" / "00_start.ipynb"
    nb = nbformat.read(path, as_version=4)
    opens = "https://colab.research.google.com/github/ada/speech/blob/v1/notebooks/00_start.ipynb"
    badge = f"[![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)]({opens})"
    nb.cells[0].source = nb.cells[0].source.replace("# 00 · Start", f"# 00 · Start\n\n{badge}")
    nbformat.write(nb, path)
    build(series)
    title = cell(series, "notebooks/ja/00_start.ipynb", "title").source
    assert title.startswith("# 00 · 始めに\n\n[![Open In Colab]")
    assert "/blob/v1/notebooks/ja/00_start.ipynb)" in title
    assert editions.catalogue_breaches(editions.LOCALE, "ja", [])[1] == [], "a badge is not a change of the English"


def test_one_changed_sentence_is_named_in_each_language_and_stands_in_english(series, monkeypatch):
    build(series)
    assert editions.catalogue_breaches(editions.LOCALE, "ja", []) == ([], [])
    path = series / "notebooks" / "00_start.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[2].source = nb.cells[2].source.replace("Read", "Please read")
    nbformat.write(nb, path)
    monkeypatch.setattr(editions, "sources", lambda names: {"00_start": edition_texts.notebook_texts(path)})
    for language in ("ja", "ar"):
        assert editions.catalogue_breaches(editions.LOCALE, language, [])[1] == [
            f"{language}/00_start: note: translates an older text"
        ]
    assert {line.split(" ")[0] for line in editions.build_breaches([], ["ja", "ar"])} == {
        "notebooks/ja/00_start.ipynb",
        "notebooks/ar/00_start.ipynb",
    }
    build(series)
    note = cell(series, "notebooks/ja/00_start.ipynb", "note").source
    assert note.startswith("Please read `--help`")
    assert note.endswith(editions.BEHIND["ja"])


@pytest.mark.parametrize("what", ["prose", "code", "output", "missing", "extra"])
def test_a_built_file_that_was_edited_is_named(series, what):
    build(series)
    path = series / "notebooks" / "ja" / "00_start.ipynb"
    nb = nbformat.read(path, as_version=4)
    if what == "prose":
        nb.cells[0].source += "。"
    elif what == "code":
        nb.cells[1].source = "1 + 2"
    elif what == "output":
        nb.cells[1].execution_count = 2
    nbformat.write(nb, path)
    if what == "missing":
        path.unlink()
    elif what == "extra":
        shutil.copy(path, path.with_name("01_more.ipynb"))
    said = "\n".join(editions.build_breaches([], ["ja", "ar"]))
    assert {
        "prose": "ja/00_start.ipynb is not what is built",
        "code": "ja/00_start.ipynb: cell sum differs from the English one",
        "output": "ja/00_start.ipynb: cell sum differs from the English one",
        "missing": "ja/00_start.ipynb is missing",
        "extra": "ja/01_more.ipynb is the edition of no notebook",
    }[what] in said


# What is committed


@pytest.mark.parametrize("language", edition_texts.LANGUAGES)
def test_the_committed_edition_keeps_the_rules(language):
    breaches, _ = editions.catalogue_breaches(editions.LOCALE, language, [])
    assert breaches == []


def test_the_committed_editions_are_what_is_built():
    assert list(editions.build_breaches([], editions.languages())) == []


# The words of views and pictures


@pytest.fixture
def speaking(monkeypatch):
    return lambda language: monkeypatch.setenv("ASR_LANGUAGE", language)


def test_the_language_is_the_variable_s_or_the_folder_s_or_english(monkeypatch, speaking):
    monkeypatch.delenv("ASR_LANGUAGE", raising=False)
    assert wording.say("hit") == "hit"
    monkeypatch.setattr(wording, "FOLDER", "ko")
    assert wording.say("hit") == "일치"
    speaking("ja")
    assert wording.say("row {row}", row=3) == "行3"
    assert wording.say("a message that nobody translated") == "a message that nobody translated"
    speaking("xx")
    with pytest.raises(InputError, match="ASR_LANGUAGE='xx': it is one of en, ar, ja, ko"):
        wording.say("hit")


def test_a_kernel_in_an_edition_s_folder_speaks_its_language(tmp_path):
    (tmp_path / "ar").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ASR_LANGUAGE"}
    environment["PYTHONPATH"] = str(edition_texts.PACKAGE.parent)
    command = [sys.executable, "-c", "from asr_helpers import wording; print(ascii(wording.say('hit')))"]
    spoken = subprocess.run(command, cwd=tmp_path / "ar", env=environment, capture_output=True, text=True, check=True)
    assert spoken.stdout.strip() == ascii("إصابة")


def test_every_message_can_be_filled_in_each_language():
    """A translation with a wrong place for a value would fail in front of a reader."""
    for language in edition_texts.LANGUAGES:
        for source, translated in editions.Edition(language).catalogue("views").values():
            assert (
                edition_checks.shape(source).kept["placeholders"]
                == edition_checks.shape(translated).kept["placeholders"]
            )


def test_without_a_font_pictures_are_labelled_in_english_and_say_what_to_install(monkeypatch, speaking):
    speaking("ja")
    monkeypatch.setattr(wording, "_installed_fonts", lambda: {"DejaVu Sans"})
    wording.can_draw.cache_clear()
    wording.find_font.cache_clear()
    with pytest.warns(
        UserWarning, match="no font with the letters of 'ja' is installed. Install one, such as Noto Sans CJK JP"
    ):
        assert wording.label("time (s)") == "time (s)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wording.label("clips") == "clips", "said once"
    assert wording.say("clips") == "クリップ", "the views' own words need no font of ours"
    wording.can_draw.cache_clear()
    wording.find_font.cache_clear()


def test_arabic_pictures_need_a_matplotlib_that_joins_letters(monkeypatch, speaking):
    import matplotlib

    speaking("ar")
    wording.can_draw.cache_clear()
    monkeypatch.setattr(matplotlib, "__version__", "3.10.0")
    with pytest.warns(UserWarning, match="joined by matplotlib 3.11"):
        assert wording.label("clips") == "clips"
    wording.can_draw.cache_clear()
    monkeypatch.setattr(matplotlib, "__version__", "3.11.2")
    assert wording.label("clips") == "المقاطع"
    wording.can_draw.cache_clear()


def test_arabic_words_of_views_keep_numbers_with_signs_together(speaking):
    speaking("ar")
    assert wording.say("{share:.0%} sure", share=0.47) == "الثقة \u206647%\u2069"
    assert "\u2066-100\u2069" in wording.say("labels, then -100 (hatched)")
    speaking("ko")
    assert "\u2066" not in wording.say("labels, then -100 (hatched)")


def test_arabic_views_are_mirrored_and_others_are_not(speaking):
    from asr_helpers.widgets.kit import MIRRORED, View

    speaking("ar")
    assert "asr-mirrored" in (view := View("test", []))._dom_classes
    assert [child.value for child in view.children] == [MIRRORED]
    for left_to_right in (".slider-container", ".asr-time", "audio"):
        assert f".asr-mirrored {left_to_right}" in MIRRORED.partition("{direction: ltr}")[0]
    speaking("ja")
    assert View("test", []).children == ()
