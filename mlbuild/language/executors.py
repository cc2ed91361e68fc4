"""Executor statements: where targets run, and what there is of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from mlbuild.errors import LEAVE_OUT, ConfigError, PipelineError
from mlbuild.expression import Argument, Call, Node, Span, Star, evaluate, written
from mlbuild.language.amounts import amount, time_of
from mlbuild.language.ast import ExecutorOf
from mlbuild.language.constants import Constants
from mlbuild.language.items import node_of
from mlbuild.language.pending import refuse_pending
from mlbuild.target import AMOUNTS, Executor
from mlbuild.values import nearest

LIMITS = ("cpus", "memory", "gpus", "disk", "jobs")
KINDS = {"local": LIMITS, "slurm": ("jobs",)}
"""What of an executor of each kind can be limited, beside its pools."""
EXAMPLES = {
    "local": ("a limit is given as NAME = amount", "local(cpus = 4, memory = 8G, jobs = 2, licence = 1)"),
    "slurm": ("a setting is given as NAME = value", 'slurm(queue = "gpu", time = 4h)'),
}
ELSEWHERE = {"partition": "queue", "nodelist": "options", "mem": "memory", "gres": "gpu"}
"""What Slurm, or another tool, calls a setting."""


def executor(statement: ExecutorOf, constants: Constants) -> Executor:
    """The executor that a statement declares. Raises PipelineError."""
    node, name = statement.value, statement.name.text
    if not isinstance(node, Call):
        hint = f"as in `executor {name}: local(cpus = 4)`"
        raise PipelineError(f"`{written(node)}` is no kind of executor", node.at, hint)
    if node.function not in KINDS:
        refuse_pending(f"{node.function}()", node.at)
        near = nearest(node.function, ["local", "slurm", "ray"])
        hint = f"did you mean `{near}`?" if near else "the kinds are local, slurm and ray"
        raise PipelineError(f"there is no kind of executor `{node.function}`", node.at, hint)
    given: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for item in node.arguments:
        if item.name is None or isinstance(item.value, Star | Span):
            what, example = EXAMPLES[node.function]
            raise PipelineError(what, item.at, f"as in {example}")
        if item.name in given or item.name in settings:
            raise PipelineError(f"`{item.name}` is given twice", item.at, LEAVE_OUT)
        read = SETTINGS.get(item.name) if node.function == "slurm" else None
        if read:
            settings[item.name] = read(item, constants)
        else:
            given[item.name] = _limit(node.function, item, item.name, constants)
    limits = {limit: given.pop(limit) for limit in KINDS[node.function] if limit in given}
    at = {item.name: item.at for item in node.arguments if item.name}
    return Executor(name, node.function, pools=given, settings=settings, at=at, **limits)


def _limit(kind: str, item: Argument, name: str, constants: Constants) -> float:
    """How much there is of something. Raises PipelineError."""
    if name in AMOUNTS and name not in KINDS[kind]:
        if kind == "slurm":
            raise PipelineError(f"`{name}` can't be limited: what waits for nodes waits in Slurm", item.at)
        hint = f"the limits are {', '.join(LIMITS)}, and pools of any other name"
        raise PipelineError(f"`{name}` can't be limited", item.at, hint)
    node = node_of(item)
    if kind == "slurm" and not isinstance(evaluate(node, constants), int | float):
        near = ELSEWHERE.get(name) or nearest(name, list(SETTINGS))
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(SETTINGS)}, and pools, which are numbers"
        raise PipelineError(f"`slurm()` has no `{name}`", item.at, hint)
    return amount(node, name, constants)


def overlaid(name: str, declared: Executor | None, given: Mapping[str, Any]) -> Executor:
    """An executor with what the configuration says of it, which counts for more.

    Args:
        given: fields of `Executor`. Of another kind than is declared, nothing of the declaration stays.

    Raises ConfigError for what its kind doesn't have.
    """
    kind = given.get("kind") or (declared.kind if declared else "local")
    own = (*KINDS[kind], *(SETTINGS if kind == "slurm" else ()))
    for setting in (*(each for each in given if each in LIMITS), *given.get("settings", {})):
        if setting not in own:
            message = f"`executors.{name}.{setting}` is nothing that an executor of the kind {kind} has"
            raise ConfigError(message, None, f"it has {', '.join(own)}")
    below = declared if declared and declared.kind == kind else Executor(name, kind)
    merged = {field: {**getattr(below, field), **given.get(field, {})} for field in ("pools", "settings", "at")}
    return replace(below, **{**given, **merged, "kind": kind})


def _text(item: Argument, constants: Constants) -> str:
    value = evaluate(node_of(item), constants)
    if not isinstance(value, str) or not value:
        raise PipelineError(f"`{item.name}` is a text", item.at, f'as in {item.name} = "gpu"')
    return value


def _options(item: Argument, constants: Constants) -> tuple[str, ...]:
    value = evaluate(node_of(item), constants)
    if not isinstance(value, list) or not all(isinstance(each, str) and each.startswith("-") for each in value):
        raise PipelineError(f"`{item.name}` is a list of options", item.at, 'as in options = ["--exclusive"]')
    return tuple(value)


def _count(item: Argument, constants: Constants) -> int:
    value = evaluate(node_of(item), constants)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PipelineError(f"`{item.name}` is a whole number from 1 on", item.at)
    return value


def _time(item: Argument, constants: Constants) -> float:
    node: Node = node_of(item)
    return time_of(node, evaluate(node, constants))


SETTINGS: Mapping[str, Callable[[Argument, Constants], object]] = {
    "queue": _text,
    "account": _text,
    "qos": _text,
    "constraint": _text,
    "exclude": _text,
    "gpu": _text,
    "ntasks": _count,
    "time": _time,
    "options": _options,
    "setup": _text,
    "delay": _time,
}
"""What an executor of the kind `slurm` can be told: the fields of `Site`."""
