"""What names mean in a recipe, and in the conditions of `check:`."""

from __future__ import annotations

import csv
import json
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlbuild.errors import PipelineError
from mlbuild.expression import Bundle, Call, Name, Node, Reference, Scope, evaluate, written
from mlbuild.files import Files
from mlbuild.graph.dag import Graph
from mlbuild.graph.references import OutsidePartition
from mlbuild.graph.task import Task, inputs_bundle, joined, joined_inputs
from mlbuild.language import functions
from mlbuild.language.batches import is_shared
from mlbuild.target import AMOUNTS, Variable
from mlbuild.values import formatted

RECIPE_NAMES = ("inputs", "outputs", "metrics", "checkpoint", "target", "attempt", "resources")


class RecipeScope:
    """The names of a recipe: inputs, outputs, metrics, the task's keys, the constants of the file.

    Args:
        attempt: its number.
        failures: how many attempts before it failed for good: with them amounts grow.
    """

    def __init__(self, graph: Graph, task: Task, attempt: int = 1, failures: int = 0) -> None:
        self._graph = graph
        self._task = task
        self._attempt = attempt
        self._failures = failures

    def name(self, node: Name) -> object:
        task = self._task
        match node.name:
            case "inputs":
                return inputs_bundle(self._graph.sources(task))
            case "outputs":
                return task.named_outputs()
            case "metrics":
                return task.named_metrics()
            case "checkpoint":
                return task.checkpoint
            case "target":
                return task.target.name
            case "attempt":
                return self._attempt
            case "resources":
                return self.amounts()
        return self._graph.scope(task.target, task.keys).name(node)

    def amounts(self) -> dict[str, int | float | None]:
        """What this attempt asks for, by the names of `resources:`. Raises PipelineError for what is no amount."""
        resources = self._task.target.resources
        found = {name: self.amount(name, getattr(resources, name)) for name in AMOUNTS}
        if found["gpu_memory"] and not found["gpus"]:
            found["gpus"] = 1
        return found

    def amount(self, name: str, given: Node | float | None) -> int | float | None:
        """The value of one amount, as `amounts` gives it."""
        grown = RecipeScope(self._graph, self._task, self._failures + 1)
        value = given if isinstance(given, int | float | None) else evaluate(given, grown)
        at = self._task.target.resources.at
        if value is None and given is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise PipelineError(f"`{name}` is a number from 0 on, and this is {value!r}", at)
        if name in ("gpus", "nodes") and value != int(value):
            raise PipelineError(f"`{name}` is a whole number, and this is {value!r}", at)
        return value if name == "cpus" or name not in AMOUNTS else int(value)

    def known(self) -> list[str]:
        """All names that have a value."""
        names = (name for name in RECIPE_NAMES if name != "checkpoint" or self._task.checkpoint)
        return [*names, *self._task.target.partitions, *self._graph.pipeline.constants]

    def reference(self, node: Reference) -> object:
        raise PipelineError("a reference to a target can't stand in a recipe", node.at, "name it in `inputs:`")

    def call(self, node: Call, arguments: list[object]) -> object:
        return self._graph.scope(self._task.target, self._task.keys).call(node, arguments)


class BatchScope(RecipeScope):
    """The names of a recipe that tasks with different keys of their last partition share: what differs is a list with
    an item for each of the tasks, in their order, even if there is but one."""

    def __init__(self, graph: Graph, tasks: Sequence[Task], attempt: int = 1, failures: int = 0) -> None:
        super().__init__(graph, tasks[0], attempt, failures)
        self._tasks = tasks

    def name(self, node: Name) -> object:
        target = self._task.target
        match node.name:
            case "inputs":
                shared = [is_shared(item, target.partitions[-1]) for item in target.inputs]
                return joined_inputs([(task.keys[-1], self._graph.sources(task)) for task in self._tasks], shared)
            case "outputs":
                return joined([task.named_outputs() for task in self._tasks])
            case "metrics":
                return joined([task.named_metrics() for task in self._tasks])
        if node.name == target.partitions[-1]:
            return [task.keys[-1] for task in self._tasks]
        return super().name(node)


def recipe_scope(graph: Graph, tasks: Sequence[Task], attempt: int = 1, failures: int = 0) -> RecipeScope:
    """The names of a recipe, in a run for these tasks: one, or some of a target with `batch:`."""
    if tasks[0].target.batch is None:
        return RecipeScope(graph, tasks[0], attempt, failures)
    return BatchScope(graph, tasks, attempt, failures)


def variable_value(variable: Variable, scope: Scope) -> str | None:
    """What a variable holds in a recipe; None if it must be set and is not."""
    if variable.value is None:
        return os.environ.get(variable.name)
    value = evaluate(variable.value, scope)
    try:
        text = formatted(value, "")
    except ValueError as error:
        raise PipelineError(f"`{written(variable.value)}` {error}", variable.at) from None
    return text if isinstance(text, str) else " ".join(text)


UNREADABLE = (OSError, EOFError, ValueError, csv.Error, zlib.error)
"""What is raised for files that are not what their names say."""


class LeftOut(Exception):
    """A condition refers to something that is not there to be compared with: it is not tested."""


class CheckScope(RecipeScope):
    """The names of a condition: as in a recipe, but metrics are values, and references bring what is in place.

    Args:
        is_in_place: whether a task's outputs can be looked at.
    """

    def __init__(self, graph: Graph, task: Task, files: Files, is_in_place: Callable[[Task], bool]) -> None:
        super().__init__(graph, task)
        self._files = files
        self._is_in_place = is_in_place

    def name(self, node: Name) -> object:
        if node.name == "metrics":
            return self._metrics(self._task)
        return super().name(node)

    def reference(self, node: Reference) -> object:
        """Raises LeftOut for a key outside the partition, and for what is not in place."""
        try:
            tasks = self._graph.referred(node, self._task)
        except OutsidePartition:
            raise LeftOut from None
        if not all(self._is_in_place(task) for task in tasks):
            raise LeftOut
        if node.metrics is not None:
            values = [_at(self._metrics(task), node.metrics) for task in tasks]
            return values if len(values) != 1 else values[0]
        paths = tuple(path for task in tasks for path in self._graph.brought(node, task))
        return Bundle(paths, single=len(paths) == 1)

    def call(self, node: Call, arguments: list[object]) -> object:
        paths = [path for argument in arguments for path in _paths(argument)]
        match node.function:
            case "rows":
                return sum(self._rows_read(path, node) for path in paths)
            case "size":
                return sum(self._size(path) for path in paths)
            case "count":
                return len(paths)
            case "exists":
                return all(self._files.exists(path) for path in paths)
        return functions.call(node, arguments, self._files)

    def _metrics(self, task: Task) -> Mapping[str, object]:
        """The values of a task's metrics files: those of unnamed files together, those of a named one by its name."""
        values: dict[str, object] = {}
        for declared, path in zip(task.target.metrics, task.metrics, strict=True):
            found = read_values(self._files, path)
            if declared.name:
                values[declared.name] = found
            elif isinstance(found, Mapping):
                values.update(found)
        return values

    def _size(self, path: str) -> int:
        if self._files.is_directory(path):
            return sum(self._size(f"{path.rstrip('/')}/{name}") for name in self._files.walk(path))
        status = self._files.stat(path)
        return status.st_size if status else 0

    def _rows_read(self, path: str, node: Call) -> int:
        try:
            return self._rows(path, node)
        except UNREADABLE as error:
            raise PipelineError(f"the rows of {path} can't be counted: {error}", node.at) from None

    def _rows(self, path: str, node: Call) -> int:
        """Rows of CSV (without the header), JSON lines or Parquet."""
        if self._files.is_directory(path):
            return sum(self._rows(f"{path.rstrip('/')}/{name}", node) for name in self._files.walk(path))
        full = self._files.full(path)
        if path.endswith((".parquet", ".pq")):
            return _parquet_rows(full, node)
        if path.endswith(".gz"):
            import gzip

            opener: Any = gzip.open
        else:
            opener = open
        name = path.removesuffix(".gz")
        with opener(full, "rt", newline="", encoding="utf-8", errors="replace") as file:
            if name.endswith((".jsonl", ".ndjson")):
                return sum(1 for line in file if line.strip())
            if name.endswith((".csv", ".tsv")):
                return max(0, sum(1 for _ in csv.reader(file)) - 1)
        hint = "rows() counts those of .csv, .tsv, .jsonl, .ndjson and .parquet"
        raise PipelineError(f"{path} has no rows that can be counted", node.at, hint)


def read_values(files: Files, path: str) -> object:
    """What a metrics file holds: JSON, YAML, or CSV (its columns as lists). None if it is missing or broken."""
    try:
        text = files.read(path).decode()
        if path.endswith((".yaml", ".yml")):
            import yaml

            try:
                return yaml.safe_load(text)
            except yaml.YAMLError:
                return None
        if path.endswith((".csv", ".tsv")):
            reader = csv.DictReader(text.splitlines(), delimiter="\t" if path.endswith(".tsv") else ",")
            rows = list(reader)
            return {name: [_number(row[name]) for row in rows] for name in reader.fieldnames or ()}
        return json.loads(text)
    except UNREADABLE:
        return None


def _number(text: str | None) -> object:
    try:
        return float(text or "")
    except ValueError:
        return text


def _parquet_rows(full: str, node: Call) -> int:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        hint = "pip install pyarrow"
        raise PipelineError("counting the rows of a Parquet file needs pyarrow", node.at, hint) from None
    return int(ParquetFile(full).metadata.num_rows)


def _paths(value: object) -> list[str]:
    if isinstance(value, Bundle):
        return list(value.paths)
    if isinstance(value, list | tuple):
        return [path for item in value for path in _paths(item)]
    return [str(value)]


def _at(values: object, way: tuple[str | int, ...]) -> object:
    for step in way:
        if isinstance(values, Mapping):
            values = values.get(str(step))
        elif isinstance(values, list) and isinstance(step, int) and -len(values) <= step < len(values):
            values = values[step]
        else:
            return None
    return values
