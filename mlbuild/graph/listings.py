"""Partitions whose keys are the lines of what a task makes: known for sure once that is in place. Unaware of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from mlbuild.errors import PipelineError
from mlbuild.expression import Key, Reference, Template
from mlbuild.files import literal_start
from mlbuild.graph.makers import Makers
from mlbuild.target import Glob, Input, Lines, Output, Pipeline, Target
from mlbuild.values import filled_lines, unfit_key


class Listing(Struct, frozen=True):
    """Where the keys of a partition stand: in the file `path`, which the target `maker` makes."""

    partition: str
    maker: Target
    path: str
    source: Lines


class Listings:
    """Those of a pipeline, by partition; what is wrong with one in the Pipelinefile has none.

    Args:
        path_of: the path of an output of a target without partitions.
        read: all bytes of a file; raises OSError as the system does.
    """

    def __init__(
        self, pipeline: Pipeline, path_of: Callable[[Output, Target], str], read: Callable[[str], bytes]
    ) -> None:
        self._targets = pipeline.targets
        self._read = read
        self._all: dict[str, Listing] = {}
        for name, partition in pipeline.partitions.items():
            maker = pipeline.targets.get(partition.source.target) if isinstance(partition.source, Lines) else None
            if maker is not None and isinstance(partition.source, Lines) and not maker.partitions:
                output = partition.source.of(maker)
                if output is not None:
                    self._all[name] = Listing(name, maker, path_of(output, maker), partition.source)
        self._feeding: dict[str, set[str]] = {}
        self.problems: dict[str, PipelineError] = {}
        """Why what stands in place of a list can't be one, by partition, as far as is known."""

    def __bool__(self) -> bool:
        return bool(self._all)

    def of(self, partitions: Iterable[str]) -> list[Listing]:
        """Of these partitions, those that have one."""
        return [self._all[name] for name in partitions if name in self._all]

    def by(self, target: Target) -> list[Listing]:
        """Those that a target makes."""
        return [listing for listing in self._all.values() if listing.maker is target]

    def guess(self) -> dict[str, tuple[Key, ...]]:
        """The keys of each partition as far as can be told: what the file lists that stands there now."""
        found: dict[str, tuple[Key, ...]] = {}
        for name, listing in self._all.items():
            found[name] = ()
            try:
                found[name] = self.keys(listing)
            except PipelineError as error:
                self.problems[name] = error
        return found

    def keys(self, listing: Listing) -> tuple[Key, ...]:
        """What the file lists that stands there. Raises PipelineError for what can't be a key, and for no file."""
        self.problems.pop(listing.partition, None)
        path, source = listing.path, listing.source
        made = f"{path}, which `{listing.maker.name}` makes,"
        try:
            lines = filled_lines(self._read(path))
        except OSError as error:
            reason = "it is not there" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
            raise PipelineError(
                f"the keys of `{listing.partition}` can't be read from {path}: {reason}", source.at
            ) from None
        except ValueError:
            hint = "have it written as UTF-8"
            raise PipelineError(
                f"{made} is to list the keys of `{listing.partition}`, and is not UTF-8", source.at, hint
            ) from None
        seen: dict[str, int] = {}
        for number, text in lines:
            problem = unfit_key(text)
            if text in seen:
                problem = f"line {seen[text]} is the same"
            if problem:
                message = f"line {number} of {made} can't be a key of `{listing.partition}`: {text!r}: {problem}"
                hint = f"have `{listing.maker.name}` list each key once, as it is to stand in paths"
                raise PipelineError(message, source.at, hint)
            seen[text] = number
        return tuple(Key(text, text) for text in seen)

    def that_may_make(self, path: str, makers: Makers, target: Target, *, whole: bool) -> list[Listing]:
        """Those on whose keys it hangs whether a task makes something at a path that an input of `target` names.

        Args:
            whole: it is a path, which may be a folder; else what a pattern begins with.
        """
        found: dict[str, Listing] = {}
        for other in makers.might(path, whole=whole):
            found |= {listing.partition: listing for listing in self.of(other.partitions)}
        return [each for each in found.values() if target.name not in self._before(each, makers)]

    def _before(self, listing: Listing, makers: Makers) -> set[str]:
        """The targets that may have to be done before a list is made, by name. Rather too many: what is none of them
        can wait for the list without closing a circle."""
        if listing.partition not in self._feeding:
            found, stack = {listing.maker.name}, [listing.maker]
            while stack:
                target = stack.pop()
                for name in _needed(target, makers, self.of(target.partitions)):
                    if name not in found:
                        found.add(name)
                        stack.append(self._targets[name])
            self._feeding[listing.partition] = found
        return self._feeding[listing.partition]


def _needed(target: Target, makers: Makers, listings: Iterable[Listing]) -> Iterable[str]:
    """The targets that a target may need, whatever the keys."""
    yield from (listing.maker.name for listing in listings)
    for item in (*target.inputs, *target.after):
        if isinstance(item.source, Reference):
            yield item.source.target
        else:
            start, whole = start_of(item)
            yield from (other.name for other in makers.might(start, whole=whole))


def start_of(item: Input) -> tuple[str, bool]:
    """What every path of an input begins with, and whether that is the whole of it."""
    source = item.source.pattern if isinstance(item.source, Glob) else item.source
    assert isinstance(source, Template)
    first = source.parts[0] if source.parts and isinstance(source.parts[0], str) else ""
    text = first.removeprefix("./")
    return (literal_start(text), False) if isinstance(item.source, Glob) else (text, len(source.parts) < 2)
