"""Stand-ins at the seams: an executor without processes, files without a disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from mlbuild.executors.job import Began, Job, JobResult, Reason
from mlbuild.files import Files


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
        self._begun: list[Began] = []

    def has_room(self, job: Job) -> bool:
        return len(self.running) < self.jobs

    def queues(self, executor: str) -> bool:
        return False

    def too_large(self, job: Job) -> str | None:
        return None

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        self.submitted += jobs
        self.running |= {job.attempt: job for job in jobs}
        self._begun += [Began(job.attempt) for job in jobs]
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

    def standing(self) -> list[Began]:
        begun, self._begun = self._begun, []
        return begun

    def news(self) -> list[str]:
        return []

    def hold_back(self) -> None:
        pass

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        before = self.act
        self.act = lambda job: JobResult(job.attempt, Reason.CANCELLED) if job.attempt in handles else before(job)

    def end(self, handle: str, job: Job) -> None:
        self.running.pop(handle, None)

    def close(self) -> None:
        return


class MemoryFiles(Files):
    """The files of a workspace, held in a dict: path relative to it → content. Folders are what paths imply."""

    def __init__(self, files: dict[str, str | bytes]) -> None:
        super().__init__("/memory")
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}

    def stat(self, path: str) -> os.stat_result | None:
        """Size and kind are true; times are 0."""
        if path in self.files:
            return os.stat_result((0o100644, 0, 0, 1, 0, 0, len(self.files[path]), 0, 0, 0))
        return os.stat_result((0o040755, 0, 0, 1, 0, 0, 0, 0, 0, 0)) if self.is_directory(path) else None

    def is_directory(self, path: str) -> bool:
        return any(other.startswith(path.rstrip("/") + "/") for other in self.files)

    def names(self, folder: str) -> frozenset[str] | None:
        prefix = f"{folder}/" if folder else ""
        inside = {path.removeprefix(prefix).split("/")[0] for path in self.files if path.startswith(prefix)}
        return frozenset(inside) or None

    def read(self, path: str) -> bytes:
        if path in self.files:
            return self.files[path]
        error = IsADirectoryError if self.is_directory(path) else FileNotFoundError
        raise error(21, "Is a directory", path)

    def glob(self, pattern: str) -> list[str]:
        return sorted(path for path in self.files if fnmatchcase(path, pattern))

    def walk(self, path: str) -> Iterator[str]:
        prefix = path.rstrip("/") + "/"
        yield from (other.removeprefix(prefix) for other in sorted(self.files) if other.startswith(prefix))
