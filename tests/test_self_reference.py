"""A target that needs itself at the key before: a state that goes from day to day."""

from __future__ import annotations

import pytest
from workspace import Workspace, names

DAYS = [f"2024-01-{day:02}" for day in range(1, 11)]
STATE = """
    partition day: daily from 2024-01-01 to 2024-01-10

    target load[day]:
        inputs: "raw/{day}.txt"
        outputs: "load/{day}.txt"
        run: cat {inputs} > {outputs}

    # The most that was ever seen.
    target state[day]:
        inputs: before = state[day-1..day-1], now = load
        outputs: "state/{day}.txt"
        code: none
        run: [ ! -e broken-{day} ]; echo {day} >> order; cat {inputs} | sort -n | tail -1 > {outputs}

    target latest:
        inputs: state[day.last]
        outputs: "latest.txt"
        run: cat {inputs} > {outputs}
"""


@pytest.fixture
def days(workspace: Workspace) -> Workspace:
    """Day 5 has the most; nothing is built."""
    workspace.pipeline(STATE)
    for number, day in enumerate(DAYS, 1):
        workspace.write(f"raw/{day}.txt", f"{100 if number == 5 else number}\n")
    return workspace


def test_each_day_waits_for_the_one_before(days: Workspace) -> None:
    days.ok("-j8", "latest")
    assert days.lines("order") == DAYS
    assert [days.read(f"state/{day}.txt").strip() for day in DAYS] == ["1", "2", "3", "4", *["100"] * 6]
    assert days.ok("latest").ran == []


def test_a_day_needs_all_before_it_and_none_behind(days: Workspace) -> None:
    assert days.ok("state[2024-01-03]").ran == [*names("load", DAYS[:3]), *names("state", DAYS[:3])]
    assert days.ok("backfill", "state", "--from", "2024-01-05", "--to", "2024-01-06").ran == [
        *names("load", DAYS[3:6]),
        *names("state", DAYS[3:6]),
    ]


def test_a_changed_day_touches_all_later_ones_until_nothing_differs(days: Workspace) -> None:
    days.ok("-j8", "latest")
    days.write("raw/2024-01-03.txt", "50\n")
    assert set(days.ok("-n", "latest").out.split()) >= {"latest:", "state[2024-01-10]:"}
    assert days.ok("latest").ran == ["load[2024-01-03]", *names("state", DAYS[2:5])]
    days.write("raw/2024-01-03.txt", "200\n")
    ran = days.ok("backfill", "state", "--from", "2024-01-03", "--newest-first").ran
    assert ran == ["load[2024-01-03]", *names("state", DAYS[2:])]
    assert days.lines("order") == [*DAYS, *DAYS[2:5], *DAYS[2:]]


def test_what_is_behind_a_failed_day_is_blocked_and_goes_on_from_there(days: Workspace) -> None:
    days.write("broken-2024-01-04", "")
    ended = days.build("backfill", "state")
    assert (ended.status, ended.failed) == (1, ["state[2024-01-04]"])
    assert ended.tasks("task_blocked") == names("state", DAYS[4:])
    (days.root / "broken-2024-01-04").unlink()
    assert days.ok("backfill", "state", "--mode", "failed").ran == names("state", DAYS[3:])
    assert days.lines("order") == DAYS


def test_with_a_question_mark_it_begins_anew_behind_a_failed_day(days: Workspace) -> None:
    days.pipeline(STATE.replace("state[day-1..day-1]", "state[day-1]?"))
    days.write("broken-2024-01-05", "")
    assert days.build("-k", "latest").failed == ["state[2024-01-05]"]
    assert days.read("latest.txt") == "10\n"
    (days.root / "broken-2024-01-05").unlink()
    assert days.ok("latest").ran == ["latest", *names("state", DAYS[4:])]
    assert days.read("latest.txt") == "100\n"


def test_a_first_day_that_lacks_the_one_before_is_an_error(days: Workspace) -> None:
    days.pipeline(STATE.replace("state[day-1..day-1]", "state[day-1]"))
    ended = days.build("latest")
    assert (ended.status, ended.err) == (
        2,
        "Pipelinefile:10:28: error: day-1 at 2024-01-01 is outside the partition `day` (10 keys from 2024-01-01 to "
        "2024-01-10)\n"
        "  10 |     inputs: before = state[day-1], now = load\n"
        "     |                            ^^^^^\n"
        "  hint: write [day-1..day-1], which is cut to the partition, or `?`, which leaves out what failed, too\n",
    )


def test_two_targets_may_take_turns(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition region: ["us", "eu"]
        partition day: daily from 2024-01-01 to 2024-01-03
        target bid[region, day]:
            inputs: ask[day = day-1..day-1]
            outputs: "bid/{region}-{day}.txt"
            run: cat {inputs} /dev/null > {outputs}; echo bid {region} {day} >> {outputs}
        target ask[region, day]:
            inputs: bid
            outputs: "ask/{region}-{day}.txt"
            run: cat {inputs} > {outputs}; echo ask >> {outputs}
    """)
    ended = workspace.ok("-j4", "ask[us,2024-01-03]")
    assert ended.ran == [f"{target}[us,{day}]" for target in ("ask", "bid") for day in DAYS[:3]]
    assert len(workspace.lines("ask/us-2024-01-03.txt")) == 6


def test_a_state_that_needs_what_comes_after_it_is_a_circle(days: Workspace) -> None:
    days.pipeline(STATE.replace("state[day-1..day-1]", "state[day-1..day]"))
    assert "these tasks need each other in a circle: state[2024-01-01] → state[2024-01-01]" in days.build("latest").err
    days.pipeline(STATE.replace("state[day-1..day-1]", "state[day+1..day+1]"))
    days.ok("state[2024-01-01]", "-j8")
    assert days.lines("order") == DAYS[::-1]
