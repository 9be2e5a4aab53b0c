"""Ten sentences of one's own voice, as a folder that a training takes."""

import csv
import filecmp
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from .. import AsrError, InputError, audio
from ..audit import audit
from ..wording import say
from .kit import FULL, PALE, WIDE, View, line, note, page, sound, telling, text, unheard
from .microphone import STAYS, sound_input

if TYPE_CHECKING:
    from ..inference import Recogniser

# As few as a folder may hold. All letters are in them, and nearly all sounds of English.
SENTENCES = (
    "Please put the blue cup back on the shelf",
    "We should measure the garage before Thursday morning",
    "Can you hear the birds singing near our house",
    "My father's voice is quiet but very clear",
    "I'd rather have a large orange juice with ice",
    "The zoo opens at six and closes before five",
    "She caught a cold watching the yellow boats",
    "Good food and fresh air make me happy",
    "Don't forget to ask the boy about his job",
    "Three young women walked through the next village",
)
FASTEST = 25  # characters a second; hurried speech has 20


def teaching_view(recogniser: "Recogniser", folder: str | os.PathLike | None = None) -> View:
    """Record ten sentences; one button makes the folder that `asr-helpers train` takes.

    Args:
        recogniser: what is to learn the voice; the view shows what it hears now.
        folder: where the recordings go; None is `my-voice` in `outputs`, or in $ASR_OUTPUTS.

    Returns:
        A view with the controls `sentence`, `microphone`, `upload`, `folder` and `make`.
    """
    kept: dict[int, bytes] = {}  # WAV files, by the sentence's number
    sentence = ipywidgets.Select(rows=len(SENTENCES), description=say("sentences"), style=WIDE, layout=FULL)
    place = ipywidgets.Text(
        str(folder or Path(os.environ.get("ASR_OUTPUTS", "outputs")) / "my-voice"),
        description=say("folder"), style=WIDE, layout={"width": "auto", "flex": "1 1 200px"},
    )  # fmt: skip
    make = ipywidgets.Button(description=say("make the folder"))
    prompt, message, player, made = (ipywidgets.HTML() for _ in range(4))

    def show_sentence(change: object = None) -> None:
        number = sentence.value
        prompt.value = page(
            say("Read aloud sentence {number} of {count}:", number=number + 1, count=len(SENTENCES))
            + f'<div style="font-size:1.5em" lang="en">{text(SENTENCES[number])}</div>{line(say(STAYS), PALE)}'
        )

    def list_sentences(number: int) -> None:
        with unheard(show_sentence, sentence):
            sentence.options = [
                (f"{'✓' if one in kept else '·'} {one + 1} · {words}", one) for one, words in enumerate(SENTENCES)
            ]
            sentence.value = number
        show_sentence()

    def keep(name: str, content: bytes) -> None:
        number = sentence.value
        with telling(message):
            others = {SENTENCES[one]: clip for one, clip in kept.items() if one != number}
            clip = usable_clip(name, content, SENTENCES[number], others)
            heard = recogniser.transcribe(clip).text
            kept[number] = clip
            player.value = (
                page(line(say(
                    "Sentence {number} is kept. Heard now: {text}",
                    number=number + 1, text=f"<b>{text(heard) if heard else say('nothing')}</b>",
                )))
                + sound(*audio.decode(clip), say("play sentence {number}", number=number + 1))
            )  # fmt: skip
            missing = [number for number in range(len(SENTENCES)) if number not in kept]
            list_sentences(next((one for one in missing if one > number), missing[0] if missing else number))
            made.value = "" if missing else page(say("All sentences are there: make the folder, or record some again."))

    def make_folder(button: object) -> None:
        with telling(made):
            missing = [str(number + 1) for number in range(len(SENTENCES)) if number not in kept]
            if missing:
                raise InputError(
                    say("Not recorded yet: {sentences}. Record or upload them first.", sentences=", ".join(missing))
                )
            written = write_folder(place.value, [kept[number] for number in range(len(SENTENCES))], SENTENCES)
        if not made.value:
            made.value = note(
                say(
                    "{count} recordings are in {folder}, ready for asr-helpers train.",
                    count=len(SENTENCES), folder=text(written),
                )
            )  # fmt: skip

    sentence.observe(show_sentence, "value")
    make.on_click(make_folder)
    given = sound_input(keep)
    message.value = page(say("Record each sentence, or choose a recording of it."))
    list_sentences(0)
    row = ipywidgets.HBox([place, make], layout={"flex_flow": "row wrap", "width": "100%"})
    return View(
        "teaching",
        [prompt, given, message, player, sentence, row, made],
        sentence=sentence, microphone=given.microphone, upload=given.upload, folder=place, make=make,
        prompt=prompt, message=message, player=player, made=made,
    )  # fmt: skip


def usable_clip(name: str, content: bytes, sentence: str, others: dict[str, bytes]) -> bytes:
    """A recording of a sentence as a WAV file of 16 bits and one channel, if it can teach.

    Args:
        name: what a message calls it.
        content: the sound file's bytes.
        sentence: what was read.
        others: the sentences recorded already, each with its file.

    Raises:
        InputError: it cannot be read, is silent, is much too short or too long, or is the same sound as another's.

    >>> import numpy as np
    >>> usable_clip("a.wav", audio.encode(np.zeros(16_000), 16_000), "Good food", {})
    Traceback (most recent call last):
    asr_helpers.InputError: Not kept: Nothing is heard: its level is -120 dBFS. Record the sentence again.
    """
    found = audit([{"audio": {"bytes": content, "path": name}, "transcription": sentence}])
    for finding in found.findings:
        if finding.severity == "error":
            raise InputError(f"Not kept: {finding.message} Record the sentence again.")
    waveform, sampling_rate = audio.decode({"bytes": content, "path": name})
    seconds = len(waveform) / sampling_rate
    if len(sentence) / seconds > FASTEST:
        raise InputError(
            f"Not kept: it lasts {seconds:.1f} s, too short for {len(sentence)} characters. Record the whole sentence."
        )
    clip = audio.encode(waveform, sampling_rate)
    same = next((words for words, other in others.items() if other == clip), None)
    if same:
        raise InputError(f"Not kept: it is the same sound as that of {same!r}. Record the sentence again.")
    return clip


def write_folder(folder: str | os.PathLike, clips: Sequence[bytes], sentences: Sequence[str]) -> Path:
    """Writes recordings as a folder in the audiofolder form, all of it or nothing.

    Args:
        folder: must not exist, or be empty, or hold these same recordings.
        clips: WAV files.
        sentences: what is said in each.

    Returns:
        The folder, with a metadata.csv of `file_name` and `transcription`.

    Raises:
        InputError: the folder holds something else.
        AsrError: it cannot be written.

    >>> with tempfile.TemporaryDirectory() as outputs:
    ...     folder = write_folder(Path(outputs) / "my-voice", [b"RIFF"], ["Good food"])
    ...     print((folder / "metadata.csv").read_text().split())
    ['file_name,transcription', 'sentence-01.wav,Good', 'food']
    """
    if not str(folder).strip():
        raise InputError("The folder has no name: type one.")
    folder = Path(folder).expanduser()
    names = [f"sentence-{number:02}.wav" for number in range(1, len(clips) + 1)]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Written beside it and renamed at the end: an interruption leaves no half folder.
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
            new = Path(beside) / "recordings"
            new.mkdir()
            for name, clip in zip(names, clips, strict=True):
                (new / name).write_bytes(clip)
            with open(new / "metadata.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([["file_name", "transcription"], *zip(names, sentences, strict=True)])
            if folder.is_dir() and any(folder.iterdir()):
                if _same_files(folder, new):
                    return folder
                raise InputError(f"{str(folder)!r} holds other files already: type another folder, or move it away.")
            if folder.is_dir():
                folder.rmdir()
            new.rename(folder)
    except OSError as error:
        raise AsrError(f"{str(folder)!r} cannot be written ({error.strerror}): type another folder.") from error
    return folder


def _same_files(folder: Path, other: Path) -> bool:
    """Whether two folders hold the same files and nothing else."""
    names = sorted(path.name for path in other.iterdir())
    if sorted(path.name for path in folder.iterdir()) != names:
        return False
    return all((folder / name).is_file() and filecmp.cmp(folder / name, other / name, shallow=False) for name in names)
