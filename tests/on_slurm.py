"""Recipes for a Slurm cluster, and words with what runs there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import Popen

from cluster import Cluster, below
from workspace import Ended, Workspace

EXECUTOR = 'executor gpu: slurm(queue = "main", delay = 1s)\n'
ONCE = """\
{executor}
target model:
    outputs: "model.txt"
    code: none
    on: gpu
    run:
        exec 9> lock; flock -n 9
        echo "$SLURMD_NODENAME" >> began
        touch running
        while ! test -e go; do sleep 0.05; done
        echo model > {{outputs}}

target summary:
    inputs: model
    outputs: "summary.txt"
    run: cp {{inputs}} {{outputs}}
"""


AFTER = """
target after:
    inputs: model
    outputs: "after.txt"
    on: gpu
    run: cp {inputs} {outputs}
"""


def once() -> str:
    """A task on the cluster that fails if it runs beside itself, and goes on until there is a file `go`."""
    return ONCE.format(executor=EXECUTOR)


def again() -> str:
    """As `once`, with another attempt if it is lost."""
    return once().replace("on: gpu\n", "on: gpu\n    retry: 1, backoff = 1ms\n")


TRAIN = """
    {executor}
    target train:
        outputs: "model.txt"
        on: gpu
        checkpoint: "ckpt/", signal = TERM, grace = 2s
        run:
            python train.py {{checkpoint}} {{outputs}}
"""
SCRIPT = """
    import os, signal, sys, time
    directory, out = sys.argv[1:]
    found = os.environ["MLBUILD_RESUME_FROM"]
    step = int(open(found).read()) if found else 0
    print("from", step, os.environ["SLURM_JOB_ID"], flush=True)
    open("attempts", "a").write(f"{step}\\n")
    def save(*_):
        with open(f"{directory}/.part", "w") as file:
            file.write(str(step))
        os.rename(f"{directory}/.part", f"{directory}/{step}")
        sys.exit(1)
    signal.signal(signal.SIGTERM, save)
    while step < int(os.environ["STEPS"]):
        time.sleep(0.1)
        step += 1
    open(out, "w").write(str(step))
"""


def jobs(cluster: Cluster, *options: str) -> list[str]:
    """The names of the jobs in the queue."""
    return cluster.ask("squeue", "--noheader", "--array", "--format=%j", *options).split()


def stand_in(workspace: Workspace, name: str, text: str) -> dict[str, str]:
    """The environment in which a command of Slurm's is this script."""
    script = workspace.write(f"bin/{name}", f"#!/bin/bash\n{text}\n")
    script.chmod(0o755)
    return {"PATH": f"{script.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


def kept(process: Popen[str]) -> Ended:
    """What a command that was started says at its end, which is a good one."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return Ended(0, out, err, [])


def wrappers(slurm: Workspace) -> list[int]:
    """The processes that watch over recipes on nodes, their parents first."""
    word = f"executors.node\0{slurm.root}/".encode()
    found = [int(name) for name in os.listdir("/proc") if name.isdigit() and word in _command(int(name))]
    return sorted(found, key=lambda pid: any(pid in below(other) for other in found))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
