"""Two builds at once in one workspace."""

from __future__ import annotations

import json
import time
from pathlib import Path

from workspace import Workspace

TRAIN = """
    param lr = 1

    target train:
        outputs: weights = "weights.txt"
        run:
            exec 9> lock
            flock -n 9 || { echo train {lr} >> doubled; exit 9; }
            echo train {lr} >> ran
            sleep 0.4
            echo {lr} > {outputs.weights}

    target evaluate:
        inputs: train.weights
        outputs: "score.txt"
        run: echo evaluate {lr} >> ran; sleep 0.2; (echo -n "score "; cat {inputs.weights}) > {outputs}

    default evaluate
"""


def finished(path: Path) -> list[str]:
    return [row["task"] for row in map(json.loads, path.read_text().splitlines()) if row["event"] == "task_finished"]


def test_the_same_goal_runs_each_task_once(workspace: Workspace) -> None:
    workspace.pipeline(TRAIN)
    one = workspace.start(events="one.jsonl")
    two = workspace.start(events="two.jsonl")
    for process in (one, two):
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert sorted(workspace.lines("ran")) == ["evaluate 1", "train 1"]
    both = finished(workspace.root / "one.jsonl") + finished(workspace.root / "two.jsonl")
    assert sorted(both) == ["evaluate", "train"]


# Training that goes on until the test lets it end.
GATED = TRAIN.replace("sleep 0.4", "while ! [ -e g[o] ]; do sleep 0.02; done")


def wait_until_it_waits(workspace: Workspace, events: str) -> None:
    workspace.wait_until(lambda: workspace.exists(events) and "waits for run" in workspace.read(events))


def let_go_once_it_waits(workspace: Workspace, events: str) -> None:
    wait_until_it_waits(workspace, events)
    workspace.write("go", "")


def test_a_build_that_waits_says_for_whom(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    one = workspace.start()
    workspace.wait_for("ran")
    two = workspace.start(events="two.jsonl")
    let_go_once_it_waits(workspace, "two.jsonl")
    out, _ = two.communicate(timeout=60)
    one.communicate(timeout=60)
    assert f"train: waits for run 1 (process {one.pid}), which makes it" in out


def test_different_values_are_built_one_after_the_other(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    one = workspace.start("lr=1")
    workspace.wait_for("ran")
    two = workspace.start("lr=2", events="two.jsonl")
    let_go_once_it_waits(workspace, "two.jsonl")
    out, err = two.communicate(timeout=60)
    assert two.returncode == 0, err
    _, err = one.communicate(timeout=60)
    assert one.returncode == 0, err
    assert f"waits for run 1 (process {one.pid}), which needs train as it is" in out
    assert not workspace.exists("doubled")
    assert workspace.lines("ran") == ["train 1", "evaluate 1", "train 2", "evaluate 2"]
    assert workspace.read("score.txt") == "score 2\n"
    # Both are recorded: either comes back without a run.
    ended = workspace.ok("lr=1")
    assert (ended.ran, ended.restored) == ([], ["evaluate", "train"])
    assert workspace.read("score.txt") == "score 1\n"
    assert workspace.ok("lr=2").restored == ["evaluate", "train"]


def test_builds_that_want_different_things_never_wait_for_each_other(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param v = 1
        partition k: ["a", "b", "c", "d"]
        target part[k]:
            outputs: "{k}.txt"
            run: sleep 0.05; echo {k} {v} > {outputs}
        target all:
            inputs: part[*]
            outputs: "all.txt"
            run: cat {inputs} > {outputs}
        default all
        """
    )
    for _ in range(3):
        builds = [workspace.start(f"v={value}", "-j1") for value in (1, 2, 3)]
        for process in builds:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        text = workspace.read("all.txt")
        value = text.split()[1]
        assert text == "".join(f"{key} {value}\n" for key in "abcd")


def test_a_build_goes_on_after_the_owner_was_killed(workspace: Workspace) -> None:
    workspace.pipeline(TRAIN)
    one = workspace.start("lr=1")
    workspace.wait_for("ran")
    two = workspace.start("lr=2")
    time.sleep(0.3)
    one.kill()
    one.communicate(timeout=60)
    _, err = two.communicate(timeout=60)
    assert two.returncode == 0, err
    assert not workspace.exists("doubled")
    assert workspace.read("score.txt") == "score 2\n"


def test_a_build_takes_over_from_the_one_it_waits_for(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    one = workspace.start()
    workspace.wait_for("ran")
    two = workspace.start(events="two.jsonl")
    wait_until_it_waits(workspace, "two.jsonl")
    one.kill()
    one.communicate(timeout=60)
    workspace.wait_until(lambda: '"taken_over_from": 1' in workspace.read("two.jsonl"))
    workspace.write("go", "")
    out, err = two.communicate(timeout=60)
    assert two.returncode == 0, err
    assert "train: taken over from run 1, which died" in out
    assert workspace.lines("ran") == ["train 1", "evaluate 1"]
    assert not workspace.exists("doubled")


def test_a_path_is_one_builds_though_its_target_was_renamed(workspace: Workspace) -> None:
    text = 'target one:\n    outputs: "t.txt"\n    run: echo one > t.txt; echo > started; sleep 1; echo one >> t.txt\n'
    workspace.pipeline(text)
    one = workspace.start()
    workspace.wait_for("started")
    workspace.pipeline(text.replace("one", "two"))
    two = workspace.start()
    for process in (one, two):
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert workspace.read("t.txt") == "two\ntwo\n"
