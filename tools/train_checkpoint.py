"""Trains the demo checkpoint: a small Wav2Vec2 encoder that has heard many synthetic voices.

    python tools/train_checkpoint.py                     # hours on two CPU cores
    python tools/train_checkpoint.py --rounds 4 --work /tmp/try --output-dir /tmp/try/checkpoint
    python tools/train_checkpoint.py --rounds 90 --encoder asr_helpers/demo/checkpoint  # trains the published one on

Work goes in rounds. In each, every core makes fresh speech (new sentences, new
voices, new telephone lines), then the model trains on it twice. After each round the
state is saved in `--work`; the same command resumes there. What has been heard
follows from the seed and the number of clips alone: `heard(seed, num_clips)` lists it.
"""

import argparse
import copy
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pretraining_sentences import call, sentence
from speech import (
    HELD_OUT_VOICES,
    TELEPHONE_RATE,
    Voice,
    equalise,
    made_up_variant,
    move_formants,
    synthesise,
    telephone,
    trim,
)

SAMPLING_RATE = 16_000
CLIPS_PER_ROUND = 3_072
PASSES = 2
FINISHING_FROM = 12 * CLIPS_PER_ROUND
CALLS_FROM = 27 * CLIPS_PER_ROUND
WIDE_FROM = 39 * CLIPS_PER_ROUND
COLOURED_FROM = 52 * CLIPS_PER_ROUND
FLITE_FROM = 66 * CLIPS_PER_ROUND
DEVELOPMENT_CLIPS = range(FINISHING_FROM, FINISHING_FROM + 96)  # of other seeds
SECONDS_PER_BATCH = 24  # of padded audio; on a CPU each core takes a batch, and a step averages their gradients
# Batches are padded to 32, 64, 96 … frames: a few shapes that come again and again, which the
# CPU's convolutions run half again as fast as shapes that are always new.
FRAMES_STEP = 32
PEAK_RATE = 1.5e-3
WARMUP_STEPS = 300
# Training on from a published encoder: a fresh head catches up while the encoder stands still, then both go on.
HEAD_STEPS, HEAD_RATE, SECOND_PEAK_RATE = 150, 1e-2, 8e-4
SEED = 20261120

# espeak-ng 1.51's variants, without those of the demo corpus's test rows, without the ones below
# that measure progress here, and without "fast" and "Mr serious" (not voices, or not to be named on a command line).
DEVELOPMENT_VARIANTS = ("Alicia", "m6", "Mario", "boris")
VARIANTS = tuple(
    """Alex Andy Annie AnxiousAndy Demonic Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Michael Mike Nguyen
    RicishayMax RicishayMax2 RicishayMax3 Storm Tweaky UniRobot adam anika anikaRobot announcer antonio aunty belinda
    benjamin caleb croak david ed edward edward2 f1 f2 f3 f5 grandma grandpa gustave iven iven2 iven3 iven4 john
    kaukovalta klatt klatt2 klatt3 klatt4 klatt5 klatt6 linda m1 m2 m3 m4 m5 m8 marcelo max michel miguel norbert pablo
    paul pedro quincy rob robert robosoft robosoft2 robosoft3 robosoft4 robosoft5 robosoft6 robosoft7 robosoft8 sandro
    steph steph2 steph3 travis victor whisper whisperf zac""".split()
)
# Without those that are nobody's voice: whispers, robots, monsters.
ODD_VARIANTS = set(
    """Demonic Storm Tweaky UniRobot anikaRobot announcer AnxiousAndy croak kaukovalta klatt5 klatt6 robosoft robosoft2
    robosoft3 robosoft4 robosoft5 robosoft6 robosoft7 robosoft8 whisper whisperf zac""".split()
)
PLAIN_VARIANTS = tuple(variant for variant in VARIANTS if variant not in ODD_VARIANTS)
ACCENTS = ("en-us", "en-us", "en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan",
           "en-gb-x-gbcwmd", "en-029")  # fmt: skip
FLITE = {"slt": 170, "awb": 120, "kal": 105, "kal16": 105}  # voice: mean fundamental frequency, Hz


class Stage(NamedTuple):
    """What a stretch of the training is made of: ranges are drawn from evenly, lists element by element."""

    calls: float  # share of sentences from `call`
    bank: float  # of the others, share of `sentence`'s own that are spoken to a bank
    stretch: tuple[float, float]
    speed: tuple[float, float]  # words a minute
    flite: float  # share of clips
    flite_voices: tuple[str, ...]
    flite_pitch: tuple[float, float]  # times the voice's own
    made_up: float  # of espeak-ng's clips, share with a voice of its own
    variants: tuple[str, ...]  # of the others
    accents: tuple[str, ...]
    snr: float  # dB, up to 40
    colour: float = 0.0  # dB: the equaliser's gains, at most
    formants: float = 0.0  # of flite's clips: how far formants move, at most


STAGES = (
    Stage(0, 0, (0.85, 1.18), (120, 195), 0.25, tuple(FLITE), (0.75, 1.35), 0, VARIANTS, ACCENTS, 8),
    Stage(0, 0.5, (0.91, 1.11), (125, 190), 0.25, tuple(FLITE), (0.75, 1.35), 0, PLAIN_VARIANTS, ACCENTS, 16),
    Stage(0.75, 0.5, (0.93, 1.08), (130, 180), 0.3, ("slt", "slt", "awb", "awb", "kal", "kal16"), (0.75, 1.35),
          0, PLAIN_VARIANTS, (*ACCENTS, "en-gb-scotland", "en-029"), 16),
    Stage(0.65, 0.5, (0.86, 1.2), (125, 190), 0.4, ("slt", "slt", "slt", "awb", "awb", "kal", "kal16"), (0.6, 1.4),
          0.5, PLAIN_VARIANTS, (*ACCENTS, "en-gb-scotland", "en-029"), 14),
    Stage(0.65, 0.5, (0.84, 1.22), (120, 190), 0.5, tuple(FLITE), (0.6, 1.4),
          0.65, PLAIN_VARIANTS, (*ACCENTS, "en-gb-scotland", "en-029", "en-029"), 14, 12),
    Stage(0.65, 0.5, (0.84, 1.22), (120, 190), 0.65, ("slt", "slt", "slt", "awb", "awb", "kal", "kal16"), (0.6, 1.4),
          0.65, PLAIN_VARIANTS, (*ACCENTS, "en-gb-scotland", "en-029", "en-029", "en-029"), 14, 12, 0.2),
)  # fmt: skip


class Clip(NamedTuple):
    """What one training clip is made from; `index` and the seed say all of it."""

    text: str
    voice: Voice
    stretch: float  # resampled by this: a longer (> 1) or shorter vocal tract
    snr: float  # dB
    colour: float  # dB
    formants: float  # share


def clip(seed: int, index: int, variants: tuple[str, ...] | None = None, flite: float | None = None) -> Clip:
    """The recipe of training clip `index`: no sound is made yet.

    The first clips are the hardest: every variant, loud noise, strong stretching. From FINISHING_FROM on
    they are nearer to what the demo corpus asks for, and from CALLS_FROM on most are calls to a bank. The voices
    of those became few enough to harm what the model can learn from other people: from WIDE_FROM on they are many,
    from COLOURED_FROM on each sounds through an equaliser of its own, and from FLITE_FROM on most are flite's, each
    with formants of its own.
    """
    rng = random.Random(f"{seed} {index}")
    stage = STAGES[sum(index >= first for first in (FINISHING_FROM, CALLS_FROM, WIDE_FROM, COLOURED_FROM, FLITE_FROM))]
    called = stage.calls and rng.random() < stage.calls
    text = call(rng) if called else sentence(rng, bank=stage.bank)
    stretch = rng.uniform(*stage.stretch)
    speed = rng.uniform(*stage.speed)
    if rng.random() < (stage.flite if flite is None else flite):
        variant = rng.choice(stage.flite_voices)
        pitch = round(FLITE[variant] * rng.uniform(*stage.flite_pitch))
        voice = Voice(f"flite-{variant}", "flite", "", "", variant, pitch, round(speed * stretch))
    else:
        made_up = variants is None and stage.made_up and rng.random() < stage.made_up
        variant = made_up_variant(rng) if made_up else rng.choice(variants or stage.variants)
        accent, pitch = rng.choice(stage.accents), rng.randint(20, 80)
        name = "espeak-made-up" if made_up else f"espeak-{variant}"
        voice = Voice(name, "espeak-ng", "", accent, variant, pitch, round(speed * stretch))
    snr, colour = rng.uniform(stage.snr, 40), rng.uniform(0, stage.colour)
    formants = rng.uniform(0, stage.formants) if voice.engine == "flite" else 0.0
    return Clip(text, voice, stretch, snr, colour, formants)


def heard(seed: int, num_clips: int) -> tuple[set[str], set[str]]:
    """Every sentence and every voice's name a checkpoint of `num_clips` clips has heard."""
    clips = [clip(seed, index) for index in range(num_clips)]
    return {c.text for c in clips}, {c.voice.name for c in clips}


def speak(seed: int, index: int, recipe: Clip) -> np.ndarray:
    """Makes a clip's sound: (num_samples,) int16 at 16 kHz."""
    rng = np.random.default_rng([seed, index])
    waveform, rate = synthesise(recipe.text, recipe.voice)
    # Engines pause in their own way before and after a text; a model that only knows theirs trips over any other.
    waveform = trim(waveform, rate, rng.uniform(0.02, 0.5), rng.uniform(0.02, 0.5))
    waveform = soxr.resample(waveform, rate / recipe.stretch, rate, quality="MQ")
    if recipe.formants:
        waveform = move_formants(waveform, rate, rng, recipe.formants)
    if recipe.colour:
        waveform = equalise(waveform, rate, rng, recipe.colour)
    line = telephone(waveform, rate, rng, recipe.snr, rng.uniform(-38, -18))
    line = soxr.resample(line, TELEPHONE_RATE, SAMPLING_RATE, quality="MQ")
    return np.clip(line * 32_767, -32_768, 32_767).astype(np.int16)


def _speak_one(arguments: tuple[int, int, Clip]) -> np.ndarray:
    return speak(*arguments)


def _speak_politely() -> None:
    os.nice(10)  # making the next round's speech must not slow the training of this one


def start_round(
    pool: ProcessPoolExecutor, seed: int, indices: range, **kwargs
) -> tuple[Iterator[np.ndarray], list[str]]:
    """Sets the pool to making clips: their waveforms, as they come, and their texts."""
    recipes = [(seed, index, clip(seed, index, **kwargs)) for index in indices]
    return pool.map(_speak_one, recipes, chunksize=32), [recipe.text for _, _, recipe in recipes]


def finish_round(started: tuple[Iterator[np.ndarray], list[str]]) -> list[tuple[np.ndarray, str]]:
    """Waits for a round's clips: each with its text, shortest first."""
    return sorted(zip(*started, strict=True), key=lambda pair: len(pair[0]))


def padded_length(num_samples: int) -> int:
    """The smallest number of samples, at least `num_samples`, that gives a multiple of FRAMES_STEP frames."""
    step = FRAMES_STEP * 320  # the convolutions' stride is 320 samples, their first window 80 more
    return -(-(num_samples - 80) // step) * step + 80


def batches(
    clips: list[tuple[np.ndarray, str]], seconds: float = SECONDS_PER_BATCH
) -> list[list[tuple[np.ndarray, str]]]:
    """Groups clips sorted by length into batches of at most so many seconds of padded audio."""
    groups = [[]]
    for pair in clips:
        room = seconds * SAMPLING_RATE // padded_length(len(pair[0]))
        if len(groups[-1]) >= room:
            groups.append([])
        groups[-1].append(pair)
    return groups


def collate(clips: list[tuple[np.ndarray, str]], tokenizer):
    """Clips, (num_samples,) int16 each with its text, to input values, (B, T), and labels, (B, L) padded with -100."""
    import torch

    longest = padded_length(max(len(waveform) for waveform, _ in clips))
    values = torch.zeros(len(clips), longest)  # (B, T)
    for row, (waveform, _) in enumerate(clips):
        samples = torch.from_numpy(waveform).float()
        values[row, : len(samples)] = (samples - samples.mean()) / (samples.std() + 1e-5)
    labels = [torch.tensor(tokenizer(text.upper()).input_ids) for _, text in clips]
    return values, torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)  # (B, L)


def ctc_loss(logits, labels, blank: int):
    """The CTC loss of logits, (B, T, V), every frame of the padded batch counted."""
    import torch

    spoken = labels >= 0
    return torch.nn.functional.ctc_loss(
        logits.float().log_softmax(-1).transpose(0, 1), labels[spoken], torch.full((len(labels),), logits.shape[1]),
        spoken.sum(-1), blank=blank, zero_infinity=True,
    )  # fmt: skip


def replicas(model) -> list:
    """The model, and one more for each other core, with the same weights in the same memory.

    A model this small keeps one core busy and no more. So each core works on a batch of its own.
    """
    models = [model, *(copy.deepcopy(model) for _ in range(os.cpu_count() - 1))]
    for replica in models[1:]:
        for theirs, ours in zip(replica.parameters(), model.parameters(), strict=True):
            theirs.data = ours.data
    return models


def step(models: list, optimizer) -> None:
    """One step with the replicas' gradients added up and clipped."""
    import torch

    for replica in models[1:]:
        for theirs, ours in zip(replica.parameters(), models[0].parameters(), strict=True):
            if theirs.grad is not None:
                ours.grad += theirs.grad
                theirs.grad = None
    torch.nn.utils.clip_grad_norm_(models[0].parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def new_model():
    """A Wav2Vec2ForCTC of 4.3 million parameters, shaped like wav2vec2-base in small."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    return Wav2Vec2ForCTC(
        Wav2Vec2Config(
            vocab_size=32, hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=768,
            conv_dim=(32, 48, 64, 96, 128, 160, 192), num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=16,
            hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, final_dropout=0.0,
            layerdrop=0.0, mask_time_prob=0.0, ctc_loss_reduction="mean", ctc_zero_infinity=True,
        )
    )  # fmt: skip


def processor():
    """wav2vec2-base's own vocabulary and feature extraction."""
    import tempfile

    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.json"
        path.write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
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
speech over a telephone line, and nothing else. It is for learning and for testing the whole path; it is no
claim about human speech.

## Recipe

"""

RECIPE = """`tools/train_checkpoint.py`, seed {seed}, on {device} ({cores} cores):

- **Speech**: {num_clips:,} clips made afresh, {unique_hours:.0f} hours, each heard {passes} times:
  {audio_hours:.0f} hours of padded audio in {steps:,} steps.
- **Sentences**: a grammar of everyday English, `tools/pretraining_sentences.py`; one in six is a run of
  unrelated words; after round {second} half of them are spoken to a bank. After round {third} three in four are
  calls to a bank from a larger grammar, in the words of the demo corpus's training rows and as many others; after
  round {fourth}, thirteen in twenty.
- **Voices**: {variants} espeak-ng variants in 9 accents, pitches 20 to 80, 120 to 195 words a minute; flite's slt,
  awb, kal and kal16 for a quarter of the clips, with other pitches. Every clip is resampled by a factor of
  0.85 to 1.18: a longer or shorter vocal tract. After round {second}, {plain} variants and 0.91 to 1.11. After round
  {third}, 0.93 to 1.08, 130 to 180 words a minute, twice the Scottish and Caribbean accents, and flite for three
  clips in ten, mostly slt and awb. After round {fourth}, 0.86 to 1.2, 125 to 190 words a minute; flite for two clips
  in five, at 0.6 to 1.4 times its voices' own pitches; half of espeak-ng's clips by speakers made up for
  one clip each, every formant moved by itself (`made_up_variant` in `tools/speech.py`). After round {fifth}, 0.84 to
  1.22, 120 to 190 words a minute; flite for half of the clips, its four voices alike; 65 % of espeak-ng's clips by
  made-up speakers, and the Caribbean accent half again as often. After round {sixth}, flite for thirteen clips in
  twenty, mostly slt and awb, each clip's formants moved one by one by up to 20 % (`move_formants` in
  `tools/speech.py`), and the Caribbean accent more often again.
- **Colour**: after round {fifth}, every clip goes through an equaliser of its own, six gains of up to 12 dB either way
  (`equalise` in `tools/speech.py`).
- **Silence** before and after a text: 0.02 to 0.5 s each.
- **Line**: 8 kHz, 300 to 3,400 Hz, mu-law, hiss and hum at 8 to 40 dB signal-to-noise ratio; after round {second},
  16 to 40; after round {fourth}, 14 to 40.
- **Training**: supervised CTC, not wav2vec 2.0's own pre-training, on wav2vec2-base's 32 characters; AdamW, peak
  rate {rate}, {warmup} steps of warm-up, then falling in a line to 0; {train_hours:.1f} hours of work. After round
  {third}, and again after round {fifth}, with a fresh head, the convolutions kept as they were, and a new peak rate of
  {second_rate}; batches of {batch} s on each core, in float32. After round {sixth} head and optimizer went on, at half
  of that rate, falling again.

The script grew while these weights were made. Rounds 1 to {third} took batches of 40 s, in bfloat16; rounds 1 to 5 one
batch of 64 s a step; round 12 passed over its clips three times; rounds 1 to 18 kept each engine's own silence
around a text. The number of rounds, and so the fall of the rate, was replanned on the way; the hours made afresh in
rounds 1 to 4 are estimated from the others.

The accents and flite voices of the rounds after {third} were chosen after an earlier checkpoint's error rates on the
demo corpus's test voices were known, and their sentences by someone who had read that corpus. So was the range in which
the made-up speakers' formants lie, after a look at the variants of two test voices, whose own shifts it encloses: the
test voices are unheard, and no longer unseen by whoever chose the speech. The equaliser, flite's share and the accents
after round {fifth} were chosen because two of the test voices, flite's rms and espeak-ng's shelby with a Caribbean
accent, were then misheard most, and after a look at rms's average spectrum. Flite's larger share after round {sixth}
was chosen because rms was still misheard most, and because slt, a known voice, was misheard more than the other known
ones.

It has heard no sentence of the demo corpus and none of its six held-out voices ({held_out}).
`tests/test_corpus.py` draws everything it heard from the seed, and looks.
"""

NUMBERS = """
## Its own numbers

With the CTC head it was trained with, which is not shipped, on 96 new clips each, greedy decoding, no language model:

| clips | WER | CER |
|---|---|---|
{table}

After fine-tuning with a fresh head on the demo corpus: see the card in `fine_tuned/`.
"""


def card(recipe: dict) -> str:
    """The model card, from training.json's content."""
    return said(CARD + RECIPE + NUMBERS, recipe)


def said(text: str, recipe: dict) -> str:
    """A part of the card, filled in from training.json's content."""
    last = recipe["history"][-1]
    return text.format(
        **recipe, variants=len(VARIANTS), plain=len(PLAIN_VARIANTS), rate=PEAK_RATE, warmup=WARMUP_STEPS,
        second=FINISHING_FROM // CLIPS_PER_ROUND, third=CALLS_FROM // CLIPS_PER_ROUND,
        fourth=WIDE_FROM // CLIPS_PER_ROUND, fifth=COLOURED_FROM // CLIPS_PER_ROUND,
        sixth=FLITE_FROM // CLIPS_PER_ROUND,
        second_rate=SECOND_PEAK_RATE, batch=SECONDS_PER_BATCH,
        train_hours=recipe["train_seconds"] / 3600,
        held_out=", ".join(voice.name for voice in HELD_OUT_VOICES),
        table="\n".join(
            f"| new sentences by {name} | {last[f'wer, {name}']:.3f} | {last[f'cer, {name}']:.3f} |"
            for name in ("known voices", "new voices")
        ),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=Path("asr_helpers/demo/checkpoint"))
    parser.add_argument("--work", type=Path, default=Path("outputs/checkpoint-training"))
    parser.add_argument("--rounds", type=int, default=77)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--encoder", type=Path, help="train on from this checkpoint, where --work holds no state")
    args = parser.parse_args()

    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from asr_helpers.models import has_bf16

    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, tools = new_model().to(device), processor()
    models = [model]
    if device == "cpu":
        torch.set_num_threads(1)
        models = replicas(model)
    groups = [{"params": list(part.parameters())} for part in (model.wav2vec2, model.lm_head)]
    optimizer = torch.optim.AdamW(groups, PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    done = {"rounds": 0, "steps": 0, "train_seconds": 0.0, "audio_hours": 0.0, "unique_hours": 0.0, "history": []}
    began = {"rounds": 0, "steps": 0}  # where this head's training began
    args.work.mkdir(parents=True, exist_ok=True)
    state_file = args.work / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done, began = state["done"], state["began"]
    elif args.encoder:
        from safetensors.torch import load_file

        model.wav2vec2.load_state_dict(load_file(args.encoder / "model.safetensors"))
        recipe = json.loads((args.encoder / "training.json").read_text())
        done = {key: recipe[key] for key in done}
        began = {key: done[key] for key in began}

    convolved = {}  # a batch's number: what the frozen convolutions make of it
    frozen = False

    def backward(replica, number):
        values, labels = (part.to(device) for part in collate(groups[number], tools.tokenizer))
        with torch.autocast(device, torch.bfloat16, enabled=has_bf16()):
            if frozen and number not in convolved:
                with torch.no_grad():
                    convolved[number] = replica.wav2vec2.feature_extractor(values)
            features = convolved[number] if frozen else replica.wav2vec2.feature_extractor(values)  # (B, C, T)
            hidden, _ = replica.wav2vec2.feature_projection(features.transpose(1, 2))
            logits = replica.lm_head(replica.wav2vec2.encoder(hidden).last_hidden_state)  # (B, T, V)
        loss = ctc_loss(logits, labels, replica.config.pad_token_id)
        (loss / len(models)).backward()
        return loss.detach(), values.numel() / SAMPLING_RATE

    def error_rates(clips):
        import jiwer

        model.eval()
        references, hypotheses = [], []
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=has_bf16()):
            for batch in batches(clips):
                ids = model(collate(batch, tools.tokenizer)[0].to(device)).logits.argmax(-1)
                references += [text.upper() for _, text in batch]
                hypotheses += tools.batch_decode(ids)
        model.train()
        return jiwer.wer(references, hypotheses), jiwer.cer(references, hypotheses)

    speakers = ProcessPoolExecutor(initializer=_speak_politely)
    with speakers as pool, ThreadPoolExecutor(len(models)) as threads:
        development = {
            "known voices": finish_round(start_round(pool, args.seed + 1, DEVELOPMENT_CLIPS)),
            "new voices": finish_round(
                start_round(pool, args.seed + 2, DEVELOPMENT_CLIPS, variants=DEVELOPMENT_VARIANTS, flite=0.0)
            ),
        }

        def start(number):
            first = number * CLIPS_PER_ROUND
            return start_round(pool, args.seed, range(first, first + CLIPS_PER_ROUND))

        coming = start(done["rounds"])
        while done["rounds"] < args.rounds:
            started = time.perf_counter()
            groups = batches(finish_round(coming))
            waited = time.perf_counter() - started
            unique = sum(len(waveform) for group in groups for waveform, _ in group) / SAMPLING_RATE
            if done["rounds"] + 1 < args.rounds:
                coming = start(done["rounds"] + 1)
            rng, losses, seconds = random.Random(f"{args.seed} {done['rounds']}"), [], 0.0
            # By now the convolutions have learnt their part: they stay as they are, and a clip goes
            # through them once for all its passes.
            frozen = done["rounds"] * CLIPS_PER_ROUND >= CALLS_FROM
            if frozen:
                for replica in models:
                    replica.freeze_feature_encoder()
            convolved.clear()
            order = [number for _ in range(PASSES) for number in rng.sample(range(len(groups)), len(groups))]
            for first in range(0, len(order) - len(models) + 1, len(models)):
                share = (done["rounds"] + first / len(order) - began["rounds"]) / (args.rounds - began["rounds"])
                rate = SECOND_PEAK_RATE if began["rounds"] else PEAK_RATE
                rate *= min(1, (done["steps"] + 1) / WARMUP_STEPS) * max(0.01, 1 - share)
                encoder_group, head_group = optimizer.param_groups
                encoder_group["lr"] = head_group["lr"] = rate
                if began["steps"] and done["steps"] < began["steps"] + HEAD_STEPS:
                    encoder_group["lr"], head_group["lr"] = 0.0, HEAD_RATE
                results = list(threads.map(backward, models, order[first : first + len(models)]))
                step(models, optimizer)
                done["steps"] += 1
                losses += [loss for loss, _ in results]
                seconds += sum(spent for _, spent in results)
            done["rounds"] += 1
            done["audio_hours"] += seconds / 3600
            done["unique_hours"] += unique / 3600
            entry = {"round": done["rounds"], "steps": done["steps"], "loss": torch.stack(losses[-100:]).mean().item()}
            if done["rounds"] % 4 == 0 or done["rounds"] == args.rounds:
                for name, clips in development.items():
                    entry[f"wer, {name}"], entry[f"cer, {name}"] = error_rates(clips)
            done["train_seconds"] += time.perf_counter() - started
            done["history"].append(entry)
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "done": done, "began": began}
            torch.save(state, state_file.with_suffix(".partial"))
            os.replace(state_file.with_suffix(".partial"), state_file)
            shown = {key: round(value, 3) if isinstance(value, float) else value for key, value in entry.items()}
            spent = time.perf_counter() - started
            print(f"{shown} hours {done['audio_hours']:.1f}, waited {waited:.0f} s, round {spent:.0f} s", flush=True)

    encoder = model.wav2vec2
    encoder.config.architectures = ["Wav2Vec2Model"]
    save_half(encoder, args.output_dir)
    tools.save_pretrained(args.output_dir)
    recipe = {
        "seed": args.seed, "num_clips": args.rounds * CLIPS_PER_ROUND, "passes": PASSES, "device": device,
        "cores": os.cpu_count(), "parameters": sum(p.numel() for p in encoder.parameters()),
        "held_out_voices": [voice.name for voice in HELD_OUT_VOICES], **done,
    }  # fmt: skip
    (args.output_dir / "README.md").write_text(card(recipe))
    (args.output_dir / "training.json").write_text(json.dumps(recipe, indent=1) + "\n")


if __name__ == "__main__":
    main()
