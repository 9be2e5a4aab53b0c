"""08  Recordings of any length: read in blocks, cut in pauses, transcribed part by part.

Conventions: times are seconds from the recording's start. A part answers for the time from its `start` to its `end`;
parts follow each other without gap or overlap. Where there is no pause to cut in, a part is heard together with a
second of what lies around it, and only the words whose middle lies in the part are taken from it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from . import AsrError, InputError, audio
from .audio import Audio
from .inference import Recogniser, Transcript, Word

LONGEST = 20.0  # s in a part: a model that was trained on clips hears these best, and needs little memory for them
SHORTEST = 4.0  # s, but for the last part
CONTEXT = 1.0  # s heard on either side of a cut that lies in speech
PAUSE = 0.25  # s of quiet that make a pause
SHORTEST_HEARD = 0.03  # s: less is no frame
PIECE = 0.01  # s: loudness is looked at in pieces of this length
EVEN, SILENT = 6.0, -60.0  # dB over the background that an even sound stays within; dBFS
ALIKE = 3.0  # dB


@dataclass(frozen=True)
class Part:
    """A part of a recording.

    Attributes:
        start, end: s.
        waveform: (num_samples,) float32 of the part and what is heard around it.
        before: s of the waveform that lie before the part.
    """

    start: float
    end: float
    waveform: np.ndarray
    before: float


@dataclass(frozen=True)
class HeardPart:
    """What was heard in a part: its times, its words in the recording's time."""

    start: float
    end: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The words as one text."""
        return " ".join(word.text for word in self.words)


def blocks(recording: Audio, sampling_rate: int, seconds: float = 10.0) -> Iterator[np.ndarray]:
    """A recording's sound, some seconds at a time, in one channel and at the rate wanted.

    Raises:
        InputError: it cannot be read, or breaks off: what was whole is given first.
    """
    with audio.open_sound(recording) as file:
        audio.check_rate(recording, file.samplerate)
        stream = soxr.ResampleStream(file.samplerate, sampling_rate, 1, dtype="float32")
        read = 0.0
        while True:
            try:
                block = file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, MemoryError):
                raise InputError(
                    f"{audio.name_of(recording)!r} breaks off after {read:.0f} s: what comes before was heard."
                ) from None
            waveform = block.mean(axis=1)
            if not np.isfinite(waveform).all():
                raise InputError(f"{audio.name_of(recording)!r} has samples after {read:.0f} s that are no numbers.")
            read += len(block) / file.samplerate
            last = not len(block)
            yield waveform if file.samplerate == sampling_rate else stream.resample_chunk(waveform, last=last)
            if last:
                return


def _loudness(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """The level of each whole piece, dBFS."""
    return audio.loudness(audio.piece_power(waveform, round(PIECE * sampling_rate)))


def find_cut(waveform: np.ndarray, sampling_rate: int, first: float = SHORTEST) -> tuple[float, bool]:
    """Where to cut a recording's beginning: where it is quietest, in the middle of a pause where there is one.

    Args:
        waveform: (num_samples,).
        first: s; the cut lies behind it.

    Returns:
        The place, s, and whether it lies in a pause.

    >>> speech = np.random.default_rng(0).normal(0, 0.1, 16_000 * 10)
    >>> speech[16_000 * 7 : 16_000 * 8] = 0
    >>> find_cut(speech, 16_000)
    (7.5, True)
    """
    loudness, width = _loudness(waveform, sampling_rate), round(PAUSE / PIECE)
    begin = round(first / PIECE)
    # The mean over each stretch as long as a pause; of the quietest ones, those that follow each other longest.
    smooth = np.convolve(loudness[begin:], np.ones(width) / width, "valid")
    quietest = np.flatnonzero(smooth <= smooth.min() + ALIKE)
    run = max(np.split(quietest, np.flatnonzero(np.diff(quietest) > 1) + 1), key=len)
    place = (begin + float(run[0] + run[-1] + width) / 2) * PIECE
    return place, bool(smooth.min() < audio.quiet_below(loudness))


def parts(sound: Iterable[np.ndarray], sampling_rate: int) -> Iterator[Part]:
    """Cuts a stream of sound into parts of 4 to 20 s. No more than some blocks of it are in memory.

    Args:
        sound: (num_samples,) float32 each, one after the other, as `blocks` gives them.
    """
    context, longest = round(CONTEXT * sampling_rate), round(LONGEST * sampling_rate)
    held = np.zeros(0, np.float32)  # what is still needed
    begin = before = 0  # the next part's first sample in the recording, and in `held`
    for block in sound:
        held = np.concatenate([held, block])
        while len(held) - before > longest + context:
            place, in_pause = find_cut(held[before : before + longest], sampling_rate)
            end = before + round(place * sampling_rate)
            heard = held[: end if in_pause else end + context]
            yield Part(begin / sampling_rate, (begin + end - before) / sampling_rate, heard, before / sampling_rate)
            begin += end - before
            held = held[end if in_pause else end - context :]
            before = 0 if in_pause else context
    if len(held) > before:
        end = begin + len(held) - before
        yield Part(begin / sampling_rate, end / sampling_rate, held, before / sampling_rate)


def is_silent(waveform: np.ndarray, sampling_rate: int) -> bool:
    """Whether there is nothing to hear: digital silence, or an even hum or hiss that nothing stands out of."""
    loudness = _loudness(waveform, sampling_rate)
    return not len(loudness) or bool(loudness.max() < max(SILENT, np.quantile(loudness, 0.1) + EVEN))


def transcribe(recogniser: Recogniser, recording: Audio, after: float = 0.0) -> Iterator[HeardPart]:
    """Writes a recording down, part by part as it is read; one of 20 s or less as a whole, as a clip.

    Args:
        recording: a file of any length.
        after: s; parts that end before are passed over: they were heard in an earlier run.

    Raises:
        InputError: it cannot be read, or breaks off: the parts before come first.
        AsrError: a part does not fit the memory.
    """
    rate = recogniser.sampling_rate
    if audio.duration(recording) <= LONGEST:
        waveform = audio.load(recording, rate)
        if after * rate < len(waveform):
            yield HeardPart(0.0, len(waveform) / rate, _heard(recogniser, recording, waveform))
        return
    for part in parts(blocks(recording, rate), rate):
        if part.end <= after:
            continue
        words: tuple[Word, ...] = ()
        if len(part.waveform) >= SHORTEST_HEARD * rate and not is_silent(part.waveform, rate):
            offset = part.start - part.before
            moved = (Word(word.text, word.start + offset, word.end + offset, word.confidence)
                     for word in _heard(recogniser, recording, part.waveform))  # fmt: skip
            words = tuple(word for word in moved if part.start <= (word.start + word.end) / 2 < part.end)
        yield HeardPart(part.start, part.end, words)


def _heard(recogniser: Recogniser, recording: Audio, waveform: np.ndarray) -> tuple[Word, ...]:
    try:
        return recogniser.decode(recogniser.emission(waveform)).words
    except AsrError as error:
        raise type(error)(f"{audio.name_of(recording)!r}: {error}") from error


def joined(heard: Iterable[HeardPart]) -> Transcript:
    """All parts of a recording as one transcript."""
    words = tuple(word for part in heard for word in part.words)
    return Transcript(" ".join(word.text for word in words), words)
