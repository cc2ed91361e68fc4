"""`mlbuild accept`: outputs that are in place are taken for the result of the present fingerprint."""

from __future__ import annotations

import getpass
import socket
import time

import pytest
from workspace import Workspace

from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout

PIPELINE = """
    param lr = 1
    partition day: ["mon", "tue", "wed"]

    target features[day]:
        inputs: "data/{day}.csv"
        outputs: "features/{day}.csv"
        run: echo {day} >> ran; (echo header; cat {inputs}) > {outputs}

    target train:
        inputs: features[*]
        outputs: "model.txt"
        run: echo train >> ran; (cat {inputs}; echo {lr}) > {outputs}

    target report:
        inputs: train
        outputs: "report.txt"
        run: echo report >> ran; wc -l {inputs} > {outputs}

    default report
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """A pipeline that is built, and then its recipe of `features` edited."""
    workspace.pipeline(PIPELINE)
    for day in ("mon", "tue", "wed"):
        workspace.write(f"data/{day}.csv", f"{day}\n")
    workspace.ok()
    (workspace.root / "ran").unlink()
    return workspace


def edit(workspace: Workspace, old: str, new: str) -> None:
    assert old in PIPELINE
    workspace.pipeline(PIPELINE.replace(old, new))


def test_what_is_accepted_is_fresh_and_nothing_runs_for_it(built: Workspace) -> None:
    edit(built, "echo header;", "printf 'header\\n';")
    ended = built.run("accept", "features", "--because", "printf for echo")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "accepted features[mon] and 2 more tasks: its recipe changed\n"
    assert set(built.states().values()) == {"fresh"}
    assert built.ok().ran == []
    # A later edit counts as ever.
    edit(built, "echo header;", "echo other;")
    assert built.ok().ran == ["features[mon]", "features[tue]", "features[wed]", "report", "train"]


def test_who_accepted_it_when_and_why_is_recorded(built: Workspace) -> None:
    before = time.time()
    built.run("accept", "train", "report", "lr=2", "--because", "the rate is not used")
    journal = Journal(Layout(str(built.root)))
    try:
        (row,) = journal.acceptances(run=2)
        assert (row.task, row.why) == ("train", "the rate is not used")
        assert row.who == f"{getpass.getuser()}@{socket.gethostname()}"
        assert before <= row.at <= time.time()
        trace = journal.trace("train")
        assert trace is not None
        assert (journal.acceptance(trace), row.fingerprint) == (row, trace.fingerprint.key)
        # The time that it took stays known.
        assert "train" in journal.durations(["train"])
    finally:
        journal.close()
    # A run in earnest replaces somebody's word.
    assert built.ok("--force", "train", "train", "lr=2").ran == ["train"]
    journal = Journal(Layout(str(built.root)))
    trace = journal.trace("train")
    assert trace is not None
    assert journal.acceptance(trace) is None
    assert [each.why for each in journal.acceptances(task="train")] == ["the rate is not used"]
    journal.close()


def test_only_the_tasks_named_are_accepted_and_what_is_stale_before_them_is_said(built: Workspace) -> None:
    edit(built, "echo header;", "printf 'header\\n';")
    ended = built.run("accept", "features[mon..tue]", "--because", "printf for echo")
    assert ended.out == "accepted features[mon] and 1 more task: its recipe changed\n"
    ended = built.run("accept", "train", "lr=2", "--because", "the rate is not used")
    assert ended.out == (
        "accepted train: lr changed from 1 to 2\n"
        "not accepted, and stale: features[wed]; what comes out otherwise counts\n"
    )
    # It comes out the same, so that what was accepted stands.
    assert built.ok("lr=2").ran == ["features[wed]"]


def test_an_output_edited_by_hand_can_be_accepted(built: Workspace) -> None:
    (built.root / "model.txt").write_text("by hand\n")
    assert built.states("train")["train"] == "restorable"
    ended = built.run("accept", "train", "--because", "better so")
    assert ended.out == "accepted train: model.txt is not as it was built\n"
    assert built.ok().ran == ["report"]
    assert built.read("model.txt") == "by hand\n"
    assert built.read("report.txt") == "1 model.txt\n"


def test_what_is_accepted_is_not_in_the_store(built: Workspace) -> None:
    built.run("accept", "train", "lr=2", "--because", "the rate is not used")
    (built.root / "model.txt").unlink()
    assert built.states("train", "lr=2")["train"] == "missing"
    assert built.ok("train", "lr=2").ran == ["train"]


def test_a_chain_is_accepted_as_it_stands(built: Workspace) -> None:
    (built.root / "features/mon.csv").write_text("by hand\n")
    ended = built.run("accept", "features[mon]", "train", "--because", "checked by eye")
    assert ended.out == (
        "accepted features[mon]: features/mon.csv is not as it was built\n"
        "accepted train: input features/mon.csv changed\n"
    )
    assert built.ok().ran == []


def test_what_was_never_built_here_can_be_accepted(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo t >> ran; echo t > {outputs}\n')
    workspace.write("t.txt", "made elsewhere")
    assert workspace.run("accept", "t", "--because", "made by hand").out == "accepted t: it was never built here\n"
    assert workspace.ok("t").ran == []
    assert workspace.read("t.txt") == "made elsewhere"


def test_a_dry_run_records_nothing(built: Workspace) -> None:
    ended = built.run("accept", "train", "lr=2", "--because", "the rate is not used", "-n")
    assert ended.out == "would accept train: lr changed from 1 to 2\n"
    assert built.states("train", "lr=2")["train"] == "stale"


def test_what_is_fresh_needs_no_word(built: Workspace) -> None:
    ended = built.run("accept", "train", "--because", "to be sure")
    assert (ended.status, ended.out) == (0, "nothing to accept: all that is named is fresh as it stands\n")


def test_conditions_are_tested_on_what_was_accepted(built: Workspace) -> None:
    edit(built, 'outputs: "model.txt"', 'outputs: "model.txt"\n        check: rows("model.jsonl") > 100')
    built.write("model.jsonl", "1\n")
    built.run("accept", "train", "lr=2", "--because", "the rate is not used")
    ended = built.build("lr=2")
    assert (ended.status, ended.failed, ended.ran) == (1, ["train"], [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--because", " "], 'error: no reason is given\n  hint: as in --because "refactoring"\n'),
        (["--because", "x"], "error: no goal is given\n  hint: name the tasks whose outputs are accepted, as in 'tr"),
        (["train"], "error: the following arguments are required: --because\n"),
        (["all", "--because", "x"], "error: all can't be accepted: it makes nothing itself; name what it gathers\n"),
        (["note", "--because", "x"], "error: note can't be accepted: it has no outputs\n"),
        (["now", "--because", "x"], "error: now can't be accepted: it runs in every build\n"),
        (["trian", "--because", "x"], "error: no target is called trian, and none makes a path of that name\n"),
    ],
)
def test_what_can_not_be_accepted(built: Workspace, words: list[str], message: str) -> None:
    built.pipeline(
        PIPELINE
        + """
    target all:
        inputs: report

    target note:
        inputs: report
        run: cat {inputs}

    target now:
        outputs: "now.txt"
        cache: never
        run: date > {outputs}
    """
    )
    built.write("now.txt", "then")
    ended = built.run("accept", *words)
    assert ended.status == 2
    assert ended.err.startswith(message)


def test_none_is_accepted_where_one_lacks_an_output(built: Workspace) -> None:
    edit(built, "echo header;", "printf 'header\\n';")
    for day in ("tue", "wed"):
        (built.root / f"features/{day}.csv").unlink()
    ended = built.run("accept", "features[*]", "--because", "printf for echo")
    assert ended.status == 2
    assert ended.err == (
        "error: features[tue] can't be accepted: its output features/tue.csv is missing (nor can 1 more task)\n"
        "  hint: nothing was accepted\n"
    )
    assert built.states("features[mon]") == {"features[mon]": "stale"}


def test_a_task_that_needs_what_was_never_built_can_not_be_accepted(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    for day in ("mon", "tue", "wed"):
        workspace.write(f"data/{day}.csv", "x\n")
    workspace.write("model.txt", "x\n")
    ended = workspace.run("accept", "train", "--because", "x")
    assert ended.status == 2
    assert ended.err.startswith("error: train can't be accepted: its input features/mon.csv was never built here\n")


def test_a_build_that_works_on_it_stands_in_the_way(built: Workspace) -> None:
    edit(built, "echo train >> ran;", "> started; while ! [ -e g[o] ]; do sleep 0.02; done;")
    one = built.start()
    built.wait_for("started")
    built.write("model.txt", "x\n")
    ended = built.run("accept", "train", "--because", "x")
    assert ended.status == 1
    assert ended.err == (f"error: run 2 (process {one.pid}) works on or needs train\n  hint: wait until it has ended\n")
    built.write("go", "")
    one.communicate(timeout=60)
    assert built.states("train")["train"] == "fresh"
    assert built.read("model.txt") != "x\n"
