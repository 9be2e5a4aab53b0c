"""What a file and its samples show.

Conventions: samples are (num_samples, num_channels) float32; levels are in dB relative to full scale (dBFS). A file's
header is read first; its samples are decoded once, and not at all where the header says enough.
"""

import hashlib
import os
import re
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np
import soundfile

from .. import AsrError, audio
from ..fragments import file_of, times_of
from ..languages import units
from ..preprocessing import frames_needed
from .reasons import Model, Row

# s: a decoded length this much under the declared one is a loss; encoders' padding is shorter than that.
SHORTFALL = 0.05
# dBFS, of a clip's samples about their mean. 16 bits reach down to -98: under -70 a voice would have 28 dB left to
# stand in, and what is found there is a microphone that was off.
SILENT = -70.0
# dBFS: a voice this quiet has lost a third of its 16 bits, and stands close to most recorders' own noise.
QUIET = -50.0
# Of full scale. Recorders' offsets lie under 0.005; one of 0.02 shifts what clips and hides what is quiet.
DC_OFFSET = 0.02
# Of full scale. Float files may overshoot a little; twice is a file of another scale, such as integers kept as floats.
FULL_SCALE = 2.0
# Share of samples: a single peak that touches the top is no harm, one sample in 500 is heard.
CLIPPED = 0.002
# Correlation with the loudest channel. A room heard by two microphones stays above, two people on two lines near 0.
ALIKE = 0.3
# dBFS: a channel below does not count as one that could differ.
CHANNEL_ON = -60.0
# dB between the loudest moment of the band from 60 to 95 % of the model's and that of the band under 45 %. Speech has
# an s or an f somewhere: people and synthetic voices stood between -2 and -42. Upsampling leaves only rounding:
# telephone speech brought from 8 to 16 kHz stood below -74.
EMPTY_BAND = -55.0
# Window length in samples and number of windows: what is asked is answered by 48 windows as well as by all.
WINDOW, WINDOWS = 512, 48
# (kernel, stride) of the convolutions of Wav2Vec2, HuBERT, WavLM and their kin: one frame in 320 samples.
CONVOLUTIONS = ((10, 5), *((3, 2),) * 4, *((2, 2),) * 2)
MASKED_SPAN = 10  # frames: SpecAugment's span in those models; transformers refuses to mask a shorter batch
# s. Attention's memory grows with the square of the length: 30 s is where most recipes cut.
MAX_SECONDS = 30.0
SPARSEST = 16  # bytes a second: a FLAC of silence takes 50 or more; a header that promises more lies
LARGEST = 2**28  # bytes: 30 s of 7 channels at 384 kHz; a larger file is not even opened

FORMATS = {
    ".wav": "WAV WAVEX RF64", ".wave": "WAV WAVEX RF64", ".flac": "FLAC", ".mp3": "MP3 MPEG", ".ogg": "OGG",
    ".oga": "OGG", ".opus": "OGG", ".aif": "AIFF", ".aiff": "AIFF", ".aifc": "AIFF", ".au": "AU", ".w64": "W64",
    ".caf": "CAF", ".m4a": "", ".mp4": "", ".aac": "", ".wma": "", ".webm": "", ".amr": "",
}  # fmt: skip
# What else comes under a sound's name, by how it begins.
BEGINNINGS = (
    (rb"....ftyp", "an MP4 or M4A file"), (rb"\x1aE\xdf\xa3", "a WebM or Matroska file"), (rb"#!AMR", "an AMR file"),
    (rb"version https://git-lfs", "a Git LFS pointer, not the file it stands for"), (rb"PK\x03\x04", "a zip archive"),
    (rb"\s*<(!DOCTYPE|html|\?xml)", "a web page"), (rb"\s*[{\[]", "JSON"), (rb"0&\xb2u", "a WMA file"),
)  # fmt: skip


def num_frames(num_samples: int) -> int:
    """How many frames an encoder of the Wav2Vec2 family makes of a clip at its own rate; 0 below 400 samples.

    >>> num_frames(16_000), num_frames(400), num_frames(399)
    (49, 1, 0)
    """
    for kernel, stride in CONVOLUTIONS:
        num_samples = (num_samples - kernel) // stride + 1
    return max(num_samples, 0)


def examine_clip(row: Row, clip: Any, model: Model) -> None:
    """Looks at a row's audio, its text having been looked at, and writes what there is to know into its row."""
    content = clip.get("bytes") if isinstance(clip, dict) else clip
    if content is None and isinstance(clip, dict):
        content = clip.get("path")
    if isinstance(content, (str, os.PathLike)):
        if not os.path.isfile(file_of(content)):
            row.problems["missing-file"] = f"There is no file {row.file!r}: correct its name or bring it."
            return
        if times_of(content):
            content = _read_part(row, str(content))
            if content is None:
                return
    if isinstance(content, (str, os.PathLike)):
        try:
            size = os.path.getsize(content)
            content = Path(content).read_bytes() if size <= LARGEST else None
        except OSError as error:
            row.problems["unreadable"] = f"{row.file!r} cannot be opened: {error.strerror}."
            return
        if content is None:
            row.problems["too-long"] = f"The file has {size / 1e6:.0f} MB: cut it into clips below {MAX_SECONDS:.0f} s."
            return
    if not isinstance(content, (bytes, bytearray, memoryview)):
        row.problems["unreadable"] = "The row holds neither the bytes nor the path of a sound."
        return
    content = bytes(content)
    if not content:
        row.problems["empty-file"] = "The file has 0 bytes: copy or download it again."
        return
    try:
        with audio.open_sound(content) as file:
            samples = _read(row, file, content)
    except AsrError as error:
        samples = None
        seen = next((name for start, name in BEGINNINGS if re.match(start, content, re.DOTALL | re.IGNORECASE)), "")
        row.problems["unreadable"] = f"{str(error).rstrip('.')}{f'; it looks like {seen}' if seen else ''}."
    if samples is not None:
        with np.errstate(all="ignore"):  # samples that are no numbers are what is looked for
            _examine_samples(row, samples, model)


def _read_part(row: Row, path: str) -> bytes | None:
    """The part of a file that a path means; None where it cannot be read, or is too long to be."""
    try:
        seconds = audio.duration(path)
        if seconds <= MAX_SECONDS:
            return audio.read_part(path)
        row.seconds = seconds
        row.problems["too-long"] = _too_long(seconds)
    except AsrError as error:
        row.problems["unreadable"] = str(error)
    return None


def _too_long(seconds: float) -> str:
    return f"It declares {seconds:.1f} s, and memory grows with the square: cut it below {MAX_SECONDS:.0f} s."


def _read(row: Row, file: soundfile.SoundFile, content: bytes) -> np.ndarray | None:
    """The samples, (num_samples, num_channels) float32; None where the header says that they are of no use."""
    row.sampling_rate = file.samplerate
    suffix = PurePath(row.file).suffix.lower()
    if suffix in FORMATS and file.format not in FORMATS[suffix].split():
        row.problems["wrong-extension"] = f"The name ends in {suffix!r}, the content is {file.format}: rename it."
    if not audio.LOWEST_RATE <= file.samplerate <= audio.HIGHEST_RATE:
        row.problems["wrong-sampling-rate"] = (
            f"The header gives {file.samplerate} Hz, at which no speech is recorded: write the true rate there."
        )
        return None
    declared = file.frames / file.samplerate
    if declared > MAX_SECONDS:
        row.seconds = declared if len(content) > SPARSEST * declared else 0.0
        row.problems["too-long"] = _too_long(declared)
        return None
    try:
        samples = audio.read_samples(file)
    except AsrError:
        row.problems["truncated"] = f"It breaks off, or is damaged, before the {declared:.2f} s that it declares."
        return None
    row.seconds = len(samples) / file.samplerate
    if not len(samples):
        row.problems["no-samples"] = "The file has a header and no sound behind it."
        return None
    expected = _declared_seconds(file, content, row.seconds)
    if expected is None:
        row.problems["truncated"] = f"Its last page is missing: it breaks off after {row.seconds:.2f} s."
    elif expected - row.seconds > SHORTFALL:
        row.problems["truncated"] = f"It declares {expected:.2f} s and breaks off after {row.seconds:.2f} s."
    return samples


def _declared_seconds(file: soundfile.SoundFile, content: bytes, seconds: float) -> float | None:
    """How long the file says it is. libsndfile believes a cut WAV's length to be what is left of it.

    Returns:
        Seconds; `seconds` where the format does not say; None where it does not say, but something is missing.
    """
    if file.format == "FLAC":
        return file.frames / file.samplerate
    if file.format in ("MP3", "MPEG"):
        start = 0
        if content[:3] == b"ID3" and len(content) > 10:
            start = 10 + sum((byte & 127) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))
        head = content[start : start + 512]
        # Without this tag the number of frames is a guess from the size.
        return file.frames / file.samplerate if b"Xing" in head or b"Info" in head else seconds
    if file.format == "OGG":
        last = content.rfind(b"OggS")
        return seconds if content[last + 5 : last + 6] and content[last + 5] & 4 else None  # 4: the stream's last page
    declared, available = _declared_bytes(content)
    return seconds * declared / available if available else seconds


def _declared_bytes(content: bytes) -> tuple[int, int]:
    """The length of the sound's own chunk, as declared and as it is, in bytes; (0, 0) where that is not said."""
    size = len(content)
    if content[:4] == b".snd":
        offset, declared = (int.from_bytes(content[at : at + 4], "big") for at in (4, 8))
        return (declared, size - offset) if declared < 0xFFFFFFFF and offset < size else (0, 0)
    if content[:4] == b"riff":  # W64: 16 bytes of name, 8 of length
        return int.from_bytes(content[16:24], "little"), size
    if content[:4] not in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return 0, 0
    order: Literal["big", "little"] = "big" if content[:4] in (b"RIFX", b"FORM") else "little"
    at, long = 12, 0
    while at + 8 <= size:
        name, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], order)
        if name == b"ds64":
            long = int.from_bytes(content[at + 16 : at + 24], "little")
        if name in (b"data", b"SSND"):
            if content[:4] == b"RF64" and length == 0xFFFFFFFF:
                length = long
            # Written to a pipe, a WAV does not know its length and says 0 or a very large one.
            return (length, size - at - 8) if 0 < length < 0x7FFFF000 else (0, 0)
        at += 8 + length + length % 2
    return 0, 0


def _decibels(power: float) -> float:
    return 10 * float(np.log10(max(power, 1e-12)))


def _examine_samples(row: Row, samples: np.ndarray, model: Model) -> None:
    """Looks at (num_samples, num_channels) float32."""
    found = row.problems
    waveform = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)  # (num_samples,)
    energy = float(waveform @ waveform)
    if not np.isfinite(energy):  # one sample that is no number, or far too large, is enough
        bad = int(len(samples) - np.isfinite(samples).all(axis=1).sum())
        found["not-finite"] = f"{bad or 'Some'} of its {len(samples)} samples are not numbers: write the file again."
        return
    mean = float(waveform.mean(dtype=np.float64))
    level = _decibels(energy / len(waveform) - mean**2)
    if samples.shape[1] > 1:
        _examine_channels(row, samples)
    if level < SILENT:
        found["silence"] = f"Nothing is heard: its level is {level:.0f} dBFS."
        return
    row.digest = hashlib.blake2b(waveform.data, digest_size=16).hexdigest()
    if level < QUIET:
        found["low-level"] = f"It is very quiet: {level:.0f} dBFS."
    if abs(mean) > DC_OFFSET:
        found["dc-offset"] = f"Its samples lie around {mean:+.3f} instead of 0."
    highest, lowest = float(waveform.max()), float(waveform.min())
    if max(highest, -lowest) > FULL_SCALE:
        found["over-full-scale"] = f"Its samples reach {max(highest, -lowest):.6g}, and full scale is 1."
    elif (share := audio.clipped_share(waveform)) > CLIPPED:
        found["clipping"] = f"Its peaks are cut off: {share:.1%} of its samples stand at its highest or lowest value."
    frames = num_frames(round(len(waveform) * model.sampling_rate / row.sampling_rate))
    if not frames:
        found["too-short"] = f"It lasts {row.seconds:.3f} s: too short for one frame of the model."
    elif frames < MASKED_SPAN:
        found["shorter-than-mask"] = (
            f"It lasts {row.seconds:.3f} s, {frames} frames: training hides spans of {MASKED_SPAN}."
        )
    elif row.text and (needed := frames_needed(units(row.text, model.characters or row.text))) > frames:
        found["labels-exceed-frames"] = (
            f"Its transcript needs {needed} frames and the clip gives {frames}: the text is another clip's, "
            "or the clip is cut."
        )
    if row.sampling_rate >= model.sampling_rate and _is_narrow(waveform, row.sampling_rate, model.sampling_rate):
        found["narrow-band"] = (
            f"It says {row.sampling_rate} Hz and holds nothing above {0.3 * model.sampling_rate:.0f} Hz: "
            "it was recorded at a lower rate."
        )


def _examine_channels(row: Row, samples: np.ndarray) -> None:
    """Looks at (num_samples, num_channels): one voice, or several?"""
    centred = samples - samples.mean(axis=0)
    power = np.einsum("tc,tc->c", centred, centred) / len(samples)  # (num_channels,)
    loudest = int(power.argmax())
    heard = np.flatnonzero(power > 10 ** (CHANNEL_ON / 10))
    if len(heard) > 1:
        together = centred[:, heard].T @ centred[:, loudest] / len(samples)
        correlation = float((together / np.sqrt(power[heard] * power[loudest])).min())
        if correlation < ALIKE:
            row.problems["channels-differ"] = (
                f"Its {samples.shape[1]} channels hold different sounds (correlation {correlation:.2f}), "
                "perhaps two people: export the one that is transcribed."
            )
            return
    row.problems["several-channels"] = f"It has {samples.shape[1]} channels: their mean is taken."


def _is_narrow(waveform: np.ndarray, sampling_rate: int, model_rate: int) -> bool:
    """Whether the upper part of the model's band is empty, judged by some windows."""
    if len(waveform) < WINDOW:
        return False
    starts = np.linspace(0, len(waveform) - WINDOW, min(WINDOWS, len(waveform) // WINDOW), dtype=np.int64)
    windows = waveform[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(windows)) ** 2  # (windows, frequencies)
    nyquist = model_rate / sampling_rate * WINDOW / 2  # the model's, in bins
    low, high = power[:, 2 : int(0.45 * nyquist)], power[:, int(0.6 * nyquist) : int(0.95 * nyquist)]
    return _decibels(high.mean(axis=1).max()) - _decibels(low.mean(axis=1).max()) < EMPTY_BAND
