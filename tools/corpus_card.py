"""Writes the card of the demo corpora: what they are, counted from the rows that stand there."""

import io
import statistics
from collections import Counter
from pathlib import Path

import soundfile
from corpora import Corpus

NAMES = {"en-US": "English", "ar-SA": "Arabic", "ja-JP": "Japanese", "ko-KR": "Korean"}

CARD = """
# Demo corpora: telephone banking requests by synthetic voices

{num_clips:,} clips, {minutes:.0f} minutes, in {languages}.
In each, a made-up caller asks a bank for something
over a made-up line.
**All voices are synthetic.** The corpora are for learning and for testing the whole path from sound file to fine-tuned
recogniser where there is no network: they have the columns, the intents, the form of the locale names and the sampling
rate of [MInDS-14](https://huggingface.co/datasets/PolyAI/minds14), and none of its recordings or texts.
An error rate measured here says nothing about human speech.

```python
from datasets import Audio, load_dataset

minds = load_dataset("asr_helpers/demo/corpus", name="en-US", split="train[:100]")
minds = minds.cast_column("audio", Audio(decode=False))  # FLAC bytes, for soundfile to decode
```

## What is in it

| {header} |
|{rule}
{table}

In all of them: MInDS-14's 14 intents, about equally often; 8 kHz, about 300 to 3,400 Hz, 8-bit mu-law; speech at -36 to
-32 dB, hiss and hum 26 to 38 dB below it; FLAC, 16 bits, mono.

- `LOCALE/train-00000-of-00001.parquet` holds a locale's rows. Like MInDS-14 it has one split, `train`.
  The rows are in mixed order: the first 100 have every intent about equally often, and nearly all of the voices.
- `LOCALE/voices.csv` says what each voice is made with and which split it speaks in: `train` (known) or `test`
  (held out). Accents have espeak-ng's names; flite's voices have that of the person they were made from.
  In English a pitch of 0 is the voice's own.
- A clip's voice is the first part of its file name: `{example}` is spoken by `{example_voice}`.
- `SHA256SUMS`: run `sha256sum -c SHA256SUMS` in this folder.

The held-out voices speak nowhere else: not in the training rows, and no clip that the demo checkpoint was trained on
was made with their variants. No sentence of the test rows is in the training rows, and no sentence here was among those
it heard. `tests/test_corpus.py` tests all three.

## Arabic, Japanese and Korean

{num_requests} requests, each in all three languages and each spoken by two voices. Some have commas, full stops or
question marks, as people write them; no transcript has digits or Latin letters.

- **Korean** (`ko-KR`) is written in Hangul with spaces between words.
- **Japanese** (`ja-JP`) is written in kana, hiragana and katakana as usual and without spaces, because a few minutes
  teach a hundred signs and not hundreds. The same sentence with its kanji is in the column `kanji_transcription`.
- **Arabic** (`ar-SA`) is the standard language, written without vowel signs, as people write it. The column
  `vowelled_transcription` has all signs. Voices leave out the last short vowel before a pause, as people do.
- `english_transcription` is the request in English. `lang_id` has MInDS-14's names in Korean, and two more behind
  them in Arabic and Japanese, which MInDS-14 does not have.
- Samples are multiples of 32: what that loses is quieter than the line's hiss, and it makes the files small.

`tools/spoken.py` writes each sentence by its sound for espeak-ng: は, へ and を as particles, Korean consonants that
change each other, Arabic letters that are doubled and articles that join the next word. Open JTalk reads the kanji.

## English

`asr-helpers audit demo` finds no error here, and one kind of warning: `digits`, in 10 sentences.
A voice says a number, and a vocabulary of letters, such as the demo checkpoint's, cannot write it, so that the word is
missing from labels and references. They are left in on purpose: people write so, and notebook 02 counts what is lost.

## How it was made

`tools/build_corpus.py` builds this folder. The sentences were invented for this project (`tools/demo_sentences.py`,
`tools/demo_requests.tsv`): no caller said them, and none was taken from a corpus. espeak-ng 1.51, flite 2.2 or
Open JTalk 1.11 speaks each one, the silence at its ends is brought to 0.15 to 0.25 s, and `tools/speech.py` sends it
down the line. The same engines and libraries give the same bytes again.

## Limits

- Synthetic voices speak evenly: they do not breathe, mumble, laugh or talk over noise, and their "um" is read like any
  other word. A recogniser that does well here may fail on people.
- The voices of one engine resemble each other: a held-out voice is new to a model, but far less so than a person.
- Arabic, Japanese and Korean test rows are spoken by espeak-ng alone. Its pitch does not follow Japanese accents, and
  its Korean and Arabic sound foreign.
- The transcripts are what the engines were given to read, not what a listener heard. No native speaker has checked the
  sentences.
- American and British wording and accents are mixed. The locale is called en-US because the guide loads that one.

## Licence

Text and audio: [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/), but for the clips whose voice begins
with `jtalk-mei`: they were made with the HTS voice "Mei", © 2009-2013 Nagoya Institute of Technology, Department of
Computer Science, released by the MMDAgent project team (http://www.mmdagent.jp/) under
[CC BY 3.0](https://creativecommons.org/licenses/by/3.0/); they were changed by the line, as said above.
The engines, espeak-ng (GPL-3.0-or-later), flite (a BSD-like licence, its voices made from published recordings of
people) and Open JTalk (BSD), were run to make the audio; the programs and their data are not distributed here.
"""


def _count(values) -> str:
    return ", ".join(f"{number} {value}" for value, number in sorted(Counter(values).items()))


def _column(corpus: Corpus, rows: list[dict], num_bytes: int) -> dict[str, str]:
    """A locale's column of the card's table."""
    seconds = [_seconds(row) for row in rows]
    held_out = {voice.name for voice in corpus.held_out}
    num_test = sum(row["path"].split("/")[1].rsplit("_", 1)[0] in held_out for row in rows)
    sentences = {row["transcription"] for row in rows}
    signs = {sign for text in sentences for sign in text.casefold() if sign.isalpha()}

    def voices(some) -> str:
        sexes = _count({"F": "female", "M": "male"}[voice.sex] for voice in some)
        return f"{len(some)} ({sexes}; {_count(voice.engine for voice in some)})"

    return {
        "language": NAMES[corpus.locale],
        "clips": f"{len(rows)}, {sum(seconds) / 60:.0f} minutes ({sum(seconds) / 3_600:.2f} h)",
        "length": f"{min(seconds):.1f} to {max(seconds):.1f} s, median {statistics.median(seconds):.1f} s",
        "sentences": f"{len(sentences)}",
        "different letters": f"{len(signs)}",
        "known voices": voices(corpus.known),
        "… speak": f"{len(rows) - num_test} clips",
        "held-out voices": voices(corpus.held_out),
        "… speak (test rows)": f"{num_test} clips, {100 * num_test / len(rows):.0f} %",
        "size": f"{num_bytes / 1e6:.1f} MB",
    }


def _seconds(row: dict) -> float:
    with soundfile.SoundFile(io.BytesIO(row["audio"]["bytes"])) as file:
        return file.frames / file.samplerate


def write_card(features: dict, folder: Path) -> None:
    """Writes README.md: front matter for load_dataset, then the card.

    Args:
        features: of each `Corpus`, the columns its rows have.
        folder: where the corpora are.
    """
    import pyarrow.parquet
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    rows = {corpus: pyarrow.parquet.read_table(folder / corpus.parquet).to_pylist() for corpus in features}
    sizes = {corpus: (folder / corpus.parquet).stat().st_size for corpus in features}
    columns = {corpus.locale: _column(corpus, rows[corpus], sizes[corpus]) for corpus in features}
    english, other = (next(c for c in features if (c.locale == "en-US") == wanted) for wanted in (True, False))
    example = rows[english][0]["path"]
    body = CARD.format(
        num_clips=sum(map(len, rows.values())),
        minutes=sum(_seconds(row) for some in rows.values() for row in some) / 60,
        languages=", ".join(NAMES[corpus.locale] for corpus in features),
        header=" | ".join(["", *columns]), rule="---|" * (len(columns) + 1),
        table="\n".join(
            f"| {name} | {' | '.join(column[name] for column in columns.values())} |" for name in columns["en-US"]
        ),
        example=example, example_voice=example.split("/")[1].rsplit("_", 1)[0],
        num_requests=sum(map(len, other.sentences.values())),
    )  # fmt: skip
    metadata = DatasetCardData(
        pretty_name="Demo corpora: telephone banking requests by synthetic voices",
        language=[corpus.locale[:2] for corpus in features],
        license=["cc0-1.0", "cc-by-3.0"],
        task_categories=["automatic-speech-recognition", "audio-classification"],
        size_categories=["1K<n<10K"],
        source_datasets=["original"],
        configs=[
            {"config_name": c.locale, "data_files": [{"split": "train", "path": f"{c.locale}/train-*"}]}
            for c in features
        ],
    )
    infos = {}
    for corpus, columns_of in features.items():
        size = sizes[corpus]
        splits = SplitDict({"train": SplitInfo("train", num_bytes=size, num_examples=len(rows[corpus]))})
        infos[corpus.locale] = DatasetInfo(
            features=columns_of, splits=splits, download_size=size, dataset_size=size, config_name=corpus.locale
        )
    DatasetInfosDict(infos).to_dataset_card_data(metadata)
    (folder / "README.md").write_text(f"---\n{metadata}\n---\n{body}", encoding="utf-8")
