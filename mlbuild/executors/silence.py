"""How long an attempt has shown no sign of life: a growing log, reported progress, outputs or checkpoints that change.

Blind to what a recipe computes and keeps to itself, and to output that waits in a buffer of its own.
"""

from __future__ import annotations

import os
import signal
import time

from mlbuild import digest
from mlbuild.executors.job import Job
from mlbuild.executors.machine import span

PROGRESS = "MLBUILD_PROGRESS"
"""The variable that names the file to which a recipe reports its progress."""
LOOKS, LEAST_PAUSE = 30, 1.0
"""How many looks there are in the time that a job may be silent; the least seconds between two."""
LIGHT_PATHS = 100


class Silence:
    """What is known of an attempt's signs of life.

    The supervisor looks at `log_is_silent` when `due` says so, in `time.monotonic` seconds, and only while that is,
    at `outputs`, which may be many files.

    Args:
        job: with a `stall`.
        now: in `time.monotonic` seconds.
    """

    def __init__(self, job: Job, now: float) -> None:
        self.job = job
        self.helper = 0
        """The pid of the child that looks at files for it, if there is one."""
        self._limit = job.stall or 0.0
        self._pause = max(LEAST_PAUSE, self._limit / LOOKS)
        self._last = now
        self._seconds = 0.0
        self._log = self._logs()
        self._outputs: list[str] = []
        self.due: float | None = now + self._pause

    @property
    def is_too_long(self) -> bool:
        return self._seconds >= self._limit

    def log_is_silent(self, now: float) -> bool:
        """Whether neither log nor progress have changed since the last look.

        A look counts for one pause at most. What is more, nobody was there to see: the machine was suspended, or this
        process held.
        """
        self._seconds += min(now - self._last, self._pause)
        self._last, self.due = now, now + self._pause
        seen = self._logs()
        if seen != self._log:
            self._log, self._seconds = seen, 0.0
        return self._seconds > 0

    def outputs(self) -> list[str]:
        """What is to be seen of the outputs and checkpoints."""
        return [_seen(os.path.join(self.job.workspace, path)) for path in self._paths()]

    def outputs_are_light(self) -> bool:
        """Whether `outputs` takes so little that others can wait for it."""
        paths = self._paths()
        return len(paths) <= LIGHT_PATHS and not any(
            os.path.isdir(os.path.join(self.job.workspace, path)) for path in paths
        )

    def take(self, outputs: list[str]) -> None:
        """Take in what `outputs` said. The first look has nothing to compare with: it counts as a sign of life."""
        if outputs != self._outputs:
            self._outputs, self._seconds = outputs, 0.0

    def words(self, stacks: str) -> str:
        """What there is to say when it was too long, for people; `stacks`: where they are, if anywhere."""
        return f"no sign of life for {span(self._limit)}" + (f"; its stacks are in {stacks}" if stacks else "")

    def close(self) -> None:
        """Look no more."""
        self.due = None
        if self.helper:
            os.kill(self.helper, signal.SIGKILL)

    def _logs(self) -> list[str]:
        paths = (self.job.log, self.job.environment.get(PROGRESS, ""))
        return [_seen(os.path.join(self.job.workspace, path)) for path in paths if path]

    def _paths(self) -> list[str]:
        kept = self.job.checkpoints
        return [*self.job.outputs, *([kept.directory] if kept else [])]


def _seen(path: str) -> str:
    try:
        found = digest.signature(path)
    except FileNotFoundError:  # a file went while its folder was being walked
        return str(time.monotonic())
    except OSError as error:
        return str(error)
    return found[0] if found else ""
