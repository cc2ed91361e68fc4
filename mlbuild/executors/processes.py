"""Processes as `/proc` tells of them: which ones a session has, and whether a pid is still the process it was.

Blind to what runs in other pid namespaces, and to processes that left their session (`setsid`): they want to be alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

KILL_EVERY = 0.05
"""Seconds between two rounds of KILL: a process may have forked while its session was being listed."""


def epoch() -> str:
    """What a pid and its start time are unique within: this boot and this pid namespace."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"


def now() -> int:
    """The moment in which a process that started now would have started: clock ticks since boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def fork(work: Callable[[], object]) -> int:
    """The pid of a child that does this and leaves, without ever returning into the caller's stack."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def start_time(pid: int) -> int | None:
    """When the process started, as `now` tells it; None if it is gone or only waits to be reaped.

    Asked for a process that is just calling exec, the kernel answers when that is done: 0.2 ms later.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in b"ZX" else int(fields[19])


def session(sid: int) -> list[int]:
    """The pids of a session's processes, those that only wait to be reaped among them."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_in(pid, sid)]


def _is_in(pid: int, sid: int) -> bool:
    try:
        return os.getsid(pid) == sid
    except OSError:  # gone meanwhile; or a security module hides another user's
        return False


def followers(sid: int) -> list[int]:
    """The pids of a session's living processes beside its leader."""
    return [pid for pid in session(sid) if pid != sid and start_time(pid) is not None]


def to_tell(sid: int, number: int) -> list[int]:
    """The pids of a session's processes that are to be sent a signal so that they end in good order.

    What a process that catches it has started of its own program (workers that load data, say) is left for it to end:
    without those it could not finish what it is at.
    """
    looks = {pid: look for pid in session(sid) if (look := _look(pid, number)) is not None}
    own: dict[int, bool] = {}

    def is_another_s(pid: int) -> bool:
        """Whether it is for another to end."""
        if pid not in own:
            parent, program, _ = looks[pid]
            above = looks.get(parent)
            own[pid] = above is not None and above[1] == program and (above[2] or is_another_s(parent))
        return own[pid]

    return [pid for pid in looks if not is_another_s(pid)]


def _look(pid: int, number: int) -> tuple[int, str, bool] | None:
    """(parent, program, whether it catches the signal) of a process; None if it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            rows = dict(line.split(":", 1) for line in file if line.startswith(("PPid:", "SigCgt:")))
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        program = os.readlink(f"/proc/{pid}/exe")
    except OSError:  # it only waits to be reaped, or is another user's
        program = f"{pid}"
    return int(rows["PPid"]), program, bool(int(rows["SigCgt"], 16) >> (number - 1) & 1)


def send(pids: list[int], number: int) -> None:
    """Send each of them a signal; those that are gone are passed over."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # gone, or it became another user's
            continue


def end_session(sid: int, born: tuple[int, int], mark: str, grace: float) -> None:
    """End what is left of a session that nobody watches any more: TERM, `grace` seconds, KILL.

    It is that session if its leader is still the process that was born then (first and last moment, as `now` tells
    them) or, the leader gone, if one of its processes has `mark` in its environment: once a session is empty its number
    may be given to another one.
    """
    leader = start_time(sid)
    if not (born[0] <= leader <= born[1] if leader else any(has(pid, mark) for pid in followers(sid))):
        return
    patience = time.monotonic() + grace
    send(session(sid), signal.SIGTERM)
    while followers(sid) or start_time(sid) is not None:
        if time.monotonic() >= patience:
            send(session(sid), signal.SIGKILL)
        time.sleep(KILL_EVERY / 5)


def has(pid: int, mark: str) -> bool:
    """Whether a process was started with this in its environment, as far as we may see."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark.encode() in file.read().split(b"\0")
    except OSError:
        return False


def any_has(mark: str) -> bool:
    """As `has`, of all processes."""
    return any(has(pid, mark) for pid in map(int, filter(str.isdigit, os.listdir("/proc"))))
