"""04  How well each word is heard.

Conventions: a word's recall is the share of the times it is said in which it is heard. A word is written falsely where
another word, or none, is said.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from . import InputError
from .evaluation import AlignedWord


@dataclass(frozen=True)
class WordCounts:
    """How often one or more words are said, and how they are heard.

    Attributes:
        said: in the references.
        right: of those, how often it is heard as itself.
        false: written by the model where another word, or none, is said.
    """

    said: int = 0
    right: int = 0
    false: int = 0

    @property
    def recall(self) -> float:
        """The share that is heard right, 0 to 1.

        Raises:
            InputError: it is never said, so there is no share.
        """
        if not self.said:
            raise InputError("A word that is never said has no recall: choose one of the references' words.")
        return self.right / self.said


def count_words(alignments: Iterable[Sequence[AlignedWord]]) -> dict[str, WordCounts]:
    """The counts of each word that is said or written.

    Args:
        alignments: from `evaluation.align`.

    >>> from asr_helpers.evaluation import align
    >>> count_words([align("MY CARD", "MY CAR"), align("A CARD", "CARD")])["CARD"]
    WordCounts(said=2, right=1, false=0)
    """
    said: Counter[str] = Counter()
    right: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for step in (step for steps in alignments for step in steps):
        said[step.reference] += 1
        (right if step.kind == "H" else false)[step.hypothesis] += 1
    words = dict.fromkeys(word for word in (*said, *false) if word)
    return {word: WordCounts(said[word], right[word], false[word]) for word in words}


def sum_words(counts: Iterable[WordCounts]) -> WordCounts:
    """The counts of several words together.

    >>> sum_words([WordCounts(3, 2, 1), WordCounts(1, 1, 0)])
    WordCounts(said=4, right=3, false=1)
    """
    return WordCounts(*map(sum, zip((0, 0, 0), *map(astuple, counts), strict=True)))


def split_known(
    counts: Mapping[str, WordCounts], known: Container[str]
) -> tuple[dict[str, WordCounts], dict[str, WordCounts]]:
    """Words that are known and words that are not.

    Args:
        counts: from `count_words`.
        known: the words that the recogniser or its language model has seen: a set, or an `ngrams.NgramModel`.

    >>> split_known({"MY": WordCounts(2, 2), "MORTGAGE": WordCounts(1)}, {"MY"})[1]
    {'MORTGAGE': WordCounts(said=1, right=0, false=0)}
    """
    return (
        {word: count for word, count in counts.items() if word in known},
        {word: count for word, count in counts.items() if word not in known},
    )
