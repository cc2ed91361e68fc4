"""Earlier builds, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlbuild.state.runs import Attempted, Outcome, Run
from mlbuild.ui.usage import usage_json, usage_lines
from mlbuild.ui.words import did_text, duration, failed, size, standing_text, table, when

RIGHT = ("build", "took", "GPU-hours")
"""Columns of numbers."""


def runs_lines(runs: Sequence[Run]) -> list[str]:
    head = ("build", "when", "ended", "took", "GPU-hours", "what it did", "command")
    columns = [column for column in zip(head, *map(_row, runs), strict=True) if any(column[1:])]
    return table([*zip(*columns, strict=True)], [at for at, (name, *_) in enumerate(columns) if name in RIGHT])


def _row(run: Run) -> tuple[str, ...]:
    did = did_text(run.counts) or "nothing"
    if run.parts:
        did += f" in runs {', '.join(map(str, run.parts))}"
    hours = f"{run.gpu_hours:.2f}" if run.gpu_hours else ""
    return (str(run.number), when(run.started), run.end, _took(run), hours, did, _line(run))


def _took(run: Run) -> str:
    return "" if run.seconds is None else duration(run.seconds)


def _line(run: Run) -> str:
    """Its command on one line."""
    return run.command.replace("\n", "\\n")


def runs_json(runs: Sequence[Run]) -> dict[str, Any]:
    return {"runs": [_run_json(run) | {"gpu_hours": run.gpu_hours} for run in runs]}


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "run": run.number,
        "started": run.started,
        "seconds": run.seconds,
        "ended": run.end,
        "counts": dict(run.counts),
        "command": run.command,
        "parts": list(run.parts),
        "overrides": [list(each) for each in run.overrides],
        "commit": run.commit,
        "dirty": run.dirty,
    }


def run_lines(run: Run, attempts: Sequence[Attempted], outcomes: Sequence[Outcome]) -> list[str]:
    """A build, and a row for each attempt and for each task that came to something without one."""
    facts = [("when", when(run.started) + (f", {_took(run)}" if run.ended else "")), ("command", _line(run))]
    if run.overrides:
        facts.append(("with", ", ".join(f"{name}={new} (else {old})" for name, new, old in run.overrides)))
    if run.parts:
        facts.append(("backfill", f"in runs {', '.join(map(str, run.parts))}"))
    if run.commit:
        facts.append(("commit", commit_text(run.commit, run.dirty)))
    lines = [f"run {run.number}: {run.end}", *table(facts)]
    rows = [_attempt_row(run, each, attempts) for each in attempts]
    rows += [(each.task, each.state, "", "", "", each.detail, "", "") for each in outcomes]
    if rows:
        columns = zip(("task", "state", "took", "attempt", "on", "why", "log", "used"), *rows, strict=True)
        told = [column for column in columns if any(column[1:])]
        right = [number for number, column in enumerate(told) if column[0] in ("took", "attempt")]
        lines += ["", *table(list(zip(*told, strict=True)), right)]
    return [*lines, *usage_lines(_own(run, attempts))]


def commit_text(commit: str, dirty: bool | None) -> str:
    """A commit, and how the files were to it."""
    how = {True: "with changes", False: "without changes", None: "whether there were changes is not known"}
    return f"{commit[:12]}, {how[dirty]}"


def _state(run: Run, attempt: Attempted, attempts: Sequence[Attempted]) -> str:
    """What an attempt was to a run. One whose inputs changed meanwhile has failed only if none came after it."""
    later = any(other.task == attempt.task and other.started > attempt.started for other in attempts)
    if later and attempt.run == run.number and attempt.reason == "input_changed":
        return "decided again"
    return attempt.state(run.number, lives=run.lives)


def _attempt_row(run: Run, attempt: Attempted, attempts: Sequence[Attempted]) -> tuple[str, ...]:
    state = _state(run, attempt, attempts)
    took = "" if attempt.seconds is None else duration(attempt.seconds)
    where, waits = standing_text(attempt.standing), state == "queued"
    # One that came to nothing while it was queued was nowhere.
    known = attempt.task, state, took, str(attempt.number), "" if attempt.standing.queued else where
    return (*known, where if waits else _why(run, attempt), attempt.log, used(attempt))


def used(attempt: Attempted) -> str:
    """What an attempt took of its machine, as far as that is known."""
    if not attempt.max_rss:
        return ""
    parts = [f"{size(attempt.max_rss)} of memory", f"{duration(attempt.cpu_seconds or 0)} of CPU"]
    if attempt.max_gpu_memory is not None:
        parts.append(f"{size(attempt.max_gpu_memory)} of GPU memory")
    if attempt.gpu_utilization is not None:
        parts.append(f"GPU {attempt.gpu_utilization:.0%} busy")
    return ", ".join(parts)


def _why(run: Run, attempt: Attempted) -> str:
    if attempt.run != run.number:
        return f"by run {attempt.run}"
    if attempt.begun != run.number:
        return f"taken over from run {attempt.begun}"
    said = attempt.message
    if attempt.reason not in (None, "ok", "cancelled"):
        said = failed(attempt.reason, attempt.exit_status or 0, attempt.message).replace("\n", " ")
    origin = f"from {attempt.resumed_from}" if attempt.resumed_from else ""
    batch = f"in a batch of {attempt.batch}" if attempt.batch > 1 else ""
    return ": ".join(text for text in (origin, batch, said) if text)


def run_json(run: Run, attempts: Sequence[Attempted], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    rows = [_attempt_json(run, each, attempts) for each in attempts]
    rows += [dict.fromkeys(KEYS) | {"task": each.task, "state": each.state, "detail": each.detail} for each in outcomes]
    return _run_json(run) | {"tasks": rows, "used": usage_json(_own(run, attempts))}


def _own(run: Run, attempts: Sequence[Attempted]) -> list[Attempted]:
    """Those whose results it took."""
    return [each for each in attempts if each.run == run.number]


KEYS = (
    *("task", "state", "attempt", "seconds", "max_rss", "cpu_seconds", "executor", "reason", "exit_status", "detail"),
    *("gpu_utilization", "max_gpu_memory", "batch"),
    *("node", "gpus", "log", "resumed_from", "checkpoint", "taken_over_from", "taken_over_by"),
)


def _attempt_json(run: Run, attempt: Attempted, attempts: Sequence[Attempted]) -> dict[str, Any]:
    state = _state(run, attempt, attempts)
    known = {name: getattr(attempt, name, None) for name in KEYS}
    return known | {
        "state": state,
        "attempt": attempt.number,
        "detail": attempt.message,
        "log": attempt.log or None,
        "resumed_from": attempt.resumed_from or None,
        "checkpoint": attempt.checkpoint or None,
        "node": attempt.standing.node or None,
        "gpus": list(attempt.standing.gpus),
        "taken_over_from": attempt.begun if attempt.begun != run.number else None,
        "taken_over_by": attempt.run if attempt.run != run.number else None,
    }
