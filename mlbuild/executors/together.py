"""All executors of a build as one: each job goes to where its executor is, and its handle says where it went.

Blind to how any of them works.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mlbuild.executors import folder, local
from mlbuild.executors.capacity import Limits
from mlbuild.executors.job import Began, Executor, Job, JobResult, Waits
from mlbuild.executors.local import LocalExecutor
from mlbuild.executors.slurm import PREFIX

if TYPE_CHECKING:
    from mlbuild.executors.slurm.executor import SlurmExecutor


class Together:
    """This machine and a cluster, of which nothing is loaded before a job is for it.

    Args:
        jobs: the folder of those that are on the cluster.
        sites: what each executor on the cluster says, by name, as `Site` takes it.
        limits: of the executors, by name.
        most: target → at most so many of its jobs run at once on the cluster; the others have no limit.
    """

    def __init__(
        self,
        here: LocalExecutor,
        jobs: str,
        sites: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Mapping[str, Limits] | None = None,
        most: Mapping[str, int] | None = None,
    ) -> None:
        self._here = here
        self._jobs = jobs
        self._sites = sites or {}
        self._limits = limits or {}
        self._most = most or {}
        self._loaded: SlurmExecutor | None = None

    @property
    def _cluster(self) -> SlurmExecutor:
        if self._loaded is None:
            from mlbuild.executors.slurm.executor import SlurmExecutor
            from mlbuild.executors.slurm.script import Site

            sites = {name: Site(**settings) for name, settings in self._sites.items()}
            self._loaded = SlurmExecutor(self._jobs, sites, self._limits, self._most)
        return self._loaded

    @property
    def gpus(self) -> int:
        """How many there are for this build on this machine, free or not."""
        return self._here.gpus

    def is_remote(self, job: Job) -> bool:
        """Whether it is for the cluster."""
        return job.executor in self._sites

    def _of(self, job: Job) -> Executor:
        return self._cluster if self.is_remote(job) else self._here

    def _at(self, handle: str) -> Executor:
        return self._cluster if handle.startswith(PREFIX) else self._here

    def has_room(self, job: Job) -> bool:
        """Whether the job could start now, beside what was submitted and has not finished."""
        return self._of(job).has_room(job)

    def queues(self, executor: str) -> bool:
        """Whether what is submitted waits there for its turn, so that only so many of a target run at once as may."""
        return executor in self._sites

    def cut_short(self, job: Job) -> str | None:
        """What the job asks for and gets less of, in words."""
        return None if self.is_remote(job) else self._here.cut_short(job)

    def too_large(self, job: Job) -> str | None:
        """What the job asks for that can never be had, in words; None if it fits."""
        return self._of(job).too_large(job)

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Start these. The handles, one a job, outlive this process."""
        groups = [(executor, [*group]) for executor, group in groupby(jobs, self._of)]
        return [handle for executor, group in groups for handle in executor.submit(group)]

    def send(self) -> list[JobResult]:
        """Have the cluster take all that was submitted to it: the results of those jobs that it does not take.

        Raises StateError if it does not answer.
        """
        return self._loaded.send() if self._loaded else []

    @property
    def arrays(self) -> list[int]:
        """How large the arrays are that the cluster has taken; a job alone is one of 1."""
        return self._loaded.arrays if self._loaded else []

    def finished(self, timeout: float) -> list[JobResult]:
        """Results that have come in, after waiting for one at most `timeout` seconds. Each is given once."""
        results = self._loaded.finished(0) if self._loaded else []
        return results + self._here.finished(0 if results else timeout)

    def find(self, job: Job) -> str | None:
        """The handle of a job whose submitter died before it noted one; None if it was never submitted."""
        return self._here.find(job) or self._cluster.find(job)

    def reattach(self, handle: str, job: Job) -> bool:
        """Take over a job that another process submitted; False if it is lost, and nothing of it runs any more."""
        return self._at(handle).reattach(handle, job)

    def standing(self) -> Sequence[Waits | Began]:
        """How attempts stand that have not ended, where that is not what was told before."""
        return [*self._here.standing(), *(self._loaded.standing() if self._loaded else ())]

    def news(self) -> list[str]:
        """What there is to say of where jobs run, in words; each is given once."""
        return [*self._here.news(), *(self._loaded.news() if self._loaded else ())]

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        """Stop these jobs, with their signal and grace, or at once; their results still come."""
        here = [handle for handle in handles if self._at(handle) is self._here]
        self._here.cancel(here, now=now)
        if self._loaded:
            self._loaded.cancel([*{*handles}.difference(here)], now=now)

    def hold_back(self) -> None:
        """Don't begin what has not begun; the results of that come, as cancelled."""
        if self._loaded:
            self._loaded.hold_back()

    def end(self, handle: str, job: Job) -> None:
        """Stop a job that another process submitted, and wait until nothing of it runs. How it ended is not told."""
        self._at(handle).end(handle, job)

    def close(self) -> None:
        """Let go. What still runs goes on."""
        self._here.close()
        if self._loaded:
            self._loaded.close()


def still_runs(run_folder: str, jobs: str, job: Job) -> bool:
    """Whether a job goes on that this build has begun, here or on a cluster, as far as files tell. Asks nobody.

    Args:
        jobs: the folder of those that are on a cluster.
    """
    return local.still_runs(run_folder, job.attempt) or folder.still_runs(jobs, job.run, job.attempt)


def ended_on_cluster(jobs: str) -> set[str]:
    """The attempts on a cluster that have ended, and whose results nobody has taken in, or needed since."""
    return folder.ended(jobs)


def has_failed_on_cluster(jobs: str, attempt: str) -> bool:
    """Whether one that has ended there came to nothing, as far as can be told."""
    result = folder.JobFolder(os.path.join(jobs, attempt)).result(attempt)
    return result is not None and not result.ok
