"""The store: outputs by content, and what each fingerprint came to. Can be deleted at the cost of time.

Objects up to `SMALL` bytes and all action records lie in one SQLite file (inodes are a quota on clusters), larger
objects each in a file of their own. Blind to tasks.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from msgspec import Struct, field

from mlbuild.digest import ASIDE, digest_bytes, digest_file, digest_manifest, manifest
from mlbuild.errors import StateError
from mlbuild.killpoint import reach
from mlbuild.state.database import open_database
from mlbuild.state.fingerprint import Fingerprint

SMALL = 64 << 10
COPIED = 256 << 10
"""Outputs up to this size are copied out of the store, larger ones shared with it where the file system can."""
FICLONE = 0x40049409
"""ioctl(2) that makes a file a copy-on-write clone of another (linux/fs.h)."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (digest TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS actions (fingerprint TEXT PRIMARY KEY, outputs TEXT NOT NULL, seconds REAL, used REAL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reads (fingerprint TEXT, paths TEXT, used REAL, PRIMARY KEY (fingerprint, paths))
  WITHOUT ROWID;
"""
MOST_READS = 4
"""How many sets of undeclared files are remembered for a fingerprint: an edit may make a task read others."""


class Stored(Struct, frozen=True):
    """An output as the store knows it; size in bytes, `executable` for a file that was."""

    path: str
    digest: str
    size: int
    executable: bool = False


class Action(Struct, frozen=True):
    """What a fingerprint came to, how many seconds that took, and the undeclared files that it rests on."""

    outputs: tuple[Stored, ...]
    seconds: float
    reads: Mapping[str, str] = field(default_factory=dict)


class Result(Struct, frozen=True):
    """An action as those see it who look after the store.

    Attributes:
        paths: of its outputs.
        digests: of all objects that it rests on; None if that is damaged.
        seconds: how long it took to make.
        used: epoch seconds: when it was last made, brought back, taken, or replaced by another.
    """

    fingerprint: str
    paths: tuple[str, ...]
    digests: frozenset[str] | None
    seconds: float
    used: float


class Damaged(StateError):
    """An object is gone or is not what its name says; it has been dropped, with what rests on it."""


Listing = list[tuple[str, str, int, str]]


class Store:
    """A content-addressed store in a folder.

    Args:
        folder: it is made if missing.
        workspace: the folder that paths are relative to.
        tmp: a folder on the store's file system for what is not whole yet.
        link: how objects with files of their own are shared with the workspace: `auto` (by reflink, else large ones by
            hard link), `copy` (not at all), `hard` (all by hard link).
    """

    def __init__(self, folder: str, workspace: str, tmp: str, link: str = "auto") -> None:
        self._workspace = workspace
        self._link = link
        self.folder = folder
        self._objects = os.path.join(folder, "objects")
        self._tmp = tmp
        os.makedirs(self._objects, exist_ok=True)
        self._db = open_database(os.path.join(folder, "store.db"), "earlier results can't be restored any more")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def lock(self, *, alone: bool) -> Iterator[None]:
        """Be in the store: with all who add to it and bring back from it, or `alone`, to drop what it holds."""
        file = os.open(os.path.join(self.folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(file)

    # --- actions

    def action(self, fingerprint: Fingerprint, reads: Callable[[Sequence[str]], Mapping[str, str]]) -> Action | None:
        """What the fingerprint came to, if all of it is still here.

        Which undeclared files count is known from earlier runs: for each set of them that one was seen to read, what
        it came to is looked up under what these files hold now.

        Args:
            fingerprint: without `reads`.
            reads: gives path → digest now, of those that count.
        """
        sets = self._reads(fingerprint.key) or [[]]
        found = (self._action(fingerprint.reading(reads(paths))) for paths in sets)
        return next((action for action in found if action is not None), None)

    def holds(self, fingerprint: Fingerprint) -> bool:
        """Whether what a fingerprint came to, `reads` and all, can be brought back."""
        return self._action(fingerprint) is not None

    def _reads(self, key: str) -> list[list[str]]:
        """The sets of undeclared files that were read under a key, the newest first."""
        rows = self._db.execute("SELECT paths FROM reads WHERE fingerprint = ? ORDER BY used DESC", (key,)).fetchall()
        return [json.loads(paths) for (paths,) in rows]

    def _action(self, fingerprint: Fingerprint) -> Action | None:
        row = self._db.execute(
            "SELECT outputs, seconds FROM actions WHERE fingerprint = ?", (fingerprint.key,)
        ).fetchone()
        if row is None:
            return None
        outputs = _read(row[0])
        if outputs is None or not all(self._has(output.digest) for output in outputs):
            return None
        return Action(outputs, row[1], fingerprint.reads)

    def used(self, fingerprints: Iterable[str], now: float) -> None:
        """Note that what fingerprints came to was of use just now."""
        self._db.executemany("UPDATE actions SET used = ? WHERE fingerprint = ?", [(now, key) for key in fingerprints])

    def record(self, fingerprint: Fingerprint, outputs: Sequence[Stored], seconds: float, now: float) -> None:
        """Remember what a fingerprint came to; its objects must be here already."""
        if fingerprint.reads:
            self._remember_reads(fingerprint, now)
        rows = json.dumps([[output.path, output.digest, output.size, output.executable] for output in outputs])
        self._db.execute("INSERT OR REPLACE INTO actions VALUES (?, ?, ?, ?)", (fingerprint.key, rows, seconds, now))

    def _remember_reads(self, fingerprint: Fingerprint, now: float) -> None:
        reads, plain = fingerprint.reads, fingerprint.reading({})
        row = json.dumps(sorted(reads))
        self._db.execute("INSERT OR REPLACE INTO reads VALUES (?, ?, ?)", (plain.key, row, now))
        older = self._reads(plain.key)[1:]
        for paths in older:
            if set(paths) < reads.keys():
                # They held the same as now, and more was read: what came of them alone can't be trusted any more.
                less = plain.reading({path: reads[path] for path in paths})
                self._db.execute("DELETE FROM actions WHERE fingerprint = ?", (less.key,))
        for paths in older[MOST_READS - 1 :]:
            row = json.dumps(paths)
            self._db.execute("DELETE FROM reads WHERE fingerprint = ? AND paths = ?", (plain.key, row))

    def _has(self, digest: str) -> bool:
        if self._db.execute("SELECT 1 FROM objects WHERE digest = ?", (digest,)).fetchone():
            return True
        return os.path.exists(self._file(digest))

    # --- putting in

    def add(self, path: str, digest: str, size: int) -> Stored:
        """Take in what stands at `path`, which has this digest. Raises Damaged if it has another."""
        full = os.path.join(self._workspace, path)
        if os.path.isdir(full):
            rows = manifest(full)
            if digest_manifest(rows) != digest:
                raise Damaged(f"{path} changed while it was stored")
            listing = [[*row, self._add_member(f"{full}/{row[0]}", row[1], row[2])] for row in rows]
            self._put_small(digest, json.dumps(listing).encode())
            return Stored(path, digest, size)
        return Stored(path, digest, size, self._add_file(full, digest, size))

    def _add_member(self, full: str, digest: str, size: int) -> str:
        """How a member of a folder is brought back: `x` for an executable, `>target` for a link, else nothing."""
        if digest.startswith("l"):
            return ">" + os.readlink(full)
        return "x" if digest and self._add_file(full, digest, size) else ""

    def _add_file(self, full: str, digest: str, size: int) -> bool:
        """Whether the file may be executed."""
        if not self._has(digest):
            if size <= SMALL:
                with open(full, "rb") as file:
                    data = file.read()
                if digest_bytes(data) != digest:
                    raise Damaged(f"{full} changed while it was stored")
                self._put_small(digest, data)
            else:
                self._put_large(full, digest)
        reach("stored-object")
        return bool(os.stat(full).st_mode & stat.S_IXUSR)

    def _put_small(self, digest: str, data: bytes) -> None:
        self._db.execute("INSERT OR IGNORE INTO objects VALUES (?, ?)", (digest, data))

    def _put_large(self, full: str, digest: str) -> None:
        """Shared with the file in the workspace if that may be, else a copy."""
        place = self._file(digest)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        fresh = os.path.join(self._tmp, f"{digest}-{os.getpid()}")
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        # What a link leads to is not ours to share, nor to make read-only.
        if os.path.islink(full) or not self._share(full, fresh):
            shutil.copyfile(full, fresh)
            if digest_file(fresh) != digest:
                os.unlink(fresh)
                raise Damaged(f"{full} changed while it was stored")
            os.chmod(fresh, 0o444 | (os.stat(full).st_mode & 0o111))
        os.rename(fresh, place)

    # --- bringing back

    def stage(self, outputs: Sequence[Stored]) -> dict[str, str]:
        """Lay outputs down beside their places, under names that globs pass over: all of them or none.

        Returns:
            the path of each output → where it lies, for `place`.

        Raises:
            Damaged: an object is missing or broken.
        """
        staged: dict[str, str] = {}
        try:
            for output in outputs:
                folder, name = os.path.split(os.path.join(self._workspace, output.path).rstrip("/"))
                os.makedirs(folder or "/", exist_ok=True)
                aside = staged[output.path] = os.path.join(folder, f".{name}{ASIDE}-new")
                remove(aside)
                if output.digest.startswith("t"):
                    self._restore_folder(output.digest, aside)
                else:
                    self._restore_file(output.digest, aside, output.executable)
        except Damaged:
            for aside in staged.values():
                remove(aside)
            raise
        reach("restored-aside")
        return staged

    def place(self, path: str, staged: str) -> None:
        """Put what was staged into its place, instead of what stands there."""
        full = os.path.join(self._workspace, path).rstrip("/")
        if os.path.isdir(full):
            remove(full)
        os.rename(staged, full)

    def _restore_folder(self, digest: str, place: str) -> None:
        os.makedirs(place)
        listing = self._listing(digest)
        if listing is None:
            self._drop(digest)
        for name, row, _, how in listing:
            inner = f"{place}/{name}"
            os.makedirs(inner if name.endswith("/") else os.path.dirname(inner), exist_ok=True)
            if how.startswith(">"):
                os.symlink(how[1:], inner)
            elif row:
                self._restore_file(row, inner, how == "x")

    def _restore_file(self, digest: str, place: str, executable: bool) -> None:
        data = self._small(digest)
        if data is None:
            self._restore_large(digest, place)
        elif digest_bytes(data) != digest:
            self._drop(digest)
        else:
            with open(place, "wb") as file:
                file.write(data)
        if executable:
            os.chmod(place, os.stat(place).st_mode | 0o111)

    def _restore_large(self, digest: str, place: str) -> None:
        held = self._file(digest)
        if not os.path.isfile(held) or digest_file(held) != digest:
            self._drop(digest)
        if not self._share(held, place):
            shutil.copyfile(held, place)

    def _share(self, held: str, place: str) -> bool:
        """Make `place` a reflink, or a hard link with write permission off; False if it must be a copy."""
        if self._link == "copy":
            return False
        if self._link == "auto" and _clone(held, place):
            return True
        status = os.stat(held)
        large = status.st_size > COPIED or self._link == "hard"
        # At most one path of a workspace shares an object: writing to one must not change another.
        return large and status.st_nlink == 1 and _link(held, place)

    def _small(self, digest: str) -> bytes | None:
        """The data of an object that has no file of its own."""
        row = self._db.execute("SELECT data FROM objects WHERE digest = ?", (digest,)).fetchone()
        return row[0] if row else None

    def _listing(self, digest: str) -> Listing | None:
        """What a folder holds: (path in it, digest, size, how it is brought back) of each; None if that is lost."""
        try:
            rows: Listing = [tuple(row) for row in json.loads(self._small(digest) or b"")]
            return rows if digest_manifest([row[:3] for row in rows]) == digest else None
        except (ValueError, TypeError):
            return None

    def _drop(self, digest: str) -> NoReturn:
        """Forget a broken object and every action that rests on it, and say so."""
        resting = [one.fingerprint for one in self.results() if one.digests is None or digest in one.digests]
        self.drop(resting, [digest])
        raise Damaged(f"the store's object {digest} was damaged or missing and has been dropped")

    # --- looking after it

    def results(self) -> list[Result]:
        """All that is stored."""
        inside: dict[str, frozenset[str] | None] = {}
        rows = self._db.execute("SELECT fingerprint, outputs, coalesce(seconds, 0), coalesce(used, 0) FROM actions")
        return [self._result(row, inside) for row in rows.fetchall()]

    def _result(self, row: tuple[str, str, float, float], inside: dict[str, frozenset[str] | None]) -> Result:
        """Args: inside: the objects of each folder looked at so far."""
        fingerprint, text, seconds, used = row
        outputs = _read(text)
        if outputs is None:
            return Result(fingerprint, (), None, seconds, used)
        digests: set[str] | None = {output.digest for output in outputs}
        for folder in [output.digest for output in outputs if output.digest.startswith("t")]:
            if folder not in inside:
                listing = self._listing(folder)
                inside[folder] = None if listing is None else frozenset(row[1] for row in listing if _is_object(row[1]))
            members = inside[folder]
            digests = None if members is None or digests is None else digests | members
        paths = tuple(output.path for output in outputs)
        return Result(fingerprint, paths, None if digests is None else frozenset(digests), seconds, used)

    def sizes(self) -> dict[str, int]:
        """The bytes of each object by its digest."""
        sizes: dict[str, int] = dict(self._db.execute("SELECT digest, length(data) FROM objects"))
        for folder in os.listdir(self._objects):
            with os.scandir(os.path.join(self._objects, folder)) as entries:
                sizes |= {folder + entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
        return sizes

    def is_whole(self, digest: str) -> bool:
        """Whether an object is there and what its name says."""
        data = self._small(digest)
        if digest.startswith("t"):
            return self._listing(digest) is not None
        if data is not None:
            return digest_bytes(data) == digest
        held = self._file(digest)
        return os.path.isfile(held) and digest_file(held) == digest

    def drop(self, fingerprints: Iterable[str], digests: Collection[str]) -> None:
        """Forget results and objects: the results first, so that none is ever without its objects."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("DELETE FROM actions WHERE fingerprint = ?", [(key,) for key in fingerprints])
            self._db.executemany("DELETE FROM objects WHERE digest = ?", [(digest,) for digest in digests])
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        reach("forgotten")
        for digest in digests:
            place = self._file(digest)
            remove(place)
            reach("object-dropped")
            with suppress(OSError):  # it is not empty, or was never there
                os.rmdir(os.path.dirname(place))
        self._db.executescript("PRAGMA incremental_vacuum")  # by `execute` it would give back a single page

    def _file(self, digest: str) -> str:
        return os.path.join(self._objects, digest[:2], digest[2:])


def _read(text: str) -> tuple[Stored, ...] | None:
    """The outputs of an action as they are written down; None if that is damaged."""
    try:
        return tuple(Stored(*output) for output in json.loads(text))
    except (ValueError, TypeError):
        return None


def _is_object(digest: str) -> bool:
    """Whether a member of a folder has content of its own: neither a link nor an empty folder."""
    return bool(digest) and not digest.startswith("l")


def remove(path: str) -> None:
    """Remove a file, link or folder, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        try:
            shutil.rmtree(path)
        except PermissionError:
            _open_folders(path)  # a recipe may have made them read-only
            shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _open_folders(path: str) -> None:
    """Let what lies in a folder, and in those in it, be removed."""
    os.chmod(path, 0o700)
    with os.scandir(path) as inside:
        for entry in inside:
            if entry.is_dir(follow_symlinks=False):
                _open_folders(entry.path)


def _clone(source: str, place: str) -> bool:
    with open(source, "rb") as old, open(place, "wb") as new:
        try:
            fcntl.ioctl(new, FICLONE, old.fileno())
        except OSError:
            os.unlink(place)
            return False
    os.chmod(place, os.stat(source).st_mode & 0o777)
    return True


def _link(source: str, place: str) -> bool:
    """Not on every file system, not across them, and not without end (EXDEV, EPERM, EMLINK)."""
    try:
        os.link(os.path.realpath(source), place)
    except OSError:
        return False
    os.chmod(place, os.stat(place).st_mode & 0o555)
    return True
