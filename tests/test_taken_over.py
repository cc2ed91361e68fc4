"""What ran or ended while no driver was there: taken over, taken in, or ended before anything else runs."""

from __future__ import annotations

import os
import re
import signal
from functools import partial

import pytest
from test_detach import detach
from test_resume import epochs, held, hold, let_go, trains
from workspace import Workspace


def test_a_build_takes_over_what_still_runs(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t.txt"
            run: echo >> started; while ! test -e g[o]; do sleep 0.02; done; echo > t.txt
        """
    )
    process = workspace.start()
    workspace.wait_for("started")
    process.kill()
    process.communicate(timeout=60)
    second = workspace.start(events="second.jsonl")
    told = '"taken_over_from": 1'
    workspace.wait_until(lambda: workspace.exists("second.jsonl") and told in workspace.read("second.jsonl"))
    workspace.write("go", "")
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "t: taken over from run 1, which died" in out
    assert workspace.lines("started") == [""]


def test_what_a_dead_build_left_running_is_told_before_it_is_taken_over(workspace: Workspace) -> None:
    workspace.pipeline("""
        param n = 1
        target t:
            outputs: "t.txt"
            run: echo >> started; while ! test -e g[o]; do sleep 0.02; done; echo {n} > t.txt
    """)
    process = workspace.start()
    workspace.wait_for("started")
    process.kill()
    process.communicate(timeout=60)
    since = r"run 1, which died, still runs it, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: the next build"
    never = "it was never built here"
    assert workspace.run("status").out == "t  running\n"
    assert re.fullmatch(rf"t  running     {since} takes it over\n", workspace.run("status", "--tasks").out)
    assert re.fullmatch(rf"t still runs:\n  {since} takes it over\n  {never}\n", workspace.run("explain", "t").out)
    assert re.fullmatch(rf"goes on t: {since} takes it over\nwould take over 1 task\n", workspace.run("-n").out)
    stops = "stops it, for it wants another"
    assert re.fullmatch(rf"t would run:\n  {since} {stops}\n  {never}\n", workspace.run("explain", "t", "n=2").out)
    assert re.fullmatch(rf"run     t: {never}; {since} {stops}\nwould run 1 task\n", workspace.run("-n", "n=2").out)
    workspace.write("go", "")
    workspace.wait_until_quiet()
    assert workspace.run("status").out == "t  missing\n"
    assert "taken over from run 1" in workspace.ok().out
    assert workspace.lines("started") == [""]


def test_a_result_that_came_while_nobody_was_there_is_taken_in(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo >> started; sleep 0.5; echo > t.txt\n')
    process = workspace.start()
    workspace.wait_for("started")
    process.kill()
    process.communicate(timeout=60)
    workspace.wait_until_quiet()
    workspace.ok()
    assert workspace.lines("started") == [""]
    assert workspace.ok().ran == []


def test_what_still_runs_for_another_recipe_is_stopped(workspace: Workspace) -> None:
    text = 'target t:\n    outputs: "t.txt"\n    run: echo old >> started; sleep 60; echo old > t.txt\n'
    workspace.pipeline(text)
    process = workspace.start()
    workspace.wait_for("started")
    process.kill()
    process.communicate(timeout=60)
    workspace.pipeline(text.replace("sleep 60", "sleep 0").replace("old", "new"))
    assert "t was taken over" not in workspace.ok().out
    assert workspace.lines("started") == ["old", "new"]
    assert workspace.read("t.txt") == "new\n"


def test_results_of_runs_that_a_lost_journal_knew_are_not_taken_for_new(workspace: Workspace) -> None:
    text = 'target t:\n    outputs: "t.txt"\n    run: echo old > t.txt\n'
    workspace.pipeline(text)
    workspace.ok()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (workspace.root / ".mlbuild" / name).unlink(missing_ok=True)
    workspace.pipeline(text.replace("echo old", "echo half > t.txt; echo > started; sleep 60; echo new"))
    process = workspace.start()
    workspace.wait_for("started")
    workspace.kill_supervisors()
    _, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert workspace.read("t.txt") == "old\n"


ORPHANED = """
    target t:
        outputs: "t.txt"
        run: echo old > t.txt; echo > started; while ! test -e g[o]; do sleep 0.02; done; echo old >> t.txt
"""


@pytest.mark.parametrize(
    ("new", "put_back"),
    [
        ('target u:\n    outputs: "t.txt"\n    run: echo new > t.txt; echo > go', "new\n"),
        ('target t:\n    outputs: "u.txt"\n    run: echo > go; echo new > u.txt', "good\n"),
    ],
)
def test_what_still_runs_under_another_name_is_ended_first(workspace: Workspace, new: str, put_back: str) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo good > t.txt\n')
    workspace.ok()
    workspace.pipeline(ORPHANED)
    process = workspace.start()
    workspace.wait_for("started")
    process.kill()
    process.communicate(timeout=60)
    workspace.pipeline(new)
    workspace.ok()
    workspace.wait_until_quiet()  # if it still ran, it would write now
    assert workspace.read("t.txt") == put_back
    assert not [*workspace.root.rglob("*mlbuild-aside*")]


def test_a_failure_that_came_while_nobody_was_there_is_tried_again(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo >> started; sleep 0.5; ls go* > t.txt\n')
    process = workspace.start()
    workspace.wait_for("started")
    process.kill()
    process.communicate(timeout=60)
    workspace.wait_until_quiet()
    workspace.write("go", "")
    workspace.ok()
    assert workspace.read("t.txt") == "go\n"


def test_what_still_runs_for_other_epochs_is_stopped_and_gone_on_from(workspace: Workspace) -> None:
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    process.kill()
    process.communicate(timeout=60)
    ended = workspace.ok("epochs=6")
    assert "start   train from checkpoints/train/epoch-2\n" in ended.out
    assert workspace.lines("log") == epochs(1, 6)


def has_started(workspace: Workspace, events: str) -> bool:
    """Whether a build has its task running, by its events."""
    return any("task_started" in line for line in workspace.lines(events))


def is_gone(workspace: Workspace, pid: int) -> bool:
    return pid not in workspace.processes()


@pytest.mark.parametrize("last", ["goes on", "lost", "killed"])
def test_detached_builds_die_one_after_the_other(workspace: Workspace, last: str) -> None:
    """What trains outlives them both; then it goes on under a third, or those who watch die, or it is killed itself."""
    trains(workspace, clauses="retry: 1, backoff = 10ms")
    hold(workspace, 2)
    for number in (1, 2):
        driver = detach(workspace)
        workspace.wait_for("held")
        told = f".mlbuild/runs/{number}/events.jsonl"
        workspace.wait_until(partial(has_started, workspace, told))
        os.kill(driver, signal.SIGKILL)
        workspace.wait_until(partial(is_gone, workspace, driver))
    third = workspace.start(events="third.jsonl")
    workspace.wait_until(partial(has_started, workspace, "third.jsonl"))
    if last == "goes on":
        let_go(workspace, 2)
    if last == "lost":
        assert workspace.kill_supervisors()
    if last == "killed":
        os.kill(int(workspace.read("pid")), signal.SIGKILL)
    out, err = third.communicate(timeout=60)
    assert third.returncode == 0, out + err
    assert "\ntrain was taken over from run 2, which died\n" in out
    assert ("start   train from checkpoints/train/epoch-2 (attempt 2)" in out) == (last != "goes on")
    assert workspace.lines("log") == epochs(1, 4)
    assert workspace.read("model.txt") == "4 epochs at 0.1\n"
    assert not [*workspace.root.rglob("*mlbuild-aside*")]
    assert workspace.ok().ran == []
