"""Outputs that stand there, taken as the result of the present fingerprint on somebody's word. Runs nothing.

They are not put into the store: what a fingerprint comes to is there for others too, and this was never seen to.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

from msgspec import Struct

from mlbuild.engine import metrics
from mlbuild.engine.decide import Facts, Reason, Verdict, decide
from mlbuild.engine.survey import Survey
from mlbuild.errors import StateError, UsageError
from mlbuild.files import Files
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import UNKNOWN
from mlbuild.state.journal import Journal, Trace
from mlbuild.state.stats import Stats
from mlbuild.state.store import Stored


class Candidate(Struct, frozen=True):
    """A task whose outputs can be accepted, and why a build would not take it for fresh."""

    task: Task
    reasons: tuple[Reason, ...]
    facts: Facts


def candidates(graph: Graph, survey: Survey, wanted: Sequence[Task]) -> list[Candidate]:
    """Those of the tasks that are not fresh as they stand.

    Args:
        survey: in which these tasks were `standing`.

    Raises:
        UsageError: one of them can't be accepted; then none is.
    """
    found, refused = [], []
    for task in wanted:
        if problem := _nothing_to_accept(graph, task):
            refused.append((task, problem))
            continue
        facts = survey.facts(task)
        decision = decide(facts)
        if decision.verdict is Verdict.FRESH:
            continue
        if problem := _unacceptable(facts):
            refused.append((task, problem))
        else:
            found.append(Candidate(task, decision.reasons, facts))
    if refused:
        task, problem = refused[0]
        others = len(refused) - 1
        more = f" (nor can {others} more task{'s' if others > 1 else ''})" if others else ""
        raise UsageError(f"{task.name} can't be accepted: {problem}{more}", hint="nothing was accepted")
    return found


def _nothing_to_accept(graph: Graph, task: Task) -> str | None:
    if task.is_group:
        return "it makes nothing itself; name what it gathers"
    if not task.made:
        return "it has no outputs"
    missing = graph.missing.get(task)
    return missing.message if missing else None


def _unacceptable(facts: Facts) -> str | None:
    gone = next((path for path, digest in facts.present.items() if digest is None), None)
    if gone is not None:
        return f"its output {gone} is missing"
    if facts.always:
        return "it runs in every build"
    if facts.fingerprint.problem:
        return f"its fingerprint can't be had: {facts.fingerprint.problem}"
    unknown = next((name for name, digest in facts.fingerprint.parts.items() if digest == UNKNOWN), None)
    return f"its {unknown} was never built here" if unknown else None


def _left(trace: Trace) -> dict[str, str]:
    return {output.path: output.digest for output in trace.outputs}


def accept(
    found: Sequence[Candidate], order: Order, survey: Survey, files: Files, stats: Stats, journal: Journal, why: str
) -> None:
    """Record what was found as successes of this run.

    Args:
        order: task → the tasks that it needs.

    Raises:
        StateError: a build works on one of them, or on what it needs; then none is recorded.
    """
    keys = {each.task: each.facts.fingerprint.key for each in found}
    for task, key in keys.items():
        held = [(need.name, keys.get(need) or _last_key(journal, need)) for need in order[task]]
        conflict = journal.leases.take(task.name, key, [*held, *((f"output {path}", key) for path in task.made)])
        if conflict:
            doing = "died while it worked on" if conflict.dead else "works on or needs"
            hint = "run `mlbuild` first" if conflict.dead else "wait until it has ended"
            raise StateError(f"run {conflict.run} (process {conflict.pid}) {doing} {conflict.task}", hint=hint)
    # Now that nothing changes them any more, they must still be what was looked at.
    for each in found:
        facts = survey.facts(each.task)
        now, seen = ((one.fingerprint.key, one.reads, one.present) for one in (facts, each.facts))
        if now != seen:
            raise StateError(f"{each.task.name} changed while it was looked at", hint="try again")
    at = time.time()
    successes = [(_trace(each, stats, journal.run, at), metrics.kept(files, each.task)) for each in found]
    journal.accept(successes, _who(), why)


def _last_key(journal: Journal, task: Task) -> str:
    trace = journal.trace(task.name)
    return trace.fingerprint.reading({}).key if trace else ""


def _trace(each: Candidate, stats: Stats, run: int, now: float) -> Trace:
    outputs = []
    for path, digest in each.facts.present.items():
        content = stats.content(path)
        outputs.append(Stored(path, digest or "", content[1] if content else 0))
    last = each.facts.trace
    is_same = last is not None and _left(last) == dict(each.facts.present)
    attempt, seconds = (last.attempt, last.seconds) if last and is_same else (None, 0.0)
    # Without a digest of conditions: the next build tests them.
    fingerprint = each.facts.fingerprint.reading(each.facts.reads)
    return Trace(each.task.name, fingerprint, tuple(outputs), "", run, attempt, now, seconds)


def _who() -> str:
    from getpass import getuser

    try:
        user = getuser()
    except (KeyError, OSError):  # in a container there may be no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
