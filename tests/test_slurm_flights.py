"""The flights on a real Slurm: the models trained on a cluster that `mlbuild.toml` names, and the rest here."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flights import MODELS, first_days, lay_out
from on_slurm import kept
from workspace import Workspace, names

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


@pytest.fixture
def flights(slurm: Workspace) -> Iterator[Workspace]:
    """The first days, and trainings that say where they are and wait until there is a file `go`."""
    lay_out(slurm, first_days(6))
    text = slurm.read("Pipelinefile")
    # A node of the cluster has 4 GB.
    (slurm.root / "Pipelinefile").write_text(text.replace("memory = 2G", "memory = 1G"))
    train = slurm.read("pipeline/train.py")
    assert FIT in train
    (slurm.root / "pipeline/train.py").write_text(train.replace(FIT, WAITS))
    slurm.write("mlbuild.toml", SITE)
    yield slurm
    slurm.write("go", "")


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
