"""A recording of one's own, transcribed."""

from typing import TYPE_CHECKING, Any

import ipywidgets

from .. import audio
from ..plots import plot_words
from ..wording import say
from .clip import clip_facts
from .kit import (
    FULL,
    WIDE,
    View,
    draw,
    line,
    page,
    picture,
    sound,
    table,
    telling,
    text,
    unheard,
    word_options,
    word_span,
)
from .microphone import STAYS, sound_input

if TYPE_CHECKING:
    from ..inference import Recogniser

MAX_HEARD = 60  # s


def voice_view(recogniser: "Recogniser") -> View:
    """Record or upload speech; see its waveform and what was heard, words in time and how sure each is.

    Where the page allows it, the microphone records up to 30 s; elsewhere the view says why not. An upload is WAV,
    FLAC, OGG or MP3. Many phones write M4A, which cannot be read here; the view says so.

    Args:
        recogniser: hears the recording, at most the first 60 s of a file.

    Returns:
        A view with the controls `microphone`, `upload` and `word`.
    """
    word = ipywidgets.Dropdown(description=say("word"), options=word_options(()), style=WIDE, layout=FULL)
    message, shown, transcript, player = (ipywidgets.HTML() for _ in range(4))
    message.value = page(f"{say('Record, or choose a recording: WAV, FLAC, OGG or MP3, up to a minute.')} {say(STAYS)}")
    results = ipywidgets.VBox([transcript, shown, word, player], layout=FULL)
    heard: dict[str, Any] = {}

    def show_word(change: object = None) -> None:
        waveform, rate = heard["waveform"], recogniser.sampling_rate
        seconds = len(waveform) / rate
        start, end = word_span(heard["words"], word.value, seconds)
        what = say("word {number}", number=word.value + 1) if word.value >= 0 else say("the recording")
        player.value = sound(waveform[int(start * rate) : int(end * rate)], rate, say("play {what}", what=what))
        seen = say(
            "Waveform of {seconds:.1f} s, and over it where each word was heard: {text}.",
            seconds=seconds, text=heard["text"],
        )  # fmt: skip
        chosen = heard["words"][word.value : word.value + 1] if word.value >= 0 else ()
        shown.value = picture(heard["drawing"], seen, *((word.start / seconds, word.end / seconds) for word in chosen))

    def show_recording(name: str, content: bytes) -> None:
        with telling(message):
            recorded, sampling_rate = audio.decode({"bytes": content, "path": name})
            facts = audio.facts(recorded, sampling_rate)
            rate = recogniser.sampling_rate
            waveform = audio.resample(recorded[: MAX_HEARD * sampling_rate], sampling_rate, rate)
            emission = recogniser.emission(waveform)
            result = recogniser.decode(emission)
            heard.update(waveform=waveform, words=result.words, text=result.text)
            heard["drawing"] = draw(plot_words(result.words, waveform, rate))
            lines = [
                [text(word.text), f"{word.start:.2f}", f"{word.end:.2f}", f"{word.confidence:.0%}"]
                for word in result.words
            ]
            words = table([say("word"), say("from (s)"), say("to (s)"), say("sure")], lines, say("Words in time"))
            cut = say(": its first {seconds} s were heard.", seconds=MAX_HEARD) if facts.seconds > MAX_HEARD else ""
            said = f"<b>{text(result.text)}</b>" if result.text.strip() else say("No word was heard in it.")
            transcript.value = page(
                f"{line(text(name) + cut)}{line(said)}{clip_facts(facts)}"
                f"<details><summary>{say('{count} words in time', count=len(lines))}</summary>{words}</details>"
            )
            with unheard(show_word, word):
                word.options = word_options(result.words)
                word.value = -1
            show_word()
            view.children = [given, message, results]

    word.observe(show_word, "value")
    given = sound_input(show_recording)
    view = View(
        "voice",
        [given, message],
        microphone=given.microphone, upload=given.upload, word=word, message=message, shown=shown,
        transcript=transcript, player=player,
    )  # fmt: skip
    return view
