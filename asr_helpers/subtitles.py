"""08  Words in time as files that other programs read: subtitles, and the forms of speech research.

Conventions: words come in the order in which they are said; times are seconds.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .inference import Transcript, Word

# As guidelines for subtitles have them: at most two lines of 42 characters, for 1 to 7 seconds.
WIDEST, LINES, LONGEST, SHORTEST = 42, 2, 7.0, 1.0
PAUSE = 0.8  # s of quiet behind which a subtitle ends


@dataclass(frozen=True)
class Subtitle:
    """Some words that are shown together: their times, s, and one or two lines of text."""

    start: float
    end: float
    lines: tuple[str, ...]


def subtitles(words: Sequence[Word]) -> Iterator[Subtitle]:
    """Words gathered to subtitles, which end in a pause, or where they are full.

    >>> said = [Word("my", 0.0, 0.2, 1.0), Word("card", 0.3, 0.6, 1.0), Word("thanks", 2.0, 2.4, 1.0)]
    >>> [(one.start, one.end, one.lines) for one in subtitles(said)]
    [(0.0, 1.0, ('my card',)), (2.0, 3.0, ('thanks',))]
    """
    begin = 0
    for place, word in enumerate(words):
        nearest = words[place + 1] if place + 1 < len(words) else None
        full = nearest and (
            nearest.start - word.end > PAUSE
            or nearest.end - words[begin].start > LONGEST
            or len(_wrapped(words[begin : place + 2])) > LINES
        )
        if full or nearest is None:
            latest = nearest.start if nearest else float("inf")
            end = min(max(word.end, words[begin].start + SHORTEST), latest)
            yield Subtitle(words[begin].start, end, _wrapped(words[begin : place + 1]))
            begin = place + 1


def _wrapped(words: Sequence[Word]) -> tuple[str, ...]:
    """Words in lines; one that is wider than a line has one for itself."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word.text) <= WIDEST:
            lines[-1] += f" {word.text}"
        else:
            lines.append(word.text)
    return tuple(lines)


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1_000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1_000:02}{mark}{rest % 1_000:03}"


def srt(words: Sequence[Word], name: str = "") -> str:
    """SubRip, which video players read.

    >>> print(srt([Word("hello", 0.5, 3_661.25, 0.9)]).strip())
    1
    00:00:00,500 --> 01:01:01,250
    hello
    """
    return "".join(
        f"{number}\n{_clock(shown.start, ',')} --> {_clock(shown.end, ',')}\n" + "\n".join(shown.lines) + "\n\n"
        for number, shown in enumerate(subtitles(words), 1)
    )


def vtt(words: Sequence[Word], name: str = "") -> str:
    """WebVTT, which browsers read (https://www.w3.org/TR/webvtt1/)."""
    shown = "".join(
        f"{_clock(one.start, '.')} --> {_clock(one.end, '.')}\n" + "\n".join(map(_escaped, one.lines)) + "\n\n"
        for one in subtitles(words)
    )
    return f"WEBVTT\n\n{shown}"


def _escaped(text: str) -> str:
    """Text that is no markup, nor an arrow between two times."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def ctm(words: Sequence[Word], name: str = "audio") -> str:
    """NIST's CTM, for scoring: recording, channel, start, length, word, confidence.

    >>> ctm([Word("hello", 0.5, 0.75, 0.9)], "clip")
    'clip 1 0.500 0.250 hello 0.900\\n'
    """
    name = "_".join(name.split()) or "audio"
    return "".join(
        f"{name} 1 {word.start:.3f} {word.end - word.start:.3f} {word.text} {word.confidence:.3f}\n" for word in words
    )


def textgrid(words: Sequence[Word], name: str = "") -> str:
    """Praat's TextGrid, for phonetics: one tier of words, silence as intervals without text.

    >>> textgrid([Word("hello", 0.5, 0.75, 0.9)]).count("intervals [")
    2
    """
    intervals: list[tuple[float, float, str]] = []
    now = 0.0
    for word in words:
        start = max(word.start, now)  # intervals may touch and not overlap
        if start > now:
            intervals.append((now, start, ""))
        if word.end > start:
            intervals.append((start, word.end, word.text.replace('"', '""')))
            now = word.end
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {now:.3f}",
        "tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"',
        '        name = "words"', "        xmin = 0", f"        xmax = {now:.3f}",
        f"        intervals: size = {len(intervals)}",
    ]  # fmt: skip
    for number, (start, end, text) in enumerate(intervals, 1):
        lines += [
            f"        intervals [{number}]:", f"            xmin = {start:.3f}", f"            xmax = {end:.3f}",
            f'            text = "{text}"',
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


FORMS: dict[str, Callable[[Sequence[Word], str], str]] = {"srt": srt, "vtt": vtt, "ctm": ctm, "textgrid": textgrid}
ENDINGS = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt", "ctm": ".ctm", "textgrid": ".TextGrid"}


def record(transcript: Transcript, file: str) -> dict[str, Any]:
    """A recording's transcript for a program to read."""
    return {"file": file, "text": transcript.text, "words": [vars(word) for word in transcript.words]}


def document(transcript: Transcript, file: str, form: str) -> str:
    """A recording's transcript as the content of a file, in one of the forms that `ENDINGS` has.

    >>> document(Transcript("hello", (Word("hello", 0.5, 0.75, 0.9),)), "clip.wav", "ctm")
    'clip 1 0.500 0.250 hello 0.900\\n'
    """
    if form == "text":
        return f"{transcript.text}\n"
    if form == "json":
        return json.dumps(record(transcript, file), ensure_ascii=False) + "\n"
    return FORMS[form](transcript.words, Path(file).stem)
