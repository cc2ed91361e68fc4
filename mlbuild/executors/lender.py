"""Lends GPUs to the jobs of one build, so that no two builds of this machine and no stranger are on one together.

A GPU that is lent is locked by the name of a socket in the kernel's own name space: one process at a time can have it,
of whatever user and workspace, and it is free when the last that holds it has died, however that was.
Blind to builds and strangers in containers that have a network, or processes, of their own.
"""

from __future__ import annotations

import errno
import os
import pwd
import socket
import time
from collections.abc import Sequence
from functools import cached_property

from mlbuild.digest import digest_bytes
from mlbuild.executors import gpus, nvidia, processes
from mlbuild.executors.attempt import MARK, mark
from mlbuild.executors.gpus import Gpu
from mlbuild.executors.job import Job
from mlbuild.executors.machine import size

LOOK_EVERY = 2.0
"""Seconds between two looks at who computes on the GPUs."""
LENT = "MLBUILD_LENT"
"""Tells a build that a recipe starts which GPUs the recipe was lent, and by whom."""
SHARED_BY_ALL = "nvidia-cuda-mps"
"""What the server that runs the work of many processes is called, cut off as the kernel does."""


class Lender:
    """The GPUs that this build may have.

    Args:
        configured: how many there are if neither the driver nor CUDA_VISIBLE_DEVICES tells.
    """

    def __init__(self, configured: int | None = None) -> None:
        self._configured = configured
        self._locks: dict[str, socket.socket] = {}
        self._computing: dict[str, list[int]] = {}
        self._next_look = 0.0
        self._told: set[str] = set()
        self._is_told_of_waiting = False
        self._news: list[str] = []

    @cached_property
    def _driver(self) -> nvidia.Driver | None:
        return nvidia.driver()

    @cached_property
    def gpus(self) -> list[Gpu]:
        """All that there are for this build, free or not."""
        known = self._driver.devices() if self._driver else nvidia.counted()
        return gpus.visible(known or [nvidia.Device(str(index)) for index in range(self._configured or 0)])

    def too_many(self, job: Job, most: float) -> str | None:
        """What of its GPUs the job can never have, in words; None if they are there."""
        there = min(most, len(self.gpus))
        if job.gpus > there:
            return f"{_count(job.gpus)}, and there {_are(int(there))}"
        able = sum(gpus.fits(gpu, [job]) for gpu in self.gpus)
        if job.gpus > able:
            return f"{_count(job.gpus)} with {size(job.gpu_memory or 0)} of memory, and there {_are(able)}"
        return None

    def look(self, running: Sequence[Job]) -> None:
        """See who computes on them, beside these jobs of ours, if the last look is old."""
        if self._driver is None or time.monotonic() < self._next_look:
            return
        marks = [f"{MARK}={mark(job.attempt, job.workspace)}" for job in running]
        if MARK in os.environ:  # what else the recipe does that this build is a part of
            marks.append(f"{MARK}={os.environ[MARK]}")
        self._computing = {
            uuid: [pid for pid in pids if not any(processes.has(pid, each) for each in marks)]
            for uuid, pids in self._driver.processes().items()
        }
        self._next_look = time.monotonic() + LOOK_EVERY

    def lend(self, job: Job, running: Sequence[Job], most: float) -> tuple[str, ...] | None:
        """The ids of the GPUs that the job can have now, locked for this build; None if it must wait.

        Args:
            running: the other jobs of this build.
            most: on so many GPUs the jobs of its executor may be.
        """
        free = [gpu for gpu in self.gpus if not self._is_used(gpu)]
        while chosen := gpus.choose(job, running, free, most):
            taken = [device for device in chosen if not self._lock(device)]
            if not taken:
                self._is_told_of_waiting = False
                return chosen
            free = [gpu for gpu in free if gpu.id not in taken]
        is_for_others = not any(other.devices for other in running) and gpus.choose(job, running, self.gpus, most)
        if is_for_others and not self._is_told_of_waiting:
            self._is_told_of_waiting = True
            used = len(self.gpus) - len(free)
            self._news.append(f"{job.task} waits for {_count(job.gpus)}: others use {used} of {len(self.gpus)}")
        return None

    def names(self, devices: Sequence[str]) -> tuple[str, ...]:
        """What people call these, which were lent; of one that is no more the id."""
        known = {gpu.id: gpu.index for gpu in self.gpus} if devices else {}
        return tuple(known.get(device, device) for device in devices)

    def locks(self, devices: Sequence[str]) -> list[int]:
        """The open files that keep what was lent locked: whoever holds a copy of them does."""
        return [self._locks[device].fileno() for device in devices]

    def keep(self, running: Sequence[Job]) -> None:
        """Unlock what none of these jobs, the only ones of this build that run, is on."""
        used = {device for job in running for device in job.devices}
        for device in [device for device in self._locks if device not in used]:
            self._locks.pop(device).close()

    def news(self) -> list[str]:
        """What there is to say, once."""
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        self.keep(())
        if "_driver" in vars(self) and self._driver:
            self._driver.close()

    def _lock(self, device: str) -> bool:
        """Whether it is ours now."""
        if device in self._locks:
            return True
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0mlbuild/gpu/{_scope(device)}{device}")
        except OSError as error:
            lock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        self._locks[device] = lock
        return True

    def _is_used(self, gpu: Gpu) -> bool:
        """Whether a stranger computes on it. One that has ended doesn't, even if the driver has yet to notice."""
        names = {pid: _name(pid) for pid in self._computing.get(gpu.id, ())}
        alive = [pid for pid, name in names.items() if name and name != SHARED_BY_ALL]
        if alive and gpu.id not in self._told:
            self._told.add(gpu.id)
            more = f" and {len(alive) - 1} more" if len(alive) > 1 else ""
            who = f"process {alive[0]} ({names[alive[0]]}, {_user(alive[0])}){more}"
            self._news.append(f"GPU {gpu.index} is used by {who}: left alone")
        return bool(alive)


def environment(job: Job, devices: Sequence[str]) -> dict[str, str]:
    """What tells a recipe which GPUs are its own."""
    if not devices:
        return {}
    ids = ",".join(devices)
    # Indices are the driver's, which counts by bus; CUDA alone would count by speed.
    by_bus = gpus.VISIBLE not in os.environ and any(device.isdecimal() for device in devices)
    order = {gpus.ORDER: gpus.BY_BUS} if by_bus else {}
    lent = {LENT: f"{digest_bytes(mark(job.attempt, job.workspace).encode())} {ids}"}
    return {gpus.VISIBLE: ids, **order, **lent}


def _scope(device: str) -> str:
    """Among whom a GPU is locked: among all, but what a recipe was lent among the builds that it starts."""
    lender, _, ids = os.environ.get(LENT, "").partition(" ")
    return f"{lender}/" if device in ids.split(",") else ""


def _name(pid: int) -> str:
    """What a process is called; empty if it has ended, or is in a container out of our sight."""
    if processes.start_time(pid) is None:
        return ""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def _user(pid: int) -> str:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return "gone"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _count(number: int) -> str:
    return f"{number} GPU{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return f"{'is' if number == 1 else 'are'} {number or 'none'}"
