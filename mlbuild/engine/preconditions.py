"""What a task needs beside its inputs: files that pin the software or are code, amounts, variables that are set."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mlbuild.collect import Mistakes
from mlbuild.engine.facts import declared_paths
from mlbuild.engine.scope import RecipeScope
from mlbuild.errors import ManyErrors, PipelineError
from mlbuild.expression import Node
from mlbuild.files import Files
from mlbuild.graph.dag import Graph
from mlbuild.graph.flaws import MissingInput
from mlbuild.graph.task import Task
from mlbuild.target import AMOUNTS, Input


def verify_files(graph: Graph, files: Files, tasks: Iterable[Task]) -> None:
    """Raises ManyErrors for the paths in `requires:` or `code:` that are not there, or that a target makes."""
    mistakes = Mistakes(graph.pipeline.files)
    for task in tasks:
        for item in (*task.target.requires, *(task.target.code or ())):
            with mistakes.noted():
                for path in declared_paths(item, task, graph, files):
                    _verify_file(path, item, graph, files)
    mistakes.one_a_place()
    mistakes.settle()


def _verify_file(path: str, item: Input, graph: Graph, files: Files) -> None:
    maker = next(graph.makers.of(path), None)
    if maker:
        raise PipelineError(f"`{maker[0].name}` makes {path}, so it is an input", item.at, "put it into `inputs:`")
    if not files.exists(path):
        hint = f'correct the path, or write "{path}"? if it may be absent'
        raise MissingInput(path, f"{path} does not exist", item.at, hint)


def verify_amounts(graph: Graph, tasks: Iterable[Task]) -> None:
    """Raises ManyErrors for the amounts in `resources:` that are none in the first attempt at a task."""
    mistakes = Mistakes(graph.pipeline.files)
    computed: dict[str, dict[str, Node]] = {}
    for task in tasks:
        target = task.target
        if target.name not in computed:
            given = {**{name: getattr(target.resources, name) for name in AMOUNTS}, **target.resources.pools}
            computed[target.name] = {n: node for n, node in given.items() if not isinstance(node, int | float | None)}
        for name, node in computed[target.name].items():
            with mistakes.noted():
                RecipeScope(graph, task).amount(name, node)
    mistakes.one_a_place()
    mistakes.settle()


def verify_variables(tasks: Iterable[Task]) -> None:
    """Raises ManyErrors for the variables that must be set and are not."""
    errors = []
    for target in {task.target.name: task.target for task in tasks}.values():
        for variable in target.environ:
            if variable.value is None and variable.name not in os.environ:
                what = "secret" if variable.is_secret else "variable"
                hint = f"set it where mlbuild is started: export {variable.name}=…"
                message = f"the {what} {variable.name} is not set, and `{target.name}` needs it"
                errors.append(PipelineError(message, variable.at, hint))
    if errors:
        raise ManyErrors(errors)
