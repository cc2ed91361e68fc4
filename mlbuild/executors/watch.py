"""What appears in checkpoint directories while attempts run, as the kernel tells of it (inotify).

Blind to what other machines put there, and to whether it is what it seems: it says only what is worth a look.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from typing import Any

from mlbuild.executors.job import Checkpoints, Job

CLOSE_WRITE, MOVED_TO, CREATE, IGNORED, ONLYDIR, ISDIR = 0x8, 0x80, 0x100, 0x8000, 0x1000000, 0x40000000
EVENT = struct.Struct("iIII")
ENDINGS = (".tmp", ".part")
LIMITS = {errno.EMFILE: "max_user_instances", errno.ENOSPC: "max_user_watches"}


def counts(name: str) -> bool:
    """Whether an entry of this name can be a checkpoint: hidden and temporary ones never are."""
    return not name.startswith(".") and not name.endswith(ENDINGS)


class Watch:
    """Many directories through one file, for the kernel gives few. Raises OSError if it gives none."""

    def __init__(self) -> None:
        import ctypes

        self._errno = ctypes.get_errno
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._call(self._library.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._places: dict[int, tuple[str, str, Checkpoints, str]] = {}
        """Number of a watch → attempt, path, what it asks for, and the name of the folder within its directory."""

    def fileno(self) -> int:
        return self._file

    def add(self, job: Job) -> None:
        """Watch for what this attempt puts into its directory. Raises OSError."""
        asked = job.checkpoints
        assert asked
        directory = os.path.join(job.workspace, asked.directory)
        self._add(MOVED_TO | (CREATE if asked.complete else 0), job.attempt, directory, asked, "")
        for name in os.listdir(directory) if asked.complete else ():
            if counts(name):
                self._follow(job.attempt, directory, asked, name)

    def _add(self, mask: int, attempt: str, path: str, asked: Checkpoints, name: str) -> None:
        number = self._call(self._library.inotify_add_watch, self._file, os.fsencode(path), mask | ONLYDIR)
        self._places[number] = attempt, path, asked, name

    def _follow(self, attempt: str, directory: str, asked: Checkpoints, name: str) -> bool:
        """Watch for the marker in a folder; whether it is there already, or perhaps came before the watch.

        Where the kernel has no more watches, the look at the end of the attempt finds what is whole.
        """
        path = os.path.join(directory, name)
        try:
            self._add(CLOSE_WRITE | MOVED_TO, attempt, path, asked, name)
        except OSError:
            return False
        return os.path.exists(os.path.join(path, asked.complete or ""))

    def remove(self, attempt: str) -> None:
        """Watch no more for this attempt."""
        for number in [number for number, place in self._places.items() if place[0] == attempt]:
            del self._places[number]
            self._library.inotify_rm_watch(self._file, number)  # which fails if the folder is gone

    def seen(self) -> dict[str, list[str]]:
        """attempt → names of entries that may have become whole since the last call."""
        found: dict[str, list[str]] = {}
        try:
            while data := os.read(self._file, 1 << 16):
                while data:
                    number, mask, _, length = EVENT.unpack_from(data)
                    name = os.fsdecode(data[EVENT.size : EVENT.size + length].rstrip(b"\0"))
                    data = data[EVENT.size + length :]
                    if mask & IGNORED:  # the folder is gone
                        self._places.pop(number, None)
                    elif number in self._places and (entry := self._entry(number, mask, name)):
                        found.setdefault(self._places[number][0], []).append(entry)
        except BlockingIOError:
            return found
        return found

    def _entry(self, number: int, mask: int, name: str) -> str:
        """The entry that an event makes worth a look, if any."""
        attempt, path, asked, folder = self._places[number]
        if folder:
            return folder if name == asked.complete else ""
        if not counts(name):
            return ""
        if mask & ISDIR and asked.complete:
            return name if self._follow(attempt, path, asked, name) else ""
        return name if mask & MOVED_TO else ""

    def _call(self, function: Callable[..., int], *arguments: Any) -> int:
        if (answer := function(*arguments)) >= 0:
            return answer
        number = self._errno()
        limit = LIMITS.get(number)
        raise OSError(
            number, f"the kernel watches no more folders (fs.inotify.{limit})" if limit else os.strerror(number)
        )
