"""A task that shows no sign of life for longer than it may is stopped, and its stacks tell where it hung."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from executor_contract import Place, living, make_job, results_of, run, wait_for
from test_executor_local import LocalPlace, parent, recipes

from mlbuild.executors.job import Checkpoints, Job, JobResult, Reason
from mlbuild.executors.silence import Silence

SAID = "no sign of life for 1s"
AND_STACKS = f"{SAID}; its stacks are in logs/a1.stacks"

HANG = """
import threading, time

def inner():
    print("begun", flush=True)
    time.sleep(1000)

def outer():
    inner()

threading.Thread(target=threading.Event().wait, daemon=True).start()
outer()
"""
FORK = """
import os, time

pid = os.fork()

def child():
    time.sleep(1000)

def parent():
    os.waitpid(pid, 0)

(parent if pid else child)()
"""
HOLD = """
import ctypes

def holding():
    while True:
        ctypes.PyDLL(None).sleep(1000)  # which keeps the interpreter's lock

holding()
"""


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path)


def stall(place: Place, recipe: str, seconds: float = 1, **fields: Any) -> Job:
    return make_job(place, recipe, **{"log": "logs/a1.log", "stall": seconds, "grace": 60.0, **fields})


def ended(place: LocalPlace, job: Job) -> JobResult:
    executor = place.executor()
    result = run(executor, job)
    executor.close()
    assert not living(place, job.attempt)
    return result


def python(place: Place, text: str, name: str = "train.py") -> str:
    (place.workspace / name).write_text(text)
    return f"{sys.executable} {name}"


def saved(place: Place) -> str:
    return (place.workspace / "logs/a1.stacks").read_text()


def test_a_shell_that_hangs_has_no_stacks(place: LocalPlace) -> None:
    result = ended(place, stall(place, "echo begun; sleep 1000"))
    assert (result.reason, result.detail) == (Reason.STALLED, SAID)
    assert (place.workspace / "logs/a1.log").read_text() == "begun\n"
    assert os.listdir(place.workspace / "logs") == ["a1.log"]


def test_the_stacks_name_where_it_hung(place: LocalPlace) -> None:
    result = ended(place, stall(place, f"{python(place, HANG)}; echo never", 2))
    assert (result.reason, result.detail) == (Reason.STALLED, AND_STACKS.replace("1s", "2s"))
    lines = saved(place).splitlines()
    assert lines[0].endswith(f": {sys.executable} train.py") and lines[0].startswith("Process ")
    assert sum(line.startswith(("Thread 0x", "Current thread 0x")) for line in lines) == 2
    where = [line.strip() for line in lines if "train.py" in line][1:]
    assert where == [
        f'File "{place.workspace}/train.py", line 6 in inner',
        f'File "{place.workspace}/train.py", line 9 in outer',
        f'File "{place.workspace}/train.py", line 12 in <module>',
    ]


def test_also_while_c_code_holds_the_lock_of_the_interpreter(place: LocalPlace) -> None:
    result = ended(place, stall(place, f"exec {python(place, HOLD)}", grace=0.1))
    assert (result.reason, result.detail) == (Reason.STALLED, AND_STACKS)
    assert "line 6 in holding\n" in saved(place)


def test_every_python_process_is_asked(place: LocalPlace) -> None:
    recipe = f"{python(place, HANG, 'other.py')} & exec {python(place, FORK)}"
    assert ended(place, stall(place, recipe, 2)).reason is Reason.STALLED
    text = saved(place)
    assert text.count("Process ") == 3
    for name in ("in inner\n", "in child\n", "in parent\n"):
        assert text.count(name) == 1


def test_one_that_ignores_the_signal_is_killed_after_its_grace(place: LocalPlace) -> None:
    result = ended(place, stall(place, "trap '' TERM; while true; do sleep 1000; done", grace=0.2))
    assert (result.reason, result.exit_status) == (Reason.STALLED, -signal.SIGKILL)


def test_what_it_does_in_its_grace_is_kept(place: LocalPlace) -> None:
    result = ended(place, stall(place, "trap 'echo x > saved; exit 3' TERM; sleep 1000 & wait"))
    assert (result.reason, result.exit_status) == (Reason.STALLED, 3)
    assert (place.workspace / "saved").exists()


LIVING = "for _ in {1..35}; do sleep 0.2; %s; done"
SIGNS = {
    "log": (LIVING % "echo still there", {}),
    "progress": (LIVING % "echo 1 >> $MLBUILD_PROGRESS", {"environment": {"MLBUILD_PROGRESS": "progress"}}),
    "output": (f": > out; {LIVING % 'echo 1 >> out'}", {"outputs": ("out",)}),
    "directory": (f"mkdir -p d/e; {LIVING % 'echo 1 >> d/e/x'}", {"outputs": ("d/",)}),
    "comes and goes": (f"mkdir f; {LIVING % 'if test -e f/x; then rm f/x; else touch f/x; fi'}", {"outputs": ("f/",)}),
    "checkpoint": (
        LIVING % "touch c/.x; mv c/.x c/$RANDOM",
        {"checkpoints": Checkpoints("c/", key="k", fingerprint="f")},
    ),
}


def test_each_sign_of_life_counts(place: LocalPlace) -> None:
    jobs = [
        stall(place, recipe, 3, attempt=name.replace(" ", "-"), log=f"logs/{name}.log", **fields)
        for name, (recipe, fields) in SIGNS.items()
    ]
    executor = place.executor(jobs=len(jobs), cpus=len(jobs))
    executor.submit(jobs)
    results = {result.attempt: result for result in results_of(executor, len(jobs))}
    executor.close()
    assert {name: (result.reason, result.detail) for name, result in results.items()} == dict.fromkeys(
        results, (Reason.OK, "")
    )
    assert all(result.ended - result.started > 6 for result in results.values())  # twice what they may be silent


def test_time_in_which_all_was_held_does_not_count(place: LocalPlace) -> None:
    executor = place.executor()
    executor.submit([stall(place, "touch begun; while ! test -e go; do sleep 0.01; done", 4)])
    wait_for((place.workspace / "begun").exists)
    (recipe,) = recipes(place, "a1")
    supervisor = parent(recipe)
    for pid in (supervisor, recipe):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(supervisor, signal.SIGCONT)
    time.sleep(0.5)  # in which it looks
    (place.workspace / "go").touch()
    os.kill(recipe, signal.SIGCONT)
    (result,) = results_of(executor)
    executor.close()
    assert (result.reason, result.detail) == (Reason.OK, "")


def test_a_look_that_does_not_come_back_is_no_sign_of_life(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a file system hangs, and its user with it."""
    monkeypatch.setattr(Silence, "outputs", lambda self: time.sleep(1000))
    (place.workspace / "d").mkdir()
    result = ended(place, stall(place, "sleep 1000", 2, outputs=("d/",)))
    assert (result.reason, result.detail) == (Reason.STALLED, "no sign of life for 2s")


def test_what_outlives_its_recipe_does_not_stall_it(place: LocalPlace) -> None:
    recipe = "(trap '' TERM; touch there; sleep 1000; sleep 1000) & while ! test -e there; do sleep 0.01; done"
    assert ended(place, stall(place, recipe, grace=3.0)).reason is Reason.OK


def test_other_ends_stay_what_they_are(place: LocalPlace) -> None:
    recipe = "trap '' TERM; sleep 1000; sleep 1000"
    assert ended(place, stall(place, recipe, timeout=0.1, grace=3.0)).reason is Reason.TIMEOUT
    executor = place.executor()
    handles = executor.submit([stall(place, recipe, attempt="a2", grace=2.0)])
    executor.cancel(handles)
    assert results_of(executor)[0].reason is Reason.CANCELLED
    executor.close()


ISOLATED = f"exec {sys.executable} -I -c 'import time; time.sleep(1000)'"


def stand_in(place: Place, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a py-spy before whatever there is."""
    (place.workspace / "bin").mkdir()
    (place.workspace / "bin/py-spy").write_text(f"#!/bin/sh\n{text}\n")
    (place.workspace / "bin/py-spy").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.workspace}/bin:{os.environ['PATH']}")


def test_python_without_the_hook_is_left_to_py_spy(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(place, monkeypatch, 'echo "$1 $2; alive: $(kill -0 $3 && echo yes)"')
    result = ended(place, stall(place, ISOLATED, 2))
    assert (result.exit_status, result.detail) == (-signal.SIGTERM, AND_STACKS.replace("1s", "2s"))
    assert saved(place) == "dump --pid; alive: yes\n"


def test_and_without_py_spy_gets_no_signal_but_its_own(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(place, monkeypatch, "echo not allowed; exit 1")
    result = ended(place, stall(place, ISOLATED, 2))
    assert (result.exit_status, result.detail) == (-signal.SIGTERM, "no sign of life for 2s")
    assert os.listdir(place.workspace / "logs") == ["a1.log"]


def test_a_file_that_took_the_number_of_the_stacks_stays_as_it_is(
    place: LocalPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(place, monkeypatch, "exit 1")
    closes = (
        "import os, time\nos.closerange(3, 1000)\nfiles = [open('data', 'w') for _ in range(300)]\ntime.sleep(1000)"
    )
    result = ended(place, stall(place, f"exec {python(place, closes)}", 2))
    assert (result.exit_status, result.detail) == (-signal.SIGTERM, "no sign of life for 2s")
    assert (place.workspace / "data").read_text() == ""


def test_who_may_be_silent_for_ever_is_not_prepared_for_it(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLBUILD_STACKS", "of the task that this build is a part of")
    code = "import os, sys; print('MLBUILD_STACKS' in os.environ, 'faulthandler' in sys.modules)"
    job = make_job(place, f'{sys.executable} -c "{code}"', log="logs/a1.log", notes="logs/a1.opened")
    assert ended(place, job).ok
    assert (place.workspace / "logs/a1.log").read_text() == "False False\n"
    assert not (place.workspace / "logs/a1.stacks").exists()
