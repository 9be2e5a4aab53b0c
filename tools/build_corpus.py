"""Builds the demo corpus: the sentences of demo_sentences.py, spoken over a telephone line.

    python tools/build_corpus.py        # two CPU cores: about ten seconds; needs espeak-ng and flite

Writes asr_helpers/demo/corpus: the rows (Parquet of FLAC bytes, in MInDS-14's
layout), its card, its voice table and its checksums. Every sentence is spoken once,
by one voice; who speaks what, and on which line, follows from SEED alone, so that
the same engines give the same bytes again.
"""

import csv
import hashlib
import io
import random
import re
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent))
from demo_sentences import SENTENCES
from speech import HELD_OUT_VOICES, TELEPHONE_RATE, Voice, synthesise, telephone, trim

CORPUS = Path(__file__).resolve().parents[1] / "asr_helpers" / "demo" / "corpus"
LOCALE = "en-US"
LOCALES = ["cs-CZ", "de-DE", "en-AU", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT", "ko-KR", "nl-NL", "pl-PL", "pt-PT",
           "ru-RU", "zh-CN"]  # fmt: skip
PARQUET = f"{LOCALE}/train-00000-of-00001.parquet"
SEED = 14
NUM_TEST_CLIPS = 66  # 11 for each held-out voice
SHORTEST, LONGEST = 2.0, 8.0  # s
LARGEST = 12_000_000  # bytes, the whole folder

# Who speaks the training rows. The checkpoint has heard these variants, in other accents, pitches and rates too.
KNOWN_VOICES = (
    Voice("espeak-f1", "espeak-ng", "F", "en-us", "f1", 50, 155),
    Voice("espeak-m1", "espeak-ng", "M", "en-gb-x-rp", "m1", 45, 165),
    Voice("espeak-f2", "espeak-ng", "F", "en-gb-x-rp", "f2", 45, 150),
    Voice("espeak-m3", "espeak-ng", "M", "en-us", "m3", 50, 145),
    Voice("flite-slt", "flite", "F", "en-us", "slt", 0, 150),
    Voice("espeak-mike", "espeak-ng", "M", "en-us-nyc", "Mike", 50, 170),
    Voice("espeak-f3", "espeak-ng", "F", "en-us", "f3", 40, 165),
    Voice("espeak-m4", "espeak-ng", "M", "en-gb-scotland", "m4", 55, 150),
    Voice("espeak-linda", "espeak-ng", "F", "en-gb-scotland", "linda", 40, 150),
    Voice("flite-awb", "flite", "M", "en-gb-scotland", "awb", 0, 150),
    Voice("espeak-annie", "espeak-ng", "F", "en-us", "Annie", 45, 140),
    Voice("espeak-m8", "espeak-ng", "M", "en-029", "m8", 60, 155),
    Voice("espeak-f5", "espeak-ng", "F", "en-029", "f5", 45, 160),
    Voice("espeak-robert", "espeak-ng", "M", "en-gb-x-gbclan", "robert", 50, 145),
    Voice("espeak-belinda", "espeak-ng", "F", "en", "belinda", 35, 165),
    Voice("flite-kal16", "flite", "M", "en-us", "kal16", 0, 145),
    Voice("espeak-steph", "espeak-ng", "F", "en-us-nyc", "steph", 50, 150),
    Voice("espeak-michael", "espeak-ng", "M", "en-us", "Michael", 55, 160),
    Voice("espeak-m2", "espeak-ng", "M", "en-gb-x-gbcwmd", "m2", 40, 155),
    Voice("espeak-john", "espeak-ng", "M", "en", "john", 60, 170),
)


class Row(NamedTuple):
    """One clip to be made; `index` is its row in the corpus and seeds its telephone line."""

    index: int
    intent: str
    text: str
    voice: Voice

    @property
    def path(self) -> str:
        return f"{LOCALE}~{self.intent.upper()}/{self.voice.name}_{self.index:04d}.flac"


def plan() -> list[Row]:
    """Who says what, in the corpus's row order.

    Voices are dealt out like cards, intent by intent, so that each speaks about as often
    as the others and in nearly every intent. Rows come in rounds of one row for each
    intent, so that the first 100 are a fair sample of all.
    """
    rng = random.Random(f"demo corpus {SEED}")
    intents = list(SENTENCES)
    test, known, by_intent = 0, 0, {}
    for number, intent in enumerate(intents):
        texts = rng.sample(SENTENCES[intent], len(SENTENCES[intent]))
        num_test = NUM_TEST_CLIPS * (number + 1) // len(intents) - test
        pairs = [(text, HELD_OUT_VOICES[(test + i) % len(HELD_OUT_VOICES)]) for i, text in enumerate(texts[:num_test])]
        texts = texts[num_test:]
        pairs += [(text, KNOWN_VOICES[(known + i) % len(KNOWN_VOICES)]) for i, text in enumerate(texts)]
        test, known = test + num_test, known + len(texts)
        rng.shuffle(pairs)
        by_intent[intent] = pairs
    drawn = []
    for turn in range(max(map(len, by_intent.values()))):
        speakers = [intent for intent in intents if turn < len(by_intent[intent])]
        drawn += [(intent, *by_intent[intent][turn]) for intent in rng.sample(speakers, len(speakers))]
    return [Row(index, *fields) for index, fields in enumerate(drawn)]


def speak(row: Row) -> np.ndarray:
    """Makes a row's sound: (num_samples,) int16 at 8 kHz.

    Raises:
        ValueError: the clip is shorter than 2 s or longer than 8 s.
    """
    rng = np.random.default_rng([SEED, row.index])
    waveform, rate = synthesise(row.text, row.voice)
    waveform = trim(waveform, rate, rng.uniform(0.15, 0.25), rng.uniform(0.15, 0.25))
    seconds = len(waveform) / rate
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(
            f"{row.voice.name} takes {seconds:.2f} s, not {SHORTEST} to {LONGEST} s, to say {row.text!r}: "
            "change the sentence in demo_sentences.py"
        )
    line = telephone(waveform, rate, rng, snr=rng.uniform(26, 38), level=rng.uniform(-36, -32))
    return np.round(line * 32_767).astype(np.int16)


def features():
    """MInDS-14's columns, in its order."""
    from datasets import Audio, ClassLabel, Features, Value

    return Features(
        path=Value("string"),
        audio=Audio(sampling_rate=TELEPHONE_RATE),
        transcription=Value("string"),
        english_transcription=Value("string"),
        intent_class=ClassLabel(names=list(SENTENCES)),
        lang_id=ClassLabel(names=LOCALES),
    )


def write_parquet(rows: list[Row], waveforms: list[np.ndarray], path: Path) -> None:
    """Writes the rows as `Dataset.to_parquet` would.

    It goes through pyarrow because `datasets` hands every `Audio` value to torchcodec, even encoded bytes.
    """
    import pyarrow
    import pyarrow.parquet

    columns = features()
    records = []
    for row, waveform in zip(rows, waveforms, strict=True):
        encoded = io.BytesIO()
        soundfile.write(encoded, waveform, TELEPHONE_RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
        records.append(
            {
                "path": row.path,
                "audio": {"bytes": encoded.getvalue(), "path": row.path},
                "transcription": row.text,
                "english_transcription": row.text,
                "intent_class": columns["intent_class"].str2int(row.intent),
                "lang_id": columns["lang_id"].str2int(LOCALE),
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # The schema carries the features in its "huggingface" metadata, where load_dataset looks for them.
    table = pyarrow.Table.from_pylist(records, schema=columns.arrow_schema)
    pyarrow.parquet.write_table(table, path, row_group_size=100, use_dictionary=False)


def write_voices(rows: list[Row], path: Path) -> None:
    """Writes the voice table: one line a voice, with the split it speaks in and how often."""
    with open(path, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["voice", "engine", "sex", "accent", "variant", "pitch", "speed", "split", "clips"])
        for split, voices in (("train", KNOWN_VOICES), ("test", HELD_OUT_VOICES)):
            for voice in voices:
                table.writerow([*astuple(voice), split, sum(row.voice == voice for row in rows)])


CARD = """
# Demo corpus: telephone banking requests by synthetic voices

{num_clips} clips, {minutes:.0f} minutes. In each, a made-up caller asks a bank for something over a made-up line.
**All voices are synthetic.** The corpus is for learning and for testing the whole path from sound file to fine-tuned
recogniser where there is no network: it has the columns, the intents, the locale names and the sampling rate of
[MInDS-14](https://huggingface.co/datasets/PolyAI/minds14), and none of its recordings or texts.
An error rate measured here says nothing about human speech.

```python
from datasets import Audio, load_dataset

minds = load_dataset("asr_helpers/demo/corpus", name="en-US", split="train[:100]")
minds = minds.cast_column("audio", Audio(decode=False))  # FLAC bytes, for soundfile to decode
```

## What is in it

| | |
|---|---|
| clips | {num_clips}, each a different sentence; {shortest:.1f} to {longest:.1f} s, median {median:.1f} s |
| words | {num_words:,}, of which {num_distinct} different |
| sentences | {num_digits} have digits, {num_punctuated} have commas, full stops or question marks |
| intents | MInDS-14's {num_intents}, {per_intent} clips each |
| known voices | {num_known} ({known_sexes}; {known_engines}) speak {num_train} clips |
| held-out voices | {num_held_out} ({held_out_sexes}; {held_out_engines}) speak {num_test} clips, {test_share:.0f} % |
| accents | {accents} |
| line | 8 kHz, about 300 to 3,400 Hz, 8-bit mu-law; speech at -36 to -32 dB, hiss and hum 26 to 38 dB below it |
| stored as | FLAC, 16 bits, mono; {megabytes:.1f} MB |

- `{parquet}` holds the rows. Like MInDS-14 it has one split, `train`.
  The rows are in mixed order: the first 100 have every intent about equally often,
  and {first_voices} of the {num_voices} voices.
- `voices.csv` says what each voice is made with and which split it speaks in: `train` (known) or `test` (held out).
  Accents have espeak-ng's names; flite's voices have that of the person they were made from.
  A pitch of 0 is the voice's own.
- A clip's voice is the first part of its file name: `{example}` is spoken by `{example_voice}`.
- `SHA256SUMS`: run `sha256sum -c SHA256SUMS` in this folder.

The held-out voices speak nowhere else: not in the training rows, and no clip that the demo checkpoint was trained on
was made with their variants. No sentence here was among those it heard. `tests/test_corpus.py` tests both.

`asr-helpers audit demo` finds no error here, and one kind of warning: `digits`, in {num_digits} sentences.
A voice says a number, and a vocabulary of letters, such as the demo checkpoint's, cannot write it, so that the word is
missing from labels and references. They are left in on purpose: people write so, and notebook 02 counts what is lost.

## How it was made

`tools/build_corpus.py` builds this folder. The sentences were invented for this project (`tools/demo_sentences.py`):
no caller said them, and none was taken from a corpus. espeak-ng 1.51 or flite 2.2 speaks each one, the silence at
its ends is brought to 0.15 to 0.25 s, and `tools/speech.py` sends it down the line. The same engines and libraries
give the same bytes again.

## Limits

- Synthetic voices speak evenly: they do not breathe, mumble, laugh or talk over noise, and their "um" is read like any
  other word. A recogniser that does well here may fail on people.
- The voices of one engine resemble each other: a held-out voice is new to a model, but far less so than a person.
- The transcripts are what the engines were given to read, not what a listener heard.
- American and British wording and accents are mixed. The locale is called en-US because the guide loads that one.

## Licence

Text and audio: [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/). The engines, espeak-ng (GPL-3.0-or-later)
and flite (a BSD-like licence, its voices made from published recordings of people), were run to make the audio;
the programs and their data are not distributed here.
"""


def write_card(rows: list[Row], waveforms: list[np.ndarray], folder: Path) -> None:
    """Writes README.md: front matter for load_dataset, then the card, its numbers counted from the rows."""
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    def count(values) -> str:
        values = list(values)
        return ", ".join(f"{values.count(value)} {value}" for value in sorted(set(values)))

    def sexes(voices) -> str:
        return count({"F": "female", "M": "male"}[voice.sex] for voice in voices)

    def plural(values) -> str:
        low, high = min(values), max(values)
        return f"{low}" if low == high else f"{low} to {high}"

    voices = KNOWN_VOICES + HELD_OUT_VOICES
    seconds = [len(waveform) / TELEPHONE_RATE for waveform in waveforms]
    words = [word for row in rows for word in re.findall(r"[a-z0-9']+", row.text.lower())]
    num_test = sum(row.voice in HELD_OUT_VOICES for row in rows)
    num_bytes = (folder / PARQUET).stat().st_size
    body = CARD.format(
        num_clips=len(rows), minutes=sum(seconds) / 60,
        shortest=min(seconds), longest=max(seconds), median=statistics.median(seconds),
        num_words=len(words), num_distinct=len(set(words)),
        num_digits=sum(bool(re.search(r"\d", row.text)) for row in rows),
        num_punctuated=sum(bool(re.search(r"[,.?]", row.text)) for row in rows),
        num_intents=len(SENTENCES), per_intent=plural([len(texts) for texts in SENTENCES.values()]),
        num_known=len(KNOWN_VOICES), known_sexes=sexes(KNOWN_VOICES),
        known_engines=count(voice.engine for voice in KNOWN_VOICES), num_train=len(rows) - num_test,
        num_held_out=len(HELD_OUT_VOICES), held_out_sexes=sexes(HELD_OUT_VOICES),
        held_out_engines=count(voice.engine for voice in HELD_OUT_VOICES), num_test=num_test,
        test_share=100 * num_test / len(rows), accents=", ".join(sorted({voice.accent for voice in voices})),
        megabytes=num_bytes / 1e6, parquet=PARQUET, num_voices=len(voices),
        first_voices=len({row.voice for row in rows[:100]}), example=rows[0].path, example_voice=rows[0].voice.name,
    )  # fmt: skip
    metadata = DatasetCardData(
        pretty_name="Demo corpus: telephone banking requests by synthetic voices",
        language=["en"],
        license="cc0-1.0",
        task_categories=["automatic-speech-recognition", "audio-classification"],
        size_categories=["n<1K"],
        source_datasets=["original"],
        configs=[{"config_name": LOCALE, "data_files": [{"split": "train", "path": f"{LOCALE}/train-*"}]}],
    )
    splits = SplitDict({"train": SplitInfo("train", num_bytes=num_bytes, num_examples=len(rows))})
    info = DatasetInfo(features=features(), splits=splits, download_size=num_bytes, dataset_size=num_bytes)
    DatasetInfosDict({LOCALE: info}).to_dataset_card_data(metadata)
    (folder / "README.md").write_text(f"---\n{metadata}\n---\n{body}")


def write_checksums(folder: Path) -> None:
    """Writes SHA256SUMS, as `sha256sum -c` reads it."""
    names = ("README.md", PARQUET, "voices.csv")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def main() -> None:
    rows = plan()
    with ProcessPoolExecutor(max_workers=2) as pool:
        waveforms = list(pool.map(speak, rows, chunksize=8))
    write_parquet(rows, waveforms, CORPUS / PARQUET)
    write_voices(rows, CORPUS / "voices.csv")
    write_card(rows, waveforms, CORPUS)
    write_checksums(CORPUS)
    size = sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file())
    seconds = sum(map(len, waveforms)) / TELEPHONE_RATE
    print(f"{len(rows)} clips, {seconds / 60:.1f} minutes, {size / 1e6:.2f} MB in {CORPUS}")
    if size > LARGEST:
        sys.exit(f"the corpus has {size:,} bytes, more than {LARGEST:,}: shorten sentences or lower the level")


if __name__ == "__main__":
    main()
