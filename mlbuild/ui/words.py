"""Values in words: reasons, durations, sizes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlbuild.engine.decide import Reason
from mlbuild.engine.orphans import Orphan
from mlbuild.errors import MlbuildError
from mlbuild.state.standing import Standing

SHOWN = 3
"""How many reasons a line names before it counts the rest."""


def reason_text(reason: Reason) -> str:
    """One reason as the end of a sentence: «…, because TEXT»."""
    what = reason.what
    match reason.kind:
        case "forced":
            return "asked for by an option"
        case "always":
            return "it is never taken for fresh"
        case "uncacheable":
            return f"its fingerprint can't be had: {what}"
        case "new":
            return "it is new"
        case "never built":
            return "it was never built here"
        case "output missing":
            return f"{what} is missing"
        case "output edited":
            return f"{what} is not as it was built"
        case "upstream":
            return f"{what} runs first"
        case "blocked" | "check failed":
            return what
        case "recipe":
            return "its recipe changed"
        case "names":
            return "its inputs, outputs or keys go by other names or stand in another order"
        case "param":
            return _changed(f"{what}", reason, shown=True)
        case "read" if not reason.new:
            return f"{what}, which it read, is gone"
        case "read" if reason.old is None:
            return f"read {what} is new"
        case "output":
            return f"output {what} is {_how(reason)}"
    return _changed(f"{reason.kind} {what}", reason, shown=False)


def problem_row(problem: MlbuildError) -> dict[str, Any]:
    """A mistake or a doubt, for programs."""
    row: dict[str, Any] = {"message": problem.message, "hint": problem.hint}
    at = problem.at
    return row | ({"file": at.source.path, "line": at.line, "column": at.column} if at else {})


def _changed(name: str, reason: Reason, *, shown: bool) -> str:
    if reason.old is None or reason.new is None:
        return f"{name} is {_how(reason)}"
    return f"{name} changed from {reason.old} to {reason.new}" if shown else f"{name} changed"


def _how(reason: Reason) -> str:
    return "new" if reason.old is None else "no longer there" if reason.new is None else "renamed"


def written_with(differs: Sequence[Reason]) -> str:
    """What a checkpoint was written with, of which these are the differences to what is wanted: `param lr = 0.1`."""
    texts = [_earlier(reason) for reason in differs[:SHOWN]]
    more = [counted(len(differs) - SHOWN, "more difference")] if len(differs) > SHOWN else []
    *before, last = [*texts, *more] or ["something else"]
    return f"{', '.join(before)} and {last}" if before else last


def anew_text(directory: str, differs: Sequence[Reason]) -> str:
    """Why a task does not go on from the checkpoints that lie there, as the end of a sentence."""
    return f"begins anew: its checkpoints in {directory} were written with {written_with(differs)}"


def orphan_text(orphan: Orphan, standing: Standing | None) -> str:
    """What a build that died has left running, or queued, and what becomes of it."""
    if orphan.submitted:
        since = f"run {orphan.run} has submitted it, at {when(orphan.started)}"
    elif orphan.over:
        since = f"run {orphan.run}, which died, had started it at {when(orphan.started)}"
    elif standing and standing.queued:
        since = f"run {orphan.run}, which died, has left it queued, since {when(orphan.started)}"
    else:
        since = f"run {orphan.run}, which died, still runs it, since {when(orphan.started)}"
    if orphan.failed:
        return f"{since}; it came to nothing, and the next build runs it again"
    if orphan.over:
        return f"{since}; it has ended, and the next build {'takes that in' if orphan.wanted else 'wants another'}"
    return f"{since}: the next build {'takes it over' if orphan.wanted else 'stops it, for it wants another'}"


def _earlier(reason: Reason) -> str:
    name = f"{reason.kind} {reason.what}".rstrip()
    if reason.old is None:
        return f"no {name}"
    if reason.kind in ("param", "environ"):
        return f"{name} = {reason.old}"
    if reason.kind == "read":
        return f"other {reason.what}"
    return "another recipe" if reason.kind == "recipe" else f"other {name}"


def reason_json(reason: Reason) -> dict[str, Any]:
    """A reason as every JSON document holds it; `old` and `new` only where there is one."""
    row: dict[str, Any] = {"kind": reason.kind, "what": reason.what, "text": reason_text(reason)}
    return row | {name: value for name, value in (("old", reason.old), ("new", reason.new)) if value is not None}


def reasons_text(reasons: Sequence[Reason]) -> str:
    """The first few reasons, and how many more there are."""
    texts = [reason_text(reason) for reason in reasons[:SHOWN]]
    more = len(reasons) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def ended(reason: str, exit_status: int, detail: str) -> str:
    """How an attempt ended, as the end of a sentence: «…, after TEXT»."""
    match reason:
        case "exit":
            return f"exit status {exit_status}"
        case "signal":
            return f"{'' if detail.startswith('a command') else 'it was '}{detail}"
        case "out_of_memory":
            return "running out of memory"
        case "stalled":
            return f"a stall: {detail}"  # which says where it hung
        case "preempted":
            return "preemption"
        case "lost":
            return "losing it"
    return reason.replace("_", " ")


def failed(reason: str, exit_status: int, detail: str) -> str:
    """How an attempt failed, in words, with what is known beside."""
    more = f": {detail}" if detail else ""
    match reason:
        case "exit":
            return f"exit status {exit_status}{more}"
        case "timeout":
            return f"ran longer than its timeout{more}"
        case "signal" | "out_of_memory" | "check_failed" | "pipelinefile" | "input_changed" | "missing_output":
            return detail
    return reason.replace("_", " ") + more


DONE = {
    "submitted": "submitted",
    "going_on": "going on",
    "built": "run",
    "restored": "restored",
    "accepted": "accepted",
    "failed": "failed",
    "blocked": "blocked",
    "running": "running",
    "queued": "queued",
    "unfinished": "unfinished",
}


def did_text(counts: Mapping[str, int]) -> str:
    """What a build did, by how many tasks are in each state; empty for nothing."""
    did = [counted(counts[state], "task") + f" {word}" for state, word in DONE.items() if counts.get(state)]
    if removed := counts.get("removed", 0):
        did.append(f"{counted(removed, 'output')} removed")
    if removed := counts.get("checkpoints", 0):
        did.append(f"checkpoints of {counted(removed, 'task')} removed")
    if stopped := counts.get("cancelled", 0):
        did.append(f"{counted(stopped, 'task')} not run")
    return ", ".join(did)


def when(seconds: float) -> str:
    """A moment, in seconds since 1970, as the clock on the wall here showed it: 2026-01-31 14:00:05"""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def clock(seconds: float) -> str:
    """A moment that is near, as the clock on the wall here shows it: 14:05, of another day 2026-01-31 14:05"""
    moment, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if moment[:3] == now[:3] else "%Y-%m-%d %H:%M", moment)


def place_text(node: str, gpus: Sequence[str]) -> str:
    """Where something runs: `n1, GPUs 0 and 1`; empty if there is nothing to say of it."""
    *first, last = gpus or ("",)
    named = f"GPUs {', '.join(first)} and {last}" if first else f"GPU {last}" if last else ""
    return ", ".join(filter(None, [node, named]))


def waits_text(why: str, starts: float | None) -> str:
    """Why something waits in a cluster, and until when: `others come first; should start at 14:05`"""
    expected = f"should start at {clock(starts)}" if starts else ""
    return "; ".join(filter(None, [why, expected]))


def standing_text(standing: Standing) -> str:
    """For what an attempt waits, or where it runs; empty if it runs here, or nobody knows."""
    if standing.queued:
        return waits_text(standing.why, standing.starts)
    return place_text(standing.node, standing.gpus)


def standing_json(standing: Standing) -> dict[str, Any]:
    """The same as JSON documents hold it."""
    if standing.queued:
        return {"reason": standing.reason, "why": standing.why, "starts": standing.starts}
    return {"since": standing.since, "node": standing.node, "gpus": list(standing.gpus)}


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of equal length as lines whose columns stand below each other.

    Args:
        right: columns that are flush right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def duration(seconds: float) -> str:
    """0.4s, 12s, 3m05s, 2h10m"""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 59.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def size(amount: float) -> str:
    """Bytes for people: 512B, 1.5M, 12G (powers of 1024)."""
    for unit in "BKMGT":
        if amount < 1024 or unit == "T":
            break
        amount /= 1024
    return f"{amount:.0f}{unit}" if unit == "B" or amount >= 10 else f"{amount:.1f}{unit}"


def counted(number: int, noun: str) -> str:
    """1 task, 2 tasks"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def and_more(names: Sequence[str], noun: str = "task") -> str:
    """train; train[a] and 3 more tasks"""
    more = len(names) - 1
    return f"{names[0]} and {more} more {noun}{'s' if more > 1 else ''}" if more else names[0]
