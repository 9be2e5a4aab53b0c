"""Writes a few clips in each layout that `asr_helpers.layouts` reads: a function a layout, with the same clips in each.

Eight speakers say three sentences each. Speaker 0 is in a test split and speaker 1 in a validation split where a layout
has splits of its own; in the others all rows are training rows.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import soundfile

from asr_helpers import audio, loading
from asr_helpers.sources import source

SPEAKERS, EACH = 8, 3


@dataclass(frozen=True)
class Clip:
    """One of the demo corpus's clips: FLAC bytes, what is said, by whom, in which split, its length in s."""

    name: str
    content: bytes
    text: str
    speaker: str
    split: str
    seconds: float


@cache
def clips() -> tuple[Clip, ...]:
    """The shortest clips of eight of the demo's voices."""
    rows = loading.load_rows(source("demo"))
    by_voice: dict[str, list] = {}
    for row in sorted(rows, key=lambda row: len(row["audio"]["bytes"])):
        by_voice.setdefault(loading.voice_of(row["path"]), []).append(row)
    found = []
    for speaker, voice in enumerate(sorted(by_voice, key=lambda voice: -len(by_voice[voice]))[:SPEAKERS]):
        split = {0: "test", 1: "dev"}.get(speaker, "train")
        for number, row in enumerate(by_voice[voice][:EACH]):
            content = row["audio"]["bytes"]
            name = f"{100 + speaker}-7-{number:04d}"
            seconds = audio.duration(content)
            found.append(Clip(name, content, row["transcription"], str(100 + speaker), split, seconds))
    assert len(found) == SPEAKERS * EACH
    return tuple(found)


def wav(clip: Clip) -> bytes:
    """The clip as a WAV file."""
    waveform, rate = audio.decode(clip.content)
    return audio.encode(waveform, rate)


def place(folder: Path, name: str, content: bytes | str) -> Path:
    """Writes a file and the folders it lies in."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def splits() -> Iterator[tuple[str, list[Clip]]]:
    """The clips of each split."""
    for name in ("train", "dev", "test"):
        yield name, [clip for clip in clips() if clip.split == name]


def write_common_voice(folder: Path) -> Path:
    """cv-corpus's ar/: validated.tsv alone, as small languages have it."""
    lines = ["client_id\tpath\tsentence_id\tsentence\tup_votes\tdown_votes\tage\tgender"]
    for clip in clips():
        place(folder, f"clips/{clip.name}.flac", clip.content)
        lines.append(f'{clip.speaker}\t{clip.name}.flac\tx\t"{clip.text}\t2\t0\t\t')  # a quote is a letter there
    place(folder, "validated.tsv", "\n".join(lines) + "\n")
    return folder


def write_librispeech(folder: Path) -> Path:
    """LibriSpeech/: train-clean-100, dev-clean and test-clean."""
    for split, some in splits():
        name = {"train": "train-clean-100", "dev": "dev-clean", "test": "test-clean"}[split]
        for clip in some:
            chapter = folder / name / clip.speaker / "7"
            place(chapter, f"{clip.name}.flac", clip.content)
            with open(chapter / f"{clip.speaker}-7.trans.txt", "a") as file:
                print(clip.name, clip.text.upper(), file=file)
    return folder


def write_kaldi(folder: Path, segments: bool = False) -> Path:
    """A data directory; with `segments`, each speaker's clips are parts of one recording, 0.5 s of silence between."""
    files: dict[str, list[str]] = {"text": [], "wav.scp": [], "utt2spk": []}
    for clip in clips():
        files["text"].append(f"{clip.name} {clip.text}")
        files["utt2spk"].append(f"{clip.name} {clip.speaker}")
        if not segments:
            path = place(folder, f"sounds/{clip.name}.wav", wav(clip))
            files["wav.scp"].append(f"{clip.name} {path.resolve()}")
    if segments:
        files["segments"] = []
        for speaker in dict.fromkeys(clip.speaker for clip in clips()):
            samples: list[float] = []
            for clip in (one for one in clips() if one.speaker == speaker):
                waveform, rate = audio.decode(clip.content)
                start, end = len(samples) / rate, (len(samples) + len(waveform)) / rate
                files["segments"].append(f"{clip.name} rec{speaker} {start:.6f} {end:.6f}")
                samples += [*waveform, *[0.0] * (rate // 2)]
            file = io.BytesIO()
            soundfile.write(file, samples, rate, format="FLAC")
            place(folder, f"sounds/rec{speaker}.flac", file.getvalue())
            files["wav.scp"].append(f"rec{speaker} sounds/rec{speaker}.flac")
    for name, lines in files.items():
        place(folder, name, "\n".join(sorted(lines)) + "\n")
    return folder


def write_fleurs(folder: Path) -> Path:
    """FLEURS's en_us/: no columns named, no speakers."""
    for split, some in splits():
        lines = []
        for number, clip in enumerate(some):
            place(folder, f"audio/{split}/{clip.name}.wav", wav(clip))
            letters = " ".join(clip.text.lower().replace(" ", "|"))
            fields = [
                number,
                f"{clip.name}.wav",
                clip.text + ".",
                clip.text,
                letters,
                round(clip.seconds * 8000),
                "MALE",
            ]
            lines.append("\t".join(map(str, fields)))
        place(folder, f"{split}.tsv", "\n".join(lines) + "\n")
    return folder


def write_espnet(folder: Path) -> Path:
    """A recipe with dump/raw: training and validation sets in org/ too, paths from the recipe's folder on."""
    for split, some in splits():
        name = {"train": "train_nodev", "dev": "train_dev", "test": "test"}[split]
        for home in [f"dump/raw/{name}", *([f"dump/raw/org/{name}"] if split != "test" else [])]:
            files: dict[str, list[str]] = {"text": [], "wav.scp": [], "utt2spk": []}
            for clip in some:
                place(folder, f"{home}/data/format.1/{clip.name}.flac", clip.content)
                files["text"].append(f"{clip.name} {clip.text}")
                files["wav.scp"].append(f"{clip.name} {home}/data/format.1/{clip.name}.flac")
                files["utt2spk"].append(f"{clip.name} {clip.speaker}")
            for file, lines in files.items():
                place(folder, f"{home}/{file}", "\n".join(lines) + "\n")
    return folder


def write_nemo(folder: Path) -> Path:
    """A manifest for each split, each clip a part of a file with silence around it."""
    for split, some in splits():
        lines = []
        for clip in some:
            waveform, rate = audio.decode(clip.content)
            padded = [*[0.0] * rate, *waveform, *[0.0] * rate]
            place(folder, f"sounds/{clip.name}.wav", audio.encode(padded, rate))
            found = {"audio_filepath": f"sounds/{clip.name}.wav", "offset": 1.0, "duration": clip.seconds}
            lines.append(json.dumps(found | {"text": clip.text, "speaker": clip.speaker}))
        place(folder, f"{split}_manifest.json", "\n".join(lines) + "\n")
    return folder


def _lhotse(folder: Path) -> Iterator[tuple[Clip, dict, dict]]:
    for clip in clips():
        place(folder, f"sounds/{clip.name}.flac", clip.content)
        sources = [{"type": "file", "channels": [0], "source": f"sounds/{clip.name}.flac"}]
        recording = {
            "id": f"rec-{clip.name}", "sources": sources, "sampling_rate": 8_000,
            "num_samples": round(clip.seconds * 8_000), "duration": clip.seconds,
        }  # fmt: skip
        supervision = {
            "id": clip.name, "recording_id": f"rec-{clip.name}", "start": 0.0, "duration": clip.seconds, "channel": 0,
            "text": clip.text, "speaker": clip.speaker,
        }  # fmt: skip
        yield clip, recording, supervision


def _lines(objects: list[dict]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def write_lhotse(folder: Path) -> Path:
    """Compressed recordings and supervisions."""
    found = list(_lhotse(folder))
    place(folder, "mine_recordings_all.jsonl.gz", gzip.compress(_lines([one[1] for one in found]).encode()))
    place(folder, "mine_supervisions_all.jsonl.gz", gzip.compress(_lines([one[2] for one in found]).encode()))
    return folder


def write_lhotse_cuts(folder: Path) -> Path:
    """Cuts: recording and supervision in one line, the supervision's start counted from the cut's."""
    cuts = [
        {
            "id": f"cut-{clip.name}", "start": 0.25, "duration": clip.seconds - 0.25, "channel": 0, "type": "MonoCut",
            "recording": recording, "supervisions": [supervision | {"start": 0.0, "duration": clip.seconds - 0.25}],
        }
        for clip, recording, supervision in _lhotse(folder)
    ]  # fmt: skip
    place(folder, "cuts.jsonl", _lines(cuts))
    return folder


def write_spreadsheet(folder: Path) -> Path:
    """A CSV as a spreadsheet with German settings saves it: a byte order mark, semicolons, columns of its own."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=";")
    table.writerow(["wer", "Datei", "sentence", "Bemerkung"])
    for clip in clips():
        place(folder, f"sounds/{clip.name}.wav", wav(clip))
        table.writerow([clip.speaker, f"sounds/{clip.name}.wav", clip.text, "a; b"])
    place(folder, "sheet.csv", "\ufeff" + text.getvalue())
    return folder


COLUMNS = {"Datei": "file_name", "sentence": "transcription", "wer": "speaker"}
WRITERS: dict[str, Callable[[Path], Path]] = {
    "common-voice": write_common_voice, "librispeech": write_librispeech, "kaldi": write_kaldi,
    "fleurs": write_fleurs, "espnet": write_espnet, "nemo": write_nemo, "lhotse": write_lhotse,
    "spreadsheet": write_spreadsheet,
}  # fmt: skip
