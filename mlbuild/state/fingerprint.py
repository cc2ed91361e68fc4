"""Fingerprints: named parts → key, and the difference of two, which is an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mlbuild.digest import digest_bytes

FORMAT = "1"
"""Raised only with a way to recompute old keys from their kept parts: a release must not make everything stale."""


@dataclass(frozen=True)
class Fingerprint:
    """What a task's result depends on.

    Attributes:
        parts: name (`recipe`, `input data/a.csv`, `code src/model.py`, `param train.lr`) → digest or text. These make
            the key.
        notes: what explains a part to a person (`param lr` → its value, as the recipe uses it). No part of the key:
            what it says is in the recipe as rendered already.
        problem: why no key can be had (a part could not be computed); the task is then uncacheable.
    """

    parts: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits."""
        rows = "".join(f"{name}\0{value}\n" for name, value in sorted(self.parts.items()))
        return digest_bytes(f"{FORMAT}\n{rows}".encode(errors="surrogateescape"))


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `kind` is the first word of the part's name, `what` the rest; None where a side lacks it."""

    kind: str
    what: str
    old: str | None
    new: str | None


def difference(old: Fingerprint, new: Fingerprint) -> list[Change]:
    """What changed from `old` to `new`, the params that explain a changed recipe before the recipe itself."""
    changes = _differences(old.parts, new.parts)
    if any(change.kind == "recipe" for change in changes):
        noted = _differences(old.notes, new.notes)
        listed = any(change.kind in ("input", "output") and None in (change.old, change.new) for change in changes)
        # A recipe that differs because a param or the list of its paths does is said by those.
        if noted or listed:
            changes = [change for change in changes if change.kind != "recipe"]
        changes = noted + changes
    return changes


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    names = sorted({*old, *new})
    return [Change(*_split(name), old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _split(name: str) -> tuple[str, str]:
    kind, _, what = name.partition(" ")
    return kind, what
