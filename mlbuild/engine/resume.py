"""Which checkpoints a task may go on from: its resume key, and the values that those may differ in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mlbuild.engine.scope import RecipeScope
from mlbuild.errors import PipelineError
from mlbuild.executors.job import Checkpoints
from mlbuild.expression import Attribute, Index, Key, Name, Node, evaluate, written
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.language.words import root
from mlbuild.state.fingerprint import UNKNOWN, Fingerprint
from mlbuild.values import kind_of

Steps = list[list[object]]
"""The way from a constant to a value in it: for each step the names under which that may go."""


def on_checkpoints(graph: Graph, task: Task, fingerprint: Fingerprint, resume: Fingerprint, run: int) -> dict[str, Any]:
    """What an attempt is told of its checkpoints, in the fields of a job.

    Args:
        resume: as `Inspector.resume_fingerprint` gives it.
    """
    clause = task.target.checkpoint
    assert clause is not None
    # What an uncacheable task depends on is taken to be the same only as long as one build goes on.
    key = f"{run} {resume.key}" if resume.problem else resume.key
    values = ignored(graph, task)
    where = Checkpoints(task.checkpoint, key, fingerprint.key, values, clause.keep, clause.complete)
    if UNKNOWN in fingerprint.parts.values():
        neutral = {name: text for name, text in resume.parts.items() if fingerprint.parts[name] != text}
        where = replace(where, parts=dict(fingerprint.parts), neutral=neutral)
    return {"checkpoints": where, "signal": clause.signal, "grace": clause.grace}


def ignored(graph: Graph, task: Task) -> dict[str, object]:
    """Name as written → value of each param in which checkpoints of a task may differ.

    Raises PipelineError for what is no single value.
    """
    scope = RecipeScope(graph, task)
    found: dict[str, object] = {}
    for node in task.target.checkpoint.ignore if task.target.checkpoint else ():
        value = evaluate(node, scope)
        if value is not None and not isinstance(value, bool | int | float | str):
            raise PipelineError(f"`{written(node)}` is {kind_of(value)}, and what is ignored is one value", node.at)
        found[written(node)] = value
    return found


class NeutralScope(RecipeScope):
    """The names of a recipe, with each ignored param at the one value that stands for all of its type.

    What is rendered with it is the same for all attempts that may go on from each other.
    """

    def __init__(self, graph: Graph, task: Task) -> None:
        super().__init__(graph, task)
        self._values: dict[str, object] = {}
        for node in task.target.checkpoint.ignore if task.target.checkpoint else ():
            name = root(node) or ""
            whole = super().name(Name(name, node.at))
            self._values[name] = _with(self._values.get(name, whole), self._steps(node), _neutral)

    def name(self, node: Name) -> object:
        return self._values[node.name] if node.name in self._values else super().name(node)

    def _steps(self, node: Node) -> Steps:
        if isinstance(node, Attribute):
            return [*self._steps(node.base), [node.name]]
        if isinstance(node, Index):
            key = evaluate(node.arguments[0].value, self)  # type: ignore[arg-type]
            return [*self._steps(node.base), [key.value, key.text] if isinstance(key, Key) else [key, str(key)]]
        return []


def _neutral(value: object) -> object:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return 1
    return "" if isinstance(value, str) else value


def _with(value: object, steps: Steps, change: Callable[[object], object]) -> object:
    """A copy of a value with what lies behind these steps changed; as it is where they lead nowhere."""
    if not steps:
        return change(value)
    if isinstance(value, Mapping):
        name = next((name for name in steps[0] if name in value), None)
        return value if name is None else {**value, name: _with(value[name], steps[1:], change)}
    if isinstance(value, list):
        return [_with(item, steps[1:], change) if number in steps[0] else item for number, item in enumerate(value)]
    return value
