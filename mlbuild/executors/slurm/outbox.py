"""What is to be submitted: jobs that are alike become one array, its script is written down, and `sbatch` gets it.

Blind to what becomes of a job once Slurm has it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlbuild.executors.attempt import words
from mlbuild.executors.folder import SCRIPT, Note
from mlbuild.executors.job import Job, JobResult, Reason
from mlbuild.executors.slurm import cluster
from mlbuild.executors.slurm.commands import MOST, REFUSALS, Answer, Command, Orders
from mlbuild.executors.slurm.dependency import Dependency, dependency
from mlbuild.executors.slurm.known import Known, by_run
from mlbuild.executors.slurm.queue import Queue
from mlbuild.executors.slurm.script import Site, limit, render, resources
from mlbuild.executors.slurm.widths import Widths
from mlbuild.killpoint import reach

KILL_POINTS = ("slurm-written", "slurm-sending", "slurm-sent")
QUIET, GATHER = 0.05, 2.0
"""Seconds without another job, and at most, for which jobs are held back: they may become one array."""
DEFAULTS = {
    "queue": "SBATCH_PARTITION",
    "account": "SBATCH_ACCOUNT",
    "qos": "SBATCH_QOS",
    "constraint": "SBATCH_CONSTRAINT",
}
"""What an executor leaves open, and the variable by which the user may have said it for all jobs."""
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
"""The folder in which `mlbuild` lies."""


@dataclass(eq=False, slots=True)
class Submission:
    """Jobs that Slurm is given by one `sbatch`."""

    script: str
    members: list[Known]
    failed: float | None = None
    """When it could not be told whether Slurm had taken them."""
    word: str = ""
    """Why it won't, if it hasn't; empty: that is asked again."""


class Outbox:
    """Submits, one `sbatch` after another, without waiting for Slurm.

    Args:
        known: all jobs whose end was not told yet.
        sites: what each executor says, by name.
        lost_on: task → nodes on which it was lost.
        queue: tells what Slurm has taken.
        widths: of arrays.
    """

    def __init__(
        self,
        known: Mapping[str, Known],
        sites: Mapping[str, Site],
        lost_on: dict[str, set[str]],
        queue: Queue,
        orders: Orders,
        widths: Widths,
    ) -> None:
        self._known = known
        self._sites = sites
        self._lost_on = lost_on
        self._queue = queue
        self._orders = orders
        self._widths = widths
        self._waiting: list[Known] = []
        self._first = self._last = 0.0
        """Since when jobs have been coming, and when the last came."""
        self._tried: tuple[int, int] | None = None
        """How many waited, and how many were known, when none of them could be submitted."""
        self._most: int | None = None
        """How many jobs an array may have, once that was asked."""
        self._ids: dict[str, str] = {}
        """How Slurm calls the runs that it was given here."""
        self.sizes: dict[str, int] = {}
        """How many those are that it was given at once, by its id for all of them."""
        self._put_off: list[Submission] = []
        self._sending: tuple[Submission, Command] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether Slurm was given all there is, though it may not have taken it."""
        return not (self._sending or any(self._widths.free(target) != 0 for target in self._targets()))

    @property
    def is_unsure(self) -> bool:
        """Whether there is something of which only the queue tells if Slurm has it."""
        return bool(self._put_off)

    def put(self, jobs: Sequence[Known]) -> None:
        self._last = time.monotonic()
        self._first = self._first if self._waiting else self._last
        self._waiting += jobs

    def withdraw(self, known: Known) -> bool:
        """Don't submit it; False if it was."""
        if known not in self._waiting:
            return False
        self._waiting.remove(known)
        return True

    def site(self, job: Job) -> Site:
        return self._sites.get(job.executor, Site())

    def go_on(self) -> list[JobResult]:
        """Do what is due. The results are of jobs that can't be submitted."""
        refused: list[JobResult] = []
        if self._sending:
            submission, command = self._sending
            answer = command.answer()
            if answer is None:
                return []
            self._sending, self._tried = None, None
            refused += self._sent(submission, answer)
        if again := next((submission for submission in self._put_off if submission.failed is None), None):
            self._put_off.remove(again)
            self._send(again)
        elif self._is_due():
            refused += self._take_hopeless()
            members = self._take_alike()
            try:
                if members:
                    self._send(Submission(self._write(members), members))
            except OSError as error:
                refused += [known.unseen(Reason.NOT_STARTED, words(error)) for known in members]
        return refused

    def _send(self, submission: Submission) -> None:
        reach("slurm-sending")
        site = self.site(submission.members[0].job)
        keep = [variable for name, variable in DEFAULTS.items() if getattr(site, name) is None]
        command = ["sbatch", "--parsable", "--export=ALL", submission.script]
        self._sending = submission, Command(command, keep=keep)

    def _is_due(self) -> bool:
        """Whether there are jobs, and no more of them keep coming, or they have for long."""
        now = time.monotonic()
        if not self._waiting or self._tried == (len(self._waiting), len(self._known)):
            return False
        return now - self._last > QUIET or now - self._first > GATHER

    def _take_alike(self) -> list[Known]:
        """All jobs of the first run that can be submitted, and of all others that can be one array with it."""
        free = {target: self._widths.free(target) for target in self._targets()}
        ready = (
            run
            for run in by_run(self._waiting)
            if free[run[0].target] != 0 and None not in self._before(run[0].job).values()
        )
        first = next(ready, None)
        if first is None:
            self._tried = len(self._waiting), len(self._known)
            return []
        alike = self._alike(first[0])
        chosen: dict[int, list[Known]] = {}
        for run in (first, *ready):
            if self._alike(run[0]) == alike and (not chosen or len(chosen) < self._largest_array()):
                index = self._dependency(run[0].job).index
                chosen.setdefault(len(chosen) if index is None else index, run)
        return self._take([known for _, run in sorted(chosen.items()) for known in run])

    def _largest_array(self) -> int:
        """As the site says, else as Slurm is delivered: until it refuses one."""
        if self._most is None:
            told = cluster.largest_array()
            self._most = MOST if told is None else told
        return self._most

    def _targets(self) -> set[str]:
        """Those of which something waits."""
        return {known.target for known in self._waiting}

    def _take(self, members: list[Known]) -> list[Known]:
        taken = set(members)
        self._waiting = [known for known in self._waiting if known not in taken]
        self._first = time.monotonic()
        return members

    def _take_hopeless(self) -> list[JobResult]:
        """The results of those that were to be submitted behind what did not come to be."""
        members = self._take([known for known in self._waiting if "" in self._before(known.job).values()])
        return [known.unseen(Reason.NOT_STARTED, "what it needs was not submitted") for known in members]

    def _before(self, job: Job) -> dict[str, str | None]:
        """What Slurm calls the runs behind which this comes and that have not ended well, by attempt.

        None of one that is still to be submitted; empty of one that won't be, or came to nothing. (Behind an id that
        Slurm no longer knows a job runs at once: here stand only such as it was given by this process, or told of.)
        """
        found: dict[str, str | None] = {}
        for attempt in job.after:
            known = self._known.get(attempt)
            id = self._ids.get(attempt) or (known and known.id)
            if id or known:
                found[attempt] = id or None
            elif not self._has_ended_well(job, attempt):
                found[attempt] = ""
        return found

    def _dependency(self, job: Job) -> Dependency:
        """How Slurm is told what comes before a job that can be submitted."""
        return dependency(filter(None, self._before(job).values()), self.sizes)

    def _has_ended_well(self, job: Job, attempt: str) -> bool:
        result = self._known[job.attempt].folder.result(attempt)
        return result is not None and result.ok

    def _alike(self, known: Known) -> tuple[object, ...]:
        job, site = known.job, self.site(known.job)
        before = self._dependency(job)
        asked = resources(job, site), limit(job, site)
        return job.executor, known.target, *asked, self._away(job), before.jobs, before.over, before.arrays

    def _away(self, job: Job) -> list[str]:
        return sorted(self._lost_on.get(job.task, ()))

    def _write(self, members: list[Known]) -> str:
        """Write down what is going to be submitted: the path of the script. Raises OSError."""
        runs, job = by_run(members), members[0].job
        site = self.site(job)
        width = self._widths.free(members[0].target)
        name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', job.task)[:60]}.{job.attempt}.{os.urandom(6).hex()}"
        behind = [self._dependency(run[0].job) for run in runs]
        indices = [place if one.index is None else one.index for place, one in enumerate(behind)]
        for index, run in zip(indices, runs, strict=True):
            place = index if len(runs) > 1 else None
            for known in run:
                known.name, known.index = name, place
            jobs = tuple(known.job for known in run)
            run[0].folder.write(Note(jobs, name, place, limit(jobs[0], site), site.delay))
        folders = [run[0].folder.path for run in runs]
        script = members[0].folder.at(SCRIPT)
        with open(script, "w", encoding="utf-8", errors="surrogateescape") as file:
            after = behind[0].option(as_array=len(runs) > 1)
            away, shared = self._away(job), not (behind[0].arrays or self._has_followers(members))
            file.write(render(name, folders, job, site, away, sys.executable, ROOT, after, width, indices, shared))
        self._widths.note(name, width)
        reach("slurm-written")
        return script

    def _has_followers(self, members: list[Known]) -> bool:
        """Whether others come behind any of these, each behind its own."""
        attempts = {known.job.attempt for known in members}
        return any(not attempts.isdisjoint(known.job.after) for known in self._waiting)

    def _sent(self, submission: Submission, answer: Answer) -> list[JobResult]:
        """`sbatch` has ended: the results of those that Slurm does not take."""
        members = submission.members
        if answer.status == 0 and (match := re.search(r"^\d+", answer.out, re.MULTILINE)):
            reach("slurm-sent")
            self.sizes[match[0]] = len(by_run(members))
            for known in members:
                known.id = match[0] if known.index is None else f"{match[0]}_{known.index}"
                self._ids[known.job.attempt] = known.id
                known.sent = time.monotonic()
            called_off = [known.id for known in members if known.stop and known.withdraw()]
            self._orders.give(["scancel", "--quiet"], called_off)
            self._queue.look_soon()
        elif answer.is_unsure or answer.status == 0:
            self._queue.silent(answer.word)
            self._submit_later(submission)
        elif "policy" in answer.word and any(known.sent is not None for known in self._known.values()):
            self._submit_later(submission)  # it has as many of our jobs as it takes at once
        elif ("array" in answer.word or "policy" in answer.word) and len(runs := by_run(members)) > 1:
            self._most = len(runs) // 2
            self._put_back(members)
        elif lost := {known.job.task for known in members} & self._lost_on.keys():
            for task in lost:  # perhaps these were all nodes that there are
                del self._lost_on[task]
            self._put_back(members)
        elif not answer.is_refusal:
            self._submit_later(submission, answer.word)
        else:
            return _refused(submission, answer.word)
        return []

    def _submit_later(self, submission: Submission, word: str = "") -> None:
        """Submit these again, or tell by this word why not, once Slurm has said that it does not have them."""
        submission.failed, submission.word = time.monotonic(), word
        self._put_off.append(submission)
        self._queue.look_soon()

    def _put_back(self, members: list[Known]) -> None:
        """Submit these anew."""
        for known in members:
            known.name, known.index = "", None
        self._waiting += members

    def settle(self) -> list[JobResult]:
        """See by a new picture what Slurm had taken. The results are of jobs that it hasn't, and that nobody wants."""
        ended: list[JobResult] = []
        asked = self._queue.picture.asked
        names = {name for name, _ in self._queue.picture.jobs}
        for submission in [each for each in self._put_off if each.failed is not None and each.failed < asked]:
            submission.failed = self._tried = None
            if submission.members[0].name in names:
                for known in submission.members:
                    known.sent = asked - 1
                self._put_off.remove(submission)
            elif submission.word:
                ended += _refused(submission, submission.word)
                self._put_off.remove(submission)
            elif all(known.stop for known in submission.members):
                ended += [known.unseen(Reason.CANCELLED, "") for known in submission.members]
                self._put_off.remove(submission)
        return ended


def _refused(submission: Submission, word: str) -> list[JobResult]:
    """The results of jobs that Slurm does not take. If it has taken them after all, those that run are watched."""
    refused, why = [], f"Slurm does not take it: {word}{_meaning(word, submission.members[0].job.executor)}"
    for known in submission.members:
        if known.withdraw():
            refused.append(known.unseen(Reason.NOT_STARTED, why))
        else:
            known.sent = time.monotonic()
    return refused


def _meaning(word: str, executor: str) -> str:
    """What a refusal of `sbatch` means, if that is known, and who knows more."""
    told = next((f" ({meaning})" for what, meaning in REFUSALS if what in word.lower()), "")
    return f"{told}; `mlbuild executors {executor}` says what it has"
