"""`mlbuild submit`: a cluster gets all that must run at once, and whoever builds next takes in what came of it."""

from __future__ import annotations

import json
import signal

import pytest
from cluster import Cluster
from on_slurm import EXECUTOR, jobs
from workspace import Workspace

CHAIN = """
    {executor}
    target raw:
        outputs: "raw.txt"
        code: none
        on: gpu
        run:
            exec 9> lock; flock -n 9
            echo raw >> ran
            while ! test -e go; do sleep 0.05; done
            cat in.txt > {{outputs}}

    target model:
        inputs: raw, "in.txt"
        outputs: "model.txt"
        on: gpu
        run: echo model >> ran; cat {{inputs}} > {{outputs}}
"""


@pytest.fixture
def chain(slurm: Workspace) -> Workspace:
    """Two tasks on the cluster, one behind the other; the first waits for a file `go`."""
    slurm.pipeline(CHAIN.format(executor=EXECUTOR))
    slurm.write("in.txt", "in\n")
    return slurm


def wait_until_over(workspace: Workspace, cluster: Cluster) -> None:
    workspace.wait_until(lambda: jobs(cluster) == [])


def test_what_was_submitted_runs_by_itself_and_is_taken_in(chain: Workspace, cluster: Cluster) -> None:
    ended = chain.run("submit", "model")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[:2] == ["submit  raw to gpu", "submit  model to gpu, behind raw"]
    assert ended.out.splitlines()[2].startswith("2 tasks submitted in ")
    assert chain.processes() == [], "nobody waits"
    assert set(chain.states().values()) == {"running"}
    chain.write("go", "")
    wait_until_over(chain, cluster)
    assert chain.lines("ran") == ["raw", "model"]
    after = chain.ok("model")
    assert after.ran == ["model", "raw"], "their results were taken in"
    assert chain.lines("ran") == ["raw", "model"], "and nothing ran twice"
    assert "raw: submitted by run 1" in after.out and "died" not in after.out
    assert chain.read("model.txt") == "in\nin\n"
    assert "nothing to do" in chain.ok("model").out
    assert [path.name for path in (chain.root / ".mlbuild/jobs").rglob("*")] == ["results"], "nothing is left of them"


def test_a_build_waits_for_what_was_submitted(chain: Workspace) -> None:
    chain.run("submit", "model")
    chain.wait_for("ran")
    driver = chain.start("model")
    chain.write("go", "")
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0, out
    assert chain.lines("ran") == ["raw", "model"]


@pytest.mark.parametrize(
    "point", ["intended:2", "prepared:2", "submitted", "slurm-sending:2", "slurm-sent", "slurm-sent:2"]
)
def test_one_that_is_killed_doubles_nothing(chain: Workspace, cluster: Cluster, point: str) -> None:
    killed = chain.run("submit", "model", env={"MLBUILD_TEST_KILL": point})
    assert killed.status == -signal.SIGKILL
    again = chain.run("submit", "model")
    assert again.status == 0, again.err
    assert len(jobs(cluster)) == 2
    chain.write("go", "")
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]


def test_as_json(chain: Workspace) -> None:
    document = json.loads(chain.run("submit", "model", "--json").out)
    assert document == {
        "run": 1,
        "tasks": [
            {"task": "raw", "executor": "gpu", "attempt": 1, "behind": []},
            {"task": "model", "executor": "gpu", "attempt": 1, "behind": ["raw"]},
        ],
    }
