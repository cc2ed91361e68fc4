"""Stat → digest records, so that a file is read again only if it may have changed. Blind to what the files are for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import lru_cache

from msgspec import Struct

from mlbuild.digest import digest_path, is_settled, signature

HELD = 10_000
"""Records that are at hand: the inputs that many tasks share are asked for over and over."""


class Record(Struct, frozen=True):
    """What was seen at a path. `settled`: a later write can't look the same."""

    signature: str
    digest: str
    size: int
    settled: bool


class Stats:
    """The content of paths, through records.

    Args:
        root: the workspace, absolute; paths are relative to it, or absolute.
        recall: gives what earlier commands saw at a path; None for nothing.
        clock: the time by the file system's own clock, in ns.
    """

    def __init__(self, root: str, recall: Callable[[str], Record | None], clock: FileClock) -> None:
        self._root = root
        self._recall = lru_cache(HELD)(recall)
        self._clock = clock
        self._changed: dict[str, Record] = {}

    def content(self, path: str) -> tuple[str, int] | None:
        """(digest, size in bytes) of what stands at `path`, or None. Raises OSError for what can't be read."""
        record = self.record(path)
        return None if record is None else (record.digest, record.size)

    def record(self, path: str) -> Record | None:
        """As `content`, with the signature under which it holds."""
        full = os.path.join(self._root, path)
        seen = signature(full)
        if seen is None:
            return None
        record = self._known(path)
        if record is not None and record.signature == seen[0] and record.settled:
            return record
        return self._look(path, full)

    def learn(self, path: str, digest: str, size: int) -> None:
        """Note what somebody else has just digested. Unsettled, since we can't tell what was written meanwhile."""
        seen = signature(os.path.join(self._root, path))
        if seen is not None:
            self._keep(path, Record(seen[0], digest, size, settled=False))

    def is_as_seen(self, path: str, digest: str) -> bool:
        """Whether a path has this digest, by the last look at it if it looks the same now."""
        record, seen = self._known(path), signature(os.path.join(self._root, path))
        if record is not None and seen is not None and record.signature == seen[0]:
            return record.digest == digest
        content = self.content(path)
        return content is not None and content[0] == digest

    def note_inside(self, path: str, folder: str) -> None:
        """Note what stands at a path in a folder of this digest, which is about to go."""
        content = self.content(path)
        if content is not None:
            self._keep(path, Record(f"in {folder}", *content, settled=True))

    def digest_inside(self, path: str, folder: str) -> str | None:
        """The digest of what stood at a path when the folder around it had this digest, if it was noted."""
        record = self._known(path)
        return record.digest if record is not None and record.signature == f"in {folder}" else None

    def settle(self) -> None:
        """Look once more at what was too new to be trusted, where a look settles it now."""
        for path in [path for path, record in self._changed.items() if not record.settled]:
            full = os.path.join(self._root, path)
            seen = signature(full)
            if seen is not None and is_settled(seen[1], self._clock.now()):
                self._look(path, full)

    def changed(self) -> Iterable[tuple[str, Record]]:
        """The records that are new since the start, to be saved."""
        return self._changed.items()

    def _look(self, path: str, full: str) -> Record | None:
        now = self._clock.now()
        before = signature(full)
        found = digest_path(full)
        if before is None or found is None:
            return None
        record = Record(before[0], *found, is_settled(before[1], now))
        self._keep(path, record)
        return record

    def _keep(self, path: str, record: Record) -> None:
        self._changed[path] = record

    def _known(self, path: str) -> Record | None:
        """What was last seen there, by this command or an earlier one."""
        return self._changed.get(path) or self._recall(path)


class FileClock:
    """The clock of the file system under a folder: what it stamps on a file that is written now.

    Where nothing can be written it is the epoch, so that nothing settles.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, f"clock-{os.getpid()}")

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError:
            return 0
        try:
            os.utime(file)
            return os.fstat(file).st_mtime_ns
        finally:
            os.close(file)

    def close(self) -> None:
        try:
            os.unlink(self._path)
        except OSError:
            return
