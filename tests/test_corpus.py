"""The demo corpus is what its card says: MInDS-14's layout, fair splits, nothing the checkpoint has heard."""

import csv
import hashlib
import importlib
import io
import re
import shutil
import subprocess
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


@pytest.fixture
def tool(monkeypatch):
    """Imports a module of tools/ by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


@pytest.fixture(scope="module")
def rows():
    """Every row as a dict, its audio still encoded."""
    return pyarrow.parquet.read_table(CORPUS / "en-US" / "train-00000-of-00001.parquet").to_pylist()


@pytest.fixture(scope="module")
def voices():
    """The voice table: name to its line."""
    with open(CORPUS / "voices.csv", newline="") as file:
        return {line["voice"]: line for line in csv.DictReader(file)}


def voice_of(row):
    return re.fullmatch(r"en-US~[A-Z_]+/([a-z0-9-]+)_\d{4}\.flac", row["path"])[1]


def normalised(text):
    """Capital letters and apostrophes: what the checkpoint's vocabulary can write."""
    return " ".join(re.sub(r"[^A-Z']", " ", text.upper()).split())


def test_checksums_cover_every_file():
    listed = dict(reversed(line.split("  ")) for line in (CORPUS / "SHA256SUMS").read_text().splitlines())
    files = {str(path.relative_to(CORPUS)): path for path in CORPUS.rglob("*") if path.is_file()}
    assert sorted([*listed, "SHA256SUMS"]) == sorted(files)
    assert {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in listed} == listed


def test_folder_is_small():
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) <= 12_000_000


def test_the_guides_own_line_loads_it(tmp_path):
    minds = load_dataset(str(CORPUS), name="en-US", split="train[:100]", cache_dir=str(tmp_path))
    assert minds.num_rows == 100
    assert minds.features == MINDS14
    assert minds.column_names == list(MINDS14)
    first = minds.cast_column("audio", Audio(decode=False))[0]
    assert first["audio"]["bytes"][:4] == b"fLaC"


def test_parquet_itself_carries_the_features():
    schema = pyarrow.parquet.read_schema(CORPUS / "en-US" / "train-00000-of-00001.parquet")
    assert Features.from_arrow_schema(schema) == MINDS14
    assert b"huggingface" in schema.metadata


def test_rows_are_filled_in_as_in_minds14(rows):
    for row in rows:
        assert row["audio"]["path"] == row["path"]
        assert row["path"].startswith(f"en-US~{INTENTS.split()[row['intent_class']].upper()}/")
        assert row["english_transcription"] == row["transcription"]
        assert LOCALES.split()[row["lang_id"]] == "en-US"


def test_sentences_are_the_projects_own_each_spoken_once(rows, tool):
    sentences = tool("demo_sentences").SENTENCES
    assert list(sentences) == INTENTS.split()
    written = sorted((text, number) for number, texts in enumerate(sentences.values()) for text in texts)
    assert sorted((row["transcription"], row["intent_class"]) for row in rows) == written
    distinct = {normalised(row["transcription"]) for row in rows}
    assert len(distinct) == len(rows) >= 240


def test_clips_are_short_flac_mono_telephone_speech(rows):
    for row in rows:
        with soundfile.SoundFile(io.BytesIO(row["audio"]["bytes"])) as file:
            assert (file.format, file.subtype, file.samplerate, file.channels) == ("FLAC", "PCM_16", 8_000, 1)
            waveform = file.read(dtype="float32")
        assert 2.0 <= len(waveform) / 8_000 <= 8.0, row["path"]
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
        assert line["engine"] in ("espeak-ng", "flite")
        assert line["sex"] in ("F", "M")


def test_held_out_voices_speak_the_test_fifth_only(rows, voices, tool):
    held_out = {voice.name: voice for voice in tool("speech").HELD_OUT_VOICES}
    assert {name for name, line in voices.items() if line["split"] == "test"} == set(held_out)
    for name, line in voices.items():
        if name in held_out:
            recipe = held_out[name]
            assert [line["engine"], line["accent"], line["variant"]] == [recipe.engine, recipe.accent, recipe.variant]
        else:  # a variant is the speaker: in another accent it would still be heard
            assert line["split"] == "train"
            assert line["variant"] not in {voice.variant for voice in held_out.values()}
    share = sum(voice_of(row) in held_out for row in rows) / len(rows)
    assert 0.18 <= share <= 0.22
    assert len({row["intent_class"] for row in rows if voice_of(row) in held_out}) == 14


@pytest.mark.parametrize("split", ["train", "test"])
def test_voices_of_both_sexes_and_several_accents(voices, split):
    speaking = [line for line in voices.values() if line["split"] == split]
    assert len(speaking) >= {"train": 16, "test": 6}[split]
    share = sum(line["sex"] == "F" for line in speaking) / len(speaking)
    assert 0.4 <= share <= 0.6
    assert len({line["accent"] for line in speaking}) >= 4


def test_intents_and_voices_are_balanced_and_mixed(rows, voices):
    assert set(Counter(row["intent_class"] for row in rows).values()) == {len(rows) // 14}
    clips = Counter(map(voice_of, rows))
    assert max(clips.values()) <= 1.5 * min(clips.values())
    first = rows[:100]  # what the guide trains and tests on
    assert set(Counter(row["intent_class"] for row in first).values()) <= {7, 8}
    assert len(set(map(voice_of, first))) >= 20
    assert 12 <= sum(voices[voice_of(row)]["split"] == "test" for row in first) <= 28


def test_checkpoint_heard_no_demo_sentence_and_no_held_out_voice(rows, tool):
    sentences, names = tool("training_speech").heard()
    assert len(sentences) > 10_000
    assert not {normalised(text) for text in sentences} & {normalised(row["transcription"]) for row in rows}
    held_out = {voice.name.lower() for voice in tool("speech").HELD_OUT_VOICES}
    assert not {name.lower() for name in names} & held_out


def engine_version(engine):
    if shutil.which(engine) is None:
        return "no version"
    done = subprocess.run([engine, "--version"], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("voice", "engine", "version"), [
    ("espeak-f2", "espeak-ng", "1.51"), ("espeak-denis", "espeak-ng", "1.51"), ("flite-slt", "flite", "flite-2.2"),
])  # fmt: skip
def test_the_same_engine_makes_the_same_clip_again(rows, tool, voice, engine, version):
    found = engine_version(engine)
    if not re.search(rf"\b{re.escape(version)}\b", found):
        pytest.skip(f"the corpus was made with {engine} {version}; here is {found.strip()[:80]}")
    build_corpus = tool("build_corpus")
    row = next(row for row in build_corpus.plan() if row.voice.name == voice)
    stored = rows[row.index]
    assert (stored["path"], stored["transcription"]) == (row.path, row.text)
    waveform, _ = soundfile.read(io.BytesIO(stored["audio"]["bytes"]), dtype="int16")
    again = build_corpus.speak(row)
    assert again.shape == waveform.shape
    # On another processor a sum may round the other way and tip a sample to the next mu-law step.
    assert np.mean(again != waveform) < 0.001


def test_a_sentence_too_short_is_named(tool):
    build_corpus = tool("build_corpus")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    row = build_corpus.Row(0, "balance", "hi there", build_corpus.KNOWN_VOICES[0])
    with pytest.raises(ValueError, match="hi there"):
        build_corpus.speak(row)


@pytest.mark.parametrize("silence", [(0, 0), (2.0, 3.0), (0.05, 0.2)])
def test_trim_brings_the_silence_to_what_is_asked(tool, silence):
    tone = 0.5 * np.sin(np.arange(8_000) * 2 * np.pi * 440 / 8_000).astype(np.float32)  # 1 s
    waveform = np.pad(tone, [round(seconds * 8_000) for seconds in silence])
    trimmed = tool("build_corpus").trim(waveform, 8_000, before=0.2, after=0.25)
    np.testing.assert_array_equal(trimmed, np.pad(tone, (1_600, 2_000)))
