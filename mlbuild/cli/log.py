"""`mlbuild log GOAL`: what a task's last attempt printed."""

from __future__ import annotations

import shutil
import sys

from mlbuild.app.following import follow
from mlbuild.app.history import last_attempt, the_task
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.errors import UsageError
from mlbuild.ui.runs import used


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "What a task's last attempt printed.")
    parser.add_argument("--attempt", type=int, metavar="N", help="the attempt of this number instead of the last")
    help = "follow it as it grows, through all attempts, until the task is over"
    parser.add_argument("-F", "--follow", action="store_true", help=help)
    options = parse(parser, arguments)
    if options.follow and options.attempt is not None:
        raise UsageError("--attempt shows one attempt, and -F follows them all", hint="give one of the two")
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    if len(goals) != 1:
        raise UsageError("log takes one goal", hint="`mlbuild log train`")
    if options.follow:
        for chunk in follow(workspace.files.root, the_task(workspace, goals[0]), _say):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        return 0
    task, attempt = last_attempt(workspace, goals[0], options.attempt)
    if attempt is None:
        which = "never ran here" if options.attempt is None else f"has no attempt {options.attempt}"
        raise UsageError(f"{task} {which}")
    try:
        file = open(workspace.files.full(attempt.log), "rb")
    except FileNotFoundError:
        which = f"(attempt {attempt.number}, run {attempt.run})"
        began = attempt.reason != "not_started"
        print(f"{task} {'printed nothing' if began else 'did not start'} {which}", file=sys.stderr)
        if not began:
            print(attempt.message, file=sys.stderr)
    else:
        with file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    if took := used(attempt):
        sys.stdout.flush()
        print(f"{task}: {took}", file=sys.stderr)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
