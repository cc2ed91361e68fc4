"""The verb cancel: what runs in a workspace is stopped by the builds that live, and in the place of those that died."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.app.access import POLL, journal_of
from mlbuild.engine.requests import PATIENCE, Answer, Request, ask
from mlbuild.executors.job import Job, JobResult
from mlbuild.executors.local import LocalExecutor
from mlbuild.executors.together import Together
from mlbuild.state.journal import Journal, OpenAttempt
from mlbuild.state.layout import Layout
from mlbuild.state.runs import Run


class Stopped(Struct, frozen=True):
    """A task that ran, or was still to start. `started` and `ended` are in epoch seconds.

    Attributes:
        attempt: its number; None if it was still to start.
        queued: it waited in the queue of a cluster, since it `started`.
        reason: how the attempt ended; None: it goes on, since nothing was to be stopped.
        checkpoint: the one that it could go on from when it ended; empty without any.
    """

    task: str
    attempt: int | None = None
    started: float | None = None
    ended: float | None = None
    reason: str | None = None
    checkpoint: str = ""
    queued: bool = False


class Cancelled(Struct, frozen=True):
    """What was stopped of a build, or would be.

    Attributes:
        behind: the tasks that wait for one of those.
        whole: the build itself, not only tasks of it.
    """

    run: Run
    tasks: tuple[Stopped, ...]
    behind: tuple[str, ...]
    whole: bool


def cancel(
    folder: str,
    tasks: Collection[str] | None,
    wait_for: Callable[[Run], None],
    *,
    now: bool = False,
    dry_run: bool = False,
) -> list[Cancelled]:
    """Stop what runs, and wait until it has ended.

    Args:
        folder: of the workspace, absolute. Its Pipelinefile is not read.
        tasks: only these, by name: their builds go on without them. None: all builds.
        wait_for: is told of a build that has not answered for a while.
        now: without signal and grace.
        dry_run: stop nothing.

    Returns:
        the builds in which there was something to stop, the oldest first.

    Raises:
        StateError: something runs where it can't be reached.
    """
    layout = Layout(folder)
    request = Request(None if tasks is None else tuple(tasks), stop=not dry_run, now=now)
    with journal_of(layout) as journal:
        if journal is None:
            return []
        asker = _Asker(layout, journal, request, wait_for)
        found = [asker.living(run) for run in journal.past.living()]
        dead: dict[int, list[OpenAttempt]] = {}
        for record in journal.open_attempts():
            if not journal.lives(record.run) and (tasks is None or record.task in tasks):
                run, _ = journal.past.left_by(record.run, record.begun)
                dead.setdefault(run, []).append(record)
        found += [asker.orphaned(of, records) for number, records in dead.items() if (of := journal.past.run(number))]
    return sorted((each for each in found if each), key=lambda each: each.run.number)


class _Asker:
    """Has one request met, build by build."""

    def __init__(self, layout: Layout, journal: Journal, request: Request, wait_for: Callable[[Run], None]) -> None:
        self._layout = layout
        self._journal = journal
        self._request = request
        self._wait_for = wait_for

    def living(self, run: Run) -> Cancelled | None:
        """Of a build that lives; None if there is nothing to stop in it, or it has ended meanwhile."""
        whole = self._request.tasks is None
        answer = self._ask(run)
        if answer is None or not (whole or answer.running or answer.waiting):
            return None
        tasks = [self._ended(run, task) for task in answer.running]
        if self._request.stop:  # what has no end is that of a build that died meanwhile
            tasks = [stopped for stopped in tasks if stopped.reason]
        if whole:
            if self._request.stop:
                self._wait_until(lambda: not self._journal.lives(run.number))
            return Cancelled(run, tuple(tasks), answer.waiting, whole=True)
        return Cancelled(run, (*tasks, *map(Stopped, answer.waiting)), answer.behind, whole=False)

    def _ask(self, run: Run) -> Answer | None:
        """What the build says; None if it has ended."""
        late = time.monotonic() + PATIENCE
        while (answer := ask(self._layout.run(run.number), self._request, lambda: self._wait_for(run))) is None:
            if not self._journal.lives(run.number):
                return None
            if time.monotonic() > late:  # it lives, and does not listen
                late = float("inf")
                self._wait_for(run)
            time.sleep(POLL)
        return answer

    def _ended(self, run: Run, task: str) -> Stopped:
        """A task that was running, once it is not any more."""
        attempt = self._journal.past.last_attempt(task)
        assert attempt is not None, "its build says that it runs"
        id = attempt.id
        if self._request.stop:
            self._wait_until(lambda: self._is_over(id) or not self._journal.lives(run.number))
            attempt = self._journal.past.attempt(id) or attempt
        how = attempt.ended, attempt.reason, attempt.checkpoint, attempt.standing.queued
        return Stopped(task, attempt.number, attempt.began, *how)

    def _is_over(self, id: str) -> bool:
        attempt = self._journal.past.attempt(id)
        return attempt is None or attempt.ended is not None

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            time.sleep(POLL)

    def orphaned(self, run: Run, records: list[OpenAttempt]) -> Cancelled | None:
        """Of a build that died: what it started may go on, and the next build takes in how it ended."""
        here = LocalExecutor(self._layout.run(run.number), self._layout.workspace, 1, 1, None)
        executor = Together(here, self._layout.jobs)
        try:
            handles = {record.id: handle for record in records if (handle := _taken_over(executor, record))}
            for ended in executor.finished(0):
                del handles[ended.attempt]
            results: dict[str, JobResult] = {}
            if self._request.stop:
                executor.cancel([*handles.values()], now=self._request.now)
                while len(results) < len(handles):
                    results |= {result.attempt: result for result in executor.finished(POLL)}
        finally:
            executor.close()
        tasks = tuple(_stopped(record, results.get(record.id)) for record in records if record.id in handles)
        return Cancelled(run, tasks, (), whole=self._request.tasks is None) if tasks else None


def _taken_over(executor: Together, record: OpenAttempt) -> str | None:
    """The handle of an attempt that runs, or whose end nobody has taken in; None if it is lost."""
    job = Job.from_json(record.job)
    handle = record.handle or executor.find(job)
    return handle if handle and executor.reattach(handle, job) else None


def _stopped(record: OpenAttempt, result: JobResult | None) -> Stopped:
    """An attempt with its end, if it was to have one."""
    stopped = Stopped(record.task, record.number, record.started, queued=record.standing.queued)
    if record.standing.since:
        stopped = replace(stopped, started=record.standing.since)
    if result is None:
        return stopped
    return replace(stopped, ended=result.ended, reason=str(result.reason), checkpoint=result.checkpoint)
