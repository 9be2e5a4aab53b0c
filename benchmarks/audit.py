"""python -m benchmarks.audit: how much sound the audit looks at in a second, and what many rows cost it in memory.

The rows are made by code, the same ones each time. What is in them sounds like speech to the audit and to the encoder:
a spectrum that falls towards high frequencies, four syllables a second, pauses, a quiet room; 16 kHz, 2 to 12 s each,
as corpora of read speech hold them. The rate is measured on FLAC. A corpus of many rows is WAV: each row is another
stretch of the same minutes, with a text of its own, made when it is asked for. Each measurement is made in a process
of its own.
"""

import argparse
import io
import os
import time
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import soundfile

from asr_helpers.audit import audit
from asr_helpers.audit.work import FEWEST_ROWS

from .common import peak_memory

SAMPLING_RATE = 16_000
CLIPS = 128  # different FLAC files, some 15 minutes; a longer corpus repeats them
FEW = 1_000  # rows that many are held against
SAME = 4_000  # rows of one clip
LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def clip(number: int) -> np.ndarray:
    """What sounds like speech: (num_samples,) float in [-1, 1]."""
    random = np.random.default_rng(number)
    num_samples = int(random.integers(20, 120)) * SAMPLING_RATE // 10
    spectrum = np.fft.rfft(random.normal(size=num_samples))
    frequencies = np.fft.rfftfreq(num_samples, 1 / SAMPLING_RATE)
    spectrum *= (frequencies > 80) / (1 + (frequencies / 500) ** 2)  # 12 dB an octave above 500 Hz
    waveform = np.fft.irfft(spectrum, num_samples)
    times = np.arange(num_samples) / SAMPLING_RATE
    syllables = np.clip(np.sin(2 * np.pi * 4 * times) + np.sin(2 * np.pi * 0.6 * times), 0, None)
    waveform *= 0.08 / waveform.std() * syllables
    return waveform + random.normal(0, 0.0005, num_samples)


@cache
def flac(number: int) -> bytes:
    """One of CLIPS files."""
    file = io.BytesIO()
    soundfile.write(file, clip(number % CLIPS), SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


@cache
def minutes() -> np.ndarray:
    """What stretches are cut from: (num_samples,) int16, two minutes of clips."""
    return np.concatenate([clip(number) * 32_767 for number in range(20)]).astype("<i2")


def stretch(number: int, seconds: float | None = None) -> bytes:
    """A WAV file of so many s, or of 2 to 12; of one length, no two have the same samples."""
    num_samples = round((seconds or np.random.default_rng(number).uniform(2, 12)) * SAMPLING_RATE)
    start = number * 7_919 % (len(minutes()) - num_samples)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLING_RATE)
        sound.writeframes(minutes()[start : start + num_samples].tobytes())
    return file.getvalue()


class MadeRows(Sequence):
    """Rows for the audit, made when they are asked for: they take no memory.

    Args:
        count: how many there are.
        sounds: how many of them differ, in sound and text; the others repeat these.
        make: a sound's number to its file.
        name: a row's number to its path.
    """

    def __init__(self, count: int, sounds: int, make: Callable[[int], bytes], name: str = "clips/{:07}"):
        self.count, self.sounds, self.make, self.name = count, sounds, make, name

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self.count))]
        if not 0 <= place < self.count:
            raise IndexError(place)
        number = place % self.sounds
        letters = np.random.default_rng(number).choice(LETTERS, (5, 4))
        text = " ".join("".join(word) for word in letters)
        return {"audio": {"bytes": self.make(number), "path": self.name.format(place)}, "transcription": text}


def measure(count: int, sounds: int, make: Callable[[int], bytes] = stretch, processes: int = 1) -> dict[str, float]:
    """Audits made rows.

    Args:
        count, sounds, make: as in `MadeRows`.
        processes: as in `audit`.

    Returns:
        `seconds` of wall time; `cpu_seconds`, of all cores together; `sound`, the rows' lengths in all, s; `memory`,
        this process's peak, bytes. Rows are made meanwhile; what is made only once is ready before.
    """
    rows = MadeRows(count, sounds, make)
    for number in range(min(sounds, CLIPS)):
        make(number)
    started, worked = time.perf_counter(), _work()
    sound = sum(audit(rows, processes=processes).seconds)
    seconds, work = time.perf_counter() - started, _work() - worked
    return {"seconds": seconds, "cpu_seconds": work, "sound": sound, "memory": peak_memory()}


def _work() -> float:
    """s of processor time so far, of this process and of those it started that have ended."""
    return sum(os.times()[:4])


def apart(*arguments: Any) -> dict[str, float]:
    """`measure` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of the corpus whose memory is measured")
    count = parser.parse_args().rows
    for processes in (1, 2):
        rows = FEWEST_ROWS if processes > 1 else FEWEST_ROWS // 16
        found = apart(rows, CLIPS, flac, processes)
        real_time, per_core = (found["sound"] / found[clock] for clock in ("seconds", "cpu_seconds"))
        print(
            f"audit, {processes} process{'es' * (processes > 1)}: {real_time:,.0f} × real time, {per_core:,.0f} × per "
            f"core, over {found['sound'] / 3_600:.1f} h of FLAC at 16 kHz",
            flush=True,
        )
    few, many = apart(FEW, FEW), apart(count, count)
    print(
        f"{count:,} rows, {many['sound'] / 3_600:.0f} h of WAV, 1 process: {count / many['seconds']:,.0f} rows a "
        f"second, {many['sound'] / many['cpu_seconds']:,.0f} × real time per core; peak memory "
        f"{many['memory'] / 1e6:.0f} MB, of {FEW:,} rows {few['memory'] / 1e6:.0f} MB: "
        f"{many['memory'] / few['memory']:.2f} times",
        flush=True,
    )
    make = partial(stretch, seconds=7.0)
    same, different = (apart(SAME, sounds, make)["seconds"] for sounds in (1, SAME))
    print(f"{SAME:,} clips of one length: {same:.1f} s where they are all the same, {different:.1f} s where none is")


if __name__ == "__main__":
    main()
