"""`mlbuild [build] [GOAL…] [NAME=value…]`: bring goals up to date."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from socket import socket
from types import FrameType
from typing import TextIO

from mlbuild.app.building import Options, build, verify_executor
from mlbuild.app.looking import status
from mlbuild.app.workspace import Workspace
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.cli.commands import COMMANDS
from mlbuild.cli.detach import Leaving, run_detached
from mlbuild.cli.screen import is_screen, screen
from mlbuild.engine.events import Event
from mlbuild.errors import UsageError
from mlbuild.ui.jsonl import JsonLines
from mlbuild.ui.plain import Plain
from mlbuild.ui.survey import dry_run_lines

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        for line in dry_run_lines(status(workspace, goals, forced=_forced(options, goals, workspace))):
            print(line)
        return 0
    words = shlex.join(["mlbuild", *arguments]).encode(errors="replace").decode()  # a path may be no UTF-8
    if options.detach:
        return run_detached(lambda left: _build(workspace, goals, options, words, prepared, left))
    return _build(workspace, goals, options, words, prepared)


def build_parser() -> Parser:
    """What `mlbuild` takes that is no subcommand; its help lists these, too."""
    parser = Parser("", "Build goals: targets, tasks such as 'train[boosted]', named outputs, paths.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(("subcommands, each with `mlbuild help SUBCOMMAND`:", *_subcommands()))
    add = parser.add_argument
    add("-n", "--dry-run", action="store_true", help="say what would run and why; run nothing")
    add("-j", "--jobs", type=_positive, metavar="N", help="at most N tasks at once (default: the CPUs there are)")
    switch = argparse.BooleanOptionalAction
    add("-k", "--keep-going", action=switch, default=None, help="go on with what does not depend on a failure")
    add("-B", "--always-make", action="store_true", help="run the goals whether or not they are fresh")
    add("--force", action="append", default=[], metavar="NAME", help="run this one whether or not it is fresh")
    add("-q", "--question", action="store_true", help="no output; exit 1 if something is stale")
    add_key_option(parser)
    most = "at most N tasks of a partitioned target at once"
    add("--max-active", type=_positive, metavar="N", help=most)
    add("--on", metavar="EXECUTOR", help="run there whatever the targets say")
    add("--detach", action="store_true", help="go on without this terminal; `mlbuild attach` shows it again")
    add("--events", metavar="PATH", help="write every event there, as a line of JSON")
    add("-v", "--verbose", action="store_true", help="say also why each task runs")
    add("--quiet", action="store_true", help="say only what failed")
    add("--color", action=switch, default=None, help="colours (NO_COLOR is respected, too)")
    add("--progress", choices=("auto", "plain", "off"), default="auto", help="how to show what happens")
    return parser


def _subcommands() -> Iterator[str]:
    """Their names and what they do, in lines of a terminal."""
    for name, meaning in COMMANDS.items():
        yield textwrap.fill(meaning, 80, initial_indent=f"  {name:12}", subsequent_indent=" " * 14)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of tasks")
    return number


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
        command,
    )
    caught: list[int] = []
    screens = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()]

    def catch(interrupt: Callable[[], None]) -> None:
        def handler(number: int, frame: FrameType | None) -> None:
            caught.append(number)
            if number == signal.SIGHUP:
                for screen in screens:  # is gone: to write there would be an error
                    os.dup2(os.open(os.devnull, os.O_WRONLY), screen)
            interrupt()

        for number in STOPPING:
            # Who started us with a signal ignored (nohup) wants it so.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, handler)

    with ExitStack() as stack:
        listeners = _listeners(options, workspace, stack, left)

        def say(event: Event) -> None:
            for listener in listeners:
                listener(event)

        exit_status = build(workspace, goals, how, say, catch, prepared)
    return 128 + caught[0] if caught else exit_status


def _listeners(
    options: argparse.Namespace, workspace: Workspace, stack: ExitStack, left: int | None
) -> list[Callable[[Event], None]]:
    listeners: list[Callable[[Event], None]] = []
    if options.events:
        listeners.append(JsonLines(stack.enter_context(_open_events(options.events))))
    shown: list[Callable[[Event], None]] = []
    if options.progress == "auto" and not options.quiet and left is None and is_screen():
        shown.append(stack.enter_context(screen(workspace.config, color=options.color, verbose=options.verbose)))
    elif options.progress != "off":
        shown.append(Plain(sys.stdout, verbose=options.verbose, quiet=options.quiet))
    if left is not None:
        shown = [Leaving(workspace.layout, shown, left, quiet=options.quiet)]
    return [*listeners, *shown]


def _open_events(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", errors="backslashreplace")  # so JSON writes such a byte, too
    except OSError as error:
        raise UsageError(f"--events {path}: {error.strerror}") from None
