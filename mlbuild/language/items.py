"""The items of a clause, and the few things that many clauses ask of them."""

from __future__ import annotations

from mlbuild.collect import Mistakes
from mlbuild.errors import Location, PipelineError
from mlbuild.expression import Argument, Call, Maybe, Node, Span, Star
from mlbuild.language.ast import Clause


def arguments(clause: Clause) -> list[Argument]:
    return [item for item in clause.items if isinstance(item, Argument)]


def node_of(item: Argument) -> Node:
    """The expression of an item: nothing else can stand in a clause."""
    assert not isinstance(item.value, Star | Span)
    return item.value


def only_argument(call: Call) -> Node:
    """What a call is given, which must be one thing without a name. Raises PipelineError."""
    if len(call.arguments) != 1 or call.arguments[0].name:
        examples = {"glob": "data/*.csv", "local": "https://example.org/data.csv"}
        hint = f'as in {call.function}("{examples.get(call.function, "data.csv")}")'
        raise PipelineError(f"`{call.function}()` takes one path", call.at, hint)
    return node_of(call.arguments[0])


def unmarked(node: Node) -> tuple[Node, bool]:
    """`x?` as (x, True)."""
    return (node.operand, True) if isinstance(node, Maybe) else (node, False)


def refuse_same_names(named: list[tuple[str | None, Location]], mistakes: Mistakes) -> None:
    """Note every name that is given a second time."""
    seen: set[str] = set()
    for name, at in named:
        with mistakes.noted():
            if name in seen:
                raise PipelineError(f"the name `{name}` is given twice", at, "each needs a name of its own")
            seen |= {name} if name else set()
