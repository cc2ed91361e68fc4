"""`mlbuild metrics`: values over keys and against an earlier build, in three formats."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from workspace import Workspace

PIPELINE = """
    param lr = 0.5
    partition model: ["tree", "linear"]

    target data:
        outputs: "data.txt"
        run: echo 1 > {outputs}
    target train[model]:
        inputs: data
        metrics: "train/{model}.json"
        run: printf '{"auc": %s, "by": {"class": {"a": 3}}, "folds": [0.1, 0.2]}' {lr} > {metrics}
    target test:
        inputs: train[*].metrics
        metrics: "test.csv", table = "table.yaml"
        run:
            printf 'loss,ok,name\\n%s,nan,a b\\n' {lr} > {metrics[0]}
            printf 'when: 2020-01-31\\n1: true\\nnone: null\\n' > {metrics.table}
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """Built twice: with lr 0.5 and with 0.25."""
    workspace.pipeline(PIPELINE)
    workspace.ok("train", "test")
    workspace.ok("train", "test", "lr=0.25")
    return workspace


def told(workspace: Workspace, *arguments: str) -> str:
    ended = workspace.run("metrics", *arguments)
    assert (ended.status, ended.err) == (0, "")
    return ended.out


def test_over_keys(built: Workspace) -> None:
    assert (
        told(built)
        == """\
task            auc  by.class.a       folds
train[tree]    0.25           3  [0.1, 0.2]
train[linear]  0.25           3  [0.1, 0.2]

task  loss   ok  name  table.when  table.1  table.none
test  0.25  nan   a b  2020-01-31     true        null
"""
    )
    assert told(built, "train", "--model", "tree").splitlines()[1:] == ["train[tree]  0.25           3  [0.1, 0.2]"]


def test_against_an_earlier_build(built: Workspace) -> None:
    assert (
        told(built, "train[tree]", "test", "--against", "1")
        == """\
task         metric           run 1         now  difference
train[tree]  auc                0.5        0.25       -0.25
train[tree]  by.class.a           3           3
train[tree]  folds       [0.1, 0.2]  [0.1, 0.2]
test         loss               0.5        0.25       -0.25
test         ok                 nan         nan
test         name               a b         a b
test         table.when  2020-01-31  2020-01-31
test         table.1           true        true
test         table.none        null        null
"""
    )


def test_what_is_new_gone_and_changed(built: Workspace) -> None:
    built.write("train/tree.json", '{"auc": "high", "f1": 0.5}')
    rows = [line.split() for line in told(built, "train[tree]", "--against", "2").splitlines()[1:]]
    assert [row[1:] for row in rows] == [
        ["auc", "0.25", "high", "changed"],
        ["f1", "-", "0.5", "new"],
        ["by.class.a", "3", "-", "gone"],
        ["folds", "[0.1,", "0.2]", "-", "gone"],
    ]


def test_earlier_values_outlive_the_store_and_the_restoring(built: Workspace) -> None:
    assert built.ok("train").restored == ["train[linear]", "train[tree]"]
    shutil.rmtree(built.root / ".mlbuild/store")
    built.ok("train", "lr=2")
    then = {
        number: [
            task["then"]["auc"] for task in json.loads(told(built, "train", "--json", "--against", number))["tasks"]
        ]
        for number in "1234"
    }
    assert then == {"1": [0.5, 0.5], "2": [0.25, 0.25], "3": [0.5, 0.5], "4": [2, 2]}


def test_csv(built: Workspace) -> None:
    rows = list(csv.DictReader(told(built, "--format", "csv").splitlines()))
    assert [row["task"] for row in rows] == ["train[tree]", "train[linear]", "test"]
    assert (rows[0]["auc"], rows[0]["folds"], rows[0]["loss"]) == ("0.25", "[0.1, 0.2]", "")
    assert (rows[2]["ok"], rows[2]["table.1"], rows[2]["name"]) == ("nan", "true", "a b")
    (row,) = [
        row
        for row in csv.DictReader(told(built, "--format", "csv", "--against", "1").splitlines())
        if row["metric"] == "loss"
    ]
    assert row == {"task": "test", "metric": "loss", "run 1": "0.5", "now": "0.25", "difference": "-0.25"}


def test_a_document(built: Workspace) -> None:
    assert json.loads(told(built, "train[tree]", "test", "--json", "--against", "1"))["tasks"] == [
        {
            "task": "train[tree]",
            "keys": {"model": "tree"},
            "values": {"auc": 0.25, "by.class.a": 3, "folds": [0.1, 0.2]},
            "unreadable": [],
            "then": {"auc": 0.5, "by.class.a": 3, "folds": [0.1, 0.2]},
            "differences": {"auc": -0.25, "by.class.a": 0},
        },
        {
            "task": "test",
            "keys": {},
            "values": {
                "loss": 0.25,
                "ok": "NaN",
                "name": "a b",
                "table.when": "2020-01-31",
                "table.1": True,
                "table.none": None,
            },
            "unreadable": [],
            "then": {
                "loss": 0.5,
                "ok": "NaN",
                "name": "a b",
                "table.when": "2020-01-31",
                "table.1": True,
                "table.none": None,
            },
            "differences": {"loss": -0.25},
        },
    ]


def test_long_values_are_cut_in_the_table_alone(built: Workspace) -> None:
    built.write("train/tree.json", json.dumps({"curve": list(range(40)), "text": "x" * 60}))
    assert told(built, "train[tree]").splitlines()[1].split() == ["train[tree]", "[40", "values]", "x" * 39 + "…"]
    assert json.loads(told(built, "train[tree]", "--json"))["tasks"][0]["values"]["text"] == "x" * 60


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "null", ""])
def test_a_file_without_values(text: str, built: Workspace) -> None:
    built.write("train/tree.json", text)
    ended = built.run("metrics", "train")
    assert (ended.status, ended.err) == (0, "train/tree.json holds no values that can be read\n")
    assert ended.out.splitlines()[1].split() == ["train[tree]", "-", "-", "-"]


def test_a_yaml_that_holds_itself(workspace: Workspace) -> None:
    workspace.pipeline("target a:\n    metrics: \"a.yaml\"\n    run: printf 'x: &x\\n  y: *x\\n' > {metrics}\n")
    workspace.ok()
    assert workspace.run("metrics").err == "a.yaml holds no values that can be read\n"


def test_large_files_are_not_kept(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target a:
            metrics: "a.json"
            run python:
                import json
                with open(metrics, "w") as file:
                    json.dump({"text": "x" * 70_000, "auc": 1}, file)
        """
    )
    workspace.ok()
    row = json.loads(told(workspace, "--json", "--against", "1"))["tasks"][0]
    assert (row["values"]["auc"], row["then"]) == (1, {})


def test_none(built: Workspace) -> None:
    assert built.run("metrics", "data").err == "error: none of the goals has metrics\n  hint: these do: train, test\n"
    assert built.run("metrics", "--against", "9").err.startswith("error: there is no run 9\n")
    built.pipeline("target a:\n    run: true\n")
    assert built.run("metrics").err.startswith("error: no target has metrics\n")


def test_before_the_first_build(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    assert told(workspace) == "train: no values yet\n\ntest: no values yet\n"
