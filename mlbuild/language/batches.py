"""Which paths of a batch's inputs can stand in a shell recipe as words, so that it is clear which are whose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlbuild.errors import PipelineError
from mlbuild.expression import Attribute, Between, Every, Name, One, Point, Slot, Template, written
from mlbuild.language.words import names_used, slots
from mlbuild.target import WIDTHS, Calendar, Glob, Input, Partition, Target


def inputs_in(slot: Slot, target: Target) -> list[Input] | None:
    """The items that `{inputs}` or `{inputs.NAME}` brings; None if the slot is neither."""
    match slot.expression:
        case Name(name="inputs"):
            return list(target.inputs)
        case Attribute(base=Name(name="inputs"), name=name):
            return [item for item in target.inputs if name == item.called]
    return None


def is_shared(item: Input, partition: str) -> bool:
    """Whether an input is the same whatever the key of one partition of its target is."""
    source = item.source
    if isinstance(source, Template | Glob):
        return partition not in names_used(source.pattern if isinstance(source, Glob) else source)
    return not any(point.partition == partition and not point.end for one in source.selectors for point in _points(one))


def verify(
    target: Target, targets: Mapping[str, Target], partitions: Mapping[str, Partition]
) -> Iterator[PipelineError]:
    """What is wrong with the words of a recipe in which `batch:` gives several keys."""
    if target.batch is None or target.recipe is None or target.recipe.kind != "shell":
        return
    key = target.partitions[-1]
    for slot in slots(target.recipe.text):
        items = inputs_in(slot, target)
        if items is None or slot.format == "json":
            continue
        differing = [item for item in items if not is_shared(item, key)]
        if not all(_is_one(item, targets, partitions) for item in differing):
            message = f"`{written(slot)}` may be more or fewer paths than one for each {key}"
        elif 0 < len(differing) < len(items):
            message = f"`{written(slot)}` holds what is of one {key} and what is the same for all"
        else:
            continue
        by_name = "name what you mean, as in {inputs.NAME}, or " if len(items) > 1 else ""
        way = f"{by_name}use {{{written(slot.expression)}:json}} or `run python:`"
        yield PipelineError(message, slot.at, f"in a batch nobody could tell which belong to which {key}: {way}")


def _is_one(item: Input, targets: Mapping[str, Target], partitions: Mapping[str, Partition]) -> bool:
    """Whether an input is surely one path at each key."""
    source = item.source
    if item.optional or isinstance(source, Glob):
        return False
    if isinstance(source, Template) or source.target not in targets:
        return True
    made = targets[source.target]
    paths = made.metrics if source.metrics is not None or not made.outputs else made.outputs
    if source.output is None and len(paths) != 1:
        return False
    return all(
        isinstance(one, One) and _is_one_key(one.point, name, partitions)
        for name, one in zip(made.partitions, source.selectors, strict=True)
    )


def _is_one_key(point: Point, partition: str, partitions: Mapping[str, Partition]) -> bool:
    """Whether what stands for a key of a partition is not a longer period, which may hold several of its keys."""
    other = point.partition
    if other in (None, partition) or other not in partitions or partition not in partitions:
        return True
    own, others = partitions[partition].source, partitions[other].source
    if not isinstance(own, Calendar) or not isinstance(others, Calendar):
        return True
    return WIDTHS.index(own.period) >= WIDTHS.index(others.period)


def _points(selector: One | Between | Every) -> list[Point]:
    match selector:
        case One(point=point):
            return [point]
        case Between(first=first, last=last):
            return [point for point in (first, last) if point]
    return []
