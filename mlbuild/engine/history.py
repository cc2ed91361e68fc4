"""How long tasks took before, and so how long they should take, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean

from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task

UNKNOWN = 1.0
"""Seconds for a task of a target that never ran."""


class History:
    """Expected durations for the tasks of a build.

    Args:
        seconds: of the last success, by the name of the task.
        order: task → the tasks that it needs, each behind its needs.
        in_turn: tasks of it that are wanted one after another, the first of them first; none: as soon as can be.
    """

    def __init__(self, seconds: Mapping[str, float], order: Order, in_turn: Iterable[Task] = ()) -> None:
        self._seconds = seconds
        by_target: dict[str, list[float]] = {}
        for name, value in seconds.items():
            by_target.setdefault(name.partition("[")[0], []).append(value)
        self._means = {target: fmean(values) for target, values in by_target.items()}
        self.follow(order, in_turn)

    def follow(self, order: Order, in_turn: Iterable[Task]) -> None:
        """From now on these are the tasks of the build."""
        self._paths = self._longest_paths(order)
        self._ranks = _ranks(order, in_turn)

    def expected(self, task: Task) -> float | None:
        """Seconds: what it took last time, else what its target's tasks took; None if none ever ran."""
        known = self._seconds.get(task.name)
        return self._means.get(task.target.name) if known is None else known

    def turn(self, task: Task) -> tuple[int, float]:
        """The least of these is next: of what is wanted soonest, what the longest path hangs on."""
        return self._ranks.get(task, 0), -self._paths[task]

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
