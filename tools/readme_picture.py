"""Draws README's pictures: what the demo recogniser believes of a clip, and the views as a browser shows them.

python tools/readme_picture.py          # docs/emission.png
python tools/readme_picture.py views    # docs/views.png, from the screenshots `make test-browser` left in outputs/
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps

from asr_helpers import audio, loading, plots
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SCREENSHOTS = ROOT / "outputs" / "screenshots"
ROW = 2  # of the test rows: short, and by a held-out voice as they all are
COLUMNS = (("clip", "batch", "voice"), ("errors",))  # of views, from top to bottom
GAP = 24  # pixels around a screenshot
FRAME = "#999999"


def draw_emission() -> None:
    demo = source("demo")
    recogniser = load_recogniser(demo.fine_tuned)
    clip = loading.load_splits(demo)["test"][ROW]["audio"]
    waveform = audio.load(clip, recogniser.sampling_rate)
    tokens = recogniser.processor.tokenizer.convert_ids_to_tokens(range(len(recogniser.processor.tokenizer)))
    figure = plots.plot_emission(recogniser.emission(waveform), tokens, waveform, recogniser.sampling_rate)
    figure.savefig(DOCS / "emission.png", dpi=110)


def draw_views() -> None:
    columns = [[ImageOps.expand(Image.open(SCREENSHOTS / f"{name}.png").convert("RGB"), 1, FRAME) for name in column]
               for column in COLUMNS]  # fmt: skip
    width = max(one.width for column in columns for one in column)
    height = max(sum(one.height + GAP for one in column) for column in columns)
    sheet = Image.new("RGB", (len(columns) * (width + GAP) + GAP, height + GAP), "white")
    for number, column in enumerate(columns):
        top = GAP
        for one in column:
            sheet.paste(one, (GAP + number * (width + GAP), top))
            top += one.height + GAP
    sheet.quantize(128).save(DOCS / "views.png", optimize=True)


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    draw_views() if sys.argv[1:] == ["views"] else draw_emission()
