"""How soon a change is on screen with a clip of ten seconds: printed, and not asserted, for machines differ."""

import statistics
from collections.abc import Callable

import pytest
from lab import Notebook
from looks import milliseconds_to_picture

TIMES = 20


@pytest.mark.parametrize("notebook", ["long.ipynb"], indirect=True)
def test_report_the_time_from_a_change_to_its_picture(notebook: Notebook, capsys):
    clip, emission = notebook.view("asr-clip-view"), notebook.view("asr-emission-view")
    rows, span = clip.locator(".widget-select select"), clip.get_by_role("slider").last
    rates = [clip.get_by_role("button", name=name) for name in ("16 kHz", "4 kHz")]  # the clip itself has 8 kHz
    frame, word = emission.get_by_role("slider"), emission.get_by_label("word", exact=True)
    clips = emission.get_by_label("clip", exact=True)
    changes: dict[str, Callable[[int], None]] = {
        "clip: span": lambda number: span.press("ArrowLeft"),
        "clip: rate": lambda number: rates[number % 2].click(),
        "clip: row": lambda number: rows.select_option(index=(number + 1) % 3),
        "emission: frame": lambda number: frame.press("ArrowRight"),
        "emission: word": lambda number: word.select_option(index=number % 2 + 1),
        "emission: clip": lambda number: clips.select_option(index=(number + 1) % 3),
    }
    lines = ["", f"From a change to its picture, 10 s clip, {TIMES} changes each (ms):"]
    for name, change in changes.items():
        view = clip if name.startswith("clip") else emission
        taken = [milliseconds_to_picture(view, lambda n=number: change(n)) for number in range(TIMES)]  # noqa: B023
        lines.append(f"  {name:16} median {statistics.median(taken):5.0f}, slowest {max(taken):5.0f}")
    with capsys.disabled():
        print("\n".join(lines))
