"""`mlbuild cancel`: builds, or tasks of them, are stopped from elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from test_detach import detach, ends
from workspace import Ended, Workspace

from mlbuild.executors.processes import start_time

PIPELINE = """
    target train:
        outputs: "model.txt"
        retry: 3, backoff = 10ms
        run:
            trap "echo >> told; exit 1" TERM
            echo >> started
            while ! [ -e g[o] ]; do sleep 0.02; done
            echo > model.txt

    target evaluate:
        inputs: train
        outputs: "score.txt"
        run: cp {inputs} score.txt

    target report:
        inputs: evaluate
        outputs: "report.txt"
        run: cp {inputs} report.txt

    target other:
        outputs: "other.txt"
        run:
            echo >> other_started
            while ! [ -e o[n] ]; do sleep 0.02; done
            echo > other.txt

    default report, other
"""


@pytest.fixture
def gated(workspace: Workspace) -> Iterator[Workspace]:
    """Two trainings that go on until a file `go`, or `on`, is there; other tasks wait for the first."""
    workspace.pipeline(PIPELINE)
    yield workspace
    workspace.write("go", "")
    workspace.write("on", "")


def begun(workspace: Workspace) -> int:
    """A detached build in which both run: the pid of its driver."""
    pid = detach(workspace, "-j2")
    workspace.wait_for("started")
    workspace.wait_for("other_started")
    return pid


def steady(ended: Ended) -> list[str]:
    """What a command printed, without moments and durations."""
    assert (ended.status, ended.err) == (0, "")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "NOW", ended.out)
    return re.sub(r"\d+m\d\ds|\d+(?:\.\d)?s\b", "0.0s", text).splitlines()


def attempts(workspace: Workspace, run: int) -> dict[str, str]:
    """The state of each task of a run."""
    return {row["task"]: row["state"] for row in json.loads(workspace.run("runs", str(run), "--json").out)["tasks"]}


def test_all_that_goes_on_is_interrupted(gated: Workspace) -> None:
    pid = begun(gated)
    assert steady(gated.run("cancel")) == [
        f"run 1 (process {pid}) was interrupted",
        "    train was stopped after 0.0s",
        "    other was stopped after 0.0s",
        "    evaluate and 1 more task did not start",
    ]
    assert gated.lines("told") == [""]
    assert ends(gated) == ["interrupted"]
    gated.wait_until_quiet()
    ended = gated.run("attach", "1")
    assert ended.status == 130
    assert "interrupted by `mlbuild cancel`" in ended.out


def test_a_build_with_a_terminal_is_interrupted_too(gated: Workspace) -> None:
    process = gated.start("train")
    gated.wait_for("started")
    assert steady(gated.run("cancel"))[0] == f"run 1 (process {process.pid}) was interrupted"
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_only_what_is_named_is_stopped_and_the_rest_goes_on(gated: Workspace) -> None:
    pid = begun(gated)
    assert steady(gated.run("cancel", "train")) == [
        f"run 1 (process {pid}) goes on without",
        "    train was stopped after 0.0s",
        "    evaluate and 1 more task are blocked by that",
    ]
    assert start_time(pid)
    gated.write("on", "")
    ended = gated.run("attach", "1")
    assert ended.status == 1
    assert "        train: is given up: `mlbuild cancel`\nstopped train\n" in ended.out
    assert gated.exists("other.txt")
    # Not failed, and so not tried again.
    assert (gated.lines("started"), gated.lines("told")) == ([""], [""])
    assert attempts(gated, 1) == {"train": "cancelled", "other": "built", "evaluate": "blocked", "report": "blocked"}
    gated.write("go", "")
    assert gated.ok().ran == ["evaluate", "report", "train"]


def test_what_has_not_started_will_not(gated: Workspace) -> None:
    pid = begun(gated)
    assert steady(gated.run("cancel", "evaluate")) == [
        f"run 1 (process {pid}) goes on without",
        "    evaluate will not start",
        "    report is blocked by that",
    ]
    gated.write("go", "")
    gated.write("on", "")
    assert gated.run("attach", "1").status == 1
    assert gated.exists("model.txt")
    assert not gated.exists("score.txt")


def test_what_waits_for_room_will_not_start(gated: Workspace) -> None:
    pid = detach(gated, "-j1")
    gated.wait_until(lambda: gated.exists("started") or gated.exists("other_started"))
    first, second = ("train", "other") if gated.exists("started") else ("other", "train")
    lines = steady(gated.run("cancel", first, second))
    assert f"    {first} was stopped after 0.0s" in lines
    assert f"    {second} will not start" in lines
    gated.wait_until_quiet()
    assert start_time(pid) is None
    assert len(gated.lines("started") + gated.lines("other_started")) == 1
    assert gated.run("attach", "1").status == 1


def test_a_retry_that_is_still_to_come_will_not(gated: Workspace) -> None:
    text = PIPELINE.replace("retry: 3, backoff = 10ms", "retry: 3, backoff = 1h").replace("echo >> started", "exit 9")
    gated.pipeline(text)
    detach(gated, "train", "--events", "events.jsonl")
    gated.wait_until(lambda: gated.exists("events.jsonl") and "task_retried" in gated.read("events.jsonl"))
    assert steady(gated.run("cancel", "train"))[1:] == ["    train will not start"]
    gated.wait_until_quiet()


def test_what_would_be_stopped(gated: Workspace) -> None:
    pid = begun(gated)
    assert steady(gated.run("cancel", "-n")) == [
        f"run 1 (process {pid}) would be interrupted",
        "    train runs since NOW (0.0s)",
        "    other runs since NOW (0.0s)",
        "    evaluate and 1 more task would not start",
    ]
    assert steady(gated.run("cancel", "-n", "train")) == [
        f"run 1 (process {pid}) would go on without",
        "    train runs since NOW (0.0s)",
        "    evaluate and 1 more task wait for that",
    ]
    assert steady(gated.run("cancel", "-n", "evaluate"))[1:] == [
        "    evaluate has not started",
        "    report waits for that",
    ]
    assert not gated.exists("told")
    assert start_time(pid)


def test_json(gated: Workspace) -> None:
    pid = begun(gated)

    def document(*arguments: str) -> Any:
        ended = gated.run("cancel", "--json", *arguments)
        assert (ended.status, ended.err) == (0, "")
        return json.loads(ended.out)

    looked = document("-n", "train", "report")
    (build,) = looked["builds"]
    (train, report) = build.pop("tasks")
    assert looked["dry_run"] is True
    assert build == {"run": 1, "pid": pid, "lives": True, "whole": False, "waiting": ["evaluate"]}
    assert train.pop("started") > 1e9
    nothing = {"ended": None, "reason": None, "checkpoint": None}
    assert train == {"task": "train", "state": "running", "attempt": 1, **nothing}
    assert report == {"task": "report", "state": "waiting", "attempt": None, "started": None, **nothing}
    (build,) = document("other")["builds"]
    (other,) = build["tasks"]
    assert (other["reason"], other["state"]) == ("cancelled", "running")
    assert other["ended"] > other["started"]


def test_now_waits_for_no_grace(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t.txt"
            run: trap "" TERM; echo > started; while true; do sleep 0.1; done
        """
    )
    for arguments in (["--now"], ["--now", "t"]):
        detach(workspace)
        workspace.wait_for("started")
        assert steady(workspace.run("cancel", *arguments))[1] == "    t was stopped after 0.0s"
        workspace.wait_until_quiet()
        (workspace.root / "started").unlink()


def test_with_nothing_to_cancel(gated: Workspace) -> None:
    assert steady(gated.run("cancel")) == ["no build goes on here"]
    gated.write("go", "")
    gated.ok("train")
    assert steady(gated.run("cancel")) == ["no build goes on here"]
    assert steady(gated.run("cancel", "train")) == ["no build that goes on has anything of that to do"]
    ended = gated.run("cancel", "trian")
    assert (ended.status, ended.out) == (2, "")
    assert "did you mean train?" in ended.err


def test_what_a_dead_build_left_is_stopped_and_the_next_build_runs_it_again(gated: Workspace) -> None:
    pid = begun(gated)
    os.kill(pid, signal.SIGKILL)
    gated.wait_until(lambda: start_time(pid) is None)
    assert steady(gated.run("cancel", "-n", "train")) == [
        "run 1 died, and what it had started went on",
        "    train runs since NOW (0.0s)",
    ]
    assert steady(gated.run("cancel", "train")) == [
        "run 1 died, and what it had started went on",
        "    train was stopped after 0.0s",
    ]
    assert gated.lines("told") == [""]
    assert steady(gated.run("cancel", "train")) == ["no build that goes on has anything of that to do"]
    gated.write("go", "")
    gated.write("on", "")
    gated.ok("-j2")
    assert (len(gated.lines("started")), len(gated.lines("other_started"))) == (2, 1)


def test_a_build_that_took_over_is_asked(gated: Workspace) -> None:
    pid = begun(gated)
    os.kill(pid, signal.SIGKILL)
    second = detach(gated, "-j2")
    gated.wait_until(lambda: attempts(gated, 2).get("train") == "running")
    assert steady(gated.run("cancel", "train"))[:2] == [
        f"run 2 (process {second}) goes on without",
        "    train was stopped after 0.0s",
    ]
    gated.write("on", "")
    assert gated.run("attach", "2").status == 1
    assert len(gated.lines("started")) == 1


def test_it_says_from_which_checkpoint_it_can_go_on(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target train:
            outputs: "model.txt"
            checkpoint: "checkpoints/"
            run:
                echo > .part; mv .part checkpoints/epoch-1
                echo > started
                sleep 60
        """
    )
    detach(workspace)
    workspace.wait_for("started")
    assert steady(workspace.run("cancel", "train"))[1] == (
        "    train was stopped after 0.0s; it can go on from checkpoints/epoch-1"
    )
    workspace.wait_until_quiet()


def test_a_build_that_does_not_answer_is_waited_for(gated: Workspace) -> None:
    pid = begun(gated)
    os.kill(pid, signal.SIGSTOP)
    process = gated.start("cancel", "train")
    assert process.stderr
    assert process.stderr.readline() == f"waits for run 1 (process {pid}) to answer\n"
    os.kill(pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "train was stopped" in out


def test_many_tasks_that_have_not_started(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(3000)
        target gate:
            outputs: "gate.txt"
            run: echo > started; while ! [ -e g[o] ]; do sleep 0.02; done; echo > gate.txt
        target part[k]:
            inputs: gate
            outputs: "out/{k}.txt"
            run: echo > {outputs}
        target all:
            inputs: part[*]
            outputs: "all.txt"
            run: cat {inputs} > {outputs}
        """
    )
    detach(workspace, "all")
    workspace.wait_for("started")
    (build,) = json.loads(workspace.run("cancel", "--json", "part[*]").out)["builds"]
    assert len(build["tasks"]) == 3000
    assert build["waiting"] == ["all"]
    workspace.write("go", "")
    assert workspace.run("attach", "1").status == 1
    assert workspace.exists("gate.txt")
    assert not workspace.exists("out")


def test_a_task_of_one_of_two_builds(gated: Workspace) -> None:
    detach(gated, "train")
    second = detach(gated, "other")
    gated.wait_for("started")
    gated.wait_for("other_started")
    assert steady(gated.run("cancel", "other")) == [
        f"run 2 (process {second}) goes on without",
        "    other was stopped after 0.0s",
    ]
    assert [run["ended"] for run in json.loads(gated.run("runs", "--json").out)["runs"]][1] == "running"
