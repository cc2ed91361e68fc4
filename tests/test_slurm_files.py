"""Files that change while a task waits on a Slurm cluster, and disks that are full when it is over."""

from __future__ import annotations

import time

import pytest
from cluster import Cluster
from on_slurm import EXECUTOR, kept, once
from workspace import Workspace

QUEUED = f"""
    {EXECUTOR}
    target model:
        inputs: "data.txt"
        outputs: "model.txt"
        on: gpu
        run: python train.py {{inputs}} {{outputs}}
"""
TRAIN = """
    import sys
    data, out = sys.argv[1:]
    open("ran", "a").write("ran\\n")
    open(out, "w").write(open(data).read() + "one")
"""


@pytest.mark.parametrize(
    ("path", "text", "comes_to"),
    [("data.txt", "new ", "new one"), ("train.py", TRAIN.replace("one", "two"), "old two")],
    ids=["an input", "code"],
)
def test_what_changes_while_it_waits_is_decided_again(
    slurm: Workspace, cluster: Cluster, path: str, text: str, comes_to: str
) -> None:
    """The job finds, before it starts, that it is not what was wanted: nothing runs with what nobody decided by."""
    slurm.pipeline(QUEUED)
    slurm.write("data.txt", "old ")
    slurm.write("train.py", TRAIN)
    slurm.write("mlbuild.toml", '[executors.gpu]\noptions = ["--hold"]\n')
    driver = slurm.start("model")
    slurm.wait_until(lambda: held(cluster) != [])
    slurm.write(path, text)
    slurm.wait_until(lambda: released(cluster) and driver.poll() is not None)
    out = kept(driver).out
    assert f"model: is decided again: {path} has changed" in out
    assert slurm.read("model.txt") == comes_to
    assert slurm.lines("ran") == ["ran"]


def held(cluster: Cluster) -> list[str]:
    """Jobs that wait to be released."""
    rows = cluster.ask("squeue", "--noheader", "--states=pending", "--format=%i|%r").splitlines()
    return [row.partition("|")[0] for row in rows if "JobHeldUser" in row]


def released(cluster: Cluster) -> bool:
    """Release them all."""
    for id in held(cluster):
        cluster.ask("scontrol", "release", id)
    return True


def test_a_disk_that_is_full_when_it_is_over(slurm: Workspace) -> None:
    """The node waits for room for the result, and nothing is lost. (No file can be made where a file is a folder's.)"""
    slurm.pipeline(once())
    jobs = slurm.root / ".mlbuild/jobs"
    (jobs / "1-1").mkdir(parents=True)
    (jobs / "1-1/slurm.out").symlink_to("/dev/full")
    driver = slurm.start("summary")
    slurm.wait_for("running")
    (jobs / "results").rename(jobs / "away")
    (jobs / "results").touch()
    slurm.write("go", "")
    slurm.wait_for("model.txt")
    slurm.wait_for(".mlbuild/jobs/1-1/results")
    time.sleep(1)
    (jobs / "results").unlink()
    (jobs / "away").rename(jobs / "results")
    kept(driver)
    assert len(slurm.lines("began")) == 1
