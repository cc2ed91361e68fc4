"""The values of a file that hold for all tasks: `param`, `params`, `let`. Worked out when asked for, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlbuild.errors import Location, PipelineError
from mlbuild.expression import (
    Call,
    ListOf,
    Literal,
    Name,
    Node,
    Reference,
    Slot,
    TableOf,
    Template,
    Unary,
    evaluate,
    walk,
)
from mlbuild.language.collect import AlreadySaid, Mistakes
from mlbuild.language.names import Names
from mlbuild.language.pending import refuse_pending
from mlbuild.target import Constant
from mlbuild.values import kind_of, nearest

FUNCTIONS: dict[str, tuple[int, int]] = {
    "size": (1, 1),
    "count": (1, 1),
    "rows": (1, 1),
    "exists": (1, 1),
    "env": (1, 2),
    "glob": (1, 1),
    "range": (1, 2),
    "keys": (1, 1),
    "lines": (1, 1),
    "min": (1, 1000),
    "max": (1, 1000),
    "mean": (1, 1000),
    "any": (1, 1000),
    "all": (1, 1000),
}
"""Fewest and most arguments of the functions of expressions."""
LONGEST_RANGE = 1_000_000


class Constants:
    """The constants of a pipeline; the scope of expressions outside targets.

    Args:
        names: all declared names, for what is said of a wrong one.
        mistakes: where an evaluation that fails is noted, once.
    """

    def __init__(self, names: Names, mistakes: Mistakes) -> None:
        self._names = names
        self._mistakes = mistakes
        self._makers: dict[str, tuple[str, Location, Callable[[], object]]] = {}
        self._made: dict[str, Constant | None] = {}
        self._making: list[str] = []

    def add(self, name: str, kind: str, at: Location, make: Callable[[], object]) -> None:
        """Declare a constant, whose value `make` gives when it is first needed."""
        self._makers[name] = (kind, at, make)

    def override(self, name: str, change: Callable[[object], object]) -> None:
        """Have a constant's value changed before anything sees it."""
        kind, at, make = self._makers[name]
        self._makers[name] = (kind, at, lambda: change(make()))

    def all(self) -> dict[str, Constant]:
        """Every constant that has a value; what is wrong with the others is noted."""
        found = {name: self._make(name) for name in self._makers}
        return {name: constant for name, constant in found.items() if constant is not None}

    # --- as a scope

    def name(self, node: Name) -> object:
        if node.name not in self._makers:
            if self._names.kind(node.name) == "partition":
                raise PipelineError(f"`{node.name}` is a partition: it has a value only in a target", node.at)
            raise self._names.unknown(node, (), False)
        if node.name in self._making:
            circle = " → ".join([*self._making[self._making.index(node.name) :], node.name])
            raise PipelineError(f"`{node.name}` needs its own value: {circle}", node.at)
        constant = self._make(node.name)
        if constant is None:
            raise AlreadySaid(f"`{node.name}` has no value", node.at)
        return constant.value

    def reference(self, node: Reference) -> object:
        raise PipelineError("a target has no value here", node.at)

    def call(self, node: Call, arguments: list[object]) -> object:
        check_call(node)
        if node.function == "range":
            return _range(node, arguments)
        if node.function == "keys":
            return _keys(node, arguments[0])
        refuse_pending(f"{node.function}() in an expression", node.at, f"{node.function}() here")
        raise PipelineError(f"`{node.function}()` looks at files, which a task has and this place has not", node.at)

    def _make(self, name: str) -> Constant | None:
        if name not in self._made:
            kind, at, make = self._makers[name]
            self._making.append(name)
            self._made[name] = None
            with self._mistakes.noted():
                self._made[name] = Constant(name, kind, make(), at)
            self._making.pop()
        return self._made[name]


def check_call(node: Call) -> None:
    """Raise PipelineError if there is no such function, or if it takes another number of arguments."""
    if node.function not in FUNCTIONS:
        near = nearest(node.function, FUNCTIONS)
        hint = f"did you mean `{near}`?" if near else "the functions are " + ", ".join(FUNCTIONS)
        raise PipelineError(f"there is no function `{node.function}`", node.at, hint)
    fewest, most = FUNCTIONS[node.function]
    given = len(node.arguments)
    if not fewest <= given <= most:
        wanted = f"{fewest} or {most}" if most == fewest + 1 else "at least 1" if most > fewest else str(fewest)
        noun = "value" if wanted.endswith("1") else "values"
        raise PipelineError(f"`{node.function}()` takes {wanted} {noun}, not {given}", node.at)


def literal_value(node: Node, name: str) -> object:
    """The value of a `param`, which is a literal. Raises PipelineError if it is an expression."""
    for part in walk(node):
        if isinstance(part, Slot | Name | Call) or not isinstance(part, Literal | Unary | Template | TableOf | ListOf):
            hint = f"a param is one literal, so that `{name}=…` can replace it; write `let` for what is worked out"
            raise PipelineError(f"the value of param `{name}` is no literal", node.at, hint)
    return evaluate(node, _NO_SCOPE)


def _range(node: Call, arguments: list[object]) -> list[object]:
    numbers = [argument for argument in arguments if isinstance(argument, int) and not isinstance(argument, bool)]
    if len(numbers) < len(arguments):
        raise PipelineError("`range()` takes whole numbers", node.at)
    found = range(*numbers)
    if len(found) > LONGEST_RANGE:
        raise PipelineError(f"`range()` gives at most {LONGEST_RANGE:,} numbers", node.at)
    return list(found)


def _keys(node: Call, value: object) -> list[object]:
    if not isinstance(value, Mapping):
        raise PipelineError(f"`keys()` takes a table, and this is {kind_of(value)}", node.at)
    return list(value)


class _NoScope:
    """For literals, which name nothing."""

    def name(self, node: Name) -> object:
        raise AssertionError(node)

    def reference(self, node: Reference) -> object:
        raise AssertionError(node)

    def call(self, node: Call, arguments: list[object]) -> object:
        raise AssertionError(node)


_NO_SCOPE = _NoScope()
