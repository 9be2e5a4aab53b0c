"""A row among the others: what a whole split shows, and what several splits together do."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..loading import voice_of
from ..speakers import SPEAKER_COLUMNS
from .rows import Rows, first_equal, only

# A clip is a wrong transcript's when it is spoken this many times faster or slower than the corpus's median, and
# this many times its usual spread; a median of fewer clips says nothing.
FASTER, SPREADS, FEWEST_CLIPS = 3.0, 5.0, 20


def compare(rows: Rows) -> None:
    """Finds what only the whole split shows."""
    facts, digests, words = rows.facts, rows.facts["digest"], rows.facts["words"]
    rates = facts["sampling_rate"]
    counts = Counter(rates[rates > 0].tolist())
    usual = max(counts, key=counts.__getitem__, default=0)
    stay = np.flatnonzero(~rows.lost)
    for number in stay[(rates[stay] > 0) & (rates[stay] != usual)]:
        rows.add_problem(
            number, "mixed-sampling-rates",
            f"It has {rates[number]} Hz, most of the {len(rows)} clips have {usual}: check that the header is true.",
        )  # fmt: skip
    first = stay[first_equal(words[stay])]
    again = (first != stay) & (digests[first] != digests[stay])
    for number, other in zip(stay[again], first[again], strict=True):
        rows.add_problem(number, "duplicate-text", f"Row {other} has the same transcript.")
    heard = stay[digests[stay] != b""]
    first = heard[first_equal(digests[heard])]
    again = first != heard
    for number, other in zip(heard[again], first[again], strict=True):
        rows.add_problem(number, "duplicate-audio", f"Row {other} is the same sound.")
    # Of each clip, the first row that says something else than its first one.
    differs = words[heard] != words[first]
    others = dict(zip(first[differs][::-1].tolist(), heard[differs][::-1].tolist(), strict=True))
    for place in np.flatnonzero(np.isin(first, list(others))):
        other = first[place] if differs[place] else others[int(first[place])]
        rows.add_problem(
            heard[place], "conflicting-transcripts",
            f"Row {other} is the same sound with another transcript: one of the two is wrong.",
        )  # fmt: skip
    _compare_speech_rates(rows)
    unspaced = np.flatnonzero(facts["unspaced"])
    if len(unspaced) > len(rows) / 2:
        rows.add_problem(
            unspaced[0], "no-word-spaces",
            f"{len(unspaced)} of {len(rows)} transcripts are in a script without spaces between words: WER counts "
            "each as one word, so judge by CER, as a training with --language does.",
        )  # fmt: skip
    marked = np.flatnonzero(facts["vowels"] == b"some")
    if bare := int((facts["vowels"] == b"none").sum()) * bool(len(marked)):
        rows.add_problem(
            marked[0], "vowel-marks-in-some-rows",
            f"{len(marked)} transcripts have vowel marks and {bare} have none: write all with them, or all without. A "
            "vocabulary made of these rows leaves them out.",
        )  # fmt: skip


def _compare_speech_rates(rows: Rows) -> None:
    seconds, letters = rows.facts["seconds"], rows.facts["letters"]
    timed = np.flatnonzero((seconds > 0) & (letters > 0) & ~rows.lost)
    if len(timed) < FEWEST_CLIPS:
        return
    rates = letters[timed] / seconds[timed]
    logarithms = np.log(rates)
    away = np.abs(logarithms - np.median(logarithms))
    limit = max(np.log(FASTER), SPREADS * 1.4826 * np.median(away))  # 1.4826: a normal distribution's spread
    usual = np.median(rates)
    for place in np.flatnonzero(away > limit):
        rows.add_problem(
            timed[place], "speech-rate",
            f"{rates[place]:.1f} characters a second, where {usual:.1f} is usual here: its transcript may be another "
            "clip's.",
        )  # fmt: skip


def speakers_of(splits: Mapping[str, Any]) -> dict[str, list[str]]:
    """Who speaks in each split's rows: a column's word, or the demo paths'; "" where that is not known."""
    speakers, voices = {}, {}
    for name, rows in splits.items():
        columns = rows.column_names if hasattr(rows, "column_names") else (rows[0].keys() if len(rows) else ())
        column = next((known for known in SPEAKER_COLUMNS if known in columns), None)
        speakers[name] = [str(row.get(column) or "") for row in only(rows, column)] if column else [""] * len(rows)
        if "path" in columns:
            voices[name] = [voice_of(row.get("path") or "") or "" for row in only(rows, "path")]
    # Many corpora's names begin alike, as in clip_0001.wav: that is no voice.
    if len({one for part in voices.values() for one in part} - {""}) > 1 and not any(map(any, speakers.values())):
        speakers |= voices
    return speakers


def compare_splits(splits: dict[str, Rows], speakers: dict[str, list[str]]) -> None:
    """Finds what only several splits together show."""
    if len(splits) < 2:
        return
    _compare_clips(splits)
    first: dict[str, int] = {}
    for number, speaker in enumerate(speakers.get("test", [])):
        first.setdefault(speaker, number)
    for name in splits:
        if name == "test" or "test" not in splits:
            continue
        known = set(speakers[name]) - {""}
        counts = Counter(one for one in speakers["test"] if one in known)
        for speaker, count in counts.items():
            splits["test"].add_problem(
                first[speaker], "speaker-in-two-splits",
                f"The speaker {speaker!r} of {count} test rows also speaks in {name}: the measure will flatter.",
            )  # fmt: skip


def _compare_clips(splits: dict[str, Rows]) -> None:
    order: list[str] = [name for name in ("test", "validation", "train") if name in splits]
    order += [name for name in splits if name not in order]
    # Of the rows of all splits, one split after the other: the split's place in `order`, the row's number, its digest.
    parts = np.repeat(np.arange(len(order)), [len(splits[name]) for name in order])
    numbers = np.concatenate([np.arange(len(splits[name])) for name in order])
    digests = np.concatenate([splits[name].facts["digest"] for name in order])
    lost = np.concatenate([splits[name].lost for name in order])
    measuring = np.flatnonzero((digests != b"") & ~lost)  # what is set aside measures nothing
    known, first = np.unique(digests[measuring], return_index=True)
    if not len(known):
        return
    found = np.minimum(np.searchsorted(known, digests), len(known) - 1)
    where = measuring[first[found]]  # the first row with that sound; any row where the sound is not known
    for place in np.flatnonzero((known[found] == digests) & (parts[where] < parts)):
        splits[order[parts[place]]].add_problem(
            numbers[place], "clip-in-two-splits",
            f"It is row {numbers[where[place]]} of {order[parts[where[place]]]} too, where it is to measure: it must "
            "not teach.",
        )  # fmt: skip
