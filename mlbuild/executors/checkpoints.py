"""The checkpoint directory of a task, on disk: made ready for an attempt, kept in order while it runs, closed after it.

Its folder `.mlbuild` holds the journal (`lineage` tells its form), `aside/` with what is not for the attempt that runs,
and for moments `gone/`. Every step may be cut off: the next `prepare` does it again, or goes on from it.
Blind to why an attempt is wanted, and to two attempts at once in one directory, from which leases keep it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from mlbuild import digest
from mlbuild.executors import attempt, lines, observed
from mlbuild.executors.job import Job, JobResult, Opened, Reason
from mlbuild.executors.lineage import Lineage, Mark, Row, signature
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
DIRECTORY, RESUME_FROM, DEADLINE, STOP_SIGNAL = (
    "MLBUILD_CHECKPOINT_DIR",
    "MLBUILD_RESUME_FROM",
    "MLBUILD_DEADLINE",
    "MLBUILD_STOP_SIGNAL",
)
VARIABLES = frozenset({DIRECTORY, RESUME_FROM, DEADLINE, STOP_SIGNAL})
"""What a recipe is told of its checkpoints; of those of a build that this one is a recipe of it shall not hear."""
CRASHES = frozenset(getattr(signal, f"SIG{name}") for name in ("SEGV", "BUS", "ABRT", "FPE", "ILL", "TRAP", "SYS"))
"""Signals by which a program ends through its own fault."""
WISHES = frozenset(getattr(signal, f"SIG{name}") for name in ("TERM", "INT", "HUP", "XCPU", "USR1", "USR2"))
"""Signals by which others have a program leave."""


@dataclass(frozen=True, slots=True)
class Start:
    """What an attempt finds in its directory.

    Attributes:
        name: of the entry from which it may go on; empty without any.
        grown_from: as in its result.
        reads: what those were seen to read that led to that entry, as in an `end` line.
        whole: marks of all that it may go on from, the newest at the end.
        inputs: path → signature of what it reads.
    """

    name: str
    grown_from: list[str]
    reads: list[list[Any]]
    whole: list[Mark]
    inputs: dict[str, str]


class Saves:
    """What an attempt that runs has left so far: known to the process that watches over it.

    Attributes:
        start: what it began with.
        made: marks of the whole checkpoints that it has left.
        whole: as `start.whole`, with those and without what `keep` has removed.
        waiting: names of entries that are worth a look.
        is_looking: whether a child is having that look.
    """

    def __init__(self, start: Row) -> None:
        self.start = Start(**start)
        self.made: list[Mark] = []
        self.whole = _marks(self.start.whole)
        self.waiting: list[str] = []
        self.is_looking = False

    def take(self, names: list[str], row: Row | None) -> None:
        """Learn what a look at these entries came to (see `put`); without an answer they wait for another."""
        self.is_looking = False
        if row is None:
            self.waiting = names + self.waiting
        else:
            self.made += _marks(row["made"])
            self.whole = _marks(row["whole"])


def _marks(rows: Iterable[Iterable[str]]) -> list[Mark]:
    return [(name, text) for name, text in rows]


def environment(job: Job, saves: Saves | None) -> dict[str, str]:
    """What a recipe that starts now is told of its checkpoints, and of when it will be told to stop."""
    told = {DEADLINE: str(int(time.time() + job.timeout))} if job.timeout is not None else {}
    if job.checkpoints and saves:
        path = os.path.join(job.workspace, job.checkpoints.directory.rstrip("/"))
        told[DIRECTORY] = path
        told[RESUME_FROM] = os.path.join(path, saves.start.name) if saves.start.name else ""
        told[STOP_SIGNAL] = attempt.signal_name(job.signal).split()[-1].removeprefix("SIG")
    return told


def prepare(job: Job) -> Row:
    """Make the directory ready, if the job's inputs are as they were.

    Returns:
        `changed` and `problem`, in words: if one of them isn't empty the job can't start. Else `start`, for `Saves`.
    """
    try:
        inputs = {read.path: read.signature or _seen(job, read.path) for read in job.reads}
        if change := attempt.changed(job):
            return {"changed": change, "problem": ""}
        return {"changed": "", "problem": "", "start": asdict(_Directory(job).begin(inputs))}
    except OSError as error:
        return {"changed": "", "problem": problem(job, error)}


def problem(job: Job, error: OSError) -> str:
    """Why the job can't have checkpoints, for people."""
    assert job.checkpoints
    return f"{job.checkpoints.directory} can't be used for checkpoints: {attempt.words(error)}"


def _seen(job: Job, path: str) -> str:
    seen = digest.signature(os.path.join(job.workspace, path))
    return seen[0] if seen else ""


def put(job: Job, saves: Saves, names: list[str]) -> Row | None:
    """Write down which of these entries are whole, and remove what is beyond `keep`.

    Returns:
        `made`, the marks of those that are, and `whole` as it is now; None if nothing can be written.
    """
    try:
        return _Directory(job).put(saves, names)
    except OSError:
        return None


def end(job: Job, result: JobResult, saves: Saves) -> JobResult:
    """The result of an attempt, with what is to say of its checkpoints; nothing of it runs any more."""
    opened = result.opened or observed.opened(job, result.started)
    own = {each.path for each in opened}
    grown = {row[0]: Opened(*row) for row in reversed(saves.start.reads) if row[0] not in own}
    result = replace(
        result,
        opened=tuple(sorted((*opened, *grown.values()), key=lambda each: each.path)),
        resumed_from=_shown(job, saves.start.name),
        grown_from=tuple(saves.start.grown_from),
    )
    directory = _Directory(job)
    with contextlib.suppress(OSError):  # a full disk: what was put stays, and what can't be told isn't
        saves.take([], directory.put(saves, [*saves.waiting, *directory.unseen()]))
    result = replace(result, saved=len(saves.made))
    number = attempt.signal_in(result.exit_status)
    if result.reason is Reason.SIGNAL and saves.made and number in WISHES | {job.signal}:
        result = replace(result, reason=Reason.PREEMPTED)
    with contextlib.suppress(OSError):
        reads = [[each.path, each.digest, each.is_new, each.by_other] for each in opened]
        directory.close(result.reason, failed=_failed(result, number), made=result.saved, reads=reads)
        result = replace(result, checkpoint=_shown(job, directory.newest()))
    return result


def _shown(job: Job, name: str) -> str:
    """An entry's path, relative to the workspace."""
    assert job.checkpoints
    return job.checkpoints.directory + name if name else ""


def _failed(result: JobResult, number: int) -> bool:
    """Whether it failed by itself: what it went on from may be why, and shall not be tried for ever."""
    if result.reason is Reason.SIGNAL:
        return number in CRASHES
    return result.reason in (Reason.EXIT, Reason.STALLED, Reason.MISSING_OUTPUT)


def newest(job: Job) -> str:
    """What an attempt that starts now goes on from, relative to the workspace; empty without any, or if that can't be
    told."""
    if job.checkpoints:
        with contextlib.suppress(OSError):
            return _shown(job, _Directory(job).newest())
    return ""


def belong_to(job: Job) -> str | None:
    """The resume key that the checkpoints which lie in the job's directory are for; None if there are none, or if that
    can't be told."""
    with contextlib.suppress(OSError):
        return _Directory(job).belong_to()
    return None


def conclude(job: Job) -> str:
    """An attempt is over, and nobody has seen how it ended: write down what it left, and what its notes say it read.

    Returns:
        as `newest`.
    """
    if job.checkpoints:
        with contextlib.suppress(OSError):
            _Directory(job).conclude()
    return newest(job)


def call_off(job: Job) -> None:
    """The attempt, for which all was ready, never ran."""
    with contextlib.suppress(OSError):
        _Directory(job).close(Reason.NOT_STARTED, failed=False, made=0, reads=[])


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """Something that lies in `folder`, and its mark if it is a whole checkpoint."""

    name: str
    folder: str
    mark: Mark | None


class _Directory:
    """The directory of a job. Raises OSError throughout."""

    def __init__(self, job: Job) -> None:
        assert job.checkpoints
        self._job = job
        self._asked = job.checkpoints
        self._path = os.path.join(job.workspace, job.checkpoints.directory)
        self._own = os.path.join(self._path, OWN)
        self._is_same = cache(self._compare)

    def begin(self, inputs: dict[str, str]) -> Start:
        """Have nothing lie there but what is for this attempt, and the newest of what is as it should be."""
        os.makedirs(os.path.join(self._own, ASIDE), exist_ok=True)
        with self._held() as lock:
            self._clear()
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
            found = [(name, signature(os.path.join(self._path, name))) for name in self._marked(lineage, last)]
            rows = [self._put_row(last["begin"], (name, text)) for name, text in found if text]
            if rows:
                self._append(*rows)
                lineage = self._lineage()
        reach("checkpoints-adopted")
        return lineage

    def unseen(self) -> list[str]:
        """Folders that hold the marker and of which nobody has told."""
        lineage = self._lineage()
        return self._marked(lineage, lineage.begins[self._job.attempt])

    def _marked(self, lineage: Lineage, begin: Row) -> list[str]:
        """Folders that got their marker after an attempt had begun, and that it is not known to have put there.

        One of which that is known already is as it was then, or something has spoilt it.
        """
        found = []
        known = lineage.put_by(begin["begin"])
        for name in os.listdir(self._path) if self._asked.complete else ():
            path = os.path.join(self._path, name)
            if counts(name) and name not in known and os.path.isdir(path) and not os.path.islink(path):
                with contextlib.suppress(FileNotFoundError):
                    moment = os.stat(os.path.join(path, self._asked.complete or "")).st_mtime
                    found += [(moment, name)] if moment >= begin["at"] else []
        return [name for _, name in sorted(found)]

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
        """Set aside the checkpoints that are not for this attempt, and under a new key whatever else lies there."""
        last = lineage.last
        is_new = last is None or last["key"] != self._asked.key
        for entry in here:
            if best.get(entry.name) is not entry and (is_new or entry.name in lineage.names):
                putter = lineage.puts[entry.mark] if entry.mark else {}
                label = putter.get("attempt") or (last["begin"] if last else "unknown")
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
        """As the function of this name."""
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
            self._append(*(self._put_row(self._job.attempt, mark, is_void=is_void) for mark in found))
        reach("checkpoints-put")
        if is_void:
            return {"made": [], "whole": saves.whole}
        news = dict(found)
        whole = [mark for mark in saves.whole if mark[0] not in news] + found
        return {"made": found, "whole": self._keep(whole) if self._asked.keep else []}

    def _is_whole(self, name: str) -> bool:
        """Whether what was put there counts: a folder has the marker, where there is to be one."""
        path = os.path.join(self._path, name)
        marker = self._asked.complete
        return not marker or not os.path.isdir(path) or os.path.exists(os.path.join(path, marker))

    def _keep(self, whole: list[Mark]) -> list[Mark]:
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
        self._clear()
        reach("checkpoints-removed")
        return kept[::-1]

    def close(self, reason: Reason, *, failed: bool, made: int, reads: list[list[Any]]) -> None:
        """Write down how the attempt ended."""
        row = {"end": self._job.attempt, "reason": str(reason), "failed": failed, "made": made, "reads": reads}
        with self._held():
            self._append(row)
        reach("checkpoints-ended")

    def conclude(self) -> None:
        """As the function of this name; nothing, if the end of the attempt is known here or it never began."""
        lineage = self._adopt(self._lineage())
        begin = lineage.begins.get(self._job.attempt)
        if begin and self._job.attempt not in lineage.ends:
            reads = [
                [each.path, each.digest, each.is_new, each.by_other] for each in observed.opened(self._job, begin["at"])
            ]
            made = len(lineage.put_by(self._job.attempt))
            self.close(Reason.LOST, failed=False, made=made, reads=reads)

    def belong_to(self) -> str | None:
        """As the function of this name."""
        lineage = self._lineage()
        there = lineage.names.intersection(os.listdir(self._path))
        return lineage.last["key"] if lineage.last and there else None

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

    def _clear(self) -> None:
        """Delete what has been removed; what can't be stays where it is in nobody's way."""
        import shutil

        shutil.rmtree(os.path.join(self._own, GONE), ignore_errors=True)

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
        return Lineage(os.path.join(self._own, JOURNAL))

    def _put_row(self, putter: str, mark: Mark, *, is_void: bool = False) -> Row:
        kind = "void" if is_void else "put"
        return {kind: mark[0], "attempt": putter, "signature": mark[1], "at": time.time()}

    def _append(self, *rows: Row) -> None:
        path = os.path.join(self._own, JOURNAL)
        is_new = not os.path.exists(path)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            for row in rows:
                lines.append(file, row)
            os.fdatasync(file)
        finally:
            os.close(file)
        if is_new:
            _sync(self._own)

    def _rewrite(self, rows: list[Row]) -> None:
        path = os.path.join(self._own, JOURNAL)
        with open(f"{path}.new", "wb") as file:
            file.write(b"".join(map(lines.encode, rows)))
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{path}.new", path)
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
