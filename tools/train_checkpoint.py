"""Trains the demo checkpoint on one GPU: eight minutes from nothing, then nine more from where that ended.

    python tools/train_checkpoint.py --people DIR --work WORK
    python tools/train_checkpoint.py --people DIR --work WORK --start WORK/recogniser --rate 1e-3 --seed 20261127
    python tools/train_checkpoint.py --people DIR --work /tmp/try --minutes 1 --output-dir /tmp/try/checkpoint

DIR is a folder in the audiofolder form (`train` and `validation`, each with a metadata.csv of `file_name`,
`transcription`, `speaker`, `corpus`). First people's clips are decoded and the synthetic ones are spoken, once, into
WORK, and a recogniser finds where people's words begin. Then all sound lies in the GPU's memory. There clips are cut,
joined, played at another speed and given another mouth, room, line and noise, a batch at a time. Every batch is heard
twice, disturbed in two ways, and what the model makes of the one is to agree with what it makes of the other. The
rate falls with the clock, to 0 at the end. WORK gets the recogniser, the output folder its encoder with the card.
`--start` goes on from a recogniser, with a rate that rises once more.

Sources:
    Z. Yao and others, "CR-CTC: consistency regularization on CTC", 2024, https://arxiv.org/abs/2410.05101
    J. Lee and S. Watanabe, "Intermediate loss regularization for CTC", 2021, https://arxiv.org/abs/2102.03216
    K. Jordan, "Muon", 2024, https://kellerjordan.github.io/posts/muon/
"""

import argparse
import copy
import csv
import itertools
import json
import math
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from speech import HELD_OUT_VOICES
from training_speech import (
    PLAIN_VARIANTS,
    SAMPLING_RATE,
    SEED,
    SYNTHETIC,
    VARIANTS,
    Corpus,
    cut_and_joined,
    prepare,
    single_words,
)

TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
IDS = {token: number for number, token in enumerate(TOKENS)} | {" ": 4}
STEP = 4_096  # a batch's rows are so many samples long, times a whole number: Fourier transforms of few lengths
# Of each corpus a round draws this share: books, which are what the validation people mostly read, twice as often.
SHARES = {
    "LibriSpeech dev-clean": 0.5,
    "LibriSpeech train-clean-100": 0.5,
    "LJSpeech": 0.5,
    "dataset-voice-kathleen": 0.25,
    "speechocean762": 0.25,
    "synthetic": 0.06,
}
SPLICED = 0.4  # the share of people's clips that are cut at words and put together to new ones
WORDS = 400  # clips of single words, cut out of people's sentences, in a round
SPEEDS = (0.85, 1.18)
PLAIN = 0.4  # the share of people's clips that keep their room, line and noise
TELEPHONE, TELEPHONE_SYNTHETIC = 0.3, 0.6
FORMANTS = 0.12  # how far six clips in ten get theirs moved, at the most
WARMUP = 400  # steps
CONSISTENCY = 0.2  # what disagreement between the two views of a clip counts
INTERMEDIATE = {4: 0.15, 6: 0.15}  # layers whose output the head reads as well, and how much that counts
AVERAGE = 0.9997  # of the moving average of the weights, which is what is kept
MASKED = 0.5  # s: the longest span that is masked, in each second
DROPOUT = 0.1
FADE = 80  # samples over which a piece of a clip begins and ends, so that no click is heard
FLOOR = 1e-4


class Batch(NamedTuple):
    """Clips as pieces of the corpora's one long array: what the GPU needs to make their sound.

    Attributes:
        pieces: (P, 4) int64: row, first sample in the row before it is played at another speed, first sample in the
            array, number of samples.
        joined: (P,) bool: the piece is faded in and out.
        speeds: (B,) float32. lengths: (B,) int64, samples before. size: samples of a row behind.
        synthetic: (B,) bool.
        labels: all rows' ids, one after the other; counts: (B,) of each row.
    """

    pieces: np.ndarray
    joined: np.ndarray
    speeds: np.ndarray
    lengths: np.ndarray
    size: int
    synthetic: np.ndarray
    labels: np.ndarray
    counts: np.ndarray


def draw_round(corpora: list[Corpus], seed: int, number: int, seconds: float) -> list[Batch]:
    """A round's batches of so many seconds, in random order."""
    rng, rows, offset = random.Random(f"{seed} {number}"), [], 0
    for which, corpus in enumerate(corpora):
        synthetic, clips = not corpus.speakers[0], []
        for share in sorted({SHARES[name] for name in corpus.names}):
            numbers = [i for i, name in enumerate(corpus.names) if SHARES[name] == share]
            # In the rounds that make up one pass, each clip once.
            rounds = round(1 / share)
            random.Random(f"{seed} {which} {share} {number // rounds}").shuffle(numbers)
            clips += cut_and_joined(rng, corpus, numbers[number % rounds :: rounds], SPLICED)
        if not synthetic:
            clips += single_words(rng, corpus, WORDS)
        for parts in clips:
            apart = len(parts) > 1 and all(" " not in part.text for part in parts)
            position = round(rng.uniform(0, 0.25) * SAMPLING_RATE) if rng.random() < 0.3 else 0
            pieces = []
            for part in parts:
                pieces.append((position, part.start + offset, part.stop - part.start, len(parts) > 1))
                position += part.stop - part.start
                if apart or rng.random() < 0.2:
                    position += round(rng.uniform(0.1, 0.6) * SAMPLING_RATE)
            speed = rng.uniform(*SPEEDS)
            ids = [IDS[letter] for letter in " ".join(part.text for part in parts)]
            repeats = sum(a == b for a, b in itertools.pairwise(ids))
            if position / speed / 320 > len(ids) + repeats + 4:  # else CTC has no path through so few frames
                rows.append((position / speed, pieces, speed, position, synthetic, ids))
        offset += corpus.starts[-1]
    rows.sort(key=lambda row: row[0])
    groups = [[]]
    for row in rows:
        if groups[-1] and (len(groups[-1]) + 1) * padded(row[0]) > seconds * SAMPLING_RATE:
            groups.append([])
        groups[-1].append(row)
    rng.shuffle(groups)
    return [_batch(group) for group in groups]


def padded(num_samples: float) -> int:
    """How long a row is whose clip has so many samples, and some quiet behind them."""
    return -(-int(num_samples + 800) // STEP) * STEP


def _batch(rows) -> Batch:
    pieces = [(i, *piece) for i, row in enumerate(rows) for piece in row[1]]
    return Batch(
        np.array([piece[:4] for piece in pieces], np.int64), np.array([piece[4] for piece in pieces]),
        np.array([row[2] for row in rows], np.float32), np.array([row[3] for row in rows], np.int64),
        padded(max(row[0] for row in rows)), np.array([row[4] for row in rows]),
        np.array([number for row in rows for number in row[5]], np.int64),
        np.array([len(row[5]) for row in rows], np.int64),
    )  # fmt: skip


def _draw_for_ever(paths: list[Path], seed: int, first: int, every: int, seconds: float, queue) -> None:
    corpora = [Corpus.read(path) for path in paths]
    for number in itertools.count(first, every):
        for batch in draw_round(corpora, seed, number, seconds):
            queue.put(batch)


# What follows makes a batch's sound. All draws are the GPU's.


def uniform(rows: int, low: float, high: float, device, columns: int = 1) -> torch.Tensor:
    return low + (high - low) * torch.rand(rows, columns, device=device)


def chance(rows: int, share, device) -> torch.Tensor:
    return torch.rand(rows, 1, device=device) < share


def assemble(samples: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The rows at their own speed, (B, longest) float32, with faint noise where nothing is said."""
    device = samples.device
    pieces = torch.from_numpy(batch.pieces).to(device)
    row, start, source, length = pieces.unbind(1)
    longest = int(batch.lengths.max()) + 64
    first = length.cumsum(0) - length
    total = int(batch.pieces[:, 3].sum())
    piece = torch.repeat_interleave(torch.arange(len(length), device=device), length, output_size=total)
    within = torch.arange(total, device=device) - first[piece]
    sound = samples[source[piece] + within].float() / 32_768
    joined = torch.from_numpy(batch.joined).to(device)[piece]
    fade = torch.minimum(within + 1, length[piece] - within).clamp(max=FADE) / FADE
    sound = torch.where(joined, sound * fade, sound)
    level = 10 ** uniform(len(batch.speeds), -4.5, -3, device)
    rows = torch.randn(len(batch.speeds), longest, device=device) * level
    rows.view(-1)[row[piece] * longest + start[piece] + within] = sound
    return rows


def play(rows: torch.Tensor, speeds: torch.Tensor, lengths: torch.Tensor, size: int) -> torch.Tensor:
    """At other speeds: (B, size), by a windowed sinc of 16 taps, with zeros behind each row."""
    place = torch.arange(size, device=rows.device)[None] * speeds[:, None]  # (B, size) in samples of `rows`
    below = place.floor()
    cutoff = (0.95 / speeds).clamp(max=0.95)[:, None]
    out = torch.zeros_like(place)
    for taps in torch.arange(-7, 9, device=rows.device).view(4, 4, 1, 1):
        index = below + taps  # (4, B, size)
        distance = place - index
        weight = cutoff * torch.sinc(cutoff * distance) * (0.5 + 0.5 * torch.cos(math.pi * distance / 8.5))
        weight *= (index >= 0) & (index < lengths[:, None])
        index = index.clamp_(0, rows.shape[1] - 1).long()
        out += (weight * torch.gather(rows.expand(4, -1, -1), 2, index)).sum(0)
    return out


def interpolated(x: torch.Tensor, marks: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """`np.interp` row by row: x (N,) between marks (B, M), ascending in each row, with values (B, M); (B, N)."""
    x = x.expand(len(marks), -1).contiguous()
    high = torch.searchsorted(marks.contiguous(), x).clamp(1, marks.shape[1] - 1)
    low_mark, high_mark = marks.gather(1, high - 1), marks.gather(1, high)
    share = ((x - low_mark) / (high_mark - low_mark)).clamp(0, 1)
    return values.gather(1, high - 1) * (1 - share) + values.gather(1, high) * share


def move_formants(sound: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    """`speech.move_formants` for a batch, (B, T); limit (B, 1)."""
    size, hop, device = 512, 256, sound.device
    window = torch.hann_window(size, device=device).sqrt()
    spectrum = torch.stft(sound, size, hop, window=window, return_complex=True, center=True, pad_mode="constant")
    logs = (spectrum.abs() + 1e-4).log()  # (B, 257, F)
    cepstrum = torch.fft.irfft(logs, dim=1)
    quick = round(SAMPLING_RATE * 0.002)
    cepstrum[:, quick : size - quick + 1] = 0
    envelope = torch.fft.rfft(cepstrum, dim=1).real
    marks = torch.tensor([0.0, 600, 1_500, 2_500, 3_500, SAMPLING_RATE / 2], device=device)
    draws = 1 + limit * uniform(len(sound), -1, 1, device, 4)
    edge = torch.ones(len(sound), 1, device=device)
    moved = marks * torch.cat([edge, draws, edge], 1)  # (B, 6), each ascending
    frequency = torch.linspace(0, SAMPLING_RATE / 2, size // 2 + 1, device=device)
    came_from = interpolated(frequency, moved, marks.expand_as(moved)) / (SAMPLING_RATE / size)  # (B, 257) in bins
    below = came_from.long().clamp(max=size // 2 - 1)
    share = (came_from - below)[:, :, None]
    index = below[:, :, None].expand_as(envelope)
    target = envelope.gather(1, index) * (1 - share) + envelope.gather(1, index + 1) * share
    spectrum = spectrum * (target - envelope).clamp(-3.5, 3.5).exp()
    return torch.istft(spectrum, size, hop, window=window, length=sound.shape[1])


def mu_law(sound: torch.Tensor) -> torch.Tensor:
    code = (sound.sign() * torch.log1p(255 * sound.abs()) / math.log(256) * 127).round() / 127
    return code.sign() * torch.expm1(code.abs() * math.log(256)) / 255


def disturb(sound: torch.Tensor, plain: torch.Tensor, telephone: torch.Tensor) -> torch.Tensor:
    """Another room, distance, microphone, line and noise: (B, T) in and out.

    Args:
        plain: (B, 1), how likely it is that a row is left as it is, or loses what lies above a telephone's band.
        telephone: (B, 1), how likely it goes down a telephone line otherwise: 300 to 3,400 Hz, 8-bit mu-law.
    """
    rows, length = sound.shape
    device = sound.device
    size = length + 2 * STEP
    frequency = torch.fft.rfftfreq(size, 1 / SAMPLING_RATE, device=device)
    logs = frequency.clamp(min=1).log()
    left = chance(rows, plain, device)
    # Mouth and microphone: seven gains of up to 8 dB either way.
    limit = uniform(rows, 0, 8, device)
    bands = torch.logspace(math.log10(150), math.log10(7_000), 7, device=device).log()
    decibels = interpolated(logs, bands.expand(rows, -1), limit * uniform(rows, -1, 1, device, 7))  # (B, N)
    response = 10 ** (decibels.masked_fill(left, 0) / 20)
    by_telephone = chance(rows, telephone, device) & ~left
    low, high = uniform(rows, 150, 330, device), uniform(rows, 3_000, 3_800, device)
    line = 1 / torch.sqrt(1 + (low / frequency.clamp(min=1)) ** 8) / torch.sqrt(1 + (frequency / high) ** 24)
    response = torch.where(by_telephone, response * line, response)
    narrow = chance(rows, torch.where(left, 0.3, 0.2), device) & ~by_telephone
    edge = torch.where(left, torch.full_like(low, 3_950), uniform(rows, 3_400, 7_500, device))
    response = torch.where(narrow, response / torch.sqrt(1 + (frequency / edge) ** 24), response)
    # Frequency masks: up to two bands are missing.
    for _ in range(2):
        from_, wide = uniform(rows, 0, 2_800, device), uniform(rows, 0, 350, device)  # mel
        mel = 2_595 * torch.log10(1 + frequency / 700)
        missing = (mel > from_) & (mel < from_ + wide) & chance(rows, 0.5, device)
        response = torch.where(missing, response * 0.03, response)
    # A room: direct sound, then an echo that dies away.
    tail = round(SAMPLING_RATE * 0.35)
    time_ = torch.arange(tail, device=device) / SAMPLING_RATE
    echo = torch.randn(rows, tail, device=device) * 10 ** (-3 * time_ / uniform(rows, 0.1, 0.5, device))
    echo[:, 0] = 0
    echo *= 10 ** (uniform(rows, -20, -3, device) / 20) / echo.norm(dim=1, keepdim=True)
    echo *= chance(rows, 0.2, device) & ~left
    echo[:, 0] = 1
    spectrum = torch.fft.rfft(sound, size) * response * torch.fft.rfft(echo, size)
    snr = uniform(rows, 10, 60, device)
    noisy = (snr < 45) & ~left
    colour = (frequency.clamp(min=60) / 1_000) ** uniform(rows, -1, 0.1, device)
    colour = torch.where(by_telephone, colour * ((frequency > 200) & (frequency < 3_600)), colour)
    noise = torch.randn(*spectrum.shape, dtype=torch.complex64, device=device) * colour
    gain = spectrum.norm(dim=1, keepdim=True) / noise.norm(dim=1, keepdim=True) * 10 ** (-snr / 20) * noisy
    spectrum = spectrum + noise * gain
    sound = torch.fft.irfft(spectrum, size)[:, :length]
    # Somebody else speaks in the background.
    babble = chance(rows, 0.1, device) & ~left
    sound = sound / (sound.square().mean(1, keepdim=True).sqrt() + FLOOR)
    sound = sound + babble * 10 ** (-uniform(rows, 8, 25, device) / 20) * sound.roll(1, 0)
    sound = sound / (sound.square().mean(1, keepdim=True).sqrt() + FLOOR) * 10 ** (uniform(rows, -38, -18, device) / 20)
    if by_telephone.any():
        heard = torch.fft.rfft(mu_law(sound.clamp(-1, 1)), length)
        frequency = torch.fft.rfftfreq(length, 1 / SAMPLING_RATE, device=device)
        sound = torch.where(by_telephone, torch.fft.irfft(heard * (frequency < 3_950), length), sound)
    return sound


def time_mask(rows: int, frames: int, device) -> torch.Tensor:
    """(B, T, 1): 0 for a span of up to `MASKED` seconds in each second, else 1."""
    number = frames // 50 + 1
    start = torch.randint(frames, (rows, number, 1), device=device)
    length = torch.randint(round(50 * MASKED) + 1, (rows, number, 1), device=device)
    place = torch.arange(frames, device=device)
    return ~((place >= start) & (place < start + length)).any(1)[:, :, None]


def new_model():
    """A Wav2Vec2ForCTC of 7.7 million parameters, shaped like wav2vec2-base in small."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(
        vocab_size=32, hidden_size=256, num_hidden_layers=8, num_attention_heads=4, intermediate_size=1_280,
        conv_dim=(32, 48, 64, 96, 128, 160, 192), num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=16,
        hidden_dropout=DROPOUT, attention_dropout=DROPOUT, activation_dropout=DROPOUT, feat_proj_dropout=0.0,
        final_dropout=0.0, layerdrop=0.0, mask_time_prob=0.0, ctc_loss_reduction="mean", ctc_zero_infinity=True,
    )  # fmt: skip
    return Wav2Vec2ForCTC._from_config(config, attn_implementation="sdpa")


def convolved(model, values: torch.Tensor) -> torch.Tensor:
    """What the model's convolutions make of (B, T), as (B, T', C): the same sums as products of matrices."""
    hidden = values[:, :, None].bfloat16()
    for number, layer in enumerate(model.wav2vec2.feature_extractor.conv_layers):
        weight = layer.conv.weight  # (out, in, kernel)
        kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
        hidden = F.linear(hidden.unfold(1, kernel, stride).flatten(2), weight.flatten(1))
        if number == 0:
            norm = layer.layer_norm
            variance, mean = torch.var_mean(hidden.float(), 1, correction=0, keepdim=True)  # (B, 1, C)
            scale = norm.weight.float() * torch.rsqrt(variance + norm.eps)
            hidden = torch.addcmul((norm.bias.float() - mean * scale).bfloat16(), hidden, scale.bfloat16())
        hidden = F.gelu(hidden)
    return hidden


def losses(model, values: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor, consistency: float):
    """Of a batch that is there twice, (2B, T): the loss, and for the log its two parts for each character.

    The rows' first half and the second are the same clips. All frames count, those behind a clip's end too.
    """
    rows = len(values)
    hidden, _ = model.wav2vec2.feature_projection(convolved(model, values))
    hidden = hidden * time_mask(rows, hidden.shape[1], values.device)
    encoder, states = model.wav2vec2.encoder, []
    hidden = encoder.dropout(encoder.layer_norm(hidden + encoder.pos_conv_embed(hidden)))
    for layer in encoder.layers:
        hidden = layer(hidden)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        states.append(hidden)
    logits = model.lm_head(torch.cat([states[-1], *(states[number - 1] for number in INTERMEDIATE)]))
    log_probs = logits.float().log_softmax(-1)  # (3 * 2B, T', V)
    copies = 2 * (1 + len(INTERMEDIATE))
    each = F.ctc_loss(
        log_probs.transpose(0, 1), labels.repeat(copies), torch.full((len(log_probs),), log_probs.shape[1]),
        counts.repeat(copies), blank=0, reduction="none", zero_infinity=True,
    ).view(-1, rows).sum(1)  # fmt: skip
    first, second = log_probs[: rows // 2], log_probs[rows // 2 : rows]
    apart = F.kl_div(first, second.detach(), reduction="sum", log_target=True)
    apart = apart + F.kl_div(second, first.detach(), reduction="sum", log_target=True)
    characters = 2 * counts.sum().item()
    inner = sum(INTERMEDIATE.values())
    ctc = (1 - inner) * each[0] + sum(share * each[1 + i] for i, share in enumerate(INTERMEDIATE.values()))
    return (ctc + consistency * apart) / characters, (each[0] / characters).detach(), (apart / characters).detach()


class Optimizers:
    """Muon for the matrices of the transformer, all of one shape at once, and AdamW for all else."""

    def __init__(self, model, weight_decay: float = 0.05):
        shapes, rest = {}, []
        for name, parameter in model.named_parameters():
            matrix = parameter.ndim == 2 and ".encoder.layers." in name
            (shapes.setdefault(tuple(parameter.shape), []) if matrix else rest).append(parameter)
        self.matrices = [(group, torch.zeros(len(group), *shape, device=group[0].device))
                         for shape, group in shapes.items()]  # fmt: skip
        self.adamw = torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.weight_decay = weight_decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for group in self.adamw.param_groups:
            group["lr"] = rate
        self.adamw.step()
        for parameters, momentum in self.matrices:
            gradients = torch.stack([parameter.grad for parameter in parameters])
            momentum.lerp_(gradients, 0.05)
            update = orthogonal(gradients.lerp(momentum, 0.95))
            update *= 0.2 * math.sqrt(max(update.shape[1:]))
            torch._foreach_mul_(parameters, 1 - rate * self.weight_decay)
            torch._foreach_add_(parameters, list(update.unbind()), alpha=-rate)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Newton and Schulz's iteration: (N, R, C), each with its singular values moved towards 1."""
    x = matrices.bfloat16()
    turned = x.shape[1] > x.shape[2]
    x = x.mT if turned else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if turned else x).float()


def processor():
    """wav2vec2-base's own vocabulary and feature extraction."""
    import tempfile

    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.json"
        path.write_text(json.dumps({token: index for index, token in enumerate(TOKENS)}))
        tokenizer = Wav2Vec2CTCTokenizer(str(path), do_lower_case=False)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=SAMPLING_RATE, return_attention_mask=False, do_normalize=True)
    return Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer)


def save_half(model, folder: Path) -> None:
    """Saves a model with its weights in half precision, to be computed with in full: its config says float32."""
    model.half().cpu().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def error_rates(model, development: dict[str, list[tuple[np.ndarray, str]]]) -> dict[str, tuple[float, float]]:
    """WER and CER by name of single clips, as they are transcribed; the synthetic ones by telephone."""
    import jiwer

    tools, rates = processor(), {}
    model.float().cpu().eval()
    for name, clips in development.items():
        hypotheses = []
        for number, (waveform, _) in enumerate(clips):
            sound = torch.from_numpy(waveform / np.float32(32_768))[None]
            if name == "synthetic":
                torch.manual_seed(number)
                sound = disturb(sound, torch.zeros(1, 1), torch.ones(1, 1))
            with torch.no_grad():
                hypotheses += tools.batch_decode(model(normalised(sound)).logits.argmax(-1))
        references = [text for _, text in clips]
        rates[name] = jiwer.wer(references, hypotheses), jiwer.cer(references, hypotheses)
    return rates


def normalised(sound: torch.Tensor) -> torch.Tensor:
    return (sound - sound.mean(1, keepdim=True)) / (sound.std(1, keepdim=True) + 1e-5)


CARD = """---
library_name: transformers
license: apache-2.0
language: en
tags:
- wav2vec2
---

# The demo checkpoint

A small Wav2Vec2 encoder ({parameters:,} parameters, half-precision weights) without a CTC head, and its processor:
`facebook/wav2vec2-base` in small, so that fine-tuning it means what it means there. It has heard people reading
English and synthetic English speech, from near and far, by telephone and by microphone. It is for learning and for
small tasks of one's own; it is far from what a large recogniser hears.

`tools/train_checkpoint.py` trained it on one {device}:

{runs}

## People it has heard

{people_hours:.1f} hours:

| corpus | clips | speakers | licence and attribution |
|---|---|---|---|
{sources}

The validation people, by whom the recipe was chosen, and the test people speak nowhere in it.

## Synthetic voices it has heard

{num_synthetic:,} clips, {synthetic_hours:.1f} hours:

- **Sentences**: grammars of everyday English and of calls to a bank (`tools/pretraining_sentences.py`); one clip in
  eight is single words, mostly digits.
- **Voices**: {variants} espeak-ng variants in 9 accents for a third of the clips; for the others, {plain} variants and
  speakers made up for one clip each, every formant moved by itself (`made_up_variant` in `tools/speech.py`); flite's
  slt, awb, kal and kal16 for a quarter to two thirds of the clips, with other pitches and, in the last third, other
  formants. 120 to 195 words a minute. Every clip is resampled by a factor of 0.84 to 1.22.

It has heard no sentence of the demo corpus and none of its six held-out voices ({held_out}).
`tests/test_corpus.py` draws everything it heard from the seed, and looks. The voices and sentences were chosen for
checkpoints before this one, after their error rates on the demo corpus's test voices were known and by someone who had
read that corpus: the test voices are unheard, and not unseen by whoever chose the speech.

## Training

{steps:,} steps on {seconds:.0f} s of padded audio, {hours:,.0f} hours together, each clip of a step twice, in two
disturbed views: {passes_books:.0f} passes over the books, {passes_others:.0f} over the other people's clips and
{passes_synthetic:.0f} over the synthetic ones.

- **Cut at words**: {spliced:.0%} of people's clips are cut at words into parts of 0.6 to 4 s, and each speaker's parts
  are put together anew; most of those longer than 9 s are parted at words. {words} clips in a round of about 4,000 are
  single words, cut out of sentences, with pauses between: mostly digits. The recogniser before this one found where
  the words lie; any that hears the people will do (`--aligner`).
- **Disturbance**: {speeds[0]} to {speeds[1]} times the speed; formants moved by up to {formants:.0%} for six in ten; an
  equaliser of up to 8 dB either way; up to two bands missing; a room, with an echo, for one in five; rumble or hiss at
  10 dB and more for most; another voice in the background for one in ten; a telephone line for six in ten synthetic
  clips and for three in ten of people's. {plain_share:.0%} of people's clips keep their room, line and noise, three in
  ten of these without what lies above 4 kHz.
- **Loss**: CTC on wav2vec2-base's 32 characters, at the output and, for {inner:.0%} of the loss, at layers {layers};
  the divergence of the two views from each other, times {consistency}. Spans of up to {masked} s are masked in each
  second, {dropout:.0%} of the channels are dropped.
- **Optimizers**: Muon for the transformer's matrices, AdamW for all else, at one rate. In each run it rises for
  {warmup} steps and then falls with the clock to 0. Arithmetic in bfloat16. What is kept is the moving average of the
  weights.

Each run was made once, with one seed.

## Its own numbers

With the CTC head it was trained with, greedy decoding, no language model: {num_people} clips of each corpus's
validation people, and {num_voices} clips of four synthetic voices that it never heard, by telephone:

| clips | WER | CER |
|---|---|---|
{table}

After fine-tuning with a fresh head on the demo corpus: notebook 05. The recogniser in `fine_tuned/` has a head, and
its card has numbers on people's test clips.
"""

ATTRIBUTION = {
    "LibriSpeech dev-clean": "CC BY 4.0; V. Panayotov, G. Chen, D. Povey, S. Khudanpur, 2015",
    "LibriSpeech train-clean-100": "CC BY 4.0; the same",
    "LJSpeech": "public domain; K. Ito, L. Johnson, 2017",
    "dataset-voice-kathleen": "CC0 1.0; US English, ARCTIC prompts",
    "speechocean762": "free for commercial and non-commercial use; J. Zhang and others, 2021, arXiv 2104.01378",
}


def card(record: dict) -> str:
    """The model card, from training.json's content."""
    steps, hours, rounds = (sum(run[key] for run in record["runs"]) for key in ("steps", "hours", "rounds"))
    starts, last = ("From nothing", *["From there"] * (len(record["runs"]) - 1)), record["runs"][-1]
    runs = (
        f"{number}. {start}, {run['train_seconds'] / 60:.0f} minutes, a rate of up to {run['rate']}, seed {run['seed']}"
        for number, (start, run) in enumerate(zip(starts, record["runs"], strict=True), 1)
    )
    return CARD.format(
        **record | {"runs": "\n".join(runs)}, device=last["device"], seconds=last["seconds"],
        steps=steps, hours=hours, num_synthetic=len(SYNTHETIC), variants=len(VARIANTS),
        plain=len(PLAIN_VARIANTS), held_out=", ".join(voice.name for voice in HELD_OUT_VOICES),
        passes_books=rounds * SHARES["LJSpeech"], passes_others=rounds * SHARES["speechocean762"],
        passes_synthetic=rounds * SHARES["synthetic"], spliced=SPLICED, words=WORDS, speeds=SPEEDS,
        formants=FORMANTS, plain_share=PLAIN, inner=sum(INTERMEDIATE.values()),
        layers=" and ".join(map(str, INTERMEDIATE)), consistency=CONSISTENCY, masked=MASKED, dropout=DROPOUT,
        warmup=WARMUP,
        sources="\n".join(
            f"| {name} | {clips:,} | {speakers} | {ATTRIBUTION[name]} |"
            for name, (clips, speakers) in record["people"].items()
        ),
        table="\n".join(f"| {name} | {wer:.3f} | {cer:.3f} |" for name, (wer, cer) in record["validation"].items()),
    )  # fmt: skip


def train(corpora: list[Corpus], args: argparse.Namespace):
    """The model, with the average of its weights, and what is known of its training."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(maxsize=200)
    paths, workers = [corpus.path for corpus in corpora], max(1, min(5, (os.cpu_count() or 1) // 3))
    for worker in range(workers):
        context.Process(
            target=_draw_for_ever, args=(paths, args.seed, worker, workers, args.seconds, queue), daemon=True
        ).start()
    samples = torch.from_numpy(np.concatenate([corpus.samples() for corpus in corpora])).to(device)

    # The model computes in bfloat16; its weights are kept and trained in full precision beside it.
    exact = new_model()
    if args.start:
        exact.load_state_dict(load_file(args.start / "model.safetensors"))
    exact = exact.to(device).train()
    mean, model = copy.deepcopy(exact).requires_grad_(False), copy.deepcopy(exact).bfloat16()
    optimizer = Optimizers(exact)
    parameters, averaged, rounded = (list(one.parameters()) for one in (exact, mean, model))
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters]

    log, sums, steps, seconds = [], torch.zeros(3, device=device), 0, 0.0
    batch = queue.get()
    started = time.perf_counter()
    while (elapsed := (time.perf_counter() - started) / (60 * args.minutes)) < 1:
        rows = len(batch.speeds)
        with torch.no_grad():
            speeds, lengths = torch.from_numpy(batch.speeds).to(device), torch.from_numpy(batch.lengths).to(device)
            synthetic = torch.from_numpy(batch.synthetic).to(device)[:, None].repeat(2, 1)
            sound = play(assemble(samples, batch), speeds, lengths, batch.size).repeat(2, 1)
            limit = FORMANTS * torch.rand(2 * rows, 1, device=device) * chance(2 * rows, 0.6, device)
            plain = torch.where(synthetic, 0.0, PLAIN)
            telephone = torch.where(synthetic, TELEPHONE_SYNTHETIC, TELEPHONE)
            values = normalised(disturb(move_formants(sound, limit), plain, telephone))
        loss, ctc, apart = losses(
            model, values, torch.from_numpy(batch.labels).to(device), torch.from_numpy(batch.counts),
            CONSISTENCY * min(1.0, steps / 1_000),
        )  # fmt: skip
        loss.backward()
        with torch.no_grad():
            torch._foreach_copy_(gradients, [parameter.grad for parameter in rounded])
            norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
            optimizer.step(args.rate * min(1.0, (steps + 1) / WARMUP) * (1 - elapsed))
            torch._foreach_copy_(rounded, parameters)
            torch._foreach_lerp_(averaged, parameters, 1 - min(AVERAGE, (steps + 1) / (steps + 100)))
        for parameter in rounded:
            parameter.grad = None
        sums += torch.stack([ctc, apart, norm])
        steps += 1
        seconds += rows * batch.size / SAMPLING_RATE
        if steps % 500 == 0:
            shown = [round(value, 3) for value in (sums / 500).tolist()]
            sums.zero_()
            log.append({"step": steps, "hours": round(seconds / 3600, 1), "ctc": shown[0], "apart": shown[1]})
            print(f"{log[-1]}, gradient {shown[2]}, {elapsed:.0%}", flush=True)
            if not math.isfinite(shown[0]):
                raise SystemExit("The loss is no number any more: try another seed, or a lower RATE.")
        batch = queue.get()
    spent = time.perf_counter() - started
    name = torch.cuda.get_device_name() if device == "cuda" else f"computer's {os.cpu_count()} cores"
    return mean, {
        "seed": args.seed, "rate": args.rate, "seconds": args.seconds, "device": name, "steps": steps,
        "hours": seconds / 3600, "train_seconds": spent, "log": log,
    }  # fmt: skip


def sources(folder: Path, corpus: Corpus) -> dict[str, tuple[int, int]]:
    """Of each corpus, how many clips are trained on and how many speakers it has."""
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        speakers = {(row["corpus"], row["speaker"]) for row in csv.DictReader(file)}
    return {
        name: (corpus.names.count(name), sum(one == name for one, _ in speakers)) for name in sorted(set(corpus.names))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output-dir", type=Path, default=Path("asr_helpers/demo/checkpoint"))
    parser.add_argument("--aligner", type=Path, default=Path("asr_helpers/demo/fine_tuned"), help="finds the words")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seconds", type=float, default=360.0, help="of padded audio in a step")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--start", type=Path, help="a recogniser of an earlier run, to go on from")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    corpora, development = prepare(args.people, args.work, args.aligner)
    write(*train(corpora, args), corpora, development, args)


def write(model, run: dict, corpora: list[Corpus], development, args: argparse.Namespace) -> None:
    """Measures the model, and writes the recogniser to the work folder, its encoder and card to the output folder."""
    round_hours = sum(batch.size * len(batch.speeds) for batch in draw_round(corpora, run["seed"], 0, 360)) / 57.6e6
    earlier = json.loads((args.start / "training.json").read_text())["runs"] if args.start else []
    record = {
        "runs": [*earlier, run | {"rounds": run["hours"] / round_hours}],
        "parameters": sum(p.numel() for p in model.wav2vec2.parameters()),
        "people": sources(args.people / "train", corpora[0]),
        "people_hours": corpora[0].hours, "synthetic_hours": corpora[1].hours,
        "validation": error_rates(model, development),
        "num_people": len(next(iter(development.values()))), "num_voices": len(development["synthetic"]),
    }  # fmt: skip
    model.config.hidden_dropout = model.config.attention_dropout = model.config.activation_dropout = 0.0
    encoder = model.wav2vec2
    save_half(model, args.work / "recogniser")
    encoder.config.architectures = ["Wav2Vec2Model"]
    save_half(encoder, args.output_dir)
    for folder in (args.work / "recogniser", args.output_dir):
        processor().save_pretrained(folder)
        (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    (args.output_dir / "README.md").write_text(card(record))


if __name__ == "__main__":
    main()
