"""What the tests make: notebooks with a short training, clips of ten seconds, hostile text, a microphone; its sound."""

from pathlib import Path

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_notebook

from asr_helpers import audio, loading
from asr_helpers.sources import source

# Text that would run, or break out of where it stands, if it were taken for markup.
PAYLOADS = (
    "<img src=x onerror=window.asrPwned=1>",
    "<script>window.asrPwned=2</script>",
    "</textarea></option></select><svg onload=window.asrPwned=3>",
    "\"'><input autofocus onfocus=window.asrPwned=4>",
    "</div></table></bdi> a & b &lt;i&gt; <!--",
    "\u202eright to left\u202c \u2067\u05d0\u05d1",
    "$x^2$ \\(y\\) `z`",
)
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def write_notebook(path: Path, tagged: str = "", **cells: str) -> None:
    """Writes code cells, by id; the one named `tagged` is expected to fail."""
    made = [
        new_code_cell(source, id=name, metadata={"tags": ["raises-exception"]} if name == tagged else {})
        for name, source in cells.items()
    ]
    nbformat.write(new_notebook(cells=made, metadata=KERNEL), path)


IMPORTS = """\
import datasets, numpy as np, transformers
from asr_helpers import audio, loading, training, widgets
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source
datasets.disable_progress_bars()
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
demo = source("demo")
splits = loading.load_splits(demo)
recogniser = load_recogniser(demo.fine_tuned)
processor = recogniser.processor"""


def write_training(path: Path) -> None:
    """Writes a notebook that trains for a few steps with its view beside it."""
    write_notebook(
        path,
        imports=IMPORTS,
        view="view = widgets.training_view()\nview",
        fine_tune="""\
few = splits["train"].select(range(16)), splits["validation"].select(range(4))
result = training.fine_tune(demo, *few, processor, "trained", fresh_head=True, num_train_epochs=2, callbacks=[view])""",
    )


def write_long(path: Path) -> None:
    """Writes a notebook with the views of a clip, on three clips of ten seconds."""
    write_notebook(
        path,
        imports=IMPORTS,
        rows="""\
waves = [audio.decode(clip)[0] for clip in splits["test"]["audio"][:24]]
joined = [np.concatenate(np.roll(np.array(waves, object), 8 * number))[:80_000] for number in range(3)]
clips = [{"bytes": audio.encode(wave, 8_000), "path": None} for wave in joined]
rows = [{"audio": clip, "transcription": "ten seconds"} for clip in clips]
assert [audio.duration(clip) for clip in clips] == [10, 10, 10]""",
        clip="widgets.clip_view(rows)",
        emission="widgets.emission_view(recogniser, rows)",
    )


def write_recording(path: Path) -> None:
    """Writes a notebook with the view of a recording that is longer than one section of its strip."""
    write_notebook(
        path,
        imports=IMPORTS,
        sound="""\
pause = np.zeros(6_000, "float32")
parts = [part for clip in splits["test"]["audio"][:54] for part in (audio.decode(clip)[0], pause)]
calls = audio.encode(np.concatenate(parts), 8_000)
assert 200 < audio.duration(calls) < 300""",
        recording="widgets.recording_view(recogniser, calls)",
    )


def write_search(path: Path) -> None:
    """Writes a notebook with the views of errors and of emissions, on a recogniser with a language model."""
    write_notebook(
        path,
        imports=IMPORTS,
        search="""\
from asr_helpers import alignment, decoding, preprocessing
from asr_helpers.sources import DEMO_LANGUAGE_MODEL
beam = decoding.Beam.read(DEMO_LANGUAGE_MODEL, alignment.Alphabet.of(recogniser))
searching = decoding.BeamRecogniser(recogniser.model, processor, beam=beam)
rows = splits["test"].select(range(24, 48))
said = [preprocessing.normalise_text(text, preprocessing.vocabulary(processor)).text for text in rows["transcription"]]
heard = [recogniser.transcribe(clip).text for clip in rows["audio"]]""",
        errors="widgets.errors_view(rows, said, heard, known=beam.language_model, recogniser=searching)",
        emission="widgets.emission_view(searching, rows)",
    )


def write_hostile(path: Path) -> None:
    """Writes a notebook with every view that shows text, and PAYLOADS for text."""
    write_notebook(
        path,
        imports=IMPORTS,
        rows=f"""\
payloads = {list(PAYLOADS)!r}
clips = splits["test"]["audio"]
rows = [{{"audio": clip, "transcription": text}} for clip, text in zip(clips, payloads, strict=False)]""",
        clip="widgets.clip_view(rows)",
        vocabulary="widgets.vocabulary_view(processor, ' '.join(payloads))",
        emission="widgets.emission_view(recogniser, rows)",
        errors="widgets.errors_view(rows, payloads, payloads[::-1], payloads, names=tuple(payloads[:2]))",
        voice="widgets.voice_view(recogniser)",
    )


def write_spoken(path: Path) -> Path:
    """Writes a test clip of the demo as a microphone hears it: half a second of nothing before and after."""
    rate = 48_000
    waveform = audio.load(loading.load_rows(source("demo"))[32]["audio"], rate)
    path.write_bytes(audio.encode(np.pad(waveform, rate // 2), rate))
    return path


def write_voice(path: Path) -> None:
    """Writes a notebook with the two views that record; one stops after 4 s."""
    write_notebook(
        path,
        imports=IMPORTS,
        voice="widgets.voice_view(recogniser)",
        teaching="view = widgets.teaching_view(recogniser)\nview.microphone.longest = 4\nview",
    )
