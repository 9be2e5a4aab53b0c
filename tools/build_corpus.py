"""Builds the demo corpora: the sentences of corpora.py, spoken over a telephone line.

    python tools/build_corpus.py                # two CPU cores: about a minute
    python tools/build_corpus.py ja-JP          # this locale alone; the others stay as they are

It needs espeak-ng, flite and Open JTalk (CONTRIBUTING.md says which). Writes
asr_helpers/demo/corpus: for each locale its rows (Parquet of FLAC bytes, in MInDS-14's
layout) and its voice table, and for all of them a card and checksums. Beside it, in
asr_helpers/demo/processors, goes the vocabulary of each locale but English, whose own the
checkpoint has. Who speaks what, and on which line, follows from SEED alone, so that the
same engines give the same bytes.
"""

import csv
import hashlib
import io
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent))
from corpora import CORPORA, Corpus, Sentence
from corpus_card import write_card
from speech import TELEPHONE_RATE, Voice, synthesise, telephone, trim

CORPUS = Path(__file__).resolve().parents[1] / "asr_helpers" / "demo" / "corpus"
SEED = 14
SHORTEST, LONGEST = 1.0, 8.0  # s
LARGEST = {"en-US": 12_000_000}  # bytes of a locale's rows; of the others, LARGEST_OTHER
LARGEST_OTHER = 3_000_000


class Row(NamedTuple):
    """One clip to be made; `index` is its row in the corpus and seeds its telephone line."""

    corpus: Corpus
    index: int
    intent: str
    sentence: Sentence
    voice: Voice

    @property
    def path(self) -> str:
        return f"{self.corpus.locale}~{self.intent.upper()}/{self.voice.name}_{self.index:04d}.flac"


def plan(corpus: Corpus) -> list[Row]:
    """Who says what, in the corpus's row order.

    Voices are dealt out like cards, intent by intent, so that each speaks about as often
    as the others and in nearly every intent. Rows come in rounds of one row for each
    intent, so that the first 100 are a fair sample of all.
    """
    rng = random.Random(f"demo corpus {SEED}{corpus.salt}")
    intents = list(corpus.sentences)
    num_test, dealt, by_intent = 0, {"known": 0, "held out": 0}, {}

    def deal(sentences: list[Sentence], voices: tuple[Voice, ...], kind: str) -> list[tuple[Sentence, Voice]]:
        start, spoken = dealt[kind], sentences * corpus.takes
        dealt[kind] += len(spoken)
        return [(sentence, voices[(start + i) % len(voices)]) for i, sentence in enumerate(spoken)]

    for number, intent in enumerate(intents):
        sentences = rng.sample(corpus.sentences[intent], len(corpus.sentences[intent]))
        test = corpus.num_test * (number + 1) // len(intents) - num_test
        num_test += test
        pairs = deal(sentences[:test], corpus.held_out, "held out") + deal(sentences[test:], corpus.known, "known")
        rng.shuffle(pairs)
        by_intent[intent] = pairs
    drawn = []
    for turn in range(max(map(len, by_intent.values()))):
        speakers = [intent for intent in intents if turn < len(by_intent[intent])]
        drawn += [(intent, *by_intent[intent][turn]) for intent in rng.sample(speakers, len(speakers))]
    return [Row(corpus, index, *fields) for index, fields in enumerate(drawn)]


def speak(row: Row) -> np.ndarray:
    """Makes a row's sound: (num_samples,) int16 at 8 kHz.

    Raises:
        ValueError: the clip is shorter than 1 s or longer than 8 s.
    """
    rng = np.random.default_rng([SEED, row.index, *row.corpus.salt.encode()])
    said = row.sentence.for_engine(row.voice.engine)
    waveform, rate = synthesise(said, row.voice)
    waveform = trim(waveform, rate, rng.uniform(0.15, 0.25), rng.uniform(0.15, 0.25))
    seconds = len(waveform) / rate
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(
            f"{row.voice.name} takes {seconds:.2f} s, not {SHORTEST} to {LONGEST} s, to say {said!r}: "
            "change the sentence"
        )
    line = telephone(waveform, rate, rng, snr=rng.uniform(26, 38), level=rng.uniform(-36, -32))
    grain = row.corpus.grain
    return (np.round(line * 32_767 / grain) * grain).astype(np.int16)


def features(corpus: Corpus):
    """MInDS-14's columns, in its order, and what else the locale tells."""
    from datasets import Audio, ClassLabel, Features, Value

    sentence = next(iter(corpus.sentences.values()))[0]
    return Features(
        path=Value("string"),
        audio=Audio(sampling_rate=TELEPHONE_RATE),
        transcription=Value("string"),
        english_transcription=Value("string"),
        intent_class=ClassLabel(names=list(corpus.sentences)),
        lang_id=ClassLabel(names=list(corpus.lang_ids)),
        **{column: Value("string") for column in sentence.columns},
    )


def write_parquet(corpus: Corpus, rows: list[Row], waveforms: list[np.ndarray]) -> None:
    """Writes the rows as `Dataset.to_parquet` would.

    It goes through pyarrow because `datasets` hands every `Audio` value to torchcodec, even encoded bytes.
    """
    import pyarrow
    import pyarrow.parquet

    columns = features(corpus)
    records = []
    for row, waveform in zip(rows, waveforms, strict=True):
        encoded = io.BytesIO()
        soundfile.write(encoded, waveform, TELEPHONE_RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
        records.append(
            {
                "path": row.path,
                "audio": {"bytes": encoded.getvalue(), "path": row.path},
                "transcription": row.sentence.text,
                "english_transcription": row.sentence.english,
                "intent_class": columns["intent_class"].str2int(row.intent),
                "lang_id": columns["lang_id"].str2int(corpus.locale),
                **row.sentence.columns,
            }
        )
    path = CORPUS / corpus.parquet
    path.parent.mkdir(parents=True, exist_ok=True)
    # The schema carries the features in its "huggingface" metadata, where load_dataset looks for them.
    table = pyarrow.Table.from_pylist(records, schema=columns.arrow_schema)
    pyarrow.parquet.write_table(table, path, row_group_size=100, use_dictionary=False)


def write_voices(corpus: Corpus, rows: list[Row]) -> None:
    """Writes a locale's voice table: one line a voice, with the split it speaks in and how often."""
    with open(CORPUS / corpus.locale / "voices.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["voice", "engine", "sex", "accent", "variant", "pitch", "speed", "split", "clips"])
        for split, voices in (("train", corpus.known), ("test", corpus.held_out)):
            for voice in voices:
                table.writerow([*astuple(voice), split, sum(row.voice == voice for row in rows)])


def write_checksums() -> None:
    """Writes SHA256SUMS, as `sha256sum -c` reads it."""
    paths = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(CORPUS)}\n" for path in paths]
    (CORPUS / "SHA256SUMS").write_text("".join(lines))


def write_processor(locale: str) -> None:
    """Writes a locale's processor: a vocabulary of its training rows' texts, the checkpoint's feature extractor."""
    from asr_helpers import loading, models, preprocessing
    from asr_helpers.sources import source

    demo = source("demo", locale)
    texts = loading.load_splits(demo)["train"]["transcription"]
    extractor = models.load_feature_extractor(demo.checkpoint)
    preprocessing.build_processor(texts, locale, feature_extractor=extractor).save_pretrained(demo.processor)


def main() -> None:
    known = [corpus.locale for corpus in CORPORA]
    chosen = sys.argv[1:] or known
    if not set(chosen) <= set(known):
        sys.exit(f"the locales are {', '.join(known)}")
    for corpus in CORPORA:
        if corpus.locale not in chosen:
            continue
        rows = plan(corpus)
        with ProcessPoolExecutor(max_workers=2) as pool:
            waveforms = list(pool.map(speak, rows, chunksize=8))
        write_parquet(corpus, rows, waveforms)
        write_voices(corpus, rows)
        size, limit = (CORPUS / corpus.parquet).stat().st_size, LARGEST.get(corpus.locale, LARGEST_OTHER)
        seconds = sum(map(len, waveforms)) / TELEPHONE_RATE
        print(f"{corpus.locale}: {len(rows)} clips, {seconds / 60:.1f} minutes, {size / 1e6:.2f} MB", flush=True)
        if size > limit:
            sys.exit(f"the rows have {size:,} bytes, more than {limit:,}: shorten sentences or lower the level")
    write_card({corpus: features(corpus) for corpus in CORPORA}, CORPUS)
    write_checksums()
    for locale in sorted(set(chosen) - {"en-US"}):
        write_processor(locale)


if __name__ == "__main__":
    main()
