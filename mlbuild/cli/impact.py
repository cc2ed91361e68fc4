"""`mlbuild impact [GOAL…]`: what the edits in the working tree would make run, and what that costs."""

from __future__ import annotations

import argparse
import json

from mlbuild.app.looking import impact
from mlbuild.cli.arguments import Parser, add_key_option, as_duration, parse, workspace_and_goals
from mlbuild.ui.impact import impact_json, impact_lines, over_lines


def run(arguments: list[str], command: str) -> int:
    """Returns the exit status: 1 above the budget."""
    parser = Parser(command, "What the edits in the working tree would make run, and what that costs.")
    parser.add_argument("--since", metavar="REV", help="compare with this revision of git, not with what was built")
    parser.add_argument(
        "--budget", type=as_duration, metavar="TIME", help="exit 1 if it is more work than this: 4h, 90m"
    )
    parser.add_argument("--gpu-hours", type=_number, metavar="N", help="exit 1 if it is more GPU-hours than this")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    found = impact(workspace, goals, since=options.since)
    over = over_lines(found, options.budget, options.gpu_hours)
    if options.json:
        print(json.dumps(impact_json(found, since=options.since, over=bool(over)), indent=2, ensure_ascii=False))
    else:
        for line in (*impact_lines(found), *over):
            print(line)
    return int(bool(over))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of hours")
    return number
