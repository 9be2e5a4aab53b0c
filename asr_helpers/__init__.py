"""The stages of fine-tuning a speech recogniser: loading, preprocessing, collation, evaluation, training, inference.

Each stage is a module, a notebook and a test of the same name. Importing this
package imports none of torch, transformers or datasets: each is imported where it is used.
"""

from importlib.metadata import PackageNotFoundError, version


class AsrError(Exception):
    """What could not be done. The message names the offending value and the way out."""


class InputError(AsrError, ValueError):
    """Input that cannot be used: a row, a file, a name, an argument. Most errors of this package are of this kind."""


try:
    __version__ = version("asr-helpers")
except PackageNotFoundError:  # read from a folder that was never installed
    __version__ = "0+uninstalled"
