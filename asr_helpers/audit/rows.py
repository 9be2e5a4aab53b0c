"""What the audit keeps of a split: columns of numbers, so that 100,000 rows take 10 MB and not 70."""

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np

from .reasons import REASONS, Row

COLUMNS = np.dtype([
    ("seconds", "f8"), ("sampling_rate", "i4"), ("digest", "S32"), ("words", "u8"), ("letters", "i4"),
    ("unspaced", "?"), ("vowels", "S4"),
])  # fmt: skip


class Rows:
    """What is known of a split's rows. Transcripts are not kept: what is compared is a number of 64 bits for each.

    Args:
        count: how many rows there will be.

    Attributes:
        facts: (count,) of COLUMNS. `words` is the same for transcripts of the same words, `letters` is the length of
            what the model would learn, in characters.
        problems: of the rows that have any, each reason's message.
        characters: as in `Audit`.
    """

    def __init__(self, count: int):
        self.facts = np.zeros(count, COLUMNS)
        self.problems: dict[int, dict[str, str]] = {}
        self.characters: Counter[str] = Counter()
        self._files = bytearray()
        self._ends = np.zeros(count, np.int64)
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    def extend(self, rows: Iterable[Row]) -> None:
        """Adds rows that were looked at."""
        for row in rows:
            number = self._filled
            words = int.from_bytes(blake2b(_encoded(row.words), digest_size=8).digest(), "little")
            self.facts[number] = (
                row.seconds, row.sampling_rate, row.digest.encode(), words, len(row.text), row.unspaced,
                row.vowels.encode(),
            )  # fmt: skip
            if row.problems:
                self.problems[number] = row.problems
            self.characters.update(row.outside)
            self._files += _encoded(row.file)
            self._ends[number] = len(self._files)
            self._filled += 1

    def file(self, number: int) -> str:
        """A row's file, as in `Row`."""
        start = int(self._ends[number - 1]) if number else 0
        return self._files[start : int(self._ends[number])].decode("utf-8", "surrogatepass")

    def add_problem(self, number: int, reason: str, message: str) -> None:
        """Notes what is wrong with a row, once for each reason."""
        self.problems.setdefault(int(number), {}).setdefault(reason, message)

    @property
    def lost(self) -> np.ndarray:
        """(rows,) bool: which are to be set aside."""
        lost = np.zeros(len(self), bool)
        for number, found in self.problems.items():
            lost[number] = any(REASONS[reason] == "set aside" for reason in found)
        return lost


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def first_equal(values: np.ndarray) -> np.ndarray:
    """For each of some values, (count,), the place of the first one that equals it.

    >>> first_equal(np.array([5, 3, 5, 3])).tolist()
    [0, 1, 0, 1]
    """
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse]


def only(rows: Any, column: str) -> Any:
    """Rows with one of their columns, so that no other is read."""
    return rows.select_columns([column]) if hasattr(rows, "select_columns") else rows
