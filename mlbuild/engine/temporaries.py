"""Which temporary outputs nothing in a build needs any more. Blind to whether they are there, and removes nothing."""

from __future__ import annotations

from collections.abc import Collection

from mlbuild.engine.checks import check_references
from mlbuild.engine.states import State, States
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task


class Temporaries:
    """Counts who is still to come, for each task of a build.

    Args:
        goals: these were asked for, so that what they make stays.
        states: of all tasks of the build.
    """

    def __init__(self, graph: Graph, order: Order, goals: Collection[Task], states: States) -> None:
        self._goals = goals
        self._states = states
        self._uses: dict[Task, tuple[Task, ...]] = {}
        if any(
            output.temporary
            for target in {task.target.name: task.target for task in order}.values()
            for output in target.outputs
        ):
            # Conditions look at what others made, without an edge.
            checked = {task: (other for other in check_references(graph, task) if other in order) for task in order}
            self._uses = {task: (*needs, *checked[task]) for task, needs in order.items()}
        self._users: dict[Task, set[Task]] = {}
        self.start_over()

    def start_over(self) -> None:
        """Every task is decided again."""
        self._users = {}
        for user, needs in self._uses.items():
            for need in needs:
                self._users.setdefault(need, set()).add(user)

    def over(self, task: Task) -> list[Task]:
        """The tasks whose temporary outputs are due now that this one is in place.

        What is absent waits for what needs it, since it may have to be made after all; only then it is over, too.
        """
        due = []
        over = [task]
        while over:
            user = over.pop()
            for need in self._uses.get(user, ()):
                users = self._users[need]
                users.discard(user)
                if users:
                    continue
                if need.temporary and need not in self._goals:
                    due.append(need)
                if self._states[need] is State.ABSENT:
                    over.append(need)
        return due
