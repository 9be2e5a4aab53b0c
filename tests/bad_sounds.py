"""Files that people and programs leave where sounds are expected: what each is, and what is said of it."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import soundfile

HEARD = ""  # nothing is wrong with it


def written(samples, rate=16_000, form="WAV", subtype="PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def header(rate=16_000, channels=1, claimed=32_000, kind=1, bits=16) -> bytes:
    """A WAV's first 44 bytes: it claims so many bytes of sound."""
    width = channels * bits // 8
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + claimed, b"WAVE", b"fmt ", 16, kind, channels, rate,
                       rate * width % 2**32, width % 2**16, bits, b"data", claimed)  # fmt: skip


def bad_sounds() -> dict[str, tuple[bytes, str]]:
    """By name: a file's bytes, and a part of the message; `HEARD` where it is a sound all the same."""
    rng = np.random.default_rng(0)
    speech = (rng.normal(0, 0.1, 16_000) * (np.arange(16_000) // 2_000 % 2)).astype(np.float32)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("clip.wav", written(speech))
    not_numbers, endless = speech.copy(), speech.copy()
    not_numbers[500], endless[500] = np.nan, np.inf
    no_sound, breaks, strange = "is not a sound file", "is not a sound file that can be read", "no speech is recorded"
    short = "shorter than one frame"
    flac, ogg = written(speech, form="FLAC"), written(speech, form="OGG", subtype="VORBIS")
    unknown_length = bytearray(flac)
    unknown_length[21:26] = bytes([unknown_length[21] & 0xF0, 0, 0, 0, 0])
    return {
        "empty.wav": (b"", no_sound),
        "text.wav": (b"Dear bank, my card is lost.\n" * 50, no_sound),
        "page.mp3": (b"<!doctype html><title>404</title>" + b"<p>not found" * 200, no_sound),
        "data.flac": (b'{"file": "a.flac"}' * 50, no_sound),
        "archive.wav": (archive.getvalue(), no_sound),
        "video.wav": (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(4_000), no_sound),
        "matroska.ogg": (b"\x1aE\xdf\xa3" + bytes(4_000), no_sound),
        "picture.wav": (b"\x89PNG\r\n\x1a\n" + bytes(4_000), no_sound),
        "print.wav": (b"%PDF-1.7\n" + bytes(4_000), no_sound),
        "program.wav": (b"\x7fELF" + bytes(4_000), no_sound),
        "noise.ogg": (rng.bytes(4_000), no_sound),
        "half a header.wav": (header()[:20], no_sound),
        "header alone.wav": (header(claimed=0), short),
        "header that promises.wav": (header(claimed=32_000), short),
        "a day.wav": (header(claimed=2_764_800_000) + bytes(100), short),
        "cut.wav": (written(speech)[:20_000], HEARD),  # what is there is whole
        "cut.flac": (flac[: len(flac) // 2], breaks),
        "cut.ogg": (ogg[:200], no_sound),
        "length unknown.flac": (bytes(unknown_length), no_sound),
        "no numbers.wav": (written(not_numbers, subtype="FLOAT"), "NaN or infinite"),
        "endless numbers.wav": (written(endless, subtype="FLOAT"), "NaN or infinite"),
        "one sample.wav": (written(speech[:1]), short),
        "too short.wav": (written(speech[:399]), short),
        "slow.wav": (written(speech[:800], 100), strange),
        "quick.wav": (header(rate=4_000_000) + bytes(8_000), strange),
        "silence.wav": (written(np.zeros(16_000)), HEARD),
        "constant.wav": (written(np.full(16_000, 0.99)), HEARD),
        "clipped.wav": (written(np.sign(speech)), HEARD),
        "384 kHz.wav": (written(np.repeat(speech, 24), 384_000), HEARD),
        "7 channels.wav": (written(np.repeat(speech[:, None], 7, 1)), HEARD),
        "a-law.wav": (written(speech[::2], 8_000, subtype="ALAW"), HEARD),
        "24 bits.aiff": (written(speech, form="AIFF", subtype="PCM_24"), HEARD),
        "a\nnew line\x1b[2J.wav": (b"", no_sound),
    }


def write_bad_sounds(folder: Path) -> dict[str, str]:
    """All of them as files, a folder and a dead link among them: what is said of each, by its path."""
    folder.mkdir(parents=True)
    said = {}
    for name, (content, message) in bad_sounds().items():
        (folder / name).write_bytes(content)
        said[str(folder / name)] = message
    (folder / "folder.wav").mkdir()
    (folder / "link.wav").symlink_to(folder / "gone.wav")
    return said | {str(folder / "folder.wav"): "There is no file", str(folder / "link.wav"): "There is no file"}
