"""Earlier runs as the journal tells of them: how each ended, the attempts it made. Reads only."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.state.database import Database
from mlbuild.state.fingerprint import Fingerprint
from mlbuild.state.standing import Standing, unpacked

INTERRUPTED = 130
"""The exit status that is recorded for a build that was interrupted, by whatever signal."""


class Outcome(Struct, frozen=True):
    """What came of a task in a run without an attempt; `detail` says why it failed or was blocked."""

    task: str
    state: str
    detail: str = ""


class Run(Struct, frozen=True):
    """One build. Times are epoch seconds.

    Attributes:
        counts: how many tasks ended in each state; until it has ended, of those that an attempt was made at.
        overrides: (name, value in effect, value without the override).
        commit: of git, when its first recipe started; None where nothing ran, or there is no git.
        dirty: whether files that git tracks, and no task makes, were not as in the commit.
        lives: its process, `pid`, goes on.
        seconds: that it took; None until it has ended.
        is_backfill: its tasks were chosen by how they stood.
        parts: the numbers of all runs of the backfill of which it is one, the first of them first; else empty.
        gpu_hours: for how long its attempts that have ended held GPUs; told by `Runs.newest` only.
    """

    number: int
    started: float
    ended: float | None
    command: str
    exit_status: int | None
    counts: Mapping[str, int]
    overrides: tuple[tuple[str, str, str], ...]
    commit: str | None
    dirty: bool | None
    pid: int
    lives: bool
    seconds: float | None
    is_backfill: bool
    parts: tuple[int, ...]
    gpu_hours: float = 0.0

    @property
    def end(self) -> str:
        """How it ended, in a word."""
        if self.exit_status is None:
            return "running" if self.lives else "killed"
        return {0: "ok", 1: "failed", 2: "refused", INTERRUPTED: "interrupted"}[self.exit_status]


class Asked(Struct, frozen=True):
    """What an attempt asked for: memory in bytes, None if it asked for none."""

    cpus: float
    memory: int | None
    gpus: int
    nodes: int


class Attempted(Struct, frozen=True):
    """One attempt as it is remembered. Times are epoch seconds, memory is in bytes.

    Attributes:
        run: the build that took its result: not `begun`, which started it, if that one died.
        reason: how it ended; None while that is not known.
        log: relative to the workspace; there is no such file if nothing was printed.
        command: the recipe as it ran.
        batch: how many tasks that run of the recipe was for.
        resumed_from: the checkpoint that it went on from, relative to the workspace; empty without one.
        saved: how many new whole checkpoints it left.
        checkpoint: the one that the next attempt could go on from when it ended.
        grown_from: the keys of the other fingerprints under which what it went on from was written.
        asked: None if an older mlbuild made it.
    """

    id: str
    task: str
    run: int
    number: int
    started: float
    ended: float | None
    reason: str | None
    exit_status: int | None
    message: str
    log: str
    seconds: float | None
    max_rss: int | None
    cpu_seconds: float | None
    gpu_utilization: float | None
    max_gpu_memory: int | None
    begun: int
    executor: str
    resumed_from: str
    saved: int
    checkpoint: str
    grown_from: tuple[str, ...]
    batch: int
    command: str
    standing: Standing
    asked: Asked | None

    @property
    def began(self) -> float:
        """When it began, in epoch seconds: after its time in the queue of a cluster, if it was in one."""
        return self.standing.since or self.started

    def state(self, run: int, *, lives: bool) -> str:
        """What it was to a run, which may go on: `built`, `failed`, `cancelled`, `preempted`, `queued`, `running`,
        `unfinished`, or `taken over` by another run."""
        if self.run != run:
            return "taken over"
        if self.reason is None:
            return ("queued" if self.standing.queued else "running") if lives else "unfinished"
        if self.reason in ("timeout", "stalled") and self.saved and self.checkpoint:
            return "preempted"
        return {"ok": "built", "cancelled": "cancelled", "preempted": "preempted"}.get(self.reason, "failed")


ATTEMPTED = (
    "SELECT id, task, run, number, started, ended, reason, exit_status, coalesce(message, ''), log, seconds, max_rss,"
    " cpu_seconds, gpu_utilization, max_gpu_memory, coalesce(begun, run), coalesce(executor, 'local'),"
    " coalesce(resumed_from, ''), coalesce(saved, 0), coalesce(checkpoint, ''), coalesce(grown_from, ''),"
    " max(1, (SELECT count(*) FROM attempts AS other WHERE other.carrier = attempts.carrier)),"
    " coalesce(command, (SELECT command FROM attempts AS other WHERE other.id = attempts.carrier)), standing, asked"
    " FROM attempts"
)
"""Asks for what `attempted` reads."""


def attempted(row: tuple[Any, ...]) -> Attempted:
    *rest, grown_from, batch, command, standing, asked = row
    return Attempted(
        *[
            *rest,
            tuple(grown_from.split()),
            batch,
            zlib.decompress(command).decode(errors="surrogateescape") if command else "",
            unpacked(standing),
            Asked(*json.loads(asked)) if asked else None,
        ]
    )


class Runs:
    """The runs of a workspace.

    Args:
        lives: whether the process of a run goes on.
    """

    def __init__(self, database: Database, lives: Callable[[int], bool]) -> None:
        self._db = database
        self._lives = lives

    def newest(self, limit: int) -> list[Run]:
        """The newest runs that had something to do, or did not end well; a backfill as one (see `_together`)."""
        idle = "exit_status = 0 AND NOT EXISTS (SELECT 1 FROM json_each(counts) WHERE key NOT IN ('fresh', 'absent'))"
        last = f"SELECT max(id) FROM runs WHERE NOT coalesce({idle}, 0) GROUP BY coalesce(part_of, id)"
        found = [self._together(run) for run in self._runs(f"id IN ({last}) ORDER BY id DESC LIMIT ?", limit)]
        hours = self._gpu_hours([number for run in found for number in (run.parts or (run.number,))])
        return [replace(run, gpu_hours=sum(hours.get(one, 0.0) for one in run.parts or (run.number,))) for run in found]

    def _gpu_hours(self, runs: Sequence[int]) -> dict[int, float]:
        """Of those among these runs that used GPUs."""
        rows = self._db.execute(
            "SELECT run, sum(seconds * json_extract(asked, '$[2]') * json_extract(asked, '$[3]')) / 3600 FROM attempts"
            f" WHERE run IN ({', '.join(map(str, runs))}) AND json_extract(asked, '$[2]') > 0 GROUP BY run"
        )
        return {run: hours or 0.0 for run, hours in rows}

    def not_through(self, backfill: str) -> list[int]:
        """The runs of the last backfill that chose from the same, if that was stopped before it had tried everything.

        Args:
            backfill: what it chose from, as `Journal.begin` was told.
        """
        row = self._db.execute(
            "SELECT coalesce(part_of, id), counts NOT NULL AND exit_status IN (0, 1) AND"
            " json_extract(counts, '$.cancelled') IS NULL FROM runs WHERE backfill = ? ORDER BY id DESC LIMIT 1",
            (backfill,),
        ).fetchone()
        return [] if row is None or row[1] else self._parts(row[0])

    def chosen(self, runs: Sequence[int]) -> set[str]:
        """The names of the tasks that these runs of a backfill chose."""
        which = f"WHERE id IN ({', '.join(map(str, runs))}) AND chosen NOT NULL"
        rows = self._db.execute(f"SELECT chosen FROM runs {which}").fetchall()
        return {name for (packed,) in rows for name in json.loads(zlib.decompress(packed))}

    def _parts(self, first: int) -> list[int]:
        rows = self._db.execute("SELECT id FROM runs WHERE id = ? OR part_of = ? ORDER BY id", (first, first))
        return [run for (run,) in rows]

    def _together(self, run: Run) -> Run:
        """The last run of a backfill with what all of them have done; how the others stand, it knows best."""
        before = [one for number in run.parts if number < run.number and (one := self.run(number))]
        counts = Counter(run.counts)
        for state in ("built", "restored"):
            done = sum(one.counts.get(state, 0) for one in before)
            counts[state] += done
            counts["fresh"] -= min(done, counts["fresh"])
        seconds = [one.seconds or 0.0 for one in before]
        return replace(
            run,
            started=before[0].started if before else run.started,
            seconds=None if run.seconds is None else run.seconds + sum(seconds),
            counts={state: count for state, count in counts.items() if count},
        )

    def living(self) -> list[Run]:
        """The runs that go on, the oldest first."""
        return [run for run in self._runs("ended IS NULL ORDER BY id LIMIT ?", -1) if run.lives]

    def run(self, number: int) -> Run | None:
        return next(iter(self._runs("id = ?", number)), None)

    def _runs(self, which: str, value: int) -> list[Run]:
        rows = self._db.execute(
            "SELECT id, started, ended, command, exit_status, counts, overrides, commit_id, dirty, pid,"
            " backfill IS NOT NULL, part_of,"
            " EXISTS (SELECT 1 FROM runs AS part WHERE part.part_of = runs.id)"
            f" FROM runs WHERE {which}",
            (value,),
        ).fetchall()
        return [self._run(*row) for row in rows]

    def _run(
        self,
        number: int,
        started: float,
        ended: float | None,
        command: str,
        exit_status: int | None,
        counts: str | None,
        overrides: str | None,
        commit: str | None,
        dirty: int | None,
        pid: int,
        is_backfill: int,
        part_of: int | None,
        has_parts: int,
    ) -> Run:
        lives = exit_status is None and self._lives(number)
        held = tuple((name, new, old) for name, new, old in json.loads(overrides or "[]"))
        known = json.loads(counts) if counts else self._counted(number, lives)
        return Run(
            number,
            started,
            ended,
            command,
            exit_status,
            known,
            held,
            commit,
            None if dirty is None else bool(dirty),
            pid,
            lives,
            None if ended is None else ended - started,
            bool(is_backfill),
            tuple(self._parts(part_of or number)) if part_of or has_parts else (),
        )

    def _counted(self, run: int, lives: bool) -> dict[str, int]:
        """What is known so far of a run that has not ended, or ended by no will of its own."""
        return Counter({each.task: each.state(run, lives=lives) for each in self.attempts(run)}.values())

    def outcomes(self, run: int) -> list[Outcome]:
        """What came of tasks without an attempt; nothing is known of a run that was killed."""
        row = self._db.execute("SELECT outcomes FROM runs WHERE id = ?", (run,)).fetchone()
        return [Outcome(*each) for each in json.loads(zlib.decompress(row[0]))] if row and row[0] else []

    def attempts(self, run: int) -> list[Attempted]:
        """The attempts that a run started or took over, the oldest first."""
        rows = self._db.execute(f"{ATTEMPTED} WHERE run = ? OR begun = ? ORDER BY started, id", (run, run))
        return [attempted(row) for row in rows]

    def metrics(self, run: int) -> dict[str, dict[str, Any]]:
        """The values in the metrics files of all tasks, by name, as they were after a run."""
        rows = self._db.execute(
            "SELECT task, held FROM metrics WHERE run ="
            " (SELECT max(run) FROM metrics AS of_task WHERE of_task.task = metrics.task AND run <= ?)",
            (run,),
        )
        return {task: json.loads(held) for task, held in rows}

    def last_attempt(self, task: str, number: int | None = None) -> Attempted | None:
        """The newest attempt at a task, or the one of this number."""
        which = "WHERE task = ? AND (? IS NULL OR number = ?) ORDER BY started DESC LIMIT 1"
        return self._attempt(which, task, number, number)

    def attempts_at(self, task: str, after: float) -> list[Attempted]:
        """The attempts at a task that started after a moment (epoch seconds), the oldest first."""
        rows = self._db.execute(f"{ATTEMPTED} WHERE task = ? AND started > ? ORDER BY started", (task, after))
        return [attempted(row) for row in rows]

    def left_by(self, run: int, begun: int) -> tuple[int, bool]:
        """Who has left an attempt without an end: that build, and whether it had submitted it and ended; else it died.

        Args:
            run: the build that had it last.
            begun: the one that has made it; `run` may have ended without a word on it since.
        """
        query = "SELECT ended NOT NULL, json_extract(counts, '$.submitted') FROM runs WHERE id = ?"
        found = {number: self._db.execute(query, (number,)).fetchone() or (False, None) for number in (run, begun)}
        who = begun if found[run][0] else run
        return who, bool(found[who][1])

    def attempt(self, id: str) -> Attempted | None:
        return self._attempt("WHERE id = ?", id)

    def batch(self, attempt: str) -> list[str]:
        """The tasks for which an attempt's run of the recipe was, in key order; none if it ran alone."""
        rows = self._db.execute(
            "SELECT other.task FROM attempts AS this JOIN attempts AS other ON other.carrier = this.carrier"
            " WHERE this.id = ? ORDER BY other.started",
            (attempt,),
        )
        return [task for (task,) in rows]

    def attempt_behind(self, task: str, id: str | None, fingerprint: Fingerprint) -> Attempted | None:
        """What made the result of a task: the attempt of its trace, if that names one, else the last that succeeded
        with this fingerprint."""
        return self._attempt_that_made(task, fingerprint.reading({}).key) if id is None else self.attempt(id)

    def _attempt_that_made(self, task: str, fingerprint: str) -> Attempted | None:
        which = "WHERE task = ? AND fingerprint = ? AND reason = 'ok' ORDER BY started DESC LIMIT 1"
        return self._attempt(which, task, fingerprint)

    def _attempt(self, which: str, *values: object) -> Attempted | None:
        row = self._db.execute(f"{ATTEMPTED} {which}", values).fetchone()
        return attempted(row) if row else None
