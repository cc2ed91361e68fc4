"""Where each task of a build stands: one enum, and one `set` through which every change goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum

from mlbuild.graph.task import Task


class State(Enum):
    """Of a task, in a build."""

    PENDING = "pending"
    """Waits for tasks that it needs."""
    READY = "ready"
    """Can be decided: all that it needs is in place."""
    QUEUED = "queued"
    """Must run; waits for room."""
    WAITING = "waiting"
    """Another build works on it, or needs it as it is."""
    RUNNING = "running"
    CHECKING = "checking"
    """It ran; its checks wait for other tasks."""
    FRESH = "fresh"
    RESTORED = "restored"
    ABSENT = "absent"
    """Not in place and not needed: all that needs it is fresh."""
    BUILT = "built"
    FAILED = "failed"
    BLOCKED = "blocked"
    """Something that it needs failed or is missing."""
    CANCELLED = "cancelled"
    """Not started, or stopped, because the build was."""


IN_PLACE = frozenset({State.FRESH, State.RESTORED, State.ABSENT, State.BUILT})
"""What needs such a task can be decided."""
NOTHING = frozenset({State.FAILED, State.BLOCKED, State.CANCELLED})
"""Nothing will come of such a task in this build."""
OVER = IN_PLACE | NOTHING
ACTIVE = frozenset({State.RUNNING, State.CHECKING})
MUST_RUN = ACTIVE | {State.QUEUED, State.WAITING}
"""It was decided that such a task runs."""


class States:
    """The state of every task of a build, and how many are in each."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._states = dict.fromkeys(tasks, State.PENDING)
        self.counts: Counter[State] = Counter({State.PENDING: len(self._states)})

    def __getitem__(self, task: Task) -> State:
        return self._states[task]

    def __contains__(self, task: Task) -> bool:
        return task in self._states

    def set(self, task: Task, state: State) -> None:
        self.counts[self._states[task]] -= 1
        self._states[task] = state
        self.counts[state] += 1

    def follow(self, tasks: Iterable[Task]) -> None:
        """These are all tasks of the build from now on; those that are new are pending."""
        self._states = {task: self._states.get(task, State.PENDING) for task in tasks}
        self.counts = Counter(self._states.values())

    def within(self, *states: State) -> list[Task]:
        """The tasks that are in one of these states."""
        return [task for task, state in self._states.items() if state in states]

    def count(self, states: Iterable[State]) -> int:
        return sum(self.counts[state] for state in states)
