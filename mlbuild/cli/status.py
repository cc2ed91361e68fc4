"""`mlbuild status [GOAL…]`: each target's state."""

from __future__ import annotations

import json

from mlbuild.app.looking import status
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.cli.screen import colored, is_screen
from mlbuild.ui.survey import status_json, status_lines


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Each target's state; of partitions, how many tasks are in each, and on a terminal which.")
    parser.add_argument("--tasks", action="store_true", help="a row a task")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    seen = status(workspace, goals, whole=True)
    if options.json:
        print(json.dumps(status_json(seen), indent=2, ensure_ascii=False))
        return 0
    if is_screen() and not options.tasks:
        from mlbuild.ui.picture import show_status

        show_status(seen, workspace.graph, color=colored(workspace.config))
    else:
        for line in status_lines(seen, tasks=options.tasks):
            print(line)
    return 0
