"""`mlbuild explain`: what would happen to a task and why, followed up the chain to the first causes."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from workspace import Workspace

PIPELINE = """
    param lr = 1
    partition day: ["mon", "tue", "wed"]

    target features[day]:
        inputs: "data/{day}.csv"
        outputs: "features/{day}.csv"
        run: sh src/features.sh {inputs} > {outputs}

    target joined:
        inputs: features[*]
        outputs: "joined.csv"
        run: cat {inputs} > {outputs}

    target train:
        inputs: joined
        outputs: "model.txt"
        run: (cat {inputs}; echo {lr}) > {outputs}

    default train
"""
DAYS = ("mon", "tue", "wed")


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """A pipeline that is built."""
    workspace.pipeline(PIPELINE)
    workspace.write("src/features.sh", "grep -v '#' $1\n")
    for day in DAYS:
        workspace.write(f"data/{day}.csv", f"{day}\n")
    workspace.ok()
    return workspace


def explained(workspace: Workspace, *words: str) -> str:
    """What is said, with the moments and durations as 0."""
    ended = workspace.run("explain", *words)
    assert (ended.status, ended.err) == (0, "")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE", re.sub(r"\b\d+(\.\d)?s\b", "0s", ended.out))


def document(workspace: Workspace, *words: str) -> dict[str, Any]:
    ended = workspace.run("explain", "--json", *words)
    assert (ended.status, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


# --- what would run


def test_an_edit_is_followed_up_to_the_code(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    assert explained(built, "train") == (
        "train may run, if what it needs comes out otherwise:\n"
        "  features[mon] would run, because code src/features.sh changed since run 1, and 2 more like it\n"
        "    by way of joined\n"
    )
    assert explained(built, "features[tue]") == (
        "features[tue] would run:\n  code src/features.sh changed since run 1\n"
    )


def test_own_causes_stand_beside_those_of_what_runs_first(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "x\n")
    assert explained(built, "train", "lr=2") == (
        "train would run:\n"
        "  lr changed from 1 to 2 since run 1\n"
        "  features[mon] would run, because input data/mon.csv changed since run 1\n"
        "    by way of joined\n"
    )


def test_tasks_with_the_same_cause_are_told_together(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "x\n")
    append(built.root / "data/wed.csv", "x\n")
    assert explained(built, "features") == (
        "features[mon] and 1 more task would run:\n"
        "  input data/mon.csv changed since run 1, and 1 more like it\n"
        "features[tue] is fresh: built in run 1 on DATE in 0s, "
        "and its input and all else that counts are as they were\n"
    )


def test_a_cause_that_only_some_of_them_have_is_said_of_those(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition n: ["1", "2", "3", "4"]
        target t[n]:
            inputs: "a.txt", "b.txt"? , "more-{n}.txt"?
            outputs: "{n}.out"
            run: cat {inputs} > {outputs}
        default t
        """
    )
    for name in ("a.txt", "b.txt", "more-3.txt"):
        workspace.write(name, "x\n")
    workspace.ok()
    workspace.write("a.txt", "y\n")
    workspace.write("b.txt", "y\n")
    workspace.write("more-3.txt", "y\n")
    assert explained(workspace, "t") == (
        "t[1] and 3 more tasks would run:\n"
        "  input a.txt changed since run 1\n"
        "  input b.txt changed since run 1\n"
        "  input more-3.txt changed since run 1 (t[3])\n"
    )


def test_many_causes_of_a_kind_are_counted(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    inputs: glob("in/*")\n    outputs: "t.out"\n    run: cat {inputs} > {outputs}\n')
    for number in range(9):
        workspace.write(f"in/{number}", "x\n")
    workspace.ok()
    for number in range(5):
        workspace.write(f"in/{number}", "y\n")
    workspace.write("in/new", "x\n")
    (workspace.root / "in/8").unlink()
    assert explained(workspace, "t") == (
        "t would run:\n"
        "  input in/0 changed since run 1, and 4 more like it\n"
        "  input in/8 is no longer there since run 1\n"
        "  input in/new is new since run 1\n"
    )


def test_what_was_made_since_is_followed_into_the_builds_that_made_it(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "x\n")
    assert built.ok("features").ran == ["features[mon]"]
    append(built.root / "data/tue.csv", "x\n")
    assert explained(built, "joined") == (
        "joined would run:\n"
        "  features[mon] changed in run 2, because input data/mon.csv changed\n"
        "  features[tue] would run, because input data/tue.csv changed since run 1\n"
    )
    assert built.ok("joined").ran == ["features[tue]", "joined"]
    assert explained(built, "train") == (
        "train would run:\n"
        "  features[mon] changed in run 2, because input data/mon.csv changed\n"
        "    by way of joined\n"
        "  features[tue] changed in run 3, because input data/tue.csv changed\n"
        "    by way of joined\n"
    )


def test_a_long_way_is_cut_short(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition day: daily from 2015-01-01 to 2015-01-09
        target t[day]:
            inputs: before = t[day-1]?
            outputs: "{day}.txt"
            run: cat {inputs.before} > {outputs}; echo {day} >> {outputs}
        target end:
            inputs: t["2015-01-09"]
            outputs: "end.txt"
            run: cat {inputs} > {outputs}
        default end
        """
    )
    workspace.ok()
    workspace.write("2015-01-01.txt", "by hand\n")
    shutil.rmtree(workspace.root / ".mlbuild/store")
    assert explained(workspace, "end") == (
        "end may run, if what it needs comes out otherwise:\n"
        "  t[2015-01-01] would run, because 2015-01-01.txt is not as it was built\n"
        "    by way of t[2015-01-02], t[2015-01-03], t[2015-01-04] and 5 more tasks\n"
    )


def test_a_value_of_a_table_is_named_by_itself_and_once(workspace: Workspace) -> None:
    workspace.write("p.yaml", "train: {lr: 0.01, pause: 0.5}\n")
    text = """
        params "p.yaml"
        target t:
            params: p.train
            outputs: "t.txt"
            run: echo RECIPE > {outputs}
    """
    workspace.pipeline(text)
    workspace.ok()
    workspace.write("p.yaml", "train: {lr: 0.02, pause: 0.5}\n")
    said = "t would run:\n  p.train.lr changed from 0.01 to 0.02 since run 1\n"
    assert workspace.run("explain").out == said
    workspace.pipeline(text.replace("RECIPE", "{p.train.lr}"))
    assert workspace.run("explain").out == said


# --- what would not


def test_what_is_fresh_says_where_it_comes_from(built: Workspace) -> None:
    assert explained(built, "joined") == (
        "joined is fresh: built in run 1 on DATE in 0s, and its 3 inputs and all else that counts are as they were\n"
    )
    assert explained(built, "features") == (
        "features[mon] and 2 more tasks are fresh: built in run 1, and nothing that counts has changed since\n"
    )


def test_what_came_out_the_same_is_said(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "# a comment\n")
    assert built.ok().ran == ["features[mon]"]
    assert explained(built, "joined") == (
        "joined is fresh: built in run 1 on DATE in 0s, and its 3 inputs and all else that counts are as they were; "
        "features[mon] ran again since, and came out the same\n"
    )


def test_what_would_be_restored_says_when_it_was_made_and_why(built: Workspace) -> None:
    built.ok("lr=2")
    (built.root / "joined.csv").unlink()
    assert explained(built, "joined", "train") == (
        "joined would be restored from the store, as built in run 1 on DATE in 0s:\n"
        "  joined.csv is missing\n"
        "train would be restored from the store, as built in run 1 on DATE in 0s:\n"
        "  lr changed from 2 to 1 since run 2\n"
    )
    built.ok()
    assert explained(built, "train").startswith("train is fresh: restored in run 3 on DATE, and its input ")


def undone(workspace: Workspace) -> None:
    """The code is as it was first."""
    workspace.write("src/features.sh", "grep -v '#' $1\n")


def test_what_is_in_place_may_be_of_an_earlier_build(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    assert len(built.ok("features").ran) == 3
    undone(built)
    assert explained(built, "features[mon]", "features[tue]") == (
        "features[mon] and 1 more task are fresh: what is in place is as built in run 1, when all that counts was as "
        "it is now; that is not their last success here:\n"
        "  code src/features.sh changed since run 2\n"
    )
    (node,) = document(built, "features[mon]")["tasks"]
    assert (node["state"], node["origin"]["how"], node["origin"]["run"]) == ("fresh", "built", 1)
    assert explained(built, "train") == (
        "train is fresh: built in run 1 on DATE in 0s, and its input and all else that counts are as they were\n"
    )
    assert built.ok("features").ran == []


def test_what_was_accepted_and_is_undone(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    built.run("accept", "features[mon]", "--because", "true does nothing")
    undone(built)
    assert explained(built, "features[mon]") == (
        "features[mon] is fresh: what is in place is as built in run 1 on DATE in 0s, when all that counts was as it "
        "is now; that is not its last success here:\n"
        "  code src/features.sh changed since run 2\n"
    )


def test_what_was_renamed_is_in_the_store(built: Workspace) -> None:
    built.pipeline(PIPELINE.replace("target joined", "target merged").replace("inputs: joined", "inputs: merged"))
    assert explained(built, "merged") == (
        "merged is fresh: what is in place is what the store has for it; that is not its last success here:\n"
        "  it was never built here\n"
    )


def test_definitions_of_one_file_are_told_in_one_line(workspace: Workspace) -> None:
    workspace.write("lib.py", "A = 1\nB = 1\n\n\ndef f():\n    print(A, B)\n")
    workspace.write("other.py", "C = 1\n")
    workspace.write("a.py", "import lib, other\nlib.f()\nprint(other.C)\n")
    workspace.pipeline(
        """
        partition key: ["x", "y"]

        target t[key]:
            outputs: "{key}.txt"
            run: python a.py > {outputs}

        target u:
            inputs: t[*]
            outputs: "u.txt"
            run: cat {inputs} > {outputs}

        default u
        """
    )
    workspace.ok()
    workspace.write("lib.py", "A = 2\nB = 1\nD = 1\n\n\ndef f():\n    print(A, B, D)\n")
    workspace.write("other.py", "C = 2\n")
    lib = "code lib.py: constant A changed, function f changed and constant D is new since run 1"
    assert explained(workspace, "t", "u") == (
        f"t[x] and 1 more task would run:\n  {lib}\n  code other.py: constant C changed since run 1\n"
        "u may run, if what it needs comes out otherwise:\n"
        f"  t[x] would run, because {lib}, and 1 more like it\n"
        "  t[x] would run, because code other.py: constant C changed since run 1, and 1 more like it\n"
    )
    assert len(document(workspace, "t")["groups"][0]["causes"]) == 4


def test_tasks_that_were_made_in_several_runs_are_told_together(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "x\n")
    built.ok()
    assert explained(built, "features") == (
        "features[mon] and 2 more tasks are fresh: built in runs 1 and 2, and nothing that counts has changed since\n"
    )
    shutil.rmtree(built.root / "features")
    assert explained(built, "features") == (
        "features[mon] and 2 more tasks would be restored from the store, as built in runs 1 and 2:\n"
        "  features/mon.csv is missing, and 2 more like it\n"
    )


def test_what_was_accepted_says_by_whom_and_why(built: Workspace) -> None:
    built.run("accept", "train", "lr=2", "--because", "the rate is not used")
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert explained(built, "train", "lr=2") == (
        f"train is fresh: accepted in run 2 on DATE by {who} (the rate is not used), "
        "and its input and all else that counts are as they were\n"
    )
    (node,) = document(built, "train", "lr=2")["tasks"]
    assert node["origin"].pop("time") > 0
    assert node["origin"].pop("seconds") > 0
    assert (node["origin"].pop("again"), node["origin"].pop("grown_from")) == ([], [])
    assert node["origin"] == {"how": "accepted", "run": 2, "who": who, "why": "the rate is not used"}


def test_what_is_absent_and_not_needed(built: Workspace) -> None:
    shutil.rmtree(built.root / ".mlbuild/store")
    (built.root / "joined.csv").unlink()
    nodes = {node["task"]: node["state"] for node in document(built, "train", "joined")["tasks"]}
    assert nodes == {"train": "stale", "joined": "missing"}
    assert explained(built, "joined") == "joined would run:\n  joined.csv is missing\n"
    assert explained(built, "train").startswith("train is fresh: built in run 1 ")


def test_what_was_never_built(built: Workspace) -> None:
    shutil.rmtree(built.root / ".mlbuild")
    for path in ("features", "joined.csv", "model.txt"):
        full = built.root / path
        shutil.rmtree(full) if full.is_dir() else full.unlink()
    assert explained(built, "train", "features") == (
        "train would run:\n"
        "  it was never built here\n"
        "  joined would run, because it was never built here\n"
        "  features[mon] would run, because it was never built here, and 2 more like it\n"
        "    by way of joined\n"
        "features[mon] and 2 more tasks would run:\n"
        "  it was never built here\n"
    )


def test_what_failed_names_its_log(built: Workspace) -> None:
    built.write("src/features.sh", "test $1 != data/tue.csv\n")
    assert built.build("-k").status == 1
    assert explained(built, "features[tue]") == (
        "features[tue] would run:\n"
        "  its last attempt failed with exit status 1, in run 2: `mlbuild log 'features[tue]'`\n"
        "  code src/features.sh changed since run 1\n"
    )


def test_several_that_failed_are_told_from_those_that_never_began(built: Workspace) -> None:
    built.write("src/features.sh", "test $1 = data/wed.csv && exec sleep 0\nexit 3\n")
    built.build("-k", "-j1", "features[mon]", "features[tue]")
    assert explained(built, "features") == (
        "features[mon] and 1 more task would run:\n"
        "  their last attempts failed, that at features[mon] with exit status 3, in run 2: "
        "`mlbuild log 'features[mon]'`\n"
        "  code src/features.sh changed since run 1\n"
        "features[wed] would run:\n"
        "  code src/features.sh changed since run 1\n"
    )


def test_what_is_blocked_names_the_first_that_is(built: Workspace) -> None:
    (built.root / "data/tue.csv").unlink()
    assert explained(built, "train", "features[tue]") == (
        "train is blocked:\n"
        "  features[tue] is blocked: no target makes data/tue.csv, and it does not exist\n"
        "features[tue] is blocked:\n"
        "  no target makes data/tue.csv, and it does not exist\n"
    )


def test_a_target_that_gathers(built: Workspace) -> None:
    built.pipeline(PIPELINE + "\n    target all:\n        inputs: train\n")
    assert explained(built, "all") == "all is fresh\n"
    assert explained(built, "all", "lr=2") == (
        "all gathers what would run:\n  train would run, because lr changed from 1 to 2 since run 1\n"
    )


# --- for programs


def test_the_document_has_every_task_once(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "x\n")
    found = document(built, "train", "lr=2")
    (group,) = found["groups"]
    assert group["tasks"] == ["train"]
    assert (group["state"], group["verdict"], group["maybe"]) == ("stale", "run", False)
    own, above = group["causes"]
    assert own == {
        "task": "train",
        "kind": "param",
        "what": "lr",
        "text": "lr changed from 1 to 2",
        "old": "1",
        "new": "2",
        "since": 1,
        "run": None,
        "tasks": 1,
        "things": 1,
        "way": [],
    }
    assert (above["task"], above["kind"], above["what"], above["way"]) == (
        "features[mon]",
        "input",
        "data/mon.csv",
        ["joined"],
    )
    assert [(node["task"], node["behind"]) for node in found["tasks"]] == [
        ("train", ["joined"]),
        ("joined", ["features[mon]"]),
        ("features[mon]", []),
    ]


def test_a_task_behind_an_absent_one_is_fresh_in_the_state_of_the_whole(built: Workspace) -> None:
    shutil.rmtree(built.root / ".mlbuild/store")
    (built.root / "joined.csv").unlink()
    assert built.run("status").out == "features  3 fresh\njoined    absent\ntrain     fresh\n"
    # What nothing needs is a goal by itself.
    (built.root / "model.txt").unlink()
    assert built.run("status").out == "features  3 fresh\njoined    missing\ntrain     missing\n"
