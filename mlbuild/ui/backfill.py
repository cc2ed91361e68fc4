"""What a backfill would do, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mlbuild.engine.backfill import KINDS, Plan
from mlbuild.graph.task import Task
from mlbuild.ui.impact import amount_text
from mlbuild.ui.words import and_more, counted


def plan_lines(plan: Plan) -> list[str]:
    """How the tasks of the range stand, which are chosen, and what would run for that."""
    by_target: dict[str, list[Task]] = {}
    for task in plan.kinds:
        by_target.setdefault(task.target.name, []).append(task)
    width = max((len(name) for name in by_target), default=0)
    lines = [f"{name:<{width}}  {_kinds_text(plan, tasks)}" for name, tasks in by_target.items()]
    if not plan.chosen:
        return [*lines, "nothing to do"]
    lines.append(f"{chosen_text(plan)}:")
    width = max((len(name) for name in plan.targets), default=0)
    lines += [f"  {name:<{width}}  {amount_text(amount)}" for name, amount in plan.targets.items()]
    if plan.canary:
        lines.append(f"the canary: {and_more([task.name for task in plan.canary])}")
    return [*lines, f"altogether: {amount_text(plan.total) or 'nothing would run'}"]


def chosen_text(plan: Plan) -> str:
    """How many tasks, and from where to where: 31 tasks from features[2013-01-01] to features[2013-01-31]"""
    first, last = plan.chosen[0], plan.chosen[-1]
    where = f"from {first.name} to {last.name}" if first is not last else first.name
    return f"{counted(len(plan.chosen), 'task')} {where}"


def _kinds_text(plan: Plan, tasks: Sequence[Task]) -> str:
    counts = Counter(plan.kinds[task] for task in tasks)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    return f"{counted(len(tasks), 'task')}: {kinds}"
