"""Paths that mean a part of a sound file: `talk.flac#t=12.5,15`.

Source:
    W3C, Media Fragments URI 1.0, section 4.2.1 (https://www.w3.org/TR/media-frags/).
"""

import os
import re

_TIMES = re.compile(r"#t=(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?$")


def part_of(path: str | os.PathLike, start: float | None, end: float | None = None) -> str:
    """The path of a part of a file; without a start, the file's own.

    >>> part_of("talk.flac", 12.5, 15), part_of("talk.flac", 12.5), part_of("talk.flac", None)
    ('talk.flac#t=12.5,15', 'talk.flac#t=12.5', 'talk.flac')
    """
    if start is None:
        return str(path)
    times = (f"{time:.6f}".rstrip("0").rstrip(".") for time in (start, end) if time is not None)
    return f"{path}#t={','.join(times)}"


def file_of(path: str | os.PathLike) -> str:
    """The file that a path is of, without the part that is meant. Whoever opens or checks a path does so with this.

    >>> file_of("talk.flac#t=12.5,15")
    'talk.flac'
    """
    path = str(path)
    while match := _TIMES.search(path):  # each: what is opened must be what was checked
        path = path[: match.start()]
    return path


def times_of(path: str | os.PathLike) -> tuple[float, float | None] | None:
    """When the part that a path means begins and ends, s; None for a whole file, and for an end that is the file's.

    >>> times_of("talk.flac#t=12.5,15"), times_of("talk.flac#t=12.5"), times_of("talk.flac")
    ((12.5, 15.0), (12.5, None), None)
    """
    match = _TIMES.search(str(path))
    return (float(match[1]), float(match[2]) if match[2] else None) if match else None
