"""Where a table's path may lead: into the folder it came with, or into one that a person named.

A path comes as data. What it stands for, its links followed, must lie in the folder of DATA, or below `--audio-root`.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from ..fragments import file_of

# In a row for the audit: its path as the table writes it, where that leads out of the folder, and "" where it does not.
# Such a row has no audio, so that nothing can open it.
LEADS_OUT = "leads_out"


def leads_out(path: str | Path, folder: str | Path) -> bool:
    """Whether the file that a path stands for, its links followed, lies outside a folder."""
    try:
        return not Path(file_of(path)).resolve().is_relative_to(Path(folder).resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a name too long, a NUL in it
        return True


def locate(name: str, folders: Sequence[Path], roots: Sequence[Path]) -> Path | None:
    """The file that a table's path means: the first one that is there, or the first place it could be.

    Args:
        name: the path, as the table writes it.
        folders: what it may start from, where it is not absolute.
        roots: the folders it must lie in.

    Returns:
        A path, though perhaps of no file; None where each place lies outside the roots.
    """
    if not Path(name).is_absolute() and PureWindowsPath(name).anchor:
        return None
    places = [folder / name for folder in folders]  # an absolute name takes the folder's place
    inside = [place for place in places if any(not leads_out(place, root) for root in roots)]
    return next((place for place in inside if os.path.isfile(place)), inside[0] if inside else None)
