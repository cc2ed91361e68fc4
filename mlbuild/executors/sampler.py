"""What an attempt does with its GPUs: a child process looks about once a second, through NVML.

Blind to what happens between two looks, to an attempt that is over before the first, and to everything without NVML.
"""

from __future__ import annotations

import math
import mmap
import os
import select
from collections.abc import Sequence

from mlbuild.executors.gpus import visible
from mlbuild.executors.job import Job
from mlbuild.executors.nvidia import Nvml, Unavailable
from mlbuild.executors.processes import fork

EVERY = 1.0
"""Seconds between two looks."""
BUSY, MOST = range(2)
"""Where the child leaves what it has seen so far: a number that is not one until there is something."""


class Sampler:
    """Looks at an attempt from now on until `end`, or until this process dies.

    Args:
        devices: unique ids of the GPUs that the attempt was lent; None: all that are visible here.
        session: of its processes.
        alone: nobody else is on these GPUs, so that all that is in use of their memory is its own, if the driver does
            not tell whose it is.

    Raises:
        OSError: there are no more processes or files to be had.
    """

    def __init__(self, devices: Sequence[str] | None, session: int, *, alone: bool) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self._seen = memoryview(self._shared).cast("d")
        self._seen[BUSY] = self._seen[MOST] = math.nan
        reader, self._alive = os.pipe()
        try:
            # Two forks: nobody has to wait for one that a driver holds up.
            os.waitpid(fork(lambda: fork(lambda: _watch(reader, self._seen, devices, session, alone))), 0)
        except OSError:
            os.close(self._alive)
            raise
        finally:
            os.close(reader)

    def end(self) -> tuple[float | None, int | None]:
        """For which part of the time its GPUs were at work, on average from 0 to 1, and the most memory that it held
        on all of them together, in bytes; None if that is not known."""
        os.close(self._alive)
        busy, most = self._seen[BUSY], self._seen[MOST]
        self._seen.release()
        self._shared.close()
        return None if math.isnan(busy) else busy, None if math.isnan(most) else int(most)


def of(job: Job, session: int) -> Sampler | None:
    """One for a job that has GPUs of which the driver can be asked; None for others, and if none can be had."""
    devices = [device for device in job.devices if not device.isdecimal()]
    if not (devices or job.has_visible):
        return None
    try:
        return Sampler(devices or None, session, alone=job.gpu_memory is None)
    except OSError:
        return None


def _watch(alive: int, seen: memoryview[float], lent: Sequence[str] | None, session: int, alone: bool) -> None:
    # Held here, a connection, a gate or a lock would outlive the supervisor.
    os.closerange(3, alive)
    os.closerange(alive + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        nvml = Nvml()
    except Unavailable:
        return
    devices = [gpu.id for gpu in visible(nvml.devices())] if lent is None else lent
    looks, at_work, idle = 0, 0.0, _used(nvml, devices)
    while True:
        rates = [rate for device in devices if (rate := nvml.utilization(device)) is not None]
        if rates:
            looks, at_work = looks + 1, at_work + sum(rates) / len(rates)
            seen[BUSY] = at_work / looks
        held = _held(nvml, devices, session)
        used = _used(nvml, devices) if alone and not held else None
        if used is not None and idle is not None:
            held = max(0, used - idle)
        if held is not None:
            seen[MOST] = max(held, 0 if math.isnan(seen[MOST]) else seen[MOST])
        readable, _, _ = select.select([alive], [], [], EVERY)
        if readable:  # its other end is closed
            return


def _held(nvml: Nvml, devices: Sequence[str], session: int) -> int | None:
    """The memory that the processes of a session hold; None if the driver tells of none of them."""
    sizes = [
        size
        for device in devices
        for pid, size in nvml.processes_on(device).items()
        if size is not None and _session(pid) == session
    ]
    return sum(sizes) if sizes else None


def _used(nvml: Nvml, devices: Sequence[str]) -> int | None:
    sizes = [nvml.used(device) for device in devices]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
