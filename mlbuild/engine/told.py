"""What is told of an attempt, as events. Blind to what follows from how it ended."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from msgspec.structs import replace

from mlbuild.engine.attempts import Attempt, Behind
from mlbuild.engine.events import (
    BatchFailed,
    Said,
    TaskFailed,
    TaskFinished,
    TaskPreempted,
    TaskRetried,
    TasksQueued,
    TaskStarted,
    TaskSubmitted,
)
from mlbuild.engine.policy import Another
from mlbuild.executors.job import Began, JobResult, Reason, Waits
from mlbuild.graph.task import Task


def queued(waiting: Sequence[tuple[Attempt, Waits]]) -> list[TasksQueued]:
    """They wait in a cluster: what is the same for tasks of one target is said at once."""
    alike: dict[tuple[str, str, Waits], list[str]] = {}
    for attempt, waits in waiting:
        how = attempt.task.target.name, attempt.job.executor, dataclasses.replace(waits, attempt="")
        alike.setdefault(how, []).append(attempt.task.name)
    return [
        TasksQueued(tuple(tasks), executor, waits.reason, waits.why, waits.starts)
        for (_, executor, waits), tasks in alike.items()
    ]


def started(attempt: Attempt, resumed_from: str, began: Began) -> TaskStarted:
    """It runs, from now on or since a build that died had started it."""
    since = (attempt.began if attempt.adopted else None) if began.at is None else began.at
    ran = 0.0 if since is None else max(0.0, time.time() - since)
    name, executor = attempt.task.name, attempt.job.executor
    event = TaskStarted(
        name, attempt.number, executor, resumed_from, attempt.died, ran, attempt.left, node=began.node, gpus=began.gpus
    )
    batch = attempt.job.batch
    return replace(event, batch=batch.size, carrier=batch.task) if batch else event


def submitted(attempt: Attempt, behind: Behind) -> TaskSubmitted:
    """It will run, and nobody waits for that."""
    before = tuple(each.name for each in behind.tasks)
    return TaskSubmitted(attempt.task.name, attempt.job.executor, attempt.number, before)


def finished(attempt: Attempt, result: JobResult) -> TaskFinished:
    """It succeeded, and that is recorded."""
    return TaskFinished(
        attempt.task.name,
        result.seconds,
        result.max_rss,
        result.cpu_seconds,
        attempt.job.executor,
        attempt.number,
        result.gpu_utilization,
        result.max_gpu_memory,
    )


def overlooked(attempt: Attempt, result: JobResult) -> Said:
    """It saved something that is no checkpoint, and nothing that is one."""
    asked = attempt.job.checkpoints
    lacks = f"holds no {asked.complete}" if asked and asked.complete else "was not renamed to its place"
    return Said(f"{result.overlooked} is no checkpoint: it {lacks}", attempt.task.name)


def followed(attempt: Attempt, result: JobResult, another: Another) -> TaskPreempted | TaskRetried:
    """It came to nothing, and there is another."""
    name, reason, detail = attempt.task.name, str(result.reason), result.detail
    if another.free:
        return TaskPreempted(name, reason, attempt.number, result.checkpoint, detail)
    return TaskRetried(name, result.exit_status, reason, attempt.number, another.delay, detail)


def failed_before(attempt: Attempt, result: JobResult) -> Said:
    """It came to nothing when nobody looked on; that is no failure of this build."""
    why = f"exit status {result.exit_status}" if result.reason is Reason.EXIT else str(result.reason).replace("_", " ")
    more = f": {result.detail}" if result.detail else ""
    return Said(f"attempt {attempt.number} had come to nothing ({why}{more})", attempt.task.name)


def batch_failed(attempt: Attempt, beside: Sequence[Task], result: JobResult, log: str) -> BatchFailed:
    """It came to nothing together with others.

    Args:
        beside: those.
        log: where theirs lies.
    """
    tasks = (attempt.task.name, *(task.name for task in beside))
    return BatchFailed(tasks, result.exit_status, str(result.reason), result.detail, log)


def failed(attempt: Attempt, result: JobResult, log: tuple[str, tuple[str, ...]]) -> TaskFailed:
    """It came to nothing, and that is the end of it.

    Args:
        log: where it lies, and its last lines.
    """
    name, reason, command = attempt.task.name, str(result.reason), attempt.command
    event = TaskFailed(name, result.exit_status, reason, result.detail, command, *log, attempt.number)
    return replace(event, checkpoint=result.checkpoint)
