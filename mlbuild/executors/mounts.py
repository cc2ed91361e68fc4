"""Which file system a path lies on, and whether other machines are likely to see it, too.

Blind to what is mounted elsewhere: a disk of this machine's may be given out to others, and nothing here tells.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

MOUNTS = "/proc/self/mountinfo"
SHARED = (
    *("nfs", "lustre", "gpfs", "mmfs", "beegfs", "fhgfs", "ceph", "glusterfs", "pvfs2", "orangefs", "panfs", "wekafs"),
    *("afs", "cifs", "smb3", "gfs2", "ocfs2", "9p", "virtiofs"),
)
"""How the names begin of those that many machines mount, behind a `fuse.`."""
OWN = ("tmpfs", "ramfs", "overlay", "squashfs")
"""Those that no other machine ever sees."""
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run")
"""Folders that each machine has for itself."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system: its kind, and what is mounted.

    Attributes:
        is_shared: None: nobody can tell.
    """

    kind: str
    source: str
    is_shared: bool | None


def mount(path: str, mounts: str = MOUNTS) -> Mount | None:
    """On which file system a path lies; None if that can't be told."""
    real = os.path.realpath(path)
    best, found = "", None
    try:
        with open(mounts, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, behind = line.partition(" - ")
        fields, (kind, source) = before.split(), [*behind.split(), "", ""][:2]
        point = _plain(fields[4]) if len(fields) > 4 else ""
        # Of what is mounted at one place, the last is seen.
        if len(point) >= len(best) and _is_below(real, point):
            best, found = point, Mount(kind, _plain(source), _is_shared(kind, real))
    return found


def _is_shared(kind: str, path: str) -> bool | None:
    if kind.removeprefix("fuse.").startswith(SHARED):
        return True
    return False if kind in OWN or any(_is_below(path, folder) for folder in TEMPORARY) else None


def _is_below(path: str, folder: str) -> bool:
    return bool(folder) and f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _plain(text: str) -> str:
    """A path as it is: the kernel writes blanks as \\040."""
    for sign in " \t\n\\":
        text = text.replace(f"\\{ord(sign):03o}", sign)
    return text
