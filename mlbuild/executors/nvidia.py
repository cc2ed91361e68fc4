"""What NVIDIA's driver tells of GPUs and of the processes on them: through NVML, else through `nvidia-smi`.

Blind to slices of a GPU (MIG) where only `nvidia-smi` is there, and to processes that draw and don't compute.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

QUERY_SECONDS = 60.0
"""For which `nvidia-smi` may be at work; without a persistent driver it sets up each GPU first."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or a slice of one, as the driver knows it.

    Attributes:
        index: `1`; of a slice `1:0`.
        uuid: unique in the world; empty if nobody tells.
        memory: in bytes; None if nobody tells.
        whole: the unique id of the GPU that this is a slice of.
    """

    index: str
    uuid: str = ""
    memory: int | None = None
    model: str = ""
    whole: str = ""


class Driver(Protocol):
    """A way to ask. What can't be told is left out."""

    def devices(self) -> list[Device]: ...

    def processes(self) -> dict[str, dict[int, int | None]]:
        """By unique id of a device, who computes on it: pid → bytes of its memory that it holds, None if unknown."""
        ...

    def close(self) -> None: ...


def driver() -> Driver | None:
    """The best way that there is here; None if there are no GPUs, or nobody tells of them."""
    for way in (Nvml, Smi):
        with contextlib.suppress(Unavailable):
            found: Driver = way()
            if found.devices():
                return found
            found.close()
    return None


class Unavailable(Exception):
    """This way to ask is not there."""


class Nvml:
    """Through `nvidia-ml-py`. Raises Unavailable."""

    def __init__(self) -> None:
        try:
            import pynvml
        except ImportError:
            raise Unavailable from None
        self._nvml: Any = pynvml
        self._failure: type[Exception] = pynvml.NVMLError
        try:
            pynvml.nvmlInit()
        except self._failure:
            raise Unavailable from None

    def close(self) -> None:
        with contextlib.suppress(self._failure):
            self._nvml.nvmlShutdown()

    def devices(self) -> list[Device]:
        found = []
        for number in range(self._ask("nvmlDeviceGetCount") or 0):
            whole = self._ask("nvmlDeviceGetHandleByIndex", number)
            if whole is None:  # it has fallen off the bus
                continue
            slices = list(self._slices(whole))
            uuid = self._ask("nvmlDeviceGetUUID", whole) or ""
            model = self._ask("nvmlDeviceGetName", whole) or ""
            for index, part in slices:
                own = self._ask("nvmlDeviceGetUUID", part) or ""
                found.append(Device(f"{number}:{index}", own, self._total(part), model, uuid))
            if not self._is_sliced(whole):
                found.append(Device(str(number), uuid, self._total(whole), model))
        return found

    def processes(self) -> dict[str, dict[int, int | None]]:
        return {device.uuid: self.processes_on(device.uuid) for device in self.devices() if device.uuid}

    def processes_on(self, uuid: str) -> dict[int, int | None]:
        """Who computes on this device: pid → bytes of its memory."""
        rows = self._ask("nvmlDeviceGetComputeRunningProcesses", self._handle(uuid)) or ()
        return {row.pid: row.usedGpuMemory for row in rows}

    def used(self, uuid: str) -> int | None:
        """How many bytes of its memory are in use, by whomever."""
        memory = self._ask("nvmlDeviceGetMemoryInfo", self._handle(uuid))
        return None if memory is None else int(memory.used)

    def utilization(self, uuid: str) -> float | None:
        """For which part of the last moment it was at work, from 0 to 1. Of a slice nobody knows."""
        rates = self._ask("nvmlDeviceGetUtilizationRates", self._handle(uuid))
        return None if rates is None else rates.gpu / 100

    def _is_sliced(self, whole: Any) -> bool:
        modes = self._ask("nvmlDeviceGetMigMode", whole)
        return bool(modes and modes[0] == self._nvml.NVML_DEVICE_MIG_ENABLE)

    def _slices(self, whole: Any) -> Iterator[tuple[int, Any]]:
        if self._is_sliced(whole):
            for index in range(self._ask("nvmlDeviceGetMaxMigDeviceCount", whole) or 0):
                part = self._ask("nvmlDeviceGetMigDeviceHandleByIndex", whole, index)
                if part is not None:
                    yield index, part

    def _total(self, handle: Any) -> int | None:
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        return None if memory is None else int(memory.total)

    def _handle(self, uuid: str) -> Any:
        return self._ask("nvmlDeviceGetHandleByUUID", uuid)

    def _ask(self, function: str, *arguments: Any) -> Any:
        """What NVML answers; None if it does not, as older drivers and smaller GPUs do to many a question."""
        if None in arguments:
            return None
        try:
            return getattr(self._nvml, function)(*arguments)
        except self._failure:
            return None


class Smi:
    """Through the program that comes with the driver."""

    def devices(self) -> list[Device]:
        rows = _table("--query-gpu=index,uuid,memory.total,name", 4)
        return [
            Device(index, uuid, int(size) << 20 if size.isdigit() else None, model) for index, uuid, size, model in rows
        ]

    def processes(self) -> dict[str, dict[int, int | None]]:
        found: dict[str, dict[int, int | None]] = {}
        for uuid, pid, size in _table("--query-compute-apps=gpu_uuid,pid,used_memory", 3):
            if pid.isdigit():
                found.setdefault(uuid, {})[int(pid)] = int(size) << 20 if size.isdigit() else None
        return found

    def close(self) -> None:
        return


def _table(query: str, columns: int) -> list[list[str]]:
    """The rows that `nvidia-smi` answers; none if it is not there or fails."""
    import subprocess

    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",", columns - 1)] for line in said.splitlines()]
    return [row for row in rows if len(row) == columns]


def counted(root: str = "/") -> list[Device]:
    """The GPUs that the driver has a folder for, where nothing more can be asked."""
    try:
        count = len(os.listdir(os.path.join(root, "proc/driver/nvidia/gpus")))
    except OSError:
        return []
    return [Device(str(index)) for index in range(count)]
