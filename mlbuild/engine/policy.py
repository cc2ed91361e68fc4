"""What follows from an attempt that did not succeed: whether there is another, when, and at what cost."""

from __future__ import annotations

import random
from collections import Counter

from msgspec import Struct

from mlbuild.executors.job import JobResult, Reason
from mlbuild.graph.task import Task
from mlbuild.target import Retry

NEVER = frozenset({Reason.CANCELLED, Reason.MISSING_OUTPUT, Reason.CHECK_FAILED})
"""Trying again would not help: nobody wants it, or the recipe itself is wrong."""
UNTIMELY = frozenset({Reason.PREEMPTED, Reason.TIMEOUT, Reason.STALLED})
"""It was ended before it was through: what left a new checkpoint goes on from there, at no cost. So does what had not
even begun when its place was taken."""

PACE = 1.0
"""Seconds from the start of an attempt to that of the next which costs nothing: one that saves and is ended at once,
over and over, shall not keep the machine busy with it."""


class Another(Struct, frozen=True):
    """There is another attempt, in `delay` seconds; `free`: it uses up no retry."""

    delay: float
    free: bool = False


class Failures:
    """Counts, for each task of a build, the failures that cost a retry."""

    def __init__(self) -> None:
        self._counts: Counter[Task] = Counter()
        self._suspects: set[Task] = set()

    def of(self, task: Task) -> int:
        """How many there were."""
        return self._counts[task]

    def suspect(self, task: Task) -> None:
        """A batch failed that it was in: nobody knows whose fault that was, so that it costs none of them a retry."""
        self._suspects.add(task)

    def goes_alone(self, task: Task) -> bool:
        """Whether the task is kept out of batches: what happens to it shall happen to no others."""
        return task in self._suspects or self._counts[task] > 0

    def after(self, task: Task, result: JobResult) -> Another | None:
        """What follows from one more attempt that did not succeed; None: nothing."""
        if result.reason in UNTIMELY and result.saved and result.checkpoint:
            return Another(max(0.0, PACE - (result.ended - result.started)), free=True)
        if result.reason is Reason.PREEMPTED and not result.started:
            return Another(PACE, free=True)
        self._counts[task] += 1
        delay = delay_before_retry(task.target.retry, self._counts[task], result)
        return None if delay is None else Another(delay)


def delay_before_retry(retry: Retry, failures: int, result: JobResult) -> float | None:
    """Seconds to wait before the next attempt; None if there is none.

    Args:
        failures: how many attempts have cost a retry, this one included.
    """
    if failures > retry.count or result.reason in NEVER:
        return None
    if retry.on and not _named(retry.on, result):
        return None
    delay = min(retry.backoff * 2.0 ** (failures - 1), retry.longest)
    # Jitter, so that tasks that failed together do not all come back together.
    return delay * random.uniform(0.75, 1.0)


def _named(classes: tuple[str, ...], result: JobResult) -> bool:
    # A preempted attempt without a new checkpoint was ended by a signal, as any other.
    reason = Reason.SIGNAL if result.reason is Reason.PREEMPTED else result.reason
    return str(reason) in classes or (reason is Reason.EXIT and str(result.exit_status) in classes)
