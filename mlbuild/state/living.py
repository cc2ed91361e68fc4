"""Which builds of a workspace live: each holds the lock of its run for as long as its process does."""

from __future__ import annotations

import fcntl
import os

from mlbuild.state.layout import Layout


class Living:
    """The builds of a workspace, and this one among them.

    Attributes:
        run: this build's number; 0 before `begin`.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock: int | None = None
        self.run = 0

    def begin(self, run: int) -> None:
        """Hold the lock of a run, until `close` or until this process dies."""
        self.run = run
        os.makedirs(os.path.join(self._layout.run(run), "logs"), exist_ok=True)
        self._lock = os.open(self._layout.run_lock(run), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        if self._lock is not None:
            self._layout.drop_empty_run(self.run)
            os.close(self._lock)

    def lives(self, run: int) -> bool:
        """Whether the driver of a run is alive: it holds its lock as long as it is."""
        if run == self.run:
            return True
        try:
            file = os.open(self._layout.run_lock(run), os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False
