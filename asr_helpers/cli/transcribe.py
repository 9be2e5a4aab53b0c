"""`asr-helpers transcribe`."""

import argparse
import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import AsrError, InputError
from .common import command, printable, takes_beam, with_beam, word_line, write, write_json

if TYPE_CHECKING:
    from ..inference import Recogniser, Transcript
    from ..recordings import HeardPart

SOUNDS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64"}
FORMS = ("text", "json", "srt", "vtt", "ctm", "textgrid")
STREAM = "-"
FINISHED = "finished"
LONG = 30.0  # s: of a longer recording the progress is shown, and it is audited as no clip


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    sub = command(commands, transcribe, "write down sound files of any length")
    sub.add_argument(
        "files", metavar="FILE", nargs="+", help="sound files, folders of them, or - for a WAV as it comes in"
    )
    sub.add_argument("--model", metavar="DIR", help="the recogniser (default: the demo's own)")
    sub.add_argument("--timestamps", action="store_true", help="add words with start, end and confidence")
    sub.add_argument("--format", choices=FORMS, default="text", help="of what is written (default: text)")
    sub.add_argument(
        "--vad", choices=("energy", "webrtc"), default="energy",
        help="what finds the pauses that long recordings are cut in: their loudness (default), or WebRTC's detector",
    )  # fmt: skip
    sub.add_argument("--output", metavar="DIR", help="write a file there for each recording, instead of printing")
    sub.add_argument(
        "--resume", action="store_true", help="go on where an interrupted run with the same --output stopped"
    )
    takes_beam(sub)


def transcribe(args: argparse.Namespace) -> int:
    """Writes down sound files; a file that cannot be heard is told of, and the next one follows."""
    if args.resume and not args.output:
        raise InputError("--resume goes on with what an earlier run left in --output: name its folder.")
    names = _share(_targets(args.files, args.format, args.output), args)
    from ..audit import audit_clip
    from ..inference import load_recogniser
    from ..sources import source
    from ..subtitles import record

    recogniser = with_beam(load_recogniser(args.model or source().recogniser), args)
    how = {name: str(getattr(args, name)) for name in ("model", "beam", "lm", "hotwords", "bf16", "vad")}
    results: list[dict[str, Any]] = []
    for file, target in names.items():
        try:
            transcript, length = _written(recogniser, file, target, how, args)
        except AsrError as error:
            print(f"asr-helpers: {printable(error)}", file=sys.stderr)
            results.append({"file": file, "error": str(error)})
            continue
        result = record(transcript, file)
        if length <= LONG and (problems := audit_clip(file, recogniser.sampling_rate)):
            result["problems"] = problems
            for message in problems.values():
                print(f"asr-helpers: {printable(file)}: {printable(message)}", file=sys.stderr)
        results.append(result)
    write_json(args.json, results)
    return int(any("error" in result for result in results))


def _targets(files: list[str], form: str, output: str | None) -> dict[str, Path | None]:
    """Each recording, those in folders included, and the file that it is written to."""
    from ..subtitles import ENDINGS

    targets: dict[str, Path | None] = {}
    owners: dict[Path, str] = {}
    for given in files:
        if given == STREAM:
            if output:
                raise InputError("Standard input is printed as it comes: leave out --output.")
            targets[STREAM] = None
            continue
        root = Path(given)
        inside = root.is_dir()
        found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SOUNDS) if inside else [root]
        if not found:
            raise InputError(f"The folder {given!r} holds no sound file: {', '.join(sorted(SOUNDS))}.")
        for path in found:
            targets[str(path)] = None
            if output:
                name = path.relative_to(root) if inside else Path(path.name)
                target = Path(output) / name.with_suffix(ENDINGS[form])
                if target in owners and owners[target] != str(path):
                    raise InputError(f"{str(path)!r} and {owners[target]!r} would both be {str(target)!r}: rename one.")
                owners[target] = str(path)
                targets[str(path)] = target
    return targets


def _share(names: dict[str, Path | None], args: argparse.Namespace) -> dict[str, Path | None]:
    """Of several processes, each one's recordings: the longest files are dealt out first."""
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        return names
    if not args.output or args.json:
        raise InputError("Several processes share the recordings: name a folder with --output, and leave out --json.")
    sizes = {file: Path(file).stat().st_size if Path(file).is_file() else 0 for file in names}
    order = sorted(names, key=lambda file: (-sizes[file], file))
    return {file: names[file] for file in order[rank::world_size]}


def _written(
    recogniser: "Recogniser", file: str, target: Path | None, how: dict[str, str], args: argparse.Namespace
) -> tuple["Transcript", float]:
    """Hears a recording, prints or writes it as it goes, and returns its transcript and length, s."""
    from tqdm import tqdm

    from .. import audio, recordings, subtitles

    level = recordings.webrtc_loudness if args.vad == "webrtc" else recordings.loudness
    if file == STREAM:
        return _listened(recogniser, level, args), math.inf
    length = audio.duration(file)
    journal = _Journal(Path(args.output), target, file, how, args.resume) if target else None
    heard: list[HeardPart] = list(journal.heard) if journal else []
    done = heard[-1].end if heard else 0.0
    finished = journal is not None and journal.finished
    stream = () if finished else recordings.transcribe(recogniser, file, done, level)
    show = args.format == "text" and not target
    line = tqdm(
        total=round(length), initial=round(done), unit="s", desc=printable(Path(file).name), leave=False,
        disable=None if length > LONG else True,
    )  # fmt: skip
    with line:
        for part in stream:
            heard.append(part)
            if journal:
                journal.add(part)
            if show and length > recordings.WHOLE:
                tqdm.write(f"{printable(file)} {recordings.clock(part.start)}: {printable(part.text)}")
            line.update(round(part.end) - line.n)
    transcript = recordings.joined(heard)
    if show and length <= recordings.WHOLE:
        print(f"{printable(file)}: {printable(transcript.text)}")
    if target and journal:
        write(target, subtitles.document(transcript, file, args.format))
        if not finished:
            journal.finish()
    else:
        _print_whole(transcript, file, args)
    return transcript, length


def _listened(recogniser: "Recogniser", level: Any, args: argparse.Namespace) -> "Transcript":
    """Hears standard input and prints its parts as they end; on a terminal, what is heard of the next one as well."""
    from .. import recordings

    heard = []
    watched = args.format == "text" and sys.stdout.isatty()
    for part in recordings.listen(recogniser, sys.stdin.fileno(), level):
        line = f"{recordings.clock(part.start)}: {printable(part.text)}"
        if part.final:
            heard.append(part)
            if args.format == "text" and part.text:
                print(f"\r\x1b[K{line}" if watched else line, flush=True)
        elif watched:
            print(f"\r\x1b[K{line[-(shutil.get_terminal_size().columns - 1) :]}", end="", flush=True)
    transcript = recordings.joined(heard)
    _print_whole(transcript, "standard input", args)
    return transcript


def _print_whole(transcript: "Transcript", file: str, args: argparse.Namespace) -> None:
    """What is printed once a recording was heard to its end."""
    from .. import subtitles

    if args.format != "text":
        print("\n".join(map(printable, subtitles.document(transcript, file, args.format).splitlines())), flush=True)
    elif args.timestamps:
        for word in transcript.words:
            print(f"  {printable(word_line(word))}")


class _Journal:
    """What was heard so far, in the folder `.parts` of the output: a line for each part, and one at the end.

    Its first line says of which recording and how; one of another recording, or heard in another way, is begun anew.
    """

    def __init__(self, output: Path, target: Path, file: str, how: dict[str, str], resume: bool):
        from ..inference import Word
        from ..recordings import HeardPart

        name = target.relative_to(output)
        self.path = output / ".parts" / name.with_name(name.name + ".jsonl")
        self.finished = False
        state = Path(file).stat()
        first = json.dumps({"file": Path(file).name, "size": state.st_size, "modified": state.st_mtime_ns} | how)
        self.heard: list[HeardPart] = []
        lines = self.path.read_text(encoding="utf-8").splitlines() if resume and self.path.is_file() else []
        if lines[:1] == [first]:
            for line in lines[1:]:
                try:
                    part = json.loads(line)
                except ValueError:
                    break  # the kill came in the middle of it
                if part == FINISHED:
                    self.finished = True
                    return
                start, end, words = part
                self.heard.append(HeardPart(start, end, tuple(Word(*word) for word in words)))
        write(self.path, first + "\n")
        for part in self.heard:
            self.add(part)

    def add(self, part: "HeardPart") -> None:
        words = [(word.text, word.start, word.end, word.confidence) for word in part.words]
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps([part.start, part.end, words]) + "\n")

    def finish(self) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(FINISHED) + "\n")
