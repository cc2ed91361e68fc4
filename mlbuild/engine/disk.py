"""What the graph asks of the workspace: its files, and what was made in it. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from mlbuild.files import Files
from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout


class Disk:
    """The workspace as the graph sees it."""

    def __init__(self, files: Files, layout: Layout) -> None:
        self._files = files
        self._layout = layout

    def exists(self, path: str) -> bool:
        return self._files.exists(path)

    def is_directory(self, path: str) -> bool:
        return self._files.is_directory(path)

    def read(self, path: str) -> bytes:
        return self._files.read(path)

    def glob(self, pattern: str) -> list[str]:
        return self._files.glob(pattern)

    def walk(self, path: str) -> Iterator[str]:
        return self._files.walk(path)

    def copy_of(self, url: str) -> str:
        """Where a copy of what lies elsewhere is put, relative to the workspace."""
        return self._layout.copy_of(url)

    def was_made(self, path: str) -> bool:
        """Whether a task, of now or of earlier, made what is there."""
        parts = path.split("/")
        folders = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return path in self._made or any(folder in self._made for folder in folders)

    def look_again(self) -> None:
        self.__dict__.pop("_made", None)

    @cached_property
    def _made(self) -> dict[str, str]:
        if not self._layout.exists():
            return {}
        journal = Journal(self._layout)
        try:
            return journal.made_paths()
        finally:
            journal.close()
