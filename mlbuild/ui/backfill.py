"""What a backfill would do, for people and programs, and what can be typed after it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from mlbuild.engine.backfill import KINDS, Plan
from mlbuild.graph.task import Task
from mlbuild.ui.impact import amount_json, amount_text, targets_json
from mlbuild.ui.survey import unknown_lines
from mlbuild.ui.words import and_more, counted


def plan_lines(plan: Plan) -> list[str]:
    """How the tasks of the range stand, which are chosen, and what would run for that."""
    by_target = _by_target(plan)
    width = max((len(name) for name in by_target), default=0)
    lines = unknown_lines(plan.unknown)
    lines += [f"{name:<{width}}  {_kinds_text(plan, tasks)}" for name, tasks in by_target.items()]
    if not plan.chosen:
        return [*lines, "nothing to do" if plan.is_empty else f"nothing to do but for {chosen_text(plan)}"]
    lines.append(f"{chosen_text(plan)}:")
    width = max((len(name) for name in plan.targets), default=0)
    lines += [f"  {name:<{width}}  {amount_text(amount)}" for name, amount in plan.targets.items()]
    if plan.canary:
        lines.append(f"the canary: {and_more([task.name for task in plan.canary])}")
    total = [amount_text(plan.total) or "nothing would run"]
    if plan.restored:
        total.append(f"{counted(plan.restored, 'task')} would be restored")
    if plan.blocked:
        total.append(f"{counted(plan.blocked, 'task')} blocked")
    return [*lines, f"altogether: {'; '.join(total)}"]


def plan_json(plan: Plan) -> dict[str, Any]:
    """The document of `backfill -n --json` (see the command-line reference)."""
    return {
        "kinds": [
            {"target": name, **{kind: counts[kind] for kind in KINDS}}
            for name, counts in ((name, _counts(plan, tasks)) for name, tasks in _by_target(plan).items())
        ],
        "chosen": [task.name for task in plan.chosen],
        "canary": [task.name for task in plan.canary],
        "since": plan.since,
        "done": len(plan.done),
        "targets": targets_json(plan.targets),
        "total": amount_json(plan.total),
        "restored": plan.restored,
        "blocked": plan.blocked,
    }


def chosen_text(plan: Plan) -> str:
    """How many tasks, and from where to where: 31 tasks from features[2013-01-01] to features[2013-01-31]"""
    if not plan.chosen:
        return f"new keys of {' and '.join(f'`{each.partition}`' for each in plan.unknown)}, if there are any"
    first, last = plan.chosen[0], plan.chosen[-1]
    where = f"from {first.name} to {last.name}" if first is not last else first.name
    return f"{counted(len(plan.chosen), 'task')} {where}"


def next_lines(command: str, counts: Mapping[str, int]) -> Iterator[str]:
    """What can be typed after a backfill that was not through, or in which something failed.

    Args:
        command: of the backfill, as it was typed.
        counts: how many of its tasks ended in each state.
    """
    if counts.get("cancelled"):
        yield f"to go on: {command}"
    if counts.get("failed"):
        yield f"to try again only what failed: {shlex.join(_with_failed(shlex.split(command)))}"


def _with_failed(words: list[str]) -> list[str]:
    """The same command for what has failed alone."""
    cut = words.index("--") if "--" in words else len(words)
    kept = [
        word
        for before, word in pairwise(["", *words[:cut]])
        if "--mode" not in (before, word) and not word.startswith("--mode=")
    ]
    return [*kept, "--mode", "failed", *words[cut:]]


def _by_target(plan: Plan) -> dict[str, list[Task]]:
    found: dict[str, list[Task]] = {}
    for task in plan.kinds:
        found.setdefault(task.target.name, []).append(task)
    return found


def _counts(plan: Plan, tasks: Sequence[Task]) -> Counter[str]:
    return Counter(plan.kinds[task] for task in tasks)


def _kinds_text(plan: Plan, tasks: Sequence[Task]) -> str:
    counts = _counts(plan, tasks)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    return f"{counted(len(tasks), 'task')}: {kinds}"
