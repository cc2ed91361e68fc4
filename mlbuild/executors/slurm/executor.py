"""Runs jobs on the nodes of a Slurm cluster: the executor's protocol, and the one loop behind it.

What is known of a job is what its folder and `squeue` say of it, by a name that no other submission has: so nothing is
forgotten with this process. Blind to what a task is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence

from mlbuild.errors import StateError
from mlbuild.executors import folder
from mlbuild.executors.capacity import Limits
from mlbuild.executors.folder import NOW, REVOKED, SOFT, JobFolder, Note
from mlbuild.executors.job import Began, Job, JobResult, Reason, Waits
from mlbuild.executors.slurm import PREFIX, nodes
from mlbuild.executors.slurm.commands import ENDED, Orders
from mlbuild.executors.slurm.judge import Judge
from mlbuild.executors.slurm.known import Known
from mlbuild.executors.slurm.outbox import Outbox
from mlbuild.executors.slurm.queue import SHORTEST, Queue
from mlbuild.executors.slurm.script import Site
from mlbuild.executors.slurm.standing import Standings
from mlbuild.executors.slurm.widths import Widths

TICK = 0.02
"""Seconds between two looks at what has come, while somebody waits for it."""
LISTINGS, LIST_EVERY = 0.2, 1.0
"""As a part of the pause between two questions to Slurm, and at most, the seconds between two looks for results."""
PATIENCE = 60.0
"""Seconds for which an answer of Slurm's is waited for where nothing can be done without it."""
PATIENCE_IF_BEGUN = 3.0
"""As that, where it is known that Slurm has a job, or had it."""
AVOID = 86400.0
"""Seconds for which a task that was lost on a node keeps away from it, also if another build goes on with it."""
UNLIMITED = Limits()


class SlurmExecutor:
    """The executors of the kind `slurm`.

    Args:
        jobs: the folder in which each job gets its own; nodes see it, too.
        sites: what each executor says, by name.
        limits: of them, by name.
        most: target → at most so many of its jobs run at once; the others have no limit.
    """

    def __init__(
        self, jobs: str, sites: Mapping[str, Site], limits: Mapping[str, Limits], most: Mapping[str, int] | None = None
    ) -> None:
        self._jobs = os.path.abspath(jobs)
        self._limits = limits
        self._news: list[str] = []
        self._known: dict[str, Known] = {}
        self._orders = Orders()
        self._queue = Queue(self._news)
        self._judge = Judge(self._queue, self._orders, self._news)
        self._widths = Widths(most or {}, self._known, self._orders)
        self._outbox = Outbox(self._known, sites, self._judge.lost_on, self._queue, self._orders, self._widths)
        self._standings = Standings(self._queue)
        self._called_off: list[Known] = []
        """What never begins, and Slurm may still have."""
        self._results: list[JobResult] = []
        self._next_listing = 0.0
        self._nodes: list[nodes.Nodes] | None = None
        self._has_submitted = False

    # --- what there is room for

    def has_room(self, job: Job) -> bool:
        """Whether the job may be submitted now: what waits for nodes waits in Slurm."""
        limits = self._limit(job)
        if limits == UNLIMITED:
            return True
        beside = {known.job.run: known.job for known in self._known.values() if known.job.executor == job.executor}
        return limits.hold([job, *beside.values()])

    def queues(self, executor: str) -> bool:
        """Always: Slurm has the queue."""
        return True

    def too_large(self, job: Job) -> str | None:
        """What the job asks for that can never be had there, in words; None if it fits, or Slurm doesn't tell."""
        for name, most in self._limit(job).pools.items():
            if job.pools.get(name, 0) > most:
                return f"{job.task} asks for {job.pools[name]:g} of `{name}`, and `{job.executor}` has {most:g}"
        if self._nodes is None:
            self._nodes = nodes.ask()
        return nodes.too_large(job, self._outbox.site(job), self._nodes)

    def _limit(self, job: Job) -> Limits:
        return self._limits.get(job.executor, UNLIMITED)

    # --- submitting, and what comes of it

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Take these; they are submitted, as arrays where they are alike, while `finished` is waited in."""
        if not self._has_submitted:
            self._has_submitted = True
            for task, node in folder.lost(self._jobs, time.time() - AVOID):
                self._judge.lost_on[task].add(node)
        taken = {job.attempt: Known(job, self._folder(job), delay=self._outbox.site(job).delay) for job in jobs}
        self._known.update(taken)
        self._outbox.put([*taken.values()])
        return [PREFIX + job.attempt for job in jobs]

    def _folder(self, job: Job) -> JobFolder:
        return JobFolder(os.path.join(self._jobs, job.run))

    def finished(self, timeout: float) -> list[JobResult]:
        """Results that have come in, after waiting for one at most `timeout` seconds. Each is given once."""
        deadline = time.monotonic() + timeout
        self._go_on()
        while not self._results and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
            self._go_on()
        results, self._results = self._results, []
        return results

    def send(self) -> list[JobResult]:
        """Have Slurm take all that was submitted: the results of those that it does not take.

        Raises StateError if it does not say so of some.
        """
        patience = time.monotonic() + PATIENCE
        while not self._outbox.is_empty or self._outbox.is_unsure:
            if self._outbox.is_unsure and time.monotonic() > patience:
                raise StateError(
                    "Slurm does not take all of it: it gives no answer, or has as many jobs as it takes at once",
                    hint="what it has taken goes on; once it takes more, the same command submits the rest",
                )
            time.sleep(TICK)
            self._go_on()
        results, self._results = self._results, []
        return [result for result in results if not result.node]

    @property
    def arrays(self) -> list[int]:
        """How large the arrays are that Slurm has taken; a job alone is one of 1."""
        return [*self._outbox.sizes.values()]

    def _go_on(self) -> None:
        """Do what is due, without waiting for Slurm."""
        self._end(self._outbox.go_on())
        if self._known or self._called_off:
            self._list()
            self._look()
        self._orders.go_on()

    def _list(self) -> None:
        """Take in the results that have come, and see what has begun."""
        if time.monotonic() >= self._next_listing:
            self._next_listing = time.monotonic() + min(self._queue.pause * LISTINGS, LIST_EVERY)
            ended = [self._known[name] for name in folder.ended(self._jobs) if name in self._known]
            self._end(map(self._judge.result, ended))
            self._standings.look(self._known.values())
            # What of an array is still to begin would find that others have done its work. (Of one that another process
            # has submitted, there may be jobs of which nobody has told us.)
            left = {known.name for known in self._known.values()}
            over = {known.id.partition("_")[0] for known in ended if known.index is not None and known.name not in left}
            self._orders.give(["scancel", "--quiet", "--state=PENDING"], [*over & self._outbox.sizes.keys()])

    def _look(self) -> None:
        """Ask Slurm for all jobs at once, when it is time to, and see what has become of each."""
        is_sent = (known.sent is not None for known in self._known.values())
        if self._queue.is_due and (self._outbox.is_unsure or self._called_off or any(is_sent)):
            self._queue.ask()
        if self._queue.hear():
            self._end(self._outbox.settle())
            self._end([self._judge.judge(known) for known in self._known.values()])
            self._standings.take(self._known.values())
            rows = map(self._queue.picture.of, self._called_off)
            self._orders.give(["scancel", "--quiet"], [row.id for row in rows if row and row.state not in ENDED])
            self._called_off.clear()

    def _end(self, results: Iterable[JobResult | None]) -> None:
        """These jobs are over, as far as they are."""
        ended = [result for result in results if result and self._known.pop(result.attempt, None)]
        if ended:
            self._results += ended
            self._queue.look_soon()
            self._widths.widen()

    def standing(self) -> list[Waits | Began]:
        """How attempts stand that Slurm has and that have not ended, where that is not what was told before."""
        return self._standings.news()

    def news(self) -> list[str]:
        """What there is to say of Slurm, each word once."""
        news = [*self._news]
        self._news.clear()
        return news

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
        known = Known(job, place, note.name, note.index, sent=self._queue.picture.asked - 1, delay=note.delay)
        known.stop = place.asked()
        self._known[job.attempt] = known
        self._end([self._judge.result(known)])
        if job.attempt in self._known and not known.held:
            self._find_out(known)
        return job.attempt in self._known or self._is_told(job.attempt)

    def _find_out(self, known: Known) -> None:
        """Wait until it is clear whether a job goes on, or, if Slurm does not say, will be.

        Raises StateError if Slurm does not say whether it has the job.
        """
        if time.monotonic() - self._queue.picture.asked < SHORTEST:
            self._end([self._judge.judge(known)])
        has_begun = known.folder.claimant() is not None
        patience = time.monotonic() + (PATIENCE_IF_BEGUN if has_begun else PATIENCE)
        self._queue.look_now()
        while known.job.attempt in self._known and not known.is_seen:
            if known.gone is None and time.monotonic() > patience:
                if has_begun:
                    return
                del self._known[known.job.attempt]
                raise StateError(
                    f"Slurm does not say what became of {known.job.task}", hint="try again when it answers"
                )
            time.sleep(TICK)
            self._go_on()

    def _is_told(self, attempt: str) -> bool:
        """Whether the result that has just come says how it ended; one that tells of no end is dropped."""
        (result,) = (result for result in self._results if result.attempt == attempt)
        if result.node or result.reason not in (Reason.LOST, Reason.NOT_STARTED):
            return True
        self._results.remove(result)
        return False

    # --- stopping

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        """Stop these jobs, with their signal and grace, or at once; their results still come."""
        names = (handle.removeprefix(PREFIX) for handle in handles)
        runs = {self._known[name].job.run for name in names if name in self._known}
        waiting: list[str] = []
        begun: list[str] = []
        for known in [known for known in self._known.values() if known.job.run in runs]:
            if self._outbox.withdraw(known):
                self._end([known.unseen(Reason.CANCELLED, "")])
            elif known.stop != REVOKED:
                is_told = self._judge.ask(known, NOW if now else SOFT)
                if known.withdraw():
                    waiting.append(known.id)
                    self._end([known.unseen(Reason.CANCELLED, "")])
                elif is_told:
                    begun.append(known.id)
                else:
                    self._orders.give(["scancel", "--quiet"], [known.id])
        # Not by their state: of an array all that wait would be taken, whichever was named (Slurm 22.05).
        self._orders.give(["scancel", "--quiet"], waiting)
        self._orders.give(["scancel", "--quiet", "--batch", "--signal=USR2"], begun)
        self._queue.look_soon()

    def hold_back(self) -> None:
        """Don't begin what has not begun; the results of that come, as cancelled."""
        waiting = [each for each in [*self._known.values()] if self._outbox.withdraw(each) or each.withdraw()]
        self._end([known.unseen(Reason.CANCELLED, "") for known in waiting])
        self._orders.give(["scancel", "--quiet"], [known.id for known in waiting])

    def end(self, handle: str, job: Job) -> None:
        """Stop a job that another process submitted, and wait until nothing of it runs. How it ended is not told."""
        if self._call_off(job):
            return
        if self.reattach(handle, job):
            self.cancel([handle])
            while job.attempt in self._known:
                time.sleep(TICK)
                self._go_on()
            self._results = [result for result in self._results if result.attempt != job.attempt]

    def _call_off(self, job: Job) -> bool:
        """See to it that a job never begins, and have Slurm drop it; False if it has, or if that can't be told."""
        place = self._folder(job)
        note = place.read()
        if note is None or place.result(job.attempt):
            return False
        known = Known(job, place, note.name, note.index)
        if not known.withdraw():
            return False
        self._called_off.append(known)
        return True

    def close(self) -> None:
        """Let go. What was submitted goes on; what was not, is now."""
        now = time.monotonic()
        patience, short = now + PATIENCE, now + PATIENCE_IF_BEGUN
        if self._called_off:
            self._queue.look_now()
        while ((self._orders or not self._outbox.is_empty) and time.monotonic() < patience) or (
            self._called_off and time.monotonic() < short
        ):
            time.sleep(TICK)
            self._go_on()
        self._queue.close()
        self._orders.close()
