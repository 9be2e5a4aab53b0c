"""02  Text and audio to labels and input values.

Conventions: a vocabulary is the set of a tokenizer's characters, the word delimiter
"|" standing for the space. Input values are (num_samples,) float32 at the model's rate,
with mean 0 and variance 1; labels are (num_labels,) ints. Both are made when a row is
asked for: nothing is cached to disk.
"""

import json
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import InputError, audio
from .charsets import not_utf8
from .languages import PLAIN, Writing, compose, is_mark, language, lower, plain_shapes, script, units
from .vocabularies import choose_vocabulary

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import ProcessorMixin

# Before the characters of a vocabulary, as wav2vec 2.0 has them: <pad> is the blank.
SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|")
# In these scripts a letter without its mark is another letter: が is no か, and ᄒ is a third of 한.
WHOLE = ("HIRAGANA", "KATAKANA", "HANGUL")


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
    """The characters a processor's tokenizer can write, without its special tokens, and with the space.

    Of a language whose words no space parts, without the space.
    """
    tokenizer, writing = processor.tokenizer, writing_of(processor)
    special = set(tokenizer.all_special_tokens) | {tokenizer.word_delimiter_token}
    characters = frozenset(token for token in tokenizer.get_vocab() if len(token) == 1 and token not in special)
    return characters if writing and not writing.language.spaced else characters | {" "}


def writing_of(processor: "ProcessorMixin") -> Writing | None:
    """How a processor writes its language, as `build_processor` has noted it in its tokenizer; None where nobody has.

    Raises:
        InputError: what is noted there is no language.
    """
    noted = getattr(processor.tokenizer, "init_kwargs", {})
    if not (tag := noted.get("language")):
        return None
    return Writing(language(str(tag)), str(noted.get("unit", "characters")), bool(noted.get("vowel_marks")))


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
        raise not_utf8(path) from None
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read ({error.strerror}): name a text file.") from None


def _write(character: str, small: str, characters: frozenset[str]) -> tuple[str, bool]:
    capital = "İ" if character == "i" and "İ" in characters else character.upper()
    for candidate in (character, capital, small, character.lower()):
        if all(part in characters for part in units(candidate, characters)):
            return candidate, False
    if character.isspace():
        return (" " if " " in characters else ""), False
    base = unicodedata.normalize("NFD", small)[0]
    if script(character) not in WHOLE:
        for candidate in (base, base.upper()):
            if candidate in characters:
                return candidate, True
    # A mark over a letter parts no word, and no more does a letter that is left out.
    parts = not (is_mark(character) or unicodedata.category(character)[0] == "L")
    return (" " if parts and " " in characters else ""), True


def write_characters(text: str, characters: frozenset[str]) -> list[WrittenCharacter]:
    """Writes a text in a vocabulary's characters, one by one: what `normalise_text` does, step by step.

    Args:
        text: as a person wrote it.
        characters: from `vocabulary`.

    Returns:
        One for each character, an accent together with its letter; one of another width or position, as `Ａ`, is the
        plain one. Their `written` make the normalised text:
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
    text = plain_shapes(text)
    meant = text.translate(PLAIN)
    # In context, since a sigma at a word's end has a form of its own; who writes an ı has an i with a dot besides.
    small = lower(meant, "ı" in characters)
    for character, one, in_lower in zip(text, meant, small, strict=True):
        written, lost = _write(one, in_lower, characters)
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
    from its letter, and so is a letter from its word; any other character it lacks becomes a space, so that
    "well-known" stays two words. The text is composed (NFC), whatever the vocabulary's units.

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
    return NormalisedText(compose("".join(step.written for step in steps)), lost)


def encode_text(text: str, processor: "ProcessorMixin") -> list[int]:
    """A text as a person wrote it to labels.

    Raises:
        InputError: it is no text, or has no character of the vocabulary.
    """
    characters = vocabulary(processor)
    written = normalise_text(text, characters).text
    if not written:
        raise InputError(
            f"{text!r} has no character of the vocabulary: correct the text, remove the row, "
            "take a checkpoint with the characters of this language, or make a vocabulary for it (`build_processor`, "
            "`asr-helpers train --language`)."
        )
    return processor.tokenizer(units(written, characters)).input_ids


def decode_ids(ids: Sequence[int], processor: "ProcessorMixin") -> str:
    """Labels, without padding, to the text that they stand for, composed (NFC): `encode_text` turned round.

    >>> from asr_helpers.models import load_processor
    >>> from asr_helpers.sources import source
    >>> processor = load_processor(source("demo").fine_tuned)
    >>> decode_ids(encode_text("Pay it, please", processor), processor)
    'PAY IT PLEASE'
    """
    return compose(processor.tokenizer.decode(ids, group_tokens=False))


def build_processor(
    texts: Iterable[str], language: str, unit: str | None = None, feature_extractor: Any = None
) -> "ProcessorMixin":
    """A processor whose vocabulary is made of texts: for a language that no checkpoint at hand can write.

    Args:
        texts: of the training rows, and of no others: what validation or test rows alone have must stay unknown.
        language: a BCP 47 tag. It is noted in the tokenizer, with the unit: `writing_of` reads both.
        unit: as in `vocabularies.choose_vocabulary`, which says what becomes part of the vocabulary.
        feature_extractor: the checkpoint's own (`models.load_feature_extractor`); None for wav2vec 2.0's at 16 kHz.

    Raises:
        InputError: as of `choose_vocabulary`.

    >>> processor = build_processor(["가방을 사요", "가방이 커요"], language="ko-KR")
    >>> len(encode_text("가방", processor)), decode_ids(encode_text("가방", processor), processor)
    (5, '가방')
    """
    from transformers import (
        SeamlessM4TFeatureExtractor,
        Wav2Vec2BertProcessor,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Processor,
    )

    chosen = choose_vocabulary(texts, language, unit)
    tokens = {token: number for number, token in enumerate((*SPECIAL_TOKENS, *chosen.characters))}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.json"
        file.write_text(json.dumps(tokens), encoding="utf-8")
        tokenizer = Wav2Vec2CTCTokenizer(
            str(file), language=language, unit=chosen.writing.unit, vowel_marks=chosen.writing.vowel_marks
        )
    extractor = feature_extractor or Wav2Vec2FeatureExtractor(return_attention_mask=False)
    kind = Wav2Vec2BertProcessor if isinstance(extractor, SeamlessM4TFeatureExtractor) else Wav2Vec2Processor
    return kind(feature_extractor=extractor, tokenizer=tokenizer)


@dataclass(frozen=True)
class Coverage:
    """How much of some texts a vocabulary can write.

    Attributes:
        written: characters, without spaces, that it can write.
        characters: how many there are, punctuation apart.
        lost: each one that it lacks, and how often it stands there.
    """

    written: int
    characters: int
    lost: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        """In per cent, and what is lost."""
        share = self.written / self.characters if self.characters else 1.0
        lost = ", ".join(f"{one} × {count}" for one, count in self.lost.most_common(8))
        return f"{share:.1%} of {self.characters} characters can be written" + (f"; not {lost}" if lost else "")


def coverage(texts: Iterable[str], processor: "ProcessorMixin") -> Coverage:
    """How much of the texts of validation rows, say, a processor from `build_processor` can write.

    Raises:
        InputError: nobody has noted a language in the processor.
    """
    writing, known = writing_of(processor), vocabulary(processor)
    if writing is None:
        raise InputError("The processor names no language, so nobody knows its normaliser: make it by build_processor.")
    counts = Counter("".join(writing.normalise(text).replace(" ", "") for text in texts if isinstance(text, str)))
    lost = Counter({one: count for one, count in counts.items() if not set(units(one, known)) <= known})
    return Coverage(counts.total() - lost.total(), counts.total(), lost)


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
