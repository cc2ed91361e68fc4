"""`mlbuild backfill GOAL --from K --to K`: the tasks of a range that are missing, stale or failed."""

from __future__ import annotations

import argparse
import json
from functools import partial
from socket import socket

from mlbuild.app.backfilling import backfill, between, plan_backfill
from mlbuild.app.building import Options, verify_executor
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.cli.detach import run_detached
from mlbuild.cli.driving import OnStart, Say, add_building_options, as_typed, drive, positive
from mlbuild.engine.backfill import MODES, Choice
from mlbuild.engine.events import BuildFinished, Event
from mlbuild.errors import UsageError
from mlbuild.ui.backfill import chosen_text, next_lines, plan_json, plan_lines
from mlbuild.ui.failures import ByCause
from mlbuild.ui.words import counted


def run(arguments: list[str], command: str, prepared: socket | None = None) -> int:
    """Returns the exit status: 0, 1 if a task failed, 128 + N after signal N."""
    options = parse(_parser(command), arguments)
    if options.json and not options.dry_run:
        raise UsageError(
            "--json is for what would be done", hint="with -n; `--events PATH` writes what happens, as JSON"
        )
    workspace, goals = workspace_and_goals(options, command, chosen="--" in arguments)
    verify_executor(workspace, options.on)
    workspace = between(workspace, goals, options.first, options.last)
    choice = Choice(options.mode, options.with_upstream, options.with_downstream, options.newest_first, options.canary)
    plan = plan_backfill(workspace, goals, choice)
    typed = as_typed(command, *arguments)
    if options.json:
        print(json.dumps(plan_json(plan), indent=2, ensure_ascii=False))
        return 0
    if options.dry_run or plan.is_empty:
        if not options.quiet:
            print("\n".join(plan_lines(plan)))
        return 0
    talks = not options.quiet and options.progress != "off"
    if talks:
        if plan.since is not None:
            print(f"goes on with run {plan.since}; done of it: {counted(len(plan.done), 'task')}")
        print(f"{chosen_text(plan)}; if it is interrupted, the same command goes on")
    how = Options(
        options.jobs,
        keep_going=True,
        max_active=options.max_active,
        on=options.on,
        max_failures=options.max_failures,
        command=typed,
    )
    work = partial(backfill, workspace, plan, how, prepared=prepared)
    if options.detach:
        return run_detached(lambda left: drive(options, workspace, work, left, ByCause(workspace.graph)))
    ended: list[BuildFinished] = []

    def listened(say: Say, on_start: OnStart) -> int:
        def hear(event: Event) -> None:
            say(event)
            if isinstance(event, BuildFinished):
                ended.append(event)

        return work(hear, on_start)

    status = drive(options, workspace, listened, told=ByCause(workspace.graph))
    if talks:
        for line in next_lines(typed, ended[0].counts if ended else {}):
            print(line)
    return status


def _parser(command: str) -> Parser:
    parser = Parser(command, "The tasks of a range of keys that are missing, stale or failed, one after another.")
    add = parser.add_argument
    add("--from", dest="first", metavar="KEY", help="the first key (default: that of the partition)")
    add("--to", dest="last", metavar="KEY", help="the last key (default: that of the partition)")
    modes = f"which tasks: {', '.join(MODES)}, with commas between them (default: these), or all, fresh ones too"
    add("--mode", type=_modes, default=MODES, metavar="MODE", help=modes)
    add("--newest-first", action="store_true", help="the last key first (default: the first)")
    canary = "make the first N before all others, and these only if they succeed and their checks hold"
    add("--canary", type=positive, default=0, metavar="N", help=canary)
    add("--max-failures", type=positive, metavar="N", help="start no more once N tasks have failed")
    upstream = "choose among what they need, too (what is needed is made anyway)"
    add("--with-upstream", action="store_true", help=upstream)
    add("--with-downstream", action="store_true", help="make what needs them, too")
    add("-n", "--dry-run", action="store_true", help="say how many there are of each kind, and what it costs")
    add("--json", action="store_true", help="with -n: one JSON document")
    add_building_options(parser)
    return parser


def _modes(text: str) -> tuple[str, ...]:
    found = tuple(word.strip() for word in text.split(","))
    for word in found:
        if word not in (*MODES, "all"):
            raise argparse.ArgumentTypeError(f"there is no mode {word}; there are {', '.join(MODES)} and all")
    return found
