"""The keys of calendars, table by table, what dates mean to them, and references between calendars of other widths."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pipelinefile import mistakes
from workspace import ROOT, Workspace

from mlbuild.errors import Location, Source, UsageError
from mlbuild.graph.partitions import Keys, period_of
from mlbuild.graph.select import chosen
from mlbuild.target import Calendar, Partition

# ruff: noqa: E501 (the texts are what they are)

NOWHERE = Location(Source("", ""), 1, 1)
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)


def calendar(period: str, first: str, last: str | None, zone: str | None = None, now: datetime = NOW) -> Keys:
    return Keys(Partition("p", Calendar(period, first, last, zone), NOWHERE), now)


def keys(period: str, first: str, last: str | None, zone: str | None = None, now: datetime = NOW) -> list[str]:
    return [key.text for key in calendar(period, first, last, zone, now).all]


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


@pytest.mark.parametrize(
    ("period", "zone", "now", "last"),
    [
        # At midnight, in zones, to the second; on a leap day, in a week 53, in a leap year's December.
        ("daily", None, "2012-02-29T23:59:59", "2012-02-28"),
        ("daily", None, "2012-03-01T00:00:00", "2012-02-29"),
        ("daily", "Asia/Kolkata", "2012-02-29T18:29:59", "2012-02-28"),
        ("daily", "Asia/Kolkata", "2012-02-29T18:30:00", "2012-02-29"),
        ("daily", "America/New_York", "2013-03-11T03:59:59", "2013-03-09"),
        ("daily", "America/New_York", "2013-03-11T04:00:00", "2013-03-10"),
        ("daily", "America/New_York", "2013-11-04T04:59:59", "2013-11-02"),
        ("daily", "America/New_York", "2013-11-04T05:00:00", "2013-11-03"),
        ("weekly", None, "2021-01-03T23:59:59", "2020-12-21"),
        ("weekly", None, "2021-01-04T00:00:00", "2020-12-28"),
        ("weekly", "Europe/London", "2013-03-31T22:59:59", "2013-03-18"),
        ("weekly", "Europe/London", "2013-03-31T23:00:00", "2013-03-25"),
        ("monthly", "Australia/Lord_Howe", "2012-12-31T12:59:59", "2012-11"),
        ("monthly", "Australia/Lord_Howe", "2012-12-31T13:00:00", "2012-12"),
        # An hour that does not occur, one that occurs twice, one of 30 minutes, one of 90.
        ("hourly", "America/New_York", "2013-03-10T06:59:59", "2013-03-10T00"),
        ("hourly", "America/New_York", "2013-03-10T07:00:00", "2013-03-10T01"),
        ("hourly", "America/New_York", "2013-03-10T08:00:00", "2013-03-10T03"),
        ("hourly", "America/New_York", "2013-11-03T05:59:59", "2013-11-03T00"),
        ("hourly", "America/New_York", "2013-11-03T06:00:00", "2013-11-03T01-0400"),
        ("hourly", "America/New_York", "2013-11-03T06:59:59", "2013-11-03T01-0400"),
        ("hourly", "America/New_York", "2013-11-03T07:00:00", "2013-11-03T01-0500"),
        ("hourly", "Europe/London", "2013-10-27T01:00:00", "2013-10-27T01+0100"),
        ("hourly", "Europe/London", "2013-10-27T02:00:00", "2013-10-27T01+0000"),
        ("hourly", "Australia/Lord_Howe", "2013-10-05T15:29:59", "2013-10-06T00"),
        ("hourly", "Australia/Lord_Howe", "2013-10-05T15:30:00", "2013-10-06T01"),
        ("hourly", "Australia/Lord_Howe", "2013-10-05T16:00:00", "2013-10-06T02"),
        ("hourly", "Australia/Lord_Howe", "2013-04-06T15:29:59", "2013-04-07T00"),
        ("hourly", "Australia/Lord_Howe", "2013-04-06T15:30:00", "2013-04-07T01"),
        ("hourly", "Asia/Kolkata", "2013-04-06T15:29:59", "2013-04-06T19"),
        ("hourly", "Asia/Kolkata", "2013-04-06T15:30:00", "2013-04-06T20"),
    ],
)
def test_the_last_period_that_has_ended(period: str, zone: str | None, now: str, last: str) -> None:
    first = "2012-01" if period == "monthly" else "2012-01-02"
    assert keys(period, first, None, zone, datetime.fromisoformat(now).replace(tzinfo=UTC))[-1] == last


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", "2013-11-03"),
        ("Europe/London", "2013-10-27"),
        ("Antarctica/Troll", "2013-10-27"),
        ("America/Havana", "2012-11-04"),
    ],
)
def test_an_hour_has_one_name_wherever_a_calendar_begins_and_ends(zone: str, day: str) -> None:
    named = keys("hourly", "2012-01-01", "2013-12-31", zone)
    for hour in range(24):
        first, now = f"{day}T{hour:02}", datetime.fromisoformat(f"{day}T{hour:02}:00").replace(tzinfo=UTC)
        for found in (keys("hourly", first, day, zone), keys("hourly", "2012-11-01", None, zone, now)):
            assert found == named[named.index(found[0]) :][: len(found)]


def test_nothing_has_ended_yet() -> None:
    for period in ("hourly", "daily", "weekly", "monthly"):
        assert keys(period, "2026-03" if period == "monthly" else "2026-03-04", None, None, NOW.replace(hour=0)) == []


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


# --- What a date means


@pytest.mark.parametrize(
    ("period", "written", "first", "last", "count"),
    [
        ("hourly", "2013-11-03", "2013-11-03T00", "2013-11-03T23", 25),
        ("hourly", "2013-11", "2013-11-01T00", "2013-11-30T23", 30 * 24 + 1),
        ("hourly", "2013-11-02..2013-11-03", "2013-11-02T00", "2013-11-03T23", 49),
        ("hourly", "2013-11-03T01", "2013-11-03T01-0400", "2013-11-03T01-0500", 2),
        ("hourly", "2013-11-03T01-0500", "2013-11-03T01-0500", "2013-11-03T01-0500", 1),
        ("hourly", "2013-11-03T00..2013-11-03T01", "2013-11-03T00", "2013-11-03T01-0500", 3),
        ("hourly", "2013-11-03T00..2013-11-03T01-0400", "2013-11-03T00", "2013-11-03T01-0400", 2),
        ("hourly", "2013-11-03T01-0500..2013-11-03T02", "2013-11-03T01-0500", "2013-11-03T02", 2),
        ("hourly", "2013-03-10T02..2013-03-10T04", "2013-03-10T03", "2013-03-10T04", 2),
        ("daily", "2012-02", "2012-02-01", "2012-02-29", 29),
        ("daily", "2012-02..2012-03", "2012-02-01", "2012-03-31", 60),
        ("daily", "2012-02-28T23..2012-03-01T00", "2012-02-28", "2012-03-01", 3),
        ("daily", "2013-12..", "2013-12-01", "2013-12-31", 31),
        ("daily", "2013-12-31..2014-07", "2013-12-31", "2013-12-31", 1),
        ("daily", "..2012-01", "2012-01-01", "2012-01-31", 31),
        # The week that holds a day; of a month, the weeks that begin in it.
        ("weekly", "2012-12-31", "2012-12-31", "2012-12-31", 1),
        ("weekly", "2013-01-02", "2012-12-31", "2012-12-31", 1),
        ("weekly", "2013-01-02..2013-01-20", "2012-12-31", "2013-01-14", 3),
        ("weekly", "2013-01", "2013-01-07", "2013-01-28", 4),
        ("monthly", "2013-01-15..2013-03-15", "2013-01", "2013-03", 3),
        ("monthly", "2013-02-28T23", "2013-02", "2013-02", 1),
    ],
)
def test_what_a_date_means_to_a_calendar(period: str, written: str, first: str, last: str, count: int) -> None:
    found = chosen(calendar(period, "2012-01-01", "2013-12-31", "America/New_York"), written, "goal")
    assert (found[0].text, found[-1].text, len(found)) == (first, last, count)


@pytest.mark.parametrize(
    ("period", "written", "said"),
    [
        ("daily", "..yesterday", "has no key yesterday"),
        ("daily", "..2013-1-5", "has no key 2013-1-5"),
        ("daily", "2013-02-30..", "has no key 2013-02-30"),
        ("daily", "2014-01-01", "has no key 2014-01-01"),
        ("daily", "2014-01-01..", "no key of `p` lies in 2014-01-01.."),
        ("hourly", "2013-07-01T05+0200", "has no key 2013-07-01T05+0200"),
        ("hourly", "2013-03-10T02", "has no key 2013-03-10T02"),
        ("hourly", "2013-03-10T02..2013-03-10T02", "lies in 2013-03-10T02..2013-03-10T02"),
        ("weekly", "2011", "has no key 2011"),
    ],
)
def test_what_means_nothing_to_it(period: str, written: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        chosen(calendar(period, "2012-01-01", "2013-12-31", "America/New_York"), written, "goal")
    assert said in raised.value.message


@pytest.mark.parametrize("written", ["0999-12-31", "9999-01-01"])
def test_years_that_no_calendar_has(written: str) -> None:
    said = mistakes(f"partition day: daily from {written} to {written}\ntarget t[day]:\n    run: x\n")
    assert f"error: {written} lies outside the years that a calendar may have: 1000 to 9998\n" in said
    assert keys("daily", "9998-12-31", "9998-12-31", "America/New_York") == ["9998-12-31"]
    assert len(keys("hourly", "1000-01-01", "1000-01-01", "Asia/Kolkata")) == 24


def test_a_date_of_another_width_through_the_command(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition hour: hourly from 2013-11-02 to 2013-11-04 in "America/New_York"
        target t[hour]:
            outputs: "{hour}.txt"
            run: echo {hour:%H} > {outputs}
        target morning:
            inputs: t[2013-11-03..2013-11-03T01]
            outputs: "morning.txt"
            run: cat {inputs} > {outputs}
    """)
    twice = ["t[2013-11-03T01-0400]", "t[2013-11-03T01-0500]"]
    assert workspace.ok("t", "--hour", "2013-11-03T01").ran == twice
    assert workspace.ok("t[2013-11-03T01-0500..2013-11-03T02]").ran == ["t[2013-11-03T02]"]
    assert workspace.ok("morning").ran == ["morning", "t[2013-11-03T00]"]
    assert workspace.read("morning.txt") == "00\n01\n01\n"
    assert len(workspace.ok("backfill", "t", "--from", "2013-11-03", "--to", "2013-11-03", "-j8").ran) == 25 - 4
    assert len(workspace.ok("backfill", "t", "--hour", "2013-11", "-j8").ran) == 48


# --- What the time is

CLOCK = """
    import datetime

    class Moved(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            with open("clock") as file:
                return datetime.datetime.fromisoformat(file.read().strip()).astimezone(tz)

    datetime.datetime = Moved
"""


def test_a_build_that_runs_over_midnight_keeps_its_keys(workspace: Workspace) -> None:
    workspace.write("clocks/sitecustomize.py", CLOCK)
    moved = {"PYTHONPATH": f"{workspace.root}/clocks:{ROOT}"}
    workspace.pipeline("""
        partition day: daily from 2024-02-27 in "Asia/Kolkata"
        target t[day]:
            outputs: "t/{day}.txt"
            run: echo 2024-03-01T00:00+05:30 > clock; echo {day} > {outputs}
        target all:
            inputs: t[*], last = t[day.last]
            outputs: "all.txt"
            run: cat {inputs.t} > {outputs}; echo {inputs.last} >> {outputs}
    """)
    workspace.write("clock", "2024-02-29T23:59:59+05:30\n")
    assert workspace.ok("all", env=moved).ran == ["all", "t[2024-02-27]", "t[2024-02-28]"]
    assert workspace.lines("all.txt") == ["2024-02-27", "2024-02-28", "t/2024-02-28.txt"]
    assert workspace.ok("all", env=moved).ran == ["all", "t[2024-02-29]"]
    assert workspace.lines("all.txt")[-1] == "t/2024-02-29.txt"
    assert workspace.ok("all", env=moved).ran == []


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
