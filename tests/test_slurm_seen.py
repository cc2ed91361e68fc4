"""What people see of tasks on a cluster: what waits, and why; what runs, and where."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from on_slurm import EXECUTOR, kept, stand_in
from workspace import ROOT, Workspace

HELD = "somebody holds it back (`scontrol release` lets it go)"


@pytest.fixture
def held(slurm: Workspace) -> Workspace:
    """Two tasks whose jobs wait until somebody releases them."""
    slurm.pipeline(f"""
        partition k: ["a", "b"]
        {EXECUTOR}
        target model[k]:
            outputs: "model/{{k}}"
            on: gpu
            resources: gpus = 1
            run: echo begun {{k}}; while ! test -e go; do sleep 0.05; done; touch {{outputs}}
        target all:
            inputs: model[*]
    """)
    slurm.write("mlbuild.toml", '[executors.gpu]\noptions = ["--hold"]\n')
    return slurm


def release(cluster: Cluster) -> None:
    for id in set(cluster.ask("squeue", "--noheader", "--format=%F").split()):
        cluster.ask("scontrol", "release", id)


def rows(workspace: Workspace, event: str) -> list[dict[str, Any]]:
    return [row for row in workspace.events("events.jsonl") if row["event"] == event]


def standings(workspace: Workspace) -> dict[str, Any]:
    """What `status` says of how tasks stand."""
    targets = json.loads(workspace.run("status", "--json").out)["targets"]
    return {task["task"]: task["standing"] for target in targets for task in target["tasks"] if "standing" in task}


def test_what_waits_says_why_and_what_runs_says_where(held: Workspace, cluster: Cluster) -> None:
    driver = held.start("all", events="events.jsonl")
    held.wait_until(lambda: any(row["reason"] == "JobHeldUser" for row in rows(held, "tasks_queued")))
    assert rows(held, "task_started") == []
    first, *_, last = rows(held, "tasks_queued")
    both, of_cluster = ["model[a]", "model[b]"], {"event": "tasks_queued", "executor": "gpu", "starts": None}
    del first["time"], last["time"]
    assert first == {"tasks": both, "reason": "", "why": "", **of_cluster}
    assert last == {"tasks": both, "reason": "JobHeldUser", "why": HELD, **of_cluster}

    waits = {"reason": "JobHeldUser", "why": HELD, "starts": None}
    assert standings(held) == {"model[a]": waits, "model[b]": waits}
    told = f"model  2 queued\nall    stale\nqueued  model[a] and 1 more task: {HELD}\n"
    assert held.run("status").out == told
    assert f"model[a]  queued      {HELD}; it was never built here\n" in held.run("status", "--tasks").out
    follower = held.start("log", "-F", "model[a]")
    assert follower.stderr and follower.stdout
    assert follower.stderr.readline() == f"model[a] is queued: {HELD}\n"

    release(cluster)
    held.wait_until(lambda: len(rows(held, "task_started")) == 2)
    place = {
        row["task"]: {"since": None, "node": row["node"], "gpus": row["gpus"]} for row in rows(held, "task_started")
    }
    assert len(set(map(str, place.values()))) == 2
    assert {task: {**row, "since": None} for task, row in standings(held).items()} == place
    where = {task: f"{each['node']}, GPU {each['gpus'][0]}" for task, each in place.items()}
    assert f"running model[a]: {where['model[a]']}\n" in held.run("status").out
    assert follower.stdout.readline() == "begun a\n", "what is printed there is seen while it runs"

    held.write("go", "")
    out = kept(driver).out
    assert f"queued  model[a] and 1 more task: {HELD}\n" in out
    assert all(f"start   {task} on {text}\n" in out for task, text in where.items())
    runs, done = kept(follower).err.splitlines()[-2:]
    assert runs == f"model[a] runs on {where['model[a]']}" and done.startswith("model[a]: done, after ")
    assert standings(held) == {}


def test_what_a_killed_build_has_queued_is_queued_in_the_next(held: Workspace, cluster: Cluster) -> None:
    driver = held.start("all", events="events.jsonl")
    held.wait_until(lambda: rows(held, "tasks_queued"))
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert {row["reason"] for row in standings(held).values()} == {"JobHeldUser"}, "Slurm is asked"
    assert f"{HELD}; run 1, which died, has left it queued, since " in held.run("status", "--tasks").out
    assert "model  2 queued" in held.run("status", env=stand_in(held, "squeue", "sleep 1000")).out

    second = held.start("all", events="events.jsonl")
    held.wait_until(lambda: any(row["reason"] == "JobHeldUser" for row in rows(held, "tasks_queued")))
    assert rows(held, "task_started") == []
    assert "    model[a] is queued since " in held.run("cancel", "-n").out
    assert "    model[a] was taken out of its queue after " in held.run("cancel", "model[a]").out
    release(cluster)
    held.wait_until(lambda: rows(held, "task_started"))
    held.write("go", "")
    out, err = second.communicate(timeout=60)
    assert second.returncode == 1, out + err
    (started,) = rows(held, "task_started")
    assert (started["task"], started["taken_over_from"]) == ("model[b]", 1)
    assert started["ran"] < started["time"] - rows(held, "build_started")[0]["time"], "not the time in the queue"


def test_a_terminal_shows_what_waits_and_then_where_it_runs(held: Workspace, cluster: Cluster) -> None:
    def let_go() -> None:
        release(cluster)
        held.write("go", "")

    held.write("Pipelinefile", held.read("Pipelinefile").replace("while", "sleep 1; while"))
    status, shown = held.on_a_terminal("all", after=HELD.encode(), then=let_go)
    assert status == 0
    assert "◦ model[a] and 1 more task" in shown
    assert "▸ model[a]" in shown and ("n1, GPU 0" in shown or "n2, GPU 0" in shown)


def test_what_a_task_did_with_the_gpus_that_slurm_lent_it_is_told(slurm: Workspace) -> None:
    """NVML is played by `nvml/pynvml.py`, on the node, too: which GPU it was, Slurm's CUDA_VISIBLE_DEVICES says."""
    slurm.pipeline(f"""
        {EXECUTOR}
        target t:
            outputs: "t"
            on: gpu
            resources: gpus = 1
            run:
                echo "$$ 3221225472" > nvml/GPU-$CUDA_VISIBLE_DEVICES
                until test -e nvml/looks && test $(wc -l < nvml/looks) -ge 2; do sleep 0.05; done
                touch {{outputs}}
    """)
    devices = [{"uuid": f"GPU-{index}", "busy": 80} for index in range(2)]
    place = slurm.write("nvml/devices.json", json.dumps(devices)).parent
    paths = f"{Path(__file__).parent / 'nvml'}:{ROOT}"
    ended = slurm.ok(env={"NVML_STANDIN": str(place), "PYTHONPATH": paths})
    (finished,) = (row for row in ended.events if row["event"] == "task_finished")
    assert (finished["gpu_utilization"], finished["max_gpu_memory"]) == (pytest.approx(0.8), 3 << 30)
    (row,) = json.loads(slurm.run("runs", "1", "--json").out)["used"]
    assert (row["gpus"], row["gpu_utilization"]) == (1, pytest.approx(0.8))
    assert row["gpu_hours"] == pytest.approx(finished["seconds"] / 3600)
