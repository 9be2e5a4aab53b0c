"""`asr-helpers demo`."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from .common import command, printable, write_json

# Beside the package in a checkout; an installed wheel has none.
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
# Or each kernel would warn that it talks to this machine without encryption.
QUIET_KERNEL = ["--IPKernelApp.log_level=ERROR"]


def add(commands: Any) -> None:
    """Adds the command to the parser's."""
    command(commands, demo, "run the series end to end and print what it learnt")


def demo(args: argparse.Namespace) -> None:
    """Runs the series end to end, notebooks 00 to 09 where they are at hand, else the training alone.

    Notebook 10 trains a second recogniser, for another language: it is for whoever has one in mind. The series itself
    is run in English, whatever ASR_LOCALE says: another locale has no recogniser yet for notebook 00.
    """
    from .. import evaluation, loading, models, training
    from ..inference import Recogniser, load_recogniser
    from ..sources import source

    started = time.perf_counter()
    outputs = Path("outputs").resolve()
    os.environ.update(ASR_SOURCE="demo", ASR_LOCALE="en-US", ASR_OUTPUTS=str(outputs), HF_HUB_OFFLINE="1")
    the_demo = source()
    processor = models.load_processor(the_demo.processor)
    splits = loading.load_splits(the_demo)
    if NOTEBOOKS.is_dir():
        run_notebooks(outputs / "notebooks")
    else:
        print("No notebooks beside this package: running its stages alone", flush=True)
        training.fine_tune(
            the_demo, splits["train"], splits["validation"], processor, the_demo.output_dir, fresh_head=True
        )

    fresh = Recogniser(models.build_model(the_demo.checkpoint, processor, fresh_head=True).eval(), processor)
    before, _ = evaluation.evaluate(fresh, splits["test"])
    after, pairs = evaluation.evaluate(load_recogniser(the_demo.output_dir), splits["test"])
    result = {
        "wer_before": before.wer,
        "wer_after": after.wer,
        "train_seconds": json.loads((the_demo.output_dir / "training.json").read_text())["seconds"],
        "total_seconds": time.perf_counter() - started,
        "transcripts": pairs,
    }
    write_json(outputs / "demo.json", result)
    write_json(args.json, result)
    print(f"\n{len(pairs)} clips by voices never heard in training. Three of them:\n")
    for pair in pairs[:3]:
        print(f"  said   {printable(pair['reference'])}\n  heard  {printable(pair['hypothesis'])}\n")
    print(f"WER before (fresh head): {before.wer:.3f}\nWER after fine-tuning:   {after.wer:.3f}")
    print(
        f"trained in {result['train_seconds']:.0f} s, {result['total_seconds']:.0f} s in all; results are in outputs/"
    )


def run_notebooks(folder: Path) -> None:
    """Executes copies of the notebooks and leaves them in `folder`."""
    import nbformat
    from nbclient import NotebookClient
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # or older kernels warn of frozen modules
    notebooks = {path: nbformat.read(path, as_version=4) for path in sorted(NOTEBOOKS.glob("0*.ipynb"))}
    cells = sum(cell.cell_type == "code" for notebook in notebooks.values() for cell in notebook.cells)
    with tqdm(total=cells, unit="cell", leave=False, disable=None) as line:  # on a terminal alone
        for path, notebook in notebooks.items():
            line.set_description(path.stem)
            begun = time.perf_counter()
            try:
                NotebookClient(
                    notebook, timeout=1_800, resources={"metadata": {"path": folder}}, extra_arguments=QUIET_KERNEL,
                    on_cell_executed=lambda **what: line.update(),
                ).execute()  # fmt: skip
            finally:
                nbformat.write(notebook, folder / path.name)
            tqdm.write(f"{path.stem}: {time.perf_counter() - begun:.0f} s")
