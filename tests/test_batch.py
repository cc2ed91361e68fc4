"""`batch:`: one run of a recipe for several keys, each of which keeps its own fingerprint, outputs, checks, history."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from parts import ROUNDS, recorded
from workspace import Workspace, names

from mlbuild.engine.attempts import KILL_POINTS
from mlbuild.executors.supervisor import KILL_POINTS as SUPERVISOR_KILL_POINTS

KEYS = [str(number) for number in range(7)]

PIPELINE = """
    partition k: range(7)
    param version = 1

    target part[k]:
        inputs: file = "in/{k}.txt"
        outputs: "out/{k}.txt"
        batch: 3
        run:
            echo {k} >> runs
            for k in {k}; do
                exec 9> lock.$k; flock -n 9 || { echo $k >> doubled; exit 9; }
                echo half > out/$k.txt
            done
            for k in {k}; do (cat in/$k.txt; echo {version}) > out/$k.txt; done

    target whole:
        inputs: part[*]
        outputs: "whole.txt"
        run: cat {inputs} > {outputs}

    default whole
"""


@pytest.fixture
def batches(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    for key in KEYS:
        workspace.write(f"in/{key}.txt", f"in {key}\n")
    return workspace


def whole(version: int) -> str:
    return "".join(f"in {key}\n{version}\n" for key in KEYS)


# --- What runs together


def test_one_run_for_several_keys(batches: Workspace) -> None:
    ended = batches.ok("-j1")
    assert batches.lines("runs") == ["0 1 2", "3 4 5", "6"]
    assert ended.ran == [*names("part", KEYS), "whole"]
    assert batches.read("whole.txt") == whole(1)
    started = {row["task"]: (row["batch"], row["carrier"]) for row in ended.events if row["event"] == "task_started"}
    assert [started[f"part[{key}]"] for key in KEYS] == [(3, "part[0]")] * 3 + [(3, "part[3]")] * 3 + [(1, "")]
    assert "start   part[0 … +2]\nstart   part[3" not in ended.out
    assert ended.out.splitlines()[:4] == [
        "start   part[0 … +2]",
        *(line for line in ended.out.splitlines() if line.startswith("done    part[") and line[13] in "012"),
    ]
    assert batches.ok().ran == []


def test_only_what_is_stale_is_in_a_batch(batches: Workspace) -> None:
    batches.ok("-j1")
    for key in "0", "2", "3", "6":
        batches.write(f"in/{key}.txt", f"in {key}!\n")
    assert batches.ok("-j1").ran == [*names("part", ["0", "2", "3", "6"]), "whole"]
    assert batches.lines("runs")[3:] == ["0 2 3", "6"]


def test_a_key_is_the_same_task_alone_and_with_others(batches: Workspace) -> None:
    batches.ok("part[4]")
    assert batches.ok("-j1", "part").ran == names("part", [key for key in KEYS if key != "4"])
    assert batches.lines("runs") == ["4", "0 1 2", "3 5 6"]
    batches.pipeline(PIPELINE.replace("batch: 3", "batch: 100"))
    assert batches.ok("part").ran == []
    (batches.root / "out/1.txt").unlink()
    assert batches.ok("part").restored == ["part[1]"]


def test_the_keys_of_other_partitions_are_the_same_in_a_batch(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition region: ["us", "eu"]
        partition day: daily from 2013-01-01 to 2013-01-03
        target f[region, day]:
            outputs: "out/{region}/{day}.txt"
            batch: 10
            run: echo {region} {day:%d} >> runs; touch {outputs}
        """
    )
    assert len(workspace.ok("-j1").ran) == 6
    assert workspace.lines("runs") == ["us 01 02 03", "eu 01 02 03"]


def test_a_batch_is_as_full_as_what_is_ready_allows(workspace: Workspace) -> None:
    """However long deciding takes: before a batch starts that is not full, all that can be decided is."""
    workspace.pipeline(
        """
        partition k: range(500)
        target f[k]:
            outputs: "out/{k}"
            batch: 200
            run: echo {k} | wc -w >> runs; touch {outputs}
        """
    )
    workspace.ok("-j4")
    assert sorted(map(int, workspace.lines("runs"))) == [100, 200, 200]


def test_what_comes_while_there_is_no_room_is_in_the_next_batch(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(6)
        target raw[k]:
            outputs: "raw/{k}"
            run: touch {outputs}
        target f[k]:
            inputs: raw
            outputs: "out/{k}"
            batch: 4
            run: echo {k} >> runs; touch {outputs}
        """
    )
    workspace.ok("-j1", "f")
    assert workspace.lines("runs") == ["0 1 2 3", "4 5"]


def test_a_batch_is_one_of_max_active(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(12)
        target f[k]:
            outputs: "out/{k}"
            batch: 3
            max_active: 2
            run: echo + >> log; sleep 0.05; echo - >> log; touch {outputs}
        target other:
            outputs: "other"
            run: touch {outputs}
        target all:
            inputs: f[*], other
        """
    )
    assert len(workspace.ok("-j6", "all").ran) == 13
    running = [workspace.lines("log")[:end] for end in range(9)]
    assert max(lines.count("+") - lines.count("-") for lines in running) == 2


def test_the_newest_first(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition day: daily from 2013-01-01 to 2013-01-05
        target f[day]:
            outputs: "out/{day}"
            batch: 2
            run: echo {day:%d} >> runs; touch {outputs}
        """
    )
    assert workspace.run("backfill", "f", "--newest-first", "-j1").status == 0
    assert workspace.lines("runs") == ["04 05", "02 03", "01"]


# --- What the recipe is given


def test_what_differs_is_a_list(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition region: ["eu"]
        partition k: ["a", "b c"]
        param lr = 0.1
        target f[region, k]:
            inputs: own = "in/{k}.txt", shared = "shared.txt"
            outputs: text = "out/{region} {k}.txt", log = "out/{region} {k}.log"
            metrics: "out/{region} {k}.json"
            batch: 9
            run:
                printf '%s|' {target} {region} {k} {lr}; echo
                printf '%s|' {inputs.own} {inputs.shared}; echo
                printf '%s|' {outputs}; echo
                printf '%s|' {outputs.log} {metrics}; echo
                printf '%s|' {k:--key} "{k}" {outputs.text:stem}; echo
                echo {inputs:json}
                cat {outputs:file}
                echo {k:json} {region:json}
                touch {outputs} {metrics}
        """
    )
    for path in "in/a.txt", "in/b c.txt", "shared.txt":
        workspace.write(path, path)
    workspace.ok("-j1")
    assert workspace.run("log", 'f[eu,"b c"]').out.splitlines() == [
        "f|eu|a|b c|0.1|",
        "in/a.txt|in/b c.txt|shared.txt|",
        "out/eu a.txt|out/eu a.log|out/eu b c.txt|out/eu b c.log|",
        "out/eu a.log|out/eu b c.log|out/eu a.json|out/eu b c.json|",
        "--key|a|--key|b c|a b c|eu a|eu b c|",
        '[{"path": "in/a.txt", "target": null, "keys": {}, "for": ["a"]}, '
        '{"path": "in/b c.txt", "target": null, "keys": {}, "for": ["b c"]}, '
        '{"path": "shared.txt", "target": null, "keys": {}, "for": ["a", "b c"]}]',
        "out/eu a.txt",
        "out/eu a.log",
        "out/eu b c.txt",
        "out/eu b c.log",
        '["a", "b c"] "eu"',
    ]


def test_in_python(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition region: ["eu"]
        partition k: range(3)
        target f[region, k]:
            inputs: raw = "in/{k}.txt"
            outputs: text = "out/{region}-{k}.txt"
            batch: 2
            run python:
                print(region, k, inputs, inputs.raw, outputs, outputs.text)
                for number, source, path in zip(k, inputs.raw, outputs.text, strict=True):
                    open(path, "w").write(open(source).read() * number)
        """
    )
    for key in range(3):
        workspace.write(f"in/{key}.txt", str(key))
    workspace.ok("-j1")
    assert [workspace.read(f"out/eu-{key}.txt") for key in range(3)] == ["", "1", "22"]
    first, alone = (workspace.run("log", f"f[eu,{key}]").out for key in (1, 2))
    ins, outs = ["in/0.txt", "in/1.txt"], ["out/eu-0.txt", "out/eu-1.txt"]
    assert first == f"eu [0, 1] {ins} {ins} {outs} {outs}\n"
    assert alone == "eu [2] ['in/2.txt'] ['in/2.txt'] ['out/eu-2.txt'] ['out/eu-2.txt']\n"
    assert workspace.ok().ran == []


WINDOWS = """
    partition day: daily from 2024-01-01 to 2024-01-04
    target extract[day]:
        outputs: "raw/{day}.txt"
        run: touch {outputs}
    target model:
        outputs: "model.txt", "model.log"
        run: touch {outputs}
    target features[day]:
        inputs: week = extract[day-1..day], model, opt = "corr/{day}.csv"?, own = extract
        outputs: "out/{day}.txt"
        batch: 10
"""


@pytest.mark.parametrize("source", ["", "mlbuild.stage"])
def test_each_key_has_just_what_it_has_alone(workspace: Workspace, source: str) -> None:
    """A window that grows, an input that is not always there, one that is the same for all."""
    workspace.pipeline(
        WINDOWS
        + (
            "        run: python f.py; echo {day:json} > days"
            if source
            else "        run python:\n            exec(open('f.py').read())  # inputs outputs metrics"
        ).replace("# inputs", "\n            inputs, outputs, metrics  #")
    )
    workspace.write("corr/2024-01-02.csv", "")
    workspace.write(
        "f.py",
        (f"from {source} import inputs, metrics, outputs\n" if source else "")
        + """import json
for number, path in enumerate(outputs):
    json.dump([inputs[number], inputs.week[number], inputs.model[number], inputs.opt[number], inputs.own[number],
        inputs[number].week, outputs[number], metrics[number]], open(path, "w"))
""",
    )
    raw, models = [f"raw/2024-01-0{day}.txt" for day in range(1, 5)], ["model.txt", "model.log"]
    expected = []
    for day in range(4):
        week, opt = raw[max(0, day - 1) : day + 1], "corr/2024-01-02.csv" if day == 1 else None
        all_of_it = [*week, *models, *([opt] if opt else []), raw[day]]
        expected.append([all_of_it, week, models, opt, raw[day], week, f"out/2024-01-0{day + 1}.txt", []])
    outs = [f"out/2024-01-0{day}.txt" for day in range(1, 5)]
    workspace.ok("features[2024-01-02]")
    workspace.ok("-j1", "extract", "features")
    assert [json.loads(workspace.read(path)) for path in outs] == expected
    workspace.write("model.txt", "")
    for path in outs:
        (workspace.root / path).unlink()
    assert json.loads(workspace.run("runs", "2", "--json").out)["tasks"][-1]["batch"] == 3
    assert workspace.ok("features").restored == [f"features[2024-01-0{day}]" for day in range(1, 5)]


def test_json_says_for_which_keys_each_path_is(workspace: Workspace) -> None:
    workspace.pipeline(
        WINDOWS + "        run: echo {inputs.week:json} > week; echo {inputs.model} > m; touch {outputs}"
    )
    workspace.ok("-j1", "extract")
    workspace.ok("-j1", "features")
    days = [f"2024-01-0{day}" for day in range(1, 5)]
    assert json.loads(workspace.read("week")) == [
        {"path": f"raw/{day}.txt", "target": "extract", "keys": {"day": day}, "for": days[position : position + 2]}
        for position, day in enumerate(days)
    ]
    assert workspace.read("m") == "model.txt model.log\n"


def test_a_path_that_keys_share_stands_there_for_each(workspace: Workspace) -> None:
    """So that the first word is of the first key, and so on, whatever the paths are."""
    workspace.pipeline(
        """
        partition day: daily from 2024-01-30 to 2024-02-01
        partition month: monthly from 2024-01 to 2024-02
        target summary[month]:
            outputs: "summaries/{month}"
            run: touch {outputs}
        target f[day]:
            inputs: summary[month = day], own = "in/{day}"
            outputs: "out/{day}"
            batch: 9
            run: echo {inputs.summary} > words; echo {inputs} >> words; touch {outputs}
        """
    )
    days = ["2024-01-30", "2024-01-31", "2024-02-01"]
    for day in days:
        workspace.write(f"in/{day}", "")
    workspace.ok("summary")
    workspace.ok("f")
    summaries = [f"summaries/{day[:7]}" for day in days]
    both = [path for summary, day in zip(summaries, days, strict=True) for path in (summary, f"in/{day}")]
    assert workspace.lines("words") == [" ".join(summaries), " ".join(both)]


def test_a_key_that_lacks_an_input_since_it_failed_runs_alone(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(3)
        target raw[k]:
            outputs: "raw/{k}"
            on_failure: continue
            run: [ {k} != 1 ] && touch {outputs}
        target f[k]:
            inputs: raw
            outputs: "out/{k}"
            batch: 3
            run: echo {k}: {inputs} >> words; touch {outputs}
        """
    )
    workspace.build("-k", "-j1", "f")
    assert sorted(workspace.lines("words")) == ["0: raw/0", "1:", "2: raw/2"]


@pytest.mark.parametrize(
    ("slot", "message", "hint"),
    [
        ("{inputs.week}", "`{inputs.week}` may be more or fewer paths than one for each day", "use {inputs.week:json}"),
        ("{inputs.opt:stem}", "`{inputs.opt:stem}` may be more or fewer paths", "use {inputs.opt:json}"),
        ("{inputs.two:file}", "`{inputs.two:file}` may be more or fewer paths", "use {inputs.two:json}"),
        ("{inputs.hours}", "`{inputs.hours}` may be more or fewer paths", "use {inputs.hours:json}"),
        ("{inputs.some}", "`{inputs.some}` may be more or fewer paths", "use {inputs.some:json}"),
        (
            "{inputs}",
            "`{inputs}` may be more or fewer paths",
            "name what you mean, as in {inputs.NAME}, or use {inputs:json}",
        ),
    ],
)
def test_words_of_which_nobody_could_tell_whose_they_are(
    workspace: Workspace, slot: str, message: str, hint: str
) -> None:
    workspace.pipeline(
        """
        partition day: daily from 2024-01-01 to 2024-01-04
        partition hour: hourly from 2024-01-01T00 to 2024-01-04T23
        target extract[day]:
            outputs: "raw/{day}.txt"
            run: touch {outputs}
        target two[day]:
            outputs: "two/{day}.txt", "two/{day}.log"
            run: touch {outputs}
        target hours[hour]:
            outputs: "hours/{hour}.txt"
            run: touch {outputs}
        target features[day]:
            inputs: week = extract[day-6..day], two, hours[hour = day], opt = "corr/{day}.csv"?, some = glob("{day}*")
            outputs: "out/{day}.txt"
            batch: 10
            run: cat SLOT > {outputs}
        """.replace("SLOT", slot)
    )
    ended = workspace.build()
    assert ended.status == 2
    lines = ended.err.splitlines()
    assert lines[0].startswith(f"Pipelinefile:16:14: error: {message}")
    assert lines[2].strip(" |") == "^" * len(slot)
    assert lines[3] == f"  hint: in a batch nobody could tell which belong to which day: {hint} or `run python:`"


def test_in_a_script_that_asks_mlbuild(workspace: Workspace) -> None:
    workspace.write("params.yaml", "models:\n  a:\n    lr: 1\n  b:\n    lr: 2\n  c:\n    lr: 3\n")
    workspace.write(
        "f.py",
        """
        from mlbuild.stage import inputs, keys, outputs, params
        for model, path in zip(keys.model, outputs, strict=True):
            open(path, "w").write(str(params.models[model].lr))
        """,
    )
    workspace.pipeline(
        """
        params "params.yaml"
        partition model: keys(params.models)
        target f[model]:
            outputs: "out/{model}.txt"
            params: params.models[model].lr
            batch: 2
            run: echo {model} >> runs; python f.py
        """
    )
    assert len(workspace.ok("-j1").ran) == 3
    assert [workspace.read(f"out/{key}.txt") for key in "abc"] == ["1", "2", "3"]
    workspace.write("params.yaml", "models:\n  a:\n    lr: 1\n  b:\n    lr: 4\n  c:\n    lr: 3\n")
    assert workspace.ok().ran == ["f[b]"]
    assert workspace.lines("runs") == ["a b", "c", "b"]


# --- Whose failure it is


def test_a_key_without_its_output_fails_alone(batches: Workspace) -> None:
    batches.pipeline(PIPELINE.replace("do (cat", "do [ $k = 1 ] && rm out/1.txt || (cat"))
    ended = batches.build("-k", "-j1")
    assert (ended.status, ended.failed) == (1, ["part[1]"])
    assert "part[1] failed: out/1.txt is not there\n" in ended.out
    assert ended.ran == names("part", [key for key in KEYS if key != "1"])
    assert batches.lines("runs") == ["0 1 2", "3 4 5", "6"]


def test_checks_are_of_each_key(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(3)
        target f[k]:
            outputs: "out/{k}.csv"
            check: rows(outputs) > 1, "{k} is too small"
            batch: 3
            run python:
                for number, path in zip(k, outputs):
                    open(path, "w").write("x\\n" + "1\\n" * (number + 1))
        """
    )
    ended = workspace.build("-k")
    assert (ended.failed, ended.ran) == (["f[0]"], ["f[1]", "f[2]"])
    assert "f[0] failed: check rows(outputs) > 1 does not hold (rows(outputs) is 1): 0 is too small\n" in ended.out
    assert not workspace.exists("out/0.csv")


def test_a_batch_that_fails_does_not_say_whose_fault_it_is(batches: Workspace) -> None:
    batches.pipeline(PIPELINE.replace("do (cat", "do [ $k != 1 ] || { echo no; exit 3; }; (cat"))
    ended = batches.build("-k", "-j1", "part")
    assert (ended.status, ended.failed) == (1, ["part[1]"])
    assert ended.ran == names("part", [key for key in KEYS if key != "1"])
    assert batches.lines("runs") == ["0 1 2", "3 4 5", "6", "0", "1", "2"]
    (row,) = (row for row in ended.events if row["event"] == "batch_failed")
    assert {name: value for name, value in row.items() if name != "time"} == {
        "event": "batch_failed",
        "tasks": names("part", ["0", "1", "2"]),
        "exit_code": 3,
        "reason": "exit",
        "detail": "",
        "log": ".mlbuild/runs/1/logs/1-1.log",
    }
    line = "alone   part[0], part[1] and part[2] are run one by one: the run for all of them failed: exit status 3"
    assert ended.out.count(f"{line} (its log: {row['log']})\n") == 1
    assert ended.tasks("task_retried") == []


def test_a_batch_that_is_killed_is_tried_key_by_key(batches: Workspace) -> None:
    batches.pipeline(PIPELINE.replace("batch: 3", "batch: 4").replace("for k in {k}", "kill -9 $$; for k in {k}"))
    ended = batches.build("-k", "-j1", "part", "--k", "0..3")
    assert ended.failed == names("part", ["0", "1", "2", "3"])
    assert "alone   4 tasks are run one by one: the run for all of them was killed by SIGKILL\n" in ended.out


def test_a_batch_that_fails_costs_no_retry(batches: Workspace) -> None:
    batches.pipeline(
        PIPELINE.replace("batch: 3", "batch: 3\n        retry: 1, backoff = 10ms").replace(
            "do (cat", "do [ $k != 1 ] || exit 3; (cat"
        )
    )
    ended = batches.build("-k", "-j1", "part", "--k", "0,1")
    assert (ended.failed, ended.ran) == (["part[1]"], ["part[0]"])
    assert batches.lines("runs") == ["0 1", "0", "1", "1"]
    assert ended.tasks("task_retried") == ["part[1]"]


def test_a_batch_out_of_time_is_tried_key_by_key(batches: Workspace) -> None:
    batches.pipeline(
        PIPELINE.replace("batch: 3", "batch: 3\n        timeout: 500ms").replace(
            "for k in {k}; do (cat", "set -- {k}; [ $# = 1 ] || sleep 60\n            for k in {k}; do (cat"
        )
    )
    ended = batches.ok("part", "--k", "1,2")
    assert ended.ran == ["part[1]", "part[2]"]
    (row,) = (row for row in ended.events if row["event"] == "batch_failed")
    assert row["reason"] == "timeout"


def test_a_key_whose_output_has_no_place_fails_alone(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(3)
        target f[k]:
            outputs: "out/{k}/x"
            batch: 3
            run: echo {k} >> runs; touch {outputs}
        """
    )
    workspace.write("out/1", "a file")
    ended = workspace.build("-k", "-j1")
    assert (ended.failed, ended.ran) == (["f[1]"], ["f[0]", "f[2]"])
    assert workspace.lines("runs") == ["0", "2"]
    assert workspace.read("out/1") == "a file"


def test_an_input_that_changed_touches_its_key_alone(workspace: Workspace) -> None:
    """The others of its batch are decided again too, and run without a word, and without a failure."""
    workspace.pipeline(
        """
        partition k: range(3)
        target edit:
            outputs: "edit.txt"
            run:
                until [ "$(grep -c '"task_ready", "task": "f' .ev*)" = 3 ]; do sleep 0.01; done
                echo new > in/1.txt; touch {outputs}
        target f[k]:
            inputs: "in/{k}.txt"
            outputs: "out/{k}.txt"
            batch: 3
            run: echo {k} >> runs; for k in {k}; do cp in/$k.txt out/$k.txt; done
        """
    )
    for key in range(3):
        workspace.write(f"in/{key}.txt", "old\n")
    process = workspace.start("-j1", "edit", "f", events=".events")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, ""), out
    assert out.count("is decided again") == 1
    assert "f[1]: is decided again: in/1.txt has changed\n" in out
    assert workspace.lines("runs") == ["0 1 2"]
    assert workspace.read("out/1.txt") == "new\n"


def test_one_of_a_batch_is_given_up(batches: Workspace) -> None:
    batches.pipeline(
        PIPELINE.replace(
            "for k in {k}; do (cat",
            "set -- {k}; [ -e go ] || { touch began; sleep 60; }\n            for k in {k}; do (cat",
        )
    )
    process = batches.start("-j1", "part", "--k", "0,1,2")
    batches.wait_for("began")
    batches.write("go", "")
    assert batches.run("cancel", "part[1]").status == 0
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped part[1]\n" in out
    assert batches.lines("runs") == ["0 1 2", "0 2"]


def test_interrupted_and_gone_on(batches: Workspace) -> None:
    batches.pipeline(
        PIPELINE.replace(
            "for k in {k}; do (cat",
            "set -- {k}; [ -e go ] || { touch began; sleep 60; }\n            for k in {k}; do (cat",
        )
    )
    process = batches.start("-j1")
    batches.wait_for("began")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not batches.exists("out/0.txt")
    batches.write("go", "")
    batches.ok("-j1")
    assert batches.lines("runs") == ["0 1 2", "0 1 2", "3 4 5", "6"]


def test_two_builds_at_once(batches: Workspace) -> None:
    builds = [batches.start("-j2", "-k", *goals) for goals in (["part", "--k", "0..4"], ["whole"])]
    for build in builds:
        build.communicate(timeout=60)
    assert [build.returncode for build in builds] == [0, 0]
    assert sorted(" ".join(batches.lines("runs")).split()) == KEYS
    assert batches.read("whole.txt") == whole(1)


# --- What is remembered


def test_each_key_has_its_share_of_the_time(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(4)
        target f[k]:
            outputs: "out/{k}"
            batch: 4
            run: sleep 1; echo hello; touch {outputs}
        """
    )
    ended = workspace.ok()
    took = [row["seconds"] for row in ended.events if row["event"] == "task_finished"]
    assert len(set(took)) == 1
    (whole,) = (row["seconds"] for row in ended.events if row["event"] == "build_finished")
    assert 1 <= 4 * took[0] <= whole
    row = json.loads(workspace.run("runs", "1", "--json").out)["tasks"][0]
    assert (row["task"], row["batch"], round(row["seconds"], 3)) == ("f[0]", 4, round(took[0], 3))
    assert workspace.run("log", "f[3]").out == "hello\n"
    shown = workspace.run("show", "out/2").out
    assert "together  with f[0], f[1], f[3], in one run of the recipe\n" in shown
    assert "command   sleep 1; echo hello; touch out/0 out/1 out/2 out/3\n" in shown
    assert json.loads(workspace.run("show", "out/2", "--json").out)["made"]["beside"] == ["f[0]", "f[1]", "f[3]"]
    assert "in a batch of 4" in workspace.run("runs", "1").out


def test_a_batch_is_one_row_on_a_terminal(batches: Workspace) -> None:
    batches.pipeline(PIPELINE.replace("for k in {k}; do (cat", "sleep 0.5\n            for k in {k}; do (cat"))
    status, shown = batches.on_a_terminal("-j2", "part", "--k", "0..4")
    assert status == 0
    assert re.search(r"▸ part\[0 … \+2\] +0\.\ds", shown)
    assert re.search(r"▸ part\[3 … \+1\] +0\.\ds", shown)
    assert "▸ part[1" not in shown
    assert re.search(r"✓ part\[4\] in 0\.\ds", shown)


def test_what_it_read_undeclared_counts_for_each_key(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(2)
        target f[k]:
            inputs: "in/{k}.txt"
            outputs: "out/{k}.txt"
            batch: 2
            run python:
                text = open("more" + ".txt").read()
                for source, path in zip(inputs, outputs):
                    open(path, "w").write(open(source).read() + text)
        """
    )
    for path in "in/0.txt", "in/1.txt", "more.txt":
        workspace.write(path, path)
        os.utime(workspace.root / path, (1e9, 1e9))
    assert "read more.txt, which it does not declare" in workspace.ok().out
    assert workspace.ok().ran == []
    workspace.write("in/0.txt", "new")
    assert workspace.ok().ran == ["f[0]"]
    workspace.write("more.txt", "new")
    assert workspace.ok().ran == ["f[0]", "f[1]"]


# --- Killed

RUNNING = tuple(p for p in KILL_POINTS if p not in ("restored-aside", "restored", "discarded", "put-back"))


@pytest.mark.parametrize("point", [*RUNNING, *SUPERVISOR_KILL_POINTS])
def test_killed_at_a_named_point(batches: Workspace, point: str) -> None:
    """In the middle of a batch, where it is passed for each key."""
    batches.ok()
    log = batches.root / ".killed.jsonl"
    nth = 1 if point.startswith("supervisor-") else 2
    process = batches.start("-j1", "version=2", env={"MLBUILD_TEST_KILL": f"{point}:{nth}"}, events=str(log))
    process.communicate(timeout=60)
    if not point.startswith("supervisor-"):
        assert process.returncode == -signal.SIGKILL, f"{point} was never passed"
    complete(batches, log)


@pytest.mark.parametrize("victims", ["driver", "supervisor", "both"])
@pytest.mark.parametrize("round_", range(max(1, ROUNDS // 3)))
def test_killed_at_a_random_moment(batches: Workspace, victims: str, round_: int) -> None:
    batches.ok()
    log = batches.root / ".killed.jsonl"
    process = batches.start("-j2", "version=2", events=str(log))
    time.sleep(random.uniform(0.1, 0.7))
    if victims != "supervisor":
        process.kill()
    if victims != "driver":
        batches.kill_supervisors()
    process.communicate(timeout=60)
    complete(batches, log)


def test_killed_while_rolling_back(batches: Workspace) -> None:
    batches.ok()
    batches.pipeline(PIPELINE.replace("do (cat", "do exit 1; (cat"))
    for point in ("discarded", "put-back"):
        process = batches.start("-j1", "version=2", env={"MLBUILD_TEST_KILL": f"{point}:2"})
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        batches.wait_until_quiet()
    assert batches.build("-k", "version=2").status == 1
    assert [batches.read(f"out/{key}.txt") for key in KEYS] == [f"in {key}\n1\n" for key in KEYS]


def test_a_batch_goes_on_without_its_driver_and_each_build_takes_over_what_it_wants(batches: Workspace) -> None:
    batches.pipeline(
        PIPELINE.replace(
            "for k in {k}; do (cat",
            "echo > began; until ls | grep -qx g[o]; do sleep 0.01; done\n            for k in {k}; do (cat",
        )
    )
    process = batches.start("-j1", "part", "--k", "0,1,2")
    batches.wait_for("began")
    process.kill()
    process.communicate(timeout=60)
    other = batches.start("-j1", "part[1]", events=".ev")
    batches.wait_until(lambda: 'taken_over_from": 1' in batches.read(".ev") if batches.exists(".ev") else False)
    batches.write("go", "")
    other.communicate(timeout=60)
    assert other.returncode == 0
    ended = batches.ok("-j1", "part", "--k", "0,1,2")
    assert batches.lines("runs") == ["0 1 2"]
    assert ended.ran == ["part[0]", "part[2]"]


def test_a_batch_whose_driver_died_is_given_up(batches: Workspace) -> None:
    batches.pipeline(
        PIPELINE.replace("for k in {k}; do (cat", "echo > began; sleep 60\n            for k in {k}; do (cat")
    )
    process = batches.start("-j1", "part", "--k", "0,1,2")
    batches.wait_for("began")
    process.kill()
    process.communicate(timeout=60)
    (run,) = json.loads(batches.run("cancel", "--json").out)["builds"]
    assert [(task["task"], task["reason"]) for task in run["tasks"]] == [
        (name, "cancelled") for name in names("part", ["0", "1", "2"])
    ]
    batches.wait_until_quiet()


def complete(workspace: Workspace, log: Path) -> None:
    """The next build completes, what was recorded does not run again, nothing ran twice at once, nothing is left."""
    before = recorded(log)
    ended = workspace.ok("-j1", "version=2")
    assert not before & set(ended.ran), "recorded, and yet it ran again"
    assert not workspace.exists("doubled"), workspace.lines("doubled")
    assert workspace.read("whole.txt") == whole(2)
    assert not [*workspace.root.rglob("*mlbuild-aside*")]
    assert workspace.ok("version=2").ran == []


# --- What can't be


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch: 3", "batch: 0", "a number of keys is needed, and this is 0"),
        ("batch: 3", "batch: 2.5", "a number of keys is needed, and this is 2.5"),
        (
            "batch: 3",
            'batch: 3\n        checkpoint: "c/{k}/"',
            "a checkpoint is one task's, and a run of a batch is for several",
        ),
        ("batch: 3", "batch: 3\n        environ: K = k", "`k` is a list with `batch:`, and a variable has one value"),
        (
            "batch: 3",
            "batch: 3\n        resources: memory = 1G * k",
            "`k` is a list with `batch:`, and what a run takes is one amount",
        ),
        (
            "echo {k} >> runs",
            "cat {outputs[0]}",
            "`outputs` is a list with `batch:`, and {outputs[0]} looks up one path",
        ),
        (
            "echo {k} >> runs",
            "echo {sizes[k]}",
            "`k` is a list with `batch:`, and {sizes[k]} looks up one value",
        ),
        ('outputs: "whole.txt"', 'outputs: "whole.txt"\n        batch: 2', "`whole` has no partition: it is one task"),
        (
            "default whole",
            "target all[k]:\n        inputs: part\n        batch: 2",
            "`all` has no `run:` that could be for several keys",
        ),
        ("target whole", "defaults:\n        batch: 3\n    target whole", "`batch:` can't stand in `defaults:`"),
    ],
)
def test_what_is_refused(batches: Workspace, old: str, new: str, message: str) -> None:
    batches.pipeline(
        PIPELINE.replace(old, new).replace("param version = 1", "param version = 1\n    let sizes = [1, 2]")
    )
    ended = batches.build()
    assert ended.status == 2
    assert f"error: {message}\n" in ended.err


def test_what_is_doubtful(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: ["a"]
        target f[k]:
            outputs: "out/{k}.txt"
            batch: 2
            run:
                echo {k} {outputs:file} "{k:json}" $(echo {k});echo {k}
                touch out/{k}.txt --key={k} "{k}"
        """
    )
    told = workspace.run("check").err
    beside = "{k} may be several, and the text beside it goes to the first or the last of them"
    quoted = "{k} may be several, which inside quotes become one word"
    found = [line for line in told.splitlines() if line.startswith("Pipelinefile")]
    assert found == [
        f"Pipelinefile:7:19: doubtful: {beside}",
        f"Pipelinefile:7:33: doubtful: {beside}",
        f"Pipelinefile:7:38: doubtful: {quoted}",
    ]
