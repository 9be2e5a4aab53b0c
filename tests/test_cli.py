"""The command line: exit statuses, one clear sentence for each mistake, and JSON that says what was printed."""

import json
import re
import shutil
import subprocess
import sys

import jiwer
import nbformat
import pytest
import tiny

from asr_helpers import loading, training
from asr_helpers.checkpoints import Terminated
from asr_helpers.cli import main
from asr_helpers.cli.demo import run_notebooks
from asr_helpers.sources import source


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny.write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """A folder of twelve tones with one word each."""
    sounds = [tiny.clip(number) for number in range(12)]
    return tiny.write_audiofolder(tmp_path_factory.mktemp("data") / "tones", sounds, list(tiny.TEXTS))


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Eight demo clips by voices held out, in a folder with a test split only."""
    rows = loading.load_splits(source("demo"))["test"].select(range(8))
    folder = tmp_path_factory.mktemp("data") / "calls"
    sounds = [clip["bytes"] for clip in rows["audio"]]
    tiny.write_audiofolder(folder / "test", sounds, list(rows["transcription"]), "flac")
    return folder


@pytest.fixture
def refuses(capsys):
    """Runs a command that must fail; returns its status and the one sentence on stderr."""

    def run(*argv):
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in argv])
        except SystemExit as error:
            status = error.code
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith("asr-helpers")
        assert status == 2 or len(lines) == 1
        return status, lines[-1]

    return run


# Bad use: 2


def test_an_unknown_source(refuses):
    status, line = refuses("evaluate", "nowhere")
    assert (status, line) == (
        2, "asr-helpers: error: Unknown source 'nowhere': use 'demo', 'hub', or a folder with a metadata.csv.",
    )  # fmt: skip


def test_an_unknown_locale(refuses):
    status, line = refuses("evaluate", "demo", "--locale", "de-DE")
    assert status == 2
    assert "no locale 'de-DE': it has ar-SA, en-US, ja-JP, ko-KR" in line


@pytest.mark.parametrize("steps", ["0", "-1", "many", "1.5"])
def test_max_steps_that_are_no_number_of_steps(refuses, steps):
    status, line = refuses("train", "demo", "--output-dir", "unused", f"--max-steps={steps}")
    assert status == 2
    assert f"'{steps}' is not a whole number above 0" in line


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--streaming has no end of its own: say when to stop with --max-steps"),
        (["--max-steps=2", "--strict"], "--strict needs an audit of all rows, which --streaming does not wait for"),
    ],
    ids=["no end", "strict"],
)
def test_streaming_with_options_that_do_not_go_with_it(refuses, options, says):
    status, line = refuses("train", "demo", "--output-dir", "unused", "--streaming", *options)
    assert status == 2
    assert line.startswith(f"asr-helpers: error: {says}")


@pytest.mark.parametrize("argv", [["train", "demo"], ["transcribe"], ["sing"]], ids=["no folder", "no file", "unknown"])
def test_a_command_that_is_not_whole(refuses, argv):
    assert refuses(*argv)[0] == 2


def test_as_a_module_it_exits_with_the_status_and_no_traceback():
    done = subprocess.run([sys.executable, "-m", "asr_helpers", "evaluate", "nowhere"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Unknown source 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-m", "asr_helpers", "transcribe", "no.wav"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "asr-helpers: There is no file 'no.wav': check the path.\n"


@pytest.mark.parametrize(("option", "value"), [
    ("--learning-rate", "0"), ("--epochs", "-1"), ("--batch-seconds", "many"), ("--warmup", "nan"),
    ("--head-learning-rate", "inf"),
])  # fmt: skip
def test_a_recipe_that_is_none(refuses, option, value):
    status, line = refuses("train", "demo", "--output-dir", "unused", f"{option}={value}")
    assert status == 2
    assert f"argument {option}: {value!r} is not " in line


# Input that cannot be used: 1


def test_a_missing_file(refuses):
    assert refuses("transcribe", "no.wav") == (1, "asr-helpers: There is no file 'no.wav': check the path.")


def test_a_file_that_is_no_sound(refuses, tmp_path):
    (tmp_path / "notes.txt").write_text("Dear bank,")
    status, line = refuses("transcribe", tmp_path / "notes.txt")
    assert status == 1
    assert line.endswith("notes.txt' is not a sound file that can be read (Format not recognised): "
                         "use WAV, FLAC, OGG or MP3.")  # fmt: skip


def test_a_checkpoint_without_a_processor(refuses, checkpoint, tones, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(checkpoint / name, tmp_path)
    says = "has no processor beside it: save it there with processor.save_pretrained."
    status, line = refuses("evaluate", tones, "--model", tmp_path)
    assert status == 1
    assert line.endswith(says)
    status, line = refuses("train", tones, "--checkpoint", tmp_path, "--output-dir", tmp_path / "out")
    assert status == 1
    assert line.endswith(says)


def test_a_checkpoint_that_is_not_there(refuses, tones):
    status, line = refuses("evaluate", tones, "--model", "no/such/folder")
    assert status == 1
    assert "There is no checkpoint in 'no/such/folder'" in line


def test_a_checkpoint_that_cannot_write_yet(refuses, checkpoint, tones):
    status, line = refuses("evaluate", tones, "--model", checkpoint)
    assert status == 1
    assert line.endswith("has no CTC head, so it cannot write yet: fine-tune it first.")


def test_a_text_with_no_character_of_the_vocabulary_is_set_aside(checkpoint, tmp_path, capsys):
    texts = [*tiny.TEXTS[:11], "3.14"]
    data = tiny.write_audiofolder(tmp_path / "data", [tiny.clip(number) for number in range(12)], texts)
    out = tmp_path / "out"
    command = ["train", str(data), "--checkpoint", str(checkpoint), "--output-dir", str(out), "--max-steps", "1"]
    assert main(command) == 0
    lines = (out / "set_aside.jsonl").read_text().splitlines()
    assert [json.loads(line)["transcription"] for line in lines] == ["3.14"]
    assert "the audit found 1 transcript-no-letters\n1 rows are set aside: " in capsys.readouterr().out


def test_an_unknown_split(refuses, tones):
    status, line = refuses("evaluate", tones, "--split", "dev")
    assert (status, line) == (1, "asr-helpers: There is no split 'dev': use train, validation, test.")


def test_a_folder_without_metadata(refuses, tmp_path):
    (tmp_path / "a.wav").write_bytes(tiny.clip(0))
    status, line = refuses("evaluate", tmp_path)
    assert status == 1
    assert "has no metadata.csv: write one with file_name and transcription." in line


def test_training_on_a_folder_with_test_rows_only(refuses, calls, checkpoint, tmp_path):
    status, line = refuses("train", calls, "--checkpoint", checkpoint, "--output-dir", tmp_path)
    assert status == 1
    assert "has no train rows" in line


def test_a_training_that_sigterm_stopped_exits_as_the_signal_does(refuses, tones, checkpoint, tmp_path, monkeypatch):
    def stopped(*args, **kwargs):
        raise Terminated("SIGTERM stopped the training after step 5 of 12.")

    monkeypatch.setattr(training, "fine_tune", stopped)
    command = ["train", tones, "--checkpoint", checkpoint, "--output-dir", tmp_path]
    assert refuses(*command) == (143, "asr-helpers: SIGTERM stopped the training after step 5 of 12.")


def test_streaming_what_has_no_validation_rows(refuses, tones, checkpoint, tmp_path):
    status, line = refuses(
        "train", tones, "--checkpoint", checkpoint, "--output-dir", tmp_path, "--streaming", "--max-steps", "1"
    )
    assert status == 1
    assert line.endswith("a stream is not split, so bring a folder with train and validation.")


def test_a_missing_folder_is_not_looked_for_on_the_hub(refuses, tones, tmp_path, monkeypatch):
    (tmp_path / "outputs" / "digits").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    status, line = refuses("evaluate", tones, "--model", "outputs/mine")
    assert status == 1
    assert "There is no checkpoint in 'outputs/mine'" in line


def test_alone_it_prints_its_commands_with_a_line_each(capsys):
    assert main([]) == 2
    printed = capsys.readouterr().out
    for name in ("demo", "audit", "train", "evaluate", "transcribe"):
        assert re.search(rf"^ +{name} +\w", printed, re.MULTILINE)


def test_the_series_runs_without_the_kernels_own_warnings(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), folder / "00_sum.ipynb")
    monkeypatch.setattr("asr_helpers.cli.demo.NOTEBOOKS", folder)
    run_notebooks(tmp_path / "executed")
    printed = capfd.readouterr()
    assert printed.out.startswith("00_sum: ")
    assert printed.err == ""


# What is written


def test_evaluate_writes_what_jiwer_counts(calls, tmp_path, capsys):
    file = tmp_path / "folder" / "scores.json"
    assert main(["evaluate", str(calls), "--json", str(file), "--transcripts"]) == 0
    written = json.loads(file.read_text())
    references = [pair["reference"] for pair in written["transcripts"]]
    hypotheses = [pair["hypothesis"] for pair in written["transcripts"]]
    assert len(references) == written["utterances"] == 8
    counted = jiwer.process_words(references, hypotheses)
    assert written["wer"] == pytest.approx(counted.wer, abs=1e-12)
    assert written["cer"] == pytest.approx(jiwer.cer(references, hypotheses), abs=1e-12)
    for name in ("substitutions", "deletions", "insertions", "hits"):
        assert written[name] == getattr(counted, name)
    low, high = written["interval"]
    assert low <= written["wer"] <= high
    out = capsys.readouterr().out
    assert f"WER {counted.wer:.3f} (95 % interval {low:.3f} to {high:.3f})" in out.splitlines()[-1]
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        assert f"REF {reference}\nHYP {hypothesis}\n" in out


def test_transcribe_writes_a_list_with_file_text_and_words(calls, tmp_path, capsys):
    files = [str(calls / "test" / name) for name in ("0.flac", "1.flac")]
    assert main(["transcribe", *files, "--json", str(tmp_path / "texts.json")]) == 0
    written = json.loads((tmp_path / "texts.json").read_text())
    assert [list(entry) for entry in written] == [["file", "text", "words"]] * 2
    assert [entry["file"] for entry in written] == files
    assert capsys.readouterr().out.splitlines() == [f"{entry['file']}: {entry['text']}" for entry in written]


def test_timestamps_add_words(calls, tmp_path, capsys):
    file = str(calls / "test" / "0.flac")
    assert main(["transcribe", file, "--timestamps", "--json", str(tmp_path / "texts.json")]) == 0
    (entry,) = json.loads((tmp_path / "texts.json").read_text())
    assert [word["text"] for word in entry["words"]] == entry["text"].split()
    for word in entry["words"]:
        assert set(word) == {"text", "start", "end", "confidence"}
        assert 0 <= word["start"] < word["end"]
        assert 0 < word["confidence"] <= 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == entry["text"].split()


def test_train_leaves_a_folder_that_evaluate_accepts(tones, checkpoint, tmp_path, capsys):
    out, train_json, score_json = tmp_path / "out", tmp_path / "train.json", tmp_path / "score.json"
    command = ["train", str(tones), "--checkpoint", str(checkpoint), "--output-dir", str(out), "--max-steps", "2"]
    assert main([*command, "--json", str(train_json)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        f"reading {tones}\n8 clips to train on, 1 to choose the best checkpoint by\nrecipe: learning_rate "
    )
    assert "step 2 of 2: loss" in printed
    assert printed.endswith(f"2 steps made no recogniser yet: they are in {out}\n")
    written = json.loads(train_json.read_text())
    assert written["output_dir"] == str(out)
    assert set(written) == {
        "output_dir", "wer_before", "wer_after", "cer_before", "cer_after", "metric", "train_seconds", "trouble",
    }  # fmt: skip
    assert written["metric"] == "wer"
    assert main(["evaluate", str(tones), "--model", str(out), "--json", str(score_json)]) == 0
    scores = json.loads(score_json.read_text())
    assert (scores["utterances"], scores["model"]) == (3, str(out))
    assert f"model: {out}\n" in capsys.readouterr().out
    assert main([*command, "--resume"]) == 0, "a training that was finished is finished"


def test_every_part_of_the_recipe_can_be_given(tones, checkpoint, tmp_path, capsys):
    (tmp_path / "recipe.json").write_text('{"speed_perturbation": 0.05, "learning_rate": 1}')
    out = tmp_path / "out"
    command = ["train", str(tones), "--checkpoint", str(checkpoint), "--output-dir", str(out), "--max-steps", "1"]
    options = "--learning-rate 2e-4 --head-learning-rate 4e-3 --epochs 7 --batch-seconds 3 --warmup 0 --fresh-head"
    options = [*options.split(), "--freeze-feature-encoder", "--recipe", str(tmp_path / "recipe.json")]
    assert main([*command, *options]) == 0
    recipe = json.loads((out / "training.json").read_text())["recipe"]
    expected = {
        "learning_rate": 2e-4, "head_learning_rate": 4e-3, "num_train_epochs": 7, "seconds_per_batch": 3,
        "warmup_steps": 0, "freeze_feature_encoder": True, "speed_perturbation": 0.05,
    }  # fmt: skip
    assert {name: recipe[name] for name in expected} == expected
    assert "recipe: learning_rate 0.0002, head_learning_rate 0.004, num_train_epochs 7" in capsys.readouterr().out


def test_a_checkpoint_of_wav2vec2_bases_size_goes_through_the_whole_command(tones, tmp_path, capsys):
    """As `--checkpoint facebook/wav2vec2-base` does, but with random weights, and an encoder without a head."""
    start = tiny.write_checkpoint(
        tmp_path / "base", hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3_072,
        conv_dim=(512,) * 7, num_conv_pos_embeddings=128, num_conv_pos_embedding_groups=16,
    )  # fmt: skip
    out = tmp_path / "out"
    assert main(["train", str(tones), "--checkpoint", str(start), "--output-dir", str(out), "--max-steps", "2"]) == 0
    printed = capsys.readouterr().out
    assert "recipe: learning_rate 0.0001, head_learning_rate 0.002, num_train_epochs 20, " in printed
    assert "freeze_feature_encoder True" in printed
    assert "step 2 of 2: loss" in printed
    card = (out / "README.md").read_text()
    assert "base, fine-tuned with a fresh CTC head on 8 clips" in card
    assert "demo checkpoint" not in card
    assert main(["evaluate", str(tones), "--model", str(out)]) == 0


def test_a_training_that_collapses_exits_with_another_status(tones, checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "TRIAL_STEPS", 0)
    command = ["train", str(tones), "--checkpoint", str(checkpoint), "--max-steps", "2"]
    assert main([*command, "--output-dir", str(tmp_path / "out")]) == 1
    assert "The training failed. " in capsys.readouterr().out
    assert "no speech recogniser" in (tmp_path / "out" / "README.md").read_text()


def test_the_same_command_twice_gives_the_same_recogniser(tones, checkpoint, tmp_path):
    for name in ("one", "two"):
        command = ["train", str(tones), "--checkpoint", str(checkpoint), "--max-steps", "2", "--seed", "5"]
        assert main([*command, "--output-dir", str(tmp_path / name)]) == 0
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_train_from_a_stream(checkpoint, tmp_path, capsys):
    sounds = [tiny.clip(number) for number in range(12)]
    tiny.write_audiofolder(tmp_path / "data" / "train", sounds, list(tiny.TEXTS))
    tiny.write_audiofolder(tmp_path / "data" / "validation", sounds[:2], ["YES", "NO"])
    command = ["train", str(tmp_path / "data"), "--checkpoint", str(checkpoint), "--output-dir", str(tmp_path / "out")]
    assert main([*command, "--streaming", "--max-steps", "3"]) == 0
    printed = capsys.readouterr().out
    assert printed.partition("\n")[2].startswith("a stream of clips to train on, 2 to choose the best checkpoint by\n")
    assert "step 3 of 3: loss" in printed
    assert main([*command, "--streaming", "--max-steps", "4", "--resume"]) == 0
    assert "step 4 of 4: loss" in capsys.readouterr().out


def test_of_two_processes_one_prints_and_writes(tones, checkpoint, tmp_path):
    """Under torchrun, as a user starts it, on a folder with a row to set aside."""
    sounds = [tiny.clip(number) for number in range(13)]
    data = tiny.write_audiofolder(tmp_path / "data", sounds, [*tiny.TEXTS, "3.14"])
    command = ["train", str(data), "--checkpoint", str(checkpoint), "--output-dir", str(tmp_path / "out")]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "asr_helpers"]
    done = subprocess.run(
        [sys.executable, *launch, *command, "--max-steps", "2", "--json", str(tmp_path / "train.json")],
        capture_output=True, text=True, env=tiny.environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4_000:]
    lines = [re.sub(r"\d+\.\d+|\d+(?= s)", "#", line) for line in done.stdout.splitlines()]
    assert [line.partition(":")[0].partition(";")[0] for line in lines] == [
        f"reading {data}",
        "the audit found 1 transcript-no-letters",
        "1 rows are set aside",
        "8 clips to train on, 1 to choose the best checkpoint by",
        "recipe",
        "step 1 of 2",
        "step 2 of 2",
        "validation WER # before, # after # s",
        "# steps made no recogniser yet",
    ]
    assert json.loads((tmp_path / "train.json").read_text())["output_dir"] == str(tmp_path / "out")


# A language of one's own

ARABIC = ["أريد بطاقة", "بطاقة جديدة", "رصيد", "أريد رصيد", "جديد", "بريد"]


def write_language(folder, validation, test):
    """A folder of Arabic train rows, with these validation and test texts."""
    texts_of = {"train": ARABIC, "validation": [validation, "رصيد"], "test": [test]}
    for place, (split, texts) in enumerate(texts_of.items()):
        sounds = [tiny.clip(10 * place + number, 1.5) for number in range(len(texts))]
        tiny.write_audiofolder(folder / split, sounds, texts)
    return folder


@pytest.fixture
def handed(monkeypatch):
    """What `train` hands to fine_tune, instead of training."""
    given = {}

    def fine_tune(source, train, validation, processor, output_dir, **changes):
        given.update(processor=processor, changes=changes)
        raise Terminated("enough")

    monkeypatch.setattr("asr_helpers.training.fine_tune", fine_tune)
    return given


def test_a_vocabulary_is_made_of_the_train_rows_alone(checkpoint, handed, tmp_path, capsys):
    found = []
    for number, (validation, test) in enumerate([("حفظ", "ضيف"), ("بطاقة", "جديد")]):
        data = write_language(tmp_path / f"data{number}", validation, test)
        command = ["train", str(data), "--checkpoint", str(checkpoint), "--language", "ar-SA"]
        assert main([*command, "--output-dir", str(tmp_path / f"out{number}")]) == 143
        found.append(handed["processor"].tokenizer.get_vocab())
        printed = capsys.readouterr().out
        assert "language: Arabic; unit characters, " in printed
        said = {0: "57.1% of 7 characters can be written; not ", 1: "100.0% of 9 characters can be written"}
        assert f"validation texts: {said[number]}" in printed
    assert found[0] == found[1], "whatever validation and test rows say"
    assert set(found[0]) == {"<pad>", "<s>", "</s>", "<unk>", "|", *"".join(ARABIC).replace(" ", "")}
    assert not set("حفظض") & set(found[0])


def test_a_language_is_trained_scored_and_named(checkpoint, tmp_path, capsys):
    data, out = write_language(tmp_path / "data", "بطاقة", "رصيد جديد"), tmp_path / "out"
    command = ["train", str(data), "--checkpoint", str(checkpoint), "--language", "ar", "--max-steps", "2"]
    assert main([*command, "--output-dir", str(out)]) == 0
    assert main(["evaluate", str(data), "--model", str(out), "--json", str(tmp_path / "scores.json")]) == 0
    written = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert (written["language"], written["unit"], written["metric"]) == ("ar", "characters", "wer")
    assert written["normaliser"] == "NFC, lower case, no punctuation, no vowel marks"
    assert written["names"]["wer"] == "WER, words, NFC, lower case, no punctuation, no vowel marks"
    assert set(written["folded"]) == {"wer", "cer", "normaliser"}
    assert written["transcripts"][0]["transcription"] == "رصيد جديد"
    assert "language: Arabic; measured by WER, words, NFC" in capsys.readouterr().out
    record = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert (record["language"], record["fresh_head"]) == ("ar", True)


def test_a_language_that_is_no_tag(refuses):
    status, line = refuses("train", "demo", "--output-dir", "unused", "--language", "Arabic")
    assert status == 2
    assert "'Arabic' is no language tag (BCP 47): write one such as ar, ko-KR or zh-Hant." in line


def test_texts_in_another_language_than_the_one_named(refuses, tones, checkpoint, tmp_path):
    status, line = refuses("train", tones, "--checkpoint", checkpoint, "--output-dir", tmp_path, "--language", "ko")
    assert status == 1
    assert "The training texts are not Korean: their letters are Latin 100%" in line
