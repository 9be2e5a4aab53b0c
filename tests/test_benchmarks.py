"""A benchmark as `make bench` runs it, what others compare, and the commands that measure people, seeds and voices."""

import csv
import doctest
import json
import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import tiny
import transformers

import benchmarks.__main__
from asr_helpers import AsrError, audio, collation, evaluation, inference, loading, models, samplers
from asr_helpers.audit import audit as audit_rows
from asr_helpers.evaluation import ErrorCounts
from asr_helpers.layouts.librispeech import read_librispeech
from asr_helpers.sources import source
from benchmarks import (
    audit,
    boundaries,
    common,
    digits,
    guide,
    hour,
    people,
    seeds,
    tasks,
    trainings,
    voice,
)

ROOT = Path(__file__).resolve().parents[1]
SETTING = tasks.Setting("demo", clips=8)


def bench(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=tiny.environment(), cwd=ROOT)


def test_preparing(tmp_path):
    done = bench("--times", 1, "--only", "first_batch", "--output", tmp_path / "bench.json")
    assert done.returncode == 0, done.stderr[-2_000:]
    first_batch, first_epoch, later_epoch, disk = json.loads((tmp_path / "bench.json").read_text())
    assert [(one["name"], one["unit"]) for one in (first_batch, first_epoch, later_epoch)] == [
        ("first_batch", "s"), ("first_epoch", "s"), ("later_epoch", "s"),
    ]  # fmt: skip
    assert first_batch["guide"] > 5 * first_batch["ours"] > 0
    assert first_batch["ratio"] == pytest.approx(first_batch["guide"] / first_batch["ours"])
    assert first_epoch["guide"] > first_batch["guide"]
    assert first_epoch["ours"] > 5 * first_batch["ours"], "42 batches and not one"
    assert first_epoch["ratio"] < first_batch["ratio"] / 2, "the first batch alone flatters"
    assert later_epoch["guide"] < first_epoch["guide"], "what is prepared is not prepared again"
    seconds = sum(loading.durations(loading.load_rows(source("demo"))))
    assert disk["guide"] > seconds * 16_000 * 4, "float32, and each row's bookkeeping"
    assert disk["ours"] == 0
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_padding():
    theirs, ours = (tasks.padding(way, SETTING)["padding"] for way in ("guide", "ours"))
    seconds = loading.durations(loading.load_rows(source("demo")))
    assert theirs == samplers.total_padding_share(seconds, samplers.random_batches(seconds, guide.BATCH_SIZE))
    assert ours <= 0.03


def test_both_ways_count_the_same_errors(monkeypatch):
    monkeypatch.setattr(tasks, "SCORED", 500)
    theirs, ours = (tasks.wer(way, SETTING)["rate"] for way in ("guide", "ours"))
    assert theirs == ours
    assert 0.08 < ours < 0.12, "a tenth of the words was made wrong"


@pytest.fixture
def still(tmp_path, monkeypatch):
    """A model of a few thousand parameters in place of the demo's."""
    checkpoint = str(tiny.write_checkpoint(tmp_path / "still"))
    monkeypatch.setattr(tasks, "_model", lambda setting: models.build_model(checkpoint, tiny.processor()))


def facts(rung: str, rows, folder: Path) -> dict[str, object]:
    """What of a rung's trainer its change could be seen in."""
    trainer = tasks.ladder_trainer(rung, SETTING, rows, str(folder), num_train_epochs=1)
    shapes = [batch["input_values"].shape for batch in trainer.get_train_dataloader()]
    return {
        "checkpointing": trainer.args.gradient_checkpointing,
        "convolutions": any(one.requires_grad for one in trainer.model.wav2vec2.feature_extractor.parameters()),
        "recurring": all(samples % collation.PAD_TO_MULTIPLE_OF == 0 for _, samples in shapes),
        "prepared": "input_values" in getattr(trainer.train_dataset, "column_names", ()),
        "clips": sorted(clips for clips, _ in shapes),
        "bf16": trainer.args.bf16,
        "accumulated": trainer.args.gradient_accumulation_steps,
        "workers": trainer.args.dataloader_num_workers,
    }


def test_each_rung_of_the_ladder_changes_one_thing(still, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "has_bf16", lambda: True)
    monkeypatch.setattr(models, "dataloader_workers", lambda: 2)
    assert tasks.rungs() == list(tasks.LADDER)
    rows = loading.load_rows(source("demo"))
    rows = rows.select([row for row, seconds in enumerate(loading.durations(rows)) if seconds < 4][:24])
    found = {rung: facts(rung, rows, tmp_path) for rung in tasks.LADDER}
    assert found["guide_step"] == {
        "checkpointing": True, "convolutions": True, "recurring": False, "prepared": True, "clips": [8, 8, 8],
        "bf16": False, "accumulated": 2, "workers": 0,
    }  # fmt: skip
    changes = {
        rung: {name: now[name] for name in now if now[name] != before[name]}
        for (_, before), (rung, now) in pairwise(found.items())
    }
    by_duration, by_minute = changes["duration"].pop("clips"), changes["minute"].pop("clips")
    assert changes == {
        "no_checkpointing": {"checkpointing": False}, "frozen": {"convolutions": False},
        "recurring": {"recurring": True}, "decoded": {"prepared": False},
        "duration": {"recurring": False}, "minute": {}, "workers": {"workers": 2}, "bfloat16": {"bf16": True},
    }  # fmt: skip
    assert sum(by_duration) == sum(by_minute) == 24
    assert by_duration[-1] > by_duration[0], "long clips in few, short ones in many"
    assert len(by_minute) == 2


@pytest.mark.parametrize("rung", ["guide_step", "minute"])
def test_the_ladder_counts_speech_in_a_second_of_training(still, monkeypatch, rung):
    trained = []
    train = transformers.Trainer.train

    def timed(self, *args, **kwargs):
        done = train(self, *args, **kwargs)
        trained.append((self.state.global_step, done.metrics["train_runtime"]))
        return done

    monkeypatch.setattr(transformers.Trainer, "train", timed)
    rows = loading.load_rows(source("demo")).shuffle(seed=0).select(range(SETTING.clips))
    found = tasks.ladder(rung, SETTING)
    assert [steps for steps, _ in trained] == [2, 1], "two to warm up, then an epoch of a batch or two"
    assert found == {"throughput": pytest.approx(sum(loading.durations(rows)) / trained[1][1])}


def test_the_ladder_says_each_rungs_factor_and_the_total(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(models, "has_bf16", lambda: False)
    monkeypatch.setattr(models, "dataloader_workers", lambda: 0)
    speeds = dict(zip(tasks.LADDER, (20, 30, 45, 45, 36, 72, 90), strict=False))
    times = iter([0.5, 2.0, 1.0])  # the median is the third

    def measure(task, rung, setting):
        if rung == "guide_step":
            measure.time = next(times)
        return {"throughput": speeds[rung] * measure.time}

    monkeypatch.setattr(benchmarks.__main__, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "ladder", "--output", str(tmp_path / "bench.json")])
    benchmarks.__main__.compare()
    _, first, *rungs, last = capsys.readouterr().out.splitlines()
    assert first == "speech trained on in a second, the guide's step: 20 s/s"
    assert rungs[1].startswith("  + convolutions frozen: 45 s/s, ")
    assert [line.split(" s/s, ")[1] for line in rungs] == [
        f"{factor} times the line before, {total} times the guide's"
        for factor, total in (("1.50", "1.50"), ("1.50", "2.25"), ("1.00", "2.25"), ("0.80", "1.80"), ("2.00", "3.60"),
                              ("1.25", "4.50"))
    ]  # fmt: skip
    assert last == "  bfloat16 is left out: this processor does not multiply in it"
    rows = json.loads((tmp_path / "bench.json").read_text())
    assert rows[4] == {"name": "duration", "guide": 20, "ours": 72, "ratio": 3.6, "unit": "s/s", "factor": 2.0}
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("module", "examples"), [
    (benchmarks.__main__, 3), (people, 3), (seeds, 2), (voice, 1),
])  # fmt: skip
def test_its_examples(module, examples):
    assert doctest.testmod(module) == (0, examples)


def test_an_unknown_one_is_refused():
    done = bench("--only", "loudness")
    assert done.returncode == 2
    assert "invalid choice: 'loudness'" in done.stderr


# The audit at scale


def test_made_rows_are_clean_and_as_different_as_they_say():
    rows = audit.MadeRows(24, 12, audit.stretch)
    assert rows[5]["audio"]["bytes"] == rows[17]["audio"]["bytes"]
    assert rows[5]["transcription"] == rows[17]["transcription"]
    found = audit_rows(rows)
    assert [(one.row, one.reason) for one in found.findings] == [(row, "duplicate-audio") for row in range(12, 24)]
    assert (len(set(found.digests)), len({row["audio"]["path"] for row in rows})) == (12, 24)
    assert 2 <= min(found.seconds) < max(found.seconds) <= 12
    assert audit_rows(audit.MadeRows(12, 12, audit.flac)).findings == []


def test_identical_clips_cost_what_different_ones_do():
    """Had each been compared with each, the identical ones would take twice as long."""
    make = partial(audit.stretch, seconds=0.3)
    audit.measure(8, 8, make)
    same, different = (audit.measure(600, sounds, make)["cpu_seconds"] for sounds in (1, 600))
    assert same < 1.5 * different


def test_the_audit_command_says_rate_memory_and_identical_clips(monkeypatch, capsys):
    asked = []

    def apart(count, sounds, make=audit.stretch, processes=1):
        asked.append((count, sounds, processes))
        found = {"seconds": count / 500, "cpu_seconds": count / 1_000, "sound": 7.2 * count}
        return found | {"memory": 100e6 + 200 * count}

    monkeypatch.setattr(audit, "apart", apart)
    monkeypatch.setattr(sys, "argv", ["audit", "--rows", "50000"])
    audit.main()
    assert asked == [
        (256, 128, 1), (4_096, 128, 2), (1_000, 1_000, 1), (50_000, 50_000, 1), (4_000, 1, 1), (4_000, 4_000, 1),
    ]  # fmt: skip
    one, two, scale, same = capsys.readouterr().out.splitlines()
    assert one == "audit, 1 process: 3,600 × real time, 7,200 × per core, over 0.5 h of FLAC at 16 kHz"
    assert two == "audit, 2 processes: 3,600 × real time, 7,200 × per core, over 8.2 h of FLAC at 16 kHz"
    assert scale == (
        "50,000 rows, 100 h of WAV, 1 process: 500 rows a second, 7,200 × real time per core; "
        "peak memory 110 MB, of 1,000 rows 100 MB: 1.10 times"
    )
    assert same == "4,000 clips of one length: 8.0 s where they are all the same, 8.0 s where none is"


def test_each_measurement_of_the_audit_has_a_process_of_its_own():
    found = audit.apart(4, 4)
    assert 8 <= found["sound"] <= 48
    assert 20e6 < found["memory"] < common.peak_memory(), "this process holds torch, that one does not"


# Reading LibriSpeech's form


def write_librispeech(folder: Path, utterances: dict[str, str], sounds: dict[str, bytes] | None = None) -> Path:
    """A tree as it is published; `utterances` are by name, SPEAKER-CHAPTER-NUMBER."""
    for number, (name, text) in enumerate(utterances.items()):
        speaker, chapter, _ = name.split("-")
        place = folder / speaker / chapter
        place.mkdir(parents=True, exist_ok=True)
        content = (sounds or {}).get(name, tiny.clip(number))
        waveform, rate = audio.decode(content)
        soundfile.write(place / f"{name}.flac", waveform, rate)
        with open(place / f"{speaker}-{chapter}.trans.txt", "a") as file:
            file.write(f"{name} {text}\n")
    return folder


TEXTS = {"84-121-0000": "GO DO YOU HEAR", "84-121-0001": "BUT NO", "84-9-0000": "YES", "174-50-0000": "HE'D GO"}


@pytest.fixture
def published(tmp_path):
    return write_librispeech(tmp_path / "LibriSpeech" / "test-other", TEXTS)


@pytest.mark.parametrize("above", [".", "..", "84"])
def test_a_librispeech_tree_is_read_from_any_folder_above(published, above):
    rows = read_librispeech(published / above)
    found = {Path(row["audio"]).stem: row["transcription"] for row in rows}
    assert found == {name: text for name, text in TEXTS.items() if above != "84" or name.startswith("84-")}
    assert all(row["speaker"] == Path(row["audio"]).stem.split("-")[0] for row in rows)
    assert all(Path(row["audio"]).is_file() for row in rows)


@pytest.mark.parametrize(("line", "said"), [
    ("84-121-0009 NOT THERE", "the transcript has no sound"),
    ("84-121-0000 AGAIN", "has a transcript already"),
    ("84-121-0001", "is not 'SPEAKER-CHAPTER-NUMBER WORDS'"),
    ("../../../secret-1-1 YES", "is not 'SPEAKER-CHAPTER-NUMBER WORDS'"),
    ("", "is not 'SPEAKER-CHAPTER-NUMBER WORDS'"),
])  # fmt: skip
def test_a_wrong_line_is_named(published, line, said):
    table = published / "84" / "121" / "84-121.trans.txt"
    table.write_text(table.read_text() + f"{line}\n")
    with pytest.raises(AsrError, match=f"84-121.trans.txt', line 3: .*{said}"):
        read_librispeech(published)


def test_a_published_sound_without_transcript_is_named(published):
    (published / "84" / "9" / "84-9-0001.flac").write_bytes(tiny.clip(0))
    with pytest.raises(AsrError, match=r"84-9-0001\.flac' has no transcript"):
        read_librispeech(published)


def test_a_transcript_file_is_utf_8(published):
    (published / "84" / "9" / "84-9.trans.txt").write_bytes(b"84-9-0000 OL\xc9\n")
    with pytest.raises(AsrError, match=r"84-9\.trans\.txt' is not written in UTF-8"):
        read_librispeech(published)


@pytest.mark.parametrize("name", ["84-9-0000.flac", "84-9.trans.txt"])
def test_nothing_outside_the_folder_is_read(published, tmp_path, name):
    place = published / "84" / "9" / name
    place.rename(tmp_path / name)
    place.symlink_to(tmp_path / name)
    with pytest.raises(AsrError, match=f"{name}' leads out of"):
        read_librispeech(published)


def test_a_link_in_a_circle_is_refused(published):
    place = published / "84" / "9" / "84-9-0000.flac"
    place.unlink()
    place.symlink_to(place.name)
    with pytest.raises(AsrError, match=r"84-9-0000\.flac"):
        read_librispeech(published)


# Reading either form


def write_people(folder: Path, speakers: list[str], split: str = "test", texts: list[str] | None = None) -> Path:
    """An audiofolder of short clips with a column `speaker`."""
    (folder / split).mkdir(parents=True)
    with open(folder / split / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "transcription", "speaker"])
        for number, speaker in enumerate(speakers):
            (folder / split / f"{number}.wav").write_bytes(tiny.clip(number, 1.0))
            table.writerow([f"{number}.wav", (texts or tiny.TEXTS)[number % len(texts or tiny.TEXTS)], speaker])
    return folder


def test_both_forms_give_the_same_rows(tmp_path, published):
    assert [row["speaker"] for row in people.read_people(published)] == ["174", "84", "84", "84"]
    rows = people.read_people(write_people(tmp_path / "own", ["ann", "bob"]))
    assert [(row["transcription"], row["speaker"]) for row in rows] == [("HELLO", "ann"), ("CARD", "bob")]
    assert [Path(row["audio"]["path"]).name for row in rows] == ["0.wav", "1.wav"]


def test_the_test_split_is_measured_unless_another_is_named(tmp_path):
    folder = write_people(tmp_path / "own", ["ann"])
    write_people(folder, ["bob", "bob"], "validation")
    assert [row["speaker"] for row in people.read_people(folder)] == ["ann"]
    assert [row["speaker"] for row in people.read_people(folder, "validation")] == ["bob", "bob"]
    assert [row["speaker"] for row in people.read_people(folder / "validation")] == ["bob", "bob"]
    with pytest.raises(AsrError, match=r"has no split 'train': use --split with validation, test"):
        people.read_people(folder, "train")


def test_a_folder_may_be_called_as_a_source_is(tmp_path, monkeypatch):
    write_people(tmp_path / "demo", ["ann"])
    monkeypatch.chdir(tmp_path)
    assert [row["speaker"] for row in people.read_people("demo")] == ["ann"]


def test_a_folder_that_cannot_be_measured_is_refused_in_a_sentence(tmp_path, published):
    with pytest.raises(AsrError, match=r"There is no folder '.*none'"):
        people.read_people(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AsrError, match=r"'.*empty' holds no recordings"):
        people.read_people(tmp_path / "empty")
    with pytest.raises(AsrError, match="LibriSpeech's form has no split 'test'"):
        people.read_people(published, "test")
    own = write_people(tmp_path / "own", ["ann", "", "bob"])
    with pytest.raises(AsrError, match=r"Row 1 of '.*own' names no speaker and others do"):
        people.read_people(own)
    (own / "test" / "more.wav").write_bytes(tiny.clip(0))
    with pytest.raises(AsrError, match=r"more\.wav' has no transcript"):
        people.read_people(own)
    (own / "test" / "0.wav").unlink()
    with pytest.raises(AsrError, match=r"Row 0 of '.*own' has no sound '.*0\.wav'"):
        people.read_people(own)
    (own / "1-2.trans.txt").write_text("")
    with pytest.raises(AsrError, match=r"holds both \*\.trans\.txt and metadata\.csv"):
        people.read_people(own)


# Scoring people

# ann: 1 error in 10 words and none in 2; bob: 4 in 4.
PAIRS = [
    {"reference": "A B C D E F G H I J", "hypothesis": "A B C D E F G H I K"},
    {"reference": "W X Y Z", "hypothesis": ""},
    {"reference": "O P", "hypothesis": "O P"},
]


def test_people_are_scored_by_speaker():
    scores = evaluation.score(*([pair[side] for pair in PAIRS] for side in ("reference", "hypothesis")))
    found = people.score_people(scores, PAIRS, ["ann", "bob", "ann"], audio_seconds=30.0, work_seconds=1.5)
    assert found.scores.wer == 5 / 16
    bob, ann = found.speakers
    assert (bob.speaker, bob.words, bob.utterances) == ("bob", ErrorCounts(0, 0, 4, 0), 1)
    assert (ann.speaker, ann.words, ann.utterances) == ("ann", ErrorCounts(11, 1, 0, 0), 2)
    # of the 19, 7 and 3 characters said, one is another one and 7 are lost
    assert found.characters == ErrorCounts(hits=21, substitutions=1, deletions=7, insertions=0)
    assert found.scores.cer == 8 / 29
    # both people, or one of them twice
    assert (found.drawn, found.scores.interval) == ("speakers", (1 / 12, 1.0))
    assert found.rtfx == 20
    text = people.report(found)
    assert "3 clips of 2 speakers, 30.0 s of speech" in text
    assert "WER 0.312 (95 % interval 0.083 to 1.000, over speakers): 11 hits, 1 substitutions, 4 deletions" in text
    assert text.index("bob  WER 1.000, 4 errors in 4 words, 1 clip") < text.index("ann  WER 0.083, 1 error in 12 words")
    assert people.as_dict(found)["speakers"][0] == {
        "speaker": "bob", "wer": 1.0, "hits": 0, "substitutions": 0, "deletions": 4, "insertions": 0, "utterances": 1,
    }  # fmt: skip


@pytest.mark.parametrize("speakers", [["ann"] * 3, [None] * 3])
def test_the_interval_draws_utterances_where_there_are_no_other_people(speakers):
    scores = evaluation.score(*([pair[side] for pair in PAIRS] for side in ("reference", "hypothesis")))
    found = people.score_people(scores, PAIRS, speakers, 30.0, 1.5)
    assert (found.drawn, found.scores.interval) == ("utterances", scores.interval)
    assert len(found.speakers) == (speakers[0] is not None)


def test_people_make_a_wider_interval_than_their_utterances():
    texts = [("YES", "YES" if speaker < 10 else "NO") for speaker in range(20) for _ in range(10)]
    by_utterance = evaluation.score(*zip(*texts, strict=True)).interval
    by_speaker = people.interval_by_speaker([ErrorCounts(10, 0, 0, 0)] * 10 + [ErrorCounts(0, 10, 0, 0)] * 10)
    # binomial with 200 and with 20 draws: two standard deviations are 0.07 and 0.22
    assert by_utterance == pytest.approx((0.43, 0.57), abs=0.02)
    assert by_speaker == pytest.approx((0.28, 0.72), abs=0.05)


def test_clips_are_drawn_from_all_and_the_same_each_time():
    rows = [{"number": number} for number in range(100)]
    some = [row["number"] for row in people.draw_rows(rows, 10)]
    assert some == [row["number"] for row in people.draw_rows(rows, 10)] == sorted(set(some))
    assert len(some) == 10
    assert some[-1] > 50


def test_the_people_command_measures_what_evaluate_does(tmp_path):
    demo = source("demo")
    rows = loading.load_splits(demo)["test"].select([0, 1, 2])
    names = ["1-1-0000", "2-1-0000", "2-1-0001"]
    sounds = {name: row["audio"]["bytes"] for name, row in zip(names, rows, strict=True)}
    texts = dict(zip(names, rows["transcription"], strict=True))
    folder = write_librispeech(tmp_path / "test-other", texts, sounds)
    done = bench("people", folder, "--json", tmp_path / "people.json")
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads((tmp_path / "people.json").read_text())
    scores, pairs = evaluation.evaluate(inference.load_recogniser(demo.fine_tuned), rows)
    assert found["transcripts"] == pairs
    assert (found["wer"], found["cer"]) == (scores.wer, scores.cer)
    second = [[pair[side] for pair in pairs[1:]] for side in ("reference", "hypothesis")]
    by_speaker = {one["speaker"]: (one["wer"], one["utterances"]) for one in found["speakers"]}
    assert by_speaker == {
        "1": (jiwer.wer(pairs[0]["reference"], pairs[0]["hypothesis"]), 1), "2": (jiwer.wer(*second), 2),
    }  # fmt: skip
    assert found["interval"] == sorted(wer for wer, _ in by_speaker.values())
    assert found["audio_seconds"] == pytest.approx(sum(loading.durations(rows)))
    assert found["rtfx"] == pytest.approx(found["audio_seconds"] / found["work_seconds"])
    assert (found["data"], found["model"], found["machine"]) == (str(folder), "demo", common.machine())
    assert f"WER {scores.wer:.3f}" in done.stdout
    assert done.stderr == ""


def test_people_that_are_not_there_are_told_of_in_one_line(tmp_path):
    done = bench("people", tmp_path / "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"benchmarks: There is no folder {str(tmp_path / 'none')!r}: check the path.\n"


def test_a_text_that_cannot_be_scored_is_told_of_before_anything_is_heard(tmp_path):
    folder = write_people(tmp_path / "own", ["ann"] * 2, texts=["YES", "1 2 3"])
    recogniser = inference.load_recogniser(tiny.write_checkpoint(tmp_path / "model", head=True))
    with pytest.raises(AsrError, match=r"1\.wav': '1 2 3' has no character of the vocabulary"):
        people.measure(recogniser, people.read_people(folder))
    with pytest.raises(AsrError, match="There is no clip"):
        people.measure(recogniser, [])


# People's digits


def write_recordings(folder: Path, speakers: tuple[str, ...] = ("ann", "bob"), indices: int = 7) -> Path:
    """Recordings whose level names them: a constant of 0.01 for each digit, and 0.2 more where they are for testing."""
    folder.mkdir()
    for speaker in speakers:
        for digit in range(10):
            for index in range(indices):
                level = 0.05 + 0.01 * digit + 0.2 * (index < 5) + 0.4 * (speaker == "bob")
                waveform = np.full(800 + 80 * digit, level)
                soundfile.write(folder / f"{digit}_{speaker}_{index}.wav", waveform, 8_000)
    return folder


def digits_heard(waveform: np.ndarray, split: str, speaker: str) -> list[str]:
    """Which recordings a clip is made of, by their level; pauses are silent."""
    sounding = np.flatnonzero(np.diff((waveform > 0).astype(int), prepend=0, append=0))
    starts, ends = sounding[::2], sounding[1::2]
    gaps = np.diff([0, *sounding, len(waveform)])[::2] / 8_000
    assert ((gaps >= 0.0499) & (gaps <= 0.3001)).all(), gaps
    levels = [round((waveform[start] - 0.05) / 0.01) for start in starts]
    heard = [level - 20 * (split == "test") - 40 * (speaker == "bob") for level in levels]
    assert [end - start for start, end in zip(starts, ends, strict=True)] == [800 + 80 * digit for digit in heard]
    return [digits.WORDS[digit] for digit in heard]


def test_digits_are_joined_as_their_transcripts_say(tmp_path):
    recordings = write_recordings(tmp_path / "recordings")
    digits.write_digits(recordings, tmp_path / "digits", ["ann", "bob"], train=40, test=20)
    splits = loading.load_splits(source(tmp_path / "digits"))
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 36, "validation": 4, "test": 20}
    counts = Counter()
    for split, table in (("train", "train"), ("train", "validation"), ("test", "test")):
        for row in splits[table]:
            waveform, rate = audio.decode(row["audio"])
            words = row["transcription"].split()
            assert rate == 8_000
            assert 3 <= len(words) <= 7
            assert digits_heard(waveform, split, row["speaker"]) == words
            counts.update([row["speaker"], len(words), *words])
    assert (counts["ann"], counts["bob"]) == (30, 30)
    assert set(counts) == {"ann", "bob", 3, 4, 5, 6, 7, *digits.WORDS}, "every digit and every length comes"


def test_the_same_seed_writes_the_same_digits(tmp_path):
    recordings = write_recordings(tmp_path / "recordings")
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        digits.write_digits(recordings, tmp_path / name, ["ann"], train=3, test=2, seed=seed)
    contents = {
        name: {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "same", "other")
    }
    assert len(contents["one"]) == 7
    assert contents["one"] == contents["same"] != contents["other"]


def test_digits_that_cannot_be_made_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(AsrError, match=r"There is no folder '.*none': name the corpus's folder 'recordings'"):
        digits.write_digits(tmp_path / "none", tmp_path / "digits")
    recordings = write_recordings(tmp_path / "recordings")
    with pytest.raises(AsrError, match=r"has no recording 0_jackson_5\.wav, nor one up to 49"):
        digits.write_digits(recordings, tmp_path / "digits")
    assert not (tmp_path / "digits").exists()
    with pytest.raises(AsrError, match=r"'.*recordings' holds something already"):
        digits.write_digits(recordings, recordings, ["ann"])
    soundfile.write(recordings / "3_ann_6.wav", np.zeros(800), 16_000)
    with pytest.raises(AsrError, match=r"3_ann_6\.wav' is at 16000 Hz and the corpus at 8000"):
        digits.write_digits(recordings, tmp_path / "digits", ["ann"])


# Seeds

# Stands for `asr-helpers` at the process boundary: writes down how it was called, and ends as a file says.
STAND_IN = """
import json, pathlib, sys

here = pathlib.Path(__file__).parent
with open(here / "calls.txt", "a") as file:
    print(*sys.argv[1:-2], file=file)
if sys.argv[1] == "train":
    folder, seed = pathlib.Path(sys.argv[4]), int(sys.argv[6])
    if seed == 2:
        sys.exit("asr-helpers: The loss is nan in step 7: lower the learning rates.")
    if seed == 3:
        sys.exit(130)
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entries = [{"eval_wer": 0.9, "eval_blank_share": 0.8}, {"eval_wer": 0.1 * seed, "eval_blank_share": 0.5}]
    (folder / "training.json").write_text(json.dumps({"history": [*entries, {"loss": 1.0}]}))
    result = {"wer_after": 0.1 * seed, "trouble": "The loss has risen: lower the learning rates." if seed == 1 else ""}
else:
    pairs = [("ONE TWO", "ONE TWO"), ("THREE", "FOUR"), ("SIX SIX SIX", "SIX")]
    result = {"wer": 0.5, "transcripts": [{"reference": one, "hypothesis": other} for one, other in pairs]}
    result["set_aside"] = [{"row": 1}]
pathlib.Path(sys.argv[-1]).write_text(json.dumps(result))
sys.exit(bool(result.get("trouble")))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.setattr(trainings, "COMMAND", (sys.executable, str(tmp_path / "stand_in.py")))
    return tmp_path / "calls.txt"


def test_seeds_go_on_where_they_were_stopped(tmp_path, stand_in, capsys):
    own = write_people(tmp_path / "own", ["ann", "gone", "bob", "ann"])
    write_people(own, ["ann"] * 12, "train")
    output = tmp_path / "seeds.json"
    command = ["--only", "digits", "--digits", str(own), "--fresh-head", "--output", str(output), "--seeds"]
    with pytest.raises(AsrError, match="asr-helpers train ended with status 130"):
        seeds.main([*command, "5"])
    calls = stand_in.read_text().splitlines()
    assert len(calls) == 6, "seed 2 left nothing to evaluate"
    assert calls[0].startswith(f"train {own} --output-dir ")
    assert calls[0].endswith("recogniser --seed 0 --fresh-head")
    assert calls[1].startswith(f"evaluate {own} --model ")
    capsys.readouterr()
    seeds.main([*command, "3"])
    assert stand_in.read_text().splitlines() == calls, "nothing was trained a second time"
    out = capsys.readouterr().out
    zero, one, two = (seeds.SeedResult(**each) for each in json.loads(output.read_text()))
    # ann: nothing wrong in 2 words, and 2 in 3; bob: 1 in 1. The row set aside is the second.
    assert zero.voices == {"ann": 2 / 5, "bob": 1.0}
    assert (zero.validation, zero.test, zero.blank_share, zero.failure) == (0.0, 0.5, 0.5, "")
    assert (one.validation, one.failure) == (0.1, "The loss has risen: lower the learning rates.")
    assert (two.validation, two.test, two.options) == (None, None, "--fresh-head")
    assert two.failure == "The loss is nan in step 7: lower the learning rates."
    lines = [line.split() for line in out.splitlines()]
    assert ["seed", "validation", "test", "seconds", "blank", "ann", "bob"] in lines
    for row in (["2", "-", "-"], ["min", "0.000", "0.500"], ["median", "0.050", "0.500"], ["max", "0.100", "0.500"]):
        assert [line for line in lines if line[: len(row)] == row], row
    assert "2 of 3 trainings failed:\n  seed 1: The loss has risen" in out
    (own / "train" / "metadata.csv").write_text((own / "train" / "metadata.csv").read_text().replace("HELLO", "HALLO"))
    seeds.main([*command, "1"])
    assert len(stand_in.read_text().splitlines()) == len(calls) + 2, "other rows, other results"
    assert len(json.loads(output.read_text())) == 4


def test_a_traceback_is_no_result(tmp_path, stand_in):
    (tmp_path / "stand_in.py").write_text("raise ValueError('a defect')")
    with pytest.raises(AsrError, match="asr-helpers train ended with status 1: ValueError: a defect"):
        trainings.train("demo", tmp_path, 0)
    with pytest.raises(AsrError, match="asr-helpers evaluate ended with status 1: ValueError: a defect"):
        trainings.evaluate("demo", tmp_path)


def test_other_settings_are_other_results(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").write_bytes(b"0")
    first = [seeds.settings_digest("demo", options) for options in ([], [], ["--fresh-head"])]
    assert first[0] == first[1] != first[2]
    before = seeds.settings_digest("demo", [], str(checkpoint))
    (checkpoint / "model.safetensors").write_bytes(b"1")
    assert before != seeds.settings_digest("demo", [], str(checkpoint))


def test_seeds_say_how_to_come_by_digits(tmp_path):
    done = bench("seeds", "--only", "digits")
    assert done.returncode == 1
    assert done.stderr.startswith("benchmarks: digits needs a folder of people saying digits: clone github.com/")
    (tmp_path / "seeds.json").write_text("[3]")
    with pytest.raises(AsrError, match=r"seeds\.json' is not a list of seeds' results"):
        seeds.read_results(tmp_path / "seeds.json")
    with pytest.raises(AsrError, match="has no train and test clips"):
        seeds.main(["--digits", str(write_people(tmp_path / "own", ["ann"]))])
    assert bench("seeds", "--seeds", "0").returncode == 2


@pytest.fixture
def here(monkeypatch):
    """Commands that a benchmark starts take this checkout's package and one thread."""
    monkeypatch.chdir(ROOT)
    for name in ("OMP_NUM_THREADS", "PYTHONPATH"):
        monkeypatch.setenv(name, tiny.environment()[name])


def test_a_seed_is_trained_and_measured_by_the_command_line(tmp_path, here, capsys):
    checkpoint = tiny.write_checkpoint(tmp_path / "checkpoint", head=True)
    digits.write_digits(write_recordings(tmp_path / "recordings"), tmp_path / "digits", ["ann", "bob"], 12, 4)
    options = ["--checkpoint", str(checkpoint), "--max-steps", "1"]
    found = seeds.run_seed("digits", str(tmp_path / "digits"), 0, options, "")
    assert min(found.validation, found.test) > 0
    assert found.options == " ".join(options)
    assert found.voices.keys() == {"ann", "bob"}
    assert 0 <= found.blank_share <= 1
    assert found.seconds > 0


# One's own voice


def test_a_voice_is_taught_by_the_command_line(tmp_path, here, capsys):
    texts = [f"{first} {second}" for first in tiny.TEXTS[:7] for second in tiny.TEXTS[:6]]
    own = write_people(tmp_path / "own", ["ann"] * 42 + ["bob"], texts=texts)
    checkpoint = tiny.write_checkpoint(tmp_path / "checkpoint", head=True)
    command = ["--seeds", "1", "--checkpoint", str(checkpoint), "--max-steps", "1"]
    voice.main([str(own), *command, "--json", str(tmp_path / "voice.json")])
    (found,) = json.loads((tmp_path / "voice.json").read_text())["results"]
    assert (found["speaker"], found["seed"]) == ("ann", 0)
    assert found["before"] > 0
    assert found["fall"] == 1 - found["after"] / found["before"]
    assert f"ann, seed 0: WER {found['before']:.3f} before, {found['after']:.3f} after" in capsys.readouterr().out


def test_ten_clips_are_learnt_from_and_thirty_others_measure(tmp_path):
    own = write_people(tmp_path / "own", ["ann"] * 45, texts=[f"YES {'NO ' * number}".strip() for number in range(42)])
    rows = voice.clips_by_person(people.read_people(own))["ann"]
    assert len(rows) == 42, "three sentences are there twice"
    learn, measure = voice.draw_clips(rows, seed=1)
    names = [[row["audio"]["path"] for row in part] for part in (learn, measure)]
    assert [len(set(part)) for part in names] == [10, 30]
    assert not set(names[0]) & set(names[1])
    assert voice.draw_clips(rows, seed=1) == (learn, measure)
    assert voice.draw_clips(rows, seed=2) != (learn, measure)
    voice.write_folder(tmp_path / "taught", learn, measure)
    splits = loading.load_splits(source(tmp_path / "taught"))
    assert {name: len(split) for name, split in splits.items()} == {"train": 9, "validation": 1, "test": 30}
    assert splits["test"]["transcription"][:] == [row["transcription"] for row in measure]
    for row, original in zip(splits["test"], measure, strict=True):
        assert Path(row["audio"]["path"]).read_bytes() == Path(original["audio"]["path"]).read_bytes()


def test_people_who_said_too_little_are_not_taught():
    rows = [{"speaker": "ann", "transcription": str(number), "audio": ""} for number in range(40)]
    found = voice.clips_by_person([*rows, {"speaker": "bob", "transcription": "YES", "audio": ""}])
    assert voice.choose_people(found) == ["ann"]
    with pytest.raises(AsrError, match="'bob' has said 1 sentences here, and 40 are needed"):
        voice.choose_people(found, ["ann", "bob"])
    with pytest.raises(AsrError, match="Nobody has said 40 sentences here, at most 1"):
        voice.choose_people({"bob": found["bob"]})
    with pytest.raises(AsrError, match="name no speaker"):
        voice.clips_by_person([{"transcription": "YES", "audio": ""}])


def test_a_taught_voice_is_reported_with_its_fall():
    result = voice.VoiceResult("ann", 1, before=0.8, after=0.5, seconds=61.4)
    assert voice.report(result) == "ann, seed 1: WER 0.800 before, 0.500 after (-38 %), 61 s"
    failed = voice.VoiceResult("ann", 1, before=0.8, after=None, seconds=3.0, failure="it collapsed")
    assert voice.report(failed) == "ann, seed 1: WER 0.800 before, 3 s; the training failed: it collapsed"


# Word boundaries, and an hour

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@needs_flite
def test_flite_tells_where_its_words_lie(tmp_path):
    path = tmp_path / "clip.wav"
    words = boundaries.true_words("PAY MY CARD BILL PLEASE", "slt", path)
    assert len(words) == 5
    assert [left[1] <= right[0] for left, right in pairwise(words)] == [True] * 4
    assert 0.1 < words[0][0] < words[-1][1] < soundfile.info(path).duration
    # `flite -voice slt -psdur` says: pau:0.195 p:0.244 ey:0.383 ... d:0.903 b:0.941 ih:1.000 l:1.073 ...
    assert words[0] == pytest.approx((0.195, 0.383), abs=0.02)
    assert words[3] == pytest.approx((0.903, 1.073), abs=0.02)


@needs_flite
def test_words_are_found_where_flite_has_spoken_them():
    recogniser = inference.load_recogniser(source("demo").fine_tuned)
    late = boundaries.measure(recogniser, ["I WANT TO PAY MY CARD BILL", "MY CARD HAS BEEN STOLEN"], "slt")
    assert late.shape == (12, 2)
    assert np.abs(late).mean() < 0.06


def test_boundaries_without_flite(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AsrError, match="install the package flite"):
        boundaries.speak("YES", "slt", tmp_path / "clip.wav")


def test_an_hour_is_clips_and_pauses(tmp_path):
    clips = [hour.Clip(np.full(8_000, level, np.float32), str(level)) for level in (0.25, -0.5)]
    texts = hour.join(clips, 10, tmp_path / "whole.wav")
    sound, rate = soundfile.read(tmp_path / "whole.wav")
    assert 10 <= len(sound) / rate < 11.5
    spoken = np.abs(sound) > 0.2
    starts = np.flatnonzero(np.diff(spoken.astype(int), prepend=0) == 1)
    assert [str(sound[start]) for start in starts] == texts
    assert set(texts) == {"0.25", "-0.5"}
    assert spoken.sum() == 8_000 * len(texts)
