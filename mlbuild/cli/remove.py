"""`mlbuild remove GOAL…`: remove outputs, and what they held stays in the store; or checkpoints."""

from __future__ import annotations

import shlex
import sys

from mlbuild.app.by_hand import remove
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.errors import UsageError
from mlbuild.ui.words import counted


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Remove the outputs and metrics of goals. What they held stays in the store.")
    parser.add_argument("--all", action="store_true", help="of all targets, instead of goals")
    parser.add_argument("--checkpoints", action="store_true", help="the checkpoints, instead of the outputs")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be removed; remove nothing")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    if bool(goals) == options.all:
        given = "both goals and --all are given" if goals else "no goal is given"
        raise UsageError(given, hint="name goals, as in 'train[*]', or give --all")
    words = shlex.join(["mlbuild", command, *arguments]).encode(errors="replace").decode()
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
