"""Each example: built, built again, edited in the way that its README speaks of."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from workspace import Workspace, names

EXAMPLES = Path(__file__).parent.parent / "examples"
LEFT_BEHIND = shutil.ignore_patterns("build", ".mlbuild", "__pycache__")
"""What a build in the repository itself may have left there."""


@dataclass(frozen=True)
class Example:
    """What is known of one.

    Attributes:
        tasks: how many a bare `mlbuild` runs.
        result: asserts on what was built.
        path, old, new: the edit: one replacement in a file.
        reruns: the tasks that run after it, sorted.
    """

    name: str
    tasks: int
    result: Callable[[Workspace], None]
    path: str
    old: str
    new: str
    reruns: list[str]


def hello_result(workspace: Workspace) -> None:
    assert workspace.read("build/report.txt").split("\n") == [
        "Of 70 words:",
        "     13 the",
        "     12 that",
        "      3 all",
        "      2 and",
        "      2 in",
        "",
    ]


def sweep_result(workspace: Workspace) -> None:
    errors = {}
    for path in (workspace.root / "build/fit").glob("*-metrics.json"):
        found = json.loads(path.read_text())
        errors[found["degree"], found["penalty"]] = found["error"]
    best = json.loads(workspace.read("build/best.json"))
    assert len(errors) == 12
    assert errors[best["degree"], best["penalty"]] == min(errors.values())
    test = json.loads(workspace.read("build/test.json"))
    assert (test["degree"], test["penalty"]) == (best["degree"], best["penalty"])
    assert 0.1 < test["error"] < 0.3


def crossval_result(workspace: Workspace) -> None:
    lines = workspace.lines("build/report.txt")
    scores = [float(line.split()[1]) for line in lines]
    assert sorted(line.split()[0] for line in lines) == ["bayes", "centroid", "nearest"]
    assert scores == sorted(scores, reverse=True)
    predicted = [
        row for path in (workspace.root / "build").glob("*/nearest.csv") for row in path.read_text().split()[1:]
    ]
    right = sum(row.split(",")[0] == row.split(",")[1] for row in predicted)
    assert len(predicted) == 150
    assert f"nearest   {right / 150:.3f}" in workspace.read("build/report.txt")


def hourly_result(workspace: Workspace) -> None:
    lines = workspace.lines("build/report.txt")
    assert [line.split()[:2] for line in lines] == [["2026-03-28", "24"], ["2026-03-29", "23"], ["2026-03-30", "24"]]
    assert [line.partition("unusual: ")[2] for line in lines] == ["", "2026-03-29T14", ""]
    for line in lines:
        readings = workspace.lines(f"readings/{line.split()[0]}.csv")[1:]
        assert float(line.split()[3]) == pytest.approx(sum(float(row.split(",")[1]) for row in readings), abs=0.02)


def regions_result(workspace: Workspace) -> None:
    lines = workspace.lines("build/report.txt")
    assert [line.split()[:3] for line in lines] == [[region, "32", "houses,"] for region in REGIONS]
    assert all(float(line.split()[-2]) < 60 for line in lines)
    model = json.loads(workspace.read("build/west/model.json"))
    assert 1 < model["area"] < 3  # the table was made with 1.8, and noise


def shards_result(workspace: Workspace) -> None:
    assert workspace.lines("build/report.txt") == [
        "Bergen     2 parcels    5.1 kg",
        "Hamar      1 parcels    3.2 kg",
        "Oslo       3 parcels   13.8 kg",
    ]


def checkpoints_result(workspace: Workspace) -> None:
    numbers = re.findall(r"\d+\.\d+", workspace.read("build/line.txt"))
    a, b = (float(number) for number in numbers)
    assert 2 < a < 4  # the points were made with 3 and 1.5, and noise
    assert 1.4 < b < 1.6
    assert sorted(path.name for path in (workspace.root / "build/checkpoints").glob("epoch*")) == [
        "epoch-350",
        "epoch-400",
    ]


def flights_result(workspace: Workspace) -> None:
    assert json.loads(workspace.read("build/metrics.json"))["auc"] > 0.7
    assert len(list((workspace.root / "build/checkpoints").glob("epoch*"))) == 3


def torch_result(workspace: Workspace) -> None:
    assert json.loads(workspace.read("build/metrics.json"))["accuracy"] > 0.8
    assert (workspace.root / "build/model.pt").stat().st_size > 10_000


REGIONS = ("north", "east", "south", "west")
HOURS = [f"2026-03-{day}T{hour:02}" for day in (28, 29, 30) for hour in range(24) if (day, hour) != (29, 2)]
CORRECTED = HOURS.index("2026-03-29T10")

EXAMPLES_KNOWN = [
    Example("hello", 3, hello_result, "jack.txt", "corn,", "corn;", ["words"]),
    Example(
        *("sweep", 16, sweep_result, "Pipelinefile", "[1, 3, 5, 9]", "[1, 2, 3, 5, 9]"),
        sorted(["best", "fit[2,0]", "fit[2,1e-4]", "fit[2,1e-2]"]),
    ),
    Example(
        *("crossval", 24, crossval_result, "models/nearest.py", "NEIGHBOURS = 5", "NEIGHBOURS = 1"),
        [*(f"predict[{fold},nearest]" for fold in range(5)), "report", "score[nearest]"],
    ),
    Example(
        *("hourly", 146, hourly_result, "readings/2026-03-29.csv", "T10:30,0.", "T10:30,1."),
        sorted(
            [
                *names("ingest", [hour for hour in HOURS if hour.startswith("2026-03-29")]),
                *names("rolling", HOURS[CORRECTED : CORRECTED + 24]),
                *names("summary", ["2026-03-29", "2026-03-30"]),
                "report",
            ]
        ),
    ),
    Example(
        "regions", 9, regions_result, "params.yaml", "north: {lr: 0.05", "north: {lr: 0.01", ["report", "train[north]"]
    ),
    Example(
        *("shards", 5, shards_result, "parcels.csv", "Hamar,3.2", "Narvik,3.2\nOslo,0.1"),
        ["report", "split", *names("total", ["Narvik", "Oslo"])],
    ),
    Example("checkpoints", 1, checkpoints_result, "Pipelinefile", "rate = 0.0005", "rate = 0.001", ["fit"]),
    Example("flights-epochs", 2, flights_result, "train.py", "eta0=params.rate", "eta0=2 * params.rate", ["train"]),
    Example("torch", 2, torch_result, "train.py", "nn.Dropout(0.05)", "nn.Dropout(0.1)", ["train"]),
]
ON_A_CLUSTER = "slurm"
"""It has a test of its own, in `test_slurm_example.py`."""


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Callable[[str], Workspace]]:
    """Copies an example into a temporary folder."""
    made: list[Workspace] = []

    def copied(name: str) -> Workspace:
        shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=LEFT_BEHIND)
        made.append(Workspace(tmp_path / name))
        return made[-1]

    yield copied
    for workspace in made:
        workspace.wait_until_quiet()


@pytest.mark.parametrize("example", EXAMPLES_KNOWN, ids=lambda example: example.name)
def test_example(example: Example, copy: Callable[[str], Workspace]) -> None:
    workspace = copy(example.name)
    assert len(workspace.ok("--quiet").ran) == example.tasks
    example.result(workspace)
    again = workspace.ok()
    assert (again.ran, again.restored) == ([], [])
    text = workspace.read(example.path)
    assert text.count(example.old) == 1
    workspace.write(example.path, text.replace(example.old, example.new))
    assert workspace.ok("--quiet").ran == example.reruns


def test_every_example_is_known() -> None:
    folders = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
    assert folders == sorted([ON_A_CLUSTER, *(example.name for example in EXAMPLES_KNOWN)])


@pytest.mark.parametrize("example", EXAMPLES_KNOWN, ids=lambda example: example.name)
def test_commands_of_readme_and_pipelinefile(example: Example, copy: Callable[[str], Workspace]) -> None:
    run_what_is_shown(copy(example.name))


def run_what_is_shown(workspace: Workspace) -> None:
    """Every `mlbuild` command line that an example shows does what it says, from scratch or after a build."""
    shown = [
        line
        for path in ("README.md", "Pipelinefile")
        for line in re.findall(
            r"^(?:#| ) {3,}(mlbuild\b[^#\n]*?)(?: {2,}.*| *#.*)?$", workspace.read(path), re.MULTILINE
        )
    ]
    assert shown
    for line in dict.fromkeys(shown):
        ended = workspace.run(*shlex.split(line)[1:])
        assert ended.status == 0, f"{line}\n{ended.out}\n{ended.err}"


@pytest.mark.parametrize("name", [ON_A_CLUSTER, *(example.name for example in EXAMPLES_KNOWN)])
def test_its_pipelinefile_is_laid_out(name: str) -> None:
    assert Workspace(EXAMPLES / name).run("fmt", "--check").status == 0
