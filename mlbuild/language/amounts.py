"""Amounts, times and counts, worked out while reading: of resources, `timeout`, `retry`, `max_active` and `batch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlbuild.collect import Mistakes
from mlbuild.errors import LEAVE_OUT, PipelineError
from mlbuild.expression import Literal, Name, Node, evaluate, written
from mlbuild.language.ast import Clause
from mlbuild.language.constants import Constants
from mlbuild.language.items import arguments, node_of
from mlbuild.language.uses import Uses
from mlbuild.target import Retry
from mlbuild.values import nearest

SIZES = ("memory", "gpu_memory", "disk")
WHOLE = ("gpus", "nodes", "jobs")
RETRIED = ("signal", "timeout", "stalled", "out_of_memory", "lost")
"""What a retry can be for, beside exit codes."""


def amount(node: Node, name: str, constants: Constants) -> int | float:
    """How much of a resource an expression without names of tasks says. Raises PipelineError."""
    value = evaluate(node, constants)
    if name == "gpus" and value == 0:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        hint = f"as in `{name} = {'8G' if name in SIZES else 2}`"
        raise PipelineError(f"`{name}` is a number above 0, and this is {written(node)}", node.at, hint)
    if name in SIZES and isinstance(node, Literal) and node.text.isdigit():
        few = len(node.text) <= len("512")
        hint = f"a size has a unit: {node.text}G" if few else "a size has a unit, as in 512M or 8G"
        raise PipelineError(f"{name} of {node.text} bytes", node.at, hint)
    if name in WHOLE and value != int(value):
        raise PipelineError(f"`{name}` is a whole number, and this is {written(node)}", node.at, f"as in `{name} = 2`")
    return int(value) if name in SIZES or value == int(value) else value


def duration(clause: Clause, uses: Uses) -> float:
    """The seconds of `timeout:` and `stall:`. Raises PipelineError."""
    return seconds(node_of(arguments(clause)[0]), uses)


def seconds(node: Node, uses: Uses) -> float:
    """A time above 0. Raises PipelineError."""
    return time_of(node, _constant(node, uses))


def time_of(node: Node, value: object) -> float:
    """The seconds that an expression came to. Raises PipelineError if they are none."""
    if isinstance(node, Literal) and node.text.replace(".", "").isdigit():
        raise PipelineError(f"a time has a unit, and {node.text} has none", node.at, f"write {node.text}s")
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise PipelineError(f"a time is needed, and this is {written(node)}", node.at, "as in 30s, 10m or 1h30m")
    return float(value)


def _constant(node: Node, uses: Uses) -> object:
    """The value of an expression in which nothing of the task can stand."""
    uses.check(node, ())
    return evaluate(node, uses.constants)


def most(clause: Clause, uses: Uses) -> int:
    """The number of `max_active:` and `batch:`. Raises PipelineError."""
    node = node_of(arguments(clause)[0])
    value = _constant(node, uses)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        of, example = _OF[clause.word]
        hint = f"as in `{clause.word}: {example}`"
        raise PipelineError(f"a number of {of} is needed, and this is {written(node)}", node.at, hint)
    return value


_OF = {"max_active": ("tasks", 2), "batch": ("keys", 30)}
"""Clause → what it counts, and an example."""


def retry(clause: Clause, uses: Uses, mistakes: Mistakes) -> Retry:
    """When to try again, and how often; what is wrong is noted."""
    fields: dict[str, Any] = {}
    for item in arguments(clause):
        with mistakes.noted():
            name, read = _RETRY.get(item.name or "", ("", None))
            if read is None:
                near = nearest(item.name or "", [one for one in _RETRY if one])
                hint = f"did you mean `{near}`?" if near else "as in `retry: 3, backoff = 10s, max = 1h`"
                raise PipelineError(f"`retry:` has no `{item.name}`", item.at, hint)
            if name in fields:
                raise PipelineError(f"`{item.name or 'the number'}` is given twice", item.at, LEAVE_OUT)
            fields[name] = read(node_of(item), uses)
    return Retry(**fields)


def _count(node: Node, uses: Uses) -> int:
    value = _constant(node, uses)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PipelineError(f"a number of retries is needed, and this is {written(node)}", node.at, "as in `retry: 3`")
    return value


def _classes(node: Node, _: Uses) -> tuple[str, ...]:
    """What a retry is for: words and exit codes."""
    items = getattr(node, "items", (node,))
    return tuple(_retried(item) for item in items)


def _retried(node: Node) -> str:
    if isinstance(node, Name) and node.name in RETRIED:
        return node.name
    if isinstance(node, Literal) and isinstance(node.value, int) and 0 < node.value < 256:
        return str(node.value)
    near = nearest(written(node), RETRIED)
    hint = f"did you mean `{near}`?" if near else f"an exit code from 1 to 255, {', '.join(RETRIED)}"
    raise PipelineError(f"nothing fails as `{written(node)}`", node.at, hint)


_RETRY: dict[str, tuple[str, Callable[[Node, Uses], object]]] = {
    "": ("count", _count),
    "backoff": ("backoff", seconds),
    "max": ("longest", seconds),
    "on": ("on", _classes),
}
