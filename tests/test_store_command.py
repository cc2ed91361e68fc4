"""`mlbuild store`: how large it is, what can go out of it, whether it is whole; at any moment, beside anything."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from workspace import Workspace

from mlbuild.state.garbage import DAY, chosen
from mlbuild.state.store import Result

PIPELINE = """
    param v = 1

    target small:
        outputs: "small.txt"
        run: echo {v} > {outputs}

    target large:
        outputs: "large/"
        run:
            head -c 100000 /dev/zero > large/zeros; echo {v} > large/v
            (head -c 90000 /dev/zero; echo {v}) > large/more

    target all:
        inputs: small, large
    default all
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """Made with v = 1, 2 and 3; what 3 came to is in place."""
    workspace.pipeline(PIPELINE)
    for value in (1, 2, 3):
        workspace.ok(f"v={value}")
    return workspace


def sql(workspace: Workspace, query: str, *values: object) -> list[Any]:
    database = sqlite3.connect(workspace.root / ".mlbuild/store/store.db", isolation_level=None)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def age(workspace: Workspace, days: float) -> None:
    """Let all that is stored have been used last so many days ago."""
    sql(workspace, "UPDATE actions SET used = ?", time.time() - days * DAY)


def facts(workspace: Workspace, *words: str, status: int = 0) -> dict[str, Any]:
    ended = workspace.run("store", *words, "--json")
    assert (ended.status, ended.err) == (status, "")
    document: dict[str, Any] = json.loads(ended.out)
    return document


def files(workspace: Workspace) -> list[Path]:
    return [path for path in (workspace.root / ".mlbuild/store/objects").rglob("*") if path.is_file()]


def restores(workspace: Workspace, value: int) -> list[str]:
    """What has to run for a value; all else is restored."""
    ended = workspace.ok(f"v={value}")
    assert workspace.read("small.txt") == f"{value}\n"
    assert workspace.read("large/v") == f"{value}\n"
    return ended.ran


# --- stats


def test_stats(built: Workspace) -> None:
    found = facts(built, "stats")
    # A folder is an object, too; the zeros are shared; `small.txt` and `large/v` are alike.
    assert found.pop("bytes") > 370_000
    assert found.pop("used_bytes") > 190_000
    assert found == {
        "path": ".mlbuild/store",
        "objects": 1 + 3 * 3,
        "results": 6,
        "used_objects": 1 + 3,
        "used_results": 2,
    }
    (built.root / "small.txt").unlink()
    assert facts(built, "stats")["used_results"] == 1
    lines = built.run("store", "stats").out.splitlines()
    assert lines[0].startswith(".mlbuild/store: 10 objects, 36")
    assert lines[1].startswith("the present outputs use 4 objects, 18")


def test_of_nothing(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    assert facts(workspace, "stats")["objects"] == 0
    assert facts(workspace, "gc", "--older-than", "1s")["results"] == []
    assert workspace.run("store", "verify").out == "0 objects, 0B: all whole\n"


# --- gc


def test_what_was_not_used_for_long_goes_and_what_is_in_place_stays(built: Workspace) -> None:
    age(built, 40)
    built.ok("v=2")  # used again
    built.ok("v=3")
    planned = facts(built, "gc", "--older-than", "30d", "-n")
    assert facts(built, "stats")["results"] == 6
    done = facts(built, "gc", "--older-than", "30d")
    assert {**done, "dry_run": True} == planned
    assert sorted(path for row in done["results"] for path in row["outputs"]) == ["large/", "small.txt"]
    assert done["objects"] == 3
    assert facts(built, "stats")["results"] == 4
    assert facts(built, "verify")["damaged"] == []
    assert restores(built, 2) == []
    assert restores(built, 1) == ["large", "small"]


def test_nothing_of_what_is_in_place(built: Workspace) -> None:
    age(built, 400)
    done = facts(built, "gc", "--max-size", "1K", "--older-than", "1d")
    assert len(done["results"]) == 4
    assert done["kept"] > 190_000
    for path in ("large/zeros", "large/v", "large/more"):
        (built.root / path).unlink()
    assert restores(built, 3) == []
    said = built.run("store", "gc", "--max-size", "1K").out
    assert (
        said == "dropped 0 results, 0 objects, 0B; 186K stay, of which outputs in place and running builds need 186K\n"
    )


def test_what_was_replaced_was_of_use_until_then(built: Workspace) -> None:
    age(built, 40)
    built.ok("v=4")
    assert len(facts(built, "gc", "--older-than", "30d")["results"]) == 4
    assert restores(built, 3) == []


def test_down_to_a_size(built: Workspace) -> None:
    before = facts(built, "stats")["bytes"]
    # One folder of the two that are not in place has to go.
    done = facts(built, "gc", "--max-size", f"{(before - 80_000) // 1024}K")
    assert "large/" in [path for row in done["results"] for path in row["outputs"]]
    assert before - 100_000 < done["kept"] <= before - 80_000
    assert sorted(path.stat().st_size for path in files(built)) == [90_002, 90_002, 100_000]


def test_the_database_shrinks(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param v = 1
        partition k: range(20)
        target t[k]:
            outputs: "{k}.bin"
            run: (echo {k} {v}; head -c 60000 /dev/zero) > {outputs}
        """
    )
    workspace.ok("v=1")
    workspace.ok("v=2")
    path = workspace.root / ".mlbuild/store/store.db"
    sql(workspace, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.stat().st_size
    assert len(facts(workspace, "gc", "--max-size", "1K")["results"]) == 20
    sql(workspace, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert before > 2_400_000
    assert path.stat().st_size < 1_400_000


def test_leftovers(built: Workspace) -> None:
    tmp, failed = built.root / ".mlbuild/tmp", built.root / ".mlbuild/failed"
    dead = "4194304"  # beyond the greatest number that a process may have
    gone = [f"{'a' * 32}-17", f"clock-{dead}", "1-7-0.txt"]
    stay = [f"clock-{os.getpid()}", "something else"]
    for name in (*gone, *stay):
        (tmp / name).write_text("")
    jobs = built.root / ".mlbuild/jobs"
    for name, days in (("old", 40), ("new", 20)):
        for folder in (failed, jobs, jobs / "results"):
            (folder / name / "data").mkdir(parents=True)
            os.utime(folder / name, (time.time() - days * DAY,) * 2)
    (place,) = {path.parent for path in files(built) if path.stat().st_size == 100_000}
    (place / ("0" * 30)).write_text("an object that nothing names")
    expected = [f".mlbuild/tmp/{name}" for name in gone]
    assert sorted(facts(built, "gc", "--max-size", "1G", "-n")["leftovers"]) == sorted(expected)
    done = facts(built, "gc", "--older-than", "30d")
    old = [f".mlbuild/{folder}/old" for folder in ("failed", "jobs", "jobs/results")]
    assert sorted(done["leftovers"]) == sorted([*expected, *old])
    assert done["objects"] == 1
    assert sorted(os.listdir(tmp)) == sorted(stay)
    assert (os.listdir(failed), sorted(os.listdir(jobs))) == (["new"], ["new", "results"])
    assert len(files(built)) == 4


def test_lists_of_an_attempt_that_goes_on_stay(workspace: Workspace) -> None:
    workspace.write("a.txt", "a")
    workspace.pipeline(
        """
        target t:
            inputs: "a.txt"
            outputs: "t.txt"
            run: echo > started; while ! [ -e g[o] ]; do sleep 0.02; done; cat {inputs:file} > {outputs}
        """
    )
    build = workspace.start()
    workspace.wait_for("started")
    living = facts(workspace, "gc", "--older-than", "1s")["leftovers"]
    build.kill()
    build.communicate(timeout=60)
    dead = facts(workspace, "gc", "--older-than", "1s")["leftovers"]
    workspace.write("go", "")
    workspace.ok()
    assert workspace.read("t.txt") == "a.txt\n"
    assert [path for path in living + dead if path.endswith(".txt")] == []


# --- the order in which results go


def result(name: str, digests: str, seconds: float, days: float) -> Result:
    return Result(name, (name,), frozenset(digests), seconds, days * DAY)


def test_the_order() -> None:
    sizes = dict.fromkeys("abcdef", 100)
    old, dear, cheap, new = (
        result("old", "a", 900, 1.5),
        result("dear", "b", 100, 5.1),
        result("cheap", "c", 1, 5.9),
        result("new", "d", 0, 8.0),
    )
    everything = [new, dear, old, cheap]

    def names(needed: set[str], older_than: float | None, max_size: int | None, now: float = 10 * DAY) -> list[str]:
        return [one.fingerprint for one in chosen(everything, sizes, needed, now, older_than, max_size)]

    assert names(set(), None, 0) == ["old", "cheap", "dear", "new"]
    assert names(set(), None, 250) == ["old", "cheap"]
    assert names(set(), None, 400) == []
    assert names({"old", "dear"}, None, 250) == ["cheap", "new"]
    assert names(set(), 4.5 * DAY, None) == ["old", "dear"]
    assert names(set(), 4.5 * DAY, 150) == ["old", "cheap", "dear"]
    everything = [result("one", "ab", 1, 1), result("two", "b", 1, 2), result("kept", "a", 1, 3)]
    # What only shares objects with what stays frees nothing; a shared object goes with the last that has it.
    assert names({"kept"}, None, 100) == ["one", "two"]
    assert names({"kept"}, None, 150) == ["one", "two"]
    assert names({"kept"}, None, 200) == []
    everything = [result("same", "a", 1, 1), result("kept", "a", 1, 3)]
    assert names({"kept"}, None, 0) == []
    everything = [Result("broken", (), None, 1, 9 * DAY)]
    assert names(set(), None, None) == ["broken"]


# --- beside builds, beside each other, and killed


def test_while_builds_run(workspace: Workspace) -> None:
    """Builds that go back and forth between values, while everything that is not needed goes again and again."""
    workspace.pipeline(
        """
        param v = 1
        partition k: range(4)
        target part[k]:
            outputs: "{k}.bin"
            run: (echo {k} {v}; head -c 70000 /dev/zero) > {outputs}
        target all:
            inputs: part[*]
            outputs: "all.bin"
            run: cat {inputs} > {outputs}
        default all
        """
    )
    collections = 0
    for value in (1, 2, 1, 3, 2, 1):
        build = workspace.start(f"v={value}")
        while build.poll() is None:
            facts(workspace, "gc", "--max-size", "1K")
            collections += 1
        _, err = build.communicate(timeout=60)
        assert build.returncode == 0, err
        for key in range(4):
            assert (workspace.root / f"{key}.bin").read_bytes() == f"{key} {value}\n".encode() + bytes(70000)
        # What is in place can be restored, whatever was dropped meanwhile.
        for path in ("0.bin", "all.bin"):
            (workspace.root / path).unlink()
        ended = workspace.ok(f"v={value}")
        assert (ended.ran, ended.restored) == ([], ["all", "part[0]"])
    assert collections > 6
    assert facts(workspace, "verify")["damaged"] == []


def test_a_build_that_goes_on_finds_what_it_made_and_what_it_holds(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target first:
            outputs: "first.txt"
            run: echo 1 > {outputs}
        target second:
            inputs: first
            outputs: "second.txt"
            run: echo > started; while ! [ -e g[o] ]; do sleep 0.02; done; cat {inputs} > {outputs}
        """
    )
    workspace.ok("first")
    build = workspace.start("second")
    workspace.wait_for("started")
    age(workspace, 400)
    (workspace.root / "first.txt").rename(workspace.root / "kept.txt")
    dropped = facts(workspace, "gc", "--older-than", "1d")["results"]
    (workspace.root / "kept.txt").rename(workspace.root / "first.txt")
    workspace.write("go", "")
    _, err = build.communicate(timeout=60)
    assert (build.returncode, dropped) == (0, []), err


def test_two_at_once(built: Workspace) -> None:
    age(built, 40)
    both = [built.start("store", "gc", "--older-than", "30d", "--json") for _ in range(2)]
    found = []
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        found += json.loads(out)["results"]
    assert len(found) == 4
    assert facts(built, "verify") == {**facts(built, "verify"), "damaged": [], "missing": [], "results": []}
    assert restores(built, 3) == []


@pytest.mark.parametrize("point", ["forgotten", "object-dropped", "object-dropped:2", "object-dropped:4"])
def test_killed(built: Workspace, point: str) -> None:
    age(built, 40)
    process = built.start("store", "gc", "--older-than", "30d", env={"MLBUILD_TEST_KILL": point})
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    found = facts(built, "verify")
    assert (found["damaged"], found["missing"], found["results"]) == ([], [], [])
    again = facts(built, "gc", "--older-than", "30d")
    assert again["results"] == []
    assert (len(files(built)), facts(built, "stats")["objects"]) == (2, 4)
    for path in ("large/zeros", "large/v", "large/more", "small.txt"):
        (built.root / path).unlink()
    assert restores(built, 3) == []


# --- verify


def test_verify_finds_every_object_that_was_damaged(built: Workspace) -> None:
    assert facts(built, "verify")["damaged"] == []
    digests = [digest for (digest,) in sql(built, "SELECT digest FROM objects")]
    named = {path.parent.name + path.name: path for path in files(built)}
    for digest in random.Random(7).sample([*digests, *named], 3):
        if digest in named:
            named[digest].chmod(0o644)
            named[digest].write_bytes(named[digest].read_bytes()[:-1])
        else:
            sql(built, "UPDATE objects SET data = substr(data, 2) WHERE digest = ?", digest)
        found = facts(built, "verify", status=1)
        assert found["damaged"] == [digest]
        again = facts(built, "verify")
        assert (again["damaged"], again["missing"]) == ([], [])
    for value in (1, 2, 3):
        restores(built, value)
    assert facts(built, "verify")["damaged"] == []


def test_verify_finds_what_is_missing(built: Workspace) -> None:
    (zeros,) = [path for path in files(built) if path.stat().st_size == 100_000]
    zeros.unlink()
    digest = zeros.parent.name + zeros.name
    ended = built.run("store", "verify")
    assert ended.status == 1
    *lines, last = ended.out.splitlines()
    assert lines == [f"missing {digest}", *["can't be restored any more: large/"] * 3]
    assert last.startswith("9 objects, 26") and last.endswith(": dropped what was lost; the rest is whole")
    ended = built.run("store", "verify")
    assert ended.status == 0 and ended.out.endswith(": all whole\n")
    # The results are gone, the outputs in place are not.
    assert restores(built, 3) == []
    assert restores(built, 2) == ["large"]


# --- the command line


def test_it_does_not_need_the_pipelinefile_to_be_right(built: Workspace) -> None:
    built.pipeline("target t\n")
    assert facts(built, "stats")["results"] == 6


def test_a_target_of_that_name(workspace: Workspace) -> None:
    workspace.pipeline("target store:\n    run: true\n")
    ended = workspace.run("store", "stats")
    assert (ended.status, ended.err) == (
        2,
        "error: `store` is a subcommand and a target\n"
        "  hint: for the target: `mlbuild build store`, or `mlbuild -- store`\n",
    )


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "store takes one word\n  hint: one of stats, gc, verify\n"),
        (["size"], "store takes one word\n  hint: one of stats, gc, verify\n"),
        (["push"], "`store push` is not there yet\n  hint: a later version of mlbuild brings it\n"),
        (["gc"], "what is to go is not said\n  hint: --older-than 30d, --max-size 50G, or both\n"),
        (["stats", "-n"], "--older-than, --max-size and --dry-run are for `store gc`\n"),
        (
            ["gc", "--older-than", "30"],
            "argument --older-than: 30 is no duration, such as 30d or 12h\n"
            "  hint: `mlbuild store --help` lists the options\n",
        ),
        (
            ["gc", "--max-size", "50 GB"],
            "argument --max-size: 50 GB is no size, such as 50G or 500M\n"
            "  hint: `mlbuild store --help` lists the options\n",
        ),
    ],
    ids=str,
)
def test_wrong_command_lines(workspace: Workspace, words: list[str], message: str) -> None:
    workspace.pipeline(PIPELINE)
    ended = workspace.run("store", *words)
    assert (ended.status, ended.out, ended.err) == (2, "", f"error: {message}")
