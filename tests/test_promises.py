"""What docs/promises.md promises of safety holds.

Here stand the promises about the whole tree and about what a training leaves behind. The others are held where they
are made: that no path leads out of a folder in test_loading.py, that text is no markup in test_widgets.py and
test_plots.py, that tokens stay out of what is written and pushed in test_hub.py, that notebooks hold no tokens and
no private paths in test_notebooks.py.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import nbformat
import pytest
import tiny

from asr_helpers import AsrError
from asr_helpers.audit import audit
from asr_helpers.cli import main
from asr_helpers.inference import Transcript, Word, load_recogniser
from asr_helpers.models import build_model, load_processor
from asr_helpers.sources import source

ROOT = Path(__file__).resolve().parents[1]

# The demo source opens no socket

NO_SOCKETS = """
import sys
from importlib import metadata

def guard(event, args):
    if event.startswith("socket.") and event != "socket.gethostname":
        raise SystemExit(f"a socket: {event} {args}")

if metadata.version("datasets").startswith("4."):  # with Colab's versions urllib3 comes along, which asks at
    import urllib3  # import whether there is IPv6, by a socket that connects to nothing

sys.addaudithook(guard)
from asr_helpers.cli import main

folder, checkpoint, clip = sys.argv[1:]
assert not main(["train", "demo", "--checkpoint", checkpoint, "--output-dir", folder, "--max-steps", "1"])
assert not main(["transcribe", clip])
assert not main(["evaluate", "demo", "--split", "validation", "--model", folder])
print("done")
"""


def test_the_demo_source_opens_no_socket(tmp_path):
    checkpoint = tiny.write_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "clip.wav").write_bytes(tiny.clip(0))
    command = [sys.executable, "-c", NO_SOCKETS, str(tmp_path / "out"), str(checkpoint), str(tmp_path / "clip.wav")]
    environment = tiny.environment() | {"ASR_OUTPUTS": str(tmp_path / "none")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")


# No remote code runs

# What runs code that came as data, by the call's name; for some, but with an argument that forbids it.
RUNS_DATA = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "evaluate.load", "datasets.load_metric",
    "load_metric", "torch.hub.load", "pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load",
    "dill.load", "joblib.load", "marshal.loads", "yaml.load", "yaml.unsafe_load", "shelve.open",
}  # fmt: skip
SAFE_WITH = {"torch.load": ("weights_only", True)}
UNSAFE_WITH = {"trust_remote_code": False, "allow_pickle": False, "shell": False}  # the value that is no harm


def dotted(node: ast.expr) -> str:
    """A call's name: `torch.load`; "" for what has none."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(code: str) -> list[str]:
    """The lines of a source in which something that came as data could run."""
    tree = ast.parse(code)
    names = {}  # what an import calls a thing, and what it is
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.asname: one.name for one in node.names if one.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = dotted(node.func).partition(".")
            name = names.get(first, first) + dot + rest
            given = {one.arg: getattr(one.value, "value", ...) for one in node.keywords}
            needed = SAFE_WITH.get(name)
            unsafe = [key for key, harmless in UNSAFE_WITH.items() if given.get(key, harmless) is not harmless]
            if name in RUNS_DATA or unsafe or (needed and given.get(needed[0]) is not needed[1]):
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Constant) and node.value == "trust_remote_code":
            found.append(f"line {node.lineno}: {node.value!r}")
    return found


SOURCES = sorted(path for folder in ("asr_helpers", "benchmarks", "tools") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_what_came_as_data(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.name)
def test_no_notebook_runs_what_came_as_data(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert dangers(cell.source) == [], cell.id


@pytest.mark.parametrize("line", [
    "AutoModel.from_pretrained(name, trust_remote_code=True)", "load_dataset(name, trust_remote_code=ask())",
    "load(**{'trust_remote_code': True})", "import evaluate; evaluate.load('wer')",
    "from evaluate import load; load('wer')",
    "import torch; torch.load(path)", "import torch as t; t.load(path, weights_only=False)",
    "from torch import load; load(path)", "import pickle; pickle.load(file)", "from pickle import loads as f; f(b'')",
    "np.load(path, allow_pickle=True)", "eval(text)", "exec(text)", "subprocess.run(text, shell=True)",
])  # fmt: skip
def test_the_reader_of_sources_sees_what_would_run(line):
    assert dangers(line)


@pytest.mark.parametrize("line", [
    "torch.load(path, weights_only=True)", "model.eval()", "re.compile(pattern)", "evaluate(recogniser, rows)",
    "json.load(file)", "load(name, trust_remote_code=False)", "def load(): ...\nload()", "subprocess.run(['ls'])",
])  # fmt: skip
def test_the_reader_of_sources_passes_what_does_not(line):
    assert dangers(line) == []


@pytest.mark.parametrize("path", sorted((ROOT / "asr_helpers").rglob("*.py")), ids=lambda path: path.name)
def test_each_loading_of_a_checkpoint_forbids_its_code(path):
    """Without the word, transformers asks on the terminal whether to run a checkpoint's own code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and re.match(r"Auto\w+\.from_", dotted(node.func)):
            given = {one.arg: getattr(one.value, "value", ...) for one in node.keywords}
            assert given.get("trust_remote_code", ...) is False, ast.unparse(node)


@pytest.mark.parametrize("where", ["config.json", "processor_config.json"])
def test_a_checkpoints_own_code_is_not_run_even_if_a_person_says_yes(tmp_path, monkeypatch, where):
    demo = source("demo")
    for path in Path(demo.fine_tuned).iterdir():
        shutil.copy(path, tmp_path)
    changed = json.loads((tmp_path / where).read_text())
    changed["auto_map"] = {name: f"own.{name}" for name in ("AutoConfig", "AutoProcessor", "AutoModelForCTC")}
    changed |= {"model_type": "own", "processor_class": "OwnProcessor"}
    (tmp_path / where).write_text(json.dumps(changed))
    ran = tmp_path / "ran"
    (tmp_path / "own.py").write_text(f"open({str(ran)!r}, 'w')\nAutoConfig = AutoProcessor = AutoModelForCTC = None\n")
    monkeypatch.setattr("builtins.input", lambda *prompt: "y")
    with pytest.raises(AsrError):
        load_recogniser(tmp_path)
    if where == "config.json":
        with pytest.raises(AsrError, match="cannot be loaded"):
            build_model(str(tmp_path), load_processor(demo.fine_tuned), fresh_head=True)
    assert not ran.exists()


# What is exported is safetensors, JSON and text


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What `train` leaves of a corpus with one bad row."""
    folder = tmp_path_factory.mktemp("trained")
    checkpoint = tiny.write_checkpoint(folder / "checkpoint")
    sounds = [tiny.clip(number) for number in range(11)]
    data = tiny.write_audiofolder(folder / "data", [*sounds, b""], list(tiny.TEXTS))
    command = ["train", str(data), "--checkpoint", str(checkpoint), "--max-steps", "2"]
    assert main([*command, "--output-dir", str(folder / "out")]) == 0
    return folder / "out"


def test_a_trained_recogniser_is_safetensors_json_and_a_card(trained):
    files = {path.name for path in trained.iterdir() if path.is_file()}
    assert {"model.safetensors", "config.json", "README.md"} <= files
    assert {Path(name).suffix for name in files} <= {".safetensors", ".json", ".jsonl", ".md"}
    for name in files:
        if name.endswith(".json"):
            json.loads((trained / name).read_text(encoding="utf-8"))
    folders = [path.name for path in trained.iterdir() if path.is_dir()]
    for_a_resume = {name for name in folders if name == ".audit" or name.startswith("checkpoint-")}
    assert set(folders) == for_a_resume, "of these nothing is ever pushed"


@pytest.mark.parametrize("folder", ["checkpoint", "fine_tuned"])
def test_what_rides_in_the_package_is_safetensors_json_and_a_card(folder):
    files = (ROOT / "asr_helpers" / "demo" / folder).rglob("*")
    assert {path.suffix for path in files if path.is_file() and path.name != "SHA256SUMS"} <= {
        ".safetensors", ".json", ".md",
    }  # fmt: skip


# Archives are refused


@pytest.fixture(params=["zip", "tar.gz"])
def archive(request, tmp_path):
    """One that would write outside its folder if it were unpacked."""
    path = tmp_path / f"data.{request.param}"
    (tmp_path / "clip.wav").write_bytes(tiny.clip(0))
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.write(tmp_path / "clip.wav", "../../escaped.wav")
    else:
        with tarfile.open(path, "w:gz") as file:
            file.add(tmp_path / "clip.wav", "../../escaped.wav")
    return path


def test_an_archive_is_no_source(archive):
    with pytest.raises(AsrError, match="is an archive: unpack it, and name the folder"):
        source(archive)
    with pytest.raises(SystemExit, match="2"):
        main(["train", str(archive), "--output-dir", str(archive.parent / "out")])
    assert sorted(path.name for path in archive.parent.iterdir()) == ["clip.wav", archive.name]


def test_an_archive_is_no_sound(archive):
    rows = [{"audio": {"bytes": content, "path": None}, "transcription": "yes"} for content in (archive.read_bytes(),)]
    (one,) = audit(rows).findings
    assert (one.reason, one.action) == ("unreadable", "set aside")
    assert main(["transcribe", str(archive)]) == 1


# A transcript is text to a terminal too


class Hostile:
    """A recogniser that writes what a terminal would obey."""

    sampling_rate = 16_000
    processor = tiny.processor()

    def emission(self, waveform):
        return waveform

    def decode(self, emission):
        hostile = "\x1b]0;owned\x07 \x9b31m \u202eyes \x1b[2J"
        return Transcript(hostile, (Word(hostile, 0.0, 0.5, 1.0),))

    def transcribe(self, clip):
        return self.decode(clip)


def test_what_a_model_writes_is_text_to_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("asr_helpers.inference.load_recogniser", lambda checkpoint: Hostile())
    (tmp_path / "clip.wav").write_bytes(tiny.clip(0))
    data = tiny.write_audiofolder(tmp_path / "data" / "test", [tiny.clip(number) for number in range(3)], ["yes"] * 3)
    assert main(["transcribe", str(tmp_path / "clip.wav"), "--timestamps"]) == 0
    assert main(["evaluate", str(data.parent), "--transcripts"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\\x1b[2J") == 5
    assert all(one.isprintable() for line in (out + err).split("\n") for one in line)
