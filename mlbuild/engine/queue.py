"""Tasks that must run and wait for their turn: for room, for others of their kind to end, or for a time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Container
from dataclasses import dataclass

from mlbuild.engine.decide import Reason
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Fingerprint


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task that was decided to run."""

    task: Task
    fingerprint: Fingerprint
    edited: tuple[str, ...]
    stamp: float
    """When its last success was recorded, as seen by the decision."""
    reasons: tuple[Reason, ...] = ()


Turn = tuple[float, float]
Entry = tuple[Turn, int, Wanted]


class Queue:
    """Each task in its turn.

    Args:
        turn: of a task; the least is next.
        line: where a task must wait so that others need not (for one of its target to end, for room on its own
            executor); None if it need not.
        has_room: whether a task could start now.
    """

    def __init__(
        self,
        turn: Callable[[Task], Turn],
        line: Callable[[Wanted], str | None],
        has_room: Callable[[Wanted], bool],
    ) -> None:
        self._turn = turn
        self._line = line
        self._has_room = has_room
        self._entries: list[Entry] = []
        self._lines: dict[str, list[Entry]] = {}
        self._later: list[Entry] = []
        self._pushed = 0

    def __bool__(self) -> bool:
        return bool(self._entries or self._lines or self._later)

    def push(self, wanted: Wanted) -> None:
        heapq.heappush(self._entries, self._entry(self._turn(wanted.task), wanted))

    def push_later(self, wanted: Wanted, delay: float) -> None:
        """Not before `delay` seconds have gone."""
        heapq.heappush(self._later, self._entry((time.monotonic() + delay, 0.0), wanted))

    def pop(self) -> Wanted | None:
        """The next that can start. One that must wait for room is overtaken by none but those of other lines."""
        self._let_in()
        while self._entries:
            wanted = self._entries[0][2]
            if line := self._line(wanted):
                self._lines.setdefault(line, []).append(heapq.heappop(self._entries))
            elif self._has_room(wanted):
                return heapq.heappop(self._entries)[2]
            else:
                return None
        return None

    def drop(self, tasks: Container[Task]) -> None:
        """They are not to start any more."""
        for entries in (self._entries, self._later, *self._lines.values()):
            entries[:] = [entry for entry in entries if entry[2].task not in tasks]
            heapq.heapify(entries)
        self._lines = {name: entries for name, entries in self._lines.items() if entries}

    def clear(self) -> None:
        self._entries.clear()
        self._lines.clear()
        self._later.clear()

    def _entry(self, turn: Turn, wanted: Wanted) -> Entry:
        self._pushed += 1
        return turn, self._pushed, wanted

    def _let_in(self) -> None:
        """Put in what has waited long enough, and one of each line that has moved."""
        now = time.monotonic()
        while self._later and self._later[0][0][0] <= now:
            self.push(heapq.heappop(self._later)[2])
        for name in [name for name, entries in self._lines.items() if self._line(entries[0][2]) != name]:
            heapq.heappush(self._entries, self._lines[name].pop(0))
            if not self._lines[name]:
                del self._lines[name]
