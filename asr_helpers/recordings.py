"""08  Recordings of any length: read in blocks, cut in pauses, transcribed part by part.

Conventions: times are seconds from the recording's start. A level is (pieces,), one for each whole piece of 10 ms, in
dBFS: how much is spoken there. A part answers for the time from its `start` to its `end`;
parts follow each other without gap or overlap. Where there is no pause to cut in, a part is heard together with a
second of what lies around it, and only the words whose middle lies in the part are taken from it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import soundfile
import soxr

from . import AsrError, InputError, audio
from .audio import Audio
from .inference import Recogniser, Transcript, Word

WHOLE = 20.0  # s: so short a file is a clip, and heard as one
# s in a part, the last one may be shorter. The demo's model was trained on clips of some seconds and hears longer ones
# worse, the more so with several voices in them: its validation rows one after the other have a WER of 0.15 so, and of
# 0.41 in parts of 4 to 20 s; clip by clip it is 0.14. Of people who read alone, both ways hear as much.
LONGEST, SHORTEST = 6.0, 1.0
CONTEXT = 1.0  # s heard on either side of a cut that lies in speech
PAUSE = 0.25  # s of quiet that make a pause
SHORTEST_HEARD = 0.03  # s: less is no frame
PIECE = 0.01  # s: loudness is looked at in pieces of this length
EVEN, SILENT = 6.0, -60.0  # dB over the background that an even sound stays within; dBFS
ALIKE = 3.0  # dB
NEWS = 2.0  # s of new sound, after which a part that has not ended is heard once more

Level = Callable[[np.ndarray, int], np.ndarray]


def clock(seconds: float) -> str:
    """A time for people to read, in minutes and seconds.

    >>> clock(75.4)
    '1:15'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


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
    """What was heard in a part.

    Attributes:
        start, end: s.
        words: in the recording's time.
        final: whether it stays so; what is heard before a part has ended may change.
    """

    start: float
    end: float
    words: tuple[Word, ...]
    final: bool = True

    @property
    def text(self) -> str:
        """The words as one text."""
        return " ".join(word.text for word in self.words)


def blocks(recording: Audio | int, sampling_rate: int, seconds: float = 10.0) -> Iterator[np.ndarray]:
    """A recording's sound, some seconds at a time, in one channel and at the rate wanted.

    Args:
        recording: a file of any length; or a file descriptor, such as 0, standard input, from which a WAV comes.

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


def excerpt(recording: Audio, sampling_rate: int, start: float, end: float) -> np.ndarray:
    """Some seconds out of a recording of any length: (num_samples,) float32 at the rate wanted.

    Raises:
        InputError: it cannot be read, or breaks off before.
    """
    with audio.open_sound(recording) as file:
        audio.check_rate(recording, file.samplerate)
        file.seek(min(round(start * file.samplerate), file.frames))
        frames = max(0, round((end - start) * file.samplerate))
        samples = audio.read_samples(file, recording, frames)
    return audio.resample(samples.mean(axis=1), file.samplerate, sampling_rate)


def loudness(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """The level of a waveform, (num_samples,), as its power."""
    return audio.loudness(audio.piece_power(waveform, round(PIECE * sampling_rate)))


def webrtc_loudness(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """The level of a waveform, (num_samples,), as its power where WebRTC's detector hears speech, else 40 dB below it.

    In a steady sound, such as a machine's, it finds pauses that power alone does not show.

    Raises:
        InputError: webrtcvad-wheels is not installed, or the detector does not know the sampling rate.
    """
    try:
        import webrtcvad
    except ImportError:
        raise InputError("WebRTC's detector is not installed: pip install 'asr-helpers[vad]'.") from None
    if sampling_rate not in (8_000, 16_000, 32_000, 48_000):
        raise InputError(f"WebRTC's detector hears 8, 16, 32 or 48 kHz, not {sampling_rate} Hz: use loudness.")
    detector, size = webrtcvad.Vad(2), round(PIECE * sampling_rate)
    level = loudness(waveform, sampling_rate)
    samples = (np.clip(waveform, -1, 1) * 32_767).astype(np.int16)
    spoken = [detector.is_speech(samples[place * size : (place + 1) * size].tobytes(), sampling_rate)
              for place in range(len(level))]  # fmt: skip
    return np.where(spoken, level, np.minimum(level, SILENT) - 40.0)


def find_cut(waveform: np.ndarray, sampling_rate: int, level: Level = loudness) -> tuple[float, bool]:
    """Where to cut a recording's beginning: where it is quietest, in the middle of a pause where there is one.

    Args:
        waveform: (num_samples,), longer than 1 s, behind which the cut lies.

    Returns:
        The place, s, and whether it lies in a pause.

    >>> speech = np.random.default_rng(0).normal(0, 0.1, 16_000 * 10)
    >>> speech[16_000 * 7 : 16_000 * 8] = 0
    >>> find_cut(speech, 16_000)
    (7.5, True)
    """
    found, width = level(waveform, sampling_rate), round(PAUSE / PIECE)
    begin = round(SHORTEST / PIECE)
    # The mean over each stretch as long as a pause; of the quietest ones, those that follow each other longest, and of
    # equals the last.
    smooth = np.convolve(found[begin:], np.ones(width) / width, "valid")
    quietest = np.flatnonzero(smooth <= smooth.min() + ALIKE)
    runs = np.split(quietest, np.flatnonzero(np.diff(quietest) > 1) + 1)
    run = max(reversed(runs), key=len)
    place = (begin + float(run[0] + run[-1] + width) / 2) * PIECE
    return place, bool(smooth.min() < audio.quiet_below(found))


class Cutter:
    """Cuts a stream of sound into parts of 1 to 6 s. What it holds is no longer than two of them and a block.

    Args:
        sampling_rate: Hz.
        level: what a pause is found by.
    """

    def __init__(self, sampling_rate: int, level: Level = loudness):
        self.rate, self.level = sampling_rate, level
        self.context, self.longest = round(CONTEXT * sampling_rate), round(LONGEST * sampling_rate)
        self.held = np.zeros(0, np.float32)  # what is still needed
        self.begin = self.before = 0  # the next part's first sample in the recording, and in `held`

    def feed(self, block: np.ndarray) -> Iterator[Part]:
        """The parts that end with this block, (num_samples,) float32."""
        self.held = np.concatenate([self.held, block])
        while len(self.held) - self.before > self.longest + self.context:
            place, in_pause = find_cut(self.held[self.before : self.before + self.longest], self.rate, self.level)
            end = self.before + round(place * self.rate)
            yield self._part(end, self.held[: end if in_pause else end + self.context])
            self.begin += end - self.before
            self.held = self.held[end if in_pause else end - self.context :]
            self.before = 0 if in_pause else self.context

    def rest(self) -> Part | None:
        """What is not cut yet, as a part; None where there is nothing."""
        return self._part(len(self.held), self.held) if len(self.held) > self.before else None

    def _part(self, end: int, heard: np.ndarray) -> Part:
        last = self.begin + end - self.before
        return Part(self.begin / self.rate, last / self.rate, heard, self.before / self.rate)


def parts(sound: Iterable[np.ndarray], sampling_rate: int, level: Level = loudness) -> Iterator[Part]:
    """Cuts sound into parts of 1 to 6 s.

    Args:
        sound: (num_samples,) float32 each, one after the other, as `blocks` gives them.
    """
    cutter = Cutter(sampling_rate, level)
    for block in sound:
        yield from cutter.feed(block)
    if rest := cutter.rest():
        yield rest


def is_silent(waveform: np.ndarray, sampling_rate: int, level: Level = loudness) -> bool:
    """Whether there is nothing to hear: digital silence, or an even hum or hiss that nothing stands out of."""
    found = level(waveform, sampling_rate)
    return not len(found) or bool(found.max() < max(SILENT, np.quantile(found, 0.1) + EVEN))


def transcribe(
    recogniser: Recogniser, recording: Audio, after: float = 0.0, level: Level = loudness
) -> Iterator[HeardPart]:
    """Writes a recording down, part by part as it is read; one of 20 s or less as a whole, as a clip.

    Args:
        recording: a file of any length.
        after: s; parts that end before are passed over: they were heard in an earlier run.
        level: what pauses are found by.

    Raises:
        InputError: it cannot be read, or breaks off: the parts before come first.
        AsrError: a part does not fit the memory.
    """
    rate, name = recogniser.sampling_rate, audio.name_of(recording)
    if audio.duration(recording) <= WHOLE:
        waveform = audio.load(recording, rate)
        if not len(waveform) or after * rate < len(waveform):  # of nothing at all, `emission` says so
            yield HeardPart(0.0, len(waveform) / rate, _heard(recogniser, name, waveform))
        return
    for part in parts(blocks(recording, rate), rate, level):
        if part.end > after:
            yield _heard_part(recogniser, name, part, level)


def listen(recogniser: Recogniser, stream: int, level: Level = loudness) -> Iterator[HeardPart]:
    """Writes down sound as it comes, from a file descriptor: 0 is standard input, from which a WAV must come.

    A part that has not ended is heard once more for every 2 s of new sound: then `final` is False, and another
    `HeardPart` with the same start takes its place.

    Raises:
        InputError: it cannot be read, or breaks off: the parts before come first.
        AsrError: a part does not fit the memory.
    """
    rate, heard_to = recogniser.sampling_rate, 0.0
    cutter = Cutter(rate, level)
    for block in blocks(stream, rate, seconds=0.5):
        for part in cutter.feed(block):
            yield _heard_part(recogniser, "the stream", part, level)
        rest = cutter.rest()
        if rest and rest.end >= heard_to + NEWS:
            heard_to = rest.end
            yield replace(_heard_part(recogniser, "the stream", rest, level), final=False)
    if rest := cutter.rest():
        yield _heard_part(recogniser, "the stream", rest, level)


def _heard_part(recogniser: Recogniser, name: str, part: Part, level: Level) -> HeardPart:
    """A part's words, in the recording's time, without those that lie in its neighbours."""
    rate = recogniser.sampling_rate
    words: tuple[Word, ...] = ()
    if len(part.waveform) >= SHORTEST_HEARD * rate and not is_silent(part.waveform, rate, level):
        offset = part.start - part.before
        moved = (replace(word, start=word.start + offset, end=word.end + offset)
                 for word in _heard(recogniser, name, part.waveform))  # fmt: skip
        words = tuple(word for word in moved if part.start <= (word.start + word.end) / 2 < part.end)
    return HeardPart(part.start, part.end, words)


def _heard(recogniser: Recogniser, name: str, waveform: np.ndarray) -> tuple[Word, ...]:
    try:
        return recogniser.decode(recogniser.emission(waveform)).words
    except AsrError as error:
        raise type(error)(f"{name!r}: {error}") from error


def joined(heard: Iterable[HeardPart]) -> Transcript:
    """All parts of a recording as one transcript."""
    words = tuple(word for part in heard for word in part.words)
    return Transcript(" ".join(word.text for word in words), words)
