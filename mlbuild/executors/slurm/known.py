"""What is known of a job on the cluster. Blind to how that came to be known, and to what follows from it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlbuild.executors import checkpoints
from mlbuild.executors.folder import Claim, JobFolder
from mlbuild.executors.job import Began, Job, JobResult, Reason, Waits


@dataclass(eq=False, slots=True)
class Known:
    """A job that was submitted here or taken over, and whose end was not told yet."""

    job: Job
    folder: JobFolder
    name: str = ""
    index: int | None = None
    """Which of its array it is, or which of the array's jobs has taken it up."""
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
    told: Waits | Began | None = None
    """How it stands, as was told."""
    _claim: Claim | None = None

    def claimant(self) -> Claim | None:
        """As `JobFolder.claimant`. Raises OSError."""
        if self._claim is None and (claim := self.folder.claimant()):
            index = claim.id.partition("_")[2]
            self._claim, self.id, self.index = claim, claim.id, int(index) if index else self.index
        return self._claim

    @property
    def target(self) -> str:
        return self.job.task.partition("[")[0]

    def unseen(self, reason: Reason, detail: str) -> JobResult:
        """How it ended, if no node tells."""
        result = JobResult(self.job.attempt, reason, detail=detail, ended=time.time())
        with contextlib.suppress(OSError):
            if claim := self.folder.claimant():
                # By two clocks, its node's and that of the file system.
                ended = max(claim.at, result.ended - self.folder.silence())
                result = replace(result, started=claim.at, ended=ended)
                # Of what is lost, whoever takes it in looks at what it left.
                return result if reason is Reason.LOST else checkpoints.conclude(self.job, result)
        return result

    def withdraw(self) -> bool:
        """See to it that it never begins; False if it has, or if that can't be told."""
        try:
            return self.folder.withdraw() or self.claimant() is None
        except OSError:
            return False


def by_run(members: Iterable[Known]) -> list[list[Known]]:
    """The jobs of each run, that which carries the others first."""
    runs: dict[str, list[Known]] = {}
    for known in members:
        runs.setdefault(known.job.run, []).append(known)
    return [*runs.values()]
