"""Which code a task runs, and what it means: the entries that a recipe names, and all that they reach."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from msgspec import Struct, field

from mlbuild.code import data, reader
from mlbuild.code.kept import Kept, key, walked
from mlbuild.code.module import Module
from mlbuild.code.reach import Entry, Unfollowed, Whole
from mlbuild.code.sources import Sources
from mlbuild.engine.scope import RecipeScope, variable_value
from mlbuild.errors import StateError
from mlbuild.files import Files
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.language import python
from mlbuild.language.words import Words, words
from mlbuild.state.journal import Journal
from mlbuild.state.stats import Stats

IMPORTS = "what it imports"
"""What the code that a recipe in Python imports is called."""


Entries = tuple[tuple[str, Entry | str], ...]
"""What is run, by what it is called: an entry in Python, or the path of another file."""


class TaskCode(Struct):
    """The code of a task.

    Attributes:
        parts: what is called so in the fingerprint → digest.
        files: path → digest of the bytes of every file that this rests on.
        problem: why a digest can't be had.
        whole: the files of which everything counts, since what reaches into them is not clear.
        unfollowed: what imports something that can't be found out, and so does not count.
        imports: the absolute names of all that may be imported, whoever's it is.
    """

    parts: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    whole: list[Whole] = field(default_factory=list)
    unfollowed: list[Unfollowed] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)


class Code:
    """The code of a workspace's tasks, as it was when it was first asked for in this command.

    Args:
        journal: None where the workspace was never built.
    """

    def __init__(self, graph: Graph, files: Files, stats: Stats, journal: Journal | None) -> None:
        self._graph = graph
        self._files = files
        self._stats = stats
        self._journal = journal
        self._words: dict[str, Words] = {}
        self._texts: dict[str, Module | None] = {}
        self._definitions: dict[str, Mapping[str, str]] = {}
        self._alike: dict[str, Entries] = {}
        """Of targets whose code is the same files at every key."""
        self._is_code_file: dict[str, bool] = {}
        """Settled once a command: what comes to be while it builds (a log that recipes append to) is no code yet."""
        self.look_again()

    def look_again(self) -> None:
        """Forget what was seen: files have changed."""
        self._sources = Sources(self._files, self._content, self._remembered, self._is_made)
        self._reached: dict[Entry, Kept] = {}
        self._values: dict[str, str] = {}
        self._found: dict[Entries, TaskCode] = {}

    def of(self, task: Task, declared: Iterable[str], otherwise: Iterable[str]) -> TaskCode:
        """What counts of the code of a task. Others may have the very same, so that it is not to be changed.

        Args:
            declared: the paths that `code:` names.
            otherwise: paths that count already, as something else.
        """
        entries = self._entries(task, declared)
        other = {name for name, _ in entries}.intersection(otherwise)
        entries = tuple(each for each in entries if each[0] not in other) if other else entries
        found = self._found.get(entries)
        if found is None:
            found = self._come_to(entries)
            if found.problem is None:
                self._found[entries] = found
        return found

    def _come_to(self, entries: Entries) -> TaskCode:
        found = TaskCode()
        for name, entry in entries:
            try:
                if isinstance(entry, Entry):
                    reached = self.reached(entry)
                    if not reached.is_empty:
                        found.parts[f"code {name}"] = reached.digest
                    found.files |= reached.files
                    found.whole += reached.whole
                    found.unfollowed += reached.unfollowed
                    found.imports |= reached.imports
                else:
                    found.parts[f"code {name}"] = self._value(entry)
                    found.files[entry] = self._sources.digest(entry)
            except OSError as error:
                found.problem = f"{error.filename or name} can't be read: {error.strerror or error}"
        return found

    def reached(self, entry: Entry) -> Kept:
        """What an entry comes to. Raises OSError."""
        if entry not in self._reached:
            self._reached[entry] = self._kept(entry) or self._walked(entry)
        return self._reached[entry]

    def _kept(self, entry: Entry) -> Kept | None:
        """What an earlier command found an entry to come to, if that still stands."""
        text = self._journal.memory.entry(key(entry)) if self._journal else None
        found = Kept.from_json(text) if text is not None else None
        return found if found is not None and found.stands(self._sources) else None

    def _walked(self, entry: Entry) -> Kept:
        found, kept = walked(entry, self._sources)
        self._definitions[found.digest] = found.parts
        if self._journal is not None:
            entries = {} if self._sources.is_torn else {key(entry): (kept.digest, kept.as_json())}
            with suppress(StateError):  # nothing but time and an explanation is lost
                self._journal.memory.save_code(self._sources.learned, {found.digest: found.parts}, entries)
                self._sources.learned.clear()
        return kept

    def definitions(self, digest: str) -> Mapping[str, str]:
        """What a digest of code was made of (`src/a.py: function f` → digest); empty if that is not known."""
        if digest not in self._definitions:
            self._definitions[digest] = self._journal.memory.definitions(digest) if self._journal else {}
        return self._definitions[digest]

    def named(self, task: Task) -> list[str]:
        """The files of the workspace that the words of a recipe name and no target makes, nor leaves as checkpoints."""
        return self._named(task, self._said(task))

    def _named(self, task: Task, said: Words) -> list[str]:
        own = (task.checkpoint,) if task.checkpoint else ()
        return [path for path in said.paths if not path.startswith(own) and self._is_code(path)]

    def is_script(self, task: Task, path: str) -> bool:
        """Whether of a file that a recipe names only that counts which is reached when Python runs it."""
        return path.endswith(".py") and path in self._said(task).scripts

    def programs(self, task: Task, declared: Iterable[str]) -> Iterator[str]:
        """What the Python processes of a task begin with: scripts, `-m MODULE`, `-c` for a recipe in Python."""
        for _, entry in self._entries(task, declared):
            if isinstance(entry, Entry) and entry.module:
                with suppress(OSError):
                    if not self.reached(entry).is_empty:
                        yield f"-m {entry.module}"
            elif isinstance(entry, Entry):
                yield entry.path or "-c"

    # --- entries

    def _entries(self, task: Task, declared: Iterable[str]) -> Entries:
        """All code of a task, each name once."""
        target = task.target
        if target.recipe is None or target.code is None:
            return ()
        alike = self._alike.get(target.name)
        if alike is not None:
            return alike
        said = self._said(task)
        found = tuple(self._entered(task, said, self._search(task), tuple(declared)))
        sets_path = any(variable.name == "PYTHONPATH" for variable in target.environ)
        if not (said.varies or target.code or task.checkpoint or sets_path):
            self._alike[target.name] = found
        return found

    def _entered(
        self, task: Task, said: Words, search: tuple[str, ...], declared: tuple[str, ...]
    ) -> Iterator[tuple[str, Entry | str]]:
        recipe = task.target.recipe
        assert recipe is not None
        seen: set[str] = set()
        for path in [inner for each in declared for inner in self._below(each)]:
            if path not in seen:
                seen.add(path)
                yield path, Entry(path, whole=True, search=search) if path.endswith(".py") else path
        for path in self._named(task, said):
            if path not in seen:
                seen.add(path)
                whole = path not in said.scripts
                yield path, Entry(path, whole=whole, search=search) if path.endswith(".py") else path
        if recipe.kind == "python":
            if task.target.name not in self._texts:
                self._texts[task.target.name] = reader.read(python.source_of(recipe.text).encode())
            yield IMPORTS, Entry(text=self._texts[task.target.name], search=search)
            return
        for name in said.modules:
            yield f"-m {name}", Entry(module=name, search=search)

    def _said(self, task: Task) -> Words:
        found = self._words.get(task.target.name)
        if found is None:
            assert task.target.recipe is not None
            text = task.target.recipe.text
            is_python = task.target.recipe.kind == "python"
            found = python.words(text) if is_python else words(text, RecipeScope(self._graph, task))
            if not found.varies:
                self._words[task.target.name] = found
        return found

    def _search(self, task: Task) -> tuple[str, ...]:
        """The folders of the workspace on the `PYTHONPATH` that the recipe will have."""
        own = [variable for variable in task.target.environ if variable.name == "PYTHONPATH"]
        given = variable_value(own[0], RecipeScope(self._graph, task)) if own else os.environ.get("PYTHONPATH")
        return tuple(self._inside([*self._said(task).search, *(given.split(os.pathsep) if given else ())]))

    def _inside(self, folders: Iterable[str]) -> Iterator[str]:
        for folder in folders:
            path = os.path.relpath(os.path.join(self._files.root, folder), self._files.root)
            if path != ".." and not path.startswith("../"):
                yield "" if path == "." else path

    def _below(self, path: str) -> list[str]:
        """A path, or all files in it if it is a folder."""
        if not self._files.is_directory(path):
            return [path]
        return [os.path.normpath(f"{path}/{inner}") for inner in self._files.walk(path)]

    def _is_code(self, path: str) -> bool:
        known = self._is_code_file.get(path)
        if known is None:
            inside = not path.startswith(("/", "../"))
            known = inside and os.path.isfile(self._files.full(path)) and not self._is_made(path)
            self._is_code_file[path] = known
        return known

    # --- files

    def _is_made(self, path: str) -> bool:
        return any(self._graph.makers.of(path))

    def _content(self, path: str) -> str | None:
        found = self._stats.content(path)
        return found[0] if found else None

    def _value(self, path: str) -> str:
        if path not in self._values:
            content = self._sources.digest(path)
            is_data = path.rpartition(".")[2].lower() in data.READERS
            self._values[path] = (is_data and data.digest(path, self._files.read(path))) or content
        return self._values[path]

    def _remembered(self, digest: str) -> str | None:
        return self._journal.memory.module(digest) if self._journal else None
