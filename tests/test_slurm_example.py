"""The example that trains on two nodes of a real Slurm: killed in the midst, it goes on from its checkpoint on both."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest
from on_slurm import kept
from test_examples import EXAMPLES, LEFT_BEHIND, ON_A_CLUSTER, run_what_is_shown
from workspace import Workspace

from mlbuild.executors.processes import has

SAVED = "            progress(epoch, params.epochs, loss=loss)\n"
HELD = f"""{SAVED}\
            while epoch == 3 and not start:
                __import__("time").sleep(0.05)
"""
"""The first attempt goes no further."""


@pytest.fixture
def example(slurm: Workspace) -> Workspace:
    shutil.copytree(EXAMPLES / ON_A_CLUSTER, slurm.root, ignore=LEFT_BEHIND, dirs_exist_ok=True)
    slurm.write("mlbuild.toml", '[executors.gpu]\nqueue = "main"\ndelay = "1s"\n')
    script = slurm.read("train.py")
    assert SAVED in script
    (slurm.root / "train.py").write_text(script.replace(SAVED, HELD))
    return slurm


def process(workspace: Workspace, rank: int) -> int:
    """That of the training which has this rank."""
    marks = (f"RANK={rank}", "LOCAL_RANK=0")
    (pid,) = (pid for pid in workspace.processes() if all(has(pid, mark) for mark in marks))
    return pid


def test_a_process_on_one_node_dies_and_both_go_on(example: Workspace) -> None:
    build = example.start()
    example.wait_for("build/checkpoints/epoch-003")
    follower = example.start("log", "-F", "train")
    os.kill(process(example, rank=1), signal.SIGKILL)
    kept(build)
    shown = [line for line in kept(follower).out.splitlines() if line.startswith("process")]
    assert sorted(shown) == [
        f"process {rank} of 2 on n{rank + 1}: from epoch {epoch}" for rank in range(2) for epoch in (0, 3)
    ]
    assert json.loads(example.read("build/metrics.json"))["accuracy"] > 0.8
    run_what_is_shown(example)
    assert example.states("train") == {"points[train]": "fresh", "train": "fresh"}
