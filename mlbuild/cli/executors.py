"""`mlbuild executors [NAME…]`: where targets run, what was found there, and what is wrong."""

from __future__ import annotations

import json

from mlbuild.app.executors import executors
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.ui.executors import executors_json, executors_lines


def run(arguments: list[str], command: str) -> int:
    """Returns the exit status: 1 if something is wrong."""
    words = ("NAME or NAME=value", "executors (none: all); overrides")
    parser = Parser(command, "Where targets run: what executors are told, what was found there, what is wrong.", words)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    workspace, names = workspace_and_goals(options, command, chosen=False)
    found = executors(workspace, names)
    if options.json:
        print(json.dumps(executors_json(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(executors_lines(found)))
    return int(any(one.wrong for one in found))
