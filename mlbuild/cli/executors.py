"""`mlbuild executors [NAME…]`: where targets run, what was found there, and what is wrong."""

from __future__ import annotations

import json
import sys

from mlbuild.app.executors import executors, tried
from mlbuild.cli.arguments import Parser, as_duration, parse, workspace_and_goals
from mlbuild.ui.executors import executors_json, executors_lines

WAIT = 60.0
"""Seconds for a job to begin."""


def run(arguments: list[str], command: str) -> int:
    """Returns the exit status: 1 if something is wrong."""
    words = ("NAME or NAME=value", "executors (none: all); overrides")
    parser = Parser(command, "Where targets run: what executors are told, what was found there, what is wrong.", words)
    parser.add_argument("--test", action="store_true", help="submit a job of a second on each that is on a cluster")
    help = "with --test: how long for a job to begin (1m)"
    parser.add_argument("--wait", type=as_duration, default=WAIT, metavar="TIME", help=help)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    workspace, names = workspace_and_goals(options, command, chosen=False)
    found = executors(workspace, names)
    if options.test:
        found = tried(workspace, found, options.wait, lambda text: print(text, file=sys.stderr))
    if options.json:
        print(json.dumps(executors_json(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(executors_lines(found)))
    return int(any(one.wrong for one in found))
