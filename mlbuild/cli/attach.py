"""`mlbuild attach [N]`: the view of a detached build."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack

from mlbuild import config
from mlbuild.app.history import run as the_run
from mlbuild.app.living import detached, happened, last_words
from mlbuild.cli.arguments import Parser, find_unread, parse
from mlbuild.cli.screen import is_screen, screen
from mlbuild.engine.events import BuildFinished
from mlbuild.errors import StateError, UsageError
from mlbuild.files import Files
from mlbuild.ui.plain import Plain


def run(arguments: list[str], command: str) -> int:
    """Returns the exit status of the build; 130 if the view was left before it ended."""
    parser = Parser(command, "The view of a detached build, until it ends.", ("N", "the number of a run"))
    options = parse(parser, arguments)
    if len(options.words) > 1 or not all(word.isdecimal() for word in options.words):
        raise UsageError("attach takes the number of one build", hint="`mlbuild runs` lists them")
    folder = os.path.dirname(find_unread(options, command))
    build = detached(folder, int(options.words[0]) if options.words else None)
    try:
        is_told = _show(folder, build.number)
    except KeyboardInterrupt:
        again = f"`mlbuild attach {build.number}` shows it again"
        print(f"left the view; run {build.number} goes on (process {build.pid}), {again}", file=sys.stderr)
        return 130
    if not is_told:
        print(last_words(folder, build.number), end="", file=sys.stderr)
    ended, _, _ = the_run(folder, build.number)
    if ended.exit_status is None:
        hint = "what it still runs goes on, and the next build takes it over"
        raise StateError(f"run {build.number} was killed: its process ended without a word", hint=hint)
    return ended.exit_status


def _show(folder: str, number: int) -> bool:
    """Whether it was shown to its end."""
    with ExitStack() as stack:
        live = stack.enter_context(screen(config.read(Files(folder)))) if is_screen() else None
        plain, event = Plain(sys.stdout), None
        for at, event in happened(folder, number):
            if live:
                live(event, time.time() - at)
            else:
                plain(event)
        return isinstance(event, BuildFinished)
