"""SQLite files whose errors name the file and say what to do about it. Blind to what is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlbuild.errors import StateError


class Rows(sqlite3.Cursor):
    """A cursor: what is damaged is often met only when rows are fetched."""

    connection: Database

    def fetchone(self) -> Any:
        return self.connection.guarded(super().fetchone)

    def fetchall(self) -> Any:
        return self.connection.guarded(super().fetchall)

    def __next__(self) -> Any:
        return self.connection.guarded(super().__next__)


class Database(sqlite3.Connection):
    """A connection; all that can be asked of it raises StateError instead of what SQLite raises.

    Attributes:
        path: of the file.
        loss: what moving the file away would cost.
    """

    path = loss = ""

    def cursor(self, factory: Any = Rows) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        return self.guarded(super().execute, *arguments)

    def executemany(self, *arguments: Any) -> Any:
        return self.guarded(super().executemany, *arguments)

    def executescript(self, *arguments: Any) -> Any:
        return self.guarded(super().executescript, *arguments)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in it, or nothing."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self.in_transaction:  # SQLite itself rolls back on a full disk
                self.execute("ROLLBACK")
            raise

    def guarded(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return work(*arguments)
        except sqlite3.Error as error:
            # What the disk or another process is to blame for is an OperationalError.
            is_damaged = not isinstance(error, sqlite3.OperationalError)
            hint = f"it is damaged: move it away ({self.loss})" if is_damaged else None
            raise StateError(f"can't use {self.path}: {error}", hint=hint) from None


def open_database(path: str, loss: str) -> Database:
    """Raises StateError."""
    try:
        database = sqlite3.connect(path, timeout=60, isolation_level=None, factory=Database)
    except sqlite3.Error as error:
        raise StateError(f"can't use {path}: {error}") from None
    database.path, database.loss = path, loss
    database.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a file that is not there yet; it is of no use later
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    return database
