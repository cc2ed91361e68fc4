"""Slurm's queue, as it was told last: all jobs at once, asked for after pauses that grow while nothing happens.

Blind to what follows from it for a job.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mlbuild.executors.slurm.commands import ENDED, Command, Row, queue, rows
from mlbuild.executors.slurm.known import Known

SHORTEST, LONGEST, GROWTH = 1.0, 60.0, 1.5
"""Seconds between two questions to Slurm, and by what these grow while nothing happens."""
PATIENCE = 30.0
"""Seconds without an answer after which that is worth a word."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What Slurm said, and when it was asked, in `time.monotonic` seconds."""

    asked: float = float("-inf")
    jobs: dict[tuple[str, int | None], Row] = field(default_factory=dict)

    def of(self, known: Known) -> Row | None:
        """What it says of a job. Slurm tells of those of an array that have not begun in one row."""
        row = self.jobs.get((known.name, known.index)) or self.jobs.get((known.name, None))
        if row is None or known.index is None:
            return row
        return replace(row, id=f"{row.id.partition('_')[0]}_{known.index}")


class Queue:
    """Asks for it, without waiting for the answer.

    Args:
        news: where a word goes on what is worth one.
    """

    def __init__(self, news: list[str]) -> None:
        self.picture = Picture()
        self.pause = SHORTEST
        """Seconds between two questions."""
        self._news = news
        self._asking: Command | None = None
        self._next = 0.0
        self._unanswered: float | None = None
        self._is_told = False

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask again."""
        return self._asking is None and time.monotonic() >= self._next

    def ask(self) -> None:
        self._asking = queue()

    def look_soon(self) -> None:
        """Have it asked for soon: something has happened."""
        self.pause = SHORTEST
        self._next = min(self._next, time.monotonic() + self.pause)

    def look_now(self) -> None:
        self._next = 0.0

    def hear(self) -> bool:
        """Whether an answer has come that is one: the picture is a new one."""
        if self._asking is None or (answer := self._asking.answer()) is None:
            return False
        asked, self._asking = self._asking.began, None
        self._next = time.monotonic() + self.pause
        self.pause = min(self.pause * GROWTH, LONGEST)
        found = rows(answer)
        if found is None:
            self.silent(answer.word)
            return False
        if self._is_told:
            self._news.append("Slurm answers again")
        self.picture, self._unanswered, self._is_told = Picture(asked, _by_name(found)), None, False
        return True

    def silent(self, word: str) -> None:
        """Slurm gave no answer, to this question or to another. That says nothing about any job."""
        now = time.monotonic()
        self._unanswered = self._unanswered or now
        if not self._is_told and now - self._unanswered > PATIENCE:
            self._is_told = True
            self._news.append(f"Slurm does not answer ({word}): what runs goes on, and all else waits")

    def close(self) -> None:
        if self._asking:
            self._asking.give_up()


def ask_once(patience: float) -> Picture | None:
    """What is in it, after waiting for that at most so many seconds; None if Slurm gives no answer."""
    asked, command = time.monotonic(), queue()
    answer = command.answer(patience)
    if answer is None:
        command.give_up()
    found = rows(answer) if answer else None
    return None if found is None else Picture(asked, _by_name(found))


def _by_name(found: Sequence[Row]) -> dict[tuple[str, int | None], Row]:
    """Each job by its name and its place in its array. Of one that was submitted twice, the one that is not over."""
    jobs: dict[tuple[str, int | None], Row] = {}
    for row in sorted(found, key=lambda row: row.state not in ENDED):
        index = row.id.partition("_")[2]
        jobs[row.name, int(index) if index.isdigit() else None] = row
    return jobs
