"""Views: worked as a hand works them, by setting their controls; what they show is read from their HTML."""

import gc
import re
import subprocess
import sys
import tracemalloc
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import tiny
from matplotlib import pyplot
from matplotlib.figure import Figure

from asr_helpers import AsrError, audio, evaluation, loading, widgets
from asr_helpers.audit import audit
from asr_helpers.decoding import Beam, BeamRecogniser, Hypothesis
from asr_helpers.inference import Recogniser, Transcript, Word
from asr_helpers.ngrams import estimate
from asr_helpers.sources import source
from asr_helpers.widgets import kit
from asr_helpers.widgets.emission import collapse_strip
from asr_helpers.widgets.hearing import changed_words
from asr_helpers.widgets.microphone import Microphone, uploaded_file
from asr_helpers.widgets.teaching import SENTENCES, write_folder

TEXTS = ("PAY MY BILL", "MY CARD IS LOST", "HELLO", "PAY THE CARD")
VOICES = ("ann", "bob", "ann", "bob")
INTENTS = ("pay_bill", "card_issues", "abroad", "card_issues")
# What a transcript, a name or a typed text may hold. None of it may come alive.
PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "&amp; &lt;b&gt; &#60;i&#62;",
    "\"'><svg onload=alert(1)>",
    "</bdi></div></table><iframe src=javascript:alert(1)>",
    "<!-- --><style>*{display:none}</style>",
    "\u202egnp.exe \u2067\u05d0\u2066",
    "$x^2$ \\frac{$",
    "nul \x00 bell \x07 escape \x1b end \x7f",
    "W" * 500,
    "{x} %s \\N",
)
TAGS = set("div span p b br bdi img audio table caption tr th td details summary".split())
ATTRIBUTES = {"lang", "dir", "style", "alt", "src", "controls", "aria-label", "title", "role"}


class Page(HTMLParser):
    """What a browser would make of HTML: its tags, attributes and text."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.attributes, self.text = Counter(), [], ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_comment(self, data):
        self.tags["<!--"] += 1

    def handle_decl(self, decl):
        self.tags["<!"] += 1

    def handle_data(self, data):
        self.text += data

    def values(self, name):
        return [value for key, value in self.attributes if key == name]


def everything(widget):
    """A view and all that is in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


def html_of(view):
    return "".join(one.value for one in everything(view) if isinstance(one, ipywidgets.HTML))


def words_of(html_widget):
    return Page(html_widget.value).text


def labels_of(control):
    return [label for label, _ in control.options]


def rows_of(texts=TEXTS, voices=VOICES, intents=INTENTS, seconds=(0.3, 0.4, 0.5, 0.6)):
    return [
        {
            "audio": {"bytes": tiny.clip(number, length), "path": None},
            "transcription": content,
            "path": f"en-US~X/{voice}_{number}.flac",
            "intent_class": intent,
        }
        for number, (content, voice, intent, length) in enumerate(zip(texts, voices, intents, seconds, strict=True))
    ]


@pytest.fixture(scope="module")
def rows():
    return rows_of()


@pytest.fixture(scope="module")
def processor():
    return tiny.processor()


@dataclass(frozen=True)
class Sure(Recogniser):
    """Hears one path in every clip, whatever it holds, and is sure of it: nothing is learnt or computed."""

    path: tuple[str, ...] = ("<pad>", "P", "P", "A", "<pad>", "Y", "|", "I", "L", "<pad>", "L")

    def emission(self, waveform):
        if len(waveform) < 400:
            raise AsrError(f"A clip of {len(waveform)} samples is shorter than one frame (400).")
        ids = self.processor.tokenizer.convert_tokens_to_ids(list(self.path))
        frames = np.zeros((len(waveform) // 320, 32), dtype="float32")
        ids = (ids + [0] * len(frames))[: len(frames)]
        frames[np.arange(len(frames)), ids] = 1
        return frames


@pytest.fixture(scope="module")
def recogniser(processor):
    return Sure(SimpleNamespace(config=SimpleNamespace(inputs_to_logits_ratio=320, vocab_size=32)), processor)


def upload(view, name, content):
    """As ipywidgets 8 and 7 hand a file over."""
    if isinstance(view.upload.value, dict):
        view.upload.set_trait("value", {name: {"metadata": {"name": name}, "content": content}})
    else:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        view.upload.value = (
            {"name": name, "type": "", "size": len(content), "content": content, "last_modified": moment},
        )


def record(view, *buffers, content=None):
    """As the page hands a recording over, in one message."""
    view.microphone._handle_custom_msg(content or {"recording": True}, [memoryview(one) for one in buffers])


# What every view keeps


class Hostile(Sure):
    """Writes `payload`, whatever it hears."""

    payload = ""

    def decode(self, emission):
        return Transcript(self.payload, (Word(self.payload.replace(" ", "_"), 0.02, 0.1, 0.5),))


@dataclass(frozen=True)
class HostileSearch(Sure, BeamRecogniser):
    """Finds `payload`, whatever it hears."""

    payload: str = ""

    def hypotheses(self, emission):
        return [Hypothesis(self.payload, -1.0, -2.0)]


def hostile_views(payload, processor):
    """Every view with the payload wherever text comes in."""
    rows = rows_of((payload, "HELLO"), (payload, "ann"), (payload, "abroad"), (0.3, 0.4))
    token = payload.replace(" ", "_")

    hears = Hostile(SimpleNamespace(config=SimpleNamespace(inputs_to_logits_ratio=320, vocab_size=32)), processor)
    hears.payload = payload
    yield widgets.clip_view(rows)
    empty = widgets.clip_view(rows)
    empty.chooser.search.value = payload + " never"
    yield empty
    yield widgets.vocabulary_view(processor, payload)
    yield widgets.batch_view(rows, processor)
    emission = widgets.emission_view(hears, rows)
    emission.word.value = 0
    yield emission
    yield ipywidgets.HTML(collapse_strip([1, 1, 0], ["<pad>", payload], 0, 1))
    errors = widgets.errors_view(rows, [token, "HELLO"], ["X", payload], [payload, "HELLO"], names=(payload, "b"))
    for _, group in errors.group.options:
        errors.group.value = group
        yield errors
    errors.hypothesis.value = payload
    yield errors
    yield from hostile_panels(payload, processor)
    yield widgets.recording_view(hears, tiny.clip(0, 0.3))
    voice = widgets.voice_view(hears)
    upload(voice, payload, tiny.clip(0, 0.3))
    yield voice
    upload(voice, payload, b"no sound")
    yield voice
    teaching = widgets.teaching_view(hears, payload)
    upload(teaching, payload, tiny.clip(0, 2.0))
    yield teaching
    upload(teaching, payload, b"no sound")
    yield teaching


def hostile_panels(payload, processor):
    """The panels of the errors view and a search in the emission view, with the payload."""
    config = SimpleNamespace(inputs_to_logits_ratio=320, vocab_size=32)
    searches = HostileSearch(SimpleNamespace(config=config), processor, payload=payload)
    clips, token = rows_of()[:3], payload.replace(" ", "_")
    errors = widgets.errors_view(clips, [token] * 3, [payload] * 3, [payload] * 3, (payload, "b"), {"X"}, searches)
    errors.panels["keywords"].keywords.value = f"{payload}, {token}"
    for name in errors.panels:
        errors.show.value = name
        yield errors
    errors.show.value = "typed text"
    errors.panels["typed text"].typed.value = payload
    yield errors
    yield widgets.emission_view(searches, clips)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:12]))
def test_text_from_outside_is_never_markup(payload, processor):
    shown = 0
    for view in hostile_views(payload, processor):
        page = Page(html_of(view))
        assert set(page.tags) <= TAGS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        assert all(re.match(r"data:(image/png|audio/wav);base64,[A-Za-z0-9+/=]+$", src) for src in page.values("src"))
        assert not any("url(" in style or "<" in style for style in page.values("style"))
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page.text + "".join(page.values("alt")))
        texts = page.text + "".join(page.values("alt"))
        texts += "".join(label for one in everything(view) for label in getattr(one, "_options_labels", ()))
        shown += kit.plain(payload).replace(" ", "_") in texts.replace(" ", "_")
        # In ipywidgets 7 a description is HTML: none holds anything from outside.
        described = {one.description for one in everything(view) if hasattr(one, "description")}
        assert all(re.fullmatch(r"[a-zA-Z ()]*", description) for description in described)
    assert shown >= 8, "as text it is there"


def test_the_reader_of_pages_sees_what_is_alive():
    # so that the test above does not pass by seeing nothing
    page = Page("".join(PAYLOADS))
    assert {"img", "script", "svg", "iframe"} <= set(page.tags)
    assert {"onerror", "onload"} <= {name for name, _ in page.attributes}


def test_directions_stay_inside_their_text():
    assert kit.text("\u202eabc") == "<bdi>\u202eabc</bdi>"


@pytest.mark.parametrize(
    ("content", "direction"),
    [
        ("PAY MY BILL", "ltr"),
        ("أريد بطاقة", "rtl"),
        ("12 بطاقة", "rtl"),
        ("שלום", "rtl"),
        ("カード", "ltr"),
        ("12", "ltr"),
    ],
)
def test_a_text_s_pieces_follow_each_other_as_the_text_is_read(content, direction):
    assert kit.read_along(content, "<p>") == f'<div dir="{direction}"><p></div>'


@pytest.mark.parametrize("language", ["en", "ar"])
def test_an_alignment_follows_the_words_and_not_the_language_of_the_view(monkeypatch, language):
    monkeypatch.setenv("ASR_LANGUAGE", language)
    assert Page(kit.alignment(evaluation.align("PAY MY BILL", "PAY BILL"))).values("dir") == ["ltr"]
    assert Page(kit.alignment(evaluation.align("ادفع الفاتورة", "ادفع"))).values("dir") == ["rtl"]


def test_what_cannot_be_sent_is_replaced():
    assert kit.text("a\ud800b") == "<bdi>a?b</bdi>"
    assert kit.plain("a\x00b\x7f") == "a␀b␡"


@pytest.fixture(scope="module")
def views(rows, processor, recogniser):
    voice = widgets.voice_view(recogniser)
    upload(voice, "own.wav", tiny.clip(1, 0.5))
    teaching = widgets.teaching_view(recogniser)
    record(teaching, tiny.clip(1, 3.0))
    return {
        "clip": widgets.clip_view(rows),
        "vocabulary": widgets.vocabulary_view(processor, "Pay £5"),
        "batch": widgets.batch_view(rows, processor),
        "emission": widgets.emission_view(recogniser, rows),
        "errors": widgets.errors_view(rows, TEXTS, TEXTS[::-1]),
        "recording": widgets.recording_view(recogniser, tiny.clip(1, 0.5)),
        "voice": voice,
        "teaching": teaching,
    }


def test_a_views_name_tells_nothing_that_changes(views):
    assert [repr(view) for view in views.values()] == [f"{name}_view()" for name in views]


def test_pictures_are_described_and_sounds_are_named(views):
    pages = [Page(html_of(view)) for view in views.values()]
    assert sum(page.tags["img"] for page in pages) == 5
    assert sum(page.tags["audio"] for page in pages) == 6
    for page in pages:
        assert len(page.values("alt")) == page.tags["img"]
        assert all(len(alt) > 40 for alt in page.values("alt"))
        assert all(label.startswith("play ") for label in page.values("aria-label"))


def test_every_control_has_a_name(views):
    control_kinds = (ipywidgets.Select, ipywidgets.Dropdown, ipywidgets.Text, ipywidgets.Textarea)
    controls = [one for view in views.values() for one in everything(view) if isinstance(one, control_kinds)]
    assert len(controls) > 15
    assert all(control.description for control in controls)


def test_the_views_are_core_widgets_but_for_the_microphone(views):
    allowed = {"@jupyter-widgets/controls", "@jupyter-widgets/base"}
    for view in views.values():
        parts = [one for one in everything(view) if not isinstance(one, Microphone)]
        assert {one._model_module for one in parts} <= allowed
        assert not any(isinstance(one, ipywidgets.Output) for one in parts)


def test_everything_public_is_explained():
    assert sorted(widgets.__all__) == sorted(name for name in vars(widgets) if name.endswith("_view"))
    for name in widgets.__all__:
        assert "Returns:" in getattr(widgets, name).__doc__


def test_importing_the_views_imports_no_transformers():
    code = "import sys; import asr_helpers.widgets; print({'torch', 'transformers', 'datasets'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_making_and_working_a_view_prints_nothing(rows, capfd):
    view = widgets.clip_view(rows)
    view.rate.value = 4_000
    view.chooser.search.value = "no such text"
    assert capfd.readouterr() == ("", "")


def test_fifty_redraws_leave_little_behind(rows):
    view = widgets.clip_view(rows)

    def redraw(times):
        for number in range(times // 2):
            view.rate.value = (8_000, 4_000)[number % 2]
            view.span.value = (0, 0.1 + number % 2 / 10)

    def figures():
        gc.collect()
        return sum(issubclass(type(thing), Figure) for thing in gc.get_objects())

    redraw(4)
    before = figures()
    tracemalloc.start()
    redraw(50)
    gc.collect()
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 1_000_000
    assert figures() <= before
    assert pyplot.get_fignums() == []


# The rows to choose from


def test_rows_are_found_by_text_intent_voice_and_length(rows):
    chooser = widgets.clip_view(rows).chooser
    assert [value for _, value in chooser.rows.options] == [0, 1, 2, 3]
    assert labels_of(chooser.rows)[1] == "1 · 0.4 s · MY CARD IS LOST"
    chooser.search.value = "card my"
    assert [value for _, value in chooser.rows.options] == [1]
    chooser.search.value = ""
    chooser.voice.value = "bob"
    assert [value for _, value in chooser.rows.options] == [1, 3]
    chooser.seconds.value = (0.5, 0.6)
    assert [value for _, value in chooser.rows.options] == [3]
    chooser.voice.value = ""
    chooser.intent.value = "abroad"
    assert [value for _, value in chooser.rows.options] == [2]
    assert "1 of 4 rows" in words_of(chooser.found)


def test_a_row_stays_chosen_while_it_matches_and_while_nothing_does(rows):
    view = widgets.clip_view(rows)
    view.chooser.rows.value = 3
    before = view.shown.value
    view.chooser.search.value = "pay"
    assert view.chooser.row == view.chooser.rows.value == 3
    view.chooser.search.value = "xyzzy"
    assert view.chooser.rows.options == ()
    assert "No row matches" in words_of(view.chooser.found)
    assert view.shown.value == before, "what was shown stays"
    view.chooser.search.value = ""
    assert view.chooser.rows.value == 3


def test_no_rows_are_refused():
    with pytest.raises(AsrError, match="no rows"):
        widgets.clip_view([])


def test_rows_without_voices_or_intents_have_no_such_filters():
    plain_rows = [{"audio": tiny.clip(0), "transcription": "HELLO"}, {"audio": tiny.clip(1), "transcription": "NO"}]
    chooser = widgets.clip_view(plain_rows).chooser
    assert [control.description for control in chooser.filters.children] == ["text", "length (s)"]


# Clip


def heard_in(html_widget):
    """What a player plays: the waveform and its rate."""
    import base64

    (source,) = Page(html_widget.value).values("src")
    return audio.decode(base64.b64decode(source.partition(",")[2]))


def test_a_span_is_marked_and_played_alone(rows):
    view = widgets.clip_view(rows)
    waveform, rate = heard_in(view.player)
    assert len(waveform) == 2_400  # 0.3 s at 8 kHz
    assert "position:absolute" not in view.shown.value
    view.span.value = (0.1, 0.2)
    part, rate = heard_in(view.player)
    assert rate == 8_000
    assert len(part) == 801
    assert np.array_equal(part, waveform[800:1_601])
    assert "position:absolute" in view.shown.value
    assert "0.10 to 0.20 s, at 8 kHz" in Page(view.shown.value).values("alt")[0]


def test_a_mark_stands_on_the_time_axis(rows):
    drawing = kit.Drawing("data:,", 100, left=0.1, right=0.9, top=0.2, bottom=0.7)
    style = Page(kit.picture(drawing, "seen", (0.25, 0.5))).values("style")[-1]
    assert "left:30.00%;width:20.00%" in style
    assert "top:20.00%;height:50.00%" in style


def test_4_khz_keeps_nothing_above_2_khz_and_is_played_at_a_rate_that_plays(rows):
    tone = np.sin(2 * np.pi * 3_000 * np.arange(8_000) / 8_000).astype("float32") * 0.5
    view = widgets.clip_view([{"audio": audio.encode(tone, 8_000), "transcription": "A TONE OF 3 KHZ"}])
    assert np.abs(heard_in(view.player)[0]).max() > 0.4
    view.rate.value = 4_000
    waveform, rate = heard_in(view.player)
    assert rate == 8_000
    assert np.abs(waveform[500:-500]).max() < 0.01
    view.rate.value = 16_000
    assert heard_in(view.player)[1] == 16_000


def test_another_row_begins_whole_with_its_facts(rows):
    view = widgets.clip_view(rows)
    view.span.value = (0.1, 0.2)
    view.chooser.rows.value = 2
    assert view.span.value == (0, 0.5)
    assert "0.50 s" in words_of(view.measured)
    assert "8,000 Hz" in words_of(view.measured)
    assert "HELLO" in words_of(view.measured)


def test_a_clip_that_cannot_be_read_is_told_of_and_the_last_one_stays(rows):
    broken = [rows[0], {"audio": {"bytes": b"no sound", "path": "notes.txt"}, "transcription": "NOTES"}]
    view = widgets.clip_view(broken)
    before = view.shown.value
    view.chooser.rows.value = 1
    assert "'notes.txt' is not a sound file" in words_of(view.message)
    assert view.shown.value == before
    view.rate.value = 4_000
    assert "row 0" in Page(view.shown.value).values("alt")[0]
    view.chooser.rows.value = 0
    assert view.message.value == ""


def test_a_first_clip_that_cannot_be_read_leaves_an_empty_view():
    view = widgets.clip_view([{"audio": b"no sound", "transcription": "NOTES"}])
    view.rate.value = 4_000
    view.span.value = (0.2, 0.5)
    assert "not a sound file" in words_of(view.message)
    assert view.shown.value == ""


# Vocabulary


def test_each_character_and_what_becomes_of_it(processor):
    view = widgets.vocabulary_view(processor, "Pay £5 né")
    shown = words_of(view.shown)
    assert "9 characters: 2 kept (K), 4 changed (C), 3 lost (L)." in shown  # P and a space; a, y, n, a space; £, 5, é
    assert "Written: PAY NE" in shown
    assert f"Labels: {processor.tokenizer('PAY NE').input_ids}" in shown
    view.written.value = "OK"
    assert "2 characters: 2 kept" in words_of(view.shown)


def test_a_text_without_a_character_of_the_vocabulary_says_so(processor):
    view = widgets.vocabulary_view(processor, "404")
    assert "'404' has no character of the vocabulary" in words_of(view.message)
    assert "3 lost" in words_of(view.shown)
    view.written.value = ""
    assert "Type a text" in words_of(view.message)
    view.written.value = "A"
    assert view.message.value == ""


def test_a_long_text_is_shown_in_part(processor):
    view = widgets.vocabulary_view(processor, "A" * 1_000)
    assert "1000 characters" in words_of(view.shown)
    assert Page(view.shown.value).text.count("K") == 301  # the first 300, and the legend


# Batch


def test_size_and_order_change_the_share_of_padding(processor):
    rows = rows_of(seconds=(0.2, 0.4, 0.2, 0.4))
    view = widgets.batch_view(rows, processor)
    view.size.value = 2
    view.strategy.value = "sorted"
    assert re.search(r"sorted\s*0\.0%", words_of(view.shares))
    assert "Batch 1 of 2: 2 clips of 0.2 to 0.2 s, 0% of its sound is padding" in alt_of(view)
    view.number.value = 2
    assert "Batch 2 of 2: 2 clips of 0.4 to 0.4 s" in alt_of(view)
    view.size.value = 4
    assert "Batch 1 of 1: 4 clips of 0.2 to 0.4 s, 25% of its sound" in alt_of(view)  # 0.4 of 1.6 s
    view.size.value = 1
    assert "25%" not in words_of(view.shares)


def alt_of(view):
    return Page(view.shown.value).values("alt")[0]


def test_shuffling_again_makes_other_random_batches(processor):
    rows = rows_of(TEXTS * 3, VOICES * 3, INTENTS * 3, np.linspace(0.2, 0.8, 12))
    view = widgets.batch_view(rows, processor)
    view.size.value = 2
    found = {words_of(view.shares)}
    for _ in range(3):
        view.shuffle.click()
        found.add(words_of(view.shares))
    assert len(found) > 1


def test_rows_that_cannot_be_prepared_are_left_out_and_named(rows, processor):
    broken = [*rows, {"audio": rows[0]["audio"], "transcription": "404"}]
    view = widgets.batch_view(broken, processor)
    assert "Row 4 is left out: '404' has no character" in words_of(view.message)
    assert "4 clips" in words_of(view.shares)
    with pytest.raises(AsrError, match="no rows"):
        widgets.batch_view(broken[4:], processor)


# Recording


def long_recording(seconds):
    """Bursts of noise with pauses: each has a level of its own."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 8_000 * seconds)
    sound[np.arange(len(sound)) // 8_000 % 4 == 3] = 0
    return audio.encode(sound.clip(-1, 1).astype("float32"), 8_000)


def test_a_recording_is_clicked_through(recogniser):
    recording = long_recording(200)
    view = widgets.recording_view(recogniser, recording)
    assert [part.end for part in view.heard] == sorted(part.end for part in view.heard)
    assert view.heard[-1].end == pytest.approx(200, abs=0.01)
    assert len(view.strip.children) == len(view.parts.options) > 30
    assert view.parts.options[0][0].startswith("0:00 · PAY ILL")
    view.strip.children[4].click()
    assert view.parts.value == 4
    part = view.heard[4]
    assert len(heard_in(view.player)[0]) == pytest.approx((part.end - part.start) * 16_000, abs=2)
    assert "PAY ILL" in words_of(view.words)
    assert view.shown.value.count("position:absolute") == 1
    widths = [int(button.layout.flex.split()[0]) for button in view.strip.children]
    assert widths[4] == pytest.approx((part.end - part.start) * 100, abs=1)
    # The rest of it is another section.
    assert [label for label, _ in view.section.options] == ["from 0:00", "from 3:00"]
    view.section.value = 1
    assert view.heard[view.parts.value].start >= 180
    assert "Waveform from 3:0" in alt_of(view)


def test_a_recording_that_cannot_be_read_is_refused(recogniser):
    with pytest.raises(AsrError, match="is not a sound file"):
        widgets.recording_view(recogniser, b"no sound")


# Emission


def test_the_collapse_step_by_step(recogniser, rows):
    view = widgets.emission_view(recogniser, rows)
    steps = {}
    for frame in range(11):
        view.frame.value = frame
        steps[frame] = words_of(view.strip)
    assert "Frame 0 says -, a blank" in steps[0]
    assert "Frame 1 says P, a new token: it is written." in steps[1]
    assert "Frame 2 says P, a repeat of the frame before: it is merged." in steps[2]
    written = [re.search(r"Written so far: (.*)", step)[1] for step in steps.values()]
    assert written == ["", "P", "P", "PA", "PA", "PAY", "PAY ", "PAY I", "PAY IL", "PAY IL", "PAY ILL"]


def test_the_strip_holds_path_merged_and_dropped():
    view = ipywidgets.HTML(collapse_strip([0, 8, 8, 0, 8], ["-", *"abcdefgh"], 0, 4))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", view.value)
    cells = [Page(cell).text for cell in cells]
    assert cells == ["0", "1", "2", "3", "4", *"-hh-h", "-", "h", "", "-", "h", "", "h", "", "", "h"]


def test_a_word_is_marked_and_played(recogniser, rows):
    view = widgets.emission_view(recogniser, rows)
    assert labels_of(view.word) == [
        "the whole clip",
        "1 · PAY · 0.02 to 0.12 s · 100% sure",
        "2 · ILL · 0.14 to 0.22 s · 100% sure",
    ]
    assert len(heard_in(view.player)[0]) == 4_800  # 0.3 s at 16 kHz
    view.word.value = 1
    assert view.frame.value == 7
    assert len(heard_in(view.player)[0]) == round(0.26 * 16_000)  # from 0.14 - 0.1 s to the clip's end
    assert "Marked: 0.14 to 0.22 s, and frame 7." in alt_of(view)
    assert view.shown.value.count("position:absolute") == 2
    view.row.value = 2
    assert view.word.value == -1
    assert view.frame.value == 0
    assert view.frame.max == 24  # 0.5 s have 25 frames


def test_a_clip_too_short_to_hear_is_told_of(recogniser, rows):
    short = {"audio": audio.encode(np.zeros(100), 8_000), "transcription": "A CLICK"}
    view = widgets.emission_view(recogniser, [rows[0], short])
    before = view.shown.value
    view.row.value = 1
    assert "shorter than one frame" in words_of(view.message)
    assert view.shown.value == before
    alone = widgets.emission_view(recogniser, [short])
    alone.frame.value = 1
    assert alone.strip.value == ""


# Errors


WRITTEN = ("PAY MY BILL", "MY CAR IS", "HELLO NOW", "PAY THE CAR")  # nothing; S and D; I; S


@pytest.fixture
def errors(rows):
    return widgets.errors_view(rows, TEXTS, WRITTEN)


def listed(view):
    return [value for _, value in view.chooser.rows.options]


def test_utterances_are_sorted_by_their_errors(errors):
    assert listed(errors) == [2, 1, 3, 0]  # 1/1, 2/4, 1/3, 0/3
    assert labels_of(errors.chooser.rows)[1] == "WER 0.50 · row 1 · 0.4 s · MY CARD IS LOST"
    for order, rows in {
        "row": [0, 1, 2, 3],
        "seconds": [3, 2, 1, 0],
        "text": [2, 1, 0, 3],
        "errors": [1, 2, 3, 0],
    }.items():
        errors.sort.value = order
        assert listed(errors) == rows


@pytest.mark.parametrize(
    ("kind", "found"),
    [("substitutions", {1, 3}), ("deletions", {1}), ("insertions", {2}), ("no errors", {0}), ("any", {0, 1, 2, 3})],
)
def test_utterances_are_filtered_by_kind_of_error(errors, kind, found):
    errors.kind.value = kind
    assert set(listed(errors)) == found


def test_each_confusion_leads_to_its_utterances(errors):
    assert labels_of(errors.confusion)[:2] == ["all utterances", "2 × S CARD → CAR"]
    assert set(labels_of(errors.confusion)[2:]) == {"1 × D LOST left out", "1 × I NOW put in"}
    errors.confusion.value = errors.confusion.options[1][1]
    assert listed(errors) == [1, 3]
    assert errors.chooser.row == 1
    errors.chooser.search.value = "lost"
    assert listed(errors) == [1]
    errors.confusion.value = None
    errors.chooser.search.value = ""
    assert len(listed(errors)) == 4


def test_words_are_aligned_with_their_letters(errors):
    errors.chooser.rows.value = 1
    assert re.sub(r"\s+", " ", words_of(errors.detail)).endswith("MYMYHCARDCARSISISHLOST·D")
    assert "card_issues · bob" in words_of(errors.detail)
    for line in ("underline wavy", "line-through"):
        assert line in errors.detail.value
    assert len(heard_in(errors.player)[0]) == 3_200


def test_the_summary_counts_all(errors):
    assert "WER 0.364" in words_of(errors.summary)  # 4 of 11
    assert "8 hits, 2 substitutions, 1 deletions, 1 insertions" in words_of(errors.summary)


def test_wer_by_group(errors):
    rows = re.findall(r"<tr>(.*?)</tr>", errors.by_group.value)
    cells = [[Page(cell).text for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]
    assert cells == [
        ["voice", "utterances", "words", "WER", "errors"],
        ["bob", "2", "7", "0.429", "3"],
        ["ann", "2", "4", "0.250", "1"],
    ]
    errors.group.value = "intent"
    assert "card_issues" in words_of(errors.by_group)
    errors.group.value = "length"
    assert "up to 0.4 s" in words_of(errors.by_group)


def test_an_edited_hypothesis_is_counted_at_once(errors):
    errors.chooser.rows.value = 1
    assert errors.hypothesis.value == "MY CAR IS"
    assert "WER 2/4 = 0.50" in words_of(errors.edited)
    errors.hypothesis.value = "MY CARD IS  LOST\n"
    assert "WER 0/4 = 0.00" in words_of(errors.edited)
    assert "MYMYHCARDCARDHISISHLOSTLOSTH" in words_of(errors.edited)
    errors.hypothesis.value = ""
    assert "every word of the reference counts as a deletion" in words_of(errors.edited)
    assert "WER 4/4 = 1.00" in words_of(errors.edited)
    errors.chooser.rows.value = 0
    assert errors.hypothesis.value == "PAY MY BILL"


def test_two_models_stand_side_by_side(rows):
    before = ("", "MY CARD IS", "HELLO NOW", "")
    view = widgets.errors_view(rows, TEXTS, WRITTEN, before, names=("after", "before"))
    assert labels_of(view.chooser.rows)[1].startswith("WER 0.25 → 0.50 · row 1")
    assert words_of(view.summary).index("after") < words_of(view.summary).index("before")
    view.sort.value = "gained"
    assert listed(view) == [0, 3, 2, 1]  # 3 errors fewer, 2 fewer, as many, 1 more
    view.sort.value = "lost"
    assert listed(view) == [1, 2, 3, 0]
    view.chooser.rows.value = 1
    assert words_of(view.detail).count("said") == 2
    assert "WER after" in words_of(view.by_group)
    assert "WER before" in words_of(view.by_group)


def cells_of(html_widget):
    """A table's lines: their cells' texts."""
    lines = re.findall(r"<tr>(.*?)</tr>", html_widget.value)
    return [[Page(cell).text for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)] for line in lines]


# MY is said 5 times and heard 4 times, CARD 4 and 1, IS 3 and 3; CAR is written falsely 3 times.
SAID = ("MY CARD MY CARD", "IS MY CARD", "IS MY CARD", "IS MY BILL")
HEARD = ("MY CARD A CAR", "IS MY CAR", "IS MY CAR", "IS MY BILL MY")


def test_each_word_has_the_share_that_is_heard_right(rows):
    panel = widgets.errors_view(rows, SAID, HEARD).panels["each word"]
    head = ["words", "said", "right", "falsely written"]
    assert cells_of(panel.shown) == [
        head, ["CARD", "4", "25%", "0"], ["MY", "5", "80%", "1"], ["IS", "3", "100%", "0"],
    ]  # fmt: skip
    panel.order.value = "most said"
    assert [line[0] for line in cells_of(panel.shown)[1:]] == ["MY", "CARD", "IS"]
    assert "3 of 3 words that are said 3 times or more" in words_of(panel.shown)


def test_each_word_stands_beside_the_other_model(rows):
    view = widgets.errors_view(rows, SAID, HEARD, SAID, names=("after", "before"))
    assert cells_of(view.panels["each word"].shown)[:2] == [
        ["words", "said", "right after", "falsely written", "right before", "falsely written"],
        ["CARD", "4", "25%", "0", "100%", "0"],
    ]


def test_unknown_words_stand_beside_the_known_ones(rows):
    assert "unknown words" not in widgets.errors_view(rows, SAID, HEARD).panels
    view = widgets.errors_view(rows, SAID, HEARD, known={"MY", "IS", "A"})
    assert cells_of(view.panels["unknown words"].shown) == [
        ["words", "said", "right", "falsely written"],
        ["known", "8", "88%", "2"],  # 4 of 5 times MY and 3 times IS
        ["unknown", "5", "40%", "3"],  # CARD once of 4 times, and BILL
        ["words", "said", "right", "falsely written"],
        ["CARD", "4", "25%", "0"],
        ["BILL", "1", "100%", "0"],
        ["CAR", "0", "–", "3"],
    ]
    by_model = widgets.errors_view(rows, SAID, HEARD, known=estimate(["MY IS A"])).panels["unknown words"]
    assert by_model.shown.value == view.panels["unknown words"].shown.value


def test_keywords_have_recall_and_false_insertions(rows):
    view = widgets.errors_view(rows, SAID, HEARD)
    view.show.value = "keywords"
    panel = view.panels["keywords"]
    assert panel in everything(view)
    assert "Type words" in words_of(panel.shown)
    panel.keywords.value = "card, my,,CARD, loan"
    assert cells_of(panel.shown) == [
        ["words", "said", "right", "falsely written"],
        ["CARD", "4", "25%", "0"],
        ["MY", "5", "80%", "1"],
        ["loan", "0", "–", "0"],
        ["words", "said", "right", "falsely written"],
        ["all keywords", "9", "56%", "1"],
    ]


def test_a_typed_text_is_aligned_and_its_words_are_played(rows, recogniser):
    view = widgets.errors_view(rows, TEXTS, WRITTEN, recogniser=recogniser)
    assert list(view.panels) == ["each word", "keywords", "typed text"]
    view.chooser.rows.value = 1
    view.show.value = "typed text"
    panel = view.panels["typed text"]
    assert panel.typed.value == "MY CARD IS LOST"
    assert "cannot lie in 20 frames" in words_of(panel.message)
    panel.typed.value = "Pay ill!"
    assert words_of(panel.message) == ""
    assert labels_of(panel.word) == [
        "the whole clip",
        "1 · PAY · 0.02 to 0.12 s · 100% fit",
        "2 · ILL · 0.14 to 0.22 s · 100% fit",
    ]
    assert len(heard_in(panel.player)[0]) == 6_400  # 0.4 s at 16 kHz
    panel.word.value = 1
    assert len(heard_in(panel.player)[0]) == round(0.28 * 16_000)  # a tenth of a second on either side
    panel.typed.value = "123"
    assert "no letter that this recogniser writes" in words_of(panel.message)
    assert panel.player.value == ""
    assert labels_of(panel.word) == ["the whole clip"]
    view.chooser.rows.value = 0
    assert panel.typed.value == "PAY MY BILL", "the next row's"


@dataclass(frozen=True)
class Unsure(Sure, BeamRecogniser):
    """Hears A or B, then a blank, C, and D or E. Greedy, that is BCE."""

    def emission(self, waveform):
        frames = np.zeros((4, 32), dtype="float32")
        ids = self.processor.tokenizer.convert_tokens_to_ids(list("ABCDE|"))
        frames[0, ids[:2]] = 0.4, 0.6
        frames[1, ids[5]] = frames[2, ids[2]] = 1
        frames[3, ids[3:5]] = 0.3, 0.7
        return frames


@pytest.fixture(scope="module")
def searching(processor):
    """With a language model that knows A alone as a first word."""
    config = SimpleNamespace(inputs_to_logits_ratio=320, vocab_size=32)
    beam = Beam(language_model=estimate(["A CE", "A CD", "A CE", "CE"], order=2), weight=1.0, word_bonus=0.0)
    return Unsure(SimpleNamespace(config=config), processor, beam=beam)


def test_hypotheses_have_scores_errors_and_the_lowest_wer(rows, searching):
    view = widgets.errors_view(rows, ["A CD", *TEXTS[1:]], WRITTEN, recogniser=searching)
    view.chooser.rows.value = 0
    view.show.value = "best hypotheses"
    panel = view.panels["best hypotheses"]
    head, *lines = cells_of(panel.shown)
    assert head == ["hypothesis", "acoustic", "language model", "sum", "errors"]
    found = searching.hypotheses(searching.emission(None))
    assert [line[0] for line in lines] == [one.text for one in found] == ["A CE", "A CD", "B CE", "B CD"]
    assert [line[1] for line in lines] == ["-1.3", "-2.1", "-0.9", "-1.7"]  # ln of 0.28, 0.12, 0.42 and 0.18
    for one, line in zip(found, lines, strict=True):
        assert line[2:4] == [f"{one.language:.1f}", f"{one.score:.1f}"]
    assert [line[4] for line in lines] == ["1", "0", "2", "1"]
    assert "The first has a WER of 0.50. The lowest of these 4 is 0.00, of hypothesis 2" in words_of(panel.shown)
    view.chooser.rows.value = 2
    assert "The first has a WER of 2.00" in words_of(panel.shown), "HELLO was said there"


def test_a_search_stands_below_the_greedy_text(rows, searching, recogniser):
    view = widgets.emission_view(searching, rows)
    assert "Greedy: B CE" in words_of(view.best)
    assert [line[:2] for line in cells_of(view.best)] == [
        ["hypothesis", "acoustic"], ["A CE", "-1.3"], ["A CD", "-2.1"], ["B CE", "-0.9"], ["B CD", "-1.7"],
    ]  # fmt: skip
    marked = re.findall(r'<span style="(.*?)"><bdi>(.*?)</bdi>', view.best.value)
    assert [(bool(style), word) for style, word in marked] == [
        (True, "A"), (False, "CE"), (True, "A"), (True, "CD"), (False, "B"), (False, "CE"), (False, "B"), (True, "CD"),
    ]  # fmt: skip
    assert view.best in everything(view)
    alone = widgets.emission_view(recogniser, rows)
    assert alone.best not in everything(alone), "nothing is searched there"


def test_words_that_the_search_drops_are_struck_through():
    shown = changed_words("MY OLD CARD", Hypothesis("MY CARD", 0.0, 0.0))
    assert Page(shown).text == "MY OLD CARD"
    assert shown.count("line-through") == 1
    assert "wavy" not in shown
    assert changed_words(" ", Hypothesis("MY CARD", 0.0, 0.0)).count("wavy") == 2
    assert Page(changed_words("بطاقة", Hypothesis("بطاقة جديدة", 0.0, 0.0))).values("dir") == ["rtl"]


def test_a_row_that_cannot_be_heard_is_told_of_in_its_panel(rows, searching):
    clips = [rows[0], {"audio": b"", "transcription": "HELLO"}]
    view = widgets.errors_view(clips, ["PAY", "HELLO"], ["PAY", "HELLO"], recogniser=searching)
    for name in ("typed text", "best hypotheses"):
        view.show.value = name
        view.chooser.rows.value = 1
        assert "not a sound file" in words_of(view.panels[name].message)
        view.chooser.rows.value = 0


def test_lists_of_different_lengths_are_refused(rows):
    with pytest.raises(AsrError, match="4 rows and 3 references"):
        widgets.errors_view(rows, TEXTS[:3], WRITTEN[:3])
    with pytest.raises(AsrError, match="4 references and 3 hypotheses"):
        widgets.errors_view(rows, TEXTS, WRITTEN[:3])


def test_an_utterance_whose_clip_cannot_be_read_is_still_shown(rows):
    view = widgets.errors_view([{"audio": b"", "transcription": "HELLO"}], ["HELLO"], ["HELLO"])
    assert "not a sound file" in words_of(view.message)
    assert "HELLOHELLOH" in words_of(view.detail)


# Training


LOG = [
    {"step": 5, "loss": 3.0, "learning_rate": 1e-4},
    {"step": 5, "eval_loss": 2.5, "eval_wer": 1.0, "eval_blank_share": 0.995},
]


def test_a_training_is_watched():
    view = widgets.training_view()
    assert repr(view) == "training_view()"
    state = SimpleNamespace(global_step=0, max_steps=20, log_history=[])
    view.on_log(None, state, None)  # an evaluation before the training
    view.on_train_begin(None, state, None)
    state.global_step, state.log_history = 5, LOG
    view.on_step_end(None, state, None)
    view.on_log(None, state, None)
    assert (view.progress.value, view.progress.max) == (5, 20)
    assert re.search(r"Step 5 of 20, \d+ s left\.", words_of(view.status))
    assert "loss 3; validation WER 1; share of blank frames 0.995; learning rate 0.0001" in words_of(view.shown)
    assert view.shown.value.count("<img") == 1
    assert "100% of the validation frames are blank" in words_of(view.warning)
    state.log_history = [*LOG, {"step": 10, "eval_loss": 2, "eval_wer": 0.8, "eval_blank_share": 0.7}]
    view.on_log(None, state, None)
    assert view.warning.value == ""
    state.log_history = [*LOG, {"step": 10, "loss": float("nan")}]
    view.on_log(None, state, None)
    assert "not a number" in words_of(view.warning)
    view.on_train_end(None, state, None)
    assert "Done: 5 steps" in words_of(view.status)


def test_fine_tune_tells_the_view_and_still_prints_its_lines(tmp_path, processor, capsys):
    from dataclasses import replace

    from asr_helpers import training
    from asr_helpers.recipes import Recipe
    from asr_helpers.sources import source

    recipe = Recipe(1e-3, 2e-2, num_train_epochs=1, per_device_train_batch_size=4)
    small = replace(source("demo"), checkpoint=str(tiny.write_checkpoint(tmp_path / "start")), recipe=recipe)
    view = widgets.training_view()
    training.fine_tune(
        small, tiny.rows(8), tiny.rows(2), processor, tmp_path / "out", max_steps=4, bf16=False, callbacks=[view]
    )
    assert view.progress.value == 4
    assert "Done: 4 steps" in words_of(view.status)
    assert "learning rate" in words_of(view.shown)
    assert capsys.readouterr().out.count("validation WER") == 4


# Your voice


def test_a_recording_is_heard(recogniser):
    view = widgets.voice_view(recogniser)
    assert view.shown.value == ""
    upload(view, "own.wav", tiny.clip(0, 0.5))
    assert "PAY ILL" in words_of(view.transcript)
    assert "own.wav" in words_of(view.transcript)
    assert "8,000 Hz" in words_of(view.transcript)
    assert re.search(r"PAY\s*0\.02\s*0\.12\s*100%", words_of(view.transcript))
    view.word.value = 0
    assert len(heard_in(view.player)[0]) == round(0.22 * 16_000)
    assert "0.02 to 0.12 s" in labels_of(view.word)[1]


def test_a_file_that_is_no_sound_is_told_of_and_the_last_one_stays(recogniser):
    view = widgets.voice_view(recogniser)
    upload(view, "own.wav", tiny.clip(0, 0.5))
    before = view.transcript.value
    upload(view, "notes.txt", b"Dear bank,")
    assert "'notes.txt' is not a sound file that can be read" in words_of(view.message)
    assert view.transcript.value == before
    upload(view, "click.wav", audio.encode(np.zeros(20), 8_000))
    assert "shorter than one frame" in words_of(view.message)


def test_only_the_first_minute_is_heard(recogniser):
    view = widgets.voice_view(recogniser)
    upload(view, "long.wav", audio.encode(np.zeros(8_000 * 61), 8_000))
    assert "its first 60 s were heard" in words_of(view.transcript)
    assert len(heard_in(view.player)[0]) == 60 * 16_000


def test_nothing_heard_is_said(processor):
    mute = Sure(SimpleNamespace(config=SimpleNamespace(inputs_to_logits_ratio=320, vocab_size=32)), processor, path=())
    view = widgets.voice_view(mute)
    upload(view, "silence.wav", audio.encode(np.zeros(8_000), 8_000))
    assert "No word was heard" in words_of(view.transcript)


def test_a_recording_from_the_page_goes_the_way_of_an_upload(recogniser):
    uploaded, recorded = widgets.voice_view(recogniser), widgets.voice_view(recogniser)
    upload(uploaded, "your recording", tiny.clip(0, 0.5))
    record(recorded, tiny.clip(0, 0.5))
    for part in ("transcript", "shown", "player", "message"):
        assert getattr(recorded, part).value == getattr(uploaded, part).value, part
    assert recorded.word.options == uploaded.word.options
    assert "PAY ILL" in words_of(recorded.transcript)


def test_the_page_may_send_wrong_bytes_or_none(recogniser):
    view = widgets.voice_view(recogniser)
    record(view, tiny.clip(0, 0.5))
    before = view.transcript.value
    for wrong in ([b"RIFF"], [b""], [], [tiny.clip(0, 0.5)[:30]]):
        record(view, *wrong)
        assert "'your recording' is not a sound file that can be read" in words_of(view.message), wrong
        view.message.value = ""
    for other in ({"play": 1}, ["recording"], "recording", 7):
        record(view, b"RIFF", content=other)
        assert view.message.value == ""
    record(view, audio.encode(np.zeros(0), 48_000))
    assert "no samples" in words_of(view.message)
    assert view.transcript.value == before


def test_a_recording_ends_after_half_a_minute():
    microphone = Microphone()
    state = microphone.get_state()
    assert state["longest"] == 30
    assert state["answered"] is False


def test_the_script_of_the_microphone_loads_nothing():
    script = Microphone()._esm
    assert "export default" in script
    assert not re.search(r"https?:/|\bimport\b|\bfetch\b|XMLHttpRequest|WebSocket|importScripts", script)
    assert "MediaRecorder" not in script


def test_the_record_button_is_shown_once_the_page_has_answered(recogniser):
    view = widgets.voice_view(recogniser)
    (hint,) = (one for one in everything(view) if "does not load anywidget" in str(getattr(one, "value", "")))
    (recorder,) = (one for one in everything(view) if view.microphone in getattr(one, "children", ()))
    assert (hint.layout.display, recorder.layout.display) == (None, "none")
    view.microphone.set_state({"answered": True})
    assert (hint.layout.display, recorder.layout.display) == ("none", None)


@pytest.mark.parametrize(
    "value",
    [
        {"a.wav": {"metadata": {"name": "a.wav", "size": 4}, "content": b"RIFF"}},  # ipywidgets 7
        ({"name": "a.wav", "size": 4, "content": memoryview(b"RIFF")},),  # ipywidgets 8
    ],
)
def test_an_upload_has_two_forms(value):
    assert uploaded_file(value) == ("a.wav", b"RIFF")


# Teach it your voice


def spoken(number, seconds=3.0):
    """Another sound for each sentence, as a page records it."""
    return audio.encode(audio.resample(audio.decode(tiny.clip(number, seconds))[0], 8_000, 48_000), 48_000)


@pytest.fixture
def teaching(recogniser, tmp_path):
    return widgets.teaching_view(recogniser, tmp_path / "outputs" / "my-voice")


def record_all(view):
    for number in range(len(SENTENCES)):
        record(view, spoken(number))


def test_the_sentences_are_short_and_hold_every_letter():
    assert len(SENTENCES) == len(set(SENTENCES)) == loading.FEWEST
    for one in SENTENCES:
        assert re.fullmatch(r"[A-Za-z']+( [A-Za-z']+)*", one)
        assert 6 <= len(one.split()) <= 10
    assert set("".join(SENTENCES).lower()) - set(" '") == set("abcdefghijklmnopqrstuvwxyz")


def test_each_sentence_is_recorded_in_turn(teaching):
    assert SENTENCES[0] in words_of(teaching.prompt)
    assert "stay on the machine" in words_of(teaching.prompt)
    record(teaching, spoken(0))
    assert "Sentence 1 is kept. Heard now: PAY ILL" in words_of(teaching.player)
    assert len(heard_in(teaching.player)[0]) == 3 * 48_000
    assert labels_of(teaching.sentence)[:2] == [f"✓ 1 · {SENTENCES[0]}", f"· 2 · {SENTENCES[1]}"]
    assert SENTENCES[1] in words_of(teaching.prompt)
    teaching.sentence.value = 7
    assert SENTENCES[7] in words_of(teaching.prompt)
    upload(teaching, "eighth.wav", spoken(7))
    assert teaching.sentence.value == 8
    teaching.sentence.value = 9
    record(teaching, spoken(9))
    assert teaching.sentence.value == 1, "the first one that is missing"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Dear bank,", "is not a sound file"),
        (audio.encode(np.zeros(48_000 * 3), 48_000), "Nothing is heard"),
        (spoken(0, 0.5), "Its transcript needs"),
        (spoken(0, 1.2), "it lasts 1.2 s, too short for 41 characters"),
        (spoken(0, 31.0), "cut it below 30 s"),
    ],
    ids=["no sound", "silence", "half a second", "half a sentence", "half a minute"],
)
def test_a_recording_that_cannot_teach_is_not_kept(teaching, content, why):
    record(teaching, content)
    assert "Not kept: " in words_of(teaching.message)
    assert why in words_of(teaching.message)
    assert teaching.sentence.value == 0
    assert teaching.player.value == ""
    assert not any("✓" in label for label in labels_of(teaching.sentence))


def test_one_sound_for_two_sentences_is_not_kept(teaching):
    record(teaching, spoken(0))
    record(teaching, spoken(0))
    assert f"the same sound as that of '{SENTENCES[0]}'" in words_of(teaching.message)
    teaching.sentence.value = 0
    record(teaching, spoken(0))
    assert teaching.message.value == "", "again for the same sentence"


def test_the_folder_is_made_and_can_be_trained_on(teaching, tmp_path):
    record_all(teaching)
    assert "All sentences are there" in words_of(teaching.made)
    teaching.sentence.value = 3
    record(teaching, spoken(20))  # again
    teaching.make.click()
    folder = tmp_path / "outputs" / "my-voice"
    assert str(folder) in words_of(teaching.made)
    assert [one.name for one in folder.parent.iterdir()] == ["my-voice"]
    first = audio.open_sound(folder / "sentence-04.wav")
    assert (first.format, first.subtype, first.samplerate, first.channels) == ("WAV", "PCM_16", 48_000, 1)
    assert (folder / "sentence-04.wav").read_bytes() == spoken(20)
    splits = loading.load_splits(source(folder))
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 7, "validation": 1, "test": 2}
    said = {row["audio"]["path"]: row["transcription"] for rows in splits.values() for row in rows}
    assert said == {str(folder / f"sentence-{number:02}.wav"): one for number, one in enumerate(SENTENCES, 1)}
    assert all(audit(rows).totals["set aside"]["rows"] == 0 for rows in splits.values())


def test_no_folder_is_made_before_all_sentences_are_there(teaching, tmp_path):
    record(teaching, spoken(0))
    teaching.make.click()
    assert "Not recorded yet: 2, 3, 4, 5, 6, 7, 8, 9, 10." in words_of(teaching.made)
    assert not (tmp_path / "outputs").exists()


def test_a_folder_of_other_recordings_is_left_alone(teaching, tmp_path):
    folder = tmp_path / "outputs" / "my-voice"
    folder.mkdir(parents=True)
    (folder / "sentence-01.wav").write_bytes(b"mine")
    record_all(teaching)
    teaching.make.click()
    assert "holds other files already" in words_of(teaching.made)
    assert [one.read_bytes() for one in folder.iterdir()] == [b"mine"]
    teaching.folder.value = str(tmp_path / "outputs" / "again")
    teaching.make.click()
    assert "10 recordings are in" in words_of(teaching.made)
    teaching.make.click()
    assert "10 recordings are in" in words_of(teaching.made), "the same recordings once more"
    (tmp_path / "outputs" / "again" / "notes.txt").write_text("mine too")
    teaching.make.click()
    assert "holds other files already" in words_of(teaching.made)


@pytest.mark.parametrize("name", ["", "file/under", "file"])
def test_a_folder_that_cannot_be_written_is_told_of(teaching, tmp_path, name):
    (tmp_path / "file").write_text("mine")
    record_all(teaching)
    teaching.folder.value = str(tmp_path / name) if name else " "
    teaching.make.click()
    assert "type another folder" in words_of(teaching.made) or "has no name" in words_of(teaching.made)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_an_interruption_leaves_no_half_folder(tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("csv.writer", stop)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "my-voice", [b"RIFF"] * 2, SENTENCES[:2])
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "my-voice").mkdir()
    assert len(list(write_folder(tmp_path / "my-voice", [b"RIFF"] * 2, SENTENCES[:2]).iterdir())) == 3


def test_recordings_go_where_outputs_go(recogniser, monkeypatch):
    monkeypatch.setenv("ASR_OUTPUTS", "elsewhere")
    assert widgets.teaching_view(recogniser).folder.value == "elsewhere/my-voice"
