"""`mlbuild status [GOAL…]`: each target's state."""

from __future__ import annotations

import json

from mlbuild.app.looking import gone, status
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.cli.screen import colored, is_screen
from mlbuild.engine.survey import unknown_keys
from mlbuild.ui.survey import standing_lines, status_json, status_lines, unknown_lines, vanished_lines


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Each target's state; of partitions, how many tasks are in each, and on a terminal which.")
    parser.add_argument("--tasks", action="store_true", help="a row a task")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    seen = status(workspace, goals, whole=True)
    unknown = unknown_keys(workspace.graph, seen)
    vanished = [] if goals else gone(workspace, seen)
    if options.json:
        print(json.dumps(status_json(seen, unknown, vanished), indent=2, ensure_ascii=False))
        return 0
    standing = () if options.tasks else standing_lines(seen)
    rest = (*standing, *unknown_lines(unknown), *vanished_lines(vanished))
    if is_screen() and not options.tasks:
        from mlbuild.ui.picture import show_status

        show_status(seen, workspace.graph, color=colored(workspace.config))
    else:
        rest = (*status_lines(seen, tasks=options.tasks), *rest)
    for line in rest:
        print(line)
    return 0
