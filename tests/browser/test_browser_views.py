"""Every view, worked by mouse and keyboard as a reader works it: what then stands in the page.

A view is found by its class, in whatever notebook shows it, and the tests know nothing of its rows.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lab import PATIENCE, Notebook
from looks import flaws, milliseconds_to_picture
from playwright.sync_api import Browser, Locator, expect

from asr_helpers import audio, evaluation, loading
from asr_helpers.sources import source

# The notebook that shows each view.
HOMES = {
    "clip": "01_loading.ipynb",
    "vocabulary": "02_preprocessing.ipynb",
    "batch": "03_collation.ipynb",
    "errors": "04_evaluation.ipynb",
    "emission": "06_inference.ipynb",
    "voice": "06_inference.ipynb",
    "search": "search.ipynb",  # a recogniser with a language model, in the views of errors and emissions
    "training": "training.ipynb",  # 05 in little: its own training takes minutes
    "microphone": "voice.ipynb",
    "recording": "recording.ipynb",
}


def shown(name: str) -> pytest.MarkDecorator:
    """The test's `notebook` is the one that shows this view."""
    return pytest.mark.parametrize("notebook", [HOMES[name]], indirect=True)


def slider(view: Locator, description: str) -> Locator:
    """The handles of a slider, from left to right."""
    return view.locator(".widget-slider").filter(has_text=description).get_by_role("slider")


def options(choice: Locator) -> list[str]:
    """What there is to choose from; ipywidgets writes spaces as no-break spaces."""
    return [one.replace("\xa0", " ") for one in choice.locator("option").all_text_contents()]


def picture(view: Locator) -> str:
    """What its one picture shows, in the words for those who cannot see it."""
    return view.get_by_role("img").get_attribute("alt")


def see(view: Locator, pattern: str) -> re.Match:
    """Waits until the view's picture shows something, in those words; returns where it says so."""
    expect(view.get_by_role("img")).to_have_attribute("alt", re.compile(pattern))
    return re.search(pattern, picture(view))


def seconds_of_sound(view: Locator) -> float:
    """How long what its one player plays lasts."""
    return view.locator("audio").evaluate(
        "sound => sound.duration || new Promise(done => { sound.onloadedmetadata = () => done(sound.duration); })"
    )


def table(view: Locator, heading: str) -> dict[str, list[str]]:
    """The lines of the table with this column, by their first cell."""
    lines = view.locator("table").filter(has_text=heading).locator("tr")
    cells = [line.locator("th, td").all_text_contents() for line in lines.all()]
    return {first: rest for first, *rest in cells}


@shown("clip")
def test_clip(notebook: Notebook, screenshot):
    view = notebook.view("asr-clip-view")
    rows = view.locator(".widget-select select")
    everything = options(rows)
    assert len(everything) > 3
    expect(view).to_contain_text(f"{len(everything)} of {len(everything)} rows")
    see(view, "row 0, 0.00 to")

    # Search
    word = re.findall(r"\w{4,}", everything[3].split(" · ")[2])[-1]
    view.get_by_label("text", exact=True).fill(word.upper())
    fewer = [one for one in everything if word.lower() in one.split(" · ")[2].lower()]
    expect(rows.locator("option")).to_have_text(fewer)
    expect(view).to_contain_text(f"{len(fewer)} of {len(everything)} rows")
    view.get_by_label("text", exact=True).fill("nobody says this")
    expect(view.get_by_role("status")).to_contain_text("No row matches")
    view.get_by_label("text", exact=True).fill("")
    expect(rows.locator("option")).to_have_text(everything)

    # Choose by length and by row
    longest = slider(view, "length (s)").last
    longest.press("Home")
    expect(view.get_by_role("status")).to_contain_text("No row matches")
    for _ in range(10):
        longest.press("ArrowRight")
    limit = min(float(one.split(" · ")[1].rstrip(" s")) for one in everything) + 1.1
    expect(rows.locator("option")).not_to_have_count(0)
    notebook.page.wait_for_timeout(1_000)  # for the last of ten changes
    lengths = [float(one.split(" · ")[1].rstrip(" s")) for one in options(rows)]
    assert 0 < len(lengths) < len(everything)
    assert max(lengths) <= limit
    longest.press("End")
    expect(rows.locator("option")).to_have_text(everything)
    rows.select_option(index=2)
    number, seconds, text = everything[2].split(" · ")
    whole = see(view, rf"row {number}, 0\.00 to ([\d.]+) s, at 8 kHz\. Transcription: {re.escape(text)}")
    assert f"{float(whole.group(1)):.1f} s" == seconds
    assert seconds_of_sound(view) == pytest.approx(float(whole.group(1)), abs=0.02)
    assert table(view, "signal to noise")["length"][0] == "rate"

    # A span, by mouse and by keyboard
    expect(view).to_contain_text(f"0.00 – {whole.group(1)}")
    notebook.page.wait_for_timeout(500)  # the handles glide to their places
    start, end = slider(view, "span (s)").all()
    place, track = start.bounding_box(), view.locator(".widget-slider").filter(has_text="span (s)").bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + track["width"] / 4, y, steps=4)
    view.page.mouse.up()
    see(view, rf"row {number}, (?!0\.00)[\d.]+ to {whole.group(1)} s")
    end.press("ArrowLeft")
    last = f"{float(whole.group(1)) - 0.01:.2f}"
    span = see(view, rf"row {number}, ([\d.]+) to {re.escape(last)} s")
    assert 0.1 < float(span.group(1)) / float(last) < 0.5
    expect(view).to_contain_text(f"play row {number}, {span.group(1)} to {last} s")
    assert seconds_of_sound(view) == pytest.approx(float(last) - float(span.group(1)), abs=0.02)

    # Another rate, the same span
    before = view.get_by_role("img").get_attribute("src")
    view.get_by_role("button", name="4 kHz").click()
    see(view, rf"row {number}, {span.group(1)} to {re.escape(last)} s, at 4 kHz")
    expect(view.get_by_role("img")).not_to_have_attribute("src", before)
    assert flaws(view) == []
    screenshot(view, "clip")


@shown("vocabulary")
def test_vocabulary(notebook: Notebook, screenshot):
    view = notebook.view("asr-vocabulary-view")
    box = view.get_by_label("text", exact=True)
    box.fill("")
    expect(view).to_contain_text("Type a text")
    box.fill("É")
    expect(view).to_contain_text("1 characters: 0 kept (K), 0 changed (C), 1 lost (L).")
    expect(view).to_contain_text("Written: E")
    box.fill("5")
    expect(view.get_by_role("status")).to_contain_text("has no character of the vocabulary")
    box.fill("I'd pay £5 <b>at</b> the café")
    # Kept: I and '. Changed: d, pay, b at b, the, caf, and of the spaces those after pay and the. Lost: £5 <> </> é.
    expect(view).to_contain_text("Written: I'D PAY B AT B THE CAFE")
    expect(view.get_by_role("status")).to_have_count(0)
    labels = re.search(r"Labels: \[([\d, ]+)\]", view.inner_text()).group(1).split(", ")
    assert len(labels) == len("I'D PAY B AT B THE CAFE")
    assert flaws(view) == []
    screenshot(view, "vocabulary")


@shown("batch")
def test_batch(notebook: Notebook, screenshot):
    view = notebook.view("asr-batch-view")

    def padding() -> dict[str, float]:
        shares = {name: cells[0] for name, cells in table(view, "padding").items() if name != "order"}
        return {name: float(share.rstrip("%")) for name, share in shares.items()}

    start = padding()
    assert set(start) == {"random", "sorted", "by duration"}
    assert start["sorted"] < start["random"]

    first = see(view, r"Batch 1 of (\d+): (\d+) clips")
    slider(view, "batch size").press("ArrowRight")
    more = see(view, rf"Batch 1 of (\d+): {int(first.group(2)) + 1} clips")
    assert int(more.group(1)) <= int(first.group(1))
    expect(view.locator("caption")).to_contain_text(f"{int(first.group(2)) + 1} to a batch")
    assert padding() != start

    drawn = picture(view)
    random = re.search(r"(\d+)% of its sound", drawn).group(1)
    view.get_by_role("button", name="sorted").click()
    expect(view.get_by_role("img")).not_to_have_attribute("alt", drawn)
    expect(view.locator("td b").first).to_have_text("sorted")
    assert int(see(view, r"(\d+)% of its sound").group(1)) < int(random)
    view.locator(".widget-slider").filter(has_text=re.compile(r"^batch(?! size)")).get_by_role("slider").press("End")
    see(view, rf"Batch {more.group(1)} of {more.group(1)}")

    view.get_by_role("button", name="random").click()
    expect(view.locator("td b").first).to_have_text("random")
    before = picture(view)
    view.get_by_role("button", name="shuffle again").click()
    expect(view.get_by_role("img")).not_to_have_attribute("alt", before)
    assert flaws(view) == []
    screenshot(view, "batch")

    slider(view, "batch size").press("Home")
    expect(view.locator("caption")).to_contain_text(" 1 to a batch")
    assert padding()["random"] == padding()["sorted"] == 0, "a clip alone is not padded"


@shown("emission")
def test_emission(notebook: Notebook, screenshot):
    view = notebook.view("asr-emission-view")
    clip, word, frame = (
        view.get_by_label("clip", exact=True),
        view.get_by_label("word", exact=True),
        slider(view, "frame"),
    )
    first = picture(view)
    clip.select_option(index=1)
    expect(view.get_by_role("img")).not_to_have_attribute("alt", first)
    expect(view.get_by_text(re.compile("^Frame 0 says"))).to_be_visible()
    frames, text = see(view, r"in each of (\d+) frames\. Read from it: (.*)\. Marked: 0\.00 to").groups()
    assert options(word)[0] == "the whole clip"
    assert " ".join(one.split(" · ")[1] for one in options(word)[1:]) == text

    # Step by keyboard: at the last frame the collapse has written what was read.
    frame.press("ArrowRight")
    expect(view.get_by_text(re.compile("^Frame 1 says"))).to_be_visible()
    frame.press("End")
    expect(view.get_by_text(re.compile(f"^Frame {int(frames) - 1} says"))).to_be_visible()
    expect(view.locator("p").filter(has_text="Written so far").locator("b")).to_have_text(text)
    frame.press("Home")
    expect(view.get_by_text(re.compile("^Frame 0 says"))).to_be_visible()
    view.locator(".jupyter-widgets.widget-play button").first.click()
    expect(view.get_by_text(re.compile("^Frame [1-9]"))).to_be_visible()
    view.locator(".jupyter-widgets.widget-play button").first.click()

    whole = seconds_of_sound(view)
    word.select_option(index=2)
    expect(view).to_contain_text("play word 2")
    start, end = map(float, re.search(r"([\d.]+) to ([\d.]+) s", options(word)[2]).groups())
    see(view, rf"Marked: {start:.2f} to {end:.2f} s")
    assert end - start <= seconds_of_sound(view) < min(whole, end - start + 0.25)
    assert flaws(view) == []
    screenshot(view, "emission")


@shown("errors")
def test_errors(notebook: Notebook, screenshot):
    view = notebook.view("asr-errors-view")
    rows, confusions = view.locator(".widget-select select").all()
    line = re.compile(r"WER (?:[\d.]+ → )?([\d.]+) · row (\d+) · ([\d.]+) s · (.*)")
    everything = options(rows)

    def column(number: int) -> list[str]:
        return [line.fullmatch(one).group(number) for one in options(rows)]

    # Sort
    for order, number, kind, downwards in (
        ("row", 2, int, False),
        ("longest", 3, float, True),
        ("text", 4, str, False),
        ("highest WER", 1, float, True),
    ):
        before = options(rows)
        view.get_by_label("sort by").select_option(order)
        expect(rows.locator("option").first).not_to_have_text(before[0])
        values = [kind(value) for value in column(number)]
        assert values == sorted(values, reverse=downwards), order
    assert sorted(options(rows)) == sorted(everything)

    # Filter: by kind of error, by a word, by a confusion
    view.get_by_label("with").select_option("substitutions")
    expect(rows.locator("option")).not_to_have_count(len(everything))
    rows.select_option(index=0)
    expect(view.locator("p").filter(has_text=f"row {column(2)[0]} ·")).to_be_visible()
    assert int(re.search(r"S\s(\d+)", view.locator("p", has_text="WER").last.inner_text()).group(1)) > 0
    view.get_by_label("with").select_option("no errors")
    expect(rows.locator("option").first).to_have_text(re.compile(r"WER\s(?:[\d.]+\s→\s)?0\.00"))
    assert set(column(1)) == {"0.00"}
    view.get_by_label("with").select_option("any")
    expect(rows.locator("option")).to_have_count(len(everything))

    word = column(4)[0].split()[-1]
    view.get_by_label("text", exact=True).fill(word.lower())
    expect(rows.locator("option")).not_to_have_count(len(everything))
    expect(view).to_contain_text(f"{len(options(rows))} of {len(everything)} rows")
    assert all(word in text for text in column(4))
    view.get_by_label("text", exact=True).fill("")
    expect(rows.locator("option")).to_have_count(len(everything))

    commonest = options(confusions)[1]
    times, what = re.match(r"(\d+) × [SDI] (.*)", commonest).groups()
    confusions.select_option(index=1)
    expect(rows.locator("option")).not_to_have_count(len(everything))
    assert 1 <= len(options(rows)) <= int(times)
    rows.select_option(index=0)
    row, reference = column(2)[0], column(4)[0]
    expect(view.locator("p").filter(has_text=f"row {row} ·")).to_be_visible()
    assert re.split(r" (?:→|left|put)", what)[0] in view.inner_text()
    screenshot(view, "errors")

    # Hear, and edit
    expect(view).to_contain_text(f"play row {row}")
    assert seconds_of_sound(view) == pytest.approx(float(column(3)[0]), abs=0.06)
    count = len(reference.split())
    box = view.get_by_label("edit")
    box.fill(reference)
    expect(view.get_by_text("As edited")).to_contain_text(f"WER 0/{count} = 0.00")
    box.fill(f"{reference} <b>MORE</b>")
    expect(view.get_by_text("As edited")).to_contain_text(f"WER 1/{count} = {1 / count:.2f}")
    expect(view.get_by_text("<b>MORE</b>", exact=True)).to_be_visible()
    box.fill("")
    expect(view.get_by_role("status")).to_contain_text("Nothing is written")
    confusions.select_option(index=0)
    expect(rows.locator("option")).to_have_count(len(everything))

    # By group
    for group in options(view.get_by_label("WER by")):
        view.get_by_label("WER by").select_option(group)
        expect(view.locator("caption").filter(has_text="WER by")).to_have_text(f"WER by {group}")
        lines = table(view, "utterances")
        assert sum(int(cells[0]) for name, cells in lines.items() if name != group) == len(everything)
    assert flaws(view) == []


@shown("search")
def test_words_and_hypotheses(notebook: Notebook, screenshot):
    view = notebook.view("asr-errors-view")
    show = view.get_by_label("show", exact=True)
    assert options(show) == ["each word", "keywords", "unknown words", "typed text", "best hypotheses"]

    # Each word
    lines = table(view, "falsely written")
    recalls = [int(cells[1].rstrip("%")) for word, cells in lines.items() if word != "words"]
    assert recalls == sorted(recalls)
    assert len(recalls) > 3
    words, before = view.locator("table").filter(has_text="falsely written"), view.locator("table").last.inner_text()
    view.get_by_label("order").select_option("most said")
    expect(words).to_contain_text("words that are said 3 times or more")
    expect(words).not_to_have_text(before, use_inner_text=True)
    said = [int(cells[0]) for word, cells in table(view, "falsely written").items() if word != "words"]
    assert said == sorted(said, reverse=True)
    word = next(word for word in table(view, "falsely written") if word != "words")
    screenshot(view, "errors-words")

    # Keywords and unknown words
    show.select_option("keywords")
    view.get_by_label("keywords", exact=True).fill(f"{word.lower()}, nonsense")
    expect(view.locator("caption").last).to_have_text("Together")
    lines = table(view, "Keywords")
    assert lines[word][0] == str(said[0])
    assert lines["nonsense"] == ["0", "–", "0"]
    show.select_option("unknown words")
    expect(view.locator("caption").filter(has_text="Known and unknown")).to_be_visible()
    assert set(table(view, "Known and unknown")) == {"words", "known", "unknown"}
    assert flaws(view) == []

    # A typed text
    rows = view.locator(".widget-select select").first
    rows.select_option(index=1)
    show.select_option("typed text")
    reference = options(rows)[1].split(" · ")[3]
    typed, words = view.get_by_label("typed text"), view.get_by_label("word", exact=True)
    expect(typed).to_have_value(reference)
    expect(words.locator("option")).to_have_count(1 + len(reference.split()))
    typed.fill(" ".join(reference.split()[:2]))
    expect(words.locator("option")).to_have_count(3)
    words.select_option(index=2)
    expect(view).to_contain_text("play typed word 2")
    typed.fill("123")
    expect(view.get_by_role("status")).to_contain_text("no letter that this recogniser writes")

    # The best hypotheses, with their errors
    show.select_option("best hypotheses")
    expect(view).to_contain_text("oracle WER")
    lines = list(table(view, "language model").values())
    scores = [float(cells[2].replace("−", "-")) for cells in lines[1:]]
    assert scores == sorted(scores, reverse=True)
    errors = [int(cells[3]) for cells in lines[1:]]
    assert (
        f"{min(errors) / len(reference.split()):.2f}, of hypothesis {errors.index(min(errors)) + 1}"
        in view.inner_text()
    )
    assert flaws(view) == []
    screenshot(view, "errors-hypotheses")


@shown("search")
def test_hypotheses_below_the_greedy_text(notebook: Notebook, screenshot):
    view = notebook.view("asr-emission-view")
    expect(view.get_by_text("Greedy:")).to_be_visible()
    frame = slider(view, "frame")
    frame.press("End")
    greedy = view.locator("p").filter(has_text="Greedy:").locator("b").inner_text()
    expect(view.locator("p").filter(has_text="Written so far").locator("b")).to_have_text(greedy)
    text = see(view, r"Read from it: (.*)\. Marked").group(1)
    best = view.locator("table").filter(has_text="language model").locator("tr").nth(1).locator("td").first
    kept = best.locator("span:not([style*=line-through])")
    assert " ".join(kept.all_inner_texts()) == text
    changed = best.locator("span[style*=decoration]")
    assert (changed.count() > 0) == (greedy != text)
    assert flaws(view) == []
    screenshot(view, "emission-search")


@shown("training")
def test_training(notebook: Notebook, screenshot):
    view = notebook.view("asr-training-view")
    expect(view).to_contain_text(re.compile(r"Done: (\d+) steps in \d+ s\."))
    steps = re.search(r"Done: (\d+) steps", view.inner_text()).group(1)
    expect(view.locator(".progress-bar")).to_be_visible()
    seen = see(view, rf"Curves up to step {steps}\. Last: (.*)\.").group(1)
    for name in ("loss", "validation WER", "share of blank frames", "learning rate"):
        assert re.search(rf"{name} [\d.]+", seen), name
    assert flaws(view) == []
    screenshot(view, "training")


@shown("recording")
def test_recording(notebook: Notebook, screenshot):
    view = notebook.view("asr-recording-view")
    parts, strip = view.locator(".widget-select select"), view.locator("button[title*=':']")
    everything = options(parts)
    assert strip.count() == len(everything) > 30
    end = int(see(view, r"Waveform from 0:00 to (\d):\d\d, cut into (\d+) parts\.").group(1))
    assert end == 3
    whole = view.get_by_role("img").evaluate("image => image.src")
    assert flaws(view) == []

    # A click on the strip, and a key, play their part and show its words
    strip.nth(4).click()
    expect(parts.locator("option:checked")).to_have_text(parts.locator("option").nth(4).inner_text())
    lengths = [seconds_of_sound(view)]
    written = everything[4].split(" · ")[1]
    expect(view.locator("span[title*='sure']")).to_have_text(written.split())
    strip.nth(5).press("Enter")
    expect(view.locator("span[title*='sure']")).to_have_text(everything[5].split(" · ")[1].split())
    lengths.append(seconds_of_sound(view))
    assert all(0.5 < length < 7 for length in lengths)
    assert lengths[0] != lengths[1]
    assert view.get_by_role("img").evaluate("image => image.src") == whole, "the picture stays, the mark moves"
    screenshot(view, "recording")

    # The strip lies below its picture: each button as wide as its part, from left to right
    boxes = [button.bounding_box() for button in strip.all()]
    image = view.get_by_role("img").bounding_box()
    assert image["x"] < boxes[0]["x"] < image["x"] + 0.15 * image["width"]
    assert image["x"] + 0.95 * image["width"] < boxes[-1]["x"] + boxes[-1]["width"] < image["x"] + image["width"] + 1
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)

    # The rest is another section
    view.get_by_label("section").select_option("from 3:00")
    see(view, "Waveform from 3:0")
    assert options(parts)[0].startswith("3:0")
    assert flaws(view) == []


def upload(view: Locator, name: str, content: bytes) -> None:
    """Chooses a file in a view."""
    with view.page.expect_file_chooser() as chooser:
        view.get_by_role("button", name="choose a recording").click()
    chooser.value.set_files({"name": name, "mimeType": "audio/flac", "buffer": content})


@shown("voice")
def test_voice(notebook: Notebook, screenshot):
    view = notebook.view("asr-voice-view")
    clip = loading.load_rows(source("demo"))[32]["audio"]["bytes"]

    upload(view, "not sound.flac", b"no sound at all")
    expect(view.get_by_role("status")).to_contain_text("not sound.flac")
    assert view.get_by_role("img").count() == 0

    upload(view, "my voice.flac", clip)
    expect(view).to_contain_text("my voice.flac")
    expect(view.get_by_role("status")).to_have_count(0)
    seconds = soundfile.info(io.BytesIO(clip)).duration
    text = see(view, rf"Waveform of {seconds:.1f} s, .*: (.*)\.").group(1)
    word = view.get_by_label("word", exact=True)
    assert " ".join(one.split(" · ")[1] for one in options(word)[1:]) == text
    expect(view.get_by_text(text, exact=True).first).to_be_visible()
    assert table(view, "signal to noise")[f"{seconds:.2f} s"][0] == "8,000 Hz"
    assert seconds_of_sound(view) == pytest.approx(seconds, abs=0.02)
    word.select_option(index=1)
    expect(view).to_contain_text("play word 1")
    assert seconds_of_sound(view) < seconds
    view.get_by_text("words in time", exact=False).first.click()
    assert flaws(view) == []
    screenshot(view, "voice")


@pytest.fixture
def allow(notebook: Notebook) -> Iterator[None]:
    """Lets the page use the microphone; otherwise the browser refuses it."""
    notebook.page.context.grant_permissions(["microphone"])
    yield
    notebook.page.context.clear_permissions()


def start(view: Locator) -> None:
    """Presses record, by keyboard."""
    view.get_by_role("button", name="record", exact=True).press("Enter")
    expect(view.locator("[aria-live]")).to_contain_text("Recording: speak, then press stop.")


@shown("microphone")
def test_a_voice_from_the_microphone(notebook: Notebook, allow, spoken: Path, screenshot, capsys):
    view = notebook.view("asr-voice-view")
    expect(view.get_by_text("does not load anywidget")).to_be_hidden()
    clock, level = view.get_by_role("timer"), view.get_by_role("meter", name="level")
    seconds = soundfile.info(spoken).duration

    start(view)
    expect(clock).to_have_text(re.compile(r"^[1-9]\.\d s of 30 s$"))
    expect(level).not_to_have_attribute("aria-valuenow", "-60")  # it hears the voice
    assert flaws(view) == []
    screenshot(view, "microphone")
    expect(clock).to_have_text(re.compile(rf"^{seconds:.0f}\.\d s of 30 s$"))
    stop = view.get_by_role("button", name="stop")
    stop.focus()
    milliseconds = milliseconds_to_picture(view, lambda: stop.press("Space"))
    with capsys.disabled():
        print(f"\nFrom stop to transcript, {seconds:.1f} s of speech: {milliseconds / 1_000:.2f} s")
    assert milliseconds < 3_000
    expect(view).to_contain_text("your recording")
    expect(level).to_have_attribute("aria-valuenow", "-60")
    recorded = see(view, r"Waveform of ([\d.]+) s, .*: (.*)\.")
    assert float(recorded.group(1)) == pytest.approx(seconds, abs=1.5)
    assert flaws(view) == []
    screenshot(view, "voice-recorded")

    upload(view, spoken.name, spoken.read_bytes())
    expect(view).to_contain_text(spoken.name)
    uploaded = see(view, rf"Waveform of {seconds:.1f} s, .*: (.*)\.").group(1)
    assert len(uploaded.split()) > 3
    assert evaluation.score([uploaded], [recorded.group(2)]).words.errors <= 2


@shown("microphone")
def test_a_microphone_that_is_not_allowed(notebook: Notebook, spoken: Path, screenshot):
    view = notebook.view("asr-voice-view")
    for _ in range(2):
        view.get_by_role("button", name="record", exact=True).click()
        expect(view.locator("[aria-live]")).to_contain_text("This page may not use the microphone")
    screenshot(view, "microphone-refused")
    upload(view, "my voice.wav", spoken.read_bytes())
    expect(view).to_contain_text("my voice.wav")
    see(view, "Waveform of")


@shown("microphone")
def test_a_voice_is_taught(notebook: Notebook, allow, spoken: Path, screenshot):
    view = notebook.view("asr-teaching-view")
    expect(view).to_contain_text("Recordings stay on the machine")
    sentences = view.locator(".widget-select select")
    assert len(options(sentences)) == 10
    start(view)  # and it stops by itself
    expect(view).to_contain_text("Sentence 1 is kept.", timeout=PATIENCE * 1_000)
    expect(view).to_contain_text("Read aloud sentence 2 of 10")
    assert seconds_of_sound(view) == pytest.approx(4, abs=0.01)

    upload(view, "silence.wav", audio.encode(np.zeros(32_000), 16_000))
    expect(view.get_by_role("status")).to_contain_text("Not kept: Nothing is heard")
    screenshot(view, "teaching-refused")
    for number in range(2, 11):
        waveform, rate = audio.decode(spoken)
        upload(view, f"{number}.wav", audio.encode(waveform * (1 - number / 20), rate))  # each another sound
        expect(view).to_contain_text(f"Sentence {number} is kept.")
    expect(view).to_contain_text("All sentences are there")
    assert all(one.startswith("✓") for one in options(sentences))
    view.get_by_role("button", name="make the folder").click()
    expect(view).to_contain_text("10 recordings are in")
    assert flaws(view) == []
    screenshot(view, "teaching")
    assert len(loading.load_rows(source(view.get_by_label("folder").input_value()))) == 10


def test_a_page_that_lacks_anywidget(server: str, browser: Browser, spoken: Path, screenshot):
    with Notebook.open(browser, server, "unrecorded.ipynb", blocked="**/extensions/anywidget/**") as notebook:
        notebook.run_all()
        view = notebook.view("asr-voice-view")
        expect(view.get_by_text("does not load anywidget")).to_be_visible()
        expect(view.get_by_text("error")).to_be_hidden()
        screenshot(view, "microphone-missing")
        upload(view, "my voice.wav", spoken.read_bytes())
        expect(view).to_contain_text("my voice.wav")
        see(view, "Waveform of")
