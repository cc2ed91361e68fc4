"""What builds that died left behind: attempts that still run are taken over, those that ended are taken in."""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import structs

from mlbuild.engine.attempts import Attempt, Attempts
from mlbuild.executors import behind
from mlbuild.executors.job import Executor, Job, JobResult, Reason
from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Fingerprint
from mlbuild.state.journal import Journal, OpenAttempt


class Recovery:
    """Attempts without a known end, by task.

    Args:
        order: the tasks of this build.
    """

    def __init__(
        self,
        order: Order,
        journal: Journal,
        executor: Executor,
        attempts: Attempts,
    ) -> None:
        self._order = order
        self._journal = journal
        self._executor = executor
        self._attempts = attempts
        self._open: dict[str, list[OpenAttempt]] = {}
        self.look_again()

    def look_again(self) -> None:
        """Another build may have died since the last look."""
        self._open.clear()
        records = self._journal.open_attempts()
        self._attempts.note_open(records)
        for record in records:
            if self._is_in_the_way(record):
                self._end(record)
            else:
                self._open.setdefault(record.task, []).append(record)

    def take(
        self, task: Task, now: Callable[[], Fingerprint], makers: Collection[str] | None = None
    ) -> tuple[Attempt, str] | None:
        """The attempt at a task that is taken over, and its handle; its result will come out of the executor.

        What was lost is undone: what stood in the place of its outputs is put back. So is what was submitted behind
        others, if those came to something else than what is there now, or to nothing; and where something is yet to be
        made, whatever does not wait for just that.

        Args:
            now: the task's fingerprint, with what was not known when the attempt was submitted.
            makers: the attempts that make what is not known now, either; None: all that comes before it is in place.
        """
        for record in self._open.pop(task.name, []):
            if makers is not None or record.job.get("after"):
                completed = None if self._is_in_vain(record) else record.fingerprint.completed(now())
                if completed is None or not set(makers or ()) <= set(record.job.get("after", ())):
                    self._end(record)
                    continue
                record = structs.replace(record, fingerprint=completed, job=_completed(record, completed).as_json())
            if self._journal.lives(record.run) or not self._journal.adopt(record):
                continue
            job = Job.from_json(record.job)
            handle = record.handle or self._executor.find(job)
            if handle and self._executor.reattach(handle, job):
                known = record.fingerprint, job, record.had, record.edited
                remembered = self._journal.past.attempt(record.id)
                command = remembered.command if remembered else ""
                died, left = self._journal.past.left_by(record.run, record.begun)
                attempt = Attempt(
                    task, record.number, *known, died=died, left=left, began=record.started, command=command
                )
                return attempt, handle
            self._attempts.undo(job, record.had, JobResult(record.id, Reason.LOST, detail="its build died"))
        return None

    def end_in_vain(self) -> None:
        """Undo what was submitted behind what came to nothing, whether or not this build comes to it."""
        for record in [record for records in self._open.values() for record in records]:
            if self._is_in_vain(record):
                self._open[record.task].remove(record)
                self._end(record)

    def _is_in_vain(self, record: OpenAttempt) -> bool:
        """Whether it was submitted behind an attempt that came to nothing."""
        before = map(self._journal.past.attempt, record.job.get("after", ()))
        return any(attempt is None or attempt.reason not in (None, Reason.OK) for attempt in before)

    def _is_in_the_way(self, record: OpenAttempt) -> bool:
        """Whether it makes what is now another task's to make: its target has another name, or that another path."""
        theirs = record.job["outputs"]
        mine = (path for task in self._order if task.name != record.task for path in task.made)
        return any(_overlap(path, other) for path in mine for other in theirs)

    def _end(self, record: OpenAttempt) -> None:
        """Undo it, once nothing of it runs any more."""
        if self._journal.lives(record.run) or not self._journal.adopt(record):
            return
        job = Job.from_json(record.job)
        if handle := record.handle or self._executor.find(job):
            self._executor.end(handle, job)
        self._attempts.undo(job, record.had, JobResult(record.id, Reason.LOST, detail="its build died"))
        self._attempts.forget(job)


def _completed(record: OpenAttempt, fingerprint: Fingerprint) -> Job:
    job = Job.from_json(record.job)
    late = [read.path for read in job.reads if read.maker]
    return behind.completed(job, {path: fingerprint.parts[f"input {path}"] for path in late})


def _overlap(one: str, other: str) -> bool:
    """Whether two outputs are the same, or one lies in the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)
