"""05  What a checkpoint says of itself: its model card, the record of its training, and its way to the hub.

Conventions: README.md is the card, for people; training.json the record, for programs.
"""

import json
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__

if TYPE_CHECKING:
    from .languages import Writing
    from .sources import Source
    from .training import TrainingResult

# What an upload holds: the model, its processor, the card. Nothing that lists rows or paths.
PUBLISHED = (
    "README.md", "config.json", "model*.safetensors", "model.safetensors.index.json", "preprocessor_config.json",
    "processor_config.json", "special_tokens_map.json", "tokenizer_config.json", "vocab.json", "added_tokens.json",
)  # fmt: skip


def write_model_card(
    result: "TrainingResult",
    source: "Source",
    num_train: int | None,
    num_validation: int,
    seed: int,
    writing: "Writing | None" = None,
) -> None:
    """Writes what a checkpoint is, how it came about and how to use it: README.md and training.json in its folder.

    A training that failed gets a card that says so, and that calls it no recogniser.

    Args:
        num_train: clips; None for a stream, whose end was not seen.
        writing: of the language, where the processor names one.
    """
    folder = Path(result.output_dir)
    tag = writing.language.tag if writing else None
    record = {name: value for name, value in asdict(result).items() if name != "output_dir"} | {
        "seed": seed,
        "checkpoint": _name(source.checkpoint),
        "dataset": source.dataset if source.dataset_revision else Path(source.dataset).name,
        "dataset_revision": source.dataset_revision,
        "locale": source.locale,
        "language": tag,
        "unit": writing.unit if writing else None,
        "normaliser": writing.normaliser if writing else None,
        "train_rows": num_train,
        "validation_rows": num_validation,
        "versions": {"asr-helpers": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "transformers", "datasets", "accelerate")},
    }
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    name = f"{source.dataset} at {source.dataset_revision}" if source.dataset_revision else Path(source.dataset).name
    clips = "a stream of clips" if num_train is None else f"{num_train} clips"
    head = "with a fresh CTC head" if result.fresh_head else "with the head that it came with"
    recipe = "\n".join(f"- {key}: {value}" for key, value in asdict(result.recipe).items())
    made = (
        f"{_name(source.checkpoint)}, fine-tuned {head} on {clips} of\n"
        f"{name}{f' ({source.locale})' if source.locale else ''} in {result.seconds:.0f} s, seed {seed}."
    )
    rate = "Character error rate" if result.metric == "cer" else "Word error rate"
    measured = (
        f"{rate} on {num_validation} validation clips, by which this checkpoint was chosen:\n"
        f"{result.before:.3f} before, {result.after:.3f} after."
    )
    if writing:
        made += (
            f"\n\nIt writes {writing.language.name}, unit {writing.unit}. Its texts are compared as "
            f"{writing.normaliser}."
        )
    if result.trouble:
        text = f"""{_front_matter(language=tag)}
# {folder.name}: {"a training that failed" if result.failed else f"a trial of {result.steps} steps"}

**This is no speech recogniser.** {result.trouble}

{made}

{measured}

## Recipe

{recipe}
"""
    else:
        from huggingface_hub import EvalResult

        task = "automatic-speech-recognition"
        wer = EvalResult(
            task_type=task, dataset_type=source.dataset if source.dataset_revision else "audiofolder",
            dataset_name=record["dataset"], dataset_config=source.locale, dataset_split="validation",
            dataset_revision=source.dataset_revision, metric_type=result.metric, metric_name=rate.lower(),
            metric_value=round(float(result.after), 4),
        )  # fmt: skip
        on_hub = None if Path(source.checkpoint).exists() else source.checkpoint
        front = _front_matter(
            pipeline_tag=task,
            metrics=[result.metric],
            language=tag,
            base_model=on_hub,
            model_name=folder.name,
            eval_results=[wer],
        )
        text = f"""{front}
# {folder.name}

A speech recogniser: {made}

{measured} It is no measure of voices or recordings of another kind.

## Recipe

{recipe}

## Use

```python
from asr_helpers.inference import load_recogniser

print(load_recogniser("{folder.name}").transcribe("clip.wav").text)
```
"""
    (folder / "README.md").write_text(text)


def _front_matter(**fields: Any) -> str:
    """What the hub reads of a card: YAML between two lines of dashes."""
    from huggingface_hub import ModelCardData

    return f"---\n{ModelCardData(library_name='transformers', **fields).to_yaml()}\n---\n"


def _name(checkpoint: str) -> str:
    """A checkpoint as a card names it: the demo's by what it is, a folder by its name, one on the hub as it stands."""
    from .sources import DEMO

    if Path(checkpoint).resolve().is_relative_to(DEMO):
        return "the demo checkpoint of asr-helpers"
    return Path(checkpoint).name if Path(checkpoint).is_dir() else checkpoint


def push(folder: Path) -> None:
    """Uploads a recogniser to a private repository of the folder's name: model, processor and card.

    The list of rows that were set aside, the record of the training and its checkpoints stay on this machine.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    repository = api.create_repo(folder.name, private=True, exist_ok=True)
    api.upload_folder(repo_id=repository.repo_id, folder_path=folder, allow_patterns=list(PUBLISHED))
