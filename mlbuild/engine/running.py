"""The attempts of a build that run: their handles, how many there are of each target, how far they say they are.

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
        self._counts: Counter[str] = Counter()
        self._reports = Reports()

    def __bool__(self) -> bool:
        return bool(self._attempts)

    def add(self, attempt: Attempt, handle: str, progress: str) -> None:
        """An attempt runs.

        Args:
            progress: the file in which it reports how far it is.
        """
        self._attempts[attempt.id] = attempt
        self._handles[attempt.id] = handle
        self._counts[attempt.task.target.name] += 1
        self._reports.follow(attempt.id, attempt.task.name, progress)

    def pop(self, id: str) -> tuple[Attempt, list[TaskProgress]] | None:
        """An attempt that has ended, and what it reported last; None if it did not run here."""
        attempt = self._attempts.pop(id, None)
        if attempt is None:
            return None
        del self._handles[id]
        self._counts[attempt.task.target.name] -= 1
        return attempt, list(self._reports.last(id))

    def count(self, target: Target) -> int:
        """How many of a target's tasks run."""
        return self._counts[target.name]

    def handles(self, tasks: Container[Task] | None = None) -> list[str]:
        """Those of all that run, or only of these tasks."""
        return [self._handles[id] for id, each in self._attempts.items() if tasks is None or each.task in tasks]

    def news(self) -> Iterator[TaskProgress]:
        """What they have reported since the last look."""
        return self._reports.new()
