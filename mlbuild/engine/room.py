"""Whether a task that must run could start now, and where it waits so that others need not.

Blind to whose turn it is: the queue asks.
"""

from __future__ import annotations

from mlbuild.engine.attempts import Attempts
from mlbuild.engine.policy import Failures
from mlbuild.engine.queue import Wanted
from mlbuild.engine.running import Running
from mlbuild.errors import PipelineError
from mlbuild.executors.job import Executor, Job
from mlbuild.target import Target

SCARCE = ("gpus", "gpu_memory", "disk")
"""Resources that most tasks do not ask for."""


class Room:
    """What the executor has left, and what targets allow.

    Args:
        max_active: of each partitioned target at most so many tasks run at once, even if its clause allows more.
    """

    def __init__(
        self, executor: Executor, attempts: Attempts, running: Running, failures: Failures, max_active: int | None
    ) -> None:
        self._executor = executor
        self._attempts = attempts
        self._running = running
        self._failures = failures
        self._max_active = max_active

    def is_there(self, wanted: Wanted) -> bool:
        """Whether the next attempt could start now. One that never can is not to wait: who starts it is told why."""
        try:
            job = self._asked(wanted)
        except PipelineError:
            return True
        return self._executor.has_room(job) or self._executor.too_large(job) is not None

    def never(self, wanted: Wanted) -> str | None:
        """What the next attempt asks for that can never be had, in words.

        Raises:
            PipelineError: what it asks for has no value.
        """
        return self._executor.too_large(self._asked(wanted))

    def line(self, wanted: Wanted) -> str | None:
        """Where a task must wait so that others need not: for one of its target, or for what not all take."""
        target, executor = wanted.task.target, self._attempts.executor(wanted.task)
        if self._is_full(target) and not self._executor.queues(executor):
            return target.name
        resources = target.resources
        scarce = [name for name in SCARCE if getattr(resources, name)]
        if executor == "local" and not (resources.pools or scarce):
            return None
        return None if self.is_there(wanted) else f"{' '.join([*resources.pools, *scarce])} on {executor}"

    def _is_full(self, target: Target) -> bool:
        """Whether as many of its tasks run as may."""
        most = at_once(target, self._max_active)
        return most is not None and self._running.count(target) >= most

    def _asked(self, wanted: Wanted) -> Job:
        """What the next attempt asks for, as a job without anything to do."""
        request = self._attempts.request(wanted.task, self._failures.of(wanted.task))
        return Job("", wanted.task.name, "", "", **request)


def at_once(target: Target, max_active: int | None) -> int | None:
    """How many tasks of a target may run at once, by its clause and by `--max-active`; None: any number."""
    limits = (target.max_active, max_active if target.partitions else None)
    return min((most for most in limits if most is not None), default=None)
