"""Measures how far a recogniser's word boundaries lie from the true ones of synthetic speech.

    python -m benchmarks boundaries [--model DIR] [--sentences 40]

The demo's test sentences are spoken by four voices of flite, which prints where each sound ends; how many sounds a word
has, it tells of the word alone. The text is known, as for `asr-helpers align`. The speech is clean, at 16 kHz. One of
the voices, rms, was never heard in the demo recogniser's training.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from asr_helpers import InputError, audio, loading
from asr_helpers.alignment import Alphabet, align_words
from asr_helpers.cli.common import positive, quiet
from asr_helpers.inference import Recogniser, load_recogniser
from asr_helpers.preprocessing import normalise_text, vocabulary
from asr_helpers.sources import source

VOICES = ("rms", "slt", "awb", "kal16")
PAUSE = "pau"


def speak(text: str, voice: str, path: Path) -> list[tuple[float, float]]:
    """Has flite speak a text into a file.

    Returns:
        The start and the end of each sound, s, without the pauses.

    Raises:
        InputError: flite is not installed.
    """
    command = ["flite", "-voice", voice, "-psdur", "-t", text.lower(), "-o", str(path)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        raise InputError("The voices are flite's, which is not installed: install the package flite.") from None
    spans, before = [], 0.0
    for sound in told.split():
        name, end = sound.split(":")
        if name != PAUSE:
            spans.append((before, float(end)))
        before = float(end)
    return spans


@cache
def count_sounds(word: str, voice: str) -> int:
    """How many sounds a word has when it stands alone."""
    with tempfile.TemporaryDirectory() as folder:
        return len(speak(word, voice, Path(folder) / "word.wav"))


def true_words(text: str, voice: str, path: Path) -> list[tuple[float, float]]:
    """Speaks a text into a file; returns each word's start and end, s, or nothing where the words' sounds merge."""
    sounds, counts = speak(text, voice, path), [count_sounds(word, voice) for word in text.split()]
    if sum(counts) != len(sounds):
        return []
    ends = np.cumsum(counts)
    return [(sounds[end - count][0], sounds[end - 1][1]) for count, end in zip(counts, ends, strict=True)]


def measure(recogniser: Recogniser, texts: Sequence[str], voice: str) -> np.ndarray:
    """How much later than they are a voice's words begin and end by the recogniser's alignment, (words, 2), s."""
    alphabet, late = Alphabet.of(recogniser), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        for text in texts:
            if truth := true_words(text, voice, path):
                emission = recogniser.emission(audio.load(path, recogniser.sampling_rate))
                words = align_words(emission, text, alphabet, recogniser.frame, recogniser.calibration.delay)
                late += [(word.start - start, word.end - end) for word, (start, end) in zip(words, truth, strict=True)]
    return np.array(late).reshape(-1, 2)


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks boundaries", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    parser.add_argument("--sentences", type=positive, default=40, help="how many each voice speaks (default: 40)")
    args = parser.parse_args(arguments)
    quiet()
    recogniser = load_recogniser(args.model or source("demo").fine_tuned)
    characters = vocabulary(recogniser.processor)
    said = loading.load_splits(source("demo"))["test"]["transcription"]
    texts = sorted({normalise_text(text, characters).text for text in said})[: args.sentences]
    every = []
    for voice in VOICES:
        every.append(measure(recogniser, texts, voice))
        print(line(voice, every[-1]), flush=True)
    print(line("all", np.concatenate(every)))


def line(name: str, late: np.ndarray) -> str:
    """One voice's numbers for a person to read, in ms.

    >>> line("ann", np.array([[0.02, -0.01], [0.0, 0.01]]))
    'ann    2 words, mean error 10 ms (starts 10, ends 10), mean lateness starts +10, ends +0'
    """
    late = late * 1e3
    (start, end), (start_late, end_late) = np.abs(late).mean(0), late.mean(0)
    return (
        f"{name:6} {len(late)} words, mean error {np.abs(late).mean():.0f} ms (starts {start:.0f}, ends {end:.0f}), "
        f"mean lateness starts {start_late:+.0f}, ends {end_late:+.0f}"
    )
