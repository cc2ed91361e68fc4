"""One target at one key of each of its partitions, and where its inputs come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.errors import Location
from mlbuild.expression import Bundle, Key
from mlbuild.target import Target


class Task(Struct, frozen=True, eq=False):
    """A task. Paths are relative to the workspace, or absolute; a directory's ends in `/`. Compared by identity."""

    name: str
    target: Target
    keys: tuple[Key, ...]
    outputs: tuple[str, ...]
    metrics: tuple[str, ...]
    checkpoint: str = ""
    """The directory in which its checkpoints lie; empty if it has none."""

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def made(self) -> tuple[str, ...]:
        """All that it makes: outputs, then metrics."""
        return self.outputs + self.metrics

    @property
    def temporary(self) -> tuple[str, ...]:
        """The outputs that are removed once nothing needs them."""
        return tuple(path for path, made in zip(self.outputs, self.target.outputs, strict=True) if made.temporary)

    @property
    def is_group(self) -> bool:
        """Whether it has nothing to run and only gathers others."""
        return self.target.recipe is None

    def named_outputs(self) -> Bundle:
        """`{outputs}`: all in order, those with a name also by it."""
        return _bundle(self.outputs, [output.name for output in self.target.outputs])

    def named_metrics(self) -> Bundle:
        return _bundle(self.metrics, [output.name for output in self.target.metrics])


def _bundle(paths: tuple[str, ...], names: list[str | None]) -> Bundle:
    named = tuple(
        (name, Bundle((path,), single=True)) for name, path in zip(names, paths, strict=True) if name is not None
    )
    return Bundle(paths, named, single=len(paths) == 1)


class Source(Struct, frozen=True):
    """One item of a task's `inputs:`.

    Attributes:
        name: what `{inputs.NAME}` calls it.
        paths: what it brings.
        reads: the paths whose content counts, and the task that makes each (None: a file of the user's). They are
            `paths`, but for a directory that holds what tasks make.
        needs: the tasks it comes from, those included that bring no path.
        single: one path was declared, not a list that may hold one.
        optional: it may be absent.
        kind: `input`: content counts; `stat`: size and time do; `remote`: `reads` is a URL; `local`: one whose copy is
            in `paths`.
    """

    name: str | None
    paths: tuple[str, ...]
    reads: tuple[tuple[str, Task | None], ...]
    needs: tuple[Task, ...]
    single: bool
    at: Location
    optional: bool = False
    kind: str = "input"

    def rows(self) -> list[Mapping[str, object]]:
        """What `{inputs:json}` says of it."""
        makers = dict(self.reads)
        return [_row(path, makers.get(path)) for path in self.paths]

    def without(self, tasks: Collection[Task]) -> Source:
        """What is left of it if these tasks make nothing."""
        reads = tuple((path, task) for path, task in self.reads if task not in tasks)
        if len(reads) == len(self.reads):
            return self
        gone = {path for path, _ in self.reads} - {path for path, _ in reads}
        paths = tuple(path for path in self.paths if reads and path not in gone)
        return replace(self, paths=paths, reads=reads)


def _row(path: str, maker: Task | None) -> Mapping[str, object]:
    if maker is None:
        return {"path": path, "target": None, "keys": {}}
    keys = zip(maker.target.partitions, maker.keys, strict=True)
    return {"path": path, "target": maker.target.name, "keys": {name: key.text for name, key in keys}}


def inputs_bundle(sources: tuple[Source, ...]) -> Bundle:
    """`{inputs}`: the paths of all sources, each source also by its name (a name brought twice is none)."""
    paths = tuple([path for source in sources for path in source.paths])
    names = [source.name for source in sources]
    named = tuple(
        (source.name, _source_bundle(source))
        for source in sources
        if source.name is not None and names.count(source.name) == 1
    )
    single = len(sources) == 1 and sources[0].single
    return Bundle(paths, named, single=single, rows=lambda: [row for source in sources for row in source.rows()])


def joined(bundles: Sequence[Bundle]) -> Bundle:
    """What several tasks of a target make: an item a task; as words, that of one behind that of the other."""
    paths = tuple(path for bundle in bundles for path in bundle.paths)
    parts = [dict(bundle.named) for bundle in bundles]
    named = tuple((name, joined([part[name] for part in parts])) for name in parts[0])
    return Bundle(paths, named, each=tuple(bundles))


def joined_inputs(tasks: Sequence[tuple[Key, tuple[Source, ...]]], shared: Sequence[bool]) -> Bundle:
    """`{inputs}` of several tasks of a target: an item a task.

    Args:
        tasks: the key by which each differs from the others, and its sources.
        shared: of which sources all of them have the same paths. As words these stand there once.
    """
    bundles = [inputs_bundle(sources) for _, sources in tasks]
    found = [
        _joined_source([(key, sources[position]) for key, sources in tasks], is_shared)
        for position, is_shared in enumerate(shared)
    ]
    names = {source.name: position for position, source in enumerate(tasks[0][1])}
    named = tuple((name, found[names[name]]) for name, _ in bundles[0].named)
    paths = bundles[0].paths if all(shared) else tuple(path for bundle in bundles for path in bundle.paths)

    def rows() -> list[Mapping[str, object]]:
        return [row for bundle in found if bundle.rows for row in bundle.rows()]

    return Bundle(paths, named, rows=rows, each=tuple(bundles), uneven=any(bundle.uneven for bundle in found))


def _joined_source(sources: Sequence[tuple[Key, Source]], is_shared: bool) -> Bundle:
    """What `inputs_bundle` has of a source under its name, of several tasks; each path says for which keys it is."""
    bundles = tuple(_source_bundle(source) for _, source in sources)

    def rows() -> list[Mapping[str, object]]:
        found: dict[object, Mapping[str, object]] = {}
        keys: dict[object, list[str]] = {}
        for key, source in sources:
            for row in source.rows():
                found[row["path"]] = row
                keys.setdefault(row["path"], []).append(key.text)
        return [{**row, "for": keys[path]} for path, row in found.items()]

    paths = bundles[0].paths if is_shared else tuple(path for bundle in bundles for path in bundle.paths)
    uneven = len({len(bundle.paths) for bundle in bundles}) > 1
    return Bundle(paths, rows=rows, each=bundles, uneven=uneven)


def _source_bundle(source: Source) -> Bundle:
    return Bundle(source.paths, single=source.single, rows=source.rows)


def with_names(text: str, task: Task) -> str:
    """A text with the names of partitions in braces where the task's keys stand as words; the longest key first."""
    pairs = sorted(zip(task.target.partitions, task.keys, strict=True), key=lambda pair: -len(pair[1].text))
    for name, key in pairs:
        text = re.sub(rf"(?<![^\W_]){re.escape(key.text)}(?![^\W_])", f"{{{name}}}", text)
    return text
