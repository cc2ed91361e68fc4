"""A recipe that the kernel kills for want of memory is told from one that somebody else kills, by the kernel's count.

The counters are files in a folder of the test, which the recipes raise themselves as they die.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from executor_contract import make_job, results_of, run
from test_executor_local import LocalPlace, control_groups

from mlbuild.executors import supervisor
from mlbuild.executors.job import JobResult, Reason
from mlbuild.executors.oom import Kills

KILLED = "out of memory: the kernel killed it"
IN_IT = "out of memory: the kernel killed a command in it"
GUESS = "killed by SIGKILL, which mlbuild did not send: perhaps it ran out of memory"
OUT = Reason.OUT_OF_MEMORY

EVENTS = "low 0\nhigh 0\nmax 24\noom 1\noom_kill {}\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
VMSTAT = "nr_free_pages 17\noom_kill {}\nnuma_hit 4\n"
SYSTEMS = {
    "version 2": ("0::/a/b\n", "sys/fs/cgroup/a/b/memory.events", EVENTS),
    "version 2, counted further up": ("0::/a/b\n", "sys/fs/cgroup/a/memory.events", EVENTS),
    "version 2, in a container": ("0::/\n", "sys/fs/cgroup/memory.events", EVENTS),
    "version 1": ("4:memory:/c\n0::/\n", "sys/fs/cgroup/memory/c/memory.oom_control", CONTROL),
    "version 1, in a container": ("4:memory:/docker/1\n", "sys/fs/cgroup/memory/memory.oom_control", CONTROL),
    "the whole machine": ("0::/\n", "proc/vmstat", VMSTAT),
}


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path)


@pytest.fixture
def count(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the count, at 5."""
    return kernel(place, monkeypatch, *SYSTEMS["version 2"])


def kernel(place: LocalPlace, monkeypatch: pytest.MonkeyPatch, group: str, counter: str, text: str) -> Path:
    root = place.workspace / "root"
    control_groups(root, group, {})
    (root / counter).parent.mkdir(parents=True, exist_ok=True)
    (root / counter).write_text(text.format(5))
    monkeypatch.setattr(supervisor, "Kills", lambda: Kills(str(root)))
    return root / counter


def rise(count: Path, by: int = 1) -> str:
    """A command that does to the counter what the kernel does."""
    return f"sed -i 's/oom_kill 5/oom_kill {5 + by}/' {count}"


def ended(place: LocalPlace, recipe: str) -> tuple[Reason, int, str]:
    executor = place.executor()
    result = run(executor, make_job(place, recipe))
    executor.close()
    return result.reason, result.exit_status, result.detail


@pytest.mark.parametrize("system", SYSTEMS)
def test_where_the_kernel_counts(place: LocalPlace, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    count = kernel(place, monkeypatch, *SYSTEMS[system])
    assert ended(place, "kill -KILL $$") == (Reason.SIGNAL, -9, "killed by SIGKILL")
    assert ended(place, f"{rise(count)}; kill -KILL $$") == (OUT, -9, KILLED)


def test_a_command_in_it(place: LocalPlace, count: Path) -> None:
    assert ended(place, f"{rise(count)}; bash -c 'kill -KILL $$'; true") == (OUT, 137, IN_IT)


def test_a_recipe_that_fails_when_a_process_of_its_own_was_killed(place: LocalPlace, count: Path) -> None:
    """Or of anybody's: so it is said, and no more."""
    said = "out of memory, the kernel killed a process meanwhile"
    assert ended(place, f"{rise(count)}; exit 3") == (Reason.EXIT, 3, said)
    assert ended(place, "exit 3") == (Reason.EXIT, 3, "")


def test_other_signals(place: LocalPlace, count: Path) -> None:
    assert ended(place, f"{rise(count)}; kill -SEGV $$") == (Reason.SIGNAL, -11, "killed by SIGSEGV")


def test_where_nobody_counts_it_is_a_guess(place: LocalPlace, count: Path) -> None:
    count.unlink()
    assert ended(place, "kill -KILL $$") == (OUT, -9, GUESS)
    assert ended(place, "exit 3") == (Reason.EXIT, 3, "")


def test_the_kill_of_mlbuild_itself_is_none(place: LocalPlace, count: Path) -> None:
    executor = place.executor()
    recipe = f"trap '' TERM; {rise(count)}; touch ready; sleep 1000; sleep 1000"
    assert run(executor, make_job(place, recipe, timeout=0.5, grace=0.1)).reason is Reason.TIMEOUT
    executor.close()


def results(place: LocalPlace, recipes: list[str]) -> dict[str, JobResult]:
    executor = place.executor()
    executor.submit([make_job(place, recipe, attempt=f"a{number}") for number, recipe in enumerate(recipes)])
    found = {result.attempt: result for result in results_of(executor, len(recipes))}
    executor.close()
    return found


WAIT = "touch started-{}; while ! test -e {}; do sleep 0.01; done"


def test_of_several_at_once_as_many_as_were_killed(place: LocalPlace, count: Path) -> None:
    all_run = "; ".join(WAIT.format(0, f"started-{number}") for number in range(3))
    first = f"{all_run}; {rise(count, 2)}; touch go; kill -KILL $$"
    found = results(place, [first, *(f"{WAIT.format(number, 'go')}; kill -KILL $$" for number in (1, 2))])
    assert sorted(result.reason for result in found.values()) == [OUT, OUT, Reason.SIGNAL]


def test_what_was_killed_before_it_began_is_not_its(place: LocalPlace, count: Path) -> None:
    executor = place.executor()
    assert run(executor, make_job(place, f"{rise(count)}; exit 0")).ok
    assert run(executor, make_job(place, "kill -KILL $$", attempt="a2")).reason is Reason.SIGNAL
    executor.close()


def test_one_beside_another_that_was_killed_for_memory(place: LocalPlace, count: Path) -> None:
    executor = place.executor()
    executor.submit([make_job(place, f"{WAIT.format(1, 'go')}; kill -KILL $$")])
    dying = f"{WAIT.format(2, 'started-1')}; {rise(count)}; kill -KILL $$"
    assert run(executor, make_job(place, dying, attempt="a2")).reason is OUT
    (place.workspace / "go").touch()
    (result,) = results_of(executor)
    executor.close()
    assert (result.reason, result.detail) == (Reason.SIGNAL, "killed by SIGKILL")
