"""What a build would do, for people and programs: the dry run and `status`; and what `accept` did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mlbuild.engine.decide import Reason, Verdict
from mlbuild.engine.survey import Seen, Surveyed, Unknown
from mlbuild.engine.vanished import Vanished
from mlbuild.graph.task import Task
from mlbuild.state.standing import Standing
from mlbuild.ui.words import (
    and_more,
    anew_text,
    counted,
    duration,
    orphan_text,
    reason_json,
    reasons_text,
    standing_json,
    standing_text,
    waits_text,
)

ORDER = ("fresh", "restorable", "stale", "missing", "absent", "running", "queued", "failed", "blocked")


STANDING = 8
"""Lines on what waits or runs elsewhere that are shown before the rest is counted."""


def dry_run_lines(seen: Sequence[Seen]) -> list[str]:
    """What would run, restored be, and why; the last line sums it up."""
    lines, seconds, unknown = [], 0.0, 0
    counts: Counter[str] = Counter()
    for each in seen:
        word = _word(each)
        if word is None:
            continue
        counts[word] += 1
        if word == "goes on":
            lines.append(f"{word:<8}{each.surveyed.task.name}: {_why(each)}")
            continue
        if word in ("run", "maybe"):
            seconds += each.expected or 0.0
            unknown += each.expected is None
        lines.append(f"{word:<8}{each.surveyed.task.name}: {_why(each)}{_anew(each)}")
    return [*lines, _sum(counts, seconds, unknown)]


def _anew(each: Seen) -> str:
    """That it would not go on from the checkpoints which lie there, and why."""
    lying = each.lying
    return "" if lying is None or lying.resume_from else f"; {anew_text(lying.directory, lying.differs)}"


def _word(each: Seen) -> str | None:
    """What would happen to a task, in one word; None for nothing."""
    surveyed = each.surveyed
    if each.orphan and each.orphan.wanted:
        return "goes on"
    if surveyed.task.is_group or surveyed.decision.verdict in (Verdict.FRESH, Verdict.ABSENT):
        return None
    if surveyed.blocked:
        return "blocked"
    if surveyed.runs:
        return "maybe" if surveyed.maybe else "run"
    return "restore"


def _sum(counts: Counter[str], seconds: float, unknown: int) -> str:
    if not counts:
        return "nothing to do"
    parts = []
    if counts["run"]:
        parts.append(f"would run {counted(counts['run'], 'task')}")
    if counts["goes on"]:
        parts.append(f"{'' if parts else 'would '}take over {counted(counts['goes on'], 'task')}")
    if counts["maybe"]:
        parts.append(f"perhaps {counted(counts['maybe'], 'task')} more, if what they need comes out otherwise")
    if counts["restore"]:
        parts.append(f"restore {counted(counts['restore'], 'task')}")
    if counts["blocked"]:
        parts.append(f"{counted(counts['blocked'], 'task')} blocked")
    if seconds and not unknown:
        parts.append(f"at most {duration(seconds)} of work by what they took before")
    return "; ".join(parts)


def unknown_lines(unknown: Sequence[Unknown]) -> list[str]:
    """What is not known before tasks have listed keys."""
    return [_unknown_text(each) for each in unknown]


def _unknown_text(each: Unknown) -> str:
    if each.problem:
        return f"the keys of `{each.partition}` are not known: {each.problem}"
    known = f"{each.keys} as of last time" if each.keys else "none are known yet"
    return f"the keys of `{each.partition}` are known once `{each.lister.name}` is in place: {known}"


def vanished_lines(vanished: Sequence[Vanished]) -> list[str]:
    """That tasks are no more and left something which can be removed."""
    number = sum(bool(each.outputs) for each in vanished)
    if not number:
        return []
    are, they = ("are", "they") if number > 1 else ("is", "it")
    return [
        f"{counted(number, 'task')} {are} no more, and what {they} made still lies there: mlbuild remove --vanished"
    ]


def status_lines(seen: Sequence[Seen], *, tasks: bool) -> list[str]:
    if tasks:
        width = max((len(each.surveyed.task.name) for each in seen), default=0)
        return [f"{each.surveyed.task.name:<{width}}  {each.state:<10}  {_why(each)}".rstrip() for each in seen]
    rows = by_target(seen)
    width = max((len(name) for name in rows), default=0)
    lines = []
    for name, group in rows.items():
        lines.append(f"{name:<{width}}  {states_text(Counter(each.state for each in group))}")
    return lines


def states_text(counts: Mapping[str, int]) -> str:
    """The state of one task, or how many are in each: `fresh`, `3 fresh, 1 stale`."""
    one = sum(counts.values()) == 1
    return ", ".join(state if one else f"{counts[state]} {state}" for state in ORDER if counts.get(state))


def standing_lines(seen: Sequence[Seen]) -> list[str]:
    """For what tasks wait in a cluster and when the first should start, and where others run: a line for all tasks of
    a target that stand alike."""
    alike: dict[tuple[str, str, str], list[tuple[str, Standing]]] = {}
    for each in seen:
        if standing := each.standing:
            how = standing.why if standing.queued else standing_text(standing)
            key = each.surveyed.task.target.name, each.state, how
            alike.setdefault(key, []).append((each.surveyed.task.name, standing))
    lines = []
    for (_, state, how), tasks in alike.items():
        starts = min((standing.starts for _, standing in tasks if standing.starts), default=None)
        if text := waits_text(how, starts):
            lines.append(f"{state:<8}{and_more([name for name, _ in tasks])}: {text}")
    hidden = len(lines) - STANDING
    return lines if hidden <= 0 else [*lines[:STANDING], f"        and {hidden} more; --tasks has them all"]


def _why(each: Seen) -> str:
    reasons = "" if each.state == "fresh" else reasons_text(each.surveyed.decision.reasons)
    if each.orphan:
        left = orphan_text(each.orphan, each.standing)
        reasons = left if each.orphan.wanted else f"{reasons}; {left}"
    return "; ".join(filter(None, [standing_text(each.standing) if each.standing else "", reasons]))


def by_target(seen: Sequence[Seen]) -> dict[str, list[Seen]]:
    """The name of each target with its tasks, in order."""
    rows: dict[str, list[Seen]] = {}
    for each in seen:
        rows.setdefault(each.surveyed.task.target.name, []).append(each)
    return rows


def status_json(seen: Sequence[Seen], unknown: Sequence[Unknown], vanished: Sequence[Vanished]) -> dict[str, Any]:
    """The document of `status --json` (see the command-line reference)."""
    return {
        "targets": [
            {
                "target": name,
                "states": dict(Counter(each.state for each in group)),
                "tasks": [task_json(each) for each in group],
            }
            for name, group in by_target(seen).items()
        ],
        "unknown": [{"partition": each.partition, "task": each.lister.name, "keys": each.keys} for each in unknown],
        "vanished": [{"task": each.task, "outputs": list(each.outputs)} for each in vanished if each.outputs],
    }


def task_json(each: Seen) -> dict[str, Any]:
    """A task as every JSON document about states holds it."""
    task = each.surveyed.task
    row = {
        "task": task.name,
        "keys": {name: key.text for name, key in zip(task.target.partitions, task.keys, strict=True)},
        "state": each.state,
        "reasons": [reason_json(reason) for reason in each.surveyed.decision.reasons],
        "outputs": list(task.made),
    }
    if each.standing:
        row["standing"] = standing_json(each.standing)
    return row


def accepted_lines(
    tasks: Sequence[tuple[Task, Sequence[Reason]]], stale: Sequence[Surveyed], run: int | None
) -> list[str]:
    """What `accept` did, or would do.

    Args:
        tasks: that were accepted, with the reasons for which they would have run.
        stale: tasks before them that were not.
        run: under which it is recorded; None if it is not.
    """
    if not tasks:
        lines = ["nothing to accept: all that is named is fresh as it stands"]
    else:
        alike: dict[tuple[str, ...], list[tuple[Task, Sequence[Reason]]]] = {}
        for task, reasons in tasks:
            alike.setdefault((task.target.name, *(reason.kind for reason in reasons)), []).append((task, reasons))
        verb = "accepted" if run else "would accept"
        lines = [
            f"{verb} {and_more([task.name for task, _ in group])}: {reasons_text(group[0][1])}"
            for group in alike.values()
        ]
    first = [each.task.name for each in stale if not each.task.is_group]
    if first:
        lines.append(f"not accepted, and stale: {and_more(first)}; what comes out otherwise counts")
    return lines
