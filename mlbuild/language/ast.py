"""The tree of a Pipelinefile: what is written, not what it means. Expressions are those of `mlbuild.expression`."""

from __future__ import annotations

from dataclasses import dataclass

from mlbuild.errors import Location, Source
from mlbuild.expression import Argument, Literal, Node, Template


@dataclass(frozen=True, slots=True)
class Word:
    """A name where something is declared or listed."""

    text: str
    at: Location


# --- Clauses


@dataclass(frozen=True, slots=True)
class Edge:
    """An item of `after:`; `state` is `ok`, `failed`, `finished` or `started`, None if it is left out."""

    value: Node
    state: str | None
    at: Location


@dataclass(frozen=True, slots=True)
class Condition:
    """An item of `check:`."""

    value: Node
    message: Template | Literal | None
    at: Location


@dataclass(frozen=True, slots=True)
class Script:
    """What follows `run:`; `kind` is `shell` or `python`. Only a shell's text has slots."""

    kind: str
    text: Template
    at: Location


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause; `at` is its first word."""

    word: str
    items: tuple[Argument | Edge | Condition | Script, ...]
    at: Location


# --- Statements; `at` is the name that is declared, or what is asked for


@dataclass(frozen=True, slots=True)
class Include:
    path: Template | Literal
    at: Location


@dataclass(frozen=True, slots=True)
class Param:
    name: Word
    value: Node


@dataclass(frozen=True, slots=True)
class ParamsFile:
    path: Template | Literal
    name: Word | None
    at: Location


@dataclass(frozen=True, slots=True)
class Let:
    name: Word
    value: Node


@dataclass(frozen=True, slots=True)
class Periods:
    """`daily from … to … in …`."""

    period: str
    first: Node
    last: Node | None
    zone: Node | None
    at: Location


@dataclass(frozen=True, slots=True)
class PartitionOf:
    name: Word
    source: Periods | Node


@dataclass(frozen=True, slots=True)
class ExecutorOf:
    name: Word
    value: Node


@dataclass(frozen=True, slots=True)
class Defaults:
    clauses: tuple[Clause, ...]
    at: Location


@dataclass(frozen=True, slots=True)
class Default:
    names: tuple[Word, ...]
    at: Location


@dataclass(frozen=True, slots=True)
class TargetOf:
    name: Word
    partitions: tuple[Word, ...]
    description: str
    clauses: tuple[Clause, ...]


Statement = Include | Param | ParamsFile | Let | PartitionOf | ExecutorOf | Defaults | Default | TargetOf


@dataclass(frozen=True, slots=True)
class Broken:
    """What could not be read: a statement, or one clause of it.

    Attributes:
        text: all its lines.
        word: that of the statement, as meant; "" if that can't be told.
        header: of a clause, the line of the statement.
    """

    text: str
    word: str
    header: int | None


@dataclass(frozen=True, slots=True)
class File:
    """One file: the statements that could be read, and what could not."""

    source: Source
    statements: tuple[Statement, ...]
    broken: tuple[Broken, ...] = ()
