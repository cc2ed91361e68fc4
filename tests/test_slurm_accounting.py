"""Jobs that were ended outright: what Slurm's queue says of how, or, once that has forgotten them, its accounting."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from cluster import Cluster
from executor_contract import make_job, results_of, wait_for
from on_slurm import EXECUTOR, once, stand_in, wrappers
from test_executor_slurm import SlurmPlace
from workspace import Workspace

from mlbuild.executors.job import Reason
from mlbuild.executors.slurm import commands
from mlbuild.executors.slurm.commands import Answer, accounted

FORGETFUL = "/usr/bin/squeue \"$@\" | grep -v 'model[.]1-1[.]'"
"""A `squeue` that knows nothing of the first attempt."""


def test_what_was_killed_outright_goes_on_from_what_it_saved(slurm: Workspace) -> None:
    """Without a retry, since it left a checkpoint. (That it was killed at its limit is the stand-in's word.)"""
    slurm.pipeline(f"""
        {EXECUTOR}
        target model:
            outputs: "model.txt"
            code: none
            on: gpu
            checkpoint: "ckpt/"
            run:
                echo "from $MLBUILD_RESUME_FROM" >> attempts
                touch ckpt/.part; mv ckpt/.part ckpt/first
                touch running
                while ! test -e go; do sleep 0.05; done
                touch {{outputs}}
    """)
    driver = slurm.start("model", env=stand_in(slurm, "squeue", '/usr/bin/squeue "$@" | sed "s/FAILED/TIMEOUT/"'))
    slurm.wait_for("running")
    slurm.wait_until(lambda: '"put":"first"' in (slurm.root / "ckpt/.mlbuild/journal").read_text())
    os.kill(wrappers(slurm)[0], signal.SIGKILL)
    slurm.wait_until(lambda: len(slurm.lines("attempts")) == 2)
    slurm.write("go", "")
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert "after timeout" in out
    assert slurm.lines("attempts") == ["from ", f"from {slurm.root}/ckpt/first"]


def test_a_build_that_comes_back_when_the_queue_has_forgotten(slurm: Workspace) -> None:
    slurm.pipeline(once())
    driver = slurm.start("model")
    slurm.wait_for("running")
    driver.kill()
    driver.communicate()
    os.kill(wrappers(slurm)[0], signal.SIGKILL)
    folder = slurm.root / ".mlbuild/jobs/1-1"
    id, name = (json.loads((folder / file).read_text())[key] for file, key in (("claim", "id"), ("job.json", "name")))
    stand_in(slurm, "sacct", f"echo '{id}|{name}|OUT_OF_MEMORY'")
    slurm.write("go", "")
    slurm.ok("model", env=stand_in(slurm, "squeue", FORGETFUL))
    assert len(slurm.lines("began")) == 2
    told = json.loads(slurm.run("runs", "2", "--json").out)["tasks"]
    assert [(row["reason"], row["detail"]) for row in told] == [
        ("out_of_memory", "killed for want of memory, as Slurm says"),
        ("ok", ""),
    ]


def test_accounting_that_hangs_changes_nothing(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, place = Workspace(tmp_path), SlurmPlace(tmp_path, cluster)
    monkeypatch.setattr(commands, "ACCOUNTING", 1.0)
    monkeypatch.setenv("PATH", stand_in(workspace, "sacct", "sleep 1000")["PATH"])
    executor = place.executor()
    executor.submit([make_job(place, "touch running; sleep 1000")])
    wait_for(lambda: executor.finished(0.1) or workspace.exists("running"))
    stand_in(workspace, "squeue", FORGETFUL.replace("model[.]1-1", "task[.]a1"))
    os.kill(wrappers(workspace)[0], signal.SIGKILL)
    (result,) = results_of(executor)
    assert result.reason is Reason.LOST and result.detail.startswith("nothing is heard of it any more on n")
    executor.close()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(None, "", ""),
        Answer(1, "", "Slurm accounting storage is disabled\n"),
        Answer(127, "", "error: there is no `sacct` here"),
        Answer(0, "", ""),
        Answer(0, "rubbish\n|||\n7|model|RUNNING\n7|model|WHATEVER\n", ""),
    ],
)
def test_what_is_no_end_says_nothing(answer: Answer) -> None:
    assert accounted(answer) == {}


def test_ends_of_an_array() -> None:
    said = "12_0|a.1|CANCELLED by 1000\n12_1|a.1|NODE_FAIL\n12_[2-9]|a.1|PENDING\n"
    assert accounted(Answer(0, said, "")) == {"12_0 a.1": "CANCELLED", "12_1 a.1": "NODE_FAIL"}
