"""What can't be submitted all at once, since it takes a build that waits, and why."""

from __future__ import annotations

from mlbuild.engine.attempts import Behind
from mlbuild.errors import PipelineError
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task

INSTEAD = "`mlbuild --detach` builds it without a terminal"


def refusal(task: Task, behind: Behind, graph: Graph, executor: str) -> PipelineError | None:
    """Why a task that must run can't be submitted; None if it can.

    Args:
        executor: the name of the one that it runs on.
    """
    problem = _problem(task, graph, executor) or _problem_behind(task, behind, graph)
    if not problem:
        return None
    executors = graph.pipeline.executors
    cluster = next((name for name, each in executors.items() if each.kind == "slurm"), None)
    there = f"; `--on {cluster}` has all of it run there" if cluster and executors[executor].kind != "slurm" else ""
    return PipelineError(f"{task.name} can't be submitted: {problem}", task.target.at, INSTEAD + there)


def _problem(task: Task, graph: Graph, executor: str) -> str:
    """What stands in the way whatever comes before it, in words."""
    target, where = task.target, graph.pipeline.executors[executor]
    if where.kind != "slurm":
        return f"it runs on `{executor}`, which is no cluster"
    if where.jobs is not None or where.pools:
        return f"`{executor}` takes only so much at once, which a build sees to"
    if target.max_active is not None:
        return "only so many of its tasks may run at once, which a build sees to"
    if target.batch is not None:
        return "which of its tasks go together, a build finds out"
    if keys := graph.lists(task):
        return f"it lists the keys of `{keys[0].partition.name}`, and what hangs on them is not known before"
    return ""


def _problem_behind(task: Task, behind: Behind, graph: Graph) -> str:
    """What stands in the way of its coming behind these, in words."""
    if checked := next((other for other in behind.tasks if other.target.checks), None):
        return f"it needs {checked.name}, and whether the conditions of that hold, a build finds out"
    for source in graph.sources(task):
        for path, _ in source.reads if source.kind != "input" else ():
            if path in behind.makers:
                return f"of {path}, which is yet to be made, something else counts than its content"
    return ""
