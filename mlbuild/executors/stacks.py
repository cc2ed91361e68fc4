"""The stacks of an attempt's Python processes: written by themselves when they get a signal, or by py-spy.

Blind to processes that are not Python, and without py-spy to those that did not load the hook (`python -I`, `-S`).
"""

from __future__ import annotations

import os
import shlex
import sys
import time

from mlbuild.executors import observed, processes
from mlbuild.executors.job import Job

STACKS = "MLBUILD_STACKS"
"""The variable that names the file to which `observe/sitecustomize.py` has faulthandler write."""
SIGNAL = 49
"""On which it writes, there as here. The real-time signals are used from both ends (glibc and .NET from 32 on, Valgrind
from 64 down), and by nobody in the middle; the others all have a meaning or, as USR1 and USR2, a user."""
PATIENCE = 10.0
"""Seconds after which no more processes are asked."""
ANSWER, QUIET = 2.0, 0.1
"""Seconds within which a process should begin to write; a pause that long means that it has finished."""


def path(job: Job) -> str:
    """Where the stacks of a job go, beside its log; empty if nobody will ask for them."""
    return os.path.join(job.workspace, f"{job.log.removesuffix('.log')}.stacks") if job.stall and job.log else ""


def environment(job: Job, given: dict[str, str]) -> dict[str, str]:
    """The variables with which the Python processes of a job can write their stacks; the file is made. Raises OSError.

    It must be there before them: what is left of a job shall not make it again once it was removed.
    """
    place = path(job)
    if not place:
        return given
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))
    return observed.hooked({**given, STACKS: place})


def drop_empty(job: Job) -> None:
    """Remove the file if nothing was written to it."""
    place = path(job)
    if place and os.path.exists(place) and not os.path.getsize(place):
        os.unlink(place)


def save(job: Job, session: int) -> str:
    """Have each Python process of a session write its stacks, one after the other.

    Returns the file, relative to the workspace; empty if none did.
    """
    place, patience, spy, found = path(job), time.monotonic() + PATIENCE, _find_spy(), False
    for pid in processes.session(session) if place else ():
        if time.monotonic() > patience:
            break
        if _listens(pid, place):
            before = _append(place, _title(pid))
            processes.send([pid], SIGNAL)
            found = _wait(place, before) or found
        elif spy and _is_python(pid):
            found = _spy(spy, pid, place) or found
    return os.path.relpath(place, job.workspace) if found else ""


def _listens(pid: int, place: str) -> bool:
    """Whether a process has our handler, and the file still open for it: else the signal could kill it."""
    try:
        with open(f"/proc/{pid}/status") as file:
            caught = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt:"))
        if not caught >> (SIGNAL - 1) & 1:
            return False
        files = f"/proc/{pid}/fd"
        return any(os.readlink(f"{files}/{number}") == os.path.realpath(place) for number in os.listdir(files))
    except (OSError, StopIteration):  # it has ended, or is another user's
        return False


def _wait(place: str, before: int) -> bool:
    """Until the file has grown and grows no more."""
    patience, size, changed = time.monotonic() + ANSWER, before, time.monotonic()
    while time.monotonic() < (changed + QUIET if size > before else patience):
        time.sleep(QUIET / 10)
        if (now := os.path.getsize(place)) > size:
            size, changed = now, time.monotonic()
    return size > before


def _append(place: str, data: bytes) -> int:
    """The size of the file afterwards."""
    with open(place, "ab") as file:
        file.write(data)
        return file.tell()


def _title(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        words = []
    return os.fsencode(f"Process {pid}: {shlex.join(words)}\n")


def _find_spy() -> str | None:
    import shutil

    return shutil.which("py-spy", path=f"{os.environ.get('PATH', os.defpath)}:{os.path.dirname(sys.executable)}")


def _is_python(pid: int) -> bool:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("python")
    except OSError:
        return False


def _spy(spy: str, pid: int, place: str) -> bool:
    import subprocess

    try:
        dump = subprocess.run([spy, "dump", "--pid", str(pid)], capture_output=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):  # it may not look, or can't make sense of it
        return False
    _append(place, dump.stdout)
    return True
