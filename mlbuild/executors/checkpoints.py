"""What checkpoints have to do with the life of an attempt: what it is told, what is done meanwhile, what comes of it.

Each of these but `environment` may take its time: it is for a child process. Blind to how a directory is kept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import asdict, replace

from mlbuild import digest
from mlbuild.executors import attempt, observed
from mlbuild.executors.directory import ASIDE, OWN, UNKNOWN, Directory, Owner
from mlbuild.executors.job import Job, JobResult, Opened, Reason
from mlbuild.executors.lineage import Row
from mlbuild.executors.saves import Saves

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
        return {"changed": "", "problem": "", "start": asdict(Directory(job).begin(inputs))}
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
        return Directory(job).put(saves, names)
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
    directory = Directory(job)
    with contextlib.suppress(OSError):  # a full disk: what was put stays, and what can't be told isn't
        saves.take([], directory.put(saves, [*saves.waiting, *directory.unseen()]))
        if result.ok and not saves.made and saves.whole:
            # A killed attempt may have left more. One that failed has not shown yet that the newest is of use.
            directory.keep(saves.whole)
    result = replace(result, saved=len(saves.made))
    if not saves.made and not saves.start.name:
        result = replace(result, overlooked=_shown(job, directory.overlooked()))
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
            return _shown(job, Directory(job).newest())
    return ""


def foreign(job: Job) -> tuple[list[str], str]:
    """What lies in the job's directory though no attempt has been there, and where the first one will put it; both as
    paths relative to the workspace."""
    assert job.checkpoints
    with contextlib.suppress(OSError):
        folder = f"{job.checkpoints.directory}{OWN}/{ASIDE}/{UNKNOWN}"
        return [_shown(job, name) for name in Directory(job).foreign()], folder
    return [], ""


def belong_to(job: Job) -> Owner | None:
    """What those are for that lie in the job's directory; None if there are none, or if that can't be told."""
    with contextlib.suppress(OSError):
        return Directory(job).belong_to()
    return None


def ignored_under(job: Job, key: str) -> frozenset[str]:
    """The names of the params that did not count when checkpoints were written under a resume key."""
    with contextlib.suppress(OSError):
        return Directory(job).ignored_under(key)
    return frozenset()


def conclude(job: Job, result: JobResult) -> JobResult:
    """An attempt is over, and no node has seen how it ended: write down what it left, and what its notes say it read.

    Returns:
        the result with what is to say of its checkpoints.
    """
    saved = 0
    if job.checkpoints:
        with contextlib.suppress(OSError):
            saved = Directory(job).conclude()
    return replace(result, saved=saved, checkpoint=newest(job))


def call_off(job: Job) -> None:
    """The attempt, for which all was ready, never ran."""
    with contextlib.suppress(OSError):
        Directory(job).close(Reason.NOT_STARTED, failed=False, made=0, reads=[])
