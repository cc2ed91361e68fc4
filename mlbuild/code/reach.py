"""From an entry to all that it can run: the definitions of the workspace that names lead to, and what imports run.

Names are taken generously: one that may mean several things means all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.code import tables
from mlbuild.code.imports import Search, absolute
from mlbuild.code.meaning import FORMAT
from mlbuild.code.module import Code, Definition, Dynamic, Import, Module, Runs
from mlbuild.digest import digest_bytes

WALK = "1"
"""Raised when an entry comes to something else for the same files: what is kept of entries is found out anew."""

AT_IMPORT = "what runs at import"
ORDER = "the order of its definitions"
IMPORTED = "what its imports find"

DEEPEST = 20
"""How often a base class may be imported on before it is taken for unknown."""


class Reader(Protocol):
    """What reads the files of a workspace; paths are relative to it."""

    def names(self, folder: str) -> frozenset[str] | None:
        """What stands in a folder and may be a module; None if it is no folder."""

    def digest(self, path: str) -> str:
        """The digest of a file's bytes. Raises OSError."""

    def module(self, path: str) -> Module | None:
        """What a Python file holds; None if it can't be parsed. Raises OSError."""


class Entry(Struct, frozen=True):
    """Where a program begins.

    Attributes:
        path: a script; a module's file, or one of which everything counts.
        module: what is run with `-m`, or a module of which everything counts.
        text: code that stands in no file; what it means itself does not count.
        whole: everything in the file counts, whether it is reached or not.
        search: more folders, relative to the workspace, that Python looks into (`PYTHONPATH`).
    """

    path: str = ""
    module: str = ""
    text: Module | None = None
    whole: bool = False
    search: tuple[str, ...] = ()


class Whole(Struct, frozen=True):
    """A file of which everything counts, and why: something in `path` at `line`."""

    file: str
    why: str
    path: str
    line: int


class Unfollowed(Struct, frozen=True):
    """What imports something that can't be found out."""

    path: str
    line: int
    what: str


class Reached(Struct, frozen=True, dict=True):
    """What an entry comes to.

    Attributes:
        parts: what counts, by name (`src/model.py: function f`) → digest; of a file that counts by its bytes, its path.
        files: path → digest of the bytes of every file that was read.
        whole: the files of which everything counts for a reason other than being listed.
        imports: the absolute names of all that may be imported, whoever's it is.
    """

    parts: Mapping[str, str]
    files: Mapping[str, str]
    whole: tuple[Whole, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()
    imports: frozenset[str] = frozenset()

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits."""
        return digest_bytes(
            "\n".join([FORMAT, *(f"{name}\0{value}" for name, value in sorted(self.parts.items()))]).encode(
                errors="surrogateescape"
            )
        )


def reach(entry: Entry, reader: Reader) -> Reached:
    """All that counts of an entry. Raises OSError for a file that can't be read."""
    return _Walk(entry, reader).result()


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    """(name, digest before, digest now) of each part that differs; what only follows from others is left out."""
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    said = [name for name in names if not name.endswith((ORDER, IMPORTED))]
    return [(name, old.get(name), new.get(name)) for name in said or names]


class _Loaded:
    """A module as the walk knows it."""

    def __init__(self, name: str, path: str, package: str, module: Module | None, *, main: bool = False) -> None:
        self.name = name
        self.path = path
        self.package = package
        self.module = module or Module(())
        self.main = main
        self.is_read = module is not None
        self.is_followed = False
        self.whole = False
        self.reached: set[int] = set()
        """The items whose code is reached."""
        self.touched: set[str] = set()
        """Names of which an import asks whether they are there."""
        self.found: dict[str, str] = {}
        """What its own imports ask for, and what is there."""
        self.defined: dict[str, list[int]] = {}
        self.bound: dict[str, list[Import]] = {}
        self.assigned = set(self.module.assigned)
        self.stars: list[str] = []
        for index, item in enumerate(self.module.items):
            if isinstance(item, Definition):
                self.defined.setdefault(item.name, []).append(index)
            elif main or not item.main:
                self.assigned.update(item.bound)
                self.bind(item.code.imports)
        self.bind(self.module.shared)

    def bind(self, imports: Iterable[Import]) -> None:
        for one in imports:
            if one.bound is not None:
                self.bound.setdefault(one.bound, []).append(one)
            elif one.name == "*" and (star := absolute(one.module, one.level, self.package)) is not None:
                self.stars.append(star)

    def definition(self, index: int) -> Definition:
        item = self.module.items[index]
        assert isinstance(item, Definition)
        return item


class _Walk:
    """Follows an entry. What is still to be done waits in a list, so that no chain of imports is too long."""

    def __init__(self, entry: Entry, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, _Loaded | None] = {}
        self._loaded: dict[str, _Loaded] = {}
        self._modules: dict[str, Module | None] = {}
        self._files: dict[str, str] = {}
        self._imports: set[str] = set()
        self._prefixes: set[str] = set()
        self._resolved: set[tuple[str, tuple[str, ...]]] = set()
        self._verdicts: dict[tuple[str, int], bool] = {}
        self._whole: dict[str, Whole] = {}
        self._unfollowed: dict[tuple[str, int], Unfollowed] = {}
        self._everything: Whole | None = None
        self._texts = False
        self._documented = False
        self._codes: list[tuple[_Loaded, Code]] = []
        self._asked: list[tuple[_Loaded, tuple[str, ...]]] = []
        self._wholes: list[_Loaded] = []
        self._begin(entry)
        while self._codes or self._asked or self._wholes:
            if self._codes:
                self._follow(*self._codes.pop())
            elif self._asked:
                self._resolve(*self._asked.pop())
            else:
                self._take_all_of(self._wholes.pop())

    # --- where it begins

    def _begin(self, entry: Entry) -> None:
        folder = package = ""
        name, path, module = "__main__", entry.path, entry.text
        if entry.whole and path:
            name, folder = Search(self._reader.names, ()).name_of(path)
            package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
        elif path:
            folder = path.rpartition("/")[0]
        self._search = Search(self._reader.names, (folder, *entry.search), ("", "src"))
        if entry.module:
            found = self._search.find(entry.module)
            package = entry.module.rpartition(".")[0]
            if found is not None and found.folders:
                package, found = entry.module, self._search.find(f"{entry.module}.__main__")
            if found is None or found.path is None:
                return
            path = found.path
        self._load(package)
        if path:
            module = self._parse(path)
        loaded = _Loaded(name, path, package, module, main=True)
        self._enter(loaded)
        if entry.whole:
            self._take_whole(loaded)
        for start in ("sitecustomize", "usercustomize"):
            if Search(self._reader.names, entry.search).find(start) is not None:
                self._load(start)

    def _enter(self, loaded: _Loaded) -> None:
        """Run a module: what counts at import waits to be followed."""
        self._loaded[loaded.name] = self._known[loaded.name] = loaded
        loaded.is_followed = True
        for index, item in enumerate(loaded.module.items):
            if isinstance(item, Runs):
                if loaded.main or not item.main:
                    self._codes.append((loaded, item.code))
                continue
            if self._counts_at_import(loaded, index):
                for _, code in item.parts:
                    loaded.bind(code.imports)
                self._reach_item(loaded, index)
            elif item.shell:
                self._codes.append((loaded, item.parts[0][1]))
            if item.header is not None:
                self._codes.append((loaded, item.header))
        if self._everything is not None:
            self._take_whole(loaded, self._everything)
        elif any(loaded.name == prefix or loaded.name.startswith(f"{prefix}.") for prefix in self._prefixes):
            self._take_whole(loaded)

    # --- modules

    def _load(self, name: str) -> _Loaded | None:
        """Import a module and the packages around it; None if it is no file of the workspace."""
        steps = name.split(".")
        for depth in range(1, len(steps) + 1):
            loaded = self._peek(".".join(steps[:depth]))
            if loaded is not None and not loaded.is_followed:
                self._enter(loaded)
        return self._peek(name)

    def _peek(self, name: str) -> _Loaded | None:
        """A module, without importing it."""
        if name not in self._known:
            found = self._search.find(name) if name else None
            self._known[name] = None
            if found is not None and found.path is not None:
                package = name if found.folders else name.rpartition(".")[0]
                self._known[name] = _Loaded(name, found.path, package, self._parse(found.path))
        return self._known[name]

    def _parse(self, path: str) -> Module | None:
        if path not in self._modules:
            self._files[path] = self._reader.digest(path)
            self._modules[path] = self._reader.module(path) if path.endswith(".py") else None
            if self._modules[path] is None and path.endswith(".py"):
                self._unfollowed[path, 0] = Unfollowed(path, 1, "this Python can't parse it")
        return self._modules[path]

    # --- what counts although nothing names it

    def _counts_at_import(self, loaded: _Loaded, index: int) -> bool:
        """Whether the statement of a definition may do more than bind its name."""
        key = (loaded.name, index)
        if key not in self._verdicts:
            self._verdicts[key] = True  # of a class that inherits from itself
            item = loaded.definition(index)
            self._verdicts[key] = (
                item.at_import
                or any(self._search.find(module) is not None for module in item.trusts)
                or not all(self._is_harmless_base(loaded, base.split(".")) for base in item.bases)
            )
        return self._verdicts[key]

    def _is_harmless_base(self, loaded: _Loaded, steps: Sequence[str]) -> bool:
        found = self._class(loaded, steps, 0)
        return found is not None and not self._counts_at_import(*found)

    def _class(self, loaded: _Loaded, steps: Sequence[str], depth: int) -> tuple[_Loaded, int] | None:
        """The one class that a name certainly means: its module, and its place there."""
        root, *rest = steps
        imports, defined = loaded.bound.get(root, []), loaded.defined.get(root, [])
        if len(imports) + len(defined) != 1 or root in loaded.assigned or loaded.stars or depth > DEEPEST:
            return None
        if defined:
            return (loaded, defined[0]) if not rest and loaded.definition(defined[0]).is_class else None
        module = self._module_of(loaded, imports[0], rest[:-1]) if rest else None
        if module is not None:
            owner, rest = self._peek(module), rest[-1:]
        elif imports[0].name is not None and not rest:
            base = absolute(imports[0].module, imports[0].level, loaded.package)
            owner, rest = self._peek(base) if base else None, [imports[0].name]
        else:
            return None
        return self._class(owner, rest, depth + 1) if owner is not None else None

    def _module_of(self, loaded: _Loaded, one: Import, steps: Sequence[str]) -> str | None:
        """The module of the workspace that an import and attributes behind it lead to."""
        module = absolute(one.module, one.level, loaded.package)
        for step in ([one.name] if one.name is not None else []) + list(steps):
            if module is None or self._search.find(f"{module}.{step}") is None:
                return None
            module = f"{module}.{step}"
        return module if module is not None and self._search.find(module) is not None else None

    # --- following

    def _follow(self, loaded: _Loaded, code: Code) -> None:
        for dynamic in code.dynamic:
            self._note(loaded, dynamic)
        self._documented = self._documented or code.reads_docs
        for one in code.imports:
            self._import(loaded, one)
        for name in code.handed:
            self._take_module(name)
        for name in code.names:
            steps = tuple(name.split("."))
            self._asked.append((loaded, steps))
            for one in code.imports:
                if one.bound == steps[0]:
                    self._resolve_import(loaded, one, steps[1:])
        for name in code.assigned:
            root, *inner = name.split(".")[:-1]
            for one in (*loaded.bound.get(root, ()), *(one for one in code.imports if one.bound == root)):
                module = self._module_of(loaded, one, inner)
                if module is not None:
                    self._take_module(module)

    def _note(self, loaded: _Loaded, one: Dynamic) -> None:
        why = Whole(loaded.path, one.what, loaded.path, one.line)
        if one.reach == "path" or tables.UNFOLLOWED.search(one.what):
            self._unfollowed.setdefault((loaded.path, one.line), Unfollowed(loaded.path, one.line, one.what))
        if one.reach == "module":
            self._take_whole(loaded, why)
        elif one.reach != "path" and self._everything is None:
            self._everything = why
            for other in list(self._loaded.values()):
                self._take_whole(other, why)
        self._texts = self._texts or one.reach == "text"

    def _import(self, loaded: _Loaded, one: Import) -> None:
        module = absolute(one.module, one.level, loaded.package)
        if module is None:
            text = "." * one.level + one.module
            self._unfollowed[loaded.path, one.line] = Unfollowed(loaded.path, one.line, f"`{text}` goes beyond the top")
            return
        self._imports |= {module, f"{module}.{one.name}" if one.name else module}
        found = self._load(module)
        if self._search.find(module) is None and self._search.find(module.split(".")[0]) is not None:
            self._unfollowed[loaded.path, one.line] = Unfollowed(loaded.path, one.line, f"there is no `{module}`")
        if one.name == "*":
            if found is not None:
                why = f"`from {'.' * one.level}{one.module} import *`"
                for each in (found, loaded):
                    self._take_whole(each, Whole(each.path, why, loaded.path, one.line))
        elif one.name is not None:
            inner = f"{module}.{one.name}"
            is_module = self._load(inner) is not None
            if found is not None:
                found.touched.add(one.name)
                loaded.found[inner] = f"{is_module} {one.name in found.defined}"

    def _resolve(self, loaded: _Loaded, steps: tuple[str, ...]) -> None:
        """Reach what a name means in a module."""
        if (loaded.name, steps) in self._resolved:
            return
        self._resolved.add((loaded.name, steps))
        for index in loaded.defined.get(steps[0], ()):
            self._reach_item(loaded, index)
        for one in loaded.bound.get(steps[0], ()):
            self._resolve_import(loaded, one, steps[1:])
        for star in loaded.stars:
            self._resolve_in(star, steps)  # which may bring modules too: `__all__` names them

    def _resolve_import(self, loaded: _Loaded, one: Import, steps: tuple[str, ...]) -> None:
        module = absolute(one.module, one.level, loaded.package)
        if module is None:
            return
        if one.name is None:
            self._resolve_in(module, steps)
            return
        owner = self._load(module)
        if owner is not None:
            self._asked.append((owner, (one.name, *steps)))
        if self._search.find(f"{module}.{one.name}") is not None:
            self._resolve_in(f"{module}.{one.name}", steps)

    def _resolve_in(self, module: str, steps: tuple[str, ...]) -> None:
        """Reach what attributes of a module mean; all of it, if it is not clear which are looked up."""
        while self._search.find(module) is not None:
            if not steps or (_is_dunder(steps[0]) and steps[0] not in tables.PLAIN_ATTRIBUTES):
                self._take_module(module)
                return
            owner = self._load(module)
            if owner is not None:
                self._asked.append((owner, steps))
            module, steps = f"{module}.{steps[0]}", steps[1:]

    def _reach_item(self, loaded: _Loaded, index: int) -> None:
        if index not in loaded.reached:
            loaded.reached.add(index)
            self._codes += [(loaded, code) for _, code in loaded.definition(index).parts]

    def _take_module(self, module: str) -> None:
        """Reach all of a module, and of those in it that are ever imported."""
        if module in self._prefixes or self._search.find(module) is None:
            return
        self._prefixes.add(module)
        self._load(module)
        for loaded in list(self._loaded.values()):
            if loaded.name == module or loaded.name.startswith(f"{module}."):
                self._take_whole(loaded)

    def _take_whole(self, loaded: _Loaded, why: Whole | None = None) -> None:
        if why is not None and loaded.path:
            self._whole.setdefault(loaded.path, replace(why, file=loaded.path))
        if not loaded.whole:
            loaded.whole = True
            self._wholes.append(loaded)

    def _take_all_of(self, loaded: _Loaded) -> None:
        for index, item in enumerate(loaded.module.items):
            if isinstance(item, Definition):
                self._reach_item(loaded, index)
        for imports in list(loaded.bound.values()):
            for one in imports:
                self._resolve_import(loaded, one, ())

    # --- what it comes to

    def result(self) -> Reached:
        rows: dict[str, list[str]] = {}
        for path in sorted({loaded.path for loaded in self._loaded.values() if loaded.path}):
            group = [loaded for loaded in self._loaded.values() if loaded.path == path]
            if self._texts or not group[0].is_read:
                rows[path] = [self._files[path]]
            else:
                self._describe(path, group, rows)
        found = {name: _one(values) for name, values in rows.items()}
        files = {
            path: digest
            for path, digest in self._files.items()
            if any(path == one.path for one in self._loaded.values())
        }
        unfollowed, imports = tuple(self._unfollowed.values()), frozenset(self._imports)
        return Reached(found, files, tuple(self._whole.values()), unfollowed, imports)

    def _describe(self, path: str, group: list[_Loaded], rows: dict[str, list[str]]) -> None:
        """The parts of one file, which may have been imported under several names."""
        reached = {index for loaded in group for index in loaded.reached}
        touched = {name for loaded in group for name in loaded.touched}
        asked = {name: found for loaded in group for name, found in loaded.found.items()}
        at_import = rows[f"{path}: {AT_IMPORT}"] = []
        order: list[list[str]] = [[]]
        for index, item in enumerate(group[0].module.items):
            if isinstance(item, Runs):
                if (not item.main or any(loaded.main for loaded in group)) and self._meaning(item.code):
                    at_import.append(self._meaning(item.code))
                    order.append([])
                continue
            at_once = any(self._counts_at_import(loaded, index) for loaded in group)
            parts = item.parts if index in reached else item.parts[:1] if item.shell else ()
            for label, code in parts:
                rows.setdefault(f"{path}: {label}", []).append(self._meaning(code))
            if item.header is not None:
                at_import.append(self._meaning(item.header))
            if at_once or item.shell:
                at_import.append(f"makes {item.name}")
                order.append([])
            elif index in reached or item.name in touched:
                order[-1].append(item.name)
        if len(order) > 1 and any(order):
            rows[f"{path}: {ORDER}"] = [" ".join(sorted(names)) for names in order]
        if asked:
            rows[f"{path}: {IMPORTED}"] = [f"{name} {found}" for name, found in sorted(asked.items())]

    def _meaning(self, code: Code) -> str:
        return code.documented if self._documented else code.digest


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _one(values: list[str]) -> str:
    """One digest for several texts."""
    return digest_bytes("\n".join(values).encode())
