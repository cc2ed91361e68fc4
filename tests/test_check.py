"""`mlbuild check`: every mistake in one go, and what is doubtful."""

from __future__ import annotations

import json

from workspace import Workspace


def checked(workspace: Workspace, text: str) -> str:
    workspace.pipeline(text)
    ended = workspace.run("check")
    assert ended.out == ""
    assert ended.status == 2
    return ended.err


def test_what_cannot_be_read_is_said_in_one_go(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        param lr = 0.1.2
        partition day: daily from 2013-01-32
        target build-x:
            run: true
        target a:
            input: "x"
            run: true
        target b:
            shell: x
        target c:
            outputs: [1
            run: true
        let x == 3
        target d:
        target e:
            outputs: 'x"
            run: true
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:1:12: error: 0.1.2 is no number",
        "Pipelinefile:2:27: error: 2013-01-32 is no date: day is out of range for month",
        "Pipelinefile:3:8: error: a name has no hyphen: `build-x`",
        "Pipelinefile:6:5: error: `input` is no clause",
        "Pipelinefile:9:5: error: `shell` is no clause",
        "Pipelinefile:11:14: error: this `[` is never closed",
        "Pipelinefile:13:7: error: `==` compares two values",
        "Pipelinefile:14:1: error: `target d` is empty",
        "Pipelinefile:16:14: error: this text is never closed",
    ]


def test_what_means_nothing_is_said_in_one_go(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        param a = 1
        param a = 2
        partition day: daily from 2013-02-01 to 2013-01-01
        target t[dya]:
            inputs: nope, other.weights
            outputs: "x/{daz}"
            retry: 2, backof = 3s
            resources: memory = 8
            timeout: 5
            run: echo {inptus} {a:xyz}
        default tt
        """,
    )
    places = [line.partition(" error: ")[0] for line in said.splitlines() if line.startswith("Pipelinefile:")]
    assert places == [
        f"Pipelinefile:{place}:"
        for place in (
            *("2:7", "3:41", "4:10", "5:13", "5:19", "6:18", "7:15", "8:25", "9:14", "10:16", "10:24", "11:9"),
        )
    ]


def test_what_the_whole_graph_shows_is_said_in_one_go(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        partition day: daily from 2013-01-01 to 2013-01-03
        target a[day]:
            inputs: "in/{day}.txt"
            outputs: "a/{day}"
            run: echo > {outputs}
        target b:
            inputs: a[2014-01-01]
            outputs: "b"
            run: echo > {outputs}
        target c:
            outputs: "b"
            run: echo > {outputs}
        target d:
            outputs: "d/"
            run: echo > {outputs}
        target e:
            inputs: "missing.csv"
            outputs: "d/x"
            run: echo > {outputs}
        target f[day]:
            inputs: a[day-1]
            outputs: "f/{day}"
            run: echo > {outputs}
        """,
    )
    assert (
        said
        == """\
Pipelinefile:3:13: error: no target makes in/2013-01-01.txt, and it does not exist
  3 |     inputs: "in/{day}.txt"
    |             ^^^^^^^^^^^^^^
  hint: make it, correct the path, or write `?` behind it if it may be absent

Pipelinefile:7:15: error: `day` has no key 2014-01-01 (its keys: 2013-01-01, 2013-01-02, 2013-01-03)
  7 |     inputs: a[2014-01-01]
    |               ^^^^^^^^^^
  hint: did you mean 2013-01-01?

Pipelinefile:10:8: error: c and b both make b
  10 | target c:
     |        ^
  hint: the other is declared at Pipelinefile:6:8

Pipelinefile:16:8: error: e makes d/x, which lies in d/ that d makes
  16 | target e:
     |        ^
  hint: the other is declared at Pipelinefile:13:8

Pipelinefile:17:13: error: no target makes missing.csv, and it does not exist
  17 |     inputs: "missing.csv"
     |             ^^^^^^^^^^^^^
  hint: make it, correct the path, or write `?` behind it if it may be absent

Pipelinefile:21:15: error: day-1 at 2013-01-01 is outside the partition `day` (its keys: 2013-01-01, 2013-01-02, 2013-01-03)
  21 |     inputs: a[day-1]
     |               ^^^^^
  hint: write [day-1..day-1], which is cut to the partition, or `?`, which leaves out what failed, too
"""  # noqa: E501
    )


def test_json(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    inputs: "a"\n    run: echo { inputs }\n')
    ended = workspace.run("check", "--json")
    assert ended.status == 2
    mistake = {
        "message": "no target makes a, and it does not exist",
        "hint": "make it, correct the path, or write `?` behind it if it may be absent",
        "file": "Pipelinefile",
        "line": 2,
        "column": 13,
    }
    assert json.loads(ended.out) == {"mistakes": [mistake], "doubts": []}
    workspace.write("a", "")
    ended = workspace.run("check", "--json")
    assert ended.status == 0
    assert [(row["line"], row["column"]) for row in json.loads(ended.out)["doubts"]] == [(3, 15)]


DOUBTFUL = """
    param epochs = 20
    param names = ["a", "b"]
    partition day: daily from 2013-01-01 to 2013-01-03
    partition jobs: range(2)

    target a[day]:
        inputs: past = a[day-7..day-1], glob("in/*.csv")
        outputs: "a/{day}"
        run:
            # { inputs } are many
            x --past {inputs.past} --all  {inputs} --out {outputs} {epochs*2}
            y --n {epochs} "{inputs}" '{names}' "{inputs:file}" --all {inputs:--all} --in {inputs:file}
            awk '{ print $1 }' ${ epochs } {a,b} {1..5} { x; } %{ epochs } {day-1}

    target j[jobs]:
        inputs: a[*]
        outputs: "j/{ jobs }{jobs}"
        run: cp --in {inputs} --out "{outputs}"
"""


def test_what_is_doubtful(workspace: Workspace) -> None:
    workspace.pipeline(DOUBTFUL)
    ended = workspace.run("check")
    assert (ended.status, ended.out) == (0, "2 targets, 2 partitions: no mistake found, 9 doubts\n")
    assert (
        ended.err
        == """\
Pipelinefile:4:11: doubtful: `--jobs` is an option, so it does not choose keys of this partition
  4 | partition jobs: range(2)
    |           ^^^^
  hint: its keys are chosen by --key jobs=…

Pipelinefile:10:11: doubtful: { inputs } stays as it is, since blanks stand in it
  10 |         # { inputs } are many
     |           ^^^^^^^^^^
  hint: for the value: {inputs}

Pipelinefile:11:18: doubtful: {inputs.past} may be empty, and --past would take what comes next
  11 |         x --past {inputs.past} --all  {inputs} --out {outputs} {epochs*2}
     |                  ^^^^^^^^^^^^^
  hint: {inputs.past:--past} writes the option before each, and nothing where there is none

Pipelinefile:11:39: doubtful: {inputs} may be empty, and --all would take what comes next
  11 |         x --past {inputs.past} --all  {inputs} --out {outputs} {epochs*2}
     |                                       ^^^^^^^^
  hint: {inputs:--all} writes the option before each, and nothing where there is none

Pipelinefile:11:64: doubtful: {epochs*2} stays as it is, since only names are looked up
  11 |         x --past {inputs.past} --all  {inputs} --out {outputs} {epochs*2}
     |                                                                ^^^^^^^^^^
  hint: for the value: let NAME = epochs*2, and here {NAME}

Pipelinefile:12:25: doubtful: {inputs} may be several, which inside quotes become one word
  12 |         y --n {epochs} "{inputs}" '{names}' "{inputs:file}" --all {inputs:--all} --in {inputs:file}
     |                         ^^^^^^^^
  hint: without the quotes each is a word of its own

Pipelinefile:12:36: doubtful: {names} may be several, which inside quotes become one word
  12 |         y --n {epochs} "{inputs}" '{names}' "{inputs:file}" --all {inputs:--all} --in {inputs:file}
     |                                    ^^^^^^^
  hint: without the quotes each is a word of its own

Pipelinefile:13:72: doubtful: {day-1} stays as it is, since only names are looked up
  13 |         awk '{ print $1 }' ${ epochs } {a,b} {1..5} { x; } %{ epochs } {day-1}
     |                                                                        ^^^^^^^
  hint: work it out in the recipe

Pipelinefile:17:17: doubtful: { jobs } stays as it is, since blanks stand in it
  17 |     outputs: "j/{ jobs }{jobs}"
     |                 ^^^^^^^^
  hint: for the value: {jobs}

"""
    )


def test_a_recipe_in_quotes_and_counted_inputs(workspace: Workspace) -> None:
    workspace.pipeline('target a:\n    outputs: "a"\n    run: "cp {outputs.0} {outputs}"\n')
    assert (
        workspace.run("check").err
        == """\
Pipelinefile:3:10: doubtful: the whole recipe stands in quotes, so the shell takes it for the name of one program
  3 |     run: "cp {outputs.0} {outputs}"
    |          ^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: leave out the quotes

Pipelinefile:3:14: doubtful: {outputs.0} stays as it is, since a name has no number behind its dot
  3 |     run: "cp {outputs.0} {outputs}"
    |              ^^^^^^^^^^^
  hint: for the value: {outputs[0]}

"""
    )


def test_every_circle_and_every_wrong_path_of_a_task(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        partition day: daily from 2013-01-01 to 2013-01-03
        target a[day]:
            inputs: b
            outputs: "a/{day}"
            run: echo > {outputs}
        target b[day]:
            inputs: a
            outputs: "b/{day}"
            run: echo > {outputs}
        target d[day]:
            inputs: "no/{day}", "nope"
            after: d[2012-01-01]
            outputs: "d/{day}"
            requires: "uv.lock", "poetry.lock"
            code: "d.py"
            run: echo > {outputs}
        target e:
            inputs: "e/in", d[2012-01-01], f
            outputs: "e/out"
            run: echo > {outputs}
        target f:
            inputs: e
            outputs: "f"
            run: echo > {outputs}
        target g:
            outputs: "e/out"
            check: rows(h) > 0
            run: echo > {outputs}
        target h:
            outputs: "h"
            check: rows(g) > 0
            run: echo > {outputs}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:2:8: error: these tasks need each other in a circle:"
        " a[2013-01-01] → b[2013-01-01] → a[2013-01-01]",
        "Pipelinefile:11:13: error: no target makes no/2013-01-01, and it does not exist",
        "Pipelinefile:11:25: error: no target makes nope, and it does not exist",
        "Pipelinefile:12:14: error: `day` has no key 2012-01-01 (its keys: 2013-01-01, 2013-01-02, 2013-01-03)",
        "Pipelinefile:14:15: error: uv.lock does not exist",
        "Pipelinefile:14:26: error: poetry.lock does not exist",
        "Pipelinefile:15:11: error: d.py does not exist",
        "Pipelinefile:18:13: error: no target makes e/in, and it does not exist",
        "Pipelinefile:18:23: error: `day` has no key 2012-01-01 (its keys: 2013-01-01, 2013-01-02, 2013-01-03)",
        "Pipelinefile:25:8: error: g and e both make e/out",
        "Pipelinefile:31:12: error: these conditions wait for each other in a circle: g → h → g",
    ]


def test_a_mistake_of_each_kind_together(workspace: Workspace) -> None:
    """Shape, meaning and the whole graph; what touches the first is not blamed for it."""
    workspace.write(
        "more.pipe",
        """
        target late[day]:
            inputs: features[day-1]?
            outputs: "late/{day}"
            timeout: 5
            run: cp {inputs.features} {outputs}
        """,
    )
    said = checked(
        workspace,
        """
        include "more.pipe"
        param lr = 0.1.2
        partition day: daily from 2013-01-01 to 2013-01-03
        target features[day]:
            input: "raw/{day}.csv"
            outputs: table = "features/{day}.csv"
            run: cp {inputs} {outputs.table} --{wide}
        target train[dya]:
            inputs: features.table
            outputs: "model/{day}"
            run: train {inputs.table} --lr {lr} > {outputs}
        target test:
            inputs: train[2013-01-01], page = "raw/page.html", "model/2013-01-01", "raw/2013-01-01.csv"
            outputs: "report.html"
            run: echo {inputs.page} {nobody} > {outputs}
        target again:
            outputs: "report.html"
            run: true
        """,
    )
    assert (
        said
        == """\
Pipelinefile:2:12: error: 0.1.2 is no number
  2 | param lr = 0.1.2
    |            ^^^^^
  hint: a version, or any other text, stands in quotes: "0.1.2"

Pipelinefile:5:5: error: `input` is no clause
  5 |     input: "raw/{day}.csv"
    |     ^^^^^
  hint: did you mean `inputs`?

Pipelinefile:7:41: error: there is no `wide`
  7 |     run: cp {inputs} {outputs.table} --{wide}
    |                                         ^^^^
  hint: to write {wide} itself, double the braces: {{wide}}

Pipelinefile:8:14: error: there is no partition `dya`
  8 | target train[dya]:
    |              ^^^
  hint: did you mean `day`?

Pipelinefile:13:32: error: no target makes raw/page.html, and it does not exist
  13 |     inputs: train[2013-01-01], page = "raw/page.html", "model/2013-01-01", "raw/2013-01-01.csv"
     |                                ^^^^^^^^^^^^^^^^^^^^^^
  hint: make it, correct the path, or write `?` behind it if it may be absent

Pipelinefile:15:30: error: there is no `nobody`
  15 |     run: echo {inputs.page} {nobody} > {outputs}
     |                              ^^^^^^
  hint: to write {nobody} itself, double the braces: {{nobody}}

Pipelinefile:16:8: error: again and test both make report.html
  16 | target again:
     |        ^^^^^
  hint: the other is declared at Pipelinefile:12:8

more.pipe:4:14: error: a time has a unit, and 5 has none
  4 |     timeout: 5
    |              ^
  hint: write 5s
"""
    )
    in_json = json.loads(workspace.run("check", "--json").out)["mistakes"]
    assert [f"{row['file']}:{row['line']}:{row['column']}" for row in in_json] == [
        line.partition(": error")[0] for line in said.splitlines() if ": error" in line
    ]
    assert workspace.run("status").err == said


def test_what_a_broken_statement_declares_is_not_missed(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        params "train.yaml" cfg
        let wide = 3 +
        partition kind: ["a" "b"]
        executor gpu: local(cpus = 1.2.3)
        target first[kind]
            outputs: "first/{kind}"
            run: true
        target second[kind]:
            inputs: first["a"], x = "first/a"
            outputs: "second/{kind}"
            on: gpu
            resources: licence = 1, cpus = wide
            params: cfg.lr
            after: first
            check: rows(first["a"]) > wide
            run: echo {cfg.lr} {wide} {inputs.x} {inputs.first} {kind}
        target third:
            inputs: second["c"]
            run: true
        default first
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:1:21: error: `cfg` can't stand here",
        "Pipelinefile:2:15: error: a value is missing at the end of the line",
        'Pipelinefile:3:22: error: `"b"` can\'t stand here',
        "Pipelinefile:4:28: error: 1.2.3 is no number",
        "Pipelinefile:5:19: error: a colon is missing after `target first[kind]`",
    ]


def test_a_file_that_is_not_there_may_hold_every_name_and_path(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        include "gone.pipe"
        target t[region]:
            inputs: other, "x"
            timeout: 5
            run: echo {lr} {inputs.other}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:1:9: error: can't read gone.pipe: it is not there",
        "Pipelinefile:4:14: error: a time has a unit, and 5 has none",
    ]


def test_lines_at_the_left_edge_are_each_said(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        epochs = 3
        lr = 0.1
        all: report
        \trun me
        target a:
            outputs: "a"
            run:
                cat > {outputs} <<EOF
        what stands here
        EOF
        parm x = 1
        target b:
            inputs: "a"
            run: echo {x} {lr}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:1:1: error: `epochs` is no statement",
        "Pipelinefile:2:1: error: `lr` is no statement",
        "Pipelinefile:3:1: error: `all` is no statement",
        "Pipelinefile:9:1: error: `what` is no statement",
        "Pipelinefile:11:1: error: `parm` is no statement",
    ]


def test_amounts_that_only_a_task_has_and_a_path_that_no_disk_holds(workspace: Workspace) -> None:
    said = checked(
        workspace,
        f"""
        partition k: [1, 2]
        target a[k]:
            inputs: "{"x" * 300}"?
            outputs: "a{{k}}"
            resources: cpus = max(1, attempt), memory = rows("x.csv") * attempt * 1G
            run: touch {{outputs}}
        target b[k]:
            outputs: "b{{k}}"
            resources: cpus = attempt, memory = k + "G"
            run: touch {{outputs}}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:5:49: error: `rows()` can't be used here",
        'Pipelinefile:9:45: error: a number is needed, and `"G"` is text',
    ]


def test_a_partition_whose_files_are_all_made_and_a_path_that_some_keys_do_not_have(workspace: Workspace) -> None:
    workspace.write("raw/a.csv", "")
    workspace.write("params.json", '{"x": {"1": {"2": "there"}}}')
    said = checked(
        workspace,
        """
        params "params.json"
        partition file: glob("raw/{file}.csv")
        partition k: ["1", "3"]
        partition l: ["2"]
        target make:
            outputs: "raw/a.csv"
            run: touch {outputs}
        target use[file]:
            inputs: "raw/{file}.csv", "nope"
            run: true
        target place[k, l]:
            outputs: "{k}{l}/{params.x[k][l]}"
            run: touch {outputs}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:2:11: error: partition `file` has no keys: targets make all that it matches",
        "Pipelinefile:9:31: error: no target makes nope, and it does not exist",
        "Pipelinefile:12:23: error: `params.x` has no `3`",
    ]


def test_one_line_of_a_target_that_is_no_clause(workspace: Workspace) -> None:
    """The other clauses are read all the same."""
    said = checked(
        workspace,
        """
        target a:
            outputs: "a"
            \"\"\"late\"\"\"
            timeout: 3
            run: echo {zz}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:3:5: error: no description can stand here",
        "Pipelinefile:4:14: error: a time has a unit, and 3 has none",
        "Pipelinefile:5:16: error: there is no `zz`",
    ]


def test_outputs_that_no_target_can_make(workspace: Workspace) -> None:
    """Each would be set aside before the recipe runs: nothing of that may begin."""
    workspace.write("params.yaml", "out: .")
    workspace.write("own", "mine")
    workspace.write("more/targets.pipe", "param more = 1")
    text = """
        include "more/targets.pipe"
        params "params.yaml"
        partition key: ["a", "b"]
        target places:
            outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
            run: echo
        target read:
            outputs: "./Pipelinefile", "params.yaml", "more/"
            run: echo
        target twice[key]:
            outputs: "d/{key}/", "d/{key}/x", "up/../{key}"
            metrics: "d/{key}/"
            run: echo
        target own:
            inputs: "own"
            outputs: "own"
            run: sort {inputs} > {outputs}
        """
    assert (
        checked(workspace, text)
        == """\
Pipelinefile:5:14: error: . holds the workspace itself, which no target can make
  5 |     outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
    |              ^^^
  hint: name a folder in it: "out/"

Pipelinefile:5:19: error: . holds the workspace itself, which no target can make
  5 |     outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
    |                   ^^^^^^^^^^^^^^^
  hint: name a folder in it: "out/"

Pipelinefile:5:36: error: ../ holds the workspace itself, which no target can make
  5 |     outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
    |                                    ^^^^^
  hint: name a folder in it: "out/"

Pipelinefile:5:43: error: / holds the workspace itself, which no target can make
  5 |     outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
    |                                           ^^^
  hint: name a folder in it: "out/"

Pipelinefile:5:48: error: sub/.. holds the workspace itself, which no target can make
  5 |     outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
    |                                                ^^^^^^^^
  hint: name a folder in it: "out/"

Pipelinefile:5:58: error: .mlbuild/journal.db lies in .mlbuild/, which is mlbuild's own
  5 |     outputs: ".", "{params.out}/", "../", "/", "sub/..", ".mlbuild/journal.db"
    |                                                          ^^^^^^^^^^^^^^^^^^^^^
  hint: make it elsewhere

Pipelinefile:8:14: error: Pipelinefile is read before anything runs, so no target can make it
  8 |     outputs: "./Pipelinefile", "params.yaml", "more/"
    |              ^^^^^^^^^^^^^^^^
  hint: choose another path

Pipelinefile:8:32: error: params.yaml is read before anything runs, so no target can make it
  8 |     outputs: "./Pipelinefile", "params.yaml", "more/"
    |                                ^^^^^^^^^^^^^
  hint: choose another path

Pipelinefile:8:47: error: more/ holds more/targets.pipe, which is read before anything runs
  8 |     outputs: "./Pipelinefile", "params.yaml", "more/"
    |                                               ^^^^^^^
  hint: choose another path

Pipelinefile:11:26: error: twice[a] makes d/a/x, which lies in d/a/ that it makes too
  11 |     outputs: "d/{key}/", "d/{key}/x", "up/../{key}"
     |                          ^^^^^^^^^^^
  hint: d/a/ brings it: leave it out

Pipelinefile:11:39: error: up/../a goes up again
  11 |     outputs: "d/{key}/", "d/{key}/x", "up/../{key}"
     |                                       ^^^^^^^^^^^^^
  hint: write "a"

Pipelinefile:12:14: error: twice[a] makes d/a/ twice
  12 |     metrics: "d/{key}/"
     |              ^^^^^^^^^^
  hint: leave out one of them

Pipelinefile:14:8: error: these tasks need each other in a circle: own → own
  14 | target own:
     |        ^^^
  hint: break it at one of these:
  own at Pipelinefile:14:8
"""
    )
    for goal in ("places", "read", "twice", "own"):
        assert workspace.build(goal).status == 2
    assert workspace.read("own") == "mine"


def test_a_range_that_ends_before_it_begins(workspace: Workspace) -> None:
    said = checked(
        workspace,
        """
        partition day: daily from 2013-01-01 to 2013-01-05
        target a[day]:
            outputs: "a/{day}"
            run: echo > {outputs}
        target b:
            inputs: a[2013-01-03..2013-01-01], a[2013-01-03..2013-01-03]
            outputs: "b"
            run: echo > {outputs}
        """,
    )
    assert (
        said
        == """\
Pipelinefile:6:27: error: this range ends (2013-01-01) before it begins (2013-01-03)
  6 |     inputs: a[2013-01-03..2013-01-01], a[2013-01-03..2013-01-03]
    |                           ^^^^^^^^^^
  hint: the first key stands before the `..`
"""
    )


def test_values_that_cannot_be_quoted_where_they_stand(workspace: Workspace) -> None:
    """Said before anything runs, as far as the values are known."""
    said = checked(
        workspace,
        """
        param title = "two words"
        partition key: ["safe", "un safe"]
        target a[key]:
            outputs: "a/{key}"
            run: x=`echo {title}`; echo $'{key}' `{attempt}` {title} > {outputs}
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("Pipelinefile:")] == [
        "Pipelinefile:5:18: error: the value of `{title}` can't be quoted inside backticks: 'two words'",
        "Pipelinefile:5:35: error: the value of `{key}` can't be quoted inside $'…': 'un safe'",
    ]


def test_a_constant_that_is_an_empty_list_after_an_option(workspace: Workspace) -> None:
    workspace.write("params.yaml", "train: {tags: []}")
    workspace.pipeline(
        """
        params "params.yaml"
        param names = []
        param some = ["a"]
        target a:
            run: x --names {names} --tags {params.train.tags} --some {some} {names:--n}
        """
    )
    ended = workspace.run("check")
    assert [line for line in ended.err.splitlines() if "doubtful" in line] == [
        "Pipelinefile:5:20: doubtful: {names} may be empty, and --names would take what comes next",
        "Pipelinefile:5:35: doubtful: {params.train.tags} may be empty, and --tags would take what comes next",
    ]


def test_a_file_of_another_language(workspace: Workspace) -> None:
    """Not all that could be wrong with it is looked for, and that is said."""
    said = checked(workspace, "".join(f"rule r{number}\n" for number in range(30)))
    errors = [line.partition(" error: ")[2] for line in said.splitlines() if line.startswith("Pipelinefile:")]
    assert len(errors) == 21
    assert errors[-1] == "behind 20 mistakes the rest of the file is not looked at"


def test_a_goal_means_nothing_to_it(workspace: Workspace) -> None:
    workspace.pipeline("param lr = 1\ntarget t:\n    run: echo {lr}\n")
    assert workspace.run("check", "lr=2").out == "1 target, 0 partitions: no mistake found\n"
    for goal in ("t", "nosuch"):
        ended = workspace.run("check", goal)
        said = f"error: check takes no goal, and this is one: {goal}\n  hint: it reads all of the Pipelinefile\n"
        assert (ended.status, ended.out, ended.err) == (2, "", said)
