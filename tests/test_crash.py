"""`kill -9` of driver, supervisor or both, at named points and at random moments: the next build completes."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from workspace import COMMAND, ROOT, Workspace, is_supervisor, names

from mlbuild.engine.attempts import KILL_POINTS
from mlbuild.executors.supervisor import KILL_POINTS as SUPERVISOR_KILL_POINTS

KEYS = [str(number) for number in range(6)]

PIPELINE = """
    param version = 1
    partition k: range(6)

    defaults:
        retry: 0

    target part[k]:
        inputs: "in.txt"
        outputs: file = "out/{k}.txt", folder = "dir/{k}/"
        run:
            exec 9> lock.{k}
            flock -n 9 || { echo {target} {k} >> doubled; exit 9; }
            echo half > {outputs.file}; echo half > {outputs.folder}/x
            sleep 0.05
            (cat {inputs}; echo {k} {version}) > {outputs.file}
            cp {outputs.file} {outputs.folder}/x
            echo {k} >> finished

    target whole:
        inputs: part[*].file
        outputs: "whole.txt"
        run: cat {inputs} > {outputs}

    default whole
"""

ROUNDS = int(os.environ.get("MLBUILD_TEST_ROUNDS", "6"))
"""Random moments; the soak has more."""


@pytest.fixture
def parts(workspace: Workspace) -> Workspace:
    """Six tasks that hold a lock while they run, and one behind them; built once with version 1."""
    workspace.pipeline(PIPELINE)
    workspace.write("in.txt", "in\n")
    workspace.ok("-j2")
    (workspace.root / "finished").unlink()
    return workspace


def whole(version: int) -> str:
    return "".join(f"in\n{key} {version}\n" for key in KEYS)


def events(path: Path) -> list[dict[str, object]]:
    """The events of a build that may have been cut off in the middle of a line."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def recorded(path: Path) -> set[object]:
    return {row["task"] for row in events(path) if row["event"] == "task_finished"}


def complete(workspace: Workspace, before: set[object]) -> None:
    """The next build completes, and what had been recorded did not run again; nothing ever ran twice at once."""
    ended = workspace.ok("-j2", "version=2")
    assert not before & set(ended.ran), "recorded, and yet it ran again"
    assert not workspace.exists("doubled"), workspace.lines("doubled")
    assert workspace.read("whole.txt") == whole(2)
    for key in KEYS:
        assert workspace.read(f"dir/{key}/x") == f"in\n{key} 2\n"
    assert not [*workspace.root.rglob("*mlbuild-aside*")]
    assert workspace.ok("version=2").ran == []
    # What version 1 came to is still known.
    ended = workspace.ok()
    assert (ended.ran, sorted(ended.restored)) == ([], [*names("part", KEYS), "whole"])
    workspace.wait_until_quiet()


RESTORING = ("restored-aside", "restored")
ROLLING_BACK = ("discarded", "put-back")
RUNNING = tuple(point for point in KILL_POINTS if point not in RESTORING + ROLLING_BACK)


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", [*RUNNING, *SUPERVISOR_KILL_POINTS])
def test_killed_at_a_named_point(parts: Workspace, point: str, nth: int) -> None:
    log = parts.root / ".killed.jsonl"
    process = parts.start("-j2", "version=2", env={"MLBUILD_TEST_KILL": f"{point}:{nth}"}, events=str(log))
    process.communicate(timeout=60)
    if not point.startswith("supervisor-"):
        assert process.returncode == -signal.SIGKILL, f"{point} was never passed"
    complete(parts, recorded(log))


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", RESTORING)
def test_killed_while_restoring(parts: Workspace, point: str, nth: int) -> None:
    parts.ok("version=2")
    process = parts.start(env={"MLBUILD_TEST_KILL": f"{point}:{nth}"})
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    ended = parts.ok()
    assert ended.ran == []
    assert parts.read("whole.txt") == whole(1)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", ROLLING_BACK)
def test_killed_while_rolling_back(parts: Workspace, point: str, nth: int) -> None:
    broken = PIPELINE.replace("echo {k} >> finished", "exit 1")
    parts.pipeline(broken)
    process = parts.start("-j2", "version=2", env={"MLBUILD_TEST_KILL": f"{point}:{nth}"})
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    # What stood there before is in place again once any build has looked.
    assert parts.build("-k", "version=2").status == 1
    assert [parts.read(f"out/{key}.txt") for key in KEYS] == [f"in\n{key} 1\n" for key in KEYS]
    parts.pipeline(PIPELINE)
    assert parts.ok().ran == []


@pytest.mark.parametrize("victims", ["driver", "supervisor", "both"])
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_at_a_random_moment(parts: Workspace, victims: str, round_: int) -> None:
    log = parts.root / ".killed.jsonl"
    process = parts.start("-j2", "version=2", events=str(log))
    time.sleep(random.uniform(0.1, 0.9))
    supervisors = [pid for pid in parts.processes() if is_supervisor(pid)]
    if victims in ("driver", "both"):
        process.kill()
    if victims in ("supervisor", "both"):
        for pid in supervisors:
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    complete(parts, recorded(log))


@pytest.mark.parametrize("round_", range(max(1, ROUNDS // 3)))
def test_killed_again_and_again(parts: Workspace, round_: int) -> None:
    """Kills that hit the recovery from the kill before, two builds at a time."""
    before: set[object] = set()
    for number in range(4):
        logs = [parts.root / f".killed-{number}-{one}.jsonl" for one in range(2)]
        builds = [parts.start("-j2", "version=2", events=str(log)) for log in logs]
        time.sleep(random.uniform(0.2, 0.8))
        for build in builds:
            build.kill()
        if number % 2:
            parts.kill_supervisors()
        for build, log in zip(builds, logs, strict=True):
            build.communicate(timeout=60)
            ran = recorded(log)
            assert not before & ran, "recorded, and yet it ran again"
            before |= ran
    complete(parts, before)


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
    second = workspace.start()
    time.sleep(0.5)
    workspace.write("go", "")
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "t: taken over from build 1, which died" in out
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
    workspace.ok()
    assert workspace.lines("started") == ["old", "new"]
    assert workspace.read("t.txt") == "new\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_running(parts: Workspace, number: signal.Signals) -> None:
    parts.pipeline(PIPELINE.replace("sleep 0.05", "echo > started; sleep 60"))
    process = parts.start("-j2", "version=2")
    parts.wait_for("started")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    parts.wait_until_quiet()
    assert [parts.read(f"out/{key}.txt") for key in KEYS] == [f"in\n{key} 1\n" for key in KEYS]


def test_a_second_signal_does_not_wait_for_grace(workspace: Workspace) -> None:
    workspace.pipeline(
        'target t:\n    outputs: "t.txt"\n    run: trap "" TERM; echo > started; while true; do sleep 0.1; done\n'
    )
    process = workspace.start()
    workspace.wait_for("started")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=8)
    assert process.returncode == 130


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
        run: echo old > t.txt; echo > started; sleep 1; echo old >> t.txt
"""


@pytest.mark.parametrize(
    ("new", "put_back"),
    [
        ('target u:\n    outputs: "t.txt"\n    run: echo new > t.txt; sleep 2', "new\n"),
        ('target t:\n    outputs: "u.txt"\n    run: sleep 2; echo new > u.txt', "good\n"),
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


def test_a_terminal_that_hangs_up_leaves_nothing_running(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: ["a", "b"]
        target t[k]:
            outputs: "{k}.txt"
            run: trap "echo {k} >> told; exit 1" TERM; echo > s{k}; while true; do sleep 0.1; done
        """
    )
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(workspace.root)
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
        os.execve(sys.executable, [*COMMAND, "-j2"], environment)
    workspace.wait_for("sa")
    workspace.wait_for("sb")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    assert sorted(workspace.lines("told")) == ["a", "b"]
    workspace.wait_until_quiet()
