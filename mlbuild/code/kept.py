"""What an entry comes to, kept with every answer of the disk on which that rests: while they are the same, it stands.

So nothing is walked where nothing was touched. Blind to where it is kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import astuple

from mlbuild.code.meaning import FORMAT, READER
from mlbuild.code.module import Module
from mlbuild.code.reach import WALK, Entry, Reached, Reader, Unfollowed, Whole, reach
from mlbuild.digest import digest_bytes


class Kept(Struct, frozen=True):
    """What an entry comes to, but for its definitions.

    Attributes:
        digest: of all that counts.
        is_empty: nothing does.
        files, whole, unfollowed, imports: as `Reached` says.
        others: path → digest of the bytes of every other file that was looked at.
        folders: folder → digest of the names in it that may be modules; None if it is no folder.
    """

    digest: str
    is_empty: bool
    files: Mapping[str, str]
    others: Mapping[str, str]
    folders: Mapping[str, str | None]
    whole: tuple[Whole, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()
    imports: frozenset[str] = frozenset()

    def stands(self, reader: Reader) -> bool:
        """Whether a walk would be told the same, and so come to the same."""
        try:
            return all(_listed(reader.names(folder)) == names for folder, names in self.folders.items()) and all(
                reader.digest(path) == digest for seen in (self.files, self.others) for path, digest in seen.items()
            )
        except OSError:
            return False

    def as_json(self) -> str:
        whole, unfollowed = ([astuple(one) for one in each] for each in (self.whole, self.unfollowed))
        looked = (self.files, self.others, self.folders)
        rows = (self.digest, self.is_empty, *looked, whole, unfollowed, sorted(self.imports))
        return json.dumps(rows, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Kept:
        digest, is_empty, files, others, folders, whole, unfollowed, imports = json.loads(text)
        wholes, missed = tuple(Whole(*one) for one in whole), tuple(Unfollowed(*one) for one in unfollowed)
        return cls(digest, is_empty, files, others, folders, wholes, missed, frozenset(imports))


def walked(entry: Entry, reader: Reader) -> tuple[Reached, Kept]:
    """All that counts of an entry, and what to keep of it. Raises OSError for a file that can't be read."""
    noting = _Noting(reader)
    found = reach(entry, noting)
    others = {path: digest for path, digest in noting.digests.items() if path not in found.files}
    looked = (found.files, others, noting.folders)
    kept = Kept(found.digest, not found.parts, *looked, found.whole, found.unfollowed, found.imports)
    return found, kept


def key(entry: Entry) -> str:
    """What to keep the result of an entry under: on another Python, or another mlbuild, it may be another."""
    text = entry.text.as_json() if entry.text is not None else None
    rows = (FORMAT, READER, WALK, sys.hexversion, entry.path, entry.module, text, entry.whole, entry.search)
    return digest_bytes(json.dumps(rows).encode())


class _Noting:
    """Passes questions on to a reader, and notes the answers; what a module holds follows from its digest."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.folders: dict[str, str | None] = {}
        self.digests: dict[str, str] = {}

    def names(self, folder: str) -> frozenset[str] | None:
        found = self._reader.names(folder)
        if folder not in self.folders:
            self.folders[folder] = _listed(found)
        return found

    def digest(self, path: str) -> str:
        found = self.digests[path] = self._reader.digest(path)
        return found

    def module(self, path: str) -> Module | None:
        return self._reader.module(path)


def _listed(names: frozenset[str] | None) -> str | None:
    return None if names is None else digest_bytes("\0".join(sorted(names)).encode(errors="surrogateescape"))
