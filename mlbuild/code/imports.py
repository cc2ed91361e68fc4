"""Where imports find the modules of a workspace: Python's own search, over the folders that it may look into.

Blind to what is installed: a name that is not found here is somebody else's.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Callable, Sequence

from msgspec import Struct

ENDINGS = (".so", ".pyd", ".pyc")
"""Modules that are no text: they count by their bytes."""


def may_be_module(name: str) -> bool:
    """Whether what is called so in a folder can be a module, or a folder of such."""
    return "." not in name or name.endswith((".py", *ENDINGS))


class Found(Struct, frozen=True):
    """A module or package of the workspace.

    Attributes:
        path: its file, relative to the workspace; None for a package without `__init__`.
        folders: where its submodules lie; none of a plain module.
    """

    path: str | None
    folders: tuple[str, ...] = ()


class Search:
    """Finds modules by their absolute names.

    Args:
        names: what stands in a folder (relative to the workspace, "" for itself) and may be a module; None if it is
            no folder.
        first: folders that Python looks into before its own library.
        last: folders that it may look into after that.
    """

    def __init__(
        self, names: Callable[[str], frozenset[str] | None], first: Sequence[str], last: Sequence[str] = ()
    ) -> None:
        self._names = names
        self._first = tuple(dict.fromkeys(first))
        self._all = tuple(dict.fromkeys([*first, *last]))
        self._found: dict[str, Found | None] = {}

    def find(self, module: str) -> Found | None:
        """A module; None if it is none of the workspace's."""
        if module not in self._found:
            package, _, name = module.rpartition(".")
            if package:
                around = self.find(package)
                folders = around.folders if around else ()
            else:
                folders = self._first if name in sys.stdlib_module_names else self._all
            self._found[module] = self._look(name, folders)
        return self._found[module]

    def _look(self, name: str, folders: Sequence[str]) -> Found | None:
        portions = []
        for folder in folders:
            here = self._names(folder)
            if not here:
                continue
            inner = posixpath.join(folder, name)
            inside = self._names(inner) if name in here else None
            if inside is not None:
                if file := _file("__init__", inside):
                    return Found(posixpath.join(inner, file), (inner,))
                portions.append(inner)
            if file := _file(name, here):
                return Found(posixpath.join(folder, file))
        return Found(None, tuple(portions)) if portions else None

    def name_of(self, path: str) -> tuple[str, str]:
        """(the module's name, the folder that must be looked into for it) of a file, by the packages around it."""
        folder, _, file = path.rpartition("/")
        steps = [] if file == "__init__.py" else [file.partition(".")[0]]
        while folder and "__init__.py" in (self._names(folder) or ()):
            folder, _, name = folder.rpartition("/")
            steps.insert(0, name)
        return ".".join(steps), folder


def absolute(module: str, level: int, package: str | None) -> str | None:
    """The absolute name of what an import names in a module of this package; None if it goes beyond the top."""
    if level == 0:
        return module
    steps = package.split(".") if package else []
    if len(steps) < level:
        return None
    return ".".join([*steps[: len(steps) - level + 1], *([module] if module else [])])


def _file(name: str, here: frozenset[str]) -> str | None:
    """The file of a module among the names of a folder, as Python prefers them: compiled ones, then text."""
    compiled = sorted(one for one in here if one.startswith(f"{name}.") and one.endswith(ENDINGS[:2]))
    for file in (*compiled, f"{name}.py", f"{name}.pyc"):
        if file in here:
            return file
    return None
