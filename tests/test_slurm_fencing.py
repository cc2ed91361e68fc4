"""On a Slurm cluster no task runs beside itself, and no result is taken of an attempt that was given up."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from cluster import Cluster, below, until
from on_slurm import again, jobs, kept, once, stand_in, wrappers
from workspace import Workspace

from mlbuild.executors.folder import CLAIM, Claim, JobFolder, Note
from mlbuild.executors.job import Job
from mlbuild.state import layout


def test_the_folder_of_a_job_goes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a job that looks for others to take up could find the note of one that is over, and no claim on it."""
    place = layout.Layout(str(tmp_path))
    folder = JobFolder(f"{place.jobs}/1-1")
    folder.write(Note((Job("1-1", "t", "", str(tmp_path)),), "t.1-1", 0, None, 1.0))
    assert folder.claim(Claim("7_0", "n1"))
    seen = []
    monkeypatch.setattr(layout, "rmtree", lambda path, **_: seen.append((path, os.path.exists(folder.at(CLAIM)))))
    place.drop_job("1-1")
    assert [there for _, there in seen] == [False]
    assert folder.read() is None
    assert not folder.claim(Claim("7_1", "n2")), "whoever had read it before is too late"
    assert not os.path.exists(folder.path)


def test_a_recipe_does_not_outlive_its_wrapper(slurm: Workspace) -> None:
    """Where Slurm does not know all processes of a job, nobody else would end it."""
    slurm.pipeline(again())
    driver = slurm.start("summary")
    slurm.wait_for("running")
    os.kill(wrappers(slurm)[0], signal.SIGKILL)
    slurm.wait_until(lambda: len(slurm.lines("began")) == 2)
    slurm.write("go", "")
    assert "after losing it" in kept(driver).out


def test_a_controller_that_has_lost_what_it_knew(slurm: Workspace, cluster: Cluster) -> None:
    """It knows nothing of a job that goes on, as its node shows by a sign of life. (It would end the job, if it could
    reach the node.)"""
    slurm.pipeline(once())
    asked = slurm.root / "asked"
    driver = slurm.start("model", env=stand_in(slurm, "squeue", f'echo >> {asked}\nexec /usr/bin/squeue "$@"'))
    slurm.wait_for("running")
    (node,) = slurm.lines("began")
    cluster.cut_off(node)
    cluster.forget()
    try:
        assert jobs(cluster) == []
        before = len(slurm.lines("asked"))
        slurm.wait_until(lambda: len(slurm.lines("asked")) > before + 3)
        slurm.write("go", "")
        kept(driver)
    finally:
        cluster.restore(node)
    assert len(slurm.lines("began")) == 1


def test_a_job_that_is_given_up_before_it_began_never_does(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(once())
    slurm.write("mlbuild.toml", '[executors.gpu]\noptions = ["--hold"]\n')
    ended = slurm.build("model", env=stand_in(slurm, "squeue", "echo 'JOBID|STATE|REASON|NODELIST|NAME'"))
    assert "its job in Slurm came to nothing: Slurm knows nothing of it" in ended.out
    (id,) = cluster.ask("squeue", "--noheader", "--format=%i").split()
    cluster.ask("scontrol", "release", id)
    until(lambda: jobs(cluster) == [])
    (said,) = (slurm.root / ".mlbuild/jobs").glob("*/slurm.out")
    assert said.read_text() == "this was called off before it began\n"
    assert not slurm.exists("began")


def test_what_was_given_up_comes_back(slurm: Workspace, cluster: Cluster) -> None:
    """Nothing of a node moves for so long that its task is given up, by a driver that is killed then; after that it
    goes on, and its recipe ends well before anybody can stop it."""
    slurm.pipeline(again().replace("echo model >", 'echo "$SLURMD_NODENAME" >'))
    driver = slurm.start("model")
    slurm.wait_for("running")
    (node,) = slurm.lines("began")
    frozen = [pid for parent in wrappers(slurm)[:1] for pid in (parent, *below(parent))]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    cluster.cut_off(node)
    cluster.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        (folder,) = (each.parent for each in (slurm.root / ".mlbuild/jobs").glob("*/claim"))
        slurm.wait_until(lambda: (folder / "stop").exists())
        driver.kill()
        driver.communicate()
        slurm.write("go", "")
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        slurm.wait_until(lambda: (folder.parent / "results" / folder.name).exists())
        slurm.ok("summary")
    finally:
        cluster.restore(node)
    assert sorted(slurm.lines("began")) == ["n1", "n2"], "what it came to was not taken"
    assert slurm.lines("summary.txt") == [slurm.lines("began")[1]]


def test_a_result_that_is_seen_late(slurm: Workspace) -> None:
    """Slurm knows that a job is over before the file system shows what its node has written."""
    slurm.pipeline(once().replace("delay = 1s", "delay = 60s"))
    asked = slurm.root / "asked"
    driver = slurm.start("summary", env=stand_in(slurm, "squeue", f'echo >> {asked}\nexec /usr/bin/squeue "$@"'))
    slurm.wait_for("running")
    os.kill(driver.pid, signal.SIGSTOP)
    slurm.write("go", "")
    slurm.wait_until(lambda: not wrappers(slurm))
    (result,) = (slurm.root / ".mlbuild/jobs/results").iterdir()
    result.rename(slurm.root / "late")
    os.kill(driver.pid, signal.SIGCONT)
    before = len(slurm.lines("asked"))
    slurm.wait_until(lambda: len(slurm.lines("asked")) > before + 2)
    (slurm.root / "late").rename(result)
    kept(driver)
    assert len(slurm.lines("began")) == 1
