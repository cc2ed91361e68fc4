"""Jobs that were ended outright: what Slurm's queue says of how, or, once that has forgotten them, its accounting."""

from __future__ import annotations

import json
import os
import signal
import time
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

ASKED = 'job="${@##*--jobs=}"; job="${job##* }"; name=$(/usr/bin/squeue -haj "$job" -t all -o %j)'
"""What a `sacct` is asked for."""
KILLED = 'echo "$job|$name|FAILED|102400K|"; echo "$job.batch|batch|CANCELLED by 0||324464K"'
"""What a real one said of what Slurm itself had killed for want of memory (OverMemoryKill)."""
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
    stand_in(slurm, "sacct", f"echo '{id}|{name}|OUT_OF_MEMORY|10240K|'")
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
        Answer(0, "rubbish\n|||||\n7|model|RUNNING|10240K|\n7.batch|batch|RUNNING||\n7|model|WHATEVER|10240K|\n", ""),
    ],
)
def test_what_is_no_end_says_nothing(answer: Answer) -> None:
    assert accounted(answer) == {}


def test_ends_of_an_array() -> None:
    """As a real one told of them (22.05.8)."""
    said = """\
12_0|a.1|CANCELLED by 1000|10240K|
12_0.batch|batch|CANCELLED||3096K
12_1|a.1|NODE_FAIL|10240K|
12_1.batch|batch|CANCELLED||
12_2|a.1|FAILED|51200K|
12_2.batch|batch|CANCELLED by 0||193252K
12_3|a.1|FAILED|51200K|
12_3.batch|batch|FAILED||31596K
12_[4-6,8%1]|a.1|CANCELLED by 1000|10240K|
13|b.1|FAILED|100Mn|
13.batch|batch|CANCELLED||512000K
"""
    assert accounted(Answer(0, said, "")) == {
        "12_0 a.1": "CANCELLED",
        "12_1 a.1": "NODE_FAIL",
        "12_2 a.1": "OUT_OF_MEMORY",
        "12_3 a.1": "FAILED",
        "12_[4-6,8%1] a.1": "CANCELLED",
        "13 b.1": "FAILED",
    }


def test_what_slurm_has_killed_for_want_of_memory(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue says FAILED, and its accounting, which does not know yet, is asked again."""
    workspace, place = Workspace(tmp_path), SlurmPlace(tmp_path, cluster)
    late = 'echo >> asked; [ $(wc -l < asked) = 1 ] && echo "$job|$name|RUNNING|102400K|" ||'
    monkeypatch.setenv("PATH", stand_in(workspace, "sacct", f"cd {tmp_path}; {ASKED}; {late} {KILLED}")["PATH"])
    submitted = time.time()
    executor = place.executor()
    executor.submit([make_job(place, "touch running; sleep 1000")])
    wait_for(lambda: executor.finished(0.1) or workspace.exists("running"))
    os.kill(wrappers(workspace)[0], signal.SIGKILL)
    (result,) = results_of(executor)
    assert (result.reason, result.detail) == (Reason.OUT_OF_MEMORY, "killed for want of memory, as Slurm says")
    assert len(workspace.lines("asked")) == 2
    assert submitted < result.started <= result.ended, "as long as its node had it"
    executor.close()


def test_too_little_memory_for_mlbuild_itself(slurm: Workspace) -> None:
    waits = 'delay = 1s, setup = "kill -KILL $$", options = ["--begin=now+3"]'
    slurm.pipeline(once().replace("delay = 1s", waits))
    ended = slurm.run("model", env=stand_in(slurm, "sacct", f"{ASKED}; {KILLED}"))
    assert (
        "FAILED  model: not started: its job in Slurm came to nothing: it ended as OUT_OF_MEMORY: there was too little"
        " memory for mlbuild itself\n"
    ) in ended.out
    waited = "its time has not come"
    assert waited in ended.out and waited not in slurm.run("runs", "1").out
