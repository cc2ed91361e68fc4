"""Leases: which build works on a task's outputs, or needs them as they are. They name the fingerprint that it wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from msgspec import Struct

from mlbuild.killpoint import reach
from mlbuild.state.database import Database
from mlbuild.state.living import Living


class Conflict(Struct, frozen=True):
    """Why a lease can't be had now: build `run` (process `pid`) works on `task`, or needs it as it is."""

    run: int
    pid: int
    task: str
    same: bool
    """It wants the very same result, so that waiting for the task is enough; else for the end of the build."""
    dead: bool = False
    """The build has died, but what it started on the task may go on: that must be taken over first."""


class Leases:
    """The leases of a workspace; this build's are those of `living.run`.

    Args:
        database: the journal's.
        transaction: within which the journal writes.
    """

    def __init__(
        self, database: Database, transaction: Callable[[], AbstractContextManager[None]], living: Living
    ) -> None:
        self._db = database
        self._transaction = transaction
        self._living = living

    def take(self, task: str, fingerprint: str, needs: Sequence[tuple[str, str]]) -> Conflict | None:
        """Ask for a task's outputs, to work on them, and for those that it reads, to stay as they are.

        Args:
            needs: (task, fingerprint) of each task that it reads from; other things that are held so have names that
                no task has.

        Returns:
            None if all were given; else who stands in the way, and nothing was given.
        """
        with self._transaction():
            found = (self._conflict(name, wanted) for name, wanted in ((task, fingerprint), *needs))
            conflict = next((conflict for conflict in found if conflict is not None), None)
            if conflict is not None:
                return conflict
            self._db.executemany(
                "INSERT OR IGNORE INTO leases VALUES (?, ?, ?, 0)",
                [(name, self._living.run, key) for name, key in needs],
            )
            self._db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, 1)", (task, self._living.run, fingerprint))
        reach("leased")
        return None

    def conflict(self, task: str, fingerprint: str, needs: Sequence[tuple[str, str]]) -> Conflict | None:
        """Who stands in the way of a lease now."""
        with self._transaction():
            found = (self._conflict(name, wanted) for name, wanted in ((task, fingerprint), *needs))
            return next((conflict for conflict in found if conflict is not None), None)

    def _conflict(self, task: str, fingerprint: str) -> Conflict | None:
        rows = self._db.execute(
            "SELECT leases.run, pid, fingerprint, working FROM leases JOIN runs ON runs.id = leases.run"
            " WHERE task = ? AND leases.run != ?",
            (task, self._living.run),
        ).fetchall()
        for run, pid, held, busy in rows:
            if not self._living.lives(run):
                if busy and self._is_open(task, run):
                    return Conflict(run, pid, task, same=held == fingerprint, dead=True)
                self._db.execute("DELETE FROM leases WHERE task = ? AND run = ?", (task, run))
            elif held != fingerprint:
                return Conflict(run, pid, task, same=False)
            elif busy:
                return Conflict(run, pid, task, same=True)
        return None

    def _is_open(self, task: str, run: int) -> bool:
        query = "SELECT 1 FROM attempts WHERE task = ? AND run = ? AND job NOT NULL AND ended IS NULL"
        return self._db.execute(query, (task, run)).fetchone() is not None

    def held(self) -> set[str]:
        """The fingerprints of all that builds which live hold."""
        rows = self._db.execute("SELECT DISTINCT run, fingerprint FROM leases").fetchall()
        living = {run for run in {run for run, _ in rows} if self._living.lives(run)}
        return {key for run, key in rows if run in living}

    def give_back_idle(self) -> None:
        """Give back every lease on which no work is going on."""
        with self._transaction():
            self._db.execute("DELETE FROM leases WHERE run = ? AND NOT working", (self._living.run,))

    def give_back(self, task: str) -> None:
        """The work on a task has ended without a result."""
        with self._transaction():
            self._db.execute("DELETE FROM leases WHERE task = ? AND run = ?", (task, self._living.run))

    def release(self, task: str) -> None:
        """The work has ended; that this build needs the result as it is stays said until the build ends."""
        self._db.execute("UPDATE leases SET working = 0 WHERE task = ? AND run = ?", (task, self._living.run))

    def move(self, task: str, fingerprint: str, dead: int) -> None:
        """Take over, within a transaction, the work of a dead build on a task."""
        self._db.execute("DELETE FROM leases WHERE task = ? AND run = ?", (task, dead))
        self._db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, 1)", (task, self._living.run, fingerprint))

    def drop(self) -> None:
        """Give back all, within a transaction, but for those on which work goes on: the build ends."""
        goes_on = "SELECT task FROM attempts WHERE run = ? AND job NOT NULL AND ended IS NULL"
        run = self._living.run
        self._db.execute(f"DELETE FROM leases WHERE run = ? AND NOT (working AND task IN ({goes_on}))", (run, run))
