"""How wide the arrays of a target are, so that all of them together run no more jobs than may, and no fewer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mlbuild.executors.folder import JobFolder
from mlbuild.executors.job import Job
from mlbuild.executors.slurm.commands import Orders
from mlbuild.executors.slurm.known import Known
from mlbuild.executors.slurm.widths import Widths


class Given(Orders):
    """What Slurm is told to do."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def give(self, options: Sequence[str], ids: Sequence[str]) -> None:
        self.words.append(" ".join([*options, *ids]))


@pytest.fixture
def orders() -> Given:
    return Given()


def array(name: str, id: str, size: int, target: str = "t") -> dict[str, Known]:
    """An array that Slurm has."""
    attempts = [f"{name}-{index}" for index in range(size)]
    jobs = [Job(attempt, f"{target}[{attempt}]", "", "/work") for attempt in attempts]
    return {
        job.attempt: Known(job, JobFolder(job.attempt), name, index, id=f"{id}_{index}")
        for index, job in enumerate(jobs)
    }


def test_without_a_limit_there_is_no_width(orders: Given) -> None:
    assert Widths({"other": 1}, {}, orders).free("t") is None


def test_what_is_left_of_an_array_takes_part_of_what_may_run(orders: Given) -> None:
    known = array("a", "7", 2)
    widths = Widths({"t": 3}, known, orders)
    widths.note("a", 3)
    assert widths.free("t") == 1
    del known["a-0"]
    assert widths.free("t") == 2
    known |= array("b", "8", 9, target="other")
    assert widths.free("t") == 2


def test_an_array_that_is_too_narrow_takes_what_others_leave(orders: Given) -> None:
    known = array("a", "7", 2) | array("b", "8", 5)
    widths = Widths({"t": 3}, known, orders)
    widths.note("a", 3)
    widths.note("b", 1)
    widths.widen()
    assert (widths.free("t"), orders.words) == (0, [])
    del known["a-0"]
    assert widths.free("t") == 0, "what is free is for the second, and not for a third"
    widths.widen()
    assert orders.words == ["scontrol update ArrayTaskThrottle=2 JobId=8"]


def test_an_array_of_a_build_that_died_may_be_as_wide_as_it_gets(orders: Given) -> None:
    assert Widths({"t": 3}, array("a", "7", 5), orders).free("t") == 0
