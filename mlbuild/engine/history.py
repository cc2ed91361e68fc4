"""How long tasks took before, and so how long they should take, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable

from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal

UNKNOWN = 1.0
"""Seconds for a task of a target that never ran."""


class History:
    """Expected durations for the tasks of a build.

    Args:
        journal: what was before; None for nothing.
        order: task → the tasks that it needs, each behind its needs.
        in_turn: tasks of it that are wanted one after another, the first of them first; none: as soon as can be.
    """

    def __init__(self, journal: Journal | None, order: Order, in_turn: Iterable[Task] = ()) -> None:
        self._journal = journal
        self._usual: dict[str, float | None] = {}
        self.follow(order, in_turn)

    def follow(self, order: Order, in_turn: Iterable[Task]) -> None:
        """From now on these are the tasks of the build."""
        self._order = order
        self._in_turn = in_turn
        self._seconds = self._journal.durations([task.name for task in order]) if self._journal else {}
        self._turns: tuple[dict[Task, int], dict[Task, float]] | None = None

    def expected(self, task: Task) -> float | None:
        """Seconds: what it took last time, else what its target's tasks took; None if none ever ran."""
        known = self._seconds.get(task.name)
        if known is not None or self._journal is None:
            return known
        name = task.target.name
        if name not in self._usual:
            self._usual[name] = self._journal.usual_duration(name)
        return self._usual[name]

    def turn(self, task: Task) -> tuple[int, float]:
        """The least of these is next: of what is wanted soonest, what the longest path hangs on."""
        if self._turns is None:
            self._turns = _ranks(self._order, self._in_turn), self._longest_paths(self._order)
        ranks, paths = self._turns
        return ranks.get(task, 0), -paths[task]

    def _longest_paths(self, order: Order) -> dict[Task, float]:
        """Seconds from the start of each task to the end of the longest path behind it."""
        after = dict.fromkeys(order, 0.0)
        for task in reversed(order):
            expected = self.expected(task)
            after[task] += UNKNOWN if expected is None else expected
            for need in order[task]:
                after[need] = max(after[need], after[task])
        return after


def _ranks(order: Order, in_turn: Iterable[Task]) -> dict[Task, int]:
    """The place of each task in a row; what several need has that of the first of them."""
    ranks = {task: rank for rank, task in enumerate(in_turn)}
    for task in reversed(order) if ranks else ():
        for need in order[task]:
            ranks[need] = min(ranks.get(need, ranks[task]), ranks[task])
    return ranks
