"""Fixtures that every test file may use."""

from __future__ import annotations

import compileall
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from parts import PIPELINE, TRAIN
from workspace import ROOT, Workspace
from xdist.scheduler import LoadFileScheduling

for number in (signal.SIGINT, signal.SIGHUP):
    # Whoever starts the tests in the background has them ignored, and so would the builds that tests interrupt.
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# Modules of recipes are edited several times a second, and Python tells a compiled one's age in whole seconds. Ours are
# compiled below, and as they are imported here.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = False

# Threads of a training that wait for each other would keep a CPU busy with that: ten times what they compute, where
# others run beside.
os.environ["OMP_WAIT_POLICY"] = "passive"

LONGEST = (
    "flights",
    "survival",
    "docs",
    "going_on",
    "crash",
    "law",
    "examples",
    "edits",
    "batch",
    "backfill",
    "detach",
    "dynamic",
    "bench",
    "startup",
    "code_soundness",
    "backfill_law",
    "power_loss",
)
"""The files that take longest. They begin: a worker that comes to one of them last keeps all others waiting."""


class Scheduling(LoadFileScheduling):
    """A file is one worker's; and all that run on a cluster are one's, which mostly waits while others compute."""

    def _split_scope(self, nodeid: str) -> str:
        return "cluster" if on_a_cluster(nodeid) else super()._split_scope(nodeid)


def on_a_cluster(nodeid: str) -> bool:
    return re.match(r"tests/test_(slurm|executor_slurm|executors_command|submit)", nodeid) is not None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: -1 if on_a_cluster(item.nodeid) else places.get(item.path.stem, len(LONGEST)))


def pytest_configure(config: pytest.Config) -> None:
    """Compile mlbuild once, and not in each of thousands of commands: that is more than half of what one costs."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(ROOT / "mlbuild", quiet=1)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace; nothing may run in it when the test is over."""
    made = Workspace(tmp_path)
    yield made
    made.wait_until_quiet()


@pytest.fixture(scope="session")
def built_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `parts`, built once for all tests that begin with it."""
    made = Workspace(tmp_path_factory.mktemp("parts"))
    made.pipeline(PIPELINE)
    made.write("in.txt", "in\n")
    made.write("train.py", TRAIN)
    ended = made.run("-j2")
    assert ended.status == 0, ended.err
    made.wait_until_quiet()
    for name in ("finished", "begun"):
        (made.root / name).unlink()
    return made.root


@pytest.fixture
def parts(built_parts: Path, workspace: Workspace) -> Workspace:
    """Seven tasks that hold a lock while they run, and one behind them; built once with version 1."""
    subprocess.run(["cp", "-a", f"{built_parts}/.", workspace.root], check=True)
    return workspace


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """A Slurm cluster, one for each process that runs tests."""
    # The paths of its sockets must be short.
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp")))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(running_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A Slurm cluster that the commands of this test know."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    return running_cluster


@pytest.fixture
def slurm(workspace: Workspace, cluster: Cluster) -> Iterator[Workspace]:
    """A workspace on a Slurm cluster, which is empty when the test is over."""
    yield workspace
    cluster.ask("scancel", "--user", str(os.getuid()))
