"""`mlbuild accept GOAL --because WHY`: take outputs that are in place for the result of the present code and values."""

from __future__ import annotations

import shlex

from mlbuild.app.by_hand import accept
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.ui.survey import accepted_lines


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Take outputs that are in place for the result of the present code and values.")
    parser.add_argument("--because", required=True, metavar="WHY", help="is recorded, with who and when")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be accepted; record nothing")
    add_key_option(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    words = shlex.join(["mlbuild", command, *arguments]).encode(errors="replace").decode()
    done = accept(workspace, goals, options.because, command=words, dry_run=options.dry_run)
    tasks = [(each.task, each.reasons) for each in done.tasks]
    for line in accepted_lines(tasks, done.stale, done.run):
        print(line)
    return 0
