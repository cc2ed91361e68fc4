"""`temp("path")`: removed once nothing needs it any more, and brought back when something does."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence

import pytest
from workspace import Ended, Workspace

ONE = """
    target clean:
        inputs: "raw.txt"
        outputs: temp("clean.txt")CACHE
        run: cp {inputs} {outputs}; echo clean >> ran

    target train:
        inputs: clean
        outputs: "model.txt"
        run: (cat {inputs}; cat extra.txt) > {outputs}

    target test:
        inputs: clean
        outputs: "test.txt"
        run: wc -l < {inputs} > {outputs}

    target all:
        inputs: train, test
    default all
"""
UNCACHED = "\n        cache: false"
BOTH = pytest.mark.parametrize("cache", ["", UNCACHED], ids=["stored", "not stored"])


def started(workspace: Workspace, text: str = ONE, cache: str = "") -> Workspace:
    workspace.pipeline(text.replace("CACHE", cache))
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "1\n")
    return workspace


def there(workspace: Workspace, *paths: str) -> list[str]:
    """Those of the paths that exist; nothing may be left of a removal."""
    left = [name for _, folders, names in os.walk(workspace.root) for name in (*folders, *names) if "-aside" in name]
    assert left == []
    return [path for path in paths if workspace.exists(path)]


def did(ended: Ended) -> tuple[Sequence[str], Sequence[str]]:
    return ended.ran, ended.restored


@BOTH
def test_it_is_removed_and_nothing_reruns_for_it(workspace: Workspace, cache: str) -> None:
    started(workspace, cache=cache)
    assert workspace.ok().ran == ["clean", "test", "train"]
    assert there(workspace, "clean.txt", "model.txt", "test.txt") == ["model.txt", "test.txt"]
    assert workspace.ok().events[-1]["counts"] == {"absent": 1, "fresh": 3}
    assert workspace.states() == {"clean": "absent", "train": "fresh", "test": "fresh", "all": "fresh"}
    assert workspace.run("-n").out == "nothing to do\n"
    assert workspace.run("-q").status == 0
    assert there(workspace, "clean.txt") == []


@BOTH
def test_what_must_run_again_brings_it_back(workspace: Workspace, cache: str) -> None:
    started(workspace, cache=cache).ok()
    workspace.write("extra.txt", "2\n")
    word = "run     clean: clean.txt is missing" if cache else "restore clean: clean.txt is missing"
    assert workspace.run("-n").out.splitlines()[:2] == [word, "run     train: code extra.txt changed"]
    assert did(workspace.ok()) == ((["clean", "train"], []) if cache else (["train"], ["clean"]))
    assert workspace.read("model.txt") == "a\n2\n"
    assert there(workspace, "clean.txt") == []
    assert did(workspace.ok()) == ([], [])


@BOTH
def test_an_edit_before_it_and_its_undoing(workspace: Workspace, cache: str) -> None:
    started(workspace, cache=cache).ok()
    workspace.write("raw.txt", "b\n")
    assert workspace.ok().ran == ["clean", "test", "train"]
    assert workspace.read("model.txt") == "b\n1\n"
    workspace.write("raw.txt", "a\n")
    ended = workspace.ok()
    assert workspace.read("model.txt") == "a\n1\n"
    if not cache:
        # What it came to is known without it, and so is not brought back for anybody.
        assert "clean" not in ended.ran + ended.restored
        assert "train" in ended.restored
    assert there(workspace, "clean.txt") == []
    assert did(workspace.ok()) == ([], [])


def test_a_comment_in_the_input_stops_at_it(workspace: Workspace) -> None:
    started(workspace, ONE.replace("cp {inputs}", "grep -v '#' {inputs} | cat >"), UNCACHED).ok()
    workspace.write("raw.txt", "a\n# a comment\n")
    assert workspace.ok().ran == ["clean"]
    assert there(workspace, "clean.txt") == []


@pytest.mark.parametrize("goal", ["clean", "clean.txt"])
@BOTH
def test_a_goal_that_names_it_keeps_it(workspace: Workspace, goal: str, cache: str) -> None:
    started(workspace, cache=cache)
    workspace.ok(goal, "train")
    assert there(workspace, "clean.txt") == ["clean.txt"]
    assert workspace.ok(goal).ran == []
    assert there(workspace, "clean.txt") == ["clean.txt"]
    # A later build that does not name it removes it, once what needs it is there.
    workspace.ok()
    assert there(workspace, "clean.txt") == []
    assert workspace.states(goal)["clean"] == ("missing" if cache else "restorable")
    assert did(workspace.ok(goal)) == ((["clean"], []) if cache else ([], ["clean"]))
    assert there(workspace, "clean.txt") == ["clean.txt"]


def test_only_what_this_build_needs_is_waited_for(workspace: Workspace) -> None:
    started(workspace, cache="")
    workspace.ok("train")
    assert there(workspace, "clean.txt") == []
    assert did(workspace.ok("test")) == (["test"], ["clean"])
    assert there(workspace, "clean.txt") == []


@pytest.mark.parametrize("flags", [[], ["-k"]])
def test_it_stays_after_a_failure_of_what_needs_it(workspace: Workspace, flags: list[str]) -> None:
    started(workspace, ONE.replace("wc -l <", "test -e cured; wc -l <"), UNCACHED)
    assert workspace.build("-j1", *flags).failed == ["test"]
    assert there(workspace, "clean.txt") == ["clean.txt"]
    workspace.write("cured", "")
    assert "clean" not in workspace.ok().ran
    assert there(workspace, "clean.txt") == []
    assert workspace.lines("ran") == ["clean"]


def test_it_stays_where_what_needs_it_is_blocked(workspace: Workspace) -> None:
    text = ONE.replace('inputs: clean\n        outputs: "test.txt"', 'inputs: clean, bad\n        outputs: "test.txt"')
    started(workspace, text + '\n    target bad:\n        outputs: "bad"\n        run: false\n', UNCACHED)
    assert workspace.build("-k").failed == ["bad"]
    assert there(workspace, "clean.txt") == ["clean.txt"]


CHAIN = """
    target a:
        outputs: temp("a.txt")CACHE
        run: echo a > {outputs}; echo a >> ran

    target b:
        inputs: a
        outputs: temp("b.txt")CACHE
        run: cp {inputs} {outputs}; echo b >> ran

    target c:
        inputs: b
        outputs: "c.txt"
        run: (cat {inputs}; cat extra.txt) > {outputs}

    target d:
        inputs: a
        outputs: "d.txt"
        run: (cat {inputs}; cat other.txt) > {outputs}

    target all:
        inputs: c, d
    default all
"""


@BOTH
def test_a_chain_of_them(workspace: Workspace, cache: str) -> None:
    started(workspace, CHAIN, cache).write("other.txt", "")
    assert workspace.ok().ran == ["a", "b", "c", "d"]
    assert there(workspace, "a.txt", "b.txt") == []
    assert did(workspace.ok()) == ([], [])
    workspace.write("extra.txt", "2\n")
    # What is stored is brought back alone; else all that it is made from, too.
    assert did(workspace.ok()) == ((["a", "b", "c"], []) if cache else (["c"], ["b"]))
    assert workspace.read("c.txt") == "a\n2\n"
    assert there(workspace, "a.txt", "b.txt") == []
    workspace.write("other.txt", "x\n")
    assert did(workspace.ok()) == ((["a", "d"], []) if cache else (["d"], ["a"]))
    assert workspace.read("d.txt") == "a\nx\n"
    workspace.write("extra.txt", "3\n")
    workspace.write("other.txt", "y\n")
    assert did(workspace.ok("-j4")) == ((["a", "b", "c", "d"], []) if cache else (["c", "d"], ["a", "b"]))
    assert (workspace.read("c.txt"), workspace.read("d.txt")) == ("a\n3\n", "a\ny\n")
    assert there(workspace, "a.txt", "b.txt") == []
    assert did(workspace.ok()) == ([], [])


def test_partitions(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition day: daily from 2024-01-01 to 2024-01-05
        target load[day]:
            outputs: temp("raw/{day}.txt")
            cache: false
            run: echo {day} > {outputs}
        target week[day]:
            inputs: load[day-1..day]
            outputs: "week/{day}.txt"
            run: (cat {inputs}; cat {day}.extra 2>/dev/null || true) > {outputs}
        target all:
            inputs: week[*]
            outputs: "all.txt"
            run: cat {inputs} > {outputs}
        default all
        """
    )
    assert len(workspace.ok("-j2").ran) == 11
    assert os.listdir(workspace.root / "raw") == []
    assert did(workspace.ok()) == ([], [])
    workspace.write("2024-01-03.extra", "more\n")
    (workspace.root / "week/2024-01-03.txt").unlink()
    assert workspace.ok("--force", "week[2024-01-03]").ran == [
        "all",
        "load[2024-01-02]",
        "load[2024-01-03]",
        "week[2024-01-03]",
    ]
    assert os.listdir(workspace.root / "raw") == []
    assert workspace.read("week/2024-01-03.txt") == "2024-01-02\n2024-01-03\nmore\n"
    assert did(workspace.ok()) == ([], [])


FOLDER = """
    target unpack:
        outputs: temp("data/raw/"), index = "index.txt"CACHE
        run:
            mkdir data/raw/deep; echo 1 > data/raw/1.txt; echo 2 > data/raw/deep/2.txt
            ls data/raw > {outputs.index}

    target use:
        inputs: INPUT
        outputs: "used.txt"
        run: cat $(find {inputs} -name '[12].txt' | sort -u) extra.txt > {outputs}

    default use
"""


@BOTH
@pytest.mark.parametrize(
    "written", ["unpack", '"data/raw/"', '"data"', '"data/raw/1.txt", "data/raw/deep/2.txt"', '"data/raw/deep", unpack']
)
def test_a_folder_and_the_ways_to_read_it(workspace: Workspace, written: str, cache: str) -> None:
    started(workspace, FOLDER.replace("INPUT", written), cache)
    workspace.ok()
    before = workspace.read("used.txt")
    assert before == "1\n2\n1\n"
    assert there(workspace, "data/raw", "index.txt") == ["index.txt"]
    assert did(workspace.ok()) == ([], [])
    workspace.write("extra.txt", "2\n")
    assert did(workspace.ok()) == ((["unpack", "use"], []) if cache else (["use"], ["unpack"]))
    assert workspace.read("used.txt") == before.removesuffix("1\n") + "2\n"
    assert there(workspace, "data/raw", "index.txt") == ["index.txt"]
    assert did(workspace.ok()) == ([], [])


def test_read_through_a_glob(workspace: Workspace) -> None:
    text = """
    partition k: range(3)
    target part[k]:
        outputs: temp("parts/{k}.txt")
        run: echo {k} > {outputs}
    target use:
        inputs: glob("parts/*.txt")
        outputs: "used.txt"
        run: cat {inputs} extra.txt > {outputs}
    default use
    """
    started(workspace, text)
    assert len(workspace.ok().ran) == 4
    assert workspace.read("used.txt") == "0\n1\n2\n1\n"
    assert os.listdir(workspace.root / "parts") == []
    assert did(workspace.ok()) == ([], [])
    workspace.write("extra.txt", "x\n")
    assert did(workspace.ok()) == (["use"], ["part[0]", "part[1]", "part[2]"])
    assert workspace.read("used.txt") == "0\n1\n2\nx\n"
    assert os.listdir(workspace.root / "parts") == []


def test_beside_an_output_that_stays(workspace: Workspace) -> None:
    """What reads only what stays needs nothing brought back."""
    text = """
    target count:
        inputs: unpack.index
        outputs: "count.txt"
        run: wc -l < {inputs} > {outputs}; cat other.txt >> {outputs}
    """
    started(workspace, FOLDER.replace("INPUT", "unpack") + text, UNCACHED).write("other.txt", "")
    assert workspace.ok("use", "count").ran == ["count", "unpack", "use"]
    workspace.write("other.txt", "x\n")
    assert did(workspace.ok("use", "count")) == (["count"], [])
    (workspace.root / "index.txt").unlink()
    # It is gone like any output: nothing that is there needs it.
    assert did(workspace.ok("use", "count")) == ([], [])
    workspace.write("other.txt", "y\n")
    assert did(workspace.ok("use", "count")) == (["count", "unpack"], [])
    assert there(workspace, "data/raw", "index.txt") == ["index.txt"]


def test_conditions_that_look_at_it(workspace: Workspace) -> None:
    """A condition is no edge; but where both are in a build, it waits for it, and is waited for."""
    text = ONE + (
        '\n    target late:\n        inputs: train\n        outputs: "late.txt"\n'
        '        check: size(clean) == 2, "clean is odd"\n        run: cat extra.txt > {outputs}\n'
    )
    started(workspace, text, UNCACHED)
    workspace.ok("late", "all")
    assert there(workspace, "clean.txt") == []
    workspace.write("extra.txt", "odd\n")
    assert workspace.ok("late", "all").ran == ["clean", "late", "train"]
    # Without it there is nothing to compare with.
    assert workspace.ok("late", "--force", "late").ran == ["late"]


def test_what_was_edited_by_hand_stays(workspace: Workspace) -> None:
    started(workspace, cache="").ok("clean", "train")
    workspace.write("clean.txt", "by hand\n")
    ended = workspace.ok("train")
    (text,) = [row["text"] for row in ended.events if row["event"] == "said"]
    assert text.startswith("clean.txt was not as mlbuild had left it; that version is now .mlbuild/failed/")
    assert workspace.read(text.rpartition(" ")[2]) == "by hand\n"
    assert there(workspace, "clean.txt") == []


def test_no_longer_temporary_and_so_again(workspace: Workspace) -> None:
    started(workspace, cache="").ok()
    started(workspace, ONE.replace('temp("clean.txt")', '"clean.txt"'))
    assert did(workspace.ok()) == ([], ["clean"])
    assert there(workspace, "clean.txt") == ["clean.txt"]
    started(workspace)
    assert did(workspace.ok()) == ([], [])
    assert there(workspace, "clean.txt") == []


@pytest.mark.parametrize("point", ["recorded:2", "published:2", "dropping"])
@pytest.mark.parametrize("text", [ONE, ONE.replace("clean.txt", "clean/").replace("cp {inputs}", "cp {inputs} -t")])
def test_a_killed_build_loses_nothing_and_leaves_nothing(workspace: Workspace, point: str, text: str) -> None:
    if "-t" in text:
        text = text.replace("cat {inputs}", "cat {inputs}/*").replace("< {inputs}", "< {inputs}/raw.txt")
    started(workspace, text, UNCACHED)
    process = workspace.start("-j1", "train", env={"MLBUILD_TEST_KILL": point})
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    workspace.ok("train")
    assert there(workspace, "clean.txt", "clean") == []
    assert workspace.lines("ran") == ["clean"]
    assert workspace.read("model.txt") == "a\n1\n"
    assert did(workspace.ok("train")) == ([], [])


def test_an_interrupted_build_keeps_what_is_still_needed(workspace: Workspace) -> None:
    text = ONE.replace("wc -l <", "echo > started; while ! [ -e g[o] ]; do sleep 0.02; done; wc -l <")
    started(workspace, text, UNCACHED)
    process = workspace.start("test")
    workspace.wait_for("started")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert there(workspace, "clean.txt") == ["clean.txt"]
    workspace.write("go", "")
    assert workspace.ok("test").ran == ["test"]
    assert there(workspace, "clean.txt") == []


def test_another_build_that_reads_it_keeps_it(workspace: Workspace) -> None:
    text = ONE.replace("wc -l <", "echo > started; while ! [ -e g[o] ]; do sleep 0.02; done; wc -l <")
    started(workspace, text, UNCACHED)
    one = workspace.start("test")
    workspace.wait_for("started")
    workspace.ok("train")
    assert there(workspace, "clean.txt") == ["clean.txt"]
    workspace.write("go", "")
    _, err = one.communicate(timeout=60)
    assert one.returncode == 0, err
    assert there(workspace, "clean.txt") == []
    assert workspace.lines("ran") == ["clean"]


def test_what_a_dead_build_still_reads_is_kept(workspace: Workspace) -> None:
    text = ONE.replace("wc -l <", "echo > started; while ! [ -e g[o] ]; do sleep 0.02; done; wc -l <")
    started(workspace, text, UNCACHED)
    one = workspace.start("test")
    workspace.wait_for("started")
    one.kill()
    one.communicate(timeout=60)
    workspace.ok("train")
    assert there(workspace, "clean.txt") == ["clean.txt"]
    workspace.write("go", "")
    assert workspace.ok("test").ran == ["test"]
    assert there(workspace, "clean.txt") == []
    assert workspace.lines("ran") == ["clean"]


def test_when_the_store_lost_it(workspace: Workspace) -> None:
    started(workspace).ok()
    shutil.rmtree(workspace.root / ".mlbuild/store")
    assert did(workspace.ok()) == ([], [])
    workspace.write("extra.txt", "2\n")
    assert did(workspace.ok()) == (["clean", "train"], [])
    assert there(workspace, "clean.txt") == []


@pytest.mark.parametrize(
    "text, message",
    [
        (
            'target t:\n    outputs: tmep("a")\n    run: true\n',
            "Pipelinefile:2:14: error: `tmep()` is nothing that outputs can be\n"
            '  2 |     outputs: tmep("a")\n'
            "    |              ^^^^^^^^^\n"
            "  hint: did you mean `temp`?\n",
        ),
        (
            'target t:\n    metrics: temp("a.json")\n    run: true\n',
            "Pipelinefile:2:14: error: `temp()` can't be in `metrics:`\n"
            '  2 |     metrics: temp("a.json")\n'
            "    |              ^^^^^^^^^^^^^^\n"
            "  hint: metrics stay; `outputs:` can be temporary\n",
        ),
    ],
)
def test_where_it_can_not_be(workspace: Workspace, text: str, message: str) -> None:
    workspace.pipeline(text)
    ended = workspace.run("check")
    assert (ended.status, ended.err) == (2, message)
