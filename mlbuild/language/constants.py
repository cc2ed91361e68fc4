"""The values of a file that hold for all tasks: `param`, `params`, `let`. Worked out when asked for, each once."""

from __future__ import annotations

from collections.abc import Callable

from mlbuild.collect import AlreadySaid, Mistakes
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
from mlbuild.files import Files
from mlbuild.language import functions
from mlbuild.language.names import Names
from mlbuild.target import Constant


class Constants:
    """The constants of a pipeline; the scope of expressions outside targets.

    Args:
        names: all declared names, for what is said of a wrong one.
        mistakes: where an evaluation that fails is noted, once.
        files: what `glob` and `lines` look at.
    """

    def __init__(self, names: Names, mistakes: Mistakes, files: Files) -> None:
        self.files = files
        self._names = names
        self._mistakes = mistakes
        self._makers: dict[str, tuple[str, Location, Callable[[], object], str]] = {}
        self._made: dict[str, Constant | None] = {}
        self._making: list[str] = []

    def add(self, name: str, kind: str, at: Location, make: Callable[[], object], path: str = "") -> None:
        """Declare a constant, whose value `make` gives when it is first needed."""
        self._makers[name] = (kind, at, make, path)

    def override(self, name: str, change: Callable[[object], object]) -> None:
        """Have a constant's value changed before anything sees it."""
        kind, at, make, path = self._makers[name]
        self._makers[name] = (kind, at, lambda: change(make()), path)

    def all(self) -> dict[str, Constant]:
        """Every constant that has a value; what is wrong with the others is noted."""
        found = {name: self._make(name) for name in self._makers}
        return {name: constant for name, constant in found.items() if constant is not None}

    # --- as a scope

    def name(self, node: Name) -> object:
        self._names.refuse_lost(node.name)
        if node.name not in self._makers:
            if self._names.kind(node.name) == "partition":
                message = f"`{node.name}` is a partition: it has a value only in a target"
                raise PipelineError(message, node.at, f"use it in a `target NAME[{node.name}]:`")
            raise self._names.unknown(node, (), False)
        if node.name in self._making:
            circle = " → ".join([*self._making[self._making.index(node.name) :], node.name])
            message = f"`{node.name}` needs its own value: {circle}"
            raise PipelineError(message, node.at, "work one of them out otherwise")
        constant = self._make(node.name)
        if constant is None:
            raise AlreadySaid(f"`{node.name}` has no value", node.at)
        return constant.value

    def reference(self, node: Reference) -> object:
        raise PipelineError("a target has no value here", node.at)

    def call(self, node: Call, arguments: list[object]) -> object:
        return functions.call(node, arguments, self.files)

    def is_target(self, name: str) -> bool:
        return self._names.kind(name) == "target"

    def _make(self, name: str) -> Constant | None:
        if name not in self._made:
            kind, at, make, path = self._makers[name]
            self._making.append(name)
            self._made[name] = None
            with self._mistakes.noted():
                self._made[name] = Constant(name, kind, make(), at, path)
            self._making.pop()
            if self._made[name] is None:
                self._names.lost.names.add(name)
        return self._made[name]


def literal_value(node: Node, name: str) -> object:
    """The value of a `param`, which is a literal. Raises PipelineError if it is an expression."""
    for part in walk(node):
        if isinstance(part, Slot | Name | Call) or not isinstance(part, Literal | Unary | Template | TableOf | ListOf):
            hint = f"a param is one literal, so that `{name}=…` can replace it; write `let` for what is worked out"
            raise PipelineError(f"the value of param `{name}` is no literal", node.at, hint)
    return evaluate(node, _NO_SCOPE)


class _NoScope:
    """For literals, which name nothing."""

    def name(self, node: Name) -> object:
        raise AssertionError(node)

    def reference(self, node: Reference) -> object:
        raise AssertionError(node)

    def call(self, node: Call, arguments: list[object]) -> object:
        raise AssertionError(node)


_NO_SCOPE = _NoScope()
