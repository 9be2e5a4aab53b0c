"""Bad rows and their near misses, made by code: each with the reasons the audit must give, and no others."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'"
WORDS = "the bank card was lost on my way to work please send me a new one".split()
_seeds = count(1)


def processor(letters: str = LETTERS, do_normalize: bool = True) -> SimpleNamespace:
    """As much of a processor as the audit looks at: it needs no torch."""
    tokens = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *letters])}
    tokenizer = SimpleNamespace(
        all_special_tokens=["<pad>", "<s>", "</s>", "<unk>"], word_delimiter_token="|", get_vocab=lambda: tokens
    )
    extractor = SimpleNamespace(sampling_rate=16_000, do_normalize=do_normalize)
    return SimpleNamespace(tokenizer=tokenizer, feature_extractor=extractor)


def voice(seconds: float = 1.5, sampling_rate: int = 16_000, level: float = 0.1) -> np.ndarray:
    """Something like speech: syllables of a hummed tone with a hiss between, in a little noise; never the same twice.

    Returns:
        (num_samples,) float32 with a root mean square of `level`.
    """
    random = np.random.default_rng(next(_seeds))
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    pitch = random.uniform(90, 220)
    tone = 2 * (pitch * time % 1) - 1
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time + random.uniform(0, 6))
    hiss = random.normal(0, 0.3, len(time)) * (1 - syllables)
    waveform = tone * syllables + hiss + random.normal(0, 0.01, len(time))
    waveform -= waveform.mean()
    return (waveform * level / np.sqrt((waveform**2).mean())).astype(np.float32)


def sound(samples: np.ndarray, sampling_rate: int = 16_000, format: str = "FLAC", subtype: str | None = None) -> bytes:
    """A file in memory."""
    file = io.BytesIO()
    soundfile.write(file, samples, sampling_rate, format=format, subtype=subtype)
    return file.getvalue()


def text() -> str:
    """A transcript that no other row has."""
    random = np.random.default_rng(next(_seeds))
    return " ".join(random.choice(WORDS, 3)) + " " + "".join(random.choice(list("abcdefghij"), 5))


def row(content: Any = None, transcription: Any = ..., path: str = "clip.flac", **columns: Any) -> dict[str, Any]:
    """A row that is clean where nothing is said."""
    content = sound(voice()) if content is None else content
    transcription = text() if transcription is ... else transcription
    return {"audio": {"bytes": content, "path": path}, "transcription": transcription, **columns}


@dataclass(frozen=True)
class Case:
    """Rows to audit together.

    Attributes:
        name: what is in them.
        rows: made when asked for.
        expected: for each row its reasons; one set stands for the last rows, where those before are clean.
        processor: what they are audited for.
    """

    name: str
    rows: Callable[[], list[dict[str, Any]]]
    expected: list[set[str]]
    processor: Any = field(default_factory=processor)


def one(name: str, make: Callable[[], dict[str, Any]], *reasons: str, **others: Any) -> Case:
    """A case of one row."""
    return Case(name, lambda: [make()], [set(reasons)], **others)


def said(name: str, transcription: Any, *reasons: str, letters: str = LETTERS) -> Case:
    """A clean clip of 3 s with this transcript."""
    return one(name, lambda: row(sound(voice(3.0)), transcription), *reasons, processor=processor(letters))


def _cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def _stream_wav() -> bytes:
    """As ffmpeg writes a WAV to a pipe: its length unknown."""
    content = bytearray(sound(voice(), format="WAV"))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    return bytes(content)


def _header(offset: int, value: int) -> bytes:
    content = bytearray(sound(voice(), format="WAV"))
    content[offset : offset + 4] = struct.pack("<I", value)
    return bytes(content)


def flac_that_says(num_samples: int) -> bytes:
    """A FLAC whose STREAMINFO gives another length, in its 36 bits; 0 stands for one not known."""
    content = bytearray(sound(voice()))
    content[21:26] = (content[21] & 0xF0 | num_samples >> 32).to_bytes() + (num_samples & 0xFFFFFFFF).to_bytes(4)
    return bytes(content)


def _with(waveform: np.ndarray, value: float) -> np.ndarray:
    waveform[1_000] = value
    return waveform


def _clipped(share: float) -> np.ndarray:
    waveform = voice()
    top = np.quantile(np.abs(waveform), 1 - share)
    return np.clip(waveform, -top, top)


def _upsampled(rate: int) -> bytes:
    import soxr

    return sound(soxr.resample(voice(1.5, rate), rate, 16_000))


def _channels(*channels: np.ndarray) -> bytes:
    return sound(np.stack(channels, axis=1))


def _two_microphones() -> bytes:
    waveform = voice()
    noise = np.random.default_rng(next(_seeds)).normal(0, 0.02, len(waveform))
    return _channels(waveform, 0.6 * np.roll(waveform, 3) + noise)


def _one_voice_flipped() -> bytes:
    waveform = voice()
    return _channels(waveform, -waveform)


def _one_channel_off() -> bytes:
    waveform = voice()
    return _channels(waveform, np.zeros_like(waveform))


def _corpus(*last: dict[str, Any], clean: int = 24) -> list[dict[str, Any]]:
    return [*(row() for _ in range(clean)), *last]


def _same(first: str, second: str, format: str = "FLAC") -> list[dict[str, Any]]:
    samples = np.round(voice() * 32_767).astype(np.int16)
    path = f"again.{format.lower()}"
    return [row(sound(samples), first), row(sound(samples, format=format), second, path=path)]


CASES = [
    # the file
    one("clean FLAC", row),
    one("clean WAV", lambda: row(sound(voice(), format="WAV"), path="clip.wav")),
    one("clean WAV of floats", lambda: row(sound(voice(), format="WAV", subtype="FLOAT"), path="clip.wav")),
    one("clean WAV of 8 bits", lambda: row(sound(voice(), format="WAV", subtype="PCM_U8"), path="clip.wav")),
    one("clean WAV of mu-law at 8 kHz", lambda: row(
        sound(voice(1.5, 8_000), 8_000, "WAV", "ULAW"), path="clip.wav")),
    one("clean OGG Vorbis", lambda: row(sound(voice(), format="OGG"), path="clip.ogg")),
    one("clean Opus", lambda: row(sound(voice(), format="OGG", subtype="OPUS"), path="clip.opus")),
    one("clean MP3", lambda: row(sound(voice(), format="MP3"), path="clip.mp3")),
    one("clean AIFF", lambda: row(sound(voice(), format="AIFF"), path="clip.aiff")),
    one("clean at 44.1 kHz", lambda: row(sound(voice(1.5, 44_100), 44_100))),
    one("clean at 8 kHz", lambda: row(sound(voice(1.5, 8_000), 8_000))),
    one("no file", lambda: {"audio": {"bytes": None, "path": "no/such.wav"}, "transcription": text()}, "missing-file"),
    one("neither bytes nor path", lambda: {"audio": {"bytes": None, "path": None}, "transcription": text()},
        "unreadable"),
    one("no audio at all", lambda: {"audio": None, "transcription": text()}, "unreadable"),
    one("decoded audio", lambda: {"audio": {"array": [0.0], "sampling_rate": 8_000}, "transcription": text()},
        "unreadable"),
    one("zero bytes", lambda: row(b""), "empty-file"),
    one("a text file", lambda: row(b"Dear bank, please send me a card."), "unreadable"),
    one("a web page", lambda: row(b"<!DOCTYPE html><html>404"), "unreadable"),
    one("a Git LFS pointer", lambda: row(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "unreadable"),
    one("an MP4 under another name", lambda: row(b"\0\0\0\x20ftypM4A " + bytes(200), path="clip.wav"), "unreadable"),
    one("a header broken off", lambda: row(sound(voice(), format="WAV")[:20], path="clip.wav"), "unreadable"),
    one("a header and no samples", lambda: row(sound(np.zeros(0), format="WAV"), path="clip.wav"), "no-samples"),
    one("half a WAV", lambda: row(_cut(sound(voice(), format="WAV"), 0.5), path="clip.wav"), "truncated"),
    one("half an RF64", lambda: row(_cut(sound(voice(), format="RF64"), 0.5), path="clip.wav"), "truncated"),
    one("half a W64", lambda: row(_cut(sound(voice(), format="W64"), 0.5), path="clip.w64"), "truncated"),
    one("half a FLAC", lambda: row(_cut(sound(voice()), 0.5)), "truncated"),
    one("half an OGG", lambda: row(_cut(sound(voice(4.0), format="OGG"), 0.6), path="clip.ogg"), "truncated"),
    one("half an MP3", lambda: row(_cut(sound(voice(), format="MP3"), 0.5), path="clip.mp3"), "truncated"),
    one("half an AIFF", lambda: row(_cut(sound(voice(), format="AIFF"), 0.5), path="clip.aiff"), "truncated"),
    one("half an AU", lambda: row(_cut(sound(voice(), format="AU"), 0.5), path="clip.au"), "truncated"),
    one("a WAV that lacks its last 20 ms", lambda: row(sound(voice(), format="WAV")[:-640], path="clip.wav")),
    one("a WAV from a pipe", lambda: row(_stream_wav(), path="clip.wav")),
    one("a FLAC that claims 50 days", lambda: row(flac_that_says(2**36 - 1)), "too-long"),
    one("a FLAC that claims 1 s more", lambda: row(flac_that_says(40_000)), "truncated"),
    one("a FLAC from a pipe", lambda: row(flac_that_says(0)), "unreadable"),
    one("a FLAC called .wav", lambda: row(path="clip.wav"), "wrong-extension"),
    one("a WAV called .m4a", lambda: row(sound(voice(), format="WAV"), path="clip.m4a"), "wrong-extension"),
    one("a capital extension", lambda: row(path="CLIP.FLAC")),
    one("no extension", lambda: row(path="clip")),
    one("a dot in a name that is no extension", lambda: row(path="clip.2024")),
    # the sound
    one("a sample that is no number", lambda: row(
        sound(_with(voice(), np.nan), format="WAV", subtype="FLOAT"), path="clip.wav"), "not-finite"),
    one("an infinite sample", lambda: row(
        sound(_with(voice(), np.inf), format="WAV", subtype="FLOAT"), path="clip.wav"), "not-finite"),
    one("digital silence", lambda: row(sound(np.zeros(24_000))), "silence"),
    one("silence on an offset", lambda: row(sound(np.full(24_000, 0.3))), "silence"),
    one("the microphone's noise alone", lambda: row(sound(voice(level=1e-4))), "silence"),
    one("very quiet", lambda: row(sound(voice(level=0.002))), "low-level"),
    one("quiet, but no more than that", lambda: row(sound(voice(level=0.005)))),
    one("a DC offset", lambda: row(sound(voice() + 0.05)), "dc-offset"),
    one("a small DC offset", lambda: row(sound(voice() + 0.01))),
    one("a DC offset that nothing takes away", lambda: row(sound(voice() + 0.05)), "dc-offset",
        processor=processor(do_normalize=False)),
    one("integers kept as floats", lambda: row(
        sound(voice() * 32_768, format="WAV", subtype="FLOAT"), path="clip.wav"), "over-full-scale"),
    one("floats a little over full scale", lambda: row(
        sound(voice() * 1.2 / 0.4, format="WAV", subtype="FLOAT"), path="clip.wav")),
    one("clipped peaks", lambda: row(sound(_clipped(0.05))), "clipping"),
    one("one peak at the top", lambda: row(sound(_with(voice(), 1.0)))),
    one("two channels alike", lambda: row(_channels(*[voice()] * 2)), "several-channels"),
    one("six channels alike", lambda: row(_channels(*[voice()] * 6)), "several-channels"),
    one("two microphones", lambda: row(_two_microphones()), "several-channels"),
    one("one channel off", lambda: row(_one_channel_off()), "several-channels"),
    one("two people on two channels", lambda: row(_channels(voice(), voice())), "channels-differ"),
    one("channels that cancel", lambda: row(_one_voice_flipped()), "channels-differ", "silence"),
    one("1 kHz in the header", lambda: row(_header(24, 1_000), path="clip.wav"), "wrong-sampling-rate"),
    one("a million Hz in the header", lambda: row(_header(24, 1_000_000), path="clip.wav"), "wrong-sampling-rate"),
    one("8 kHz blown up to 16", lambda: row(_upsampled(8_000)), "narrow-band"),
    one("12 kHz blown up to 16", lambda: row(_upsampled(12_000))),
    one("10 ms", lambda: row(sound(voice(0.01))), "too-short"),
    one("0.1 s", lambda: row(sound(voice(0.1))), "shorter-than-mask"),
    one("0.25 s and a word", lambda: row(sound(voice(0.25)), "yes")),
    one("31 s", lambda: row(sound(voice(31.0, 8_000), 8_000)), "too-long"),
    one("29 s", lambda: row(sound(voice(29.0, 8_000), 8_000))),
    # the transcript
    said("no transcript", None, "transcript-missing"),
    said("a number for a transcript", 3.14, "transcript-missing"),
    said("an empty transcript", "", "transcript-empty"),
    said("spaces for a transcript", " \t\n ", "transcript-empty"),
    said("punctuation alone", "... !", "transcript-no-letters"),
    said("digits alone", "3.14", "transcript-no-letters"),
    said("another alphabet", "перевести деньги", "transcript-no-letters"),
    said("half another alphabet", "please перевести", "mostly-outside-vocabulary"),
    said("accents", "un café s'il vous plaît", "outside-vocabulary"),
    said("accents in the vocabulary", "un café s'il vous plaît", letters=LETTERS + "ÉÎ"),
    said("digits", "room 7 please", "digits"),
    said("digits in the vocabulary", "room 7 please", letters=LETTERS + "0123456789"),
    said("symbols", "fish & chips for £ five", "symbols"),
    said("punctuation", "Well, “yes” – it’s fine; really?"),
    said("letters and accents apart", "cafe\u0301 noir", "not-nfc", letters=LETTERS + "É"),
    said("letters and accents together", "café noir", letters=LETTERS + "É"),
    said("a zero-width space", "pay\u200b my bill", "invisible-characters"),
    said("a byte order mark", "\ufeffpay my bill", "invisible-characters"),
    said("a terminal's escape", "pay\x1b[m my bill", "invisible-characters"),
    said("a tab and a hard space", "pay\tmy\u00a0bill"),
    said("a joiner that spells", "می\u200cخواهم", letters="میخواهم"),
    said("controls of direction", "pay \u202emy bill\u202c", "bidirectional-controls"),
    said("right to left", "שלום לכולם", letters="שלוםכ"),
    said("a Cyrillic a in a Latin word", "my c\u0430rd", "look-alike-letters"),
    said("a Latin a in a Cyrillic word", "дa да", "look-alike-letters", letters="да"),
    said("full-width letters", "ＰＡＹ it", "look-alike-letters"),
    said("full-width digits", "gate ２０", "look-alike-letters", "digits"),
    said("half-width kana", "ｶﾞｰﾄﾞ", "look-alike-letters", "no-word-spaces", letters="ガード"),
    said("an Arabic word in its printed forms", "ﺳﻼم", "look-alike-letters", letters="سلام"),
    said("a vocabulary without the marked kana", "がが", "transcript-no-letters", "no-word-spaces", letters="か"),
    said("two scripts in a word", "my bankж card", "mixed-scripts", "outside-vocabulary"),
    said("two scripts in two words", "да yes", letters=LETTERS + "да"),
    said("kanji and kana", "銀行のカード", "no-word-spaces", letters="銀行のカード"),
    said("Korean has spaces", "은행 카드", letters="은행카드"),
    Case("vowel marks in half of the rows", lambda: [row(None, "مُحَمَّد كَتَبَ"), row(None, "سلام محمد شكرًا")],
         [{"vowel-marks-in-some-rows", "outside-vocabulary"}, {"outside-vocabulary"}], processor("محدكتبسلاشر")),
    Case("vowel marks in all rows", lambda: [row(None, "مُحَمَّد كَتَبَ"), row(None, "سَلَامٌ")],
         [set(), set()], processor("محدكتبسلا" + "\u064c\u064e\u064f\u0651")),
    # the two together
    one("a text too long for its clip", lambda: row(sound(voice(0.5)), "please send me a new card today"),
        "labels-exceed-frames"),
    one("as many labels as frames", lambda: row(sound(voice(0.5)), "abcdefghijklmnopqrstuvwx")),
    one("as many, were it not for the repeats", lambda: row(sound(voice(0.5)), "aabbccddeeffgghhiijjkkll"),
        "labels-exceed-frames"),
    Case("a transcript of another clip", lambda: _corpus(row(sound(voice(6.0)), "yes indeed")), [{"speech-rate"}]),
    Case("a slow speaker", lambda: _corpus(row(sound(voice(2.5)))), [set()]),
    # a row among the others
    Case("another rate", lambda: _corpus(row(sound(voice(1.5, 22_050), 22_050))), [{"mixed-sampling-rates"}]),
    Case("the same sound twice", lambda: _same("yes please", "Yes, please!"), [set(), {"duplicate-audio"}]),
    Case("the same sound in another format", lambda: _same("yes please", "yes please", "WAV"),
         [set(), {"duplicate-audio"}]),
    Case("the same sound, two transcripts", lambda: _same("yes please", "not at all"),
         [{"conflicting-transcripts"}, {"duplicate-audio", "conflicting-transcripts"}]),
    Case("the same words by two speakers", lambda: [row(None, "Yes please"), row(None, "yes, please")],
         [set(), {"duplicate-text"}]),
    Case("two silences are no copies", lambda: [row(sound(np.zeros(24_000))) for _ in range(2)], [{"silence"}] * 2),
]  # fmt: skip
