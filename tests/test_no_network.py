"""The guard itself: what it stops, what it lets pass, and that kernels and command lines start with it."""

import socket
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from no_network import NetworkBlocked

ASK = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org", b"example.org"])
def test_asking_for_another_machine_is_an_error(host):
    with pytest.raises(NetworkBlocked, match=r"192\.0\.2\.1|2001:db8::1|example\.org"):
        socket.getaddrinfo(host, 80)


def test_connecting_without_a_look_up_is_an_error():
    for kind, send in (
        (socket.SOCK_STREAM, lambda s: s.connect(("192.0.2.1", 80))),
        (socket.SOCK_STREAM, lambda s: s.connect_ex(("192.0.2.1", 80))),
        (socket.SOCK_DGRAM, lambda s: s.sendto(b"", ("192.0.2.1", 53))),
    ):
        with socket.socket(socket.AF_INET, kind) as sock, pytest.raises(NetworkBlocked):
            send(sock)


def test_loopback_passes():
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, server.getsockname()[1]), timeout=5).close()


def test_unix_sockets_pass(tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))


def test_a_command_line_is_cut_off():
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True)
    assert done.returncode == 1
    assert "NetworkBlocked: tests run without network" in done.stderr


def test_a_notebook_kernel_is_cut_off():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ASK)])
    NotebookClient(nb, kernel_name="python3", allow_errors=True).execute()
    assert nb.cells[0].outputs[-1].ename == "NetworkBlocked"
