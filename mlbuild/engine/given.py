"""What a script that imports `mlbuild.stage` is told of its task. It counts: a name may decide which file is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from mlbuild.engine.scope import RecipeScope, recipe_scope
from mlbuild.expression import Attribute, Index, Key, Name, Node, Span, Star, evaluate
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.language import python
from mlbuild.language.words import params_used

STAGE = "mlbuild.stage"
"""The module by whose import a task is known to ask for this."""


def names_given(graph: Graph, task: Task) -> str:
    """Inputs, outputs, metrics and keys, as JSON: all that no other part of the fingerprint holds in its order."""
    return json.dumps(_names(graph, [task]))


def given(graph: Graph, tasks: Sequence[Task]) -> str:
    """All of it, as the JSON that the module reads. What several tasks of a batch share is in lists."""
    listed: dict[object, object] = {}
    for task in tasks:
        scope = RecipeScope(graph, task)
        for used in (used for node in task.target.params for used in params_used(node).values()):
            _put(listed, [*_steps(used, scope)], evaluate(used, scope))
    # What a file called `params` holds goes by the names that it has in the Pipelinefile: params.train.lr.
    inner = listed.pop("params", {})
    values = {**inner, **listed} if isinstance(inner, Mapping) else listed
    return json.dumps({**_names(graph, tasks), "params": python.plain(values)})


def _names(graph: Graph, tasks: Sequence[Task]) -> dict[str, list[object]]:
    scope, target = recipe_scope(graph, tasks), tasks[0].target
    kinds = {kind: python.plain(scope.name(Name(kind, target.at))) for kind in ("inputs", "outputs", "metrics")}
    return {**kinds, "keys": python.plain({name: scope.name(Name(name, target.at)) for name in target.partitions})}


def _steps(node: Node, scope: RecipeScope) -> Iterator[object]:
    """The way into the values: `params`, `train`, `lr` of `params.train[model].lr` where the model is `lr`."""
    match node:
        case Name(name=name):
            yield name
        case Attribute(base=base, name=name):
            yield from _steps(base, scope)
            yield name
        case Index(base=base, arguments=arguments):
            yield from _steps(base, scope)
            assert not isinstance(arguments[0].value, Star | Span), "it has a value"
            key, table = evaluate(arguments[0].value, scope), evaluate(base, scope)
            written = (key.value, key.text) if isinstance(key, Key) else (key, str(key))
            yield next((name for name in written if isinstance(table, Mapping) and name in table), written[0])


def _put(table: dict[object, object], way: list[object], value: object) -> None:
    """Put a value to its place in nested tables; what was put above or below it stays."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            _put(table, [*way, name], item)
        return
    for step in way[:-1]:
        inner = table.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        table = inner
    table[way[-1]] = value
