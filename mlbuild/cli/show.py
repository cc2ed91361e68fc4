"""`mlbuild show PATH`: what made it, from what, and what depends on it."""

from __future__ import annotations

import json

from mlbuild.app.looking import show
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.errors import UsageError
from mlbuild.ui.show import show_json, show_lines


def run(arguments: list[str], command: str) -> int:
    words = ("PATH or GOAL", "a file or directory, a task, a named output; overrides")
    parser = Parser(command, "What made a file, from what, and what depends on it; for your own, what reads it.", words)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    if len(goals) != 1:
        raise UsageError("show takes one path or task", hint="`mlbuild show model.txt`")
    shown = show(workspace, goals[0])
    print(json.dumps(show_json(shown), indent=2, ensure_ascii=False) if options.json else "\n".join(show_lines(shown)))
    return 0
