"""`mlbuild attach [N]`: the view of a detached build."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from mlbuild import config
from mlbuild.app.history import run as the_run
from mlbuild.app.living import detached, happened, last_words
from mlbuild.app.workspace import open_workspace
from mlbuild.cli.arguments import Parser, find_unread, parse
from mlbuild.cli.screen import is_screen, screen
from mlbuild.engine.events import BuildFinished, TaskFailed
from mlbuild.errors import MlbuildError, StateError, UsageError
from mlbuild.files import Files
from mlbuild.ui.backfill import next_lines
from mlbuild.ui.failures import ByCause, Told, apart
from mlbuild.ui.plain import Plain


def run(arguments: list[str], command: str) -> int:
    """Returns the exit status of the build; 130 if the view was left before it ended."""
    parser = Parser(command, "The view of a detached build, until it ends.", ("N", "the number of a run"))
    options = parse(parser, arguments)
    if len(options.words) > 1 or not all(word.isdecimal() for word in options.words):
        raise UsageError("attach takes the number of one build", hint="`mlbuild runs` lists them")
    path = find_unread(options, command)
    folder = os.path.dirname(path)
    build = detached(folder, int(options.words[0]) if options.words else None)
    told = partial(_by_cause, path) if build.is_backfill else apart
    try:
        finished = _show(folder, build.number, told)
    except KeyboardInterrupt:
        again = f"`mlbuild attach {build.number}` shows it again"
        print(f"left the view; run {build.number} goes on (process {build.pid}), {again}", file=sys.stderr)
        return 130
    if finished is None:
        print(last_words(folder, build.number), end="", file=sys.stderr)
    ended, _, _ = the_run(folder, build.number)
    if ended.exit_status is None:
        again = f"; to go on: {ended.command}" if build.is_backfill else ""
        hint = f"what it still runs goes on, and the next build takes it over{again}"
        raise StateError(f"run {build.number} was killed: its process ended without a word", hint=hint)
    for line in next_lines(ended.command, finished.counts) if finished and build.is_backfill else ():
        print(line)
    return ended.exit_status


def _show(folder: str, number: int, told: Told) -> BuildFinished | None:
    """Returns what it came to; None if it died without a word of that."""
    with ExitStack() as stack:
        live = stack.enter_context(screen(config.read(Files(folder)), told=told)) if is_screen() else None
        plain, event = Plain(sys.stdout, told=told), None
        for at, event in happened(folder, number):
            if live:
                live(event, time.time() - at)
            else:
                plain(event)
        return event if isinstance(event, BuildFinished) else None


def _by_cause(path: str, failures: Sequence[TaskFailed], blocked: Mapping[str, str]) -> list[str]:
    """What failed by its causes, if the Pipelinefile still says what such a task is."""
    try:
        return ByCause(open_workspace(path).graph)(failures, blocked)
    except MlbuildError:
        return apart(failures, blocked)
