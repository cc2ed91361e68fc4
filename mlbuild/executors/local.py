"""Runs jobs on this machine, through the run's supervisor; takes over what an earlier build's supervisor still runs.

Blind to order and to queues: what is submitted starts at once, so ask `has_room` before.
"""

from __future__ import annotations

import itertools
import os
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlbuild.errors import StateError
from mlbuild.executors import attempt, daemon, lines, processes, supervisor
from mlbuild.executors.capacity import Capacity, Limits
from mlbuild.executors.job import Began, Job, JobResult, Reason
from mlbuild.executors.lender import Lender, environment

LOST_GRACE = 1.0
"""Seconds that a recipe which nobody watches any more has between TERM and KILL."""
PATIENCE = 5.0
"""Seconds for which a supervisor that holds its lock may leave a connection unanswered."""


class LocalExecutor:
    """The executors of the kind `local`: each with its limits, and all of them on one machine.

    Args:
        run_folder: this build's own, two levels below the folder that handles are relative to (`.mlbuild/runs/N`).
        workspace: absolute.
        jobs: how many may run at once.
        cpus: how many CPUs they may have together; a job that asks for more than all gets all.
        memory: how much memory they may have together, in bytes; None for no limit.
        prepared: what the supervisor is made of (`daemon.prepare`), if that was forked already.
        limits: of executors, by name.
        gpus: how many GPUs there are, if nothing but the user tells.
    """

    def __init__(
        self,
        run_folder: str,
        workspace: str,
        jobs: int,
        cpus: float,
        memory: int | None,
        prepared: socket.socket | None = None,
        limits: Mapping[str, Limits] | None = None,
        gpus: int | None = None,
    ) -> None:
        self._root, self._folder = _split(os.path.abspath(run_folder))
        self._workspace = workspace
        self._lender = Lender(gpus)
        self._capacity = Capacity(workspace, Limits(cpus, memory, jobs=jobs), limits or {}, self._lender)
        self._running: dict[str, tuple[Job, str]] = {}
        self._results: list[JobResult] = []
        self._begun: list[Began] = []
        self._channels: dict[str, lines.Channel] = {}
        self._listed: dict[str, dict[str, list[str]]] = {}
        self._prepared = prepared

    @property
    def gpus(self) -> int:
        """How many there are for this build, free or not."""
        return len(self._lender.gpus)

    def has_room(self, job: Job) -> bool:
        """Whether the job could start now, beside what was submitted and has not finished."""
        return self._capacity.has_room(job, self._jobs())

    def _jobs(self) -> list[Job]:
        """Those that run, one of each batch."""
        return [*{job.run: job for job, _ in self._running.values()}.values()]

    def queues(self, executor: str) -> bool:
        """Never: what is submitted starts."""
        return False

    def cut_short(self, job: Job) -> str | None:
        """What the job asks for and gets less of, in words: more CPUs than there are count as all of them."""
        return self._capacity.cut_short(job)

    def too_large(self, job: Job) -> str | None:
        """What the job asks for that can never be had here, in words; None if it fits."""
        return self._capacity.too_large(job)

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Start these now; each handle is `runs/N/ATTEMPT`. Raises StateError if no supervisor can be started."""
        channel, messages, locks = self._own(), [], list[int]()
        for _, group in itertools.groupby(jobs, lambda job: job.run):
            first, *others = group
            if detail := self._capacity.lacks_disk(first):
                refused = JobResult(first.attempt, Reason.NOT_STARTED, detail=detail, ended=time.time())
                self._results += attempt.shares([first, *others], refused)
                continue
            devices = self._capacity.lend(first, self._jobs())
            assert devices is not None, "there is room"
            given = replace(first, environment={**first.environment, **environment(first, devices)})
            together = [replace(job, devices=devices) for job in (given, *others)]
            self._running |= {job.attempt: (job, self._folder) for job in together}
            self._begun += map(self._as_begun, together)
            messages.append({"do": "run", "jobs": [job.as_json() for job in together]})
            locks += self._lender.locks(devices)
        channel.send(messages, locks)
        return [f"{self._folder}/{job.attempt}" for job in jobs]

    def _as_begun(self, job: Job) -> Began:
        return Began(job.attempt, gpus=self._lender.names(job.devices))

    def _own(self) -> lines.Channel:
        """The connection to this run's supervisor: a new one, if there is none or it has died."""
        self._poll(0)
        if self._folder not in self._channels:
            prepared, self._prepared = self._prepared, None
            try:
                connection = daemon.start(self._path(self._folder), self._workspace, prepared)
            except OSError as error:
                raise StateError(f"can't start what runs recipes: {attempt.words(error)}") from error
            self._channels[self._folder] = lines.Channel(connection)
        return self._channels[self._folder]

    def finished(self, timeout: float) -> list[JobResult]:
        """Results that have come in, after waiting for one at most `timeout` seconds. Each is given once."""
        deadline = time.monotonic() + timeout
        self._lender.keep(self._jobs())
        self._poll(0)
        while not self._results and (left := deadline - time.monotonic()) > 0:
            self._poll(left)
        results, self._results = self._results, []
        return results

    def _poll(self, timeout: float) -> None:
        with selectors.PollSelector() as selector:
            for folder, channel in self._channels.items():
                selector.register(channel, selectors.EVENT_READ, folder)
            for key, _ in selector.select(timeout):
                self._receive(key.data)

    def _receive(self, folder: str) -> None:
        """Take in what a supervisor has sent. One that has died loses its attempts."""
        channel = self._channels[folder]
        for message in channel.receive():
            if "result" in message:
                self._take(JobResult.from_json(message["result"]))
            else:
                self._listed[folder] = message["running"]
        if channel.closed:
            self._channels.pop(folder).close()
            self._bury(folder)

    def _take(self, result: JobResult) -> None:
        if self._running.pop(result.attempt, None):
            self._results.append(result)

    def _bury(self, folder: str) -> None:
        """A supervisor has died: its attempts have ended if it wrote so, else they are ended now, and lost."""
        for name in [name for name, (_, where) in self._running.items() if where == folder]:
            if not self._recall(folder, name):
                self._end(folder, name)
                log = os.path.relpath(os.path.join(self._path(folder), daemon.CRASH), self._workspace)
                detail = f"its supervisor died (if that was a bug, {log} tells)"
                self._take(JobResult(name, Reason.LOST, detail=detail, ended=time.time()))

    def find(self, job: Job) -> str | None:
        """The handle of a job that was perhaps submitted, by a process that died before it noted a handle."""
        runs = os.path.dirname(self._folder)
        for folder in (f"{runs}/{number}" for number in os.listdir(self._path(runs))):
            if self._knows(folder, job.attempt) or job.attempt in self._running_at(folder):
                return f"{folder}/{job.attempt}"
        return None

    def _knows(self, folder: str, name: str) -> bool:
        files = (supervisor.STARTED, supervisor.RESULTS)
        rows = itertools.chain.from_iterable(lines.read(os.path.join(self._path(folder), file)) for file in files)
        return any(row["attempt"] == name for row in rows)

    def reattach(self, handle: str, job: Job) -> bool:
        """Take over a job that another process submitted; its result will come out of `finished`.

        False if it is lost: its supervisor died before it ended. Nothing of it runs any more then.
        Raises StateError if it is alive where it can't be reached.
        """
        folder, name = _cut(handle)
        running = self._running_at(folder)
        taken = replace(job, devices=tuple(running.get(name, ())))
        self._running[name] = taken, folder
        # In this order: between the answer and now it may have ended, which is written before it is told.
        if self._recall(folder, name) or (name in running and folder in self._channels):
            self._begun.append(self._as_begun(taken))
            return True
        del self._running[name]
        self._end(folder, name)
        return False

    def _running_at(self, folder: str) -> dict[str, list[str]]:
        """The attempts that a run's supervisor has accepted and not told the results of, with the GPUs that each has.

        None if it is dead.
        """
        if not self._join(folder):
            return {}
        self._channels[folder].send([{"do": "running"}])
        patience = time.monotonic() + PATIENCE
        while folder in self._channels and folder not in self._listed:
            if time.monotonic() > patience:
                raise StateError(f"what runs the recipes of {folder} doesn't answer")
            self._poll(PATIENCE)
        return self._listed.pop(folder, {})

    def _join(self, folder: str) -> bool:
        """Be connected to a run's supervisor, if it lives."""
        patience = time.monotonic() + PATIENCE
        while folder not in self._channels:
            if connection := daemon.connect(self._path(folder)):
                self._channels[folder] = lines.Channel(connection)
            elif not daemon.is_alive(self._path(folder)):
                return False
            elif time.monotonic() > patience:
                raise StateError(f"what {folder} still runs can't be reached", hint="go to the node where it was built")
            else:
                time.sleep(0.01)
        return True

    def _recall(self, folder: str, name: str) -> bool:
        """Take its result out of what its supervisor wrote down."""
        for row in lines.read(os.path.join(self._path(folder), supervisor.RESULTS)):
            if row["attempt"] == name:
                self._take(JobResult.from_json(row))
                return True
        return False

    def _end(self, folder: str, name: str) -> None:
        """End what its supervisor started and nobody watches any more."""
        for row in lines.read(os.path.join(self._path(folder), supervisor.STARTED)):
            if row["attempt"] == name and row["epoch"] == processes.epoch():
                mark = f"{attempt.MARK}={attempt.mark(row.get('run', name), self._workspace)}"
                processes.end_session(row["pid"], row["born"], mark, LOST_GRACE)

    def standing(self) -> list[Began]:
        """What was submitted or taken over since the last call: here it runs at once."""
        begun, self._begun = self._begun, []
        return begun

    def news(self) -> list[str]:
        """What there is to say of this machine, each word once."""
        return self._lender.news()

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        """Stop these jobs, with their signal and grace, or at once; their results still come."""
        for folder, name in map(_cut, handles):
            if folder in self._channels and name in self._running:
                self._channels[folder].send([{"do": "stop", "attempt": name, "now": now}])

    def hold_back(self) -> None:
        """There is nothing: what is submitted starts."""

    def end(self, handle: str, job: Job) -> None:
        """Stop a job that another process submitted, and wait until nothing of it runs. How it ended is not told."""
        if self.reattach(handle, job):
            self.cancel([handle])
            while job.attempt in self._running:
                self._poll(PATIENCE)
            self._results = [result for result in self._results if result.attempt != job.attempt]

    def close(self) -> None:
        """Let go. What was submitted goes on, and its supervisor with it."""
        if self._folder in self._channels and self._running:
            self._running_at(self._folder)  # once it answers it has taken in what stood before the question
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        self._lender.close()
        if self._prepared:
            self._prepared.close()

    def _path(self, folder: str) -> str:
        return os.path.join(self._root, folder)


def still_runs(run_folder: str, name: str) -> bool:
    """Whether a run's supervisor lives and has begun an attempt that it has not told the result of. Asks nobody."""
    if not daemon.is_alive(run_folder):
        return False
    begun, over = (
        {row["attempt"] for row in lines.read(os.path.join(run_folder, file))}
        for file in (supervisor.STARTED, supervisor.RESULTS)
    )
    return name in begun - over


def _split(run_folder: str) -> tuple[str, str]:
    """What handles are relative to, and the run's folder from there."""
    runs = os.path.dirname(run_folder)
    root = os.path.dirname(runs)
    return root, os.path.relpath(run_folder, root)


def _cut(handle: str) -> tuple[str, str]:
    """(run folder, attempt)"""
    runs, number, name = handle.split("/", 2)
    return f"{runs}/{number}", name
