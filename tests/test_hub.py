"""`hub` through the real client: load, preprocess, train a few steps, transcribe, evaluate, push.

The hub is tests/hub_standin.py on loopback. The model is a tiny random one in the layout of
facebook/wav2vec2-base (a pytorch_model.bin of a Wav2Vec2ForPreTraining, no CTC head, no
safetensors); the dataset is 40 of the demo's rows in the layout of PolyAI/minds14.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub_standin import COMMIT, Hub

from asr_helpers.sources import source

MODEL, DATASET = "facebook/wav2vec2-base", "PolyAI/minds14"


def write_model(folder: Path) -> None:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, conv_dim=(16,) * 7,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, codevector_dim=16, proj_codevector_dim=16,
    )  # fmt: skip
    model = Wav2Vec2ForPreTraining(config)
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    config.architectures = ["Wav2Vec2ForPreTraining"]
    config.save_pretrained(folder)
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    extractor = {
        "do_normalize": True, "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1,
        "padding_side": "right", "padding_value": 0.0, "return_attention_mask": False, "sampling_rate": 16_000,
    }  # fmt: skip
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    tokenizer = {"do_lower_case": False, "word_delimiter_token": "|", "tokenizer_class": "Wav2Vec2CTCTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special | tokenizer))
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    shutil.copy(Path(source("demo").checkpoint) / "vocab.json", folder)
    (folder / "README.md").write_text("---\nlanguage: en\n---\n")


def write_dataset(folder: Path) -> None:
    import pyarrow.parquet

    demo = Path(source("demo").dataset)
    (folder / "en-US").mkdir(parents=True)
    name = "en-US/train-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(demo / name).slice(0, 40), folder / name)
    front = "---\nconfigs:\n- config_name: en-US\n  data_files:\n  - split: train\n    path: en-US/train-*\n---\n"
    (folder / "README.md").write_text(front)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    write_model(root / MODEL)
    write_dataset(root / DATASET)
    hub = Hub({MODEL: root / MODEL, DATASET: root / DATASET})
    yield hub
    hub.shutdown()


@pytest.fixture(scope="module")
def run(hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    offline = {"HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"}
    environment = {name: value for name, value in os.environ.items() if name not in offline}
    environment |= {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(folder / "cache"), "HF_DATASETS_CACHE": str(folder / "cache/datasets"),
        "HF_TOKEN": "a-token-for-the-stand-in", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
        "DISABLE_SAFETENSORS_CONVERSION": "1",
    }  # fmt: skip

    def run(*arguments):
        command = [sys.executable, "-m", "asr_helpers", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def trained(run):
    run("train", "hub", "--output-dir", "minds14-recogniser", "--max-steps", "4", "--push-to-hub")
    return run.folder / "minds14-recogniser"


def test_training_reads_the_pinned_dataset(trained, hub):
    parquet = [line for line in hub.asked if line.endswith(".parquet") and line.startswith("GET")]
    assert parquet
    assert all(f"/resolve/{COMMIT}/" in line for line in parquet)
    assert source("hub").dataset_revision == COMMIT
    assert (trained / "model.safetensors").is_file()


def test_the_trained_model_transcribes_and_is_scored(trained, run):
    from asr_helpers.loading import load_rows

    clip = run.folder / "clip.flac"
    clip.write_bytes(load_rows(source("demo"), "train[:1]")[0]["audio"]["bytes"])
    run("transcribe", "clip.flac", "--model", trained.name, "--json", "text.json")
    assert json.loads((run.folder / "text.json").read_text())[0]["file"] == "clip.flac"
    run("evaluate", "hub", "--model", trained.name, "--json", "scores.json")
    assert json.loads((run.folder / "scores.json").read_text())["utterances"] == 8  # a fifth of 40


def test_what_was_pushed_is_what_was_saved(trained, hub):
    for name in ("model.safetensors", "config.json", "tokenizer_config.json", "README.md"):
        assert hub.pushed[name] == (trained / name).read_bytes(), name
    assert not any(name.startswith("checkpoint-") for name in hub.pushed)
