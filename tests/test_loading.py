"""Rows come in undecoded, and the splits are what they claim: no voice and no sentence on two sides."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
from datasets import Dataset

from asr_helpers import AsrError, audio, loading
from asr_helpers.sources import source

HELD_OUT = {"espeak-andrea", "espeak-f4", "espeak-m7", "espeak-denis", "espeak-shelby", "flite-rms"}


@pytest.fixture(scope="module")
def rows():
    return loading.load_rows(source("demo"))


@pytest.fixture(scope="module")
def splits():
    return loading.load_splits(source("demo"))


def voices(rows):
    return {loading.voice_of(path) for path in rows["path"]}


def sentences(rows):
    return set(rows["transcription"])


@pytest.fixture
def folder(tmp_path):
    """Writes a folder in the audiofolder form: so many clips in each split, clip n lasting (n + 1) / 10 s."""

    def make(text="transcription", metadata=True, **sizes):
        for split, size in sizes.items():
            place = tmp_path / split if split != "flat" else tmp_path
            place.mkdir(exist_ok=True)
            lines = [("file_name", text)]
            for number in range(size):
                name = f"{split}-{number}.wav"
                soundfile.write(place / name, np.zeros(800 * (number + 1)), 8_000)
                lines.append((name, f"{split} sentence {number}"))
            if metadata:
                with open(place / "metadata.csv", "w", newline="") as file:
                    csv.writer(file).writerows(lines)
        return source(tmp_path)

    return make


# Rows


def test_rows_keep_their_sound_encoded(rows):
    assert len(rows) == 336
    assert sorted(rows[0]["audio"]) == ["bytes", "path"]
    assert rows[0]["audio"]["bytes"][:4] == b"fLaC"


def test_a_split_may_be_sliced(rows):
    few = loading.load_rows(source("demo"), "train[:3]")
    assert list(few["path"]) == list(rows["path"])[:3]


def test_a_split_that_is_not_there_is_named():
    with pytest.raises(AsrError, match=r'[Uu]nknown split "?validation') as caught:
        loading.load_rows(source("demo"), "validation")
    assert "\n" not in str(caught.value)


def test_a_folder_without_transcriptions_is_told_what_it_lacks(folder):
    with pytest.raises(AsrError, match=r"no column 'transcription', only .*sentence"):
        loading.load_rows(folder(text="sentence", train=12))


def test_a_folder_without_metadata_is_told_to_write_it(folder):
    with pytest.raises(AsrError, match=r"no metadata\.csv: write one with file_name and transcription"):
        loading.load_rows(folder(metadata=False, train=12))


def test_a_folder_whose_metadata_has_no_rows_is_told_so(folder):
    with pytest.raises(AsrError, match=r"metadata\.csv' has no rows"):
        loading.load_rows(folder(train=0))


@pytest.mark.parametrize(("content", "says"), [
    ("file_name,transcription\nclip.wav,yes, please\n", r"line 2: more fields than columns; put a text .* in quotes"),
    ("file_name,transcription\nclip.wav,yes\nlost.wav,no\n", r"line 3: there is no file '.*lost\.wav'"),
    (f"file_name,transcription\n{'a' * 300}.wav,yes\n", r"line 2: there is no file '.*aaa\.wav'"),
    ("name,transcription\nclip.wav,yes\n", r"no column 'file_name', only name, transcription"),
    ("", r"no column 'file_name'"),
    ("file_name,transcription\nclip.wav,caf\udce9\n", r"not written in UTF-8"),
    ('file_name,transcription\nclip.wav,"yes' + " and so on" * 14_000, r"line \d: field larger .*; is a quote left"),
], ids=["comma", "lost file", "long name", "other column", "empty", "latin-1", "open quote"])  # fmt: skip
def test_metadata_that_would_harm_is_refused_with_its_line(tmp_path, content, says):
    soundfile.write(tmp_path / "clip.wav", np.zeros(800), 8_000)
    (tmp_path / "metadata.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(AsrError, match=says):
        loading.load_splits(source(tmp_path))


@pytest.mark.parametrize("name", [
    "../outside.wav", "sub/../../outside.wav", "..\\outside.wav", "C:\\outside.wav", "/etc/hostname", "link.wav",
    "away/outside.wav", "circle.wav", "nul\0.wav",
])  # fmt: skip
def test_no_file_name_leads_out_of_the_folder(tmp_path, name):
    """By what it says, or by what a link in it does. The audit gets the row, without a sound that it could open."""
    soundfile.write(tmp_path / "outside.wav", np.zeros(800), 8_000)
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    (folder / "away").symlink_to(tmp_path)
    (folder / "circle.wav").symlink_to(folder / "circle.wav")
    (folder / "metadata.csv").write_text(f'file_name,transcription\n"{name}",yes\n')
    for load in (loading.load_splits, loading.load_rows):
        with pytest.raises(AsrError, match=r"metadata\.csv', line 2: '.*' leads out of '.*data': bring the file into"):
            load(source(folder))
    (row,) = loading.published_splits(source(folder))["train"]
    assert row == {"audio": None, "transcription": "yes", "leads_out": name}


@pytest.mark.parametrize("column", ["audio", "leads_out"])
@pytest.mark.parametrize("load", [loading.load_splits, loading.published_splits, loading.load_rows])
def test_no_column_takes_the_place_of_what_was_checked(tmp_path, load, column):
    soundfile.write(tmp_path / "outside.wav", np.zeros(800), 8_000)
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(folder / "clip.wav", np.zeros(800), 8_000)
    (folder / "metadata.csv").write_text(f"file_name,{column},transcription\nclip.wav,{tmp_path / 'outside.wav'},yes\n")
    with pytest.raises(AsrError, match=rf"metadata\.csv' has a column '{column}', .*: rename it"):
        load(source(folder))


def test_no_metadata_is_read_from_outside_the_folder(tmp_path):
    (tmp_path / "secret.csv").write_text("file_name,transcription\nclip.wav,secret\n")
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "data" / "clip.wav", np.zeros(800), 8_000)
    (tmp_path / "data" / "metadata.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(AsrError, match=r"metadata\.csv' leads out of '.*data'"):
        loading.load_splits(source(tmp_path / "data"))


def test_links_within_the_folder_are_followed_and_the_folder_may_be_one(tmp_path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    soundfile.write(tmp_path / "data" / "shared.wav", np.zeros(800), 8_000)
    (tmp_path / "data" / "train" / "clip.wav").symlink_to("../shared.wav")
    (tmp_path / "data" / "train" / "metadata.csv").write_text("file_name,transcription\nclip.wav,yes\n")
    (tmp_path / "way").symlink_to(tmp_path / "data")
    assert loading.load_rows(source(tmp_path / "way"))["transcription"][:] == ["yes"]


def test_the_audit_gets_rows_whose_file_is_missing(tmp_path):
    soundfile.write(tmp_path / "clip.wav", np.zeros(800), 8_000)
    (tmp_path / "metadata.csv").write_text("file_name,transcription\nclip.wav,yes\nlost.wav,no\n")
    assert loading.published_splits(source(tmp_path))["train"]["transcription"][:] == ["yes", "no"]


def test_published_splits_of_the_demo_are_one(rows):
    splits = loading.published_splits(source("demo"))
    assert list(splits) == ["train"]
    assert list(splits["train"]["path"]) == list(rows["path"])


def test_metadata_as_spreadsheets_write_it(tmp_path):
    soundfile.write(tmp_path / "clip.wav", np.zeros(800), 8_000)
    content = 'file_name,speaker,transcription\r\nclip.wav,7,"yes, ""please"" – café"\r\n'
    (tmp_path / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    row = loading.load_rows(source(tmp_path))[0]
    assert (row["transcription"], row["speaker"]) == ('yes, "please" – café', "7")


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_parts_of_a_metadata_file_are_the_whole_line_by_line(tmp_path, rows):
    for name in ("clip.wav", "größe.wav"):
        soundfile.write(tmp_path / name, np.zeros(800), 8_000)
    lines = ["file_name,transcription", "clip.wav,one", '"größe.wav","two,\nin ""two"" lines"', "", "clip.wav,three"]
    table = tmp_path / "metadata.csv"
    table.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, "clip.wav,four", "größe.wav,five"]).encode())
    whole = list(loading.folder_rows([loading.TablePart(table)], str(tmp_path)))
    parts = loading.table_parts(table, rows)
    assert len(parts) == {1: 5, 2: 3, 3: 2, 100: 1}[rows]
    assert [row for part in parts for row in loading.folder_rows([part], str(tmp_path))] == whole
    assert [row["transcription"] for _, row in whole] == ["one", 'two,\nin "two" lines', "three", "four", "five"]
    (tmp_path / "größe.wav").unlink()
    with pytest.raises(AsrError, match=f"line {4 if rows == 100 else 8}: there is no file"):
        list(loading.folder_rows(parts[-1:], str(tmp_path)))


def test_a_folders_split_may_be_sliced(folder):
    mine = folder(train=10, test=5)
    assert list(loading.load_rows(mine, "train[2:4]")["transcription"]) == ["train sentence 2", "train sentence 3"]
    assert len(loading.load_rows(mine, "train[:50%]+test")) == 10
    with pytest.raises(AsrError, match="validation"):
        loading.load_rows(mine, "validation")


def test_an_empty_folder_is_told_to_write_metadata(tmp_path):
    with pytest.raises(AsrError, match=r"no metadata\.csv"):
        loading.load_splits(source(tmp_path))


# Voices


@pytest.mark.parametrize(("path", "voice"), [
    ("en-US~BALANCE/espeak-f2_0123.flac", "espeak-f2"),
    ("espeak-f2_0123.flac", "espeak-f2"),
    ("en-US~CARD_ISSUES/two_part-name_0001.flac", "two_part-name"),
    ("en-US~JOINT_ACCOUNT/602ba55abb1e6d0fbce92065.wav", None),  # MInDS-14: the folder's underscore is no voice
])  # fmt: skip
def test_the_voice_is_read_from_the_path(path, voice):
    assert loading.voice_of(path) == voice


def test_the_voice_table_says_who_is_held_out(rows):
    table = loading.voice_table(source("demo"))
    assert set(table) == voices(rows)
    assert {name for name, line in table.items() if line["split"] == "test"} == HELD_OUT


def test_a_dataset_without_a_voice_table_has_an_empty_one(tmp_path):
    assert loading.voice_table(source(tmp_path)) == {}
    assert loading.voice_table(source("hub")) == {}


def test_splitting_by_voice_by_hand():
    paths = ["a/x_0.flac", "a/y_1.flac", "a/x_2.flac", "a/z_3.flac"]
    train, test = loading.split_by_voice(Dataset.from_dict({"path": paths}), ["x"])
    assert list(train["path"]) == ["a/y_1.flac", "a/z_3.flac"]
    assert list(test["path"]) == ["a/x_0.flac", "a/x_2.flac"]


@pytest.mark.parametrize("held_out", [HELD_OUT, {"flite-slt"}, set()], ids=["the held-out six", "one", "none"])
def test_splitting_by_voice_loses_nothing_and_mixes_nothing(rows, held_out):
    train, test = loading.split_by_voice(rows, held_out)
    assert voices(test) == held_out
    assert not voices(train) & held_out
    assert sorted([*train["path"], *test["path"]]) == sorted(rows["path"])


def test_a_voice_that_says_nothing_is_named(rows):
    with pytest.raises(AsrError, match=r"spoken by 'alice': the voices are espeak-andrea, "):
        loading.split_by_voice(rows, ["flite-slt", "alice"])


# Splits of the demo


def test_demo_splits_hold_every_row_once(rows, splits):
    assert {name: len(part) for name, part in splits.items()} == {"train": 243, "validation": 27, "test": 66}
    assert list(splits) == ["train", "validation", "test"]
    assert sorted(path for part in splits.values() for path in part["path"]) == sorted(rows["path"])


def test_demo_test_voices_speak_nowhere_else(splits):
    assert voices(splits["test"]) == HELD_OUT
    assert not voices(splits["train"]) & HELD_OUT
    assert not voices(splits["validation"]) & HELD_OUT


def test_demo_validation_is_new_sentences_by_known_voices(splits):
    assert voices(splits["validation"]) <= voices(splits["train"])


def test_no_sentence_is_in_two_demo_splits(splits):
    parts = [sentences(part) for part in splits.values()]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 336


def test_a_random_split_shares_its_voices(rows):
    """What the split by voice is there for: at random, the test's voices are all known."""
    for seed in range(5):
        halves = rows.train_test_split(test_size=0.2, seed=seed)
        assert voices(halves["test"]) <= voices(halves["train"])


def test_the_splits_are_the_same_every_time(splits):
    again = loading.load_splits(source("demo"))
    for name, part in splits.items():
        assert list(again[name]["path"]) == list(part["path"])


# Splits of a folder


def test_a_folders_own_test_rows_stay_and_validation_comes_from_its_training_rows(folder):
    splits = loading.load_splits(folder(train=20, test=5))
    assert {name: len(part) for name, part in splits.items()} == {"train": 18, "validation": 2, "test": 5}
    assert sentences(splits["test"]) == {f"test sentence {number}" for number in range(5)}
    assert sentences(splits["train"]) | sentences(splits["validation"]) == {
        f"train sentence {number}" for number in range(20)
    }


def test_a_folders_own_three_splits_stay(folder):
    splits = loading.load_splits(folder(train=4, validation=3, test=2))
    assert {name: len(part) for name, part in splits.items()} == {"train": 4, "validation": 3, "test": 2}


def test_splits_go_by_the_names_that_audiofolder_knows(folder):
    splits = loading.load_splits(folder(training=4, dev=3, eval=2))
    assert {name: len(part) for name, part in splits.items()} == {"train": 4, "validation": 3, "test": 2}


@pytest.mark.parametrize("name", ["train", "flat"])
def test_a_folder_of_training_rows_alone_is_split_at_random(folder, name):
    splits = loading.load_splits(folder(**{name: 20}))
    assert {name: len(part) for name, part in splits.items()} == {"train": 14, "validation": 2, "test": 4}
    assert len(set().union(*(sentences(part) for part in splits.values()))) == 20


def test_a_folder_of_test_rows_alone_is_not_split(folder):
    splits = loading.load_splits(folder(test=3))
    assert {name: len(part) for name, part in splits.items()} == {"test": 3}


def test_metadata_may_stand_above_the_splits(tmp_path):
    lines = ["file_name,transcription"]
    for split, size in (("train", 12), ("test", 3)):
        (tmp_path / split).mkdir()
        for number in range(size):
            soundfile.write(tmp_path / split / f"{number}.wav", np.zeros(800), 8_000)
            lines.append(f"{split}/{number}.wav,{split} sentence {number}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    splits = loading.load_splits(source(tmp_path))
    assert sentences(splits["test"]) == {f"test sentence {number}" for number in range(3)}


@pytest.mark.parametrize("others", [{}, {"test": 5}, {"validation": 5}])
def test_too_few_rows_to_hold_some_out_are_counted(folder, others):
    with pytest.raises(AsrError, match="9 rows are too few to hold some out for measuring: bring at least 10"):
        loading.load_splits(folder(train=9, **others))


def test_ten_rows_are_enough(folder):
    splits = loading.load_splits(folder(train=10))
    assert {name: len(part) for name, part in splits.items()} == {"train": 7, "validation": 1, "test": 2}


def test_a_folders_rows_are_left_on_the_disk_and_read_from_there(folder):
    row = loading.load_splits(folder(train=4, validation=3, test=2))["test"][0]
    assert row["audio"]["bytes"] is None
    assert Path(row["audio"]["path"]).is_file()
    waveform, rate = audio.decode(row["audio"])
    assert (len(waveform), rate) == (800, 8_000)


# Durations


def test_durations_by_hand(folder):
    rows = loading.load_rows(folder(train=4))
    lengths = dict(zip(rows["transcription"], loading.durations(rows), strict=True))
    assert lengths == {f"train sentence {number}": (number + 1) / 10 for number in range(4)}


def test_durations_from_headers_are_those_of_the_decoded_sound(rows):
    few = rows.select(range(20))
    decoded = [len(waveform) / rate for waveform, rate in map(audio.decode, few["audio"])]
    assert loading.durations(few) == decoded


# Finding rows


def test_a_row_is_described_by_what_it_holds(rows):
    some = rows.select([0, 32])
    described = loading.describe(some)
    assert [one.text for one in described] == some["transcription"][:]
    assert [one.seconds for one in described] == loading.durations(some)
    assert [one.intent for one in described] == rows.features["intent_class"].int2str(some["intent_class"][:])
    assert [one.voice for one in described] == [loading.voice_of(path) for path in some["path"]]


def test_rows_may_be_dicts_and_lack_what_is_not_needed():
    described = loading.describe([{"audio": b"no sound", "transcription": "Hello"}])
    assert described == [loading.RowFacts("Hello", 0.0, "", "")]
    with pytest.raises(AsrError, match="Row 0 has no 'transcription', only audio, text: rename its columns"):
        loading.describe([{"audio": b"no sound", "text": "Hello"}])


FACTS = [
    loading.RowFacts("My card is lost", 2.0, "card_issues", "ann"),
    loading.RowFacts("Pay MY bill", 3.0, "pay_bill", "bob"),
    loading.RowFacts("Straße", 4.0, "abroad", "ann"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2]),
        ({"text": "my"}, [0, 1]),
        ({"text": " bill  my "}, [1]),  # every word, in any order
        ({"text": "STRASSE"}, [2]),
        ({"text": "card", "voice": "bob"}, []),
        ({"intent": "pay_bill"}, [1]),
        ({"voice": "ann", "seconds": (2.5, 9)}, [2]),
        ({"seconds": (2.0, 3.0)}, [0, 1]),
    ],
)
def test_rows_that_match(wanted, found):
    assert loading.find_rows(FACTS, **wanted) == found


def test_rows_without_paths_have_no_voices(rows):
    with pytest.raises(AsrError, match="The rows have no 'path' that would name a voice, only audio, "):
        loading.split_by_voice(rows.remove_columns("path"), HELD_OUT)


def test_a_clip_whose_length_cannot_be_read_is_numbered():
    rows = {"audio": [tiny.clip(0), b"no sound"]}
    with pytest.raises(AsrError, match="Row 1: 'a clip of 8 bytes' is not a sound file that can be read"):
        loading.durations(rows)


@pytest.mark.parametrize("locale", ["en-US", "ko-KR", "ja-JP", "ar-SA"])
def test_a_sentence_that_several_voices_speak_is_on_one_side(locale):
    rows = loading.load_splits(source("demo", locale=locale))
    sides = [set(rows[name]["transcription"]) for name in ("train", "validation", "test")]
    assert not sides[0] & sides[1]
    assert not (sides[0] | sides[1]) & sides[2]
    assert 0.08 < len(rows["validation"]) / (len(rows["train"]) + len(rows["validation"])) < 0.13
