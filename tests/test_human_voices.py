"""The demo checkpoint, born of synthetic speech, carries over to people: 300 clips of three people saying digits.

The clips lie beside the checkout where the project is developed and are not part of it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).resolve().parents[2] / "shared" / "real_speech" / "digits"


@pytest.mark.skipif(not DIGITS.is_dir(), reason="the recordings of people (shared/real_speech) are not here")
def test_people_saying_digits_are_understood_after_fine_tuning(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "asr_helpers", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr

    run("train", str(DIGITS), "--output-dir", "digits", "--epochs", "3")  # a quarter of what the recipe takes
    run("evaluate", str(DIGITS), "--model", "digits", "--json", "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["utterances"] == 60
    assert scores["wer"] <= 0.10
