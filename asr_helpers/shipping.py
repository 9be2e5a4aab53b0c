"""09  A recogniser as ONNX, for programs without PyTorch: exported, made smaller, compared with what it was made of.

Conventions: a folder holds `model.onnx`, the int8 graph beside it as `model.int8.onnx`, the processor, and what other
runtimes read: a config.json and vocab.txt for onnx-asr, a tokens.txt for sherpa-onnx.
"""

import json
import logging
import os
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import AsrError, InputError, audio
from .alignment import Alphabet
from .evaluation import Scores, score
from .inference import Recogniser, load_recogniser
from .onnx_model import MODEL_TYPE, OnnxModel
from .preprocessing import normalise_text, vocabulary, writing_of

GRAPH, SMALL = "model.onnx", "model.int8.onnx"
CLOSE = 1e-3  # what log probabilities of a graph may differ by
SECONDS = (0.03, 0.5, 1.7, 4.0, 9.3)  # lengths that a graph is checked at
ALL = 2**62  # samples, the length where none is given: a clip is its own from end to end
LARGE = 1.5e9  # bytes; above, the weights lie in a file of their own, as ONNX wants from 2 GB on
FEW = 0.01  # more deletions by this share of the words, or so much more blank, are too many


def export(recogniser: Recogniser, folder: str | Path) -> Path:
    """Writes a recogniser's model as one ONNX graph, and what runtimes need beside it.

    The graph takes `input_values`, (B, num_samples) float32 in [-1, 1], and `input_lengths`, (B,) int64, and gives
    `logprobs`, (B, frames, vocabulary). Lengths may be left out for one clip. It normalises clips itself, and a clip
    that is padded is heard as it is alone.

    Returns:
        The graph's path.

    Raises:
        InputError: the recogniser is exported already, a package for it is missing, or the folder cannot be written.
        AsrError: the model cannot be exported, or the graph does not give what the model gives: it is not kept.

    Source:
        The names are those of onnx-asr (https://github.com/istupakov/onnx-asr); sherpa-onnx runs it as it runs
        Omnilingual ASR's (https://k2-fsa.github.io/sherpa/onnx/omnilingual-asr/index.html).
    """
    if isinstance(recogniser.model, OnnxModel):
        raise InputError("This recogniser is an ONNX graph already: export the folder it was made from.")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            write_graph(recogniser, Path(work) / GRAPH)
            write_files(recogniser, Path(work))
            check_graph(recogniser, Path(work) / GRAPH)
            for file in Path(work).iterdir():
                os.replace(file, folder / file.name)
    except OSError as error:
        raise InputError(f"{str(folder)!r} cannot be written ({error.strerror}): name another folder.") from error
    return folder / GRAPH


def write_graph(recogniser: Recogniser, path: Path) -> None:
    """Exports the model alone.

    Raises:
        InputError: a package for it is missing.
        AsrError: the exporter cannot follow the model.
    """
    import torch

    try:
        import onnx
        import onnxscript  # noqa: F401 torch's exporter writes with it
    except ImportError as error:
        raise InputError(f"To export needs {error.name}: pip install 'asr-helpers[onnx]'.") from None
    from .onnx_graph import Graph

    model: Any = recogniser.model
    graph = Graph(model, bool(recogniser.processor.feature_extractor.do_normalize))
    # A batch of two of an odd length: what is 1 or even in the example would stay so in the graph.
    example = (torch.randn(2, 16_001), torch.tensor([16_001, 12_345]))
    free = torch.export.Dim.DYNAMIC
    try:
        with _silent(), torch.inference_mode():
            program = torch.onnx.export(
                graph, example, dynamo=True, verbose=False, input_names=["input_values", "input_lengths"],
                output_names=["logprobs"], dynamic_shapes=({0: free, 1: free}, {0: free}),
            )  # fmt: skip
    except Exception as error:  # the exporter has classes of its own for each of its steps
        reason = str(error).strip().partition("\n")[0]
        raise AsrError(f"This model cannot be exported to ONNX ({type(error).__name__}: {reason}).") from error
    assert program is not None  # it is None for the older exporter alone
    written = program.model_proto
    (values, lengths), (log_probs,) = written.graph.input, written.graph.output
    for one, names in ((values, ("batch", "samples")), (lengths, ("batch",)), (log_probs, ("batch", "frames"))):
        for dimension, name in zip(one.type.tensor_type.shape.dim, names, strict=False):
            dimension.dim_param = name
    del written.graph.value_info[:]  # shapes in between, in names that are no more
    written.graph.initializer.append(onnx.numpy_helper.from_array(np.array([ALL]), "input_lengths"))
    onnx.save(written, path, save_as_external_data=written.ByteSize() > LARGE, location=f"{path.name}.data")


@contextmanager
def _silent() -> Iterator[None]:
    """A context without the exporter's advice: on packages that no speech model needs, and on steps it takes itself."""
    logs = [logging.getLogger(name) for name in ("", "torch.onnx", "onnxscript", "onnx_ir")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)


def write_files(recogniser: Recogniser, folder: Path) -> None:
    """Writes what stands beside a graph: the processor, and each runtime's list of tokens and configuration."""
    recogniser.processor.save_pretrained(folder)
    alphabet = Alphabet.of(recogniser)
    tokens = recogniser.processor.tokenizer.convert_ids_to_tokens(list(range(len(alphabet.signs))))
    tokens[alphabet.blank] = "<blk>"
    if alphabet.delimiter is not None:
        tokens[alphabet.delimiter] = "▁"  # both runtimes write it as a space
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    for name in ("vocab.txt", "tokens.txt"):
        (folder / name).write_text(lines, encoding="utf-8")
    config = {
        "model_type": MODEL_TYPE, "subsampling_factor": recogniser.model.config.inputs_to_logits_ratio,
        "vocab_size": len(tokens), "pad_token_id": alphabet.blank, "sampling_rate": recogniser.sampling_rate,
        "confidence": asdict(recogniser.calibration),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def check_graph(recogniser: Recogniser, graph: Path) -> float:
    """Compares a graph with its model at five lengths, each alone and two of different lengths together.

    Returns:
        The largest difference between their log probabilities, where both are above e^-10.

    Raises:
        AsrError: it is above 1e-3, or the graph gives another number of frames.
    """
    exported, rng, largest = OnnxModel.load(graph), np.random.default_rng(0), 0.0
    clips = [rng.normal(0, 0.1, round(seconds * recogniser.sampling_rate)).astype(np.float32) for seconds in SECONDS]
    wanted = [np.log(np.maximum(recogniser.emission(clip), 1e-30)) for clip in clips]
    batches = [[number] for number in range(len(clips))] + [[number - 1, number] for number in range(1, len(clips))]
    for batch in batches:
        heard = exported([clips[number] for number in batch])
        for row, number in zip(heard, batch, strict=True):
            want, got = wanted[number], row[: len(wanted[number])]
            if got.shape != want.shape or (len(batch) == 1 and len(row) != len(want)):
                raise AsrError(f"The graph gives {row.shape} for a clip of which the model makes {want.shape}.")
            likely = np.maximum(want, got) > -10
            largest = max(largest, float(np.abs(want - got)[likely].max()))
    if not largest <= CLOSE:
        raise AsrError(f"The graph's log probabilities differ from the model's by {largest:.2g}: it is not kept.")
    return largest


def quantise(graph: str | Path) -> Path:
    """Makes a graph smaller: its matrix products with weights and inputs of 8 bits.

    Returns:
        The path of the int8 graph, beside the other. Whether it hears as well, `compare` says.

    Raises:
        InputError: a package for it is missing.
        AsrError: there is no product of 8 bits in what was made.
    """
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise InputError(f"To make int8 needs {error.name}: pip install 'asr-helpers[onnx]'.") from None
    graph = Path(graph)
    small = graph.with_name(SMALL)
    with _silent():
        quantize_dynamic(str(graph), str(small), op_types_to_quantize=["MatMul"], weight_type=QuantType.QUInt8)
    if not operators(small)["MatMulInteger"]:
        small.unlink()
        raise AsrError(f"{str(graph)!r} has no matrix product that could be made int8.")
    return small


def operators(graph: str | Path) -> Counter[str]:
    """How often each operator stands in a graph."""
    import onnx

    return Counter(node.op_type for node in onnx.load(graph, load_external_data=False).graph.node)


@dataclass(frozen=True)
class Comparison:
    """A graph beside the recogniser that it was made from, on the same rows.

    Attributes:
        before, after: the recogniser's scores and the graph's.
        same: of so many clips the texts are the same.
        difference: the largest one between their log probabilities, where both are above e^-10.
        blank_before, blank_after: the share of frames where the blank is likeliest.
        speed: the graph's speed by the recogniser's; both heard each clip one after the other.
        size: the graph's bytes by those of the model's weights in 32 bits.
    """

    before: Scores
    after: Scores
    same: int
    difference: float
    blank_before: float
    blank_after: float
    speed: float
    size: float

    def refusal(self) -> str:
        """Why the graph should not take the recogniser's place; "" where nothing speaks against it."""
        words = self.before.words.hits + self.before.words.substitutions + self.before.words.deletions
        lost = (self.after.words.deletions - self.before.words.deletions) / words
        if self.after.wer > self.before.interval[1]:
            return f"WER {self.after.wer:.3f} lies above the interval of the model's, {self.before.interval[1]:.3f}"
        if lost > FEW:
            return f"{lost:.1%} of the words are lost that the model hears"
        if self.blank_after > self.blank_before + FEW:
            return f"{self.blank_after:.1%} of the frames are blank, and {self.blank_before:.1%} of the model's"
        return ""

    def __str__(self) -> str:
        return (
            f"WER {self.before.wer:.3f} -> {self.after.wer:.3f} (95 % interval {self.before.interval[0]:.3f} to "
            f"{self.before.interval[1]:.3f}), deletions {self.before.words.deletions} -> {self.after.words.deletions}, "
            f"blank {self.blank_before:.1%} -> {self.blank_after:.1%}, same text {self.same} of "
            f"{self.before.utterances}, log probabilities within {self.difference:.2g}, size x {self.size:.2f}, "
            f"speed x {self.speed:.2f}"
        )


def compare(recogniser: Recogniser, graph: str | Path, rows: Iterable[dict[str, Any]]) -> Comparison:
    """Has a recogniser and its graph write down the same rows.

    Args:
        rows: each with `audio`, undecoded, and `transcription`: validation rows, where it is to be decided by them.

    Raises:
        InputError: the graph cannot be loaded, there is no row, or one cannot be read or has no text to score.
    """
    exported, characters = load_recogniser(graph), vocabulary(recogniser.processor)
    blank = recogniser.processor.tokenizer.pad_token_id
    both = (recogniser, exported)
    references: list[str] = []
    texts: tuple[list[str], list[str]] = ([], [])
    blanks, frames, times, difference = [0, 0], 0, [0.0, 0.0], 0.0
    for row in rows:
        references.append(normalise_text(row["transcription"], characters).text)
        waveform = audio.load(row["audio"], recogniser.sampling_rate)
        heard = []
        for one in both if len(references) > 1 else (*both, *both):  # the first clip warms both up
            started = time.perf_counter()
            heard.append(one.emission(waveform))
            times[len(heard) % 2 - 1] += time.perf_counter() - started
        if len(references) == 1:
            times = [0.0, 0.0]
        logs = [np.log(np.maximum(emission, 1e-30)) for emission in heard[-2:]]
        difference = max(difference, float(np.abs(logs[0] - logs[1])[np.maximum(*logs) > -10].max()))
        frames += len(logs[0])
        for place, emission in enumerate(heard[-2:]):
            blanks[place] += int((emission.argmax(-1) == blank).sum())
            texts[place].append(both[place].decode(emission).text)
    model: Any = recogniser.model
    writing = writing_of(recogniser.processor)
    return Comparison(
        before=score(references, texts[0], writing=writing),
        after=score(references, texts[1], writing=writing),
        same=sum(one == other for one, other in zip(*texts, strict=True)),
        difference=difference,
        blank_before=blanks[0] / frames,
        blank_after=blanks[1] / frames,
        speed=times[0] / times[1] if times[1] else 1.0,
        size=Path(graph).stat().st_size / (4 * sum(one.numel() for one in model.parameters())),
    )
