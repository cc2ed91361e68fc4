"""What runs were seen to read although their tasks do not declare it: what of it counts, and a word to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mlbuild.engine.facts import Inspector
from mlbuild.executors.job import Opened
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal

SHOWN = 3
"""How many files a line names before it counts the rest."""


class Undeclared:
    """Tells of each target once.

    Args:
        say: a word to the user about a task.
    """

    def __init__(self, graph: Graph, inspector: Inspector, journal: Journal, say: Callable[[str, Task], None]) -> None:
        self._graph = graph
        self._inspector = inspector
        self._journal = journal
        self._say = say
        self._told: set[str] = set()

    def counted(self, task: Task, opened: Sequence[Opened]) -> dict[str, str]:
        """path → digest of what counts of that which a run of the task has opened; says what is new.

        What was written since it began is taken for its own, unless another task makes it or the run before read it.
        """
        before = self._journal.trace(task.name)
        known = before.fingerprint.reads if before else {}
        makers = {path: self._maker(path) for path in self._inspector.undeclared(task, [each.path for each in opened])}
        counted = {
            each.path: each.digest
            for each in opened
            if each.path in makers and (makers[each.path] or each.path in known or not each.is_new)
        }
        news = {path: makers[path] for path in counted if path not in known}
        if news and task.target.name not in self._told:
            self._told.add(task.target.name)
            for text in _texts(news):
                self._say(text, task)
        return counted

    def _maker(self, path: str) -> str | None:
        """The target that makes a path."""
        return next((target.name for target, _, _ in self._graph.makers.of(path)), None)


def _texts(found: Mapping[str, str | None]) -> Iterator[str]:
    """What is said of files that were read, in a line for each target that makes some of them.

    Args:
        found: path → the target that makes it.
    """
    for maker in sorted({maker or "" for maker in found.values()}):
        paths = [path for path, other in found.items() if maker == (other or "")]
        more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
        they = "it counts" if len(paths) == 1 else "they count"
        which = f"which `{maker}` makes: add it to `inputs:`" if maker else "which it does not declare"
        yield f"read {', '.join(paths[:SHOWN])}{more}, {which}; from now on {they}"
