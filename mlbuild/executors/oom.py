"""Whether the kernel killed a recipe for want of memory, by the counters that it keeps.

Blind to which process it killed: the counters tell how many there were, in our control group or on the whole machine.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

from mlbuild.executors import machine
from mlbuild.executors.job import JobResult, Reason

BY_KILL = -signal.SIGKILL, 128 + signal.SIGKILL
"""The exit status of a recipe that got KILL, or whose shell tells of a command that did."""
GUESS = "killed by SIGKILL, which mlbuild did not send: perhaps it ran out of memory"
KILLED = "out of memory: the kernel killed {}"
MEANWHILE = "out of memory, the kernel killed a process meanwhile"


class Kills:
    """The processes that the kernel killed for want of memory, counted.

    Of several attempts at once, those that got KILL have died of it, as many as there were kills: each takes one that
    came after its start. (If they are others' after all, that of a stranger in the same control group perhaps, an
    attempt that somebody else killed is taken for out of memory.)

    Args:
        root: where `proc` and `sys` are.
    """

    def __init__(self, root: str = "/") -> None:
        self._counter = next((path for path in _counters(root) if _count(path) is not None), "")
        self._taken: set[int] = set()

    def count(self) -> int | None:
        """How many there were so far; None if nobody tells."""
        return _count(self._counter)

    def judge(self, result: JobResult, before: int | None) -> JobResult:
        """How an attempt ended that may have run out of memory; `before`: the count when it started."""
        if result.reason not in (Reason.SIGNAL, Reason.EXIT):
            return result
        now = self.count()
        new = () if before is None or now is None else range(before + 1, now + 1)
        number = next((number for number in new if number not in self._taken), None)
        if result.exit_status not in BY_KILL:
            return replace(result, detail=MEANWHILE) if number and result.reason is Reason.EXIT else result
        if number:
            self._taken.add(number)
            whom = "it" if result.exit_status < 0 else "a command in it"
            return replace(result, reason=Reason.OUT_OF_MEMORY, detail=KILLED.format(whom))
        return replace(result, reason=Reason.OUT_OF_MEMORY, detail=GUESS) if before is None or now is None else result


def _counters(root: str) -> Iterator[str]:
    """The files that may have the count, the one that counts the fewest strangers first."""
    for controller, name in (("", "memory.events"), ("memory", "memory.oom_control")):
        yield from (os.path.join(folder, name) for folder in machine.groups(root, controller))
    yield os.path.join(root, "proc/vmstat")


def _count(path: str) -> int | None:
    try:
        with open(path) as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
    except OSError:
        return None
