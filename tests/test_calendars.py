"""The keys of calendars, table by table, and references between calendars of other widths."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pipelinefile import mistakes
from workspace import Workspace

from mlbuild.errors import Location, Source
from mlbuild.graph.partitions import Keys, period_of
from mlbuild.target import Calendar, Partition

# ruff: noqa: E501 (the texts are what they are)

NOWHERE = Location(Source("", ""), 1, 1)
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)


def keys(period: str, first: str, last: str | None, zone: str | None = None, now: datetime = NOW) -> list[str]:
    return [key.text for key in Keys(Partition("p", Calendar(period, first, last, zone), NOWHERE), now).all]


def hours(day: str, *texts: str) -> list[str]:
    return [f"{day}T{text}" for text in texts]


@pytest.mark.parametrize(
    ("zone", "day", "around"),
    [
        # The clock goes forward: an hour does not occur.
        ("America/New_York", "2013-03-10", ["00", "01", "03", "04"]),
        ("Europe/London", "2013-03-31", ["00", "02", "03"]),
        # It goes back: one occurs twice and says which it is.
        ("America/New_York", "2013-11-03", ["00", "01-0400", "01-0500", "02"]),
        ("Europe/London", "2013-10-27", ["00", "01+0100", "01+0000", "02"]),
        # By half an hour: one hour is longer or shorter, and none occurs twice.
        ("Australia/Lord_Howe", "2013-10-06", ["00", "01", "02", "03"]),
        ("Australia/Lord_Howe", "2013-04-07", ["00", "01", "02", "03"]),
        ("Asia/Kolkata", "2013-03-31", ["00", "01", "02"]),
        (None, "2013-03-31", ["00", "01", "02"]),
        # By two hours.
        ("Antarctica/Troll", "2013-10-27", ["00", "01+0200", "02+0200", "01+0000", "02+0000", "03"]),
    ],
)
def test_hours_where_the_clock_shifts(zone: str | None, day: str, around: list[str]) -> None:
    found = keys("hourly", day, day, zone)
    assert found[: len(around)] == hours(day, *around)
    assert found[-1] == f"{day}T23"
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        ("America/New_York", "2013-03-10", 23),
        ("America/New_York", "2013-11-03", 25),
        ("Europe/London", "2013-03-31", 23),
        ("Europe/London", "2013-10-27", 25),
        ("Australia/Lord_Howe", "2013-10-06", 24),
        ("Australia/Lord_Howe", "2013-04-07", 24),
        ("Asia/Kolkata", "2013-06-01", 24),
        ("Asia/Kathmandu", "2013-06-01", 24),
        # A whole day that never was.
        ("Pacific/Apia", "2011-12-31", 24),
    ],
)
def test_how_many_hours_a_day_has(zone: str, day: str, count: int) -> None:
    assert len(keys("hourly", day, day, zone)) == count


@pytest.mark.parametrize(
    ("period", "first", "last", "found"),
    [
        ("daily", "2012-02-28", "2012-03-01", ["2012-02-28", "2012-02-29", "2012-03-01"]),
        ("daily", "2013-02-28", "2013-03-01", ["2013-02-28", "2013-03-01"]),
        ("daily", "2100-02-28", "2100-03-01", ["2100-02-28", "2100-03-01"]),
        ("monthly", "2012-12", "2013-02", ["2012-12", "2013-01", "2013-02"]),
        ("monthly", "2012-12-31", "2013-01-01", ["2012-12", "2013-01"]),
        # ISO weeks by their Monday: week 53 of 2009 and 2020, week 1 of 2009 and 2013.
        ("weekly", "2009-12-31", "2010-01-04", ["2009-12-28", "2010-01-04"]),
        ("weekly", "2020-12-28", "2021-01-03", ["2020-12-28"]),
        ("weekly", "2008-12-31", "2009-01-01", ["2008-12-29"]),
        ("weekly", "2012-12-31", "2013-01-07", ["2012-12-31", "2013-01-07"]),
        ("hourly", "2013-01-31T22", "2013-02-01T01", hours("2013-01-31", "22", "23") + hours("2013-02-01", "00", "01")),
    ],
)
def test_periods(period: str, first: str, last: str, found: list[str]) -> None:
    assert keys(period, first, last) == found


@pytest.mark.parametrize(
    ("period", "first", "zone", "last"),
    [
        ("hourly", "2026-03-04", None, "2026-03-04T09"),
        ("hourly", "2026-03-04", "Asia/Kolkata", "2026-03-04T15"),
        ("hourly", "2026-03-04", "America/New_York", "2026-03-04T04"),
        ("daily", "2026-03-01", None, "2026-03-03"),
        ("daily", "2026-03-01", "Pacific/Kiritimati", "2026-03-04"),
        ("weekly", "2026-02-01", None, "2026-02-23"),
        ("monthly", "2026-01", None, "2026-02"),
    ],
)
def test_without_an_end_it_goes_to_the_last_period_that_has_ended(
    period: str, first: str, zone: str | None, last: str
) -> None:
    now = NOW.replace(hour=10)
    assert keys(period, first, None, zone, now)[-1] == last


def test_a_whole_year_of_hours_is_what_the_clock_shows() -> None:
    for zone in ("America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"):
        assert len(keys("hourly", "2013-01-01", "2013-12-31", zone)) == 365 * 24


@pytest.mark.parametrize(
    ("text", "unit", "found"),
    [
        ("2013-11-03T01-0400", "daily", "2013-11-03"),
        ("2013-11-03T01-0400", "weekly", "2013-10-28"),
        ("2013-11-03T01", "monthly", "2013-11"),
        ("2013-02", "weekly", "2013-01-28"),
        ("2012-12-31", "monthly", "2012-12"),
        ("2013-01-01", "weekly", "2012-12-31"),
    ],
)
def test_the_period_in_which_another_begins(text: str, unit: str, found: str) -> None:
    assert period_of(text, unit) == found


# --- References between calendars

WIDTHS = """\
partition hour: hourly from 2013-11-02 to 2013-11-04 in "America/New_York"
partition day: daily from 2013-11-01 to 2013-11-04 in "America/New_York"
partition week: weekly from 2013-10-28 to 2013-11-04 in "America/New_York"
partition month: monthly from 2013-10 to 2013-11 in "America/New_York"
target ingest[hour]:
    outputs: "ingest/{hour}"
    run: touch {outputs}
target rate[month]:
    outputs: "rate/{month}"
    run: touch {outputs}
target daily[day]:
    outputs: "daily/{day}"
    run: touch {outputs}
"""


def brought(workspace: Workspace, written: str, own: str, key: str) -> list[str]:
    """The file names that an input brings to the task of this key."""
    workspace.pipeline(
        WIDTHS
        + f'target t[{own}]:\n    inputs: {written}\n    outputs: "t/{{{own}}}"\n    run: echo {{inputs}} > {{outputs}}\n'
    )
    workspace.ok("-j8", f"t[{key}]")
    return [path.rpartition("/")[2] for path in workspace.read(f"t/{key}").split()]


@pytest.mark.parametrize(
    ("written", "own", "key", "found"),
    [
        ("rate[month = day]", "day", "2013-11-03", ["2013-11"]),
        ("rate[month = day-3]", "day", "2013-11-04", ["2013-11"]),
        ("rate[month = week]", "week", "2013-10-28", ["2013-10"]),
        ("daily[day = week]", "week", "2013-10-28", ["2013-11-01", "2013-11-02", "2013-11-03"]),
        ("daily[day = month]", "month", "2013-11", ["2013-11-01", "2013-11-02", "2013-11-03", "2013-11-04"]),
        ("daily[day = hour]", "hour", "2013-11-03T01-0500", ["2013-11-03"]),
        ("daily[day = hour-3..hour]", "hour", "2013-11-03T01-0500", ["2013-11-02", "2013-11-03"]),
        ("daily[day = month.last]", "week", "2013-11-04", ["2013-11-01", "2013-11-02", "2013-11-03", "2013-11-04"]),
        ("rate[month = month.first..day]", "day", "2013-11-03", ["2013-10", "2013-11"]),
        ("daily[day = month]?", "month", "2013-10", []),
    ],
)  # fmt: skip
def test_containment(workspace: Workspace, written: str, own: str, key: str, found: list[str]) -> None:
    assert brought(workspace, written, own, key) == found


def test_the_hours_of_a_day_and_of_a_window_of_days(workspace: Workspace) -> None:
    found = brought(workspace, "ingest[hour = day]", "day", "2013-11-03")
    assert len(found) == 25
    assert found[1:3] == ["2013-11-03T01-0400", "2013-11-03T01-0500"]
    assert len(brought(workspace, "ingest[hour = day-6..day]", "day", "2013-11-03")) == 24 + 25


def test_a_key_that_contains_none_is_an_error(workspace: Workspace) -> None:
    workspace.pipeline(
        WIDTHS + 'target t[day]:\n    inputs: ingest[hour = day]\n    outputs: "t/{day}"\n    run: touch {outputs}\n'
    )
    ended = workspace.build("t[2013-11-01]")
    assert ended.status == 2
    assert ended.err == (
        "Pipelinefile:15:27: error: day at 2013-11-01 is outside the partition `hour` "
        "(73 keys from 2013-11-02T00 to 2013-11-04T23)\n"
        "  15 |     inputs: ingest[hour = day]\n"
        "     |                           ^^^\n"
        "  hint: add `?` if it may be absent\n"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "other[utc = day]",
            """\
Pipelinefile:9:25: error: `day` and `utc` go by different clocks: Europe/Berlin, UTC
  9 |     inputs: other[utc = day]
    |                         ^^^
  hint: give both the same `in "…"`""",
        ),
        (
            "model[kind = day]",
            """\
Pipelinefile:9:26: error: a key of `day` says nothing of `kind`: only calendars contain each other
  9 |     inputs: model[kind = day]
    |                          ^^^
  hint: write one key of `kind`, or all: [kind = *]""",
        ),
    ],
)
def test_what_contains_nothing(written: str, said: str) -> None:
    text = f"""\
partition day: daily from 2013-01-01 to 2013-01-31 in "Europe/Berlin"
partition utc: hourly from 2013-01-01 to 2013-01-31
partition kind: ["a"]
target other[utc]:
    run: x
target model[kind]:
    run: x
target t[day]:
    inputs: {written}
    run: x
"""
    assert mistakes(text) == said
