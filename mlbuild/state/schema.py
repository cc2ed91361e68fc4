"""The tables of the journal, and how a journal of an older mlbuild comes by those that it lacks."""

from __future__ import annotations

from mlbuild.errors import StateError
from mlbuild.state.database import Database

MIGRATIONS = (
    """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, command TEXT NOT NULL, pid INTEGER NOT NULL,
  exit_status INTEGER, counts TEXT);
CREATE TABLE traces (
  task TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, detail BLOB NOT NULL, outputs TEXT NOT NULL, checks TEXT NOT NULL,
  run INTEGER NOT NULL, attempt TEXT, finished REAL NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE attempts (
  id TEXT PRIMARY KEY, task TEXT NOT NULL, run INTEGER NOT NULL, number INTEGER NOT NULL, fingerprint TEXT NOT NULL,
  handle TEXT, job BLOB, detail BLOB, started REAL NOT NULL, ended REAL, reason TEXT, exit_status INTEGER,
  seconds REAL, max_rss INTEGER, cpu_seconds REAL, message TEXT, log TEXT) WITHOUT ROWID;
CREATE INDEX attempts_by_task ON attempts (task, started);
CREATE INDEX attempts_unfinished ON attempts (started) WHERE job NOT NULL;
CREATE TABLE leases (
  task TEXT NOT NULL, run INTEGER NOT NULL, fingerprint TEXT NOT NULL, working INTEGER NOT NULL,
  PRIMARY KEY (task, run)) WITHOUT ROWID;
CREATE TABLE stats (
  path TEXT PRIMARY KEY, signature TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, settled INTEGER NOT NULL
) WITHOUT ROWID;
""",
    """
CREATE TABLE accepted (
  task TEXT NOT NULL, run INTEGER NOT NULL, fingerprint TEXT NOT NULL, at REAL NOT NULL, who TEXT NOT NULL,
  why TEXT NOT NULL, PRIMARY KEY (task, run)) WITHOUT ROWID;
""",
    "ALTER TABLE attempts ADD COLUMN reasons BLOB",
    """
ALTER TABLE runs ADD COLUMN overrides TEXT;
ALTER TABLE runs ADD COLUMN commit_id TEXT;
ALTER TABLE runs ADD COLUMN dirty INTEGER;
ALTER TABLE runs ADD COLUMN outcomes BLOB;
ALTER TABLE attempts ADD COLUMN begun INTEGER;
ALTER TABLE attempts ADD COLUMN executor TEXT;
ALTER TABLE attempts ADD COLUMN command BLOB;
""",
    """
CREATE TABLE metrics (
  task TEXT NOT NULL, run INTEGER NOT NULL, held TEXT NOT NULL, PRIMARY KEY (task, run)) WITHOUT ROWID;
""",
    """
CREATE TABLE modules (digest TEXT PRIMARY KEY, detail BLOB NOT NULL);
CREATE TABLE code (digest TEXT PRIMARY KEY, definitions BLOB NOT NULL);
""",
    """
CREATE TABLE fingerprints (key TEXT PRIMARY KEY, detail BLOB NOT NULL) WITHOUT ROWID;
ALTER TABLE attempts ADD COLUMN resumed_from TEXT;
ALTER TABLE attempts ADD COLUMN saved INTEGER;
ALTER TABLE attempts ADD COLUMN checkpoint TEXT;
ALTER TABLE attempts ADD COLUMN grown_from TEXT;
""",
    "CREATE TABLE entries (key TEXT PRIMARY KEY, code TEXT NOT NULL, detail BLOB NOT NULL)",
    """
ALTER TABLE attempts ADD COLUMN gpu_utilization REAL;
ALTER TABLE attempts ADD COLUMN max_gpu_memory INTEGER;
""",
    """
ALTER TABLE runs ADD COLUMN backfill TEXT;
ALTER TABLE runs ADD COLUMN part_of INTEGER;
""",
    "ALTER TABLE runs ADD COLUMN chosen BLOB",
    """
ALTER TABLE attempts ADD COLUMN carrier TEXT;
CREATE INDEX attempts_by_carrier ON attempts (carrier) WHERE carrier NOT NULL;
""",
    "ALTER TABLE attempts ADD COLUMN standing TEXT",
    "ALTER TABLE attempts ADD COLUMN asked TEXT",
)
"""The schema, as scripts that were added one after another; a journal's `user_version` says how many it has seen."""


def migrate(database: Database) -> None:
    """Bring a journal up to date. Raises StateError if it was written by a newer mlbuild."""
    if _version(database) > len(MIGRATIONS):
        raise StateError(f"the journal {database.path} was written by a newer mlbuild", hint="upgrade mlbuild")
    if _version(database) == len(MIGRATIONS):
        return
    with database.transaction():
        for script in MIGRATIONS[_version(database) :]:
            for statement in script.split(";"):
                database.execute(statement)
        database.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def _version(database: Database) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version
