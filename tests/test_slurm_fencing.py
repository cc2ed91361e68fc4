"""On a Slurm cluster no task runs beside itself, and no result is taken of an attempt that was given up."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from on_slurm import again, kept
from workspace import Workspace


def wrappers(slurm: Workspace) -> list[int]:
    """The processes that watch over recipes on nodes, their parents first."""
    word = f"executors.node\0{slurm.root}/".encode()
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if word in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_recipe_does_not_outlive_its_wrapper(slurm: Workspace) -> None:
    """Where Slurm does not know all processes of a job, nobody else would end it."""
    slurm.pipeline(again())
    driver = slurm.start("summary")
    slurm.wait_for("running")
    os.kill(wrappers(slurm)[0], signal.SIGKILL)
    slurm.wait_until(lambda: len(slurm.lines("began")) == 2)
    slurm.write("go", "")
    assert "after losing it" in kept(driver).out
