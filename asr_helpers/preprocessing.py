"""02  Text and audio to labels and input values.

Conventions: a vocabulary is the set of a tokenizer's characters, the word delimiter
"|" standing for the space. Input values are (num_samples,) float32 at the model's rate,
with mean 0 and variance 1; labels are (num_labels,) ints. Both are made when a row is
asked for: nothing is cached to disk.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import InputError, audio

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import ProcessorMixin

# Typographic characters that mean a plain one.
PLAIN = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})


@dataclass(frozen=True)
class NormalisedText:
    """A text in a vocabulary's characters.

    Attributes:
        text: what is left, words apart by one space.
        lost: each character the vocabulary lacks, and how often it stood there. Spaces do not count.
    """

    text: str
    lost: Counter = field(default_factory=Counter)


def vocabulary(processor: "ProcessorMixin") -> frozenset[str]:
    """The characters a processor's tokenizer can write, without its special tokens, and with the space."""
    tokenizer = processor.tokenizer
    special = set(tokenizer.all_special_tokens) | {tokenizer.word_delimiter_token}
    return frozenset(token for token in tokenizer.get_vocab() if len(token) == 1 and token not in special) | {" "}


@dataclass(frozen=True)
class WrittenCharacter:
    """What became of one character of a text.

    Attributes:
        character: as a person wrote it, an accent together with its letter.
        written: what stands for it; "" where nothing does.
        lost: the vocabulary lacks it. A letter without its accent, or a space, may stand in its place.
    """

    character: str
    written: str
    lost: bool

    @property
    def kind(self) -> str:
        """ "kept", "changed" or "lost"."""
        if self.lost:
            return "lost"
        return "kept" if self.character == self.written else "changed"


def read_text(path: str | Path) -> str:
    """What a text file holds.

    Raises:
        InputError: it cannot be read, or is not written in UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{str(path)!r} is not written in UTF-8: save it so.") from None
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read ({error.strerror}): name a text file.") from None


def _write(character: str, characters: frozenset[str]) -> tuple[str, bool]:
    for candidate in (character, character.upper(), character.lower()):
        if all(part in characters for part in candidate):
            return candidate, False
    base = unicodedata.normalize("NFD", character)[0]
    written = next((b for b in (base, base.upper(), base.lower()) if b in characters), None)
    if written is None:
        mark = unicodedata.category(character) in ("Mn", "Me", "Cf")  # a mark over a letter parts no word
        written = "" if mark else " "
    return written, not character.isspace()


def write_characters(text: str, characters: frozenset[str]) -> list[WrittenCharacter]:
    """Writes a text in a vocabulary's characters, one by one: what `normalise_text` does, step by step.

    Args:
        text: as a person wrote it.
        characters: from `vocabulary`.

    Returns:
        One for each character, an accent together with its letter. Their `written` make the normalised text:
        of several spaces in a row all but the first, and those at the ends, are "".

    Raises:
        InputError: it is no text.

    >>> for one in write_characters("Pay £5", frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ' ")):
    ...     print(repr(one.character), repr(one.written), one.kind)
    'P' 'P' kept
    'a' 'A' changed
    'y' 'Y' changed
    ' ' '' changed
    '£' '' lost
    '5' '' lost
    """
    if not isinstance(text, str):
        raise InputError(f"A text is wanted, and this is {text!r}: write what is said, or leave the row out.")
    steps, last = [], " "
    for character in unicodedata.normalize("NFC", text):
        written, lost = _write(character.translate(PLAIN), characters)
        if written == last == " ":
            written = ""
        last = written or last
        steps.append(WrittenCharacter(character, written, lost))
    spaces = [place for place, step in enumerate(steps) if step.written == " "]
    if spaces and last == " ":
        steps[spaces[-1]] = replace(steps[spaces[-1]], written="")
    return steps


def normalise_text(text: str, characters: frozenset[str]) -> NormalisedText:
    """Writes a text in a vocabulary's characters, and counts what could not be written.

    Case follows the vocabulary; an accent, a vowel sign or an invisible mark it lacks is dropped
    from its letter; any other character it lacks becomes a space, so that "well-known" stays two words.

    Args:
        text: as a person wrote it.
        characters: from `vocabulary`.

    Raises:
        InputError: it is no text.

    >>> normalise_text("Pay £50 to O’Neill, please", frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ' "))
    NormalisedText(text="PAY TO O'NEILL PLEASE", lost=Counter({'£': 1, '5': 1, '0': 1, ',': 1}))
    """
    steps = write_characters(text, characters)
    lost = Counter(step.character.translate(PLAIN) for step in steps if step.lost)
    return NormalisedText("".join(step.written for step in steps), lost)


def encode_text(text: str, processor: "ProcessorMixin") -> list[int]:
    """A text as a person wrote it to labels.

    Raises:
        InputError: it is no text, or has no character of the vocabulary.
    """
    written = normalise_text(text, vocabulary(processor)).text
    if not written:
        raise InputError(
            f"{text!r} has no character of the vocabulary: correct the text, remove the row, "
            "or take a checkpoint with the characters of this language."
        )
    return processor.tokenizer(written).input_ids


def frames_needed(labels: Sequence) -> int:
    """How many frames a CTC path through the labels has at least: one for each, and a blank between equal ones.

    Args:
        labels: ids, or the normalised text that they stand for.

    >>> frames_needed([1, 2, 2, 3])
    5
    >>> frames_needed("CALL ME")
    8
    """
    return len(labels) + sum(left == right for left, right in pairwise(labels))


def prepare_dataset(row: dict[str, Any], processor: "ProcessorMixin") -> dict[str, Any]:
    """One row to what a model eats.

    Args:
        row: holds `audio` (undecoded) and `transcription`.
        processor: its feature extractor names the rate, its tokenizer the vocabulary.

    Returns:
        `input_values`, (num_samples,) float32, and `labels`, (num_labels,) ints.

    Raises:
        InputError: a column is missing, the text has no character of the vocabulary, or the audio cannot be read.
    """
    for column in ("audio", "transcription"):
        if column not in row:
            raise InputError(f"The row has no {column!r}, only {', '.join(row)}: rename its columns.")
    extractor = processor.feature_extractor
    waveform = audio.load(row["audio"], extractor.sampling_rate)  # (num_samples,)
    labels = encode_text(row["transcription"], processor)
    values = extractor(waveform, sampling_rate=extractor.sampling_rate).input_values[0]
    return {"input_values": np.asarray(values, dtype=np.float32), "labels": labels}


def _prepare_batch(batch: dict[str, list], processor: "ProcessorMixin") -> dict[str, list]:
    rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
    prepared = [prepare_dataset(row, processor) for row in rows]
    return {key: [row[key] for row in prepared] for key in ("input_values", "labels")}


def prepare(rows: "Dataset", processor: "ProcessorMixin") -> "Dataset":
    """Rows that pass through `prepare_dataset` whenever one is asked for. Nothing is computed or written now.

    Raises:
        InputError: a column is missing.
    """
    missing = {"audio", "transcription"} - set(rows.column_names)
    if missing:
        raise InputError(f"The rows have no {sorted(missing)[0]!r}, only {', '.join(rows.column_names)}: rename it.")
    return rows.select_columns(["audio", "transcription"]).with_transform(partial(_prepare_batch, processor=processor))
