"""A stand-in for `nvidia-ml-py` on machines without a GPU: it tells what the folder NVML_STANDIN says.

`devices.json` is a list of `{"uuid", "memory", "model", "busy", "slices"}`; slices are such, too. A file named like a
unique id has a line for each process on that device: pid and bytes. `looks` gets a line for each look at utilization.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_DEVICE_MIG_ENABLE = 1
Device = dict[str, Any]


class NVMLError(Exception):
    """It can't be told."""


def _folder() -> Path:
    return Path(os.environ["NVML_STANDIN"])


def _devices() -> list[Device]:
    devices: list[Device] = json.loads((_folder() / "devices.json").read_text())
    return devices


def nvmlInit() -> None:
    if "NVML_STANDIN" not in os.environ:
        raise NVMLError


def nvmlShutdown() -> None:
    return


def nvmlDeviceGetCount() -> int:
    return len(_devices())


def nvmlDeviceGetHandleByIndex(index: int) -> Device:
    device = _devices()[index]
    if not device:
        raise NVMLError
    return device


def nvmlDeviceGetHandleByUUID(uuid: str) -> Device:
    for device in filter(None, _devices()):
        for each in (device, *device.get("slices", ())):
            if each["uuid"] == uuid:
                return each
    raise NVMLError


def nvmlDeviceGetUUID(device: Device) -> str:
    return str(device["uuid"])


def nvmlDeviceGetName(device: Device) -> str:
    return str(device.get("model", "T4"))


def nvmlDeviceGetMigMode(device: Device) -> list[int]:
    if "slices" not in device:
        raise NVMLError
    return [NVML_DEVICE_MIG_ENABLE, NVML_DEVICE_MIG_ENABLE]


def nvmlDeviceGetMaxMigDeviceCount(device: Device) -> int:
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(device: Device, index: int) -> Device:
    if index >= len(device["slices"]):
        raise NVMLError
    part: Device = device["slices"][index]
    return part


def nvmlDeviceGetMemoryInfo(device: Device) -> SimpleNamespace:
    if "memory" not in device:
        raise NVMLError
    return SimpleNamespace(total=device["memory"], used=device.get("used", 0))


def nvmlDeviceGetUtilizationRates(device: Device) -> SimpleNamespace:
    with (_folder() / "looks").open("a") as looks:
        looks.write("looked\n")
    if "busy" not in device:
        raise NVMLError
    return SimpleNamespace(gpu=device["busy"])


def nvmlDeviceGetComputeRunningProcesses(device: Device) -> list[SimpleNamespace]:
    try:
        rows = (_folder() / device["uuid"]).read_text().splitlines()
    except FileNotFoundError:
        return []
    split = [row.split() for row in rows]
    return [SimpleNamespace(pid=int(pid), usedGpuMemory=int(size)) for pid, size in split]
