"""What running attempts report of their progress: lines of JSON that each appends to a file of its own.

Blind to how the lines get there: a recipe in any language may write them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from math import isfinite

from mlbuild.engine.events import TaskProgress

PAUSE = 0.2
"""Seconds between two looks."""
MOST_FILES = 100
"""At most so many are looked at each time, in turn."""
MOST_BYTES = 1 << 16
"""What was reported before the last so many bytes since the last look is passed over."""


class Reports:
    """Reads what is new in the files of the attempts that it follows."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, str, int]] = {}
        """Attempt → (task, path, how far it was read), those first that were not looked at for longest."""
        self._next_look = 0.0

    def follow(self, attempt: str, task: str, path: str) -> None:
        self._files[attempt] = task, path, 0

    def new(self) -> Iterator[TaskProgress]:
        """What the attempts have reported since the last look, if it is time for another."""
        now = time.monotonic()
        if self._files and now >= self._next_look:
            self._next_look = now + PAUSE
            for attempt in list(self._files)[:MOST_FILES]:
                yield from self._read(attempt)

    def last(self, attempt: str) -> Iterator[TaskProgress]:
        """What an attempt that has ended reported until then; it is followed no more."""
        yield from self._read(attempt)
        del self._files[attempt]

    def _read(self, attempt: str) -> Iterator[TaskProgress]:
        task, path, start = self._files.pop(attempt)
        self._files[attempt] = task, path, start
        try:
            size = os.stat(path).st_size
            if size <= start:
                return
            with open(path, "rb") as file:
                file.seek(max(start, size - MOST_BYTES))
                text, _, torn = file.read().rpartition(b"\n")
                end = file.tell() - len(torn)
        except OSError:  # most never report
            return
        self._files[attempt] = task, path, end
        for line in text.splitlines():
            if event := _event(task, line):
                yield event


def _event(task: str, line: bytes) -> TaskProgress | None:
    """A line as an event; None if it is no report."""
    try:
        row = json.loads(line)
        done, total, metrics = row["done"], row.get("total"), row.get("metrics") or {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not _is_number(done) or not (total is None or _is_number(total)) or not isinstance(metrics, dict):
        return None
    known = {name: value for name, value in metrics.items() if isinstance(value, int | float | str)}
    shown = {name: value if isinstance(value, str) or isfinite(value) else str(value) for name, value in known.items()}
    return TaskProgress(task, done, total, shown)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
