"""No network but loopback, in every Python process that imports this. It cannot be undone.

What opens sockets outside Python (a client in Rust or C++) is not seen here.
"""

import ipaddress
import socket
import sys


class NetworkBlocked(RuntimeError):
    """Not an OSError: a library that falls back in silence when offline would hide that it tried."""


def is_local(host: object) -> bool:
    """Whether a host (a name, an address, or None for the wildcard) is this machine."""
    if isinstance(host, bytes | bytearray):
        host = host.decode()
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def guard(event: str, args: tuple) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # a str or bytes is a Unix socket's path
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    else:
        return
    if not is_local(host):
        raise NetworkBlocked(f"tests run without network, and this one asked for {host!r}")


sys.addaudithook(guard)
