"""The checkpoint directory of a task, on disk: made ready for an attempt, kept in order while it runs, closed after it.

Its folder `.mlbuild` holds the journal (`lineage` tells its form), `aside/` with what is not for the attempt that runs,
`saving/` with what is being written, and for moments `gone/`. Every step may be cut off: the next `begin` does it
again, or goes on from it. Blind to why an attempt is wanted, and to two attempts at once in one directory, from which
leases keep it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from mlbuild import digest
from mlbuild.executors import attempt, lines, observed
from mlbuild.executors.job import Job, Reason
from mlbuild.executors.lineage import Lineage, Mark, Row, signature
from mlbuild.executors.saves import Saves, Start
from mlbuild.executors.watch import counts
from mlbuild.killpoint import reach

KILL_POINTS = (
    "checkpoints-cleared",
    "checkpoints-adopted",
    "checkpoints-set-aside",
    "checkpoints-brought-back",
    "checkpoints-rewritten",
    "checkpoints-begun",
    "checkpoints-put",
    "checkpoints-gone",
    "checkpoints-removed",
    "checkpoints-ended",
)
OWN, JOURNAL, LOCK, ASIDE, GONE = ".mlbuild", "journal", "lock", "aside", "gone"
SAVING = "saving"
"""Where `mlbuild.stage`, which loads nothing of mlbuild, writes what it has not put in place yet."""
UNKNOWN = "unknown"
"""Instead of an attempt in `aside/`: nobody knows who left that."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What the checkpoints that lie in a directory were written for.

    Attributes:
        key: the resume key.
        ignored: name → value then of each ignored param because of which they are not for a job.
        reads: path → digest then of what was read undeclared, and is not as it was.
    """

    key: str
    ignored: dict[str, Any]
    reads: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """Something that lies in `folder`, and its mark if it is a whole checkpoint."""

    name: str
    folder: str
    mark: Mark | None


class Directory:
    """The directory of a job. Raises OSError throughout."""

    def __init__(self, job: Job) -> None:
        assert job.checkpoints
        self._job = job
        self._asked = job.checkpoints
        self._path = os.path.join(job.workspace, job.checkpoints.directory)
        self._own = os.path.join(self._path, OWN)
        self._journal = os.path.join(self._own, JOURNAL)
        self._is_same = cache(self._compare)

    def foreign(self) -> list[str]:
        """As `checkpoints.foreign`."""
        if not os.path.isdir(self._path) or os.path.exists(self._journal):
            return []
        return sorted(name for name in os.listdir(self._path) if name != OWN)

    def begin(self, inputs: dict[str, str]) -> Start:
        """Have nothing lie there but what is for this attempt, and the newest of what is as it should be."""
        os.makedirs(os.path.join(self._own, ASIDE), exist_ok=True)
        with self._held() as lock:
            self._clear(GONE)
            self._clear(SAVING)  # by attempts that were killed
            reach("checkpoints-cleared")
            lineage = self._adopt(self._lineage())
            here = list(self._entries(lineage, self._path))
            entries = [*here, *self._set_aside(lineage)]
            best = self._best(lineage, entries)
            self._sort_out(lineage, here, best)
            self._bring_back(best)
            rows = lineage.of_use({entry.mark for entry in entries if entry.mark})
            if rows is not None:
                self._rewrite(rows)
            name = next(reversed(best), "")
            mark = best[name].mark if name else None
            putter = lineage.puts[mark]["attempt"] if mark else ""
            chain = lineage.chain(putter)
            self._append(
                {
                    "begin": self._job.attempt,
                    "key": self._asked.key,
                    "fingerprint": self._asked.fingerprint,
                    "ignored": self._asked.ignored,
                    "from": [putter, name] if name else None,
                    "at": _now(lock),
                }
            )
            reach("checkpoints-begun")
        keys = dict.fromkeys(begin["fingerprint"] for begin in chain)
        keys.pop(self._asked.fingerprint, None)
        whole = [entry.mark for entry in best.values() if entry.mark] if self._asked.keep else []
        return Start(name, list(keys), lineage.reads(chain), whole, inputs)

    def _adopt(self, lineage: Lineage) -> Lineage:
        """Count the folders that got their marker after whoever watched for it had died."""
        last = lineage.last
        if last and last["begin"] not in lineage.ends:
            rows = [self._put_row(last["begin"], mark) for mark in self._marked(lineage, last)]
            if rows:
                self._append(*rows)
                lineage = self._lineage()
        reach("checkpoints-adopted")
        return lineage

    def unseen(self) -> list[str]:
        """Folders that hold the marker and of which nobody has told; none if the recipe has removed the journal."""
        lineage = self._lineage()
        begin = lineage.begins.get(self._job.attempt)
        return [name for name, _ in self._marked(lineage, begin)] if begin else []

    def overlooked(self) -> str:
        """The name of something that this attempt wrote and that counts for no checkpoint; empty without any."""
        lineage = self._lineage()
        begin = lineage.begins.get(self._job.attempt)
        if begin is None or lineage.put_by(self._job.attempt) or not os.path.isdir(self._path):
            return ""
        found = (entry for entry in os.scandir(self._path) if counts(entry.name))
        return min((entry.name for entry in found if entry.stat().st_mtime >= begin["at"]), default="")

    def _marked(self, lineage: Lineage, begin: Row) -> list[Mark]:
        """Folders that got their marker after an attempt had begun, and after it was last known to put them there.

        What has changed in a folder since then was spoilt by something.
        """
        found = []
        known = lineage.put_by(begin["begin"])
        for name in os.listdir(self._path) if self._asked.complete else ():
            path, moment = os.path.join(self._path, name), self._marked_at(name) if counts(name) else None
            if moment and moment >= begin["at"] and moment > known.get(name, 0.0):
                text = signature(path)
                is_as_marked = all(status.st_mtime <= moment for _, status in digest.entries(path))
                # What is known was put there by the attempt before, a moment ago.
                if text and is_as_marked and (name, text) not in lineage.puts:
                    found.append((moment, name, text))
        return [(name, text) for _, name, text in sorted(found)]

    def _marked_at(self, name: str) -> float | None:
        """When a folder got its marker; None if it has none, or there is to be none."""
        path = os.path.join(self._path, name)
        if self._asked.complete and os.path.isdir(path) and not os.path.islink(path):
            with contextlib.suppress(FileNotFoundError):
                return os.stat(os.path.join(path, self._asked.complete)).st_mtime
        return None

    def _entries(self, lineage: Lineage, folder: str) -> Iterator[_Entry]:
        for name in os.listdir(folder):
            if name != OWN:
                mark = name, (signature(os.path.join(folder, name)) or "") if name in lineage.names else ""
                yield _Entry(name, folder, mark if mark in lineage.puts else None)

    def _set_aside(self, lineage: Lineage) -> Iterator[_Entry]:
        aside = os.path.join(self._own, ASIDE)
        for label in os.listdir(aside):
            yield from self._entries(lineage, os.path.join(aside, label))

    def _best(self, lineage: Lineage, entries: list[_Entry]) -> dict[str, _Entry]:
        """Of each name the newest entry that fits; the newest of all at the end."""
        found = {entry.mark: entry for entry in reversed(entries) if entry.mark}
        best: dict[str, _Entry] = {}
        for mark in lineage.fitting(self._asked, self._is_same):
            if mark in found:
                best.pop(mark[0], None)
                best[mark[0]] = found[mark]
        return best

    def _sort_out(self, lineage: Lineage, here: list[_Entry], best: dict[str, _Entry]) -> None:
        """Set aside the checkpoints that are not for this attempt, and what looks like one: a script that looks for
        itself shall not find them. With them whatever else lies there, if what the last attempt left is not for this.
        """
        last = lineage.last
        is_new = last is None or not lineage.leads_to(last, self._asked, self._is_same)
        for entry in here:
            is_foreign = is_new or entry.name in lineage.names or self._is_doubtful(entry.name)
            if best.get(entry.name) is not entry and is_foreign:
                putter = lineage.puts[entry.mark] if entry.mark else {}
                label = putter.get("attempt") or (last["begin"] if last else UNKNOWN)
                self._move(entry.name, ASIDE, label)
                reach("checkpoints-set-aside")

    def _bring_back(self, best: dict[str, _Entry]) -> None:
        for entry in best.values():
            if entry.folder != self._path:
                os.rename(os.path.join(entry.folder, entry.name), os.path.join(self._path, entry.name))
                reach("checkpoints-brought-back")
                with contextlib.suppress(OSError):  # there is more in it
                    os.rmdir(entry.folder)

    def put(self, saves: Saves, names: list[str]) -> Row:
        """As `checkpoints.put`."""
        found: list[Mark] = []
        for name in dict.fromkeys(names):
            text = signature(os.path.join(self._path, name)) if self._is_whole(name) else None
            if text and (name, text) not in saves.made:
                found.append((name, text))
        if not found:
            return {"made": [], "whole": saves.whole}
        reads = tuple(replace(read, signature=saves.start.inputs[read.path]) for read in self._job.reads)
        is_void = bool(attempt.changed(replace(self._job, reads=reads)))
        with self._held():
            self._append(*self._unwritten(found, is_void=is_void))
        reach("checkpoints-put")
        if is_void:
            return {"made": [], "whole": saves.whole}
        news = dict(found)
        whole = [mark for mark in saves.whole if mark[0] not in news] + found
        return {"made": found, "whole": self.keep(whole) if self._asked.keep else []}

    def _unwritten(self, marks: list[Mark], *, is_void: bool) -> Iterator[Row]:
        """Lines for these, without those that a recipe has written itself: a second one would come after those of what
        it has put there since, and say that it is newer."""
        puts = Lineage(self._journal, [text for _, text in marks]).puts
        for mark in marks:
            if is_void or mark not in puts or puts[mark]["attempt"] != self._job.attempt:
                yield self._put_row(self._job.attempt, mark, is_void=is_void)

    def _is_whole(self, name: str) -> bool:
        """Whether what was put there counts: a folder has the marker, where there is to be one."""
        is_folder = os.path.isdir(os.path.join(self._path, name))
        return not is_folder or not self._asked.complete or self._marked_at(name) is not None

    def _is_doubtful(self, name: str) -> bool:
        """Whether this is a folder that could be a checkpoint, where a marker tells which are."""
        path = os.path.join(self._path, name)
        return bool(self._asked.complete) and counts(name) and os.path.isdir(path) and not os.path.islink(path)

    def keep(self, whole: list[Mark]) -> list[Mark]:
        """Remove all but the newest; those that are no longer as they were neither count nor go."""
        kept: list[Mark] = []
        for mark in reversed(whole):
            if signature(os.path.join(self._path, mark[0])) != mark[1]:
                continue
            if len(kept) < (self._asked.keep or 0):
                kept.append(mark)
            else:
                self._move(mark[0], GONE, self._job.attempt)
                reach("checkpoints-gone")
        self._clear(GONE)
        reach("checkpoints-removed")
        return kept[::-1]

    def close(self, reason: Reason, *, failed: bool, made: int, reads: list[list[Any]]) -> None:
        """Write down how the attempt ended."""
        row = {"end": self._job.attempt, "reason": str(reason), "failed": failed, "made": made, "reads": reads}
        with self._held():
            self._append(row)
        reach("checkpoints-ended")

    def conclude(self) -> int:
        """As `checkpoints.conclude`; nothing, if the end of the attempt is known here or it never began.

        Returns:
            how many whole checkpoints it has left.
        """
        with self._held():
            lineage = self._adopt(self._lineage())
        begin = lineage.begins.get(self._job.attempt)
        if begin and self._job.attempt not in lineage.ends:
            reads = [
                [each.path, each.digest, each.is_new, each.by_other] for each in observed.opened(self._job, begin["at"])
            ]
            made = len(lineage.put_by(self._job.attempt))
            self.close(Reason.LOST, failed=False, made=made, reads=reads)
        return sum(row["attempt"] == self._job.attempt for row in lineage.puts.values())

    def belong_to(self) -> Owner | None:
        """As `checkpoints.belong_to`."""
        lineage = self._lineage()
        last, there = lineage.last, lineage.names.intersection(os.listdir(self._path))
        if last is None or not there:
            return None
        return Owner(last["key"], *lineage.apart(last, self._asked, self._is_same))

    def ignored_under(self, key: str) -> frozenset[str]:
        """As `checkpoints.ignored_under`."""
        begins = self._lineage().begins.values()
        return frozenset(name for begin in begins if begin["key"] == key for name in begin["ignored"])

    def newest(self) -> str:
        """The name of what the next attempt at the same task will go on from, as it stands; empty without any."""
        lineage = self._lineage()
        aside = list(self._set_aside(lineage))
        for name, text in reversed(lineage.fitting(self._asked, self._is_same)):
            is_here = signature(os.path.join(self._path, name)) == text
            if is_here or any(entry.mark == (name, text) for entry in aside):
                return name
        return ""

    def _compare(self, path: str, text: str) -> bool:
        try:
            found = digest.digest_path(os.path.join(self._job.workspace, path))
        except OSError:
            return False
        return found is not None and found[0] == text

    def _move(self, name: str, to: str, label: str) -> None:
        """Out of the way, beside what bears this name there already."""
        for number in itertools.count(1):
            folder = os.path.join(self._own, to, label if number == 1 else f"{label}.{number}")
            if not os.path.lexists(os.path.join(folder, name)):
                os.makedirs(folder, exist_ok=True)
                os.rename(os.path.join(self._path, name), os.path.join(folder, name))
                return

    def _clear(self, name: str) -> None:
        """Delete a folder with what nobody wants; what can't be stays where it is in nobody's way."""
        folder = os.path.join(self._own, name)
        if os.path.exists(folder):
            import shutil

            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """Alone: a child of a supervisor that was killed may still be at work here."""
        file = os.open(os.path.join(self._own, LOCK), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    # The journal

    def _lineage(self) -> Lineage:
        return Lineage(self._journal)

    def _put_row(self, putter: str, mark: Mark, *, is_void: bool = False) -> Row:
        kind = "void" if is_void else "put"
        moment = self._marked_at(mark[0]) or time.time()
        return {kind: mark[0], "attempt": putter, "signature": mark[1], "at": moment}

    def _append(self, *rows: Row) -> None:
        is_new = not os.path.exists(self._journal)
        file = os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            for row in rows:
                lines.append(file, row)
            os.fdatasync(file)
        finally:
            os.close(file)
        if is_new:
            _sync(self._own)

    def _rewrite(self, rows: list[Row]) -> None:
        with open(f"{self._journal}.new", "wb") as file:
            file.write(b"".join(map(lines.encode, rows)))
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{self._journal}.new", self._journal)
        _sync(self._own)
        reach("checkpoints-rewritten")


def _now(lock: int) -> float:
    """The moment, by the clock of the file system that stamps the markers."""
    os.utime(lock)
    return os.stat(lock).st_mtime


def _sync(folder: str) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
