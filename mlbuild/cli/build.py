"""`mlbuild [build] [GOAL…] [NAME=value…]`: bring goals up to date."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from functools import partial
from socket import socket

from mlbuild.app.building import Options, build, verify_executor, verify_room
from mlbuild.app.looking import status
from mlbuild.app.workspace import Workspace
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.cli.commands import COMMANDS
from mlbuild.cli.detach import run_detached
from mlbuild.cli.driving import add_building_options, as_typed, drive
from mlbuild.engine.survey import unknown_keys
from mlbuild.ui.survey import dry_run_lines, unknown_lines


def run(arguments: list[str], command: str, prepared: socket) -> int:
    """Returns the exit status: 0, 1 if a task failed (or something is stale, with -q), 128 + N after signal N."""
    options = parse(build_parser(), arguments)
    chosen = command == "build" or "--" in arguments
    workspace, goals = workspace_and_goals(options, "", chosen=chosen)
    verify_executor(workspace, options.on)
    if options.question:
        seen = status(workspace, goals, forced=_forced(options, goals, workspace))
        return int(any(each.state not in ("fresh", "absent") for each in seen))
    if options.dry_run:
        seen = status(workspace, goals, forced=_forced(options, goals, workspace))
        verify_room(workspace, [each.surveyed.task for each in seen], options.on)
        for line in (*unknown_lines(unknown_keys(workspace.graph, seen)), *dry_run_lines(seen)):
            print(line)
        return 0
    words = as_typed(*arguments)
    if options.detach:
        return run_detached(lambda left: _build(workspace, goals, options, words, prepared, left))
    return _build(workspace, goals, options, words, prepared)


def build_parser() -> Parser:
    """What `mlbuild` takes that is no subcommand; its help lists these, too."""
    parser = Parser("", "Build goals: targets, tasks such as 'train[boosted]', named outputs, paths.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(("subcommands, each with `mlbuild help SUBCOMMAND`:", *_subcommands()))
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("-n", "--dry-run", action="store_true", help="say what would run and why; run nothing")
    add("-k", "--keep-going", action=switch, default=None, help="go on with what does not depend on a failure")
    add("-B", "--always-make", action="store_true", help="run the goals whether or not they are fresh")
    add("--force", action="append", default=[], metavar="NAME", help="run this one whether or not it is fresh")
    add("-q", "--question", action="store_true", help="no output; exit 1 if something is stale")
    add_building_options(parser)
    return parser


def _subcommands() -> Iterator[str]:
    """Their names and what they do, in lines of a terminal."""
    for name, meaning in COMMANDS.items():
        yield textwrap.fill(meaning, 80, initial_indent=f"  {name:12}", subsequent_indent=" " * 14)


def _forced(options: argparse.Namespace, goals: list[str], workspace: Workspace) -> list[str]:
    always = (goals or list(workspace.pipeline.default)) if options.always_make else []
    return [*always, *options.force]


def _build(
    workspace: Workspace,
    goals: list[str],
    options: argparse.Namespace,
    command: str,
    prepared: socket,
    left: int | None = None,
) -> int:
    """Args: left: for a build that leaves the terminal: where it says so once it has."""
    how = Options(
        options.jobs,
        options.keep_going,
        options.always_make,
        tuple(options.force),
        options.max_active,
        options.on,
        command=command,
    )
    work = partial(build, workspace, goals, how, prepared=prepared)
    return drive(options, workspace, work, left)
