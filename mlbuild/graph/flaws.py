"""What is wrong with several tasks together: circles, and paths that two of them make. Knows no disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from posixpath import normpath

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
    clear: set[str] = set()
    """Folders that nobody makes, nor any around them."""
    for path, task in makers.items():
        around = path.rpartition("/")[0]
        if around in clear:
            continue
        made = [folder for folder in folders(path) if folder in makers]
        if not made:
            clear.add(around)
        for other, folder in ((makers[folder], folder) for folder in made):
            if other is not task and _is_new(task, other, seen):
                message = f"{task.name} makes {path}, which lies in {folder}/ that {other.name} makes"
                yield PipelineError(message, task.target.at, f"the other is declared at {other.target.at}")


def misplaced(tasks: Iterable[Task], read: Collection[str]) -> Iterator[PipelineError]:
    """Where a task can't make what it says it makes; once for each output of a target.

    Args:
        read: the files that say what there is to make, relative to the workspace.
    """
    seen: set[str] = set()
    holding = {folder for file in read for folder in (file, *folders(file))}
    for task in tasks:
        made = task.made
        if len(made) == 1 and _is_ordinary(made[0]) and made[0] not in holding:
            continue
        own: set[str] = set()
        outputs = [*zip((*task.target.outputs, *task.target.metrics), made, strict=True)]
        for output, path in outputs:
            wrong = not_to_be_made(path, read)
            if not wrong and path.rstrip("/") in own:
                wrong = f"{task.name} makes {path} twice", "leave out one of them"
            own.add(path.rstrip("/"))
            if wrong and str(output.at) not in seen:
                seen.add(str(output.at))
                yield PipelineError(wrong[0], output.at, wrong[1])
        for output, path in outputs:
            folder = next((folder for folder in folders(path.rstrip("/")) if folder in own), None)
            if folder and str(output.at) not in seen:
                seen.add(str(output.at))
                message = f"{task.name} makes {path}, which lies in {folder}/ that it makes too"
                yield PipelineError(message, output.at, f"{folder}/ brings it: leave it out")


def _is_ordinary(path: str) -> bool:
    """Whether a path is that of a file in the workspace, and written in the shortest way."""
    return path[:1] not in ("", "/", ".") and normpath(path) == path


def not_to_be_made(path: str, read: Collection[str]) -> tuple[str, str] | None:
    """What is wrong with an output, and what to do; None if nothing is."""
    normal = normpath(path)
    if normal == "/" or set(normal.split("/")) <= {".", ".."}:
        return f"{path or '.'} holds the workspace itself, which no target can make", 'name a folder in it: "out/"'
    if normal.partition("/")[0] == ".mlbuild":
        return f"{path} lies in .mlbuild/, which is mlbuild's own", "make it elsewhere"
    if normal != path.rstrip("/"):
        return f"{path} goes up again", f'write "{normal}"'
    if normal in read:
        return f"{path} is read before anything runs, so no target can make it", "choose another path"
    if inside := next((file for file in read if file.startswith(f"{normal}/")), None):
        return f"{path} holds {inside}, which is read before anything runs", "choose another path"
    return None


def folders(path: str) -> Iterator[str]:
    """The folders that a path lies in, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_new(task: Task, other: Task, seen: set[frozenset[str]]) -> bool:
    both = frozenset((task.target.name, other.target.name))
    is_new = both not in seen
    seen.add(both)
    return is_new
