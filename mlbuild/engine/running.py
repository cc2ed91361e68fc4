"""The attempts of a build that run, or wait in their executor to: their handles, how many there are of each target, how
far they say they are.

Blind to how they end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from mlbuild.engine.attempts import Attempt
from mlbuild.engine.events import TaskProgress
from mlbuild.engine.reports import Reports
from mlbuild.graph.task import Task
from mlbuild.target import Target


class Running:
    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._handles: dict[str, str] = {}
        self._parts: Counter[str] = Counter()
        """Of each run of a recipe, how many attempts have a part in it."""
        self._counts: Counter[str] = Counter()
        self._reports = Reports()
        self._to_begin: dict[str, str] = {}
        """Attempts of which is not known that they have begun, and the checkpoint from which each goes on."""

    def __bool__(self) -> bool:
        return bool(self._attempts)

    def add(self, attempt: Attempt, handle: str, progress: str, resumed_from: str) -> None:
        """An attempt was submitted, or taken over.

        Args:
            progress: the file in which it reports how far it is.
            resumed_from: the checkpoint that it goes on from, empty without any.
        """
        self._attempts[attempt.id] = attempt
        self._to_begin[attempt.id] = resumed_from
        self._handles[attempt.id] = handle
        run = attempt.job.run
        self._counts[attempt.task.target.name] += not self._parts[run]
        self._parts[run] += 1
        if attempt.id == run:
            self._reports.follow(run, attempt.task.name, progress)

    def waits(self, id: str) -> bool:
        """Whether an attempt is one of ours that is not known to have begun."""
        return id in self._to_begin

    def attempt(self, id: str) -> Attempt:
        return self._attempts[id]

    def begin(self, id: str) -> tuple[Attempt, str]:
        """An attempt that waited runs: it, and the checkpoint from which it goes on."""
        return self._attempts[id], self._to_begin.pop(id)

    def pop(self, id: str) -> tuple[Attempt, list[TaskProgress]] | None:
        """An attempt that has ended, and what it reported last; None if it did not run here."""
        attempt = self._attempts.pop(id, None)
        if attempt is None:
            return None
        del self._handles[id]
        self._to_begin.pop(id, None)
        run = attempt.job.run
        self._parts[run] -= 1
        self._counts[attempt.task.target.name] -= not self._parts[run]
        return attempt, list(self._reports.last(run)) if id == run else []

    def attempts(self) -> list[Attempt]:
        """All that run."""
        return [*self._attempts.values()]

    def of(self, task: Task) -> Attempt:
        """The attempt at a task that runs."""
        return next(each for each in self._attempts.values() if each.task is task)

    def count(self, target: Target) -> int:
        """How many of a target's tasks run; those of a batch are one."""
        return self._counts[target.name]

    def beside(self, attempt: Attempt) -> list[Task]:
        """The other tasks that have a part in its run and have not ended."""
        return [
            each.task for each in self._attempts.values() if each.job.run == attempt.job.run and each is not attempt
        ]

    def handles(self, tasks: Container[Task] | None = None) -> list[str]:
        """Those of all that run, or only of these tasks."""
        return [self._handles[id] for id, each in self._attempts.items() if tasks is None or each.task in tasks]

    def news(self) -> Iterator[TaskProgress]:
        """What they have reported since the last look."""
        return self._reports.new()
