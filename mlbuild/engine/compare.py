"""Which tasks a change of files makes different, by the fingerprints on both sides. Blind to what was ever built."""

from __future__ import annotations

from collections.abc import Collection

from mlbuild.engine.decide import Decision, Reason, Verdict
from mlbuild.engine.facts import Inspector
from mlbuild.engine.survey import Surveyed
from mlbuild.errors import PipelineError
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Change, Fingerprint, by_definition, difference

MADE = "made"
"""The digest of all that tasks make: here it never differs by itself."""
Side = tuple[Graph, Inspector]


def compare(now: Side, order: Order, before: Side) -> dict[Task, Surveyed]:
    """For each task of the order whether it is another than before; what takes the result of such a task may be.

    Args:
        now: what the order is of.
    """
    graph, earlier = now[0], before[0]
    known = {task.name: task for target in earlier.pipeline.targets.values() for task in earlier.tasks(target)}
    found: dict[Task, Surveyed] = {}
    for task in order:
        own = () if task.is_group else _differences(task, now, known.get(task.name), before)
        upstream = tuple(Reason("upstream", need.name) for need in graph.producers(task) if found[need].runs)
        verdict = Verdict.RUN if own or upstream else Verdict.FRESH
        found[task] = Surveyed(task, Decision(verdict, (*own, *upstream)), maybe=not own and bool(upstream))
    return found


def _differences(task: Task, now: Side, earlier: Task | None, before: Side) -> tuple[Reason, ...]:
    trace = now[1].trace(task)
    seen = trace.fingerprint.reads if trace else {}
    present = _fingerprint(task, now, seen)
    if present is None:
        return ()  # it can't be built
    past = _fingerprint(earlier, before, seen) if earlier else None
    if past is None:
        return (Reason("new"),)
    changes = (each for change in difference(past, present) for each in _by_definition(change, now[1], before[1]))
    return tuple(dict.fromkeys(Reason(change.kind, change.what, change.old, change.new) for change in changes))


def _by_definition(change: Change, now: Inspector, before: Inspector) -> list[Change]:
    """Each side knows what stands behind the digests of its own code."""
    if change.kind != "code":
        return [change]
    sides = ((before, change.old), (now, change.new))
    return by_definition(change, {digest: side.definitions(digest) for side, digest in sides if digest})


def _fingerprint(task: Task, side: Side, seen: Collection[str]) -> Fingerprint | None:
    """None for a task that lacks what it needs.

    Args:
        seen: what its last run was seen to read.
    """
    graph, inspector = side
    try:
        made = {path: MADE for source in graph.sources(task) for path, maker in source.reads if maker}
        if task in graph.missing:
            return None
        return inspector.fingerprint(task, made).reading(inspector.observed(task, seen, made))
    except PipelineError:
        return None
