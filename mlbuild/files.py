"""The seam to the disk: stat, list, read, rename. Knows nothing of targets."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlbuild.digest import digest_bytes, digest_stream, is_strewn
from mlbuild.errors import UsageError


def as_regex(pattern: str) -> str:
    """The regular expression of a glob: `*` and `?` stay within a name and pass over hidden ones, `**` does not."""
    *folders, last = pattern.split("/")
    written = "".join("(?:[^/.][^/]*/)*" if name == "**" else f"{_name_regex(name)}/" for name in folders)
    return written + (r"(?:[^/.][^/]*(?:/[^/.][^/]*)*)?" if last == "**" else _name_regex(last))


def _name_regex(name: str) -> str:
    pieces = re.findall(r"\*+|\?|\[!?\]?[^\]]*\]|.", name, re.DOTALL)
    hidden = r"(?!\.)" if name[:1] in ("*", "?", "[", "\0") else ""
    return hidden + "".join(_piece_regex(piece) for piece in pieces)


def _piece_regex(piece: str) -> str:
    if piece[0] in "*?":
        return "[^/]*" if piece[0] == "*" else "[^/]"
    if piece[0] == "[" and len(piece) > 1:
        inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        chosen = f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]".replace("[^", "[\\^")
        with suppress(re.error):
            re.compile(chosen)
            return chosen
    return re.escape(piece)


def literal_start(pattern: str) -> str:
    """What every path that a glob matches begins with."""
    return pattern[: min((pattern.index(char) for char in "*?[" if char in pattern), default=len(pattern))]


CHECKSUMS = ("md5Hash", "Content-MD5", "content_md5", "crc32c", "ETag", "etag", "VersionId", "version_id", "generation")
"""What file systems tell of a file that changes with its content, the surest first."""


DOWNLOAD_SILENCE = 300.0
"""Seconds for which a web server may send nothing; a whole download may take as long as it likes."""


def remote_digest(url: str) -> str | None:
    """What tells the content of a URL from another: the file system's own checksum, etag or version, else its digest.

    Returns:
        None if nothing is there.

    Raises:
        OSError: it can't be read.
        ImportError, ValueError: no package that reads such URLs is installed, or none is known.
    """
    with _told_alike():
        fs, path = _file_system(url)
        try:
            info = fs.info(path)
        except FileNotFoundError as error:
            if _is_web(url) and _is_refused(error):
                raise OSError(str(error.__cause__)) from None
            return None
        if info["type"] == "directory":
            rows = [(name, _known_digest(fs, name, each)) for name, each in sorted(fs.find(path, detail=True).items())]
            return "t" + digest_bytes(repr(rows).encode())
        return _known_digest(fs, path, info)


def _file_system(url: str) -> tuple[Any, str]:
    """What reads a URL, and the path that it has there; nothing that was known of it before is believed."""
    from fsspec.core import url_to_fs

    options = {}
    if _is_web(url):
        from aiohttp import ClientTimeout

        # Else five minutes are all that a download may take.
        options["client_kwargs"] = {"timeout": ClientTimeout(total=None, sock_connect=30, sock_read=DOWNLOAD_SILENCE)}
    fs, path = url_to_fs(url, **options)
    fs.invalidate_cache()
    return fs, path


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


@contextmanager
def _told_alike() -> Iterator[None]:
    """Make an OSError of whatever a file system raises: each has errors of its own, and no base unites them."""
    try:
        yield
    except (OSError, ImportError, ValueError):
        raise
    except Exception as error:
        raise OSError(str(error) or type(error).__name__) from error


def _is_refused(error: FileNotFoundError) -> bool:
    """Whether the web server is down or denies it: fsspec says that nothing is there, whatever the server said."""
    cause = error.__cause__
    return cause is not None and getattr(cause, "status", None) not in (404, 410)


def _known_digest(fs: Any, path: str, info: Mapping[str, Any]) -> str:
    for name in CHECKSUMS:
        if info.get(name) and not str(info[name]).startswith("W/"):  # weak: other bytes may have the same
            return f"{name} {info[name]}"
    # In one go: not every web server gives parts.
    with fs.open(path, "rb", **({"block_size": 0} if _is_web(path) else {})) as file:
        return digest_stream(file)


def copy_remote(url: str, place: str) -> None:
    """Copy what a URL names to a path on disk, whole or not at all. Raises as `remote_digest` does."""
    fresh = f"{place}.{os.getpid()}.new"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    try:
        with _told_alike():
            fs, path = _file_system(url)
            if fs.info(path)["type"] == "directory":
                fs.get(path, fresh, recursive=True)
            else:
                fs.get_file(path, fresh)
        _remove(place)
        os.rename(fresh, place)
    except BaseException:
        _remove(fresh)
        raise


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)


class Files:
    """The files of a workspace. Paths are relative to its folder, or absolute.

    Args:
        root: the workspace's folder, absolute.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)

    def full(self, path: str) -> str:
        """The absolute path on disk."""
        return os.path.join(self.root, path)

    def stat(self, path: str) -> os.stat_result | None:
        """What stands at `path` (links followed), or None if nothing does, or can."""
        try:
            return os.stat(self.full(path))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise

    def exists(self, path: str) -> bool:
        return self.stat(path) is not None

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(self.full(path))

    def names(self, folder: str) -> frozenset[str] | None:
        """What stands in a folder (the workspace itself is ""); None if it is none, or can't be looked into."""
        try:
            return frozenset(os.listdir(self.full(folder)))
        except OSError:
            return None

    def read(self, path: str) -> bytes:
        """All bytes of a file. Raises OSError as the system does."""
        return Path(self.full(path)).read_bytes()

    def replace(self, path: str, data: bytes) -> None:
        """Put other bytes into a file (links followed), whole or not at all. Raises OSError as the system does."""
        full = os.path.realpath(self.full(path))
        fresh = f"{full}.{os.getpid()}.new"
        try:
            with open(fresh, "xb") as file:
                file.write(data)
            os.chmod(fresh, os.stat(full).st_mode & 0o7777)
            os.rename(fresh, full)
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            raise

    def glob(self, pattern: str) -> list[str]:
        """The paths that match, sorted; `**` goes down any number of folders, hidden names need a dot of their own.

        Raises UsageError for a name that is not UTF-8: neither events nor the journal could hold it.
        """
        import glob

        found = sorted(glob.glob(pattern, root_dir=self.root, recursive=True))
        for path in found:
            if any("\ud800" <= character <= "\udfff" for character in path):
                raise UsageError(f"the name of the file {path!r} is not UTF-8", hint="rename it")
        return found

    def walk(self, path: str) -> Iterator[str]:
        """Every file below a directory, relative to it, in a fixed order; without what editors and systems strew."""
        base = self.full(path)
        for folder, folders, names in os.walk(base):
            folders[:] = sorted(name for name in folders if not is_strewn(name))
            prefix = os.path.relpath(folder, base)
            for name in sorted(name for name in names if not is_strewn(name)):
                yield name if prefix == "." else f"{prefix}/{name}"
