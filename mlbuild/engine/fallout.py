"""What a task that can't be made means for those that need it. Blind to why it can't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlbuild.engine import events
from mlbuild.engine.states import State, States
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task


class Fallout:
    """Marks tasks failed, cancelled and blocked.

    Args:
        consumers: task → the tasks that need it.
        over: is told that one (the second) need not wait for another (the first) any more.

    Attributes:
        broken: how many failed without which the goals can't be had.
    """

    def __init__(
        self,
        graph: Graph,
        consumers: Mapping[Task, Sequence[Task]],
        states: States,
        say: Callable[[events.Event], None],
        over: Callable[[Task, Task], None],
    ) -> None:
        self._graph = graph
        self._consumers = consumers
        self._states = states
        self._say = say
        self._over = over
        self.broken = 0

    def fail(self, task: Task) -> None:
        """A task has failed for good."""
        self._states.set(task, State.FAILED)
        consumers = self._consumers[task]
        tolerated = bool(consumers) and all(self._graph.may_lack(consumer, task) for consumer in consumers)
        self.broken += not (tolerated or task.target.on_failure == "continue")
        self._spread(task, task.name)

    def cancel(self, task: Task) -> None:
        """Somebody wants nothing more of a task: the rest goes on."""
        self._states.set(task, State.CANCELLED)
        self._spread(task, task.name)

    def block(self, task: Task, by: str) -> None:
        """A task can't be made."""
        self._states.set(task, State.BLOCKED)
        self._say(events.TaskBlocked(task.name, by))
        self._spread(task, by)

    def _spread(self, task: Task, by: str) -> None:
        """Nothing will come of a task: what needs it is blocked, unless it may be absent there."""
        stack = [task]
        while stack:
            gone = stack.pop()
            self._graph.leave_out(gone)
            for consumer in self._consumers[gone]:
                if self._graph.may_lack(consumer, gone):
                    self._over(gone, consumer)
                elif self._states[consumer] not in (State.BLOCKED, State.CANCELLED):
                    self._states.set(consumer, State.BLOCKED)
                    self._say(events.TaskBlocked(consumer.name, by))
                    stack.append(consumer)
