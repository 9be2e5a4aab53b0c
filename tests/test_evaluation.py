"""04: errors are counted as an independent count does, rates are pooled, and an interval goes with them."""

import json
import random
import unicodedata
from functools import cache
from itertools import pairwise

import jiwer
import numpy as np
import pytest
import torch
from transformers import EvalPrediction

from asr_helpers import AsrError, InputError, evaluation
from asr_helpers.collapse import collapse_warning
from asr_helpers.evaluation import (
    RESAMPLES,
    AlignedWord,
    ErrorCounts,
    Scores,
    align,
    argmax_ids,
    compute_metrics,
    confusions,
    count_errors,
    evaluate,
    group_counts,
    score,
    sum_counts,
)
from asr_helpers.languages import Writing, language
from asr_helpers.metric import WordErrorRate
from asr_helpers.models import load_processor
from asr_helpers.preprocessing import build_processor
from asr_helpers.sources import source
from asr_helpers.words import WordCounts, count_words, split_known, sum_words


def distance(said, heard):
    """Levenshtein's, straight from its definition."""

    @cache
    def rest(i, j):
        if i == len(said) or j == len(heard):
            return len(said) - i + len(heard) - j
        if said[i] == heard[j]:
            return rest(i + 1, j + 1)
        return 1 + min(rest(i + 1, j), rest(i, j + 1), rest(i + 1, j + 1))

    return rest(0, 0)


def random_pairs(seed, count=100):
    """References of 1 to 9 words and hypotheses of 0 to 9, of so few words that many are hits."""
    generator = random.Random(seed)
    words = "A BE SEE DEAR".split()
    return [
        tuple(" ".join(generator.choices(words, k=generator.randint(least, 9))) for least in (1, 0))
        for _ in range(count)
    ]


# Counts


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("HELLO WORLD", "HELLO WORLD", ErrorCounts(2, 0, 0, 0)),
        ("HELLO WORLD", "HELLO WORD", ErrorCounts(1, 1, 0, 0)),
        ("HELLO WORLD", "HELLO", ErrorCounts(1, 0, 1, 0)),
        ("HELLO WORLD", "HELLO BIG WORLD", ErrorCounts(2, 0, 0, 1)),
        ("HELLO WORLD", "", ErrorCounts(0, 0, 2, 0)),
        ("HELLO", "A B C", ErrorCounts(0, 1, 0, 2)),
        ("SO MY CARD IS LOST", "MY CAR IS LOST NOW", ErrorCounts(3, 1, 1, 1)),
        ("HELLO WORLD", "hello world", ErrorCounts(0, 2, 0, 0)),
        ("  HELLO   WORLD ", "HELLO WORLD", ErrorCounts(2, 0, 0, 0)),
        ("今日は", "今日は", ErrorCounts(1, 0, 0, 0)),
    ],
)
def test_counts_by_hand(reference, hypothesis, counts):
    assert count_errors([reference], [hypothesis]) == [counts]


def test_each_utterance_has_its_own_counts():
    assert count_errors(["A B", "C", "D E"], ["A", "C F", "D E"]) == [
        ErrorCounts(1, 0, 1, 0),
        ErrorCounts(1, 0, 0, 1),
        ErrorCounts(2, 0, 0, 0),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_counts_agree_with_the_definition(seed):
    pairs = random_pairs(seed)
    for (reference, hypothesis), counts in zip(pairs, count_errors(*zip(*pairs, strict=True)), strict=True):
        said, heard = tuple(reference.split()), tuple(hypothesis.split())
        assert counts.errors == distance(said, heard), (reference, hypothesis)
        assert counts.hits + counts.substitutions + counts.deletions == len(said)
        assert counts.hits + counts.substitutions + counts.insertions == len(heard)
        assert counts.rate == counts.errors / len(said)


@pytest.mark.parametrize(
    ("counts", "errors", "rate"),
    [
        (ErrorCounts(hits=4, substitutions=0, deletions=0, insertions=0), 0, 0.0),
        (ErrorCounts(hits=2, substitutions=1, deletions=1, insertions=1), 3, 0.75),
        (ErrorCounts(hits=0, substitutions=1, deletions=0, insertions=2), 3, 3.0),
    ],
)
def test_the_rate_divides_by_the_words_said(counts, errors, rate):
    assert counts.errors == errors
    assert counts.rate == rate


# Bad input


@pytest.mark.parametrize("function", [count_errors, score])
class TestBadInput:
    def test_lists_of_different_lengths(self, function):
        with pytest.raises(AsrError, match="2 references and 1 hypotheses"):
            function(["A", "B"], ["A"])

    def test_no_utterance(self, function):
        with pytest.raises(AsrError, match="no utterance"):
            function([], [])

    @pytest.mark.parametrize("empty", ["", "  ", "\n"])
    def test_an_empty_reference_names_its_utterance(self, function, empty):
        with pytest.raises(AsrError, match="utterance 1 is empty"):
            function(["A", empty, "B"], ["A", "B", "B"])

    def test_a_text_in_place_of_a_list(self, function):
        with pytest.raises(AsrError, match="The references are one text, 'MY CARD': put it in a list"):
            function("MY CARD", "MY CARS")
        with pytest.raises(AsrError, match="The hypotheses are one text, 'MY': put it in a list"):
            function(["MY", "CARD"], "MY")

    @pytest.mark.parametrize("wrong", [None, 3.14, ["A"]])
    def test_what_is_no_text_names_its_utterance(self, function, wrong):
        with pytest.raises(AsrError, match="Utterance 1 of the references is no text but "):
            function(["A", wrong], ["A", "B"])
        with pytest.raises(AsrError, match="Utterance 0 of the hypotheses is no text but "):
            function(["A", "B"], [wrong, "B"])


def test_where_nothing_was_said_there_is_no_rate():
    for counts in (ErrorCounts(0, 0, 0, 3), sum_counts([])):
        with pytest.raises(AsrError, match="Nothing was said, so there is no error rate"):
            counts.rate  # noqa: B018


@pytest.mark.parametrize(("predictions", "labels", "says"), [
    (np.zeros((2, 5, 32)), np.ones((2, 3), int), r"The predictions have the shape \(2, 5, 32\), .*=argmax_ids"),
    (np.zeros((2, 5), int), np.ones(2, int), r"The labels have the shape \(2,\)"),
    (np.array([[0, 5], [0, 32]]), np.ones((2, 3), int), "The predictions of clip 1 hold the id 32, .* has 32 tokens"),
    (np.zeros((2, 5), int), np.array([[-1, 5], [5, 5]]), "The labels of clip 0 hold the id -1"),
])  # fmt: skip
def test_predictions_of_another_shape_or_vocabulary(processor, predictions, labels, says):
    with pytest.raises(AsrError, match=says):
        compute_metrics(EvalPrediction(predictions, labels), processor)


class Deaf:
    """A recogniser that hears nothing."""

    def __init__(self, processor):
        self.processor = processor

    def transcribe(self, clip):
        raise AsrError("it cannot be heard")


def test_a_row_that_cannot_be_measured_is_numbered(processor):
    with pytest.raises(AsrError, match="Row 0: it cannot be heard"):
        evaluate(Deaf(processor), [{"audio": None, "transcription": "yes"}])
    with pytest.raises(AsrError, match="Row 0: A text is wanted, and this is None"):
        evaluate(Deaf(processor), [{"audio": None, "transcription": None}])


def test_align_needs_a_reference():
    with pytest.raises(AsrError, match="empty"):
        align("", "A")


# Scores


def test_all_errors_over_all_words_not_the_mean_of_rates():
    scores = score(["YES", "I WOULD LIKE TO PAY MY BILL"], ["GUESS", "I WOULD LIKE TO PAY MY BILL"])
    assert scores.wer == 1 / 8
    assert scores.words == ErrorCounts(hits=7, substitutions=1, deletions=0, insertions=0)
    assert scores.utterances == 2


def test_wer_is_not_bounded_by_one():
    assert score(["HELLO"], ["HELL OH NO"]).wer == 3.0


def test_nothing_heard_is_a_wer_of_one():
    scores = score(["HELLO WORLD", "YES"], ["", ""])
    assert (scores.wer, scores.cer) == (1.0, 1.0)
    assert scores.words == ErrorCounts(hits=0, substitutions=0, deletions=3, insertions=0)


def test_cer_counts_spaces():
    # one of 4 characters in the first, a lost space in the second, of 4 + 3
    assert score(["CARD", "A B"], ["CAR", "AB"]).cer == pytest.approx(2 / 7)


@pytest.mark.parametrize("seed", range(5))
def test_rates_agree_with_the_definition_and_with_jiwer(seed):
    references, hypotheses = zip(*random_pairs(seed, 40), strict=True)
    scores = score(references, hypotheses)
    pairs = list(zip(references, hypotheses, strict=True))
    words = sum(distance(tuple(r.split()), tuple(h.split())) for r, h in pairs)
    letters = sum(distance(r, h) for r, h in pairs)
    assert scores.wer == words / sum(len(r.split()) for r in references)
    assert scores.cer == pytest.approx(letters / sum(map(len, references)))
    assert scores.wer == jiwer.wer(list(references), list(hypotheses))
    assert scores.cer == jiwer.cer(list(references), list(hypotheses))


def test_any_sequence_will_do():
    rows = np.array(["HELLO WORLD", "YES"])
    assert score(rows, rows).wer == 0
    assert score(tuple(rows), list(rows)).wer == 0


def test_as_dict_is_flat_and_json():
    result = score(["SO MY CARD IS LOST"], ["MY CAR IS LOST NOW"]).as_dict()
    assert result == {
        "wer": 0.6,
        "cer": pytest.approx(8 / 18),
        "hits": 3,
        "substitutions": 1,
        "deletions": 1,
        "insertions": 1,
        "interval": [0.6, 0.6],
        "utterances": 1,
    }
    assert json.loads(json.dumps(result)) == result


def test_in_words():
    scores = Scores(0.25, 0.1, ErrorCounts(3, 1, 0, 0), (0.0, 0.5), 2)
    assert str(scores) == (
        "WER 0.250 (95 % interval 0.000 to 0.500), CER 0.100, "
        "2 utterances: 3 hits, 1 substitutions, 0 deletions, 0 insertions"
    )


# The interval


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_wer_and_is_the_same_each_time(seed):
    references, hypotheses = zip(*random_pairs(seed, 30), strict=True)
    scores = score(references, hypotheses)
    low, high = scores.interval
    assert 0 <= low < scores.wer < high
    assert score(references, hypotheses).interval == scores.interval
    assert score(references, hypotheses, seed=1).interval == pytest.approx(scores.interval, abs=0.05)


def test_the_interval_of_sure_things_has_no_width():
    assert score(["HELLO WORLD"] * 9, ["HELLO WORD"] * 9).interval == (0.5, 0.5)
    assert score(["HELLO WORLD"], ["HELLO"]).interval == (0.5, 0.5)
    assert score(["A", "B"], ["A", "B"]).interval == (0.0, 0.0)


def test_two_utterances_by_hand():
    # Half of the draws of two take both (WER 0.5), a quarter twice the right one, a quarter twice the wrong one.
    assert score(["A", "B"], ["A", "C"]).interval == (0.0, 1.0)


def test_the_interval_is_the_quantiles_of_resampled_rates():
    pairs = random_pairs(7, 20)
    counts = [(distance(tuple(r.split()), tuple(h.split())), len(r.split())) for r, h in pairs]
    generator, rates = random.Random(0), []
    for _ in range(20 * RESAMPLES):
        drawn = generator.choices(counts, k=len(counts))
        rates.append(sum(errors for errors, _ in drawn) / sum(words for _, words in drawn))
    rates.sort()
    expected = rates[int(0.025 * len(rates))], rates[int(0.975 * len(rates))]
    assert score(*zip(*pairs, strict=True)).interval == pytest.approx(expected, abs=0.03)


def test_long_utterances_weigh_more_in_the_interval():
    # Errors in the long one alone: were rates averaged, no resampled rate could pass 0.5.
    low, high = score(["A"] * 9 + ["B C D E F G H I J K"], ["A"] * 9 + ["X"]).interval
    assert low == 0
    assert high > 0.7


def test_more_utterances_make_it_narrower():
    few, many = (score(["A B"] * n, ["A X", "A B"] * (n // 2)) for n in (10, 160))
    widths = [high - low for low, high in (few.interval, many.interval)]
    assert few.wer == many.wer == 0.25
    assert 2.5 < widths[0] / widths[1] < 6  # 4, were the draws endless


# Alignments


@pytest.mark.parametrize(
    ("reference", "hypothesis", "kinds"),
    [
        ("SO MY CARD IS LOST", "MY CAR IS LOST NOW", "DHSHHI"),
        ("A B", "", "DD"),
        ("A", "A B C", "HII"),
        ("A B C D", "A B C D", "HHHH"),
    ],
)
def test_kinds_by_hand(reference, hypothesis, kinds):
    assert "".join(step.kind for step in align(reference, hypothesis)) == kinds


def test_an_alignment_names_the_words():
    assert align("PAY MY BILL", "PAY THE BILL NOW") == [
        AlignedWord("H", "PAY", "PAY"),
        AlignedWord("S", "MY", "THE"),
        AlignedWord("H", "BILL", "BILL"),
        AlignedWord("I", "", "NOW"),
    ]
    assert align("PAY MY", "MY")[0] == AlignedWord("D", "PAY", "")


@pytest.mark.parametrize("seed", range(3))
def test_an_alignment_holds_both_texts_and_the_counts(seed):
    for reference, hypothesis in random_pairs(seed):
        steps = align(reference, hypothesis)
        assert " ".join(step.reference for step in steps if step.reference) == reference
        assert " ".join(step.hypothesis for step in steps if step.hypothesis) == hypothesis
        for step in steps:
            assert {"H": step.reference == step.hypothesis, "D": not step.hypothesis, "I": not step.reference}.get(
                step.kind, step.reference != step.hypothesis
            )
        kinds = [step.kind for step in steps]
        counts = count_errors([reference], [hypothesis])[0]
        assert counts == ErrorCounts(*(kinds.count(kind) for kind in "HSDI"))


def all_alignments(said, written):
    """Every way to pair two lists of words, by its definition."""
    if not said and not written:
        yield []
    if said:
        yield from ([(said[0], ""), *rest] for rest in all_alignments(said[1:], written))
    if written:
        yield from ([("", written[0]), *rest] for rest in all_alignments(said, written[1:]))
    if said and written:
        yield from ([(said[0], written[0]), *rest] for rest in all_alignments(said[1:], written[1:]))


def counts_of(pairs):
    hits = sum(a == b for a, b in pairs)
    deletions, insertions = sum(not b for _, b in pairs), sum(not a for a, _ in pairs)
    return ErrorCounts(hits, len(pairs) - hits - deletions - insertions, deletions, insertions)


@pytest.mark.parametrize("seed", range(60))
def test_no_alignment_with_the_same_counts_has_fewer_character_edits(seed):
    generator = random.Random(seed)
    words = "A AB BAB BABA CAB DCABA".split()
    said, written = (generator.choices(words, k=generator.randint(least, 5)) for least in (1, 0))
    (counts,) = count_errors([" ".join(said)], [" ".join(written)])
    everything = list(all_alignments(said, written))
    assert min(counts_of(pairs).errors for pairs in everything) == counts.errors
    fewest = min(sum(distance(*pair) for pair in pairs) for pairs in everything if counts_of(pairs) == counts)
    found = [(step.reference, step.hypothesis) for step in align(" ".join(said), " ".join(written))]
    assert found in everything
    assert counts_of(found) == counts
    assert sum(distance(*pair) for pair in found) == fewest


@pytest.mark.parametrize(
    ("reference", "hypothesis", "pairs"),
    [
        ("MOVING HOUSE", "OV MOVIN HOUSE", "-/OV MOVING/MOVIN HOUSE/HOUSE"),
        ("MOVING HOUSE", "MOVIN OV HOUSE", "MOVING/MOVIN -/OV HOUSE/HOUSE"),
        ("PAY A DEPOSIT", "PAY DEPOSED", "PAY/PAY A/- DEPOSIT/DEPOSED"),
        ("PAY DEPOSITS NOW", "PAY DEPOSED", "PAY/PAY DEPOSITS/DEPOSED NOW/-"),
        ("A ACCOUNT", "NT", "A/- ACCOUNT/NT"),  # 1 character left out and 5 changed; else 7 and 2
        ("A B", "B C", "A/B B/C"),  # two substitutions, as they are counted, though B could be a hit
    ],
)
def test_words_spelt_alike_stand_together(reference, hypothesis, pairs):
    found = " ".join(f"{step.reference or '-'}/{step.hypothesis or '-'}" for step in align(reference, hypothesis))
    assert found == pairs


def test_a_long_text_is_aligned_in_time_and_memory():
    words = [f"W{number}" for number in range(1_500)]
    steps = align(" ".join(words), " ".join(word + "X" for word in words[1:]))
    assert [step.kind for step in steps] == ["D"] + ["S"] * 1_499
    assert steps[1] == AlignedWord("S", "W1", "W1X")


def test_no_word_is_lost_where_words_are_apart_by_other_than_one_space():
    steps = align(" PAY  MY\tBILL", "PAY  MY\tBILL NOW")
    assert "".join(step.kind for step in steps).strip("H") == "I"
    assert " ".join(step.reference for step in steps).split() == ["PAY", "MY", "BILL"]
    assert " ".join(step.hypothesis for step in steps).split() == ["PAY", "MY", "BILL", "NOW"]


# The metric


def test_the_metric_computes_without_a_network():
    references, hypotheses = zip(*random_pairs(1, 10), strict=True)
    result = WordErrorRate().compute(predictions=hypotheses, references=references)
    assert result == score(references, hypotheses).as_dict()


def test_the_metric_adds_up_batches():
    metric = WordErrorRate()
    metric.add(prediction="HELLO WORD", reference="HELLO WORLD")
    metric.add_batch(predictions=["YES", "NO"], references=["YES", "NO NO"])
    result = metric.compute()
    assert (result["wer"], result["substitutions"], result["deletions"], result["utterances"]) == (0.4, 1, 1, 3)


# Inside Trainer


def test_argmax_ids_keeps_one_id_a_frame():
    logits = torch.tensor([[[0.1, 0.9, 0.0], [2.0, 1.0, 0.0]], [[-3.0, -2.0, -1.0], [0.0, 0.0, 5.0]]])
    ids = argmax_ids(logits, labels=torch.zeros(2, 1))
    assert ids.tolist() == [[1, 0], [2, 2]]
    assert ids.dtype == torch.int64


@pytest.fixture(scope="module")
def processor():
    return load_processor(source("demo").checkpoint)


def ids_of(processor, text):
    """A frame for each character; _ is the blank."""
    tokenizer = processor.tokenizer
    names = {"_": tokenizer.pad_token, " ": tokenizer.word_delimiter_token}
    return tokenizer.convert_tokens_to_ids([names.get(character, character) for character in text])


def rectangle(rows):
    longest = max(map(len, rows))
    return np.array([row + [-100] * (longest - len(row)) for row in rows])


def predict(processor, heard, said):
    prediction = EvalPrediction(
        predictions=rectangle([ids_of(processor, frames) for frames in heard]),
        label_ids=rectangle([ids_of(processor, text) for text in said]),
    )
    return compute_metrics(prediction, processor)


def test_metrics_by_hand(processor):
    # 14 frames, 3 of them blank, and 5 frames, 1 blank; what is padded is neither.
    result = predict(processor, ["HHEL_LO WOR_D_", "YYE_S"], ["HELLO WORLD", "YES"])
    # By chance: YES for HELLO WORD, two words wrong, and HELLO WORLD for YES, two more, of three said.
    assert result == {
        "wer": 1 / 3, "cer": pytest.approx(1 / 14), "chance_wer": 4 / 3, "words": 3, "blank_share": 4 / 19,
    }  # fmt: skip


def test_doubled_letters_of_the_labels_are_kept(processor):
    assert predict(processor, ["HEL_LO"], ["HELLO"])["wer"] == 0
    assert predict(processor, ["HELLO"], ["HELLO"])["wer"] == 1  # no blank between: one L


def test_the_blank_plateau(processor):
    silent = {"wer": 1.0, "cer": 1.0, "chance_wer": 1.0, "words": 3, "blank_share": 1.0}
    assert predict(processor, ["____", "__"], ["HELLO WORLD", "YES"]) == silent


def test_a_model_that_does_not_listen_is_as_wrong_as_by_chance():
    said = [f"{one} {two}" for one in "ABCDE" for two in "VWXYZ"]
    assert evaluation.chance_wer(said, said) > 0.8
    assert evaluation.score(said, said).wer == 0
    same = ["A V"] * 25
    assert evaluation.chance_wer(said, same) == pytest.approx(evaluation.score(said, same).wer)
    assert evaluation.chance_wer(["A"], ["A"]) == float("inf")


WELL = {"eval_wer": 0.2, "eval_chance_wer": 1.0, "eval_blank_share": 0.6}


@pytest.mark.parametrize(("metrics", "losses", "before", "says"), [
    ({}, [3.0, 1.0, 0.5], 1.0, ""),
    ({}, [3.0, 1.0, 0.5], 0.18, ""),
    ({}, [0.1, 0.05, 0.2], 1.0, ""),
    ({}, [3.0, 0.5, 2.9], None, "The loss has risen from 0.50 to 2.90"),
    ({}, [3.0, 0.5, float("nan")], None, "The loss has risen from 0.50 to nan"),
    ({"eval_blank_share": 0.99}, [3.0], None, "99% of the validation frames are blank"),
    ({"eval_wer": 1.0}, [3.0, 2.0, 2.0], None, ""),
    ({"eval_wer": 0.95}, [], 1.0, "The model learnt nothing"),
    ({"eval_wer": 0.7, "eval_chance_wer": 0.75}, [], 1.0, "The model learnt nothing"),
    ({"eval_wer": 0.7, "eval_chance_wer": 1.0}, [], 1.0, ""),
    ({"eval_wer": 0.3}, [], 0.2, "The training made it worse, WER 0.20 before and 0.30 after"),
    ({"eval_wer": 0.3, "eval_words": 400.0}, [], 0.2, "The training made it worse, WER 0.20 before and 0.30 after"),
    ({"eval_wer": 0.4, "eval_words": 8.0}, [], 0.2, ""),
    ({"eval_wer": 0.6, "eval_words": 8.0}, [], 0.2, "The training made it worse"),
])  # fmt: skip
def test_a_collapse_is_said_in_words(metrics, losses, before, says):
    warning = collapse_warning(WELL | metrics, losses, before)
    assert warning.startswith(says)
    assert bool(warning) == bool(says)


def test_padding_of_labels_is_no_part_of_the_reference(processor):
    rates = [predict(processor, ["N_O", longer], ["NO", longer])["wer"] for longer in ("YES", "YES YES YES")]
    assert rates == [0, 0]


def test_metrics_leave_the_prediction_as_it_was(processor):
    predictions, labels = rectangle([[5, 0], [6]]), rectangle([[5], [6, 7]])
    compute_metrics(EvalPrediction(predictions=predictions, label_ids=labels), processor)
    assert predictions.tolist() == [[5, 0], [6, -100]]
    assert labels.tolist() == [[5, -100], [6, 7]]


@pytest.mark.parametrize("seed", range(3))
def test_metrics_agree_with_score(processor, seed):
    pairs = random_pairs(seed, 6)
    # a blank between all frames keeps doubled letters apart
    result = predict(processor, ["_" + "_".join(h) + "_" for _, h in pairs], [r for r, _ in pairs])
    scores = score(*zip(*pairs, strict=True))
    assert (result["wer"], result["cer"]) == (scores.wer, scores.cer)


def test_wer_falls_as_a_hypothesis_gets_better():
    said = "PLEASE SEND THE NEW CARD TO MY HOME"
    better = [" ".join(said.split()[:count]) for count in range(9)]
    rates = [score([said], [hypothesis]).wer for hypothesis in better]
    assert all(worse > nearer for worse, nearer in pairwise(rates))
    assert rates[-1] == 0


# Confusions and groups


def test_confusions_are_all_errors_and_no_hits():
    pairs = random_pairs(7)
    found = confusions(align(*pair) for pair in pairs)
    counts = sum_counts(count_errors(*zip(*pairs, strict=True)))
    by_kind = {kind: sum(times for step, times in found.items() if step.kind == kind) for kind in "HSDI"}
    assert by_kind == {"H": 0, "S": counts.substitutions, "D": counts.deletions, "I": counts.insertions}


def test_the_same_confusion_counts_twice():
    found = confusions([align("MY CARD", "MY CAR"), align("NEW CARD", "NEW CAR"), align("OK", "OK NOW")])
    assert found == {AlignedWord("S", "CARD", "CAR"): 2, AlignedWord("I", "", "NOW"): 1}


def test_all_words_together_have_the_counts_of_the_utterances():
    pairs = random_pairs(8)
    total = sum_words(count_words(align(*pair) for pair in pairs).values())
    counts = sum_counts(count_errors(*zip(*pairs, strict=True)))
    assert total.said == counts.hits + counts.substitutions + counts.deletions
    assert total.right == counts.hits
    assert total.false == counts.substitutions + counts.insertions
    assert total.recall == counts.hits / total.said


def test_a_word_has_the_share_that_is_heard_right():
    words = count_words([align("MY CARD MY CARD", "MY CAR A CARD"), align("MY BILL", "MY BILL CARD")])
    assert words == {
        "MY": WordCounts(3, 2, 0),
        "CARD": WordCounts(2, 1, 1),
        "BILL": WordCounts(1, 1, 0),
        "CAR": WordCounts(0, 0, 1),
        "A": WordCounts(0, 0, 1),
    }
    assert words["MY"].recall == 2 / 3
    with pytest.raises(InputError, match="never said"):
        words["CAR"].recall  # noqa: B018
    known, unknown = split_known(words, {"MY", "A"})
    assert set(known) == {"MY", "A"}
    assert sum_words(unknown.values()) == WordCounts(3, 2, 2)
    assert sum_words([]) == WordCounts()


def test_groups_hold_their_utterances_counts():
    counts = count_errors(["A B", "C", "D E"], ["A", "C", "D"])
    groups = group_counts(["late", "early", "late"], counts)
    assert list(groups) == ["early", "late"]
    assert groups == {"early": [counts[1]], "late": [counts[0], counts[2]]}
    assert sum_counts(groups["late"]) == ErrorCounts(hits=2, substitutions=0, deletions=2, insertions=0)


def test_a_group_for_each_utterance():
    with pytest.raises(AsrError, match="1 groups and 2 counts"):
        group_counts(["a"], count_errors(["A", "B"], ["A", "B"]))


# Languages


def scored(tag, references, hypotheses):
    return score(references, hypotheses, writing=Writing(language(tag)))


def test_japanese_is_measured_by_characters_alone():
    scores = scored("ja", ["が 一つ。", "コーヒー"], ["か一つ", "コーヒー"])
    assert scores.cer == pytest.approx(1 / 7)
    assert scores.words == ErrorCounts(hits=6, substitutions=1, deletions=0, insertions=0)
    assert scores.interval[0] <= scores.cer <= scores.interval[1]
    written = scores.as_dict()
    assert "wer" not in written
    assert (written["metric"], written["names"]) == (
        "cer", {"cer": "CER, characters, NFC, lower case, no punctuation, no spaces"},
    )  # fmt: skip
    assert str(scores).startswith("CER 0.143 (95 % interval ")
    assert "WER" not in str(scores)


def test_korean_is_measured_by_both_and_composed_before():
    scores = scored("ko", ["한국 말"], [unicodedata.normalize("NFD", "한국말")])
    assert (scores.cer, scores.wer) == (1 / 4, 1.0), "a space of four characters; a substitution and a deletion of two"
    assert (scores.metric, list(scores.as_dict()["names"])) == ("cer", ["wer", "cer"])


def test_arabic_is_measured_strictly_and_folded():
    scores = scored("ar", ["إلى مسؤول!"], ["الى مسوول"])
    assert (scores.wer, scores.folded) == (1.0, (0.0, 0.0))
    assert scores.as_dict()["folded"]["normaliser"] == "hamza, alif maqsura and ta marbuta folded"
    assert scored("ar", ["مُحَمَّد"], ["محمد"]).wer == 0, "vowel marks are left out on both sides"


def test_a_languages_normaliser_is_applied_to_both_sides():
    assert scored("en", ["It’s 5, Ok?"], ["IT'S 5 OK"]).wer == 0
    assert scored("en", ["It’s five"], ["its five"]).wer == 0.5
    with pytest.raises(InputError, match="The reference of utterance 0 is empty"):
        scored("en", ["..."], ["a"])


def test_the_character_error_rate_is_jiwers():
    said, heard = ["한국 말을 해요", "네"], ["한국말 해", "네에"]
    scores = scored("ko", said, heard)
    assert scores.cer == pytest.approx(jiwer.cer(said, heard)) == pytest.approx(scores.words.rate)


def test_metrics_of_jamo_are_of_the_syllables_they_make():
    korean = build_processor(["가나", "다가"], language="ko")
    heard, said = unicodedata.normalize("NFD", "가_나"), unicodedata.normalize("NFD", "가다")
    result = predict(korean, [heard, heard], [said, said])
    assert (result["wer"], result["cer"], result["characters"]) == (1.0, 0.5, 4)
    assert result["chance_cer"] == 0.5
    assert "chance_wer" not in result


CHARACTERS = {"eval_wer": 1.0, "eval_chance_cer": 0.9, "eval_characters": 400, "eval_blank_share": 0.5}


@pytest.mark.parametrize(("cer", "before", "warns"), [
    (0.3, 0.9, ""), (0.85, 1.0, "learnt nothing: its texts, CER 0.85"), (0.4, 0.2, "worse, CER 0.20 before and 0.40"),
])  # fmt: skip
def test_a_training_is_judged_by_the_languages_metric(cer, before, warns):
    warning = collapse_warning(CHARACTERS | {"eval_cer": cer}, [], before)
    assert warns in warning
    assert bool(warns) == bool(warning)
