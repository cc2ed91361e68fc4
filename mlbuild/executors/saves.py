"""What an attempt found of checkpoints when it began, and what it has left since, as its watcher knows it.

Blind to the disk: what a look there came to is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlbuild.executors.lineage import Mark, Row


@dataclass(frozen=True, slots=True)
class Start:
    """What an attempt finds in its directory.

    Attributes:
        name: of the entry from which it may go on; empty without any.
        grown_from: as in its result.
        reads: what those were seen to read that led to that entry, as in an `end` line.
        whole: marks of all that it may go on from, the newest at the end.
        inputs: path → signature of what it reads.
    """

    name: str
    grown_from: list[str]
    reads: list[list[Any]]
    whole: list[Mark]
    inputs: dict[str, str]


class Saves:
    """What an attempt that runs has left so far: known to the process that watches over it.

    Attributes:
        start: what it began with.
        made: marks of the whole checkpoints that it has left.
        whole: as `start.whole`, with those and without what `keep` has removed.
        waiting: names of entries that are worth a look.
        is_looking: whether a child is having that look.
    """

    def __init__(self, start: Row) -> None:
        self.start = Start(**start)
        self.made: list[Mark] = []
        self.whole = _marks(self.start.whole)
        self.waiting: list[str] = []
        self.is_looking = False

    def take(self, names: list[str], row: Row | None) -> None:
        """Learn what `checkpoints.put` made of these entries; without an answer they wait for another look."""
        self.is_looking = False
        if row is None:
            self.waiting = names + self.waiting
        else:
            self.made += _marks(row["made"])
            self.whole = _marks(row["whole"])


def _marks(rows: Iterable[Iterable[str]]) -> list[Mark]:
    return [(name, text) for name, text in rows]
