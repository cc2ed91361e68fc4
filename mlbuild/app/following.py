"""The log of a task as it grows, from attempt to attempt, until the task is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from mlbuild.app.access import POLL, journal_of
from mlbuild.engine.requests import Request, ask
from mlbuild.errors import UsageError
from mlbuild.executors import daemon
from mlbuild.executors.folder import still_runs
from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout
from mlbuild.state.runs import Attempted, Run
from mlbuild.ui.words import duration, failed, standing_text

CHUNK = 1 << 16


def follow(folder: str, task: str, say: Callable[[str], None]) -> Iterator[bytes]:
    """What the attempts at a task print, as it comes: from the one that runs, or is still to start in a build that
    goes on, until no build will start another. Without any of these: what the last one printed.

    Args:
        folder: of the workspace, absolute.
        task: its name.
        say: is told, in words, what is waited for, and how each attempt ended.

    Raises:
        UsageError: it never ran here.
    """
    layout = Layout(folder)
    with journal_of(layout) as journal:
        if journal is None:
            raise UsageError(f"{task} never ran here")
        yield from _Follower(layout, journal, task, say).follow()


class _Follower:
    def __init__(self, layout: Layout, journal: Journal, task: str, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._journal = journal
        self._task = task
        self._say = say

    def follow(self) -> Iterator[bytes]:
        last = self._journal.past.last_attempt(self._task)
        # What had ended before is only of interest if nothing more comes.
        after = last.started if last and last.ended is not None else 0.0
        if last and last.ended is None:
            yield from self._attempt(last)
            after = last.started
        announced = None
        while True:
            run = self._awaited()  # before looking: what starts between the two is seen
            for attempt in self._journal.past.attempts_at(self._task, after):
                self._say(f"{self._task}: attempt {attempt.number} in run {attempt.run}")
                yield from self._attempt(attempt)
                after, run = attempt.started, self._awaited()
            if run is None:
                break
            if announced != (run.number, after):
                announced = run.number, after
                self._say(f"{self._task} is still to start in run {run.number} (process {run.pid}): waits for it")
            time.sleep(POLL)
        if after != (last.started if last else 0.0):
            return
        if announced:
            self._say(f"{self._task} will not start in run {announced[0]}")
        elif last is None:
            raise UsageError(f"{self._task} never ran here")
        elif last.ended is not None:
            self._say(f"{self._task} does not run: this is what its last attempt printed, in run {last.run}")
            yield from self._attempt(last)

    def _awaited(self) -> Run | None:
        """The build that goes on in which the task is still to start."""
        for run in self._journal.past.living():
            answer = ask(self._layout.run(run.number), Request((self._task,)))
            if answer and answer.waiting:
                return run
        return None

    def _attempt(self, attempt: Attempted) -> Iterator[bytes]:
        """What an attempt prints, until it has ended, or nobody is left who could tell."""
        path = os.path.join(self._layout.workspace, attempt.log)
        told = ""

        def is_over() -> bool:
            nonlocal told
            if told != (text := self._standing(attempt.id)):
                told = text
                self._say(f"{self._task} {text}")
            return self._is_over(attempt.id)

        yield from _grown(path, is_over, self._say)
        found = self._journal.past.attempt(attempt.id) or attempt
        if found.reason is None:
            self._say(f"{self._task}: its run {found.run} is over; the next one sees how the attempt ended")
        else:
            how = "done" if found.reason == "ok" else failed(found.reason, found.exit_status or 0, found.message)
            # Of one that was lost nobody knows how long it ran: it is over since that was seen.
            took = found.seconds or (found.ended or found.began) - found.began
            self._say(f"{self._task}: {how}, after {duration(took)}")

    def _standing(self, id: str) -> str:
        """That it waits in a cluster, or where it runs; empty if there is nothing to say of it."""
        attempt = self._journal.past.attempt(id)
        if attempt is None:
            return ""
        text = standing_text(attempt.standing)
        if attempt.standing.queued:
            return f"is queued: {text}" if text else "is queued"
        return f"runs on {text}" if text else ""

    def _is_over(self, id: str) -> bool:
        attempt = self._journal.past.attempt(id)
        if attempt is None or attempt.ended is not None:
            return True
        return not (
            self._journal.lives(attempt.run)
            or daemon.is_alive(self._layout.run(attempt.begun))
            or still_runs(self._layout.jobs, id, id)
        )


def _grown(path: str, is_over: Callable[[], bool], say: Callable[[str], None]) -> Iterator[bytes]:
    """What is in a file, and what is added to it until it is over. One that is not there is empty."""
    read, file = 0, None
    try:
        while True:
            last = is_over()  # before reading: what was written until then is all there
            if file is None and os.path.exists(path):
                file = open(path, "rb")
            if file and os.fstat(file.fileno()).st_size < read:
                say("the log was cut short; what is in it now follows")
                read = file.seek(0)
            while file and (chunk := file.read(CHUNK)):
                read += len(chunk)
                yield chunk
            if last:
                return
            time.sleep(POLL)
    finally:
        if file:
            file.close()
