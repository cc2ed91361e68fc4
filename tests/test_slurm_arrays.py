"""Many tasks on a Slurm cluster go as few arrays, as large as the site allows."""

from __future__ import annotations

import pytest
from cluster import Cluster
from on_slurm import EXECUTOR, stand_in
from workspace import Workspace


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
