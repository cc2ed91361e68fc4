"""JSON objects, one a line: over a socket between processes, and appended to a file that survives them.

Blind to what the objects mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

CHUNK = 1 << 18
MOST_FILES = 253
"""That the kernel hands over at once."""


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Channel:
    """One end of a connection. Receiving never waits; sending does, `post` and `flush` don't."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.closed = False
        """The other side has gone; set by `receive` and `flush`."""
        self.files: deque[int] = deque()
        """Open files that have come in with the messages, in their order, for the receiver to take out."""
        self._inbox = b""
        self._outbox = b""

    def fileno(self) -> int:
        return self.connection.fileno()

    def send(self, messages: list[dict[str, Any]], files: Sequence[int] = ()) -> None:
        """Hand these over, waiting for the other side to take them. If it has gone, `receive` will tell.

        Args:
            files: open ones, of which the other side gets copies.
        """
        data = b"".join(map(encode, messages))
        try:
            if files:
                data = data[socket.send_fds(self.connection, [data], list(files)) :]
            self.connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def post(self, message: dict[str, Any]) -> None:
        """Have this handed over by the next `flush`, or those after it."""
        self._outbox += encode(message)

    def flush(self) -> bool:
        """Hand over what can be taken now; whether something is left."""
        try:
            while self._outbox:
                sent = self.connection.send(self._outbox, socket.MSG_DONTWAIT)
                self._outbox = self._outbox[sent:]
        except BlockingIOError:
            return True
        except OSError:
            self.closed = True
            self._outbox = b""
        return False

    def receive(self) -> list[dict[str, Any]]:
        """All messages that have come in whole, after reading all there is; `closed` if there will be no more."""
        parts = [self._inbox, *self._arrived()]
        *whole, self._inbox = b"".join(parts).split(b"\n")
        return [json.loads(line) for line in whole]

    def _arrived(self) -> Iterator[bytes]:
        try:
            while received := self._read():
                yield received
            self.closed = True
        except BlockingIOError:
            return
        except OSError:
            self.closed = True

    def _read(self) -> bytes:
        # `socket.recv_fds` would wait: it drops the flags in Python 3.11.
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        data, extras, _, _ = self.connection.recvmsg(CHUNK, socket.CMSG_SPACE(MOST_FILES * array("i").itemsize), flags)
        for _, _, files in extras:
            self.files += array("i", files)
        return data

    def close(self) -> None:
        for file in self.files:
            os.close(file)
        self.connection.close()


def listen(folder: str | int, name: str) -> socket.socket:
    """A socket of this name in a folder (its path, or open), to which others can connect. Raises OSError."""
    with _opened(folder) as place:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(_address(place, name))
    listener.listen()
    return listener


def connect(folder: str, name: str) -> socket.socket | None:
    """A connection to the socket of this name in a folder; None if nobody listens there."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _opened(folder) as place:
            connection.connect(_address(place, name))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


@contextlib.contextmanager
def _opened(folder: str | int) -> Iterator[int]:
    if isinstance(folder, int):
        yield folder
        return
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield place
    finally:
        os.close(place)


def _address(folder: int, name: str) -> str:
    return f"/proc/self/fd/{folder}/{name}"  # the path itself may be longer than the 107 bytes a socket's may have


def append(file: int, message: dict[str, Any]) -> None:
    """Add a line to a file that was opened with O_APPEND, in one write. Raises OSError if it couldn't all be written.

    It starts with a line break of its own: one that a full disk tore off can't spoil the next.
    """
    data = b"\n" + encode(message)
    if os.write(file, data) < len(data):
        raise OSError("only a part of the line could be written")


def read(path: str, about: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Each whole line of a file, in order; torn ones are passed over, and a file that isn't there is empty.

    Args:
        about: only lines in which one of these stands: texts that JSON writes as they are.
    """
    wanted = [text.encode() for text in about]
    try:
        with open(path, "rb") as file:
            rows = file.read().split(b"\n")
    except FileNotFoundError:
        return
    for row in filter(None, rows):
        if wanted and not any(text in row for text in wanted):
            continue
        try:
            yield json.loads(row)
        except ValueError:
            continue
