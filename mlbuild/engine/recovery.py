"""What builds that died left behind: attempts that still run are taken over, those that ended are taken in."""

from __future__ import annotations

from collections.abc import Callable

from mlbuild.engine.attempts import Attempt, Attempts
from mlbuild.executors.job import Executor, Job, JobResult, Reason
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal, OpenAttempt


class Recovery:
    """Attempts without a known end, by task.

    Args:
        say: a word to the user about a task.
    """

    def __init__(
        self, journal: Journal, executor: Executor, attempts: Attempts, say: Callable[[str, Task], None]
    ) -> None:
        self._journal = journal
        self._executor = executor
        self._attempts = attempts
        self._say = say
        self._open: dict[str, list[OpenAttempt]] = {}
        self.look_again()

    def look_again(self) -> None:
        """Another build may have died since the last look."""
        self._open.clear()
        for record in self._journal.open_attempts():
            self._open.setdefault(record.task, []).append(record)

    def take(self, task: Task) -> tuple[Attempt, str] | None:
        """The attempt at a task that is taken over, and its handle; its result will come out of the executor.

        What was lost is undone: what stood in the place of its outputs is put back.
        """
        for record in self._open.pop(task.name, []):
            if self._journal.lives(record.run) or not self._journal.adopt(record):
                continue
            job = Job.from_json(record.job)
            attempt = Attempt(task, record.number, record.fingerprint, job, record.had, record.edited, adopted=True)
            handle = record.handle or self._executor.find(job)
            if handle and self._executor.reattach(handle, job):
                self._say(f"taken over from build {record.run}, which died", task)
                return attempt, handle
            self._attempts.abandon(attempt, JobResult(record.id, Reason.LOST, detail="its build died"))
        return None
