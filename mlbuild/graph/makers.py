"""Which task makes a path. Spells out the keys of those targets only whose paths could match."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from re import DOTALL
from re import compile as compile_pattern

from mlbuild.expression import Key
from mlbuild.files import as_regex, literal_start
from mlbuild.graph.partitions import Keys
from mlbuild.target import Output, Target

Render = Callable[[Output, Target, tuple[Key, ...]], str]


@dataclass(slots=True)
class _Made:
    """One output of a target, at every combination of its keys once that was asked for."""

    target: Target
    output: Output
    prefix: str
    by_path: dict[str, tuple[Key, ...]] = field(default_factory=dict)
    by_folder: dict[str, list[str]] = field(default_factory=dict)


class Makers:
    """The way back from paths to tasks.

    Args:
        targets: all of the pipeline.
        partitions: the keys of each partition by its name.
        render: gives the path of an output at some keys.
    """

    def __init__(self, targets: list[Target], partitions: dict[str, Keys], render: Render) -> None:
        self._partitions = partitions
        self._render = render
        self._made = [
            _Made(target, output, _prefix(output))
            for target in targets
            for output in (*target.outputs, *target.metrics)
        ]

    def of(self, path: str) -> Iterator[tuple[Target, tuple[Key, ...], str]]:
        """The tasks that make `path`, a directory around it, or something in it: (target, keys, the path made)."""
        wanted = path.rstrip("/")
        for made in self._made:
            if not (wanted.startswith(made.prefix) or made.prefix.startswith(wanted + "/")):
                continue
            paths = self._paths(made)
            around = (folder + "/" for folder in _folders(wanted))
            found = [each for each in (wanted, wanted + "/", *around) if each in paths]
            for each in found or self._inside(made).get(wanted, []):
                yield made.target, paths[each], each

    def matching(self, pattern: str) -> Iterator[tuple[Target, tuple[Key, ...], str]]:
        """The tasks that make paths which a glob matches."""
        literal = literal_start(pattern)
        matches = compile_pattern(as_regex(pattern), DOTALL).fullmatch
        for made in self._made:
            if made.prefix.startswith(literal) or literal.startswith(made.prefix):
                for path, keys in self._paths(made).items():
                    if matches(path.rstrip("/")):
                        yield made.target, keys, path

    def _inside(self, made: _Made) -> dict[str, list[str]]:
        """What is made, by each folder that it lies in."""
        if not made.by_folder:
            for path in self._paths(made):
                for folder in _folders(path.rstrip("/")):
                    made.by_folder.setdefault(folder, []).append(path)
        return made.by_folder

    def _paths(self, made: _Made) -> dict[str, tuple[Key, ...]]:
        if not made.by_path:
            for keys in product(*(self._partitions[name].all for name in made.target.partitions)):
                made.by_path[self._render(made.output, made.target, keys)] = keys
        return made.by_path


def _prefix(output: Output) -> str:
    """What every path of the output begins with: its text up to the first slot."""
    first = output.path.parts[0] if output.path.parts else ""
    if not isinstance(first, str):
        return ""
    while first.startswith("./"):
        first = first[2:].lstrip("/")
    return first.partition("/./")[0].partition("//")[0]


def _folders(path: str) -> Iterator[str]:
    """The folders that a path lies in, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
