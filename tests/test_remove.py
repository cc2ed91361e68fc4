"""`mlbuild remove`: outputs go, what they held stays in the store."""

from __future__ import annotations

import os

import pytest
from workspace import Workspace

PIPELINE = """
    partition k: ["a", "b"]

    target load[k]:
        outputs: "data/{k}.txt"
        run: echo {k} > {outputs}

    target train:
        inputs: load[*]
        outputs: "model/"
        metrics: "score.json"
        run: cat {inputs} > model/weights; echo '{"auc": 1}' > score.json

    target all:
        inputs: train, load[*]
    default train
"""
MADE = ["data/a.txt", "data/b.txt", "model/weights", "score.json"]


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    workspace.ok()
    return workspace


def there(workspace: Workspace) -> list[str]:
    left = [name for _, folders, names in os.walk(workspace.root) for name in (*folders, *names) if "-aside" in name]
    assert left == []
    return [path for path in MADE if workspace.exists(path)]


def test_a_goal_and_not_what_it_needs(built: Workspace) -> None:
    ended = built.run("remove", "train")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "removed model/\nremoved score.json\n2 outputs removed\n"
    assert there(built) == ["data/a.txt", "data/b.txt"]
    assert built.states()["train"] == "restorable"
    assert built.ok().restored == ["train"]
    assert there(built) == MADE


@pytest.mark.parametrize(
    "words", [["load[a]"], ["data/a.txt"], ["load", "--k", "a"], ["load[a]", "data/a.txt", "load[a]"]], ids=str
)
def test_what_a_goal_may_be(built: Workspace, words: list[str]) -> None:
    assert built.run("remove", *words).out == "removed data/a.txt\n1 output removed\n"
    assert there(built) == MADE[1:]


@pytest.mark.parametrize("words", [["--all"], ["all"]])
def test_all_of_them_and_what_a_group_gathers(built: Workspace, words: list[str]) -> None:
    said = built.run("remove", "-n", *words).out.splitlines()
    assert sorted(said) == [
        "4 outputs would be removed",
        *(f"would be removed {path}" for path in ("data/a.txt", "data/b.txt", "model/", "score.json")),
    ]
    assert there(built) == MADE
    assert built.run("remove", *words).out.endswith("4 outputs removed\n")
    assert there(built) == []
    assert built.run("remove", *words).out == "0 outputs removed\n"
    assert built.ok().ran == []
    assert there(built) == MADE


def test_what_was_edited_by_hand_is_moved(built: Workspace) -> None:
    built.write("data/a.txt", "by hand\n")
    ended = built.run("remove", "load[*]")
    assert ended.out == (
        "data/a.txt was edited by hand: moved to .mlbuild/failed/removed-2/data/a.txt\n"
        "removed data/b.txt\n"
        "2 outputs removed\n"
    )
    assert built.read(".mlbuild/failed/removed-2/data/a.txt") == "by hand\n"
    assert built.ok().restored == ["load[a]", "load[b]"]


@pytest.mark.parametrize("is_built", [True, False])
def test_what_mlbuild_did_not_make_stays(workspace: Workspace, is_built: bool) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo t > {outputs}\n')
    if is_built:
        workspace.ok()
    workspace.pipeline('target t:\n    outputs: "mine.txt"\n    run: echo t > {outputs}\n')
    workspace.write("mine.txt", "mine\n")
    ended = workspace.run("remove", "t")
    assert (ended.status, ended.out) == (0, "0 outputs removed\n")
    assert ended.err == "mine.txt stays: mlbuild did not make it\n"
    assert workspace.read("mine.txt") == "mine\n"


def test_what_is_not_stored_is_said(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    cache: false\n    run: echo t > {outputs}\n')
    workspace.ok()
    assert workspace.run("remove", "t").out == (
        "removed t.txt (not in the store: its task will have to run again)\n1 output removed\n"
    )
    assert workspace.ok().ran == ["t"]


GATED = """
    target load:
        outputs: "load.txt"
        run: echo load > {outputs}

    target train:
        inputs: load
        outputs: "model.txt"
        run: cat {inputs} > {outputs}; echo > started; while ! [ -e g[o] ]; do sleep 0.02; done

    target other:
        outputs: "other.txt"
        run: echo > {outputs}
"""


@pytest.mark.parametrize("goal", ["train", "load", "model.txt"])
def test_not_while_a_build_needs_it(workspace: Workspace, goal: str) -> None:
    workspace.pipeline(GATED)
    workspace.ok("other")
    build = workspace.start("train")
    workspace.wait_for("started")
    name = "load" if goal == "load" else "train"
    ended = workspace.run("remove", "other", goal)
    there_still = workspace.exists("other.txt")
    freed = workspace.run("remove", "other")
    workspace.write("go", "")
    _, err = build.communicate(timeout=60)
    assert build.returncode == 0, err
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"error: run 2 (process {build.pid}) works on or needs {name}\n  hint: wait until it has ended\n"
    )
    # Not one of them was removed, although the other was free.
    assert there_still
    assert freed.out == "removed other.txt\n1 output removed\n"
    assert workspace.run("remove", goal).status == 0
    assert workspace.ok("train").ran == []


def test_not_while_what_a_dead_build_started_goes_on(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    build = workspace.start("train")
    workspace.wait_for("started")
    build.kill()
    build.communicate(timeout=60)
    ended = workspace.run("remove", "load", "train")
    workspace.write("go", "")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"error: run 1 (process {build.pid}) died while it worked on train\n  hint: run `mlbuild` first\n"
    )
    assert workspace.exists("load.txt")
    workspace.ok("train")
    assert workspace.read("model.txt") == "load\n"


def test_killed_in_the_middle(built: Workspace) -> None:
    process = built.start("remove", "--all", env={"MLBUILD_TEST_KILL": "dropping:2"})
    process.communicate(timeout=60)
    assert built.run("remove", "--all").status == 0
    assert there(built) == []
    assert built.ok().ran == []
    assert there(built) == MADE


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "error: no goal is given\n  hint: name goals, as in 'train[*]', or give --all, or --vanished\n"),
        (
            ["train", "--all"],
            "error: both goals and --all are given\n"
            "  hint: name goals, as in 'train[*]', or give --all, or --vanished\n",
        ),
        (
            ["trian"],
            "error: no target is called trian, and none makes a path of that name\n  hint: did you mean train?\n",
        ),
    ],
    ids=str,
)
def test_wrong_command_lines(built: Workspace, words: list[str], message: str) -> None:
    ended = built.run("remove", *words)
    assert (ended.status, ended.out, ended.err) == (2, "", message)
