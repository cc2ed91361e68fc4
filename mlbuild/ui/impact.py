"""`impact` for people and programs: what changes would make run, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlbuild.engine.impact import Amount, Impact, Share
from mlbuild.ui.words import counted, duration, reason_json, reason_text

HOUR = 3600.0


def impact_lines(impact: Impact) -> list[str]:
    """For each first cause the targets that it makes run; the last line adds up."""
    if not impact.targets:
        return ["nothing would run"]
    lines = []
    for share in impact.shares:
        lines.append(f"{_changed(share)}:")
        width = max(len(name) for name in share.targets)
        lines += [f"  {name:<{width}}  {amount_text(amount)}" for name, amount in share.targets.items()]
    return [*lines, f"altogether: {amount_text(impact.total)}"]


def over_lines(impact: Impact, seconds: float | None, gpu_hours: float | None) -> list[str]:
    """What is more than it may be."""
    lines = []
    if seconds is not None and impact.total.seconds > seconds:
        lines.append(f"over the budget: {duration(impact.total.seconds)} are more than {duration(seconds)}")
    if gpu_hours is not None and impact.total.gpu_seconds > gpu_hours * HOUR:
        hours = impact.total.gpu_seconds / HOUR
        lines.append(f"over the budget: {hours:.1f} GPU-hours are more than {gpu_hours:g}")
    return lines


def _changed(share: Share) -> str:
    more = f", and {share.things - 1} more like it" if share.things > 1 else ""
    return f"{reason_text(share.cause.reason)}{more}"


def amount_text(amount: Amount) -> str:
    """How many tasks, and what that costs; empty for none."""
    parts = []
    if amount.run:
        parts.append(f"{counted(amount.run, 'task')} would run")
    if amount.may_run:
        parts.append(f"{amount.may_run} may run" if amount.run else f"{counted(amount.may_run, 'task')} may run")
    text = ", ".join(parts)
    count = amount.run + amount.may_run
    if amount.unknown < count:
        text += f"; {'it' if count == 1 else 'they'} took {duration(amount.seconds)} before"
    if amount.gpu_seconds:
        text += f", {amount.gpu_seconds / HOUR:.1f} GPU-hours"
    if amount.unknown:
        text += f"; {counted(amount.unknown, 'task')} never ran, so how long is not known"
    return text


def impact_json(impact: Impact, *, since: str | None, over: bool) -> dict[str, Any]:
    """The document of `impact --json` (see the command-line reference)."""
    return {
        "since": since,
        "causes": [
            {**reason_json(share.cause.reason), "things": share.things, "targets": targets_json(share.targets)}
            for share in impact.shares
        ],
        "targets": targets_json(impact.targets),
        "total": amount_json(impact.total),
        "over": over,
    }


def targets_json(targets: Mapping[str, Amount]) -> list[dict[str, Any]]:
    return [{"target": name, **amount_json(amount)} for name, amount in targets.items()]


def amount_json(amount: Amount) -> dict[str, Any]:
    return {
        "run": amount.run,
        "may_run": amount.may_run,
        "seconds": amount.seconds,
        "gpu_hours": amount.gpu_seconds / HOUR,
        "unknown": amount.unknown,
    }
