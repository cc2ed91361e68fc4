"""Drivers of builds on a Slurm cluster: detached, cancelled, within a job of Slurm's, on what others have left."""

from __future__ import annotations

import json
import os
import re
import signal
import sys

from cluster import Cluster, until
from on_slurm import EXECUTOR, jobs
from workspace import ROOT, Workspace

KEYS = f"""
    partition k: range(3)
    {EXECUTOR}
    target t[k]:
        on: gpu
        code: none
        outputs: "t/{{k}}"
        resources: cpus = 8
        run:
            trap 'echo saved > saved-{{k}}; exit 1' TERM
            touch running-{{k}}
            while ! test -e go; do sleep 0.05; done
            touch {{outputs}}

    target summary:
        inputs: t[*]
        outputs: "summary.txt"
        run: touch {{outputs}}
"""
"""An array of which two run, and the third waits in Slurm."""


def two_run(slurm: Workspace) -> bool:
    return len(list(slurm.root.glob("running-*"))) == 2


def would_stop(slurm: Workspace, *goals: str) -> tuple[list[str], list[str]]:
    """The tasks that `cancel` would stop, and those that wait for them."""
    (build,) = json.loads(slurm.run("cancel", "-n", "--json", *goals).out)["builds"]
    return [row["task"] for row in build["tasks"]], build["waiting"]


def stopped(said: str) -> list[str]:
    """The tasks that were. Of one that has just begun its build may not know yet."""
    return re.findall(r"(\S+) was (?:stopped|taken out of its queue) after", said)


def test_a_detached_build_is_killed_and_another_attached_to(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(KEYS)
    assert slurm.run("summary", "--detach").status == 0
    slurm.wait_until(lambda: two_run(slurm))
    assert would_stop(slurm) == (["t[0]", "t[1]", "t[2]"], ["summary"])
    assert would_stop(slurm, "t[0]") == (["t[0]"], ["summary"])
    os.kill(json.loads(slurm.run("cancel", "-n", "--json").out)["builds"][0]["pid"], signal.SIGKILL)
    slurm.wait_until(lambda: would_stop(slurm) == (["t[0]", "t[1]", "t[2]"], []))
    assert len(jobs(cluster)) == 3, "nothing of that stops anything"
    assert slurm.run("summary", "--detach").status == 0
    slurm.write("go", "")
    ended = slurm.run("attach", "2")
    assert ended.out.count("taken over from run 1, which died; it was started") == 3
    assert "4 tasks run" in ended.out, "none ran twice"


def test_cancelling_what_waits_and_what_runs(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(KEYS)
    driver = slurm.start("summary")
    slurm.wait_until(lambda: two_run(slurm))
    given_up = slurm.run("cancel", "t[1]", "t[2]").out
    assert stopped(given_up) == ["t[1]", "t[2]"]
    assert "summary is blocked by that" in given_up
    until(lambda: len(jobs(cluster)) == 1)
    slurm.run("cancel")
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, out + err
    assert len(list(slurm.root.glob("saved-*"))) == 2, "those that ran had their grace"
    until(lambda: jobs(cluster) == [])


def test_cancelling_what_a_dead_build_has_left(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(KEYS)
    driver = slurm.start("summary")
    slurm.wait_until(lambda: two_run(slurm))
    driver.kill()
    driver.communicate()
    ended = slurm.run("cancel")
    assert "run 1 died, and what it had started went on" in ended.out
    assert stopped(ended.out) == ["t[0]", "t[1]", "t[2]"]
    assert len(list(slurm.root.glob("saved-*"))) == 2
    until(lambda: jobs(cluster) == [])


def test_a_driver_in_a_job_of_slurms(slurm: Workspace, cluster: Cluster) -> None:
    """Nothing that is said of its own job is taken for what is said of those that it submits."""
    slurm.pipeline(f"""
        {EXECUTOR}
        target here:
            outputs: "here.txt"
            run: env | grep ^SLURM > {{outputs}} || touch {{outputs}}
        target there:
            inputs: here
            outputs: "there.txt"
            on: gpu
            run:
                echo "$SLURM_CPUS_PER_TASK ${{SLURM_ARRAY_TASK_ID-}} $SLURM_JOB_PARTITION" > {{outputs}}
    """)
    ours = "SBATCH_JOB_NAME=mine SBATCH_PARTITION=spot"
    command = f"env {ours} PYTHONPATH={ROOT} NO_COLOR=1 {sys.executable} -m mlbuild there"
    options = ("--array=5", "--nodes=2", "--cpus-per-task=2", f"--chdir={slurm.root}", "--output=build.txt")
    cluster.ask("sbatch", *options, f"--wrap={command}")
    slurm.wait_until(lambda: "2 tasks run" in "".join(slurm.lines("build.txt")))
    assert slurm.read("here.txt") == ""
    assert slurm.read("there.txt") == "1  main\n"
