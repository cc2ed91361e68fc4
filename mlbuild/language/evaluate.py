"""From files to a pipeline: reads what is included, declares the names, works out the values, makes the targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct

from mlbuild.collect import Mistakes
from mlbuild.errors import LEAVE_OUT, Location, ManyErrors, PipelineError, UsageError
from mlbuild.expression import Argument, Literal, Template, evaluate, written
from mlbuild.files import Files
from mlbuild.language import ast, batches, clauses
from mlbuild.language.constants import Constants, literal_value
from mlbuild.language.executors import executor, overlaid
from mlbuild.language.lost import Lost
from mlbuild.language.names import Names
from mlbuild.language.overrides import override
from mlbuild.language.parser import recovered
from mlbuild.language.partitions import partition, verify_lines
from mlbuild.language.references import Header, References
from mlbuild.language.words import slots
from mlbuild.target import Executor, Lines, Partition, Pipeline, Target
from mlbuild.values import nearest

Found = TypeVar("Found")
Configured = Mapping[str, Mapping[str, Any]]
"""Executors by name, with those of their fields that are given."""
NONE_CONFIGURED: Configured = MappingProxyType({})


class Reading(Struct, frozen=True):
    """What came of reading a Pipelinefile.

    Attributes:
        pipeline: of all that could be read. It is whole if there are no mistakes, and only then to be built.
        mistakes: what is wrong with the rest.
        lost: the rest, of which nothing more can be said.
    """

    pipeline: Pipeline
    mistakes: Mistakes
    lost: Lost


def load(
    path: str,
    files: Files,
    overrides: Sequence[tuple[str, str]] = (),
    executors: Configured = NONE_CONFIGURED,
) -> Reading:
    """The pipeline of a Pipelinefile, and every mistake that can be found in one go.

    Args:
        path: the main file, relative to the workspace.
        files: the workspace.
        overrides: what the command line says, as (dotted name, text as typed).
        executors: what the user's configuration says of them, laid over those of the same name.

    Raises:
        ManyErrors: the main file can't be read at all.
        UsageError: an override that can't be.
    """
    return _Loader(files).load(path, overrides, executors)


class _Loader:
    """One reading."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read: list[str] = []
        self._mistakes = Mistakes(self._read)
        self._noted = self._mistakes.noted
        self._lost = Lost()
        self._names = Names(self._lost)
        self._constants = Constants(self._names, self._mistakes, files)
        self._trees: list[ast.File] = []

    def load(self, path: str, overrides: Sequence[tuple[str, str]], configured: Configured) -> Reading:
        self._include(path, None, [])
        if not self._trees:
            self._mistakes.settle()
        self._declare()
        try:
            return Reading(self._pipeline(overrides, configured), self._mistakes, self._lost)
        except UsageError:
            # An override may be wrong only since what it is for could not be read.
            self._mistakes.settle()
            raise

    def _pipeline(self, overrides: Sequence[tuple[str, str]], configured: Configured) -> Pipeline:
        changed = override(overrides, self._constants, self._names)
        constants = self._constants.all()
        partitions = self._partitions()
        executors = {"local": Executor("local"), **self._executors()}
        for name, given in configured.items():
            executors[name] = overlaid(name, executors.get(name), given)
        targets = self._targets(partitions, executors)
        for source in (one.source for one in partitions.values()):
            if isinstance(source, Lines) and source.target in targets:
                with self._noted():
                    verify_lines(source, targets[source.target])
        for target in targets.values():
            self._mistakes.found += batches.verify(target, targets, partitions)
        default = self._default(targets)
        self._refuse_overridden_files(targets, changed)
        return Pipeline(targets, partitions, constants, default, changed, executors, tuple(self._read))

    # --- Files

    def _include(self, path: str, at: Location | None, around: list[str]) -> None:
        if path in around:
            circle = " → ".join([*around[around.index(path) :], path])
            message = f"{path} includes itself: {circle}"
            self._mistakes.found.append(PipelineError(message, at, "leave out this `include`"))
            return
        if path in self._read:
            message = f"{path} is included twice"
            self._mistakes.found.append(PipelineError(message, at, "once is enough: all files share their names"))
            return
        tree: ast.File | None = None
        with self._noted():
            data = self._bytes(path, at)
            try:
                tree, errors = recovered(path, data)
            except ManyErrors as found:
                errors = [PipelineError(error.message, error.at or at, error.hint) for error in found.errors]
            self._mistakes.found += errors
        if tree is None:
            self._lost.everything = True
            return
        self._trees.append(tree)
        for broken in tree.broken:
            self._lost.add(broken)
        for statement in tree.statements:
            if isinstance(statement, ast.Include):
                self._include_one(statement, [*around, path])

    def _include_one(self, statement: ast.Include, around: list[str]) -> None:
        path: str | None = None
        with self._noted():
            path = _plain(statement.path, "include")
        if path is None:
            self._lost.everything = True
        else:
            self._include(path, statement.at, around)

    def _bytes(self, path: str, at: Location | None) -> bytes:
        """All bytes of a file, which is from now on one that the pipeline was read from."""
        try:
            data = self._files.read(path)
        except OSError as error:
            reason = "it is not there" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
            hint = "paths are relative to the folder of the main Pipelinefile" if at else None
            raise PipelineError(f"can't read {path}: {reason}", at, hint) from None
        except ValueError as error:
            raise PipelineError(f"can't read {path!r}: {error}", at) from None
        self._read.append(path)
        return data

    def _all(self, kind: type[Found]) -> list[Found]:
        return [statement for tree in self._trees for statement in tree.statements if isinstance(statement, kind)]

    # --- Names and values

    def _declare(self) -> None:
        before = len(self._mistakes.found)
        for tree in self._trees:
            for statement in tree.statements:
                with self._noted():
                    self._declare_one(statement)
        for at in [mistake.at for mistake in self._mistakes.found[before:] if mistake.at]:
            self._lost.declare(at.source.line(at.line))

    def _declare_one(self, statement: ast.Statement) -> None:
        names, constants = self._names, self._constants
        match statement:
            case ast.Param(name, value):
                names.declare("param", name)
                constants.add(name.text, "param", name.at, lambda: literal_value(value, name.text))
            case ast.ParamsFile(path, word, at):
                name = word or ast.Word(_stem(_plain(path, "params")), at)
                if not name.text.isidentifier() or not name.text.isascii():
                    hint = "say what it is to be called: params … as NAME"
                    raise PipelineError(f"the file's stem is no name: {name.text}", at, hint)
                names.declare("params", name)
                place = _plain(path, "params")
                constants.add(name.text, "params", name.at, lambda: self._parameters(place, at), place)
            case ast.Let(name, value):
                names.declare("let", name)
                constants.add(name.text, "let", name.at, lambda: evaluate(value, constants))
            case ast.PartitionOf(name):
                names.declare("partition", name)
            case ast.TargetOf(name):
                names.declare("target", name)

    def _parameters(self, path: str, at: Location) -> object:
        # YAML and TOML are loaded only for those who use such files.
        from mlbuild.language import parameters

        try:
            return parameters.read(path, self._bytes(path, at))
        except PipelineError as error:
            raise PipelineError(error.message, error.at or at, error.hint) from None

    def _partitions(self) -> dict[str, Partition]:
        found: dict[str, Partition] = {}
        for statement in self._all(ast.PartitionOf):
            name = statement.name.text
            with self._noted():
                found.setdefault(name, partition(statement, self._constants))
            if name not in found:
                self._lost.names.add(name)
        return found

    # --- Targets

    def _executors(self) -> dict[str, Executor]:
        """Those that are declared; their names are of no concern to the others'."""
        declared: dict[str, Location] = {}
        found: dict[str, Executor] = {}
        for statement in self._all(ast.ExecutorOf):
            name = statement.name
            with self._noted():
                if name.text in declared:
                    message = f"executor `{name.text}` is declared twice: first at {declared[name.text]}"
                    raise PipelineError(message, name.at, "choose another name")
                declared[name.text] = name.at
                found[name.text] = executor(statement, self._constants)
            if name.text not in found:
                self._lost.names.add(name.text)
        return found

    def _targets(self, partitions: dict[str, Partition], executors: dict[str, Executor]) -> dict[str, Target]:
        """All that tasks can be made of: those of which name, partitions and outputs are known."""
        files = [
            (self._defaults(tree), [(rule, self._header(rule, tree)) for rule in _rules(tree)]) for tree in self._trees
        ]
        headers = {header.name: header for _, rules in files for _, header in rules}
        references = References(headers, partitions, self._constants, self._names)
        context = clauses.Context(self._constants, self._names, references, partitions, executors, self._mistakes)
        targets: dict[str, Target] = {}
        for defaults, rules in files:
            for rule, header in rules:
                made = clauses.target(rule, header, defaults, context)
                if header.is_sound:
                    targets[made.name] = made
        return targets

    def _header(self, statement: ast.TargetOf, tree: ast.File) -> Header:
        named = [
            item.name
            for clause in statement.clauses
            if clause.word in ("outputs", "metrics")
            for item in clause.items
            if isinstance(item, Argument) and item.name
        ]
        failures = self._mistakes.failures
        for position, word in enumerate(statement.partitions):
            with self._noted():
                self._check_partition(word, [one.text for one in statement.partitions[:position]])
        partitions = [word.text for word in statement.partitions]
        is_sound = self._mistakes.failures == failures and not self._names.is_lost(statement.name.text)
        if not is_sound:
            partitions = list(dict.fromkeys((*partitions, *self._names.of_kind("partition"))))
        is_whole = all(broken.header != statement.name.at.line for broken in tree.broken)
        return Header(statement.name.text, tuple(partitions), frozenset(named), is_sound, is_whole)

    def _check_partition(self, word: ast.Word, before: list[str]) -> None:
        if word.text in before:
            raise PipelineError(f"the partition `{word.text}` is given twice", word.at, LEAVE_OUT)
        self._names.refuse_lost(word.text)
        if self._names.kind(word.text) != "partition":
            near = nearest(word.text, self._names.of_kind("partition"))
            hint = f"did you mean `{near}`?" if near else f"declare it: partition {word.text}: …"
            raise PipelineError(f"there is no partition `{word.text}`", word.at, hint)

    def _defaults(self, tree: ast.File) -> tuple[ast.Clause, ...]:
        found: dict[str, ast.Clause] = {}
        for statement in tree.statements:
            for clause in statement.clauses if isinstance(statement, ast.Defaults) else ():
                with self._noted():
                    if clause.word in clauses.NOT_IN_DEFAULTS:
                        hint = "it belongs to one target"
                        raise PipelineError(f"`{clause.word}:` can't stand in `defaults:`", clause.at, hint)
                    if clause.word in found:
                        message = f"`{clause.word}:` is given twice, first on line {found[clause.word].at.line}"
                        raise PipelineError(message, clause.at, "put all into one")
                    found[clause.word] = clause
        return tuple(found.values())

    def _default(self, targets: dict[str, Target]) -> tuple[str, ...]:
        """What a bare `mlbuild` builds. An included file's `default` counts only if the main file has none."""
        for tree in self._trees:
            statements = [statement for statement in tree.statements if isinstance(statement, ast.Default)]
            for again in statements[1:]:
                hint = "one statement may name several targets"
                self._mistakes.found.append(PipelineError("`default` is given twice", again.at, hint))
            if statements:
                return tuple(name for word in statements[0].names for name in self._goal(word))
        main = self._trees[0]
        own = [one.name.text for one in main.statements if isinstance(one, ast.TargetOf)]
        if not own and not self._all(ast.TargetOf) and not self._mistakes.found:
            hint = "write `target NAME:` and, indented below it, what it makes and how"
            self._mistakes.found.append(PipelineError(f"{main.source.path} has no target", None, hint))
        return tuple((own or list(targets))[:1])

    def _goal(self, word: ast.Word) -> tuple[str, ...]:
        if self._names.kind(word.text) == "target" or self._names.is_lost(word.text):
            return (word.text,)
        near = nearest(word.text, self._names.of_kind("target"))
        hint = f"did you mean `{near}`?" if near else None
        self._mistakes.found.append(PipelineError(f"there is no target `{word.text}`", word.at, hint))
        return ()

    def _refuse_overridden_files(self, targets: dict[str, Target], changed: Iterable[str]) -> None:
        """A script that reads a params file itself does not see what the command line changed."""
        for target in targets.values():
            given = {written(slot) for slot in slots(target.recipe.text)} if target.recipe else set()
            for node in target.params:
                name = written(node)
                if "{" + name.partition(".")[0] + ":file}" in given:
                    continue
                for dotted in changed:
                    if "." in dotted and f"{dotted}.".startswith(f"{name}."):
                        message = f"`{dotted}` can't be overridden: `{target.name}` reads it from the file itself"
                        raise UsageError(message, node.at, "change it in the file")


def _rules(tree: ast.File) -> Iterator[ast.TargetOf]:
    return (statement for statement in tree.statements if isinstance(statement, ast.TargetOf))


def _plain(path: Template | Literal, word: str) -> str:
    """The path of an include or params statement, in which no value can stand."""
    if isinstance(path, Literal):
        return str(path.value)
    for slot in slots(path):
        raise PipelineError(f"the path after `{word}` is read before any value is known", slot.at, "write it out")
    return "".join(part for part in path.parts if isinstance(part, str))


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]
