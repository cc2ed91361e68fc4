"""The journal of a checkpoint directory: which attempt put what there, from what it had gone on, what became of it.

It is the file `.mlbuild/journal` of the directory, JSON lines that are appended (each begins with a line break of its
own, so that a torn one spoils no other) and now and then written anew without those that are of no use. What is not
such a line is passed over. Times are epoch seconds; the `at` of what is put is that of its marker, if it has one.

    {"begin": ATTEMPT, "key", "fingerprint", "ignored", "from": [PUTTER, NAME] or null, "at"}
    {"put": NAME, "attempt": ATTEMPT, "signature", "at"}
    {"void": NAME, "attempt": ATTEMPT, "signature", "at"}
    {"end": ATTEMPT, "reason", "failed", "made", "reads": [[path, digest, is_new, by_other], …]}

An entry of the directory is whole if there is a `put` of its name with the signature that it has. A recipe may write
that line itself before it renames the entry to its place, in one write and with fdatasync: ATTEMPT is then the first
word of `MLBUILD_JOB`. A put that is void was made of inputs that had changed meanwhile. `failed`: the attempt failed by
itself. `made`: how many whole checkpoints it left. Unaware of what lies in the directory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from mlbuild.executors import lines
from mlbuild.executors.job import Checkpoints

Row = dict[str, Any]
Mark = tuple[str, str]
"""(name, signature) of an entry."""


def signature(path: str) -> str | None:
    """What tells whether a file or folder is as it was; None if it isn't there, or isn't either.

    It is the SHA-256, in hexadecimal digits, of a line `NAME\\0SIZE\\0MTIME_NS\\n` for each file, sorted by name: of a
    folder every file below it by its path from there, of a file itself by an empty name. So it survives a copy that
    keeps times, and a new name. Raises OSError for what can't be looked at.
    """
    import hashlib

    rows = []
    try:
        if os.path.islink(path):
            return None
        if os.path.isdir(path):
            for folder, _, names in os.walk(path, onerror=_raise):
                rows += [_row(os.path.relpath(f"{folder}/{name}", path), f"{folder}/{name}") for name in names]
        elif os.path.isfile(path):
            rows.append(_row("", path))
        else:
            return None
    except FileNotFoundError:  # it is just being removed, or a link in it leads nowhere
        return None
    return hashlib.sha256(b"".join(sorted(rows))).hexdigest()


def _row(name: str, path: str) -> bytes:
    status = os.stat(path)
    return b"%s\0%d\0%d\n" % (os.fsencode(name), status.st_size, status.st_mtime_ns)


def _raise(error: OSError) -> None:
    raise error


class Lineage:
    """What a journal tells.

    Args:
        about: of these signatures alone, which is quick however long the journal is; none: all.

    Attributes:
        begins, ends: attempt → line, in the order in which they were written.
        puts: mark → the last `put` of it, the newest at the end; without those that are void.
        names: of all entries that were ever put there.
    """

    def __init__(self, path: str, about: Sequence[str] = ()) -> None:
        self.begins: dict[str, Row] = {}
        self.ends: dict[str, Row] = {}
        self.puts: dict[Mark, Row] = {}
        self.names: set[str] = set()
        self._void: dict[tuple[str, str, str], Row] = {}
        self._size = 0
        for row in lines.read(path, about):
            self._take(row)
        self.puts = {mark: put for mark, put in self.puts.items() if (*mark, put["attempt"]) not in self._void}

    def _take(self, row: Any) -> None:
        self._size += 1
        match row:
            case {"begin": str(attempt), "key": str(), "fingerprint": str(), "ignored": dict(), "at": float()}:
                if _is_origin(row.get("from")):
                    self.begins[attempt] = row
            case {"put": str(name), "attempt": str(), "signature": str(signature), "at": float()}:
                self.puts.pop((name, signature), None)  # what was put again is the newest
                self.puts[name, signature] = row
                self.names.add(name)
            case {"void": str(name), "attempt": str(attempt), "signature": str(signature), "at": float()}:
                self._void[name, signature, attempt] = row
                self.names.add(name)
            case {"end": str(attempt), "failed": bool(), "made": int(), "reads": list()}:
                self.ends[attempt] = row

    @property
    def last(self) -> Row | None:
        """The attempt that began last."""
        return next(reversed(self.begins.values()), None)

    def put_by(self, attempt: str) -> dict[str, float]:
        """The names that the attempt has put there, those that are void among them, and `at` of the last of each."""
        rows = [*self._void.values(), *self.puts.values()]
        ours = [row for row in rows if row["attempt"] == attempt]
        return {
            row["put"] if "put" in row else row["void"]: row["at"] for row in sorted(ours, key=lambda row: row["at"])
        }

    def chain(self, attempt: str) -> list[Row]:
        """The attempt and those on whose checkpoints it has grown, the oldest at the end; empty if that isn't known."""
        found: dict[str, Row] = {}
        while attempt in self.begins and attempt not in found:
            found[attempt] = self.begins[attempt]
            origin = found[attempt]["from"]
            if origin is None:
                return list(found.values())
            attempt = origin[0]
        return []

    def reads(self, chain: Iterable[Row]) -> list[list[Any]]:
        """What these attempts were seen to read, as in their `end`."""
        return [read for begin in chain for read in self.ends.get(begin["begin"], {"reads": []})["reads"]]

    @cached_property
    def _dead_ends(self) -> dict[tuple[str, str], str]:
        """(putter, name) of what an attempt failed from, by itself and without making a new one → that attempt."""
        found = {}
        for name, end in self.ends.items():
            origin = self.begins[name]["from"] if name in self.begins else None
            if origin and end["failed"] and not end["made"]:
                found[origin[0], origin[1]] = name
        return found

    def fitting(self, asked: Checkpoints, is_same: Callable[[str, str], bool]) -> list[Mark]:
        """What of all that was put an attempt may go on from, if it is still there; the newest at the end.

        Args:
            is_same: whether a path still has this digest.
        """
        able: dict[str, bool] = {}
        found = []
        for mark, put in self.puts.items():
            attempt = put["attempt"]
            if attempt not in able:
                able[attempt] = self._fits(attempt, asked, is_same)
            if able[attempt] and (attempt, put["put"]) not in self._dead_ends:
                found.append(mark)
        return found

    def _fits(self, attempt: str, asked: Checkpoints, is_same: Callable[[str, str], bool]) -> bool:
        chain = self.chain(attempt)
        return bool(chain) and self._lead_to(chain, asked, is_same)

    def apart(self, begin: Row, asked: Checkpoints, is_same: Callable[[str, str], bool]) -> tuple[dict[str, Any], Row]:
        """Why what this attempt has left there is not for one under the same key: ignored param → its value then, and
        path → digest then of what was read."""
        changed = {path: text for path, text, is_new, _ in self.reads([begin]) if not (is_new or is_same(path, text))}
        return _unreached(asked.ignored, begin["ignored"]), changed

    def leads_to(self, begin: Row, asked: Checkpoints, is_same: Callable[[str, str], bool]) -> bool:
        """Whether what this attempt has left there, be it whole or not, is for an attempt as this one, too."""
        return self._lead_to([begin], asked, is_same)

    def _lead_to(self, chain: list[Row], asked: Checkpoints, is_same: Callable[[str, str], bool]) -> bool:
        return (
            chain[0]["key"] == asked.key
            and not _unreached(asked.ignored, chain[0]["ignored"])
            and all(is_new or is_same(path, digest) for path, digest, is_new, _ in self.reads(chain))
        )

    def of_use(self, there: set[Mark]) -> list[Row] | None:
        """The lines that are worth keeping; None while those are most of them.

        Args:
            there: the entries that still exist, somewhere.
        """
        puts = {mark: put for mark, put in self.puts.items() if mark in there}
        putters = {(put["attempt"], put["put"]) for put in puts.values()}
        attempts = {begin["begin"] for putter, _ in putters for begin in self.chain(putter)}
        attempts |= {name for origin, name in self._dead_ends.items() if origin in putters}
        attempts |= {self.last["begin"]} if self.last else set()
        begins = [begin for name, begin in self.begins.items() if name in attempts]
        ends = [end for name, end in self.ends.items() if name in attempts]
        rows = [*begins, *puts.values(), *ends]
        return rows if self._size > 2 * len(rows) + 8 else None


def _is_origin(value: Any) -> bool:
    match value:
        case None | [str(), str()]:
            return True
    return False


def _unreached(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """The ignored params that are less than they were, or other if they are no numbers, with what they were (None: no
    param that was ignored)."""
    return {
        name: then.get(name)
        for name in {**now, **then}
        if name not in now or name not in then or not _reaches(now[name], then[name])
    }


def _reaches(now: Any, then: Any) -> bool:
    return bool(now >= then) if _is_number(now) and _is_number(then) else bool(now == then)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
