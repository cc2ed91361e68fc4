"""What a reference means at a task's keys: positions in the partitions of the target that it names."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import product

from mlbuild.errors import Location, PipelineError
from mlbuild.expression import Between, Every, Key, One, Point, Reference
from mlbuild.graph.partitions import Keys
from mlbuild.target import Target


class OutsidePartition(PipelineError):
    """A single key, or a literal end, that the partition does not have."""


def resolve(
    reference: Reference, target: Target, own: Mapping[str, Key], partitions: Mapping[str, Keys]
) -> list[tuple[Key, ...]]:
    """The keys of the referred `target` that the reference means, in key order.

    Args:
        own: the keys of the task in which the reference stands, by partition.

    Raises:
        OutsidePartition: a single key or a literal end is none of the partition's; never for windows and open ranges,
            which are cut to it.
    """
    choices = []
    for name, selector in zip(target.partitions, reference.selectors, strict=True):
        keys = partitions[name]
        if isinstance(selector, Every):
            choices.append(keys.all)
        elif isinstance(selector, One):
            choices.append((keys.all[_single(selector.point, keys, own, partitions)],))
        else:
            choices.append(keys.all[slice(*_bounds(selector, keys, own, partitions))])
    return list(product(*choices))


def _single(point: Point, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> int:
    position = _position(point, keys, own, partitions)
    if not 0 <= position < len(keys):
        shown = point.key or f"{point.partition}{point.offset:+d}"
        raise OutsidePartition(
            f"{shown} is outside the partition `{keys.partition.name}` ({_extent(keys)})",
            point.at,
            "add `?` if it may be absent",
        )
    return position


def _bounds(selector: Between, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> tuple[int, int]:
    """First and one past last position."""
    first = 0 if selector.first is None else _position(selector.first, keys, own, partitions)
    last = len(keys) - 1 if selector.last is None else _position(selector.last, keys, own, partitions)
    return max(0, first), max(0, min(last, len(keys) - 1) + 1)


def _position(point: Point, keys: Keys, own: Mapping[str, Key], partitions: Mapping[str, Keys]) -> int:
    """Where a point lies in `keys`; it may lie outside."""
    if point.key is not None:
        return known(point.key, keys, point.at)
    assert point.partition is not None
    if point.partition != keys.partition.name:
        message = f"a key of `{point.partition}` in the place of one of `{keys.partition.name}` is not there yet"
        raise PipelineError(message, point.at)
    if point.end:
        start = 0 if point.end == "first" else len(keys) - 1
    else:
        found = keys.position(own[point.partition].text)
        assert found is not None
        start = found
    return start + point.offset


def known(text: str, keys: Keys, at: Location | None) -> int:
    """The position of the key of this text. Raises OutsidePartition, with the nearest key, if there is none."""
    position = keys.position(text)
    if position is None:
        near = get_close_matches(text, [key.text for key in keys.all], 1)
        hint = f"did you mean {near[0]}?" if near else None
        raise OutsidePartition(f"`{keys.partition.name}` has no key {text} ({_extent(keys)})", at, hint)
    return position


def _extent(keys: Keys) -> str:
    if not len(keys):
        return "it has no keys"
    if len(keys) <= 4:
        return "its keys: " + ", ".join(key.text for key in keys.all)
    return f"{len(keys)} keys from {keys.all[0].text} to {keys.all[-1].text}"
