"""Fingerprints: named parts → key, and the difference of two, which is an explanation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from mlbuild.code.reach import changes
from mlbuild.digest import digest_parts

UNKNOWN = "unknown"
"""The digest of what is yet to be made: equal to none."""
DECLARING = ("input", "requires", "code")
"""The kinds of parts that stand for the content of a file."""


class Fingerprint(Struct, frozen=True, dict=True):
    """What a task's result depends on.

    Attributes:
        parts: name (`recipe`, `input data/a.csv`, `code src/model.py`, `param train.lr`) → digest or text. These make
            the key.
        notes: what explains a part to a person (`param lr` → its value, as the recipe uses it). No part of the key:
            what it says is in the recipe as rendered already.
        problem: why no key can be had (a part could not be computed); the task is then uncacheable.
        reads: path → digest of the files that a run was seen to read although the task does not declare them (empty:
            it is not there, or was not known). Only a run tells of them, so what is yet to run has none.
        contents: path → digest of the bytes of the files behind the code, where they were looked at just now.
    """

    parts: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    reads: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits."""
        return digest_parts(self.named())

    def named(self) -> Mapping[str, str]:
        """All that makes the key."""
        if not self.reads:
            return self.parts
        return {**self.parts, **{f"read {path}": digest for path, digest in self.reads.items()}}

    def completed(self, now: Fingerprint) -> Fingerprint | None:
        """The fingerprint as it is now, if that says what was not known before and no more; None if it differs."""
        if self.parts.keys() != now.parts.keys():
            return None
        same = all(value in (UNKNOWN, now.parts[name]) for name, value in self.parts.items())
        return now if same else None

    def reading(self, reads: Mapping[str, str]) -> Fingerprint:
        """The same of a run that was seen to read these."""
        return self if reads == self.reads else replace(self, reads=reads)


class Change(Struct, frozen=True):
    """One difference: `kind` is the first word of the part's name, `what` the rest; None where a side lacks it."""

    kind: str
    what: str
    old: str | None
    new: str | None


def difference(old: Fingerprint, new: Fingerprint) -> list[Change]:
    """What changed from `old` to `new`, the params that explain a changed recipe before the recipe itself."""
    if old.named() == new.named():
        return []
    found = _declared_now(_differences(old.named(), new.named()), new.contents)
    found = [each for change in found for each in _by_leaf(change)]
    listed = any(change.kind in ("input", "output") and None in (change.old, change.new) for change in found)
    # What is new goes by a new name, too; and what asks for names for the first time is said by its code.
    found = [change for change in found if change.kind != "names" or not (listed or None in (change.old, change.new))]
    if any(change.kind == "recipe" for change in found):
        noted = _differences(_noted(old, new.notes), _noted(new, old.notes))
        # A recipe that differs because a param or the list of its paths does is said by those.
        if noted or listed:
            found = [change for change in found if change.kind != "recipe"]
        found = noted + [change for change in found if change not in noted]
    return found


def _noted(fingerprint: Fingerprint, others: Mapping[str, str]) -> dict[str, str]:
    """The notes, and of the params that only others have a note on the values that count by themselves."""
    params = [(name, value) for name, value in fingerprint.parts.items() if name.startswith("param ")]
    known = {leaf: value for part in params for leaf, value in _leaves(*part)}
    return {name: value for name, value in known.items() if name in others} | dict(fingerprint.notes)


def _by_leaf(change: Change) -> list[Change]:
    """A change of a table of params as one for each value in it; any other as it is."""
    if change.kind != "param" or change.old is None or change.new is None:
        return [change]
    old, new = dict(_leaves(change.what, change.old)), dict(_leaves(change.what, change.new))
    leaves = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return [Change("param", name, old.get(name), new.get(name)) for name in leaves]


def _leaves(name: str, text: str) -> Iterator[tuple[str, str]]:
    """The values in a table that is written as JSON, each with its dotted name; a value that is no table is itself."""
    table: Any = json.loads(text) if text.startswith("{") else None
    if not table:
        yield name, text
        return
    for key, item in table.items():
        yield from _leaves(f"{name}.{key}", json.dumps(item, sort_keys=True, ensure_ascii=False))


def by_definition(change: Change, definitions: Mapping[str, Mapping[str, str]]) -> list[Change]:
    """A change of code as one for each definition (`src/a.py: function f`); as it is where they are not known.

    Args:
        definitions: what stands behind digests of code, by digest.
    """
    old, new = definitions.get(change.old or ""), definitions.get(change.new or "")
    if change.kind != "code" or not old or not new:
        return [change]
    return [Change("code", *each) for each in changes(old, new)]


def _declared_now(changes: list[Change], contents: Mapping[str, str]) -> list[Change]:
    """What was read undeclared and is declared now is no change, if its content is none."""
    read = {change.what: change.old for change in changes if change.kind == "read" and change.new is None}
    if all(contents.get(path, digest) == digest for path, digest in read.items()):
        changes = [change for change in changes if change.kind != "code" or change.old or change.what not in read]
    merged = [
        replace(change, old=read.get(change.what)) if change.old is None and change.kind in DECLARING else change
        for change in changes
        if change.kind != "read" or change.new is not None
    ]
    return [change for change in merged if change.old != change.new]


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    names = sorted({*old, *new})
    return [Change(*_split(name), old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _split(name: str) -> tuple[str, str]:
    kind, _, what = name.partition(" ")
    return kind, what
