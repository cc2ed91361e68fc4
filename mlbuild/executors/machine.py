"""How much of this machine is ours: CPUs and memory, after affinity and control groups (v1 and v2), and disk space.

Blind to who else uses it, and to GPUs.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator


def available_cpus(root: str = "/") -> int:
    """The CPUs that this process may use at once, a part of one counting as one; at least 1."""
    shares: list[float] = [len(os.sched_getaffinity(0))]
    for (text,) in _limits(root, "", "cpu.max"):
        quota, _, period = text.partition(" ")
        shares.append(int(quota) / int(period) if quota != "max" else math.inf)
    for quota, period in _limits(root, "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        shares.append(int(quota) / int(period) if int(quota) > 0 else math.inf)
    return max(1, math.ceil(min(shares)))


def available_memory(root: str = "/") -> int:
    """The memory that this process and its children may use together, in bytes; what others use isn't taken off."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    sizes += [int(text) for (text,) in _limits(root, "", "memory.max") if text != "max"]
    sizes += [int(text) for (text,) in _limits(root, "memory", "memory.limit_in_bytes")]
    return min(sizes)


def disk_space(path: str) -> tuple[int, int]:
    """(bytes that we may still write, bytes that there are in all) on the file system of a path."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize


def size(amount: float) -> str:
    """Bytes for people: 1.5G"""
    units = iter("BKMGT")
    unit = next(units)
    while amount >= 1024 and unit != "T":
        amount, unit = amount / 1024, next(units)
    return f"{amount:.4g}{unit}"


def span(seconds: float) -> str:
    """A time as a Pipelinefile has it: 2d, 4h, 90m, 30s"""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def groups(root: str, controller: str) -> Iterator[str]:
    """The folder of our control group and of each above it (inside a container, often only the top is there)."""
    mount = os.path.join(root, "sys/fs/cgroup", controller)
    path = _group(root, controller)
    while path not in ("", "/"):
        yield os.path.join(mount, path.lstrip("/"))
        path = os.path.dirname(path)
    yield mount


def _limits(root: str, controller: str, *names: str) -> Iterator[list[str]]:
    """What these files hold in our group and each group above it."""
    for folder in groups(root, controller):
        with contextlib.suppress(OSError):
            yield [_read(os.path.join(folder, name)) for name in names]


def _group(root: str, controller: str) -> str:
    """Our group in this hierarchy, "" being version 2."""
    try:
        rows = _read(os.path.join(root, "proc/self/cgroup")).splitlines()
    except OSError:
        return ""
    fields = [row.split(":", 2) for row in rows]
    return next((path for _, names, path in fields if controller in names.split(",")), "")


def _read(path: str) -> str:
    with open(path) as file:
        return file.read().strip()
