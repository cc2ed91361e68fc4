"""Which tasks of a build can be decided, and what each of the others still waits for.

Blind to how they are decided, and to why one that is over is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable

from mlbuild.engine.states import OVER, State, States
from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task


class Ready:
    """Tasks whose needs are all over, the first that were so first.

    Args:
        order: task → the tasks that it needs, each behind its needs.
        states: of all tasks of the build.
        first: until they are over, all are kept back that they do not need; none: nothing is.

    Attributes:
        consumers: task → the tasks that need it.
    """

    def __init__(self, order: Order, states: States, first: Iterable[Task] = ()) -> None:
        self._order = order
        self._states = states
        self.consumers: dict[Task, list[Task]] = {}
        self._link()
        self._awaited: dict[Task, set[Task]] = {}
        """What each task needs and is not over yet."""
        self._tasks: deque[Task] = deque()
        self._first = _with_needs(order, first)
        self._kept_back: list[Task] = []
        self.start_over(gone=(), kept=())

    def _link(self) -> None:
        self.consumers.clear()
        self.consumers.update((task, []) for task in self._order)
        for task, needs in self._order.items():
            for need in needs:
                self.consumers[need].append(task)

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def pop(self) -> Task:
        """The next to be decided."""
        return self._tasks.popleft()

    def add(self, task: Task) -> None:
        """Decide this, whether or not it waits for something."""
        self._states.set(task, State.READY)
        if self._first and task not in self._first:
            self._kept_back.append(task)
        else:
            self._tasks.append(task)

    @property
    def keeps_back(self) -> bool:
        """Whether there are tasks that could be decided if it were not for those that come first."""
        return bool(self._kept_back)

    def let_in(self) -> None:
        """Keep nothing back any more."""
        self._first.clear()
        self._tasks.extend(self._kept_back)
        self._kept_back.clear()

    def reopen(self, task: Task) -> None:
        """Decide this again, as soon as what it needs is in place."""
        if self.must_wait(task):
            self._states.set(task, State.PENDING)
        else:
            self.add(task)

    def must_wait(self, task: Task) -> bool:
        """Whether something that it needs is not over."""
        return bool(self._awaited[task])

    def over(self, task: Task, consumer: Task) -> None:
        """The consumer need not wait for this task any more."""
        awaited = self._awaited[consumer]
        awaited.discard(task)
        if not awaited and self._states[consumer] is State.PENDING:
            self.add(consumer)

    def await_again(self, task: Task) -> None:
        """Something that was over is decided again: what needs it, and is not decided yet, waits for it."""
        for consumer in self.consumers[task]:
            self._awaited[consumer].add(task)
        self.add(task)

    def start_over(self, gone: Container[Task], kept: Container[Task]) -> None:
        """All are decided again but those that are kept.

        Args:
            gone: nothing will come of them, so that nothing waits for them.
        """
        self._tasks.clear()
        self._kept_back.clear()
        for task, needs in self._order.items():
            self._awaited[task] = {need for need in needs if need not in gone}
            if task not in kept:
                self._states.set(task, State.PENDING)
        for task in self._order:
            if task not in kept and not self._awaited[task]:
                self.add(task)

    def follow(self, again: Container[Task], first: Iterable[Task]) -> None:
        """The order has changed. Those to be decided (again) wait for what they need; `let_go` has them decided.

        Args:
            again: what is new, and what hangs on it.
            first: as for a new one; none if nothing is kept back any more.
        """
        self._link()
        waiting = [task for task in (*self._tasks, *self._kept_back) if task in self._order and task not in again]
        self._first = _with_needs(self._order, first) if self._first else set()
        self._tasks.clear()
        self._kept_back.clear()
        for task, needs in self._order.items():
            if task in again:
                self._states.set(task, State.PENDING)
                self._awaited[task] = {need for need in needs if need in again or self._states[need] not in OVER}
            else:
                self._awaited[task] = {need for need in self._awaited[task] if need in self._order}
        for task in waiting:
            self.add(task)

    def let_go(self) -> None:
        """Decide what waits for nothing."""
        for task, awaited in self._awaited.items():
            if not awaited and task in self._order and self._states[task] is State.PENDING:
                self.add(task)


def _with_needs(order: Order, tasks: Iterable[Task]) -> set[Task]:
    """The tasks, and all that they need."""
    found = set(tasks)
    for task in reversed(order) if found else ():
        if task in found:
            found.update(order[task])
    return found
