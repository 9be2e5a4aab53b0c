"""01  Splits by speaker: whoever speaks in the rows that measure speaks nowhere else.

A random split puts every speaker on both sides. Its test then measures how well the model knows these people, not what
it does with others.
"""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id", "voice")


def hold_out(rows: "Dataset", share: float, seed: int, by_speaker: bool = True) -> tuple["Dataset", "Dataset"]:
    """Takes a share of rows aside: those of whole speakers where two or more are named, else rows drawn at random.

    Args:
        rows: with a column of SPEAKER_COLUMNS where speakers are named.
        share: of the rows to hold out, below 0.5.
        seed: of the order in which speakers or rows are drawn.
        by_speaker: False draws rows in any case.

    Returns:
        (the rest, the rows held out).
    """
    column = next((name for name in SPEAKER_COLUMNS if name in rows.column_names), None)
    if by_speaker and column:
        spoken = [str(name or "") for name in rows[column]]
        if len(set(spoken)) > 1:
            chosen = choose_speakers(Counter(spoken), share, seed)
            held_out = [number for number, name in enumerate(spoken) if name in chosen]
            rest = [number for number, name in enumerate(spoken) if name not in chosen]
            return rows.select(rest), rows.select(held_out)
    halves = rows.train_test_split(test_size=share, seed=seed)
    return halves["train"], halves["test"]


def hold_out_texts(rows: "Dataset", share: float, seed: int) -> tuple["Dataset", "Dataset"]:
    """Takes a share of the texts aside, each with all rows in which it is spoken: no text is on both sides.

    For sentences that several voices speak: what has been learnt by heart would measure nothing.

    Args:
        rows: with `transcription`.
        share: of the texts to hold out, below 1.
        seed: of the order in which texts are drawn.

    Returns:
        (the rest, the rows held out).

    >>> from datasets import Dataset
    >>> rest, held_out = hold_out_texts(Dataset.from_dict({"transcription": ["a", "b", "c", "a", "b", "c"]}), 0.3, 0)
    >>> len(rest), len(held_out), set(rest["transcription"]) & set(held_out["transcription"])
    (4, 2, set())
    """
    from datasets import Dataset

    places: dict[str, list[int]] = {}
    for place, text in enumerate(rows["transcription"]):
        places.setdefault(text, []).append(place)
    halves = Dataset.from_dict({"places": list(places.values())}).train_test_split(test_size=share, seed=seed)
    rest, held_out = ([place for group in halves[side]["places"] for place in group] for side in ("train", "test"))
    return rows.select(rest), rows.select(held_out)


def choose_speakers(counts: Counter[str], share: float, seed: int) -> set[str]:
    """Draws speakers who have about a share of all rows together.

    In a random order, a speaker is taken where that brings the rows taken nearer to the share. Where this takes nobody,
    it is the one with the fewest rows. Rows that name nobody count as one speaker's, so that they are on one side.

    Args:
        counts: each speaker's rows; two speakers or more.
        share: of all rows, below 0.5.
        seed: of the order.

    >>> choose_speakers(Counter(ann=60, bob=30, eve=10), 0.1, seed=0)
    {'eve'}
    """
    wanted, taken = share * sum(counts.values()), 0
    chosen: set[str] = set()
    names = sorted(counts)
    for number in np.random.default_rng(seed).permutation(len(names)):
        name = names[number]
        if abs(taken + counts[name] - wanted) < abs(taken - wanted):
            chosen.add(name)
            taken += counts[name]
    return chosen or {min(names, key=lambda name: (counts[name], name))}
