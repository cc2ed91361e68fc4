"""References to other targets: from names and indexes as written to one selector for each partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace

from mlbuild.collect import AlreadySaid
from mlbuild.errors import LEAVE_OUT, Location, PipelineError
from mlbuild.expression import (
    Argument,
    Attribute,
    Between,
    Binary,
    Every,
    Index,
    Literal,
    Name,
    Node,
    One,
    Point,
    Reference,
    Span,
    Star,
    evaluate,
    written,
)
from mlbuild.language.constants import Constants
from mlbuild.language.names import Names
from mlbuild.target import Calendar, Listed, Partition
from mlbuild.values import formatted, nearest

Selector = One | Between | Every
N = TypeVar("N")


class Header(Struct, frozen=True):
    """What others may refer to of a target: its partitions, in order, and the names of its outputs and metrics.

    Attributes:
        is_sound: nothing is wrong with its name and partitions; else `partitions` are all that it may have.
        is_whole: all its clauses could be read, so it has no other outputs.
    """

    name: str
    partitions: tuple[str, ...]
    outputs: frozenset[str]
    is_sound: bool = True
    is_whole: bool = True


class References:
    """Resolves the references of one pipeline.

    Args:
        headers: of all targets, by name.
        partitions: those whose statement was in order.
        constants: what stands inside `[ ]` may be one.
        names: all declared names.
    """

    def __init__(
        self,
        headers: Mapping[str, Header],
        partitions: Mapping[str, Partition],
        constants: Constants,
        names: Names,
    ) -> None:
        self._headers = headers
        self._partitions = partitions
        self._constants = constants
        self._names = names

    def linked(self, node: N, own: Header) -> N:
        """An expression with Reference in the place of all that means targets. `own` is the target it stands in."""
        if isinstance(node, Name | Attribute | Index):
            found = self.reference(node, own)
            if found is not None:
                return found  # type: ignore[return-value]
        changes: dict[str, Any] = {}
        for field in fields(node):  # type: ignore[arg-type]
            value = getattr(node, field.name)
            if isinstance(value, tuple):
                changes[field.name] = tuple(self.linked(item, own) if _is_node(item) else item for item in value)
            elif _is_node(value):
                changes[field.name] = self.linked(value, own)
        return replace(node, **changes) if changes else node  # type: ignore[type-var]

    def reference(self, node: Node, own: Header) -> Reference | None:
        """What a name, with what follows it, refers to; None if it does not begin with a target's name.

        Raises:
            PipelineError: it refers to nothing.
            AlreadySaid: what it refers to could not be read.
        """
        steps: list[Attribute | Index] = []
        base = node
        while isinstance(base, Attribute | Index):
            steps.insert(0, base)
            base = base.base
        if not isinstance(base, Name):
            return None
        self._names.refuse_lost(base.name)
        if self._names.kind(base.name) != "target":
            return None
        header = self._headers[base.name]
        index = steps[0] if steps and isinstance(steps[0], Index) else None
        output, metrics = self._part(header, steps[1:] if index else steps)
        if not header.is_sound or not own.is_sound:
            raise AlreadySaid(f"the partitions of `{header.name}` or `{own.name}` could not be read")
        selectors = self._selectors(header, index, base, own)
        return Reference(header.name, selectors, output, metrics, node.at)

    # --- What of the target

    def _part(self, header: Header, steps: list[Attribute | Index]) -> tuple[str | None, tuple[str | int, ...] | None]:
        """The named output, or the way into the metrics."""
        if not steps:
            return None, None
        first, *rest = steps
        if isinstance(first, Index):
            raise PipelineError(f"`{header.name}` takes its keys in one pair of brackets", first.at)
        if first.name == "metrics":
            return None, tuple(self._step(step) for step in rest)
        if first.name not in header.outputs:
            if not header.is_whole:
                raise AlreadySaid(f"a clause of `{header.name}` could not be read")
            raise _no_output(header, first)
        if rest:
            hint = f"keys stand after the target's name: {header.name}[…].{first.name}"
            raise PipelineError(f"nothing can follow the output `{first.name}`", rest[0].at, hint)
        return first.name, None

    def _step(self, step: Attribute | Index) -> str | int:
        """One step on the way into metrics files."""
        if isinstance(step, Attribute):
            return step.name
        argument = step.arguments[0]
        if len(step.arguments) == 1 and argument.name is None and not isinstance(argument.value, Star | Span):
            value = evaluate(argument.value, self._constants)
            if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
                return value
        raise PipelineError('a metric goes by a name or a number: ["f1-score"], [0]', step.at)

    # --- Which of its tasks

    def _selectors(self, header: Header, index: Index | None, name: Name, own: Header) -> tuple[Selector, ...]:
        given = self._given(header, index, own) if index else {}
        missing = [one for one in header.partitions if one not in given and one not in own.partitions]
        if missing:
            raise self._missing(header, missing, index or name, own)
        at = index.at if index else name.at
        return tuple(given.get(one) or One(Point(at, partition=one)) for one in header.partitions)

    def _missing(self, header: Header, missing: list[str], node: Node, own: Header) -> PipelineError:
        keys = " and ".join(f"`{one}`" for one in missing)
        shared = any(one in own.partitions for one in header.partitions)
        every = ", ".join(f"{one} = *" for one in missing) if shared else "*"
        return PipelineError(
            f"`{header.name}` has a task for each key of {keys}, and it is not said which are meant",
            node.at,
            f"all of them: {header.name}[{every}]",
        )

    def _given(self, header: Header, index: Index, own: Header) -> dict[str, Selector]:
        """The selectors as written, by partition."""
        if not header.partitions:
            raise PipelineError(f"`{header.name}` has no partitions, so no key can be selected", index.at)
        if self._is_every(index):
            return self._every(header, index, own)
        given: dict[str, Selector] = {}
        for position, argument in enumerate(index.arguments):
            name = self._selected(header, argument, position, own)
            if name in given:
                raise PipelineError(f"`{name}` is selected twice", argument.at, LEAVE_OUT)
            given[name] = self._selector(argument, name, header, own)
        return given

    def _is_every(self, index: Index) -> bool:
        return len(index.arguments) == 1 and not index.arguments[0].name and isinstance(index.arguments[0].value, Star)

    def _every(self, header: Header, index: Index, own: Header) -> dict[str, Selector]:
        """`target[*]`: every key of every partition, if that can't be meant otherwise."""
        shared = [one for one in header.partitions if one in own.partitions]
        if shared:
            others = [one for one in header.partitions if one not in shared]
            same = f"{header.name}[{', '.join(f'{one} = *' for one in others)}]" if others else header.name
            everything = ", ".join(f"{one} = *" for one in header.partitions)
            message = f"`{header.name}[*]` is not clear in a target that has `{shared[0]}` too"
            hint = f"of the same {shared[0]}: {same}; of every {shared[0]}: {header.name}[{everything}]"
            raise PipelineError(message, index.at, hint)
        return {one: Every(index.at) for one in header.partitions}

    def _selected(self, header: Header, argument: Argument, position: int, own: Header) -> str:
        """The name of the partition that a selector goes for."""
        if argument.name is None:
            if position < len(header.partitions):
                return header.partitions[position]
            message = f"`{header.name}` has {len(header.partitions)} partitions, and this is one key more"
            raise PipelineError(message, argument.at, f"its partitions: {', '.join(header.partitions)}")
        if argument.name not in header.partitions:
            near = nearest(argument.name, header.partitions)
            hint = f"did you mean `{near}`?" if near else f"its partitions: {', '.join(header.partitions)}"
            raise PipelineError(f"`{header.name}` has no partition `{argument.name}`", argument.at, hint)
        return argument.name

    def _selector(self, argument: Argument, partition: str, header: Header, own: Header) -> Selector:
        value = argument.value
        if isinstance(value, Star):
            return Every(value.at)
        if isinstance(value, Span):
            ends = [self._point(end, partition, header, own) if end else None for end in (value.first, value.last)]
            return Between(ends[0], ends[1], value.at)
        return One(self._point(value, partition, header, own))

    # --- Points

    def _point(self, node: Node, partition: str, header: Header, own: Header) -> Point:
        base, offset = self._shift(node)
        name, end = self._end(base)
        if self._names.kind(name) == "partition":
            return self._own_point(node, name, end, offset, partition, own)
        if base is not node and not isinstance(base, Name):
            raise PipelineError("only a partition's own key can be shifted, as in [day-1]", node.at)
        return Point(node.at, key=self._key_text(node, partition, header))

    def _shift(self, node: Node) -> tuple[Node, int]:
        """`day - 6` as (`day`, -6)."""
        if not isinstance(node, Binary) or node.operator not in ("+", "-") or not _is_dimension(node, self._names):
            return node, 0
        base, before = self._shift(node.left)
        value = evaluate(node.right, self._constants)
        if not isinstance(value, int) or isinstance(value, bool):
            raise PipelineError("a key is shifted by a whole number of keys, as in [day-1]", node.right.at)
        return base, before + (value if node.operator == "+" else -value)

    def _end(self, node: Node) -> tuple[str, str]:
        """`day.last` as (`day`, `last`)."""
        if isinstance(node, Attribute) and isinstance(node.base, Name):
            if self._names.kind(node.base.name) == "partition" and node.name not in ("first", "last"):
                message = f"`{node.base.name}` has no `{node.name}`"
                raise PipelineError(message, node.at, f"it has {node.base.name}.first and {node.base.name}.last")
            return node.base.name, node.name
        return (node.name, "") if isinstance(node, Name) else ("", "")

    def _own_point(self, node: Node, name: str, end: str, offset: int, partition: str, own: Header) -> Point:
        if name != partition:
            self._check_calendars(node, name, partition)
        if not end and name not in own.partitions:
            hint = f"write one key, or all: [{partition} = *]"
            raise PipelineError(f"this target has no `{name}` of its own", node.at, hint)
        return Point(node.at, partition=name, end=end, offset=offset)

    def _check_calendars(self, node: Node, name: str, partition: str) -> None:
        """A key can stand for those of another partition if both are calendars by the same clock."""
        for one in (name, partition):
            if one not in self._partitions:
                raise AlreadySaid(f"partition `{one}`")
        own, other = self._partitions[name].source, self._partitions[partition].source
        if not isinstance(own, Calendar) or not isinstance(other, Calendar):
            message = f"a key of `{name}` says nothing of `{partition}`: only calendars contain each other"
            raise PipelineError(message, node.at, f"write one key of `{partition}`, or all: [{partition} = *]")
        if (own.zone or "UTC") != (other.zone or "UTC"):
            message = f"`{name}` and `{partition}` go by different clocks: {own.zone or 'UTC'}, {other.zone or 'UTC'}"
            raise PipelineError(message, node.at, 'give both the same `in "…"`')

    def _key_text(self, node: Node, partition: str, header: Header) -> str:
        if isinstance(node, Name) and not self._names.is_constant(node.name):
            self._names.refuse_lost(node.name)
            raise self._bare_word(node, partition, header)
        value = evaluate(node, self._constants)
        keys = self._listed(partition)
        if isinstance(node, Literal) and value != node.text and not isinstance(value, str):
            same = [key for key in keys if key.text == node.text] or [key for key in keys if key.value == value]
            return same[0].text if same else node.text
        try:
            text = formatted(value, "")
        except ValueError as error:
            raise PipelineError(f"`{written(node)}` {error}", node.at) from None
        if isinstance(text, list):
            raise PipelineError(f"`{written(node)}` is a list, and one key is needed", node.at)
        return text

    def _listed(self, partition: str) -> tuple[Any, ...]:
        if partition not in self._partitions:
            raise AlreadySaid(f"partition `{partition}`")
        source = self._partitions[partition].source
        return source.keys if isinstance(source, Listed) else ()

    def _bare_word(self, node: Name, partition: str, header: Header) -> PipelineError:
        keys = [key.text for key in self._listed(partition)]
        isa = f"`{node.name}` is a name, and there is none such"
        if node.name in keys:
            return PipelineError(isa, node.at, f'a key is written in quotes: {header.name}["{node.name}"]')
        near = nearest(node.name, [*keys, *self._names.declared])
        hint = f'did you mean "{near}"?' if near in keys else f"did you mean `{near}`?" if near else None
        if self._partitions[partition].source and isinstance(self._partitions[partition].source, Calendar):
            hint = hint or "keys of a calendar are dates: [2013-01-31]"
        return PipelineError(isa, node.at, hint)


def _is_node(value: object) -> bool:
    return hasattr(value, "at") and not isinstance(value, Location | Reference)


def _is_dimension(node: Node, names: Names) -> bool:
    """Whether a sum begins with a partition, so that it is a shift."""
    while isinstance(node, Binary):
        node = node.left
    if isinstance(node, Attribute):
        node = node.base
    return isinstance(node, Name) and names.kind(node.name) == "partition"


def _no_output(header: Header, step: Attribute) -> PipelineError:
    near = nearest(step.name, [*header.outputs, "metrics"])
    if near:
        hint = f"did you mean `{near}`?"
    elif header.outputs:
        hint = "its named outputs: " + ", ".join(sorted(header.outputs))
    else:
        hint = f'name it there: outputs: {step.name} = "…"'
    return PipelineError(f"`{header.name}` has no output `{step.name}`", step.at, hint)
