"""09: the page's server on this machine: what it hears, what it refuses, and that it keeps nothing."""

import asyncio
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from urllib.parse import quote

import numpy as np
import pytest
import soundfile
import tiny
from bad_sounds import bad_sounds

from asr_helpers import InputError, loading
from asr_helpers.app import FILES, Limits, serve
from asr_helpers.cli import main
from asr_helpers.inference import load_recogniser
from asr_helpers.sources import source


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return load_recogniser(tiny.write_checkpoint(tmp_path_factory.mktemp("reader"), head=True))


@contextmanager
def serving(recogniser, limits):
    """The port of a page that runs in a thread."""
    started, address = threading.Event(), []

    async def run():
        def ready(at):
            address.append(at)
            started.set()

        loop.append(asyncio.get_running_loop())
        task.append(asyncio.current_task())
        await serve(recogniser, 0, limits, ready)

    loop, task = [], []

    def work():
        with suppress(asyncio.CancelledError):
            asyncio.run(run())

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    try:
        yield int(address[0].rstrip("/").rpartition(":")[2])
    finally:
        loop[0].call_soon_threadsafe(task[0].cancel)
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port(reader):
    with serving(reader, Limits(megabytes=1, minutes=0.5, waiting=2)) as port:
        yield port


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, names)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def transcribe(port, body, name="clip.wav", **headers):
    answer, content = ask(port, "POST", "/transcribe", body, X_File_Name=name, **headers)
    return answer.status, [json.loads(line) for line in content.splitlines()]


def wav(seconds, rate=16_000, channels=1):
    samples = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    samples[np.arange(len(samples)) * 4 // rate % 2 == 1] *= 0.05  # an even noise would be taken for silence
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_the_page_and_its_files(port, name):
    answer, content = ask(port, "GET", f"/{name}")
    given = FILES[name][0]
    assert (answer.status, content) == (200, given.encode() if isinstance(given, str) else given.read_bytes())
    assert answer.headers["Content-Type"].startswith(FILES[name][1])
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "://" not in content.decode().replace("http://www.w3.org/2000/svg", "")  # nothing from elsewhere


def test_nothing_else_is_given(port):
    for path in ("/__init__.py", "/page.css/../__init__.py", "/page.js%2f..%2f__init__.py", "/demo"):
        assert ask(port, "GET", path)[0].status == 404


def test_it_hears_what_transcribe_hears(tmp_path):
    clip = loading.load_splits(source("demo"))["test"][0]["audio"]["bytes"]
    recogniser = load_recogniser(source("demo").fine_tuned)
    with serving(recogniser, Limits()) as port:
        status, lines = transcribe(port, clip, "my clip.flac")
    assert status == 200
    heard = recogniser.transcribe(clip)
    assert lines[0]["length"] == pytest.approx(lines[1]["end"], abs=0.01)
    assert [word["text"] for line in lines[1:-1] for word in line["words"]] == heard.text.split()
    files = lines[-1]["files"]
    assert sorted(files) == sorted(f"my clip.{ending}" for ending in ("txt", "srt", "vtt", "ctm", "TextGrid", "json"))
    assert files["my clip.txt"] == f"{heard.text}\n"
    assert json.loads(files["my clip.json"])["words"][0]["text"] == heard.words[0].text


def test_a_long_recording_comes_part_by_part(port):
    status, lines = transcribe(port, wav(28))
    assert status == 200
    assert len(lines) >= 4  # its length, two parts or more, its files
    assert lines[-2]["end"] == pytest.approx(28, abs=0.01)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (wav(31), "and this page takes 0.5"),
        (wav(0.5, 500), "500"),
    ],
    ids=["long", "500 Hz"],
)
def test_what_cannot_be_heard_is_named(port, body, why):
    status, lines = transcribe(port, body, "some%20file.wav")
    assert status == 200
    assert why in lines[-1]["error"]
    assert "some file.wav" in lines[-1]["error"]
    assert transcribe(port, wav(0.5))[1][-1]["files"]  # and the next one is heard


@pytest.mark.parametrize("name", bad_sounds())
def test_thirty_kinds_of_bad_files(port, name):
    content, message = bad_sounds()[name]
    status, lines = transcribe(port, content, quote(name))
    assert status == 200
    if message:
        assert message in lines[-1]["error"]
        assert repr(name)[1:-1] in lines[-1]["error"]
    else:
        assert lines[-1]["files"]


def test_a_name_from_outside_is_no_path(port):
    assert "passwd.txt" in transcribe(port, wav(0.5), "..%2F..%2Fetc%2Fpasswd.wav")[1][-1]["files"]


def test_a_large_file_is_refused_before_it_is_read(port):
    status, lines = transcribe(port, None, Content_Length="2000000")
    assert (status, lines[0]["error"]) == (413, "The file has more than 1 MB, which is what this page takes.")


def test_a_large_file_of_untold_length_is_refused(port):
    with suppress(http.client.HTTPException, ConnectionError):  # it is cut off
        assert transcribe(port, iter([bytes(300_000)] * 10), Transfer_Encoding="chunked")[0] == 400
    assert transcribe(port, wav(0.5))[0] == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "http://127.0.0.1:1"}]
)
def test_other_sites_are_refused(port, headers):
    status, lines = transcribe(port, wav(0.5), **headers)
    assert (status, lines[0]["error"].startswith("This page answers the machine")) == (403, True)


def test_its_own_origin_is_not(port):
    assert transcribe(port, wav(0.5), Origin=f"http://127.0.0.1:{port}")[0] == 200


class Slow:
    """A recogniser that hears nothing until it may."""

    sampling_rate = 16_000

    def __init__(self):
        self.may, self.began, self.heard = threading.Event(), threading.Event(), 0

    def emission(self, waveform):
        self.began.set()
        assert self.may.wait(20)
        self.heard += 1
        return waveform

    def decode(self, emission):
        from asr_helpers.inference import Transcript

        return Transcript("", ())


def test_one_too_many_is_told_to_come_back():
    slow = Slow()
    with serving(slow, Limits(waiting=1)) as port:
        first = threading.Thread(target=transcribe, args=(port, wav(0.5)))
        first.start()
        assert slow.began.wait(20)
        status, lines = transcribe(port, wav(0.5))
        slow.may.set()
        first.join()
    assert (status, lines) == (503, [{"error": "1 recordings wait already: send this one a little later."}])


def test_who_leaves_is_not_worked_for():
    slow = Slow()
    with serving(slow, Limits()) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            body = wav(100)
            head = f"POST /transcribe HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert slow.began.wait(20)
        ask(port, "GET", "/limits")  # by now the server has seen that nobody is there
        slow.may.set()
    assert slow.heard == 1  # of six parts or more


def test_a_taken_port(reader):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} cannot be had"):
            asyncio.run(serve(reader, port, Limits(), print))


def test_the_command(tmp_path):
    model = tiny.write_checkpoint(tmp_path / "model", head=True)
    command = [sys.executable, "-m", "asr_helpers", "app", "--model", str(model), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=tiny.environment(), cwd=tmp_path) as process:
        line = process.stdout.readline()
        assert line.startswith("Open http://127.0.0.1:")
        port = int(line.split()[1].rstrip("/").rpartition(":")[2])
        assert transcribe(port, wav(0.5))[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert sorted(os.listdir(tmp_path)) == ["model"]  # nothing is kept


def test_a_model_that_is_not_there(capsys):
    assert main(["app", "--model", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
