"""Makes the demo's language model: a trigram model of the training rows' sentences and of a grammar's calls to a bank.

    python tools/build_language_model.py

It writes asr_helpers/demo/language_model: the model, its weights, tuned on the demo's validation rows, and its card.
No sentence of the validation and test rows is in its text. The same seed gives the same files.
"""

import json
import random
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pretraining_sentences import call

from asr_helpers import decoding, loading, models, ngrams
from asr_helpers.inference import load_recogniser
from asr_helpers.preprocessing import normalise_text, vocabulary
from asr_helpers.sources import DEMO_LANGUAGE_MODEL, source

SEED, SENTENCES, ORDER = 7, 6_000, 3
CARD = """---
license: apache-2.0
language: en
---

# The demo's language model

A trigram model with {ngrams:,} n-grams, in ARPA's form, gzipped: modified Kneser-Ney smoothing, by
`asr_helpers.ngrams.estimate`. Its text is the {train} transcripts of the demo's training rows and {sentences:,} calls
to a bank drawn from the grammar in `tools/pretraining_sentences.py`, seed {seed}. No sentence of the validation and
test rows is in it; `tests/test_decoding.py` looks. It knows banking requests and nothing else.

On the {validation} validation rows, by which its weights were chosen, the recogniser in `fine_tuned/` has a WER of
{greedy:.3f} without a search, {beam:.3f} with a beam of 25, and {language_model:.3f} with this model at weight
{weight:g} and a bonus of {word_bonus:g} for each word. {unknown_share:.1%} of their words are unknown to it.
"""


def sentences(train: list[str], held_out: set[str], characters: frozenset[str]) -> list[str]:
    """The text: what the training rows say, and calls that nobody is measured on."""
    rng, drawn = random.Random(SEED), []
    while len(drawn) < SENTENCES:
        text = normalise_text(call(rng), characters).text
        if text not in held_out:
            drawn.append(text)
    return [*train, *drawn]


def text_of_demo() -> list[str]:
    """The text that the language model was made of."""
    demo = source("demo")
    characters = vocabulary(models.load_processor(demo.checkpoint))
    said = {name: [normalise_text(text, characters).text for text in rows["transcription"]]
            for name, rows in loading.load_splits(demo).items()}  # fmt: skip
    return sentences(said["train"], {*said["validation"], *said["test"]}, characters)


def main() -> None:
    demo, text = source("demo"), text_of_demo()
    model, path = ngrams.estimate(text, ORDER), Path(DEMO_LANGUAGE_MODEL)
    path.parent.mkdir(parents=True, exist_ok=True)
    ngrams.write_arpa(model, path)
    rows = loading.load_splits(demo)["validation"]
    tuning = decoding.tune(load_recogniser(demo.fine_tuned), rows, decoding.Beam(language_model=model))
    decoding.weights_file(path).write_text(json.dumps(asdict(tuning), indent=1) + "\n")
    card = CARD.format(
        ngrams=len(model.ngrams), train=len(text) - SENTENCES, sentences=SENTENCES, seed=SEED, validation=len(rows),
        **vars(tuning),
    )  # fmt: skip
    (path.parent / "README.md").write_text(card)
    print(tuning)


if __name__ == "__main__":
    main()
