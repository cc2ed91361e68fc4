"""What starts the recipes of a build, keeps their clocks and writes down how they ended: the loop of a daemon.

Blind to what should run next: it runs what it is told, at once. Where each step of an attempt can be cut off by a crash
stands in `KILL_POINTS`; what is durable then is told by the files `started` and `results` of the run's folder.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from mlbuild.executors import attempt, checkpoints, lines, processes, sampler, stacks
from mlbuild.executors.attempt import Attempt
from mlbuild.executors.helpers import Helpers
from mlbuild.executors.job import Job, JobResult, Reason
from mlbuild.executors.oom import Kills
from mlbuild.executors.sampler import Sampler
from mlbuild.executors.saves import Saves
from mlbuild.executors.silence import Silence
from mlbuild.executors.watch import Watch
from mlbuild.killpoint import reach

KILL_POINTS = (
    "supervisor-accepted",
    "supervisor-spawned",
    "supervisor-recorded",
    "supervisor-released",
    "supervisor-reaped",
    "supervisor-digested",
    "supervisor-appended",
    "supervisor-told",
)
STARTED, RESULTS = "started", "results"
"""Files in a run's folder."""

Row = dict[str, Any]


class Running:
    """A run that was accepted and whose result isn't told yet, of one attempt or of a batch."""

    def __init__(self, jobs: list[Job], locks: list[int]) -> None:
        self.jobs = jobs
        self.job = attempt.whole(jobs)
        self.locks = locks
        """Open files that keep its GPUs for its build, and for it if the build dies."""
        self.process: Attempt | None = None
        """Its recipe, from the gate to the last straggler."""
        self.result: JobResult | None = None
        """How the recipe ended, while its outputs are being looked at."""
        self.helper = 0
        """The pid of the child that looks at files for it, if there is one."""
        self.is_cancelled = False
        self.kills: int | None = None
        """How many processes the kernel had killed when it started."""
        self.silence: Silence | None = None
        """How long it has been silent, if that counts."""
        self.sampler: Sampler | None = None
        """Who looks at its GPUs, if the driver can be asked about them."""
        self.saves: Saves | None = None
        """Its checkpoints, once their directory is ready."""


class Supervisor:
    """The loop: messages come in, processes end, clocks ring, results go out. Only files that are small are read in it.

    Args:
        folder: the run's, open; its `started` and `results` are appended to.
        listener: where other builds connect.
        driver: the connection to the build that this belongs to.
        outlives: what runs goes on when that is closed; else it is ended.
    """

    def __init__(self, folder: int, listener: socket.socket, driver: socket.socket, *, outlives: bool = True) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._started = os.open(STARTED, flags, 0o666, dir_fd=folder)
        self._results = os.open(RESULTS, flags, 0o666, dir_fd=folder)
        self._environment = {name: value for name, value in os.environ.items() if not _is_drivers(name)}
        self._node = os.uname().nodename
        self._epoch = processes.epoch()
        self._running: dict[str, Running] = {}
        self._kills = Kills()
        self._unwritten: list[Row] = []
        self._saves: Watch | None = None
        self._clients: list[lines.Channel] = []
        self._selector = selectors.DefaultSelector()
        self._helpers = Helpers(self._watch, self._selector.unregister)
        self._watch(listener.fileno(), lambda: self._welcome(listener.accept()[0]))
        self._welcome(driver)
        self._needed = None if outlives else self._clients[0]
        """The connection with which all ends."""

    def serve(self) -> None:
        """Go on until nobody is connected and nothing runs."""
        while self._clients or self._running:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            for ring in self._rung():
                ring()

    def _alarms(self) -> list[tuple[float, Callable[[], None]]]:
        """When something is to be done, in `time.monotonic` seconds, and what."""
        found: list[tuple[float, Callable[[], None]]] = []
        for running in self._running.values():
            if running.process and running.process.alarm is not None:
                found.append((running.process.alarm, partial(self._ring, running, running.process)))
            if running.silence and running.silence.due is not None:
                found.append((running.silence.due, partial(self._listen, running, running.silence)))
        return found

    def _patience(self) -> float | None:
        alarms = self._alarms()
        return max(0.0, min(alarm for alarm, _ in alarms) - time.monotonic()) if alarms else None

    def _rung(self) -> list[Callable[[], None]]:
        now = time.monotonic()
        return [ring for alarm, ring in self._alarms() if alarm <= now]

    def _watch(self, file: int, react: Callable[[], None]) -> None:
        self._selector.register(file, selectors.EVENT_READ, react)

    # Who is connected

    def _welcome(self, connection: socket.socket) -> None:
        client = lines.Channel(connection)
        self._clients.append(client)
        self._watch(client.fileno(), lambda: self._hear(client))

    def _hear(self, client: lines.Channel) -> None:
        for message in client.receive():
            # One that has died shall find nothing started of which it never heard.
            if not (client.closed and message["do"] == "run"):
                self._obey(client, message)
        self._tell(client)
        if client.closed:
            self._selector.unregister(client)
            self._clients.remove(client)
            client.close()
            if client is self._needed:
                for name in self._running:
                    self._stop(name, now=True)

    def _obey(self, client: lines.Channel, message: Row) -> None:
        if message["do"] == "run":
            jobs = [Job.from_json(job) for job in message["jobs"]]
            self._accept(jobs, [client.files.popleft() for _ in jobs[0].devices])
        elif message["do"] == "stop":
            self._stop(message["attempt"], now=message["now"])
        else:
            client.post({"running": {name: running.job.devices for name, running in self._running.items()}})

    def _tell(self, client: lines.Channel) -> None:
        """Hand over what the client can take now, and be called for the rest. Its end is `_hear`'s to notice."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.flush() else 0)
        key = self._selector.get_key(client)
        if key.events != wanted:
            self._selector.modify(client, wanted, key.data)

    # An attempt, step by step

    def _accept(self, jobs: list[Job], locks: list[int]) -> None:
        running = Running(jobs, locks)
        self._running |= {job.attempt: running for job in jobs}
        job = running.job
        reach("supervisor-accepted")
        if job.checkpoints:
            self._helpers.do(running, False, partial(checkpoints.prepare, job), partial(self._prepared, running))
        else:
            light = attempt.is_light(job)
            self._helpers.do(running, light, partial(attempt.changes, jobs), partial(self._begin, running))

    def _begin(self, running: Running, changes: list[str] | None) -> None:
        """Start it, its inputs having been looked at (`changes`, of each job, is None if that was cut short)."""
        if running.is_cancelled:
            self._refuse(running, Reason.CANCELLED, "")
        elif changes is None:
            self._refuse(running, Reason.LOST, "what looked at its inputs was killed")
        elif any(changes):
            self._refuse_changed(running, changes)
        else:
            try:
                self._spawn(running)
            except (OSError, ValueError) as error:  # ValueError: a zero byte in the recipe or the environment
                self._refuse(running, Reason.NOT_STARTED, attempt.words(error))

    def _spawn(self, running: Running) -> None:
        process = Attempt(running.job, {**self._environment, **checkpoints.environment(running.job, running.saves)})
        reach("supervisor-spawned")
        try:
            self._record(running.jobs, process)
        except OSError:
            process.abandon()
            raise
        reach("supervisor-recorded")
        running.kills = self._kills.count()
        process.release()
        reach("supervisor-released")
        running.process = process
        running.sampler = sampler.of(running.job, process.pid)
        if running.job.stall is not None:
            running.silence = Silence(running.job, time.monotonic())
        self._watch(process.fd, partial(self._settle, running, process))

    def _record(self, jobs: list[Job], process: Attempt) -> None:
        run = {"run": process.job.attempt, "pid": process.pid, "born": process.born, "epoch": self._epoch}
        for job in jobs:
            lines.append(self._started, {"attempt": job.attempt, **run})

    def _refuse(self, running: Running, reason: Reason, detail: str) -> None:
        if self._saves and running.saves:
            self._saves.remove(running.job.attempt)
            checkpoints.call_off(running.job)
        result = JobResult(running.job.attempt, reason, detail=detail, ended=time.time(), node=self._node)
        self._publish([share.as_json() for share in attempt.shares(running.jobs, result)])

    def _refuse_changed(self, running: Running, changes: list[str]) -> None:
        """The inputs of some are not as they were; the others of the batch may start without them."""
        ended = JobResult("", Reason.CANCELLED, ended=time.time(), node=self._node)
        shares = zip(attempt.shares(running.jobs, ended), changes, strict=True)
        results = (
            replace(share, reason=Reason.INPUT_CHANGED, detail=change) if change else share for share, change in shares
        )
        self._publish([result.as_json() for result in results])

    def _settle(self, running: Running, process: Attempt) -> None:
        self._selector.unregister(process.fd)
        if process.settle():
            running.process = None
            self._hush(running)
            busy, most = running.sampler.end() if running.sampler else (None, None)
            result = self._kills.judge(process.result(self._node), running.kills)
            result = running.result = replace(result, gpu_utilization=busy, max_gpu_memory=most)
            reach("supervisor-reaped")
            self._close_saves(running)
            if not (running.saves and running.saves.is_looking):
                self._measure(running, result)
        else:
            self._watch(process.fd, partial(self._settle, running, process))

    def _ring(self, running: Running, process: Attempt) -> None:
        process.ring()
        # The straggler that is waited for may have left the session meanwhile, and live on.
        if process.has_ended:
            self._settle(running, process)

    # One that is silent for too long

    def _listen(self, running: Running, silence: Silence) -> None:
        """Look for signs of life, first where that costs least. A look that doesn't come back is none."""
        if silence.log_is_silent(time.monotonic()):
            if silence.helper:
                self._judge(running, silence)
            else:
                then = partial(self._heard, running, silence)
                self._helpers.do(silence, silence.outputs_are_light(), silence.outputs, then)

    def _heard(self, running: Running, silence: Silence, outputs: list[str] | None) -> None:
        if silence.due is not None:
            silence.helper = 0
            if outputs is not None:
                silence.take(outputs)
            self._judge(running, silence)

    def _judge(self, running: Running, silence: Silence) -> None:
        if running.process and not running.process.is_ending and silence.is_too_long:
            silence.close()
            save = partial(stacks.save, running.job, running.process.pid)
            self._helpers.do(silence, False, save, partial(self._stop_stalled, running, silence))

    def _stop_stalled(self, running: Running, silence: Silence, place: str | None) -> None:
        silence.helper = 0
        if running.process and not running.process.is_ending:
            running.process.stop(Reason.STALLED, silence.words(place or ""))

    def _hush(self, running: Running) -> None:
        if running.silence:
            running.silence.close()
            stacks.drop_empty(running.job)

    def _measure(self, running: Running, result: JobResult) -> None:
        if result.ok or running.saves:
            light = not running.saves and attempt.is_light(running.job, running.job.outputs)
            work = partial(_measure, running.jobs, result, running.saves)
            self._helpers.do(running, light, work, partial(self._measured, running, result))
        else:
            self._measured(running, result, None)

    def _measured(self, running: Running, result: JobResult, rows: list[Row] | None) -> None:
        if rows is None and result.ok:
            reason = Reason.CANCELLED if running.is_cancelled else Reason.LOST
            result = replace(result, reason=reason, detail="what looked at its outputs was killed")
        self._publish(rows or [share.as_json() for share in attempt.shares(running.jobs, result)])

    def _publish(self, rows: list[Row]) -> None:
        """Write the results of a run down, then tell them; on a full disk, tell them all the same and write them down
        with the next."""
        reach("supervisor-digested")
        self._unwritten += rows
        with contextlib.suppress(OSError):
            while self._unwritten:
                lines.append(self._results, self._unwritten[0])
                del self._unwritten[0]
        reach("supervisor-appended")
        (running,) = {self._running.pop(row["attempt"]) for row in rows}
        for lock in running.locks:  # before anybody who could want them hears of it
            os.close(lock)
        for client in self._clients:
            for row in rows:
                client.post({"result": row})
            self._tell(client)
        reach("supervisor-told")

    def _stop(self, name: str, *, now: bool) -> None:
        running = self._running.get(name)
        if running and running.process:
            running.process.stop(Reason.CANCELLED, now=now)
        elif running and (running.result is None or (now and running.result.ok)):
            running.is_cancelled = True
            os.kill(running.helper, signal.SIGKILL)

    # What it saves

    def _prepared(self, running: Running, row: Row | None) -> None:
        """Start it, the directory of its checkpoints being ready."""
        job = running.job
        if row and row["problem"]:
            self._refuse(running, Reason.NOT_STARTED, row["problem"])
            return
        if row and not row["changed"]:
            running.saves = Saves(row["start"])
            try:
                self._watch_saves(job)
            except OSError as error:
                self._refuse(running, Reason.NOT_STARTED, checkpoints.problem(job, error))
                return
        self._begin(running, [row["changed"]] if row else None)

    def _watch_saves(self, job: Job) -> None:
        if self._saves is None:
            self._saves = Watch()
            self._watch(self._saves.fileno(), self._see_saves)
        self._saves.add(job)

    def _see_saves(self) -> None:
        assert self._saves
        for name, entries in self._saves.seen().items():
            running = self._running[name]
            if running.saves:
                running.saves.waiting += entries
                self._look_at_saves(running, running.saves)

    def _look_at_saves(self, running: Running, saves: Saves) -> None:
        """Have what it has saved written down, in one child at a time."""
        if saves.waiting and not saves.is_looking:
            names, saves.waiting, saves.is_looking = saves.waiting, [], True
            work = partial(checkpoints.put, running.job, saves, names)
            self._helpers.do(running, False, work, partial(self._looked_at_saves, running, saves, names))

    def _looked_at_saves(self, running: Running, saves: Saves, names: list[str], row: Row | None) -> None:
        saves.take(names, row)
        if running.result:
            self._measure(running, running.result)
        elif row:
            self._look_at_saves(running, saves)

    def _close_saves(self, running: Running) -> None:
        """Nothing of it runs any more: what it has put there is known."""
        if self._saves and running.saves:
            self._see_saves()
            self._saves.remove(running.job.attempt)


def _is_drivers(name: str) -> bool:
    """Whether a variable is about the job that the driver itself runs in."""
    return name.startswith(("SLURM_", "SLURMD_")) or name in (*checkpoints.VARIABLES, stacks.STACKS)


def _measure(jobs: list[Job], result: JobResult, saves: Saves | None) -> list[Row]:
    """The results of a run, after a look at what it made and has saved."""
    results = attempt.measured(jobs, result) if result.ok else attempt.shares(jobs, result)
    return [(checkpoints.end(jobs[0], each, saves) if saves else each).as_json() for each in results]
