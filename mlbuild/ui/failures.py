"""What failed in a build, told at its end: each failure by itself, or gathered by cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mlbuild.engine import events
from mlbuild.graph.dag import Graph
from mlbuild.graph.select import folded, select
from mlbuild.graph.task import Task, with_names
from mlbuild.ui.words import counted, failed

Told = Callable[[Sequence[events.TaskFailed], Mapping[str, str]], list[str]]
"""What failed, and task → by what it is blocked; as lines."""

MOST = 50
"""Tasks or ranges that are named in one place, before the rest is counted."""


def failure_text(event: events.TaskFailed) -> str:
    return failed(event.reason, event.exit_code, event.detail)


def apart(failures: Sequence[events.TaskFailed], blocked: Mapping[str, str]) -> list[str]:
    """Each failure with its command and the end of its log; what is blocked by it is not named."""
    return [line for failure in failures for line in ("", *failure_block(failure))]


def failure_block(event: events.TaskFailed) -> list[str]:
    """A root cause for the summary: task, how it ended, its command, the last lines of its log."""
    lines = [f"{event.task} failed: {failure_text(event)}", *_traces(event)]
    if event.checkpoint:
        lines.append(f"    it can go on from {event.checkpoint}")
    return lines


def _traces(event: events.TaskFailed) -> list[str]:
    """What is left of an attempt: its command, the end of its log, and where that is."""
    lines = [f"    $ {line}" for line in event.command.splitlines()[:6]]
    lines += [f"    | {line}" for line in event.tail]
    if event.log:
        lines.append(f"    the whole log: {event.log}")
    return lines


class ByCause:
    """Gathers the failures that are alike but for the keys: those of a target that ended in the same way, with the same
    last words. Of each cause the first failure is shown, and all tasks are named, with ranges of keys."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __call__(self, failures: Sequence[events.TaskFailed], blocked: Mapping[str, str]) -> list[str]:
        alike: dict[tuple[str, ...], list[events.TaskFailed]] = {}
        for failure in failures:
            alike.setdefault(self._cause(failure), []).append(failure)
        behind: dict[str, list[str]] = {}
        for name, by in blocked.items():
            behind.setdefault(by, []).append(name)
        lines: list[str] = []
        for group in alike.values():
            blocks = [name for failure in group for name in behind.pop(failure.task, ())]
            lines += ["", *self._group(group, blocks)]
        return [*lines, *self._missing(behind)]

    def _task(self, name: str) -> Task:
        (task,) = select(self._graph, [name])
        return task

    def _cause(self, failure: events.TaskFailed) -> tuple[str, ...]:
        task = self._task(failure.task)
        said = (failure_text(failure), failure.tail[-1] if failure.tail else "")
        return (task.target.name, *(with_names(text, task) for text in said))

    def _group(self, group: Sequence[events.TaskFailed], blocks: Sequence[str]) -> list[str]:
        first = group[0]
        if len(group) == 1:
            lines = failure_block(first)
        else:
            target = self._task(first.task).target.name
            lines = [f"{target} failed at {counted(len(group), 'key')}: {self._cause(first)[1]}"]
            lines += [f"    {self._named([failure.task for failure in group])}", f"    {first.task}:", *_traces(first)]
        return [*lines, *([f"    blocked by that: {self._named(blocks)}"] if blocks else [])]

    def _missing(self, behind: Mapping[str, Sequence[str]]) -> list[str]:
        """Of what is blocked although nothing failed. The first that something blocks is what lacks it."""
        alike: dict[str, list[str]] = {}
        for by, names in behind.items():
            alike.setdefault(with_names(by, self._task(names[0])), []).extend(names)
        return [line for by, names in alike.items() for line in ("", f"blocked: {by}", f"    {self._named(names)}")]

    def _named(self, names: Iterable[str]) -> str:
        goals = folded(self._graph, [self._task(name) for name in names])
        more = f" and {len(goals) - MOST} more" if len(goals) > MOST else ""
        return ", ".join(goals[:MOST]) + more
