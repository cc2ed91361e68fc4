"""`mlbuild runs`, `mlbuild runs N`: earlier builds."""

from __future__ import annotations

import json
import os

from mlbuild.app.history import run as the_run
from mlbuild.app.history import runs
from mlbuild.cli.arguments import Parser, find_unread, parse
from mlbuild.errors import UsageError
from mlbuild.ui.runs import run_json, run_lines, runs_json, runs_lines

LIMIT = 20


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Earlier builds, or one of them task by task.", ("N", "the number of a run"))
    help = f"the newest N builds (default: {LIMIT})"
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=help)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    if options.limit < 1:
        parser.error("--limit: at least 1")
    folder = os.path.dirname(find_unread(options, command))
    if options.words:
        one = the_run(folder, _number(options.words))
        document, lines = run_json(*one), run_lines(*one)
    else:
        found = runs(folder, options.limit)
        document, lines = runs_json(found), runs_lines(found) if found else ["nothing was built here"]
    print(json.dumps(document, indent=2, ensure_ascii=False) if options.json else "\n".join(lines))
    return 0


def _number(words: list[str]) -> int:
    if len(words) != 1 or not words[0].isdecimal():
        raise UsageError("runs takes the number of one build", hint="`mlbuild runs` lists them")
    return int(words[0])
