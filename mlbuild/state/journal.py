"""This workspace's history, in SQLite: runs, traces, attempts in flight. Must not be lost.

Leases, what is remembered of files, and the reading of earlier runs lie in the same file, each with a class of its own.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from mlbuild.killpoint import reach
from mlbuild.state.database import open_database
from mlbuild.state.fingerprint import Fingerprint
from mlbuild.state.layout import Layout
from mlbuild.state.leases import Leases
from mlbuild.state.living import Living
from mlbuild.state.memory import Memory
from mlbuild.state.runs import Outcome, Runs
from mlbuild.state.schema import migrate
from mlbuild.state.standing import HERE, Standing, unpacked
from mlbuild.state.store import Stored

AT_ONCE = 500
"""Tasks that are asked for in one query."""
TOOK = "(attempt IS NOT NULL OR seconds > 0)"
"""Of what nobody made it is not known how long that takes."""
SYNC_EVERY = 0.05
"""Seconds between fsyncs while there is something to save: at most that much is lost with the machine's power."""


class Packed(Struct, frozen=True):
    """A fingerprint as the journal holds it."""

    key: str
    data: bytes


class Trace(Struct, frozen=True):
    """The memory of a task's last success: what it was made from, and what came out.

    Attributes:
        made_from: unpacked only where more than its key is asked for.
        checks: the digest of the conditions that held.
        finished: epoch seconds.
        seconds: what making it took, with the attempts from whose checkpoints it went on.
    """

    task: str
    made_from: Fingerprint | Packed
    outputs: tuple[Stored, ...]
    checks: str
    run: int
    attempt: str | None
    finished: float
    seconds: float

    @property
    def fingerprint(self) -> Fingerprint:
        return self.made_from if isinstance(self.made_from, Fingerprint) else _unpack(self.made_from.data)

    @property
    def key(self) -> str:
        """Of the fingerprint."""
        return self.made_from.key


Why = tuple[str, str, str | None, str | None]
"""A reason for an attempt: its kind, what it is about, the value before, the value then."""


class Made(Struct, frozen=True):
    """An attempt that succeeded: in which run, when (epoch seconds), and why it was made."""

    run: int
    ended: float
    reasons: tuple[Why, ...]


class Acceptance(Struct, frozen=True):
    """That somebody took outputs that were in place as the result of a fingerprint (`mlbuild accept`).

    It goes with the trace of the same task and run, and is history once that trace has been replaced.

    Attributes:
        fingerprint: its key.
        at: epoch seconds.
        who: `user@host`.
        why: as given.
    """

    task: str
    run: int
    fingerprint: str
    at: float
    who: str
    why: str


class OpenAttempt(Struct, frozen=True):
    """An attempt without a known end: of a build that died, or of one that still lives."""

    id: str
    task: str
    run: int
    number: int
    fingerprint: Fingerprint
    handle: str | None
    job: dict[str, Any]
    had: tuple[str, ...]
    """The outputs that stood there before it, to be put back if it fails."""
    edited: tuple[str, ...]
    """Those of them that were edited by hand: never dropped."""
    started: float
    """Epoch seconds."""
    standing: Standing = HERE

    @property
    def begun(self) -> int:
        """The build that has made it, whichever has it now."""
        return int(self.id.partition("-")[0])


class Journal:
    """The journal of a workspace.

    Args:
        layout: where it lies; the folders must exist.

    Raises:
        StateError: it can't be read, or was written by a newer mlbuild.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._unsynced = 0.0
        self._published: list[str] = []
        self._db = open_database(layout.journal, "everything will be built or restored again")
        migrate(self._db)
        self._living = Living(layout)
        self.lives = self._living.lives
        """Whether the driver of a run is alive."""
        self.leases = Leases(self._db, self._transaction, self._living)
        self.memory = Memory(self._db, self._transaction)
        self.past = Runs(self._db, self.lives)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._db.transaction():
            if self._published:
                self._save_published()
            yield
        self._unsynced = self._unsynced or time.monotonic()

    def sync(self, *, now: bool = False) -> None:
        """Have what was committed on the disk itself, if that is due. (Committing alone outlives kill -9.)"""
        if self._unsynced and (now or time.monotonic() - self._unsynced > SYNC_EVERY):
            self._unsynced = 0.0
            try:
                file = os.open(self._layout.journal + "-wal", os.O_RDWR)
            except OSError:
                return
            try:
                os.fdatasync(file)
            finally:
                os.close(file)

    def close(self) -> None:
        self.sync(now=True)
        self._db.close()
        self._living.close()

    @property
    def run(self) -> int:
        """This build's number; 0 before `begin`."""
        return self._living.run

    # --- runs

    def begin(
        self,
        command: str,
        overrides: Sequence[tuple[str, str, str]] = (),
        backfill: str | None = None,
        chosen: Iterable[str] = (),
    ) -> int:
        """Open a run: its number. Its lock is held until `close`, or until this process dies.

        Args:
            backfill: what it chooses from, if it is one; it goes on with one of the same that was not through.
            chosen: the tasks that it chose.
        """
        with self._transaction():
            run = self._next_run()
            part_of = next(iter(self.past.not_through(backfill)), None) if backfill else None
            self._db.execute(
                "INSERT INTO runs (id, started, command, pid, overrides, backfill, chosen, part_of)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run, time.time(), command, os.getpid(), json.dumps(overrides)),
                    *(backfill, _packed(json.dumps([*chosen])) if backfill else None, part_of),
                ),
            )
            self._living.begin(run)
        return run

    def _next_run(self) -> int:
        """A number that no run ever had: of folders, too, which may be older than the journal and hold results."""
        newest: int = self._db.execute("SELECT coalesce(max(id), 0) FROM runs").fetchone()[0]
        return 1 + max([newest, *(int(name) for name in os.listdir(self._layout.runs) if name.isdigit())])

    def end(self, exit_status: int, counts: dict[str, int], outcomes: Iterable[Outcome] = ()) -> None:
        """Close this run, and give back its leases.

        Args:
            outcomes: what came of tasks without an attempt.
        """
        rows = [[each.task, each.state, each.detail] for each in outcomes]
        with self._transaction():
            self.leases.drop()
            self._db.execute(
                "UPDATE runs SET ended = ?, exit_status = ?, counts = ?, outcomes = ? WHERE id = ?",
                (time.time(), exit_status, json.dumps(counts), _packed(json.dumps(rows)) if rows else None, self.run),
            )

    def break_off(self, exit_status: int) -> None:
        """This run ends by an error. Its leases are those of a dead build: what it started may still be at work."""
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET ended = ?, exit_status = ? WHERE id = ?", (time.time(), exit_status, self.run)
            )

    def note_revision(self, commit: str, dirty: bool | None) -> None:
        """What this run is built from."""
        with self._transaction():
            self._db.execute("UPDATE runs SET commit_id = ?, dirty = ? WHERE id = ?", (commit, dirty, self.run))

    def oldest_living(self) -> float | None:
        """When the oldest build that lives began, in epoch seconds."""
        rows = self._db.execute("SELECT id, started FROM runs WHERE ended IS NULL ORDER BY id").fetchall()
        return next((started for run, started in rows if self.lives(run)), None)

    # --- traces

    def trace(self, task: str) -> Trace | None:
        row = self._db.execute(
            "SELECT fingerprint, detail, outputs, checks, run, attempt, finished, seconds FROM traces WHERE task = ?",
            (task,),
        ).fetchone()
        if row is None:
            return None
        outputs = tuple([Stored(*output) for output in json.loads(row[2])])
        return Trace(task, Packed(row[0], row[1]), outputs, *row[3:])

    def fingerprint(self, task: str) -> str | None:
        """The key of a task's last success."""
        row = self._db.execute("SELECT fingerprint FROM traces WHERE task = ?", (task,)).fetchone()
        return row[0] if row else None

    def results(self) -> list[tuple[str, list[str]]]:
        """(fingerprint, paths made) of the last success of every task, of those too that are no more."""
        rows = self._db.execute("SELECT fingerprint, outputs FROM traces").fetchall()
        return [(key, [output[0] for output in json.loads(outputs)]) for key, outputs in rows]

    def traced(self) -> list[str]:
        """All tasks that ever succeeded, those too that are no more."""
        return [task for (task,) in self._db.execute("SELECT task FROM traces")]

    def last_run(self, task: str) -> int | None:
        """The run of a task's last success."""
        row = self._db.execute("SELECT run FROM traces WHERE task = ?", (task,)).fetchone()
        return row[0] if row else None

    def made_paths(self) -> dict[str, str]:
        """Path → digest of all that the last successes made, of tasks too that are no more; a directory ends in `/`."""
        rows = self._db.execute("SELECT outputs FROM traces ORDER BY finished")
        return {output[0]: output[1] for (outputs,) in rows for output in json.loads(outputs)}

    def durations(self, tasks: Sequence[str]) -> dict[str, float]:
        """Seconds that making each of these tasks has taken, here or where it was restored from, by task."""
        found: dict[str, float] = {}
        for names in (tasks[start : start + AT_ONCE] for start in range(0, len(tasks), AT_ONCE)):
            marks = ", ".join("?" * len(names))
            found.update(
                self._db.execute(f"SELECT task, seconds FROM traces WHERE task IN ({marks}) AND {TOOK}", names)
            )
        return found

    def usual_duration(self, target: str) -> float | None:
        """Seconds that making the tasks of a target has taken, in the mean of a thousand; None if it made none."""
        row = self._db.execute(
            "SELECT avg(seconds) FROM (SELECT seconds FROM traces"
            f" WHERE (task = :target OR task > :target || '[' AND task < :target || '\\') AND {TOOK} LIMIT 1000)",
            {"target": target},
        ).fetchone()
        seconds: float | None = row[0]
        return seconds

    def _write_trace(self, trace: Trace, metrics: Mapping[str, Any] | None) -> None:
        outputs = [[output.path, output.digest, output.size, output.executable] for output in trace.outputs]
        self._db.execute(
            "INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                trace.task,
                trace.key,
                _pack(trace.fingerprint),
                json.dumps(outputs),
                trace.checks,
                trace.run,
                trace.attempt,
                trace.finished,
                trace.seconds,
            ),
        )
        if metrics is not None:
            row = (trace.task, trace.run, json.dumps(metrics))
            self._db.execute("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", row)

    def record(self, trace: Trace, metrics: Mapping[str, Any] | None = None) -> None:
        """Remember a success that took no attempt: restored, or found in place.

        Args:
            metrics: the values in its metrics files, by name; None leaves them as they were.
        """
        with self._transaction():
            self._write_trace(trace, metrics)
            self.leases.release(trace.task)

    # --- acceptances

    def accept(self, successes: Iterable[tuple[Trace, Mapping[str, Any] | None]], who: str, why: str) -> None:
        """Remember successes that are somebody's word, all or none; under their runs, at the moments they name.

        Args:
            successes: each with the values in its metrics files, as `record` takes them.
        """
        with self._transaction():
            for trace, metrics in successes:
                self._write_trace(trace, metrics)
                self.leases.release(trace.task)
                row = (trace.task, trace.run, trace.key, trace.finished, who, why)
                self._db.execute("INSERT INTO accepted VALUES (?, ?, ?, ?, ?, ?)", row)

    def acceptance(self, trace: Trace) -> Acceptance | None:
        """Who took the outputs for the result, and why, if this success is somebody's word."""
        return next((each for each in self.acceptances(task=trace.task) if each.run == trace.run), None)

    def acceptances(self, *, task: str | None = None, run: int | None = None) -> list[Acceptance]:
        """Of a task, or of a run, or all: the oldest first."""
        rows = self._db.execute(
            "SELECT task, run, fingerprint, at, who, why FROM accepted"
            " WHERE (:task IS NULL OR task = :task) AND (:run IS NULL OR run = :run) ORDER BY at, task",
            {"task": task, "run": run},
        )
        return [Acceptance(*row) for row in rows]

    # --- attempts

    def next_number(self, task: str, fingerprint: str) -> int:
        """1, or one more for each attempt at the same fingerprint in this run, or taken over by it, since the last that
        succeeded. Not of earlier runs: what grows with the attempts would never shrink again."""
        row = self._db.execute(
            "WITH mine AS (SELECT started, reason FROM attempts WHERE task = ? AND fingerprint = ? AND run = ?)"
            " SELECT count(*) FROM mine WHERE started >"
            " coalesce((SELECT max(started) FROM mine WHERE reason = 'ok'), 0)",
            (task, fingerprint, self.run),
        ).fetchone()
        return int(row[0]) + 1

    def made(self, task: str, *, after: int = 0, fingerprint: str | None = None) -> list[Made]:
        """The attempts at a task that succeeded, the oldest first: in runs after this one, at this fingerprint."""
        rows = self._db.execute(
            "SELECT run, ended, reasons FROM attempts WHERE task = :task AND reason = 'ok' AND run > :after"
            " AND (:key IS NULL OR fingerprint = :key) ORDER BY started",
            {"task": task, "after": after, "key": fingerprint},
        )
        return [Made(run, ended, _reasons(data)) for run, ended, data in rows]

    def seconds_before(self, attempt: str, fingerprints: Sequence[str]) -> float:
        """Seconds of the attempts that this one, which went on from a checkpoint, rests on.

        Those are the ones before it at these fingerprints, back to the last that began anew. What was lost with its
        machine is not known to have taken any.
        """
        marks = ", ".join("?" * len(fingerprints))
        rows = self._db.execute(
            "SELECT coalesce(before.seconds, 0), coalesce(before.resumed_from, '') FROM attempts AS this"
            " JOIN attempts AS before ON before.task = this.task AND before.started < this.started"
            f" WHERE this.id = ? AND before.fingerprint IN ({marks}) ORDER BY before.started DESC",
            (attempt, *fingerprints),
        )
        took = 0.0
        for seconds, resumed_from in rows:
            took += seconds
            if not resumed_from:
                break
        return took

    def remembered(self, key: str) -> Fingerprint | None:
        """What a key stands for under which checkpoints were written: a fingerprint's, or a resume key."""
        row = self._db.execute("SELECT detail FROM fingerprints WHERE key = ?", (key,)).fetchone()
        return _unpack(row[0]) if row else None

    def intend(
        self,
        attempt: OpenAttempt,
        log: str,
        command: str | None,
        reasons: Sequence[Why] = (),
        resume: Iterable[Fingerprint] = (),
    ) -> None:
        """Say what is going to be submitted, before anything of it happens.

        Args:
            command: the recipe as a person knows it; None: that of the attempt which carries it.
            resume: what the keys stand for under which its checkpoints will be written.
        """
        with self._transaction():
            self._remember(resume)
            self._db.execute(
                "INSERT INTO attempts (id, task, run, number, fingerprint, job, detail, started, log, begun, executor,"
                " command, reasons, carrier, asked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    attempt.id,
                    attempt.task,
                    attempt.run,
                    attempt.number,
                    attempt.fingerprint.key,
                    _packed(json.dumps([attempt.job, attempt.had, attempt.edited])),
                    _pack(attempt.fingerprint),
                    attempt.started,
                    log,
                    attempt.run,
                    attempt.job["executor"],
                    None if command is None else _packed(command),
                    _packed(json.dumps(reasons)),
                    attempt.job["batch"] and attempt.job["batch"]["carrier"],
                    json.dumps([attempt.job[name] for name in ("cpus", "memory", "gpus", "nodes")]),
                ),
            )
        reach("intended")

    def remember(self, fingerprints: Iterable[Fingerprint]) -> None:
        """Keep what the keys stand for under which checkpoints are written."""
        with self._transaction():
            self._remember(fingerprints)

    def _remember(self, fingerprints: Iterable[Fingerprint]) -> None:
        rows = [(fingerprint.key, _pack(fingerprint)) for fingerprint in fingerprints]
        self._db.executemany("INSERT OR IGNORE INTO fingerprints VALUES (?, ?)", rows)

    def submitted(self, handles: Iterable[tuple[str, str]]) -> None:
        """(attempt, handle) of each that the executor has taken."""
        with self._transaction():
            self._db.executemany("UPDATE attempts SET handle = ? WHERE id = ?", [(h, a) for a, h in handles])
        reach("submitted")

    def leave(self, counts: Mapping[str, int]) -> None:
        """So many attempts are submitted, and will be left to themselves, however this run ends."""
        with self._transaction():
            self._db.execute("UPDATE runs SET counts = ? WHERE id = ?", (json.dumps(counts), self.run))

    def stand(self, standings: Mapping[str, Standing]) -> None:
        """How attempts stand now, by their ids."""
        with self._transaction():
            rows = [(standing.packed(), id) for id, standing in standings.items()]
            self._db.executemany("UPDATE attempts SET standing = ? WHERE id = ?", rows)

    def ended(
        self, attempt: str, outcome: dict[str, Any], trace: Trace | None, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """How an attempt ended, and with a trace that it succeeded: at once, so that neither is without the other.

        Args:
            outcome: reason, exit_status, seconds, max_rss, cpu_seconds, gpu_utilization, max_gpu_memory, message,
                resumed_from, saved, checkpoint, grown_from.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE attempts SET ended = :ended, reason = :reason, exit_status = :exit_status, seconds = :seconds,"
                " max_rss = :max_rss, cpu_seconds = :cpu_seconds, gpu_utilization = :gpu_utilization,"
                " max_gpu_memory = :max_gpu_memory, message = :message, resumed_from = :resumed_from,"
                " saved = :saved, checkpoint = :checkpoint, grown_from = :grown_from WHERE id = :id",
                {"id": attempt, "ended": time.time(), **outcome},
            )
            if trace is not None:
                self._write_trace(trace, metrics)
                self.leases.release(trace.task)
        reach("recorded")

    def open_attempts(self) -> list[OpenAttempt]:
        """Attempts without an end, of dead builds and of living ones, the oldest first."""
        return self._attempts("job NOT NULL AND ended IS NULL")

    def running(self) -> dict[str, Standing]:
        """How the tasks stand on which living builds work now."""
        rows = self._db.execute(
            "SELECT task, run, standing FROM attempts WHERE job NOT NULL AND ended IS NULL"
        ).fetchall()
        return {task: unpacked(standing) for task, run, standing in rows if self.lives(run)}

    def unpublished(self) -> list[OpenAttempt]:
        """Attempts that succeeded, by builds that may have died before they dropped what those replaced."""
        return [attempt for attempt in self._attempts("job NOT NULL AND ended NOT NULL") if not self.lives(attempt.run)]

    def _attempts(self, which: str) -> list[OpenAttempt]:
        rows = self._db.execute(
            f"SELECT id, task, run, number, detail, handle, job, started, standing"
            f" FROM attempts WHERE {which} ORDER BY started"
        ).fetchall()
        return [_open_attempt(row) for row in rows]

    def published(self, attempt: str) -> None:
        """What the attempt replaced is gone, or back: nothing is left to do for it. Saved with the next change."""
        self._published.append(attempt)

    def _save_published(self) -> None:
        rows = [(attempt,) for attempt in self._published]
        self._published.clear()
        self._db.executemany("UPDATE attempts SET job = NULL, detail = NULL WHERE id = ?", rows)

    def adopt(self, attempt: OpenAttempt) -> bool:
        """Make an attempt of a dead build this build's own, with its lease; False if another was faster.

        Its fingerprint may say more than when it was submitted.
        """
        with self._transaction():
            key, data = attempt.fingerprint.key, _pack(attempt.fingerprint)
            cursor = self._db.execute(
                "UPDATE attempts SET run = ?, fingerprint = ?, detail = ? WHERE id = ? AND run = ? AND ended IS NULL",
                (self.run, key, data, attempt.id, attempt.run),
            )
            if cursor.rowcount != 1:
                return False
            self.leases.move(attempt.task, key, attempt.run)
            return True


def _open_attempt(row: tuple[Any, ...]) -> OpenAttempt:
    job, had, edited = json.loads(zlib.decompress(row[6]))
    known = row[0], row[1], row[2], row[3], _unpack(row[4]), row[5], job, tuple(had), tuple(edited)
    return OpenAttempt(*known, row[7], unpacked(row[8]))


def _reasons(data: bytes | None) -> tuple[Why, ...]:
    rows = json.loads(zlib.decompress(data)) if data else []
    return tuple((kind, what, old, new) for kind, what, old, new in rows)


def _pack(fingerprint: Fingerprint) -> bytes:
    data = [dict(fingerprint.parts), dict(fingerprint.notes), fingerprint.problem, dict(fingerprint.reads)]
    return _packed(json.dumps(data))


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode(errors="surrogateescape"), 1)


def _unpack(data: bytes) -> Fingerprint:
    return Fingerprint(*json.loads(zlib.decompress(data)))
