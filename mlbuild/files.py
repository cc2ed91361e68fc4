"""The seam to the disk: stat, list, read, rename. Knows nothing of targets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlbuild.digest import is_strewn


class Files:
    """The files of a workspace. Paths are relative to its folder, or absolute.

    Args:
        root: the workspace's folder, absolute.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)

    def full(self, path: str) -> str:
        """The absolute path on disk."""
        return os.path.join(self.root, path)

    def stat(self, path: str) -> os.stat_result | None:
        """What stands at `path` (links followed), or None if nothing does."""
        try:
            return os.stat(self.full(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: str) -> bool:
        return self.stat(path) is not None

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(self.full(path))

    def read(self, path: str) -> bytes:
        """All bytes of a file. Raises OSError as the system does."""
        return Path(self.full(path)).read_bytes()

    def replace(self, path: str, data: bytes) -> None:
        """Put other bytes into a file (links followed), whole or not at all. Raises OSError as the system does."""
        full = os.path.realpath(self.full(path))
        fresh = f"{full}.{os.getpid()}.new"
        try:
            with open(fresh, "xb") as file:
                file.write(data)
            os.chmod(fresh, os.stat(full).st_mode & 0o7777)
            os.rename(fresh, full)
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            raise

    def glob(self, pattern: str) -> list[str]:
        """The paths that match, sorted; `**` goes down any number of folders, hidden names need a dot of their own."""
        import glob

        return sorted(glob.glob(pattern, root_dir=self.root, recursive=True))

    def walk(self, path: str) -> Iterator[str]:
        """Every file below a directory, relative to it, in a fixed order; without what editors and systems strew."""
        base = self.full(path)
        for folder, folders, names in os.walk(base):
            folders[:] = sorted(name for name in folders if not is_strewn(name))
            prefix = os.path.relpath(folder, base)
            for name in sorted(name for name in names if not is_strewn(name)):
                yield name if prefix == "." else f"{prefix}/{name}"
