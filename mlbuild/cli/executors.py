"""`mlbuild executors [NAME…]`: where targets run, what was found there, and what is wrong."""

from __future__ import annotations

import json
import signal
import sys
from types import FrameType
from typing import NoReturn

from mlbuild.app.executors import executors, tried
from mlbuild.cli.arguments import Parser, as_duration, parse, workspace_and_goals
from mlbuild.errors import UsageError
from mlbuild.ui.executors import executors_json, executors_lines

WAIT = 60.0
"""Seconds for a job to begin."""


def run(arguments: list[str], command: str) -> int:
    """Returns the exit status: 1 if something is wrong."""
    words = ("NAME or NAME=value", "executors (none: all); overrides")
    parser = Parser(command, "Where targets run: what executors are told, what was found there, what is wrong.", words)
    parser.add_argument("--test", action="store_true", help="submit a job of a second on each that is on a cluster")
    help = "with --test: how long for a job to begin (1m)"
    parser.add_argument("--wait", type=as_duration, metavar="TIME", help=help)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    if options.wait is not None and not options.test:
        raise UsageError("--wait says how long --test waits", hint="mlbuild executors --test --wait 1h")
    workspace, names = workspace_and_goals(options, command, chosen=False)
    found = executors(workspace, names)
    if options.test:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        found = tried(workspace, found, options.wait or WAIT, lambda text: print(text, file=sys.stderr))
    if options.json:
        print(json.dumps(executors_json(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(executors_lines(found)))
    return int(any(one.wrong for one in found))


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """End by a signal, but not before what was submitted is withdrawn."""
    raise SystemExit(128 + number)
