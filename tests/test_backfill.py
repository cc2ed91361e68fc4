"""`mlbuild backfill`: the tasks of a range that are missing, stale or failed, one key after another."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from workspace import Ended, Workspace, names

import mlbuild
from mlbuild.engine.events import Event, TaskFinished

PIPELINE = """
    param top = 100
    partition day: daily from 2024-01-01 to 2024-01-20
    partition region: ["us", "eu"]

    target raw[day]:
        inputs: "raw/{day}.txt"?
        outputs: "build/raw/{day}.txt"
        run: cat {inputs} /dev/null > {outputs}

    target features[day]:
        inputs: raw[day-6..day]
        outputs: "build/features/{day}.txt"
        run: cat {inputs} | sort | uniq -c | head -n {top} > {outputs}

    target scores[day, region]:
        inputs: features
        outputs: "build/scores/{day}-{region}.txt"
        run: echo {region} | cat - {inputs} > {outputs}

    target model:
        inputs: features[*]
        outputs: "model.txt"
        run: cat {inputs} > {outputs}

    target lonely:
        outputs: "lonely.txt"
        run: echo > {outputs}

    default lonely
"""


def days(first: int, last: int) -> list[str]:
    return [f"2024-01-{day:02}" for day in range(first, last + 1)]


@pytest.fixture
def flights(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    for day in days(1, 20):
        workspace.write(f"raw/{day}.txt", f"{day}\n")
    return workspace


def backfill(workspace: Workspace, *words: str) -> Ended:
    return workspace.ok("backfill", *words)


def started(ended: Ended) -> list[str]:
    """The tasks, in the order in which they started."""
    return [event["task"] for event in ended.events if event["event"] == "task_started"]


def last_line(ended: Ended) -> str:
    return ended.out.splitlines()[-1]


# --- which tasks


def test_a_range_with_both_ends(flights: Workspace) -> None:
    ended = backfill(flights, "raw", "--from", "2024-01-03", "--to", "2024-01-05")
    assert ended.ran == names("raw", days(3, 5))
    assert ended.out.startswith("3 tasks from raw[2024-01-03] to raw[2024-01-05]; if it is interrupted,")
    assert backfill(flights, "raw", "--from", "2024-01-19").ran == names("raw", days(19, 20))
    assert backfill(flights, "raw", "--to", "2024-01-02").ran == names("raw", days(1, 2))
    assert backfill(flights, "raw", "--day", "2024-01-03..2024-01-06").ran == names("raw", days(6, 6))
    assert backfill(flights, "raw", "--to", "2024-01").ran == names("raw", days(7, 18))


def test_several_keys_of_another_partition(flights: Workspace) -> None:
    ended = backfill(flights, "scores", "--from", "2024-01-19", "--region", "eu")
    assert [task for task in ended.ran if "scores" in task] == ["scores[2024-01-19,eu]", "scores[2024-01-20,eu]"]
    ended = backfill(flights, "scores", "--day", "2024-01-18,2024-01-20", "--region", "us,eu")
    assert [task for task in ended.ran if "scores" in task] == [
        *("scores[2024-01-18,eu]", "scores[2024-01-18,us]"),
        "scores[2024-01-20,us]",
    ]


def test_what_is_needed_is_made_and_nothing_else(flights: Workspace) -> None:
    ended = backfill(flights, "features", "--from", "2024-01-08", "--to", "2024-01-08")
    assert ended.ran == ["features[2024-01-08]", *names("raw", days(2, 8))]
    assert backfill(flights, "features", "--from", "2024-01-08", "--to", "2024-01-08").ran == []


BROKEN = """
    partition day: daily from 2024-01-01 to 2024-01-04

    target load[day]:
        outputs: "load/{day}.txt"
        run: test ! -e broken-{day}; echo {day} > {outputs}

    target copy[day]:
        inputs: load
        outputs: "copy/{day}.txt"
        run: cat {inputs} > {outputs} # 1
"""


@pytest.fixture
def mixed(workspace: Workspace) -> Workspace:
    """Day 1 is fresh, day 2 stale, day 3 failed (what it needs did), day 4 missing."""
    workspace.pipeline(BROKEN)
    workspace.ok("copy", "--day", "2024-01-01..2024-01-02")
    workspace.write("broken-2024-01-03", "")
    assert workspace.build("copy[2024-01-03]").failed == ["load[2024-01-03]"]
    (workspace.root / "broken-2024-01-03").unlink()
    workspace.pipeline(BROKEN.replace("# 1", "# 2"))
    workspace.ok("copy[2024-01-01]")
    return workspace


@pytest.mark.parametrize(
    ("mode", "ran"),
    [
        (["--mode", "missing"], [4]),
        (["--mode", "failed"], [3]),
        (["--mode", "stale"], [2]),
        (["--mode", "missing,stale"], [2, 4]),
        (["--mode", "all"], [1, 2, 3, 4]),
        ([], [2, 3, 4]),
    ],
)
def test_modes(mixed: Workspace, mode: list[str], ran: list[int]) -> None:
    ended = backfill(mixed, "copy", *mode)
    assert [task for task in ended.ran if "copy" in task] == [f"copy[2024-01-0{day}]" for day in ran]
    assert [task for task in ended.ran if "load" in task] == [f"load[2024-01-0{day}]" for day in ran if day > 2]


def test_how_many_of_each_kind(mixed: Workspace) -> None:
    ended = mixed.run("backfill", "copy", "-n")
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert lines[:2] == [
        "copy  4 tasks: 1 fresh, 1 missing, 1 failed, 1 stale",
        "3 tasks from copy[2024-01-02] to copy[2024-01-04]:",
    ]
    assert [line.partition(";")[0] for line in lines[2:]] == [
        "  copy  3 tasks would run",
        "  load  2 tasks would run",
        "altogether: 5 tasks would run",
    ]
    assert not mixed.exists("copy/2024-01-04.txt")


def test_what_would_be_done_as_json(mixed: Workspace) -> None:
    words = ["backfill", "copy", "--canary", "1", "-n", "--json"]
    document = json.loads(mixed.run(*words).out)
    amounts = [*document["targets"], document["total"]]
    assert [amount.pop("seconds") >= 0 for amount in amounts] == [True] * 3
    assert document == {
        "kinds": [{"target": "copy", "fresh": 1, "missing": 1, "failed": 1, "stale": 1}],
        "chosen": names("copy", days(2, 4)),
        "canary": ["copy[2024-01-02]"],
        "since": None,
        "done": 0,
        "targets": [
            {"target": "copy", "run": 3, "may_run": 0, "gpu_hours": 0.0, "unknown": 0},
            {"target": "load", "run": 2, "may_run": 0, "gpu_hours": 0.0, "unknown": 0},
        ],
        "total": {"run": 5, "may_run": 0, "gpu_hours": 0.0, "unknown": 0},
        "restored": 0,
        "blocked": 0,
    }
    mixed.write("broken-2024-01-03", "")
    mixed.build("backfill", "copy", "--max-failures", "1", "-j1")
    again = json.loads(mixed.run("backfill", "copy", "-n", "--json").out)
    assert (again["since"], again["done"], again["chosen"]) == (4, 1, names("copy", days(3, 4)))


def test_gpu_hours_and_time_are_those_of_history(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition part: range(3)
        target t[part]:
            outputs: "{part}.txt"
            resources: gpus = 0.5 * 2
            run: sleep 0.3; echo {part} > {outputs}
    """)
    workspace.write("mlbuild.toml", "gpus = 1\n")
    assert "3 tasks never ran, so how long is not known" in workspace.run("backfill", "t", "-n").out
    workspace.ok("t[0]")
    assert (
        workspace.run("backfill", "t", "-n")
        .out.splitlines()[-1]
        .startswith("altogether: 2 tasks would run; they took 0.")
    )
    assert last_line(workspace.run("backfill", "t", "-n")).endswith(" 0.0 GPU-hours")


def test_fresh_tasks_run_again_only_where_all_are_asked_for(flights: Workspace) -> None:
    week = ["--from", "2024-01-07", "--to", "2024-01-08"]
    backfill(flights, "features", *week)
    assert "nothing to do" in flights.run("backfill", "features", *week).out
    assert backfill(flights, "features", *week, "--mode", "all").ran == names("features", days(7, 8))
    both = backfill(flights, "features", *week, "--mode", "all", "--with-upstream")
    assert both.ran == [*names("features", days(7, 8)), *names("raw", days(1, 8))]


def test_upstream_tasks_that_nobody_needs_now(flights: Workspace) -> None:
    week = ["--from", "2024-01-07", "--to", "2024-01-07"]
    flights.pipeline(PIPELINE.replace('"build/raw/{day}.txt"', 'temp("build/raw/{day}.txt")'))
    backfill(flights, "features", *week)
    flights.write("raw/2024-01-03.txt", "corrected\n")
    flights.ok("features[2024-01-07]")
    assert not flights.exists("build/raw/2024-01-03.txt")
    assert backfill(flights, "features", *week, "--with-upstream", "--mode", "all").ran == [
        "features[2024-01-07]",
        *names("raw", days(1, 7)),
    ]


def test_downstream_is_left_alone_unless_asked_for(flights: Workspace) -> None:
    flights.ok("scores", "model", "-j4")
    flights.write("raw/2024-01-20.txt", "corrected\n")
    assert backfill(flights, "features").ran == ["features[2024-01-20]", "raw[2024-01-20]"]
    flights.write("raw/2024-01-19.txt", "corrected\n")
    ended = backfill(flights, "raw", "--from", "2024-01-19", "--to", "2024-01-19", "--with-downstream", "-j4")
    assert ended.ran == [
        *names("features", days(19, 20)),
        "model",
        "raw[2024-01-19]",
        *(f"scores[{day},{region}]" for day in days(19, 20) for region in ("eu", "us")),
    ]


CHAIN = """
    partition day: daily from 2024-01-01 to 2024-01-06

    target load[day]:
        outputs: "load/{day}.txt"
        run: echo {day} > {outputs}

    target copy[day]:
        inputs: load
        outputs: "copy/{day}.txt"
        run: test ! -e broken-{day}; cat {inputs} > {outputs}

    target all:
        inputs: copy[*]
        outputs: "all.txt"
        run: cat {inputs} > {outputs}
"""


def test_what_needs_them_is_tried_again_though_they_are_fresh(workspace: Workspace) -> None:
    """Nothing that was to be made is forgotten since what it needs was made before the backfill was stopped."""
    workspace.pipeline(CHAIN)
    for day in days(2, 3):
        workspace.write(f"broken-{day}", "")
    words = ["backfill", "load", "--to", "2024-01-04", "--with-downstream", "-j1"]
    assert workspace.build(*words, "--max-failures", "1").ran == ["copy[2024-01-01]", *names("load", days(1, 2))]
    ended = workspace.build(*words)
    assert ended.out.startswith("goes on with run 1; done of it: 3 tasks\n6 tasks from copy[2024-01-02] to all;")
    assert ended.failed == names("copy", days(2, 3))
    (workspace.root / "broken-2024-01-02").unlink()
    again = ended.out.splitlines()[-1].removeprefix("to try again only what failed: mlbuild ")
    assert workspace.build(*again.split()).ran == ["copy[2024-01-02]"]
    assert workspace.states()["copy[2024-01-03]"] == "failed"


def test_what_needs_them_is_not_forced(mixed: Workspace) -> None:
    mixed.ok("copy")
    ended = backfill(mixed, "load", "--mode", "all", "--with-downstream")
    assert ended.ran == names("load", days(1, 4))


def test_what_is_gone_is_missing_although_its_code_changed(mixed: Workspace) -> None:
    mixed.ok("copy", "--day", "2024-01-01..2024-01-02")
    (mixed.root / "copy/2024-01-02.txt").unlink()
    mixed.pipeline(BROKEN.replace("# 1", "# 3"))
    assert mixed.states("copy[2024-01-01..2024-01-02]")["copy[2024-01-02]"] == "missing"
    assert backfill(mixed, "copy", "--to", "2024-01-02", "--mode", "missing").ran == ["copy[2024-01-02]"]
    assert backfill(mixed, "copy", "--to", "2024-01-02", "--mode", "stale").ran == ["copy[2024-01-01]"]


def test_upstream_is_what_the_goals_need_and_not_what_those_behind_them_need(workspace: Workspace) -> None:
    workspace.pipeline(
        CHAIN
        + """
    target other:
        outputs: "other.txt"
        run: echo > {outputs}
    target both:
        inputs: copy[*], other
        outputs: "both.txt"
        run: cat {inputs} > {outputs}
    """
    )
    workspace.ok("all", "both")
    words = ["copy", "--to", "2024-01-01", "--with-upstream", "--with-downstream", "--mode", "all"]
    assert backfill(workspace, *words).ran == ["copy[2024-01-01]", "load[2024-01-01]"]


def test_help(mixed: Workspace) -> None:
    assert mixed.run("help", "backfill").out == mixed.run("backfill", "--help").out


def test_from_python(flights: Workspace) -> None:
    path, keys = str(flights.root / "Pipelinefile"), [("day", "2024-01-08..2024-01-09")]
    workspace = mlbuild.open_workspace(path, keys=keys)
    choice = mlbuild.Choice(modes=["missing"], newest_first=True)
    said: list[Event] = []
    plan = mlbuild.plan_backfill(workspace, ["features"], choice)
    assert [task.name for task in plan.chosen] == names("features", ["2024-01-09", "2024-01-08"])
    assert plan.total.run == 2 + 8
    assert mlbuild.backfill(workspace, plan, mlbuild.Options(jobs=2), said.append) == 0
    assert sum(isinstance(event, TaskFinished) for event in said) == 2 + 8
    assert not mlbuild.plan_backfill(mlbuild.open_workspace(path, keys=keys), ["features"], choice).chosen


# --- what changed


def test_a_fix_in_code_makes_exactly_the_days_that_differ(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-10
        target features[day]:
            inputs: "raw/{day}.txt"
            outputs: "features/{day}.txt"
            run: bash features.sh {inputs} > {outputs}
        target train[day]:
            inputs: features
            outputs: "train/{day}.txt"
            run: cat {inputs} > {outputs}
    """)
    for day in days(1, 10):
        workspace.write(f"raw/{day}.txt", "-1\n" if day in days(4, 5) else "1\n")
    workspace.write("features.sh", "cat $1\n")
    workspace.ok("train")
    workspace.write("features.sh", "sed s/-1/0/ $1\n")
    ended = backfill(workspace, "train", "--to", "2024-01-09")
    assert ended.ran == [*names("features", days(1, 9)), *names("train", days(4, 5))]


def test_a_corrected_day_runs_exactly_the_windows_that_hold_it(flights: Workspace) -> None:
    flights.ok("features")
    flights.write("raw/2024-01-09.txt", "corrected\n")
    ended = backfill(flights, "features")
    assert ended.ran == [*names("features", days(9, 15)), "raw[2024-01-09]"]


def test_what_would_be_restored_and_what_can_not_be_made_is_said(failing: Workspace) -> None:
    failing.build("backfill", "load")
    (failing.root / "load/2024-01-01.txt").unlink()
    last = last_line(failing.run("backfill", "load", "-n"))
    assert re.fullmatch(r"altogether: 5 tasks would run; .*; 1 task would be restored; 2 tasks blocked", last)
    only = last_line(failing.run("backfill", "load", "--to", "2024-01-01", "-n"))
    assert only == "altogether: nothing would run; 1 task would be restored"


# --- order


def test_the_next_one_starts_when_one_has_ended(workspace: Workspace) -> None:
    """Of two at once, one lasts until all others were made by its side: there are no batches that wait for it."""
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-06
        target t[day]:
            outputs: "{day}.txt"
            code: none
            run:
                if [ {day} = 2024-01-01 ]; then until [ -e last ]; do sleep 0.02; done; fi
                if [ {day} = 2024-01-06 ]; then touch last; fi
                touch {outputs}
    """)
    ended = backfill(workspace, "t", "--max-active", "2", "-j4")
    assert started(ended) == names("t", days(1, 6))
    running = most = 0
    for event in ended.events:
        running += {"task_started": 1, "task_finished": -1}.get(event["event"], 0)
        most = max(most, running)
    assert most == 2


def test_the_oldest_is_the_first(flights: Workspace) -> None:
    ended = backfill(flights, "features", "--from", "2024-01-07", "--to", "2024-01-09", "-j1")
    assert started(ended) == [
        *names("raw", days(1, 7)),
        "features[2024-01-07]",
        *("raw[2024-01-08]", "features[2024-01-08]", "raw[2024-01-09]", "features[2024-01-09]"),
    ]


def test_the_newest_is_the_first(flights: Workspace) -> None:
    ended = backfill(flights, "features", "--from", "2024-01-07", "--to", "2024-01-09", "-j1", "--newest-first")
    assert started(ended) == [
        *names("raw", days(3, 9)),
        "features[2024-01-09]",
        *("raw[2024-01-02]", "features[2024-01-08]", "raw[2024-01-01]", "features[2024-01-07]"),
    ]


def test_what_needs_the_day_before_waits_for_it_whatever_the_order(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-05
        target state[day]:
            inputs: before = state[day-1]?
            outputs: "{day}.txt"
            run: cat {inputs} /dev/null > {outputs}
    """)
    assert started(backfill(workspace, "state", "--newest-first", "-j1")) == names("state", days(1, 5))


# --- going on


def test_an_interrupted_backfill_goes_on_and_runs_none_twice(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-12
        target t[day]:
            outputs: "{day}.txt"
            code: none
            run:
                echo {day} >> ran
                if [ {day} = 2024-01-05 ] && [ ! -e go ]; then touch there; sleep 1000; fi
                touch {outputs}
    """)
    command = ["backfill", "t", "--from", "2024-01-02", "-j1"]
    process = workspace.start(*command)
    workspace.wait_for("there")
    process.terminate()
    out, _ = process.communicate()
    assert process.returncode == 143
    assert out.endswith("to go on: mlbuild backfill t --from 2024-01-02 -j1\n")
    workspace.write("go", "")
    ended = backfill(workspace, *command[1:])
    assert ended.ran == names("t", days(5, 12))
    assert workspace.lines("ran") == [*days(2, 5), *days(5, 12)]  # the one that was stopped is done again


COUNTED = """
    partition day: daily from 2024-01-01 to 2024-01-08
    target t[day]:
        outputs: "{day}.txt"
        code: none
        run:
            echo {day} >> ran
            if [ {day} = 2024-01-05 ] && [ ! -e go ]; then touch there; sleep 1000; fi
            touch {outputs}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_all_goes_on_where_it_was_and_is_one_thing_to_look_back_at(workspace: Workspace, number: int) -> None:
    workspace.pipeline(COUNTED)
    workspace.write("go", "")
    backfill(workspace, "t", "--to", "2024-01-06")
    (workspace.root / "go").unlink()
    (workspace.root / "ran").unlink()
    command = ["backfill", "t", "--mode", "all", "-j1"]
    process = workspace.start(*command)
    workspace.wait_for("there")
    process.send_signal(number)
    process.communicate()
    workspace.write("go", "")
    workspace.kill_supervisors()
    ended = workspace.run(*command)
    assert ended.out.splitlines()[:2] == [
        "goes on with run 2; done of it: 4 tasks",
        "4 tasks from t[2024-01-05] to t[2024-01-08]; if it is interrupted, the same command goes on",
    ]
    assert workspace.lines("ran") == [*days(1, 5), *days(5, 8)]  # what was stopped is done again
    _, row, first = workspace.run("runs").out.splitlines()
    words = row.split()
    assert (words[0], words[3], " ".join(words[5:12])) == ("3", "ok", "8 tasks run in runs 2, 3")
    assert "6 tasks run" in first
    (one, _) = json.loads(workspace.run("runs", "--json").out)["runs"]
    assert (one["run"], one["parts"], one["counts"]) == (3, [2, 3], {"built": 8})
    assert "\nbackfill  in runs 2, 3\n" in workspace.run("runs", "2").out
    workspace.run(*command)
    assert workspace.lines("ran")[9:] == days(1, 8)  # it was through: this is another one
    assert json.loads(workspace.run("runs", "--json").out)["runs"][0]["parts"] == []


def test_what_was_chosen_since_it_had_failed_is_still_chosen_when_it_was_stopped(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-06
        target load[day]:
            outputs: "load/{day}.txt"
            code: none
            run: test -e go; echo {day} > {outputs}
        target copy[day]:
            inputs: load
            outputs: "copy/{day}.txt"
            code: none
            run:
                if [ {day} = 2024-01-03 ] && [ ! -e free ]; then touch there; sleep 1000; fi
                cat {inputs} > {outputs}
    """)
    assert workspace.build("backfill", "copy", "--to", "2024-01-04").failed == names("load", days(1, 4))
    workspace.write("go", "")
    command = ["backfill", "copy", "--mode", "failed", "-j1"]
    process = workspace.start(*command)
    workspace.wait_for("there")
    process.send_signal(signal.SIGINT)
    process.communicate()
    workspace.write("free", "")
    assert "copy  6 tasks: 2 fresh, 3 missing, 1 failed\n" in workspace.run("backfill", "copy", "-n").out
    ended = backfill(workspace, *command[1:])
    assert ended.ran == [*names("copy", days(3, 4)), "load[2024-01-04]"]


def test_what_failed_with_all_else_tried_is_through(failing: Workspace) -> None:
    command = ["backfill", "load", "--mode", "all", "--to", "2024-01-10"]
    assert failing.build(*command).status == 1
    assert len(failing.build(*command, "--max-failures", "1", "-j1").ran) == 1
    again = failing.build(*command, "-j1")
    assert "goes on with run 2; done of it: 1 task\n" in again.out
    assert again.ran == names("load", [*days(5, 6), *days(8, 8), *days(10, 10)])


# --- failures

FAILING = """
    partition day: daily from 2024-01-01 to 2024-01-12
    partition region: ["us", "eu"]

    target load[day]:
        inputs: "raw/{day}.txt"
        outputs: "load/{day}.txt"
        run: bash load.sh {day} > {outputs}

    target copy[day, region]:
        inputs: load
        outputs: "copy/{day}-{region}.txt"
        run: cat {inputs} > {outputs}
"""
SCRIPT = """
    case $1 in
        *-02|*-03|*-04|*-07) echo "no table $1" >&2; exit 3;;
        *-09) echo "no disk" >&2; exit 4;;
    esac
    echo $1
"""


@pytest.fixture
def failing(workspace: Workspace) -> Workspace:
    """Five days fail, for two causes; of two more the raw data is not there."""
    workspace.pipeline(FAILING)
    workspace.write("load.sh", SCRIPT)
    for day in days(1, 10):
        workspace.write(f"raw/{day}.txt", f"{day}\n")
    return workspace


def test_it_keeps_going_and_ends_with_the_keys_that_failed_by_cause(failing: Workspace) -> None:
    ended = failing.build("backfill", "copy", "-j1")
    assert ended.status == 1
    assert [task for task in ended.ran if "load" in task] == names(
        "load", [*days(1, 1), *days(5, 6), *days(8, 8), *days(10, 10)]
    )
    told = re.sub(r"\S+\.(log|jsonl)", r"A.\1", ended.out[ended.out.index("\n\n") + 2 :])
    assert re.sub(r"in \d.*s$", "in 0.0s", told, flags=re.MULTILINE).splitlines() == [
        "load failed at 4 keys: exit status 3",
        "    load[2024-01-02..2024-01-04], load[2024-01-07]",
        "    load[2024-01-02]:",
        "    $ bash load.sh 2024-01-02 > load/2024-01-02.txt",
        "    | no table 2024-01-02",
        "    the whole log: A.log",
        "    blocked by that: copy[2024-01-02..2024-01-04,us], copy[2024-01-07,us], copy[2024-01-02..2024-01-04,eu], "
        "copy[2024-01-07,eu]",
        "",
        "load[2024-01-09] failed: exit status 4",
        "    $ bash load.sh 2024-01-09 > load/2024-01-09.txt",
        "    | no disk",
        "    the whole log: A.log",
        "    blocked by that: copy[2024-01-09,us], copy[2024-01-09,eu]",
        "",
        "blocked: no target makes raw/{day}.txt, and it does not exist",
        "    load[2024-01-11..2024-01-12], copy[2024-01-11..2024-01-12,us], copy[2024-01-11..2024-01-12,eu]",
        "",
        "15 tasks run, 5 tasks failed, 16 tasks blocked in 0.0s",
        "to try again only what failed: mlbuild backfill copy -j1 --events A.jsonl --mode failed",
    ]


def test_a_detached_one_is_told_as_any_other(failing: Workspace) -> None:
    failing.run("backfill", "copy", "--mode", "failed,missing", "--detach", "-j1")
    shown = failing.run("attach", "1")
    assert shown.status == 1
    assert "\n    load[2024-01-02..2024-01-04], load[2024-01-07]\n" in shown.out
    again = "mlbuild backfill copy --detach -j1 --mode failed"
    assert shown.out.splitlines()[-1] == f"to try again only what failed: {again}"
    failing.pipeline('target other:\n    outputs: "o.txt"\n    run: echo > {outputs}\n')
    shown = failing.run("attach", "1")  # what the keys of its tasks are is not known any more
    assert "\nload[2024-01-02] failed: exit status 3\n" in shown.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_how_to_go_on_is_said_of_a_detached_one(workspace: Workspace, number: int) -> None:
    workspace.pipeline(COUNTED)
    workspace.run("backfill", "t", "-j1", "--detach")
    workspace.wait_for("there")
    driver = json.loads(workspace.run("cancel", "-n", "--json").out)["builds"][0]["pid"]
    os.kill(driver, number)
    shown = workspace.run("attach", "1")
    told = (shown.out if number == signal.SIGTERM else shown.err).splitlines()[-1]
    assert told.endswith("to go on: mlbuild backfill t -j1 --detach")
    workspace.write("go", "")
    workspace.kill_supervisors()
    assert backfill(workspace, "t", "-j1").ran == names("t", days(5, 8))


def test_only_what_failed_is_tried_again(failing: Workspace) -> None:
    failing.build("backfill", "copy", "--from", "2024-01-02", "--to", "2024-01-10")
    failing.write("load.sh", "echo $1\n")
    ended = backfill(failing, "copy", "--mode", "failed")
    assert [task for task in ended.ran if "load" in task] == names("load", [*days(2, 4), *days(7, 7), *days(9, 9)])
    assert len(ended.ran) == 15


def test_after_enough_failures_no_more_is_started(failing: Workspace) -> None:
    ended = failing.build("backfill", "copy", "-j1", "--max-failures", "2")
    assert ended.failed == names("load", days(2, 3))
    assert ended.ran == ["copy[2024-01-01,eu]", "copy[2024-01-01,us]", "load[2024-01-01]"]
    assert " tasks not run in " in ended.out
    failing.write("load.sh", "echo $1\n")
    ended = backfill(failing, "load", "--to", "2024-01-10")
    assert ended.ran == names("load", days(1, 10))


def test_keys_that_only_quotes_tell_apart_are_named_one_by_one(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition part: ["a", "b", "c d", "e f", "g", "h"]
        target t[part]:
            outputs: "{part}.txt"
            run: exit 1
    """)
    (goals,) = [line for line in workspace.build("backfill", "t").out.splitlines() if line.startswith("    t[a..b]")]
    assert goals == '    t[a..b], t["c d"], t["e f"], t[g..h]'
    assert len(workspace.build("-k", *goals.strip().split(", ")).failed) == 6


# --- a canary

CHECKED = """
    partition day: daily from 2024-01-01 to 2024-01-10

    target load[day]:
        outputs: "load/{day}.csv"
        run: bash load.sh {day} > {outputs}

    target copy[day]:
        inputs: load
        outputs: "copy/{day}.csv"
        check: rows(outputs) >= 0.5 * rows(copy[day+1]), "half is missing"
        run: cat {inputs} > {outputs}
"""


@pytest.fixture
def checked(workspace: Workspace) -> Workspace:
    workspace.pipeline(CHECKED)
    workspace.write("load.sh", "seq 11\n")
    return workspace


def test_the_canary_is_made_before_all_else(checked: Workspace) -> None:
    ended = backfill(checked, "copy", "--canary", "3", "-j4")
    assert sorted(started(ended)[:6]) == [*names("copy", days(1, 3)), *names("load", days(1, 3))]
    assert len(ended.ran) == 20
    assert "        the canary held: all else follows\n" in ended.out
    words = [event.get("text") or event["event"] for event in ended.events]
    at = words.index("the canary held: all else follows")
    assert (words[:at].count("task_finished"), words[:at].count("task_started")) == (6, 6)


def test_nothing_follows_a_canary_that_does_not_hold(checked: Workspace) -> None:
    checked.write("load.sh", "case $1 in *-02) seq 2;; *) seq 11;; esac\n")
    ended = checked.build("backfill", "copy", "--canary", "3", "-j1")
    assert ended.status == 1
    assert ended.failed == ["copy[2024-01-02]"]
    assert ended.ran == ["copy[2024-01-01]", "copy[2024-01-03]", *names("load", days(1, 3))]
    assert "        the canary did not hold: nothing else is started\n" in ended.out
    assert "\n5 tasks run, 1 task failed, 14 tasks not run in " in ended.out
    assert "\nto go on: mlbuild backfill copy --canary 3 -j1" in ended.out
    checked.write("load.sh", "seq 11 # corrected\n")
    assert "would run" in checked.run("backfill", "copy", "--canary", "3", "-n").out
    assert len(backfill(checked, "copy", "--canary", "3").ran) == 10 + 8


def test_what_is_in_place_is_not_said_not_to_have_run(checked: Workspace) -> None:
    backfill(checked, "load")
    checked.pipeline(CHECKED.replace("run: cat {inputs}", "run: test {day} != 2024-01-01; cat {inputs}"))
    ended = checked.build("backfill", "copy", "--canary", "1", "-j1")
    assert (ended.failed, ended.ran) == (["copy[2024-01-01]"], [])
    assert "\n1 task failed, 9 tasks not run in " in ended.out
    assert ended.events[-1]["counts"] == {"failed": 1, "cancelled": 9, "fresh": 1}
    assert "\nto go on: mlbuild backfill copy --canary 1 -j1" in ended.out


def test_a_backfill_that_goes_on_counts_what_it_has_made(checked: Workspace) -> None:
    checked.write("load.sh", "case $1 in *-04) exit 1;; *) seq 11;; esac\n")
    words = ["backfill", "copy", "-j1", "--canary", "2"]
    assert "the canary: copy[2024-01-01] and 1 more task" in checked.run(*words, "-n").out
    assert checked.build(*words, "--max-failures", "1").failed == ["load[2024-01-04]"]
    assert "the canary: " not in checked.run(*words, "-n").out
    assert "the canary: copy[2024-01-04] and 1 more task" in checked.run(*words, "--to", "2024-01-09", "-n").out


def test_what_needs_nothing_but_a_canary_belongs_to_it(workspace: Workspace) -> None:
    workspace.pipeline(CHAIN)
    workspace.write("broken-2024-01-02", "")
    words = ["backfill", "load", "--with-downstream", "--canary", "2", "-j1"]
    ended = workspace.build(*words)
    assert (ended.failed, ended.ran) == (["copy[2024-01-02]"], ["copy[2024-01-01]", *names("load", days(1, 2))])
    assert "        the canary did not hold: nothing else is started\n" in ended.out
    assert workspace.build(*words).failed == ["copy[2024-01-02]"]  # though all of `load` that comes first is made
    (workspace.root / "broken-2024-01-02").unlink()
    assert started(backfill(workspace, *words[1:]))[:2] == ["copy[2024-01-02]", "load[2024-01-03]"]


def test_a_canary_is_of_the_goals_whatever_is_chosen_beside(flights: Workspace) -> None:
    words = ["backfill", "features", "--from", "2024-01-08", "--with-upstream", "--canary", "1", "-n"]
    assert "\nthe canary: features[2024-01-08]\n" in flights.run(*words).out


# --- what can't be


@pytest.mark.parametrize("words", [(), ("--from", "2999-02-01"), ("-n",)])
def test_a_calendar_that_has_not_begun(workspace: Workspace, words: tuple[str, ...]) -> None:
    workspace.pipeline("""
        partition day: daily from 2999-01-01

        target raw[day]:
            outputs: "raw/{day}"
            run: echo > {outputs}
    """)
    ended = workspace.run("backfill", "raw", *words)
    assert (ended.status, ended.err) == (2, "error: there are no keys of the goals as yet\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["lonely"],
            "error: none of the goals has a partition\n"
            "  hint: `mlbuild GOAL` builds what has no keys; with keys there are: raw, features, scores\n",
        ),
        (
            ["raw", "--from", "2024-02-01"],
            "error: --from 2024-02-01: no key of `day` lies there (20 keys from 2024-01-01 to 2024-01-20)\n",
        ),
        (
            ["raw", "--from", "2023-11", "--to", "2023-12"],
            "error: --from 2023-11 --to 2023-12: no key of `day` lies there (20 keys from 2024-01-01 to 2024-01-20)\n",
        ),
        (
            ["raw", "--from", "2024-01-06", "--to", "2024-01-05"],
            "error: --from 2024-01-06 lies behind --to 2024-01-05\n",
        ),
        (
            ["raw", "--from", "2024-01-31", "--to", "90d"],
            "error: --to 90d: `day` has no key 90d (20 keys from 2024-01-01 to 2024-01-20)\n"
            "  hint: a date is needed, as in 2024-01-01\n",
        ),
        (
            ["raw", "--from", "2024-13"],
            "error: --from 2024-13: `day` has no key 2024-13 (20 keys from 2024-01-01 to 2024-01-20)\n"
            "  hint: a date is needed, as in 2024-01-01\n",
        ),
        (
            ["raw", "--region", "eu"],
            "error: none of the goals has the partition `region`\n  hint: theirs: --day\n",
        ),
        (
            [],
            "error: a goal is needed: nothing of the default has a partition\n"
            "  hint: with keys there are: raw, features, scores\n",
        ),
        (
            ["raw", "--mode", "old"],
            "error: argument --mode: there is no mode old; there are missing, failed, stale and all\n"
            "  hint: `mlbuild backfill --help` lists the options\n",
        ),
        (
            ["raw", "--from", "2024-01-02..2024-01-03"],
            "error: --from 2024-01-02..2024-01-03: that is no key but a range\n"
            "  hint: as in --day 2024-01-02..2024-01-03\n",
        ),
        (
            ["raw", "-k"],
            "error: there is no option -k\n  hint: `mlbuild backfill --help` lists the options\n",
        ),
        (
            ["raw", "--json"],
            "error: --json is for what would be done\n  hint: with -n; `--events PATH` writes what happens, as JSON\n",
        ),
        (
            ["scores", "--region", "us,xx"],
            "error: --region us,xx: `region` has no key xx (its keys: us, eu)\n",
        ),
    ],
)
def test_mistakes(flights: Workspace, words: list[str], said: str) -> None:
    ended = flights.run("backfill", *words)
    assert (ended.status, ended.out, ended.err) == (2, "", said)


def test_the_partitions_of_the_goals_are_offered_for_another(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-20
        partition week: weekly from 2024-01-01 to 2024-01-20
        target load[day]:
            outputs: "load/{day}.txt"
            run: echo > {outputs}
        target roll[week]:
            outputs: "roll/{week}.txt"
            run: echo > {outputs}
    """)
    ended = workspace.run("backfill", "roll", "--day", "2024-01-10")
    said = "error: none of the goals has the partition `day`\n  hint: theirs: --week 2024-01-10\n"
    assert (ended.status, ended.err) == (2, said)
    assert backfill(workspace, "roll", "--week", "2024-01-10").ran == ["roll[2024-01-08]"]


def test_of_two_calendars_one_is_to_be_named(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition day: daily from 2024-01-01 to 2024-01-02
        partition month: monthly from 2024-01 to 2024-02
        target t[day, month]:
            outputs: "{day}-{month}.txt"
            run: echo > {outputs}
    """)
    ended = workspace.run("backfill", "t", "--from", "2024-01-01")
    assert (ended.status, ended.err) == (
        2,
        "error: --from: the goals have the partitions day, month; which is meant?\n  hint: as in --day FIRST..LAST\n",
    )
    assert len(backfill(workspace, "t", "--day", "2024-01-02..").ran) == 2
