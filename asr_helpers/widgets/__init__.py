"""The pictures of `plots`, made interactive: to choose, listen, step, sort and edit in a notebook.

Each function returns a view of core ipywidgets; let it be a cell's value and it is on the page. It prints nothing,
and tells of bad input in a sentence of its own. The microphone alone needs another front end, anywidget's: where a
page lacks it, there is the upload.
"""

from .batch import batch_view
from .clip import clip_view
from .emission import emission_view
from .errors import errors_view
from .teaching import teaching_view
from .training import training_view
from .vocabulary import vocabulary_view
from .voice import voice_view

__all__ = [
    "batch_view",
    "clip_view",
    "emission_view",
    "errors_view",
    "teaching_view",
    "training_view",
    "vocabulary_view",
    "voice_view",
]
