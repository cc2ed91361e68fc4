"""Which task makes a path. Spells out the keys of those targets only whose paths could match."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import product
from re import DOTALL
from re import compile as compile_pattern

from msgspec import Struct, field

from mlbuild.expression import Key
from mlbuild.files import as_regex, literal_start
from mlbuild.graph.partitions import Keys
from mlbuild.target import Output, Target

Render = Callable[[Output, Target, tuple[Key, ...]], str]


class _Made(Struct):
    """One output of a target, at every combination of its keys once that was asked for."""

    number: int
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
        outputs = [(target, output) for target in targets for output in (*target.outputs, *target.metrics)]
        self._made = [_Made(number, *one, _prefix(one[1])) for number, one in enumerate(outputs)]
        self._by_prefix: dict[str, list[_Made]] = {}
        for made in self._made:
            self._by_prefix.setdefault(made.prefix, []).append(made)
        self._prefixes = sorted(self._by_prefix)

    def of(self, path: str) -> Iterator[tuple[Target, tuple[Key, ...], str]]:
        """The tasks that make `path`, a directory around it, or something in it: (target, keys, the path made)."""
        wanted = path.rstrip("/")
        for made in self._near(wanted):
            paths = self._paths(made)
            around = (folder + "/" for folder in _folders(wanted))
            found = [each for each in (wanted, wanted + "/", *around) if each in paths]
            for each in found or self._inside(made).get(wanted, []):
                yield made.target, paths[each], each

    def _near(self, path: str) -> list[_Made]:
        """Whose prefix the path begins with, and whose prefix lies in it; in the order of the targets."""
        prefixes = [path[:length] for length in range(len(path) + 1)]
        folder = path + "/"
        first = bisect_left(self._prefixes, folder)
        while first < len(self._prefixes) and self._prefixes[first].startswith(folder):
            prefixes.append(self._prefixes[first])
            first += 1
        near = [made for prefix in prefixes for made in self._by_prefix.get(prefix, ())]
        return sorted(near, key=lambda made: made.number)

    def matching(self, pattern: str) -> Iterator[tuple[Target, tuple[Key, ...], str]]:
        """The tasks that make paths which a glob matches."""
        literal = literal_start(pattern)
        folder = literal.rpartition("/")[0]
        matches = compile_pattern(as_regex(pattern), DOTALL).fullmatch
        for made in self._made:
            if made.prefix.startswith(literal) or literal.startswith(made.prefix):
                paths = self._paths(made)
                for path in self._inside(made).get(folder, []) if folder else paths:
                    if matches(path.rstrip("/")):
                        yield made.target, paths[path], path

    def might(self, path: str, *, whole: bool) -> Iterator[Target]:
        """The targets that may make `path`, or something around or in it, whatever their keys. Rather too many.

        Args:
            whole: else it is only the beginning of a path.
        """
        if whole:
            yield from (made.target for made in self._near(path.rstrip("/")))
            return
        for made in self._made:
            if path.startswith(made.prefix) or made.prefix.startswith(path):
                yield made.target

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
