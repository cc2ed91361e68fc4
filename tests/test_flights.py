"""The flights pipeline on the real data: which tasks run after which change, by name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from workspace import Workspace, names

ROOT = Path(__file__).parent.parent
DAYS = [str(date(2013, 1, 1) + timedelta(days=number)) for number in range(365)]
MODELS = ["boosted", "logistic"]
BEHIND_TRAIN = [*names("evaluate", MODELS), "summary", *names("train", MODELS)]


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the pipeline whose raw tables are plain files, built."""
    workspace = Workspace(tmp_path_factory.mktemp("flights"))
    shutil.copytree(ROOT / "pipeline", workspace.root / "pipeline")
    shutil.copy(ROOT / "params.yaml", workspace.root)
    text = (ROOT / "Pipelinefile").read_text()
    workspace.pipeline(text)
    workspace.ok("unpack")
    workspace.pipeline(re.sub(r"^target unpack:.*?\n\n", "", text, flags=re.DOTALL | re.MULTILINE))
    ended = workspace.ok()
    assert ended.ran == sorted([*names("extract", DAYS), *names("features", DAYS), *BEHIND_TRAIN])
    yield workspace
    workspace.wait_until_quiet()


def replace(workspace: Workspace, path: str, old: str, new: str) -> None:
    """Exchange one piece of a file for another; it must be there once."""
    text = workspace.read(path)
    assert text.count(old) == 1
    (workspace.root / path).write_text(text.replace(old, new))


def test_a_second_build_starts_no_recipe(flights: Workspace) -> None:
    ended = flights.ok()
    assert (ended.ran, ended.restored, ended.tasks("task_started")) == ([], [], [])


def test_one_corrected_day(flights: Workspace) -> None:
    """Every day is cut out anew; beyond that, the seven windows that hold the day, and what needs them."""
    before = flights.read("build/flights.csv")
    row = "2013-07-04,05:00,EWR,US,1431,CLT,529,-6"
    replace(flights, "build/flights.csv", row, row.replace(",-6", ",66"))
    window = DAYS[DAYS.index("2013-07-04") :][:7]
    assert flights.ok().ran == sorted([*names("extract", DAYS), *names("features", window), *BEHIND_TRAIN])
    (flights.root / "build/flights.csv").write_text(before)
    ended = flights.ok()
    assert ended.ran == []
    touched = [*names("extract", ["2013-07-04"]), *names("features", window), *BEHIND_TRAIN]
    assert set(touched) <= set(ended.restored)
    assert set(ended.restored) <= {*touched, *names("extract", DAYS)}


def test_a_param_of_one_model(flights: Workspace) -> None:
    behind = ["evaluate[boosted]", "summary", "train[boosted]"]
    before = flights.read("params.yaml")
    replace(flights, "params.yaml", "lr: 0.2", "lr: 0.17")
    assert flights.ok().ran == behind
    (flights.root / "params.yaml").write_text(before)
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], behind)


def test_touched_files(flights: Workspace) -> None:
    for path in flights.root.rglob("*"):
        if path.is_file() and ".mlbuild" not in path.parts:
            os.utime(path)
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], [])


def test_an_edit_of_a_script_and_its_undo(flights: Workspace) -> None:
    before = flights.read("pipeline/report.py")
    (flights.root / "pipeline/report.py").write_text(before + "\n# a remark\n")
    assert flights.ok().ran == []
    (flights.root / "pipeline/report.py").write_text(before + "\nprint('done')\n")
    assert flights.ok().ran == ["summary"]
    (flights.root / "pipeline/report.py").write_text(before)
    # The page came out as it was, so that it is in place already.
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], [])


def test_deleted_outputs(flights: Workspace) -> None:
    weights = (flights.root / "models/boosted.pickle").read_bytes()
    for path in ("models/boosted.pickle", "build/features/2013-05-05.csv", "report.html"):
        (flights.root / path).unlink()
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], ["features[2013-05-05]", "summary", "train[boosted]"])
    assert (flights.root / "models/boosted.pickle").read_bytes() == weights


def test_an_output_edited_by_hand(flights: Workspace) -> None:
    before = flights.read("build/features/2013-05-05.csv")
    path = flights.root / "build/features/2013-05-05.csv"
    path.write_text(before + "1,2,3\n")
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], ["features[2013-05-05]"])
    assert "build/features/2013-05-05.csv was not as mlbuild had left it" in ended.out
    assert path.read_text() == before


def test_the_gate_stops_a_bad_model(flights: Workspace) -> None:
    ended = flights.build("-k", "epochs=1")
    assert ended.status == 1
    assert ended.failed == ["evaluate[boosted]"]
    assert ended.ran == ["evaluate[logistic]", *names("train", MODELS)]
    assert ended.tasks("task_blocked") == ["summary"]
    assert flights.ok().ran == []
