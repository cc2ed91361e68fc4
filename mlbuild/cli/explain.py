"""`mlbuild explain GOAL`: why a task would run, or why not."""

from __future__ import annotations

import json

from mlbuild.app import status
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.ui.survey import explain_json, explain_lines


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Why a task would run (or why not), down to what changed.")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    seen = {each.surveyed.task.name: each for each in status(workspace, goals)}
    names = [task.name for task in workspace.wanted(goals)]
    if options.json:
        print(json.dumps(explain_json(names, seen), indent=2, ensure_ascii=False))
    else:
        for line in explain_lines(names, seen):
            print(line)
    return 0
