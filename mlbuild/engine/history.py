"""How long tasks took before, and so how long they should take, and which of them the rest waits for."""

from __future__ import annotations

from collections.abc import Mapping
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
    """

    def __init__(self, seconds: Mapping[str, float], order: Order) -> None:
        self._seconds = seconds
        by_target: dict[str, list[float]] = {}
        for name, value in seconds.items():
            by_target.setdefault(name.partition("[")[0], []).append(value)
        self._means = {target: fmean(values) for target, values in by_target.items()}
        self._priorities = self._longest_paths(order)

    def expected(self, task: Task) -> float | None:
        """Seconds: what it took last time, else what its target's tasks took; None if none ever ran."""
        known = self._seconds.get(task.name)
        return self._means.get(task.target.name) if known is None else known

    def priority(self, task: Task) -> float:
        """Seconds from its start to the end of the longest path behind it."""
        return self._priorities[task]

    def _longest_paths(self, order: Order) -> dict[Task, float]:
        after = dict.fromkeys(order, 0.0)
        for task in reversed(order):
            expected = self.expected(task)
            after[task] += UNKNOWN if expected is None else expected
            for need in order[task]:
                after[need] = max(after[need], after[task])
        return after
