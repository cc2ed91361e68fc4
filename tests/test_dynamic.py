"""Partitions whose keys are the lines of what a target makes: the graph grows while the build runs."""

from __future__ import annotations

import json
import signal
from random import Random

import pytest
from workspace import Ended, Workspace, names

PIPELINE = """
    partition shard: lines(split.index)

    target merge:
        inputs: process[*]
        outputs: "all.txt"
        run: cat {inputs} /dev/null > {outputs}

    target split:
        inputs: "data.txt"
        outputs: index = "build/index.txt", parts = "build/parts/"
        run:
            cut -d: -f1 {inputs} > {outputs.index}
            while IFS=: read key value; do echo "$value" > build/parts/"$key"; done < {inputs}

    target process[shard]:
        inputs: "build/parts/{shard}"
        outputs: "out/{shard}.txt"
        run: echo {shard} >> ran.txt; cat {inputs} > {outputs}
"""


@pytest.fixture
def shards(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    workspace.write("data.txt", "a:1\nb:2\nc:3\n")
    return workspace


def listed(ended: Ended) -> list[tuple[list[str], list[str], int]]:
    """The keys that were new, those that were no more, and how many tasks there were then, of each event."""
    return [(row["new"], row["gone"], row["tasks"]) for row in ended.events if row["event"] == "keys_listed"]


# --- the graph grows


def test_keys_come_to_be_known_while_the_build_runs(shards: Workspace) -> None:
    ended = shards.ok()
    assert ended.ran == ["merge", *names("process", ["a", "b", "c"]), "split"]
    assert listed(ended) == [(["a", "b", "c"], [], 5)]
    assert "        split lists 3 keys of shard: a, b and c are new\n" in ended.out
    assert shards.read("all.txt") == "1\n2\n3\n"


def test_a_second_build_has_nothing_to_do(shards: Workspace) -> None:
    shards.ok()
    ended = shards.ok()
    assert ended.ran == ended.restored == listed(ended) == []
    assert ended.out == "nothing to do: 5 tasks fresh\n"


def test_only_what_is_new_runs(shards: Workspace) -> None:
    shards.ok()
    shards.write("data.txt", "b:2\nc:3\nd:4\n")
    ended = shards.ok()
    assert ended.ran == ["merge", "process[d]", "split"]
    assert listed(ended) == [(["d"], ["a"], 5)]
    assert "        split lists 3 keys of shard: d is new; a is no more\n" in ended.out
    assert shards.read("all.txt") == "2\n3\n4\n"
    assert shards.ok().ran == []


def test_another_order_of_the_keys_is_a_change_of_what_takes_them_all(shards: Workspace) -> None:
    shards.ok()
    shards.write("data.txt", "c:3\nb:2\na:1\n")
    assert shards.ok().ran == ["merge", "split"]
    assert shards.read("all.txt") == "3\n2\n1\n"


def test_the_same_list_again_stops_the_change(shards: Workspace) -> None:
    shards.ok()
    shards.write("data.txt", "a:1\nb:5\nc:3\n")
    ended = shards.ok()
    assert ended.ran == ["merge", "process[b]", "split"]
    assert listed(ended) == []


def test_no_keys_at_all_are_no_mistake(shards: Workspace) -> None:
    shards.ok()
    shards.write("data.txt", "")
    ended = shards.ok()
    assert ended.ran == ["merge", "split"]
    assert listed(ended) == [([], ["a", "b", "c"], 2)]
    assert shards.read("all.txt") == ""
    assert shards.ok().ran == []
    shards.write("data.txt", "a:1\n")
    assert shards.ok().ran == ["merge", "split"]


def test_a_list_that_is_gone_is_restored_before_anything_else(shards: Workspace) -> None:
    shards.ok()
    (shards.root / "build/index.txt").unlink()
    ended = shards.ok()
    assert (ended.ran, ended.restored) == ([], ["split"])
    assert listed(ended) == [(["a", "b", "c"], [], 5)]


def test_an_edited_list_does_not_count(shards: Workspace) -> None:
    shards.ok()
    shards.write("build/index.txt", "a\n")
    ended = shards.ok()
    assert (ended.ran, ended.restored) == ([], ["split"])
    assert listed(ended) == [(["b", "c"], [], 5)]


def test_the_only_output_needs_no_name(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition n: lines(list)

        target all:
            inputs: square[*]

        target list:
            outputs: "list.txt"
            run: printf '1\\n\\n  \\n2\\r\\n' > {outputs}

        target square[n]:
            outputs: "{n}.txt"
            run: echo {n} > {outputs}
    """)
    assert workspace.ok().ran == ["list", *names("square", ["1", "2"])]


def test_temporary_outputs_beside_the_list(shards: Workspace) -> None:
    shards.pipeline(PIPELINE.replace('parts = "build/parts/"', 'parts = temp("build/parts/")'))
    shards.ok()
    assert not shards.exists("build/parts") and shards.exists("build/index.txt")
    ended = shards.ok()
    assert ended.ran == ended.restored == []
    (shards.root / "build/index.txt").unlink()
    ended = shards.ok()
    assert (ended.ran, ended.restored) == ([], ["split"])
    shards.write("data.txt", "a:1\nd:4\n")
    assert shards.ok("process").ran == ["process[d]", "split"]
    assert not shards.exists("build/parts")


# --- who waits for the list

WAITING = """
    partition shard: lines(split)

    target split:
        outputs: "index.txt"
        run: printf 'a\\nb\\n' > {outputs}

    target process[shard]:
        outputs: "out/{shard}.txt"
        run: echo {shard} > {outputs}

    target last:
        %s
        outputs: "last.txt"
        run: cat {inputs} > {outputs}
"""


@pytest.mark.parametrize(
    ("inputs", "ran"),
    [
        ("inputs: process[*]", ["a", "b"]),
        ('inputs: process["b"]', ["b"]),
        ('inputs: process["a".."b"]', ["a", "b"]),
        ("inputs: process[shard.last]", ["b"]),
        ('inputs: "out/b.txt"', ["b"]),
        ('inputs: glob("out/*.txt")', ["a", "b"]),
        ('inputs: process["z"]?, process["a"]', ["a"]),
    ],
)
def test_what_takes_of_the_keys_waits_for_the_list(workspace: Workspace, inputs: str, ran: list[str]) -> None:
    workspace.pipeline(WAITING % inputs)
    assert workspace.ok("last").ran == ["last", *names("process", ran), "split"]
    assert workspace.read("last.txt").split() == ran
    assert workspace.ok("last").ran == []


def test_a_folder_that_keys_will_fill(workspace: Workspace) -> None:
    workspace.pipeline((WAITING % 'inputs: "out/"').replace("cat {inputs}", "ls out"))
    assert workspace.ok("last").ran == ["last", *names("process", ["a", "b"]), "split"]
    assert workspace.read("last.txt").split() == ["a.txt", "b.txt"]


def test_what_comes_after_all_keys(workspace: Workspace) -> None:
    workspace.pipeline((WAITING % "after: process[*]").replace("cat {inputs}", "cat out/*"))
    assert workspace.ok("last").ran == ["last", *names("process", ["a", "b"]), "split"]


def test_lists_of_lists(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)
        partition word: lines(words)

        target report:
            inputs: count[*]
            outputs: "report.txt"
            run: cat {inputs} > {outputs}

        target split:
            inputs: "data.txt"
            outputs: "shards.txt"
            run: cut -d: -f1 {inputs} > {outputs}

        target part[shard]:
            inputs: "data.txt"
            outputs: "parts/{shard}.txt"
            run: grep '^{shard}:' {inputs} | cut -d: -f2 > {outputs}

        target words:
            inputs: part[*]
            outputs: "words.txt"
            run: sort -u {inputs} > {outputs}

        target count[word]:
            inputs: part[*]
            outputs: "count/{word}.txt"
            run: cat {inputs} | grep -c '^{word}$' > {outputs}
    """)
    workspace.write("data.txt", "a:x\nb:y\n")
    ended = workspace.ok()
    assert ended.ran == [*names("count", ["x", "y"]), *names("part", ["a", "b"]), "report", "split", "words"]
    assert listed(ended) == [(["a", "b"], [], 5), (["x", "y"], [], 7)]
    workspace.write("data.txt", "a:x\nb:z\n")
    ended = workspace.ok()
    assert listed(ended) == [(["z"], ["y"], 7)]
    assert "count[z]" in ended.ran
    assert workspace.ok().ran == []


def test_keys_beside_those_of_another_partition(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition model: ["m", "n"]
        partition shard: lines(split)

        target all:
            inputs: score[*]

        target split:
            outputs: "index.txt"
            run: printf 'a\\nb\\n' > {outputs}

        target score[model, shard]:
            outputs: "out/{model}/{shard}.txt"
            run: echo > {outputs}
    """)
    assert workspace.ok().ran == [*names("score", ["m,a", "m,b", "n,a", "n,b"]), "split"]


# --- goals


def test_goals_that_are_not_known_yet(shards: Workspace) -> None:
    assert shards.ok("process[b]").ran == ["process[b]", "split"]
    assert shards.ok("process", "--shard", "a,b").ran == ["process[a]"]
    assert shards.ok("out/c.txt").ran == ["process[c]"]


def test_keys_of_an_option_that_are_not_known_yet(shards: Workspace) -> None:
    assert shards.ok("process", "--shard", "a,b").ran == [*names("process", ["a", "b"]), "split"]


def test_a_path_that_is_not_known_yet(shards: Workspace) -> None:
    assert shards.ok("out/c.txt").ran == ["process[c]", "split"]


def test_a_key_that_never_comes(shards: Workspace) -> None:
    ended = shards.build("process[z]", "merge", "-k")
    assert (ended.status, ended.ran) == (1, ["split"])
    assert "process[z]: `shard` has no key z (its keys: a, b, c)" in ended.out
    assert shards.exists("build/index.txt")


def test_always_make_runs_the_keys_that_come_to_be_known(shards: Workspace) -> None:
    shards.ok()
    shards.write("data.txt", "a:1\nd:4\n")
    assert shards.ok("-B", "process").ran == [*names("process", ["a", "d"]), "split"]


# --- lists that are none


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a\\n../b\\n",
            "line 2 of index.txt, which `split` makes, can't be a key of `shard`: '../b': as a path it leads",
        ),
        (
            "a\\nb\\na\\n",
            "line 3 of index.txt, which `split` makes, can't be a key of `shard`: 'a': line 1 is the same",
        ),
        (
            "/x\\n",
            "line 1 of index.txt, which `split` makes, can't be a key of `shard`: '/x': it begins or ends with `/`",
        ),
        ("\\377\\n", "index.txt, which `split` makes, is to list the keys of `shard`, and is not UTF-8"),
    ],
)
def test_lines_that_can_be_no_keys(workspace: Workspace, text: str, problem: str) -> None:
    workspace.pipeline((WAITING % "inputs: process[*]").replace("a\\nb\\n", text))
    ended = workspace.build("last")
    assert (ended.status, ended.ran) == (1, ["split"])
    assert problem in ended.out
    assert "Pipelinefile:1:24:" in ended.out
    assert ended.tasks("task_blocked") == ["last"]
    assert workspace.build("last").status == 1
    workspace.pipeline(WAITING % "inputs: process[*]")
    assert workspace.ok("last").ran == ["last", *names("process", ["a", "b"]), "split"]


def test_a_broken_list_leaves_the_rest_alone(workspace: Workspace) -> None:
    workspace.pipeline((WAITING % "inputs: split").replace("a\\nb\\n", "a\\na\\n"))
    ended = workspace.build("-k", "last", "process")
    assert (ended.status, ended.ran) == (1, ["last", "split"])


def test_a_mistake_that_only_the_keys_show(workspace: Workspace) -> None:
    workspace.pipeline(
        (WAITING % "inputs: process[*]")
        + """
    target other:
        outputs: "out/b.txt"
        run: echo > {outputs}
"""
    )
    ended = workspace.build("last", "other")
    assert ended.status == 1
    assert "other and process[b] both make out/b.txt" in ended.out
    assert "last" not in ended.ran


# --- a list that can't be had


def test_nothing_goes_on_without_the_list(workspace: Workspace) -> None:
    workspace.pipeline((WAITING % "inputs: process[*]?").replace("printf", "false; printf"))
    ended = workspace.build("last", "-k")
    assert (ended.status, ended.failed, ended.tasks("task_blocked")) == (1, ["split"], ["last"])


# --- mistakes in the Pipelinefile


@pytest.mark.parametrize(
    ("source", "error", "hint"),
    [
        ("lines(split.idx)", "`split` has no output `idx`", "did you mean `index`?"),
        (
            "lines(split.zzz)",
            "`split` has no output `zzz`",
            "its outputs with a name: index, parts (metrics have no lines)",
        ),
        ("lines(split)", "`split` has 2 outputs", "name the one whose lines are the keys: lines(split.index)"),
        ("lines(split.parts)", '`"build/parts/"` is a directory, which has no lines', "have `split` write the keys"),
        (
            "lines(process)",
            "`process` makes one for each key of `shard`",
            "take the lines of an output of a target without",
        ),
        ("lines(merge)", "these tasks need each other in a circle: merge → merge", "break it"),
        (
            "lines(split.index) + lines(split.index)",
            "`lines(split.index) + lines(split.index)` is not known before",
            "it can",
        ),
        ("keys(split)", "`keys(split)` is not known before a target has made it", "it can have the lines of an output"),
    ],
)
def test_what_can_be_no_list(shards: Workspace, source: str, error: str, hint: str) -> None:
    shards.pipeline(PIPELINE.replace("lines(split.index)", source))
    ended = shards.build()
    assert ended.status == 2
    assert error in ended.err
    assert hint in ended.err


def test_a_list_must_stay(shards: Workspace) -> None:
    shards.pipeline(PIPELINE.replace('"build/index.txt"', 'temp("build/index.txt")'))
    ended = shards.build()
    assert ended.status == 2
    assert "what is temporary can't list keys: they are read from it in every build" in ended.err


@pytest.mark.parametrize("seed", range(2))
def test_any_edits_of_the_list_come_to_what_a_clean_build_makes(shards: Workspace, seed: int) -> None:
    """And each key runs once for each content that it ever had."""
    random = Random(seed)
    seen: set[tuple[str, str]] = set()
    for _ in range(5):
        keys = random.sample("abcdef", random.randrange(5))
        rows = [(key, random.choice("12")) for key in keys]
        shards.write("data.txt", "".join(f"{key}:{value}\n" for key, value in rows))
        if random.random() < 0.3:
            (shards.root / "build/index.txt").unlink(missing_ok=True)
        ended = shards.ok()
        new = sorted(key for key, value in rows if (key, value) not in seen)
        assert [task for task in ended.ran if "process" in task] == names("process", new)
        assert shards.lines("all.txt") == [value for _, value in rows]
        seen |= {*rows}
    assert shards.ok().ran == []


FILES = """
    partition shard: lines(split)

    target all:
        inputs: copy[*]

    target split:
        inputs: glob("data/*.csv")
        outputs: "index.txt"
        run: basename -s .csv {inputs} > {outputs}

    target copy[shard]:
        inputs: "data/{shard}.csv"
        outputs: "out/{shard}.csv"
        run: cp {inputs} {outputs}
"""


def test_files_of_old_keys_may_be_gone(workspace: Workspace) -> None:
    workspace.pipeline(FILES)
    for key in "ab":
        workspace.write(f"data/{key}.csv", "")
    workspace.ok()
    for key in "ab":
        (workspace.root / f"data/{key}.csv").rename(workspace.root / f"data/{key}2.csv")
    assert workspace.run("status").status == workspace.run("check").status == 0
    assert workspace.ok().ran == [*names("copy", ["a2", "b2"]), "split"]


def test_files_that_no_key_has(workspace: Workspace) -> None:
    workspace.pipeline(FILES.replace('"data/{shard}.csv"', '"dota/{shard}.csv"'))
    workspace.write("data/a.csv", "")
    ended = workspace.build()
    assert (ended.status, ended.ran) == (1, ["split"])
    assert "no target makes dota/a.csv, and it does not exist" in ended.out


def test_what_lost_keys_made_is_not_taken_from_a_folder(workspace: Workspace) -> None:
    workspace.pipeline(
        FILES.replace("inputs: copy[*]", 'inputs: "out/"\n        outputs: "all.txt"\n        run: ls out > {outputs}')
    )
    workspace.write("data/a.csv", "")
    workspace.write("data/b.csv", "")
    workspace.ok()
    (workspace.root / "data/a.csv").unlink()
    ended = workspace.ok()
    assert ended.ran == ["all", "split"]
    said = "out/a.csv was made by a task that is no more, so it does not count"
    assert [row["text"] for row in ended.events if row["event"] == "said"] == [said]


# --- what is said before


def test_what_is_not_known_is_said(shards: Workspace) -> None:
    nothing = "the keys of `shard` are known once `split` is in place: none are known yet"
    assert shards.run("-n").out.splitlines()[0] == nothing
    assert shards.run("status").out.splitlines()[-1] == nothing
    assert (
        shards.run("-n", "process[b]").out == f"{nothing}\nrun     split: it was never built here\nwould run 1 task\n"
    )
    assert unknown(shards) == [{"partition": "shard", "task": "split", "keys": 0}]
    shards.ok()
    assert unknown(shards) == []
    assert shards.run("-n").out == "nothing to do\n"
    shards.write("data.txt", "a:1\n")
    known = "the keys of `shard` are known once `split` is in place: 3 as of last time"
    assert shards.run("status").out.splitlines()[-1] == known
    assert shards.run("-n").out.splitlines()[0] == known


def unknown(workspace: Workspace) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(workspace.run("status", "--json").out)["unknown"]
    return found


def test_what_takes_all_keys_may_run_if_the_list_does(workspace: Workspace) -> None:
    workspace.pipeline(WAITING % "inputs: process[*]")
    workspace.ok("last")
    workspace.pipeline((WAITING % "inputs: process[*]").replace("printf", "true; printf"))
    assert workspace.run("-n", "last").out.splitlines()[1:3] == [
        "run     split: its recipe changed",
        "maybe   last: split runs first",
    ]


def test_the_state_of_a_key_that_is_not_there(shards: Workspace) -> None:
    ended = shards.run("explain", "process[b]")
    assert ended.status == 2
    assert ended.err == (
        "error: process[b]: `shard` has no key b (it has no keys)\n"
        "  hint: which keys there are is known once `split` has listed them\n"
    )
    shards.ok()
    for words in (["status", "process[z]"], ["-n", "process[z]"], ["process[z]"], ["process", "--shard", "z"]):
        ended = shards.run(*words)
        assert ended.status == 2
        assert "`shard` has no key z (its keys: a, b, c)\n" in ended.err
        assert "hint" not in ended.err


def test_check_calls_nothing_missing_that_keys_may_make(workspace: Workspace) -> None:
    for inputs in ('inputs: "out/b.txt"', 'inputs: process["b"]', 'inputs: "out/"', "inputs: process[shard.last]"):
        workspace.pipeline(WAITING % inputs)
        assert workspace.run("check").status == 0
    workspace.pipeline(WAITING % 'inputs: "elsewhere/b.txt"')
    ended = workspace.run("check")
    assert ended.status == 2
    assert "no target makes elsewhere/b.txt, and it does not exist" in ended.err


def test_a_circle_is_found_before_any_key_is_known(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target split:
            inputs: merge
            outputs: "index.txt"
            run: cp {inputs} {outputs}

        target process[shard]:
            outputs: "out/{shard}.txt"
            run: echo > {outputs}

        target merge:
            inputs: process[*]
            outputs: "merged.txt"
            run: cat {inputs} > {outputs}
    """)
    ended = workspace.run("check")
    assert ended.status == 2
    assert "these tasks need each other in a circle: split → merge → split" in ended.err


# --- backfill


def test_a_backfill_makes_new_keys_where_all_known_ones_are_fresh(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target split:
            inputs: "list.txt"
            outputs: "index.txt"
            run: cp {inputs} {outputs}

        target process[shard]:
            outputs: "out/{shard}.txt"
            run: echo {shard} > {outputs}

        target fixed:
            outputs: "fixed.txt"
            run: echo > {outputs}
    """)
    workspace.write("list.txt", "a\n")
    workspace.ok("process")
    assert workspace.ok("backfill", "process").out == "process  1 task: 1 fresh\nnothing to do\n"
    workspace.write("list.txt", "a\nb\n")
    known = "the keys of `shard` are known once `split` is in place: 1 as of last time\nprocess  1 task: 1 fresh\n"
    assert (
        workspace.run("backfill", "process", "-n").out
        == f"{known}nothing to do but for new keys of `shard`, if there are any\n"
    )
    assert workspace.run("backfill", "process", "--mode", "failed").out == f"{known}nothing to do\n"
    ended = workspace.ok("backfill", "process")
    assert ended.out.startswith(
        "new keys of `shard`, if there are any; if it is interrupted, the same command goes on\n"
    )
    assert ended.ran == ["process[b]", "split"]
    workspace.write("list.txt", "a\nb\nc\n")
    assert workspace.ok("backfill", "process", "fixed").ran == ["fixed", "process[c]", "split"]


@pytest.mark.parametrize("known", ["", "fresh", "missing"])
def test_keys_that_come_to_be_known_may_be_the_canary(workspace: Workspace, known: str) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target split:
            inputs: "list.txt"
            outputs: "index.txt"
            run: cp {inputs} {outputs}

        target process[shard]:
            outputs: "out/{shard}.txt"
            check: size(outputs) > 2, "too short"
            run: echo {shard} > {outputs}
    """)
    workspace.write("list.txt", "long\nlonger\n")
    workspace.ok("split" if known == "missing" else "process")
    workspace.write("list.txt", "long\na\nb\nc\n" if known else "a\nb\nc\n")
    ended = workspace.build("backfill", "process", "--canary", "1", "-j1")
    if known == "missing":
        assert (ended.ran, ended.failed) == (["process[long]", "split"], ["process[a]", "process[b]", "process[c]"])
    else:
        assert (ended.ran, ended.failed) == (["split"], ["process[a]"])
        assert "the canary did not hold: nothing else is started" in ended.out


def test_a_canary_of_keys_that_are_no_more_is_another(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target split:
            inputs: "list.txt"
            outputs: "index.txt"
            run: cp {inputs} {outputs}

        target process[shard]:
            outputs: "out/{shard}.txt"
            check: size(outputs) > 2, "too short"
            run: echo {shard} > {outputs}
    """)
    workspace.write("list.txt", "long\n")
    workspace.ok("split")
    workspace.write("list.txt", "a\nb\nc\n")
    ended = workspace.build("backfill", "process", "--canary", "1", "-j1")
    assert (ended.ran, ended.failed) == (["split"], ["process[a]"])


def test_a_backfill_of_keys_that_a_target_lists(shards: Workspace) -> None:
    ended = shards.build("backfill", "process")
    assert ended.status == 2
    assert "error: no keys of the goals are known yet\n  hint: `mlbuild split` lists them\n" in ended.err
    shards.write("data.txt", "a:1\na:2\n")
    shards.build("split")
    twice = "line 2 of build/index.txt, which `split` makes, can't be a key of `shard`: 'a': line 1 is the same"
    assert f"error: no keys of the goals are known: {twice}\n" in shards.run("backfill", "process").err
    shards.write("data.txt", "a:1\nb:2\nc:3\n")
    shards.ok("split")
    assert shards.ok("backfill", "process", "--shard", "a,b").ran == names("process", ["a", "b"])
    shards.write("data.txt", "d:4\nb:2\nc:5\n")
    ended = shards.run("backfill", "process", "-n")
    assert ended.out.splitlines()[0] == "the keys of `shard` are known once `split` is in place: 3 as of last time"
    ended = shards.ok("backfill", "process", "--canary", "1")
    assert ended.ran == [*names("process", ["c", "d"]), "split"]
    assert shards.ok("backfill", "process").ran == []


# --- what happens meanwhile


@pytest.mark.parametrize("point", ["listed", "published"])
def test_killed_when_the_list_is_made(shards: Workspace, point: str) -> None:
    shards.ok()
    shards.write("data.txt", "b:2\nc:3\nd:4\n")
    process = shards.start(env={"MLBUILD_TEST_KILL": f"{point}:1"})
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    ended = shards.ok()
    assert "process[d]" in ended.ran and "process[b]" not in ended.ran
    assert shards.read("all.txt") == "2\n3\n4\n"
    assert shards.lines("ran.txt").count("d") == 1


def test_interrupted_while_keys_run(workspace: Workspace) -> None:
    slow = (WAITING % "inputs: process[*]").replace(
        "run: echo {shard}", "run: touch began-{shard}; test -e go || sleep 600; echo {shard}"
    )
    workspace.pipeline(slow)
    process = workspace.start("last", "-j1")
    workspace.wait_for("began-a")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 task run" in out
    workspace.write("go", "")
    assert workspace.ok("last").ran == ["last", *names("process", ["a", "b"])]


def test_two_builds_at_once(workspace: Workspace) -> None:
    slow = (WAITING % "inputs: process[*]").replace(
        "printf", "echo >> splits; touch began; while ! test -e go; do sleep 0.01; done; printf"
    )
    slow = slow.replace('outputs: "index.txt"', 'outputs: "index.txt"\n        code: none')
    workspace.pipeline(slow.replace("echo {shard}", "echo {shard} >> ran; echo {shard}"))
    builds = [workspace.start("last")]
    workspace.wait_for("began")
    builds += [workspace.start("last"), workspace.start("process")]
    workspace.write("go", "")
    for process in builds:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    assert (workspace.lines("splits"), sorted(workspace.lines("ran"))) == ([""], ["a", "b"])


def test_what_another_build_makes_meanwhile_for_no_key_does_not_count(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target split:
            inputs: "list.txt"
            outputs: "index.txt"
            code: none
            run: touch began; while ! test -e go; do sleep 0.01; done; cp {inputs} {outputs}

        target process[shard]:
            outputs: "out/{shard}.txt"
            run: echo {shard} > {outputs}

        target last:
            inputs: "out/"
            outputs: "last.txt"
            run: ls out > {outputs}
    """)
    workspace.write("Other", 'target other:\n    outputs: "out/other.txt"\n    run: echo > {outputs}\n')
    workspace.write("out/mine.txt", "")
    workspace.write("list.txt", "a\n")
    workspace.write("go", "")
    workspace.ok("last")
    for path in ("began", "go"):
        (workspace.root / path).unlink()
    workspace.write("list.txt", "a\nb\n")
    process = workspace.start("last")
    workspace.wait_for("began")
    workspace.ok("-f", "Other")
    workspace.write("go", "")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "out/other.txt was made by a task that is no more, so it does not count" in out
    assert workspace.ok("last").ran == []


def test_a_failure_of_one_key_leaves_the_others(workspace: Workspace) -> None:
    workspace.pipeline(
        (WAITING % "inputs: process[*]").replace("run: echo {shard}", "run: test {shard} = b; echo {shard}")
    )
    ended = workspace.build("last", "-k")
    assert (ended.status, ended.failed, ended.ran) == (1, ["process[a]"], ["process[b]", "split"])
    assert ended.tasks("task_blocked") == ["last"]


def test_a_new_key_that_needs_what_has_failed(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target all:
            inputs: process[*]

        target broken:
            outputs: "broken.txt"
            run: touch failed; false

        target split:
            outputs: "index.txt"
            run: while ! test -e failed; do sleep 0.01; done; sleep 0.3; echo a > {outputs}

        target process[shard]:
            inputs: broken
            outputs: "out/{shard}.txt"
            run: cp {inputs} {outputs}
    """)
    ended = workspace.build("all", "broken", "-k", "-j2")
    assert (ended.status, ended.failed, ended.ran) == (1, ["broken"], ["split"])
    assert ended.tasks("task_blocked") == ["all", "process[a]"]


def test_what_only_a_lost_key_needed_is_not_made(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition shard: lines(split)

        target all:
            inputs: process[*]

        target split:
            inputs: "data.txt"
            outputs: "index.txt"
            run: cp {inputs} {outputs}

        target raw[shard]:
            after: split
            outputs: "raw/{shard}.txt"
            run: echo {shard} {n} > {outputs}

        target process[shard]:
            inputs: raw
            outputs: "out/{shard}.txt"
            run: cp {inputs} {outputs}

        param n = 1
    """)
    workspace.write("data.txt", "a\nb\n")
    workspace.ok()
    workspace.write("data.txt", "b\nc\n")
    ended = workspace.ok("n=2")
    assert ended.ran == [*names("process", ["b", "c"]), *names("raw", ["b", "c"]), "split"]


def test_a_detached_build_grows_too(shards: Workspace) -> None:
    assert shards.run("--detach").status == 0
    shards.wait_until_quiet()
    assert "split lists 3 keys of shard: a, b and c are new" in shards.run("attach", "1").out
    assert shards.read("all.txt") == "1\n2\n3\n"


def test_conditions_of_new_keys_are_tested(shards: Workspace) -> None:
    shards.pipeline(PIPELINE + '        check: size(outputs) < 3, "{shard} is too long"\n')
    shards.write("data.txt", "a:1\nb:22\n")
    ended = shards.build("-k")
    assert (ended.status, ended.failed) == (1, ["process[b]"])
    assert "b is too long" in ended.out
