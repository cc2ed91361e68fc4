"""Which GPUs this machine has for us, and which of them a job is lent.

Blind to what others do on them, and to slices of a GPU unless CUDA_VISIBLE_DEVICES names them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from mlbuild.executors.job import Job

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
QUERY = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
QUERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One of this machine's. `id` is as in CUDA_VISIBLE_DEVICES; `memory` in bytes, None if nobody tells."""

    id: str
    memory: int | None = None


def available_gpus(root: str = "/") -> list[Gpu]:
    """Those that CUDA_VISIBLE_DEVICES names, else all that the driver knows."""
    known = _by_tool() or _by_driver(root)
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return [Gpu(index, memory) for index, _, memory in known]
    found = {}
    for name in map(str.strip, visible.split(",")):
        if not name or name.startswith("-"):  # CUDA sees none from here on
            break
        same = (memory for index, uuid, memory in known if name == index or uuid.startswith(name))
        found[name] = Gpu(name, next(same, None))
    return list(found.values())


def _by_tool() -> list[tuple[str, str, int | None]]:
    """(index, unique id, bytes of memory) of each GPU; none if the tool is not there or fails."""
    import subprocess

    try:
        said = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    return [(row[0], row[1], int(row[2]) << 20 if row[2].isdigit() else None) for row in rows if len(row) == 3]


def _by_driver(root: str) -> list[tuple[str, str, int | None]]:
    try:
        count = len(os.listdir(os.path.join(root, "proc/driver/nvidia/gpus")))
    except OSError:
        return []
    return [(str(index), "", None) for index in range(count)]


def fits(gpu: Gpu, jobs: Sequence[Job]) -> bool:
    """Whether these jobs may be on a GPU together: several only if each says how much memory it takes."""
    if len(jobs) == 1:
        return (jobs[0].gpu_memory or 0) <= (gpu.memory or math.inf)
    return all(job.gpu_memory for job in jobs) and sum(job.gpu_memory or 0 for job in jobs) <= (gpu.memory or 0)


def lend(job: Job, running: Sequence[Job], gpus: Sequence[Gpu], most: float) -> tuple[str, ...] | None:
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


def environment(devices: Sequence[str]) -> dict[str, str]:
    """What tells a recipe which GPUs are its own."""
    # The numbers are the tool's, which counts by bus; CUDA alone would count by speed.
    order = {} if VISIBLE in os.environ else {ORDER: "PCI_BUS_ID"}
    return {VISIBLE: ",".join(devices), **order} if devices else {}
