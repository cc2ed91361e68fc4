"""Which GPUs of this machine are for us, and which of them a job can be lent beside others of ours.

Blind to other builds and to strangers: `lender` asks about those.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from mlbuild.executors.job import Job
from mlbuild.executors.nvidia import Device

VISIBLE, ORDER, BY_BUS = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PCI_BUS_ID"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One of this machine's, or a slice of one.

    Attributes:
        id: as in CUDA_VISIBLE_DEVICES: the unique id where that is known, else the index.
        memory: in bytes; None if nobody tells.
        index: what people call it.
    """

    id: str
    memory: int | None = None
    index: str = ""


def visible(devices: Sequence[Device]) -> list[Gpu]:
    """Those of these that CUDA_VISIBLE_DEVICES lets us have: as in CUDA, up to the first name that names none."""
    names = os.environ.get(VISIBLE)
    if names is None:
        return [_gpu(device) for device in devices]
    found: dict[str, Gpu] = {}
    for name in map(str.strip, names.split(",")):
        named = _named(name, devices)
        if not named:
            break
        found |= {gpu.id: gpu for gpu in named}
    return list(found.values())


def _gpu(device: Device) -> Gpu:
    return Gpu(device.uuid or device.index, device.memory, device.index)


def _named(name: str, devices: Sequence[Device]) -> list[Gpu]:
    """What a name stands for; the name of a GPU that is sliced stands for its slices."""
    if name.isdecimal():
        # Among different models CUDA counts by speed unless told otherwise, the driver always by bus.
        is_same_count = os.environ.get(ORDER) == BY_BUS or len({device.model for device in devices}) == 1
        if not is_same_count:
            return [Gpu(name, None, name)]
        return [_gpu(device) for device in devices if device.index.partition(":")[0] == name]
    if not name.startswith(("GPU-", "MIG-")):
        return []
    uuids = {uuid for device in devices for uuid in (device.uuid, device.whole) if uuid}
    if not uuids:
        return [Gpu(name, None, name)]
    meant = {name} & uuids or {uuid for uuid in uuids if uuid.startswith(name)}
    return [_gpu(device) for device in devices if len(meant) == 1 and meant & {device.uuid, device.whole}]


def fits(gpu: Gpu, jobs: Sequence[Job]) -> bool:
    """Whether these jobs may be on a GPU together: several only if each says how much memory it takes."""
    if len(jobs) == 1:
        return (jobs[0].gpu_memory or 0) <= (gpu.memory or math.inf)
    return all(job.gpu_memory for job in jobs) and sum(job.gpu_memory or 0 for job in jobs) <= (gpu.memory or 0)


def choose(job: Job, running: Sequence[Job], gpus: Sequence[Gpu], most: float) -> tuple[str, ...] | None:
    """The ids of the GPUs that a job gets beside those that run; None if it must wait.

    Args:
        most: on so many GPUs the jobs of its executor may be.
    """
    users = {gpu.id: [each for each in running if gpu.id in each.devices] for gpu in gpus}
    own = {device for each in running if each.executor == job.executor for device in each.devices}

    def eagerness(gpu: Gpu) -> tuple[bool, bool, float]:
        """The fullest first, so that whole ones stay free."""
        taken = sum(each.gpu_memory or 0 for each in users[gpu.id])
        return gpu.id not in own, not users[gpu.id], (gpu.memory or 0) - taken

    able = sorted((gpu for gpu in gpus if fits(gpu, [job, *users[gpu.id]])), key=eagerness)
    chosen = tuple(gpu.id for gpu in able[: job.gpus])
    return chosen if len(chosen) == job.gpus and len(own.union(chosen)) <= most else None
