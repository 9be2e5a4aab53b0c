"""The microphone in the page, and what the views that take a voice share: record or upload.

Conventions: the page records raw samples, makes a WAV file of them (16 bits, one channel, the rate of its own
audio system) and sends it as one message. Nothing is compressed and nothing is loaded from elsewhere.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from ..microphone_words import SAYS
from ..wording import mark, say
from .kit import View, page

MAX_RECORDED = 30  # s: then a recording stops by itself
STAYS = mark("Recordings stay on the machine that runs this notebook.")
# Shown until the page has answered: a page that cannot load the record button cannot say so itself.
NO_BUTTON = mark(
    "The record button comes when the cells have run. If it stays away, this page does not load anywidget, as in some "
    "set-ups of VS Code: upload a recording instead."
)


class Microphone(anywidget.AnyWidget):
    """A record button, a level meter and a clock in the page.

    Where the page cannot record, it says why in the button's place.

    Attributes:
        longest: s after which a recording stops by itself.
        answered: whether a page has shown it.
        words: what the page says, in the reader's language.
    """

    _esm = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    longest = traitlets.Int(MAX_RECORDED).tag(sync=True)
    answered = traitlets.Bool(False).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)

    def __init__(self, **kwargs: Any):
        super().__init__(words={name: say(message) for name, message in SAYS.items()}, **kwargs)

    def on_recording(self, hear: Callable[[bytes], None]) -> None:
        """Calls `hear` with the WAV file of each recording."""

        def take(widget: object, content: Any, buffers: list[memoryview]) -> None:
            if isinstance(content, dict) and content.get("recording"):
                hear(b"".join(map(bytes, buffers)))

        self.on_msg(take)


def sound_input(hear: Callable[[str, bytes], None]) -> View:
    """A microphone, and the upload beside it.

    Args:
        hear: called with the name and the content of each recording or file.

    Returns:
        A view with the controls `microphone` and `upload`, and the HTML `hint`.
    """
    microphone = Microphone()
    upload = ipywidgets.FileUpload(description=say("choose a recording"), accept="audio/*", layout={"width": "auto"})
    hint = ipywidgets.HTML(page(say(NO_BUTTON)))
    # Hidden at first: a page that lacks anywidget would show an error in its place.
    recorder = ipywidgets.VBox([microphone], layout={"display": "none"})

    def hear_file(change: object) -> None:
        if upload.value:
            hear(*uploaded_file(upload.value))

    def show_microphone(change: object) -> None:
        recorder.layout.display, hint.layout.display = None, "none"

    microphone.on_recording(lambda content: hear(say("your recording"), content))
    microphone.observe(show_microphone, "answered")
    upload.observe(hear_file, "value")
    row = ipywidgets.HBox([upload, hint], layout={"flex_flow": "row wrap", "width": "100%"})
    return View("input", [recorder, row], microphone=microphone, upload=upload, hint=hint)


def uploaded_file(value: Any) -> tuple[str, bytes]:
    """The newest file of a FileUpload's value, in the form of ipywidgets 7 or 8.

    >>> uploaded_file({"a.wav": {"metadata": {"name": "a.wav"}, "content": b"RIFF"}})
    ('a.wav', b'RIFF')
    >>> uploaded_file(({"name": "a.wav", "content": memoryview(b"RIFF")},))
    ('a.wav', b'RIFF')
    """
    if isinstance(value, dict):
        name, file = list(value.items())[-1]
    else:
        name, file = value[-1]["name"], value[-1]
    return name, bytes(file["content"])
