"""What people see of tasks on a cluster: what waits, and why; what runs, and where."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from cluster import Cluster
from on_slurm import EXECUTOR, kept
from workspace import Workspace

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


def test_a_build_tells_why_tasks_wait_and_where_they_run(held: Workspace, cluster: Cluster) -> None:
    driver = held.start("all", events="events.jsonl")
    held.wait_until(lambda: any(row["reason"] == "JobHeldUser" for row in rows(held, "tasks_queued")))
    assert rows(held, "task_started") == []
    first, *_, last = rows(held, "tasks_queued")
    both, of_cluster = ["model[a]", "model[b]"], {"event": "tasks_queued", "executor": "gpu", "starts": None}
    del first["time"], last["time"]
    assert first == {"tasks": both, "reason": "", "why": "", **of_cluster}
    assert last == {"tasks": both, "reason": "JobHeldUser", "why": HELD, **of_cluster}
    release(cluster)
    held.wait_until(lambda: len(rows(held, "task_started")) == 2)
    held.write("go", "")
    out = kept(driver).out
    assert f"queued  model[a] and 1 more task: {HELD}\n" in out
    places = {row["task"]: (row["node"], row["gpus"]) for row in rows(held, "task_started")}
    for task, (node, (gpu,)) in places.items():
        assert f"start   {task} on {node}, GPU {gpu}\n" in out
    assert len(set(map(str, places.values()))) == 2


def test_what_a_killed_build_has_queued_is_queued_in_the_next(held: Workspace, cluster: Cluster) -> None:
    driver = held.start("all", events="events.jsonl")
    held.wait_until(lambda: rows(held, "tasks_queued"))
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    second = held.start("all", events="events.jsonl")
    held.wait_until(lambda: any(row["reason"] == "JobHeldUser" for row in rows(held, "tasks_queued")))
    assert rows(held, "task_started") == []
    release(cluster)
    held.wait_until(lambda: len(rows(held, "task_started")) == 2)
    held.write("go", "")
    assert "2 tasks run" in kept(second).out
    for row in rows(held, "task_started"):
        assert row["taken_over_from"] == 1
        assert row["ran"] < row["time"] - rows(held, "build_started")[0]["time"], "the time in the queue is none of it"


def test_a_terminal_shows_what_waits_and_then_where_it_runs(held: Workspace, cluster: Cluster) -> None:
    def let_go() -> None:
        release(cluster)
        held.write("go", "")

    held.write("Pipelinefile", held.read("Pipelinefile").replace("while", "sleep 1; while"))
    status, shown = held.on_a_terminal("all", after=HELD.encode(), then=let_go)
    assert status == 0
    assert "◦ model[a] and 1 more task" in shown
    assert "▸ model[a]" in shown and ("n1, GPU 0" in shown or "n2, GPU 0" in shown)
