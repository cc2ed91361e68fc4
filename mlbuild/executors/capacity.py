"""What this machine has for the jobs of one build, and what is left of it beside those that run.

Blind to the order in which jobs start, and to how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlbuild.executors.job import Job
from mlbuild.executors.lender import Lender
from mlbuild.executors.machine import disk_space, size

ROUNDING = 1e-9
"""Ten times 0.1 CPU is 1 CPU."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What there is of one executor on this machine; what is None is as much as the machine has."""

    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    disk: int | None = None
    jobs: int | None = None
    pools: Mapping[str, float] = field(default_factory=dict)

    def hold(self, jobs: Sequence[Job]) -> bool:
        """Whether these jobs may run together, as far as it is not for the GPUs to say."""
        cpus = math.inf if self.cpus is None else self.cpus
        return (
            len(jobs) <= (self.jobs or math.inf)
            and sum(min(job.cpus, cpus) for job in jobs) <= cpus + ROUNDING
            and sum(job.memory or 0 for job in jobs) <= (self.memory or math.inf)
            and sum(job.disk or 0 for job in jobs) <= (self.disk or math.inf)
            and all(sum(job.pools.get(name, 0) for job in jobs) <= most for name, most in self.pools.items())
        )


class Capacity:
    """The limits of executors, and those of the machine that all of them are on.

    Args:
        workspace: absolute; its file system is the one whose space counts.
        machine: what there is for all together.
        limits: of executors, by name.
        lender: knows the GPUs.
    """

    def __init__(self, workspace: str, machine: Limits, limits: Mapping[str, Limits], lender: Lender) -> None:
        self._workspace = workspace
        self._machine = machine
        self._limits = limits
        self._lender = lender

    def has_room(self, job: Job, running: Sequence[Job]) -> bool:
        """Whether the job could start now, beside these."""
        jobs = [job, *running]
        own = self._own_limits(job)
        if job.gpus:
            self._lender.look(running)
        return (
            self._machine.hold(jobs)
            and own.hold([each for each in jobs if each.executor == job.executor])
            and self._has_disk(job, running)
            and self.lend(job, running) is not None
        )

    def _own_limits(self, job: Job) -> Limits:
        return self._limits.get(job.executor, Limits())

    def lend(self, job: Job, running: Sequence[Job]) -> tuple[str, ...] | None:
        """The GPUs that a job can have now, by their ids, kept for it and for those that run; None if it must wait."""
        return self._lender.lend(job, running, _most_gpus(self._own_limits(job))) if job.gpus else ()

    def _has_disk(self, job: Job, running: Sequence[Job]) -> bool:
        """Whether what it asks for is free beside what those that run have asked for, used or not.

        If none of them did, waiting would not help: `lacks_disk` tells of it.
        """
        claimed = sum(each.disk or 0 for each in running)
        return not job.disk or not claimed or claimed + job.disk <= disk_space(self._workspace)[0]

    def lacks_disk(self, job: Job) -> str | None:
        """That the job asks for more disk than is free, in words."""
        if job.disk is None or job.disk <= (free := disk_space(self._workspace)[0]):
            return None
        return f"it asks for {size(job.disk)} of disk, and {size(free)} are free"

    def cut_short(self, job: Job) -> str | None:
        """What the job asks for and gets less of, in words: more CPUs than there are count as all of them."""
        own = self._own_limits(job)
        cpus = min(limit.cpus for limit in (self._machine, own) if limit.cpus is not None)
        if job.cpus <= cpus:
            return None
        return f"asks for {job.cpus:g} CPUs, and there are {cpus:g}: it counts as all of them"

    def too_large(self, job: Job) -> str | None:
        """What the job asks for that can never be had here, in words; None if it fits."""
        own = self._own_limits(job)
        memory = min(own.memory or math.inf, self._machine.memory or math.inf)
        if (job.memory or 0) > memory:
            return f"{job.task} asks for {size(job.memory or 0)} of memory, and there are {size(int(memory))}"
        if job.nodes > 1:
            return f"{job.task} asks for {job.nodes} nodes, and this machine is one node"
        if job.gpus and (problem := self._lender.too_many(job, _most_gpus(own))):
            return f"{job.task} asks for {problem}"
        if job.disk:
            disk = min(own.disk or math.inf, disk_space(self._workspace)[1])
            if job.disk > disk:
                return f"{job.task} asks for {size(job.disk)} of disk, and there are {size(int(disk))}"
        for name, most in own.pools.items():
            if job.pools.get(name, 0) > most:
                return f"{job.task} asks for {job.pools[name]:g} of `{name}`, and `{job.executor}` has {most:g}"
        return None


def _most_gpus(limits: Limits) -> float:
    return math.inf if limits.gpus is None else limits.gpus
