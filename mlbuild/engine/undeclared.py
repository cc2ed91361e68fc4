"""What runs were seen to read although their tasks do not declare it: what of it counts, and a word to the user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from mlbuild.engine.facts import Inspector
from mlbuild.executors.job import Opened
from mlbuild.expression import Attribute, Index, Name, Part, children
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task, with_names
from mlbuild.language import python
from mlbuild.language.amend import quoted
from mlbuild.language.words import root
from mlbuild.state.journal import Journal
from mlbuild.target import Target

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
        own = [each.path for each in opened if not each.by_other]
        others = [each.path for each in opened if each.by_other]
        paths = [*self._inspector.undeclared(task, own), *self._inspector.undeclared(task, others, reached=False)]
        makers = {path: self._maker(path) for path in paths}
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


# --- What is missing in the Pipelinefile

CODE = frozenset(
    {".py", ".pyi", ".sh", ".bash", ".r", ".jl", ".sql", ".ipynb"}
    | {".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf"}
)
"""Endings of files that `code:` names; all others are data."""


class Missing(Struct, frozen=True):
    """What the last runs of a target's tasks read and the Pipelinefile does not declare.

    Attributes:
        path: where it varies with the keys, with these in braces.
        tasks: those that read it.
        clause: where it belongs, and `item` how it is written there.
        problem: why that can't be written without being thought about; empty if it can.
    """

    target: Target
    path: str
    tasks: tuple[Task, ...]
    clause: str
    item: str
    problem: str = ""


def missing(graph: Graph, inspector: Inspector, journal: Journal) -> Iterator[Missing]:
    """What is missing, target by target. What is no longer there is left out."""
    for target in graph.pipeline.targets.values():
        reads: dict[Task, set[str]] = {}
        for task in graph.tasks(target):
            trace = journal.trace(task.name)
            if trace is not None:
                reads[task] = set(inspector.undeclared(task, trace.fingerprint.reads, reached=False))
        for pattern, found in _patterns(reads).items():
            if any(inspector.is_there(path) for path in found.values()):
                yield _missing(graph, target, pattern, found, everywhere=len(found) == len(reads))


def _patterns(reads: Mapping[Task, set[str]]) -> dict[str, dict[Task, str]]:
    """What was read, written as it is the same for all tasks, if it can be: pattern → task → path."""
    found: dict[str, dict[Task, str]] = {}
    for task, paths in reads.items():
        for path in sorted(paths):
            pattern = quoted(path)
            if not all(path in others for others in reads.values()):
                keyed = with_names(path, task)
                if all(_at_keys(keyed, other) in others for other, others in reads.items()):
                    pattern = f'"{keyed}"'
            found.setdefault(pattern, {})[task] = path
    return found


def _at_keys(pattern: str, task: Task) -> str:
    for name, key in zip(task.target.partitions, task.keys, strict=True):
        pattern = pattern.replace(f"{{{name}}}", key.text)
    return pattern


def _missing(graph: Graph, target: Target, item: str, found: Mapping[Task, str], *, everywhere: bool) -> Missing:
    path, shown = next(iter(found.values())), item.strip("\"'")
    constants = graph.pipeline.constants.values()
    name = next((one.name for one in constants if one.kind == "params" and one.path == path), None)
    is_made = any(True for path in found.values() for _ in graph.makers.of(path))
    lists_inputs = _uses_inputs(target) or not (target.inputs or target.outputs or target.metrics)
    problem = "" if everywhere else "only some of its keys read it"
    if name is not None:
        clause, item = "params", name
    elif is_made or (os.path.splitext(path)[1].lower() not in CODE and not lists_inputs):
        clause = "inputs"
    else:
        clause = "code"
    if clause == "inputs" and lists_inputs and not problem:
        problem = "its recipe would be given that path too, by `{inputs}`"
    if clause == "code" and target.code is None and not problem:
        problem = "it says `code: none`"
    return Missing(target, shown, tuple(found), clause, item, problem)


def _uses_inputs(target: Target) -> bool:
    """Whether the list of all inputs occurs in what the target does, so that one more would change that."""
    recipe = target.recipe
    if recipe is not None and recipe.kind == "python":
        if any(not steps for _, steps in python.uses(recipe.text, ["inputs"])):
            return True
    elif recipe is not None and _lists_inputs(recipe.text):
        return True
    return any(_lists_inputs(check.condition) for check in target.checks)


def _lists_inputs(part: Part) -> bool:
    if isinstance(part, Name):
        return part.name == "inputs"
    if isinstance(part, Attribute | Index) and root(part) == "inputs":
        return isinstance(part, Index) and isinstance(part.base, Name)
    return any(_lists_inputs(child) for child in children(part))
