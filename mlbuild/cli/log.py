"""`mlbuild log GOAL`: what a task's last attempt printed."""

from __future__ import annotations

import shutil
import sys

from mlbuild.app.history import last_attempt
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.errors import UsageError


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "What a task's last attempt printed.")
    parser.add_argument("--attempt", type=int, metavar="N", help="the attempt of this number instead of the last")
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    if len(goals) != 1:
        raise UsageError("log takes one goal", hint="`mlbuild log train`")
    task, attempt = last_attempt(workspace, goals[0], options.attempt)
    if attempt is None:
        which = "never ran here" if options.attempt is None else f"has no attempt {options.attempt}"
        raise UsageError(f"{task} {which}")
    try:
        file = open(workspace.files.full(attempt.log), "rb")
    except FileNotFoundError:
        print(f"{task} printed nothing (attempt {attempt.number}, build {attempt.run})", file=sys.stderr)
        return 0
    with file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    return 0
