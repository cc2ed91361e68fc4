"""Windows, ranges, `*` and globs over many keys, and the way back: four times the keys are four times the work.

Work is counted in calls, of Python's functions and of built-in ones, and not in seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlbuild import app
from mlbuild.app.workspace import Workspace
from mlbuild.engine.backfill import Choice

KEYS = 80
"""Four times as many are still less than the patterns that `re` remembers: beyond that, each is compiled again."""
CALENDAR = 'partition hour: hourly from 2013-01-01T00 to {last} in "America/New_York"\n'
OTHER = """
target raw[hour]:
    outputs: "raw/{hour}/a.csv"
    run: x
target model:
    inputs: t[*]
    outputs: "model"
    run: x
target t[hour]:
    outputs: "t/{hour}"
    run: x
    inputs: """
INPUTS = {
    "a shift": "raw[hour-1]?",
    "a window": "raw[hour-5..hour]",
    "a state": "t[hour-1..hour-1], raw",
    "a date": "raw[2013-01-01..2013-01-01T06], raw[2012-01-01]?",
    "a range of an absent end": "raw[2012-12-01..2013-01-01T06]?",
    "a path": '"raw/{hour}/a.csv"',
    "a folder": '"raw/{hour}"',
    "a glob": 'glob("raw/{hour}/*.csv")',
}


def calls(work: Callable[[], object]) -> int:
    """How many calls some work takes."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def opened(folder: Path, inputs: str, keys: int) -> Workspace:
    folder.mkdir()
    days, hours = divmod(keys - 1, 24)
    last = f"2013-01-{days + 1:02}T{hours:02}"
    (folder / "Pipelinefile").write_text(CALENDAR.format(last=last) + OTHER + inputs + "\n")
    return app.open_workspace(str(folder / "Pipelinefile"))


LOOKS: dict[str, Callable[[Workspace], object]] = {
    "status": lambda workspace: app.status(workspace, [], whole=True),
    "impact": lambda workspace: app.impact(workspace, []),
    "backfill": lambda workspace: app.plan_backfill(workspace, ["raw"], Choice(upstream=True, downstream=True)),
    "show": lambda workspace: app.show(workspace, "raw[2013-01-01T03]"),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS)
def test_work_grows_with_the_keys(tmp_path: Path, inputs: str, look: str) -> None:
    small, large = (
        calls(lambda keys=keys: LOOKS[look](opened(tmp_path / str(keys), inputs, keys))) for keys in (KEYS, 4 * KEYS)
    )
    assert large < 4.4 * small
