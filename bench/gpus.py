"""Against a real GPU: whether what NVML tells is what CUDA sees, and whether GPUs are lent as they should be.

    pip install '.[gpu]' && python bench/gpus.py         a minute, on a machine whose GPUs nobody uses

Each check is told; the first that does not hold ends it with status 1, and so does a machine without NVML. Recipes use
CUDA's own library through ctypes, so nothing else need be installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from mlbuild.executors.nvidia import Nvml, Smi, Unavailable

ROOT = Path(__file__).resolve().parent.parent
GIB = 1 << 30
WAIT = 120.0
USE = """\
import ctypes, sys, time

cuda = ctypes.CDLL("libcuda.so.1")


def ask(name, *arguments):
    status = getattr(cuda, name)(*arguments)
    assert status == 0, (name, status)


count, context, memory, uuid = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64(), (ctypes.c_ubyte * 16)()
ask("cuInit", 0)
ask("cuDeviceGetCount", ctypes.byref(count))
assert count.value == 1, f"{count.value} devices"
ask("cuDeviceGetUuid_v2" if hasattr(cuda, "cuDeviceGetUuid_v2") else "cuDeviceGetUuid", uuid, 0)
ask("cuCtxCreate_v2", ctypes.byref(context), 0, 0)
ask("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(1 << 30))
print(bytes(uuid).hex(), flush=True)
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    ask("cuMemsetD32_v2", memory, 1, ctypes.c_size_t(1 << 28))
    ask("cuCtxSynchronize")
"""
PIPELINE = """
partition k: range({tasks})

target use[k]:
    outputs: "{{k}}.txt"
    resources: gpus = 1
    run:
        exec 9> "lock-$CUDA_VISIBLE_DEVICES"
        flock -n 9
        {python} use.py 4 > {{outputs}}
        echo $CUDA_VISIBLE_DEVICES >> {{outputs}}
"""


def fail(text: str) -> NoReturn:
    print(f"FAILED: {text}")
    raise SystemExit(1)


def check(holds: bool, text: str) -> None:
    if not holds:
        fail(text)
    print(f"ok: {text}", flush=True)


def start(workspace: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mlbuild", "-j64", "--events", "events"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=workspace, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def events(workspace: Path, name: str) -> list[dict[str, Any]]:
    rows = map(json.loads, (workspace / "events").read_text().splitlines())
    return [row for row in rows if row["event"] == name]


def lent(workspace: Path, count: int) -> None:
    """Twice as many tasks as GPUs."""
    tasks = 2 * count
    (workspace / "use.py").write_text(USE)
    (workspace / "Pipelinefile").write_text(PIPELINE.format(tasks=tasks, python=sys.executable))
    build = start(workspace)
    out, _ = build.communicate()
    if build.returncode:
        fail(f"{tasks} tasks on {count} GPUs:\n{out}")
    print(f"ok: {tasks} tasks on {count} GPUs, none of them shared, each with one device for CUDA")
    told = [(workspace / f"{number}.txt").read_text().split() for number in range(tasks)]
    check(len({device for _, device in told}) == count, "all GPUs were used")
    whole = [(seen, device) for seen, device in told if device.startswith("GPU-")]
    check(all(device[4:].replace("-", "") == seen for seen, device in whole), "CUDA saw the GPU that was lent")
    for row in events(workspace, "task_finished"):
        memory, busy = row["max_gpu_memory"], row["gpu_utilization"]
        check(
            memory is not None and GIB <= memory < 4 * GIB, f"{row['task']}: {memory} bytes of GPU memory, 1 GiB taken"
        )
        is_slice = told[int(row["task"].partition("[")[2][:-1])][1].startswith("MIG-")
        check(is_slice or (busy or 0) > 0.2, f"{row['task']}: utilization {busy}, at work all the time")


def left_alone(workspace: Path, device: str) -> None:
    """One GPU, and a stranger on it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = device
    (workspace / "use.py").write_text(USE)
    (workspace / "Pipelinefile").write_text(PIPELINE.format(tasks=1, python=sys.executable))
    with subprocess.Popen([sys.executable, "use.py", "1000"], cwd=workspace, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout
        check(bool(stranger.stdout.readline()), "a stranger is on the GPU")
        build, until = start(workspace), time.monotonic() + WAIT
        while not (workspace / "events").exists() or "waits" not in (workspace / "events").read_text():
            if time.monotonic() > until:
                fail("nothing was said of the stranger")
            time.sleep(0.1)
        said = [row["text"] for row in events(workspace, "said")]
        check(f"is used by process {stranger.pid} " in said[0], f"said: {'; '.join(said)}")
        stranger.kill()
    build.communicate()
    check(build.returncode == 0, "it is lent once the stranger has gone")


def main() -> None:
    try:
        nvml = Nvml()
    except Unavailable:
        fail("there is no NVML here")
    devices = nvml.devices()
    check(bool(devices), f"NVML tells of {', '.join(f'{each.index} {each.uuid} {each.model}' for each in devices)}")
    whole = [device for device in devices if not device.whole]
    known = {each.uuid: each.memory for each in Smi().devices()}
    check(all(each.uuid in known for each in whole), "nvidia-smi tells of the same GPUs")
    check(all(abs((each.memory or 0) - (known[each.uuid] or 0)) < GIB for each in whole), "and of the same memory")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        lent(Path(one), len(devices))
        left_alone(Path(two), devices[0].uuid)


if __name__ == "__main__":
    main()
