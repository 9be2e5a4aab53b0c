"""Corpora as one finds them: each layout is read as it lies, and what is wrong with one is said with the way out."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import layout_folders
import numpy as np
import pytest
import tiny

from asr_helpers import AsrError, audio, loading, speakers
from asr_helpers.audit import audit_splits
from asr_helpers.cli import main
from asr_helpers.fragments import file_of
from asr_helpers.layouts.librispeech import read_librispeech
from asr_helpers.sources import source
from asr_helpers.streaming import stream_splits

ROOT = Path(__file__).resolve().parents[1]
LAYOUTS = list(layout_folders.WRITERS)
# Layouts whose fixtures have splits of their own.
PUBLISHED = {"librispeech", "fleurs", "espnet", "nemo"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus by its layout's name, written once."""
    home, written = tmp_path_factory.mktemp("corpora"), {}

    def get(name):
        if name not in written:
            written[name] = layout_folders.WRITERS[name](home / name)
        return source(written[name], columns=layout_folders.COLUMNS if name == "spreadsheet" else None)

    return get


def everything(splits):
    return [row for part in splits.values() for row in part]


# Each layout


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_holds_the_clips_that_were_written(corpus, name):
    """The same samples, text and speaker as the demo's clips that it was made of; nothing else, nothing twice."""
    rows = everything(loading.published_splits(corpus(name)))
    by_name = {Path(file_of(row["audio"]["path"])).stem: row for row in rows}
    assert len(rows) == len(by_name) == len(layout_folders.clips())
    for clip in layout_folders.clips():
        row = by_name[clip.name]
        text = {"librispeech": clip.text.upper(), "common-voice": f'"{clip.text}'}.get(name, clip.text)
        assert row["transcription"] == text
        assert row.get("speaker", clip.speaker) == clip.speaker
        assert row["audio"]["bytes"] is None
        np.testing.assert_allclose(audio.decode(row["audio"])[0], audio.decode(clip.content)[0], atol=1e-4)
        assert audio.duration(row["audio"]) == pytest.approx(clip.seconds, abs=1e-3)
    assert ("speaker" in rows[0]) == (name != "fleurs")


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_split_without_a_speaker_on_two_sides(corpus, name):
    splits = loading.load_splits(corpus(name))
    assert sum(map(len, splits.values())) == len(layout_folders.clips())
    stems = {
        split: {Path(file_of(row["audio"]["path"])).stem.split("-")[0] for row in rows}
        for split, rows in splits.items()
    }
    assert list(stems) == ["train", "validation", "test"]
    assert all(stems.values())
    assert len(set.union(*stems.values())) == sum(map(len, stems.values())) == layout_folders.SPEAKERS
    if name in PUBLISHED:
        assert (stems["validation"], stems["test"]) == ({"101"}, {"100"})


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_audited(corpus, name):
    audits = audit_splits(loading.published_splits(corpus(name)))
    found = Counter(finding.reason for part in audits.values() for finding in part.findings)
    assert set(found) <= {"narrow-band", "duplicate-text", "symbols"}
    assert sum(sum(part.seconds) for part in audits.values()) == pytest.approx(
        sum(clip.seconds for clip in layout_folders.clips()), abs=0.05
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny.write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


# Their peculiarities


def test_common_voice_takes_the_splits_tables_before_the_validated_ones(tmp_path):
    layout_folders.write_common_voice(tmp_path)
    lines = (tmp_path / "validated.tsv").read_text().splitlines()
    layout_folders.place(tmp_path, "train.tsv", "\n".join(lines[:4]))
    layout_folders.place(tmp_path, "dev.tsv", "\n".join([lines[0], lines[4]]))
    layout_folders.place(tmp_path, "test.tsv", lines[0])
    splits = loading.published_splits(source(tmp_path))
    assert {name: len(part) for name, part in splits.items()} == {"train": 3, "validation": 1}


def test_a_table_may_be_named_instead_of_its_folder(corpus):
    nemo = Path(corpus("nemo").dataset)
    splits = loading.published_splits(source(nemo / "dev_manifest.json"))
    assert {name: len(part) for name, part in splits.items()} == {"validation": layout_folders.EACH}
    kaldi = Path(corpus("kaldi").dataset)
    assert len(loading.load_rows(source(kaldi / "wav.scp"))) == len(layout_folders.clips())


def test_segments_are_parts_of_recordings(tmp_path):
    rows = loading.load_rows(source(layout_folders.write_kaldi(tmp_path / "data", segments=True)))
    clips = {clip.name: clip for clip in layout_folders.clips()}
    assert len(rows) == len(clips)
    assert len({file_of(clip["path"]) for clip in rows["audio"]}) == layout_folders.SPEAKERS
    for row in rows:
        waveform, rate = audio.decode(clips[row["id"]].content)
        np.testing.assert_allclose(audio.decode(row["audio"])[0], waveform, atol=1e-4)
        assert audio.duration(row["audio"]) == len(waveform) / rate
    found = audit_splits({"train": rows})["train"]
    assert set(found.actions) <= {"keep", "repair"}
    assert found.seconds == [audio.duration(clip) for clip in rows["audio"]]


def test_cuts_count_their_supervisions_from_their_own_start(tmp_path):
    rows = loading.load_rows(source(layout_folders.write_lhotse_cuts(tmp_path)))
    clip = next(one for one in layout_folders.clips() if one.name == rows[0]["id"])
    waveform, rate = audio.decode(clip.content)
    assert rows[0]["audio"]["path"].endswith(f"{clip.name}.flac#t=0.25,{clip.seconds:.6f}".rstrip("0"))
    np.testing.assert_array_equal(audio.decode(rows[0]["audio"])[0], waveform[rate // 4 :])


def test_of_espnets_org_only_sets_that_are_nowhere_else_are_read(tmp_path):
    layout_folders.write_espnet(tmp_path)
    (tmp_path / "dump/raw/train_dev").rename(tmp_path / "away")
    splits = loading.published_splits(source(tmp_path))
    assert {name: len(part) for name, part in splits.items()} == {"train": 18, "validation": 3, "test": 3}
    paths = [row["audio"]["path"] for row in splits["validation"]]
    assert all("/dump/raw/org/train_dev/" in path for path in paths)
    assert not any("/org/" in row["audio"]["path"] for row in splits["train"])


def test_librispeech_has_one_reader(corpus):
    folder = corpus("librispeech").dataset
    rows = everything(loading.published_splits(corpus("librispeech")))
    found = {(row["transcription"], row["speaker"], Path(row["audio"]).name) for row in read_librispeech(folder)}
    assert found == {(row["transcription"], row["speaker"], Path(row["audio"]["path"]).name) for row in rows}


# Parts of sounds


def ramp(path, seconds=2.0):
    path.write_bytes(audio.encode(np.arange(round(seconds * 8_000)) / 32_768, 8_000))
    return str(path)


@pytest.mark.parametrize(("part", "first", "last"), [
    ("#t=0.5,1", 4_000, 7_999), ("#t=1.5", 12_000, 15_999), ("#t=0,0.001", 0, 7), ("#t=1.9,2.4", 15_200, 15_999),
])  # fmt: skip
def test_a_part_begins_and_ends_at_its_times(tmp_path, part, first, last):
    path = ramp(tmp_path / "a.wav") + part
    waveform, rate = audio.decode({"bytes": None, "path": path})
    assert (round(waveform[0] * 32_768), round(waveform[-1] * 32_768), rate) == (first, last, 8_000)
    assert audio.duration(path) == (last - first + 1) / 8_000


@pytest.mark.parametrize("part", ["#t=2,3", "#t=1,2.6", "#t=1,1", "#t=1.5,1"])
def test_a_part_that_is_not_there_is_refused(tmp_path, part):
    path = ramp(tmp_path / "a.wav") + part
    for read in (audio.decode, audio.duration):
        with pytest.raises(AsrError, match=r"there is no such part, the file has 2\.00 s: correct the times"):
            read(path)
    found = audit_splits({"train": [{"audio": path, "transcription": "yes"}]})["train"]
    assert [one.reason for one in found.findings if one.severity == "error"] == ["unreadable"]


def test_a_part_that_is_too_long_is_not_read(tmp_path, monkeypatch):
    path = ramp(tmp_path / "a.wav", 40.0) + "#t=1,32.5"
    monkeypatch.setattr(audio, "read_part", None)
    found = audit_splits({"train": [{"audio": path, "transcription": "yes"}]})["train"]
    assert [one.message for one in found.findings if one.reason == "too-long"] == [
        "It declares 31.5 s, and memory grows with the square: cut it below 30 s."
    ]


# Safety


def test_a_command_in_wav_scp_is_never_run(tmp_path):
    layout_folders.write_kaldi(tmp_path)
    table, mark = tmp_path / "wav.scp", tmp_path / "ran"
    lines = table.read_text().splitlines()
    for command in (f"touch {mark} |", f"| touch {mark}", "-"):
        table.write_text("\n".join([f"{lines[0].split()[0]} {command}", *lines[1:]]))
        for load in (loading.load_rows, loading.published_splits, loading.load_splits):
            with pytest.raises(AsrError, match=r"wav\.scp', line 1: .* is a command, .*: run it yourself, write its"):
                load(source(tmp_path))
    assert not mark.exists()


@pytest.mark.parametrize(("sources", "says"), [
    ([{"type": "command", "channels": [0], "source": "touch ran"}], "its sound is a command .'touch ran'."),
    ([{"type": "url", "channels": [0], "source": "https://a.b/c.wav"}], "its sound is a url"),
    ([{"type": "file", "channels": [0, 1], "source": "a.wav"}], "one of 2 channels"),
    ([], "several sources"),
])  # fmt: skip
def test_a_lhotse_recording_that_is_no_file_is_refused(tmp_path, sources, says):
    layout_folders.place(tmp_path, "recordings.jsonl", json.dumps({"id": "r", "sources": sources}))
    supervision = {"id": "s", "recording_id": "r", "start": 0, "duration": 1, "channel": 0, "text": "yes"}
    layout_folders.place(tmp_path, "supervisions.jsonl", json.dumps(supervision))
    with pytest.raises(AsrError, match=rf"supervisions\.jsonl', line 1: .*{says}"):
        loading.load_rows(source(tmp_path))


def nemo(folder, path, **more):
    line = {"audio_filepath": str(path), "duration": 0.5, "text": "yes"} | more
    layout_folders.place(folder, "manifest.json", json.dumps(line) + "\n")
    return folder


OUTSIDE = (
    "../outside.wav", "{}/outside.wav", "link.wav", "away/outside.wav", "C:\\outside.wav", "sub/../../outside.wav",
)  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("times", [{}, {"offset": 0.1}])
def test_no_path_leads_out_of_the_folder(tmp_path, name, times):
    layout_folders.place(tmp_path, "outside.wav", tiny.clip(0))
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    (folder / "away").symlink_to(tmp_path)
    nemo(folder, name.format(tmp_path), **times)
    for load in (loading.load_rows, loading.load_splits):
        with pytest.raises(AsrError, match=r"manifest\.json', line 1: .* leads out of .*data': .*--audio-root"):
            load(source(folder))
    (row,) = loading.published_splits(source(folder))["train"]
    assert (row["audio"], row["leads_out"]) == (None, name.format(tmp_path))
    (found,) = audit_splits({"train": [row]})["train"].findings[:1]
    assert found.reason == "outside-folder"


@pytest.mark.parametrize("name", ["a.wav#t=0,0.2", "a.wav#t=0,0.3#t=0,0.2"])
@pytest.mark.parametrize("kind", ["metadata.csv", "manifest.json"])
def test_times_in_a_path_open_nothing_that_was_not_checked(tmp_path, kind, name):
    """Neither the file a link beside it stands for, nor a link with such a name."""
    layout_folders.place(tmp_path, "outside.wav", tiny.clip(0))
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.wav").symlink_to(tmp_path / "outside.wav")
    layout_folders.place(folder, kind, f'file_name,transcription\n"{name}",yes\n')
    if kind == "manifest.json":
        nemo(folder, name)
    with pytest.raises(AsrError, match="leads out of"):
        loading.load_rows(source(folder))
    (folder / "a.wav").unlink()
    (folder / "a.wav").write_bytes(tiny.clip(1))
    (folder / name).symlink_to(tmp_path / "outside.wav")
    (folder / "a.wav#t=0,0.3").unlink(missing_ok=True)
    (folder / "a.wav#t=0,0.3").symlink_to(tmp_path / "outside.wav")
    row = loading.load_rows(source(folder))[0]
    inside = audio.decode(tiny.clip(1))[0]
    np.testing.assert_allclose(audio.decode(row["audio"])[0], inside[:1_600], atol=1e-4)


def test_an_audio_root_that_a_person_names_may_hold_the_sounds(tmp_path):
    sound = layout_folders.place(tmp_path / "sounds", "a.wav", tiny.clip(0)).resolve()
    layout_folders.place(tmp_path, "outside.wav", tiny.clip(0))
    for name in (sound, "a.wav"):
        rows = loading.load_rows(source(nemo(tmp_path / "data", name), audio_root=tmp_path / "sounds"))
        assert rows[0]["audio"]["path"] == str(sound)
    for name in ("../outside.wav", tmp_path / "outside.wav"):
        with pytest.raises(AsrError, match="leads out of"):
            loading.load_rows(source(nemo(tmp_path / "data", name), audio_root=tmp_path / "sounds"))
    with pytest.raises(AsrError, match=r"There is no folder '.*none' for the sounds"):
        source(tmp_path / "data", audio_root=tmp_path / "none")


def test_a_table_that_is_a_link_out_of_the_folder_is_not_read(tmp_path):
    nemo(tmp_path / "away", "a.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").symlink_to(tmp_path / "away" / "manifest.json")
    with pytest.raises(AsrError, match=r"manifest\.json' leads out of '.*data'"):
        loading.load_rows(source(tmp_path / "data"))


# What is wrong with a corpus


def test_nothing_that_fits_is_told_of_with_all_that_was_looked_for(tmp_path):
    layout_folders.place(tmp_path, "notes.md", "")
    with pytest.raises(AsrError) as caught:
        loading.load_rows(source(tmp_path))
    for word in ("metadata.csv", "Common Voice", "LibriSpeech", "Kaldi", "FLEURS", "ESPnet", "NeMo", "lhotse", "*.csv"):
        assert word in str(caught.value)


def test_two_layouts_in_one_folder_are_not_guessed_between(tmp_path):
    layout_folders.write_nemo(tmp_path)
    layout_folders.write_lhotse(tmp_path)
    with pytest.raises(AsrError, match=r"holds NeMo \(.*\) and lhotse \(.*\): name the folder of one of them"):
        loading.load_rows(source(tmp_path))


def test_a_spreadsheet_is_told_which_columns_it_has(corpus):
    with pytest.raises(AsrError, match=r"no column 'file_name', only wer, Datei, sentence, .*--columns NAME=file_name"):
        loading.load_rows(source(corpus("spreadsheet").dataset))
    with pytest.raises(AsrError, match="no column 'Satz', only wer"):
        loading.load_rows(
            source(corpus("spreadsheet").dataset, columns={"Datei": "file_name", "Satz": "transcription"})
        )
    with pytest.raises(AsrError, match="A column cannot be 'text': it is file_name, transcription or speaker"):
        loading.load_rows(source(corpus("spreadsheet").dataset, columns={"sentence": "text"}))
    with pytest.raises(AsrError, match="Two columns have one meaning"):
        loading.load_rows(source(corpus("spreadsheet").dataset, columns=dict.fromkeys("ab", "speaker")))


ARABIC, JAPANESE, KOREAN = (
    "أين بطاقتي الجديدة من فضلك",
    "カードをなくしました。助けてください",
    "카드를 잃어버렸어요 도와주세요",
)


@pytest.mark.parametrize(("text", "encoding", "name"), [
    (ARABIC, "cp1256", "Windows-1256"), (JAPANESE, "shift_jis", "Shift-JIS"), (KOREAN, "euc_kr", "EUC-KR"),
])  # fmt: skip
def test_an_encoding_is_named_with_the_way_out(tmp_path, text, encoding, name):
    content = "".join(f"clip{number}.flac\t{text}\n" for number in range(5)).encode(encoding)
    for table, start in (("metadata.csv", "file_name,transcription"), ("validated.tsv", "client_id\tpath\tsentence")):
        folder = tmp_path / table
        (folder / "clips").mkdir(parents=True)
        layout_folders.place(folder, table, f"{start}\n".encode() + content)
        with pytest.raises(AsrError, match=rf"{table}' is not written in UTF-8 but, it seems, in {name} .*iconv -f"):
            loading.load_rows(source(folder))


def test_a_byte_order_mark_is_no_part_of_the_first_name(corpus, tmp_path):
    folder = layout_folders.write_kaldi(tmp_path / "data")
    for name in ("text", "wav.scp", "utt2spk"):
        (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes().replace(b"\n", b"\r\n"))
    expected = loading.load_rows(corpus("kaldi"))
    for column in ("id", "speaker", "transcription"):
        assert loading.load_rows(source(folder))[column][:] == expected[column][:]


@pytest.mark.parametrize(("name", "content", "says"), [
    ("text", "a yes\na no\n", r"text', line 2: a stands in line 1 already: take one of them out"),
    ("wav.scp", "a a.wav\na a.wav\n", r"wav\.scp', line 2: a stands in line 1 already"),
    ("utt2spk", "a ann\na bob\n", r"utt2spk', line 2: a stands in line 1 already"),
    ("wav.scp", "a a.ark:17\n", r"wav\.scp', line 1: 'a\.ark:17' is in a Kaldi archive"),
    ("wav.scp", "a\n", r"wav\.scp', line 1: 'a' is not a name and what belongs to it"),
    ("text", "a yes\nb no\n", r"text', line 2: b has a text and no sound: .*fix_data_dir\.sh"),
    ("wav.scp", "a a.wav\nb a.wav\n", r"wav\.scp', line 2: b has a sound and no text"),
    ("utt2spk", "b ann\n", r"a has no speaker in '.*utt2spk'"),
    ("segments", "a a 0 x\n", r"segments', line 1: 'x' is no time in seconds"),
    ("segments", "a a 0 1 B\n", r"segments', line 1: the segment is of channel B"),
    ("segments", "a b 0 1\n", r"segments', line 1: there is no recording 'b' in"),
    ("segments", "a a 0\n", r"segments', line 1: .* is not 'RECORDING START END'"),
    ("text", "a yes\n" + "b" * (2**20 + 1), r"text', line 2 is longer than 1 MB"),
])  # fmt: skip
def test_a_data_directory_that_does_not_fit_together_is_refused_with_its_line(tmp_path, name, content, says):
    for file, line in (("text", "a yes\n"), ("wav.scp", "a a.wav\n"), (name, content)):
        layout_folders.place(tmp_path, file, line)
    layout_folders.place(tmp_path, "a.wav", tiny.clip(0))
    with pytest.raises(AsrError, match=says):
        loading.load_rows(source(tmp_path))


@pytest.mark.parametrize(("line", "says"), [
    ('{"audio_filepath": "a.wav"', "line 1 is no JSON"), ('["audio_filepath"]', "line 1 is no JSON object"),
    ('{"audio_filepath": "a.wav"}', "line 1 has no 'text'"),
    ('{"audio_filepath": "a.wav", "text": "yes", "offset": 1}', "line 1 has no 'duration'"),
    ('{"audio_filepath": "a.wav", "text": "yes", "offset": -1}', "line 1: -1 is no time in seconds"),
    ('{"audio_filepath": "none.wav", "text": "yes"}', r"line 1: there is no file '.*none\.wav'"),
    ('{"audio_filepath": 0}' + "[" * 100_000, "line 1 is no JSON"),
])  # fmt: skip
def test_a_manifest_line_that_cannot_be_used_is_named(tmp_path, line, says):
    line = line.replace('{"audio_filepath": 0}', '[{"audio_filepath": 0},')
    layout_folders.place(tmp_path, "manifest.jsonl", line + "\n")
    layout_folders.place(tmp_path, "a.wav", tiny.clip(0))
    with pytest.raises(AsrError, match=rf"manifest\.jsonl', {says}"):
        loading.load_rows(source(tmp_path))


def test_supervisions_and_recordings_that_do_not_fit_are_named(tmp_path):
    folder = layout_folders.write_lhotse(tmp_path)
    for name, says in (("supervisions", "the supervision 100-7-0000 stands in"), ("recordings", "comes twice")):
        table = folder / f"mine_{name}_all.jsonl.gz"
        whole = gzip.decompress(table.read_bytes())
        table.write_bytes(gzip.compress(whole + whole.splitlines(keepends=True)[0]))
        with pytest.raises(AsrError, match=rf"mine_{name}_all\.jsonl\.gz', line 25: .*{says}"):
            loading.load_rows(source(folder))
        table.write_bytes(gzip.compress(whole)[:-20])
        with pytest.raises(AsrError, match="breaks off or is damaged"):
            loading.load_rows(source(folder))
        table.write_bytes(gzip.compress(whole))


def test_missing_files_are_named_by_the_audit_and_refused_where_nothing_sets_them_aside(tmp_path):
    layout_folders.write_common_voice(tmp_path)
    (tmp_path / "clips" / "100-7-0000.flac").unlink()
    with pytest.raises(AsrError, match=r"validated\.tsv', line 2: there is no file '.*100-7-0000\.flac'"):
        loading.load_rows(source(tmp_path))
    audits = audit_splits(loading.published_splits(source(tmp_path)))
    errors = [(one.row, one.reason) for one in audits["train"].findings if one.severity == "error"]
    assert errors == [(0, "missing-file")]


@pytest.mark.parametrize(("content", "says"), [
    ("", "has no column 'client_id', only nothing"), ("client_id\tpath\tsentence\n", r"validated\.tsv' has no rows"),
    ("client_id\tpath\ttext\n", "has no column 'sentence', only client_id, path, text"),
    ("client_id\tpath\tsentence\na\tb\tc\td\n", "line 2: more fields than columns"),
])  # fmt: skip
def test_a_tsv_that_holds_no_rows_is_refused(tmp_path, content, says):
    (tmp_path / "clips").mkdir()
    layout_folders.place(tmp_path, "validated.tsv", content)
    with pytest.raises(AsrError, match=says):
        loading.load_rows(source(tmp_path))


def test_a_fleurs_line_and_archive_that_cannot_be_read(tmp_path):
    layout_folders.place(tmp_path, "audio/train.tar.gz", b"")
    layout_folders.place(tmp_path, "train.tsv", "1\ta.wav\tYes.\tyes\n")
    with pytest.raises(AsrError, match=r"train\.tar\.gz' is an archive, and none is opened: unpack it"):
        loading.load_rows(source(tmp_path))
    (tmp_path / "audio/train").mkdir()
    with pytest.raises(AsrError, match=r"train\.tsv', line 1: 4 fields, where FLEURS has 7"):
        loading.load_rows(source(tmp_path))


def test_a_layout_is_not_streamed(corpus):
    with pytest.raises(AsrError, match="`asr-helpers convert DATA --output-dir DIR --format parquet`"):
        stream_splits(corpus("nemo"))


# By speaker


@pytest.mark.parametrize("seed", range(20))
def test_speakers_are_held_out_whole_and_near_the_share(seed):
    counts = Counter({str(number): 1 + number % 7 for number in range(100)})
    total = sum(counts.values())
    for share in (0.1, 0.2):
        chosen = speakers.choose_speakers(counts, share, seed)
        assert abs(sum(counts[name] for name in chosen) - share * total) <= 3.5  # half of the largest speaker's rows
    assert speakers.choose_speakers(counts, 0.2, seed) == speakers.choose_speakers(counts, 0.2, seed)


def test_another_seed_draws_other_speakers():
    counts = Counter({str(number): 10 for number in range(20)})
    drawn = {frozenset(speakers.choose_speakers(counts, 0.2, seed)) for seed in range(10)}
    assert {len(one) for one in drawn} == {4}
    assert len(drawn) > 5


def test_two_speakers_are_on_two_sides_whoever_has_more():
    for counts in ({"a": 90, "b": 10}, {"a": 50, "b": 50}, {"a": 1, "b": 99}):
        assert len(speakers.choose_speakers(Counter(counts), 0.2, 0)) == 1
    assert speakers.choose_speakers(Counter(a=90, b=10), 0.2, 0) == {"b"}


def test_rows_of_one_speaker_are_drawn_at_random(tmp_path):
    layout_folders.write_common_voice(tmp_path)
    table = tmp_path / "validated.tsv"
    table.write_text(re.sub(r"^\d+\t", "one\t", table.read_text(), flags=re.MULTILINE))
    splits = loading.load_splits(source(tmp_path))
    assert {name: len(part) for name, part in splits.items()} == {"train": 17, "validation": 2, "test": 5}


# Written out


@pytest.mark.parametrize("name", ["kaldi", "nemo", "spreadsheet"])
def test_a_converted_folder_has_the_same_rows_in_the_same_splits(corpus, name, tmp_path, capsys):
    data = corpus(name)
    columns = ["--columns", ",".join(f"{a}={b}" for a, b in data.columns.items())] if data.columns else []
    assert main(["convert", data.dataset, *columns, "--output-dir", str(tmp_path / "out")]) == 0
    before, after = loading.load_splits(data), loading.load_splits(source(tmp_path / "out"))
    assert list(before) == list(after)
    for split in before:
        assert len(before[split]) == len(after[split])
        for one, other in zip(before[split], after[split], strict=True):
            keys = ("transcription", "speaker", "id")
            assert [one[key] for key in keys] == [other[key] for key in keys]
            np.testing.assert_allclose(audio.decode(one["audio"])[0], audio.decode(other["audio"])[0], atol=1e-4)
    assert main(["convert", data.dataset, *columns, "--output-dir", str(tmp_path / "out")]) == 1
    assert "is there and not empty" in capsys.readouterr().err


def test_converted_parquet_is_read_by_a_stream_and_by_datasets(corpus, tmp_path):
    from datasets import Audio, load_dataset

    command = ["convert", corpus("lhotse").dataset, "--output-dir", str(tmp_path / "out"), "--format", "parquet"]
    assert main(command) == 0
    before = loading.load_splits(corpus("lhotse"))
    stream, validation = stream_splits(source(tmp_path / "out"))
    assert sorted(row["transcription"] for row in stream) == sorted(before["train"]["transcription"][:])
    assert validation["transcription"][:] == before["validation"]["transcription"][:]
    files = {"test": str(tmp_path / "out" / "test-00000.parquet")}
    loaded = load_dataset("parquet", data_files=files, split="test")
    assert isinstance(loaded.features["audio"], Audio)
    for one, other in zip(loaded.cast_column("audio", Audio(decode=False)), before["test"], strict=True):
        assert one["id"] == other["id"]
        np.testing.assert_allclose(audio.decode(one["audio"])[0], audio.decode(other["audio"])[0], atol=1e-4)


def test_what_cannot_be_converted_is_named(tmp_path, capsys):
    layout_folders.write_common_voice(tmp_path / "cv")
    (tmp_path / "cv" / "clips" / "100-7-0000.flac").write_bytes(b"no sound")
    result = tmp_path / "result.json"
    command = ["convert", str(tmp_path / "cv"), "--output-dir", str(tmp_path / "out"), "--json", str(result)]
    assert main(command) == 1
    found = json.loads(result.read_text())
    assert sum(found["rows"].values()) == len(layout_folders.clips()) - 1
    (one,) = found["left_out"]
    assert "100-7-0000.flac' is not a sound file" in one["reason"]
    assert f"left out {one['split']} {one['row']}: " in capsys.readouterr().out


# The page: its commands are the two steps of training for each layout

PAGE = (ROOT / "docs" / "your_data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"`asr-helpers ((?:train|audit|evaluate|convert) [^`]*)`", PAGE)
PLACES = {
    "common-voice": "cv-corpus/ar", "librispeech": "LibriSpeech", "kaldi": "data", "fleurs": "fleurs/en_us",
    "espnet": "recipe", "nemo": "manifests", "lhotse": "lhotse", "spreadsheet": "sheet",
}  # fmt: skip


def test_the_page_trains_on_every_layout():
    assert [line.split()[1] for line in COMMANDS if line.startswith("train")] == list(PLACES.values())


@pytest.mark.parametrize("line", COMMANDS)
def test_the_pages_commands_run(corpus, line, checkpoint, recogniser, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, place in PLACES.items():
        if place in line:
            (tmp_path / place).parent.mkdir(exist_ok=True)
            (tmp_path / place).symlink_to(corpus(name).dataset)
    command, *arguments = line.split()
    if command == "train":
        arguments += ["--checkpoint", str(checkpoint), "--max-steps", "2"]
    elif command == "evaluate":
        arguments += ["--model", str(recogniser)]
    main([command, *arguments])
    out, err = capsys.readouterr()
    wanted = {"audit": "rows: keep", "evaluate": "WER", "convert": "rows are in ", "train": " clips to train on"}
    assert wanted[command] in out, err
    if command == "train":
        assert (tmp_path / "mine" / "model.safetensors").is_file(), (out, err)


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    return tiny.write_checkpoint(tmp_path_factory.mktemp("recogniser"), head=True)
