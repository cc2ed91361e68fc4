"""`mlbuild remove GOAL…`: remove outputs, and what they held stays in the store; or checkpoints."""

from __future__ import annotations

import shlex
import sys

from mlbuild.app.by_hand import Removed, remove, remove_vanished
from mlbuild.app.looking import gone, status
from mlbuild.app.workspace import Workspace
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.cli.driving import as_typed
from mlbuild.engine.survey import unknown_keys
from mlbuild.errors import UsageError
from mlbuild.ui.survey import unknown_lines
from mlbuild.ui.words import counted


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Remove the outputs and metrics of goals. What they held stays in the store.")
    parser.add_argument("--all", action="store_true", help="of all targets, instead of goals")
    vanished = "what tasks made that are no more: a key or a target is gone"
    parser.add_argument("--vanished", action="store_true", help=vanished)
    parser.add_argument("--checkpoints", action="store_true", help="the checkpoints, instead of the outputs")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be removed; remove nothing")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    given = [
        word
        for word, is_given in (("goals", goals), ("--all", options.all), ("--vanished", options.vanished))
        if is_given
    ]
    if len(given) != 1:
        message = f"both {given[0]} and {given[1]} are given" if given else "no goal is given"
        raise UsageError(message, hint="name goals, as in 'train[*]', or give --all, or --vanished")
    if options.vanished and options.checkpoints:
        raise UsageError(
            "--vanished is of outputs alone", hint="checkpoints are removed by their target: remove GOAL --checkpoints"
        )
    words = as_typed(command, *arguments)
    if options.vanished:
        done = _vanished(workspace, words, dry_run=options.dry_run)
    else:
        goals = list(workspace.pipeline.targets) if options.all else goals
        done = remove(workspace, goals, checkpoints=options.checkpoints, command=words, dry_run=options.dry_run)
    would = "would be " if options.dry_run else ""
    for path in done.foreign:
        print(f"{path} stays: mlbuild did not make it", file=sys.stderr)
    why = "is not of mlbuild" if options.checkpoints else "was edited by hand"
    for path, place in done.edited:
        print(f"{path} {why}: {would}moved to {place or '.mlbuild/failed'}")
    for path in done.removed:
        lost = " (not in the store: its task will have to run again)"
        print(f"{would}removed {path}{'' if options.checkpoints or path in done.stored else lost}")
    outputs = counted(len(done.removed) + len(done.edited), "output")
    what = f"checkpoints of {counted(len(done.removed), 'task')}" if options.checkpoints else outputs
    print(f"{what} {would}removed")
    return 0


def _vanished(workspace: Workspace, command: str, *, dry_run: bool) -> Removed:
    seen = status(workspace, (), whole=True)
    for line in unknown_lines(unknown_keys(workspace.graph, seen)):
        print(f"{line}; what they made stays", file=sys.stderr)
    left = gone(workspace, seen)
    for path, reader in (item for one in left for item in one.read.items()):
        print(f"{path} stays: {reader} reads it", file=sys.stderr)
    for path in (path for one in left for path in one.edited):
        rm = shlex.join(["rm", *(["-r"] if path.endswith("/") else []), path])
        print(f"{path} was edited since mlbuild made it: it stays\n  hint: `{rm}` removes it", file=sys.stderr)
    return remove_vanished(workspace, left, command=command, dry_run=dry_run)
