"""05: rows from a stream. Each once a pass, in flat memory, and after a stop the very batches that would have come."""

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import tiny
import torch
import transformers
from datasets import Audio, Dataset, IterableDataset
from safetensors.torch import load_file

from asr_helpers import AsrError, audio, models, streaming, training
from asr_helpers.sources import source
from asr_helpers.streaming import StreamedBatchSampler, stream_splits

TEXTS = [f"{part}{number}" for part, count in (("A", 7), ("B", 6)) for number in range(count)]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """13 clips with a text each, in two subfolders of train, and two to validate with."""
    folder = tmp_path_factory.mktemp("sounds")
    for part, numbers in (("A", range(7)), ("B", range(7, 13))):
        clips = [tiny.clip(number, 0.3 + 0.02 * number) for number in numbers]
        tiny.write_audiofolder(folder / "train" / part, clips, [text for text in TEXTS if text[0] == part])
    tiny.write_audiofolder(folder / "validation", [tiny.clip(1), tiny.clip(2)], ["YES", "NO"])
    return folder


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """The same clips' bytes in three Parquet files."""
    folder = tmp_path_factory.mktemp("parquet")
    rows = tiny.rows(13, 0.3, 0.02).remove_columns("transcription").add_column("transcription", TEXTS)
    splits = {f"train/{part}": rows.select(range(part, 13, 3)) for part in range(3)}
    for name, part in (splits | {"validation/0": rows.select(range(2))}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        part.cast_column("audio", Audio(decode=False)).to_parquet(str(folder / f"{name}.parquet"))
    return folder


def seconds(row) -> float:
    return audio.duration(row["audio"])


def texts(batches) -> list[list[str]]:
    return [[row["transcription"] for row in batch] for batch in batches]


@pytest.mark.parametrize(("many", "groups"), [(64, 4_096), (2, 4_096), (1, 3)])
@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("form", ["sounds", "parquet"])
def test_each_row_is_read_once_a_pass_and_a_stop_changes_nothing(request, monkeypatch, form, world_size, many, groups):
    """Whether the ranks share out rows or shards, these one by one or in groups."""
    monkeypatch.setattr(streaming, "MANY", many)
    monkeypatch.setattr(streaming, "GROUPS", groups)
    monkeypatch.setattr(streaming, "BUFFER", 3)
    monkeypatch.setattr(streaming, "PART", 2)
    stream, validation = stream_splits(source(str(request.getfixturevalue(form))))
    assert len(validation) == 2
    passes = {}
    for rank in range(world_size):
        place = {"max_duration": 1.0, "rank": rank, "world_size": world_size}
        batches = list(StreamedBatchSampler(stream, 30, seconds, **place))
        assert len(batches) == len(StreamedBatchSampler(stream, 30, seconds)) == 30
        for batch in batches:
            assert len(batch) * max(map(seconds, batch)) <= 1
            passes.setdefault(batch[0]["position"]["epoch"], []).extend(row["transcription"] for row in batch)
        for given in (1, 2, 4, 7, 13, 29):
            resumed = StreamedBatchSampler(stream, 30, seconds, **place)
            resumed.load_state_dict(json.loads(json.dumps(batches[given - 1][0]["position"])))
            again = list(resumed)
            assert again[:given] == [[]] * given
            assert texts(again[given:]) == texts(batches[given:])
    for epoch in range(2):
        assert sorted(passes[epoch]) == TEXTS
    assert world_size > 1 or passes[0] != passes[1]


def buffers(stream, passes: int, **options) -> list[list[frozenset[str]]]:
    """For each pass, which texts were read together."""
    read: dict[int, dict[int, set[str]]] = {}
    for batch in StreamedBatchSampler(stream, 200, seconds, max_duration=1.0, **options):
        place = batch[0]["position"]
        together = read.setdefault(place["epoch"], {}).setdefault(place["buffer"], set())
        together.update(row["transcription"] for row in batch)
    return [[frozenset(together) for together in read[epoch].values()] for epoch in range(passes)]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_each_pass_reads_the_shards_in_another_order(monkeypatch, world_size):
    monkeypatch.setattr(streaming, "BUFFER", 4)
    rows = tiny.rows(24, 0.3).remove_columns("transcription")
    stream = rows.add_column("transcription", [f"{n:02}" for n in range(24)]).to_iterable_dataset(num_shards=8)
    place = {"world_size": world_size, "rank": world_size - 1}
    first, second, third = buffers(stream, 3, **place)
    assert len({frozenset(first), frozenset(second), frozenset(third)}) == 3, "clips meet others"
    assert buffers(stream, 1, seed=1, **place)[0] != first
    assert buffers(stream, 1, **place)[0] == first


def test_one_metadata_file_is_mixed_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "BUFFER", 16)
    monkeypatch.setattr(streaming, "PART", 4)
    texts = [f"{number:02}" for number in range(80)]
    tiny.write_audiofolder(tmp_path / "train", [tiny.clip(0, 0.3)] * 80, texts)
    tiny.write_audiofolder(tmp_path / "validation", [tiny.clip(0)], ["NO"])
    stream, _ = stream_splits(source(str(tmp_path)))
    first, second = buffers(stream, 2)
    for read in (first, second):
        assert sorted(text for together in read for text in together) == texts
        assert np.median([int(max(together)) - int(min(together)) for together in read]) > 40
    assert set(first).isdisjoint(second), "clips meet others"


def test_batches_hold_clips_of_like_length_and_on_average_as_much_sound_as_so_many():
    stream = tiny.rows(40, 0.2, 0.02).to_iterable_dataset()
    mean = 0.2 + 0.02 * 19.5
    batches = StreamedBatchSampler(stream, 30, seconds, batch_size=4)
    once = [batch for batch in batches if not batch[0]["position"]["epoch"]]
    assert sorted(row["audio"]["path"] for batch in once for row in batch) == sorted(f"{n}.wav" for n in range(40))
    for batch in once:
        lengths = sorted(map(seconds, batch))
        assert len(batch) * lengths[-1] <= 4 * mean
        assert lengths[-1] - lengths[0] < 0.2


def test_batches_that_are_slowed_down_and_padded_again_stay_in_the_budget():
    stream = tiny.rows(40, 0.7).to_iterable_dataset()
    plan = {"slowest": 0.9, "pad_to_multiple_of": 0.64}  # 0.7 s become 0.778, and then 1.28
    assert {len(batch) for batch in StreamedBatchSampler(stream, 20, seconds, max_duration=10, **plan)} == {7, 6}
    assert {len(batch) for batch in StreamedBatchSampler(stream, 20, seconds, batch_size=4, **plan)} == {4}


def test_memory_is_flat():
    """Rows of 30 kB, made as they are asked for: twenty times as many need no more. In a process of its own."""
    code = """
import tiny
from datasets import IterableDataset
from asr_helpers import streaming
from benchmarks.common import peak_memory

clip = tiny.clip(0, 0.1)

def rows(count):
    for number in range(count):
        content = clip + number.to_bytes(8, "big") * 4_000
        yield {"audio": {"bytes": content, "path": f"{number}.wav"}, "transcription": "A"}

streaming.BUFFER = 64
for count in (1_000, 20_000):
    stream = IterableDataset.from_generator(rows, gen_kwargs={"count": count})
    seen = sum(map(len, streaming.StreamedBatchSampler(stream, count // 10, lambda row: 1.0, max_duration=10)))
    print(seen, peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=tiny.environment())
    assert done.returncode == 0, done.stderr[-2_000:]
    (few, small), (many, large) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert many >= 18 * few
    assert large - small < 20e6, "all rows together are 640 MB, those of a buffer 2"


def test_rows_that_would_harm_are_named_and_left_out(tmp_path, caplog):
    clips = [tiny.clip(0), b"no sound", tiny.clip(2), tiny.clip(3), tiny.clip(4, 0.05), tiny.clip(5)[:-1_000]]
    folder = tiny.write_audiofolder(
        tmp_path / "data" / "train", clips, ["YES", "NO", "3.14", "NO", "TOO LONG FOR IT", "NO"]
    )
    (folder / "3.wav").unlink()
    tiny.write_audiofolder(tmp_path / "data" / "validation", [tiny.clip(1)], ["NO"])
    stream, _ = stream_splits(source(str(tmp_path / "data")))
    processor = tiny.processor()
    model = models.build_model(str(tiny.write_checkpoint(tmp_path / "checkpoint")), processor)
    batches = StreamedBatchSampler(stream, 1, lambda row: training.check_row(row, model, processor))
    names = {streaming.row_name(row).rpartition("/")[2] for batch in batches for row in batch}
    assert names == {"0.wav", "5.wav"}
    lines = [line for line in caplog.messages if line.startswith("left out")]
    assert [line.split("'")[1].rpartition("/")[2] for line in lines] == ["1.wav", "2.wav", "3.wav", "4.wav"]
    for line, reason in zip(lines, ["not a sound", "no character", "There is no file", "labels need"], strict=True):
        assert reason in line


def flac(seconds: float, share: float = 1.0, rate: int = 8_000) -> bytes:
    """So much of a FLAC file: its header is well, its samples break off."""
    waveform, _ = audio.decode(tiny.clip(0, seconds))
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="FLAC")
    return file.getvalue()[: int(share * len(file.getvalue()))]


def test_a_sound_that_breaks_off_is_left_out_of_its_batch(caplog):
    whole, cut = (
        {"audio": {"bytes": flac(4.0, share), "path": path}, "transcription": "NO", "position": {}}
        for share, path in ((1.0, "whole.flac"), (0.2, "cut.flac"))
    )
    assert seconds(cut) == 4, "its header is well"
    prepared = streaming.PreparedRows(tiny.processor())
    (item,) = prepared.__getitems__([cut, whole])
    assert item["row"] == "whole.flac"
    assert caplog.messages[0].startswith("left out 'cut.flac': ")
    with pytest.raises(AsrError, match=r"No sound of a batch can be read, 'cut\.flac' among them"):
        prepared.__getitems__([cut])


def broken_stream(*whole: float) -> IterableDataset:
    """Clips that are whole, of these lengths; one and a pair that break off, longer than any; one of 100 Hz."""
    clips = [flac(length) for length in whole]
    clips += [flac(4.0, 0.2), flac(2.0, 0.2), flac(2.0, 0.2), flac(0.3, rate=100)]
    rows = [{"audio": {"bytes": clip, "path": f"{n}.flac"}, "transcription": "NO"} for n, clip in enumerate(clips)]
    return IterableDataset.from_generator(lambda: iter(rows))


def test_a_batch_in_which_every_sound_breaks_off_is_passed_over(caplog):
    batches = StreamedBatchSampler(broken_stream(0.5, 0.6, 1.9), 6, seconds, max_duration=4.0)
    prepared = streaming.PreparedRows(tiny.processor())
    given = list(batches)
    rows = [[item["row"] for item in prepared.__getitems__(batch)] for batch in given]
    assert len(rows) == 6
    assert {name for batch in rows for name in batch} == {"0.flac", "1.flac", "2.flac"}
    named = {line.split("'")[1] for line in caplog.messages}
    assert named == {"3.flac", "4.flac", "5.flac", "6.flac"}
    for number in range(1, 6):  # and it is passed over again where a training goes on
        resumed = StreamedBatchSampler(broken_stream(0.5, 0.6, 1.9), 6, seconds, max_duration=4.0)
        resumed.load_state_dict(given[number - 1][0]["position"])
        assert texts(list(resumed)[number:]) == texts(given[number:])


def test_a_stream_in_which_every_sound_breaks_off_ends():
    with pytest.raises(AsrError, match="The stream holds no row for rank 0 that can be trained on"):
        list(StreamedBatchSampler(broken_stream(), 1, seconds, max_duration=4.0))


def test_a_row_without_audio_is_named_by_its_text(caplog):
    rows = [{"audio": None, "transcription": "SILENCE"}, {"audio": {"bytes": flac(0.5)}, "transcription": "NO"}]
    stream = IterableDataset.from_generator(lambda: iter(rows))
    assert texts(StreamedBatchSampler(stream, 1, seconds)) == [["NO"]]
    assert caplog.messages[0].startswith("left out 'SILENCE': ")


def test_a_stream_without_a_row_to_train_on_ends(tmp_path):
    def refuse(row):
        raise AsrError("It says nothing.")

    stream = tiny.rows(3).to_iterable_dataset()
    with pytest.raises(AsrError, match="The stream holds no row for rank 0 that can be trained on"):
        list(StreamedBatchSampler(stream, 1, refuse))


@pytest.mark.parametrize(("missing", "there"), [("train", "validation"), ("validation", "train")])
def test_a_stream_is_not_split(sounds, parquet, tmp_path, missing, there):
    for number, folder in enumerate((sounds, parquet)):
        shutil.copytree(folder / there, tmp_path / str(number) / there)
        with pytest.raises(AsrError, match=rf"has no {missing} rows of its own.*: a stream is not split"):
            stream_splits(source(str(tmp_path / str(number))))
    with pytest.raises(AsrError, match="has no validation rows of its own"):
        stream_splits(source("demo"))


def test_parquet_files_without_the_columns(parquet, tmp_path):
    shutil.copytree(parquet, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "train").iterdir():
        Dataset.from_dict({"sound": [1], "text": ["NO"]}).to_parquet(str(file))
    with pytest.raises(AsrError, match=r"has no train rows of its own \(.*transcription"):
        stream_splits(source(str(tmp_path)))


def write_parquet(folder, rows):
    """Rows, their audio a dict, as a Parquet file of each split."""
    for split in ("train", "validation"):
        (folder / split).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / split / "0.parquet")
    return source(str(folder))


def test_no_path_in_a_parquet_file_leads_out_of_the_folder(tmp_path, caplog):
    for name in ("outside.wav", "data/inside.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(tiny.clip(0))
    (tmp_path / "data" / "link.wav").symlink_to(tmp_path / "outside.wav")
    outside = [str(tmp_path / "outside.wav"), "../outside.wav", str(tmp_path / "data" / "link.wav"), "/etc/hostname"]
    inside = [str(tmp_path / "data" / "inside.wav")]
    rows = [{"audio": {"bytes": None, "path": path}, "transcription": "NO"} for path in outside + inside]
    rows.append({"audio": {"bytes": tiny.clip(1), "path": "/only/a/name.wav"}, "transcription": "YES"})
    stream, validation = stream_splits(write_parquet(tmp_path / "data", rows))
    for part in (stream, validation):
        assert [row["audio"]["path"] for row in part] == [*inside, "/only/a/name.wav"]
    lines = [line for line in caplog.messages if line.startswith("left out")]
    assert [line.split("'")[1] for line in lines] == outside * 2
    assert all(f"leads out of {str(tmp_path / 'data')!r}: bring the file into the folder" in line for line in lines)


def test_a_metadata_line_that_leads_out_of_the_folder_is_named_and_left_out(sounds, tmp_path, caplog):
    shutil.copytree(sounds, tmp_path / "data")
    (tmp_path / "outside.wav").write_bytes(tiny.clip(0))
    for name in ("train/A", "validation"):
        with open(tmp_path / "data" / name / "metadata.csv", "a") as file:
            file.write(f"{'../' * name.count('/')}../../outside.wav,OUTSIDE\n")
    stream, validation = stream_splits(source(str(tmp_path / "data")))
    assert sorted(row["transcription"] for row in stream) == TEXTS
    assert len(validation) == 2
    assert [line.split("'")[1] for line in caplog.messages] == ["../../outside.wav", "../../../outside.wav"]


def test_no_parquet_file_is_read_from_outside_the_folder(parquet, tmp_path):
    shutil.copytree(parquet, tmp_path / "data")
    (tmp_path / "data" / "train" / "more.parquet").symlink_to(parquet / "train" / "0.parquet")
    with pytest.raises(AsrError, match=r"more\.parquet' leads out of '.*data': bring the file into the folder"):
        stream_splits(source(str(tmp_path / "data")))


@pytest.mark.parametrize("where", ["{outside}", "../outside/*.parquet", "hf://datasets/someone/something/0.parquet"])
@pytest.mark.parametrize("card", ["README.md", ".huggingface.yaml"])
def test_no_card_sends_a_stream_out_of_the_folder(parquet, tmp_path, card, where):
    shutil.copytree(parquet, tmp_path / "data")
    (tmp_path / "outside").mkdir()
    elsewhere = tiny.rows(2).remove_columns("transcription").add_column("transcription", ["SECRET", "SECRET"])
    elsewhere.cast_column("audio", Audio(decode=False)).to_parquet(str(tmp_path / "outside" / "0.parquet"))
    where = where.format(outside=tmp_path / "outside" / "0.parquet")
    files = "".join(f"  - split: {split}\n    path: {where}\n" for split in ("train", "validation"))
    lines = f"configs:\n- config_name: default\n  data_files:\n{files}"
    (tmp_path / "data" / card).write_text(f"---\n{lines}---\n" if card == "README.md" else lines)
    stream, validation = stream_splits(source(str(tmp_path / "data")))
    assert sorted(row["transcription"] for row in stream) == TEXTS
    assert len(validation) == 2


# Training


@pytest.fixture(scope="module")
def tune(tmp_path_factory):
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return tiny.tuner(tiny.write_checkpoint(tmp_path_factory.mktemp("checkpoint"), hidden_dropout=0.1))


def test_a_streamed_training_goes_on_to_the_same_weights(tune, tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "BUFFER", 5)
    settings = tiny.EACH_STEP | {"streamed": True, "max_steps": 8, "gradient_accumulation_steps": 2}
    tune(tmp_path / "straight", **settings)
    for step in (1, 4):
        name = f"checkpoint-{step}"
        shutil.copytree(tmp_path / "straight" / name, tmp_path / str(step) / name)
        # In a worker, the sampler is ahead of the training: the position is still that of the batch trained on.
        result = tune(tmp_path / str(step), **settings, resume=True, dataloader_num_workers=1)
        assert [entry["step"] for entry in result.history if "loss" in entry] == list(range(1, 9))
        for later in range(step + 1, 9):
            one, two = (tmp_path / run / f"checkpoint-{later}" for run in ("straight", str(step)))
            weights, again = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
            assert all(torch.equal(weights[key], again[key]) for key in weights)
            assert (one / "stream_0.json").read_text() == (two / "stream_0.json").read_text()
    with pytest.raises(AsrError, match="took its rows from a stream: go on with that, or leave out resume"):
        tune(tmp_path / "4", resume=True)
    card = (tmp_path / "4" / "README.md").read_text()
    assert "on a stream of clips of" in card


@pytest.mark.parametrize("workers", [0, 1])
def test_a_training_outlives_clips_that_break_off(tmp_path, workers):
    checkpoint = tiny.write_checkpoint(tmp_path / "checkpoint")
    recipe = replace(tiny.RECIPE, seconds_per_batch=1.0)
    result = training.fine_tune(
        replace(source("demo"), checkpoint=str(checkpoint), recipe=recipe), broken_stream(0.5, 0.6, 0.7), tiny.rows(2),
        tiny.processor(), tmp_path / "out", max_steps=7, bf16=False, dataloader_num_workers=workers, **tiny.EACH_STEP,
    )  # fmt: skip
    assert len(tiny.losses(result)) == 7


def test_a_stream_needs_an_end(tune, tmp_path):
    with pytest.raises(AsrError, match="A stream has no end: say when to stop with max_steps"):
        tune(tmp_path, streamed=True)


def test_a_loss_that_is_not_a_number_names_the_sounds(tmp_path, monkeypatch):
    def spoil(row, processor):
        prepared = prepare(row, processor)
        return prepared | {"input_values": prepared["input_values"] * float("inf")}

    prepare = streaming.prepare_dataset
    monkeypatch.setattr(streaming, "prepare_dataset", spoil)
    checkpoint = tiny.write_checkpoint(tmp_path / "checkpoint")
    tiny_source = replace(source("demo"), checkpoint=str(checkpoint), recipe=tiny.RECIPE)
    stream = IterableDataset.from_generator(lambda: iter(tiny.rows(2)))
    with pytest.raises(AsrError, match=r"The loss is nan in step 1, on the training rows \d.wav, \d.wav"):
        training.fine_tune(
            tiny_source, stream, tiny.rows(2), tiny.processor(), tmp_path / "out", max_steps=1, bf16=False
        )
