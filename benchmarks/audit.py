"""python -m benchmarks.audit: how much sound the audit looks at in a second.

The clips are FLAC at 16 kHz, 2 to 12 s each, as corpora of read speech hold them. What is in them sounds like speech
to the audit and to the encoder: a spectrum that falls towards high frequencies, four syllables a second, pauses,
a quiet room. They are made by code, the same ones each time.
"""

import io
import os
import time

import numpy as np
import soundfile

from asr_helpers.audit import FEWEST_ROWS, audit

SAMPLING_RATE = 16_000
CLIPS = 128  # different ones, some 15 minutes; a longer corpus repeats them
WORDS = "I WOULD LIKE TO KNOW WHY MY CARD WAS NOT ACCEPTED WHEN WE WERE ABROAD LAST WEEK".split()


def clip(number: int) -> tuple[bytes, float]:
    """A FLAC file and its length in s."""
    random = np.random.default_rng(number)
    seconds = int(random.integers(20, 120)) / 10
    num_samples = round(seconds * SAMPLING_RATE)
    spectrum = np.fft.rfft(random.normal(size=num_samples))
    frequencies = np.fft.rfftfreq(num_samples, 1 / SAMPLING_RATE)
    spectrum *= (frequencies > 80) / (1 + (frequencies / 500) ** 2)  # 12 dB an octave above 500 Hz
    waveform = np.fft.irfft(spectrum, num_samples)
    times = np.arange(num_samples) / SAMPLING_RATE
    syllables = np.clip(np.sin(2 * np.pi * 4 * times) + np.sin(2 * np.pi * 0.6 * times), 0, None)
    waveform *= 0.08 / waveform.std() * syllables
    waveform += random.normal(0, 0.0005, num_samples)
    file = io.BytesIO()
    soundfile.write(file, waveform, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue(), seconds


def measure(processes: int = 2) -> dict[str, float]:
    """Audits a corpus just large enough for several processes; with one, a sixteenth of it.

    Returns:
        `speed`, s of sound in a second of wall time; `cpu_speed`, s of sound in a second of one core's work;
        `hours` of sound; `bytes_per_second` of sound.
    """
    clips = [clip(number) for number in range(CLIPS)]
    count = FEWEST_ROWS if processes > 1 else FEWEST_ROWS // 16
    random = np.random.default_rng(0)
    rows, seconds = [], 0.0
    for number in range(count):
        content, length = clips[number % CLIPS]
        text = " ".join(random.choice(WORDS, round(2.5 * length)))
        rows.append({"audio": {"bytes": content, "path": f"{number}.flac"}, "transcription": text})
        seconds += length
    started, worked = time.perf_counter(), _work()
    audit(rows, processes=processes)
    return {
        "speed": seconds / (time.perf_counter() - started),
        "cpu_speed": seconds / (_work() - worked),
        "hours": seconds / 3_600,
        "bytes_per_second": sum(len(content) for content, _ in clips) / sum(length for _, length in clips),
    }


def _work() -> float:
    """s of processor time so far, of this process and of those it started that have ended."""
    return sum(os.times()[:4])


def main() -> None:
    """Measures with one process and with two."""
    for processes in (1, 2):
        found = measure(processes)
        print(
            f"audit, {processes} process{'es' * (processes > 1)}: {found['speed']:,.0f} × real time, "
            f"{found['cpu_speed']:,.0f} × per core, over {found['hours']:.1f} h of FLAC at 16 kHz "
            f"({found['bytes_per_second']:,.0f} bytes a second)",
            flush=True,
        )


if __name__ == "__main__":
    main()
