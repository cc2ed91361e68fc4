"""What may be absent: `x?`, windows at the ends, `on_failure: continue`, and order without data."""

from __future__ import annotations

import pytest
from workspace import Workspace

# ruff: noqa: E501 (the texts are what they are)

DAYS = "partition day: daily from 2013-01-01 to 2013-01-03\n"
LINES = 'run: for f in {inputs}; do echo "$f"; done > {outputs}\n'


def test_a_key_that_does_not_exist_is_left_out(workspace: Workspace) -> None:
    workspace.pipeline(
        DAYS + 'target sum[day]:\n    inputs: before = sum[day-1]?\n    outputs: "{day}.txt"\n    ' + LINES
    )
    assert workspace.ok().ran == ["sum[2013-01-01]", "sum[2013-01-02]", "sum[2013-01-03]"]
    assert workspace.read("2013-01-01.txt") == ""
    assert workspace.read("2013-01-03.txt") == "2013-01-02.txt\n"
    assert workspace.ok().ran == []


def test_without_the_mark_it_is_an_error(workspace: Workspace) -> None:
    workspace.pipeline(DAYS + 'target sum[day]:\n    inputs: sum[day-1]\n    outputs: "{day}.txt"\n    ' + LINES)
    ended = workspace.build()
    assert ended.status == 2
    assert ended.err == (
        "Pipelinefile:3:17: error: day-1 at 2013-01-01 is outside the partition `day` "
        "(its keys: 2013-01-01, 2013-01-02, 2013-01-03)\n"
        "  3 |     inputs: sum[day-1]\n"
        "    |                 ^^^^^\n"
        "  hint: write [day-1..day-1], which is cut to the partition, or `?`, which leaves out what failed, too\n"
    )


def test_a_path_that_does_not_exist_is_left_out_until_it_does(workspace: Workspace) -> None:
    workspace.pipeline(
        'target t:\n    inputs: "a.txt", extra = "b.txt"?\n    outputs: "t.txt"\n    run: echo {inputs} {inputs.extra:--extra} > {outputs}\n'
    )
    workspace.write("a.txt", "a")
    workspace.ok()
    assert workspace.read("t.txt") == "a.txt\n"
    assert workspace.ok().ran == []
    workspace.write("b.txt", "b")
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "a.txt b.txt --extra b.txt\n"
    (workspace.root / "b.txt").unlink()
    assert workspace.ok().restored == ["t"]


def test_windows_and_open_ranges_are_cut_to_the_partition(workspace: Workspace) -> None:
    workspace.pipeline(
        DAYS
        + """\
target raw[day]:
    outputs: "raw/{day}"
    run: touch {outputs}
target window[day]:
    inputs: raw[day-1..day]
    outputs: "window/{day}"
    run: echo {inputs} > {outputs}
target ends:
    inputs: first = raw[..2013-01-02], last = raw[day.last-1..day.last], one = raw[day.first], all = raw[2012-12-30..2013-01-01]?
    outputs: "ends"
    run: echo {inputs.first}: {inputs.last}: {inputs.one}: {inputs.all} > {outputs}
default window, ends
"""
    )
    workspace.ok()
    assert workspace.read("window/2013-01-01") == "raw/2013-01-01\n"
    assert workspace.read("window/2013-01-02") == "raw/2013-01-01 raw/2013-01-02\n"
    assert workspace.read("ends") == (
        "raw/2013-01-01 raw/2013-01-02: raw/2013-01-02 raw/2013-01-03: raw/2013-01-01: raw/2013-01-01\n"
    )


BAD = """
    target bad:
        outputs: "bad.txt"
        run: test -e cured; echo bad > {outputs}

    target behind:
        inputs: bad
        outputs: "behind.txt"
        run: cp {inputs} {outputs}

    target all:
        inputs: MAYBE
        outputs: "all.txt"
        run: echo got {inputs} > {outputs}

    default all
"""


@pytest.mark.parametrize("maybe", ["bad?", "behind?", '"bad.txt"?', '"behind.txt"?'])
def test_an_optional_need_that_failed_does_not_block(workspace: Workspace, maybe: str) -> None:
    workspace.pipeline(BAD.replace("MAYBE", maybe))
    # Only a failure that nothing but optional needs await lets the build go on by itself.
    flags = [] if "bad" in maybe else ["-k"]
    ended = workspace.build(*flags)
    assert (ended.status, ended.ran, ended.failed) == (1, ["all"], ["bad"])
    assert workspace.read("all.txt") == "got\n"
    assert workspace.build(*flags).ran == []
    workspace.write("cured", "")
    assert "all" in workspace.ok().ran
    assert workspace.read("all.txt") in ("got bad.txt\n", "got behind.txt\n")


def test_on_failure_continue(workspace: Workspace) -> None:
    text = BAD.replace("MAYBE", "bad").replace('"bad.txt"', '"bad.txt"\n        on_failure: continue')
    workspace.pipeline(text)
    ended = workspace.build()
    assert (ended.status, ended.ran, ended.failed) == (1, ["all"], ["bad"])
    assert workspace.read("all.txt") == "got\n"


def test_what_failed_counts_as_absent_although_an_older_one_stands_there(workspace: Workspace) -> None:
    workspace.pipeline(BAD.replace("MAYBE", "bad?"))
    workspace.write("cured", "")
    workspace.ok()
    (workspace.root / "cured").unlink()
    workspace.pipeline(BAD.replace("MAYBE", "bad?").replace("echo bad", "echo worse"))
    workspace.build()
    assert workspace.read("bad.txt") == "bad\n"
    assert workspace.read("all.txt") == "got\n"


def test_an_optional_need_without_its_own_input_is_left_out(workspace: Workspace) -> None:
    workspace.pipeline(
        'partition k: ["a", "b"]\n'
        'target t[k]:\n    inputs: "{k}.in"\n    outputs: "{k}.out"\n    run: cp {inputs} {outputs}\n'
        'target all:\n    inputs: t[*]?\n    outputs: "all"\n    run: echo {inputs} > {outputs}\ndefault all\n'
    )
    workspace.write("a.in", "a")
    assert workspace.states("all") == {"t[a]": "missing", "t[b]": "blocked", "all": "missing"}
    ended = workspace.build()
    assert (ended.status, ended.ran, ended.tasks("task_blocked")) == (1, ["all", "t[a]"], ["t[b]"])
    assert workspace.read("all") == "a.out\n"


# --- after


AFTER = """
    target first:
        outputs: "first.txt"
        run: sleep 0.2; date +%N > {outputs}; echo first >> order

    target second:
        after: first
        outputs: "second.txt"
        run: echo second >> order; touch {outputs}

    default second
"""


def test_after_orders_without_data(workspace: Workspace) -> None:
    workspace.pipeline(AFTER)
    assert workspace.ok("-j2").ran == ["first", "second"]
    assert workspace.lines("order") == ["first", "second"]
    assert workspace.ok("--force", "first").ran == ["first"]
    workspace.pipeline(AFTER.replace("after: first", "after: first ok"))
    assert workspace.ok().ran == []


def test_what_comes_after_a_failure_is_blocked(workspace: Workspace) -> None:
    workspace.pipeline(AFTER.replace("sleep 0.2;", "false;"))
    ended = workspace.build()
    assert (ended.failed, ended.tasks("task_blocked")) == (["first"], ["second"])
    workspace.pipeline(AFTER.replace("sleep 0.2;", "false;").replace("after: first", "after: first?"))
    assert workspace.build().ran == ["second"]
