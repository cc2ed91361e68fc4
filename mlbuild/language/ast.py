"""The tree of a Pipelinefile: what is written, not what it means. Expressions are those of `mlbuild.expression`."""

from __future__ import annotations

from msgspec import Struct

from mlbuild.errors import Location, Source
from mlbuild.expression import Argument, Literal, Node, Template


class Word(Struct, frozen=True):
    """A name where something is declared or listed."""

    text: str
    at: Location


# --- Clauses


class Edge(Struct, frozen=True):
    """An item of `after:`; `state` is `ok`, `failed`, `finished` or `started`, None if it is left out."""

    value: Node
    state: str | None
    at: Location


class Condition(Struct, frozen=True):
    """An item of `check:`."""

    value: Node
    message: Template | Literal | None
    at: Location


class Script(Struct, frozen=True):
    """What follows `run:`; `kind` is `shell` or `python`. Only a shell's text has slots."""

    kind: str
    text: Template
    at: Location


class Clause(Struct, frozen=True):
    """A clause; `at` is its first word."""

    word: str
    items: tuple[Argument | Edge | Condition | Script, ...]
    at: Location


# --- Statements; `at` is the name that is declared, or what is asked for


class Include(Struct, frozen=True):
    path: Template | Literal
    at: Location


class Param(Struct, frozen=True):
    name: Word
    value: Node


class ParamsFile(Struct, frozen=True):
    path: Template | Literal
    name: Word | None
    at: Location


class Let(Struct, frozen=True):
    name: Word
    value: Node


class Periods(Struct, frozen=True):
    """`daily from … to … in …`."""

    period: str
    first: Node
    last: Node | None
    zone: Node | None
    at: Location


class PartitionOf(Struct, frozen=True):
    name: Word
    source: Periods | Node


class ExecutorOf(Struct, frozen=True):
    name: Word
    value: Node


class Defaults(Struct, frozen=True):
    clauses: tuple[Clause, ...]
    at: Location


class Default(Struct, frozen=True):
    names: tuple[Word, ...]
    at: Location


class TargetOf(Struct, frozen=True):
    name: Word
    partitions: tuple[Word, ...]
    description: str
    clauses: tuple[Clause, ...]


Statement = Include | Param | ParamsFile | Let | PartitionOf | ExecutorOf | Defaults | Default | TargetOf


class Broken(Struct, frozen=True):
    """What could not be read: a statement, or one clause of it.

    Attributes:
        text: all its lines.
        word: that of the statement, as meant; "" if that can't be told.
        header: of a clause, the line of the statement.
    """

    text: str
    word: str
    header: int | None


class File(Struct, frozen=True):
    """One file: the statements that could be read, and what could not."""

    source: Source
    statements: tuple[Statement, ...]
    broken: tuple[Broken, ...] = ()
