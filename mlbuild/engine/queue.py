"""Tasks that must run and wait for their turn: for room, for others of their kind to end, or for a time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Container, Hashable, Iterator

from msgspec import Struct

from mlbuild.engine.decide import Reason
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Fingerprint


class Wanted(Struct, frozen=True):
    """A task that was decided to run."""

    task: Task
    fingerprint: Fingerprint
    edited: tuple[str, ...]
    stamp: float
    """When its last success was recorded, as seen by the decision."""
    reasons: tuple[Reason, ...] = ()


Turn = tuple[float, float]
Kin = tuple[Hashable, int]
Entry = tuple[Turn, int, Wanted]


class Queue:
    """Each task in its turn.

    Args:
        turn: of a task; the least is next.
        line: where a task must wait so that others need not (for one of its target to end, for room on its own
            executor); None if it need not.
        has_room: whether a task could start now.
        kin: what tasks have in common that one run of their recipe can be for, and the task's place among all that
            have; None: it starts alone.
    """

    def __init__(
        self,
        turn: Callable[[Task], Turn],
        line: Callable[[Wanted], str | None],
        has_room: Callable[[Wanted], bool],
        kin: Callable[[Wanted], Kin | None],
    ) -> None:
        self._turn = turn
        self._line = line
        self._has_room = has_room
        self._kin = kin
        self._families: dict[Hashable, list[tuple[float, int, int, Wanted]]] = {}
        """What is queued, by what it has in common."""
        self._gone: set[int] = set()
        """The numbers of entries that were started with their kin."""
        self._entries: list[Entry] = []
        self._lines: dict[str, list[Entry]] = {}
        self._later: list[Entry] = []
        self._pushed = 0

    def __bool__(self) -> bool:
        return bool(self._entries or self._lines or self._later)

    def push(self, wanted: Wanted) -> None:
        entry = self._entry(self._turn(wanted.task), wanted)
        heapq.heappush(self._entries, entry)
        if kin := self._kin(wanted):
            family, place = kin
            heapq.heappush(self._families.setdefault(family, []), (entry[0][0], place, entry[1], wanted))

    def push_later(self, wanted: Wanted, delay: float) -> None:
        """Not before `delay` seconds have gone."""
        heapq.heappush(self._later, self._entry((time.monotonic() + delay, 0.0), wanted))

    def pop(self) -> Wanted | None:
        """The next that can start. One that must wait for room is overtaken by none but those of other lines."""
        self._let_in()
        while self._entries:
            entry = self._entries[0]
            wanted = entry[2]
            if self._is_gone(entry):
                heapq.heappop(self._entries)
            elif line := self._line(wanted):
                self._lines.setdefault(line, []).append(heapq.heappop(self._entries))
            elif self._has_room(wanted):
                # Of its kin those start first that stand first, so that neighbours are together.
                return next(self.pop_kin(wanted, 1), None) or heapq.heappop(self._entries)[2]
            else:
                return None
        return None

    def count_kin(self, wanted: Wanted) -> int:
        """How many are queued that could be started together with this, itself included."""
        return len(self._family(wanted))

    def pop_kin(self, wanted: Wanted, most: int) -> Iterator[Wanted]:
        """The next that can be started together with this, even before others: at most so many."""
        family = self._family(wanted)
        for _ in range(min(most, len(family))):
            _, _, number, other = heapq.heappop(family)
            self._gone.add(number)
            yield other

    def _family(self, wanted: Wanted) -> list[tuple[float, int, int, Wanted]]:
        kin = self._kin(wanted)
        return self._families.get(kin[0], []) if kin else []

    def _is_gone(self, entry: Entry) -> bool:
        """Whether it was started with its kin; once that was asked of it, it is forgotten."""
        if entry[1] not in self._gone:
            return False
        self._gone.remove(entry[1])
        return True

    def drop(self, tasks: Container[Task]) -> None:
        """They are not to start any more."""
        for entries in (self._entries, self._later, *self._lines.values()):
            entries[:] = [entry for entry in entries if entry[2].task not in tasks]
            heapq.heapify(entries)
        for family in self._families.values():
            family[:] = [kin for kin in family if kin[3].task not in tasks]
            heapq.heapify(family)
        self._lines = {name: entries for name, entries in self._lines.items() if entries}

    def clear(self) -> None:
        self._entries.clear()
        self._lines.clear()
        self._later.clear()
        self._families.clear()
        self._gone.clear()

    def _entry(self, turn: Turn, wanted: Wanted) -> Entry:
        self._pushed += 1
        return turn, self._pushed, wanted

    def _let_in(self) -> None:
        """Put in what has waited long enough, and one of each line that has moved."""
        now = time.monotonic()
        while self._later and self._later[0][0][0] <= now:
            self.push(heapq.heappop(self._later)[2])
        for name, entries in list(self._lines.items()):
            while entries and self._is_gone(entries[0]):
                del entries[0]
            if entries and self._line(entries[0][2]) != name:
                heapq.heappush(self._entries, entries.pop(0))
            if not entries:
                del self._lines[name]
