"""Makes a folder of people saying digits, in the audiofolder form, from the Free Spoken Digit Dataset.

    git clone https://github.com/Jakobovski/free-spoken-digit-dataset
    python -m benchmarks digits free-spoken-digit-dataset/recordings DEST [--speakers jackson nicolas theo]

A clip joins three to seven digits of one speaker, with pauses of 0.05 to 0.3 s around them. Train clips are made of
the recordings 5 to 49 of each digit, test clips of the recordings 0 to 4, so no recording is in both. The same seed
writes the same clips. The recordings' licence is CC BY-SA 4.0, which a folder made of them keeps.
"""

import argparse
import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from asr_helpers import InputError, audio
from asr_helpers.cli.common import positive

WORDS = "zero one two three four five six seven eight nine".split()
SPEAKERS = ("jackson", "nicolas", "theo")
SAMPLING_RATE = 8_000  # Hz, the corpus's
FEWEST, MOST = 3, 7  # digits in a clip
PAUSES = (0.05, 0.3)  # s
RECORDINGS = {"train": range(5, 50), "test": range(5)}
NAME = re.compile(r"(\d)_([^_]+)_(\d+)\.wav")  # {digit}_{speaker}_{index}.wav

Recordings = dict[int, list[np.ndarray]]  # digit: its waveforms, each (num_samples,) float32


def find_recordings(folder: str | Path, speaker: str, indices: range) -> dict[int, list[Path]]:
    """Finds a speaker's recordings by digit, those of these indices, in their order.

    Raises:
        InputError: there is no such folder, or a digit has no such recording by this speaker.
    """
    if not Path(folder).is_dir():
        raise InputError(f"There is no folder {str(folder)!r}: name the corpus's folder 'recordings'.")
    found = []
    for path in Path(folder).iterdir():
        match = NAME.fullmatch(path.name)
        if match and match[2] == speaker and int(match[3]) in indices:
            found.append((int(match[1]), int(match[3]), path))
    files: dict[int, list[Path]] = {digit: [] for digit in range(10)}
    for digit, _, path in sorted(found):
        files[digit].append(path)
    for digit, paths in files.items():
        if not paths:
            raise InputError(
                f"{str(folder)!r} has no recording {digit}_{speaker}_{indices.start}.wav, nor one up to "
                f"{indices.stop - 1}: name the corpus's folder 'recordings' and its speakers."
            )
    return files


def load_recordings(files: dict[int, list[Path]]) -> Recordings:
    """Decodes what `find_recordings` found.

    Raises:
        InputError: a recording cannot be read, or is not at 8 kHz.
    """
    recordings: Recordings = {}
    for digit, paths in files.items():
        recordings[digit] = []
        for path in paths:
            waveform, rate = audio.decode(path)
            if rate != SAMPLING_RATE:
                raise InputError(f"{str(path)!r} is at {rate} Hz and the corpus at {SAMPLING_RATE}: is it another one?")
            recordings[digit].append(waveform)
    return recordings


def join_digits(recordings: Recordings, generator: np.random.Generator) -> tuple[np.ndarray, str]:
    """Makes one clip.

    Args:
        recordings: of one speaker, each digit with one or more.
        generator: draws the digits, their recordings and the pauses.

    Returns:
        The waveform, (num_samples,) float32 at 8 kHz: a pause before each digit and one at the end; and its text.
    """
    parts, words = [], []
    for digit in generator.integers(0, 10, generator.integers(FEWEST, MOST + 1)):
        takes = recordings[int(digit)]
        parts += [_pause(generator), takes[generator.integers(len(takes))]]
        words.append(WORDS[digit])
    return np.concatenate([*parts, _pause(generator)]), " ".join(words)


def _pause(generator: np.random.Generator) -> np.ndarray:
    return np.zeros(round(generator.uniform(*PAUSES) * SAMPLING_RATE), dtype=np.float32)


def write_digits(
    folder: str | Path, destination: str | Path, speakers: Sequence[str] = SPEAKERS, train: int = 240, test: int = 60,
    seed: int = 0,
) -> None:  # fmt: skip
    """Writes train and test clips, the speakers in turn: FLAC files and a metadata.csv for each split.

    Args:
        folder: the corpus's recordings.
        destination: a new or empty folder.
        speakers: who speaks.
        train, test: how many clips.
        seed: of all draws.

    Raises:
        InputError: a recording is missing or cannot be read, or the destination holds something.
    """
    destination = Path(destination)
    files = {
        split: {speaker: find_recordings(folder, speaker, indices) for speaker in speakers}
        for split, indices in RECORDINGS.items()
    }
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise InputError(f"{str(destination)!r} holds something already: name a new folder.")
    generator = np.random.default_rng(seed)
    for split, count in {"train": train, "test": test}.items():
        voices = {speaker: load_recordings(found) for speaker, found in files[split].items()}
        (destination / split).mkdir(parents=True)
        with open(destination / split / "metadata.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["file_name", "transcription", "speaker"])
            for number in range(count):
                speaker = speakers[number % len(speakers)]
                waveform, text = join_digits(voices[speaker], generator)
                name = f"{speaker}_{number:04}.flac"
                soundfile.write(destination / split / name, waveform, SAMPLING_RATE, subtype="PCM_16")
                table.writerow([name, text, speaker])


def main(arguments: Sequence[str]) -> None:
    """Writes the folder."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks digits", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", metavar="SOURCE", help="the corpus's folder 'recordings'")
    parser.add_argument("destination", metavar="DEST", help="a new folder")
    parser.add_argument("--speakers", nargs="+", default=SPEAKERS, metavar="SPEAKER")
    parser.add_argument("--train", type=positive, default=240, help="clips (default: 240)")
    parser.add_argument("--test", type=positive, default=60, help="clips (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    write_digits(args.source, args.destination, args.speakers, args.train, args.test, args.seed)
    print(f"{args.train} clips to train on and {args.test} to test with are in {args.destination}")
