"""What can go out of the store, what is left of processes that died, and what is damaged. Blind to the graph.

Who drops is alone in the store (`Store.lock`). Results go before the objects that they rest on, so that whatever is cut
short leaves objects that nothing names, which the next collection sweeps, and never a result without its objects.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout
from mlbuild.state.store import Result, Store, remove

DAY = 86400.0
"""Seconds. Results that were last used on the same day are equally old."""

LIST_FILE = re.compile(r"(?P<attempt>(?P<run>\d+)-\d+)-\d+\.\w+")
CLOCK_FILE = re.compile(r"clock-(?P<pid>\d+)")
NEW_OBJECT = re.compile(r"[0-9a-f]{32}-\d+")


class Usage(Struct, frozen=True):
    """What the store holds, in bytes, and how much of that the present outputs use."""

    objects: int
    bytes: int
    results: int
    used_objects: int
    used_bytes: int
    used_results: int


class Collected(Struct, frozen=True):
    """What was dropped, or would be.

    Attributes:
        results: the first to go first.
        objects, bytes: what they and nothing else rested on.
        leftovers: paths of what dead processes and failed attempts left.
        kept: bytes that stay.
        needed: bytes among those that can't go, since outputs in place or running builds need them.
    """

    results: tuple[Result, ...]
    objects: int
    bytes: int
    leftovers: tuple[str, ...]
    kept: int
    needed: int


class Verified(Struct, frozen=True):
    """What was looked at, which objects were damaged or missing, and the results that were dropped with them."""

    objects: int
    bytes: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]
    dropped: tuple[Result, ...]


class Garbage:
    """The store of a workspace, seen by what in it is of use."""

    def __init__(self, layout: Layout, journal: Journal, store: Store) -> None:
        self._layout = layout
        self._journal = journal
        self._store = store

    @property
    def folder(self) -> str:
        """Where the store lies, relative to the workspace."""
        return os.path.relpath(self._store.folder, self._layout.workspace)

    def usage(self) -> Usage:
        results, sizes, present = self._store.results(), self._store.sizes(), self._present()
        used = [result for result in results if result.fingerprint in present]
        digests = _rested_on(used) & sizes.keys()
        total, in_use = sum(sizes.values()), sum(sizes[digest] for digest in digests)
        return Usage(len(sizes), total, len(results), len(digests), in_use, len(used))

    def collect(
        self, now: float, older_than: float | None, max_size: int | None, *, dry_run: bool = False
    ) -> Collected:
        """Drop results, the objects that no result rests on, and leftovers.

        Args:
            now: in epoch seconds.
            older_than: seconds; results that were not used for longer go, and so does what failed attempts left.
            max_size: bytes; as many more results go as the objects take more.
        """
        with self._store.lock(alone=not dry_run):
            results, sizes = self._store.results(), self._store.sizes()
            needed = self._needed(results)
            dropped = chosen(results, sizes, needed, now, older_than, max_size)
            gone = {result.fingerprint for result in dropped}
            kept = _rested_on(result for result in results if result.fingerprint not in gone) & sizes.keys()
            unnamed = sizes.keys() - kept
            leftovers = tuple(self._leftovers(now, older_than))
            if not dry_run:
                self._store.drop(gone, unnamed)
                for path in leftovers:
                    remove(path)
            bound = _rested_on(result for result in results if result.fingerprint in needed) & sizes.keys()
            return Collected(
                tuple(dropped),
                len(unnamed),
                sum(sizes[digest] for digest in unnamed),
                tuple(os.path.relpath(path, self._layout.workspace) for path in leftovers),
                sum(sizes[digest] for digest in kept),
                sum(sizes[digest] for digest in bound),
            )

    def verify(self) -> Verified:
        """Read every object again; drop those that are not what their names say, and what rests on them."""
        sizes = self._store.sizes()
        suspects = [digest for digest in sorted(sizes) if not self._store.is_whole(digest)]
        with self._store.lock(alone=True):
            there, results = self._store.sizes(), self._store.results()
            damaged = [digest for digest in suspects if digest in there and not self._store.is_whole(digest)]
            missing = sorted(_rested_on(results) - there.keys())
            lost = {*damaged, *missing}
            dropped = [result for result in results if result.digests is None or result.digests & lost]
            self._store.drop([result.fingerprint for result in dropped], damaged)
        return Verified(len(sizes), sum(sizes.values()), tuple(damaged), tuple(missing), tuple(dropped))

    def _present(self) -> set[str]:
        """The fingerprints of the last successes of which anything stands in the workspace."""
        root = self._layout.workspace
        made = self._journal.results()
        return {key for key, paths in made if any(os.path.lexists(os.path.join(root, path)) for path in paths)}

    def _needed(self, results: Iterable[Result]) -> set[str]:
        """The fingerprints of all that must stay: what is in place, and all that a running build holds, took or made,
        or may have to bring back."""
        needed = self._present()
        since = self._journal.oldest_living()
        if since is not None:
            needed |= self._journal.leases.held()
            needed |= {key for key, _ in self._journal.results()}
            needed |= {result.fingerprint for result in results if result.used >= since}
        return needed

    def _leftovers(self, now: float, older_than: float | None) -> Iterator[str]:
        """What dead processes left in `tmp/`, and what failed attempts did longer ago than `older_than`."""
        open_attempts = {attempt.id for attempt in self._journal.open_attempts()}
        with os.scandir(self._layout.tmp) as entries:
            for entry in entries:
                listed, clock = LIST_FILE.fullmatch(entry.name), CLOCK_FILE.fullmatch(entry.name)
                if listed:
                    dead = listed["attempt"] not in open_attempts and not self._journal.lives(int(listed["run"]))
                elif clock:
                    dead = _is_gone(clock["pid"])
                else:
                    # Who makes a new object is in the store all the while, and we are alone there.
                    dead = NEW_OBJECT.fullmatch(entry.name) is not None
                if dead:
                    yield entry.path
        for folder in (self._layout.failed, self._layout.jobs, self._layout.job_results):
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    is_old = older_than is not None and now - entry.stat(follow_symlinks=False).st_mtime > older_than
                    if is_old and entry.name not in open_attempts and entry.path != self._layout.job_results:
                        yield entry.path


def chosen(
    results: Collection[Result],
    sizes: Mapping[str, int],
    needed: Collection[str],
    now: float,
    older_than: float | None,
    max_size: int | None,
) -> list[Result]:
    """The results to drop: the least recently used first, of equally old ones those that cost the least to make again.

    Args:
        sizes: of the objects by digest, in bytes.
        needed: fingerprints of results that stay.
        now, older_than, max_size: as in `Garbage.collect`.
    """
    bound = _rested_on(result for result in results if result.fingerprint in needed)
    users = Counter(digest for result in results for digest in result.digests or ())
    total = sum(sizes.get(digest, 0) for digest in users)

    def order(result: Result) -> tuple[int, float]:
        size = sum(sizes.get(digest, 0) for digest in result.digests or ())
        return int(result.used // DAY), result.seconds / max(1, size)

    found = []
    for result in sorted((result for result in results if result.fingerprint not in needed), key=order):
        digests = result.digests or frozenset()
        is_old = older_than is not None and now - result.used > older_than
        frees = max_size is not None and total > max_size and not digests <= bound
        if result.digests is None or is_old or frees:
            found.append(result)
            users.subtract(digests)
            total -= sum(sizes.get(digest, 0) for digest in digests if not users[digest])
    return found


def _rested_on(results: Iterable[Result]) -> set[str]:
    return {digest for result in results for digest in result.digests or ()}


def _is_gone(pid: str) -> bool:
    """Whether no process has this number."""
    with suppress(PermissionError):
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, OverflowError):
            return True
    return False
