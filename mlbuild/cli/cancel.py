"""`mlbuild cancel [GOAL…]`: stop what runs, whole builds or tasks of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from mlbuild.app.cancelling import Cancelled, Stopped, cancel
from mlbuild.cli.arguments import Parser, add_key_option, find_unread, parse, workspace_and_goals
from mlbuild.state.runs import Run
from mlbuild.ui.words import and_more, duration, when


def run(arguments: list[str], command: str) -> int:
    """Returns 0: nothing of it runs any more, whether or not anything did."""
    parser = Parser(command, "Stop the builds that go on here; with goals, only these tasks.")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be stopped; stop nothing")
    parser.add_argument("--now", action="store_true", help="at once, without signal and grace")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_key_option(parser)
    options = parse(parser, arguments)
    folder, names = "", None
    if options.words or options.key:
        workspace, goals = workspace_and_goals(options, command, chosen=False)
        folder, names = workspace.files.root, [task.name for task in workspace.wanted(goals)]
    else:
        folder = os.path.dirname(find_unread(options, command))
    found = cancel(folder, names, _say_for_whom, now=options.now, dry_run=options.dry_run)
    if options.json:
        document = {"dry_run": options.dry_run, "builds": [_row(each) for each in found]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    for each in found:
        print("\n".join(_lines(each, options.dry_run)))
    if not found:
        print("no build goes on here" if names is None else "no build that goes on has anything of that to do")
    return 0


def _say_for_whom(run: Run) -> None:
    print(f"waits for run {run.number} (process {run.pid}) to answer", file=sys.stderr)


def _row(each: Cancelled) -> dict[str, Any]:
    return {
        "run": each.run.number,
        "pid": each.run.pid,
        "lives": each.run.lives,
        "whole": each.whole,
        "tasks": [_task_row(stopped) for stopped in each.tasks],
        "waiting": list(each.behind),
    }


def _task_row(stopped: Stopped) -> dict[str, Any]:
    return {
        "task": stopped.task,
        "state": "waiting" if stopped.attempt is None else "queued" if stopped.queued else "running",
        "attempt": stopped.attempt,
        "started": stopped.started,
        "ended": stopped.ended,
        "reason": stopped.reason,
        "checkpoint": stopped.checkpoint or None,
    }


def _lines(each: Cancelled, dry: bool) -> Iterator[str]:
    number, pid = each.run.number, each.run.pid
    if not each.run.lives:
        submitted = each.run.counts.get("submitted")
        yield f"run {number} {'had submitted' if submitted else 'died, and what it had started went on'}"
    elif each.whole:
        yield f"run {number} (process {pid}) {'would be' if dry else 'was'} interrupted"
    else:
        yield f"run {number} (process {pid}) {'would go' if dry else 'goes'} on without"
    for stopped in each.tasks:
        yield f"    {stopped.task} {_how(stopped, dry)}"
    if each.behind and each.whole:
        yield f"    {and_more(each.behind)} {'would not start' if dry else 'did not start'}"
    elif each.behind:
        many = len(each.behind) > 1
        blocked = f"wait{'' if many else 's'} for that" if dry else f"{'are' if many else 'is'} blocked by that"
        yield f"    {and_more(each.behind)} {blocked}"


def _how(stopped: Stopped, dry: bool) -> str:
    """How a task stands, or how it was stopped, behind its name."""
    if stopped.attempt is None:
        return "has not started" if dry else "will not start"
    began = stopped.started or 0.0
    if dry:
        return f"{'is queued' if stopped.queued else 'runs'} since {when(began)} ({duration(time.time() - began)})"
    took = duration((stopped.ended or began) - began)
    if stopped.reason == "ok":
        return f"was done before it could be stopped, after {took}"
    how = (
        ("was taken out of its queue" if stopped.queued else "was stopped")
        if stopped.reason == "cancelled"
        else f"ended by itself ({(stopped.reason or '').replace('_', ' ')})"
    )
    return f"{how} after {took}" + (f"; it can go on from {stopped.checkpoint}" if stopped.checkpoint else "")
