"""What the demo checkpoint hears: people reading English, and synthetic voices that say sentences of our own.

`people` reads an audiofolder, `clip` and `speak` make a synthetic clip from its number, `Corpus` holds clips in one
long array with the places at which one can cut them, and `cut_and_joined` and `single_words` make new clips from the
pieces.
"""

import csv
import json
import random
import re
import sys
from concurrent.futures import ProcessPoolExecutor
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
from pretraining_sentences import LEXICON, call, sentence
from speech import Voice, made_up_variant, move_formants, synthesise, trim

SAMPLING_RATE = 16_000
SEED = 20261126
LONGEST = 20.0  # s
DIGITS = "zero one two three four five six seven eight nine oh".split()
# A clip whose words do not fit its sound, by the mean log-probability of their best path, is not cut.
FITS = -0.6

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


class Kind(NamedTuple):
    """A kind of synthetic clips: ranges are drawn from evenly, lists element by element."""

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
    formants: float = 0.0  # of flite's clips: how far formants move, at most


# Everyday sentences by every variant; then two thirds calls to a bank, most by made-up speakers; then more of flite,
# each clip with formants of its own.
KINDS = (
    Kind(0, 0, (0.85, 1.18), (120, 195), 0.25, tuple(FLITE), (0.75, 1.35), 0, VARIANTS, ACCENTS),
    Kind(0.65, 0.5, (0.84, 1.22), (120, 190), 0.5, tuple(FLITE), (0.6, 1.4),
         0.65, PLAIN_VARIANTS, (*ACCENTS, "en-gb-scotland", "en-029", "en-029")),
    Kind(0.65, 0.5, (0.84, 1.22), (120, 190), 0.65, ("slt", "slt", "slt", "awb", "awb", "kal", "kal16"), (0.6, 1.4),
         0.65, PLAIN_VARIANTS, (*ACCENTS, "en-gb-scotland", "en-029", "en-029", "en-029"), 0.2),
)  # fmt: skip
# A clip's number says its kind, and with the seed all else. The numbers follow from an earlier count.
FIRST = (0, 159_744, 202_752)
SYNTHETIC = tuple(first + i for first, size in zip(FIRST, (9_750, 9_750, 10_500), strict=True) for i in range(size))


class Clip(NamedTuple):
    """What a synthetic clip is made from; its number and the seed say all of it."""

    text: str
    voice: Voice
    stretch: float  # resampled by this: a longer (> 1) or shorter vocal tract
    formants: float  # share


def clip(number: int, seed: int = SEED, variants: tuple[str, ...] | None = None, flite: float | None = None) -> Clip:
    """The recipe of a synthetic clip: no sound is made yet."""
    rng = random.Random(f"{seed} {number}")
    kind = KINDS[sum(number >= first for first in FIRST) - 1]
    called = kind.calls and rng.random() < kind.calls
    text = call(rng) if called else sentence(rng, bank=kind.bank)
    stretch = rng.uniform(*kind.stretch)
    speed = rng.uniform(*kind.speed)
    if rng.random() < (kind.flite if flite is None else flite):
        variant = rng.choice(kind.flite_voices)
        pitch = round(FLITE[variant] * rng.uniform(*kind.flite_pitch))
        voice = Voice(f"flite-{variant}", "flite", "", "", variant, pitch, round(speed * stretch))
    else:
        made_up = variants is None and kind.made_up and rng.random() < kind.made_up
        variant = made_up_variant(rng) if made_up else rng.choice(variants or kind.variants)
        accent, pitch = rng.choice(kind.accents), rng.randint(20, 80)
        name = "espeak-made-up" if made_up else f"espeak-{variant}"
        voice = Voice(name, "espeak-ng", "", accent, variant, pitch, round(speed * stretch))
    rng.random(), rng.random()  # two draws that nothing hangs on any more; without them the clips would be others
    formants = rng.uniform(0, kind.formants) if voice.engine == "flite" else 0.0
    return Clip(text, voice, stretch, formants)


def heard() -> tuple[set[str], set[str]]:
    """Every synthetic sentence, single words apart, and every synthetic voice's name that the checkpoint has heard."""
    clips = [clip(number) for number in SYNTHETIC]
    return {one.text for one in clips}, {one.voice.name for one in clips}


def words_one_by_one(rng: random.Random) -> list[str]:
    """What a person says word by word, with a pause after each: mostly digits."""
    digits = rng.random() < 0.7
    lexicon = DIGITS if digits else LEXICON
    return [rng.choice(lexicon) for _ in range(rng.randint(3, 8) if digits else rng.randint(2, 5))]


def speak(number: int, seed: int = SEED, **kwargs) -> tuple[np.ndarray, str]:
    """A synthetic clip: (num_samples,) int16 at 16 kHz, and its text. One in eight is single words."""
    recipe = clip(number, seed, **kwargs)
    rng, chance = np.random.default_rng([seed, number]), random.Random(number)
    single = chance.random() < 1 / 8
    parts = words_one_by_one(chance) if single else [recipe.text]
    pieces = []
    for part in parts:
        waveform, rate = synthesise(part, recipe.voice)
        # Engines pause in their own way before and after a text; a model that knows only theirs trips over any other.
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
    looked, or the words do not fit. A synthetic clip's speaker is "".
    """

    path: Path
    starts: list[int]
    texts: list[str]
    names: list[str]
    speakers: list[str]
    cuts: list[list[int]]

    def __getitem__(self, number: int) -> np.ndarray:
        return np.asarray(self.samples()[self.starts[number] : self.starts[number + 1]])

    def samples(self) -> np.ndarray:
        return np.load(self.path.with_suffix(".npy"), mmap_mode="r")

    @property
    def hours(self) -> float:
        return self.starts[-1] / SAMPLING_RATE / 3600

    @classmethod
    def read(cls, path: Path) -> "Corpus":
        return cls(path, **json.loads(path.with_suffix(".json").read_text()))

    @classmethod
    def made(cls, path: Path, clips) -> "Corpus":
        """Reads it from `path`, or makes it there from clips (waveform, text, name of the corpus, speaker)."""
        if not path.with_suffix(".json").is_file():
            waveforms, texts, names, speakers = zip(*clips(), strict=True)
            np.save(path.with_suffix(".npy"), np.concatenate(waveforms))
            starts = np.cumsum([0, *map(len, waveforms)]).tolist()
            cls(path, starts, texts, names, speakers, [[]] * len(texts)).save()
        return cls.read(path)

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
    from transformers import AutoModelForCTC, AutoProcessor

    torch.set_num_threads(1)
    model = AutoModelForCTC.from_pretrained(recogniser, dtype=torch.float32).eval()
    ALIGNER = model, AutoProcessor.from_pretrained(recogniser), Corpus.read(path)


def _cuts_of(number: int) -> list[int]:
    import torch

    from asr_helpers.alignment import align_tokens

    model, processor, corpus = ALIGNER
    waveform, text = corpus[number], corpus.texts[number]
    values = processor(waveform.astype(np.float32), sampling_rate=SAMPLING_RATE, return_tensors="pt").input_values
    with torch.no_grad():
        log_probs = model(values).logits[0].log_softmax(-1).numpy()  # (T, V)
    spans, fit = align_tokens(log_probs, processor.tokenizer(text).input_ids, model.config.pad_token_id)
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


def spoken(pool: ProcessPoolExecutor, numbers, **kwargs):
    """Synthetic clips for a corpus."""
    for waveform, text in pool.map(partial(speak, **kwargs), numbers, chunksize=32):
        yield waveform, text.upper(), "synthetic", ""


def prepare(folder: Path, work: Path, aligner: Path) -> tuple[list[Corpus], dict[str, list[tuple[np.ndarray, str]]]]:
    """What is trained on, people and synthetic voices, and by name the clips that the recipe is chosen by."""
    with ProcessPoolExecutor() as pool:
        corpora = [
            Corpus.made(work / "people", lambda: people(folder / "train")),
            Corpus.made(work / "synthetic", lambda: spoken(pool, SYNTHETIC)),
        ]
        validation = Corpus.made(work / "validation", lambda: people(folder / "validation"))
        unheard = Corpus.made(
            work / "new-voices",
            lambda: spoken(pool, range(96), seed=SEED + 2, variants=DEVELOPMENT_VARIANTS, flite=0.0),
        )
    if not any(corpora[0].cuts):
        corpora[0].find_cuts(aligner)
    rng = random.Random(0)
    development = {}
    for name in sorted(set(validation.names)):
        numbers = [i for i, one in enumerate(validation.names) if one == name and len(validation[i]) < 12 * 16_000]
        development[name] = [(validation[i], validation.texts[i]) for i in sorted(rng.sample(numbers, 60))]
    development["synthetic"] = [(unheard[i], unheard.texts[i]) for i in range(96)]
    return corpora, development


def cut_and_joined(rng: random.Random, corpus: Corpus, numbers: list[int], share: float) -> list[list[splices.Part]]:
    """Clips, a share of them cut at words and put together anew, some parted because they are long, some whole."""
    clips, pools = [], {}
    for number in numbers:
        places, words = corpus.cuts[number], corpus.texts[number].split()
        whole = splices.Part(corpus.starts[number], corpus.starts[number + 1], corpus.texts[number])
        if not places:
            clips.append([whole])
        elif rng.random() < share:
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
