"""The demo corpora are what their card says: MInDS-14's layout, fair splits, nothing the checkpoint has heard."""

import csv
import hashlib
import importlib
import importlib.util
import io
import re
import shutil
import subprocess
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from datasets import Audio, ClassLabel, Features, Value, load_dataset

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "asr_helpers" / "demo" / "corpus"
CHECKPOINT = ROOT / "asr_helpers" / "demo" / "checkpoint"
# As PolyAI/minds14 has them at revision 40ce77cb32a384e4d50a568e1ec39ac804019d33.
INTENTS = """abroad address app_error atm_limit balance business_loan card_issues cash_deposit direct_debit freeze
    high_value_payment joint_account latest_transactions pay_bill"""
LOCALES = "cs-CZ de-DE en-AU en-GB en-US es-ES fr-FR it-IT ko-KR nl-NL pl-PL pt-PT ru-RU zh-CN"
MINDS14 = Features(
    {
        "path": Value("string"),
        "audio": Audio(sampling_rate=8_000),
        "transcription": Value("string"),
        "english_transcription": Value("string"),
        "intent_class": ClassLabel(names=INTENTS.split()),
        "lang_id": ClassLabel(names=LOCALES.split()),
    }
)


HERE = ("en-US", "ar-SA", "ja-JP", "ko-KR")
EXTRA = {"ar-SA": ["vowelled_transcription"], "ja-JP": ["kanji_transcription"]}  # columns that MInDS-14 lacks
# What a transcript is written in, its commas, full stops and question marks aside.
WRITTEN_IN = {
    "en-US": "[A-Za-z0-9' ]+",
    "ar-SA": "[\u0621-\u063a\u0641-\u064a ]+",  # letters, no vowel signs
    "ja-JP": "[\u3041-\u3096\u30a1-\u30faー]+",  # hiragana and katakana, no space
    "ko-KR": "[\uac00-\ud7a3 ]+",  # composed syllables
}
PUNCTUATION = re.compile("[,.?،؟、。？-]")


@pytest.fixture
def tool(monkeypatch):
    """Imports a module of tools/ by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


@pytest.fixture(scope="module", params=HERE)
def locale(request):
    return request.param


@pytest.fixture(scope="module")
def rows(locale):
    """Every row as a dict, its audio still encoded."""
    return pyarrow.parquet.read_table(CORPUS / locale / "train-00000-of-00001.parquet").to_pylist()


@pytest.fixture(scope="module")
def voices(locale):
    """The voice table: name to its line."""
    with open(CORPUS / locale / "voices.csv", newline="") as file:
        return {line["voice"]: line for line in csv.DictReader(file)}


@pytest.fixture
def corpus(locale, tool):
    """What the tool says of a locale."""
    return next(corpus for corpus in tool("corpora").CORPORA if corpus.locale == locale)


def voice_of(row):
    return re.fullmatch(r"[a-z]{2}-[A-Z]{2}~[A-Z_]+/([a-z0-9-]+)_\d{4}\.flac", row["path"])[1]


def normalised(text):
    """Capital letters and apostrophes, or letters of another script: what a vocabulary can write."""
    return " ".join(re.sub(r"[^\w']|[0-9_]", " ", text.upper()).split())


def test_checksums_cover_every_file():
    listed = dict(reversed(line.split("  ")) for line in (CORPUS / "SHA256SUMS").read_text().splitlines())
    files = {str(path.relative_to(CORPUS)): path for path in CORPUS.rglob("*") if path.is_file()}
    assert sorted([*listed, "SHA256SUMS"]) == sorted(files)
    assert {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in listed} == listed


def test_rows_are_small(locale):
    limit = 12_000_000 if locale == "en-US" else 3_000_000
    assert (CORPUS / locale / "train-00000-of-00001.parquet").stat().st_size <= limit


def test_the_guides_own_line_loads_it(locale, tmp_path):
    minds = load_dataset(str(CORPUS), name=locale, split="train[:100]", cache_dir=str(tmp_path))
    assert minds.num_rows == 100
    for column, feature in MINDS14.items():
        if column != "lang_id" or locale in LOCALES:
            assert minds.features[column] == feature
    assert minds.column_names == [*MINDS14, *EXTRA.get(locale, [])]
    # What MInDS-14 has no name for stands behind its own, so that those keep their numbers.
    assert minds.features["lang_id"].names[:14] == LOCALES.split()
    first = minds.cast_column("audio", Audio(decode=False))[0]
    assert first["audio"]["bytes"][:4] == b"fLaC"


def test_parquet_itself_carries_the_features(locale, corpus, tool):
    schema = pyarrow.parquet.read_schema(CORPUS / locale / "train-00000-of-00001.parquet")
    assert Features.from_arrow_schema(schema) == tool("build_corpus").features(corpus)
    assert b"huggingface" in schema.metadata


def test_rows_are_filled_in_as_in_minds14(locale, rows):
    names = [*LOCALES.split(), *([] if locale in LOCALES else ["ar-SA", "ja-JP"])]
    for row in rows:
        assert row["audio"]["path"] == row["path"]
        assert row["path"].startswith(f"{locale}~{INTENTS.split()[row['intent_class']].upper()}/")
        assert (row["english_transcription"] == row["transcription"]) == (locale == "en-US")
        assert re.fullmatch(r"[A-Za-z0-9',.?\- ]+", row["english_transcription"])
        assert names[row["lang_id"]] == locale


def test_sentences_are_the_projects_own(locale, rows, corpus):
    assert list(corpus.sentences) == INTENTS.split()
    takes = 1 if locale == "en-US" else 2
    written = [
        (sentence.text, number)
        for number, sentences in enumerate(corpus.sentences.values())
        for sentence in sentences
        for _ in range(takes)
    ]
    assert sorted((row["transcription"], row["intent_class"]) for row in rows) == sorted(written)
    distinct = {normalised(row["transcription"]) for row in rows}
    assert len(distinct) == len(rows) / takes >= (240 if locale == "en-US" else 100)


def test_two_who_speak_one_sentence_are_two(rows):
    assert len({(row["transcription"], voice_of(row)) for row in rows}) == len(rows)


def test_transcripts_are_written_as_people_write(locale, rows):
    for row in rows:
        assert re.fullmatch(WRITTEN_IN[locale], PUNCTUATION.sub("", row["transcription"])), row["transcription"]
        assert row["transcription"] == " ".join(unicodedata.normalize("NFC", row["transcription"]).split())


def test_no_test_sentence_is_in_the_training_rows(rows, voices):
    said = {split: set() for split in ("train", "test")}
    for row in rows:
        said[voices[voice_of(row)]["split"]].add(normalised(row["transcription"]))
    assert said["train"]
    assert said["test"]
    assert not said["train"] & said["test"]


def test_clips_are_short_flac_mono_telephone_speech(rows):
    for row in rows:
        with soundfile.SoundFile(io.BytesIO(row["audio"]["bytes"])) as file:
            assert (file.format, file.subtype, file.samplerate, file.channels) == ("FLAC", "PCM_16", 8_000, 1)
            waveform = file.read(dtype="float32")
        assert 1.0 <= len(waveform) / 8_000 <= 8.0, row["path"]
        level = 20 * np.log10(np.sqrt(np.mean(waveform**2)))  # dB below full scale
        assert -37 < level < -31, row["path"]
        assert np.abs(waveform).max() < 0.5, row["path"]
        # The line passes 300 to 3,400 Hz: next to nothing is left under 100 Hz.
        power = np.abs(np.fft.rfft(waveform)) ** 2
        low = np.fft.rfftfreq(len(waveform), 1 / 8_000) < 100
        assert power[low].sum() < 0.02 * power.sum(), row["path"]


def test_voice_table_agrees_with_the_rows(rows, voices):
    assert Counter(map(voice_of, rows)) == {name: int(line["clips"]) for name, line in voices.items()}
    for line in voices.values():
        assert line["engine"] in ("espeak-ng", "flite", "open-jtalk")
        assert line["sex"] in ("F", "M")


def test_held_out_voices_speak_the_test_rows_only(rows, voices, corpus):
    held_out = {voice.name: voice for voice in corpus.held_out}
    assert {name for name, line in voices.items() if line["split"] == "test"} == set(held_out)
    for name, line in voices.items():
        if name in held_out:
            recipe = held_out[name]
            assert [line["engine"], line["accent"], line["variant"]] == [recipe.engine, recipe.accent, recipe.variant]
        else:  # a variant is the speaker: in another accent it would still be heard
            assert line["split"] == "train"
            assert line["variant"] not in {voice.variant for voice in held_out.values()}
    share = sum(voice_of(row) in held_out for row in rows) / len(rows)
    assert 0.18 <= share <= 0.26
    assert len({row["intent_class"] for row in rows if voice_of(row) in held_out}) == 14


@pytest.mark.parametrize("split", ["train", "test"])
def test_voices_of_both_sexes_and_several_accents(locale, voices, split):
    speaking = [line for line in voices.values() if line["split"] == split]
    assert len(speaking) >= {"train": 16, "test": 6}[split]
    share = sum(line["sex"] == "F" for line in speaking) / len(speaking)
    assert 0.4 <= share <= 0.6
    assert len({line["accent"] for line in speaking}) >= (4 if locale == "en-US" else 1)


def test_intents_and_voices_are_balanced_and_mixed(rows, voices):
    assert set(Counter(row["intent_class"] for row in rows).values()) == {len(rows) // 14}
    clips = Counter(map(voice_of, rows))
    assert max(clips.values()) <= 1.5 * min(clips.values()) + 1
    first = rows[:100]  # what the guide trains and tests on
    assert set(Counter(row["intent_class"] for row in first).values()) <= {7, 8}
    assert len(set(map(voice_of, first))) >= 20
    num_test = [voices[voice_of(row)]["split"] for row in rows].count("test")
    in_first = [voices[voice_of(row)]["split"] for row in first].count("test")
    assert abs(in_first - 100 * num_test / len(rows)) <= 8


def test_checkpoint_heard_no_demo_sentence_and_no_held_out_voice(rows, corpus, tool):
    sentences, names = tool("training_speech").heard()
    assert len(sentences) > 10_000
    assert not {normalised(text) for text in sentences} & {normalised(row["transcription"]) for row in rows}
    held_out = {voice.name.lower() for voice in corpus.held_out}
    assert not {name.lower() for name in names} & held_out


def engine_version(engine):
    if shutil.which(engine) is None:
        return "no version"
    arguments = [] if engine == "open_jtalk" else ["--version"]  # it tells its version to whoever asks for nothing
    done = subprocess.run([engine, *arguments], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("locale", "voice", "program", "version"), [
    ("en-US", "espeak-f2", "espeak-ng", "1.51"), ("en-US", "espeak-denis", "espeak-ng", "1.51"),
    ("en-US", "flite-slt", "flite", "flite-2.2"), ("ar-SA", "espeak-m7", "espeak-ng", "1.51"),
    ("ja-JP", "espeak-f1", "espeak-ng", "1.51"), ("ja-JP", "jtalk-mei-large", "open_jtalk", "1.10"),
    ("ko-KR", "espeak-anika", "espeak-ng", "1.51"),
], indirect=["locale"])  # fmt: skip
def test_the_same_engine_makes_the_same_clip_again(rows, corpus, tool, voice, program, version):
    found = engine_version(program)
    if not re.search(rf"\b{re.escape(version)}\b", found):
        pytest.skip(f"the corpus was made with {program} {version}; here is {found.strip()[:80]}")
    if program == "open_jtalk" and not importlib.util.find_spec("pyopenjtalk"):
        pytest.skip("Open JTalk has no voice here")
    build_corpus = tool("build_corpus")
    row = next(row for row in build_corpus.plan(corpus) if row.voice.name == voice)
    stored = rows[row.index]
    assert (stored["path"], stored["transcription"]) == (row.path, row.sentence.text)
    waveform, _ = soundfile.read(io.BytesIO(stored["audio"]["bytes"]), dtype="int16")
    again = build_corpus.speak(row)
    assert again.shape == waveform.shape
    # On another processor a sum may round the other way and tip a sample to the next mu-law step.
    assert np.mean(again != waveform) < 0.001


def test_a_sentence_too_short_is_named(tool):
    build_corpus, corpora = tool("build_corpus"), tool("corpora")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    english = corpora.CORPORA[0]
    row = build_corpus.Row(english, 0, "balance", corpora.Sentence("hi", "hi"), english.known[0])
    with pytest.raises(ValueError, match="'hi'"):
        build_corpus.speak(row)


def test_the_line_of_other_locales_loses_less_than_the_hiss(locale, rows):
    """Samples in steps of 32 are 9 of 32,768 wrong, a uniform error's standard deviation; the hiss is louder."""
    if locale == "en-US":
        return
    for row in rows[:40]:
        waveform, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
        assert not np.any(waveform % 32)
        quiet = waveform[:1_000].astype(float)  # before the speech begins
        assert quiet.std() > 32 / np.sqrt(12) * 0.6, row["path"]


def test_rate_of_speech_has_no_outliers(locale, rows):
    """A clip that is cut, or in which an engine spells or skips, is spoken at another rate than the rest."""
    seconds = np.array([soundfile.info(io.BytesIO(row["audio"]["bytes"])).duration - 0.4 for row in rows])
    letters = np.array([len(normalised(row["transcription"]).replace(" ", "")) for row in rows])
    rate = letters / seconds
    assert np.all(np.abs(np.log2(rate / np.median(rate))) < 1), locale


@pytest.mark.parametrize("silence", [(0, 0), (2.0, 3.0), (0.05, 0.2)])
def test_trim_brings_the_silence_to_what_is_asked(tool, silence):
    tone = 0.5 * np.sin(np.arange(8_000) * 2 * np.pi * 440 / 8_000).astype(np.float32)  # 1 s
    waveform = np.pad(tone, [round(seconds * 8_000) for seconds in silence])
    trimmed = tool("build_corpus").trim(waveform, 8_000, before=0.2, after=0.25)
    np.testing.assert_array_equal(trimmed, np.pad(tone, (1_600, 2_000)))
