"""The Slurm executor on a real cluster: the contract, and what only it knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from executor_contract import ExecutorContract, make_job, results_of, wait_for

from mlbuild.executors.capacity import Limits
from mlbuild.executors.job import Reason
from mlbuild.executors.slurm import queue
from mlbuild.executors.slurm.executor import SlurmExecutor
from mlbuild.executors.slurm.script import Site


class SlurmPlace:
    """A workspace whose executor runs on the nodes of a cluster."""

    def __init__(self, workspace: Path, cluster: Cluster) -> None:
        self.workspace = workspace
        self.jobs = workspace / ".mlbuild/jobs"
        self._cluster = cluster
        self._broken: list[str] = []

    def executor(self, jobs: int = 4, cpus: float = 4, memory: int | None = None) -> SlurmExecutor:
        limits = {"local": Limits(cpus, memory, jobs=jobs)}
        return SlurmExecutor(str(self.jobs), {"local": Site(delay=1.0)}, limits)

    def lose(self, attempt: str) -> None:
        self._broken.append(json.loads((self.jobs / attempt / "claim").read_text())["node"])
        self._cluster.fail(self._broken[-1])

    def mend(self) -> None:
        for node in self._broken:
            self._cluster.restore(node)


@pytest.fixture
def place(tmp_path: Path, cluster: Cluster) -> Iterator[SlurmPlace]:
    place = SlurmPlace(tmp_path, cluster)
    yield place
    place.mend()


def test_why_a_job_waits_is_said_once_in_words(place: SlurmPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LONG", 0.0)
    executor = SlurmExecutor(str(place.jobs), {"local": Site(options=("--hold",))}, {})
    handles = executor.submit([make_job(place, "true", attempt=name) for name in ("a1", "a2")])
    news: list[str] = []
    wait_for(lambda: executor.finished(0.1) or news.extend(executor.news()) or news)
    assert news == ["task and 1 more wait in Slurm: somebody holds it back (`scontrol release` lets it go)"]
    executor.cancel(handles)
    assert {result.reason for result in results_of(executor, 2)} == {Reason.CANCELLED}
    assert executor.news() == []
    executor.close()


class TestSlurmExecutor(ExecutorContract):
    @pytest.fixture
    def place(self, tmp_path: Path, cluster: Cluster) -> Iterator[SlurmPlace]:
        place = SlurmPlace(tmp_path, cluster)
        yield place
        place.mend()
