"""Where a clip's words lie, and new clips made of them: a sentence's parts in another order, words by themselves."""

import random
from typing import NamedTuple

import numpy as np

FRAME = 320  # samples from one frame of the encoder to the next


class Part(NamedTuple):
    """A piece of a clip: its first sample in the corpus, the one behind its last, and what is said."""

    start: int
    stop: int
    text: str


def cuts(waveform: np.ndarray, spans: np.ndarray, words: list[str]) -> list[int]:
    """Where one can cut: between two words, the quietest 10 ms from the one's last letter to the other's first.

    Args:
        waveform: (num_samples,) at 16 kHz.
        spans: (L, 2), the frames of the letters of `words`, and of the space between each two.

    Returns:
        One sample for each word's start, and one behind the last word.
    """
    energy = np.convolve(waveform.astype(np.float32) ** 2, np.ones(160), "same")[::40]
    places, letter = [max(0, spans[0, 0] * FRAME - 2_400)], 0
    for word in words[:-1]:
        letter += len(word)  # the space
        low = spans[letter - 1, 1] * FRAME + 200
        high = max(spans[letter + 1, 0] * FRAME + 200, low + 160)
        places.append(low + 40 * int(energy[low // 40 : high // 40 + 1].argmin()))
        letter += 1
    return [*map(int, places), int(min(len(waveform), spans[-1, 1] * FRAME + 3_200))]


def parts(rng: random.Random, words: list[str], places: list[int], seconds: tuple[float, float]) -> list[Part]:
    """Cuts a clip at words, into parts of about so many seconds each."""
    found, first = [], 0
    aim = rng.uniform(*seconds) * 16_000
    for last in range(1, len(words) + 1):
        if places[last] - places[first] >= aim or last == len(words):
            found.append(Part(places[first], places[last], " ".join(words[first:last])))
            first, aim = last, rng.uniform(*seconds) * 16_000
    return found


def joined(rng: random.Random, pool: list[Part], seconds: tuple[float, float]) -> list[list[Part]]:
    """Puts parts together, in any order, to new clips of about so many seconds."""
    clips, length, aim = [[]], 0, rng.uniform(*seconds) * 16_000
    for part in rng.sample(pool, len(pool)):
        if clips[-1] and length + part.stop - part.start > aim:
            clips.append([])
            length, aim = 0, rng.uniform(*seconds) * 16_000
        clips[-1].append(part)
        length += part.stop - part.start
    return clips
