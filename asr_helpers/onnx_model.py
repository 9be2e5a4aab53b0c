"""06  A model that onnxruntime runs, without PyTorch: what `shipping.export` writes.

Conventions: a folder holds `model.onnx`, and `model.int8.onnx` where it was asked for, and beside them the processor
and a config.json. The graph takes samples in [-1, 1] and normalises them itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MODEL_TYPE = "wav2vec2-ctc"  # as onnx-asr calls it


@dataclass(frozen=True)
class OnnxConfig:
    """What a recogniser asks of its model's configuration.

    Attributes:
        vocab_size: how many tokens the head writes.
        pad_token_id: the blank's id.
        inputs_to_logits_ratio: samples from one frame to the next.
        confidence: a `Calibration` as JSON, or None.
    """

    vocab_size: int
    pad_token_id: int
    inputs_to_logits_ratio: int
    confidence: Any = None


@dataclass(frozen=True)
class OnnxModel:
    """A graph of `onnx_graph.Graph` in onnxruntime.

    Attributes:
        session: runs it.
        config: what it writes.
    """

    session: "InferenceSession"
    config: OnnxConfig

    @classmethod
    def load(cls, path: Path, threads: int = 0) -> "OnnxModel":
        """From a .onnx file, with the config.json beside it.

        Args:
            threads: at most so many compute; 0 for one on each core.

        Raises:
            InputError: onnxruntime is not installed, or the file or its configuration is not what `export` writes.
        """
        try:
            import onnxruntime
        except ImportError:
            raise InputError(
                f"{str(path)!r} needs onnxruntime, which is not installed: pip install onnxruntime."
            ) from None
        beside = path.with_name("config.json")
        try:
            found = json.loads(beside.read_text(encoding="utf-8"))
            if found["model_type"] != MODEL_TYPE:
                raise ValueError(f"its model_type is {found['model_type']!r}, not {MODEL_TYPE!r}")
            size, blank, ratio = (int(found[name]) for name in ("vocab_size", "pad_token_id", "subsampling_factor"))
            config = OnnxConfig(size, blank, ratio, found.get("confidence"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"The configuration {str(beside)!r} is not one that `asr-helpers export` wrote ({error}): export again."
            ) from None
        try:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.log_severity_level = 3  # errors: it warns of the lengths' default, which is meant
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for each of its statuses
            reason = str(error).strip().partition("\n")[0]
            raise InputError(f"The graph {str(path)!r} cannot be loaded ({reason}): export it again.") from error
        names = {one.name for one in (*session.get_inputs(), *session.get_overridable_initializers())}
        if not {"input_values", "input_lengths"} <= names:
            raise InputError(f"The graph {str(path)!r} takes {', '.join(sorted(names))}: take one of `export`.")
        return cls(session, config)

    def __call__(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Log probabilities, (clips, frames, vocabulary) float32: behind a shorter clip's own frames lies padding.

        Args:
            clips: (num_samples,) float32 each, in [-1, 1].
        """
        lengths = np.array([len(clip) for clip in clips], np.int64)
        values = np.zeros((len(clips), lengths.max()), np.float32)
        for row, clip in zip(values, clips, strict=True):
            row[: len(clip)] = clip
        (log_probs,) = self.session.run(["logprobs"], {"input_values": values, "input_lengths": lengths})
        return log_probs


def find_graph(checkpoint: str | Path) -> Path | None:
    """The graph that a checkpoint's name means: a .onnx file itself, or the `model.onnx` in a folder; else None."""
    path = Path(checkpoint)
    graph = path if path.suffix == ".onnx" else path / "model.onnx"
    return graph if graph.is_file() else None
