"""Many tasks on a Slurm cluster: as few arrays, as large as the site allows, whose jobs take up each other's tasks."""

from __future__ import annotations

import os

import pytest
from cluster import Cluster, until
from on_slurm import EXECUTOR, jobs, kept, stand_in
from workspace import Workspace

# Two at a time: one node each. The first waits for the file `go`, which leaves the others to one node.
MANY = f"""
    {EXECUTOR}
    partition k: range(6)
    target t[k]:
        outputs: "t/{{k}}"
        code: none
        on: gpu
        resources: cpus = 8
        retry: 1, backoff = 1ms
        run:
            echo {{k}} >> began
            while test ! -e go && [[ {{k}} =~ ^(0|$STUCK)$ ]]; do sleep 0.05; done
            echo "$SLURM_JOB_ID $SLURMD_NODENAME" > {{outputs}}
"""


@pytest.mark.parametrize(("tells", "sizes"), [(True, [3, 3]), (False, [7, 3, 3])])
def test_an_array_is_as_large_as_the_site_allows(
    slurm: Workspace, cluster: Cluster, tells: bool, sizes: list[int]
) -> None:
    """Where Slurm does not tell, a refusal does."""
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(7)
        target t[k]:
            outputs: "t/{{k}}"
            on: gpu
            run: touch {{outputs}}
    """)
    log = slurm.root / "sbatch.log"
    stand_in(slurm, "scontrol", 'exec /usr/bin/scontrol "$@"' if tells else "exit 1")
    environment = stand_in(slurm, "sbatch", f'grep -e --array= "${{@: -1}}" >> {log}\nexec /usr/bin/sbatch "$@"')
    cluster.configure("MaxArraySize=1001", "MaxArraySize=3")
    try:
        slurm.ok("t", env=environment)
    finally:
        cluster.configure("MaxArraySize=3", "MaxArraySize=1001")
    assert [int(line.rpartition("-")[2]) + 1 for line in log.read_text().splitlines()] == sizes


def test_as_many_are_submitted_as_the_site_takes_at_once(slurm: Workspace) -> None:
    """Accounts can be limited to a number of jobs: a stand-in of `sbatch` says what Slurm then says."""
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(5)
        target t[k]:
            outputs: "t/{{k}}"
            on: gpu
            run: touch {{outputs}}
    """)
    refusal = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)"
    check = f'if grep -q -e --array=0-[2-9] "${{@: -1}}"; then echo "{refusal}" >&2; exit 1; fi'
    ended = slurm.ok("t", env=stand_in(slurm, "sbatch", f'{check}\nexec /usr/bin/sbatch "$@"'))
    assert len(ended.ran) == 5


def test_a_job_that_is_soon_done_takes_up_others_of_its_array(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(MANY)
    driver = slurm.start("t", env={"STUCK": "none"})
    slurm.wait_until(lambda: all(slurm.exists(f"t/{number}") for number in range(1, 6)))
    slurm.write("go", "")
    kept(driver)
    assert sorted(slurm.lines("began")) == [*"012345"], "each ran once"
    assert len({slurm.read(f"t/{number}") for number in range(1, 6)}) == 1, "one job did the work of five"
    until(lambda: jobs(cluster) == [])
    assert os.listdir(slurm.root / ".mlbuild/jobs") == ["results"]


def test_what_a_dead_job_had_taken_up_is_lost_though_its_own_still_waits(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(MANY)
    driver = slurm.start("t", env={"STUCK": "4"})
    slurm.wait_until(lambda: slurm.exists("began") and "4" in slurm.lines("began"))
    node = slurm.read("t/5").split()[1]
    assert len(set(jobs(cluster))) == 1
    cluster.fail(node)
    try:
        until(lambda: len(set(jobs(cluster))) == 2)  # the one of the next attempt
        slurm.write("go", "")
        ended = kept(driver)
    finally:
        cluster.restore(node)
    assert "after losing it" in ended.out
    assert sorted(slurm.lines("began")) == [*"0123445"], ended.out


def test_what_is_cancelled_alone_leaves_the_others_of_its_array(slurm: Workspace, cluster: Cluster) -> None:
    """Also where no build lives that knows of them."""
    slurm.pipeline(MANY)
    slurm.ok("submit", "t", env={"STUCK": "4"})
    slurm.wait_until(lambda: slurm.exists("began") and "4" in slurm.lines("began"))
    assert "t[4] was stopped" in slurm.run("cancel", "t[4]").out
    slurm.wait_until(lambda: slurm.exists("t/2") and slurm.exists("t/3"))
    slurm.write("go", "")
    ended = slurm.ok("t")
    assert sorted(slurm.lines("began")) == [*"0123445"], ended.out
    assert ended.out.count("(attempt 2)") == 1
    until(lambda: jobs(cluster) == [])


def test_whoever_cancels_a_job_in_slurm_ends_what_it_is_at(slurm: Workspace, cluster: Cluster) -> None:
    """What it has done before stays done."""
    slurm.pipeline(MANY)
    driver = slurm.start("t", env={"STUCK": "4"})
    slurm.wait_until(lambda: slurm.exists("began") and "4" in slurm.lines("began"))
    node = slurm.read("t/5").split()[1]
    (running,) = cluster.ask("squeue", "--noheader", "--states=running", "--format=%i", f"--nodelist={node}").split()
    cluster.ask("scancel", running)
    slurm.wait_until(lambda: slurm.exists("t/2") and slurm.exists("t/3"))
    slurm.write("go", "")
    assert "retry   t[4] in 0.0s, after it was ended: its job in Slurm was cancelled" in kept(driver).out
    assert sorted(slurm.lines("began")) == [*"0123445"]


# Behind each of those another, which needs little of a node.
BEHIND = f"""{MANY}
    target u[k]:
        inputs: t[k]
        outputs: "u/{{k}}"
        code: none
        on: gpu
        resources: cpus = 1
        run: cp {{inputs}} {{outputs}}
"""


def test_what_comes_behind_others_is_not_taken_up_before_they_are_over(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(BEHIND)
    slurm.ok("submit", "u", env={"STUCK": "none"})
    slurm.wait_until(lambda: all(slurm.exists(f"u/{number}") for number in range(1, 6)))
    until(lambda: len(jobs(cluster)) == 2)
    slurm.write("go", "")
    assert slurm.ok("u").out.count("goes on u") == 6


def test_a_job_whose_own_task_was_called_off_takes_up_none(slurm: Workspace) -> None:
    """Slurm is just about to end it: a stand-in of `scancel` is that late."""
    setup = 'setup = "touch up-$SLURM_ARRAY_TASK_ID; until test -e let; do sleep 0.05; done")'
    slurm.pipeline(MANY.replace("delay = 1s)", f"delay = 1s, {setup}").replace("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID"))
    driver = slurm.start("t", "--keep-going", env={"STUCK": "none", **stand_in(slurm, "scancel", "exit 0")})
    slurm.wait_until(lambda: slurm.exists("up-0") and slurm.exists("up-1"))
    slurm.run("cancel", "t[1]")
    slurm.write("let", "")
    slurm.wait_until(lambda: all(slurm.exists(f"t/{number}") for number in range(2, 6)))
    slurm.write("go", "")
    driver.communicate()
    assert "1" not in {slurm.read(f"t/{number}").split()[0] for number in range(2, 6)}
    assert sorted(slurm.lines("began")) == [*"02345"]


def test_a_job_in_which_something_was_left_behind_takes_up_no_others(slurm: Workspace) -> None:
    """It would have the memory and the GPUs of those. With its job it ends."""
    daemon = "if [ {k} = 1 ]; then setsid bash -c 'touch left; until test -e go; do sleep 0.1; done' &"
    wait = "until test -e left; do sleep 0.05; done; fi"
    slurm.pipeline(MANY.replace("echo {k} >> began", f"echo {{k}} >> began; {daemon} {wait}"))
    driver = slurm.start("t", env={"STUCK": "none"})
    slurm.wait_until(lambda: all(slurm.exists(f"t/{number}") for number in range(1, 6)))
    slurm.write("go", "")
    kept(driver)
    others = {slurm.read(f"t/{number}") for number in range(2, 6)}
    assert len(others) == 1 and slurm.read("t/1") not in others


def test_what_was_taken_up_and_cannot_be_started_is_told_so_at_once(slurm: Workspace) -> None:
    slurm.pipeline(MANY)
    slurm.write(".mlbuild/jobs/1-6/supervisor.lock/in-the-way", "")
    slurm.write("go", "")
    (retried,) = (row for row in slurm.ok("t", env={"STUCK": "none"}).events if row["event"] == "task_retried")
    assert (retried["task"], retried["reason"]) == ("t[5]", "not_started")
    assert retried["detail"] == "can't start what runs recipes: Is a directory: supervisor.lock"
    assert sorted(slurm.lines("began")) == [*"012345"]
