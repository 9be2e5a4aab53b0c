"""What tests/test_training.py starts under torchrun, in two processes on the CPU: python two_ranks.py FOLDER.

Rank 0 writes what it measured to FOLDER/measured.json, and each rank to FOLDER/rows_<rank>.json which rows it saw.
"""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import tiny
import torch.distributed
import transformers

from asr_helpers import trainer, training

RANK = int(os.environ["RANK"])
# What changes in the recipe, and in the tuner. Three epochs each: 13 clips are no multiple of what two ranks take.
MODES = {
    "plain": ({"per_device_train_batch_size": 2}, {}),
    "uneven": ({"per_device_train_batch_size": 2}, {"clips": 13}),
    "by duration": ({"seconds_per_batch": 1.3}, {}),
    "streamed": ({"seconds_per_batch": 1.3}, {"streamed": True, "max_steps": 9}),
}


def main(folder: Path) -> None:
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    measured, seen = {}, []
    fetch, prepare = trainer.NumberedRows.__getitems__, training.PreparedRows.__getitems__
    trainer.NumberedRows.__getitems__ = lambda self, numbers: (seen.append(numbers), fetch(self, numbers))[1]

    def prepare_and_note(self, rows):
        seen.append([int(Path(row["audio"]["path"]).stem) for row in rows])
        return prepare(self, rows)

    training.PreparedRows.__getitems__ = prepare_and_note

    # Eight rows in one step: the same loss and gradient as one process finds.
    measured["one step"] = tiny.one_step(folder / "still", folder / "one-step", per_device_train_batch_size=4)
    recipe = replace(tiny.RECIPE, **MODES["plain"][0])
    measured["losses"] = tiny.losses(tiny.tuner(folder / "still")(folder / "losses", recipe, **tiny.EACH_STEP))

    # Gone on with from a checkpoint within the first epoch, and within a later one.
    tune = tiny.tuner(folder / "dropout")
    for mode, (of_recipe, changes) in MODES.items():
        recipe, changes = replace(tiny.RECIPE, **of_recipe), tiny.EACH_STEP | changes
        seen.clear()
        tune(folder / mode / "straight", recipe, **changes)
        (folder / f"rows_{mode}_{RANK}.json").write_text(json.dumps(seen))
        for step in (1, 5):
            output_dir = folder / mode / str(step)
            if RANK == 0:
                shutil.copytree(folder / mode / "straight" / f"checkpoint-{step}", output_dir / f"checkpoint-{step}")
            torch.distributed.barrier()
            tune(output_dir, recipe, resume=True, **changes)
    if RANK == 0:
        (folder / "measured.json").write_text(json.dumps(measured))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
