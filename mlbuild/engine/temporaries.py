"""Which temporary outputs nothing in a build needs any more. Blind to whether they are there, and removes nothing."""

from __future__ import annotations

from collections.abc import Collection

from mlbuild.engine.checks import check_references
from mlbuild.engine.states import IN_PLACE, State, States
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task


class Temporaries:
    """Counts who is still to come, for each task of a build.

    Args:
        goals: these were asked for, so that what they make stays.
        states: of all tasks of the build.
    """

    def __init__(self, graph: Graph, order: Order, goals: Collection[Task], states: States) -> None:
        self._graph = graph
        self._order = order
        self._states = states
        self._uses: dict[Task, tuple[Task, ...]] = {}
        self._users: dict[Task, set[Task]] = {}
        self.follow(goals)

    def follow(self, goals: Collection[Task]) -> list[Task]:
        """The order has changed, or is new. Returns the tasks whose temporary outputs are due by that."""
        self._goals, order = goals, self._order
        self._uses = {}
        if any(
            output.temporary
            for target in {task.target.name: task.target for task in order}.values()
            for output in target.outputs
        ):
            # Conditions look at what others made, without an edge.
            checked = ((other for other in check_references(self._graph, task) if other in order) for task in order)
            self._uses = {task: (*order[task], *others) for task, others in zip(order, checked, strict=True)}
        self.start_over()
        over = [task for task in self._uses if self._states[task] in IN_PLACE - {State.ABSENT}]
        return list(dict.fromkeys(due for task in over for due in self.over(task)))

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
