"""Trains the demo checkpoint on: from a recogniser of synthetic voices to one that hears people as well.

    python tools/train_on_people.py --people ../shared/real_speech/people --work /tmp/people
    python tools/train_on_people.py --people DIR --rounds 2 --work /tmp/try --output-dir /tmp/try/recogniser

`--people` is a folder in the audiofolder form (`train` and `validation`, each with a metadata.csv of `file_name`,
`transcription`, `speaker`, `corpus`). First every clip is decoded and the synthetic ones are spoken, once, into
`--work`. Then work goes in rounds. In each, clips are drawn, each one is given a speed, a room, a colour, a line and
a noise of its own, and the model trains on them. After each round the state is saved in `--work`; the same command
resumes there. Which clips, and how they sound, follows from the seed and the round alone. At the end `--work` holds
the recogniser, `--output-dir` its encoder with the card.
"""

import argparse
import copy
import csv
import json
import os
import random
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import splices
import train_checkpoint
from pretraining_sentences import LEXICON
from speech import TELEPHONE_RATE, move_formants, mu_law, synthesise, trim
from train_checkpoint import (
    DEVELOPMENT_VARIANTS,
    SAMPLING_RATE,
    batches,
    clip,
    collate,
    ctc_loss,
    finish_round,
    processor,
    replicas,
    save_half,
    step,
)

SEED = 20261124
# Each round draws this share of a corpus: books, which are what the validation people mostly read, twice as often. Of
# the synthetic clips it draws what its stage says.
SHARES = {
    "LibriSpeech dev-clean": 0.5,
    "LibriSpeech train-clean-100": 0.5,
    "LJSpeech": 0.5,
    "dataset-voice-kathleen": 0.25,
    "speechocean762": 0.25,
}


class Stage(NamedTuple):
    """Some rounds with one recipe.

    Attributes:
        rounds: how many.
        rates: of the optimizer at the first step and behind the last; in between in a line.
        warmup: steps in which the rate rises from 0, with a new optimizer; 0 goes on with the one that is there.
        plain: the share of people's clips that are heard as they were recorded, but for their speed.
        synthetic: the share of the synthetic clips that a round draws.
        frozen_from: from this round of the stage on the convolutions stay as they are: a step takes a sixth less.
        narrow: the share of clips not disturbed that are heard in a telephone's band, below 4 kHz.
        mixed: before the stage, `mix` takes this share of each weight from the recogniser that all began with.
        muon: train the transformer's matrices with Muon; False for AdamW alone. A stage that changes it has a warm-up.
        spliced: the share of people's clips that are cut at words and put together to new ones, each speaker's by
            themselves; what is left is cut where it is longer than 9 s. With 0 every clip is heard whole.
        words: how many clips of single words, cut out of people's sentences.
        intermediate_size: of the transformer; where it is larger than before, the model grows.
        speeds: how fast a clip is played, at the least and at the most.
        moved: the share of people's clips that get the formants of another mouth.
        spans: a span of up to the second so many seconds is masked, in each of the first so many.
        dropped: the share of channels that each clip is trained without, in every layer.
        averaged: before the stage, the weights are averaged with those after these rounds, by these shares
            (https://arxiv.org/abs/1803.05407).
    """

    rounds: int
    rates: tuple[float, float]
    warmup: int
    plain: float
    synthetic: float
    frozen_from: int
    muon: bool = True
    narrow: float = 0.0
    mixed: float = 0.0
    spliced: float = 0.0
    words: int = 0
    intermediate_size: int = 768
    speeds: tuple[float, float] = (0.89, 1.12)
    moved: float = 0.0
    spans: tuple[float, float] = (2.0, 0.2)
    dropped: float = 0.0
    averaged: tuple[tuple[int, float], ...] = ()


# Most of people's clips are heard as they were recorded. A model this small, given hours and not days, learns less from
# people when all of their clips are disturbed: 46 hours of sound gave what 22 gave with few disturbed. With AdamW alone
# the loss fell by 0.04 in a round; in the first round with Muon it fell by 0.21, when fewer clips were disturbed too.
STAGES = (
    Stage(4, (1e-3, 8.5e-4), 300, plain=0.6, synthetic=0.15, frozen_from=4, muon=False),
    Stage(2, (8e-4, 7.2e-4), 100, plain=0.7, synthetic=0.15, frozen_from=2),
    Stage(7, (7.2e-4, 4e-4), 0, plain=0.7, synthetic=0.15, frozen_from=4),
    Stage(12, (6e-4, 0.0), 0, plain=0.9, synthetic=0.12, frozen_from=0, narrow=0.3),
    Stage(3, (2.5e-4, 0.0), 60, plain=0.9, synthetic=0.25, frozen_from=3, narrow=0.3, mixed=0.3),
    # From here on more synthetic clips are drawn from, and a wider transformer hears parts of sentences.
    Stage(14, (3.2e-4, 1.4e-4), 60, plain=0.9, synthetic=0.12, frozen_from=0, narrow=0.3, spliced=0.4, words=400,
          intermediate_size=1_536, speeds=(0.87, 1.15)),
    Stage(6, (1.4e-4, 0.0), 0, plain=0.9, synthetic=0.12, frozen_from=0, narrow=0.3, spliced=0.15, words=300,
          intermediate_size=1_536),
    # By now the loss on people's clips had fallen for 12 rounds and the validation people's words were no better heard:
    # more is disturbed, masked and dropped.
    Stage(13, (3.2e-4, 1.8e-4), 60, plain=0.5, synthetic=0.12, frozen_from=0, narrow=0.3, spliced=0.4, words=400,
          intermediate_size=1_536, speeds=(0.85, 1.18), moved=0.5, spans=(1.0, 0.35), dropped=0.1,
          averaged=((28, 0.2), (36, 0.32))),
    Stage(7, (1.8e-4, 0.0), 0, plain=0.6, synthetic=0.16, frozen_from=0, narrow=0.3, spliced=0.3, words=400,
          intermediate_size=1_536, speeds=(0.87, 1.15), moved=0.4, spans=(1.0, 0.35), dropped=0.1),
)
# At the end, as before a stage.
AVERAGED = ((66, 0.15), (64, 0.2), (62, 0.15), (60, 0.1), (56, 0.1), (52, 0.1), (36, 0.08))
# Recipes from train_checkpoint.clip, after the last one that the synthetic checkpoint heard.
SYNTHETIC = range(77 * train_checkpoint.CLIPS_PER_ROUND, 77 * train_checkpoint.CLIPS_PER_ROUND + 14_000)
DIGITS = "zero one two three four five six seven eight nine oh".split()
LONGEST = 20.0  # s
FORMANTS = 0.1  # how far people's formants move, at the most, as a share of their frequency
SECONDS_PER_BATCH = 30  # of padded audio, on each core
# A clip whose words do not fit its sound, by the mean log-probability of their best path, is not cut.
FITS = -0.6


def stage_of(number: int) -> tuple[Stage, int]:
    """The stage of a round, and the round's number in it.

    >>> stage_of(4)[1]
    0
    """
    for stage in STAGES:
        if number < stage.rounds:
            return stage, number
        number -= stage.rounds
    raise ValueError(f"There are {sum(one.rounds for one in STAGES)} rounds.")


def words_one_by_one(rng: random.Random) -> list[str]:
    """What a person says word by word, with a pause after each: mostly digits."""
    digits = rng.random() < 0.7
    lexicon = DIGITS if digits else LEXICON
    return [rng.choice(lexicon) for _ in range(rng.randint(3, 8) if digits else rng.randint(2, 5))]


def speak(index: int, seed: int = train_checkpoint.SEED, **kwargs) -> tuple[np.ndarray, str]:
    """A synthetic clip before any line: (num_samples,) int16 at 16 kHz, and its text. One in eight is single words."""
    recipe, rng, chance = clip(seed, index, **kwargs), np.random.default_rng([seed, index]), random.Random(index)
    single = chance.random() < 1 / 8
    parts = words_one_by_one(chance) if single else [recipe.text]
    pieces = []
    for part in parts:
        waveform, rate = synthesise(part, recipe.voice)
        quiet = (rng.uniform(0.0, 0.15), rng.uniform(0.0, 0.15)) if single else rng.uniform(0.02, 0.5, 2)
        waveform = trim(waveform, rate, *quiet)
        pieces.append(soxr.resample(waveform, rate / recipe.stretch, SAMPLING_RATE, quality="MQ"))
    waveform = np.concatenate(pieces)
    if recipe.formants:
        waveform = move_formants(waveform, SAMPLING_RATE, rng, recipe.formants)
    return as_int16(0.9 * waveform / (np.abs(waveform).max() + 1e-6)), " ".join(parts)


def as_int16(waveform: np.ndarray) -> np.ndarray:
    return np.clip(waveform * 32_767, -32_768, 32_767).astype(np.int16)


@dataclass
class Corpus:
    """Clips in one long array, on disk: clip i is `samples[starts[i] : starts[i + 1]]`, int16 at 16 kHz.

    `cuts[i]` are the places at which its words begin in the array, and the one behind the last; empty where nobody
    looked, or the words do not fit.
    """

    path: Path
    starts: list[int]
    texts: list[str]
    names: list[str]
    speakers: list[str]
    cuts: list[list[int]]

    def __getitem__(self, number: int) -> np.ndarray:
        samples = np.load(self.path.with_suffix(".npy"), mmap_mode="r")
        return np.asarray(samples[self.starts[number] : self.starts[number + 1]])

    @classmethod
    def made(cls, path: Path, clips) -> "Corpus":
        """Reads it from `path`, or makes it there from clips (waveform, text, name of the corpus)."""
        if not path.with_suffix(".json").is_file():
            waveforms, texts, names, speakers = zip(*clips(), strict=True)
            np.save(path.with_suffix(".npy"), np.concatenate(waveforms))
            starts = np.cumsum([0, *map(len, waveforms)]).tolist()
            cls(path, starts, texts, names, speakers, [[]] * len(texts)).save()
        return cls(path, **json.loads(path.with_suffix(".json").read_text()))

    def save(self) -> None:
        """Writes all but the sound."""
        content = {key: value for key, value in vars(self).items() if key != "path"}
        self.path.with_suffix(".json").write_text(json.dumps(content))

    def find_cuts(self, recogniser: Path) -> None:
        """Finds each clip's words by a recogniser, in one process for each core."""
        start = partial(_load_aligner, recogniser, self.path)
        with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=start) as pool:
            self.cuts = list(pool.map(_cuts_of, range(len(self.texts)), chunksize=32))
        self.save()


def _load_aligner(recogniser: Path, path: Path) -> None:
    global ALIGNER
    import torch
    from transformers import AutoModelForCTC

    torch.set_num_threads(1)
    model = AutoModelForCTC.from_pretrained(recogniser, dtype=torch.float32).eval()
    ALIGNER = model, processor().tokenizer, Corpus(path, **json.loads(path.with_suffix(".json").read_text()))


def _cuts_of(number: int) -> list[int]:
    import torch

    from asr_helpers.alignment import align_tokens

    model, tokenizer, corpus = ALIGNER
    waveform, text = corpus[number], corpus.texts[number]
    values, labels = collate([(waveform, text)], tokenizer)
    with torch.no_grad():
        log_probs = model(values[:, : len(waveform)]).logits[0].log_softmax(-1).numpy()  # (T, V)
    spans, fit = align_tokens(log_probs, labels[0].tolist(), model.config.pad_token_id)
    places = splices.cuts(waveform, spans, text.split()) if fit > FITS else []
    return [corpus.starts[number] + place for place in places]


def people(folder: Path):
    """The clips of an audiofolder's split that can be written in capitals and apostrophes, without a number."""
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = " ".join(re.sub(r"[^A-Z' ]", " ", row["transcription"].upper().replace("’", "'")).split())
            waveform, rate = soundfile.read(folder / row["file_name"], dtype="float32")
            if re.search(r"\d", row["transcription"]) or not text or len(waveform) > LONGEST * rate:
                continue
            yield as_int16(soxr.resample(waveform, rate, SAMPLING_RATE)), text, row["corpus"], row["speaker"]


def sources(folder: Path, corpus: Corpus) -> dict[str, tuple[int, int]]:
    """Of each corpus, how many clips are trained on and how many speakers it has."""
    speakers = {}
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            speakers.setdefault(row["corpus"], set()).add(row["speaker"])
    return {name: (corpus.names.count(name), len(speakers[name])) for name in sorted(speakers)}


def heard(record: dict) -> tuple[set[str], set[str]]:
    """Every synthetic sentence and every synthetic voice's name that a checkpoint with this training.json has heard.

    Single words, which no sentence is made of, are left out.
    """
    first = record["first"]
    sentences, voices = train_checkpoint.heard(first["seed"], first["num_clips"])
    more = [clip(train_checkpoint.SEED, index) for index in SYNTHETIC]
    return sentences | {one.text for one in more}, voices | {one.voice.name for one in more}


def disturb(waveform: np.ndarray, rng: np.random.Generator, telephone: float, speeds=(0.89, 1.12)) -> np.ndarray:
    """Another speed, room, distance, microphone, line and noise: (num_samples,) int16 in and out.

    Args:
        telephone: how often it goes down a telephone line, 300 to 3,400 Hz in 8-bit mu-law at 8 kHz.
    """
    speed = rng.uniform(*speeds)
    sound = soxr.resample(waveform.astype(np.float32) / 32_768, SAMPLING_RATE, SAMPLING_RATE / speed, quality="LQ")
    num_samples = len(sound)
    tail = round(SAMPLING_RATE * 0.35)
    size = -(-(num_samples + tail) // 4_096) * 4_096  # a length whose Fourier transform is quick
    frequency = np.fft.rfftfreq(size, 1 / SAMPLING_RATE).astype(np.float32)
    # Mouth and microphone: six gains of up to some dB either way, and a tilt.
    limit = rng.uniform(0, 8)
    bands = np.geomspace(150, 7_000, 7)
    decibels = np.interp(np.log(np.maximum(frequency, 1)), np.log(bands), rng.uniform(-limit, limit, len(bands)))
    response = (10 ** (decibels / 20)).astype(np.float32)
    by_telephone = rng.random() < telephone
    if by_telephone:
        low, high = rng.uniform(150, 330), rng.uniform(3_000, 3_800)
        response /= np.sqrt(1 + np.float32(low) ** 8 / np.maximum(frequency, 1) ** 8)
        response /= np.sqrt(1 + (frequency / np.float32(high)) ** 24)
    elif rng.random() < 0.2:  # a recording that was once kept at a lower rate
        response /= np.sqrt(1 + (frequency / rng.uniform(3_400, 7_500)) ** 24)
    if rng.random() < 0.2:  # a room: direct sound, then an echo that dies away
        echo = rng.standard_normal(tail) * 10 ** (-3 * np.arange(tail) / SAMPLING_RATE / rng.uniform(0.1, 0.5))
        echo *= 10 ** (rng.uniform(-20, -3) / 20) / np.sqrt(np.sum(echo**2))
        echo[0] = 1
        response = response * np.fft.rfft(echo.astype(np.float32), size)
    spectrum = np.fft.rfft(sound, size) * response
    level = np.linalg.norm(spectrum)
    snr = rng.uniform(12, 60)
    if snr < 45:
        colour = (np.maximum(frequency, 60) / 1_000) ** np.float32(rng.uniform(-1, 0.1))  # from rumble to hiss
        if by_telephone:
            colour *= (frequency > 200) & (frequency < 3_600)
        noise = rng.standard_normal((len(frequency), 2), dtype=np.float32).view(np.complex64)[:, 0] * colour
        # The speech fills `num_samples` of the transform's `size`, the noise all of it.
        spectrum += noise * (level / np.linalg.norm(noise) * 10 ** (-snr / 20) * (size / num_samples) ** 0.5)
    sound = np.fft.irfft(spectrum, size)[:num_samples]
    sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    sound = sound * 10 ** (rng.uniform(-38, -18) / 20)
    if by_telephone:
        line = soxr.resample(sound.astype(np.float32), SAMPLING_RATE, TELEPHONE_RATE, quality="LQ")
        sound = soxr.resample(mu_law(np.clip(line, -1, 1)), TELEPHONE_RATE, SAMPLING_RATE, quality="LQ")
    return as_int16(sound)


class Task(NamedTuple):
    """A clip of a round: parts of a corpus, the seconds of quiet behind each, and how it is disturbed."""

    path: Path
    parts: list[splices.Part]
    gaps: list[float]
    stage: Stage
    synthetic: bool
    seed: tuple[int, ...]

    @property
    def text(self) -> str:
        return " ".join(part.text for part in self.parts)


def disturbed(task: Task) -> np.ndarray:
    rng, stage = np.random.default_rng(task.seed), task.stage
    waveform = splices.sound(np.load(task.path, mmap_mode="r"), task.parts, task.gaps, rng)
    if not task.synthetic and stage.moved and rng.random() < stage.moved:
        waveform = move_formants(waveform, SAMPLING_RATE, rng, FORMANTS)
    if not task.synthetic and rng.random() < stage.plain:
        rate = SAMPLING_RATE * rng.uniform(*stage.speeds)
        if rng.random() < stage.narrow:
            waveform = soxr.resample(waveform, SAMPLING_RATE, TELEPHONE_RATE, quality="LQ")
            rate *= TELEPHONE_RATE / SAMPLING_RATE
        return as_int16(soxr.resample(waveform, rate, SAMPLING_RATE, quality="LQ"))
    return disturb(as_int16(waveform), rng, 0.6 if task.synthetic else 0.35, stage.speeds)


def cut_and_joined(rng: random.Random, corpus: Corpus, numbers: list[int], stage: Stage) -> list[list[splices.Part]]:
    """Clips, some of them cut at words and put together anew, some parted because they are long, some whole."""
    clips, pools = [], {}
    for number in numbers:
        places, words = corpus.cuts[number], corpus.texts[number].split()
        whole = splices.Part(corpus.starts[number], corpus.starts[number + 1], corpus.texts[number])
        if not places or not stage.spliced:
            clips.append([whole])
        elif rng.random() < stage.spliced:
            pool = pools.setdefault(corpus.speakers[number], [])
            pool += splices.parts(rng, words, places, (0.6, 4.0))
        elif whole.stop - whole.start > 9 * SAMPLING_RATE and rng.random() < 0.75:
            clips += [[part] for part in splices.parts(rng, words, places, (3.0, 8.0))]
        else:
            clips.append([whole])
    for _, pool in sorted(pools.items()):
        clips += splices.joined(rng, pool, (2.5, 8.0))
    return clips


def single_words(rng: random.Random, corpus: Corpus, size: int) -> list[list[splices.Part]]:
    """So many clips of words that a person said somewhere in a sentence, mostly digits."""
    digits, others = {}, {}
    for number, places in enumerate(corpus.cuts):
        for place, word in enumerate(corpus.texts[number].split() if places else []):
            if places[place + 1] - places[place] > 0.15 * SAMPLING_RATE:
                kind = digits if word in {digit.upper() for digit in DIGITS} else others
                part = splices.Part(places[place], places[place + 1], word)
                kind.setdefault(corpus.speakers[number], []).append(part)
    digits, clips = {name: found for name, found in digits.items() if len(found) > 2}, []
    for _ in range(size):
        kind = digits if digits and rng.random() < 0.7 else others
        speaker = rng.choice(sorted(kind))  # each as often as another, however much they have said
        clips.append(rng.choices(kind[speaker], k=rng.randint(2, 7)))
    return clips


def start_round(pool: ProcessPoolExecutor, corpora: list[Corpus], seed: int, number: int):
    """Draws a round's clips and sets the pool to making them: the sounds as they come, and their texts."""
    rng, stage = random.Random(f"{seed} {number}"), stage_of(number)[0]
    shares = {**SHARES, "synthetic": stage.synthetic}
    tasks = []
    for which, corpus in enumerate(corpora):
        clips = []
        for share in sorted({shares[name] for name in corpus.names}):
            numbers = [i for i, name in enumerate(corpus.names) if shares[name] == share]
            # In the rounds that make up one pass, each clip once.
            rounds = round(1 / share)
            random.Random(f"{seed} {which} {share} {number // rounds}").shuffle(numbers)
            clips += cut_and_joined(rng, corpus, numbers[number % rounds :: rounds], stage)
        if corpus.speakers[0] and stage.words:
            clips += single_words(rng, corpus, stage.words)
        for i, parts in enumerate(clips):
            apart = len(parts) > 1 and all(" " not in part.text for part in parts)
            gaps = [rng.uniform(0.1, 0.6) if apart or rng.random() < 0.2 else 0.0 for _ in parts[1:]]
            synthetic, seeds = not corpus.speakers[0], (seed, number, which, i)
            tasks.append(Task(corpus.path.with_suffix(".npy"), parts, [*gaps, 0.0], stage, synthetic, seeds))
    rng.shuffle(tasks)
    return pool.map(disturbed, tasks, chunksize=16), [task.text for task in tasks]


def begin_round(pool: ProcessPoolExecutor, corpora: list[Corpus], args: argparse.Namespace, number: int, model):
    """`start_round`; where it is the first one that cuts people's clips, their words are looked for by the model."""
    if stage_of(number)[0].spliced and not any(corpora[0].cuts):
        save_half(copy.deepcopy(model), args.work / "aligner")
        corpora[0].find_cuts(args.work / "aligner")
    return start_round(pool, corpora, args.seed, number)


class Optimizers:
    """Muon for the matrices of the transformer, AdamW for all else; each thread steps a part of the matrices.

    Muon makes a matrix's steps orthogonal (https://kellerjordan.github.io/posts/muon/), here as large as AdamW's would
    be, so that one rate serves both.
    """

    def __init__(self, model, threads: ThreadPoolExecutor, muon: bool):
        import torch

        parts = os.cpu_count()

        named = list(model.named_parameters())
        matrices = [p for name, p in named if muon and p.ndim == 2 and ".encoder.layers." in name]
        chosen = {id(p) for p in matrices}
        self.all = [
            *(torch.optim.Muon(matrices[part::parts], weight_decay=0.01, adjust_lr_fn="match_rms_adamw", ns_steps=4)
              for part in range(parts if muon else 0)),
            torch.optim.AdamW([p for _, p in named if id(p) not in chosen], betas=(0.9, 0.98), weight_decay=0.01,
                              fused=True),
        ]  # fmt: skip
        self.param_groups = [group for optimizer in self.all for group in optimizer.param_groups]
        self.threads = threads

    def step(self) -> None:
        list(self.threads.map(lambda optimizer: optimizer.step(), self.all))

    def zero_grad(self) -> None:
        for optimizer in self.all:
            optimizer.zero_grad()

    def state_dict(self) -> list[dict]:
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: list[dict]) -> None:
        for optimizer, state in zip(self.all, states, strict=True):
            optimizer.load_state_dict(state)


def mix(model, start: Path, share: float) -> None:
    """Takes a share of each weight from another recogniser, which the model was trained on from.

    What was forgotten of its voices comes back, and what was learnt of people stays (WiSE-FT,
    https://arxiv.org/abs/2109.01903).
    """
    import torch
    from transformers import AutoModelForCTC

    average(model, [(AutoModelForCTC.from_pretrained(start, dtype=torch.float32).state_dict(), share)])


def average_rounds(model, work: Path, shares) -> None:
    """Averages the model's weights with those after some rounds, by shares."""
    import torch

    average(model, [(torch.load(work / f"round_{number}.pt", weights_only=True), share) for number, share in shares])


def average(model, others: list[tuple[dict, float]]) -> None:
    """Takes a share of each weight from each of some other states of the model, from before it grew as well."""
    import torch

    for name, weights in model.state_dict().items():
        mean = (1 - sum(share for _, share in others)) * weights
        for state, share in others:
            # Where the model has grown since, the other one has nothing to add: its new weights out are none.
            theirs = weights.clone() if "intermediate_dense" in name else torch.zeros_like(weights)
            theirs[tuple(map(slice, state[name].shape))] = state[name]
            mean += share * theirs
        weights.copy_(mean)


def grow(model, intermediate_size: int):
    """The same function with a wider transformer: what is new in each layer gets random weights in, and none out."""
    import torch
    from transformers import Wav2Vec2ForCTC

    config = copy.deepcopy(model.config)
    config.intermediate_size = intermediate_size
    wide = Wav2Vec2ForCTC._from_config(config, attn_implementation="eager")
    weights = wide.state_dict()
    for name, old in model.state_dict().items():
        new = torch.zeros_like(weights[name])
        if name.endswith("intermediate_dense.weight"):
            new.normal_(0, old.std())
        new[tuple(map(slice, old.shape))] = old
        weights[name] = new
    wide.load_state_dict(weights)
    return wide


def shaped(model, stage: Stage):
    """The model as a stage trains it: as wide, and each clip without a share of every layer's channels.

    All frames of a clip are without the same channels. On a CPU, ordinary dropout, with a draw for each frame and
    channel, takes as long as a quarter of the step.
    """
    model = grow(model, stage.intermediate_size)
    for layer in model.wav2vec2.encoder.layers if stage.dropped else ():
        for module in (layer.dropout, layer.feed_forward.intermediate_dropout):
            module.register_forward_hook(partial(_without_channels, stage.dropped))
    return model


def _without_channels(share: float, module, _, hidden):
    """A forward hook: (B, T, H) in and out."""
    import torch

    return torch.nn.functional.dropout1d(hidden.transpose(1, 2), share, module.training).transpose(1, 2)


def backward(model, clips, tokenizer, bf16: bool, frozen: bool, seed: int, share: float, spans):
    """The loss of a batch, its gradient times `share` added to the model's; and the seconds of sound."""
    import torch

    values, labels = collate(clips, tokenizer)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        with torch.set_grad_enabled(not frozen):
            features = model.wav2vec2.feature_extractor(values)  # (B, C, T)
        hidden, _ = model.wav2vec2.feature_projection(features.transpose(1, 2))  # (B, T, H)
        hidden = hidden * time_mask(hidden.shape, seed, spans)
        logits = model.lm_head(model.wav2vec2.encoder(hidden).last_hidden_state)  # (B, T, V)
    loss = ctc_loss(logits, labels, model.config.pad_token_id)
    (loss * share).backward()
    return loss.item(), values.numel() / SAMPLING_RATE


CARD = """---
library_name: transformers
license: apache-2.0
language: en
tags:
- wav2vec2
---

# The demo checkpoint

A small Wav2Vec2 encoder ({parameters:,} parameters, half-precision weights) without a CTC head, and its processor:
`facebook/wav2vec2-base` in small, so that fine-tuning it means what it means there. It has heard synthetic English
speech over a telephone line, and then people reading English and synthetic speech together, from near and far, by
telephone and by microphone. It is for learning and for small tasks of one's own; it is far from what a large
recogniser hears.

## People it has heard

{people_hours:.1f} hours, {passes}:

| corpus | clips | speakers | licence and attribution |
|---|---|---|---|
{sources}

The validation people, by whom the recipe was chosen, and the test people speak nowhere in it.

## First: synthetic voices

{synthetic}
## Then: people and synthetic voices

`tools/train_on_people.py`, seed {seed}, on {device} ({cores} cores), from the recogniser of the first part:

- **Speech**: {rounds} rounds, {audio_hours:.0f} hours of padded audio in {steps:,} steps. Each round draws half of the
  books' clips, a quarter of the other people's, and a share of {num_synthetic:,} synthetic clips ({synthetic_hours:.1f}
  hours, recipes {first_clip:,} to {last_clip:,} of the last stage above; one in eight is single words, mostly digits).
- **Cut at words**: from round {cut_from} on, some of people's clips are cut at words into parts of 0.6 to 4 s, and each
  speaker's parts are put together anew; most of those longer than 9 s are parted at words. Beside them come clips of
  single words, cut out of sentences, with pauses between: mostly digits. The weights of the round before found where
  the words lie.
- **Disturbance**: the table's speeds; an equaliser of up to 8 dB either way; a room, with an echo, for one clip in
  five; rumble or hiss at 12 dB and more for three in four; a telephone line for six in ten synthetic clips and for one
  in three of people's. It takes all synthetic clips, and people's but for a share, which is heard at another speed
  alone.
- **Training**: CTC, {train_hours:.1f} hours of work in {num_stages} stages. Muon trains the transformer's matrices,
  AdamW all else, and in the first stage everything. Before stage {mixed_stage} {mixed:.0%} of each weight is taken back
  from the recogniser of the first part: that brings back what was forgotten of synthetic voices. Before round
  {cut_from} the transformer's inner size grows, with new weights that change nothing at first. The weights are averaged
  with those after earlier rounds: {averaged}. Stages and averages were chosen one after the other, by the validation
  people and voices below. The table gives the transformer's inner size; how many of people's clips are plain, that is
  undisturbed, and how many of these are heard below 4 kHz; at which speeds; how many get the formants of another mouth;
  how long the masked spans may be; which share of each layer's channels a clip is trained without; how many clips are
  cut at words; which share of the synthetic clips a round draws; and from which round of the stage on the convolutions
  are kept as they are:

| rounds | rate | optimizers | size | plain | < 4 kHz | speeds | moved | masked | dropped | cut | synthetic | kept |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
{stages}

The script grew while these weights were made: before round {cut_from} each core took batches of 24 s, Muon took five
steps to make a matrix orthogonal, now four, and of the synthetic clips the first 7,000 were drawn from. The lengths of
stages, and so the fall of the rate, were replanned on the way.

## Its own numbers

With the CTC head it was trained with, greedy decoding, no language model, 60 clips of each corpus's validation people,
and 96 clips of four synthetic voices that it never heard, disturbed and by telephone:

| clips | WER | CER |
|---|---|---|
{table}

After fine-tuning with a fresh head on the demo corpus: notebook 05. The recogniser in `fine_tuned/` has a head, and
its card has numbers on people's test clips.
"""

# As the table of the card names them.
ATTRIBUTION = {
    "LibriSpeech dev-clean": "CC BY 4.0; V. Panayotov, G. Chen, D. Povey, S. Khudanpur, 2015",
    "LibriSpeech train-clean-100": "CC BY 4.0; the same",
    "LJSpeech": "public domain; K. Ito, L. Johnson, 2017",
    "dataset-voice-kathleen": "CC0 1.0; US English, ARCTIC prompts",
    "speechocean762": "free for commercial and non-commercial use; J. Zhang and others, 2021, arXiv 2104.01378",
}


def card(record: dict) -> str:
    """The model card, from training.json's content."""
    last = record["history"][-1]
    return CARD.format(
        **record, train_hours=record["train_seconds"] / 3600, num_stages=len(STAGES),
        mixed=max(one.mixed for one in STAGES),
        averaged="; ".join(
            f"{when} " + " and ".join(f"{share:.0%} from round {number}" for number, share in shares)
            for when, shares in [
                *((f"before stage {number}", one.averaged) for number, one in enumerate(STAGES, 1)),
                ("at the end", AVERAGED),
            ] if shares
        ),
        mixed_stage=1 + next(number for number, one in enumerate(STAGES) if one.mixed),
        cut_from=1 + sum(one.rounds for one in STAGES if not one.spliced),
        stages="\n".join(
            f"| {one.rounds} | {one.rates[0]:g} to {one.rates[1]:g} | {'Muon, AdamW' if one.muon else 'AdamW'} "
            f"| {one.intermediate_size:,} | {one.plain:.0%} | {one.narrow:.0%} | {one.speeds[0]} to {one.speeds[1]} "
            f"| {one.moved:.0%} | {one.spans[1]} s in {one.spans[0]:g} s | {one.dropped:.0%} "
            f"| {one.spliced:.0%} | {one.synthetic:.0%} "
            f"| {one.frozen_from + 1 if one.frozen_from < one.rounds else 'none'} |" for one in STAGES
        ),
        passes=f"the books {record['rounds'] // 2} times and the others {record['rounds'] // 4} times",
        num_synthetic=len(SYNTHETIC), first_clip=SYNTHETIC[0],
        last_clip=SYNTHETIC[-1], synthetic=train_checkpoint.said(train_checkpoint.RECIPE, record["first"]),
        sources="\n".join(
            f"| {name} | {clips:,} | {speakers} | {ATTRIBUTION[name]} |"
            for name, (clips, speakers) in record["people"].items()
        ),
        table="\n".join(
            f"| {name} | {last[f'wer, {name}']:.3f} | {last[f'cer, {name}']:.3f} |"
            for name in ("LibriSpeech dev-clean", "speechocean762", "synthetic, by telephone")
        ),
    )  # fmt: skip


def time_mask(shape, seed: int, spans: tuple[float, float]):
    """(B, T, 1): 0 for a span of up to the second so many seconds in each of the first so many, else 1.

    These are SpecAugment's time masks (https://arxiv.org/abs/1904.08779).
    """
    import torch

    rng = np.random.default_rng(seed)
    mask = torch.ones(*shape[:2], 1)
    for row in range(shape[0]):
        for _ in range(shape[1] // round(50 * spans[0]) + 1):
            start, length = rng.integers(shape[1]), rng.integers(round(50 * spans[1]) + 1)
            mask[row, start : start + length] = 0
    return mask


def error_rates(model, clips, tools, bf16: bool):
    """WER and CER of single clips, as they are transcribed."""
    import jiwer
    import torch

    from asr_helpers.models import onednn_disabled

    model.eval()
    hypotheses = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16), onednn_disabled(bf16):
        for clip in clips:
            values, _ = collate([clip], tools.tokenizer)
            values = values[:, : len(clip[0])]  # alone, and as long as it is
            hypotheses += tools.batch_decode(model(values).logits.argmax(-1))
    model.train()
    references = [text.upper() for _, text in clips]
    return jiwer.wer(references, hypotheses), jiwer.cer(references, hypotheses)


def spoken(pool: ProcessPoolExecutor, indices: range, **kwargs):
    """Synthetic clips for a corpus."""
    for waveform, text in pool.map(partial(speak, **kwargs), indices, chunksize=32):
        yield waveform, text, "synthetic", ""


def prepare(folder: Path, work: Path) -> tuple[list[Corpus], dict[str, list[tuple[np.ndarray, str]]]]:
    """What is trained on, people and synthetic voices, and by name the clips that the recipe is chosen by."""
    with ProcessPoolExecutor() as pool:
        corpora = [
            Corpus.made(work / "people", lambda: people(folder / "train")),
            Corpus.made(work / "synthetic", lambda: spoken(pool, SYNTHETIC)),
        ]
        validation = Corpus.made(work / "validation", lambda: people(folder / "validation"))
        unheard = Corpus.made(
            work / "new-voices",
            lambda: spoken(pool, range(96), seed=train_checkpoint.SEED + 2, variants=DEVELOPMENT_VARIANTS, flite=0.0),
        )
    rng = random.Random(0)
    development = {}
    for name in sorted(set(validation.names)):
        numbers = [i for i, one in enumerate(validation.names) if one == name and len(validation[i]) < 12 * 16_000]
        development[name] = [(validation[i], validation.texts[i]) for i in sorted(rng.sample(numbers, 60))]
    development["synthetic, by telephone"] = [
        (disturb(unheard[i], np.random.default_rng(i), telephone=1.0), unheard.texts[i]) for i in range(96)
    ]
    return corpora, development


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--start", type=Path, default=Path("asr_helpers/demo/fine_tuned"))
    parser.add_argument("--output-dir", type=Path, default=Path("asr_helpers/demo/checkpoint"))
    parser.add_argument("--work", type=Path, default=Path("outputs/people-training"))
    parser.add_argument("--rounds", type=int, default=sum(stage.rounds for stage in STAGES), help="stop after so many")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()

    import torch
    from transformers import AutoModelForCTC

    from asr_helpers.models import has_bf16

    args.work.mkdir(parents=True, exist_ok=True)
    tools, bf16 = processor(), has_bf16()

    corpora, development = prepare(args.people, args.work)
    print({corpus.path.name: (len(corpus.texts), corpus.starts[-1] / SAMPLING_RATE / 3600, Counter(corpus.names))
           for corpus in corpora}, flush=True)  # fmt: skip

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    # On a CPU, torch's fused attention takes a fifth longer than plain products.
    model = AutoModelForCTC.from_pretrained(args.start, dtype=torch.float32, attn_implementation="eager")
    threads = ThreadPoolExecutor(os.cpu_count())

    done = {"rounds": 0, "steps": 0, "warm": 0, "train_seconds": 0.0, "audio_hours": 0.0, "history": []}
    state_file = args.work / "state.pt"
    optimizer, models = Optimizers(model, threads, STAGES[0].muon), replicas(model)
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        done = state["done"]
        last = stage_of(done["rounds"] - 1)[0]
        model = shaped(model, last)
        model.load_state_dict(state["model"])
        optimizer, models = Optimizers(model, threads, last.muon), replicas(model)
        optimizer.load_state_dict(state["optimizer"])

    to_average = {number for shares in (AVERAGED, *(one.averaged for one in STAGES)) for number, _ in shares}
    workers = ProcessPoolExecutor(initializer=train_checkpoint._speak_politely)
    with workers as pool, threads:
        if done["rounds"] < args.rounds:
            coming = begin_round(pool, corpora, args, done["rounds"], model)
        while done["rounds"] < args.rounds:
            started = time.perf_counter()
            groups = batches(finish_round(coming), SECONDS_PER_BATCH)
            waited = time.perf_counter() - started
            if done["rounds"] + 1 < args.rounds:
                coming = begin_round(pool, corpora, args, done["rounds"] + 1, model)
            stage, here = stage_of(done["rounds"])
            if here == 0 and stage.warmup:
                model = shaped(model, stage)
                average_rounds(model, args.work, stage.averaged)
                optimizer, models = Optimizers(model, threads, stage.muon), replicas(model)
                done["warm"] = done["steps"] + stage.warmup
            if here == 0 and stage.mixed:
                mix(model, args.start, stage.mixed)
            frozen = here >= stage.frozen_from
            for replica in models:
                replica.train()
                replica.wav2vec2.feature_extractor.requires_grad_(not frozen)
            # Together go batches of neighbouring lengths: they take equally long, and no core waits for another.
            starts = range(0, len(groups) - len(models) + 1, len(models))
            order = random.Random(f"{args.seed} {done['rounds']} order").sample(starts, len(starts))
            losses, seconds = [], 0.0
            for position, first in enumerate(order):
                share = (here + position / len(order)) / stage.rounds
                rate = (1 - share) * stage.rates[0] + share * stage.rates[1]
                if done["steps"] < done["warm"]:
                    rate *= 1 - (done["warm"] - done["steps"] - 1) / stage.warmup
                for group in optimizer.param_groups:
                    group["lr"] = rate
                chosen = groups[first : first + len(models)]
                sizes = [sum(len(waveform) for waveform, _ in group) for group in chosen]
                results = list(threads.map(
                    backward, models, chosen, [tools.tokenizer] * len(models), [bf16] * len(models),
                    [frozen] * len(models), [done["steps"] * len(models) + rank for rank in range(len(models))],
                    [size / sum(sizes) for size in sizes], [stage.spans] * len(models),
                ))  # fmt: skip
                step(models, optimizer)
                done["steps"] += 1
                losses += [loss for loss, _ in results]
                seconds += sum(spent for _, spent in results)
            done["rounds"] += 1
            done["audio_hours"] += seconds / 3600
            entry = {"round": done["rounds"], "steps": done["steps"], "loss": float(np.mean(losses[-200:]))}
            trained = time.perf_counter() - started
            if done["rounds"] % 4 == 0 or done["rounds"] == args.rounds:
                for name, clips in development.items():
                    entry[f"wer, {name}"], entry[f"cer, {name}"] = error_rates(model, clips, tools, bf16)
            done["train_seconds"] += time.perf_counter() - started
            done["history"].append(entry)
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "done": done},
                       state_file.with_suffix(".partial"))  # fmt: skip
            os.replace(state_file.with_suffix(".partial"), state_file)
            if done["rounds"] in to_average:
                torch.save(model.state_dict(), args.work / f"round_{done['rounds']}.pt")
            shown = {key: round(value, 3) if isinstance(value, float) else value for key, value in entry.items()}
            print(f"{shown} hours {done['audio_hours']:.1f}, waited {waited:.0f} s, {seconds / trained:.0f} x real "
                  f"time, round {time.perf_counter() - started:.0f} s", flush=True)  # fmt: skip

    if done["rounds"] == sum(stage.rounds for stage in STAGES):
        average_rounds(model, args.work, AVERAGED)
        rates = {name: error_rates(model, clips, tools, bf16) for name, clips in development.items()}
        done["history"].append(
            {"round": done["rounds"], "averaged": dict(AVERAGED)}
            | {f"wer, {name}": wer for name, (wer, _) in rates.items()}
            | {f"cer, {name}": cer for name, (_, cer) in rates.items()}
        )
    first = Path(__file__).resolve().parent / "synthetic_training.json"
    parts = [np.diff(corpus.starts).sum().item() / SAMPLING_RATE / 3600 for corpus in corpora]
    record = {
        "seed": args.seed, "device": "cpu", "cores": os.cpu_count(),
        "parameters": sum(p.numel() for p in model.wav2vec2.parameters()),
        "people_hours": parts[0], "synthetic_hours": parts[1], "people": sources(args.people / "train", corpora[0]),
        "first": json.loads(first.read_text()), **done,
    }  # fmt: skip
    save_half(model, args.work / "recogniser")
    tools.save_pretrained(args.work / "recogniser")
    write_encoder(args.work / "recogniser", args.output_dir, record)


def write_encoder(recogniser: Path, output_dir: Path, record: dict) -> None:
    """Writes a recogniser's encoder, its processor, its card and training.json."""
    from transformers import AutoModelForCTC

    encoder = AutoModelForCTC.from_pretrained(recogniser).wav2vec2
    encoder.config.architectures = ["Wav2Vec2Model"]
    save_half(encoder, output_dir)
    processor().save_pretrained(output_dir)
    (output_dir / "README.md").write_text(card(record))
    (output_dir / "training.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
