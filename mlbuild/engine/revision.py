"""Which git commit a build starts from, and whether the files differ from it. Blind to files that git does not track.

Git itself is asked, beside the first recipe: a build that runs nothing asks nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryFile

PATIENCE = 2.0
"""Seconds that a build whose recipes are through waits for git at most."""
POLL = 0.002
QUESTION = """git -C "$0" rev-parse --verify -q HEAD || echo
exec git -C "$0" status --porcelain -z --untracked-files=no --no-renames"""


class Revision:
    """Asks git once.

    Args:
        workspace: absolute.
        tmp: a folder for what git says.
        is_made: whether a task makes a path (relative to the workspace): that it differs does not count.
    """

    def __init__(self, workspace: str, tmp: str, is_made: Callable[[str], bool]) -> None:
        self._workspace = os.path.realpath(workspace)
        self._top = _top(self._workspace)
        self._tmp = tmp
        self._is_made = is_made
        self._process: int | None = None
        self._status: int | None = None
        self._asked = False

    def ask(self) -> None:
        """Once; a second time nothing happens."""
        if self._asked or self._top is None:
            return
        self._asked = True
        self._said = TemporaryFile(dir=self._tmp)
        null = os.open(os.devnull, os.O_RDWR)
        files = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 2)]
        files.append((os.POSIX_SPAWN_DUP2, self._said.fileno(), 1))
        # It must not lock the index for a commit that the user makes meanwhile, nor hear of a Ctrl-C.
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        words = ["sh", "-c", QUESTION, self._top]
        try:
            self._process = os.posix_spawnp("sh", words, environment, file_actions=files, setpgroup=0)
        finally:
            os.close(null)

    def answer(self, patience: float = 0.0) -> tuple[str, bool | None] | None:
        """(commit, whether files differ from it), once; None until it is known, and ever after.

        Args:
            patience: seconds to wait for it; then at least the commit is told.
        """
        until = time.monotonic() + patience
        while not self._has_ended():
            if time.monotonic() >= until:
                if not patience:
                    return None
                break
            time.sleep(POLL)
        if self._process is None:
            return None
        self._said.seek(0)
        commit, _, rows = self._said.read().partition(b"\n")
        self.close()
        if not commit:
            return None
        return commit.decode(), self._is_dirty(rows) if self._status == 0 else None

    def _has_ended(self) -> bool:
        if self._process is not None and self._status is None:
            process, status = os.waitpid(self._process, os.WNOHANG)
            self._status = status if process else None
            return process != 0
        return True

    def _is_dirty(self, rows: bytes) -> bool:
        paths = (os.path.join(self._top or "", os.fsdecode(row[3:])) for row in rows.split(b"\0") if row)
        return not all(self._is_made(os.path.relpath(path, self._workspace)) for path in paths)

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._process is None:
            return
        if self._status is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        self._process = None
        self._said.close()


def _top(folder: str) -> str | None:
    """The nearest folder above, or this one, that holds a `.git`."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        if os.path.dirname(folder) == folder:
            return None
        folder = os.path.dirname(folder)
    return folder
