"""Makes asr_helpers/demo/fine_tuned: the demo checkpoint after notebook 05's fine-tuning, in half precision.

    python tools/fine_tune_demo.py

It is what 00, 06 and `asr-helpers transcribe` speak with until a reader has trained.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from asr_helpers import evaluation, loading, training
from asr_helpers.inference import load_recogniser
from asr_helpers.preprocessing import load_processor
from asr_helpers.sources import source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from train_checkpoint import save_half

CARD = """---
library_name: transformers
pipeline_tag: automatic-speech-recognition
license: apache-2.0
language: en
metrics:
- wer
---

# The demo recogniser

The demo checkpoint after notebook 05: a fresh CTC head and {num_train} clips of the demo corpus, {seconds:.0f} s on
two CPU cores, seed 0, with the recipe in `asr_helpers/sources.py`. Weights in half precision,
made by `tools/fine_tune_demo.py`. It writes down synthetic English voices asking a bank for things over a
telephone. It is there to learn with: it has heard no human voice, and human voices are not what it is for.

| rows | voices | sentences | utterances | WER | 95 % interval |
|---|---|---|---|---|---|
| validation | known | new | {validation} |
| test | new | new | {test} |

A fresh head, before training, has a validation WER of {before:.2f}. `asr-helpers evaluate demo` gives the test
line again. The validation rows chose the checkpoint; the test rows chose nothing.
"""


def main() -> None:
    demo = source("demo")
    splits = loading.load_splits(demo)
    target = Path(demo.fine_tuned)
    with tempfile.TemporaryDirectory() as folder:
        result = training.fine_tune(
            demo, splits["train"], splits["validation"], load_processor(demo.checkpoint), folder
        )
        recogniser = load_recogniser(folder)
    shutil.rmtree(target, ignore_errors=True)
    save_half(recogniser.model, target)
    recogniser.processor.save_pretrained(target)

    recogniser = load_recogniser(target)
    lines = {}
    for name in ("validation", "test"):
        scores, _ = evaluation.evaluate(recogniser, splits[name])
        lines[name] = f"{scores.utterances} | {scores.wer:.3f} | {scores.interval[0]:.3f} to {scores.interval[1]:.3f}"
        print(name, scores)
    card = CARD.format(num_train=len(splits["train"]), seconds=result.seconds, before=result.wer_before, **lines)
    (target / "README.md").write_text(card)


if __name__ == "__main__":
    main()
