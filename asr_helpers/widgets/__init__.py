"""The pictures of `plots`, made interactive: to choose, listen, step, sort and edit in a notebook.

Each function returns a view of core ipywidgets; let it be a cell's value and it is on the page. It prints nothing,
and tells of bad input in a sentence of its own. The microphone alone needs another front end, anywidget's: where a
page lacks it, there is the upload.
"""

from typing import TYPE_CHECKING

from .batch import batch_view
from .clip import clip_view
from .emission import emission_view
from .errors import errors_view
from .recording import recording_view
from .teaching import teaching_view
from .vocabulary import vocabulary_view
from .voice import voice_view

if TYPE_CHECKING:
    from .training import TrainingView

__all__ = [
    "batch_view",
    "clip_view",
    "emission_view",
    "errors_view",
    "recording_view",
    "teaching_view",
    "training_view",
    "vocabulary_view",
    "voice_view",
]


def training_view() -> "TrainingView":
    """Loss, WER and learning rate while a training runs, with step, time left, and a warning of collapse.

    It is a widget and a `TrainerCallback` in one: display it, then give it to the training,
    `training.fine_tune(…, callbacks=[view])` or a `Trainer` of your own. Where no widget can be shown, nothing
    is lost: `fine_tune` prints a line at each evaluation in any case.

    Returns:
        A view with the parts `progress`, `status`, `warning` and `shown`, the curves.
    """
    from .training import TrainingView

    return TrainingView()
