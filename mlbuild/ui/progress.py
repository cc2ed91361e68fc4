"""Where a build stands: a fold over its events. Draws nothing."""

from __future__ import annotations

import time

from msgspec import Struct, field

from mlbuild.engine import events


class Reported(Struct):
    """What a running task has reported: the last of it, and how far it was when, since it began to."""

    first: float
    since: float
    last: events.TaskProgress
    at: float

    def left(self, now: float) -> float | None:
        """Seconds until it is through, if it goes on as it went; None where that is not known yet.

        It may have gone on from a checkpoint, so what it had done before its first report says nothing.
        """
        done, total = self.last.done, self.last.total
        if total is None or done <= self.first or self.at <= self.since:
            return None
        return max(0.0, (total - done) * (self.at - self.since) / (done - self.first) - (now - self.at))


class Waiting(Struct):
    """Since when a task waits in a cluster, and what was told of that last."""

    since: float
    last: events.TasksQueued


class Progress(Struct):
    """What the events so far amount to.

    Attributes:
        total: tasks that the goals need.
        jobs: how many tasks run at once.
        done: tasks that need no more thought, by name.
        taken_over: task → its start, of those that a build which died had started and this one did not want otherwise.
        waiting: those that wait in a cluster.
        remote: those that were handed to a cluster, where they run beside those of `jobs`.
        running: task → when it started, in seconds of the clock that `add` is given.
        resumable: those of the cancelled that can go on from a checkpoint.
        starts: task → its start, of those that run.
        reported: task → what it says of its progress while it runs.
        queued: task → expected seconds (None: unknown), for those that will run.
        average: mean seconds of the tasks that ran in this build.
    """

    run: int = 0
    total: int = 0
    jobs: int = 1
    started: float = 0.0
    fresh: set[str] = field(default_factory=set)
    restored: set[str] = field(default_factory=set)
    built: dict[str, float] = field(default_factory=dict)
    failed: dict[str, events.TaskFailed] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    resumable: list[events.TaskCancelled] = field(default_factory=list)
    taken_over: dict[str, events.TaskStarted] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    remote: set[str] = field(default_factory=set)
    running: dict[str, float] = field(default_factory=dict)
    starts: dict[str, events.TaskStarted] = field(default_factory=dict)
    reported: dict[str, Reported] = field(default_factory=dict)
    queued: dict[str, float | None] = field(default_factory=dict)
    finished: events.BuildFinished | None = None

    def add(self, event: events.Event, now: float) -> None:
        """Take in an event that happened at `now` (seconds of any steady clock)."""
        match event:
            case events.BuildStarted():
                self.run, self.total, self.jobs, self.started = event.run, event.tasks, event.jobs, now
            case events.TaskReady():
                self.queued[event.task] = event.expected
                self.taken_over.pop(event.task, None)
            case events.TasksQueued():
                self.remote.update(event.tasks)
                for task in event.tasks:
                    before = self.waiting.get(task)
                    self.waiting[task] = Waiting(before.since if before else now, event)
            case events.TaskStarted():
                self.waiting.pop(event.task, None)
                self.running[event.task] = now - event.ran
                self.starts[event.task] = event
                if event.node:
                    self.remote.add(event.task)
                if event.taken_over_from is not None and not event.left:
                    self.taken_over[event.task] = event
                self.reported.pop(event.task, None)
            case events.TaskProgress():
                began = self.reported.setdefault(event.task, Reported(event.done, now, event, now))
                began.last, began.at = event, now
            case events.TaskFresh():
                self.fresh.add(event.task)
            case events.TaskRestored():
                self.restored.add(event.task)
            case events.TaskFinished():
                self._end(event.task)
                self.built[event.task] = event.seconds
            case events.TaskFailed():
                self._end(event.task)
                self.failed[event.task] = event
            case events.TaskRetried() | events.TaskPreempted():
                self._stop(event.task)
            case events.BatchFailed():
                for task in event.tasks:
                    self._stop(task)
            case events.TaskBlocked():
                self.blocked[event.task] = event.by
            case events.TaskCancelled():
                self._end(event.task)
                self.cancelled.add(event.task)
                if event.checkpoint:
                    self.resumable.append(event)
            case events.KeysListed():
                self.total = event.tasks
            case events.BuildFinished():
                self.finished = event

    def _end(self, task: str) -> None:
        self._stop(task)
        self.queued.pop(task, None)

    def _stop(self, task: str) -> None:
        self.waiting.pop(task, None)
        self.running.pop(task, None)
        self.starts.pop(task, None)

    @property
    def done(self) -> int:
        """Tasks that came to something; not those that were stopped, or never started."""
        ended = self.built.keys() | self.failed.keys() | self.blocked.keys()
        return len(self.fresh | self.restored | ended)

    def remaining(self, now: float) -> float | None:
        """Seconds until the tasks known to run are through; None where too little is known.

        No task, and no batch, is shared among the jobs, so that is never less than what the longest of them takes.
        What a cluster runs takes no job from the others.
        """
        average = sum(self.built.values()) / len(self.built) if self.built else None
        longest: dict[str, float] = {}
        for task, own in self.queued.items():
            left = self._left(task, average if own is None else own, now)
            if left is None:
                return None
            run, _ = self._run_of(task)
            longest[run] = longest.get(run, 0.0) + left
        here = sum(left for run, left in longest.items() if run not in self.remote)
        return max(here / self.jobs, max(longest.values(), default=0.0))

    def _run_of(self, task: str) -> tuple[str, int]:
        """The first of the tasks for which the same run of the recipe is, and how many those are."""
        start = self.starts.get(task)
        return (start.carrier, start.batch) if start and start.carrier else (task, 1)

    def _left(self, task: str, expected: float | None, now: float) -> float | None:
        """Seconds that a task will still take, by its own reports, else by what it should take in all."""
        if waiting := self.waiting.get(task):
            starts = waiting.last.starts
            return None if starts is None or expected is None else max(0.0, starts - time.time()) + expected
        if task not in self.running:
            return expected
        run, tasks = self._run_of(task)
        reported = self.reported.get(run)
        own = reported.left(now) if reported else None
        if own is not None:
            return own / tasks
        return None if expected is None else max(0.0, expected - (now - self.running[task]) / tasks)
