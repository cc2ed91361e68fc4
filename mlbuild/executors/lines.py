"""JSON objects, one a line: over a socket between processes, and appended to a file that survives them.

Blind to what the objects mean.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

CHUNK = 1 << 18


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Channel:
    """One end of a connection. Receiving never waits; sending does, `post` and `flush` don't."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.closed = False
        """The other side has gone; set by `receive` and `flush`."""
        self._inbox = b""
        self._outbox = b""

    def fileno(self) -> int:
        return self.connection.fileno()

    def send(self, messages: list[dict[str, Any]]) -> None:
        """Hand these over, waiting for the other side to take them. If it has gone, `receive` will tell."""
        try:
            self.connection.sendall(b"".join(map(encode, messages)))
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
            while data := self.connection.recv(CHUNK, socket.MSG_DONTWAIT):
                yield data
            self.closed = True
        except BlockingIOError:
            return
        except OSError:
            self.closed = True

    def close(self) -> None:
        self.connection.close()


def append(file: int, message: dict[str, Any]) -> None:
    """Add a line to a file that was opened with O_APPEND, in one write. Raises OSError if it couldn't all be written.

    It starts with a line break of its own: one that a full disk tore off can't spoil the next.
    """
    data = b"\n" + encode(message)
    if os.write(file, data) < len(data):
        raise OSError("only a part of the line could be written")


def read(path: str) -> Iterator[dict[str, Any]]:
    """Each whole line of a file, in order; torn ones are passed over, and a file that isn't there is empty."""
    try:
        with open(path, "rb") as file:
            rows = file.read().split(b"\n")
    except FileNotFoundError:
        return
    for row in filter(None, rows):
        try:
            yield json.loads(row)
        except ValueError:
            continue
