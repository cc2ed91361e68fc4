"""The flights on a real Slurm: the models trained on a cluster that `mlbuild.toml` names, the rest here; a backfill."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flights import MODELS, first_days, lay_out
from on_slurm import kept, stand_in
from workspace import Workspace, names

DAYS = first_days(int(os.environ.get("MLBUILD_TEST_DAYS", 10)))
"""Of the year. The soak has all of them."""
MOST = 3 if len(DAYS) < 100 else 8
"""So many days are worked on at once."""
SITE = """
    [executors.gpu]
    kind = "slurm"
    queue = "main"
    delay = "1s"
    options = ["--gres=gpu:1", "--nodelist=n1"]
"""
"""Each model has a GPU, both on one node."""
FIT = "    fit(model, table, late, args.epochs, args.seed)\n"
WAITS = f"""\
    import os, time
    print(os.environ.get("SLURMD_NODENAME"), os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    open(f"fits-{{args.model}}", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.05)
{FIT}"""
TRAIN = names("train", MODELS)


NOTES = """\
import atexit
import sys
print("+", sys.argv[1], file=open("ran", "a"))
atexit.register(lambda: print("-", sys.argv[1], file=open("ran", "a")))
"""
"""A day's work tells when it begins and when it ends."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("flights"))
    lay_out(workspace, DAYS)
    return workspace.root


@pytest.fixture
def flights(slurm: Workspace, tables: Path) -> Iterator[Workspace]:
    """The first days; trainings say where they are, and wait until there is a file `go`."""
    shutil.copytree(tables, slurm.root, dirs_exist_ok=True)
    # A node of the cluster has 4 GB.
    replace(slurm, "Pipelinefile", "memory = 2G", "memory = 1G")
    replace(slurm, "pipeline/features.py", "import sys\n", NOTES)
    replace(slurm, "pipeline/train.py", FIT, WAITS)
    slurm.write("mlbuild.toml", SITE)
    yield slurm
    slurm.write("go", "")


def replace(flights: Workspace, path: str, old: str, new: str) -> None:
    text = flights.read(path)
    assert text.count(old) == 1
    (flights.root / path).write_text(text.replace(old, new))


def results(flights: Workspace) -> list[bytes]:
    return [(flights.root / f"models/{model}.pickle").read_bytes() for model in MODELS]


def test_the_models_are_trained_on_the_cluster_and_come_out_as_here(flights: Workspace) -> None:
    events = flights.root / "events.jsonl"
    build = flights.start(events=str(events))
    for model in MODELS:
        flights.wait_for(f"fits-{model}")
    followers = [flights.start("log", "-F", task) for task in TRAIN]
    # What they print arrives while the trainings wait.
    places = [follower.stdout.readline().split() for follower in followers if follower.stdout]
    assert sorted(places) == [["n1", "0"], ["n1", "1"]], "each has a GPU of its own"
    flights.write("go", "")
    kept(build)
    for task, follower in zip(TRAIN, followers, strict=True):
        assert f"{task}: done" in kept(follower).err
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    finished = {row["task"]: row["executor"] for row in rows if row["event"] == "task_finished"}
    assert sorted(task for task, executor in finished.items() if executor == "gpu") == TRAIN
    assert set(finished.values()) == {"local", "gpu"} and "summary" in finished

    there = results(flights)
    again = flights.ok("--on", "local", *(word for task in TRAIN for word in ("--force", task)))
    assert again.ran == TRAIN, "what needs the models does not run, since they came out as they were"
    assert results(flights) == there


def test_a_backfill_whose_build_is_killed_runs_each_day_once(flights: Workspace) -> None:
    assert len(flights.ok("extract").ran) == len(DAYS)
    log = flights.root / "sbatch.log"
    environment = stand_in(flights, "sbatch", f'echo "$@" >> {log}\nexec /usr/bin/sbatch "$@"')
    backfill = ("backfill", "features", "--on", "gpu", "--max-active", str(MOST))
    build = flights.start(*backfill, env=environment)
    flights.wait_until(lambda: len(flights.lines("ran")) > len(DAYS))
    build.kill()
    build.communicate()
    ended = flights.ok(*backfill, env=environment)
    assert ended.out.startswith("goes on with run ")
    assert sorted(flights.lines("ran")) == [*(f"+ {day}" for day in DAYS), *(f"- {day}" for day in DAYS)]
    running = 0
    for line in flights.lines("ran"):
        running += 1 if line.startswith("+") else -1
        assert running <= MOST
    assert len(log.read_text().splitlines()) == 1, "all days are one array"
    assert set(flights.states("features").values()) == {"fresh"}
