"""Executor statements: where targets run, and what there is of it."""

from __future__ import annotations

from typing import Any

from mlbuild.errors import LEAVE_OUT, PipelineError
from mlbuild.expression import Call, Span, Star, written
from mlbuild.language.amounts import amount
from mlbuild.language.ast import ExecutorOf
from mlbuild.language.constants import Constants
from mlbuild.language.pending import refuse_pending
from mlbuild.target import AMOUNTS, Executor
from mlbuild.values import nearest

LIMITS = ("cpus", "memory", "gpus", "disk", "jobs")


def executor(statement: ExecutorOf, constants: Constants) -> Executor:
    """The executor that a statement declares. Raises PipelineError."""
    node, name = statement.value, statement.name.text
    if not isinstance(node, Call):
        hint = f"as in `executor {name}: local(cpus = 4)`"
        raise PipelineError(f"`{written(node)}` is no kind of executor", node.at, hint)
    if node.function != "local":
        refuse_pending(f"{node.function}()", node.at)
        near = nearest(node.function, ["local", "slurm", "ray"])
        hint = f"did you mean `{near}`?" if near else "the kinds are local, slurm and ray"
        raise PipelineError(f"there is no kind of executor `{node.function}`", node.at, hint)
    given: dict[str, Any] = {}
    for item in node.arguments:
        if item.name is None or isinstance(item.value, Star | Span):
            hint = "as in local(cpus = 4, memory = 8G, jobs = 2, licence = 1)"
            raise PipelineError("a limit is given as NAME = amount", item.at, hint)
        if item.name in AMOUNTS and item.name not in LIMITS:
            hint = f"the limits are {', '.join(LIMITS)}, and pools of any other name"
            raise PipelineError(f"`{item.name}` can't be limited", item.at, hint)
        if item.name in given:
            raise PipelineError(f"`{item.name}` is given twice", item.at, LEAVE_OUT)
        given[item.name] = amount(item.value, item.name, constants)
    limits = {limit: given.pop(limit) for limit in LIMITS if limit in given}
    return Executor(name, pools=given, **limits)
