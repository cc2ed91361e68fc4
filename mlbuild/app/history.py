"""The verbs that look at earlier builds: log, runs, metrics. They take the journal's word, and look at no task anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from mlbuild.app.access import journal_of
from mlbuild.app.workspace import Workspace
from mlbuild.engine.metrics import Measured, values
from mlbuild.errors import UsageError
from mlbuild.graph.select import select
from mlbuild.state.layout import Layout
from mlbuild.state.runs import Attempted, Outcome, Run


def the_task(workspace: Workspace, goal: str) -> str:
    """The name of the task that a goal means. Raises UsageError unless it is one."""
    tasks = select(workspace.graph, [goal], workspace.folder)
    if len(tasks) != 1:
        example = tasks[0].name if tasks else goal
        raise UsageError(f"{goal} is {len(tasks)} tasks; a log is of one", hint=f"for example: {example}")
    return tasks[0].name


def last_attempt(workspace: Workspace, goal: str, number: int | None = None) -> tuple[str, Attempted | None]:
    """(name of the task, its last attempt or the one of this number). Raises UsageError unless the goal is one task."""
    name = the_task(workspace, goal)
    with journal_of(workspace.layout) as journal:
        return name, journal.past.last_attempt(name, number) if journal else None


def runs(folder: str, limit: int) -> list[Run]:
    """The newest builds in a workspace that had something to do, or did not end well; the newest first.

    Args:
        folder: of the workspace, absolute. Its Pipelinefile is not read.
    """
    with journal_of(Layout(folder)) as journal:
        return journal.past.newest(limit) if journal else []


def run(folder: str, number: int) -> tuple[Run, list[Attempted], list[Outcome]]:
    """A build, its attempts (`log` is empty where nothing was printed), and what came of tasks without one.

    Raises:
        UsageError: there was no such build.
    """
    with journal_of(Layout(folder)) as journal:
        found = journal.past.run(number) if journal else None
        if found is None or journal is None:
            raise UsageError(f"there is no run {number}", hint="`mlbuild runs` lists them")
        attempts = [_with_log(each, folder) for each in journal.past.attempts(number)]
        accepted = [
            Outcome(each.task, "accepted", f"{each.why} ({each.who})") for each in journal.acceptances(run=number)
        ]
        return found, attempts, [*journal.past.outcomes(number), *accepted]


def _with_log(attempt: Attempted, folder: str) -> Attempted:
    return attempt if os.path.exists(os.path.join(folder, attempt.log)) else replace(attempt, log="")


def metrics(workspace: Workspace, goals: Sequence[str], against: int | None = None) -> list[Measured]:
    """The values of the metrics files of the goals, or of all targets that have any.

    Args:
        against: the number of a run, whose values are wanted beside.

    Raises:
        UsageError: none of them has metrics, or there was no such build.
    """
    measured = [target.name for target in workspace.pipeline.targets.values() if target.metrics]
    wanted = [task for task in workspace.wanted(goals or measured) if task.metrics] if measured else []
    if not wanted:
        hint = f"these do: {', '.join(measured)}" if measured else '`metrics: "scores.json"` in a target declares them'
        raise UsageError(f"{'none of the goals' if goals else 'no target'} has metrics", hint=hint)
    then: dict[str, dict[str, Any]] | None = None
    if against is not None:
        with journal_of(workspace.layout) as journal:
            if journal is None or journal.past.run(against) is None:
                raise UsageError(f"there is no run {against}", hint="`mlbuild runs` lists them")
            then = journal.past.metrics(against)
    found = []
    for task in wanted:
        now, broken = values(workspace.files, task)
        found.append(Measured(task, now, None if then is None else then.get(task.name, {}), broken))
    return found
