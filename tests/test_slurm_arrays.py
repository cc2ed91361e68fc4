"""Many tasks on a Slurm cluster: as few arrays, as large as the site allows, whose jobs take up each other's tasks."""

from __future__ import annotations

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
