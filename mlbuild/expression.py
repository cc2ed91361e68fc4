"""The tree of an expression as it stands in a Pipelinefile, and its value under a scope. Knows no file, no target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from mlbuild.errors import Location, PipelineError
from mlbuild.values import MISSING, Bundle, Key, Missing, formatted, kind_of, nearest

__all__ = [
    "MISSING",
    "Argument",
    "Attribute",
    "Between",
    "Binary",
    "Bundle",
    "Call",
    "Every",
    "Index",
    "Key",
    "ListOf",
    "Literal",
    "Maybe",
    "Missing",
    "Name",
    "Node",
    "One",
    "Part",
    "Point",
    "Reference",
    "Scope",
    "Slot",
    "Span",
    "Star",
    "TableOf",
    "Template",
    "Unary",
    "children",
    "evaluate",
    "expand",
    "walk",
    "written",
]

# ---------------------------------------------------------------------------------------------------------------------
# Nodes


class Literal(Struct, frozen=True):
    """A number, size (bytes), duration (seconds), date (text), `true`, `false`, `null` or `'raw'` string."""

    value: object
    text: str
    at: Location


class Name(Struct, frozen=True):
    name: str
    at: Location


class Attribute(Struct, frozen=True):
    base: Node
    name: str
    at: Location


class Star(Struct, frozen=True):
    """`*` inside `[ ]`."""

    at: Location


class Span(Struct, frozen=True):
    """`first..last` inside `[ ]`; an end that is missing is open."""

    first: Node | None
    last: Node | None
    at: Location


class Argument(Struct, frozen=True):
    """One thing inside `[ ]` or `( )`, with its name if it has one."""

    name: str | None
    value: Node | Star | Span
    at: Location


class Index(Struct, frozen=True):
    base: Node
    arguments: tuple[Argument, ...]
    at: Location


class Call(Struct, frozen=True):
    function: str
    arguments: tuple[Argument, ...]
    at: Location


class Unary(Struct, frozen=True):
    """`-x` or `not x`."""

    operator: str
    operand: Node
    at: Location


class Binary(Struct, frozen=True):
    """Arithmetic, comparisons, `and`, `or`. `a < b < c` is `a < b and b < c`."""

    operator: str
    left: Node
    right: Node
    at: Location


class Maybe(Struct, frozen=True):
    """`x?`: x, which may be absent."""

    operand: Node
    at: Location


class ListOf(Struct, frozen=True):
    items: tuple[Node, ...]
    at: Location


class TableOf(Struct, frozen=True):
    pairs: tuple[tuple[str, Node], ...]
    at: Location


class Slot(Struct, frozen=True):
    """`{expression:format}` in a text; `place` is how the shell reads that spot (see `language/quoting`), or `text`."""

    expression: Node
    format: str
    place: str
    at: Location


class Template(Struct, frozen=True):
    """A text with slots, in order: a `"string"` or a recipe."""

    parts: tuple[str | Slot, ...]
    at: Location


# --- References to other targets. The language puts them in the place of the names and indexes that mean targets.


class Point(Struct, frozen=True):
    """A place in a partition: a key by its text, or a partition of the referring target, shifted.

    `partition` is None for a key by text; `end` is '' for the task's own key, else 'first' or 'last'.
    """

    at: Location
    key: str | None = None
    partition: str | None = None
    end: str = ""
    offset: int = 0


class One(Struct, frozen=True):
    """Exactly the key at `point`."""

    point: Point


class Between(Struct, frozen=True):
    """All keys from `first` to `last`, both included; None is an open end."""

    first: Point | None
    last: Point | None
    at: Location


class Every(Struct, frozen=True):
    """All keys (`*`)."""

    at: Location


class Reference(Struct, frozen=True):
    """Tasks of another target, and what of theirs is meant.

    `selectors` go by the partitions of `target`, in their order, one each: a shared partition that is not named is
    `One(Point(partition=itself))`. `output` names one output; `metrics` is the way into the metrics files (`()` all of
    the files, None: not the metrics).
    """

    target: str
    selectors: tuple[One | Between | Every, ...]
    output: str | None
    metrics: tuple[str | int, ...] | None
    at: Location


Node = Literal | Name | Attribute | Index | Call | Unary | Binary | Maybe | ListOf | TableOf | Template | Reference


class Scope(Protocol):
    """What names, references and functions mean where an expression stands."""

    def name(self, node: Name) -> object:
        """The value of a name. Raises PipelineError, with the nearest known name, if there is none."""
        ...

    def reference(self, node: Reference) -> object:
        """The paths (a Bundle) or the metric values that a reference brings."""
        ...

    def call(self, node: Call, arguments: list[object]) -> object:
        """The value of a function that looks at the world (`rows`, `size`, `exists`, `glob`, `env`)."""
        ...


# ---------------------------------------------------------------------------------------------------------------------
# Looking at a tree

Part = Node | Star | Span | Argument | Slot


def children(node: object) -> Iterator[Part]:
    """The nodes right below one, in the order in which they are written."""
    match node:
        case TableOf():
            yield from (value for _, value in node.pairs)
        case Literal() | Name() | Star() | Reference():
            return
        case Struct():
            for name in node.__struct_fields__:
                value = getattr(node, name)
                for item in value if isinstance(value, tuple) else (value,):
                    if isinstance(item, Part):
                        yield item


def walk(node: Part) -> Iterator[Part]:
    """A node and all below it, without recursion: the depth of what is walked may not be known to be small."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(list(children(found))))


def written(node: object) -> str:
    """An expression as it would be written in a Pipelinefile, with one blank where blanks may be."""
    match node:
        case Literal():
            return node.text
        case Name():
            return node.name
        case Attribute():
            return f"{_inside(node.base, 9)}.{node.name}"
        case Star():
            return "*"
        case Span():
            return f"{written(node.first)}..{written(node.last)}"
        case Argument():
            return (f"{node.name} = " if node.name else "") + written(node.value)
        case Index():
            return f"{_inside(node.base, 9)}[{_commas(node.arguments)}]"
        case Call():
            return f"{node.function}({_commas(node.arguments)})"
        case Unary():
            blank = " " if node.operator == "not" else ""
            return f"{node.operator}{blank}{_inside(node.operand, _tightness(node))}"
        case Binary():
            own = _tightness(node)
            left = _inside(node.left, own + (own == 4))
            return f"{left} {node.operator} {_inside(node.right, own + 1)}"
        case Maybe():
            return f"{_inside(node.operand, 9)}?"
        case ListOf():
            return f"[{_commas(node.items)}]"
        case TableOf():
            return "{" + ", ".join(f"{name} = {written(value)}" for name, value in node.pairs) + "}"
        case Slot():
            return "{" + written(node.expression) + (f":{node.format}" if node.format else "") + "}"
        case Template():
            text = "".join(written(part) if isinstance(part, Slot) else part for part in node.parts)
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Reference():
            return node.target
    return ""


def _commas(nodes: tuple[object, ...]) -> str:
    return ", ".join(written(node) for node in nodes)


def _tightness(node: object) -> int:
    """How tight the outermost operator of an expression binds."""
    match node:
        case Binary():
            return _TIGHTNESS.get(node.operator, 4)
        case Unary():
            return 3 if node.operator == "not" else 7
    return 9


def _inside(node: object, tightness: int) -> str:
    """An operand, in parentheses if it binds less tight than that."""
    return f"({written(node)})" if _tightness(node) < tightness else written(node)


_TIGHTNESS = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6}
"""Of the operators of two sides; comparisons stand at 4, between `not` and sums."""


# ---------------------------------------------------------------------------------------------------------------------
# Values


def evaluate(node: Node, scope: Scope) -> object:
    """The value of an expression.

    What compares with a metric that is missing or not a number is itself MISSING, which is false.

    Raises:
        PipelineError: at the node that can't be evaluated.
    """
    return _EVALUATE[type(node)](node, scope)


def expand(slot: Slot, scope: Scope) -> str | list[str]:
    """What stands in the place of a slot: one text, or one for each item of a list.

    Raises:
        PipelineError: at the slot, if its value can't be written in its format.
    """
    value = evaluate(slot.expression, scope)
    try:
        return formatted(value, slot.format)
    except ValueError as error:
        raise PipelineError(f"`{written(slot)}` {error}", slot.at) from None


def _template(node: Template, scope: Scope) -> str:
    texts = (part if isinstance(part, str) else expand(part, scope) for part in node.parts)
    return "".join(text if isinstance(text, str) else " ".join(text) for text in texts)


def _attribute(node: Attribute, scope: Scope) -> object:
    base = evaluate(node.base, scope)
    if isinstance(base, Bundle):
        named = dict(base.named)
        if node.name in named:
            return named[node.name]
        raise _no_such(node, node.name, named)
    return _item(node, base, [node.name])


def _index(node: Index, scope: Scope) -> object:
    base = evaluate(node.base, scope)
    if len(node.arguments) != 1 or isinstance(node.arguments[0].value, Star | Span) or node.arguments[0].name:
        message = f"`{written(node)}` takes one value; keys are selected only of a target"
        raise PipelineError(message, node.at)
    key = evaluate(node.arguments[0].value, scope)
    if isinstance(base, Bundle):
        base = base.paths
    if isinstance(base, list | tuple):
        return _element(node, base, key)
    return _item(node, base, [key.value, key.text] if isinstance(key, Key) else [key, _key_text(key)])


def _key_text(key: object) -> object:
    return str(key) if isinstance(key, int | float) else key


def _element(node: Index, items: list[object] | tuple[object, ...], key: object) -> object:
    position = key.value if isinstance(key, Key) else key
    if not isinstance(position, int) or isinstance(position, bool):
        raise PipelineError(f"`{written(node.base)}` is a list: its items go by number, from 0", node.at)
    if not 0 <= position < len(items):
        raise PipelineError(f"`{written(node.base)}` has {len(items)} items, the first of them [0]", node.at)
    return items[position]


def _item(node: Attribute | Index, base: object, names: list[object]) -> object:
    """One value out of a table, under the first of the `names` that it has."""
    if isinstance(base, Mapping):
        for name in names:
            if isinstance(name, str | int | float) and name in base:
                found: object = base[name]
                return found
        if _is_metric(node):
            return MISSING
        raise _no_such(node, str(names[-1]), base)
    if isinstance(base, Missing):
        return MISSING
    raise PipelineError(f"`{written(node.base)}` is {kind_of(base)}: nothing can be looked up in it", node.at)


def _is_metric(node: Node) -> bool:
    while isinstance(node, Attribute | Index):
        node = node.base
    return isinstance(node, Name) and node.name == "metrics"


def _no_such(node: Attribute | Index, name: str, known: Mapping[str, object]) -> PipelineError:
    near = nearest(name, [str(other) for other in known])
    if near:
        hint = f"did you mean `{near}`?"
    else:
        hint = "it has " + ", ".join(f"`{other}`" for other in list(known)[:8]) if known else "it is empty"
    return PipelineError(f"`{written(node.base)}` has no `{name}`", node.at, hint)


def _unary(node: Unary, scope: Scope) -> object:
    value = evaluate(node.operand, scope)
    if node.operator == "not":
        return value if isinstance(value, Missing) else not _truth(value, node.operand)
    if isinstance(value, Missing):
        return value
    return -_number(value, node.operand)


def _binary(node: Binary, scope: Scope) -> object:
    if node.operator in ("and", "or"):
        return _logic(node, scope)
    left, right = _bare(evaluate(node.left, scope)), _bare(evaluate(node.right, scope))
    if isinstance(left, Missing) or isinstance(right, Missing):
        return MISSING
    if node.operator in _COMPARE:
        return _compare(node, left, right)
    return _arithmetic(node, left, right)


def _logic(node: Binary, scope: Scope) -> object:
    """`and` and `or`. Where one side is missing, the other decides if it can, else the whole is missing."""
    decisive = node.operator == "or"
    left = _truth(evaluate(node.left, scope), node.left)
    if left is decisive:
        return left
    right = _truth(evaluate(node.right, scope), node.right)
    return right if right is decisive or left is not MISSING else MISSING


def _compare(node: Binary, left: object, right: object) -> object:
    if any(isinstance(side, float) and math.isnan(side) for side in (left, right)):
        return MISSING
    if node.operator in ("==", "!="):
        return _COMPARE[node.operator](left, right)
    if left is None or right is None:
        return MISSING
    if not _ordered(left, right):
        raise PipelineError(f"{kind_of(left)} and {kind_of(right)} have no order", node.at)
    return _COMPARE[node.operator](left, right)


def _ordered(left: object, right: object) -> bool:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return numbers or (isinstance(left, str) and isinstance(right, str))


def _arithmetic(node: Binary, left: object, right: object) -> object:
    if node.operator == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if node.operator == "+" and isinstance(left, list) and isinstance(right, list):
        return [*left, *right]
    first, second = _number(left, node.left), _number(right, node.right)
    try:
        return _ARITHMETIC[node.operator](first, second)
    except ZeroDivisionError:
        raise PipelineError(f"`{written(node.right)}` is 0: nothing can be divided by it", node.right.at) from None
    except OverflowError:
        raise PipelineError("the result is too large for a number", node.at) from None


def _bare(value: object) -> object:
    """A key as the plain value that it is compared by."""
    return value.value if isinstance(value, Key) else value


def _number(value: object, node: Node) -> int | float:
    value = _bare(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PipelineError(f"a number is needed, and `{written(node)}` is {kind_of(value)}", node.at)
    return value


def _truth(value: object, node: Node) -> bool | Missing:
    if isinstance(value, bool | Missing):
        return value
    raise PipelineError(f"true or false is needed, and `{written(node)}` is {kind_of(value)}", node.at)


def _call(node: Call, scope: Scope) -> object:
    arguments = []
    for argument in node.arguments:
        if argument.name or isinstance(argument.value, Star | Span):
            raise PipelineError(f"`{node.function}` takes plain values", argument.at)
        arguments.append(evaluate(argument.value, scope))
    if node.function in _MANY:
        return _over_many(node, arguments)
    if node.function == "count" and len(arguments) == 1:
        return _count(node, arguments[0])
    return scope.call(node, arguments)


def _over_many(node: Call, arguments: list[object]) -> object:
    """`min max mean any all`, over the arguments or over the one list that is given."""
    first = arguments[0] if len(arguments) == 1 else arguments
    values = [_bare(value) for value in first] if isinstance(first, list | tuple) else [_bare(first)]
    present = [value for value in values if not isinstance(value, Missing)]
    if len(present) < len(values) or (not values and node.function not in ("any", "all")):
        return MISSING
    if node.function in ("any", "all"):
        return _MANY[node.function]([_truth(value, node) for value in values])
    numbers = [_number(value, node) for value in values]
    return MISSING if any(math.isnan(number) for number in numbers) else _MANY[node.function](numbers)


def _count(node: Call, value: object) -> object:
    match value:
        case Bundle():
            return len(value.paths)
        case list() | tuple() | Mapping():
            return len(value)
        case Missing():
            return MISSING
    raise PipelineError(f"`count` takes a list, and this is {kind_of(value)}", node.at)


_COMPARE: dict[str, Callable[..., bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_ARITHMETIC: dict[str, Callable[..., int | float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
}
_MANY: dict[str, Callable[..., object]] = {
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "any": any,
    "all": all,
}
_EVALUATE: dict[type, Callable[..., object]] = {
    Literal: lambda node, scope: node.value,
    Name: lambda node, scope: scope.name(node),
    Attribute: _attribute,
    Index: _index,
    Call: _call,
    Unary: _unary,
    Binary: _binary,
    Maybe: lambda node, scope: evaluate(node.operand, scope),
    ListOf: lambda node, scope: [evaluate(item, scope) for item in node.items],
    TableOf: lambda node, scope: {name: evaluate(value, scope) for name, value in node.pairs},
    Template: _template,
    Reference: lambda node, scope: scope.reference(node),
}
