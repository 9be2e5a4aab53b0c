"""What "demo" and "hub" mean, and how a folder of one's own becomes a source.

A source says where the rows are, which checkpoint to start from and which to speak with
before any training. The environment variables ASR_SOURCE and ASR_LOCALE choose; without
them, it is "demo" in "en-US".
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import InputError
from .recipes import Recipe

DEMO = Path(__file__).parent / "demo"
DEMO_LANGUAGE_MODEL = str(DEMO / "language_model" / "demo.arpa.gz")
ARCHIVES = (*(end for _, ends, _ in shutil.get_unpack_formats() for end in ends), ".7z", ".rar")


@dataclass(frozen=True)
class Source:
    """Where rows and checkpoints come from.

    Attributes:
        name: "demo", "hub", or the folder's path.
        dataset: what `datasets.load_dataset` reads, or the folder, or one of its tables.
        dataset_revision: the commit it is pinned to, on a hub.
        locale: the dataset's config, MInDS-14's "en-US" and so on; None for a folder.
        checkpoint: what fine-tuning starts from.
        fine_tuned: a recogniser to speak with before the reader has trained one. The demo has one for English alone: in
            another locale it is `output_dir`, where the reader's own will be.
        recipe: fine-tunes `checkpoint` on `dataset`; None for the one that `recipes.choose_recipe` finds.
        columns: which of a spreadsheet's columns holds what, `{"sentence": "transcription"}`.
        audio_root: a folder that sounds may lie in, besides `dataset`; None for none.
        vocabulary: the folder of a processor that writes the locale; None for the checkpoint's own.
    """

    name: str
    dataset: str
    dataset_revision: str | None
    locale: str | None
    checkpoint: str
    fine_tuned: str
    recipe: Recipe | None = None
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    audio_root: str | None = None
    vocabulary: str | None = None

    @property
    def processor(self) -> str:
        """Where the processor lies: with the locale's vocabulary, or beside the checkpoint."""
        return self.vocabulary or self.checkpoint

    @property
    def output_dir(self) -> Path:
        """Where the reader's own training goes: a folder in `outputs`, or in $ASR_OUTPUTS.

        Two folders of one name in different places have different ones, and so have two locales.
        """
        name = self.name
        if name == self.dataset:  # a folder
            path = Path(name).resolve()
            name = f"{path.name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
        elif self.locale and self.locale != _DEMO.locale:
            name = f"{name}-{self.locale}"
        return Path(os.environ.get("ASR_OUTPUTS", "outputs")) / f"{name}-recogniser"

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
)
_HUB = Source(
    name="hub",
    dataset="PolyAI/minds14",
    dataset_revision="40ce77cb32a384e4d50a568e1ec39ac804019d33",
    locale="en-US",
    checkpoint="facebook/wav2vec2-base",
    fine_tuned="facebook/wav2vec2-base-960h",
)


def source(
    data: str | os.PathLike | None = None,
    locale: str | None = None,
    columns: Mapping[str, str] | None = None,
    audio_root: str | os.PathLike | None = None,
) -> Source:
    """The source named `data`.

    Args:
        data: "demo", "hub", a folder in the `audiofolder` form or another of `layouts`, or one of its tables; None
            takes $ASR_SOURCE, or "demo".
        locale: another of the dataset's configs; None takes $ASR_LOCALE, or "en-US". A folder has none.
        columns, audio_root: as in `Source`.

    Raises:
        InputError: `data` is none of these, the demo is asked for a locale it does not have, or what is for a folder
            alone is given with something else, or is an archive.

    >>> source("demo").locale, source("demo", locale="ko-KR").locale
    ('en-US', 'ko-KR')
    """
    data = str(data or os.environ.get("ASR_SOURCE") or "demo")
    if data in ("demo", "hub"):
        if columns or audio_root:
            raise InputError(f"{data!r} has its own columns and sounds: leave out columns and audio_root.")
        locale = locale or os.environ.get("ASR_LOCALE") or None
    if data == "hub":
        return replace(_HUB, locale=locale or _HUB.locale)
    if data == "demo":
        known = sorted(path.name for path in Path(_DEMO.dataset).iterdir() if path.is_dir())
        if locale and locale not in known:
            raise InputError(f"The demo corpus has no locale {locale!r}: it has {', '.join(known)}.")
        if locale in (None, _DEMO.locale):
            return _DEMO
        demo = replace(_DEMO, locale=locale, vocabulary=str(DEMO / "processors" / locale))
        return replace(demo, fine_tuned=os.path.join(os.curdir, demo.output_dir))  # a path, which no hub is asked for
    if not Path(data).exists():
        raise InputError(f"Unknown source {data!r}: use 'demo', 'hub', or a folder with a metadata.csv.")
    if Path(data).is_file() and data.lower().endswith(ARCHIVES):
        raise InputError(f"{data!r} is an archive: unpack it, and name the folder.")
    if locale:
        raise InputError(f"A folder has no locales: leave out {locale!r}.")
    if audio_root and not Path(audio_root).is_dir():
        raise InputError(f"There is no folder {str(audio_root)!r} for the sounds: check the path.")
    # What writes already has the least to learn.
    return replace(
        _DEMO, name=data, dataset=data, locale=None, checkpoint=_DEMO.fine_tuned,
        columns=dict(columns or {}), audio_root=str(audio_root) if audio_root else None,
    )  # fmt: skip
