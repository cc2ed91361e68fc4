"""`mlbuild explain GOAL`: why a task would run, or why not."""

from __future__ import annotations

import json

from mlbuild.app.looking import explain
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.ui.explain import explain_json, explain_lines


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Why a task would run (or why not), down to what changed.")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    explanation = explain(workspace, goals)
    if options.json:
        print(json.dumps(explain_json(explanation), indent=2, ensure_ascii=False))
    else:
        for line in explain_lines(explanation):
            print(line)
    return 0
