"""The demo corpora: what each locale's callers say, and who speaks.

`en-US` has its sentences in demo_sentences.py. The other locales share the requests of
demo_requests.tsv: one line a request, in English, Korean, Japanese (kana, phrase by
phrase, and as people write it) and Arabic with all its vowel signs.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

import spoken
from demo_sentences import SENTENCES
from speech import HELD_OUT_VOICES, Voice

REQUESTS = Path(__file__).with_name("demo_requests.tsv")
MINDS14_LOCALES = ("cs-CZ", "de-DE", "en-AU", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT", "ko-KR", "nl-NL", "pl-PL",
                   "pt-PT", "ru-RU", "zh-CN")  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """What a caller says.

    Attributes:
        text: the transcript.
        english: its translation.
        said: what an engine is given to read, by its name; `text` where it has no entry.
        columns: what else the corpus tells of it, by column.
    """

    text: str
    english: str
    said: dict[str, str] = field(default_factory=dict, hash=False)
    columns: dict[str, str] = field(default_factory=dict, hash=False)

    def for_engine(self, engine: str) -> str:
        """What `engine` is given to read."""
        return self.said.get(engine, self.text)


@dataclass(frozen=True, eq=False)
class Corpus:
    """One locale's corpus.

    Attributes:
        locale: its config's name.
        lang_ids: the names of its column `lang_id`.
        sentences: by intent, in MInDS-14's order.
        known: who speaks the training rows.
        held_out: who speaks the test rows, and no others.
        num_test: how many sentences only test rows have.
        takes: how many voices speak each sentence.
        grain: samples are multiples of it, in steps of 16 bits: what a coarser one loses lies below the line's hiss.
        salt: makes its random numbers its own.
    """

    locale: str
    lang_ids: tuple[str, ...]
    sentences: dict[str, tuple[Sentence, ...]]
    known: tuple[Voice, ...]
    held_out: tuple[Voice, ...]
    num_test: int
    takes: int
    grain: int
    salt: str

    @property
    def parquet(self) -> str:
        """Where its rows are, from the corpus's folder."""
        return f"{self.locale}/train-00000-of-00001.parquet"

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Who speaks."""
        return self.known + self.held_out


# Who speaks the training rows. The checkpoint has heard these variants, in other accents, pitches and rates too.
AMERICAN_AND_BRITISH = (
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
# espeak-ng's variants in any language: variant, sex, pitch, words a minute.
KNOWN_VARIANTS = (
    ("f1", "F", 50, 177), ("m1", "M", 45, 187), ("f2", "F", 45, 172), ("m3", "M", 50, 172),
    ("steph2", "F", 45, 192), ("Mike", "M", 50, 192), ("f3", "F", 40, 187), ("m4", "M", 55, 177),
    ("linda", "F", 40, 177), ("pablo", "M", 45, 182), ("Annie", "F", 45, 172), ("m8", "M", 60, 182),
    ("f5", "F", 45, 182), ("robert", "M", 50, 172), ("belinda", "F", 35, 187), ("max", "M", 55, 187),
    ("steph", "F", 50, 177), ("Michael", "M", 55, 182), ("anika", "F", 50, 182), ("m2", "M", 40, 177),
    ("aunty", "F", 55, 172), ("john", "M", 60, 192),
)  # fmt: skip
# No checkpoint was trained on these: those of the English test rows, and one that only measured progress.
HELD_OUT_VARIANTS = (
    ("Andrea", "F", 42, 182), ("m7", "M", 55, 177), ("f4", "F", 50, 187),
    ("Denis", "M", 45, 192), ("shelby", "F", 55, 177), ("m6", "M", 50, 182),
)  # fmt: skip
# Mei, Open JTalk's voice, with larger and smaller mouths. No test row is hers: she would be known there.
MEI = (
    Voice("jtalk-mei", "open-jtalk", "F", "ja", "mei 0.55", 0, 165),
    Voice("jtalk-mei-small", "open-jtalk", "F", "ja", "mei 0.50", 2, 175),
    Voice("jtalk-mei-large", "open-jtalk", "M", "ja", "mei 0.60", -6, 160),
    Voice("jtalk-mei-larger", "open-jtalk", "M", "ja", "mei 0.63", -9, 170),
)


def _espeak(language: str, variants: tuple[tuple[str, str, int, int], ...]) -> tuple[Voice, ...]:
    return tuple(
        Voice(f"espeak-{variant.lower()}", "espeak-ng", sex, language, variant, pitch, speed)
        for variant, sex, pitch, speed in variants
    )


def _korean(line: dict[str, str]) -> Sentence:
    return Sentence(line["korean"], line["english"], {"espeak-ng": spoken.korean(line["korean"])})


def _japanese(line: dict[str, str]) -> Sentence:
    said = {"espeak-ng": spoken.japanese(line["kana"]), "open-jtalk": line["kanji"]}
    return Sentence(line["kana"].replace(" ", ""), line["english"], said, {"kanji_transcription": line["kanji"]})


def _arabic(line: dict[str, str]) -> Sentence:
    text = re.sub(f"[{spoken.VOWEL_SIGNS}]", "", line["arabic"])
    said = {"espeak-ng": spoken.arabic(line["arabic"])}
    return Sentence(text, line["english"], said, {"vowelled_transcription": line["arabic"]})


def _requests(read) -> dict[str, tuple[Sentence, ...]]:
    with open(REQUESTS, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {intent: tuple(read(line) for line in lines if line["intent"] == intent) for intent in SENTENCES}


def _corpus(locale: str, read, more_voices: tuple[Voice, ...] = ()) -> Corpus:
    language = locale[:2]
    lang_ids = MINDS14_LOCALES if locale in MINDS14_LOCALES else (*MINDS14_LOCALES, "ar-SA", "ja-JP")
    known, held_out = _espeak(language, KNOWN_VARIANTS) + more_voices, _espeak(language, HELD_OUT_VARIANTS)
    return Corpus(locale, lang_ids, _requests(read), known, held_out, num_test=28, takes=2, grain=32, salt=locale)


CORPORA = (
    Corpus("en-US", MINDS14_LOCALES,
           {intent: tuple(Sentence(text, text) for text in texts) for intent, texts in SENTENCES.items()},
           AMERICAN_AND_BRITISH, HELD_OUT_VOICES, num_test=66, takes=1, grain=1, salt=""),
    _corpus("ar-SA", _arabic),
    _corpus("ja-JP", _japanese, MEI),
    _corpus("ko-KR", _korean),
)  # fmt: skip
