"""Measures a recogniser on people's recordings: WER and CER, by speaker, with an interval.

    python -m benchmarks people DIR [--model DIR] [--split NAME] [--clips N] [--lm FILE] [--json FILE]

DIR holds LibriSpeech's form (SPEAKER/CHAPTER/*.trans.txt beside FLAC files) or the audiofolder form (metadata.csv
with file_name, transcription and, where it is known, speaker). Clips are heard one at a time, and decoded greedily
unless --beam, --lm or --hotwords ask for a search.

The 95 % interval resamples speakers where they are known: a person who is misheard once is misheard again, so a
person's utterances are not independent, and an interval that draws them one by one is too narrow (Liu and Peng,
"Statistical Testing on ASR Performance via Blockwise Bootstrap", https://arxiv.org/abs/1912.09508).
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr_helpers import AsrError, InputError, audio, evaluation, loading
from asr_helpers.cli.common import positive, printable, quiet, takes_beam, with_beam
from asr_helpers.evaluation import ErrorCounts, Scores
from asr_helpers.inference import Recogniser, load_recogniser
from asr_helpers.layouts.librispeech import TRANSCRIPTS, read_librispeech
from asr_helpers.preprocessing import encode_text
from asr_helpers.sources import source

from .common import machine, write_json

SOUNDS = {".wav", ".flac", ".ogg", ".opus", ".mp3"}


@dataclass(frozen=True)
class SpeakerScore:
    """How one person was heard.

    Attributes:
        speaker: the name.
        words: the counts behind the person's WER.
        utterances: how many there were.
    """

    speaker: str
    words: ErrorCounts
    utterances: int


@dataclass(frozen=True)
class PeopleScores:
    """How a folder of people was heard.

    Attributes:
        scores: of all utterances together; their interval is that of `interval`.
        characters: the counts behind the CER.
        drawn: what the interval resamples, "speakers" or "utterances".
        speakers: one each, the worst first; none where they are not known.
        audio_seconds: of sound.
        work_seconds: that hearing it took.
    """

    scores: Scores
    characters: ErrorCounts
    drawn: str
    speakers: tuple[SpeakerScore, ...]
    audio_seconds: float
    work_seconds: float

    @property
    def rtfx(self) -> float:
        """Seconds of sound heard in a second of work."""
        return self.audio_seconds / self.work_seconds


def read_people(folder: str | Path, split: str | None = None) -> list[dict[str, Any]]:
    """Reads a folder in LibriSpeech's or in the audiofolder form.

    Args:
        folder: any folder above the transcripts.
        split: of an audiofolder that has several; "test" where none is named.

    Returns:
        Rows with `audio`, `transcription` and, where it is known, `speaker`.

    Raises:
        InputError: there is no such folder or split, the folder holds neither form or both, a transcript has no sound,
            a sound has no transcript, or some rows name a speaker and others do not.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {str(folder)!r}: check the path.")
    published, tables = (any(folder.rglob(name)) for name in (TRANSCRIPTS, "metadata.csv"))
    if published and tables:
        raise InputError(f"{str(folder)!r} holds both {TRANSCRIPTS} and metadata.csv: name one that has one.")
    if not published and not tables:
        raise InputError(f"{str(folder)!r} holds no recordings: {TRANSCRIPTS} or a metadata.csv names them.")
    if published and split:
        raise InputError(f"A folder in LibriSpeech's form has no split {split!r}: name one's folder, as test-other.")
    rows = read_librispeech(folder) if published else _read_audiofolder(folder, split)
    named = [bool(row.get("speaker")) for row in rows]
    if any(named) and not all(named):
        raise InputError(
            f"Row {named.index(False)} of {str(folder)!r} names no speaker and others do: name every one, or none."
        )
    return rows


def _read_audiofolder(folder: Path, split: str | None) -> list[dict[str, Any]]:
    splits = loading.published_splits(source(folder.absolute()))  # a folder may be called demo
    split = split or ("test" if len(splits) > 1 else next(iter(splits)))
    if split not in splits:
        raise InputError(f"{str(folder)!r} has no split {split!r}: use --split with {', '.join(splits)}.")
    rows = splits[split].to_list()
    for number, row in enumerate(rows):
        if not Path(row["audio"]["path"]).is_file():
            raise InputError(f"Row {number} of {str(folder)!r} has no sound {row['audio']['path']!r}.")
    known = {clip["path"] for rows_of in splits.values() for clip in rows_of["audio"]}
    for sound in sorted(folder.absolute().rglob("*")):
        if sound.suffix.lower() in SOUNDS and str(sound) not in known:
            raise InputError(f"{str(sound)!r} has no transcript: write its line in the metadata.csv.")
    return rows


def draw_rows(rows: Sequence[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Draws so many rows at random, the same ones each time; all of them where there are no more.

    >>> len(draw_rows([{}] * 5, 3)), len(draw_rows([{}] * 5, 9))
    (3, 5)
    """
    if count is None or count >= len(rows):
        return list(rows)
    chosen = np.random.default_rng(0).choice(len(rows), count, replace=False)
    return [rows[number] for number in sorted(chosen)]


def interval_by_speaker(counts: Sequence[ErrorCounts], seed: int = 0) -> tuple[float, float]:
    """Draws speakers with replacement: 95 % of such sets of people have their WER between these two.

    Args:
        counts: each speaker's, of all utterances together.
        seed: of the draws.

    >>> interval_by_speaker([ErrorCounts(9, 1, 0, 0), ErrorCounts(5, 5, 0, 0)])
    (0.1, 0.5)
    """
    errors = np.array([one.errors for one in counts])
    lengths = np.array([one.hits + one.substitutions + one.deletions for one in counts])
    generator, rates = np.random.default_rng(seed), []
    for _ in range(evaluation.RESAMPLES):
        drawn = generator.integers(0, len(counts), len(counts))
        rates.append(errors[drawn].sum() / lengths[drawn].sum())
    low, high = np.quantile(rates, [0.025, 0.975]).tolist()
    return low, high


def count_characters(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Counts the character errors behind a CER, spaces counted.

    >>> count_characters(["MY CARD"], ["MY CAR"])
    ErrorCounts(hits=6, substitutions=0, deletions=1, insertions=0)
    """
    import jiwer

    found = jiwer.process_characters(list(references), list(hypotheses))
    return ErrorCounts(found.hits, found.substitutions, found.deletions, found.insertions)


def measure(recogniser: Recogniser, rows: Sequence[dict[str, Any]]) -> tuple[PeopleScores, list[dict[str, str]]]:
    """Has a recogniser write down rows, and scores it by speaker.

    Args:
        recogniser: hears the rows one by one.
        rows: from `read_people`.

    Returns:
        The scores, and each row's `reference` and `hypothesis`.

    Raises:
        InputError: there is no row, or one cannot be read or has no text to score.
    """
    if not rows:
        raise InputError("There is no clip to measure on.")
    for row in rows:  # a corpus takes hours: what cannot be scored is to be known before
        try:
            encode_text(row["transcription"], recogniser.processor)
        except AsrError as error:
            raise InputError(f"{audio.name_of(row['audio'])!r}: {error}") from None
    audio_seconds = sum(audio.duration(row["audio"]) for row in rows)
    recogniser.transcribe(rows[0]["audio"])  # the first clip also pays for what is loaded and allocated once
    started = time.perf_counter()
    scores, pairs = evaluation.evaluate(recogniser, rows)
    work_seconds = time.perf_counter() - started
    return score_people(scores, pairs, [row.get("speaker") for row in rows], audio_seconds, work_seconds), pairs


def score_people(
    scores: Scores,
    pairs: Sequence[dict[str, str]],
    speakers: Sequence[str | None],
    audio_seconds: float,
    work_seconds: float,
) -> PeopleScores:
    """Adds to a set's scores what is counted by speaker and by character.

    One person alone cannot be resampled: the interval then draws that person's utterances.

    Args:
        scores, pairs: from `evaluation.evaluate`.
        speakers: each utterance's; None where it is not known.
        audio_seconds, work_seconds: see `PeopleScores`.
    """
    references, hypotheses = ([pair[side] for pair in pairs] for side in ("reference", "hypothesis"))
    found, drawn = [], "utterances"
    if all(speakers):
        groups = evaluation.group_counts(speakers, evaluation.count_errors(references, hypotheses))
        found = [SpeakerScore(name, evaluation.sum_counts(counts), len(counts)) for name, counts in groups.items()]
        found.sort(key=lambda one: -one.words.rate)
    interval = scores.interval
    if len(found) > 1:
        drawn, interval = "speakers", interval_by_speaker([one.words for one in found])
    return PeopleScores(
        scores=Scores(scores.wer, scores.cer, scores.words, interval, scores.utterances),
        characters=count_characters(references, hypotheses),
        drawn=drawn,
        speakers=tuple(found),
        audio_seconds=audio_seconds,
        work_seconds=work_seconds,
    )


def as_dict(found: PeopleScores) -> dict[str, Any]:
    """The numbers for a program to read: `Scores.as_dict()`, and what is counted by speaker and by character."""
    speakers = [
        {"speaker": one.speaker, "wer": one.words.rate, **asdict(one.words), "utterances": one.utterances}
        for one in found.speakers
    ]
    return {
        **found.scores.as_dict(),
        "interval_of": found.drawn,
        "characters": asdict(found.characters),
        "speakers": speakers,
        "audio_seconds": found.audio_seconds,
        "work_seconds": found.work_seconds,
        "rtfx": found.rtfx,
    }


def report(found: PeopleScores) -> str:
    """The numbers for a person to read."""
    scores, people = found.scores, len(found.speakers)
    low, high = scores.interval
    lines = [
        f"{_number(scores.utterances, 'clip')} of {_number(people, 'speaker') if people else 'unknown speakers'}, "
        f"{found.audio_seconds:,.1f} s of speech",
        f"WER {scores.wer:.3f} (95 % interval {low:.3f} to {high:.3f}, over {found.drawn}): {_counts(scores.words)}",
        f"CER {scores.cer:.3f}: {_counts(found.characters)}",
    ]
    width = max((len(printable(one.speaker)) for one in found.speakers), default=0)
    lines += [
        f"  {printable(one.speaker):{width}}  WER {one.words.rate:.3f}, "
        f"{_number(one.words.errors, 'error')} in {_number(_said(one.words), 'word')}, "
        f"{_number(one.utterances, 'clip')}"
        for one in found.speakers
    ]
    lines.append(f"heard in {found.work_seconds:,.1f} s, {found.rtfx:,.1f} times as fast as it was spoken (RTFx)")
    return "\n".join(lines)


def _said(counts: ErrorCounts) -> int:
    return counts.hits + counts.substitutions + counts.deletions


def _number(count: int, of: str) -> str:
    return f"{count:,} {of}{'s' * (count != 1)}"


def _counts(counts: ErrorCounts) -> str:
    return (
        f"{counts.hits} hits, {counts.substitutions} substitutions, {counts.deletions} deletions, "
        f"{counts.insertions} insertions"
    )


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks people", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DIR", help="a folder in LibriSpeech's or in the audiofolder form")
    parser.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    parser.add_argument("--split", help="of an audiofolder that has several (default: test)")
    parser.add_argument(
        "--clips", type=positive, metavar="N", help="only N clips, drawn at random, the same ones each time"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the result there, for a program to read")
    takes_beam(parser)
    args = parser.parse_args(arguments)
    quiet()
    rows = draw_rows(read_people(args.data, args.split), args.clips)
    recogniser = with_beam(load_recogniser(args.model or source("demo").fine_tuned), args)
    found, pairs = measure(recogniser, rows)
    where, model = machine(), args.model or "demo"
    print(f"{report(found)}\non {where}")
    if args.json:
        result = {"data": args.data, "model": model, "machine": where, **as_dict(found), "transcripts": pairs}
        write_json(args.json, result)
