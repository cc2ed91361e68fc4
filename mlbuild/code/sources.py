"""Reads the code of a workspace, each file once, and keeps what was found out about it."""

from __future__ import annotations

from collections.abc import Callable

from mlbuild.code import reader
from mlbuild.code.imports import may_be_module
from mlbuild.code.module import Module
from mlbuild.digest import digest_bytes
from mlbuild.files import Files


class Sources:
    """The code of a workspace as it is when it is first asked for.

    Args:
        files: of the workspace.
        content: the digest of a file's bytes, or None; a file is read only if what it holds is not known yet.
        remembered: what an earlier command found out about a file, by its digest (`Module.as_json`).
        is_made: whether a target makes a path: that is no code.
    """

    def __init__(
        self,
        files: Files,
        content: Callable[[str], str | None] = lambda path: None,
        remembered: Callable[[str], str | None] = lambda digest: None,
        is_made: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self._files = files
        self._content = content
        self._remembered = remembered
        self._is_made = is_made
        self._names: dict[str, frozenset[str] | None] = {}
        self._digests: dict[str, str] = {}
        self._modules: dict[str, Module | None] = {}
        self.learned: dict[str, str] = {}
        """What was found out by this command, by digest."""
        self.is_torn = False
        """A file was written between two looks at it: what it holds is not that of which we have the digest."""

    def names(self, folder: str) -> frozenset[str] | None:
        if folder not in self._names:
            found = self._files.names(folder)
            prefix = f"{folder}/" if folder else ""
            self._names[folder] = (
                None
                if found is None
                else frozenset(name for name in found if may_be_module(name) and not self._is_made(prefix + name))
            )
        return self._names[folder]

    def digest(self, path: str) -> str:
        if path not in self._digests:
            self._digests[path] = self._content(path) or digest_bytes(self._files.read(path))
        return self._digests[path]

    def module(self, path: str) -> Module | None:
        digest = self.digest(path)
        if digest not in self._modules:
            self._modules[digest] = self._look(path, digest)
        return self._modules[digest]

    def _look(self, path: str, digest: str) -> Module | None:
        known = self._remembered(digest)
        if known is not None:
            return Module.from_json(known)
        data = self._files.read(path)
        found = reader.read(data)
        if digest_bytes(data) != digest:
            self.is_torn = True  # the check that its reader's attempt makes will see it
        elif found is not None:
            self.learned[digest] = found.as_json()
        return found
