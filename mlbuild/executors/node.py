"""Runs of recipes on a node of a cluster: `python -m mlbuild.executors.node FOLDER SECONDS OTHER…`, in a job of
Slurm's that began those seconds ago.

A small driver of a supervisor of its own, which does what it does on the driver's machine, too: environment, clock,
log, checkpoints, outputs. Of an array, a job that is soon done takes up others that no job of Slurm's has begun yet.
Blind to why it was submitted, and to what becomes of the result.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType

from mlbuild.errors import StateError
from mlbuild.executors import behind, daemon, processes
from mlbuild.executors.attempt import MARK, mark, signal_name, words
from mlbuild.executors.folder import CLAIM, NOW, OUTPUT, REVOKED, Claim, JobFolder, Note
from mlbuild.executors.gpus import VISIBLE
from mlbuild.executors.job import Job, JobResult, Reason
from mlbuild.executors.local import LocalExecutor
from mlbuild.executors.slurm.commands import end_steps, steps
from mlbuild.killpoint import reach

LOOK_EVERY = 0.25
"""Seconds between two looks at whether a signal has come."""
TO_CLOSE = 10.0
"""Seconds before the end of the cluster's job in which the result must be told."""
EARLY = 60.0
"""Seconds by which Slurm's warning may come before it was asked for."""
STOPPED = (Reason.CANCELLED, Reason.EXIT, Reason.SIGNAL)
"""How a recipe may end that Slurm has told to."""
FIRST_PORT, PORTS = 20_000, 10_000
"""Below those that the kernel gives out by itself. Jobs whose ids are near have ports of their own."""
OUT, ERR = 1, 2
TAKEN = 75
"""The exit status of a job whose attempt is another's already."""
YOUNG, SHARE = 30.0, 0.05
"""Seconds for which a job takes up others, and which part of its time that is at most: each must have almost all of it.
It costs a cluster more to begin a job than many a task takes."""


@dataclass(slots=True)
class Place:
    """A job of the cluster's: where runs are carried out, one after another."""

    environment: Mapping[str, str]
    began: float = field(default_factory=time.monotonic)
    signals: list[int] = field(default_factory=list)
    """Those that have come and that nobody has looked at."""
    before: float = 0.0
    """Seconds of its time that were over when this began: setting up had taken them."""
    is_over: bool = False
    """No other run shall begin in it."""

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._hear)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.signals.append(number)

    @property
    def age(self) -> float:
        """Seconds since this began."""
        return time.monotonic() - self.began

    @property
    def used(self) -> float:
        """Seconds of its time that are over."""
        return self.before + self.age

    def has_time_for(self, note: Note) -> bool:
        """Whether another run has all the time that it would have in a job of its own, or nearly so."""
        young = YOUNG if note.limit is None else min(YOUNG, note.limit * SHARE)
        return not self.is_over and not self.signals and self.age < young


class Node:
    """One run."""

    def __init__(self, folder: JobFolder, note: Note, place: Place) -> None:
        self._folder = folder
        self._note = note
        self._place = place
        self._late = place.used
        """Seconds of the job's time that others had, and setting it up."""
        self._outside = ""
        """The signal by which the cluster has ended it."""
        self._asked = ""
        self._is_cut = False
        """The cluster's job ends before the job's own time is over."""

    def run(self) -> int:
        """Carry it out: the exit status for the cluster."""
        environment = self._place.environment
        node = environment.get("SLURMD_NODENAME", os.uname().nodename)
        try:
            is_ours = self._folder.claim(Claim(own_id(environment), node, time.time(), lent(environment)))
            by = None if is_ours else self._folder.claimant()
        except OSError as error:
            _say(f"this can't be begun: {words(error)}")
            return 1
        if not is_ours:
            _say(f"this was begun before, by {by}: it runs once" if by else "this was called off before it began")
            return TAKEN
        reach("node-claimed")
        status = 0
        # Whoever carries the others comes last: with its result the folder may go.
        for result in reversed(self._carry_out()):
            result = replace(self._judged(result), node=node)
            self._publish(result)
            _say(f"{result.attempt}: {result.reason} {result.detail}".rstrip())
            status = status or (0 if result.ok else max(1, result.exit_status))
        # After a failure the build may want no other to begin. What it has left behind ends with the cluster's job.
        self._place.is_over = bool(status or self._outside or self._has_left_some()) or self._asked == REVOKED
        return status

    def _has_left_some(self) -> bool:
        """Whether something that it has started goes on, out of the supervisor's sight."""
        first = self._note.jobs[0]
        is_here = processes.any_has(f"{MARK}={mark(first.attempt, first.workspace)}")
        return is_here or (first.nodes > 1 and bool(steps(self._place.environment.get("SLURM_JOB_ID", ""))))

    def _publish(self, result: JobResult) -> None:
        """Tell how it ended, on a full disk once there is room."""
        while True:
            try:
                self._folder.publish(result)
            except OSError as error:
                _say(f"the result can't be written down (yet): {error}")
                self._folder.beat()
                time.sleep(self._note.delay / 2)
            else:
                return

    def _carry_out(self) -> list[JobResult]:
        """The results, in the order of the jobs."""
        if self._folder.asked():
            return [JobResult(job.attempt, Reason.CANCELLED, ended=time.time()) for job in self._note.jobs]
        first, *others = self._note.jobs
        found: dict[str, str] = {}
        if first.after:
            before = self._results(first.after)
            if problem := behind.problem(first, before):
                return [JobResult(first.attempt, Reason.NOT_STARTED, detail=problem, ended=time.time())]
            known = {attempt: result for attempt, result in before.items() if result}
            found = behind.found(first, known, self._note.delay)
            first = behind.completed(first, found)
        try:
            prepared = daemon.prepare(child=True)
            executor = LocalExecutor(self._folder.path, first.workspace, 1, math.inf, None, prepared)
            handle = executor.submit([self._here(first), *others])[0]
        except (OSError, StateError) as error:
            why = error.message if isinstance(error, StateError) else words(error)
            ended = JobResult("", Reason.NOT_STARTED, detail=why, ended=time.time())
            return [replace(ended, attempt=job.attempt) for job in self._note.jobs]
        results: dict[str, JobResult] = {}
        next_beat = 0.0
        while len(results) < len(self._note.jobs):
            results |= {result.attempt: result for result in executor.finished(LOOK_EVERY)}
            heard = [self._place.signals.pop(0) for _ in range(len(self._place.signals))]
            if heard or time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._note.delay / 2
                self._folder.beat()
                self._look(executor, handle)
            ends = [number for number in heard if number != signal.SIGUSR2 and not self._is_for_our_clock(number)]
            if ends and not self._asked and not self._outside:
                self._outside = signal_name(ends[0])
                executor.cancel([handle])
        executor.close()
        if first.nodes > 1 and not all(result.ok for result in results.values()):
            end_steps(self._place.environment.get("SLURM_JOB_ID", ""))
        return [replace(results[job.attempt], found=found) for job in self._note.jobs]

    def _results(self, attempts: Sequence[str]) -> dict[str, JobResult | None]:
        """How these ended, as soon as the file system shows it here; None of one of which it does not in time."""
        until = time.monotonic() + self._note.delay
        while True:
            results = {attempt: self._folder.result(attempt) for attempt in attempts}
            if all(results.values()) or time.monotonic() > until:
                return results
            time.sleep(LOOK_EVERY)

    def _look(self, executor: LocalExecutor, handle: str) -> None:
        """Do what the driver has asked for since the last look."""
        with contextlib.suppress(OSError):  # a file system with a fault is asked again at the next beat
            if (asked := self._folder.asked()) != self._asked:
                self._asked = asked
                executor.cancel([handle], now=asked in (NOW, REVOKED))

    def _is_for_our_clock(self, number: int) -> bool:
        """Whether a signal only warns of the end of the time, which comes too coarsely: we know it ourselves."""
        if number != signal.SIGUSR1 or self._note.limit is None:
            return False
        return self._note.limit - self._place.used < self._note.jobs[0].grace + 2.5 * EARLY

    def _here(self, job: Job) -> Job:
        """What is told the supervisor: it has what the cluster says of this job, and ends before the cluster does."""
        of_job = {name: value for name, value in self._place.environment.items() if name.startswith("SLURM")}
        if job.nodes > 1:
            of_job |= meeting_point(job.nodes, of_job.get("SLURM_JOB_ID", "0"))
        # The cluster lends GPUs: there is nothing to choose from.
        has_visible = bool(lent(self._place.environment)) and VISIBLE in self._place.environment
        job = replace(job, environment={**of_job, **job.environment}, gpus=0, has_visible=has_visible)
        if self._note.limit is None:
            return job
        left = max(2.0, self._note.limit - self._late - TO_CLOSE)
        grace = min(job.grace, left / 2)
        self._is_cut = job.timeout is None or left - grace < job.timeout
        return replace(job, timeout=left - grace, grace=grace) if self._is_cut else job

    def _judged(self, result: JobResult) -> JobResult:
        if result.reason in STOPPED and not self._asked:
            if not self._outside:
                # Slurm tells all processes of a job, one after another: the recipe may have heard before us.
                time.sleep(LOOK_EVERY)
                self._outside = next((signal_name(one) for one in self._place.signals if one == signal.SIGTERM), "")
            if self._outside:
                return replace(result, reason=Reason.PREEMPTED, detail=f"Slurm ended it by {self._outside}")
        if result.reason is Reason.TIMEOUT and self._is_cut:
            return replace(result, detail="the time of its job in Slurm was over")
        return result


def meeting_point(nodes: int, id: str) -> dict[str, str]:
    """What tells the processes of a job on many nodes where to meet: on the first, where the recipe runs."""
    port = FIRST_PORT + int(id) % PORTS
    return {"MASTER_ADDR": os.uname().nodename, "MASTER_PORT": str(port), "WORLD_SIZE": str(nodes)}


def own_id(environment: Mapping[str, str]) -> str:
    """How Slurm calls this job; of an array's, as `12_3`."""
    array, index = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array else environment.get("SLURM_JOB_ID", "")


def lent(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The GPUs that Slurm has lent this job, as they are called on the node."""
    return tuple(filter(None, environment.get("SLURM_JOB_GPUS", "").split(",")))


def _say(text: str) -> None:
    """For people, if there is room on the disk."""
    with contextlib.suppress(OSError):
        os.write(OUT, os.fsencode(f"{text}\n"))


def main() -> int:
    own, seconds, *others = sys.argv[1:]
    return carry_out(os.path.abspath(own), others, Place(os.environ, before=float(seconds)))


def carry_out(own: str, others: Sequence[str], place: Place) -> int:
    """Carry out the run of a folder, and then those of the others beside it that nobody has: the first's exit status.

    A job whose own run is another's, or was called off, takes up none: it may be just about to be cancelled.
    """
    place.listen()
    folder = JobFolder(own)
    note = folder.read()
    if note is None:
        _say(f"{folder.path} is gone: its attempt is over")
        return TAKEN
    status = Node(folder, note, place).run()
    # The cluster begins with the first of an array: the last would wait longest.
    left = [JobFolder(os.path.join(os.path.dirname(own), name)) for name in others] if status == 0 else []
    while left and place.has_time_for(note):
        _take_up(left.pop(), place)
    return status


def _take_up(folder: JobFolder, place: Place) -> None:
    """Carry out the run of another job of the array, if nobody has it and it can be had."""
    try:
        note = None if os.path.exists(folder.at(CLAIM)) else folder.read()
        if note is None:
            return
        _speak_in(folder)
    except OSError:  # the build is just removing it, or its disk is full
        return
    with contextlib.suppress(ChildProcessError):  # the supervisors of those before
        os.waitpid(-1, os.WNOHANG)
    Node(folder, note, place).run()


def _speak_in(folder: JobFolder) -> None:
    """What is said from now on is for this folder. Raises OSError."""
    with open(folder.at(OUTPUT), "a") as file:
        os.dup2(file.fileno(), OUT)
        os.dup2(file.fileno(), ERR)


if __name__ == "__main__":
    sys.exit(main())
