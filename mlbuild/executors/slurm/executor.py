"""Runs jobs on the nodes of a Slurm cluster: submits them, watches for their results, tells those that are lost.

What is known of a job is what its folder and `squeue` say of it, by a name that no other submission has: so nothing is
forgotten with this process. Blind to what a task is, and to accounting, which many clusters don't have.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlbuild.errors import StateError
from mlbuild.executors import checkpoints, folder
from mlbuild.executors.attempt import words
from mlbuild.executors.capacity import Limits
from mlbuild.executors.folder import NOW, REVOKED, SCRIPT, SOFT, JobFolder, Note
from mlbuild.executors.job import Job, JobResult, Reason
from mlbuild.executors.slurm import nodes
from mlbuild.executors.slurm.commands import AGAIN, ENDED, WAITING, Answer, Command, Row, queue, rows
from mlbuild.executors.slurm.script import Site, limit, render, resources
from mlbuild.killpoint import reach

KILL_POINTS = ("slurm-written", "slurm-sending", "slurm-sent")
PREFIX = "slurm/"
TICK = 0.02
"""Seconds between two looks at what has come, while somebody waits for it."""
GATHER = 1.0
"""Seconds for which jobs are held back, as long as more of them keep coming: they may become one array."""
SHORTEST, LONGEST, GROWTH = 1.0, 60.0, 1.5
"""Seconds between two questions to Slurm, and by what these grow while nothing happens."""
LISTINGS, LIST_EVERY = 0.2, 1.0
"""As a part of those, and at most, the seconds between two looks for results."""
SILENT_BEATS = 4
"""A node is silent if so many of its signs of life have failed to come."""
PATIENCE = 60.0
"""Seconds for which an answer of Slurm's is waited for where nothing can be done without it."""
LONG = 30.0
"""Seconds after which it is worth a word that a job still waits."""
MOST = 1000
"""How large an array is at most: as Slurm is delivered. Where less is allowed, that is found out."""
UNLIMITED = Limits()
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
"""The folder in which `mlbuild` lies."""


@dataclass(eq=False, slots=True)
class Known:
    """A job that was submitted here or taken over, and whose end was not told yet."""

    job: Job
    folder: JobFolder
    name: str = ""
    index: int | None = None
    id: str = ""
    """How Slurm calls it, once that is known."""
    sent: float | None = None
    """When Slurm had it, in `time.monotonic` seconds; None: it has not, or nobody knows."""
    is_seen: bool = False
    """Slurm has told of it as one that is not over."""
    gone: float | None = None
    """Since when Slurm says that it is over, or doesn't know it."""
    stop: str = ""
    """What was asked for."""
    held: JobResult | None = None
    """How it ended, while it is not clear by whose will."""
    delay: float = 10.0


@dataclass(eq=False, slots=True)
class Submission:
    """Jobs that Slurm is given by one `sbatch`."""

    script: str
    members: list[Known]
    failed: float | None = None
    """When it could not be told whether Slurm had taken them."""


@dataclass(slots=True)
class Picture:
    """What Slurm said last, and when it was asked."""

    asked: float = float("-inf")
    jobs: dict[tuple[str, int | None], Row] = field(default_factory=dict)

    def of(self, known: Known) -> Row | None:
        """What it says of a job. Slurm tells of those of an array that have not begun in one row."""
        row = self.jobs.get((known.name, known.index)) or self.jobs.get((known.name, None))
        if row is None or known.index is None:
            return row
        return replace(row, id=f"{row.id.partition('_')[0]}_{known.index}")


class SlurmExecutor:
    """The executors of the kind `slurm`.

    Args:
        jobs: the folder in which each job gets its own; nodes see it, too.
        sites: what each executor says, by name.
        limits: of them, by name.
    """

    def __init__(self, jobs: str, sites: Mapping[str, Site], limits: Mapping[str, Limits]) -> None:
        self._jobs = os.path.abspath(jobs)
        self._sites = sites
        self._limits = limits
        self._known: dict[str, Known] = {}
        self._outbox: list[Known] = []
        self._outbox_since = 0.0
        self._outbox_size = 0
        self._most = MOST
        self._submissions: list[Submission] = []
        self._sending: tuple[Submission, Command] | None = None
        self._looking: Command | None = None
        self._orders: list[Command] = []
        self._picture = Picture()
        self._pause = SHORTEST
        self._next_look = 0.0
        self._next_listing = 0.0
        self._results: list[JobResult] = []
        self._avoid: dict[str, set[str]] = defaultdict(set)
        """Task → nodes on which it was lost."""
        self._gone: dict[str, float] = {}
        """Since when it is known that there is nothing of this name, or nothing any more."""
        self._nodes: list[nodes.Nodes] | None = None
        self._unanswered: float | None = None
        self._is_told = False
        self._told: set[tuple[str, str]] = set()
        """Names of jobs, and the reasons for which they wait, of which a word was said."""
        self._news: list[str] = []

    # --- what there is room for

    def has_room(self, job: Job) -> bool:
        """Whether the job may be submitted now: what waits for nodes waits in Slurm."""
        limits = self._limit(job)
        if limits == UNLIMITED:
            return True
        beside = {known.job.run: known.job for known in self._known.values() if known.job.executor == job.executor}
        return limits.hold([job, *beside.values()])

    def too_large(self, job: Job) -> str | None:
        """What the job asks for that can never be had there, in words; None if it fits, or Slurm doesn't tell."""
        for name, most in self._limit(job).pools.items():
            if job.pools.get(name, 0) > most:
                return f"{job.task} asks for {job.pools[name]:g} of `{name}`, and `{job.executor}` has {most:g}"
        if self._nodes is None:
            self._nodes = nodes.ask()
        return nodes.too_large(job, self._site(job), self._nodes)

    def _limit(self, job: Job) -> Limits:
        return self._limits.get(job.executor, UNLIMITED)

    def _site(self, job: Job) -> Site:
        return self._sites.get(job.executor, Site())

    # --- submitting

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Take these; they are submitted, as arrays where they are alike, while `finished` is waited in."""
        for job in jobs:
            known = Known(job, self._folder(job), delay=self._site(job).delay)
            self._known[job.attempt] = known
            self._outbox.append(known)
        self._outbox_since = time.monotonic()
        return [PREFIX + job.attempt for job in jobs]

    def _folder(self, job: Job) -> JobFolder:
        return JobFolder(os.path.join(self._jobs, job.run))

    def _send(self) -> None:
        """Go on with submitting, one `sbatch` after another."""
        if self._sending:
            submission, command = self._sending
            answer = command.answer(TICK)
            if answer is None:
                return
            self._sending = None
            self._sent(submission, answer)
        if ready := self._next_submission():
            reach("slurm-sending")
            self._sending = ready, Command(["sbatch", "--parsable", "--export=ALL", ready.script])

    def _next_submission(self) -> Submission | None:
        """What to submit now, with its script written."""
        if ready := next((submission for submission in self._submissions if submission.failed is None), None):
            self._submissions.remove(ready)
            return ready
        is_growing = len(self._outbox) > self._outbox_size
        self._outbox_size = len(self._outbox)
        if not self._outbox or (is_growing and time.monotonic() - self._outbox_since < GATHER):
            return None
        members = self._take_alike()
        try:
            return Submission(self._write(members), members)
        except OSError as error:
            for known in members:
                self._end(known, self._unseen(known, Reason.NOT_STARTED, words(error)))
            return None

    def _take_alike(self) -> list[Known]:
        """All jobs of the first run that waits, and of all others that can be one array with it."""
        first, *others = _runs(self._outbox)
        alike = self._alike(first[0].job)
        chosen = [first, *(run for run in others if self._alike(run[0].job) == alike)][: self._most]
        members = [known for run in chosen for known in run]
        taken = set(members)
        self._outbox = [known for known in self._outbox if known not in taken]
        self._outbox_size = 0
        return members

    def _alike(self, job: Job) -> tuple[object, ...]:
        own = resources(job, self._site(job))
        return job.executor, job.task.partition("[")[0], own, limit(job, self._site(job)), self._away(job)

    def _away(self, job: Job) -> list[str]:
        return sorted(self._avoid[job.task])

    def _write(self, members: list[Known]) -> str:
        """Write down what is going to be submitted: the path of the script. Raises OSError."""
        runs, job = _runs(members), members[0].job
        site = self._site(job)
        name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', job.task)[:60]}.{job.attempt}.{os.urandom(6).hex()}"
        for index, run in enumerate(runs):
            place = index if len(runs) > 1 else None
            for known in run:
                known.name, known.index = name, place
            jobs = tuple(known.job for known in run)
            run[0].folder.write(Note(jobs, name, place, limit(jobs[0], site), site.delay))
        folders = [run[0].folder.path for run in runs]
        script = members[0].folder.at(SCRIPT)
        with open(script, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(render(name, folders, job, site, self._away(job), sys.executable, ROOT))
        reach("slurm-written")
        return script

    def _sent(self, submission: Submission, answer: Answer) -> None:
        """`sbatch` has ended."""
        if answer.status == 0 and (match := re.search(r"^\d+", answer.out, re.MULTILINE)):
            reach("slurm-sent")
            for known in submission.members:
                known.id = match[0] if known.index is None else f"{match[0]}_{known.index}"
                known.sent = time.monotonic()
            self._look_soon()
        elif answer.is_unsure or answer.status == 0:
            self._silent(answer.word)
            self._put_off(submission)
        elif "policy" in answer.word and any(map(_is_watched, self._known.values())):
            self._put_off(submission)  # it has as many of our jobs as it takes at once
        elif "array" in answer.word and len(runs := _runs(submission.members)) > 1:
            self._most = len(runs) // 2
            self._outbox += submission.members
        elif any(self._avoid.pop(known.job.task, None) for known in submission.members):
            self._outbox += submission.members  # perhaps these were all nodes that there are
        else:
            for known in submission.members:
                self._end(known, self._unseen(known, Reason.NOT_STARTED, f"Slurm does not take it: {answer.word}"))

    def _put_off(self, submission: Submission) -> None:
        """Submit these again, once Slurm has said that it does not have them."""
        submission.failed = time.monotonic()
        self._submissions.append(submission)
        self._look_soon()

    # --- watching

    def finished(self, timeout: float) -> list[JobResult]:
        """Results that have come in, after waiting for one at most `timeout` seconds. Each is given once."""
        deadline = time.monotonic() + timeout
        self._go_on()
        while not self._results and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
            self._go_on()
        results, self._results = self._results, []
        return results

    def _go_on(self) -> None:
        """Do what is due, without waiting for Slurm."""
        if not (self._known or self._orders):
            return
        self._send()
        self._list()
        self._look()
        self._orders = [order for order in self._orders if order.answer() is None]

    def _list(self) -> None:
        """Take in the results that have come."""
        if time.monotonic() < self._next_listing:
            return
        self._next_listing = time.monotonic() + min(self._pause * LISTINGS, LIST_EVERY)
        for name in folder.ended(self._jobs):
            if known := self._known.get(name):
                self._arrived(known)

    def _arrived(self, known: Known) -> bool:
        """Take its result, if there is one."""
        result = known.held or known.folder.result(known.job.attempt)
        if result is None:
            return False
        if REVOKED in (known.stop, known.folder.asked()):
            self._lose(known, "")
        elif result.reason is not Reason.PREEMPTED:
            self._end(known, result)
        elif known.held is None:
            known.held = result
            self._look_soon()
        return True

    def _look(self) -> None:
        """Ask Slurm for all jobs at once, when it is time to, and see what has become of each."""
        if self._looking:
            answer = self._looking.answer()
            if answer is None:
                return
            asked, self._looking = self._looking.began, None
            self._next_look = time.monotonic() + self._pause
            self._pause = min(self._pause * GROWTH, LONGEST)
            found = rows(answer)
            if found is None:
                self._silent(answer.word)
            else:
                self._answered(Picture(asked, _by_name(found)))
        elif time.monotonic() >= self._next_look and (self._submissions or any(map(_is_watched, self._known.values()))):
            self._looking = queue()

    def _look_soon(self) -> None:
        self._pause = SHORTEST
        self._next_look = min(self._next_look, time.monotonic() + self._pause)

    def _silent(self, word: str) -> None:
        """Slurm gave no answer. That says nothing about any job."""
        now = time.monotonic()
        self._unanswered = self._unanswered or now
        if not self._is_told and now - self._unanswered > PATIENCE / 2:
            self._is_told = True
            self._news.append(f"Slurm does not answer ({word}): what runs goes on, and all else waits")

    def _answered(self, picture: Picture) -> None:
        if self._is_told:
            self._news.append("Slurm answers again")
        self._picture, self._unanswered, self._is_told = picture, None, False
        for submission in self._submissions:
            if submission.failed is not None and submission.failed < picture.asked:
                self._settle(submission)
        self._submissions = [submission for submission in self._submissions if submission.members]
        for known in [known for known in self._known.values() if _is_watched(known)]:
            self._judge(known)
        self._tell_of_waiting()

    def _tell_of_waiting(self) -> None:
        """Say once why what has waited for long does."""
        waiting: dict[tuple[str, str], list[Known]] = defaultdict(list)
        for known in self._known.values():
            row = self._picture.of(known)
            if row and row.state == "PENDING" and known.sent and time.monotonic() - known.sent > LONG:
                waiting[known.name, row.reason.partition(",")[0]].append(known)
        for why in waiting.keys() - self._told:
            tasks = [known.job.task for known in waiting[why]]
            more = f" and {len(tasks) - 1} more wait" if len(tasks) > 1 else " waits"
            self._news.append(f"{tasks[0]}{more} in Slurm: {WAITING.get(why[1], why[1])}")
        self._told.update(waiting)

    def _settle(self, submission: Submission) -> None:
        """It is clear now whether Slurm had taken what it gave no answer to."""
        submission.failed = None
        if any(name == submission.members[0].name for name, _ in self._picture.jobs):
            for known in submission.members:
                known.sent = self._picture.asked - 1
            submission.members = []
        elif all(known.stop for known in submission.members):
            for known in submission.members:
                self._end(known, self._unseen(known, Reason.CANCELLED, ""))
            submission.members = []

    def _judge(self, known: Known) -> None:
        """See what the last answer means for a job."""
        assert known.sent is not None
        if known.sent > self._picture.asked:
            return
        row = self._picture.of(known)
        known.id = row.id if row else known.id
        if known.held:
            self._judge_held(known, known.held, row)
        elif row and row.state not in ENDED:
            known.is_seen, known.gone = True, None
        elif not self._arrived(known):
            self._bury(known, row)

    def _judge_held(self, known: Known, result: JobResult, row: Row | None) -> None:
        """A signal of Slurm's ended it: was that somebody's wish, or does Slurm only want its node?"""
        if row is None or row.state in ENDED:
            if row and row.state == "CANCELLED":
                result = _by_hand(result)
            self._end(known, result)
        elif row.state in AGAIN:  # requeued: another attempt is another job
            self._order(["scancel", "--quiet"], [row.id])
            self._end(known, result)
        else:
            self._look_soon()

    def _bury(self, known: Known, row: Row | None) -> None:
        """It is over, or Slurm doesn't know it, and there is no result: be sure of that, and that nothing runs."""
        now = time.monotonic()
        # Of an array that was never seen, as of a build that died before it was sent, only the first is waited for.
        known.gone = known.gone or (now if known.is_seen else self._gone.setdefault(known.name, now))
        state = row.state if row else ""
        claim = known.folder.claimant()
        if claim is None and row and not row.node:  # it never had a node
            self._end(known, self._never_began(known, state))
        elif now - known.gone < known.delay:
            self._look_soon()
        elif claim is None:
            result = self._never_began(known, state)
            if self._ask(known, REVOKED):
                self._end(known, result)
        else:
            if known.stop != REVOKED and not self._ask(known, REVOKED):
                return
            if known.folder.silence() > known.delay / 2 * SILENT_BEATS:
                self._lose(known, state)
            else:
                self._look_soon()

    def _never_began(self, known: Known, state: str) -> JobResult:
        if known.stop in (SOFT, NOW):
            return self._unseen(known, Reason.CANCELLED, "")
        if state == "CANCELLED":
            return self._unseen(known, Reason.NOT_STARTED, "its job in Slurm was cancelled")
        output = os.path.relpath(known.folder.path, known.job.workspace)
        word = f"it ended as {state}" if state else "Slurm knows nothing of it"
        return self._unseen(known, Reason.NOT_STARTED, f"its job in Slurm came to nothing: {word}; see {output}")

    def _lose(self, known: Known, state: str) -> None:
        """Nobody will tell how it ended."""
        claim = known.folder.claimant() or {"node": ""}
        match state:
            case "TIMEOUT":
                result = self._unseen(known, Reason.TIMEOUT, "Slurm killed it at the end of its time")
            case "OUT_OF_MEMORY":
                result = self._unseen(known, Reason.OUT_OF_MEMORY, "killed for want of memory, as Slurm says")
            case "PREEMPTED":
                result = self._unseen(known, Reason.PREEMPTED, "Slurm killed it since others come first")
            case "CANCELLED":
                reason = Reason.CANCELLED if known.stop in (SOFT, NOW) else Reason.SIGNAL
                result = self._unseen(known, reason, "its job in Slurm was cancelled")
            case _:
                where = f" on {claim['node']}" if claim["node"] else ""
                said = f": Slurm says {state}" if state else ""
                result = self._unseen(known, Reason.LOST, f"nothing is heard of it any more{where}{said}")
                self._avoid[known.job.task].update(filter(None, [claim["node"]]))
        self._end(known, result)

    def _unseen(self, known: Known, reason: Reason, detail: str) -> JobResult:
        """How an attempt ended of which no node tells."""
        # Of what is lost, whoever takes it in looks at what it left.
        is_begun = reason is not Reason.LOST and known.folder.claimant()
        left = checkpoints.conclude(known.job) if is_begun else ""
        return JobResult(known.job.attempt, reason, detail=detail, ended=time.time(), checkpoint=left)

    def _end(self, known: Known, result: JobResult) -> None:
        if self._known.pop(known.job.attempt, None):
            self._results.append(result)
            self._look_soon()

    def _ask(self, known: Known, how: str) -> bool:
        """Have it end; False if that can't be written down, on a full disk for one."""
        try:
            known.folder.ask(how)
        except OSError as error:
            self._news.append(f"{known.job.task} can't be told to end: {words(error)}")
            return False
        known.stop = how
        return True

    # --- surviving the driver

    def find(self, job: Job) -> str | None:
        """The handle of a job that was perhaps submitted, by a process that died before it noted a handle."""
        is_there = self._folder(job).read() or self._folder(job).result(job.attempt)
        return PREFIX + job.attempt if is_there else None

    def reattach(self, handle: str, job: Job) -> bool:
        """Take over a job that another process submitted; its result will come out of `finished`.

        False if it is lost, or Slurm never had it. Nothing of it runs any more then.
        Raises StateError if Slurm does not say.
        """
        place = self._folder(job)
        # Of a batch, whose folder may have gone with the result of another, the results stay.
        note = place.read() or (Note((job,), "", None, None, 0.0) if place.result(job.attempt) else None)
        if note is None:
            return False
        known = Known(job, place, note.name, note.index, sent=self._picture.asked - 1, delay=note.delay)
        known.stop = place.asked()
        self._known[job.attempt] = known
        if not self._arrived(known):
            self._find_out(known)
        return job.attempt in self._known or self._is_told_by_node(job.attempt)

    def _find_out(self, known: Known) -> None:
        """Wait until it is clear whether a job goes on. Raises StateError if Slurm does not say."""
        if time.monotonic() - self._picture.asked < SHORTEST:
            self._judge(known)
        patience = time.monotonic() + PATIENCE
        self._next_look = 0.0
        while known.job.attempt in self._known and not known.is_seen:
            if known.gone is None and time.monotonic() > patience:
                del self._known[known.job.attempt]
                raise StateError(
                    f"Slurm does not say what became of {known.job.task}", hint="try again when it answers"
                )
            time.sleep(TICK)
            self._go_on()

    def _is_told_by_node(self, attempt: str) -> bool:
        """Whether the result that has just come says how it ended; one that tells of no end is dropped."""
        (result,) = (result for result in self._results if result.attempt == attempt)
        if result.node:
            return True
        self._results.remove(result)
        return False

    def news(self) -> list[str]:
        """What there is to say of Slurm, each word once."""
        news, self._news = self._news, []
        return news

    # --- stopping

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        """Stop these jobs, with their signal and grace, or at once; their results still come."""
        names = (handle.removeprefix(PREFIX) for handle in handles)
        runs = {self._known[name].job.run for name in names if name in self._known}
        waiting: list[str] = []
        begun: list[str] = []
        for known in [known for known in self._known.values() if known.job.run in runs]:
            if known in self._outbox:
                self._outbox.remove(known)
                self._end(known, self._unseen(known, Reason.CANCELLED, ""))
            elif known.stop != REVOKED:
                is_told = self._ask(known, NOW if now else SOFT)
                (begun if known.folder.claimant() else waiting).append(known.id)
                if not is_told:
                    self._order(["scancel", "--quiet"], [known.id])
        # One that begins at this moment looks for what was asked before it runs anything.
        self._order(["scancel", "--quiet", "--state=PENDING"], waiting)
        self._order(["scancel", "--quiet", "--batch", "--signal=USR2"], begun)
        self._look_soon()

    def _order(self, options: list[str], ids: Sequence[str]) -> None:
        """Have Slurm do this to jobs, if any of them has an id. If it doesn't, they find it in their folders."""
        ids = [id for id in ids if id]
        for at in range(0, len(ids), MOST):
            self._orders.append(Command([*options, *ids[at : at + MOST]]))

    def end(self, handle: str, job: Job) -> None:
        """Stop a job that another process submitted, and wait until nothing of it runs. How it ended is not told."""
        if self.reattach(handle, job):
            self.cancel([handle])
            while job.attempt in self._known:
                time.sleep(TICK)
                self._go_on()
            self._results = [result for result in self._results if result.attempt != job.attempt]

    def close(self) -> None:
        """Let go. What was submitted goes on; what was not, is now."""
        patience = time.monotonic() + PATIENCE
        while (self._outbox or self._sending or self._orders) and time.monotonic() < patience:
            time.sleep(TICK)
            self._go_on()
        for command in filter(None, [self._looking, *self._orders]):
            command.give_up()


def still_runs(jobs: str, run: str, attempt: str) -> bool:
    """Whether a run was submitted and there is no result of an attempt in it. Asks nobody."""
    return JobFolder(os.path.join(jobs, run)).read() is not None and attempt not in folder.ended(jobs)


def _runs(members: Sequence[Known]) -> list[list[Known]]:
    """The jobs of each run, that which carries the others first."""
    runs: dict[str, list[Known]] = {}
    for known in members:
        runs.setdefault(known.job.run, []).append(known)
    return [*runs.values()]


def _is_watched(known: Known) -> bool:
    return known.sent is not None


def _by_name(found: list[Row]) -> dict[tuple[str, int | None], Row]:
    """Each job by its name and its place in its array. Of one that was submitted twice, the one that is not over."""
    jobs: dict[tuple[str, int | None], Row] = {}
    for row in sorted(found, key=lambda row: row.state not in ENDED):
        index = row.id.partition("_")[2]
        jobs[row.name, int(index) if index.isdigit() else None] = row
    return jobs


def _by_hand(result: JobResult) -> JobResult:
    return replace(result, reason=Reason.SIGNAL, exit_status=-15, detail="its job in Slurm was cancelled")
