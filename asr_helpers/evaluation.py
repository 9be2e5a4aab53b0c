"""04  Transcripts to WER, CER and alignments.

Conventions: a reference is what was said, a hypothesis what the model wrote. An edit
distance's operations are hits (H), substitutions (S), deletions (D: in the reference
alone) and insertions (I: in the hypothesis alone). The word error rate is
(S + D + I) / (H + S + D) over all utterances together: it is not bounded by 1. Counting
is jiwer's; of the alignments with its counts, ours is the nearest in characters. Texts are
raw until they are scored: a language's normaliser is a part of its metric, and of its name.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import AsrError, InputError
from .edits import nearest_pairs
from .languages import FOLDING, Writing, compose, fold
from .preprocessing import normalise_text, vocabulary, writing_of

if TYPE_CHECKING:
    import torch
    from transformers import EvalPrediction, ProcessorMixin

    from .inference import Recogniser

RESAMPLES = 1_000


@dataclass(frozen=True)
class ErrorCounts:
    """How one or more hypotheses differ from their references."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """S + D + I."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """(S + D + I) / (H + S + D): at least 0, and above 1 when much was inserted.

        Raises:
            InputError: there is no word in the references, so there is no rate.
        """
        said = self.hits + self.substitutions + self.deletions
        if not said:
            raise InputError("Nothing was said, so there is no error rate: leave out what has no reference.")
        return self.errors / said


@dataclass(frozen=True)
class Scores:
    """A set of utterances' error rates.

    Attributes:
        wer: word error rate. Where no space parts words, an utterance is one word: then the CER alone is shown.
        cer: character error rate, spaces counted where they part words.
        words: the counts behind the WER; behind the CER, where that is the language's metric.
        interval: 95 % of resampled sets of these utterances have their WER, or that CER, between these two.
        utterances: how many there were.
        writing: the language that was scored, with its normaliser; None for texts as they came.
        folded: WER and CER of a lenient comparison (`languages.fold`), where the language has one.
    """

    wer: float
    cer: float
    words: ErrorCounts
    interval: tuple[float, float]
    utterances: int
    writing: Writing | None = None
    folded: tuple[float, float] | None = None

    @property
    def metric(self) -> str:
        """ "wer" or "cer": which of them `interval` and the counts belong to."""
        return self.writing.metric if self.writing else "wer"

    def as_dict(self) -> dict[str, Any]:
        """Flat: `wer`, `cer`, `substitutions`, `deletions`, `insertions`, `hits`, `interval`, `utterances`.

        Of a language also `metric`, `names` of the metrics, and `folded`; without `wer` where no space parts words.
        """
        found: dict[str, Any] = {
            "wer": self.wer,
            "cer": self.cer,
            **asdict(self.words),
            "interval": list(self.interval),
            "utterances": self.utterances,
        }
        if self.writing:
            if not self.writing.language.spaced:
                del found["wer"]
            found["metric"] = self.metric
            found["names"] = {name: self.writing.named(name) for name in ("wer", "cer") if name in found}
        if self.folded:
            found["folded"] = {"wer": self.folded[0], "cer": self.folded[1], "normaliser": FOLDING}
        return found

    def __str__(self) -> str:
        low, high = self.interval
        words = self.words
        rates = {"wer": f"WER {self.wer:.3f}", "cer": f"CER {self.cer:.3f}"}
        first = rates.pop(self.metric)
        if self.writing and not self.writing.language.spaced:
            rates = {}
        text = (
            f"{', '.join([f'{first} (95 % interval {low:.3f} to {high:.3f})', *rates.values()])}, "
            f"{self.utterances} utterances: {words.hits} hits, {words.substitutions} substitutions, "
            f"{words.deletions} deletions, {words.insertions} insertions"
        )
        if self.folded:
            text += f"; {FOLDING}: WER {self.folded[0]:.3f}, CER {self.folded[1]:.3f}"
        return text


@dataclass(frozen=True)
class AlignedWord:
    """One step of an alignment.

    Attributes:
        kind: "H", "S", "D" or "I".
        reference: the word said; "" for an insertion.
        hypothesis: the word written; "" for a deletion.
    """

    kind: str
    reference: str
    hypothesis: str


def _check(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):
            raise InputError(f"The {name} are one text, {texts[:40]!r}: put it in a list.")
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(f"Utterance {row} of the {name} is no text but {text!r}.")
    if len(references) != len(hypotheses):
        raise InputError(f"{len(references)} references and {len(hypotheses)} hypotheses: there must be one each.")
    if not len(references):
        raise InputError("There is no utterance to score.")
    for row, reference in enumerate(references):
        if not reference.strip():
            raise InputError(f"The reference of utterance {row} is empty: an error rate needs words; leave it out.")


def count_errors(references: Sequence[str], hypotheses: Sequence[str]) -> list[ErrorCounts]:
    """Each utterance's word errors.

    Raises:
        InputError: the lists differ in length, or a reference is empty.

    >>> count_errors(["I LOST MY CARD TODAY"], ["A LOST CARD TODAY NOW"])[0]
    ErrorCounts(hits=3, substitutions=1, deletions=1, insertions=1)
    """
    import jiwer

    _check(references, hypotheses)
    counts = []
    for start in range(0, len(references), 100):  # all alignments at once would slow Python's garbage collection
        some = slice(start, start + 100)
        for chunks in jiwer.process_words(list(references[some]), list(hypotheses[some])).alignments:
            sizes = dict.fromkeys(("equal", "substitute", "delete", "insert"), 0)
            for chunk in chunks:
                words = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
                sizes[chunk.type] += words
            counts.append(ErrorCounts(*sizes.values()))
    return counts


def sum_counts(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    """The counts of several utterances together.

    >>> sum_counts([ErrorCounts(3, 1, 0, 0), ErrorCounts(2, 0, 0, 1)])
    ErrorCounts(hits=5, substitutions=1, deletions=0, insertions=1)
    """
    return ErrorCounts(
        *(sum(column) for column in zip((0, 0, 0, 0), *(vars(count).values() for count in counts), strict=True))
    )


def score(
    references: Sequence[str], hypotheses: Sequence[str], seed: int = 0, writing: Writing | None = None
) -> Scores:
    """WER and CER of a set of utterances, with counts and a bootstrap interval.

    The interval resamples utterances, not words, since the errors of one utterance go
    together (Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR
    performance evaluation", ICASSP 2004). An utterance without a word in its reference has no
    error rate, and none is made up for it.

    Args:
        seed: of the resampling.
        writing: of the texts' language. It normalises both sides, and says by which metric the language is measured;
            None compares the texts as they are, by words.

    Raises:
        InputError: the lists differ in length or are empty, or a reference is empty, as it is or once normalised.

    >>> score(["MY CARD IS LOST", "HELLO"], ["MY CAR IS LOST", "HELLO"]).wer
    0.2
    """
    import jiwer

    folded = None
    if writing:
        _check(references, hypotheses)
        references, hypotheses = ([writing.normalise(text) for text in texts] for texts in (references, hypotheses))
        if writing.language.tag == "ar":
            said, heard = ([fold(text) for text in texts] for texts in (references, hypotheses))
            folded = (_rate(said, heard), jiwer.cer(said, heard))
    by_character = writing is not None and writing.metric == "cer"
    counted = (_spelt(references), _spelt(hypotheses)) if by_character else (references, hypotheses)
    counts = count_errors(*counted)
    errors = np.array([count.errors for count in counts])
    lengths = np.array([count.hits + count.substitutions + count.deletions for count in counts])
    generator = np.random.default_rng(seed)
    rates = []
    for _ in range(RESAMPLES):  # one at a time: all of them together would not fit the memory for many utterances
        drawn = generator.integers(0, len(counts), len(counts))
        rates.append(errors[drawn].sum() / lengths[drawn].sum())
    total = sum_counts(counts)
    return Scores(
        wer=_rate(references, hypotheses) if by_character else total.rate,
        cer=jiwer.cer(list(references), list(hypotheses)),
        words=total,
        interval=tuple(np.quantile(rates, [0.025, 0.975]).tolist()),
        utterances=len(counts),
        writing=writing,
        folded=folded,
    )


def _spelt(texts: Sequence[str]) -> list[str]:
    """Texts whose words are the texts' characters, the space among them."""
    return [" ".join("␣" if one == " " else one for one in text) for text in texts]


def evaluate(recogniser: "Recogniser", rows: Iterable[dict[str, Any]]) -> tuple[Scores, list[dict[str, str]]]:
    """Has a recogniser write down rows and scores it against their transcriptions.

    Both are normalised as the recogniser's language wants it, which need not be what it can write: what it lacks is an
    error. Where its processor names no language, transcriptions are normalised to its vocabulary.

    Args:
        recogniser: hears the rows one by one.
        rows: each with `audio`, undecoded, and `transcription`, as `load_splits` gives them.

    Returns:
        The scores, and each row's `reference` and `hypothesis`, normalised, and its `transcription` as it came.

    Raises:
        InputError: there is no row, or one cannot be read or has no text to score.
    """
    characters, writing = vocabulary(recogniser.processor), writing_of(recogniser.processor)
    transcripts = []
    for number, row in enumerate(rows):
        said = row["transcription"]
        try:
            reference = normalise_text(said, characters).text  # it says what is no text
            heard = recogniser.transcribe(row["audio"]).text
            if writing:
                reference, heard = writing.normalise(said), writing.normalise(heard)
            transcripts.append({"reference": reference, "hypothesis": heard, "transcription": said})
        except AsrError as error:
            raise InputError(f"Row {number}: {error}") from error
    references, hypotheses = ([row[side] for row in transcripts] for side in ("reference", "hypothesis"))
    return score(references, hypotheses, writing=writing), transcripts


def align(reference: str, hypothesis: str) -> list[AlignedWord]:
    """Which word was heard as which.

    Several alignments may have the same numbers of hits, substitutions, deletions and insertions. Of those this is the
    one with the fewest character edits: words spelt alike stand together.

    >>> [step.kind for step in align("I LOST MY CARD TODAY", "A LOST CARD TODAY NOW")]
    ['S', 'H', 'D', 'H', 'H', 'I']
    """
    import jiwer

    _check([reference], [hypothesis])
    output = jiwer.process_words(reference, hypothesis)
    pairs = nearest_pairs(output.references[0], output.hypotheses[0], output.substitutions)
    kinds = {(True, False): "D", (False, True): "I"}
    return [AlignedWord("H" if a == b else kinds.get((bool(a), bool(b)), "S"), a, b) for a, b in pairs]


def confusions(alignments: Iterable[Sequence[AlignedWord]]) -> Counter[AlignedWord]:
    """How often each word was taken for another, left out or put in.

    Args:
        alignments: from `align`.

    >>> confusions([align("MY CARD", "MY CAR"), align("NEW CARD", "NEW CAR")]).most_common(1)
    [(AlignedWord(kind='S', reference='CARD', hypothesis='CAR'), 2)]
    """
    return Counter(step for steps in alignments for step in steps if step.kind != "H")


def group_counts(groups: Sequence[str], counts: Sequence[ErrorCounts]) -> dict[str, list[ErrorCounts]]:
    """Utterances' counts by group, the groups in the order of their names.

    Args:
        groups: each utterance's: its voice, its intent.
        counts: from `count_errors`.

    Raises:
        InputError: the lists differ in length.

    >>> group_counts(["b", "a", "b"], count_errors(["X", "Y", "Z"], ["X", "", "Z"]))["a"]
    [ErrorCounts(hits=0, substitutions=0, deletions=1, insertions=0)]
    """
    if len(groups) != len(counts):
        raise InputError(f"{len(groups)} groups and {len(counts)} counts: each utterance has one of each.")
    found: dict[str, list[ErrorCounts]] = {name: [] for name in sorted(set(groups))}
    for name, count in zip(groups, counts, strict=True):
        found[name].append(count)
    return found


def argmax_ids(logits: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """For `Trainer(preprocess_logits_for_metrics=…)`: keeps the best id of each frame, not its 32 logits.

    Args:
        logits: (B, frames, vocabulary).
        labels: (B, L); not used.

    Returns:
        (B, frames) ids.
    """
    return logits.argmax(dim=-1)


def compute_metrics(prediction: "EvalPrediction", processor: "ProcessorMixin") -> dict[str, float]:
    """For `Trainer(compute_metrics=…)`: what is worth seeing after each evaluation.

    Args:
        prediction: its `predictions` are (clips, frames) ids from `argmax_ids`, and its
            `label_ids` (clips, L); both are padded with -100.
        processor: decodes both.

    Returns:
        `wer`, `cer`, `chance_wer` (see there), `words`, how many the references have, and `blank_share`, the share of
        frames that say blank: 1.0 is the plateau on which CTC training starts, and on which a bad recipe stays. Of a
        language that is measured by characters, `chance_cer` and `characters` stand in place of the two of words.

    Raises:
        InputError: the predictions are no ids, an id is not the processor's, or a reference is empty.
    """
    import jiwer

    blank = processor.tokenizer.pad_token_id
    both: tuple[tuple[str, Any], ...] = (("predictions", prediction.predictions), ("labels", prediction.label_ids))
    for name, ids in both:
        if np.ndim(ids) != 2:
            raise InputError(
                f"The {name} have the shape {np.shape(ids)}, and (clips, ids) is wanted: "
                "give Trainer preprocess_logits_for_metrics=argmax_ids."
            )
        wrong = np.argwhere((ids != -100) & ((ids < 0) | (ids >= len(processor.tokenizer))))
        if len(wrong):
            clip, place = wrong[0]
            raise InputError(
                f"The {name} of clip {clip} hold the id {ids[clip, place]}, and the vocabulary has "
                f"{len(processor.tokenizer)} tokens: the model and the processor do not belong together."
            )
    padding = prediction.predictions == -100
    ids = np.where(padding, blank, prediction.predictions)
    labels = np.where(prediction.label_ids == -100, blank, prediction.label_ids)
    hypotheses = [compose(text) for text in processor.batch_decode(ids)]
    references = [compose(text) for text in processor.batch_decode(labels, group_tokens=False)]
    writing = writing_of(processor)
    by_character = writing is not None and writing.metric == "cer"
    unit, said, heard = "wer", references, hypotheses
    if by_character:
        unit, said, heard = "cer", _spelt(references), _spelt(hypotheses)
    return {
        "wer": _rate(references, hypotheses),
        "cer": jiwer.cer(references, hypotheses),
        f"chance_{unit}": chance_wer(said, heard),
        "characters" if by_character else "words": float(sum(len(text.split()) for text in said)),
        "blank_share": float((ids == blank)[~padding].mean()),
    }


def _rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    return sum_counts(count_errors(references, hypotheses)).rate


def chance_wer(references: Sequence[str], hypotheses: Sequence[str], turns: int = 5) -> float:
    """The WER of hypotheses that are held against other clips' references: what a model scores that does not listen.

    The references are moved on, `turns` times by another part of their number, so that each hypothesis meets those of
    other clips, and the WERs are averaged. A recogniser's own WER lies far below it; that of constant or random texts
    does not.

    Args:
        references: two or more; of one alone nothing can be said, and the result is infinite.

    >>> chance_wer(["A B", "C D"], ["A B", "C D"])
    1.0
    """
    if len(references) < 2:
        return float("inf")
    moves = {max(1, len(references) * turn // (turns + 1)) for turn in range(1, turns + 1)}
    others = [_rate([*references[by:], *references[:by]], hypotheses) for by in moves]
    return sum(others) / len(others)
