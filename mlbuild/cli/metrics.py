"""`mlbuild metrics [GOAL…]`: the values of metrics files side by side."""

from __future__ import annotations

import sys

from mlbuild.app.history import metrics
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.ui.metrics import metrics_csv, metrics_json, metrics_table

FORMATS = {"table": metrics_table, "csv": metrics_csv, "json": metrics_json}


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "The values of metrics files side by side: over keys, or against an earlier build.")
    parser.add_argument("--against", type=int, metavar="N", help="beside the values as they were after run N")
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to write them (default: table)")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    measured = metrics(workspace, goals, options.against)
    print(FORMATS[options.format](measured, options.against))
    for path in (path for each in measured for path in each.broken):
        print(f"{path} holds no values that can be read", file=sys.stderr)
    return 0
