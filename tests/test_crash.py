"""`kill -9` of driver, supervisor, its children, or several, at named points and at random moments: the next build
completes."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import pytest
from parts import KEYS, PIPELINE, ROUNDS, assert_nothing_lost, complete, recorded, whole
from test_detach import detach
from workspace import Workspace, is_supervisor

from mlbuild.engine.attempts import KILL_POINTS
from mlbuild.executors.directory import KILL_POINTS as DIRECTORY_KILL_POINTS
from mlbuild.executors.supervisor import KILL_POINTS as SUPERVISOR_KILL_POINTS

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


@pytest.mark.parametrize("point", DIRECTORY_KILL_POINTS)
def test_killed_while_it_looks_after_checkpoints(parts: Workspace, point: str) -> None:
    """A child of the supervisor, each that comes there, while there are some to set aside, to bring back, to remove."""
    parts.ok("trained", "version=2", "epochs=20")
    process = parts.start("trained", "epochs=5", env={"MLBUILD_TEST_KILL": point})
    process.communicate(timeout=60)
    # The one that is to be removed is out of the way then, so that nothing is left to do at which to be killed.
    assert (process.returncode == 0) == (point == "checkpoints-gone"), f"{point} was never passed"
    parts.ok("trained", "epochs=5")
    assert_nothing_lost(parts, here=["1-4", "1-5"], aside=["2-19", "2-20"])
    parts.ok("trained", "version=2", "epochs=21")
    assert parts.lines("begun")[-1] == "2 20 20"
    assert_nothing_lost(parts, here=["2-20", "2-21"], aside=["1-4", "1-5"])


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


@pytest.mark.parametrize("victims", ["driver", "supervisor", "both"])
@pytest.mark.parametrize("round_", range(max(1, ROUNDS // 3)))
def test_detached_and_killed_at_a_random_moment(parts: Workspace, victims: str, round_: int) -> None:
    log = parts.root / ".killed.jsonl"
    driver = detach(parts, "-j2", "version=2", "--events", str(log))
    time.sleep(random.uniform(0.0, 0.7))
    for pid in parts.processes():
        if is_supervisor(pid) and (victims == "both" or (pid == driver) == (victims == "driver")):
            kill(pid)
    parts.wait_until(lambda: driver not in parts.processes())
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


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
