"""What a failure stops, what it leaves alone, and what is said of it."""

from __future__ import annotations

import re

import pytest
from workspace import Workspace

TWO = """
    target bad:
        outputs: "bad.txt"
        run:
            echo partial > {outputs}
            echo what went wrong >&2
            exit 3

    target behind:
        inputs: bad
        outputs: "behind.txt"
        run: cp {inputs} {outputs}

    target good:
        outputs: "good.txt"
        run: sleep 0.3; echo good > {outputs}

    target later:
        inputs: good
        outputs: "later.txt"
        run: cp {inputs} {outputs}

    target all:
        inputs: behind, later
"""


def test_what_runs_may_finish_and_nothing_more_starts(workspace: Workspace) -> None:
    workspace.pipeline(TWO)
    ended = workspace.build("-j2", "all")
    assert ended.status == 1
    assert ended.failed == ["bad"]
    assert ended.ran == ["good"]
    assert ended.tasks("task_blocked") == ["all", "behind"]


def test_keep_going_builds_what_does_not_depend_on_it(workspace: Workspace) -> None:
    workspace.pipeline(TWO)
    ended = workspace.build("-j2", "-k", "all")
    assert ended.status == 1
    assert ended.ran == ["good", "later"]


def test_the_summary_shows_root_causes_with_command_and_log(workspace: Workspace) -> None:
    workspace.pipeline(TWO)
    ended = workspace.build("-k", "all")
    block = ended.out[ended.out.index("\n\nbad failed") :]
    log = block.split("the whole log: ")[1].splitlines()[0]
    assert block.splitlines()[2:8] == [
        "bad failed: exit status 3",
        "    $ echo partial > bad.txt",
        "    $ echo what went wrong >&2",
        "    $ exit 3",
        "    | what went wrong",
        f"    the whole log: {log}",
    ]
    assert workspace.read(log) == "what went wrong\n"
    assert workspace.run("log", "bad").out == "what went wrong\n"


def test_a_failed_output_is_not_left_in_place(workspace: Workspace) -> None:
    workspace.pipeline(TWO)
    workspace.build("all")
    assert not workspace.exists("bad.txt")
    (kept,) = (workspace.root / ".mlbuild/failed").rglob("bad.txt")
    assert kept.read_text() == "partial\n"


def test_what_stood_there_is_put_back(workspace: Workspace) -> None:
    workspace.pipeline(
        'param n = 0\ntarget t:\n    outputs: "t.txt", "d/"\n    run: echo {n} > t.txt; echo {n} > d/x; exit {n}\n'
    )
    workspace.ok()
    assert workspace.build("n=1").status == 1
    assert (workspace.read("t.txt"), workspace.read("d/x")) == ("0\n", "0\n")
    assert workspace.ok().ran == []


def test_a_missing_output_fails_the_task(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: true\n')
    ended = workspace.build()
    assert ended.status == 1
    assert [row["reason"] for row in ended.events if row["event"] == "task_failed"] == ["missing_output"]


def test_a_false_check_fails_the_task_and_publishes_nothing(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param value = 1
        target t:
            metrics: "m.json"
            check: metrics.auc >= 1, "too low"
            run: echo '{"auc": '{value}'}' > {metrics}
        """
    )
    workspace.ok()
    ended = workspace.build("value=0")
    assert ended.status == 1
    assert "FAILED  t: check metrics.auc >= 1 does not hold (metrics.auc is 0): too low" in ended.out
    assert workspace.read("m.json") == '{"auc": 1}\n'


def test_a_changed_check_is_tested_without_running(workspace: Workspace) -> None:
    text = 'target t:\n    metrics: "m.json"\n    check: metrics.auc >= 1\n    run: echo \'{"auc": 1}\' > {metrics}\n'
    workspace.pipeline(text)
    workspace.ok()
    workspace.pipeline(text.replace(">= 1", ">= 2"))
    ended = workspace.build()
    assert (ended.status, ended.ran, ended.failed) == (1, [], ["t"])
    workspace.pipeline(text.replace(">= 1", "<= 1"))
    assert workspace.ok().ran == []


GATED = """
    param lr = 0.5
    param least = 0.4

    target train:
        metrics: "m.json"
        check: metrics.auc > least
        run: printf '{"auc": %s}' {lr} > {metrics}

    target publish:
        inputs: train
        outputs: "p.txt"
        run: cp {inputs} {outputs}

    default publish
    """


def test_a_value_that_a_check_names_is_part_of_it(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    workspace.ok()
    ended = workspace.build("least=0.8")
    assert (ended.status, ended.ran, ended.failed) == (1, [], ["train"])
    assert workspace.ok().ran == []


def test_what_is_restored_is_tested_by_the_checks_of_now(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    workspace.ok()
    workspace.pipeline(GATED.replace("least = 0.4", "least = 0.8"))
    # Another result held the conditions of now, and this one only those before.
    assert workspace.ok("lr=0.9").ran == ["publish", "train"]
    for _ in range(2):
        ended = workspace.build()
        assert (ended.status, ended.ran, ended.failed) == (1, [], ["train"])
    workspace.run("remove", "--all")
    for _ in range(2):
        ended = workspace.build()
        assert (ended.status, ended.ran, ended.failed) == (1, [], ["train"])


def test_who_only_looks_knows_that_a_changed_check_does_not_hold(workspace: Workspace) -> None:
    workspace.pipeline(GATED)
    workspace.ok()
    workspace.pipeline(GATED.replace("least = 0.4", "least = 0.8"))
    assert workspace.run("-n").out == (
        "blocked train: check metrics.auc > least does not hold (metrics.auc is 0.5, least is 0.8)\n"
        "blocked publish: train fails: check metrics.auc > least does not hold (metrics.auc is 0.5, least is 0.8)\n"
        "2 tasks blocked\n"
    )
    assert workspace.run("-q").status == 1
    assert workspace.states() == {"train": "failed", "publish": "blocked"}
    explained = workspace.run("explain", "train").out
    said = "check metrics.auc > least does not hold (metrics.auc is 0.5, least is 0.8)"
    assert explained == f"train would fail:\n  {said}\n"


def test_a_check_may_look_at_another_key(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition day: daily from 2013-01-01 to 2013-01-03
        target extract[day]:
            inputs: "in/{day}.csv"
            outputs: "out/{day}.csv"
            check: rows(outputs) > 0.5 * rows(extract[day-1]), "half of yesterday is missing"
            run: cp {inputs} {outputs}
        """
    )
    for day, rows in (("01", 4), ("02", 4), ("03", 2)):
        workspace.write(f"in/2013-01-{day}.csv", "x\n" + "1\n" * rows)
    ended = workspace.build("-k")
    assert ended.ran == ["extract[2013-01-01]", "extract[2013-01-02]"]
    assert ended.failed == ["extract[2013-01-03]"]
    assert "half of yesterday is missing" in ended.out


def test_retries_and_attempt_numbers(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t.txt"
            retry: 2, backoff = 50ms
            run: echo {attempt} $MLBUILD_ATTEMPT >> tries; test {attempt} = 3; touch {outputs}
        """
    )
    ended = workspace.ok()
    assert workspace.lines("tries") == ["1 1", "2 2", "3 3"]
    assert ended.tasks("task_retried") == ["t", "t"]
    assert workspace.ok().ran == []


def test_attempts_are_counted_anew_in_every_build(workspace: Workspace) -> None:
    """What grows with them (`memory = 8G * attempt`) could never be had again after a few failed builds."""
    workspace.pipeline(
        """
        target t:
            outputs: "t.txt"
            retry: 1, backoff = 50ms
            run: echo {attempt} >> tries; test -e there; touch {outputs}
        """
    )
    assert workspace.build().status == 1
    workspace.write("there", "")
    workspace.ok()
    assert workspace.lines("tries") == ["1", "2", "1"]


def test_a_timeout_ends_a_recipe(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    timeout: 200ms\n    run: sleep 60\n')
    ended = workspace.build()
    assert [row["reason"] for row in ended.events if row["event"] == "task_failed"] == ["timeout"]


def test_an_input_that_changes_meanwhile_is_not_recorded(workspace: Workspace) -> None:
    workspace.pipeline(
        'target t:\n    inputs: "in.txt"\n    outputs: "t.txt"\n    run: cp {inputs} {outputs}; sh edit.sh\n'
    )
    workspace.write("in.txt", "1\n")
    workspace.write("edit.sh", "test -e edited || echo 2 > in.txt; touch edited\n")
    ended = workspace.ok()
    assert ended.tasks("task_started") == ["t", "t"]
    assert workspace.read("t.txt") == "2\n"
    assert workspace.ok().ran == []


def test_an_input_that_always_changes_fails_the_task(workspace: Workspace) -> None:
    workspace.pipeline(
        'target t:\n    inputs: "in.txt"\n    outputs: "t.txt"\n    run: cp {inputs} {outputs}; echo >> in.txt\n'
    )
    workspace.write("in.txt", "1\n")
    ended = workspace.build()
    assert ended.status == 1
    assert len(ended.tasks("task_started")) == 3
    (failed,) = (row for row in ended.events if row["event"] == "task_failed")
    assert failed["detail"] == "in.txt has changed"


def test_a_missing_input_is_an_error_before_anything_runs(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    inputs: "nope.txt"\n    outputs: "t.txt"\n    run: cp {inputs} {outputs}\n')
    ended = workspace.build()
    assert ended.status == 2
    assert ended.err == (
        "Pipelinefile:2:13: error: no target makes nope.txt, and it does not exist\n"
        '  2 |     inputs: "nope.txt"\n'
        "    |             ^^^^^^^^^^\n"
        "  hint: make it, correct the path, or write `?` behind it if it may be absent\n"
    )


def test_a_key_without_its_input_is_blocked_and_the_others_are_built(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: ["a", "b"]
        target t[k]:
            inputs: "{k}.in"
            outputs: "{k}.out"
            run: cp {inputs} {outputs}
        """
    )
    workspace.write("a.in", "a")
    ended = workspace.build()
    assert ended.status == 1
    assert (ended.ran, ended.tasks("task_blocked")) == (["t[a]"], ["t[b]"])


def test_more_memory_than_there_is_is_refused_before_anything_runs(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    resources: memory = 900T\n    run: touch {outputs}\n')
    ended = workspace.build()
    assert ended.status == 2
    assert "t asks for 900T of memory" in ended.err


def test_a_check_that_waits_does_not_outlast_the_build(workspace: Workspace) -> None:
    """What a condition looks at won't be built any more, since something else failed: it is left out."""
    workspace.pipeline(
        """
        partition k: range(2)
        target a[k]:
            outputs: "{k}.txt"
            check: size(a[k-1]) >= 0
            run: if [ {k} = 0 ]; then sleep 1; exit 1; fi; echo > {outputs}
        target b:
            inputs: a["0"]
            outputs: "b.txt"
            check: size(c) >= 0
            run: touch {outputs}
        target c:
            outputs: "c.txt"
            run: sleep 0.2; exit 1
        target all:
            inputs: a[*], b, c
        """
    )
    ended = workspace.build("-j2", "all")
    assert ended.status == 1
    assert workspace.build("-j1", "-k", "all").status == 1


def test_an_output_folder_that_can_not_be_made_fails_the_task(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "file/t.txt"\n    run: touch {outputs}\n')
    workspace.write("file", "in the way")
    ended = workspace.build()
    assert ended.status == 1
    assert f"FAILED  t: not started: File exists: {workspace.root / 'file'}\n" in ended.out
    (workspace.root / "file").unlink()
    assert workspace.ok().ran == ["t"]


@pytest.mark.parametrize(
    ("condition", "recipe"),
    [
        ('rows("a.csv.gz") > 0', "echo not gzip > a.csv.gz"),
        ('rows("a.csv.gz") > 0', "echo cut off | gzip | head -c 15 > a.csv.gz"),
        ('rows("a.csv") > 0', "head -c 200000 /dev/zero | tr '\\\\0' x > a.csv"),
        ('rows("a.csv") > 0', "true"),
        ('rows("a.parquet") > 0', "echo no > a.parquet"),
        ("metrics.auc > 0", "printf 'auc: [1,\\\\n b: {' > m.yaml"),
    ],
)
def test_a_condition_on_a_broken_file_fails_the_task(workspace: Workspace, condition: str, recipe: str) -> None:
    text = (
        f'target t:\n    metrics: "m.yaml"\n    check: {condition}\n    run:\n        echo > m.yaml\n        {recipe}\n'
    )
    workspace.pipeline(text)
    ended = workspace.build()
    assert (ended.status, ended.failed) == (1, ["t"])
    assert f"check {condition}" in ended.out


def test_conditions_on_odd_but_whole_files(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "d/"
            metrics: "m.csv"
            check: size("d/") == 3 and max(metrics.a) == 3
            run:
                ln -s nowhere d/broken; echo ab > d/whole
                printf 'a,b\\n1,2,surplus\\n3,4\\n' > m.csv
        """
    )
    workspace.ok()


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "another file"])
@pytest.mark.parametrize("name", ["journal.db", "store/store.db"])
def test_a_damaged_state_is_said_with_what_to_do(workspace: Workspace, name: str, damage: str) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo a > t.txt\n')
    workspace.ok()
    path = workspace.root / ".mlbuild" / name
    data = path.read_bytes()
    changed = {
        "truncated": data[:5000],
        "overwritten": data[:4096] + b"\xff" * (len(data) - 4096),
        "another file": b"?" * 99,
    }
    path.write_bytes(changed[damage])
    (workspace.root / "t.txt").unlink()
    for command in ("build", "status"):
        ended = workspace.run(command)
        assert ended.status == 1
        assert f"error: can't use {path}: " in ended.err
        assert "hint: it is damaged: move it away" in ended.err
    path.unlink()
    workspace.ok()
    assert workspace.read("t.txt") == "a\n"


def test_more_cpus_than_there_are_count_as_all_of_them_and_that_is_said_once(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(3)
        target t[k]:
            outputs: "{k}.txt"
            resources: cpus = 5000
            run: touch {outputs}
        """
    )
    ended = workspace.ok()
    assert len(ended.ran) == 3
    assert len(re.findall(r"asks for 5000 CPUs, and there are \d+: it counts as all of them", ended.out)) == 1


def test_what_a_check_that_does_not_hold_looked_at(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param condition = 0
        partition fold: [1, 2]
        target t[fold]:
            outputs: "t{fold}.csv"
            metrics: "m{fold}.json"
            check:
                condition != 0 or metrics.acu > 0.9
                condition != 1 or metrics.auc - 0.25 > metrics.nan
                condition != 2 or (metrics.auc > 0.4 and not metrics.bad)
                condition != 3 or rows(outputs) >= 10 * fold
                condition != 4 or metrics.acu + metrics.auc > 1
                condition != 5 or metrics.kind == "good"
                condition != 6 or t[fold-1].metrics.auc < 0.5
                condition != 7 or metrics.long == [1]
                condition != 8 or metrics.none > 1
                condition < 9
                metrics.good
            run:
                echo a > {outputs}
                echo '{"auc": 0.5, "nan": NaN, "bad": true, "kind": "odd", "none": null, "good": '$GOOD > {metrics}
                echo ', "long": ['$(seq -s , 100)']}' >> {metrics}
        """
    )

    def said(condition: int, key: int = 1, good: str = "true") -> str:
        ended = workspace.build(f"t[{key}]", f"condition={condition}", env={"GOOD": good})
        (line,) = (line for line in ended.out.splitlines() if line.startswith("FAILED"))
        return line.partition("does not hold")[2]

    assert said(0) == " (condition is 0, metrics.acu is missing)"
    assert said(1) == " (condition is 1, metrics.auc - 0.25 is 0.25, metrics.nan is NaN)"
    assert said(2) == " (condition is 2, metrics.auc is 0.5, metrics.bad is true)"
    assert said(3, 2) == " (condition is 3, rows(outputs) is 0, 10 * fold is 20)"
    assert said(4) == " (condition is 4, metrics.acu is missing, metrics.auc is 0.5)"
    assert said(5) == ' (condition is 5, metrics.kind is "odd")'
    assert said(7) == " (condition is 7)"
    assert said(8) == " (condition is 8, metrics.none is null)"
    assert said(9, good="true") == " (condition is 9)"
    assert said(-1, good="false") == ""
    workspace.ok("t[1]", "condition=-1", env={"GOOD": "true"})
    assert said(6, 2) == " (condition is 6, t[fold-1].metrics.auc is 0.5)"


def test_values_in_the_message_of_a_check(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param least = 0.5
        partition day: ["mon"]
        target t[day]:
            metrics: "m/{day}.json"
            check: metrics.auc > least, "{metrics.auc} on {day}, not {least:.2f}; in {metrics.file}"
            run: echo '{"auc": 0.25, "file": "x y"}' > {metrics}
        """
    )
    said = "check metrics.auc > least does not hold (metrics.auc is 0.25, least is 0.5): 0.25 on mon, not 0.50; in x y"
    assert f"t[mon] failed: {said}\n" in workspace.build().out
    workspace.pipeline(workspace.read("Pipelinefile").replace("{metrics.auc} on {day}", "{day} {nope}"))
    assert "there is no `nope`" in workspace.run("check").err
