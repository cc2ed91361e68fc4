"""What the Python processes of an attempt were seen to open, out of the notes that `observe/sitecustomize.py` took.

Needs the standard library and `digest` only. Blind to what a file is to the task: that its driver knows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from mlbuild import digest
from mlbuild.executors.job import Job, Opened

HOOK = os.path.join(os.path.dirname(digest.__file__), "observe")
"""The folder whose `sitecustomize` takes the notes."""
NOTES = "MLBUILD_NOTES"
"""The variable that says where."""
PROGRAMS = "MLBUILD_PROGRAMS"
"""The variable that says which programs the job names, one a line."""

Look = tuple[str, int, bool]
"""(signature, moment in ns) when a file was about to be opened; whether that was Python code, by a foreign program."""


def environment(job: Job, given: dict[str, str]) -> dict[str, str]:
    """The variables with which the Python processes of a job take notes, beside those `given`."""
    if not job.notes:
        return given
    notes = os.path.join(job.workspace, job.notes)
    return hooked({**given, NOTES: notes, PROGRAMS: "\n".join(job.programs)})


def hooked(given: dict[str, str]) -> dict[str, str]:
    """These variables, with which Python processes load the hook."""
    path = [folder for folder in given.get("PYTHONPATH", "").split(":") if folder and folder != HOOK]
    return {**given, "PYTHONPATH": ":".join([HOOK, *path])}


def opened(job: Job, started: float) -> tuple[Opened, ...]:
    """The files that were read, and neither written by the same processes nor named by the job, sorted.

    Python files that the job names count too if another program than its own has read them.

    Args:
        started: when the recipe began, in epoch seconds.
    """
    notes = _read(job)
    return tuple(_opened(job, path, notes[path], started) for path in sorted(notes))


def paths(job: Job) -> list[str]:
    """As `opened`, without a look at the files."""
    return list(_read(job))


def size(job: Job) -> int:
    """Of the notes, in bytes."""
    try:
        return os.path.getsize(os.path.join(job.workspace, job.notes)) if job.notes else 0
    except FileNotFoundError:
        return 0


def _read(job: Job) -> dict[str, list[Look]]:
    if not size(job):
        return {}
    outputs = {path.rstrip("/") for path in job.outputs}
    if job.checkpoints:
        outputs.add(job.checkpoints.directory.rstrip("/"))
    known = outputs | {read.path.rstrip("/") for read in job.reads}
    found: dict[str, list[Look]] = {}
    written: set[str] = set()
    with open(os.path.join(job.workspace, job.notes), "rb") as file:
        records = os.fsdecode(file.read()).split("\0")[:-1]  # behind the last zero: nothing, or a torn record
    for kind, _, rest in (record.partition(" ") for record in records):
        if kind == "w":
            written.add(rest)
        else:
            signature, moment, path = rest.split(" ", 2)
            found.setdefault(path, []).append((signature, int(moment), kind == "o" and path.endswith(".py")))
    return {
        path: looks
        for path, looks in found.items()
        if path not in written and not within(path, outputs if _by_others(looks) else known)
    }


def _by_others(looks: list[Look]) -> bool:
    return any(by_other for _, _, by_other in looks)


def within(path: str, folders: set[str]) -> bool:
    """Whether a path is one of these (without a `/` at the end), or lies in one."""
    return path in folders or any(folder in folders for folder in _around(path))


def _around(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _opened(job: Job, path: str, looks: list[Look], started: float) -> Opened:
    """Whether a file still is what was read of it, and if so, its digest."""
    full = os.path.join(job.workspace, path)
    changed = max(int(signature.partition(":")[0]) for signature, _, _ in looks)
    is_new = not digest.is_settled(changed, int(started * 1e9))
    with suppress(OSError):
        before = digest.signature(full)
        found = digest.digest_path(full)
        same = before == digest.signature(full) and before and {before[0]} == {signature for signature, _, _ in looks}
        if same and before and found and digest.is_settled(before[1], min(moment for _, moment, _ in looks)):
            return Opened(path, found[0], is_new, _by_others(looks))
    return Opened(path, "", is_new, _by_others(looks))
