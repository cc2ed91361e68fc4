"""What is wrong with several tasks together: circles, and paths that two of them make. Knows no disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlbuild.errors import Location, PipelineError
from mlbuild.graph.task import Task

Circle = Sequence[Task]
"""Tasks of which each needs the next, and the last the first."""


class MissingInput(PipelineError):
    """A `path` that no target makes and that does not exist."""

    def __init__(self, path: str, message: str, at: Location, hint: str) -> None:
        super().__init__(message, at, hint)
        self.path = path


def apart(circles: Iterable[Circle]) -> Iterator[Circle]:
    """Of circles, those that share no target with one before: a partitioned target has the same one at each key."""
    seen: set[str] = set()
    for circle in circles:
        names = {task.target.name for task in circle}
        if names.isdisjoint(seen):
            yield circle
        seen |= names


def cycle(tasks: Circle) -> PipelineError:
    """The error for tasks that need each other."""
    lines = [f"  {task.name} at {task.target.at}" for task in tasks]
    message = f"these tasks need each other in a circle: {shown(tasks)}"
    return PipelineError(message, tasks[0].target.at, "break it at one of these:\n" + "\n".join(lines))


def shown(circle: Circle) -> str:
    return " → ".join(task.name for task in (*circle, circle[0]))


def conflicts(tasks: Iterable[Task]) -> Iterator[PipelineError]:
    """Where two tasks make the same path, or one makes a path inside another's directory; once for two targets."""
    makers: dict[str, Task] = {}
    seen: set[frozenset[str]] = set()
    for task in tasks:
        for path in task.made:
            other = makers.setdefault(path.rstrip("/"), task)
            if other is not task and _is_new(task, other, seen):
                message = f"{task.name} and {other.name} both make {path}"
                yield PipelineError(message, task.target.at, f"the other is declared at {other.target.at}")
    for path, task in makers.items():
        folder = path
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            other = makers.get(folder, task)
            if other is not task and _is_new(task, other, seen):
                message = f"{task.name} makes {path}, which lies in {folder}/ that {other.name} makes"
                yield PipelineError(message, task.target.at, f"the other is declared at {other.target.at}")


def _is_new(task: Task, other: Task, seen: set[frozenset[str]]) -> bool:
    both = frozenset((task.target.name, other.target.name))
    is_new = both not in seen
    seen.add(both)
    return is_new
