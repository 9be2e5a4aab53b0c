"""A Wav2Vec2 of a few thousand parameters and a few seconds of sound: tests train and transcribe in moments."""

import csv
import io
from pathlib import Path

import numpy as np
import soundfile

from asr_helpers.preprocessing import load_processor
from asr_helpers.sources import source

TEXTS = ("HELLO", "CARD", "MY BANK", "PAY IT", "LOST", "NO", "A BILL", "YES", "I OWE", "CASH", "SEND", "WHO")


def processor():
    """The demo's: 32 tokens, blank 0, 16 kHz."""
    return load_processor(source("demo").checkpoint)


def write_checkpoint(folder: Path, head: bool = False, **config) -> Path:
    """A random encoder with its processor; with `head`, a random CTC head too."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

    torch.manual_seed(1)
    sizes = {
        "vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip
    still = dict.fromkeys(
        "hidden_dropout attention_dropout activation_dropout feat_proj_dropout final_dropout mask_time_prob".split(),
        0.0,
    )
    model = (Wav2Vec2ForCTC if head else Wav2Vec2Model)(Wav2Vec2Config(**sizes | still | config))
    model.save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder


def clip(number: int, seconds: float = 0.5) -> bytes:
    """A tone of its own pitch in a little noise: 8 kHz WAV."""
    time = np.arange(round(seconds * 8_000)) / 8_000
    noise = np.random.default_rng(number).normal(0, 0.02, len(time))
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 150 * (number + 1) * time) + noise, 8_000, format="WAV")
    return file.getvalue()


def rows(count: int, seconds: float = 0.5):
    """A dataset of clips of one length, each with one of TEXTS."""
    from datasets import Dataset

    return Dataset.from_list(
        [
            {"audio": {"bytes": clip(number, seconds), "path": f"{number}.wav"}, "transcription": TEXTS[number % 12]}
            for number in range(count)
        ]
    )


def write_audiofolder(folder: Path, sounds: list[bytes], texts: list[str], suffix: str = "wav") -> Path:
    """A folder of one's own: sound files and a metadata.csv."""
    folder.mkdir(parents=True)
    with open(folder / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "transcription"])
        for number, (sound, text) in enumerate(zip(sounds, texts, strict=True)):
            (folder / f"{number}.{suffix}").write_bytes(sound)
            table.writerow([f"{number}.{suffix}", text])
    return folder
