"""The other builds of this workspace that live: what they hold, whom this one waits for, and to whom it yields.

Blind to what is done here once the way is free.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto

from mlbuild.engine import events
from mlbuild.engine.facts import Inspector
from mlbuild.engine.queue import Wanted
from mlbuild.errors import StateError
from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal
from mlbuild.state.leases import Conflict

POLL = 0.1
"""Seconds between two looks at whether another build has let go."""


class Claim(Enum):
    """What came of asking for a task."""

    OURS = auto()
    WAITING = auto()
    """Another build is at it, or needs something of it as it is."""
    MADE = auto()
    """Another build has just made it: it must be decided again."""
    ORPHANED = auto()
    """A dead build has left an attempt at it: everything must be decided again."""


class OtherBuilds:
    """Claims tasks among the builds that live.

    Args:
        order: task → the tasks that it needs.
        say: is told of whom this build waits for.
        waits: for another build that is in the way; else that is an error.
    """

    def __init__(
        self,
        order: Order,
        journal: Journal,
        inspector: Inspector,
        say: Callable[[events.Event], None],
        *,
        waits: bool = True,
    ) -> None:
        self._order = order
        self._journal = journal
        self._inspector = inspector
        self._say = say
        self._waits = waits
        self._keys: dict[Task, str] = {}
        self._waiting: dict[Task, Wanted] = {}
        self._announced: set[int] = set()
        self._yielding_to: int | None = None
        self._next_look = 0.0

    @property
    def yielding(self) -> bool:
        """An older build wants something else: nothing more starts here until it has ended."""
        return self._yielding_to is not None

    @property
    def awaited(self) -> bool:
        """Something waits for another build."""
        return self.yielding or bool(self._waiting)

    def decided(self, task: Task, key: str) -> None:
        """A task was decided by this fingerprint: what needs it takes it to stay so."""
        self._keys[task] = key

    def claim(self, wanted: Wanted) -> Claim:
        """Ask for a task, to work on it. Raises StateError for what this build does not wait for."""
        task = wanted.task
        conflict = self._journal.leases.take(task.name, wanted.fingerprint.key, self._held_still(wanted))
        if conflict and conflict.dead:
            return Claim.ORPHANED
        if conflict:
            self._wait_for(conflict, wanted)
            return Claim.WAITING
        trace = self._inspector.trace(task)
        if (trace.finished if trace else 0.0) != wanted.stamp:
            self._journal.leases.give_back(task.name)
            return Claim.MADE
        return Claim.OURS

    def _held_still(self, wanted: Wanted) -> list[tuple[str, str]]:
        """(what, fingerprint) of all that must not be another's while a task is worked on: what it needs, and, since
        another build may have read another Pipelinefile, the paths that it makes."""
        needs = [(need.name, self._keys[need]) for need in self._order[wanted.task] if need in self._keys]
        return needs + [(f"output {path}", wanted.fingerprint.key) for path in wanted.task.made]

    def _wait_for(self, conflict: Conflict, wanted: Wanted) -> None:
        doing = "makes it" if conflict.same else f"needs {conflict.task} as it is"
        if not self._waits:
            text = f"{wanted.task.name} can't be had now: run {conflict.run} (process {conflict.pid}) {doing}"
            raise StateError(text, hint="try again once that has ended")
        self._waiting[wanted.task] = wanted
        if conflict.run not in self._announced:
            self._announced.add(conflict.run)
            text = f"waits for run {conflict.run} (process {conflict.pid}), which {doing}"
            self._say(events.Said(text, wanted.task.name))
        if not conflict.same and conflict.run < self._journal.run:
            # Of two builds that want different things the older goes first: so they never wait for each other.
            self._yielding_to = conflict.run

    def let_go(self, *, working: bool) -> bool:
        """Look, now and then, whether a build that stood in the way has let go: everything must be decided again then,
        for what it left is new to us, and so may be what our decisions rest on.

        Args:
            working: something of this build runs, so that it can't yield yet.
        """
        now = time.monotonic()
        if now < self._next_look or not self.awaited:
            return False
        self._next_look = now + POLL
        if self._yielding_to is not None:
            return not working and self._has_ended(self._yielding_to)
        return any(self._is_free(wanted) for wanted in self._waiting.values())

    def _has_ended(self, run: int) -> bool:
        self._journal.leases.give_back_idle()
        if self._journal.lives(run):
            return False
        self._yielding_to = None
        return True

    def _is_free(self, wanted: Wanted) -> bool:
        conflict = self._journal.leases.conflict(wanted.task.name, wanted.fingerprint.key, self._held_still(wanted))
        return conflict is None or conflict.dead

    def drop(self, task: Task) -> None:
        """It is not to be made any more."""
        self._waiting.pop(task, None)

    def forget(self) -> None:
        """Everything is decided again: nothing waits any more."""
        self._waiting.clear()
