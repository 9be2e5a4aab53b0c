"""09: a graph gives what its model gives, alone and in batches, in other runtimes and without PyTorch."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny

from asr_helpers import AsrError, InputError, audio, loading, shipping
from asr_helpers.alignment import Alphabet
from asr_helpers.cli import main
from asr_helpers.evaluation import score
from asr_helpers.inference import load_recogniser
from asr_helpers.onnx_model import OnnxModel
from asr_helpers.sources import source

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")


@pytest.fixture(scope="module")
def demo():
    return load_recogniser(source("demo").fine_tuned)


@pytest.fixture(scope="module")
def exported(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    shipping.export(demo, folder)
    return folder


@pytest.fixture(scope="module")
def test_rows():
    return loading.load_splits(source("demo"))["test"]


def test_the_graph_writes_every_test_clip_as_the_model_does(demo, exported, test_rows):
    found = shipping.compare(demo, exported / "model.onnx", test_rows)
    assert found.same == len(test_rows)
    assert found.difference < 1e-3
    assert found.after.wer == found.before.wer
    assert not found.refusal()


def test_lengths_may_be_left_out_for_one_clip(exported):
    clip = np.random.default_rng(0).normal(0, 0.1, (1, 9_000)).astype(np.float32)
    session = OnnxModel.load(exported / "model.onnx").session
    alone = session.run(None, {"input_values": clip})[0]
    with_length = session.run(None, {"input_values": clip, "input_lengths": np.array([9_000])})[0]
    np.testing.assert_array_equal(alone, with_length)
    assert [one.name for one in session.get_inputs()] == ["input_values"]


def test_padding_is_not_heard(exported):
    rng = np.random.default_rng(1)
    clips = [rng.normal(0, 0.1, size).astype(np.float32) for size in (5_000, 16_000, 8_123)]
    model = OnnxModel.load(exported / "model.onnx")
    together = model(clips)
    for clip, row in zip(clips, together, strict=True):
        alone = model([clip])[0]
        np.testing.assert_allclose(row[: len(alone)], alone, atol=2e-4)


def test_layer_norm_and_a_feature_extractor_that_does_not_normalise(tmp_path):
    folder = tiny.write_checkpoint(tmp_path / "model", head=True, feat_extract_norm="layer", conv_bias=True)
    processor = tiny.processor()
    processor.feature_extractor.do_normalize = False
    processor.save_pretrained(folder)
    recogniser = load_recogniser(folder)
    graph = shipping.export(recogniser, tmp_path / "exported")  # it compares five lengths and pairs of them
    assert shipping.check_graph(recogniser, graph) < 1e-3
    state = recogniser.model.state_dict()
    assert "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0" in state  # the model is as it was


@pytest.fixture(scope="module")
def hubert(tmp_path_factory):
    """A tiny HuBERT and its export."""
    from transformers import HubertConfig, HubertForCTC

    folder = tmp_path_factory.mktemp("hubert")
    sizes = {
        "vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
        "do_stable_layer_norm": True, "feat_extract_norm": "layer",
    }  # fmt: skip
    HubertForCTC(HubertConfig(**sizes)).save_pretrained(folder / "model")
    tiny.processor().save_pretrained(folder / "model")
    shipping.export(load_recogniser(folder / "model"), folder / "exported")
    return folder


def test_hubert_with_stable_layer_norm_is_exported(hubert):
    recogniser = load_recogniser(hubert / "model")
    assert shipping.check_graph(recogniser, hubert / "exported" / "model.onnx") < 1e-3


def test_a_graph_that_differs_is_not_kept(hubert, tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "write_graph", lambda _, path: shutil.copy(hubert / "exported" / "model.onnx", path))
    recogniser = load_recogniser(tiny.write_checkpoint(tmp_path / "model", head=True))
    with pytest.raises(AsrError, match="differ from the model's by"):
        shipping.export(recogniser, tmp_path / "exported")
    assert list((tmp_path / "exported").iterdir()) == []


def test_without_pytorch(exported, test_rows, tmp_path):
    """The whole command, in a process where torch cannot be imported."""
    names = []
    for number in range(6):
        clip = tmp_path / f"{number}.flac"
        clip.write_bytes(test_rows[number]["audio"]["bytes"])
        names.append(str(clip))
    code = "import sys; sys.modules['torch'] = None; from asr_helpers.cli import main; sys.exit(main())"
    command = ["transcribe", *names, "--model", str(exported), "--json", str(tmp_path / "heard.json")]
    run = [sys.executable, "-c", code, *command]
    done = subprocess.run(run, capture_output=True, text=True, env=tiny.environment())
    assert done.returncode == 0, done.stderr
    with_torch = load_recogniser(source("demo").fine_tuned)
    heard = [one["text"] for one in json.loads((tmp_path / "heard.json").read_text())]
    assert heard == [with_torch.transcribe(name).text for name in names]


def test_confidence_and_beam_go_with_the_graph(demo, exported, test_rows):
    graph = load_recogniser(exported)
    assert graph.calibration == demo.calibration
    assert Alphabet.of(graph) == Alphabet.of(demo)
    assert graph.frame == demo.frame
    here, there = (one.transcribe(test_rows[0]["audio"]) for one in (graph, demo))
    assert here.text == there.text
    sure = [word.confidence for word in there.words]
    assert [word.confidence for word in here.words] == pytest.approx(sure, abs=1e-3)


def test_sherpa_onnx_reads_it(exported, test_rows):
    sherpa_onnx = pytest.importorskip("sherpa_onnx")
    reader = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(
        model=str(exported / "model.onnx"), tokens=str(exported / "tokens.txt")
    )
    graph = load_recogniser(exported)
    for row in test_rows.select(range(5)):
        stream = reader.create_stream()
        stream.accept_waveform(16_000, audio.load(row["audio"], 16_000))
        reader.decode_stream(stream)
        assert stream.result.text.strip() == graph.transcribe(row["audio"]).text


def test_onnx_asr_reads_it(exported, test_rows):
    onnx_asr = pytest.importorskip("onnx_asr")
    from onnx_asr.asr import _AsrWithCtcDecoding
    from onnx_asr.preprocessors.preprocessor import IdentityPreprocessor
    from onnx_asr.utils import ModelNotSupportedError

    class Wav2Vec2Ctc(_AsrWithCtcDecoding):
        """As its development version has it; the release 0.12 has the decoder and the files' form, and not this."""

        _preprocessor_name = "identity"
        _subsampling_factor = 320

        @staticmethod
        def _get_model_files(quantization=None):
            return {"model": "model.onnx", "vocab": "vocab.txt"}

        def _encode(self, features, lengths):
            feed = {"input_values": features, "input_lengths": lengths}
            return session.run(["logprobs"], feed)[0], (lengths - 400) // 320 + 1

    clips = [audio.load(row["audio"], 16_000) for row in test_rows.select(range(4))]
    try:
        reader = onnx_asr.load_model("wav2vec2-ctc", exported)
        heard = reader.recognize(clips)
    except ModelNotSupportedError:
        session = OnnxModel.load(exported / "model.onnx").session
        files = {"vocab": exported / "vocab.txt", "config": exported / "config.json"}
        reader = Wav2Vec2Ctc(files, lambda name: IdentityPreprocessor(), {})
        padded = np.zeros((len(clips), max(map(len, clips))), np.float32)
        for row, clip in zip(padded, clips, strict=True):
            row[: len(clip)] = clip
        heard = [one.text for one in reader.recognize_batch(padded, np.array([len(clip) for clip in clips]))]
    graph = load_recogniser(exported)
    assert heard == [graph.transcribe(row["audio"]).text for row in test_rows.select(range(4))]


# int8


def test_int8_is_small_and_hears_as_well(demo, exported, test_rows):
    small = shipping.quantise(exported / "model.onnx")
    try:
        assert shipping.operators(small)["MatMulInteger"] >= 36  # six layers' products with weights
        assert small.stat().st_size <= 0.35 * (exported / "model.onnx").stat().st_size
        found = shipping.compare(demo, small, test_rows)
        assert found.before.interval[0] <= found.after.wer <= found.before.interval[1]
        assert not found.refusal()
        assert load_recogniser(small).transcribe(test_rows[0]["audio"]).text
    finally:
        small.unlink()


@pytest.mark.parametrize(
    ("after", "blank", "why"),
    [
        (["A B C D"] * 20, 0.5, ""),
        (["A B C E"] * 20, 0.5, "lies above the interval"),
        (["A B C D"] * 19 + ["A B C"], 0.5, "are lost"),
        (["A B C D"] * 20, 0.6, "of the frames are blank"),
    ],
    ids=["as good", "worse", "deletions", "blank"],
)
def test_what_speaks_against_a_graph(after, blank, why):
    said = ["A B C D"] * 20
    before = replace(score(said, said), interval=(0.0, 0.1))
    found = shipping.Comparison(before, score(said, after), 20, 0.0, 0.5, blank, 1.0, 0.3)
    assert (why in found.refusal()) if why else found.refusal() == ""


def test_the_command_does_not_keep_an_int8_graph_that_is_worse(hubert, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipping.Comparison, "refusal", lambda self: "it is worse")
    monkeypatch.setattr(shipping, "write_graph", lambda _, path: shutil.copy(hubert / "exported" / "model.onnx", path))
    folder = tmp_path / "exported"
    assert main(["export", "--model", str(hubert / "model"), "--output-dir", str(folder), "--int8"]) == 1
    assert "int8 graph is not kept: it is worse" in capsys.readouterr().err
    assert (folder / "model.onnx").is_file()
    assert not (folder / "model.int8.onnx").exists()


# What is refused


def test_a_graph_is_not_exported_again(exported, tmp_path):
    with pytest.raises(InputError, match="is an ONNX graph already"):
        shipping.export(load_recogniser(exported), tmp_path)


def test_a_graph_has_no_pipeline(exported):
    with pytest.raises(InputError, match="use transcribe"):
        load_recogniser(exported).pipeline()


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("model.onnx", b"no graph", "cannot be loaded"),
        ("config.json", b"{}", "not one that `asr-helpers export` wrote"),
        ("config.json", b'{"model_type": "wav2vec2"}', "its model_type is 'wav2vec2'"),
        ("config.json", b"[", "not one that `asr-helpers export` wrote"),
    ],
)
def test_a_damaged_export(exported, tmp_path, file, content, why):
    for one in exported.iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=why):
        load_recogniser(tmp_path)


def test_a_folder_that_cannot_be_written(demo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        shipping.export(demo, tmp_path / "file" / "inside")
