"""01  The audit: every row that would harm training, named before training, with what is done about it.

Conventions: a row is its number in its split, counted from 0. An error is a row that cannot teach what it says, and
it is set aside; a warning is one that trains, as it is ("keep") or after a repair that changes only how it is written
down. Levels are in dB relative to full scale (dBFS), lengths in seconds, totals in hours. A clip's header is read
first; its samples are decoded once, and not at all where the header says enough.
"""

import hashlib
import os
import re
import sys
import time
import unicodedata
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile

from . import AsrError, audio
from .loading import voice_of
from .preprocessing import normalise_text, vocabulary

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import ProcessorMixin

Severity = Literal["error", "warning"]
Action = Literal["keep", "repair", "set aside"]

# What is done about each reason. An error is always set aside, a warning never.
REASONS: dict[str, Action] = {
    # the file
    "missing-file": "set aside",
    "empty-file": "set aside",
    "unreadable": "set aside",
    "no-samples": "set aside",
    "truncated": "set aside",
    "wrong-extension": "keep",  # files are read by their content
    # the sound
    "not-finite": "set aside",
    "silence": "set aside",
    "low-level": "repair",  # the feature extractor brings every clip to variance 1 …
    "dc-offset": "repair",  # … and to mean 0; where it does not, both are kept as they are
    "over-full-scale": "repair",
    "clipping": "keep",
    "several-channels": "repair",  # their mean is taken
    "channels-differ": "set aside",
    "wrong-sampling-rate": "set aside",
    "mixed-sampling-rates": "repair",  # every clip is resampled to the model's rate
    "narrow-band": "keep",
    "too-short": "set aside",
    "shorter-than-mask": "set aside",
    "too-long": "set aside",
    # the transcript
    "transcript-missing": "set aside",
    "transcript-empty": "set aside",
    "transcript-no-letters": "set aside",
    "outside-vocabulary": "keep",
    "mostly-outside-vocabulary": "set aside",
    "digits": "keep",
    "symbols": "keep",
    "not-nfc": "repair",
    "invisible-characters": "repair",
    "bidirectional-controls": "repair",
    "look-alike-letters": "repair",
    "mixed-scripts": "keep",
    # the two together
    "labels-exceed-frames": "set aside",
    "speech-rate": "keep",
    # a row among the others
    "duplicate-audio": "keep",
    "conflicting-transcripts": "set aside",
    "duplicate-text": "keep",
    "no-word-spaces": "keep",
    "clip-in-two-splits": "set aside",
    "speaker-in-two-splits": "keep",
}
# What the feature extractor undoes where it normalises, as wav2vec 2.0's do.
NORMALISED_AWAY = {"low-level", "dc-offset", "over-full-scale"}

# s: a decoded length this much under the declared one is a loss; encoders' padding is shorter than that.
SHORTFALL = 0.05
# dBFS, of a clip's samples about their mean. 16 bits reach down to -98: under -70 a voice would have 28 dB left to
# stand in, and what is found there is a microphone that was off.
SILENT = -70.0
# dBFS: a voice this quiet has lost a third of its 16 bits, and stands close to most recorders' own noise.
QUIET = -50.0
# Of full scale. Recorders' offsets lie under 0.005; one of 0.02 shifts what clips and hides what is quiet.
DC_OFFSET = 0.02
# Of full scale. Float files may overshoot a little; twice is a file of another scale, such as integers kept as floats.
FULL_SCALE = 2.0
# Share of samples: a single peak that touches the top is no harm, one sample in 500 is heard.
CLIPPED = 0.002
# Correlation with the loudest channel. A room heard by two microphones stays above, two people on two lines near 0.
ALIKE = 0.3
# dBFS: a channel below does not count as one that could differ.
CHANNEL_ON = -60.0
# Hz. Below, speech is not understood, and a wrong header would blow a clip up many times over when it is resampled.
LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000
# dB between the loudest moment of the band from 60 to 95 % of the model's and that of the band under 45 %. Speech has
# an s or an f somewhere, 20 to 40 dB down, and microphones hiss; upsampling leaves only rounding, 60 dB down or more.
EMPTY_BAND = -55.0
# Window length in samples and number of windows: what is asked is answered by 48 windows as well as by all.
WINDOW, WINDOWS = 512, 48
# (kernel, stride) of the convolutions of Wav2Vec2, HuBERT, WavLM and their kin: one frame in 320 samples.
CONVOLUTIONS = ((10, 5), *((3, 2),) * 4, *((2, 2),) * 2)
MASKED_SPAN = 10  # frames: SpecAugment's span in those models; transformers refuses to mask a shorter batch
# s. Attention's memory grows with the square of the length: 30 s is where most recipes cut.
LONGEST = 30.0
# Share of the letters that the vocabulary cannot write: above it, what would be learnt is another text.
UNWRITABLE = 0.2
# A clip is a wrong transcript's when it is spoken this many times faster or slower than the corpus's median, and
# this many times its usual spread; a median of fewer clips says nothing.
FASTER, SPREADS, FEWEST_CLIPS = 3.0, 5.0, 20
# Share of the letters in scripts that put no space between words.
UNSPACED = 0.5

CHUNK = 64  # rows handed to a process at a time: some hundreds of ms of work
FEWEST_ROWS = 512  # below, starting processes takes longer than they save
PROGRESS = 1.0  # s between two updates of the progress line; an audit shorter than that prints none

FORMATS = {
    ".wav": "WAV WAVEX RF64", ".wave": "WAV WAVEX RF64", ".flac": "FLAC", ".mp3": "MP3 MPEG", ".ogg": "OGG",
    ".oga": "OGG", ".opus": "OGG", ".aif": "AIFF", ".aiff": "AIFF", ".aifc": "AIFF", ".au": "AU", ".w64": "W64",
    ".caf": "CAF", ".m4a": "", ".mp4": "", ".aac": "", ".wma": "", ".webm": "", ".amr": "",
}  # fmt: skip
# What else comes under a sound's name, by how it begins.
BEGINNINGS = (
    (rb"....ftyp", "an MP4 or M4A file"), (rb"\x1aE\xdf\xa3", "a WebM or Matroska file"), (rb"#!AMR", "an AMR file"),
    (rb"version https://git-lfs", "a Git LFS pointer, not the file it stands for"), (rb"PK\x03\x04", "a zip archive"),
    (rb"\s*<(!DOCTYPE|html|\?xml)", "a web page"), (rb"\s*[{\[]", "JSON"), (rb"0&\xb2u", "a WMA file"),
)  # fmt: skip

# Read as a word when spoken, though Unicode calls them punctuation.
SPOKEN_PUNCTUATION = frozenset("%&@#/*\\§‰‱")
BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
JOINERS = frozenset("\u200c\u200d")  # between letters of Arabic, Persian or an Indian script they are spelling
ONE_SCRIPT = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "HANGUL", "GEORGIAN")
UNSPACED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
LATIN_OF = dict(zip("АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝ", "ABESIJKMHOPCTYXaesijopcyxhdqw", strict=True)) | dict(
    zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)
)
CYRILLIC_OF = dict(zip("ABESIJKMHOPCTYXaesijopcyx", "АВЕЅІЈКМНОРСТУХаеѕіјорсух", strict=True))
WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*")
SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id", "voice")


@dataclass(frozen=True)
class Finding:
    """What is wrong with a row.

    Attributes:
        row: its number in its split, from 0.
        file: its sound's path; "" where it has none.
        reason: one of REASONS.
        severity: "error" or "warning".
        action: what training does with the row: "keep", "repair" or "set aside".
        message: a sentence, with nothing in it that a terminal would obey.
    """

    row: int
    file: str
    reason: str
    severity: Severity
    action: Action
    message: str


@dataclass(frozen=True)
class Audit:
    """What an audit found in a split.

    Attributes:
        findings: by row.
        seconds: each row's length; 0 where it cannot be known.
        characters: each character of the transcripts that the vocabulary cannot write, and in how many rows it stands.
        digests: each row's samples in short, so that the same sound is known again; "" where there is none.
    """

    findings: list[Finding]
    seconds: list[float] = field(repr=False)
    characters: Counter = field(repr=False, default_factory=Counter)
    digests: list[str] = field(repr=False, default_factory=list)

    @property
    def actions(self) -> list[Action]:
        """What is done with each row."""
        actions: list[Action] = ["keep"] * len(self.seconds)
        rank = ("keep", "repair", "set aside")
        for one in self.findings:
            actions[one.row] = max(actions[one.row], one.action, key=rank.index)
        return actions

    @property
    def totals(self) -> dict[str, dict[str, float]]:
        """For each action its `rows` and `hours`; every row is in one."""
        totals = {action: {"rows": 0, "hours": 0.0} for action in ("keep", "repair", "set aside")}
        for action, seconds in zip(self.actions, self.seconds, strict=True):
            totals[action]["rows"] += 1
            totals[action]["hours"] += seconds / 3_600
        return totals


def num_frames(num_samples: int) -> int:
    """How many frames an encoder of the Wav2Vec2 family makes of a clip at its own rate; 0 below 400 samples.

    >>> num_frames(16_000), num_frames(400), num_frames(399)
    (49, 1, 0)
    """
    for kernel, stride in CONVOLUTIONS:
        num_samples = (num_samples - kernel) // stride + 1
    return max(num_samples, 0)


# One clip and its transcript: this part runs in other processes.


@dataclass(frozen=True)
class _Model:
    """What of a model decides whether a row suits it."""

    sampling_rate: int = 16_000
    characters: frozenset[str] | None = None


@dataclass
class _Row:
    """What is known of a row; `problems` maps a reason to its message."""

    file: str
    text: str = ""  # as the model would learn it
    problems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    sampling_rate: int = 0
    digest: str = ""
    outside: frozenset[str] = frozenset()
    unspaced: bool = False

    @property
    def lost(self) -> bool:
        return any(REASONS[reason] == "set aside" for reason in self.problems)


def _examine(rows: list[tuple[Any, Any, str]], model: _Model) -> list[_Row]:
    """Looks at rows given as (audio, transcription, file)."""
    examined = []
    for clip, text, file in rows:
        row = _Row(file)
        _examine_text(row, text, model)
        _examine_clip(row, clip, model)
        examined.append(row)
    return examined


def _examine_clip(row: _Row, clip: Any, model: _Model) -> None:
    content = clip.get("bytes") if isinstance(clip, dict) else clip
    if content is None and isinstance(clip, dict):
        content = clip.get("path")
    if isinstance(content, (str, os.PathLike)):
        try:
            content = Path(content).read_bytes()
        except FileNotFoundError:
            row.problems["missing-file"] = f"There is no file {row.file!r}: correct its name or bring it."
            return
        except (OSError, ValueError) as error:
            row.problems["unreadable"] = f"{row.file!r} cannot be opened: {error}."
            return
    if not isinstance(content, (bytes, bytearray, memoryview)):
        row.problems["unreadable"] = "The row holds neither the bytes nor the path of a sound."
        return
    content = bytes(content)
    if not content:
        row.problems["empty-file"] = "The file has 0 bytes: copy or download it again."
        return
    try:
        with audio.open_sound(content) as file:
            samples = _read(row, file, content)
    except AsrError:
        samples = None
        seen = next((name for start, name in BEGINNINGS if re.match(start, content, re.DOTALL | re.IGNORECASE)), "")
        row.problems["unreadable"] = (
            f"The file is not a sound that can be read{f': it looks like {seen}' if seen else ''}; "
            "use WAV, FLAC, OGG or MP3."
        )
    if samples is not None:
        _examine_samples(row, samples, model)


def _read(row: _Row, file: soundfile.SoundFile, content: bytes) -> np.ndarray | None:
    """The samples, (num_samples, num_channels) float32; None where the header says that they are of no use."""
    row.sampling_rate = file.samplerate
    suffix = PurePath(row.file).suffix.lower()
    if suffix in FORMATS and file.format not in FORMATS[suffix].split():
        row.problems["wrong-extension"] = f"The name ends in {suffix!r}, the content is {file.format}: rename it."
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        row.problems["wrong-sampling-rate"] = (
            f"The header gives {file.samplerate} Hz, which no recording of speech has: write the true rate there."
        )
        return None
    declared = file.frames / file.samplerate
    if declared > LONGEST:
        row.seconds = declared
        row.problems["too-long"] = (
            f"It lasts {declared:.1f} s, and the memory it takes grows with the square: cut it below {LONGEST:.0f} s."
        )
        return None
    try:
        samples = audio.read_samples(file)
    except AsrError:
        row.problems["truncated"] = f"It breaks off, or is damaged, before the {declared:.2f} s that it declares."
        return None
    row.seconds = len(samples) / file.samplerate
    if not len(samples):
        row.problems["no-samples"] = "The file has a header and no sound behind it."
        return None
    expected = _declared_seconds(file, content, row.seconds)
    if expected is None:
        row.problems["truncated"] = f"Its last page is missing: it breaks off after {row.seconds:.2f} s."
    elif expected - row.seconds > SHORTFALL:
        row.problems["truncated"] = f"It declares {expected:.2f} s and breaks off after {row.seconds:.2f} s."
    return samples


def _declared_seconds(file: soundfile.SoundFile, content: bytes, seconds: float) -> float | None:
    """How long the file says it is. libsndfile believes a cut WAV's length to be what is left of it.

    Returns:
        Seconds; `seconds` where the format does not say; None where it does not say, but something is missing.
    """
    if file.format == "FLAC":
        return file.frames / file.samplerate if file.frames < 2**40 else seconds
    if file.format in ("MP3", "MPEG"):
        start = 0
        if content[:3] == b"ID3" and len(content) > 10:
            start = 10 + sum((byte & 127) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))
        head = content[start : start + 512]
        # Without this tag the number of frames is a guess from the size.
        return file.frames / file.samplerate if b"Xing" in head or b"Info" in head else seconds
    if file.format == "OGG":
        last = content.rfind(b"OggS")
        return seconds if content[last + 5 : last + 6] and content[last + 5] & 4 else None  # 4: the stream's last page
    declared, available = _declared_bytes(content)
    return seconds * declared / available if available else seconds


def _declared_bytes(content: bytes) -> tuple[int, int]:
    """The length of the sound's own chunk, as declared and as it is, in bytes; (0, 0) where that is not said."""
    size = len(content)
    if content[:4] == b".snd":
        offset, declared = (int.from_bytes(content[at : at + 4], "big") for at in (4, 8))
        return (declared, size - offset) if declared < 0xFFFFFFFF and offset < size else (0, 0)
    if content[:4] == b"riff":  # W64: 16 bytes of name, 8 of length
        return int.from_bytes(content[16:24], "little"), size
    if content[:4] not in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return 0, 0
    order = "big" if content[:4] in (b"RIFX", b"FORM") else "little"
    at, long = 12, 0
    while at + 8 <= size:
        name, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], order)
        if name == b"ds64":
            long = int.from_bytes(content[at + 16 : at + 24], "little")
        if name in (b"data", b"SSND"):
            if content[:4] == b"RF64" and length == 0xFFFFFFFF:
                length = long
            # Written to a pipe, a WAV does not know its length and says 0 or a very large one.
            return (length, size - at - 8) if 0 < length < 0x7FFFF000 else (0, 0)
        at += 8 + length + length % 2
    return 0, 0


def _decibels(power: float) -> float:
    return 10 * float(np.log10(max(power, 1e-12)))


def _examine_samples(row: _Row, samples: np.ndarray, model: _Model) -> None:
    """Looks at (num_samples, num_channels) float32."""
    found = row.problems
    waveform = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)  # (num_samples,)
    energy = float(waveform @ waveform)
    if not np.isfinite(energy):  # one sample that is no number, or far too large, is enough
        bad = int(len(samples) - np.isfinite(samples).all(axis=1).sum())
        found["not-finite"] = f"{bad or 'Some'} of its {len(samples)} samples are not numbers: write the file again."
        return
    mean = float(waveform.mean(dtype=np.float64))
    level = _decibels(energy / len(waveform) - mean**2)
    if samples.shape[1] > 1:
        _examine_channels(row, samples)
    if level < SILENT:
        found["silence"] = f"Nothing is heard: its level is {level:.0f} dBFS."
        return
    row.digest = hashlib.blake2b(waveform, digest_size=16).hexdigest()
    if level < QUIET:
        found["low-level"] = f"It is very quiet: {level:.0f} dBFS."
    if abs(mean) > DC_OFFSET:
        found["dc-offset"] = f"Its samples lie around {mean:+.3f} instead of 0."
    highest, lowest = float(waveform.max()), float(waveform.min())
    if max(highest, -lowest) > FULL_SCALE:
        found["over-full-scale"] = f"Its samples reach {max(highest, -lowest):.6g}, and full scale is 1."
    elif (share := audio.clipped_share(waveform)) > CLIPPED:
        found["clipping"] = f"Its peaks are cut off: {share:.1%} of its samples stand at its highest or lowest value."
    frames = num_frames(round(len(waveform) * model.sampling_rate / row.sampling_rate))
    if not frames:
        found["too-short"] = f"It lasts {row.seconds:.3f} s: too short for one frame of the model."
    elif frames < MASKED_SPAN:
        found["shorter-than-mask"] = f"It lasts {row.seconds:.3f} s, {frames} frames: a masked span is {MASKED_SPAN}."
    elif row.text and (needed := _needed_frames(row.text)) > frames:
        found["labels-exceed-frames"] = (
            f"Its transcript needs {needed} frames and the clip gives {frames}: the text is another clip's, "
            "or the clip is cut."
        )
    if row.sampling_rate >= model.sampling_rate and _is_narrow(waveform, row.sampling_rate, model.sampling_rate):
        found["narrow-band"] = (
            f"It says {row.sampling_rate} Hz and holds nothing above {0.3 * model.sampling_rate:.0f} Hz: "
            "it was recorded at a lower rate."
        )


def _examine_channels(row: _Row, samples: np.ndarray) -> None:
    """Looks at (num_samples, num_channels): one voice, or several?"""
    centred = samples - samples.mean(axis=0)
    power = np.einsum("tc,tc->c", centred, centred) / len(samples)  # (num_channels,)
    loudest = int(power.argmax())
    heard = np.flatnonzero(power > 10 ** (CHANNEL_ON / 10))
    if len(heard) > 1:
        together = centred[:, heard].T @ centred[:, loudest] / len(samples)
        correlation = float((together / np.sqrt(power[heard] * power[loudest])).min())
        if correlation < ALIKE:
            row.problems["channels-differ"] = (
                f"Its {samples.shape[1]} channels hold different sounds (correlation {correlation:.2f}), "
                "perhaps two people: export the one that is transcribed."
            )
            return
    row.problems["several-channels"] = f"It has {samples.shape[1]} channels: their mean is taken."


def _is_narrow(waveform: np.ndarray, sampling_rate: int, model_rate: int) -> bool:
    """Whether the upper part of the model's band is empty, judged by some windows."""
    if len(waveform) < WINDOW:
        return False
    starts = np.linspace(0, len(waveform) - WINDOW, min(WINDOWS, len(waveform) // WINDOW), dtype=np.int64)
    windows = waveform[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(windows)) ** 2  # (windows, frequencies)
    nyquist = model_rate / sampling_rate * WINDOW / 2  # the model's, in bins
    low, high = power[:, 2 : int(0.45 * nyquist)], power[:, int(0.6 * nyquist) : int(0.95 * nyquist)]
    return _decibels(high.mean(axis=1).max()) - _decibels(low.mean(axis=1).max()) < EMPTY_BAND


def _needed_frames(text: str) -> int:
    """CTC writes a label in one frame, and a label twice in a row with a blank between."""
    return len(text) + sum(one == following for one, following in pairwise(text))


def _quoted(characters: Iterable[str]) -> str:
    shown = sorted(set(characters))
    return ", ".join(ascii(one) if not one.isprintable() else repr(one) for one in shown[:8]) + (
        f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    )


def _examine_text(row: _Row, text: Any, model: _Model) -> None:
    found = row.problems
    if not isinstance(text, str):
        found["transcript-missing"] = "The row has no transcript: write what is said, or leave the row out."
        return
    if not text.strip():
        found["transcript-empty"] = "The transcript is empty: write what is said, or leave the row out."
        return
    if not text.isascii() or not text.isprintable():
        _examine_characters(row, text)
        text = repair_text(text)
    if model.characters is None:
        written, lost = " ".join(text.split()), Counter(text)
    else:
        normalised = normalise_text(text, model.characters)
        written, lost = normalised.text, normalised.lost
    row.text = written
    kinds = defaultdict(list)
    for character in lost:
        kinds[_kind(character)].append(character)
    if not written or not any(map(str.isalnum, written)):
        found["transcript-no-letters"] = f"Nothing of {_short(text)} can be written in the model's vocabulary."
        return
    if kinds["digit"]:
        found["digits"] = f"{_short(text)} has digits ({_quoted(kinds['digit'])}): write them as they are spoken."
    if kinds["symbol"]:
        found["symbols"] = f"{_short(text)} has symbols ({_quoted(kinds['symbol'])}): write them as they are spoken."
    if model.characters is not None and kinds["letter"]:
        row.outside = frozenset(kinds["letter"])
        count = sum(lost[one] for one in kinds["letter"])
        plain = {one: unicodedata.normalize("NFD", one)[0] for one in kinds["letter"]}
        gone = sum(
            lost[one]
            for one, base in plain.items()
            if unicodedata.category(one)[0] == "L" and not model.characters & {base, base.upper(), base.lower()}
        )
        letters = sum(map(str.isalpha, text))
        message = f"The vocabulary lacks {count} of its letters: {_quoted(kinds['letter'])}"
        if gone > UNWRITABLE * letters:
            found["mostly-outside-vocabulary"] = f"{message}; take a checkpoint with the characters of this language."
        else:
            found["outside-vocabulary"] = f"{message}; they are written without their accent, or left out."


def _short(text: str) -> str:
    """A transcript's beginning as a terminal may show it."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _kind(character: str) -> str:
    """ "letter", "digit", "symbol" (which speech spells out), or "" for what is not spoken."""
    category = unicodedata.category(character)
    if category[0] in "LM":
        return "letter"
    if category[0] == "N":
        return "digit"
    return "symbol" if category in ("Sc", "Sm", "So") or character in SPOKEN_PUNCTUATION else ""


def _script(character: str, scripts: Sequence[str]) -> str:
    return next((one for one in scripts if unicodedata.name(character, "").startswith(one)), "")


def _is_invisible(text: str, place: int) -> bool:
    character = text[place]
    if character in BIDIRECTIONAL or character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Co"):
        return False
    if character in JOINERS and place:
        before = unicodedata.name(text[place - 1], "")
        return before.startswith(("LATIN", "CYRILLIC", "GREEK", "DIGIT", "SPACE", "CJK", "HANGUL"))
    return True


def _unlike(character: str) -> str:
    """The plain letters behind a full-width, mathematical or ligature one; else the character itself."""
    if not character.isascii() and character.isalnum():
        tag = unicodedata.decomposition(character).split(" ")[0]
        if tag in ("<wide>", "<font>") or "\ufb00" <= character <= "\ufb06":
            return unicodedata.normalize("NFKC", character)
    return character


def _unmixed(word: str) -> str:
    """A word whose letters of another script all look like ones of its own, written in its own; else as it is."""
    scripts = Counter(_script(one, ONE_SCRIPT) for one in word)
    if len(scripts) > 1 and scripts["LATIN"]:
        foreign = [one for one in word if _script(one, ONE_SCRIPT) not in ("LATIN", "")]
        if all(one in LATIN_OF for one in foreign):
            return "".join(LATIN_OF.get(one, one) for one in word)
        latin = [one for one in word if _script(one, ONE_SCRIPT) == "LATIN"]
        if scripts["CYRILLIC"] and all(one in CYRILLIC_OF for one in latin):
            return "".join(CYRILLIC_OF.get(one, one) for one in word)
    return word


def repair_text(text: str) -> str:
    """A transcript as it was meant: composed (NFC), without invisible characters, each word in one script.

    Only what is written differently and reads the same is changed.

    >>> repair_text("Cafe\\u0301 \\u202ec\\u0430rd\\u200b")
    'Café card'
    """
    kept = [
        " " if unicodedata.category(one) == "Cc" else "" if one in BIDIRECTIONAL or _is_invisible(text, place) else one
        for place, one in enumerate(text)
    ]
    text = unicodedata.normalize("NFC", "".join(kept))
    return WORD.sub(lambda match: _unmixed(match[0]), "".join(map(_unlike, text)))


def _examine_characters(row: _Row, text: str) -> None:
    """Looks at a transcript that is not plain ASCII."""
    found = row.problems
    if not unicodedata.is_normalized("NFC", text):
        found["not-nfc"] = f"{_short(text)} has letters and accents apart (not NFC): they are put together."
    controls = [one for one in text if one in BIDIRECTIONAL]
    if controls:
        found["bidirectional-controls"] = f"It has controls of the writing direction ({_quoted(controls)}): removed."
    invisible = [one for place, one in enumerate(text) if _is_invisible(text, place)]
    if invisible:
        found["invisible-characters"] = f"It has characters that cannot be seen ({_quoted(invisible)}): removed."
    text = unicodedata.normalize("NFC", text)
    mended = "".join(map(_unlike, text))
    alike = [one for one in text if _unlike(one) != one]
    for word in WORD.findall(mended):
        new = _unmixed(word)
        alike += [one for one, other in zip(word, new, strict=True) if one != other]
        scripts = sorted({_script(one, ONE_SCRIPT) for one in new} - {""})
        if len(scripts) > 1:
            found["mixed-scripts"] = f"{word!r} mixes {' and '.join(one.title() for one in scripts)} letters."
    if alike:
        found["look-alike-letters"] = f"It has look-alikes of other letters ({_quoted(map(_named, alike))}): replaced."
    letters = [one for one in text if one.isalpha()]
    if letters:
        row.unspaced = sum(bool(_script(one, UNSPACED_SCRIPTS)) for one in letters) > UNSPACED * len(letters)


def _named(character: str) -> str:
    return f"{character} {unicodedata.name(character, '')}"


# A row among the others


def _set(row: _Row, reason: str, message: str) -> None:
    row.problems.setdefault(reason, message)


def _compare(rows: list[_Row]) -> None:
    """Finds what only the whole split shows."""
    rates = Counter(row.sampling_rate for row in rows if row.sampling_rate)
    usual = max(rates, key=rates.get, default=0)
    clips: dict[str, list[int]] = defaultdict(list)
    texts: dict[str, int] = {}
    for number, row in enumerate(rows):
        if row.sampling_rate not in (0, usual):
            _set(
                row, "mixed-sampling-rates",
                f"It has {row.sampling_rate} Hz, most of the {len(rows)} clips have {usual}: check that the header "
                "is true.",
            )  # fmt: skip
        if row.digest:
            clips[row.digest].append(number)
        if row.text and not row.lost:
            first = texts.setdefault(row.text, number)
            if first != number and rows[first].digest != row.digest:
                _set(row, "duplicate-text", f"Row {first} has the same transcript.")
    for same in clips.values():
        for number in same[1:]:
            _set(rows[number], "duplicate-audio", f"Row {same[0]} is the same sound.")
        if len({rows[number].text for number in same}) > 1:
            for number in same:
                other = next(one for one in same if rows[one].text != rows[number].text)
                _set(
                    rows[number], "conflicting-transcripts",
                    f"Row {other} is the same sound with another transcript: one of the two is wrong.",
                )  # fmt: skip
    _compare_speech_rates(rows)
    unspaced = [row for row in rows if row.unspaced]
    if len(unspaced) > len(rows) / 2:
        _set(
            unspaced[0], "no-word-spaces",
            f"{len(unspaced)} of {len(rows)} transcripts are in a script without spaces between words: WER counts "
            "each as one word, so judge by CER.",
        )  # fmt: skip


def _compare_speech_rates(rows: list[_Row]) -> None:
    timed = [row for row in rows if row.seconds and row.text and not row.lost]
    if len(timed) < FEWEST_CLIPS:
        return
    rates = np.array([len(row.text) / row.seconds for row in timed])
    logarithms = np.log(rates)
    away = np.abs(logarithms - np.median(logarithms))
    limit = max(np.log(FASTER), SPREADS * 1.4826 * np.median(away))  # 1.4826: a normal distribution's spread
    for place in np.flatnonzero(away > limit):
        _set(
            timed[place], "speech-rate",
            f"{rates[place]:.1f} characters a second, where {np.median(rates):.1f} is usual here: its transcript may "
            "be another clip's.",
        )  # fmt: skip


# The audit


def audit(
    rows: "Dataset | Sequence[Mapping[str, Any]]",
    processor: "ProcessorMixin | None" = None,
    processes: int | None = None,
) -> Audit:
    """Looks at every row once.

    Args:
        rows: from `loading`, or dicts with `audio` (undecoded) and `transcription`.
        processor: what the rows are to train; its vocabulary and its rate are what they are held against. None leaves
            out what only a vocabulary can tell, and takes 16 kHz.
        processes: how many work at it; None takes one for each processor core, or this one alone for few rows.

    Returns:
        Its findings, by row; a row that cannot be read is one of them.

    >>> [one.reason for one in audit([{"audio": {"bytes": b"", "path": "a.wav"}, "transcription": "Hello"}]).findings]
    ['empty-file']
    """
    return next(iter(audit_splits({"": rows}, processor, processes).values()))


def audit_splits(
    splits: "Mapping[str, Dataset | Sequence[Mapping[str, Any]]]",
    processor: "ProcessorMixin | None" = None,
    processes: int | None = None,
) -> dict[str, Audit]:
    """Looks at several splits, and at what they share: the same clip, or a speaker, on both sides of a measurement.

    A clip in two splits is set aside where it would teach, so that what it measures stays. A speaker is looked for in
    the test rows and any other; that validation knows its speakers is usual.

    Args:
        splits: by name, "train", "validation", "test".
        processor, processes: as in `audit`.
    """
    extractor = getattr(processor, "feature_extractor", None)
    model = _Model() if processor is None else _Model(extractor.sampling_rate, vocabulary(processor))
    normalises = processor is None or getattr(extractor, "do_normalize", False)
    total = sum(map(len, splits.values()))
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        processes = processes if total >= FEWEST_ROWS else 1
    chunks = ((name, chunk) for name, part in splits.items() for chunk in _chunks(part))
    examined: dict[str, list[_Row]] = {name: [] for name in splits}
    progress = _Progress(total)
    for name, done in _work(chunks, model, processes):
        examined[name] += done
        progress.add(done)
    progress.end()
    for part in examined.values():
        _compare(part)
    _compare_splits(examined, {name: _speakers(part) for name, part in splits.items()})
    return {name: _audit(part, normalises) for name, part in examined.items()}


def _audit(rows: list[_Row], normalises: bool) -> Audit:
    findings = []
    for number, row in enumerate(rows):
        for reason, message in row.problems.items():
            action = REASONS[reason]
            severity: Severity = "error" if action == "set aside" else "warning"
            if reason in NORMALISED_AWAY and not normalises:
                action = "keep"
            findings.append(Finding(number, row.file, reason, severity, action, message))
    return Audit(
        findings,
        seconds=[row.seconds for row in rows],
        characters=Counter(one for row in rows for one in row.outside),
        digests=[row.digest for row in rows],
    )


def _chunks(rows: Any) -> Iterator[list[tuple[Any, Any, str]]]:
    for start in range(0, len(rows), CHUNK):
        if isinstance(rows, Sequence):
            part = rows[start : start + CHUNK]
        else:  # a dataset's slice is a dict of columns
            columns = rows[start : start + CHUNK]
            part = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        yield [(row.get("audio"), row.get("transcription"), _file(row)) for row in part]


def _file(row: Mapping[str, Any]) -> str:
    clip = row.get("audio")
    path = clip.get("path") if isinstance(clip, dict) else clip if isinstance(clip, (str, os.PathLike)) else None
    return str(path or row.get("path") or "")


def _work(chunks: Iterable[tuple[str, list]], model: _Model, processes: int) -> Iterator[tuple[str, list[_Row]]]:
    """Examines chunks in their order, no more of them at once than keeps the processes busy."""
    if processes < 2:
        for name, chunk in chunks:
            yield name, _examine(chunk, model)
        return
    waiting: deque = deque()
    # spawn: this process may hold threads and locks of other libraries that a copy of it could not use.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for name, chunk in chunks:
            waiting.append((name, pool.submit(_examine, chunk, model)))
            if len(waiting) > 2 * processes:
                name, done = waiting.popleft()
                yield name, done.result()
        for name, done in waiting:
            yield name, done.result()


class _Progress:
    """A line on stderr that is written over, in a terminal as in a notebook."""

    def __init__(self, total: int):
        self.total, self.done, self.seconds = total, 0, 0.0
        self.started = self.shown = time.perf_counter()

    def add(self, rows: list[_Row]) -> None:
        self.done += len(rows)
        self.seconds += sum(row.seconds for row in rows)
        now = time.perf_counter()
        if now - self.shown > PROGRESS:
            self.shown = now
            times = self.seconds / (now - self.started)
            print(f"\raudit: {self.done} of {self.total} rows, {times:.0f} × real time ", end="", file=sys.stderr)
            sys.stderr.flush()

    def end(self) -> None:
        if self.shown != self.started:
            print(file=sys.stderr)


def _speakers(rows: Any) -> list[str]:
    """Who speaks in each row: a column's word, or a demo path's; "" where that is not known."""
    names = rows.column_names if hasattr(rows, "column_names") else (rows[0].keys() if len(rows) else ())
    column = next((name for name in SPEAKER_COLUMNS if name in names), None)
    if column:
        return [str(one or "") for one in (row[column] for row in _only(rows, column))]
    if "path" in names:
        return [voice_of(row["path"] or "") or "" for row in _only(rows, "path")]
    return [""] * len(rows)


def _only(rows: Any, column: str) -> Any:
    return rows.select_columns([column]) if hasattr(rows, "select_columns") else rows


def _compare_splits(splits: dict[str, list[_Row]], speakers: dict[str, list[str]]) -> None:
    order = [name for name in ("test", "validation", "train") if name in splits]
    seen: dict[str, tuple[str, int]] = {}
    for name in [*order, *(name for name in splits if name not in order)]:
        for number, row in enumerate(splits[name]):
            where = seen.setdefault(row.digest, (name, number)) if row.digest else (name, number)
            if where[0] != name:
                _set(
                    row, "clip-in-two-splits",
                    f"It is row {where[1]} of {where[0]} too, where it is to measure: it must not teach.",
                )  # fmt: skip
    for name in splits:
        if name == "test" or "test" not in splits:
            continue
        known = set(speakers[name]) - {""}
        counts = Counter(one for one in speakers["test"] if one in known)
        for speaker, count in counts.items():
            first = speakers["test"].index(speaker)
            _set(
                splits["test"][first], "speaker-in-two-splits",
                f"The speaker {speaker!r} of {count} test rows also speaks in {name}: the measure will flatter.",
            )  # fmt: skip


def apply(rows: "Dataset | list[dict]", audit: Audit) -> tuple["Dataset | list[dict]", list[dict[str, Any]]]:
    """Does what an audit says: sets rows aside, and mends the transcripts of others. What is repaired in the sound
    is repaired whenever a row is decoded.

    Args:
        rows: the split that was audited.
        audit: its audit.

    Returns:
        The rows that stay, and for each row set aside a dict with `row`, `file`, `transcription` and its `findings`.

    >>> rows = [{"audio": {"bytes": b"", "path": "a.wav"}, "transcription": "Hello"}]
    >>> kept, aside = apply(rows, audit(rows))
    >>> len(kept), aside[0]["file"]
    (0, 'a.wav')
    """
    if len(rows) != len(audit.seconds):
        raise AsrError(f"The audit is of {len(audit.seconds)} rows and there are {len(rows)}: audit these rows.")
    gone: dict[int, list[Finding]] = defaultdict(list)
    for one in audit.findings:
        if one.action == "set aside":
            gone[one.row].append(one)
    texts = [row["transcription"] for row in _only(rows, "transcription")]
    aside = [
        {
            "row": number, "file": found[0].file, "transcription": texts[number],
            "findings": [{"reason": one.reason, "message": one.message} for one in found],
        }
        for number, found in sorted(gone.items())
    ]  # fmt: skip
    stay = [number for number in range(len(rows)) if number not in gone]
    mended = [repair_text(texts[number]) for number in stay]
    changed = any(texts[number] != new for number, new in zip(stay, mended, strict=True))
    if isinstance(rows, list):
        return [{**rows[number], "transcription": new} for number, new in zip(stay, mended, strict=True)], aside
    kept = rows.select(stay) if gone else rows
    if changed:
        kept = kept.map(lambda row, number: {"transcription": mended[number]}, with_indices=True)
    return kept, aside
