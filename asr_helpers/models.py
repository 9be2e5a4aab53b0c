"""A checkpoint's processor and model: found, loaded and checked, in a folder or on the hub.

Conventions: a checkpoint is a folder, or `owner/name` on the hub. What cannot be used is an `InputError` in one
sentence, and a checkpoint's own code is never run.
"""

import multiprocessing
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import AsrError, InputError, compat

if TYPE_CHECKING:
    from transformers import ProcessorMixin, SequenceFeatureExtractor, Wav2Vec2ForCTC


def load_processor(checkpoint: str | Path) -> "ProcessorMixin":
    """The processor beside a checkpoint, in a folder or on the hub; a folder may hold it alone.

    Raises:
        InputError: there is no such folder, no processor in it, or one of a model that reads no waveforms; or the hub
            does not have it or cannot be reached.
    """
    from transformers import AutoProcessor

    folder, files = Path(checkpoint), ("preprocessor_config.json", "processor_config.json", "tokenizer_config.json")
    if may_be_on_hub(checkpoint):
        _check_hub(str(checkpoint))
    elif not any((folder / name).is_file() for name in files):
        if not (folder / "config.json").is_file():
            raise InputError(
                f"There is no checkpoint in {str(checkpoint)!r}: check the name, or train one into it with "
                "`asr-helpers train`."
            )
        raise InputError(
            f"The checkpoint {str(checkpoint)!r} has no processor beside it: save it there with "
            "processor.save_pretrained."
        )
    try:
        processor = AutoProcessor.from_pretrained(checkpoint, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The processor of {str(checkpoint)!r} cannot be loaded: {str(error).splitlines()[0]}"
        ) from error
    except TypeError:  # its tokenizer's vocab.json is missing
        processor = None
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "feature_extractor"):
        raise InputError(
            f"The checkpoint {str(checkpoint)!r} has no whole processor (a tokenizer and a feature extractor): "
            "save it there with processor.save_pretrained."
        )
    takes = processor.feature_extractor.model_input_names[0]
    if takes != "input_values" or not hasattr(processor.tokenizer, "word_delimiter_token"):
        raise InputError(
            f"The checkpoint {str(checkpoint)!r} is not of Wav2Vec2's kind: its processor makes {takes} and has a "
            f"{type(processor.tokenizer).__name__}. Take one that reads waveforms and writes by CTC, such as "
            "Wav2Vec2, HuBERT or WavLM."
        )
    return processor


def load_feature_extractor(checkpoint: str | Path) -> "SequenceFeatureExtractor":
    """What prepares the sound for a checkpoint's encoder; the checkpoint need not have a tokenizer beside it.

    Raises:
        InputError: there is no such folder, or nothing in it that says how it hears; or the hub does not have it or
            cannot be reached.
    """
    from transformers import AutoFeatureExtractor

    if may_be_on_hub(checkpoint):
        _check_hub(str(checkpoint))
    elif not (Path(checkpoint) / "config.json").is_file():
        raise InputError(f"There is no checkpoint in {str(checkpoint)!r}: a checkpoint folder holds a config.json.")
    try:
        return AutoFeatureExtractor.from_pretrained(checkpoint, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{str(checkpoint)!r} does not say how it hears ({str(error).splitlines()[0]}): save its feature extractor "
            "beside it with save_pretrained."
        ) from error


def may_be_on_hub(checkpoint: str | Path) -> bool:
    """Whether a checkpoint's name is `owner/name` and no folder's, nor that of one that is missing from `owner`.

    >>> may_be_on_hub("facebook/wav2vec2-base")
    True
    >>> may_be_on_hub("./facebook/wav2vec2-base")
    False
    """
    owner, slash, name = str(checkpoint).partition("/")
    named = slash and re.fullmatch(r"\w[\w.-]*/[\w.-]+", f"{owner}/{name}", re.ASCII)
    return bool(named) and not Path(owner).is_dir()


def _check_hub(checkpoint: str) -> None:
    """Asks the hub once for what is not here yet; its client would ask for minutes where there is no network.

    Raises:
        InputError: the hub does not have it, or cannot be reached.
    """
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # of its client, which is not the same in all its releases

    if constants.HF_HUB_OFFLINE or isinstance(try_to_load_from_cache(checkpoint, "config.json"), str):
        return
    try:
        HfApi().model_info(checkpoint, timeout=10)
    except (OSError, ValueError, HTTPError) as error:  # it says no, the name cannot be, no network
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"There is no folder {checkpoint!r} here, and the hub does not give a model of that name ({reason}): "
            "check the name, or give a folder."
        ) from error


@contextmanager
def model_loading(checkpoint: str | Path) -> Iterator[None]:
    """Around `from_pretrained`: what it raises becomes one sentence.

    Raises:
        InputError: the checkpoint has no weights, damaged ones, or those of another architecture.
    """
    try:
        yield
    except AsrError:
        raise
    except Exception as error:  # safetensors, torch and transformers each have errors of their own
        reason = str(error).strip().partition("\n")[0].rstrip(":")
        raise InputError(
            f"The model of {str(checkpoint)!r} cannot be loaded as one with a CTC head ({reason}): take a whole "
            "checkpoint of Wav2Vec2, HuBERT or WavLM."
        ) from error


@contextmanager
def silent_transformers() -> Iterator[None]:
    """A context in which transformers warns of nothing."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


@contextmanager
def onednn_disabled(bf16: bool = False) -> Iterator[None]:
    """A context in which the memory stays as it is, however many lengths the clips have.

    On a CPU, oneDNN makes kernels for each length it meets and keeps them: 0.5 MB a length for the demo's model, some
    20 MB for one of wav2vec2-base's size. On single clips the former is as quick without oneDNN, the latter a tenth
    slower.

    Args:
        bf16: the model is computed in bfloat16, for which a CPU needs oneDNN: nothing is changed.
    """
    from torch.backends import mkldnn

    settings: Any = mkldnn  # its `enabled` is a property of the module, which has a bool for its value
    before = settings.enabled
    settings.enabled = before and bf16  # its `flags` would warn of a setting for GPUs
    try:
        yield
    finally:
        settings.enabled = before


def writes_vocabulary(checkpoint: str, processor: "ProcessorMixin") -> bool:
    """Whether a checkpoint has a CTC head that writes the processor's tokens, each under the same number.

    Args:
        checkpoint: a folder or a name on the hub.
        processor: what the texts will be encoded with.

    >>> from asr_helpers.sources import source
    >>> fine_tuned = source("demo").fine_tuned
    >>> writes_vocabulary(fine_tuned, load_processor(fine_tuned))
    True
    """
    from transformers import AutoConfig

    try:
        tokenizer = load_processor(checkpoint).tokenizer
    except AsrError:  # an encoder that never wrote has none
        return False
    config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
    return (
        any(name.endswith("ForCTC") for name in config.architectures or ())
        and tokenizer.get_vocab() == processor.tokenizer.get_vocab()
        and (config.vocab_size, config.pad_token_id) == (len(tokenizer), tokenizer.pad_token_id)
    )


def build_model(
    checkpoint: str, processor: "ProcessorMixin", seed: int = 0, fresh_head: bool = False
) -> "Wav2Vec2ForCTC":
    """An encoder with a CTC head of the processor's vocabulary.

    The checkpoint's own head is kept where it writes that vocabulary (`writes_vocabulary`); otherwise the head starts
    from random numbers.

    Args:
        checkpoint: a folder or a name on the hub.
        processor: its tokenizer's size is the head's, its padding token the CTC blank.
        seed: of a fresh head's random start.
        fresh_head: start with a fresh head in any case.

    Raises:
        InputError: the checkpoint cannot be loaded, or lacks weights of its encoder.
    """
    import torch
    from transformers import AutoModelForCTC, set_seed

    fresh_head = fresh_head or not writes_vocabulary(checkpoint, processor)
    set_seed(seed)
    with silent_transformers(), model_loading(checkpoint):  # its report would call the fresh head a mistake
        model, report = AutoModelForCTC.from_pretrained(
            checkpoint,
            dtype=torch.float32,
            trust_remote_code=False,
            vocab_size=len(processor.tokenizer),
            pad_token_id=processor.tokenizer.pad_token_id,
            ctc_loss_reduction="mean",
            ctc_zero_infinity=True,
            layerdrop=0.0,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    # masked_spec_embed is the mask's own vector: a checkpoint never trained with masking has none.
    missing = {key for key in report["missing_keys"] if "masked_spec" not in key}
    encoders = {key for key in missing if not key.startswith("lm_head")}
    if encoders:
        raise InputError(f"{checkpoint!r} lacks weights of its encoder, such as {sorted(encoders)[0]!r}.")
    if fresh_head or missing:
        model.lm_head.reset_parameters()
    # forward takes **kwargs, from which Trainer concludes that it averages the loss over the accumulated
    # batches. It does not: without this line, 4 accumulation steps give 4 times the gradient.
    model.accepts_loss_kwargs = False
    return model


def check_adapter(model: "Wav2Vec2ForCTC", checkpoint: str | Path, language: str) -> None:
    """Makes sure that a model has the adapter of a language, as the MMS models have one for each.

    A loading that leaves the adapter of another language in place, or random numbers, says nothing of it
    (transformers issues 24223 and 25260).

    Args:
        model: as it was loaded, before any training.
        checkpoint: a folder or a name on the hub, with a file `adapter.<language>.safetensors`.
        language: as the checkpoint names it, such as "kor".

    Raises:
        InputError: the checkpoint has no such adapter, or a tensor of the model is not the adapter's.
    """
    import torch
    from huggingface_hub import hf_hub_download
    from safetensors.torch import load_file

    name = f"adapter.{language}.safetensors"
    file = Path(checkpoint) / name
    if may_be_on_hub(checkpoint):
        _check_hub(str(checkpoint))
        with suppress(OSError, ValueError):  # it has none
            file = Path(hf_hub_download(str(checkpoint), name))
    if not file.is_file():
        there = sorted(path.name.split(".")[1] for path in file.parent.glob("adapter.*.safetensors"))
        has = f": it has {', '.join(there)}" if there else ""
        raise InputError(f"{str(checkpoint)!r} has no adapter for {language!r}{has}.")
    adapter, tensors = load_file(file), model.state_dict()
    wanted = {name for name in tensors if "adapter_layer" in name or name.startswith("lm_head")}
    for name in sorted(wanted | adapter.keys()):
        ours, theirs = tensors.get(name), adapter.get(name)
        if ours is None or theirs is None or not torch.equal(ours.cpu(), theirs.to(ours.dtype)):
            raise InputError(
                f"The model's {name!r} is not that of the adapter for {language!r}: call "
                f"model.load_adapter({language!r}) once it is loaded, and before any training."
            )


def count_frames(seconds: Sequence[float], model: "Wav2Vec2ForCTC", processor: "ProcessorMixin") -> list[int]:
    """How many frames a model makes of clips of these lengths, s."""
    import torch

    samples = torch.tensor(seconds, dtype=torch.float64) * processor.feature_extractor.sampling_rate
    return compat.count_frames(model, samples.round().long()).tolist()


def has_bf16() -> bool:
    """Whether this machine multiplies in bfloat16 by itself; emulated, it would be slower than float32."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # mkldnn says yes on every machine with AVX-512; without one of these two it emulates, at half float32's speed.
    return compat.cpu_has_bf16()


def dataloader_workers() -> int:
    """How many processes decode a training's rows beside it: none without a GPU, which would wait for its rows.

    None where processes are not forked either (Windows, Python 3.14): there a script that trains would have to keep
    its own code from running again in each of them.
    """
    import torch

    if not torch.cuda.is_available() or multiprocessing.get_all_start_methods()[0] != "fork":
        return 0
    return min(4, (os.cpu_count() or 1) // torch.cuda.device_count())
