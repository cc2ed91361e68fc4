"""The local executor: the contract, and what only it knows (this machine's resources, recipes in the background)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from executor_contract import ExecutorContract, Place, living, make_job

from mlbuild.executors.job import Job
from mlbuild.executors.local import LocalExecutor
from mlbuild.executors.machine import available_cpus, available_memory


class LocalPlace:
    """A workspace in which each executor is another build."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._folder = workspace / ".mlbuild/runs"
        self._folder.mkdir(parents=True)

    def executor(self, jobs: int = 4, cpus: float = 4, memory: int | None = None) -> LocalExecutor:
        number = len(os.listdir(self._folder)) + 1
        (self._folder / str(number)).mkdir()
        return LocalExecutor(str(self._folder / str(number)), str(self.workspace), jobs, cpus, memory)

    def lose(self, attempt: str) -> None:
        for pid in recipes(self, attempt):
            os.kill(parent(pid), signal.SIGKILL)


def recipes(place: Place, attempt: str) -> list[int]:
    """The processes of this attempt that lead a session."""
    return [pid for pid in living(place, attempt) if session(pid) == pid]


def session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:  # it has ended since it was listed
        return None


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path)


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> LocalPlace:
        return LocalPlace(tmp_path)


def room(place: LocalPlace, running: list[Job], job: Job, **limits: float) -> bool:
    executor = place.executor(**limits)  # type: ignore[arg-type]
    executor.submit(running)
    answer = executor.has_room(job)
    executor.close()
    return answer


@pytest.mark.parametrize(
    ("running", "asked", "fits"),
    [
        ([1, 1], 2, True),
        ([1, 2], 2, False),
        ([], 100, True),  # all there are
        ([0.1], 100, False),
        ([100], 0.1, False),
        ([100], 0, True),
        ([0.1] * 9, 3.1, True),
    ],
)
def test_room_by_cpus(place: LocalPlace, running: list[float], asked: float, fits: bool) -> None:
    jobs = [make_job(place, "sleep 0.1", attempt=f"a{number}", cpus=cpus) for number, cpus in enumerate(running)]
    assert room(place, jobs, make_job(place, "true", cpus=asked), jobs=20, cpus=4) is fits


@pytest.mark.parametrize(("asked", "fits"), [(None, True), (50, True), (51, False)])
def test_room_by_memory(place: LocalPlace, asked: int | None, fits: bool) -> None:
    jobs = [make_job(place, "sleep 0.1", memory=50), make_job(place, "sleep 0.1", attempt="a2")]
    assert room(place, jobs, make_job(place, "true", memory=asked), memory=100) is fits


def test_more_memory_than_there_is_is_said(place: LocalPlace) -> None:
    executor = place.executor(memory=3 << 30)
    assert executor.too_large(make_job(place, "true", memory=3 << 30, cpus=1000)) is None
    assert executor.too_large(make_job(place, "true", memory=5 << 29)) is None
    words = executor.too_large(make_job(place, "true", memory=7 << 29))
    assert words == "task asks for 3.5G of memory, and there are 3G"


def test_of_the_drivers_slurm_job_nothing_is_seen(place: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    executor = place.executor()
    executor.submit([make_job(place, 'test -z "${SLURM_JOB_ID-}"')])
    assert [result.ok for result in executor.finished(60)] == [True]
    executor.close()


def control_groups(root: Path, text: str, files: dict[str, str]) -> str:
    """A root folder whose `/proc/self/cgroup` is `text`, with these files below its `/sys/fs/cgroup`."""
    for name, content in {"proc/self/cgroup": text, **{f"sys/fs/cgroup/{k}": v for k, v in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return str(root)


def test_cpus_of_version_2(tmp_path: Path) -> None:
    many = {"a/b/cpu.max": "max 100000", "a/cpu.max": "1000000000 100000"}
    assert available_cpus(control_groups(tmp_path, "0::/a/b\n", many)) == len(os.sched_getaffinity(0))
    few = {"a/cpu.max": "50000 100000\n"}
    assert available_cpus(control_groups(tmp_path, "0::/a/b\n", few)) == 1


def test_cpus_of_version_1_in_a_container(tmp_path: Path) -> None:
    files = {"cpu/cpu.cfs_quota_us": "20000\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert available_cpus(control_groups(tmp_path, "3:cpu,cpuacct:/docker/1\n0::/\n", files)) == 1
    files["cpu/cpu.cfs_quota_us"] = "-1"
    assert available_cpus(control_groups(tmp_path, "3:cpu,cpuacct:/\n", files)) == len(os.sched_getaffinity(0))


def test_memory(tmp_path: Path) -> None:
    total = available_memory(str(tmp_path))
    assert total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert available_memory(control_groups(tmp_path, "0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "5"})) == 5
    old = {"memory/c/memory.limit_in_bytes": "9223372036854771712", "memory/memory.limit_in_bytes": "7"}
    assert available_memory(control_groups(tmp_path, "4:memory:/c\n", old)) == 7
