"""What a text uses: its slots, the names in them, and the words of a shell text that could be files of the workspace.

Words are taken generously (from comments and here-documents too): only those that exist will count.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from msgspec import Struct

from mlbuild.expression import (
    Attribute,
    Index,
    Key,
    Name,
    Node,
    Part,
    Scope,
    Slot,
    Template,
    children,
    expand,
    walk,
    written,
)

RUNTIME = frozenset({"inputs", "outputs", "metrics", "checkpoint", "resources", "attempt"})
"""Names whose values are no part of the recipe's own text."""


class Words(Struct, frozen=True):
    """The words that may name files: paths, normalised, and the modules that stand behind `-m`.

    `varies` says that some of them hold a partition's key, so that other keys give other words. `scripts` are the paths
    that are named as what Python runs and nowhere else; `search` is what the recipe puts on the `PYTHONPATH`.
    """

    paths: tuple[str, ...]
    modules: tuple[str, ...]
    varies: bool = False
    scripts: frozenset[str] = frozenset()
    search: tuple[str, ...] = ()


def slots(template: Template) -> Iterator[Slot]:
    """The slots of a text, in order."""
    return (part for part in template.parts if isinstance(part, Slot))


def names_used(node: Part) -> set[str]:
    """The root names in a text or an expression: `{"inputs", "lr", "params"}`."""
    return {part.name for part in walk(node) if isinstance(part, Name)}


def params_used(node: Part) -> dict[str, Node]:
    """The values that a text or an expression looks up, by how they are written: `lr`, `params.train[model].lr`.

    Names of tasks (`inputs`) and names inside `[ ]` are left out; the caller knows which are partitions.
    """
    found: dict[str, Node] = {}
    waiting: list[Part] = [node]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, Name | Attribute | Index):
            if root(part) not in (None, *RUNTIME, "target"):
                found[written(part)] = part
        else:
            waiting = [*children(part), *waiting]
    return found


def root(node: Part) -> str | None:
    """The name at which a look-up begins: `params` of `params.train.lr`; None if it begins with no name."""
    while isinstance(node, Attribute | Index):
        node = node.base
    return node.name if isinstance(node, Name) else None


SPLIT = re.compile(r"""'([^'\n]*)'|"((?:[^"\\\n]|\\.)*)"|([\s;|&()<>`])|(.)""", re.DOTALL)
INNER = re.compile(r"""[\s;|&()<>`'"]+""")
"""What stands between the words of a command in quotes: `bash -c "python a.py; b"`, `"$(python a.py)"`."""
MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)
PYTHON = re.compile(r"(?:.*/)?(?:python[\d.]*|torchrun)\Z")
OPTION = re.compile(r"-(?![mc]\Z|\Z)|\d+\Z")
"""What may stand between Python and its script, so that the script is surely that."""
MARKED = re.compile("\0(\\d+)\0")
HERE = re.compile(r"\$\(pwd\)|`pwd`|\$\{PWD\}|\$PWD\b")
"""The workspace, where a recipe begins; behind a `cd` it is taken for that too."""


def words(template: Template, scope: Scope) -> Words:
    """The words of a shell recipe that could name files of the workspace.

    Args:
        template: the recipe.
        scope: gives the values of params, lets and partitions; words with other names in them are left out.
    """
    found = list(slots(template))
    numbers = iter(range(len(found)))
    text = "".join(part if isinstance(part, str) else f"\0{next(numbers)}\0" for part in template.parts)
    values: dict[int, str | None] = {}
    varies = False
    paths: dict[str, None] = {}
    modules: dict[str, None] = {}
    before = ""
    is_next = False
    scripts: set[str] = set()
    others: set[str] = set()
    search: list[str] = []
    for word in _split(HERE.sub(".", text)):
        used = [int(number) for number in MARKED.findall(word)]
        for number in used:
            if number not in values:
                values[number] = _value(found[number], scope)
        if any(values[number] is None for number in used):
            before, is_next = "", False
            continue
        varies = varies or any(_has_key(found[number], scope) for number in used)
        full = MARKED.sub(lambda mark: values[int(mark[1])] or "", word)
        if before == "-m" and MODULE.match(full):
            modules[full] = None
        if full.startswith("PYTHONPATH="):
            search += [path for path in full.partition("=")[2].split(":") if "$" not in path]
        named = list(candidates(full))
        (scripts if is_next else others).update(named)
        paths.update(dict.fromkeys(named))
        is_next = bool(PYTHON.match(full)) or (is_next and bool(OPTION.match(full)))
        before = full
    return Words(tuple(paths), tuple(modules), varies, frozenset(scripts - others), tuple(search))


def _split(text: str) -> Iterator[str]:
    """Words but those behind `>`, quotes removed; what is quoted and holds blanks comes whole and in pieces."""
    word: list[str] = []
    pieces: list[str] = []
    is_written = False
    for single, double, separator, char in SPLIT.findall(text + "\n"):
        quoted = single or double
        if separator:
            # What the output goes to (`> log.txt`) is not read.
            if word and not is_written:
                yield "".join(word)
                yield from pieces
            is_written = separator == ">" or (is_written and not word and separator in " \t")
            word, pieces = [], []
        elif quoted:
            word.append(quoted)
            if INNER.search(quoted):
                pieces += INNER.split(quoted)
        elif char and char not in "\"'\\":
            word.append(char)


def _value(slot: Slot, scope: Scope) -> str | None:
    """The text of a slot; None if it is known only when the task runs, or is a list."""
    if not names_used(slot).isdisjoint(RUNTIME) or slot.format == "file":
        return None
    value = expand(slot, scope)
    return value if isinstance(value, str) else " ".join(value)


def _has_key(slot: Slot, scope: Scope) -> bool:
    return any(isinstance(part, Name) and isinstance(scope.name(part), Key) for part in walk(slot))


def candidates(word: str) -> Iterator[str]:
    """The paths that a word could mean: itself, and what stands behind `=`."""
    yield from (_normal(part) for part in (word, word.partition("=")[2]) if _may_be_path(part))


def _may_be_path(word: str) -> bool:
    return not word.startswith("-") and "\n" not in word and len(word) < 1024 and bool(word.strip("./"))


def _normal(path: str) -> str:
    return posixpath.normpath(path)
