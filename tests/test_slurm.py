"""Builds whose targets run on a Slurm cluster, a real one: what its users suffer from does not happen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from random import Random

import pytest
from cluster import Cluster, until
from on_slurm import AFTER, EXECUTOR, SCRIPT, TRAIN, again, jobs, kept, once, stand_in
from workspace import Workspace


def test_some_targets_run_there_and_the_rest_here(slurm: Workspace) -> None:
    slurm.pipeline(f"""
        partition k: range(5)
        {EXECUTOR}
        target data:
            outputs: "data.txt"
            run: echo "here ${{SLURM_JOB_ID-}}" > {{outputs}}

        target model[k]:
            inputs: data
            outputs: "model/{{k}}"
            on: gpu
            resources: gpus = 1, cpus = 2, memory = 100M
            run:
                test "$SLURM_CPUS_PER_TASK" = 2
                echo "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES $(date +%s.%N)" > {{outputs}}
                sleep 1
                date +%s.%N >> {{outputs}}

        target summary:
            inputs: model[*]
            outputs: "summary.txt"
            run: test -z "${{SLURM_JOB_ID-}}"; cat {{inputs}} > {{outputs}}
    """)
    log = slurm.root / "sbatch.log"
    environment = stand_in(slurm, "sbatch", f'echo "$@" >> {log}\nexec /usr/bin/sbatch "$@"')
    ended = slurm.ok("summary", env=environment)
    assert len(ended.ran) == 7
    assert len(log.read_text().splitlines()) == 1, "those that are alike are one array"
    assert slurm.read("data.txt") == "here \n"
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(5):
        (node, gpu, began), (over,) = (line.split() for line in slurm.lines(f"model/{number}"))
        spans.setdefault((node, gpu), []).append((float(began), float(over)))
    assert set(spans) <= {(node, gpu) for node in ("n1", "n2") for gpu in "01"}
    for times in spans.values():
        assert all(before[1] <= after[0] for before, after in zip(sorted(times), sorted(times)[1:], strict=False))
    executors = {row["task"]: row["executor"] for row in ended.events if row["event"] == "task_finished"}
    assert (executors["data"], executors["model[0]"]) == ("local", "gpu")
    assert os.listdir(slurm.root / ".mlbuild/jobs") == ["results"], "nothing is left of jobs that went well"


def test_no_more_run_at_once_than_may_over_all_arrays_of_a_target(slurm: Workspace) -> None:
    """Those behind others come a few at a time, so that there are several arrays of them."""
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(7)
        target first[k]:
            outputs: "first/{{k}}"
            code: none
            on: gpu
            run: echo + >> first.log; sleep 0.3; touch {{outputs}}; echo - >> first.log
        target second[k]:
            inputs: first
            outputs: "second/{{k}}"
            code: none
            on: gpu
            max_active: 2
            run: echo + >> second.log; sleep 0.6; touch {{outputs}}; echo - >> second.log
    """)
    slurm.ok("second", "--max-active", "3")
    for target, most in ("first", 3), ("second", 2):
        lines = slurm.lines(f"{target}.log")
        counts = [lines[:end].count("+") - lines[:end].count("-") for end in range(len(lines) + 1)]
        assert lines.count("+") == 7 and max(counts) <= most


def test_what_waits_in_slurm_does_not_begin_after_a_failure(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(9)
        target t[k]:
            outputs: "t/{{k}}"
            code: none
            on: gpu
            max_active: 1
            run: echo {{k}} >> began; test {{k}} != 0; while ! test -e go; do sleep 0.05; done; touch {{outputs}}
    """)
    driver = slurm.start("t")
    slurm.wait_for("began")
    until(lambda: len(jobs(cluster)) <= 2)
    slurm.write("go", "")
    out, err = driver.communicate()
    assert driver.returncode == 1 and "1 task failed" in out + err
    assert len(slurm.lines("began")) <= 2, "the next may have begun before anybody knew"


def test_a_task_fails_as_it_does_here(slurm: Workspace) -> None:
    slurm.pipeline(f'{EXECUTOR}\ntarget t:\n    on: gpu\n    outputs: "t"\n    run: echo word; exit 3\n')
    ended = slurm.build("t")
    assert ended.status == 1
    assert "t failed: exit status 3" in ended.out + ended.err and "word" in ended.out + ended.err


def test_what_no_node_can_hold_is_refused_before_anything_runs(slurm: Workspace) -> None:
    slurm.pipeline(f'{EXECUTOR}\ntarget t:\n    on: gpu\n    outputs: "t"\n    resources: gpus = 3\n    run: x\n')
    ended = slurm.run()
    assert (ended.status, ended.err) == (2, "error: t asks for 3 GPUs, and no node of the queue `main` has that\n")


def test_what_slurm_does_not_take_says_why(slurm: Workspace) -> None:
    slurm.pipeline(f'{EXECUTOR}\ntarget t:\n    on: gpu\n    outputs: "t"\n    run: x\n')
    slurm.write("mlbuild.toml", '[executors.gpu]\noptions = ["--nodelist=nowhere"]\n')
    ended = slurm.build()
    assert ended.status == 1
    assert "not started: Slurm does not take it: Batch job submission failed: Invalid node name specified" in ended.out


def test_without_slurm_it_says_so(workspace: Workspace) -> None:
    workspace.pipeline(f'{EXECUTOR}\ntarget t:\n    on: gpu\n    outputs: "t"\n    run: x\n')
    folder = workspace.write("bin/bash", "").parent
    (folder / "bash").unlink()
    for name in ("bash", "mkdir"):
        (folder / name).symlink_to(f"/bin/{name}")
    ended = workspace.build(env={"PATH": str(folder)})
    assert ended.status == 1
    assert "there is no `sbatch` here" in ended.out


def test_a_recipe_on_many_nodes_runs_once_and_starts_the_others(slurm: Workspace) -> None:
    slurm.pipeline(f"""
        {EXECUTOR}
        target t:
            on: gpu
            outputs: "t"
            resources: nodes = 2
            run: echo once; srun bash -c 'echo $SLURM_NODEID $MASTER_ADDR $MASTER_PORT $WORLD_SIZE' | sort > {{outputs}}
    """)
    slurm.ok("t")
    first, second = (line.split() for line in slurm.lines("t"))
    assert (first[0], second[0]) == ("0", "1")
    assert first[1:] == second[1:] and first[1] == os.uname().nodename and first[3] == "2"
    assert slurm.run("log", "t").out.count("once") == 1


# --- surviving


@pytest.mark.parametrize("point", ["submitted", "slurm-written", "slurm-sending", "slurm-sent", "received"])
def test_a_driver_that_is_killed_leaves_one_job(slurm: Workspace, point: str) -> None:
    slurm.pipeline(once())
    if point == "received":
        slurm.write("go", "")
    killed = slurm.build("summary", env={"MLBUILD_TEST_KILL": point})
    assert killed.status == -signal.SIGKILL
    slurm.write("go", "")
    slurm.ok("summary")
    assert len(slurm.lines("began")) == 1, "it ran once"
    assert slurm.read("summary.txt") == "model\n"


def test_a_job_outlives_its_driver_and_is_taken_over(slurm: Workspace) -> None:
    slurm.pipeline(once())
    driver = slurm.start("summary")
    slurm.wait_for("running")
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert slurm.states()["model"] == "running"
    second = slurm.start("summary")
    time.sleep(1)
    slurm.write("go", "")
    assert "taken over" in kept(second).out
    assert slurm.lines("began") in (["n1"], ["n2"])


@pytest.mark.parametrize("round", range(int(os.environ.get("MLBUILD_TEST_ROUNDS", "1"))))
def test_a_driver_that_is_killed_again_and_again(slurm: Workspace, round: int) -> None:
    random = Random(round)
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(3)
        target first[k]:
            outputs: "first/{{k}}"
            code: none
            on: gpu
            run: exec 9> lock-{{k}}; flock -n 9; echo first >> began-{{k}}; sleep 1; touch {{outputs}}
        target second[k]:
            inputs: first[k]
            outputs: "second/{{k}}"
            code: none
            on: gpu
            run: exec 9> lock-{{k}}; flock -n 9; echo second >> began-{{k}}; sleep 1; touch {{outputs}}
        target all:
            inputs: second[*]
    """)
    for _ in range(5):
        driver = slurm.start("all")
        try:
            driver.wait(random.uniform(0.3, 3))
        except subprocess.TimeoutExpired:
            driver.kill()
        driver.communicate()
    slurm.ok("all")
    for number in range(3):
        assert slurm.lines(f"began-{number}") == ["first", "second"], "each ran once"


def test_a_node_that_dies_loses_its_task_to_another(slurm: Workspace, cluster: Cluster) -> None:
    """It is back when the next attempt starts, for a build that comes after the one that lost the task."""
    slurm.pipeline(again().replace("1ms", "1h"))
    driver = slurm.start("summary", events=str(slurm.root / "events"))
    slurm.wait_for("running")
    (node,) = slurm.lines("began")
    cluster.fail(node)
    try:
        slurm.wait_until(lambda: "task_retried" in slurm.read("events"))
    finally:
        cluster.restore(node)
    driver.kill()
    driver.communicate()
    slurm.write("go", "")
    slurm.ok("summary")
    assert sorted(slurm.lines("began")) == ["n1", "n2"]


def test_what_goes_on_on_a_node_that_is_cut_off_is_ended_first(slurm: Workspace, cluster: Cluster) -> None:
    """Slurm takes the node for dead, and it isn't: a lock in the recipe shows that no two run at once."""
    slurm.pipeline(again())
    driver = slurm.start("summary")
    slurm.wait_for("running")
    (node,) = slurm.lines("began")
    cluster.cut_off(node)
    cluster.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        slurm.wait_until(lambda: len(slurm.lines("began")) == 2)
        slurm.write("go", "")
        kept(driver)
    finally:
        cluster.restore(node)
    assert sorted(slurm.lines("began")) == ["n1", "n2"]


def test_slurm_does_not_answer_for_a_while(slurm: Workspace, cluster: Cluster) -> None:
    """One task runs meanwhile and ends, the other is to be submitted; and another driver goes on with both."""
    slurm.pipeline(once() + AFTER)
    driver = slurm.start("after")
    slurm.wait_for("running")
    cluster.stop_controller()
    driver.kill()
    driver.communicate()
    driver = slurm.start("after", events=str(slurm.root / "events"))
    slurm.wait_until(lambda: slurm.exists("events") and "task_started" in slurm.read("events"))
    slurm.write("go", "")
    slurm.wait_for("model.txt")
    time.sleep(float(os.environ.get("MLBUILD_TEST_OUTAGE", "4")))
    cluster.start_controller()
    kept(driver)
    assert (len(slurm.lines("began")), slurm.lines("after.txt")) == (1, ["model"])


def test_what_squeue_does_not_say_means_nothing(slurm: Workspace) -> None:
    slurm.pipeline(once())
    asked = slurm.root / "asked"
    answers = f"case $(($(wc -l < {asked}) % 3)) in 0) exit 1;; 1) ;; 2) echo JOB; echo rubbish;; esac"
    driver = slurm.start("summary", env=stand_in(slurm, "squeue", f"echo >> {asked}\n{answers}"))
    slurm.wait_for("running")
    slurm.wait_until(lambda: len(slurm.lines("asked")) >= 3)
    assert driver.poll() is None
    slurm.write("go", "")
    kept(driver)
    assert len(slurm.lines("began")) == 1


def test_squeue_hangs(slurm: Workspace) -> None:
    slurm.pipeline(once())
    driver = slurm.start("summary", env=stand_in(slurm, "squeue", "touch asked\nsleep 1000"))
    slurm.wait_for("asked")
    slurm.write("go", "")
    kept(driver)
    assert len(slurm.lines("began")) == 1


# --- stopping


def test_scancel_by_hand_is_a_death_by_a_signal(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(once())
    driver = slurm.start("summary")
    slurm.wait_for("running")
    for name in jobs(cluster):  # of the test before there may be one that is ending
        cluster.ask("scancel", f"--name={name}")
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert "its job in Slurm was cancelled" in out + err


# --- going on from checkpoints


def test_a_training_goes_through_limits_that_are_shorter(slurm: Workspace) -> None:
    """Two limits of a few seconds, or as many minutes as were asked for."""
    minutes = int(os.environ.get("MLBUILD_TEST_MINUTES", "0"))
    limit, count = (60, minutes) if minutes else (14, 2)
    slurm.pipeline(TRAIN.format(executor=EXECUTOR.replace(")", f", time = {limit}s)")))
    slurm.write("train.py", SCRIPT)
    steps = (limit - 12) * 10 * count + 10
    ended = slurm.ok("train", env={"STEPS": str(steps)})
    starts = [int(line) for line in slurm.lines("attempts")]
    assert len(starts) > count and starts == sorted(set(starts)) and starts[0] == 0
    assert ended.out.count("after timeout") == len(starts) - 1


def test_what_setting_up_takes_is_of_the_time_of_the_job(slurm: Workspace) -> None:
    """As the shell has it, which is told here that it took 47 s of the minute: 10 are kept for the end."""
    slurm.pipeline(
        f"""
        {EXECUTOR.replace(")", ', time = 60s, setup = "SECONDS=47")')}
        target t:
            outputs: "t"
            on: gpu
            run: sleep 20; echo > {{outputs}}
        """
    )
    ended = slurm.run("t")
    assert ended.status == 1 and "the time of its job in Slurm was over" in ended.out + ended.err


def test_what_is_preempted_goes_on(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(TRAIN.format(executor=EXECUTOR.replace("main", "spot")))
    slurm.write("train.py", SCRIPT)
    environment = {"STEPS": "30"}
    driver = slurm.start("train", env=environment)
    slurm.wait_for("attempts")
    time.sleep(0.5)
    urgent = slurm.write("urgent.sh", "#!/bin/bash\nsleep 2\n")
    options = ("--output=/dev/null", "--partition=main", "--nodes=2", "--exclusive")
    cluster.ask("sbatch", *options, str(urgent))
    ended = kept(driver)
    starts = [int(line) for line in slurm.lines("attempts")]
    assert len(starts) == 2 and starts[1] > 0
    assert "resume  train from ckpt/" in ended.out


def test_what_is_preempted_before_it_began_costs_no_retry(slurm: Workspace, cluster: Cluster) -> None:
    executor = EXECUTOR.replace("main", "spot").replace(")", ', setup = "touch up; test -e down || sleep 60")')
    slurm.pipeline(
        f"""
        {executor}
        target t:
            outputs: "t"
            on: gpu
            run: echo > {{outputs}}
        """
    )
    driver = slurm.start("t")
    slurm.wait_for("up")
    urgent = slurm.write("urgent.sh", "#!/bin/bash\ntouch down\n")
    options = ("--output=/dev/null", "--partition=main", "--nodes=2", "--exclusive", f"--chdir={slurm.root}")
    cluster.ask("sbatch", *options, str(urgent))
    ended = kept(driver)
    assert "resume  t, whose place was taken before it began\n" in ended.out


def test_an_admin_requeues_it(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(TRAIN.format(executor=EXECUTOR))
    slurm.write("train.py", SCRIPT)
    driver = slurm.start("train", env={"STEPS": "30"})
    slurm.wait_for("attempts")
    time.sleep(0.5)
    (id,) = cluster.ask("squeue", "--noheader", "--format=%i").split()
    cluster.ask("scontrol", "update", f"jobid={id}", "requeue=1")
    cluster.ask("scontrol", "requeue", id)
    kept(driver)
    starts = [int(line) for line in slurm.lines("attempts")]
    assert len(starts) == 2 and starts[1] > 0
    until(lambda: jobs(cluster) == [])


def test_the_script_can_be_read_and_submitted_by_hand(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(f'{EXECUTOR}\ntarget t:\n    on: gpu\n    outputs: "t"\n    run: echo x >> ran; exit 1\n')
    assert slurm.build("t").status == 1
    (script,) = (slurm.root / ".mlbuild/jobs").glob("*/script.sh")
    assert "#SBATCH --partition=main\n" in script.read_text()
    cluster.ask("sbatch", "--wait", str(script))
    assert "it runs once" in (script.parent / "slurm.out").read_text()
    assert slurm.lines("ran") == ["x"]
    assert json.loads((script.parent / "job.json").read_text())["jobs"][0]["task"] == "t"


def test_what_srun_has_started_on_other_nodes_ends_with_its_attempt(slurm: Workspace) -> None:
    """Of a killed `srun` it goes on otherwise, until Slurm ends the whole job."""
    slurm.pipeline(f"""
        {EXECUTOR}
        target t:
            on: gpu
            outputs: "t"
            code: none
            resources: nodes = 2
            run: srun bash -c 'trap "" TERM; while :; do date +%s.%N > alive-$SLURM_NODEID; sleep 0.05; done'
    """)
    driver = slurm.start("t")
    slurm.wait_until(lambda: slurm.exists("alive-0") and slurm.exists("alive-1"))
    slurm.run("cancel", "--now")
    driver.communicate()
    last = [slurm.read(f"alive-{node}") for node in range(2)]
    time.sleep(1)
    assert [slurm.read(f"alive-{node}") for node in range(2)] == last
