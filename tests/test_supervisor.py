"""The supervisor: cut off at every durable step, left by its driver, on a full disk; what stays in a run's folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from executor_contract import Place, as_read, killed_driver, living, make_job, results_of, run, wait_for
from test_executor_local import LocalPlace, parent

from mlbuild import killpoint
from mlbuild.errors import StateError
from mlbuild.executors import daemon, lines, processes
from mlbuild.executors.job import Job, JobResult, Reason
from mlbuild.executors.local import LocalExecutor
from mlbuild.executors.supervisor import KILL_POINTS

ONCE = "mkdir lock; echo x >> ran; echo $PPID > parent; rmdir lock"
"""Fails when two copies of it run at once."""


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path)


def times_run(place: Place) -> int:
    path = place.workspace / "ran"
    return len(path.read_text().split()) if path.exists() else 0


def run_folder(place: Place, number: int = 1) -> Path:
    return place.workspace / f".mlbuild/runs/{number}"


def is_alive(place: Place, number: int = 1) -> bool:
    return daemon.is_alive(str(run_folder(place, number)))


def kill_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    monkeypatch.setattr(killpoint, "_point", point)
    monkeypatch.setattr(killpoint, "_left", 1)


BEFORE = ("supervisor-accepted", "supervisor-spawned", "supervisor-recorded")
RACING = ("supervisor-released",)
AFTER = ("supervisor-reaped", "supervisor-digested")
DONE = ("supervisor-appended", "supervisor-told")


def test_every_kill_point_is_tested() -> None:
    assert KILL_POINTS == BEFORE + RACING + AFTER + DONE


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_supervisor_that_is_killed(place: LocalPlace, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    kill_at(monkeypatch, point)
    executor = place.executor()
    result = run(executor, make_job(place, ONCE, outputs=("ran",)))
    assert result.reason is (Reason.OK if point in DONE else Reason.LOST)
    if point != "supervisor-spawned":  # of it nobody knows, and it leaves by itself
        assert not living(place, "a1")
    assert times_run(place) in {BEFORE: (0,), RACING: (0, 1)}.get(_group(point), (1,))
    monkeypatch.undo()
    subprocess.run(["rm", "-rf", place.workspace / "lock"], check=True)
    wait_for(lambda: not is_alive(place))  # to one that is just dying one can still submit, and lose the job
    assert run(executor, make_job(place, ONCE, attempt="a2", outputs=("ran",))).ok
    executor.close()


def _group(point: str) -> tuple[str, ...]:
    return next(group for group in (BEFORE, RACING, AFTER, DONE) if point in group)


@pytest.mark.parametrize("point", KILL_POINTS)
def test_driver_and_supervisor_killed(place: LocalPlace, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    kill_at(monkeypatch, point)
    job = make_job(place, ONCE, outputs=("ran",))
    (handle,) = killed_driver(place, [job], lambda: not is_alive(place))
    monkeypatch.undo()
    executor = place.executor()
    assert executor.find(job) == (None if point in BEFORE[:2] else handle)
    if executor.reattach(handle, job):
        assert point in DONE and results_of(executor)[0].ok
    else:
        assert point not in DONE and not living(place, "a1")
    assert times_run(place) <= 1
    executor.close()


def test_a_recipe_at_its_gate_never_begins_without_a_supervisor(
    place: LocalPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at(monkeypatch, "supervisor-spawned")
    executor = place.executor()
    executor.submit([make_job(place, "touch ran; sleep 1000")])
    wait_for(lambda: not is_alive(place))
    wait_for(lambda: not living(place, "a1"))  # on its own: nobody has looked yet
    assert not (place.workspace / "ran").exists()
    executor.close()


def test_it_leaves_when_nothing_is_left_to_do(place: LocalPlace) -> None:
    executor = place.executor()
    assert run(executor, make_job(place, "true")).ok
    assert is_alive(place)
    executor.close()
    wait_for(lambda: not is_alive(place))
    assert sorted(path.name for path in run_folder(place).iterdir()) == ["results", "started", "supervisor.lock"]


def test_without_a_driver_it_finishes_what_runs(place: LocalPlace) -> None:
    recipe = "touch ready; while ! test -e go; do sleep 0.01; done; touch out"
    killed_driver(place, [make_job(place, recipe, outputs=("out",))], (place.workspace / "ready").exists)
    assert is_alive(place)
    (place.workspace / "go").touch()
    wait_for(lambda: not is_alive(place))
    (row,) = lines.read(str(run_folder(place) / "results"))
    assert JobResult.from_json(row).ok and (place.workspace / "out").exists()


def test_of_a_dead_driver_nothing_is_begun(place: LocalPlace) -> None:
    connection = daemon.prepare()
    executor = LocalExecutor(str(run_folder(place)), str(place.workspace), 4, 4, None, connection)
    assert run(executor, make_job(place, "echo $PPID > parent")).ok
    pid = int((place.workspace / "parent").read_text())
    os.kill(pid, signal.SIGSTOP)
    executor.submit([make_job(place, "touch ran", attempt="a2")])
    connection.close()
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: not is_alive(place))
    assert not (place.workspace / "ran").exists()


def test_two_builds_take_over_from_one(place: LocalPlace) -> None:
    recipe = "touch ready-{}; while ! test -e go; do sleep 0.01; done"
    jobs = [make_job(place, recipe.format(name), attempt=name) for name in ("a1", "a2")]
    ready = [place.workspace / f"ready-{job.attempt}" for job in jobs]
    handles = killed_driver(place, jobs, lambda: all(path.exists() for path in ready))
    builds = [place.executor(), place.executor()]
    for build, handle, job in zip(builds, handles, jobs, strict=True):
        assert build.reattach(handle, job)
    (place.workspace / "go").touch()
    assert [results_of(build)[0].attempt for build in builds] == ["a1", "a2"]
    assert [build.finished(0) for build in builds] == [[], []]
    for build in builds:
        build.close()
    wait_for(lambda: not is_alive(place))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_only_kill_ends_it(place: LocalPlace, number: int) -> None:
    executor = place.executor()
    executor.submit([make_job(place, "touch ready; while ! test -e go; do sleep 0.01; done")])
    wait_for((place.workspace / "ready").exists)
    os.kill(parent(living(place, "a1")[0]), number)
    (place.workspace / "go").touch()
    assert results_of(executor)[0].ok
    executor.close()


def test_a_folder_with_a_long_path(tmp_path: Path) -> None:
    workspace = tmp_path / ("x" * 120)
    workspace.mkdir()
    place = LocalPlace(workspace)
    job = make_job(place, "touch ready; while ! test -e go; do sleep 0.01; done")
    (handle,) = killed_driver(place, [job], (workspace / "ready").exists)
    executor = place.executor()
    assert executor.reattach(handle, job)
    (workspace / "go").touch()
    assert results_of(executor)[0].ok
    executor.close()


def full_disk(place: LocalPlace, name: str) -> LocalExecutor:
    executor = place.executor()
    (run_folder(place) / name).symlink_to("/dev/full")
    return executor


def test_without_room_for_the_record_nothing_begins(place: LocalPlace) -> None:
    executor = full_disk(place, "started")
    result = run(executor, make_job(place, "touch ran"))
    assert (result.reason, result.detail) == (Reason.NOT_STARTED, "No space left on device")
    assert not (place.workspace / "ran").exists() and not living(place, "a1")
    executor.close()


def test_without_room_for_the_result_it_is_told_all_the_same(place: LocalPlace) -> None:
    executor = full_disk(place, "results")
    assert run(executor, make_job(place, "true")).ok
    assert run(executor, make_job(place, "true", attempt="a2")).ok
    executor.close()


def test_cancelling_while_files_are_looked_at(place: LocalPlace) -> None:
    """At inputs softly too: nothing runs that would need time to save."""
    executor = place.executor()
    (handle,) = executor.submit([make_job(place, "truncate -s 200G big", outputs=("big",), log="log")])
    wait_for((place.workspace / "big").exists)
    wait_for(lambda: not living(place, "a1"))
    executor.cancel([handle], now=True)
    assert results_of(executor)[0].reason is Reason.CANCELLED
    read = as_read(place, "log")
    os.truncate(place.workspace / "log", 200 << 30)
    handles = executor.submit([make_job(place, "touch ran", attempt="a2", reads=(read,))])
    executor.cancel(handles)
    assert results_of(executor)[0].reason is Reason.CANCELLED
    assert not (place.workspace / "ran").exists()
    executor.close()


def test_a_driver_that_does_not_listen_stops_nobody(place: LocalPlace) -> None:
    """Far more results than a socket holds wait for it."""
    executor = place.executor()
    detail = "x" * 1000
    jobs = [
        make_job(place, "true", attempt=f"{detail}{number}", log="log", environment={"PATH": ""})
        for number in range(999)
    ]
    executor.submit(jobs)
    wait_for(lambda: len(list(lines.read(str(run_folder(place) / "results")))) == 999)
    assert len(results_of(executor, 999)) == 999
    executor.close()


def test_a_bug_of_its_own_is_written_down(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "epoch", lambda: 1 // 0)
    executor = place.executor()
    result = run(executor, make_job(place, "true"))
    assert result.reason is Reason.LOST and "runs/1/supervisor.log" in result.detail
    assert "ZeroDivisionError" in (run_folder(place) / "supervisor.log").read_text()
    executor.close()


def test_what_can_not_be_started_at_all_is_the_users_to_know(place: LocalPlace) -> None:
    executor = place.executor()
    (run_folder(place) / daemon.LOCK).mkdir()
    with pytest.raises(StateError, match="Is a directory"):
        executor.submit([make_job(place, "true")])


def test_torn_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines.append(file, {"n": 1})
    os.write(file, b'\n{"n": 2, "rest": "is miss')
    lines.append(file, {"n": 3})
    os.close(file)
    assert list(lines.read(str(path))) == [{"n": 1}, {"n": 3}]
    path.write_bytes(path.read_bytes()[:-3])
    assert list(lines.read(str(path))) == [{"n": 1}]
    assert list(lines.read(str(tmp_path / "none"))) == []


def test_jobs_and_results_survive_json() -> None:
    job = Job("a", "t", "/w", "echo 'ü\n' \udcff", outputs=("x", "y/"), timeout=1.5, environment={"A": "b"})
    assert Job.from_json(json.loads(json.dumps(job.as_json()))) == job
    result = JobResult("a", Reason.EXIT, 3)
    assert JobResult.from_json(json.loads(json.dumps(result.as_json()))) == result


def test_it_loads_nothing_heavy() -> None:
    code = "import sys, mlbuild.executors.supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlite3", "rich", "lark", "fsspec", "argparse", "asyncio", "logging", "subprocess"} & set(loaded)
