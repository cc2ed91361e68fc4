"""The workspace as it was in a revision of git. Blind to what git does not track, and to submodules: that is as it is.

Only files that differ are laid out, in a folder of their own; the repository is only read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from re import compile as compile_pattern

from mlbuild.digest import digest_path
from mlbuild.errors import UsageError
from mlbuild.files import Files, as_regex
from mlbuild.state.stats import Stats


class EarlierFiles(Files):
    """The files of a workspace in an earlier state.

    Args:
        root: the workspace.
        changed: the absolute paths of the files that differ.
        top: of the repository.
        folder: where those that were there before are laid out, as in `top`.
    """

    def __init__(self, root: str, changed: set[str], top: str, folder: str) -> None:
        super().__init__(root)
        self._changed = changed
        self._top = top
        self._folder = folder
        self._around = {above for path in changed for above in _above(path, top)} - {os.path.normpath(root)}
        self._copied: set[str] = set()

    def full(self, path: str) -> str:
        """Where the earlier state of a path is, or would be."""
        full = os.path.normpath(super().full(path))
        if full in self._changed:
            return self._place(full)
        if full in self._around:
            return self._folder_at(full)
        return super().full(path)

    def glob(self, pattern: str) -> list[str]:
        """As of any files; of folders that are no more only the files are found."""
        matches = compile_pattern(as_regex(pattern)).fullmatch
        now = {path for path in super().glob(pattern) if os.path.lexists(self.full(path))}
        before = (os.path.relpath(path, self.root) for path in self._changed if os.path.lexists(self._place(path)))
        return sorted(now.union(path for path in before if matches(path)))

    def names(self, folder: str) -> frozenset[str] | None:
        """As of any files, without folders that are no more."""
        here = os.path.normpath(super().full(folder))
        differ = {os.path.basename(path): path for path in self._changed if os.path.dirname(path) == here}
        before = {name for name, path in differ.items() if os.path.lexists(self._place(path))}
        try:
            return frozenset({*os.listdir(here)} - differ.keys() | before)
        except OSError:
            return frozenset(before) if before else None

    def _place(self, full: str) -> str:
        return os.path.join(self._folder, "tracked", os.path.relpath(full, self._top))

    def _folder_at(self, full: str) -> str:
        """A copy of a folder in which something differs, as it was."""
        copy = os.path.join(self._folder, "folders", os.path.relpath(full, self._top))
        if full not in self._copied:
            self._copied.add(full)
            shutil.rmtree(copy, ignore_errors=True)
            if os.path.isdir(full):
                shutil.copytree(full, copy, symlinks=True)
            for path in self._changed:
                if path.startswith(full + os.sep):
                    self._bring(path, os.path.join(copy, os.path.relpath(path, full)))
        return copy

    def _bring(self, path: str, to: str) -> None:
        if os.path.lexists(to):
            os.unlink(to)
        if os.path.lexists(self._place(path)):
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(self._place(path), to, follow_symlinks=False)


class EarlierStats(Stats):
    """The content of a workspace's paths in an earlier state; of what does not differ, through records of what is now.

    Args:
        now: of what is there now.
    """

    def __init__(self, files: EarlierFiles, now: Stats) -> None:
        self._files = files
        self._now = now

    def digest_inside(self, path: str, folder: str) -> str | None:
        return self._now.digest_inside(path, folder)

    def content(self, path: str) -> tuple[str, int] | None:
        full = self._files.full(path)
        if full == os.path.join(self._files.root, path):
            return self._now.content(path)
        return digest_path(full)


def _above(path: str, top: str) -> Iterator[str]:
    """The folders around a path, up to the top of the repository."""
    while (path := os.path.dirname(path)) and path.startswith(top):
        yield path


@contextmanager
def earlier_files(root: str, revision: str) -> Iterator[EarlierFiles]:
    """The files of a workspace as they were in a revision, for as long as the block lasts.

    Args:
        root: the workspace, absolute.

    Raises:
        UsageError: git is not installed, the workspace lies in no repository, or that has no such revision.
    """
    from tempfile import TemporaryDirectory

    root = os.path.realpath(root)
    top = _git(root, "rev-parse", "--show-toplevel").rstrip("\n")
    try:
        commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except UsageError:
        raise UsageError(f"git knows no revision {revision}", hint="a branch, a tag or a commit") from None
    options = ("--no-renames", "--no-ext-diff", "--ignore-submodules", "--name-only", "-z")
    names = [name for name in _git(top, "diff", *options, commit, "--").split("\0") if name]
    with TemporaryDirectory(prefix="mlbuild-") as folder:
        # An index of our own: what is staged stays as it is.
        index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        _git(top, "read-tree", commit, env=index)
        known = set(_git(top, "ls-files", "-z", env=index).split("\0"))
        there = "".join(f"{name}\0" for name in names if name in known)
        place = os.path.join(folder, "tracked", "")
        _git(top, "checkout-index", "--force", f"--prefix={place}", "-z", "--stdin", env=index, given=there)
        yield EarlierFiles(root, {os.path.join(top, name) for name in names}, top, folder)


def _git(folder: str, *arguments: str, env: dict[str, str] | None = None, given: str = "") -> str:
    """What git prints. Raises UsageError, with what it says."""
    import subprocess

    settings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(env or {})}
    command = ["git", "-C", folder, *arguments]
    try:
        ended = subprocess.run(
            command,
            env=settings,
            input=os.fsencode(given),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed, so there are no revisions to compare with") from None
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise UsageError(f"git {arguments[0]}: {said or f'exit status {ended.returncode}'}")
    return os.fsdecode(ended.stdout)
