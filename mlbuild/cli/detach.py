"""`--detach`: the process that drives a build leaves the terminal once the build is under way, and outlives it.

Until then it speaks there itself, so that mistakes are said where they were made. Blind to what the build does.
"""

from __future__ import annotations

import errno
import io
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from mlbuild.engine import events
from mlbuild.errors import StateError
from mlbuild.executors.attempt import words
from mlbuild.killpoint import reach
from mlbuild.state.layout import Layout
from mlbuild.ui.jsonl import JsonLines

KILL_POINTS = ("detach-forked", "detach-recorded", "detach-said", "detached")
"""Where a test may have the driver killed while it leaves, in this order."""

ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM)
NOBODY_READS = (errno.EIO, errno.EPIPE)
"""The terminal is gone, or the pipe's other end: no reason to give up the build."""


def run_detached(drive: Callable[[int], int]) -> int:
    """Have this done by a process of its own, in a session of its own, which passes over HUP.

    Args:
        drive: is given a file, into which it writes a byte when it has left the terminal. Runs in the new process.

    Returns:
        here, 0 once it has left, or its exit status if it ended before; in the new process, what `drive` returns.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, ASKED_TO_STOP)  # whoever is asked to stop knows already whom to tell
    if driver := os.fork():
        os.close(writer)
        return _wait_for(driver, reader)
    os.close(reader)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED_TO_STOP)
    reach("detach-forked")
    return drive(writer)


def _wait_for(driver: int, reader: int) -> int:
    """Until it has left the terminal, or has ended. What asks us to stop asks it."""

    def pass_on(number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(driver, number)

    for number in ASKED_TO_STOP:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED_TO_STOP)
    if os.read(reader, 1):
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1])
    if code < 0 and -code not in ASKED_TO_STOP:
        print(f"error: the process of the build was ended by signal {-code}", file=sys.stderr)
    return code if code >= 0 else 128 - code


class Leaving:
    """Listens to a build: shows it until it is under way, then leaves the terminal and records it.

    A build that has nothing to do never gets under way, and so is all told on the terminal.

    Args:
        shown: what shows events on the terminal.
        left: the file into which a byte is written once the terminal is left.
        quiet: leave without a word.
    """

    def __init__(
        self, layout: Layout, shown: Sequence[Callable[[events.Event], None]], left: int, *, quiet: bool
    ) -> None:
        self._layout = layout
        self._shown = shown
        self._left = left
        self._quiet = quiet
        self._run = 0
        self._held = io.StringIO()
        self._record = JsonLines(self._held)
        self._is_gone = False

    def __call__(self, event: events.Event) -> None:
        if self._is_gone:
            with suppress(OSError):  # a full disk costs the view, not the build
                self._record(event)
            return
        self._record(event)
        if isinstance(event, events.BuildStarted):
            self._run = event.run
        for show in self._shown:
            self._say(partial(show, event))
        if self._run and (task := _set_going(event)):
            self._leave(task)

    def _leave(self, task: str) -> None:
        try:
            errors = self._move()
        except OSError as error:
            raise StateError(f"can't leave the terminal: {words(error)}") from None
        reach("detach-recorded")
        if not self._quiet:
            self._say(partial(self._tell, task))
        reach("detach-said")
        null = os.open(os.devnull, os.O_RDWR)
        for stream, instead in enumerate((null, null, errors)):
            os.dup2(instead, stream)
        self._is_gone = True
        with suppress(BrokenPipeError):  # whoever started it was ended meanwhile
            os.write(self._left, b"\n")
        os.close(self._left)
        reach("detached")

    def _move(self) -> int:
        """What was held, and all that comes, is written down in the run's folder; where errors can be said, too."""
        layout = self._layout
        errors = os.open(layout.driver_log(self._run), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        file = open(layout.events(self._run), "w", encoding="utf-8", errors="backslashreplace")
        file.write(self._held.getvalue())
        file.flush()
        self._record = JsonLines(file)
        return errors

    def _tell(self, task: str) -> None:
        run, name = self._run, shlex.quote(task)
        print(f"run {run} goes on without this terminal (process {os.getpid()})")
        print(f"`mlbuild attach {run}` shows it, `mlbuild log -F {name}` follows a task, `mlbuild cancel` stops it")
        sys.stdout.flush()

    def _say(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if error.errno not in NOBODY_READS:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_going(event: events.Event) -> str | None:
    """The task for which there is something to do, or to wait for, if that is what this event tells."""
    match event:
        case events.TaskReady() | events.TaskStarted() | events.TaskRestored() | events.Said():
            return event.task
        case events.TasksQueued():
            return event.tasks[0]
    return None
