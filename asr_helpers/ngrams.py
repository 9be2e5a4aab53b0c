"""07  N-gram language models: how likely a word is after the words before it.

Conventions: a sentence is text with its words parted by spaces, written as the recogniser writes. Probabilities are
natural logarithms in Python and base-10 logarithms in ARPA files. `<s>` begins a sentence, `</s>` ends it, and `<unk>`
stands for every word that the model has not seen.
"""

import gzip
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import AsrError, InputError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
NEVER = -99.0  # log10 of what an ARPA file calls impossible: nothing is followed by <s>
# Discounts where a text is so small or so regular that its counts give none; KenLM's own for that case.
FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class NgramModel:
    """A back-off model.

    Attributes:
        order: of its longest n-grams, 3 for a trigram model.
        ngrams: for each n-gram log10 of its probability, and log10 of the back-off weight of what it is followed by.

    >>> model = estimate(["MY CARD IS LOST", "MY CARD IS NEW", "MY CAR IS NEW"], order=2)
    >>> model.log_prob(("MY",), "CARD") > model.log_prob(("MY",), "LOST")
    True
    """

    order: int
    ngrams: dict[tuple[str, ...], tuple[float, float]]

    def __contains__(self, word: str) -> bool:
        return (word,) in self.ngrams

    def log_prob(self, history: Sequence[str], word: str) -> float:
        """How likely a word is after others: the natural logarithm of its probability.

        Args:
            history: the words before, `<s>` first where the sentence begins; only the last `order - 1` matter.
        """
        word = word if word in self else UNKNOWN
        context = tuple(past if past in self else UNKNOWN for past in self.shortened(history))
        total = 0.0
        while (*context, word) not in self.ngrams:
            if not context:  # a model of others, without <unk>
                return (total + NEVER) * math.log(10)
            total += self.ngrams.get(context, (0.0, 0.0))[1]
            context = context[1:]
        return (total + self.ngrams[(*context, word)][0]) * math.log(10)

    def shortened(self, history: Sequence[str]) -> tuple[str, ...]:
        """As much of the past as the model looks at."""
        return tuple(history[max(0, len(history) - self.order + 1) :])

    def perplexity(self, sentences: Iterable[str]) -> float:
        """How many words the model wavers between at each word of some text, the ends of its sentences included.

        Raises:
            InputError: there is no sentence.
        """
        total, count = 0.0, 0
        for sentence in sentences:
            words = [BEGIN, *sentence.split(), END]
            for place in range(1, len(words)):
                total += self.log_prob(words[:place], words[place])
                count += 1
        if not count:
            raise InputError("Perplexity needs a text, and there is no sentence.")
        return math.exp(-total / count)

    def unknown_share(self, sentences: Iterable[str]) -> float:
        """The share of a text's words that the model has not seen; 0 for no word.

        >>> estimate(["YES PLEASE"]).unknown_share(["NO PLEASE"])
        0.5
        """
        words = [word for sentence in sentences for word in sentence.split()]
        return sum(word not in self for word in words) / len(words) if words else 0.0


def estimate(sentences: Iterable[str], order: int = 3) -> NgramModel:
    """A model of some text, by interpolated modified Kneser-Ney smoothing.

    An n-gram of the highest order counts as often as it occurs, a shorter one as often as another word stands before
    it. From each count a discount is taken, by the count's size, and goes to the words that were not seen there.

    Args:
        sentences: normalised as the recogniser writes.
        order: 1 or more.

    Raises:
        InputError: there is no word, or the order is below 1.

    Source:
        S. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", 1999, section 4;
        corner cases as KenLM's lmplz has them (https://kheafield.com/papers/edinburgh/estimate_paper.pdf).
    """
    if order < 1:
        raise InputError(f"A language model cannot have the order {order}: 1 or more.")
    counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        words = [BEGIN, *sentence.split(), END]
        if len(words) == 2:
            continue
        for place in range(1, len(words)):
            # Near the beginning the longest n-gram is shorter than the order.
            first = max(0, place - order + 1)
            counts[place - first][tuple(words[first : place + 1])] += 1
    if not any(counts):
        raise InputError("The text has no word to learn from.")
    for length in range(order - 1, 0, -1):
        # So many different words stand before each. What begins with <s> has none before it, and keeps its count.
        for ngram in list(counts[length]):
            counts[length - 1][ngram[1:]] += 1
    num_words = len({ngram[-1] for ngram in counts[0]} | {UNKNOWN})
    ngrams: dict[tuple[str, ...], tuple[float, float]] = {}
    # Of each context the share that was taken from it. The empty context's is spread evenly over all words.
    lower: dict[tuple[str, ...], float] = {}
    weights: dict[tuple[str, ...], float] = {}
    for length, found in enumerate(counts, 1):
        probabilities, weights = _interpolate(found, lower, num_words)
        if length == 1:
            probabilities[(UNKNOWN,)] = weights[()] / num_words
            ngrams[(BEGIN,)] = (NEVER, 0.0)
        for context, weight in weights.items():
            if context:
                ngrams[context] = (ngrams[context][0], math.log10(weight))
        ngrams |= {ngram: (math.log10(probability), 0.0) for ngram, probability in probabilities.items()}
        lower = probabilities
    return NgramModel(order, ngrams)


def _interpolate(
    counts: Counter[tuple[str, ...]], lower: dict[tuple[str, ...], float], num_words: int
) -> tuple[dict[tuple[str, ...], float], dict[tuple[str, ...], float]]:
    """Each n-gram's probability, mixed with that of the n-gram without its first word; and each context's weight."""
    discounts = _discounts(counts)
    totals: Counter[tuple[str, ...]] = Counter()
    taken: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for ngram, count in counts.items():
        totals[ngram[:-1]] += count
        taken[ngram[:-1]] += discounts[min(count, 3) - 1]
    weights = {context: taken[context] / total for context, total in totals.items()}
    probabilities = {}
    for ngram, count in counts.items():
        context = ngram[:-1]
        shorter = lower[ngram[1:]] if context else 1 / num_words
        own = (count - discounts[min(count, 3) - 1]) / totals[context]
        probabilities[ngram] = own + weights[context] * shorter
    return probabilities, weights


def _discounts(counts: Counter[tuple[str, ...]]) -> tuple[float, ...]:
    """What is taken from an n-gram seen once, twice, and three times or more."""
    sizes = Counter(counts.values())
    if not all(sizes[size] for size in (1, 2, 3, 4)):
        return FALLBACK
    ratio = sizes[1] / (sizes[1] + 2 * sizes[2])
    found = tuple(size - (size + 1) * ratio * sizes[size + 1] / sizes[size] for size in (1, 2, 3))
    return found if all(0 <= discount <= size for size, discount in enumerate(found, 1)) else FALLBACK


def write_arpa(model: NgramModel, path: str | Path) -> None:
    """Writes a model in the form that other tools read, such as KenLM and SRILM.

    Args:
        model: the model.
        path: where; gzipped where it ends in `.gz`.

    Raises:
        AsrError: the file cannot be written.
    """
    path = Path(path)
    by_length: list[list[str]] = [[] for _ in range(model.order)]
    for ngram, (log_prob, weight) in sorted(model.ngrams.items()):
        last = f"\t{weight:.7g}" if len(ngram) < model.order else ""
        by_length[len(ngram) - 1].append(f"{log_prob:.7g}\t{' '.join(ngram)}{last}\n")
    counts = [f"ngram {length}={len(lines)}\n" for length, lines in enumerate(by_length, 1)]
    sections = [f"\n\\{length}-grams:\n{''.join(lines)}" for length, lines in enumerate(by_length, 1)]
    content = f"\\data\\\n{''.join(counts)}{''.join(sections)}\n\\end\\\n".encode()
    try:
        # Without a time of its own, so that the same model gives the same file.
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    except OSError as error:
        raise AsrError(f"{str(path)!r} cannot be written ({error.strerror}): name another place.") from None


def read_arpa(path: str | Path) -> NgramModel:
    """Reads a model, plain or gzipped.

    Raises:
        InputError: there is no such file, or it is no ARPA file.
    """
    path = Path(path)
    ngrams: dict[tuple[str, ...], tuple[float, float]] = {}
    order = length = number = 0
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):  # noqa: B007
                line = line.strip("\n\r ")
                if section := re.fullmatch(r"\\(\d+)-grams:", line):
                    length = order = int(section[1])
                elif line == "\\end\\":
                    break
                elif length and line:
                    # Tabs part the fields, and words by spaces; some tools write spaces throughout.
                    fields = line.split()
                    weight = float(fields[length + 1]) if len(fields) > length + 1 else 0.0
                    words = tuple(fields[1 : length + 1])
                    if len(words) != length:
                        raise ValueError(f"{len(words)} words")
                    ngrams[words] = (float(fields[0]), weight)
            else:
                raise ValueError("its end is missing")
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read ({error.strerror or error}): name an ARPA file.") from None
    except (ValueError, EOFError) as error:
        raise InputError(f"Line {number} of {str(path)!r} is not ARPA's ({error}): make it anew.") from None
    if not ngrams:
        raise InputError(f"{str(path)!r} holds no n-gram: it is no ARPA file.")
    return NgramModel(order, ngrams)
