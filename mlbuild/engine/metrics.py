"""The values of metrics files, with dotted names: as they are now, and to be kept with each success."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mlbuild.engine.scope import read_values
from mlbuild.files import Files
from mlbuild.graph.task import Task

LARGEST = 64 << 10
"""Bytes. Values of larger files are not kept: they are data."""


class Measured(Struct, frozen=True):
    """A task with its values.

    Attributes:
        then: those of an earlier build, if that was asked for.
        broken: metrics files that are there and hold no values.
    """

    task: Task
    now: Mapping[str, Any]
    then: Mapping[str, Any] | None
    broken: Sequence[str]


def values(files: Files, task: Task, largest: int | None = None) -> tuple[dict[str, Any], list[str]]:
    """What the metrics files of a task hold now.

    Args:
        largest: larger files, in bytes, are passed over.

    Returns:
        name → value, those of a named file behind its name and a dot; and the files that are there and hold no values.
    """
    found: dict[str, Any] = {}
    broken = []
    for declared, path in zip(task.target.metrics, task.metrics, strict=True):
        status = files.stat(path)
        if status is None or (largest is not None and status.st_size > largest):
            continue
        try:
            # As JSON knows it: YAML has dates, keys that are no text, and tables that hold themselves.
            held = json.loads(json.dumps(read_values(files, path), default=str, skipkeys=True))
            found |= _leaves(declared.name or "", _unlisted(held) if path.endswith((".csv", ".tsv")) else held)
        except (ValueError, RecursionError):
            held = None
        if held is None:
            broken.append(path)
    return found, broken


def kept(files: Files, task: Task) -> dict[str, Any] | None:
    """The values to be kept with a success, for comparisons that outlive the files; None for a task without any."""
    return values(files, task, LARGEST)[0] if task.metrics else None


def _unlisted(columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Of a CSV with one row its values, not lists of one."""
    if all(len(column) == 1 for column in columns.values()):
        return {name: column[0] for name, column in columns.items()}
    return columns


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values in a table, each with its dotted name. A file that holds a single value calls it `value`."""
    if not isinstance(value, Mapping):
        if value is not None or name:
            yield name or "value", value
        return
    for key, item in value.items():
        yield from _leaves(f"{name}.{key}" if name else key, item)
