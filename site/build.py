"""Build the site: the notebooks and the package's reference as pages that need no server and no network.

    python site/build.py [--output DIR]      DIR is outputs/site unless told otherwise

The pages' sources are written to a folder of their own first (see pages.py); then Sphinx reads them with conf.py.
A warning fails the build.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent


def build(output: Path) -> int:
    """Writes the site to `output`, whole and anew; returns Sphinx's exit status."""
    from pages import write_sources

    with tempfile.TemporaryDirectory(prefix="asr-helpers-site-") as folder:
        sources, made = Path(folder) / "sources", Path(folder) / "made"
        write_sources(sources, made / "downloads")
        command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", "html"]
        command += ["--conf-dir", str(SITE), "--doctree-dir", str(Path(folder) / "doctrees"), str(sources), str(made)]
        # The package is read from this checkout. As in the tests, no library asks a network for anything.
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        offline = {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        status = subprocess.run(command, env=os.environ | offline).returncode
        if status == 0:  # the site that is there stays until a new one is whole
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(made, output, ignore=shutil.ignore_patterns(".buildinfo", "_sources"))
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "site", metavar="DIR")
    output = parser.parse_args().output.resolve()
    status = build(output)
    if status == 0:
        print(f"the site: {output / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
