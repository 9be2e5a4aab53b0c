"""What a page's microphone says, in a notebook and in the page of `asr-helpers app`."""

from .wording import mark

# What the page says, by the names that microphone.js has for it; refusals by the browser's names.
SAYS = {
    "record": mark("record"),
    "stop": mark("stop"),
    "level": mark("level (dBFS)"),
    "clock": mark("{seconds} s of {longest} s"),
    "ready": mark("Press record and speak."),
    "asking": mark("The browser may ask for the microphone: allow it."),
    "recording": mark("Recording: speak, then press stop. It stops by itself after {longest} s."),
    "sent": mark("Recorded and sent."),
    "silent": mark("Nothing came from the microphone: record again, or upload a recording instead."),
    "failed": mark("The microphone failed ({error}): upload a recording instead."),
    "NotAllowedError": mark(
        "This page may not use the microphone: allow it in the browser's settings of this page, or upload a recording "
        "instead."
    ),
    "NotFoundError": mark("The browser finds no microphone: plug one in, or upload a recording instead."),
    "NotReadableError": mark(
        "The microphone cannot be read, another program may hold it: close that program, or upload a recording instead."
    ),
    "insecure": mark(
        "This page came over plain http, and browsers give the microphone to https and localhost alone: upload a "
        "recording instead."
    ),
    "unreachable": mark(
        "This page reaches no microphone, as in some editors: open the notebook in a browser, or upload a recording "
        "instead."
    ),
    "framed": mark(
        "The page around this one keeps the microphone from it: open the notebook in a tab of its own, or upload a "
        "recording instead."
    ),
    "outdated": mark("This browser lacks AudioContext, which gives the samples: upload a recording instead."),
}
