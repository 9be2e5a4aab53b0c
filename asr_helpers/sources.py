"""What "demo" and "hub" mean, and how a folder of one's own becomes a source.

A source says where the rows are, which checkpoint to start from, which to speak with
before any training, and the recipe that works for them. The environment variable
ASR_SOURCE chooses; without it, it is "demo".
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from . import AsrError

DEMO = Path(__file__).parent / "demo"


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune.

    Attributes:
        learning_rate: the encoder's peak rate.
        head_learning_rate: the fresh CTC head's. With the encoder's own rate it sits on the blank plateau.
        num_train_epochs: passes over the training rows.
        per_device_train_batch_size: clips in a step on one device.
        seconds_per_batch: instead, sound in a step on one device, padding included: clips of like length together.
        warmup_steps: a share of all steps (below 1), or their number.
        head_only_steps: likewise; so long only the head learns, then the encoder joins in. What a random head asks
            of an encoder would undo what it knows. wav2vec 2.0's authors fine-tune in this way
            (https://arxiv.org/abs/2006.11477).
        freeze_feature_encoder: keep the convolutions as they are.
        speed_perturbation: play each training batch up to this share faster or slower, another share in each step
            (https://www.isca-archive.org/interspeech_2015/ko15_interspeech.html). A clip that its labels fit only just
            is passed over by the loss where it is played too fast for them.
    """

    learning_rate: float
    head_learning_rate: float
    num_train_epochs: float
    per_device_train_batch_size: int = 8
    seconds_per_batch: float | None = None
    warmup_steps: float = 0.1
    head_only_steps: float = 0.15
    freeze_feature_encoder: bool = True
    speed_perturbation: float = 0.0


@dataclass(frozen=True)
class Source:
    """Where rows and checkpoints come from.

    Attributes:
        name: "demo", "hub", or the folder's path.
        dataset: what `datasets.load_dataset` reads.
        dataset_revision: the commit it is pinned to, on a hub.
        locale: the dataset's config, MInDS-14's "en-US" and so on; None for a folder.
        checkpoint: an encoder without CTC head, its processor beside it.
        fine_tuned: a recogniser to speak with before the reader has trained one.
        recipe: fine-tunes `checkpoint` on `dataset`.
    """

    name: str
    dataset: str
    dataset_revision: str | None
    locale: str | None
    checkpoint: str
    fine_tuned: str
    recipe: Recipe

    @property
    def output_dir(self) -> Path:
        """Where the reader's own training goes: a folder in `outputs`, or in $ASR_OUTPUTS."""
        return Path(os.environ.get("ASR_OUTPUTS", "outputs")) / f"{Path(self.name).name}-recogniser"

    @property
    def recogniser(self) -> str:
        """The reader's own recogniser, once trained; until then `fine_tuned`."""
        return str(self.output_dir) if (self.output_dir / "config.json").is_file() else self.fine_tuned


_DEMO = Source(
    name="demo",
    dataset=str(DEMO / "corpus"),
    dataset_revision=None,
    locale="en-US",
    checkpoint=str(DEMO / "checkpoint"),
    fine_tuned=str(DEMO / "fine_tuned"),
    recipe=Recipe(learning_rate=5e-5, head_learning_rate=1e-2, num_train_epochs=5, speed_perturbation=0.1),
)
# Recordings of one's own are further from what the demo checkpoint has heard: its encoder and its convolutions have
# more to learn.
_OWN_RECIPE = Recipe(
    learning_rate=1e-3, head_learning_rate=2e-2, num_train_epochs=8, freeze_feature_encoder=False,
    speed_perturbation=0.1,
)  # fmt: skip
_HUB = Source(
    name="hub",
    dataset="PolyAI/minds14",
    dataset_revision="40ce77cb32a384e4d50a568e1ec39ac804019d33",
    locale="en-US",
    checkpoint="facebook/wav2vec2-base",
    fine_tuned="facebook/wav2vec2-base-960h",
    recipe=Recipe(learning_rate=1e-4, head_learning_rate=2e-3, num_train_epochs=30),
)


def source(data: str | os.PathLike | None = None, locale: str | None = None) -> Source:
    """The source named `data`.

    Args:
        data: "demo", "hub", or a folder in the `audiofolder` form; None takes $ASR_SOURCE, or "demo".
        locale: another of the dataset's configs.

    Raises:
        AsrError: `data` is neither, or the demo is asked for a locale it does not have.

    >>> source("demo").locale
    'en-US'
    """
    data = str(data or os.environ.get("ASR_SOURCE") or "demo")
    if data == "hub":
        return replace(_HUB, locale=locale or _HUB.locale)
    if data == "demo":
        known = sorted(path.name for path in Path(_DEMO.dataset).iterdir() if path.is_dir())
        if locale and locale not in known:
            raise AsrError(f"The demo corpus has no locale {locale!r}: it has {', '.join(known)}.")
        return replace(_DEMO, locale=locale or _DEMO.locale)
    if not Path(data).is_dir():
        raise AsrError(f"Unknown source {data!r}: use 'demo', 'hub', or a folder with a metadata.csv.")
    if locale:
        raise AsrError(f"A folder has no locales: leave out {locale!r}.")
    return replace(_DEMO, name=data, dataset=data, locale=None, recipe=_OWN_RECIPE)
