"""The audit: every bad row is named with its reason, no clean one is, and what is done about it is what is said.

`ASR_SOAK=50000` (make soak) mutates so many files; without it a few hundred.
"""

import csv
import json
import os
import string
import time
import tracemalloc
import unicodedata
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import catalogue
import numpy as np
import pytest
import tiny
from catalogue import CASES, processor, row, sound, text, voice
from datasets import Dataset, load_from_disk
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asr_helpers import AsrError, audio, cli, evaluation, loading
from asr_helpers.audit import (
    REASONS,
    Audit,
    Finding,
    apply,
    audit,
    audit_clip,
    audit_splits,
)
from asr_helpers.audit.clip import MASKED_SPAN, num_frames
from asr_helpers.audit.comparison import compare, compare_splits
from asr_helpers.audit.reasons import Row
from asr_helpers.audit.rows import Rows
from asr_helpers.audit.text import repair_text
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source
from benchmarks.audit import MadeRows

SOAK = int(os.environ.get("ASR_SOAK", 300))
quickly = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def reasons(found: Audit) -> list[set[str]]:
    """The reasons of each row."""
    by_row = defaultdict(set)
    for one in found.findings:
        by_row[one.row].add(one.reason)
    return [by_row[number] for number in range(len(found.seconds))]


def reasons_of(a_row: dict, letters: str = catalogue.LETTERS) -> set[str]:
    return reasons(audit([a_row], processor(letters)))[0]


# The catalogue


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_is_found_for_its_reasons_and_a_clean_one_for_none(case):
    rows = case.rows()
    found = audit(rows, case.processor)
    clean = [set()] * (len(rows) - len(case.expected))
    assert reasons(found) == clean + case.expected
    for one in found.findings:
        assert one.message.isprintable(), "a terminal would obey what is in it"
        assert (one.severity == "error") == (one.action == "set aside") == (REASONS[one.reason] == "set aside")
        assert one.file == str((rows[one.row]["audio"] or {}).get("path") or "")


def test_every_reason_has_its_case():
    of_folders = {"outside-folder", "clip-in-two-splits", "speaker-in-two-splits"}
    assert set().union(*(reasons for case in CASES for reasons in case.expected)) | of_folders == set(REASONS)
    assert len(CASES) >= 60


@pytest.fixture(scope="module")
def mixed():
    """One corpus of all cases for the usual vocabulary, each followed by a clean row; and which of its rows are bad."""
    rows, bad = [], []
    for case in CASES:
        if not is_usual(case):
            continue
        for one, expected in zip(case.rows()[-len(case.expected) :], case.expected, strict=True):
            rows += [one, row()]
            bad += [any(REASONS[reason] == "set aside" for reason in expected), False]
    return rows, bad


def test_of_catalogue_and_clean_rows_mixed_exactly_the_bad_ones_are_set_aside(mixed):
    rows, bad = mixed
    found = audit(rows, processor())
    assert [action == "set aside" for action in found.actions] == bad
    kept, aside = apply(rows, found)
    assert len(kept) == bad.count(False)
    assert [one["row"] for one in aside] == np.flatnonzero(bad).tolist()


def is_usual(case: catalogue.Case) -> bool:
    """Whether a case is for capitals and a feature extractor that normalises, as the demo's are."""
    usual = case.processor.tokenizer.get_vocab() == processor().tokenizer.get_vocab()
    return usual and case.processor.feature_extractor.do_normalize


def is_on_disk(a_row: dict) -> bool:
    """Whether a folder with a metadata.csv can hold a row."""
    path = a_row["audio"] and a_row["audio"].get("path")
    return bool(path) and isinstance(a_row["transcription"], str)


# The demo corpus


@pytest.fixture(scope="module")
def demo():
    return audit_splits(loading.load_splits(source("demo")), processor())


def test_the_demo_corpus_has_no_errors_and_its_warnings_are_true(demo):
    findings = [(name, one) for name, found in demo.items() for one in found.findings]
    assert {one.reason for _, one in findings} == {"digits"}
    card = (Path(source("demo").dataset) / "README.md").read_text(encoding="utf-8")
    assert "one kind of warning: `digits`, in 10 sentences." in card
    splits = loading.load_splits(source("demo"))
    with_digits = {
        (name, number)
        for name, part in splits.items()
        for number, said in enumerate(part["transcription"])
        if any(map(str.isdigit, said))
    }
    assert {(name, one.row) for name, one in findings} == with_digits
    assert len(with_digits) == 10


def test_the_demo_corpus_keeps_all_its_hours(demo):
    hours = sum(found.totals["keep"]["hours"] for found in demo.values())
    rows = loading.load_rows(source("demo"))
    assert hours == pytest.approx(sum(loading.durations(rows)) / 3_600)
    assert sum(found.totals["keep"]["rows"] for found in demo.values()) == len(rows) == 336


# Totals, actions


def test_totals_by_hand():
    stereo = sound(np.stack([voice(2.0)] * 2, axis=1))
    found = audit([row(sound(voice(1.0))), row(stereo), row(b""), row(sound(voice(3.0)), "")], processor())
    assert found.actions == ["keep", "repair", "set aside", "set aside"]
    assert found.totals == {
        "keep": {"rows": 1, "hours": 1 / 3_600},
        "repair": {"rows": 1, "hours": 2 / 3_600},
        "set aside": {"rows": 2, "hours": 3 / 3_600},
    }


def test_hours_that_only_a_lying_header_promises_do_not_count():
    found = audit([row(catalogue.flac_that_says(2**36 - 1))], processor())
    assert found.findings[0].message.startswith("It declares 4294967.3 s")
    assert found.totals["set aside"] == {"rows": 1, "hours": 0.0}


def test_a_repair_that_the_feature_extractor_would_not_make_is_not_promised():
    offset = row(sound(voice() + 0.05))
    assert audit([offset], processor()).findings[0].action == "repair"
    assert audit([offset], processor(do_normalize=False)).findings[0].action == "keep"


def test_characters_outside_the_vocabulary_are_counted_by_rows():
    found = audit([row(None, "café é"), row(None, "naïve café"), row(None, "plain")], processor())
    assert found.characters == Counter({"é": 2, "ï": 1})
    assert "lacks 2 of its letters: 'é'" in found.findings[0].message


def test_without_a_processor_what_needs_no_vocabulary_is_still_found():
    assert reasons(audit([row(None, "café"), row(None, "7 до"), row(b"")])) == [set(), {"digits"}, {"empty-file"}]


def test_no_rows_give_no_findings():
    assert audit([], processor()).findings == []


def test_a_finding_says_where_what_and_what_then():
    assert audit([row(), row(b"", path="lost/clip.wav")], processor()).findings == [
        Finding(
            1, "lost/clip.wav", "empty-file", "error", "set aside",
            "The file has 0 bytes: copy or download it again.",
        )
    ]  # fmt: skip


# Splits


def test_a_clip_on_both_sides_is_set_aside_where_it_would_teach():
    shared = row(None, "yes please")
    splits = {"train": [row(), shared], "validation": [row()], "test": [shared, row()]}
    found = audit_splits(splits, processor())
    assert {name: reasons(part) for name, part in found.items()} == {
        "train": [set(), {"clip-in-two-splits"}], "validation": [set()], "test": [set(), set()],
    }  # fmt: skip
    assert "row 0 of test" in found["train"].findings[0].message


def test_a_measuring_clip_that_is_set_aside_itself_evicts_no_twin():
    """It will measure nothing: what is left to teach of it stays."""
    shared = sound(voice())
    splits = {"train": [row(shared, "yes please"), row()], "test": [row(shared, ""), row()]}
    found = audit_splits(splits, processor())
    assert {name: reasons(part) for name, part in found.items()} == {
        "train": [set(), set()], "test": [{"transcript-empty"}, set()],
    }  # fmt: skip
    # With the same sound in validation too, that is what measures, and train gives way to it.
    splits = {"train": [row(shared, "yes please")], "validation": [row(shared, "yes please")], "test": splits["test"]}
    found = audit_splits(splits, processor())
    assert {name: reasons(part) for name, part in found.items()} == {
        "train": [{"clip-in-two-splits"}], "validation": [set()], "test": [{"transcript-empty"}, set()],
    }  # fmt: skip


def test_of_several_copies_each_names_the_first_with_another_transcript():
    shared = sound(voice())
    found = audit([row(shared, said) for said in ("yes please", "Yes, please", "not at all", "my card")], processor())
    named = {one.row: one.message.split(" is ")[0] for one in found.findings if one.reason == "conflicting-transcripts"}
    assert named == {0: "Row 2", 1: "Row 2", 2: "Row 0", 3: "Row 0"}


def compared(make: Callable[[int], Row], count: int, speakers: Callable[[int], str] = lambda number: "") -> float:
    """Seconds of comparing so many train and as many test rows, without looking at any."""
    parts = {name: Rows(count) for name in ("train", "test")}
    for part in parts.values():
        part.extend(map(make, range(count)))
    who = {name: [speakers(number) for number in range(count)] for name in parts}
    started = time.process_time()
    for part in parts.values():
        compare(part)
    compare_splits(parts, who)
    return time.process_time() - started


def test_the_time_to_compare_rows_grows_with_their_number_alone():
    """Not with its square where they are alike, or where each has a speaker of its own."""

    def different(number):
        return Row("a.wav", "yes please", seconds=1.0, sampling_rate=8_000, digest=str(number))

    def alike(number):
        return Row("a.wav", "yes please", seconds=1.0, sampling_rate=8_000, digest="same")

    assert compared(alike, 4_000) < 5 * compared(different, 4_000)
    assert compared(different, 20_000, speakers=str) < 5 * compared(different, 20_000)


@pytest.mark.parametrize("kept", [False, True])
def test_a_row_takes_few_bytes_while_it_is_audited(tmp_path, monkeypatch, kept):
    """Its length and what makes it known again, but not its transcript: 120 bytes are the result's own."""

    def examine(row, clip, model):  # in a moment, and without the decoder's own memory
        row.seconds, row.sampling_rate, row.digest = 2.0, 16_000, f"{int(row.file):032x}"

    monkeypatch.setattr("asr_helpers.audit.work.examine_clip", examine)

    def peak(count):
        rows = MadeRows(count, count, lambda number: b"", name="{}")
        tracemalloc.start()
        found = audit_splits({"train": rows}, folder=tmp_path / str(count) if kept else None)["train"]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (found.findings, len(set(found.digests))) == ([], count)
        return most

    peak(64)  # what is imported or cached at the first call is no row's
    assert (peak(1_500) - peak(500)) / 1_000 < 500


@pytest.mark.parametrize("column", ["speaker", "speaker_id", "client_id"])
def test_a_speaker_on_both_sides_is_named_once(column):
    splits = {
        "train": [row(**{column: "ann"}), row(**{column: "bob"})],
        "validation": [row(**{column: "ann"})],
        "test": [row(**{column: "cid"}), row(**{column: "ann"}), row(**{column: "ann"})],
    }
    found = audit_splits(splits, processor())
    (one,) = found["test"].findings
    assert (one.row, one.reason, one.severity) == (1, "speaker-in-two-splits", "warning")
    assert "'ann' of 2 test rows" in one.message
    assert not found["train"].findings


def test_voices_in_paths_are_speakers_and_a_name_that_all_share_is_none():
    def splits(train, test):
        return {"train": [row(path=name) | {"path": name} for name in train],
                "test": [row(path=name) | {"path": name} for name in test]}  # fmt: skip

    def found(splits):
        return {one.reason for part in audit_splits(splits, processor()).values() for one in part.findings}

    assert found(splits(["ann_0.flac", "bob_1.flac"], ["bob_2.flac"])) == {"speaker-in-two-splits"}
    assert found(splits(["ann_0.flac", "bob_1.flac"], ["cid_2.flac"])) == set()
    assert found(splits(["clip_0.flac", "clip_1.flac"], ["clip_2.flac"])) == set()


def test_speakers_whom_nobody_names_are_not_the_same():
    splits = {"train": [row(speaker="")], "test": [row(speaker="")]}
    assert not any(found.findings for found in audit_splits(splits, processor()).values())


# Doing what it says


def test_rows_are_set_aside_and_texts_mended_in_a_dataset_as_in_a_list():
    rows = [row(None, "pay\u200b me"), row(b"", "lost\x1b[2J", path="a.wav"), row(None, "yes")]
    for made in (rows, Dataset.from_list(rows)):
        kept, aside = apply(made, audit(made, processor()))
        assert [one["transcription"] for one in kept] == ["pay me", "yes"]
        assert [one["audio"]["bytes"] for one in kept] == [rows[0]["audio"]["bytes"], rows[2]["audio"]["bytes"]]
        (gone,) = aside
        assert (gone["row"], gone["file"], gone["transcription"]) == (1, "a.wav", "lost\x1b[2J")
        assert [one["reason"] for one in gone["findings"]] == ["empty-file"]


def test_a_mended_text_writes_no_other_rows_sound(tmp_path):
    clips = [row(None, ("pay\u200b me " if number in (5, 11) else "pay me ") + text()) for number in range(20)]
    Dataset.from_list(clips).save_to_disk(str(tmp_path))
    rows = load_from_disk(str(tmp_path)).select([*range(19, -1, -1)])  # in an order of its own, as a split is
    found = audit(rows, processor())
    before = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    kept, _ = apply(rows, found)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) - before
    assert written < 3 * len(clips[5]["audio"]["bytes"]) < before / 5
    assert kept["transcription"][:] == [one["transcription"].replace("\u200b", "") for one in reversed(clips)]
    assert [one["bytes"] for one in kept["audio"]] == [one["audio"]["bytes"] for one in reversed(clips)]
    assert kept.features == rows.features


def test_a_text_is_altered_only_where_a_finding_says_so():
    rows = [row(None, "pay\tme\n"), row(None, "“yes”  …")]
    kept, _ = apply(rows, audit(rows, processor()))
    assert [one["transcription"] for one in kept] == ["pay\tme\n", "“yes”  …"]


def test_rows_without_findings_stay_as_they_are():
    rows = Dataset.from_list([row(), row()])
    kept, aside = apply(rows, audit(rows, processor()))
    assert (kept is rows, aside) == (True, [])


def test_an_audit_of_other_rows_is_refused():
    with pytest.raises(AsrError, match=r"The audit is of 1 rows and there are 2"):
        apply([row(), row()], audit([row()], processor()))


def test_several_processes_find_what_one_finds(monkeypatch):
    monkeypatch.setattr("asr_helpers.audit.work.FEWEST_ROWS", 1)
    monkeypatch.setattr("asr_helpers.audit.work.CHUNK", 3)
    rows = [row() if number % 3 else row(b"", text()) for number in range(10)]
    rows.append(rows[1])
    assert audit(rows, processor(), processes=2) == audit(rows, processor())


@pytest.fixture
def decoded(monkeypatch):
    """A list that grows with every clip that is decoded."""
    clips = []
    read = audio.read_samples
    monkeypatch.setattr("asr_helpers.audio.read_samples", lambda *args: clips.append(1) or read(*args))
    return clips


def shared_audit(splits, folder, world_size):
    """What every rank finds, one thread being a rank."""
    with ThreadPoolExecutor(world_size) as ranks:
        place = {"folder": folder, "world_size": world_size}
        done = [ranks.submit(audit_splits, splits, processor(), rank=rank, **place) for rank in range(world_size)]
        return [one.result(timeout=60) for one in done]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_decode_each_row_once_in_all_and_never_again(tmp_path, monkeypatch, decoded, world_size):
    monkeypatch.setattr("asr_helpers.audit.work.CHUNK", 2)
    train = [row(), row(b""), row(None, "pay\u200b me \ud800"), row(None, "café"), row(), row(None, None)]
    splits = {"train": [*train, train[0]], "test": [row(), train[4]]}
    alone = audit_splits(splits, processor())
    decoded.clear()
    assert shared_audit(splits, tmp_path, world_size) == [alone] * world_size
    assert len(decoded) == 8, "all but the empty file"
    assert shared_audit(splits, tmp_path, world_size) == [alone] * world_size
    assert len(decoded) == 8, "what was found is kept"
    splits["train"][0] = {**splits["train"][0], "transcription": "no"}
    shared_audit(splits, tmp_path, world_size)
    assert len(decoded) == 16, "for these rows and no others"
    assert len(list(tmp_path.iterdir())) == world_size


def test_what_is_kept_of_an_audit_is_for_these_files_and_this_model(tmp_path, decoded):
    (tmp_path / "clip.wav").write_bytes(sound(voice(), format="WAV"))
    splits = {"train": [{"audio": {"bytes": None, "path": str(tmp_path / "clip.wav")}, "transcription": "yes"}]}
    other_rate = processor("ABC '")
    other_rate.feature_extractor.sampling_rate = 8_000
    for times, made in enumerate((processor(), processor("ABC '"), other_rate), 1):
        for _ in range(2):
            audit_splits(splits, made, folder=tmp_path / "kept")
            assert len(decoded) == times
    (tmp_path / "clip.wav").write_bytes(sound(voice(1.0), format="WAV"))
    (found,) = audit_splits(splits, other_rate, folder=tmp_path / "kept").values()
    assert (len(decoded), found.seconds) == (4, [1.0])
    with pytest.raises(AsrError, match="2 ranks share an audit by files: name a folder that all of them see"):
        audit_splits(splits, other_rate, world_size=2)


class Deadly:
    """Ends the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_process_that_is_ended_is_told_of(monkeypatch):
    monkeypatch.setattr("asr_helpers.audit.work.FEWEST_ROWS", 1)
    with pytest.raises(AsrError, match=r"A process that looked at rows of train was ended from outside, or by a file"):
        audit_splits({"train": [{"audio": Deadly(), "transcription": "yes"}]}, processor(), processes=2)


@pytest.mark.parametrize(("content", "says"), [
    (b"<!DOCTYPE html><html>404", "(Format not recognised): use WAV, FLAC, OGG or MP3; it looks like a web page."),
    (b"version https://git-lfs.github.com/spec/v1\n", "; it looks like a Git LFS pointer, not the file it stands for."),
    (b"\0\0\0\x20ftypM4A " + bytes(200), "; it looks like an MP4 or M4A file."),
    (catalogue.flac_that_says(0), "(its header does not say how long it is): use WAV, FLAC, OGG or MP3."),
], ids=["web page", "git lfs", "m4a", "no length"])  # fmt: skip
def test_what_is_no_sound_is_called_by_its_name(content, says):
    (one,) = audit([row(content)], processor()).findings
    assert one.message.endswith(says)


def test_a_file_far_too_large_is_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setattr("asr_helpers.audit.clip.LARGEST", 1_000)
    (tmp_path / "clip.wav").write_bytes(sound(voice(), format="WAV"))
    rows = [{"audio": {"bytes": None, "path": str(tmp_path / "clip.wav")}, "transcription": "yes"}]
    (one,) = audit(rows, processor()).findings
    assert (one.reason, one.message) == ("too-long", "The file has 0 MB: cut it into clips below 30 s.")


def test_what_is_no_file_is_missing_and_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    rows = [
        {"audio": {"bytes": None, "path": str(path)}, "transcription": text()}
        for path in (tmp_path / "pipe.wav", tmp_path, "a" * 300, "nul\0")
    ]
    assert reasons(audit(rows, processor())) == [{"missing-file"}] * 4


def test_samples_are_decoded_once_and_not_at_all_where_the_header_says_enough(decoded):
    long = row(sound(np.zeros(8_000 * 40), 8_000))
    audit([row(), long, row()], processor())
    assert len(decoded) == 2


def test_progress_is_one_line_written_over(monkeypatch, capsys):
    audit([row(), row()], processor())
    assert capsys.readouterr().err == "", "what is done at once needs none"
    monkeypatch.setattr("asr_helpers.audit.work.PROGRESS", 0.0)
    monkeypatch.setattr("asr_helpers.audit.work.CHUNK", 1)
    audit([row(), row()], processor())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "\raudit: 1 of 2 rows, " in shown.err
    assert "\raudit: 2 of 2 rows, " in shown.err
    assert shown.err.count("\n") == 1


# Properties


@quickly
@given(st.text(max_size=60))
@example("\u202e\u0301")
@example("ﬁ ＡＢＣ 𝐛𝐨𝐥𝐝")
def test_any_text_is_judged_and_mended_once_and_for_all(said):
    mended = repair_text(said)
    assert repair_text(mended) == mended
    assert unicodedata.is_normalized("NFC", mended)
    for one in audit([{"audio": None, "transcription": said}], processor()).findings:
        assert one.message.isprintable()
    again = {one.reason for one in audit([{"audio": None, "transcription": mended}], processor()).findings}
    assert not again & {"not-nfc", "bidirectional-controls", "look-alike-letters"}


@quickly
@given(st.lists(st.text(string.ascii_letters + "'", min_size=1, max_size=9), min_size=1, max_size=6).map(" ".join))
def test_plain_words_are_never_found_fault_with(said):
    found = {one.reason for one in audit([{"audio": None, "transcription": said}], processor()).findings}
    assert found - {"unreadable"} <= (set() if any(map(str.isalpha, said)) else {"transcript-no-letters"})
    assert repair_text(said) == said


def frames_by_sliding(num_samples: int) -> int:
    """What the convolutions give, by sliding each over the positions of the one before."""
    positions = range(num_samples)
    for kernel, stride in ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)):
        positions = range(0, max(len(positions) - kernel + 1, 0), stride)
    return len(positions)


@quickly
@given(st.integers(0, 40_000))
@example(399)
@example(400)
def test_frames_are_those_that_the_convolutions_give(num_samples):
    assert num_frames(num_samples) == frames_by_sliding(num_samples)


@quickly
@given(st.integers(16, 12_000), st.integers(1, 40))
@example(399, 1)
@example(400, 1)
@example(3_279, 1)
@example(3_280, 1)
def test_lengths_have_their_reasons(num_samples, num_letters):
    letters = "ab" * 20
    found = reasons_of(row(sound(voice(num_samples / 16_000)), letters[:num_letters]))
    frames = frames_by_sliding(num_samples)
    assert ("too-short" in found) == (frames == 0)
    assert ("shorter-than-mask" in found) == (0 < frames < MASKED_SPAN)
    assert ("labels-exceed-frames" in found) == (MASKED_SPAN <= frames < num_letters)


@quickly
@given(st.integers(2, 60), st.sampled_from([0.1, 0.3, 0.9, 1.0]))
def test_a_wav_is_cut_or_whole_and_the_audit_knows(hundredths, share):
    whole = sound(voice(hundredths / 100), format="WAV")
    cut = whole[: 44 + int((len(whole) - 44) * share)]
    missing = (len(whole) - len(cut)) / 2 / 16_000
    found = reasons_of(row(cut, "a", path="clip.wav"))
    assert ("truncated" in found) == (missing > 0.05) or "no-samples" in found


# Fuzz


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """Bytes overwritten, removed, doubled or cut off."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 6)):
        kind, at = random.integers(0, 5), int(random.integers(0, max(len(changed), 1)))
        at = at if random.random() < 0.5 else min(at, int(random.integers(0, 80)))  # headers twice as often
        size = int(random.integers(1, 40))
        if kind == 0:
            changed[at : at + size] = random.bytes(size)
        elif kind == 1:
            del changed[at : at + size]
        elif kind == 2:
            changed[at:at] = changed[at : at + size]
        elif kind == 3:
            del changed[at:]
        elif at < len(changed):
            changed[at] ^= 1 << int(random.integers(0, 8))
    return bytes(changed)


FORMATS = [("FLAC", None), ("WAV", None), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("OGG", None), ("OGG", "OPUS"),
           ("MP3", None), ("AIFF", None), ("AU", None), ("RF64", None), ("W64", None), ("CAF", None)]  # fmt: skip


def outcome(call, *args):
    """What a call returns, or the error that tells its user why not."""
    try:
        return call(*args)
    except AsrError as error:
        return error


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_no_mutated_file_crashes_or_holds_up_the_audit():
    random = np.random.default_rng(0)
    originals = [sound(voice(0.5), format=format, subtype=subtype) for format, subtype in FORMATS]
    slowest, set_aside = 0.0, 0
    for number in range(SOAK):
        content = mutate(originals[number % len(originals)], random)
        started = time.process_time()  # of this process: what else runs on the machine does not count
        found = audit([row(content, "yes", path="clip")], processor())
        slowest = max(slowest, time.process_time() - started)
        assert all(one.message.isprintable() for one in found.findings), number
        set_aside += found.actions == ["set aside"]
        if not {"too-long", "wrong-sampling-rate"} & reasons(found)[0]:
            decoded = outcome(audio.decode, content)
            if isinstance(decoded, AsrError):  # what training would get can be decoded
                assert found.actions == ["set aside"], number
            else:
                assert np.isfinite(decoded[0]).all(), number
    print(f"{SOAK} files, {set_aside} set aside, the slowest took {slowest:.3f} s")
    assert slowest < 1
    assert 0.3 < set_aside / SOAK < 0.95


def test_no_mutated_metadata_crashes_the_reader(tmp_path):
    (tmp_path / "clip.wav").write_bytes(sound(voice(0.5), format="WAV"))
    lines = ["file_name,transcription,speaker", 'clip.wav,"yes, please",ann', "clip.wav,naïve café,bob"] * 2
    original = "\r\n".join(lines).encode()
    random = np.random.default_rng(1)
    outcomes = Counter()
    for _ in range(SOAK // 10):
        (tmp_path / "metadata.csv").write_bytes(mutate(original, random))
        splits = outcome(loading.published_splits, source(tmp_path))
        outcomes[type(splits)] += 1
        if not isinstance(splits, AsrError):
            audit_splits(splits, processor())
    assert len(outcomes) == 2


# The command line


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Runs a command with the catalogue's processor; gives its status, its output, its errors and its JSON."""
    monkeypatch.setattr("asr_helpers.models.load_processor", lambda checkpoint: processor())
    monkeypatch.setattr("asr_helpers.training.writes_vocabulary", lambda checkpoint, processor: False)
    monkeypatch.setattr("asr_helpers.audit.work.PROGRESS", np.inf)

    def run(*argv):
        file = tmp_path / "result.json"
        file.unlink(missing_ok=True)
        status = cli.main([*map(str, argv), "--json", str(file)])
        out, err = capsys.readouterr()
        return status, out, err, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    return run


@pytest.fixture
def folder(tmp_path):
    """Writes rows as a folder of one's own."""

    def write(rows, split="train", name="data"):
        place = tmp_path / name / split
        place.mkdir(parents=True)
        with open(place / "metadata.csv", "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["file_name", "transcription"])
            for number, one in enumerate(rows):
                file_name = f"{number}-{one['audio']['path']}".replace("/", "-")
                if one["audio"]["bytes"] is not None:
                    (place / file_name).write_bytes(one["audio"]["bytes"])
                table.writerow([file_name, one["transcription"]])
        return place.parent

    return write


def test_a_clean_folder_exits_with_0(command, folder):
    status, out, _, written = command("audit", folder([row() for _ in range(3)]))
    assert (status, out) == (0, "0 findings in 3 rows: keep 3 (0.00 h), repair 0 (0.00 h), set aside 0 (0.00 h)\n")
    assert written["findings"] == []
    assert written["totals"]["keep"] == {"rows": 3, "hours": pytest.approx(4.5 / 3_600)}


def test_findings_are_a_table_and_exit_with_1(command, folder):
    bad = {"audio": {"bytes": None, "path": "gone.wav"}, "transcription": "gone"}
    status, out, _, written = command("audit", folder([row(), row(b""), bad, row(None, "caf\u0435é")]))
    assert status == 1
    lines = out.splitlines()
    assert lines[0].split() == ["row", "file", "reason", "action"]
    assert lines[1].startswith("train 1  ")
    assert "  empty-file          set aside  The file has 0 bytes" in lines[1]
    assert "  missing-file        set aside  There is no file " in lines[2]
    assert any(line.startswith("outside the vocabulary: 'é' in 1 rows (25.0%)") for line in lines)
    assert lines[-1].startswith("4 findings in 4 rows: keep 1 ")
    assert [set(one) for one in written["findings"]] == [
        {"split", "row", "file", "reason", "severity", "action", "message"}
    ] * 4
    assert [one["reason"] for one in written["findings"]] == [
        "empty-file", "missing-file", "look-alike-letters", "outside-vocabulary",
    ]  # fmt: skip
    assert written["characters"] == {"é": {"rows": 1, "share": 0.25}}
    assert [part["rows"] for part in written["totals"].values()] == [1, 1, 2]


@pytest.mark.parametrize("rows", [[], [row(), row(b""), row()]], ids=["alone", "among others"])
def test_a_file_outside_the_folder_is_listed_unopened_among_the_others(command, folder, tmp_path, monkeypatch, rows):
    (tmp_path / "outside.wav").write_bytes(sound(voice(), format="WAV"))
    data = folder(rows)
    with open(data / "train" / "metadata.csv", "a", encoding="utf-8") as file:
        file.write("../../outside.wav,yes please\n")
    opened = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: opened.append(self.name) or read(self))
    status, out, _, written = command("audit", data)
    assert (status, "outside.wav" in opened) == (1, False)
    assert [(one["row"], one["reason"]) for one in written["findings"]] == [
        *((1, "empty-file") for _ in rows[:1]), (len(rows), "outside-folder"),
    ]  # fmt: skip
    assert written["findings"][-1] == {
        "split": "train", "row": len(rows), "file": "../../outside.wav", "reason": "outside-folder",
        "severity": "error", "action": "set aside",
        "message": "Its file_name leads out of the folder: bring the file into the folder.",
    }  # fmt: skip
    assert ["../../outside.wav", "outside-folder"] in [line.split()[2:4] for line in out.splitlines()]
    for split in ("validation", "test"):
        folder([row()], split)
    for run in (["train", data, "--output-dir", tmp_path / "out"], ["evaluate", data]):
        status, _, err, _ = command(*run)
        assert status == 1
        assert "'../../outside.wav' leads out of" in err


def test_one_split_may_be_asked_for(command, folder):
    folder([row()], "test")
    data = folder([row(b"")])
    assert command("audit", data, "--split", "test")[0] == 0
    assert command("audit", data, "--split", "train")[0] == 1
    status, _, err, _ = command("audit", data, "--split", "dev")
    assert (status, err) == (1, "asr-helpers: There is no split 'dev': use train, test.\n")


def test_what_a_terminal_would_obey_never_reaches_it(command, folder):
    rows = [row(None, "pay \x1b]0;owned\x07 \x9b31m \u202eme"), row(b"", "x", path="\x1b[2J\u202e.wav")]
    status, out, err, _ = command("audit", folder(rows))
    assert status == 1
    for shown in (out, err):
        assert all(one.isprintable() for line in shown.split("\n") for one in line)
    assert "\\x1b[2J\\u202e.wav" in out


@pytest.fixture
def trained(monkeypatch):
    """What `train` hands to fine_tune, instead of training."""
    given = {}

    def fine_tune(source, train, validation, processor, output_dir, **changes):
        given.update(train=train, validation=validation)
        result = {"output_dir": output_dir, "wer_before": 1.0, "wer_after": 0.5, "seconds": 1.0}
        result |= {"cer_before": 0.9, "cer_after": 0.2, "metric": "wer", "before": 1.0, "after": 0.5}
        return SimpleNamespace(**result, trouble="", failed=False)

    monkeypatch.setattr("asr_helpers.training.fine_tune", fine_tune)
    return given


def corpus(**bad):
    """Validation and test rows that are clean, and train rows with something bad among them."""
    return [row() for _ in range(4)] + list(bad.values())


def test_train_sets_aside_what_the_audit_says_and_keeps_their_list(command, folder, trained, tmp_path):
    lost = {"audio": {"bytes": None, "path": "gone.wav"}, "transcription": "gone"}
    for split in ("validation", "test"):
        folder([row()], split)
    data = folder(corpus(empty=row(b"", "empty one"), lost=lost, mended=row(None, "pay\u200b me")))
    status, out, _, _ = command("train", data, "--output-dir", tmp_path / "out")
    assert status == 0
    assert len(trained["train"]) == 5
    assert trained["train"][4]["transcription"] == "pay me"
    assert out.splitlines()[:3] == [
        f"reading {data}",
        "the audit found 1 empty-file, 1 missing-file, 1 invisible-characters",
        f"2 rows are set aside: {tmp_path / 'out' / 'set_aside.jsonl'} names them",
    ]
    lines = [json.loads(line) for line in (tmp_path / "out" / "set_aside.jsonl").read_text().splitlines()]
    assert [(one["split"], one["row"], one["transcription"]) for one in lines] == [
        ("train", 4, "empty one"), ("train", 5, "gone"),
    ]  # fmt: skip
    assert [one["findings"][0]["reason"] for one in lines] == ["empty-file", "missing-file"]


def test_audit_and_train_on_the_catalogue_mixed_with_clean_rows(command, folder, trained, tmp_path, mixed):
    """As files on a disk: never a traceback, nothing that a terminal would obey, exactly the bad rows set aside."""
    in_a_folder = [(one, bad) for one, bad in zip(*mixed, strict=True) if is_on_disk(one)]
    for split in ("validation", "test"):
        folder([row()], split)
    data = folder([one for one, _ in in_a_folder])
    bad = [number for number, (_, bad) in enumerate(in_a_folder) if bad]
    status, out, _, written = command("audit", data)
    assert status == 1
    assert all(one.isprintable() for line in out.split("\n") for one in line)
    assert sorted({one["row"] for one in written["findings"] if one["action"] == "set aside"}) == bad
    status, out, _, _ = command("train", data, "--output-dir", tmp_path / "out")
    assert status == 0
    assert all(one.isprintable() for line in out.split("\n") for one in line)
    lines = [json.loads(line) for line in (tmp_path / "out" / "set_aside.jsonl").read_text().splitlines()]
    assert [one["row"] for one in lines] == bad
    assert len(trained["train"]) == len(in_a_folder) - len(bad)


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    """One with random weights and the demo's vocabulary: it hears everything and understands nothing."""
    return load_recogniser(tiny.write_checkpoint(tmp_path_factory.mktemp("recogniser"), head=True))


def clear(status, out, err):
    """A command's status and outputs, once made sure that they are a result or a sentence, and safe in a terminal."""
    assert status in (0, 1)
    assert all(one.isprintable() for line in (out + err).split("\n") for one in line)
    assert "Traceback" not in err
    assert status == 0 or out or err.startswith("asr-helpers: ")
    return status, out, err


# What can be seen of a sound alone.
OF_THE_SOUND = set(list(REASONS)[: list(REASONS).index("transcript-missing")]) - {"mixed-sampling-rates"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_command_gives_a_result_or_a_sentence_and_leaves_out_nothing_unsaid(
    case, command, folder, recogniser, trained, tmp_path, monkeypatch
):
    monkeypatch.setattr("asr_helpers.inference.load_recogniser", lambda checkpoint: recogniser)
    rows = case.rows()
    if not all(map(is_on_disk, rows)):
        with pytest.raises(AsrError, match=r"^Row 0: "):
            evaluation.evaluate(recogniser, rows)
        return
    expected = reasons(audit(rows, processor()))
    bad = [number for number, found in enumerate(expected) if any(REASONS[one] == "set aside" for one in found)]
    to_train = folder([*rows, row(), row()])
    for split in ("validation", "test"):
        folder([row()], split)
    status, out, err, written = command("audit", to_train)
    assert clear(status, out, err)[0] == bool(written["findings"])
    assert status == 1 or not any(expected)
    assert sorted({one["row"] for one in written["findings"] if one["action"] == "set aside"}) == bad
    status, out, err, _ = command("train", to_train, "--output-dir", tmp_path / "out")
    assert clear(status, out, err)[0] == 0
    assert len(trained["train"]) == len(rows) + 2 - len(bad)
    assert bool(bad) == ("rows are set aside" in out) == (tmp_path / "out" / "set_aside.jsonl").exists()

    to_measure = folder([*rows, row()], "test", "measured")
    status, out, err, written = command("evaluate", to_measure, "--model", "any")
    assert clear(status, out, err)[0] == 0
    left_out = [one["row"] for one in written["set_aside"]]
    assert left_out == bad
    assert written["utterances"] == len(rows) + 1 - len(left_out)
    for number in left_out:
        assert f"\n  test {number}  " in out

    for number, found in enumerate(expected):
        (file,) = list((to_measure / "test").glob(f"{number}-*")) or [to_measure / "test" / "lost.wav"]
        status, out, err, written = command("transcribe", file, "--model", "any")
        clear(status, out, err)
        assert bool(out) == (status == 0) == ("text" in written[0])
        if "too-long" not in found:  # what is too long for training can be written down, as far as it goes
            assert bool(err) == bool(found & OF_THE_SOUND)


def test_transcribing_goes_on_after_a_file_that_cannot_be_heard(command, recogniser, tmp_path, monkeypatch):
    monkeypatch.setattr("asr_helpers.inference.load_recogniser", lambda checkpoint: recogniser)
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "short.wav").write_bytes(sound(voice(0.01), format="WAV"))
    whole = sound(voice(), format="WAV")
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    files = [tmp_path / name for name in ("empty.wav", "short.wav", "cut.wav")]
    status, out, err, written = command("transcribe", *files)
    assert status == 1
    assert out.startswith(f"{tmp_path / 'cut.wav'}: ")
    first, second, third = err.splitlines()
    assert first.startswith(f"asr-helpers: '{tmp_path / 'empty.wav'}' is not a sound file that can be read")
    assert second.startswith(f"asr-helpers: '{tmp_path / 'short.wav'}': A clip of 160 samples is shorter than one ")
    assert third == f"asr-helpers: {tmp_path / 'cut.wav'}: It declares 1.50 s and breaks off after 0.75 s."
    heard = {"file", "text", "words", "problems"}
    assert [set(one) for one in written] == [{"file", "error"}, {"file", "error"}, heard]
    assert written[2]["problems"] == {"truncated": "It declares 1.50 s and breaks off after 0.75 s."}


def test_a_clip_is_audited_without_a_transcript(tmp_path):
    (tmp_path / "clip.wav").write_bytes(sound(voice()))
    assert audit_clip(sound(voice())) == {}
    assert audit_clip({"bytes": sound(np.zeros(24_000)), "path": None}).keys() == {"silence"}
    assert audit_clip(tmp_path / "clip.wav").keys() == {"wrong-extension"}
    assert audit_clip(sound(voice(0.02)), 8_000).keys() == {"too-short"}
    assert audit_clip("no/such.wav") == {
        "missing-file": "There is no file 'no/such.wav': correct its name or bring it."
    }


def test_measuring_with_nothing_but_bad_rows_says_so(command, folder, recogniser, monkeypatch):
    monkeypatch.setattr("asr_helpers.inference.load_recogniser", lambda checkpoint: recogniser)
    status, _, err, _ = command("evaluate", folder([row(b""), row(None, "3.14")], "test"))
    assert (status, err) == (
        1,
        "asr-helpers: No row of test is left to measure with; the audit found 1 empty-file, 1 transcript-no-letters.\n",
    )


def bad_rows(count: int) -> list[dict]:
    """So many rows of the catalogue that a folder can hold and that are to be set aside; each case comes again."""
    rows = []
    while len(rows) < count:
        for case in CASES:
            made = case.rows()[-len(case.expected) :]
            all_bad = all(any(REASONS[one] == "set aside" for one in reasons) for reasons in case.expected)
            if is_usual(case) and all_bad and all(map(is_on_disk, made)) and len(rows) + len(made) <= count:
                rows += made
    return rows


@pytest.mark.parametrize("steps", [2, pytest.param(None, marks=pytest.mark.soak)])
def test_bad_rows_mixed_half_and_half_into_the_demo_corpus_do_no_harm(folder, tmp_path, steps):
    """In short by a tiny model in 2 steps; in whole by the demo's, as `asr-helpers train` trains it."""
    splits = {
        name: [{"audio": {**one["audio"], "path": "clip.flac"}, "transcription": one["transcription"]} for one in part]
        for name, part in loading.load_splits(source("demo")).items()
    }
    clean = splits["train"]
    mixed = [one for pair in zip(clean, bad_rows(len(clean)), strict=True) for one in pair]
    more = ["--fresh-head"]  # the recogniser that comes with the package has heard these rows: its own head is no test
    if steps:
        splits = {name: part[:4] for name, part in splits.items()}
        checkpoint = tiny.write_checkpoint(tmp_path / "checkpoint")
        more = ["--max-steps", str(steps), "--checkpoint", str(checkpoint)]
    wers = []
    for name, rows in (("clean", clean), ("mixed", mixed)):
        for split in ("validation", "test"):
            folder(splits[split], split, name)
        data, out, scores = folder(rows, "train", name), tmp_path / f"{name}-out", tmp_path / f"{name}.json"
        assert cli.main(["train", str(data), "--output-dir", str(out), *more]) == 0
        assert cli.main(["evaluate", str(data), "--model", str(out), "--json", str(scores)]) == 0
        wers.append(json.loads(scores.read_text())["wer"])
    print(f"WER {wers[0]:.3f} without bad rows, {wers[1]:.3f} with as many of them as good ones")
    assert not (tmp_path / "clean-out" / "set_aside.jsonl").exists()
    aside = [json.loads(line) for line in (tmp_path / "mixed-out" / "set_aside.jsonl").read_text().splitlines()]
    assert [(one["split"], one["row"]) for one in aside] == [("train", row) for row in range(1, len(mixed), 2)]
    assert wers[1] == pytest.approx(wers[0], abs=0.03)


def test_strict_training_stops_on_any_finding(command, folder, trained, tmp_path):
    for split in ("validation", "test"):
        folder([row()], split)
    data = folder(corpus(digits=row(None, "room 7")))
    status, _, err, _ = command("train", data, "--output-dir", tmp_path / "out", "--strict")
    assert status == 1
    assert err.startswith("asr-helpers: The audit found 1 digits: see ")
    assert not trained
    assert command("train", data, "--output-dir", tmp_path / "out")[0] == 0
    assert not (tmp_path / "out" / "set_aside.jsonl").exists()


def test_a_result_that_cannot_be_written_is_told_in_a_sentence(command, folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status = cli.main(["audit", str(folder([row()])), "--json", str(tmp_path / "file" / "x.json")])
    assert status == 1
    assert "/file/x.json' cannot be written (" in capsys.readouterr().err


def test_training_on_nothing_but_bad_rows_says_so(command, folder, trained, tmp_path):
    for split in ("validation", "test"):
        folder([row()], split)
    status, _, err, _ = command("train", folder([row(b""), row(b"")]), "--output-dir", tmp_path / "out")
    assert (status, err) == (1, "asr-helpers: No row of train is left to train with; the audit found 2 empty-file.\n")


def test_the_audit_warns_of_nothing_itself(recwarn):
    warnings.simplefilter("always")
    audit([case for one in CASES[:5] for case in one.rows()], processor())
    assert not [one for one in recwarn if issubclass(one.category, RuntimeWarning)]
