"""What tasks made that are no more, since a key or a target is gone, and what still lies there. Removes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from mlbuild.engine.facts import Inspector
from mlbuild.errors import MlbuildError
from mlbuild.graph.dag import Graph
from mlbuild.graph.flaws import folders
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Fingerprint
from mlbuild.state.journal import Journal
from mlbuild.state.outputs import Outputs
from mlbuild.state.stats import Stats


class Vanished(Struct, frozen=True):
    """A task that is no more, and what stands where it made something.

    Attributes:
        outputs: paths that nothing has to do with any more, as it left them.
        edited: such paths at which something else stands by now, which is the user's.
        read: path → the task that reads it, as a file of the user's.
    """

    task: str
    outputs: tuple[str, ...]
    edited: tuple[str, ...]
    read: Mapping[str, str]
    fingerprint: Fingerprint


def vanished(
    graph: Graph,
    tasks: Iterable[Task],
    unsure: Collection[str],
    inspector: Inspector,
    journal: Journal,
    stats: Stats,
    outputs: Outputs,
) -> list[Vanished]:
    """The tasks that are no more, and left something.

    Args:
        tasks: all that there are.
        unsure: partitions whose keys are not known: no task of theirs is said to be no more.
    """
    tasks = list(tasks)
    known = {task.name for task in tasks}
    left: dict[str, tuple[list[str], list[str], Fingerprint]] = {}
    for name in journal.traced():
        target = graph.pipeline.targets.get(name.partition("[")[0])
        if name in known or (target and not set(target.partitions).isdisjoint(unsure)):
            continue
        trace = journal.trace(name)
        for output in trace.outputs if trace else ():
            if trace and outputs.standing((output.path,)) and not any(graph.makers.of(output.path)):
                as_left, edited, _ = left.setdefault(name, ([], [], trace.fingerprint))
                (as_left if stats.is_as_seen(output.path, output.digest) else edited).append(output.path)
    if not left:
        return []
    readers = _Readers(tasks, inspector)
    return [
        Vanished(
            name,
            tuple(path for path in paths if not readers.of(path)),
            tuple(path for path in edited if not readers.of(path)),
            {path: reader for path in paths if (reader := readers.of(path))},
            fingerprint,
        )
        for name, (paths, edited, fingerprint) in left.items()
    ]


class _Readers:
    """For which task what stands at a path counts."""

    def __init__(self, tasks: Iterable[Task], inspector: Inspector) -> None:
        self._at: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        """By each folder around what is read."""
        for task in tasks:
            with suppress(MlbuildError):  # of its inputs; it can't be made as it is
                for path in _read(task, inspector):
                    self._at.setdefault(path.rstrip("/"), task.name)
                    for folder in folders(path.rstrip("/")):
                        self._inside.setdefault(folder, task.name)

    def of(self, path: str) -> str:
        """Who reads a path, a folder around it, or something in it; empty for nobody."""
        own = path.rstrip("/")
        around = (self._at[each] for each in (own, *folders(own)) if each in self._at)
        return next(around, self._inside.get(own, ""))


def _read(task: Task, inspector: Inspector) -> Iterator[str]:
    yield from (path for _, path in inspector.reads(task))
    yield from inspector.code(task).files
