"""`asr-helpers transcribe` of files, folders and long recordings: what is written, and what a kill leaves."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from bad_sounds import write_bad_sounds
from test_recordings import Clock, file_of, piped, ticking

from asr_helpers import cli


@pytest.fixture
def transcribe(monkeypatch, capsys):
    """Runs the command with a recogniser that tells the time; gives its status, output and errors."""
    processor = tiny.processor()
    recogniser = Clock(SimpleNamespace(config=SimpleNamespace(inputs_to_logits_ratio=320)), processor)
    monkeypatch.setattr("asr_helpers.inference.load_recogniser", lambda checkpoint: recogniser)

    def run(*arguments):
        status = cli.main(["transcribe", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def hour(tmp_path):
    """A recording of 90 s, which is long enough for several parts."""
    path = tmp_path / "sounds" / "talk.wav"
    path.parent.mkdir()
    path.write_bytes(file_of(ticking(90, pauses=True)))
    return path


def numbers(first=1, last=89):
    return [str(number) for number in range(first, last + 1)]


def test_a_long_recording_is_printed_part_by_part(transcribe, hour, tmp_path):
    status, out, err = transcribe(hour, "--json", tmp_path / "result.json")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) > 3
    assert lines[0].startswith(f"{hour} 0:00: 1 2 3")
    assert " ".join(line.partition(": ")[2] for line in lines).split() == numbers()
    (result,) = json.loads((tmp_path / "result.json").read_text())
    assert result["text"].split() == [word["text"] for word in result["words"]] == numbers()


@pytest.mark.parametrize(("form", "ending", "holds"), [
    ("text", ".txt", "1 2 3"),
    ("json", ".json", '"text": "1 2 3 4'),
    ("srt", ".srt", "1\n00:00:01,000 --> 00:00:0"),
    ("vtt", ".vtt", "WEBVTT"),
    ("ctm", ".ctm", "talk 1 1.000 0.250 1 1.000\n"),
    ("textgrid", ".TextGrid", 'text = "89"'),
])  # fmt: skip
def test_every_form_is_written_beside_its_name(transcribe, hour, tmp_path, form, ending, holds):
    (hour.parent / "more").mkdir()
    (hour.parent / "more" / "clip.FLAC").write_bytes(file_of(ticking(5, pauses=True), form="FLAC", subtype="PCM_16"))
    (hour.parent / "notes.md").write_text("no sound")
    status, out, _ = transcribe(hour.parent, "--format", form, "--output", tmp_path / "out")
    assert (status, out) == (0, "")
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob(f"*{ending}"))
    assert written == [f"more/clip{ending}", f"talk{ending}"]
    assert holds in (tmp_path / "out" / f"talk{ending}").read_text()


def test_subtitles_are_printed_where_no_folder_is_named(transcribe, hour):
    status, out, _ = transcribe(hour, "--format", "srt")
    assert status == 0
    assert out.startswith("1\n00:00:01,000 --> ")


def test_json_is_a_line_for_each_recording(transcribe, hour):
    (hour.parent / "empty.wav").write_bytes(b"")
    (hour.parent / "clip.wav").write_bytes(file_of(ticking(5, pauses=True)))
    status, out, err = transcribe(hour.parent, "--format", "json")
    assert status == 1
    assert "empty.wav' is not a sound file" in err
    clip, talk = map(json.loads, out.splitlines())
    assert (clip["file"], talk["file"]) == (str(hour.parent / "clip.wav"), str(hour))
    assert (clip["text"].split(), talk["text"].split()) == (numbers(1, 4), numbers())
    assert [word["text"] for word in clip["words"]] == numbers(1, 4)


def test_standard_input_is_printed_as_it_comes(transcribe, hour, tmp_path, monkeypatch):
    with piped(hour.read_bytes()) as stream:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: stream))
        status, out, err = transcribe("-", "--json", tmp_path / "result.json")
    assert (status, err) == (0, "")
    assert out.startswith("0:00: 1 2 3")
    assert " ".join(line.partition(": ")[2] for line in out.splitlines()).split() == numbers()
    assert json.loads((tmp_path / "result.json").read_text())[0]["text"].split() == numbers()
    assert "leave out --output" in transcribe("-", "--output", tmp_path)[2]


def test_thirty_kinds_of_bad_files(tmp_path, capsys):
    said = write_bad_sounds(tmp_path / "sounds")
    model = tiny.write_checkpoint(tmp_path / "model", head=True)
    arguments = [str(tmp_path / "sounds"), "--model", str(model), "--json", str(tmp_path / "result.json")]
    assert cli.main(["transcribe", *arguments]) == 1
    results = {one["file"]: one for one in json.loads((tmp_path / "result.json").read_text())}
    assert results.keys() == said.keys()
    for file, message in said.items():
        if message:
            assert message in results[file].get("error", "heard"), file
        else:
            assert "text" in results[file], file
    assert "\x1b" not in "".join(capsys.readouterr())
    assert sum(map(bool, said.values())) >= 25


def test_a_killed_run_goes_on_without_a_word_lost_or_twice(transcribe, hour, tmp_path, monkeypatch):
    decode, heard = Clock.decode, []

    def dies(self, waveform):
        heard.append(len(waveform))
        if len(heard) == 3:
            raise KeyboardInterrupt
        return decode(self, waveform)

    monkeypatch.setattr(Clock, "decode", dies)
    assert transcribe(hour, "--output", tmp_path)[0] == 130
    partial = tmp_path / ".parts" / "talk.txt.jsonl"
    with open(partial, "a") as file:
        file.write('[12.5, 30.0, [["half a l')
    assert transcribe(hour, "--output", tmp_path, "--resume")[0] == 0
    assert (tmp_path / "talk.txt").read_text().split() == numbers()
    parts = len(heard) - 1
    # What is finished is not heard again.
    before = len(heard)
    (tmp_path / "talk.txt").unlink()
    result = tmp_path / "result.json"
    assert transcribe(hour, "--output", tmp_path, "--resume", "--json", result)[0] == 0
    assert len(heard) == before
    assert (tmp_path / "talk.txt").read_text().split() == numbers()
    assert json.loads(result.read_text())[0]["text"].split() == numbers()
    # From the beginning, every part is heard; a recording that has changed since is begun anew as well.
    heard.clear()
    heard += [0, 0, 0]
    assert transcribe(hour, "--output", tmp_path)[0] == 0
    assert len(heard) - 3 == parts
    heard.clear()
    assert transcribe(hour, "--output", tmp_path)[0] == 130
    hour.write_bytes(file_of(ticking(60, pauses=True)))
    assert transcribe(hour, "--output", tmp_path, "--resume")[0] == 0
    assert (tmp_path / "talk.txt").read_text().split() == numbers(1, 59)


def test_what_goes_wrong_is_named_and_the_others_are_done(transcribe, hour, tmp_path):
    whole = file_of(ticking(90, pauses=True), form="FLAC", subtype="PCM_16")
    (hour.parent / "cut.flac").write_bytes(whole[: len(whole) // 2])
    (hour.parent / "empty.wav").write_bytes(b"")
    status, out, err = transcribe(hour.parent, "--json", tmp_path / "result.json")
    assert status == 1
    cut, empty, talk = json.loads((tmp_path / "result.json").read_text())
    assert "breaks off after" in cut["error"]
    assert "not a sound file" in empty["error"]
    assert talk["text"].split() == numbers()
    assert len(err.splitlines()) == 2
    assert f"{hour.parent / 'cut.flac'} 0:00: 1 2 3" in out, "what was whole is heard"


def test_ranks_share_the_recordings(transcribe, hour, tmp_path, monkeypatch):
    for number in range(4):
        (hour.parent / f"{number}.wav").write_bytes(file_of(ticking(3 + number, pauses=True)))
    monkeypatch.setenv("WORLD_SIZE", "2")
    written = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        out = tmp_path / f"out{rank}"
        assert transcribe(hour.parent, "--output", out)[0] == 0
        written.append(sorted(path.name for path in out.glob("*.txt")))
    assert written == [["0.txt", "2.txt", "talk.txt"], ["1.txt", "3.txt"]]
    for arguments in ([hour], [hour, "--output", tmp_path, "--json", tmp_path / "result.json"]):
        assert "Several processes share the recordings" in transcribe(*arguments)[2]


def test_arguments_that_cannot_be(transcribe, hour, tmp_path):
    (tmp_path / "nothing").mkdir()
    for arguments, says in (
        ([hour, "--resume"], "--resume goes on with what an earlier run left in --output"),
        ([tmp_path / "nothing"], "holds no sound file"),
        ([hour, tmp_path / "talk.flac", "--output", tmp_path], "would both be"),
    ):
        status, _, err = transcribe(*arguments)
        assert (status, len(err.splitlines())) == (1, 1)
        assert says in err
    assert np.all([path.suffix != ".txt" for path in tmp_path.rglob("*")])
