"""The Slurm executor on a real cluster: the contract, and what only it knows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from executor_contract import ExecutorContract, make_job, results_of, wait_for

from mlbuild.executors.capacity import Limits
from mlbuild.executors.job import Began, Reason, Waits
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


class Seen:
    """How attempts stand, by what an executor has told."""

    def __init__(self, executor: SlurmExecutor) -> None:
        self._executor = executor
        self._last: dict[str, Waits | Began] = {}

    def once(self, attempt: str, holds: Callable[[Any], object]) -> Any:
        """How one stands, once that is so."""

        def is_so() -> object:
            self._executor.finished(0.1)
            self._last |= {one.attempt: one for one in self._executor.standing()}
            return attempt in self._last and holds(self._last[attempt])

        wait_for(is_so)
        return self._last[attempt]


def is_begun(one: Waits | Began) -> bool:
    return isinstance(one, Began)


def test_why_a_job_waits_is_told_in_words_and_once(place: SlurmPlace) -> None:
    executor = SlurmExecutor(str(place.jobs), {"local": Site(options=("--hold",))}, {})
    handles = executor.submit([make_job(place, "true", attempt=name) for name in ("a1", "a2")])
    why = "somebody holds it back (`scontrol release` lets it go)"
    seen = Seen(executor)
    for name in ("a1", "a2"):
        assert seen.once(name, lambda one: one.reason) == Waits(name, "JobHeldUser", why)
    executor.finished(2)
    assert executor.standing() == []
    executor.cancel(handles)
    assert {result.reason for result in results_of(executor, 2)} == {Reason.CANCELLED}
    executor.close()


def test_when_a_job_should_start_is_told_and_then_where_it_runs(place: SlurmPlace) -> None:
    executor = SlurmExecutor(str(place.jobs), {"local": Site(time=60.0, options=("--exclusive",))}, {})
    seen = Seen(executor)
    handles = executor.submit([make_job(place, "sleep 1000", attempt=name) for name in ("a1", "a2")])
    assert {seen.once(name, is_begun).node for name in ("a1", "a2")} == {"n1", "n2"}
    later = executor.submit([make_job(place, "sleep 1000", attempt="a3", gpus=2)])
    waits = seen.once("a3", lambda one: one.starts)
    assert (waits.reason, waits.why) == ("Resources", "for nodes that are free")
    assert time.time() < waits.starts < time.time() + 300
    executor.cancel(handles, now=True)
    began = seen.once("a3", is_begun)
    assert began.gpus == ("0", "1") and abs(began.at - time.time()) < 60
    executor.cancel(later, now=True)
    assert len(results_of(executor, 1)) == 1
    executor.close()


class TestSlurmExecutor(ExecutorContract):
    @pytest.fixture
    def place(self, tmp_path: Path, cluster: Cluster) -> Iterator[SlurmPlace]:
        place = SlurmPlace(tmp_path, cluster)
        yield place
        place.mend()
