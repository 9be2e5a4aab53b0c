"""One clip: decode, downmix, resample, encode, duration, facts.

Conventions: a waveform is (num_samples,) float32 in [-1, 1], one channel; sampling
rates are in Hz, durations in seconds. "Audio" is what a dataset row holds undecoded,
`{"bytes": …, "path": …}`, or a path, or the bytes of a file. A path may end in the part of
the file that is meant, `talk.flac#t=12.5,15` in s. Reading is soundfile's (WAV, FLAC, OGG, MP3),
resampling is soxr's: no system package is needed.
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from . import InputError
from .fragments import file_of, times_of

Audio = dict | str | os.PathLike | bytes
# Hz. Below, speech is not understood, and a wrong header would blow a clip up many times over when it is resampled.
LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000
FRAME = 0.02  # s: a clip's loudness is looked at in pieces of this length
OVERSHOOT = 0.5  # s: what a part may reach beyond its file's end, as in Kaldi's extract-segments


@dataclass(frozen=True)
class ClipFacts:
    """What can be said of a clip before anyone listens.

    Attributes:
        seconds: its length.
        sampling_rate: Hz.
        level: its root mean square, dB relative to full scale (dBFS); -inf for digital silence.
        clipped: the share of samples that stand in a row of three or more at the clip's own highest or lowest value,
            as a wave does whose top was cut off; 0 where that value is below 0.1, where rounding makes such rows.
        silence: the share of pieces of 20 ms that hold no more than the background.
        snr: an estimate of the signal-to-noise ratio, dB: the rest of the clip against its silence, which is taken
            for the noise. None without silence, or where the silence is digital or all there is.
    """

    seconds: float
    sampling_rate: int
    level: float
    clipped: float
    silence: float
    snr: float | None


class _Bytes(io.BytesIO):
    """A file in memory that a damaged header cannot send before its beginning: soundfile would print a traceback."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return super().seek(max(offset, 0) if whence == io.SEEK_SET else offset, whence)


def name_of(audio: Audio | int) -> str:
    """What a message calls a clip.

    >>> name_of({"bytes": b"", "path": "a.wav"}), name_of(b"RIFF")
    ('a.wav', 'a clip of 4 bytes')
    """
    if isinstance(audio, int):
        return "the stream"
    if isinstance(audio, dict):
        return str(audio.get("path") or "a clip without a path")
    return f"a clip of {len(audio)} bytes" if isinstance(audio, bytes) else str(audio)


def as_waveform(samples: np.ndarray) -> np.ndarray:
    """Makes sure that an array is a waveform.

    Returns:
        The same array, (num_samples,) float.

    Raises:
        InputError: it has another number of axes than one, or holds something else than floats.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        few = f": take the mean over axis {int(np.argmin(samples.shape))}, its channels" if samples.ndim == 2 else ""
        raise InputError(f"A waveform has one axis, (num_samples,), and this one has the shape {samples.shape}{few}.")
    if not np.issubdtype(samples.dtype, np.floating):
        whole = f": divide by {np.iinfo(samples.dtype).max + 1:,}" if samples.dtype.kind == "i" else ""
        raise InputError(f"A waveform holds floats in [-1, 1], and this one holds {samples.dtype}{whole}.")
    return samples


def _times(path: str | os.PathLike, file: soundfile.SoundFile) -> tuple[int, int] | None:
    """The first sample of the part that a path means, and the one behind its last; None for the whole file."""
    times = times_of(path)
    if not times:
        return None
    length = file.frames / file.samplerate
    start, end = times[0], length if times[1] is None else times[1]
    if not start < end or start >= length or end > length + OVERSHOOT:
        raise InputError(f"{str(path)!r}: there is no such part, the file has {length:.2f} s: correct the times.")
    return round(start * file.samplerate), min(round(end * file.samplerate), file.frames)


def read_part(path: str | os.PathLike) -> bytes:
    """The part of a file that a path means, as a WAV file of floats.

    Raises:
        InputError: the file cannot be read, or has no such part.
    """
    with open_sound(file_of(path)) as file:
        first, last = _times(path, file) or (0, file.frames)
        try:
            file.seek(first)
        except soundfile.LibsndfileError as error:
            raise _unreadable(str(path), error) from None
        samples, rate = read_samples(file, str(path), last - first), file.samplerate
    part = io.BytesIO()
    soundfile.write(part, samples, rate, format="WAV", subtype="FLOAT")
    return part.getvalue()


def _unreadable(audio: Audio, error: Exception) -> InputError:
    reason = "" if isinstance(error, MemoryError) else getattr(error, "error_string", str(error)).rstrip(".")
    reason = reason or "it breaks off or is damaged"  # libsndfile has no words for a damaged FLAC
    return InputError(f"{name_of(audio)!r} is not a sound file that can be read ({reason}): use WAV, FLAC, OGG or MP3.")


def open_sound(audio: Audio | int) -> soundfile.SoundFile:
    """Opens a clip and reads its header: `frames`, `samplerate`, `channels`, `format`.

    A row's bytes are preferred to its path: on a hub the path exists nowhere here. A file descriptor may be a pipe,
    from which a WAV comes whose length nobody knows yet: it can only be read from beginning to end. Until its first
    bytes are there, soundfile opens no other sound in this process.

    Raises:
        InputError: there is no such file, or it is no sound file.
    """
    if isinstance(audio, int):
        try:
            return soundfile.SoundFile(audio, closefd=False)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            raise InputError(f"What comes is no WAV ({reason}): send one, as `ffmpeg -i FILE -f wav -` does.") from None
    content: Any = audio
    if isinstance(audio, dict):
        content = audio["bytes"] if audio.get("bytes") is not None else audio.get("path")
    if content is None:
        raise InputError("A row's audio holds neither bytes nor a path: there is no sound to read.")
    if not isinstance(content, bytes) and times_of(content):
        content = read_part(content)
    if isinstance(content, bytes):
        content = _Bytes(content)
    elif not Path(content).is_file():
        raise InputError(f"There is no file {str(content)!r}: check the path.")
    try:
        file = soundfile.SoundFile(content)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: by its name the file has no header (.raw)
        raise _unreadable(audio, error) from None
    if file.frames > 2**60:  # a FLAC that was written to a pipe
        file.close()
        raise _unreadable(audio, ValueError("its header does not say how long it is"))
    return file


def read_samples(file: soundfile.SoundFile, audio: Audio = b"", frames: int = -1) -> np.ndarray:
    """The samples of an opened clip, from where it stands.

    Args:
        file: from `open_sound`.
        audio: what it was opened from, for the error's message.
        frames: at most so many; -1 for all.

    Returns:
        (num_samples, num_channels) float32.

    Raises:
        InputError: it breaks off.
    """
    try:
        return file.read(frames, dtype="float32", always_2d=True)
    # A header alone opens: what is cut short shows here. A damaged one may promise more than any memory holds.
    except (soundfile.LibsndfileError, MemoryError) as error:
        raise _unreadable(audio, error) from None


def decode(audio: Audio) -> tuple[np.ndarray, int]:
    """Reads a clip at its own rate; several channels become their mean.

    Returns:
        The waveform, (num_samples,) float32 in [-1, 1], and its sampling rate in Hz.

    Raises:
        InputError: there is no such file, it is no sound file, it breaks off, or a sample is no number.
    """
    with open_sound(audio) as file:
        with np.errstate(all="ignore"):
            waveform = read_samples(file, audio).mean(axis=1)
        if not np.isfinite(waveform).all():
            raise _unreadable(audio, ValueError("some of its samples are NaN or infinite"))
        return waveform, file.samplerate


def resample(waveform: np.ndarray, sampling_rate: int, new_rate: int) -> np.ndarray:
    """Resamples a waveform with soxr's high quality.

    Args:
        waveform: (num_samples,) float32.
        sampling_rate: its rate, Hz.
        new_rate: the rate wanted, Hz.

    Returns:
        (about num_samples * new_rate / sampling_rate,) float32.

    Raises:
        InputError: it is no waveform, or a rate is not above 0.

    >>> resample(np.zeros(800, dtype="float32"), 8_000, 16_000).shape
    (1600,)
    """
    waveform = as_waveform(waveform)
    for rate in (sampling_rate, new_rate):
        if not rate > 0:
            raise InputError(f"A sampling rate is above 0 Hz, and this one is {rate!r}.")
    return waveform if sampling_rate == new_rate else soxr.resample(waveform, sampling_rate, new_rate)


def check_rate(audio: Audio | int, its_rate: int) -> None:
    """Makes sure that a clip's own rate is one that speech is recorded at.

    Raises:
        InputError: it is not.
    """
    if not LOWEST_RATE <= its_rate <= HIGHEST_RATE:
        raise InputError(
            f"{name_of(audio)!r}: its header gives {its_rate} Hz, at which no speech is recorded; write the true rate "
            "there."
        )


def load(audio: Audio, sampling_rate: int) -> np.ndarray:
    """A clip at the rate a model wants: decoded, one channel, resampled.

    Returns:
        (num_samples,) float32 in [-1, 1] at `sampling_rate` Hz.

    Raises:
        InputError: as `decode`, or its own rate is none that speech is recorded at.
    """
    waveform, its_rate = decode(audio)
    check_rate(audio, its_rate)
    return resample(waveform, its_rate, sampling_rate)


def duration(audio: Audio) -> float:
    """A clip's length in seconds, read from its header without decoding it."""
    content = audio
    if isinstance(audio, dict):
        content = audio["path"] if audio.get("bytes") is None else audio["bytes"]
    if isinstance(content, (str, os.PathLike)) and times_of(content):
        with open_sound(file_of(content)) as file:
            first, last = _times(content, file) or (0, file.frames)
            return (last - first) / file.samplerate
    with open_sound(audio) as file:
        return file.frames / file.samplerate


def encode(waveform: np.ndarray, sampling_rate: int) -> bytes:
    """A waveform as a WAV file of 16 bits, for a player; what lies outside [-1, 1] is cut off.

    >>> waveform, sampling_rate = decode(encode(np.array([0.0, 0.5, -0.5]), 8_000))
    >>> waveform.tolist(), sampling_rate
    ([0.0, 0.5, -0.5], 8000)
    """
    file = io.BytesIO()
    soundfile.write(file, as_waveform(waveform), sampling_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def facts(waveform: np.ndarray, sampling_rate: int) -> ClipFacts:
    """Measures a clip.

    A piece of 20 ms counts as silence where it is less than 6 dB above the background, which is the level that
    a tenth of the pieces stay under; but nothing within 10 dB of the loudest piece does, and all below -60 dBFS.

    Args:
        waveform: (num_samples,) float32.
        sampling_rate: Hz.

    Raises:
        InputError: it is no waveform, or there is no sample.

    >>> facts(np.tile([0.5, -0.5], 4_000), 8_000).level  # a square wave of half the full scale
    -6.02...
    """
    waveform = as_waveform(waveform)
    if not len(waveform):
        raise InputError("The clip has no samples: there is nothing to measure.")
    size = min(round(FRAME * sampling_rate), len(waveform))
    power = piece_power(waveform, size)
    decibels = loudness(power)
    silent = decibels < quiet_below(decibels)
    noise = power[silent].mean() if silent.any() else 0.0
    snr = None
    if noise and not silent.all():
        snr = float(10 * np.log10(power[~silent].mean() / noise - 1))
    mean_square = np.square(waveform, dtype=np.float64).mean()
    return ClipFacts(
        seconds=len(waveform) / sampling_rate,
        sampling_rate=sampling_rate,
        level=float(10 * np.log10(mean_square)) if mean_square else -np.inf,
        clipped=clipped_share(waveform),
        silence=float(silent.mean()),
        snr=snr,
    )


def piece_power(waveform: np.ndarray, size: int) -> np.ndarray:
    """The mean square of each whole piece of `size` samples, (pieces,)."""
    pieces = waveform[: len(waveform) // size * size].reshape(-1, size).astype(np.float64)  # (pieces, size)
    return (pieces**2).mean(axis=1)


def loudness(power: np.ndarray) -> np.ndarray:
    """Mean squares in dBFS; -100 for digital silence."""
    return 10 * np.log10(power + 1e-10)


def quiet_below(decibels: np.ndarray) -> float:
    """The level under which a piece is silence, as in `facts`, from the levels of a clip's pieces, dBFS."""
    return max(-60, min(np.quantile(decibels, 0.1) + 6, decibels.max() - 10))


def clipped_share(waveform: np.ndarray) -> float:
    """The share of samples that stand in a row of three or more at the highest or the lowest value, as in `ClipFacts`.

    >>> clipped_share(np.array([0.0, 0.5, 0.5, 0.5, 0.0, -0.2, -0.2, 0.0], dtype="float32"))
    0.375
    """
    highest, lowest = waveform.max(), waveform.min()
    share = 0.0
    if highest >= 0.1:  # where it is small, rounding makes such rows
        share += _in_rows(waveform == highest)
    if lowest <= -0.1:
        share += _in_rows(waveform == lowest)
    return share


def _in_rows(there: np.ndarray) -> float:
    """The share that is True and in a row of three or more, of (num_samples,) bool."""
    at = np.flatnonzero(there)
    starts = np.flatnonzero(np.diff(at, prepend=-2) != 1)
    rows = np.diff(starts, append=len(at))
    return float(rows[rows >= 3].sum() / len(there))


def spectrogram(waveform: np.ndarray, sampling_rate: int, window: float = 0.025, step: float = 0.01) -> np.ndarray:
    """Short-time spectrum of a waveform.

    Args:
        waveform: (num_samples,) float32.
        sampling_rate: Hz.
        window: each frame's length, s; Hann-weighted.
        step: the time from one frame to the next, s.

    Returns:
        (frequencies, frames) float, dB below the loudest, not under -60. Frequencies run from 0 to sampling_rate / 2.

    Raises:
        InputError: it is no waveform, or has no samples.
    """
    waveform = as_waveform(waveform)
    if not len(waveform):
        raise InputError("The clip has no samples: there is nothing to draw.")
    size, hop = int(window * sampling_rate), int(step * sampling_rate)
    padded = np.pad(waveform, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(waveform) : hop]  # (frames, size)
    points = 1 << (size - 1).bit_length()  # the next power of two
    power = np.abs(np.fft.rfft(frames * np.hanning(size), n=points)).T ** 2  # (frequencies, frames)
    return np.maximum(10 * np.log10(power / (power.max() + 1e-12) + 1e-12), -60)
