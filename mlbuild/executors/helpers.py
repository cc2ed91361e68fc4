"""Work that may take its time, in child processes of a loop that must not wait for it. Blind to what the work is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from mlbuild.executors import lines
from mlbuild.executors.processes import fork


class Helped(Protocol):
    """Whom a child works for, one at a time; `helper` is its pid."""

    helper: int


class Helpers:
    """The children of one loop.

    Args:
        watch: has the loop call back when there is something to read from a file.
        forget: has it do so no more.
    """

    def __init__(self, watch: Callable[[int, Callable[[], None]], None], forget: Callable[[int], object]) -> None:
        self._watch = watch
        self._forget = forget

    def do(self, whom: Helped, light: bool, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do this here if it is light, or there are no more processes or files to be had; else in a child.

        Args:
            work: what it returns must be JSON.
            then: is given that; None if the child was killed.
        """
        reader = None if light else self._ask_child(whom, work)
        if reader is None:
            then(work())
        else:
            self._watch(reader, partial(self._collect, whom.helper, reader, bytearray(), then))

    def _ask_child(self, whom: Helped, work: Callable[[], Any]) -> int | None:
        """Where its answer will come from; None if there can't be one."""
        try:
            reader, writer = os.pipe()
        except OSError:
            return None
        try:
            whom.helper = fork(lambda: _answer(writer, work))
        except OSError:
            os.close(reader)
            return None
        finally:
            os.close(writer)
        return reader

    def _collect(self, helper: int, reader: int, answer: bytearray, then: Callable[[Any], None]) -> None:
        if data := os.read(reader, lines.CHUNK):
            answer += data
            return
        self._forget(reader)
        os.close(reader)
        os.waitpid(helper, 0)
        then(json.loads(answer) if answer else None)


def _answer(writer: int, work: Callable[[], Any]) -> None:
    os.closerange(3, writer)  # held here, a connection, a gate or the lock would outlive the loop
    os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
    with open(writer, "w") as file:
        json.dump(work(), file)
