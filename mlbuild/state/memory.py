"""What was worked out about files, so that it need not be again: digests by stat, Python files by their definitions.

To lose it costs time only.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from mlbuild.code.meaning import FORMAT, READER
from mlbuild.state.database import Database
from mlbuild.state.stats import Record

REMEMBERED = 20_000
"""How many Python files, how many digests of code, and how many entries are remembered."""


class Memory:
    """What the journal remembers of files.

    Args:
        database: the journal's.
        transaction: within which the journal writes.
    """

    def __init__(self, database: Database, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._db = database
        self._transaction = transaction

    def stat(self, path: str) -> Record | None:
        """What was last seen at a path."""
        row = self._db.execute("SELECT signature, digest, size, settled FROM stats WHERE path = ?", (path,)).fetchone()
        return Record(row[0], row[1], row[2], bool(row[3])) if row else None

    def save_stats(self, records: Iterable[tuple[str, Record]]) -> None:
        rows = [(path, r.signature, r.digest, r.size, r.settled) for path, r in records]
        if rows:
            with self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO stats VALUES (?, ?, ?, ?, ?)", rows)

    def module(self, digest: str) -> str | None:
        """What is known of a Python file with this digest, as `save_code` was given it."""
        row = self._db.execute("SELECT detail FROM modules WHERE digest = ?", (_module_key(digest),)).fetchone()
        return zlib.decompress(row[0]).decode() if row else None

    def definitions(self, digest: str) -> dict[str, str]:
        """What a digest of code was made of, by name; empty if that is not known."""
        row = self._db.execute("SELECT definitions FROM code WHERE digest = ?", (digest,)).fetchone()
        return json.loads(zlib.decompress(row[0])) if row else {}

    def entry(self, key: str) -> str | None:
        """What an entry was found to come to, as `save_code` was given it, while its definitions are remembered."""
        row = self._db.execute(
            "SELECT detail FROM entries JOIN code ON entries.code = code.digest WHERE key = ?", (key,)
        ).fetchone()
        return zlib.decompress(row[0]).decode() if row else None

    def save_code(
        self,
        modules: Mapping[str, str],
        code: Mapping[str, Mapping[str, str]],
        entries: Mapping[str, tuple[str, str]],
    ) -> None:
        """Remember what was found out about code; the oldest is forgotten.

        Args:
            modules: digest of a file → what it holds.
            code: digest of code → what it is made of.
            entries: key of an entry → (digest of its code, what it comes to).
        """
        fresh = [digest for digest in code if not self.definitions(digest)]
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO modules VALUES (?, ?)",
                [(_module_key(digest), zlib.compress(text.encode(), 1)) for digest, text in modules.items()],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO code VALUES (?, ?)",
                [(digest, zlib.compress(json.dumps(dict(code[digest])).encode(), 1)) for digest in fresh],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)",
                [(key, digest, zlib.compress(text.encode(), 1)) for key, (digest, text) in entries.items()],
            )
            for table in ("modules", "code", "entries"):
                self._db.execute(f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - {REMEMBERED}")


def _module_key(digest: str) -> str:
    return f"{FORMAT}.{READER} {digest}"
