"""Stand-ins at the seams: an executor without processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlbuild.executors.job import Job, JobResult, Reason


class FakeExecutor:
    """An executor without processes: `act` says how a job ends, and it has ended when `finished` is next called.

    Args:
        act: the result of a job, or None for one that goes on until it is cancelled.
        jobs: how many may run at once.
    """

    def __init__(self, act: Callable[[Job], JobResult | None] | None = None, jobs: int = 1) -> None:
        self.act = act or (lambda job: JobResult(job.attempt, Reason.OK))
        self.jobs = jobs
        self.running: dict[str, Job] = {}
        self.submitted: list[Job] = []

    def has_room(self, job: Job) -> bool:
        return len(self.running) < self.jobs

    def too_large(self, job: Job) -> str | None:
        return None

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        self.submitted += jobs
        self.running |= {job.attempt: job for job in jobs}
        return [job.attempt for job in jobs]

    def finished(self, timeout: float) -> list[JobResult]:
        results = [result for job in self.running.values() if (result := self.act(job))]
        for result in results:
            del self.running[result.attempt]
        return results

    def find(self, job: Job) -> str | None:
        return job.attempt if job in self.submitted else None

    def reattach(self, handle: str, job: Job) -> bool:
        return handle in self.running

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        before = self.act
        self.act = lambda job: JobResult(job.attempt, Reason.CANCELLED) if job.attempt in handles else before(job)

    def close(self) -> None:
        return
