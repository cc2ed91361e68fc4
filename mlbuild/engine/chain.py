"""Attempts that are submitted all at once: what each comes behind, and what it reads that others have yet to make.

Blind to whether a task must run.
"""

from __future__ import annotations

from mlbuild.engine.attempts import ALONE, Attempt, Behind
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task


class Chain:
    """The attempts, each behind those that come before it.

    Args:
        order: task → the tasks that it needs.
    """

    def __init__(self, graph: Graph, order: Order) -> None:
        self._graph = graph
        self._order = order
        self._at_work: dict[Task, str] = {}
        """The attempts at tasks, those too that were submitted before."""
        self._last: dict[Task, tuple[Task, ...]] = {}
        """The tasks at work that must succeed before a task is in place, without those before them."""
        self.attempts: list[Attempt] = []
        """Those that are to be submitted."""

    def add(self, task: Task, attempt: str) -> None:
        """An attempt at a task, of which nobody has asked yet, is at work or will be submitted."""
        self._at_work[task] = attempt

    def behind(self, task: Task) -> Behind:
        """What comes before a task."""
        tasks = tuple(dict.fromkeys(last for need in self._order[task] for last in self._before(need)))
        if not tasks:
            return ALONE
        reads = (read for source in self._graph.sources(task) for read in source.reads)
        makers = {path: self._at_work[maker] for path, maker in reads if maker in self._at_work}
        return Behind(tuple(self._at_work[each] for each in tasks), makers, tasks)

    def _before(self, task: Task) -> tuple[Task, ...]:
        if task in self._at_work:
            return (task,)
        if task not in self._last:
            needs = self._order[task] if task.is_group else []
            self._last[task] = tuple(dict.fromkeys(last for need in needs for last in self._before(need)))
        return self._last[task]
