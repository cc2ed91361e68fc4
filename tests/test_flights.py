"""The flights pipeline on the real data: which tasks run after which change, by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from workspace import Workspace, names

ROOT = Path(__file__).parent.parent
DAYS = [str(date(2013, 1, 1) + timedelta(days=number)) for number in range(365)]
MODELS = ["boosted", "logistic"]
BEHIND_TRAIN = [*names("evaluate", MODELS), "summary", *names("train", MODELS)]
DELAYS = """
target delays[day]:
    inputs: features
    outputs: "build/delays/{day}.txt"
    run: cut -d, -f1 {inputs} | sort | uniq -c > {outputs}
"""
"""A target behind the features of each day, where a backfill is cut off."""
OBSERVED = "observed = weather.get((flight.origin, flight.hour - 1), unknown)"
FIXED = """\
hours = [weather.get((flight.origin, flight.hour - back)) for back in (1, 2)]
                    observed = hours[0] or hours[1] or unknown"""
"""Where the weather of an hour is missing, that of the hour before; which is so at few hours of the year."""


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


@pytest.fixture(scope="module")
def daily(flights: Workspace) -> Workspace:
    """With what needs the features of each day, one by one."""
    flights.pipeline(flights.read("Pipelinefile") + DELAYS)
    assert flights.ok("backfill", "delays").ran == names("delays", DAYS)
    return flights


def test_a_backfill_of_one_corrected_day(daily: Workspace) -> None:
    before = daily.read("build/flights.csv")
    row = "2013-09-11,05:00,EWR,US,1877,CLT,529,-5"
    replace(daily, "build/flights.csv", row, row.replace(",-5", ",77"))
    window = DAYS[DAYS.index("2013-09-11") :][:7]
    ended = daily.ok("backfill", "delays")
    assert ended.ran == [*names("delays", window), *names("extract", DAYS), *names("features", window)]
    (daily.root / "build/flights.csv").write_text(before)
    assert daily.ok("delays").ran == []


def stop_amid(daily: Workspace, number: int, started: int) -> None:
    """Send a signal to a backfill once the features of so many days were begun."""
    process = daily.start("backfill", "delays")
    daily.wait_until(lambda: len(daily.lines("ran")) >= started)
    process.send_signal(number)
    process.communicate()


def test_a_backfill_of_a_fix_that_is_interrupted_twice(daily: Workspace) -> None:
    """All features are made anew, none twice; behind them exactly the days whose features came out otherwise."""
    before = {day: daily.read(f"build/features/{day}.csv") for day in DAYS}
    script = daily.read("pipeline/features.py")
    replace(daily, "pipeline/features.py", OBSERVED, FIXED)
    replace(
        daily, "pipeline/features.py", "    weekday, late", "    print(day, file=open('ran', 'a'))\n    weekday, late"
    )
    stop_amid(daily, signal.SIGINT, 40)
    stop_amid(daily, signal.SIGKILL, 120)
    ended = daily.ok("backfill", "delays")
    assert ended.out.startswith("goes on with run ")

    differ = [day for day in DAYS if daily.read(f"build/features/{day}.csv") != before[day]]
    assert len(differ) == 14
    (backfill, *_) = json.loads(daily.run("runs", "--json").out)["runs"]
    assert (len(backfill["parts"]), backfill["counts"]["built"]) == (3, 365 + 14)
    parts = [json.loads(daily.run("runs", str(run), "--json").out)["tasks"] for run in backfill["parts"]]
    attempts = [row for part in parts for row in part if row["taken_over_by"] is None]
    built = Counter(row["task"] for row in attempts if row["state"] == "built")
    assert built == Counter([*names("features", DAYS), *names("delays", differ)])
    # What runs beyond that was stopped by the first signal, and begun again.
    assert {row["state"] for row in attempts} <= {"built", "cancelled"}
    assert not Counter(names("features", daily.lines("ran"))) - Counter(row["task"] for row in attempts)

    (daily.root / "pipeline/features.py").write_text(script)
    assert daily.ok("delays").ran == []
