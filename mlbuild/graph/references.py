"""What a reference means at a task's keys: positions in the partitions of the target that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from mlbuild.errors import Location, PipelineError
from mlbuild.expression import Between, Every, Key, One, Point, Reference
from mlbuild.graph.partitions import Keys, is_finer, period_of
from mlbuild.target import Target
from mlbuild.values import is_moment


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
        if _is_own(selector, name):
            choices.append((own[name],))
            continue
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


def _is_own(selector: One | Between | Every, partition: str) -> bool:
    """Whether it means the very key of the task in which the reference stands."""
    if not isinstance(selector, One):
        return False
    point = selector.point
    return point.partition == partition and not point.offset and not point.end


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
    first, stop = 0, len(keys)
    if selector.first is not None:
        first, _ = _end(selector.first, keys, optional) or _place(selector.first, keys, own, partitions)
    if selector.last is not None:
        _, stop = _end(selector.last, keys, optional) or _place(selector.last, keys, own, partitions)
    if selector.first and selector.last and selector.first.key and selector.last.key and first >= stop > 0:
        message = f"this range ends ({selector.last.key}) before it begins ({selector.first.key})"
        raise PipelineError(message, selector.last.at, "the first key stands before the `..`")
    return max(0, first), max(0, stop)


def _single(point: Point, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> tuple[int, int]:
    first, stop = _place(point, keys, own, partitions)
    if not 0 <= first < stop <= len(keys):
        hint = "add `?` if it may be absent"
        if point.offset:
            window = _window(point, keys)
            hint = f"write {window}, which is cut to the partition, or `?`, which leaves out what failed, too"
        shown = _shown(point, own)
        raise OutsidePartition(
            f"{shown} is outside the partition `{keys.partition.name}` ({extent(keys)})", point.at, hint
        )
    return first, stop


def _shown(point: Point, own: Mapping[str, Key]) -> str:
    if point.partition is None:
        return str(point.key)
    where = "" if point.end else f" at {own[point.partition]}"
    return _written(point) + where


def _written(point: Point) -> str:
    shift = f"{point.offset:+d}" if point.offset else ""
    return f"{point.partition}{'.' + point.end if point.end else ''}{shift}"


def _window(point: Point, keys: Keys) -> str:
    """The window of one key that begins and ends at the point."""
    lead = "" if point.partition == keys.partition.name else f"{keys.partition.name} = "
    return f"[{lead}{_written(point)}..{_written(point)}]"


def _end(point: Point, keys: Keys, optional: bool) -> tuple[int, int] | None:
    """Where the end of a range lies in a calendar if it is a date: it may be a month, a day or an hour of any.

    None if there is nothing, and that is not what was asked for.
    """
    found = keys.span(point.key) if point.key is not None and keys.ordered else None
    return found if found and (optional or found[0] < found[1]) else None


def _place(point: Point, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> tuple[int, int]:
    """Where a point lies in `keys`: first and one past last position, which may lie outside."""
    if point.key is not None:
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
    if is_finer(others, keys):
        text = period_of(text, keys.period)
    first, stop = keys.within(text, others.period if is_finer(keys, others) else keys.period)
    if position < 0:
        return first, first
    return (first, stop) if position < len(others) else (stop, stop)


def known(text: str, keys: Keys, at: Location | None) -> int:
    """The position of the key of this text. Raises OutsidePartition, with the nearest key, if there is none."""
    position = keys.position(text)
    if position is None:
        if len(keys) and keys.ordered and not is_moment(text):
            hint: str | None = f"a date is needed, as in {keys.all[0].text}"
        else:
            near = keys.nearest(text)
            hint = f"did you mean {near}?" if near else None
        raise OutsidePartition(f"`{keys.partition.name}` has no key {text} ({extent(keys)})", at, hint)
    return position


def extent(keys: Keys) -> str:
    """How many keys there are, and which, in words."""
    if not len(keys):
        return "it has no keys"
    if len(keys) <= 4:
        return "its keys: " + ", ".join(key.text for key in keys.all)
    return f"{len(keys)} keys from {keys.all[0].text} to {keys.all[-1].text}"
