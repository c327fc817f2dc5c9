"""
A pytest plugin: nothing leaves the loopback interface, and what wanted to is written into the report.

To the tests it looks like a machine behind a wall: no foreign name is known, and a connection to elsewhere gets no
answer until its timeout is over. Loaded in the plain run and in the other one alike.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
import time
from typing import Any, NoReturn

_LONGEST = 1.0  # seconds; who gave no timeout learns at once that there is no way
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_sendto = socket.socket.sendto


def _literal(host: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else str(host)
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_here(host: Any) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    address = _literal(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _note(host: Any) -> None:
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    with open(os.environ["TRANSPARENCY_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps({"kind": "refused", "test": test, "host": repr(host)}) + "\n")


def _leaves(sock: socket.socket, address: Any) -> bool:
    return sock.family in _INTERNET and isinstance(address, tuple) and not _is_here(address[0])


def _refuse(sock: socket.socket, address: Any) -> NoReturn:
    _note(address[0])
    timeout = sock.gettimeout()
    if timeout:
        time.sleep(min(timeout, _LONGEST))
        raise TimeoutError("timed out")
    raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


def _guarded_connect(self: socket.socket, address: Any) -> None:
    if _leaves(self, address):
        _refuse(self, address)
    return _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    if _leaves(self, address):
        _note(address[0])
        return errno.ENETUNREACH
    return _connect_ex(self, address)


def _guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
    if _leaves(self, rest[-1]):
        _refuse(self, rest[-1])
    return _sendto(self, data, *rest)


def _guarded_lookup(lookup: Any) -> Any:
    # What is written as a number is looked up nowhere, unless it is its name that is wanted.
    wants_name = lookup.__name__ in ("gethostbyaddr", "getnameinfo")

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        place = host[0] if lookup.__name__ == "getnameinfo" else host
        if not _is_here(place) and (wants_name or _literal(place) is None):
            _note(place)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return lookup(host, *args, **kwargs)

    return guarded


socket.socket.connect = _guarded_connect
socket.socket.connect_ex = _guarded_connect_ex
socket.socket.sendto = _guarded_sendto
for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
    setattr(socket, _name, _guarded_lookup(getattr(socket, _name)))
