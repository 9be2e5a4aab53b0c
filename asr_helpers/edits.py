"""04  Edit distances, and of all alignments with the fewest errors the one whose words are spelt most alike.

Conventions: an alignment is a list of pairs (word said, word written); "" stands for the word that a deletion or an
insertion lacks.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Pair = tuple[str, str]


def edit_distances(said: Sequence[str], written: Sequence[str]) -> np.ndarray:
    """Levenshtein's distances between all beginnings of two sequences: of words, or of a word's characters.

    Args:
        said: (n,).
        written: (m,).

    Returns:
        (n + 1, m + 1) int32; the last one is the distance of the whole sequences.

    Source:
        R. Wagner and M. Fischer, "The string-to-string correction problem", 1974.

    >>> int(edit_distances("MOVING", "OVEN")[-1, -1])
    3
    """
    number = {token: place for place, token in enumerate(dict.fromkeys([*said, *written]))}
    ids = np.array([number[token] for token in written], np.int32)
    columns = np.arange(len(ids) + 1, dtype=np.int32)
    distances = np.empty((len(said) + 1, len(ids) + 1), np.int32)
    distances[0] = columns
    for row, token in enumerate(said, 1):
        reached = distances[row - 1] + 1  # by a deletion
        reached[1:] = np.minimum(reached[1:], distances[row - 1, :-1] + (ids != number[token]))
        distances[row] = np.minimum.accumulate(reached - columns) + columns  # or by insertions after it
    return distances


@lru_cache(maxsize=100_000)
def pair_edits(pair: Pair) -> int:
    """How many characters must be changed, removed or put in to turn one word of a pair into the other.

    >>> pair_edits(("CARD", "CAR")), pair_edits(("", "NOW"))
    (1, 3)
    """
    return int(edit_distances(*pair)[-1, -1])


def nearest_pairs(said: Sequence[str], written: Sequence[str], substitutions: int) -> list[Pair]:
    """The alignment of the fewest character edits, among those with the fewest word errors.

    Args:
        said: the reference's words.
        written: the hypothesis's words.
        substitutions: how many the alignment has. There must be an alignment with the fewest word errors and so many.

    Returns:
        The pairs, in order. Each character of a word left out or put in counts as an edit.

    >>> nearest_pairs("PAY A DEPOSIT".split(), "PAY DEPOSED".split(), substitutions=1)
    [('PAY', 'PAY'), ('A', ''), ('DEPOSIT', 'DEPOSED')]
    """
    before = edit_distances(said, written)
    after = edit_distances(said[::-1], written[::-1])[::-1, ::-1]
    # For each place (words said, words written) and number of substitutions up to there: the character edits, and the
    # last pair with the way before it.
    ways: dict[tuple[int, int], dict[int, tuple[int, Any]]] = {(0, 0): {0: (0, None)}}
    for i, j in np.argwhere(before + after == before[-1, -1]).tolist():  # the places on ways with the fewest errors
        for di, dj in ((1, 0), (0, 1), (1, 1)):
            if i + di > len(said) or j + dj > len(written):
                continue
            pair = (said[i] if di else "", written[j] if dj else "")
            if before[i, j] + (pair[0] != pair[1]) != before[i + di, j + dj]:
                continue
            there = ways.setdefault((i + di, j + dj), {})
            for count, (edits, way) in ways[i, j].items():
                count += bool(di and dj) and pair[0] != pair[1]
                edits += pair_edits(pair)
                if count not in there or edits < there[count][0]:
                    there[count] = (edits, (pair, way))
    way = ways[len(said), len(written)][substitutions][1]
    pairs = []
    while way:
        pair, way = way
        pairs.append(pair)
    return pairs[::-1]
