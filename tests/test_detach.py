"""A build that goes on without its terminal, and the view of it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sys
import time
from collections.abc import Iterator

import pytest
from workspace import COMMAND, ROOT, Ended, Workspace

from mlbuild.cli.detach import KILL_POINTS
from mlbuild.engine.attempts import KILL_POINTS as ATTEMPT_KILL_POINTS
from mlbuild.executors.supervisor import KILL_POINTS as SUPERVISOR_KILL_POINTS

GATED = """
    target train:
        outputs: "model.txt"
        run:
            trap "echo >> told; exit 1" TERM
            echo >> started
            while ! [ -e g[o] ]; do sleep 0.02; done
            echo > model.txt

    target evaluate:
        inputs: train
        outputs: "score.txt"
        run: echo >> evaluated; cp {inputs} score.txt

    default evaluate
"""


@pytest.fixture
def gated(workspace: Workspace) -> Iterator[Workspace]:
    """Training that goes on until a file `go` is there."""
    workspace.pipeline(GATED)
    yield workspace
    workspace.write("go", "")


def detach(workspace: Workspace, *arguments: str) -> int:
    """Detach a build: the pid of its driver."""
    ended = workspace.run("--detach", *arguments)
    assert (ended.status, ended.err) == (0, "")
    return driver(ended)


def driver(ended: Ended) -> int:
    match = re.search(r"^run \d+ goes on without this terminal \(process (\d+)\)$", ended.out, re.MULTILINE)
    assert match, ended.out
    return int(match[1])


def go(workspace: Workspace) -> None:
    workspace.write("go", "")
    workspace.wait_until_quiet()


def ends(workspace: Workspace) -> list[str]:
    """How the builds ended, the newest first."""
    return [run["ended"] for run in json.loads(workspace.run("runs", "--json").out)["runs"]]


def test_the_command_returns_while_the_build_goes_on(gated: Workspace) -> None:
    ended = gated.run("--detach")
    pid = driver(ended)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"run 1 goes on without this terminal (process {pid})",
        "`mlbuild attach 1` shows it, `mlbuild log -F train` follows a task, `mlbuild cancel` stops it",
    ]
    gated.wait_for("started")
    assert os.getsid(pid) == pid
    assert all(os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null" for number in (0, 1))
    go(gated)
    assert gated.exists("score.txt")
    assert ends(gated) == ["ok"]


def test_its_events_are_those_of_any_build(gated: Workspace) -> None:
    detach(gated, "--events", "events.jsonl")
    go(gated)
    own, asked = (
        [json.loads(line) for line in gated.lines(path)] for path in (".mlbuild/runs/1/events.jsonl", "events.jsonl")
    )
    assert [row["event"] for row in own][:3] == ["build_started", "task_ready", "task_started"]
    assert own[-1]["event"] == "build_finished"
    assert [{**row, "time": 0} for row in own] == [{**row, "time": 0} for row in asked]


@pytest.mark.parametrize(
    ("text", "arguments", "status", "said"),
    [
        (GATED, ["trian"], 2, "error: no target is called trian, and none makes a path of that name"),
        (GATED, ["--events", "none/there"], 2, "error: --events none/there: No such file or directory"),
        ("target t:\n    outptus: 1\n", [], 2, "error: "),
        (
            'target t:\n    outputs: "t"\n    resources: memory = 900T\n    run: true\n',
            [],
            2,
            "error: t asks for 900T of memory",
        ),
    ],
)
def test_mistakes_are_said_on_the_terminal(
    workspace: Workspace, text: str, arguments: list[str], status: int, said: str
) -> None:
    workspace.pipeline(text)
    ended = workspace.run("--detach", *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    workspace.wait_until_quiet()
    assert not [*workspace.root.glob(".mlbuild/runs/*/events.jsonl")]


def test_with_nothing_to_do_nothing_is_detached(gated: Workspace) -> None:
    gated.write("go", "")
    gated.ok()
    ended = gated.run("--detach")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "nothing to do: 2 tasks fresh\n"
    gated.wait_until_quiet()
    assert not [*gated.root.glob(".mlbuild/runs/*/events.jsonl")]
    ended = gated.run("attach")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "error: no detached build goes on here\n  hint: `mlbuild --detach GOAL` starts one\n"


def test_it_outlives_its_terminal(gated: Workspace) -> None:
    shown = b""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(gated.root)
        # A shell that stays, as after a login: it is what the terminal's end ends.
        command = f"{sys.executable} -m mlbuild --detach; echo returned; cat"
        os.execve("/bin/bash", ["bash", "-c", command], {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)})
    while b"returned" not in shown:
        shown += os.read(terminal, 1 << 16)
    gated.wait_for("started")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    assert b"goes on without this terminal" in shown
    time.sleep(0.3)
    assert not gated.exists("told")
    go(gated)
    assert (gated.lines("started"), gated.exists("score.txt"), ends(gated)) == ([""], True, ["ok"])


def test_it_outlives_its_process_group(gated: Workspace) -> None:
    command = f"{' '.join(COMMAND)} --detach; touch returned; exec sleep 60"
    pid = os.posix_spawn(
        "/bin/bash",
        ["bash", "-c", f"cd '{gated.root}'; {command}"],
        {**os.environ, "PYTHONPATH": str(ROOT)},
        setsid=True,
    )
    gated.wait_for("returned")
    gated.wait_for("started")
    os.killpg(pid, signal.SIGHUP)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGHUP
    time.sleep(0.3)
    assert not gated.exists("told")
    go(gated)
    assert ends(gated) == ["ok"]


def test_it_passes_over_a_hangup(gated: Workspace) -> None:
    pid = detach(gated)
    gated.wait_for("started")
    os.kill(pid, signal.SIGHUP)
    go(gated)
    assert ends(gated) == ["ok"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_it_as_any_build(gated: Workspace, number: signal.Signals) -> None:
    pid = detach(gated)
    gated.wait_for("started")
    os.kill(pid, number)
    gated.wait_until_quiet()
    assert gated.lines("told") == [""]
    assert ends(gated) == ["interrupted"]
    ended = gated.run("attach", "1")
    assert ended.status == 130
    assert "stopped train" in ended.out


def test_another_build_waits_for_it(gated: Workspace) -> None:
    pid = detach(gated)
    gated.wait_for("started")
    second = gated.start(events="two.jsonl")
    gated.wait_until(lambda: gated.exists("two.jsonl") and "waits for run" in gated.read("two.jsonl"))
    gated.write("go", "")
    out, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, "")
    assert f"train: waits for run 1 (process {pid}), which makes it" in out
    gated.wait_until_quiet()
    assert gated.lines("started") == [""]


@pytest.mark.parametrize("point", KILL_POINTS)
def test_killed_while_it_leaves(gated: Workspace, point: str) -> None:
    ended = gated.run("--detach", env={"MLBUILD_TEST_KILL": point})
    if point == "detached":
        assert ended.status == 0
    else:
        assert (ended.status, ended.err) == (137, "error: the process of the build was ended by signal 9\n")
    gated.wait_until_quiet()
    gated.write("go", "")
    gated.ok()
    assert (gated.lines("started"), gated.lines("evaluated")) == ([""], [""])


POINTS = [point for point in ATTEMPT_KILL_POINTS if not point.startswith(("restored", "discarded", "put-back"))]
"""Of an attempt that goes well, in a workspace where nothing stands yet."""


@pytest.mark.parametrize("point", [*POINTS, *SUPERVISOR_KILL_POINTS])
def test_killed_at_a_named_point_of_an_attempt(workspace: Workspace, point: str) -> None:
    workspace.pipeline(
        """
        target train:
            outputs: "model.txt"
            run:
                exec 9> lock
                flock -n 9 || { echo >> doubled; exit 9; }
                echo half > model.txt; sleep 0.1; echo whole > model.txt
        """
    )
    assert workspace.run("--detach", env={"MLBUILD_TEST_KILL": point}).status == 0
    workspace.wait_until_quiet()
    assert workspace.build().status == 0
    assert not workspace.exists("doubled")
    assert workspace.read("model.txt") == "whole\n"
    assert not [*workspace.root.rglob("*mlbuild-aside*")]
    assert workspace.ok().ran == []


# --- the view


def test_attach_shows_it_from_the_beginning_to_the_end(gated: Workspace) -> None:
    detach(gated)
    gated.wait_for("started")
    view = gated.start("attach")
    assert view.stdout
    assert view.stdout.readline() == "start   train\n"
    gated.write("go", "")
    out, err = view.communicate(timeout=60)
    assert (view.returncode, err) == (0, "")
    assert re.sub(r"\d+\.\ds", "0.0s", out).splitlines() == [
        "done    train in 0.0s",
        "start   evaluate",
        "done    evaluate in 0.0s",
        "2 tasks run in 0.0s",
    ]
    gated.wait_until_quiet()


def test_the_exit_status_of_the_view_is_that_of_the_build(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo what went wrong; exit 3\n')
    detach(workspace)
    workspace.wait_until_quiet()
    ended = workspace.run("attach", "1")
    assert (ended.status, ended.err) == (1, "")
    assert "t failed: exit status 3" in ended.out
    assert "    | what went wrong" in ended.out


def test_the_view_on_a_terminal(gated: Workspace) -> None:
    pid = detach(gated)
    gated.wait_for("started")
    status, shown = gated.on_a_terminal("attach", typed=b"\x03", after="▸".encode())
    assert status == 130
    assert re.search(r"▸ train +\d", shown)
    assert f"left the view; run 1 goes on (process {pid}), `mlbuild attach 1` shows it again" in shown
    assert not gated.exists("told")
    go(gated)
    status, shown = gated.on_a_terminal("attach", "1")
    assert status == 0
    assert "✓ evaluate in" in shown
    assert "2 tasks run in" in shown


def test_what_there_is_instead_of_a_detached_build(gated: Workspace) -> None:
    assert gated.run("attach").err == "error: nothing was built here\n"
    detach(gated)
    go(gated)
    ended = gated.run("attach")
    assert (ended.status, ended.out) == (2, "")
    assert re.fullmatch(
        r"error: no detached build goes on here; the last one was run 1: ok, [-\d]+ [:\d]+\n"
        r"  hint: `mlbuild attach 1` shows it\n",
        ended.err,
    )
    (gated.root / "go").unlink()
    process = gated.start("-B", "train")
    gated.wait_until(lambda: len(gated.lines("started")) == 2)
    ended = gated.run("attach")
    assert ended.status == 2
    assert f"run 2 (process {process.pid}, since " in ended.err
    assert gated.run("attach", "2").err == f"error: run 2 has a terminal of its own (process {process.pid})\n"
    assert "error: there is no run 9\n" in gated.run("attach", "9").err
    assert "error: attach takes the number of one build\n" in gated.run("attach", "train").err
    gated.write("go", "")
    process.communicate(timeout=60)
    assert "error: run 2 was not detached\n" in gated.run("attach", "2").err


def test_of_several_detached_builds_one_is_asked_for(gated: Workspace) -> None:
    pids = [detach(gated), detach(gated)]
    ended = gated.run("attach")
    assert ended.status == 2
    assert ended.err.startswith("error: 2 detached builds go on; which one?\n")
    for number, pid in enumerate(pids, 1):
        assert re.search(rf"^    run {number} \(process {pid}, since .*\): mlbuild --detach$", ended.err, re.MULTILINE)
    assert ended.err.endswith("  hint: `mlbuild attach 1`\n")
    go(gated)


def test_the_view_of_one_that_was_killed(gated: Workspace) -> None:
    pid = detach(gated)
    gated.wait_for("started")
    view = gated.start("attach")
    assert view.stdout
    view.stdout.readline()
    os.kill(pid, signal.SIGKILL)
    _, err = view.communicate(timeout=60)
    assert view.returncode == 1
    assert err.startswith("error: run 1 was killed: its process ended without a word\n")
    gated.write("go", "")
    assert "taken over from run 1, which died" in gated.ok().out
    assert gated.lines("started") == [""]


# --- what a dead build had started


def killed(workspace: Workspace) -> None:
    """A build is killed while it trains, which has gone on for more than a second."""
    pid = detach(workspace)
    workspace.wait_for("started")
    os.kill(pid, signal.SIGKILL)
    workspace.wait_until(lambda: time.time() > (workspace.root / "started").stat().st_mtime + 1.1)


def test_what_is_taken_over_is_told_in_lines(gated: Workspace) -> None:
    killed(gated)
    second = gated.start()
    assert second.stdout
    first = second.stdout.readline()
    gated.write("go", "")
    out, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, "")
    match = re.fullmatch(r"goes on train: taken over from run 1, which died; it was started (\d+\.\d)s ago\n", first)
    assert match
    assert float(match[1]) > 1
    assert re.sub(r"\d+\.\ds", "0.0s", out).splitlines() == [
        "done    train in 0.0s",
        "start   evaluate",
        "done    evaluate in 0.0s",
        "2 tasks run in 0.0s",
        "train was taken over from run 1, which died",
    ]
    assert gated.lines("started") == [""]


def test_what_is_taken_over_is_told_on_a_terminal(gated: Workspace) -> None:
    killed(gated)
    status, shown = gated.on_a_terminal(typed=b"\x03", after="▸".encode())
    assert status == 130
    assert re.search(r"! train: taken over from run 1, which died; it was started \d+\.\ds ago", shown)
    # How long it has run, not since when it is watched.
    assert re.search(r"▸ train +[1-9]\d*(\.\d)?s", shown)
    assert "train was taken over from run 1, which died" in shown
