"""Beam search: against all paths there are, in the corners, and as the commands use it."""

import itertools
import json
import math
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from asr_helpers import InputError, cli, decoding, loading, ngrams
from asr_helpers.alignment import Alphabet, align_words
from asr_helpers.decoding import Beam, BeamRecogniser, beam_search, read_hotwords
from asr_helpers.inference import Recogniser, collapse
from asr_helpers.languages import units
from asr_helpers.ngrams import BEGIN
from asr_helpers.preprocessing import build_processor, normalise_text, vocabulary
from asr_helpers.sources import DEMO_LANGUAGE_MODEL, source

ALPHABET = Alphabet(("", "|", "A", "B"), blank=0, delimiter=1)
MODEL = ngrams.estimate(["A B", "AB B A", "A A", "B A B"], 2)
EXACT = Beam(width=10**6, floor=-math.inf)


def text_of(path, alphabet=ALPHABET):
    """What CTC writes for a path."""
    _, kept = collapse(path, alphabet.blank)
    signs = [" " if path[frame] == alphabet.delimiter else alphabet.signs[path[frame]] for frame in kept]
    return " ".join("".join(signs).split())


def small_emission(seed):
    return np.random.default_rng(seed).dirichlet(np.full(4, 0.5), 5)


PATHS = [(path, text_of(path)) for path in itertools.product(range(4), repeat=5)]


@cache
def chances(seed):
    """Each text's probability, from the sum over all its paths."""
    emission, found = small_emission(seed), {}
    for path, text in PATHS:
        found[text] = found.get(text, 0.0) + emission[range(5), path].prod()
    return found


def by_all_paths(seed, beam):
    """Each text's score."""
    scores = {}
    for text, chance in chances(seed).items():
        history, language = [BEGIN], 0.0
        for word in text.split():
            language += beam.word_score(history, word)
            history.append(word)
        scores[text] = math.log(chance) + language + beam.end_score(history)
    return scores


@pytest.mark.parametrize("beam", [
    EXACT,
    Beam(10**6, MODEL, weight=0.8, word_bonus=0.5, floor=-math.inf),
    Beam(10**6, MODEL, hotwords={"AB": 2.0, "B": -1.0}, floor=-math.inf),
], ids=["sound", "language model", "hotwords"])  # fmt: skip
def test_every_text_has_the_score_of_all_its_paths(beam):
    for seed in range(70):
        scores = by_all_paths(seed, beam)
        found = beam_search(small_emission(seed), ALPHABET, beam)
        assert found[0].text == max(scores, key=scores.__getitem__)
        assert {hypothesis.text: hypothesis.score for hypothesis in found} == pytest.approx(scores, abs=1e-9)


def sure_of(path, alphabet, sure=0.97):
    """An emission that believes in one path."""
    emission = np.full((len(path), len(alphabet.signs)), (1 - sure) / (len(alphabet.signs) - 1))
    emission[np.arange(len(path)), path] = sure
    return emission


@pytest.mark.parametrize(("path", "text"), [
    ("H E L _ L O", "HELLO"),
    ("_ H H E _ L L _ L O O _", "HELLO"),
    ("マ _ マ", "ママ"),
    ("한 한 _ 한", "한한"),
    ("マ マ", "マ"),
    ("H O | H O", "HO HO"),
    ("| H O | | _ | H O |", "HO HO"),
    ("_ _ _", ""),
    ("| |", ""),
    ("", ""),
])  # fmt: skip
def test_corners(path, text):
    signs = ["", "|", *"HELOママ한"[:4], "マ", "한"]
    alphabet = Alphabet(tuple(signs), blank=0, delimiter=1)
    ids = [0 if sign == "_" else signs.index(sign) for sign in path.split()]
    emission = sure_of(ids, alphabet)
    for beam in (Beam(1), Beam(25), Beam(25, MODEL, weight=0.0, word_bonus=0.0)):
        assert beam_search(emission, alphabet, beam)[0].text == text


def test_without_words_apart_all_is_one_word():
    alphabet = Alphabet(("", "マ", "ン"), blank=0, delimiter=None)
    assert beam_search(sure_of([1, 0, 1, 2], alphabet), alphabet, Beam())[0].text == "ママン"
    assert [word.text for word in align_words(sure_of([1, 0, 1, 2], alphabet), "ママン", alphabet, 0.02)] == ["ママン"]


def test_a_language_model_and_a_hotword_change_what_is_heard():
    emission = sure_of([2, 0, 3], ALPHABET)
    emission[1] = [0.5, 0.4, 0.05, 0.05]  # one word or two
    heard = [
        beam_search(emission, ALPHABET, beam)[0].text
        for beam in (Beam(), Beam(language_model=ngrams.estimate(["A B"] * 9)), Beam(hotwords={"A": 1.0}))
    ]
    assert heard == ["AB", "A B", "A B"]


def test_words_lie_where_they_are_heard():
    path = [0, 2, 2, 0, 1, 1, 0, 0, 3, 0]
    first, second = align_words(sure_of(path, ALPHABET), "A B", ALPHABET, 0.02)
    assert (first.text, first.start, first.end) == ("A", 0.02, pytest.approx(0.06))
    assert (second.text, second.start, second.end) == ("B", pytest.approx(0.16), pytest.approx(0.18))
    assert first.confidence == pytest.approx(0.97)
    assert align_words(sure_of(path, ALPHABET), "", ALPHABET, 0.02) == ()


def test_what_cannot_be_searched_or_aligned():
    with pytest.raises(InputError, match="A beam cannot be 0 wide"):
        Beam(0)
    with pytest.raises(InputError, match=r"An emission is \(frames, 4\), and this one has the shape \(3, 5\)"):
        beam_search(np.ones((3, 5)), ALPHABET, Beam())
    with pytest.raises(InputError, match="'C', which this recogniser cannot write"):
        align_words(sure_of([2], ALPHABET), "C", ALPHABET, 0.02)
    with pytest.raises(InputError, match="cannot lie in 2 frames"):
        align_words(sure_of([2, 2], ALPHABET), "AA", ALPHABET, 0.02)


def yes_or_no(recogniser, waveform):
    """An emission of YES or NO, by the clip's length, and not quite sure."""
    letters = "Y E S" if len(waveform) > 12_000 else "N <pad> O"
    ids = recogniser.processor.tokenizer.convert_tokens_to_ids(letters.split())
    return sure_of(ids, Alphabet.of(recogniser), 0.6)


@pytest.fixture
def recogniser(monkeypatch):
    """Hears by `yes_or_no`: nothing is learnt or computed."""
    monkeypatch.setattr(Recogniser, "emission", yes_or_no)
    processor = tiny.processor()
    model = SimpleNamespace(config=SimpleNamespace(vocab_size=len(processor.tokenizer), inputs_to_logits_ratio=320))
    return Recogniser(model, processor)


def test_a_beam_recogniser_writes_words_in_time(recogniser):
    searching = BeamRecogniser(recogniser.model, recogniser.processor, beam=Beam(5))
    emission = recogniser.emission(np.zeros(16_000))
    heard = searching.decode(emission)
    assert heard.text == recogniser.decode(emission).text == "YES"
    assert heard.words[0].end == pytest.approx(0.06)
    assert [found.text for found in searching.hypotheses(emission)][:2] == ["YES", "YE"]
    assert len(searching.hypotheses(emission)) <= 5


def rows(*texts):
    return [{"audio": {"bytes": tiny.clip(0, 1.0 if text == "YES" else 0.5)}, "transcription": text} for text in texts]


def test_tuning_chooses_weights_and_says_whether_it_helped(recogniser):
    helped = decoding.tune(recogniser, rows("YES", "NOO"), Beam(language_model=ngrams.estimate(["YES", "NOO"] * 20)))
    assert (helped.greedy, helped.unknown_share) == (0.5, 0.0)
    assert helped.language_model <= helped.beam
    other = decoding.tune(recogniser, rows("YES", "NO"), Beam(language_model=ngrams.estimate(["MAYBE"])))
    assert (other.greedy, other.language_model, other.helped) == (0.0, 0.0, False)
    assert (other.weight, other.word_bonus) == (0.1, 0.0), "of equals the smallest"
    assert other.unknown_share == 1.0
    with pytest.raises(InputError, match="no language model to tune"):
        decoding.tune(recogniser, rows("YES"), Beam())


def test_of_equal_weights_the_one_amid_the_best_is_taken():
    found = dict.fromkeys(itertools.product(decoding.WEIGHTS, decoding.BONUSES), 0.5)
    found |= dict.fromkeys(itertools.product((0.2, 0.35, 0.5), (0.5, 1.0, 1.5)), 0.1) | {(0.1, 2.0): 0.1}
    assert decoding._best(found) == (0.35, 1.0)
    assert decoding._best(found | {(0.9, 0.0): 0.05}) == (0.9, 0.0), "a lower one wins wherever it is"


def test_tuning_hears_each_row_once(recogniser, monkeypatch):
    heard, emission = [], Recogniser.emission
    monkeypatch.setattr(Recogniser, "emission", lambda self, wave: heard.append(len(wave)) or emission(self, wave))
    decoding.tune(recogniser, rows("YES", "NO"), Beam(language_model=ngrams.estimate(["YES", "NO"])))
    assert len(heard) == 2


def test_a_language_model_of_another_language_is_refused(recogniser, tmp_path):
    path = tmp_path / "model.arpa"
    ngrams.write_arpa(ngrams.estimate(["да", "нет"]), path)
    with pytest.raises(InputError, match=r"2 of the 2 words of '.*model.arpa', such as 'да', cannot be written"):
        Beam.read(path, Alphabet.of(recogniser))
    ngrams.write_arpa(ngrams.estimate(["YES", "NO"]), path)
    assert Beam.read(path, Alphabet.of(recogniser), 7).width == 7
    decoding.weights_file(path).write_text('{"weight": 0.2, "word_bonus": 1.5, "greedy": 0.3}')
    beam = Beam.read(path, Alphabet.of(recogniser))
    assert (beam.weight, beam.word_bonus) == (0.2, 1.5)
    decoding.weights_file(path).write_text('{"weight": "much"}')
    with pytest.raises(InputError, match="make it anew or remove it"):
        Beam.read(path, Alphabet.of(recogniser))


def test_hotwords_are_written_as_the_recogniser_writes(recogniser, tmp_path):
    path = tmp_path / "hotwords.txt"
    path.write_text("yes\n\nno 5\nmaybe -1.5\n")
    assert decoding.read_hotwords(path, recogniser.processor) == {"YES": 3.0, "NO": 5.0, "MAYBE": -1.5}
    for line in ("two words", "£", "no much more"):
        path.write_text(f"yes\n{line}\n")
        with pytest.raises(InputError, match="Line 2 of"):
            decoding.read_hotwords(path, recogniser.processor)
    with pytest.raises(InputError, match="cannot be read"):
        decoding.read_hotwords(tmp_path / "none.txt", recogniser.processor)


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Yes!\nNo.\nYes, yes\n")
    return path


@pytest.fixture
def hears(monkeypatch, recogniser):
    monkeypatch.setattr("asr_helpers.models.load_processor", lambda checkpoint: recogniser.processor)
    monkeypatch.setattr("asr_helpers.inference.load_recogniser", lambda checkpoint: recogniser)


def test_lm_writes_a_model_that_evaluate_and_transcribe_take(hears, texts, tmp_path, capsys):
    lm, clip, result = tmp_path / "new" / "model.arpa", tmp_path / "clip.wav", tmp_path / "result.json"
    assert cli.main(["lm", str(texts), "--output", str(lm), "--order", "2"]) == 0
    assert "3 sentences" in capsys.readouterr().out
    assert "YES" in ngrams.read_arpa(lm)
    clip.write_bytes(tiny.clip(0, 1.0))
    assert cli.main(["transcribe", str(clip), "--lm", str(lm), "--timestamps", "--json", str(result)]) == 0
    assert json.loads(result.read_text())[0]["words"][0]["text"] == "YES"
    data = tiny.write_audiofolder(tmp_path / "data" / "test", [clip.read_bytes()], ["yes"]).parent
    assert cli.main(["evaluate", str(data), "--beam", "3", "--hotwords", str(texts)]) == 1
    assert "is not a word and its bonus" in capsys.readouterr().err
    assert cli.main(["evaluate", str(data), "--beam", "3"]) == 0
    assert "WER 0.000" in capsys.readouterr().out


def test_lm_tunes_on_validation_rows_and_says_what_it_brought(hears, texts, tmp_path, capsys):
    clips = [tiny.clip(number, 1.0) for number in range(2)]
    for split in ("train", "validation", "test"):
        tiny.write_audiofolder(tmp_path / "data" / split, clips, ["yes", "yes"])
    lm = tmp_path / "model.arpa"
    assert cli.main(["lm", str(texts), "--output", str(lm), "--tune", str(tmp_path / "data")]) == 1
    out, err = capsys.readouterr()
    assert not err
    assert "on 2 validation rows WER is 0.000" in out
    assert "did not help" in out
    assert json.loads(decoding.weights_file(lm).read_text())["weight"] == 0.1


def test_align_finds_a_known_text(hears, texts, tmp_path, capsys):
    clip, result = tmp_path / "clip.wav", tmp_path / "result.json"
    clip.write_bytes(tiny.clip(0, 1.0))
    assert cli.main(["align", str(clip), "Yes!", "--json", str(result)]) == 0
    assert capsys.readouterr().out.split()[-1] == "YES"
    (word,) = json.loads(result.read_text())["words"]
    assert (word["start"], word["end"]) == (0.0, pytest.approx(0.06))
    (tmp_path / "said.txt").write_text("yes\n")
    grid = tmp_path / "out" / "clip.TextGrid"
    command = ["align", str(clip), str(tmp_path / "said.txt"), "--format", "textgrid", "--output", str(grid)]
    assert cli.main(command) == 0
    assert 'text = "YES"' in grid.read_text()
    for text, says in (("123", "no letter that this recogniser writes"), ("yes " * 200, "cannot lie in 3 frames")):
        assert cli.main(["align", str(clip), text]) == 1
        assert says in capsys.readouterr().err


def test_lm_of_bad_text(hears, tmp_path, capsys):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").write_text("\n")
    for name, says in (("binary", "UTF-8"), ("empty", "no word"), ("none", "name a text file")):
        assert cli.main(["lm", str(tmp_path / name), "--output", str(tmp_path / "model.arpa")]) == 1
        assert says in capsys.readouterr().err


def test_blanks_are_never_dropped_before_repeats_are_merged():
    """With `skip_special_tokens=True` transformers' CTC tokenizer does so, and writes HELO for HELLO."""
    home = Path(__file__).resolve().parents[1]
    files = [path for name in ("asr_helpers", "benchmarks", "tools") for path in (home / name).rglob("*.py")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    for path in (home / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            texts[f"{path.name}, {cell['id']}"] = "".join(cell["source"])
    assert len(texts) > 500
    found = [name for name, text in texts.items() if re.search(r"skip_special_tokens\W+True", text)]
    assert found == ["07_decoding.ipynb, tokenizer-trap"]  # which shows what it does
    processor = tiny.processor()
    ids = processor.tokenizer.convert_tokens_to_ids(["H", "E", "L", "<pad>", "L", "O"])
    assert processor.decode(ids) == "HELLO"
    assert processor.decode(ids, skip_special_tokens=True) == "HELO", "mended: then this rule can go"


def test_the_demos_language_model_is_of_text_that_nobody_is_measured_on(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "tools"))
    import build_language_model

    demo = source("demo")
    characters = vocabulary(tiny.processor())
    splits = loading.load_splits(demo)
    text = build_language_model.text_of_demo()
    for name in ("validation", "test"):
        said = {normalise_text(one, characters).text for one in splits[name]["transcription"]}
        assert len(said) == len(splits[name])
        assert not said & set(text)
    made = ngrams.estimate(text, build_language_model.ORDER)
    shipped = ngrams.read_arpa(DEMO_LANGUAGE_MODEL)
    assert shipped.ngrams.keys() == made.ngrams.keys()
    tuned = json.loads(decoding.weights_file(Path(DEMO_LANGUAGE_MODEL)).read_text())
    assert tuned["language_model"] < 0.8 * tuned["greedy"]
    card = (Path(DEMO_LANGUAGE_MODEL).parent / "README.md").read_text()
    assert f"{tuned['language_model']:.3f} with this model at weight" in card.replace("\n", " ")


# Jamo


@pytest.fixture(scope="module")
def korean():
    """A recogniser of jamo, whose model is never asked, and an emission that says 가방 값."""
    processor = build_processor(["가방 값", "값 가방"], language="ko")
    said = units("가방 값", vocabulary(processor))
    ids = processor.tokenizer.convert_tokens_to_ids([{" ": "|"}.get(sign, sign) for sign in said])
    path = [one for label in ids for one in (label, 0)]
    emission = np.full((len(path), len(processor.tokenizer)), 0.01)
    emission[np.arange(len(path)), path] = 1
    emission /= emission.sum(axis=1, keepdims=True)
    config = SimpleNamespace(vocab_size=len(processor.tokenizer), inputs_to_logits_ratio=320)
    return Recogniser(SimpleNamespace(config=config), processor), emission


def test_jamo_are_put_together_wherever_text_leaves_a_recogniser(korean):
    recogniser, emission = korean
    searching = BeamRecogniser(recogniser.model, recogniser.processor, beam=Beam(5))
    for found in (recogniser.decode(emission), searching.decode(emission)):
        assert found.text == "가방 값"
        assert [word.text for word in found.words] == ["가방", "값"]
    assert searching.hypotheses(emission)[0].text == "가방 값"
    words = align_words(emission, "가방 값", searching.alphabet, frame=0.02)
    assert [(word.text, word.start) for word in words] == [("가방", 0.0), ("값", pytest.approx(0.24))]


def test_hotwords_and_language_models_are_of_composed_words(korean, tmp_path):
    recogniser, emission = korean
    (tmp_path / "words").write_text("값 5\n", encoding="utf-8")
    hotwords = read_hotwords(tmp_path / "words", recogniser.processor)
    assert hotwords == {"값": 5.0}
    alphabet = Alphabet.of(recogniser)
    plain = beam_search(emission, alphabet, Beam(5))[0]
    helped = beam_search(emission, alphabet, Beam(5, hotwords=hotwords))[0]
    assert helped.language - plain.language == pytest.approx(5.0)
    arpa = tmp_path / "lm.arpa"
    arpa.write_text("\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-1 가방\n-1 값\n\n\\end\\\n", encoding="utf-8")
    assert Beam.read(arpa, alphabet).language_model is not None, "its words can be written, in jamo"
