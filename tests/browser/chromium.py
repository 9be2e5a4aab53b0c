"""Finds the browser that the tests drive; run as a script, it installs one where it may.

    python tests/browser/chromium.py

Playwright's own builds are not used: the system's Chromium or Chrome is one a reader has.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = (
    "the browser tests need Chromium or Chrome, and there is none: "
    "install one (Debian: apt-get install chromium), or name its program in the variable CHROMIUM"
)


def find() -> str | None:
    """The browser's program: what the variable CHROMIUM names, else the first of NAMES on the path.

    Raises:
        FileNotFoundError: CHROMIUM names a program that is not there.
    """
    named = os.environ.get("CHROMIUM")
    if not named:
        return next(filter(None, map(shutil.which, NAMES)), None)
    if shutil.which(named) is None:
        raise FileNotFoundError(f"CHROMIUM={named} is not a program")
    return shutil.which(named)


def install() -> str | None:
    """Installs Debian's chromium, which takes root and apt-get. Returns why it could not, or None."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    if os.geteuid() != 0:
        return "apt-get needs root"
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            ["apt-get", "--quiet", *command],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
        )
    return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1] if done.returncode else None


def main() -> str | None:
    """Returns the one sentence that says what is missing, or None."""
    try:
        if find():
            return None
    except FileNotFoundError as error:
        return str(error)
    why = install()
    return f"{MISSING} ({why})" if why or not find() else None


if __name__ == "__main__":
    sys.exit(main())
