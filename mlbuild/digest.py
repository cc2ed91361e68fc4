"""Content digests (XXH3-128) of bytes, files and directories, and the stat signature that tells whether to look again.

Times never enter a digest. Knows nothing of the rest.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from io import BufferedIOBase

import xxhash

CHUNK = 1 << 20
ASIDE = ".mlbuild-aside"
STREWN = frozenset({"__pycache__", ".ipynb_checkpoints", ".DS_Store"})
"""Names that editors and systems leave in folders; with `.nfs*` and our own asides they are no part of a directory."""

FORMAT = "1"
"""Of `digest_parts`. Raised only with a way to recompute old keys from their kept parts: a release must not make
everything stale."""
MARGIN = 20_000_000
"""Nanoseconds by which a change must be older than the look at it: kernels stamp files by a clock that ticks every 1 to
10 ms, so two writes within a tick look alike."""
MARGIN_WHOLE_SECONDS = 2_000_000_000
"""The same on file systems whose times come in whole seconds."""


def digest_bytes(data: bytes) -> str:
    """32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(data)


def digest_parts(parts: Mapping[str, str]) -> str:
    """Of named texts, in whatever order they come."""
    rows = "".join([f"{name}\0{value}\n" for name, value in sorted(parts.items())])
    return digest_bytes(f"{FORMAT}\n{rows}".encode(errors="surrogateescape"))


def digest_file(path: str) -> str:
    """The digest of a file's bytes. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        data = file.read(CHUNK)
        if len(data) < CHUNK:
            rest = file.read(CHUNK)
            if not rest:
                return xxhash.xxh3_128_hexdigest(data)
            data += rest
        state = xxhash.xxh3_128(data)
        while data := file.read(CHUNK):
            state.update(data)
        return state.hexdigest()


def digest_stream(file: BufferedIOBase) -> str:
    """The digest of all that is still to be read from a file."""
    state = xxhash.xxh3_128()
    while data := file.read(CHUNK):
        state.update(data)
    return state.hexdigest()


def digest_stat(path: str) -> str | None:
    """Size and time of the last change of a file, or of all files below a directory; None if nothing is there."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(status.st_mode):
        return f"{status.st_size} bytes of {status.st_mtime_ns}"
    rows = [(name, inner.st_size, inner.st_mtime_ns) for name, inner in entries(path)]
    return "t" + digest_bytes(repr(rows).encode(errors="surrogateescape"))


def is_strewn(name: str) -> bool:
    return name in STREWN or name.startswith(".nfs") or ASIDE in name


def entries(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Each file below a directory: (path relative to it, stat), in a fixed order; an empty folder ends in `/`.

    A link to a file counts as the file; a link to a folder, or to nothing, as itself.
    """
    names = sorted(name for name in os.listdir(path) if not is_strewn(name))
    for name in names:
        full = f"{path}/{name}"
        status = os.lstat(full)
        if stat.S_ISLNK(status.st_mode) and os.path.isfile(full):
            status = os.stat(full)
        if not stat.S_ISDIR(status.st_mode):
            yield name, status
            continue
        empty = True
        for below, inner in entries(full):
            empty = False
            yield f"{name}/{below}", inner
        if empty:
            yield f"{name}/", status


def manifest(path: str) -> list[tuple[str, str, int]]:
    """Each file below a directory as (relative path, digest, size in bytes); a link's digest starts with `l`."""
    rows = []
    for name, status in entries(path):
        full = f"{path}/{name}"
        if stat.S_ISREG(status.st_mode):
            rows.append((name, digest_file(full), status.st_size))
        elif stat.S_ISLNK(status.st_mode):
            rows.append((name, "l" + digest_bytes(os.fsencode(os.readlink(full))), 0))
        elif name.endswith("/"):
            rows.append((name, "", 0))
        else:
            raise OSError(f"{full} is neither a file nor a folder")
    return rows


def digest_manifest(rows: list[tuple[str, str, int]]) -> str:
    """The digest of a directory, from its manifest."""
    return "t" + digest_bytes(
        "".join(f"{name}\0{digest}\n" for name, digest, _ in rows).encode(errors="surrogateescape")
    )


def digest_path(path: str) -> tuple[str, int] | None:
    """(digest, size in bytes) of a file or directory, or None. A directory's digest starts with `t` (tree).

    Raises OSError for what can't be read and for what is neither file nor folder (a socket, a device).
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISREG(status.st_mode):
        return digest_file(path), status.st_size
    if stat.S_ISDIR(status.st_mode):
        rows = manifest(path)
        return digest_manifest(rows), sum(size for _, _, size in rows)
    raise OSError(f"{path} is neither a file nor a folder")


def is_settled(newest: int, now: int) -> bool:
    """Whether what was last changed at `newest` can no longer be changed so that it looks the same (times in ns).

    Args:
        now: the moment just before it was looked at.
    """
    margin = MARGIN if newest % 1_000_000_000 else MARGIN_WHOLE_SECONDS
    return newest < now - margin


def signature(path: str) -> tuple[str, int] | None:
    """What `stat` tells of a file or directory, as (text, newest change in ns); None if nothing is there.

    Two looks with the same text saw the same content, once the newest change is old enough (`is_settled`).
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(status.st_mode):
        newest = max(status.st_mtime_ns, status.st_ctime_ns)
        return f"{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_size}:{status.st_ino}", newest
    state, newest = xxhash.xxh3_128(), max(status.st_mtime_ns, status.st_ctime_ns)
    for name, inner in entries(path):
        row = f"{name}\0{inner.st_mtime_ns}:{inner.st_ctime_ns}:{inner.st_size}:{inner.st_ino}\n"
        state.update(row.encode(errors="surrogateescape"))
        newest = max(newest, inner.st_mtime_ns, inner.st_ctime_ns)
    return "t" + state.hexdigest(), newest
