"""06  Audio to transcripts, with words in time.

Conventions: an emission is (frames, vocabulary), each row a distribution over tokens;
a frame is 20 ms for Wav2Vec2. Greedy CTC decoding takes each frame's best token, merges
repeats, drops blanks. Times are in seconds from the clip's start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import AsrError, InputError, audio
from .audio import Audio
from .confidence import Calibration, word_certainty
from .languages import compose
from .models import load_processor, model_loading, onednn_disabled, silent_transformers
from .onnx_model import OnnxConfig, OnnxModel, find_graph
from .preprocessing import vocabulary

if TYPE_CHECKING:
    from transformers import AutomaticSpeechRecognitionPipeline, PretrainedConfig, ProcessorMixin, Wav2Vec2ForCTC


@dataclass(frozen=True)
class Word:
    """A word heard.

    Attributes:
        text: the word.
        start, end: s. Between two words there may be a pause, which belongs to neither.
        confidence: 0 to 1, how sure the recogniser is of it: where it was calibrated, as models that `fine_tune` makes
            are, the share of such words that are right.
    """

    text: str
    start: float
    end: float
    confidence: float

    def frames(self, frame: float) -> slice:
        """Which of an emission's frames, each so many seconds after the last, are the word's."""
        return slice(round(self.start / frame), round(self.end / frame))


@dataclass(frozen=True)
class Transcript:
    """What was heard in a clip: its text, and its words in time."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Recogniser:
    """A model with a CTC head, and the processor that goes with it.

    Attributes:
        model, processor: as transformers loads them; or a model that onnxruntime runs.
        calibration: what the certainty of a word is worth, and how late its first letter is; `fine_tune` finds it.
        bf16: compute in bfloat16, which some processors do at nearly twice the speed; a letter in a hundred may change.
    """

    model: "Wav2Vec2ForCTC | OnnxModel"
    processor: "ProcessorMixin"
    calibration: Calibration = field(default_factory=Calibration)
    bf16: bool = False

    @property
    def sampling_rate(self) -> int:
        """The rate the model hears, Hz."""
        return self.processor.feature_extractor.sampling_rate

    @property
    def frame(self) -> float:
        """The time from one frame to the next, s."""
        return self.model.config.inputs_to_logits_ratio / self.sampling_rate

    @property
    def silent(self) -> tuple[int, ...]:
        """The ids that write no letter: the blank's and the word delimiter's."""
        tokenizer = self.processor.tokenizer
        return tokenizer.pad_token_id, tokenizer.convert_tokens_to_ids(tokenizer.word_delimiter_token)

    def emission(self, waveform: np.ndarray) -> np.ndarray:
        """The model's belief in each token, frame by frame.

        Args:
            waveform: (num_samples,) float32 at `sampling_rate`. One clip at a time: a model with group
                norm, as wav2vec2-base is, hears padding too.

        Returns:
            (frames, vocabulary) float32 probabilities.

        Raises:
            InputError: it is no waveform, or is shorter than one frame, 25 ms.
            AsrError: it is too long for the memory.
        """
        waveform = audio.as_waveform(waveform)
        if len(waveform) < 400:
            raise InputError(
                f"A clip of {len(waveform)} samples is shorter than one frame (400): there is nothing to hear."
            )
        if isinstance(self.model, OnnxModel):
            return np.exp(self.model([waveform])[0])
        import torch

        inputs = self.processor(waveform, sampling_rate=self.sampling_rate, return_tensors="pt")
        try:
            half = torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16)
            with torch.inference_mode(), onednn_disabled(self.bf16), half:
                values = inputs.input_values.to(self.model.device, self.model.dtype)
                logits = self.model(values).logits[0]  # (frames, V)
        except RuntimeError as error:  # torch.OutOfMemoryError is one; on a CPU it has no name of its own
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise
            raise AsrError(
                f"A clip of {len(waveform) / self.sampling_rate:.0f} s does not fit the memory, of which it needs "
                "more the longer it is: cut it into clips below 30 s."
            ) from error
        return logits.float().softmax(dim=-1).cpu().numpy()

    def decode(self, emission: np.ndarray) -> Transcript:
        """Greedy CTC decoding of an emission, (frames, vocabulary).

        Raises:
            InputError: it has another shape.
        """
        if np.ndim(emission) != 2 or emission.shape[1] != self.model.config.vocab_size:
            raise InputError(
                f"An emission is (frames, {self.model.config.vocab_size}), and this one has the shape "
                f"{np.shape(emission)}: give one clip's, frames first."
            )
        ids = emission.argmax(axis=-1)  # (frames,)
        decoded = self.processor.tokenizer.decode(ids, output_word_offsets=True)
        words: list[Word] = []
        silent = self.silent
        for word in decoded.word_offsets:
            frames = slice(int(word["start_offset"]), int(word["end_offset"]))
            confidence = self.calibration(word_certainty(emission[frames], silent))
            start = begin_word(frames.start * self.frame, words, self.calibration.delay)
            words.append(Word(compose(word["word"]), start, frames.stop * self.frame, confidence))
        return Transcript(compose(decoded.text), tuple(words))

    def transcribe(self, clip: Audio) -> Transcript:
        """From a dataset row's undecoded audio, a path, or a file's bytes, to text.

        Raises:
            InputError: it cannot be read, or is shorter than one frame.
            AsrError: it is too long for the memory.
        """
        waveform = audio.load(clip, self.sampling_rate)
        try:
            return self.decode(self.emission(waveform))
        except AsrError as error:
            raise type(error)(f"{audio.name_of(clip)!r}: {error}") from error

    def pipeline(self) -> "AutomaticSpeechRecognitionPipeline":
        """The `transformers` pipeline of the same model.

        Give it `{"raw": waveform, "sampling_rate": recogniser.sampling_rate}`: a path would need the ffmpeg
        program, another rate torchaudio. It writes a head's units as they are: put jamo together by
        `languages.compose`.
        """
        from transformers import pipeline

        if isinstance(self.model, OnnxModel):
            raise InputError("A pipeline runs a model of PyTorch, and this one is an ONNX graph: use transcribe.")
        return pipeline(
            "automatic-speech-recognition",
            model=self.model,
            tokenizer=self.processor.tokenizer,
            feature_extractor=self.processor.feature_extractor,
        )


def begin_word(first_letter: float, before: Sequence[Word], delay: float) -> float:
    """When a word begins, s: its first letter's time less the delay, and not before the last word ends.

    Args:
        first_letter: when the model writes it, s.
        before: the words before it.
        delay: `Calibration.delay`, s.

    >>> round(begin_word(1.0, [Word("MY", 0.7, 0.8, 1.0)], 0.1), 3), begin_word(0.85, [Word("MY", 0.7, 0.8, 1.0)], 0.1)
    (0.9, 0.8)
    """
    return max(before[-1].end if before else 0.0, first_letter - delay)


def collapse(path: Sequence[int], blank: int) -> tuple[list[int], list[int]]:
    """Which frames of a path are left when repeats are merged, and which of those when blanks are dropped.

    Args:
        path: (frames,) ids: each frame's best token.
        blank: the blank's id.

    Returns:
        Two lists of frames; the second one's tokens are the text.

    >>> collapse([0, 8, 8, 0, 8], blank=0)
    ([0, 1, 3, 4], [1, 4])
    """
    merged = [frame for frame, token in enumerate(path) if not frame or token != path[frame - 1]]
    return merged, [frame for frame in merged if path[frame] != blank]


def _check_belonging(
    checkpoint: str | Path, config: "PretrainedConfig | OnnxConfig", processor: "ProcessorMixin"
) -> None:
    """Makes sure that the head writes the processor's tokens. Tokens for training alone, such as <s>, it may lack."""
    tokenizer = processor.tokenizer
    ids = tokenizer.convert_tokens_to_ids(sorted(vocabulary(processor) - {" "}))
    if not max(ids, default=0) < config.vocab_size <= len(tokenizer):
        raise InputError(
            f"The model of {str(checkpoint)!r} writes {config.vocab_size} tokens and its processor knows "
            f"{len(tokenizer)}: save the processor it was trained with beside it."
        )
    if config.pad_token_id != tokenizer.pad_token_id:
        raise InputError(
            f"In {str(checkpoint)!r} the model's blank is token {config.pad_token_id} and the processor's is "
            f"{tokenizer.pad_token_id}: save the processor it was trained with beside it."
        )


def load_recogniser(checkpoint: str | Path) -> Recogniser:
    """Loads a fine-tuned checkpoint, from a folder or by its name on the hub; or what `shipping.export` made of one.

    Args:
        checkpoint: of a folder with a `model.onnx`, that graph is taken; a .onnx file is one of several in a folder.

    Raises:
        InputError: there is no such folder, it lacks its processor, its weights or its CTC head, or the model and the
            processor do not belong together.
    """
    if graph := find_graph(checkpoint):
        exported = OnnxModel.load(graph)
        with silent_transformers():  # it knows no model of this type
            processor = load_processor(graph.parent)
        _check_belonging(checkpoint, exported.config, processor)
        return Recogniser(exported, processor, Calibration.read(exported.config.confidence, repr(str(checkpoint))))
    import torch
    from transformers import AutoModelForCTC

    processor = load_processor(checkpoint)
    with model_loading(checkpoint):
        model, report = AutoModelForCTC.from_pretrained(
            checkpoint, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
    if any(key.startswith("lm_head") for key in report["missing_keys"]):
        raise InputError(f"{str(checkpoint)!r} has no CTC head, so it cannot write yet: fine-tune it first.")
    _check_belonging(checkpoint, model.config, processor)
    calibration = Calibration.read(getattr(model.config, "confidence", None), repr(str(checkpoint)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Recogniser(model.to(device).eval(), processor, calibration)
