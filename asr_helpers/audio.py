"""One clip: decode, downmix, resample, duration.

Conventions: a waveform is (num_samples,) float32 in [-1, 1], one channel; sampling
rates are in Hz, durations in seconds. "Audio" is what a dataset row holds undecoded,
`{"bytes": …, "path": …}`, or a path, or the bytes of a file. Reading is soundfile's
(WAV, FLAC, OGG, MP3), resampling is soxr's: no system package is needed.
"""

import io
import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from . import AsrError

Audio = dict | str | os.PathLike | bytes


def _unreadable(audio: Audio, error: soundfile.LibsndfileError) -> AsrError:
    if isinstance(audio, dict):
        name = audio.get("path") or "a clip without a path"
    else:
        name = f"a clip of {len(audio)} bytes" if isinstance(audio, bytes) else audio
    return AsrError(
        f"{str(name)!r} is not a sound file that can be read "
        f"({error.error_string.rstrip('.')}): use WAV, FLAC, OGG or MP3."
    )


def _open(audio: Audio) -> soundfile.SoundFile:
    """Opens the sound, preferring a row's bytes to its path: on a hub the path exists nowhere here."""
    content = audio
    if isinstance(audio, dict):
        content = audio["bytes"] if audio.get("bytes") is not None else audio.get("path")
    if content is None:
        raise AsrError("A row's audio holds neither bytes nor a path: there is no sound to read.")
    if isinstance(content, bytes):
        content = io.BytesIO(content)
    elif not Path(content).is_file():
        raise AsrError(f"There is no file {str(content)!r}: check the path.")
    try:
        return soundfile.SoundFile(content)
    except soundfile.LibsndfileError as error:
        raise _unreadable(audio, error) from None


def decode(audio: Audio) -> tuple[np.ndarray, int]:
    """Reads a clip at its own rate; several channels become their mean.

    Returns:
        The waveform, (num_samples,) float32 in [-1, 1], and its sampling rate in Hz.

    Raises:
        AsrError: there is no such file, it is no sound file, or it breaks off.
    """
    with _open(audio) as file:
        try:
            samples = file.read(dtype="float32", always_2d=True)  # (num_samples, num_channels)
        except soundfile.LibsndfileError as error:  # a header alone opens: what is cut short shows here
            raise _unreadable(audio, error) from None
        return samples.mean(axis=1), file.samplerate


def resample(waveform: np.ndarray, sampling_rate: int, new_rate: int) -> np.ndarray:
    """Resamples a waveform with soxr's high quality.

    Args:
        waveform: (num_samples,) float32.
        sampling_rate: its rate, Hz.
        new_rate: the rate wanted, Hz.

    Returns:
        (about num_samples * new_rate / sampling_rate,) float32.

    >>> resample(np.zeros(800, dtype="float32"), 8_000, 16_000).shape
    (1600,)
    """
    return waveform if sampling_rate == new_rate else soxr.resample(waveform, sampling_rate, new_rate)


def load(audio: Audio, sampling_rate: int) -> np.ndarray:
    """A clip at the rate a model wants: decoded, one channel, resampled.

    Returns:
        (num_samples,) float32 in [-1, 1] at `sampling_rate` Hz.
    """
    return resample(*decode(audio), sampling_rate)


def duration(audio: Audio) -> float:
    """A clip's length in seconds, read from its header without decoding it."""
    with _open(audio) as file:
        return file.frames / file.samplerate
