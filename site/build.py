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
sys.path.insert(0, str(SITE))

from pages import write_sources  # noqa: E402
from words import Words  # noqa: E402

from asr_helpers.wording import RIGHT_TO_LEFT  # noqa: E402
from tools.editions import languages  # noqa: E402


def build(output: Path) -> int:
    """Writes the site to `output`, whole and anew; returns Sphinx's exit status."""
    with tempfile.TemporaryDirectory(prefix="asr-helpers-site-") as folder:
        made = Path(folder) / "made"
        for language in ("en", *languages()):
            if status := build_edition(Path(folder) / language, made / language.removeprefix("en"), language):
                return status
        # The site that is there stays until a new one is whole.
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(made, output, ignore=shutil.ignore_patterns(".buildinfo", "_sources"))
    return 0


def build_edition(folder: Path, made: Path, language: str) -> int:
    """Writes one language's pages to `made`, with what Sphinx needs in `folder`; returns Sphinx's exit status."""
    sources = folder / "sources"
    write_sources(sources, made / "downloads", language)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", "html"]
    command += ["--conf-dir", str(SITE), "--doctree-dir", str(folder / "doctrees")]
    if language != "en":
        words = Words(language)
        command += ["-D", f"language={language}", "-D", f"html_title={words.get('label/title')}"]
        command += ["-D", f"copyright={words.get('label/authors')}", "-D", "html_use_index=0"]
    # The package is read from this checkout. As in the tests, no library asks a network for anything.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    offline = {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    status = subprocess.run([*command, str(sources), str(made)], env=os.environ | offline).returncode
    if language in RIGHT_TO_LEFT and status == 0:
        for page in made.rglob("*.html"):  # the theme has no setting for it
            text = page.read_text(encoding="utf-8")
            page.write_text(text.replace(f' lang="{language}"', f' lang="{language}" dir="rtl"', 1), encoding="utf-8")
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
