"""Draws README's picture, docs/emission.png: what the demo recogniser believes of a clip by a voice it never heard.

python tools/readme_picture.py
"""

from pathlib import Path

from asr_helpers import audio, loading, plots
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source

ROW = 2  # of the test rows: short, and by a held-out voice as they all are


def main() -> None:
    demo = source("demo")
    recogniser = load_recogniser(demo.fine_tuned)
    clip = loading.load_splits(demo)["test"][ROW]["audio"]
    waveform = audio.load(clip, recogniser.sampling_rate)
    tokens = recogniser.processor.tokenizer.convert_ids_to_tokens(range(len(recogniser.processor.tokenizer)))
    figure = plots.plot_emission(recogniser.emission(waveform), tokens, waveform, recogniser.sampling_rate)
    path = Path(__file__).resolve().parents[1] / "docs" / "emission.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
