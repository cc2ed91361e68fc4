"""What tasks used of what they asked for: what `runs N` says of it, and what it advises."""

from __future__ import annotations

import json
import re

import pytest
from workspace import Workspace

from mlbuild.engine.usage import Usage
from mlbuild.state.runs import Asked
from mlbuild.ui.usage import advice_lines

GIB = 1 << 30


def test_a_build_says_what_was_used_of_what_was_asked_for(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: ["a", "b"]

        target fit[k]:
            outputs: "model/{k}"
            resources: cpus = 2, memory = 4G
            run: touch {outputs}

        target all:
            inputs: fit[*]
            outputs: "all.txt"
            run: touch {outputs}
        """
    )
    workspace.ok("all")
    told = workspace.run("runs", "1").out
    assert re.search(r"^fit +2  \d+M of 4\.0G \(\d%\)  \d\.\d of 2 \(\d+%\)$", told, re.MULTILINE), told
    assert re.search(r"^fit: its largest process held \d+M of 4\.0G: `memory = 128M` may do$", told, re.MULTILINE)
    assert "all  " not in told.partition("memory used")[2], "it asked for nothing"
    fit, rest = json.loads(workspace.run("runs", "1", "--json").out)["used"]
    assert (fit["target"], fit["attempts"], fit["memory"], fit["cpus"]) == ("fit", 2, 4 * GIB, 2)
    assert fit["advice"][0]["what"] == "memory" and fit["advice"][0]["enough"] == 128 << 20
    assert (rest["target"], rest["memory"], rest["cpus"], rest["advice"]) == ("all", None, 1, [])


def test_nothing_is_said_where_nothing_was_asked_for(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t"\n    run: touch {outputs}\n')
    workspace.ok()
    assert "CPUs" not in workspace.run("runs", "1").out


def test_a_grown_request_has_a_row_of_its_own(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t"
            resources: memory = 300M * attempt
            retry: 1, backoff = 1ms
            run: test {attempt} = 2; touch {outputs}
        """
    )
    workspace.ok()
    rows = json.loads(workspace.run("runs", "1", "--json").out)["used"]
    assert [row["memory"] for row in rows] == [300 << 20, 600 << 20]


HOUR = 3600.0


def used(asked: Asked, **took: object) -> Usage:
    known: dict[str, object] = {"attempts": 3, "seconds": HOUR, "seen": HOUR, "max_rss": GIB, "cpu_seconds": HOUR}
    return Usage("fit", asked, **{**known, "gpu_utilization": None, "out_of_memory": False, **took})  # type: ignore[arg-type]


NOTHING: dict[str, object] = {"seen": 0.0, "max_rss": 0, "cpu_seconds": 0.0}
"""Was seen of attempts that a cluster has killed."""


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (used(Asked(1, 16 * GIB, 0, 1)), ["its largest process held 1.0G of 16G: `memory = 2G` may do"]),
        (used(Asked(1, 2 * GIB, 0, 1)), []),
        (used(Asked(1, 300 << 20, 0, 1), max_rss=10 << 20), []),
        (
            used(Asked(1, GIB, 0, 1), max_rss=1000 << 20),
            ["it came close to the memory that it asked for, 1.0G: `memory = 2G` leaves room"],
        ),
        (
            used(Asked(1, 8 * GIB, 0, 1), out_of_memory=True),
            ["it was killed for want of memory, 8.0G: `memory = 12G` leaves room"],
        ),
        (
            used(Asked(4, 8 * GIB, 0, 1), out_of_memory=True, **NOTHING),
            ["it was killed for want of memory, 8.0G: `memory = 12G` leaves room"],
        ),
        (used(Asked(4, 8 * GIB, 0, 1), **NOTHING), []),
        (used(Asked(8, None, 0, 1), seconds=10 * HOUR, cpu_seconds=8 * HOUR), []),
        (used(Asked(8, None, 0, 1)), ["1.0 of its 8 CPUs were busy: `cpus = 2` may do"]),
        (used(Asked(2, None, 0, 1)), []),
        (used(Asked(8, None, 0, 1), seconds=10.0, seen=10.0, cpu_seconds=0.1), []),
        (used(Asked(8, 64 * GIB, 2, 4), gpu_utilization=0.1), []),
        (
            used(Asked(1, None, 2, 1), gpu_utilization=0.12),
            ["its GPUs were at work 12% of the time: something else holds it up"],
        ),
        (used(Asked(1, None, 2, 1), gpu_utilization=0.9), []),
        (used(Asked(1, None, 2, 1)), []),
    ],
)
def test_what_would_do(usage: Usage, said: list[str]) -> None:
    assert advice_lines(usage) == [f"fit: {line}" for line in said]


def test_gpu_hours() -> None:
    assert used(Asked(1, None, 2, 1)).gpu_hours == 2.0
    assert used(Asked(1, None, 2, 4), **NOTHING).gpu_hours == 8.0, "each node has lent two"


def test_the_gpu_hours_of_builds(workspace: Workspace) -> None:
    """A build that used none has none, and without one that did there is no column."""
    workspace.write("mlbuild.toml", "gpus = 4\n")
    pipeline = """
        param gpus = 2

        target t:
            outputs: "t"
            retry: 1, backoff = 1ms
            resources: gpus = gpus
            run: sleep 0.4; touch {outputs}; test {attempt} = 2
    """
    workspace.pipeline(pipeline)
    workspace.ok("gpus=0")
    assert "GPU-hours" not in workspace.run("runs").out
    workspace.ok("-B")
    assert re.search(
        r"took  GPU-hours  what.*\n.* \d\.\ds       0\.00  1 task run .*\n.*s  +1 task run ", workspace.run("runs").out
    )
    newest, first = json.loads(workspace.run("runs", "--json").out)["runs"]
    (row,) = json.loads(workspace.run("runs", "2", "--json").out)["used"]
    assert first["gpu_hours"] == 0
    assert newest["gpu_hours"] == pytest.approx(row["gpu_hours"]) == pytest.approx(2 * row["seconds"] / 3600)
    assert row["attempts"] == 2
