"""What commands that build share: their options, signals that interrupt, and who is told of what happens."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import TextIO

from mlbuild.app.workspace import Workspace
from mlbuild.cli.arguments import Parser, add_key_option
from mlbuild.cli.detach import Leaving
from mlbuild.cli.screen import is_screen, screen
from mlbuild.engine.events import Event
from mlbuild.errors import UsageError
from mlbuild.ui.failures import Told, apart
from mlbuild.ui.jsonl import JsonLines
from mlbuild.ui.plain import Plain

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[Event], None]
OnStart = Callable[[Callable[[], None]], None]


def add_building_options(parser: Parser) -> None:
    """How to build, whatever it is."""
    add = parser.add_argument
    add("-j", "--jobs", type=positive, metavar="N", help="at most N tasks at once (default: the CPUs there are)")
    add_key_option(parser)
    add("--max-active", type=positive, metavar="N", help="at most N tasks of a partitioned target at once")
    add("--on", metavar="EXECUTOR", help="run there whatever the targets say")
    add("--detach", action="store_true", help="go on without this terminal; `mlbuild attach` shows it again")
    add_telling_options(parser)


def add_telling_options(parser: Parser) -> None:
    """Who is told of what happens, and how."""
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("--events", metavar="PATH", help="write every event there, as a line of JSON")
    add("-v", "--verbose", action="store_true", help="say also why each task runs")
    add("--quiet", action="store_true", help="say only what failed")
    add("--color", action=switch, default=None, help="colours (NO_COLOR is respected, too)")
    add("--progress", choices=("auto", "plain", "off"), default="auto", help="how to show what happens")


def positive(text: str) -> int:
    """For argparse: a number of tasks, from 1 on."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of tasks")
    return number


def as_typed(*words: str) -> str:
    """A command line of mlbuild, to be read and to be typed again."""
    return shlex.join(["mlbuild", *words]).encode(errors="replace").decode()  # a path may be no UTF-8


def drive(
    options: argparse.Namespace,
    workspace: Workspace,
    work: Callable[[Say, OnStart], int],
    left: int | None = None,
    told: Told = apart,
) -> int:
    """Have something built, told to whom it concerns, and interrupted by signals.

    Args:
        work: builds, and returns the exit status.
        left: for a build that leaves the terminal: where it says so once it has.
        told: how failures are told at the end.

    Returns:
        the exit status: 128 + N after signal N.
    """
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
        listeners = _listeners(options, workspace, stack, left, told)

        def say(event: Event) -> None:
            for listener in listeners:
                listener(event)

        exit_status = work(say, catch)
    return 128 + caught[0] if caught else exit_status


def _listeners(
    options: argparse.Namespace, workspace: Workspace, stack: ExitStack, left: int | None, told: Told
) -> list[Callable[[Event], None]]:
    listeners: list[Callable[[Event], None]] = []
    if options.events:
        listeners.append(JsonLines(stack.enter_context(_open_events(options.events))))
    shown: list[Callable[[Event], None]] = []
    if options.progress == "auto" and not options.quiet and left is None and is_screen():
        shown.append(
            stack.enter_context(screen(workspace.config, color=options.color, verbose=options.verbose, told=told))
        )
    elif options.progress != "off":
        shown.append(Plain(sys.stdout, verbose=options.verbose, quiet=options.quiet, told=told))
    if left is not None:
        shown = [Leaving(workspace.layout, shown, left, quiet=options.quiet)]
    return [*listeners, *shown]


def _open_events(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", errors="backslashreplace")  # so JSON writes such a byte, too
    except OSError as error:
        raise UsageError(f"--events {path}: {error.strerror}") from None
