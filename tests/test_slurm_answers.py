"""Commands of Slurm's that hang, fail, say nothing or rubbish: nothing fails by it, and nothing runs twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster import Cluster, until
from executor_contract import make_job, run
from on_slurm import EXECUTOR, jobs, once, stand_in
from test_executor_slurm import SlurmPlace
from workspace import Workspace

from mlbuild.executors.slurm import commands

TAKES = '/usr/bin/sbatch "$@"'
RUBBISH = "echo 'the queue is nice today'; echo 'Segmentation fault' >&2"
ANSWERS = (
    f"{TAKES} > /dev/null; {RUBBISH}",
    f"{TAKES} > /dev/null; {RUBBISH}; exit 3",
    f"{TAKES} > /dev/null; kill -SEGV $$",
    "echo 'Unable to contact slurm controller' >&2; exit 1",
)


def test_what_sbatch_says_besides_a_number(slurm: Workspace) -> None:
    """A submission for each answer; the last of them is submitted again, which takes its time."""
    names = [f"t{number}" for number in range(len(ANSWERS))]
    target = 'target {0}:\n    outputs: "{0}"\n    code: none\n    on: gpu\n    run: echo >> began-{0}; touch {0}\n'
    slurm.pipeline(EXECUTOR + "".join(map(target.format, names)))
    asked = slurm.root / "asked"
    cases = "".join(f"{number}) {answer};;\n" for number, answer in enumerate(ANSWERS))
    count = f"touch {asked}; n=$(wc -l < {asked}); echo >> {asked}\n"
    slow = f"*) sleep 2; exec {TAKES};;"
    slurm.ok(*names, env=stand_in(slurm, "sbatch", f"{count}case $n in {cases}{slow} esac"))
    assert len(slurm.lines("asked")) == len(ANSWERS) + 1
    assert [len(slurm.lines(f"began-{name}")) for name in names] == [1] * len(names), "each ran once"


def test_sbatch_fails_without_a_word(slurm: Workspace) -> None:
    slurm.pipeline(once())
    ended = slurm.build("summary", env=stand_in(slurm, "sbatch", "exit 3"))
    assert ended.status == 1 and "not started: Slurm does not take it: exit status 3" in ended.out


def test_scancel_fails(slurm: Workspace, cluster: Cluster) -> None:
    """What runs finds in its folder that it shall end, and what waits is not begun."""
    slurm.pipeline(once())
    environment = stand_in(slurm, "scancel", "exit 1")
    driver = slurm.start("summary", env=environment)
    slurm.wait_for("running")
    slurm.run("cancel", env=environment)
    driver.communicate(timeout=60)
    assert driver.returncode == 130
    until(lambda: jobs(cluster) == [])


def test_commands_that_hang(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sbatch` once it has taken the job, and `squeue` when it is first asked whether that is so."""
    workspace, place = Workspace(tmp_path), SlurmPlace(tmp_path, cluster)
    monkeypatch.setattr(commands, "ASK_FOR", 1.0)
    hangs_once = f"test -e {tmp_path}/asked || {{ touch {tmp_path}/asked; sleep 1000; }}\ntouch {tmp_path}/again\n"
    monkeypatch.setenv("PATH", stand_in(workspace, "squeue", hangs_once + 'exec /usr/bin/squeue "$@"')["PATH"])
    stand_in(workspace, "sbatch", f"{TAKES} > /dev/null; sleep 1000")
    executor = place.executor()
    assert run(executor, make_job(place, "echo >> began; while ! test -e again; do sleep 0.05; done")).ok
    assert len(workspace.lines("began")) == 1
    executor.close()
