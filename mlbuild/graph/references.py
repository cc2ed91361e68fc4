"""What a reference means at a task's keys: positions in the partitions of the target that it names."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import product

from mlbuild.errors import Location, PipelineError
from mlbuild.expression import Between, Every, Key, One, Point, Reference
from mlbuild.graph.partitions import Keys, is_finer, period_of
from mlbuild.target import Target


class OutsidePartition(PipelineError):
    """A single key, or a literal end, that the partition does not have."""


def resolve(
    reference: Reference,
    target: Target,
    own: Mapping[str, Key],
    partitions: Mapping[str, Keys],
    *,
    optional: bool = False,
) -> list[tuple[Key, ...]]:
    """The keys of the referred `target` that the reference means, in key order.

    Args:
        own: the keys of the task in which the reference stands, by partition.
        optional: keys that do not exist are left out.

    Raises:
        OutsidePartition: a single key or a literal end is none of the partition's; never for windows and open ranges,
            which are cut to it.
    """
    choices: list[Sequence[Key]] = []
    for name, selector in zip(target.partitions, reference.selectors, strict=True):
        keys = partitions[name]
        if isinstance(selector, Every):
            choices.append(keys.all)
            continue
        try:
            first, stop = _bounds(selector, keys, own, partitions, optional)
        except OutsidePartition:
            if not optional:
                raise
            return []
        choices.append(keys.all[first:stop])
    return list(product(*choices))


def is_plural(reference: Reference, target: Target, partitions: Mapping[str, Keys]) -> bool:
    """Whether the reference may mean several tasks: a window, a range, `*`, a day in the place of its hours."""
    for name, selector in zip(target.partitions, reference.selectors, strict=True):
        other = selector.point.partition if isinstance(selector, One) else None
        if not isinstance(selector, One) or (other and is_finer(partitions[name], partitions[other])):
            return True
    return False


def _bounds(
    selector: One | Between, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys], optional: bool
) -> tuple[int, int]:
    """First and one past last position."""
    if isinstance(selector, One):
        return _single(selector.point, keys, own, partitions)
    first = 0 if selector.first is None else _place(selector.first, keys, own, partitions, optional)[0]
    stop = len(keys) if selector.last is None else _place(selector.last, keys, own, partitions, optional)[1]
    if selector.first and selector.last and selector.first.key and selector.last.key and first >= stop > 0:
        message = f"this range ends ({selector.last.key}) before it begins ({selector.first.key})"
        raise PipelineError(message, selector.last.at, "the first key stands before the `..`")
    return max(0, first), max(0, stop)


def _single(point: Point, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> tuple[int, int]:
    first, stop = _place(point, keys, own, partitions, False)
    if not 0 <= first < stop <= len(keys):
        hint = "add `?` if it may be absent"
        shown = _shown(point, own, partitions)
        raise OutsidePartition(
            f"{shown} is outside the partition `{keys.partition.name}` ({extent(keys)})", point.at, hint
        )
    return first, stop


def _shown(point: Point, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> str:
    if point.partition is None:
        return str(point.key)
    shift = f"{point.offset:+d}" if point.offset else ""
    where = "" if point.end else f" at {own[point.partition]}"
    return f"{point.partition}{'.' + point.end if point.end else ''}{shift}{where}"


def _place(
    point: Point, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys], optional: bool
) -> tuple[int, int]:
    """Where a point lies in `keys`: first and one past last position, which may lie outside."""
    if point.key is not None:
        if optional and keys.ordered and keys.position(point.key) is None:
            cut = keys.first_from(point.key)
            return cut, cut
        position = known(point.key, keys, point.at)
        return position, position + 1
    assert point.partition is not None
    others = partitions[point.partition]
    position = _start(point, others, own) + point.offset
    if others is keys:
        return position, position + 1
    return _contained(keys, others, position)


def _start(point: Point, keys: Keys, own: Mapping[str, Key]) -> int:
    if point.end:
        return 0 if point.end == "first" else len(keys) - 1
    found = keys.position(own[str(point.partition)].text)
    assert found is not None
    return found


def _contained(keys: Keys, others: Keys, position: int) -> tuple[int, int]:
    """Where the key of another calendar lies in `keys`: what it contains, or the one key that it is contained in.

    A period belongs to the one in which it begins (a week to the month of its Monday). What lies outside the other
    calendar is empty, at its end.
    """
    if not others.all:
        return 0, 0
    text = others.all[max(0, min(position, len(others) - 1))].text
    unit = others.period if is_finer(keys, others) else keys.period
    first, stop = _span(keys, period_of(text, unit), unit)
    if position < 0:
        return first, first
    return (first, stop) if position < len(others) else (stop, stop)


def _span(keys: Keys, text: str, unit: str) -> tuple[int, int]:
    """First and one past last position of the keys that begin in the period `text`."""
    exact = keys.position(text)
    if exact is not None and unit == keys.period:
        return exact, exact + 1
    begins = keys.periods(unit)
    return bisect_left(begins, text), bisect_right(begins, text)


def known(text: str, keys: Keys, at: Location | None) -> int:
    """The position of the key of this text. Raises OutsidePartition, with the nearest key, if there is none."""
    position = keys.position(text)
    if position is None:
        near = get_close_matches(text, [key.text for key in keys.all], 1)
        hint = f"did you mean {near[0]}?" if near else None
        raise OutsidePartition(f"`{keys.partition.name}` has no key {text} ({extent(keys)})", at, hint)
    return position


def extent(keys: Keys) -> str:
    """How many keys there are, and which, in words."""
    if not len(keys):
        return "it has no keys"
    if len(keys) <= 4:
        return "its keys: " + ", ".join(key.text for key in keys.all)
    return f"{len(keys)} keys from {keys.all[0].text} to {keys.all[-1].text}"
