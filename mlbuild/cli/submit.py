"""`mlbuild submit [GOAL…]`: give a cluster all that must run at once, each task behind what it needs, and leave."""

from __future__ import annotations

import json
from functools import partial
from socket import socket

from mlbuild.app.building import Options, build, verify_executor, verify_room, verify_submission
from mlbuild.app.looking import status
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.cli.driving import OnStart, Say, add_telling_options, as_typed, drive
from mlbuild.engine.events import BuildStarted, Event, Submitted, TaskSubmitted
from mlbuild.ui.survey import dry_run_lines


def run(arguments: list[str], command: str, prepared: socket | None = None) -> int:
    """Returns the exit status: 0, 1 if something failed or was not taken, 128 + N after signal N."""
    parser = Parser(command, "Give a cluster all that must run at once, each task behind what it needs, and leave.")
    add = parser.add_argument
    add("-n", "--dry-run", action="store_true", help="say what would run and why; submit nothing")
    add("--on", metavar="EXECUTOR", help="run there whatever the targets say")
    add("--json", action="store_true", help="one JSON document, of what was submitted")
    add_key_option(parser)
    add_telling_options(parser)
    options = parse(parser, arguments)
    workspace, goals = workspace_and_goals(options, command, chosen="--" in arguments)
    verify_executor(workspace, options.on)
    if options.dry_run:
        seen = status(workspace, goals)
        verify_submission(workspace, [each.surveyed for each in seen], options.on)
        verify_room(workspace, [each.surveyed.task for each in seen], options.on)
        for line in dry_run_lines(seen):
            print(line)
        return 0
    how = Options(on=options.on, submit=True, command=as_typed(command, *arguments))
    work = partial(build, workspace, goals, how, prepared=prepared)
    if options.json:
        options.progress = "off"
    heard: list[Event] = []

    def listened(say: Say, on_start: OnStart) -> int:
        def hear(event: Event) -> None:
            say(event)
            heard.append(event)

        return work(hear, on_start)

    exit_status = drive(options, workspace, listened)
    sent = next((event for event in heard if isinstance(event, Submitted)), Submitted(0, 0))
    if options.json:
        print(json.dumps(_document(heard, sent), indent=2, ensure_ascii=False))
    elif sent.jobs and not options.quiet and options.progress != "off":
        print(f"`mlbuild status` shows how they stand, `mlbuild cancel` stops them; `{as_typed(*goals)}` takes them in")
    return exit_status


def _document(heard: list[Event], sent: Submitted) -> dict[str, object]:
    runs = [event.run for event in heard if isinstance(event, BuildStarted)]
    tasks = [
        {"task": event.task, "executor": event.executor, "attempt": event.attempt, "behind": list(event.behind)}
        for event in heard
        if isinstance(event, TaskSubmitted)
    ]
    return {"run": runs[0], "jobs": sent.jobs, "arrays": sent.arrays, "tasks": tasks}
