"""N-gram models: probabilities that sum to 1, discounts by hand, and files that other tools read."""

import gzip
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_helpers import AsrError, InputError, ngrams
from asr_helpers.ngrams import BEGIN, END, UNKNOWN, NgramModel, estimate, read_arpa, write_arpa

TEXT = ["MY CARD IS LOST", "MY CARD IS NEW", "MY CAR IS NEW", "I WANT MY CARD", "PAY MY CARD", "IS MY CAR LOST", ""]
sentences = st.lists(st.lists(st.sampled_from("ABCDE"), max_size=6).map(" ".join), min_size=1, max_size=30)


def words_of(model):
    return [word for (word, *more) in model.ngrams if not more and word != BEGIN]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@settings(deadline=None, max_examples=25)
@given(text=sentences)
def test_after_any_history_the_probabilities_sum_to_1(order, text):
    if not any(text):
        return
    model = estimate(text, order)
    seen = [ngram for ngram in model.ngrams if len(ngram) < order and ngram[-1] != END]
    for history in [(), ("A", "NEVER SEEN"), (BEGIN, "E", "E", "E"), *seen]:
        total = sum(math.exp(model.log_prob(history, word)) for word in words_of(model))
        assert total == pytest.approx(1)


def test_discounts_by_hand():
    # Of the n-grams 4 occur once, 3 twice, 2 three times, 1 four times: Y = 4 / (4 + 2 * 3) = 0.4.
    sizes = [1] * 4 + [2] * 3 + [3] * 2 + [4]
    counts = Counter({(str(number),): size for number, size in enumerate(sizes)})
    assert ngrams._discounts(counts) == pytest.approx((1 - 2 * 0.4 * 3 / 4, 2 - 3 * 0.4 * 2 / 3, 3 - 4 * 0.4 * 1 / 2))
    assert ngrams._discounts(Counter({("A",): 1})) == ngrams.FALLBACK


def test_a_bigram_by_hand():
    # A small text takes the fixed discounts: 0.5 of what is seen once, 1 of twice.
    model = estimate(["A B", "A B", "A C"], order=2)
    # Kinds of words before: B, C one; A one, <s>; </s> two, B and C. Unigrams: 1, 1, 1 and 2 of 5.
    spread = (3 * 0.5 + 1.0) / 5  # taken from the unigrams, and spread over A, B, C, </s> and <unk>
    b = (1 - 0.5) / 5 + spread / 5
    assert math.exp(model.log_prob((), "B")) == pytest.approx(b)
    # After A: B twice, C once.
    taken = (1.0 + 0.5) / 3
    assert math.exp(model.log_prob((BEGIN, "A"), "B")) == pytest.approx((2 - 1) / 3 + taken * b)
    assert math.exp(model.log_prob((), "SOMETHING ELSE")) == pytest.approx(spread / 5)


def test_what_was_seen_is_likelier_and_perplexity_falls_with_the_order():
    model = estimate(TEXT, 3)
    assert model.log_prob((BEGIN, "MY"), "CARD") > model.log_prob((BEGIN, "MY"), "LOST")
    values = [estimate(TEXT, order).perplexity(TEXT) for order in (1, 2, 3)]
    assert values == sorted(values, reverse=True)
    assert model.unknown_share(["MY DOG", ""]) == 0.5
    assert UNKNOWN in model
    assert "DOG" not in model


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_says_what_the_model_says(tmp_path, packed):
    model, path = estimate(TEXT, 3), tmp_path / ("model.arpa.gz" if packed else "model.arpa")
    write_arpa(model, path)
    assert (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).startswith(b"\\data\\\n")
    read = read_arpa(path)
    assert read.order == 3
    assert read.ngrams.keys() == model.ngrams.keys()
    assert read.perplexity(TEXT) == pytest.approx(model.perplexity(TEXT), rel=1e-5)


def test_kenlm_reads_the_file_and_agrees(tmp_path):
    import kenlm

    model, path = estimate(TEXT, 3), tmp_path / "model.arpa"
    write_arpa(model, path)
    theirs = kenlm.Model(str(path))
    for sentence in [*filter(None, TEXT), "MY DOG IS LOST", "CARD CARD CARD"]:
        words = [BEGIN, *sentence.split(), END]
        ours = sum(model.log_prob(words[:place], words[place]) for place in range(1, len(words)))
        assert theirs.score(sentence) == pytest.approx(ours / math.log(10), abs=1e-4)


@pytest.mark.parametrize(("content", "says"), [
    (None, "cannot be read (No such file"),
    (b"", "Line 0 of "),
    (b"hello\n", "its end is missing"),
    (b"\\data\\\n\\end\\\n", "holds no n-gram"),
    (b"\\data\\\n\\1-grams:\n-1.0\tA\n", "its end is missing"),
    (b"\\data\\\n\\2-grams:\n-1.0\tA\n\\end\\\n", "Line 3 of "),
    (b"\\data\\\n\\1-grams:\nmuch\tA\n\\end\\\n", "could not convert"),
    (b"\xff\xfe\x00", "is not ARPA's"),
    (b"\x1f\x8b\x08\x00", "is not ARPA's"),
], ids=str)  # fmt: skip
def test_a_file_that_is_none(tmp_path, content, says):
    path = tmp_path / "model.arpa"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_arpa(path)
    assert says in str(caught.value)


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match="no word"):
        estimate(["", " "])
    with pytest.raises(InputError, match="order 0"):
        estimate(TEXT, 0)
    with pytest.raises(InputError, match="no sentence"):
        estimate(TEXT).perplexity([])
    with pytest.raises(AsrError, match="cannot be written"):
        write_arpa(estimate(TEXT), tmp_path / "no" / "such" / "folder.arpa")
    assert NgramModel(1, {("A",): (-1.0, 0.0)}).log_prob((), "B") < -200, "a model without <unk>: never"
