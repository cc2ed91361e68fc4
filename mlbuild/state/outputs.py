"""Outputs as a transaction: what stood in their place is set aside before an attempt, and put back if it fails.

An aside is a sibling on the same file system whose name alone says what it is, so that recovery needs no record of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from mlbuild.digest import ASIDE
from mlbuild.killpoint import reach
from mlbuild.state.layout import Layout
from mlbuild.state.store import remove


class Outputs:
    """What tasks make, on disk. Paths are relative to the workspace; a directory's ends in `/`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def standing(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of `paths` at which something stands, were it a broken link."""
        return tuple(path for path in paths if os.path.lexists(self._full(path)))

    def prepare(self, paths: Iterable[str], attempt: str) -> None:
        """Set aside what stands at `paths`; make the folders around them, and those that are outputs, empty."""
        for path in paths:
            full = self._full(path)
            os.makedirs(os.path.dirname(full) or "/", exist_ok=True)
            if os.path.lexists(full):
                os.rename(full, self._aside(path, attempt))
            if path.endswith("/"):
                os.makedirs(full, exist_ok=True)
            reach("set-aside")

    def publish(self, had: Iterable[str], edited: Iterable[str], attempt: str) -> list[tuple[str, str]]:
        """The attempt's outputs are recorded: drop what they replaced, but for what was edited by hand.

        Returns:
            (path, where its edited version was moved to), relative to the workspace.
        """
        moved = []
        for path in had:
            aside = self._aside(path, attempt)
            if path in edited and os.path.lexists(aside):
                moved.append((path, self._move_to_failed(aside, path, attempt)))
            with suppress(PermissionError):  # a container may have made it as root: it stays, as what no glob sees
                remove(aside)
            reach("aside-dropped")
        return moved

    def roll_back(self, paths: Iterable[str], had: Iterable[str], attempt: str) -> None:
        """Move what the attempt left to `.mlbuild/failed/`, and put back what stood there. May be done again.

        Args:
            had: those of `paths` at which something stood. One of them without an aside was never touched, or is back.
        """
        for path in paths:
            full, aside = self._full(path), self._aside(path, attempt)
            if path in had and not os.path.lexists(aside):
                continue
            self._discard(path, attempt)
            if os.path.lexists(aside):
                reach("discarded")
                os.rename(aside, full)
            reach("put-back")

    def move_away(self, path: str, label: str) -> str:
        """Move an output that was edited by hand out of the way: where to, relative to the workspace."""
        return self._move_to_failed(self._full(path), path, label)

    def lingering(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` at which something stands, or is left of a removal that was cut short."""
        return [path for path in paths if os.path.lexists(self._full(path)) or os.path.lexists(self._gone(path))]

    def holding(self, folder: str, start: str) -> list[str]:
        """The names in a folder that begin so; none if it isn't there."""
        full = self._full(folder)
        return sorted(name for name in os.listdir(full) if name.startswith(start)) if os.path.isdir(full) else []

    def drop(self, path: str, *, follow: bool = False) -> None:
        """Remove an output: whole at once, so that what is left if that is cut short is taken for nothing.

        Args:
            follow: of a folder that lies elsewhere, behind a link, remove what it holds.
        """
        gone = self._gone(path)
        remove(gone)
        if follow and os.path.islink(self._full(path)):
            for name in self.holding(path, ""):
                remove(os.path.join(self._full(path), name))
        elif os.path.lexists(self._full(path)):
            os.rename(self._full(path), gone)
            reach("dropping")
            remove(gone)

    def _gone(self, path: str) -> str:
        return self._aside(path, "gone")

    def _discard(self, path: str, attempt: str) -> None:
        full = self._full(path)
        if path.endswith("/") and os.path.isdir(full) and not os.listdir(full):
            os.rmdir(full)
        elif os.path.lexists(full):
            self._move_to_failed(full, path, attempt)

    def _move_to_failed(self, full: str, path: str, label: str) -> str:
        place = self._layout.fresh_failed(path, label)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        try:
            os.rename(full, place)
        except OSError:
            # Another file system: it stays beside, under a name that globs and manifests pass over.
            place = self._aside(path, f"failed-{label}")
            remove(place)
            os.rename(full, place)
        return os.path.relpath(place, self._layout.workspace)

    def _full(self, path: str) -> str:
        return os.path.join(self._layout.workspace, path).rstrip("/")

    def _aside(self, path: str, attempt: str) -> str:
        folder, name = os.path.split(self._full(path))
        return os.path.join(folder, f".{name}{ASIDE}-{attempt}")
