"""`mlbuild runs`: earlier builds, what they did, how they ended, and which commit they were built from."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from workspace import Workspace

from mlbuild.state.schema import MIGRATIONS

PIPELINE = """
    param lr = 1

    target all:
        inputs: good, bad
    target good:
        outputs: "good.txt"
        run: echo {lr} > {outputs}
    target bad:
        outputs: "bad.txt"
        retry: 1, backoff = 1ms
        run: echo reading; exit 3
"""
WAITING = """
    target wait:
        outputs: "wait.txt"
        run:
            touch started
            while [ ! -e go ]; do sleep 0.02; done
            touch {outputs}
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """Built thrice: with a failure, with nothing to do, with an override."""
    workspace.pipeline(PIPELINE)
    assert [workspace.run(*words).status for words in (["-k"], ["good"], ["good", "lr=2"])] == [1, 0, 0]
    return workspace


def told(workspace: Workspace, *arguments: str) -> str:
    """What `runs` prints, without what differs from run to run."""
    ended = workspace.run("runs", *arguments)
    assert (ended.status, ended.err) == (0, "")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-31 14:00:05", ended.out)
    return re.sub(r"\S+ of memory", "9M of memory", re.sub(r"\d+\.\ds", "0.0s", text))


def document(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    ended = workspace.run("runs", "--json", *arguments)
    assert (ended.status, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def git(workspace: Workspace, *arguments: str) -> str:
    me = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    return subprocess.run(
        ["git", *me, *arguments], cwd=workspace.root, check=True, capture_output=True, text=True
    ).stdout


def test_the_builds_that_had_something_to_do(built: Workspace) -> None:
    assert (
        told(built)
        == """\
build  when                 ended   took  what it did                                command
    3  2026-01-31 14:00:05  ok      0.0s  1 task run                                 mlbuild good lr=2
    1  2026-01-31 14:00:05  failed  0.0s  1 task run, 1 task failed, 1 task blocked  mlbuild -k
"""
    )
    assert [run["run"] for run in document(built, "--limit", "1")["runs"]] == [3]


def test_one_build(built: Workspace) -> None:
    assert (
        told(built, "1")
        == """\
run 1: failed
when     2026-01-31 14:00:05, 0.0s
command  mlbuild -k

task  state    took  attempt  why            log                           used
good  built    0.0s        1                                               9M of memory, 0.0s of CPU
bad   failed   0.0s        1  exit status 3  .mlbuild/runs/1/logs/1-2.log  9M of memory, 0.0s of CPU
bad   failed   0.0s        2  exit status 3  .mlbuild/runs/1/logs/1-3.log  9M of memory, 0.0s of CPU
all   blocked                 bad
"""
    )
    assert "with     lr=2 (else 1)\n" in told(built, "3")
    assert built.read(".mlbuild/runs/1/logs/1-2.log") == "reading\n"


def test_a_build_that_restored(built: Workspace) -> None:
    built.ok("good")
    assert told(built, "4").splitlines()[-2:] == ["task  state", "good  restored"]


def test_what_was_accepted(built: Workspace) -> None:
    built.write("good.txt", "by hand\n")
    assert built.run("accept", "good", "--because", "a better one").status == 0
    assert re.search(r"\n +4  .*  ok .*  1 task accepted +mlbuild accept", told(built))
    assert re.search(r"\ngood  accepted  a better one \(.*@.*\)\n", told(built, "4"))


def test_what_was_removed(built: Workspace) -> None:
    assert built.run("remove", "good").status == 0
    assert re.search(r"\n +4  .*  ok .*  1 output removed +mlbuild remove good\n", told(built))


def test_a_document(built: Workspace) -> None:
    newest, oldest = document(built)["runs"]
    assert {name: newest[name] for name in ("run", "ended", "counts", "overrides", "commit", "dirty")} == {
        "run": 3,
        "ended": "ok",
        "counts": {"built": 1},
        "overrides": [["lr", "2", "1"]],
        "commit": None,
        "dirty": None,
    }
    assert oldest["command"] == "mlbuild -k"
    assert 0 < oldest["seconds"] < newest["started"] < time.time()
    *_, failed, blocked = document(built, "1")["tasks"]
    assert (failed["task"], failed["state"], failed["attempt"], failed["exit_status"]) == ("bad", "failed", 2, 3)
    assert (failed["reason"], failed["log"]) == ("exit", ".mlbuild/runs/1/logs/1-3.log")
    assert (blocked["task"], blocked["state"], blocked["detail"]) == ("all", "blocked", "bad")
    assert blocked.keys() == failed.keys()


def test_none(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    assert told(workspace) == "nothing was built here\n"
    assert document(workspace) == {"runs": []}
    assert workspace.run("runs", "1").err == "error: there is no run 1\n  hint: `mlbuild runs` lists them\n"


def test_mistakes(built: Workspace) -> None:
    assert built.run("runs", "9").err == "error: there is no run 9\n  hint: `mlbuild runs` lists them\n"
    assert built.run("runs", "good").err.startswith("error: runs takes the number of one build\n")
    assert built.run("runs", "--limit", "0").err.startswith("error: --limit: at least 1\n")
    built.pipeline("target runs:\n    run: true\n")
    assert built.run("runs").err.startswith("error: `runs` is a subcommand and a target\n")


def test_a_broken_pipelinefile_hides_nothing(built: Workspace) -> None:
    before = told(built)
    built.pipeline("target good\n")
    assert told(built) == before


def test_a_build_that_was_refused(workspace: Workspace) -> None:
    workspace.pipeline("target big:\n    resources: memory = 9000T\n    run: true\n")
    assert workspace.build().status == 2
    assert document(workspace)["runs"][0]["ended"] == "refused"


# --- builds that did not come to their end


def test_running_interrupted_killed_and_taken_over(workspace: Workspace) -> None:
    workspace.pipeline(WAITING)
    for number, sent in ((1, signal.SIGINT), (2, signal.SIGKILL)):
        driver = workspace.start("wait")
        workspace.wait_for("started")
        assert [document(workspace, str(number))[name] for name in ("ended", "counts")] == ["running", {"running": 1}]
        (workspace.root / "started").unlink()
        os.kill(driver.pid, sent)
        driver.communicate()
    assert [run["ended"] for run in document(workspace)["runs"]] == ["killed", "interrupted"]
    workspace.write("go", "")
    assert told(workspace, "1").splitlines()[-1].split()[:4] == ["wait", "cancelled", "0.0s", "1"]
    assert told(workspace, "2").splitlines()[-1].split()[:3] == ["wait", "unfinished", "1"]
    workspace.wait_until(lambda: workspace.exists("wait.txt"))
    workspace.ok("wait")
    assert "by run 3" in told(workspace, "2").splitlines()[-1]
    assert "taken over from run 2" in told(workspace, "3")


# --- git


@pytest.fixture
def tracked(workspace: Workspace) -> Workspace:
    """A repository in which an output is tracked, too."""
    workspace.pipeline(PIPELINE)
    workspace.write("good.txt", "0\n")
    workspace.write(".gitignore", ".events/\n")
    git(workspace, "init", "-q")
    git(workspace, "add", ".")
    git(workspace, "commit", "-qm", "first")
    return workspace


def revision(workspace: Workspace) -> tuple[str, bool]:
    newest = document(workspace)["runs"][0]
    return newest["commit"], newest["dirty"]


def test_the_commit_and_whether_files_differ_from_it(tracked: Workspace) -> None:
    head = git(tracked, "rev-parse", "HEAD").strip()
    tracked.ok("good")
    assert revision(tracked) == (head, False)
    assert f"commit   {head[:12]}, without changes" in told(tracked, "1")

    assert git(tracked, "status", "--porcelain") == " M good.txt\n"
    tracked.write("new.txt", "untracked\n")
    tracked.ok("good", "lr=2")
    assert revision(tracked) == (head, False)

    with (tracked.root / "Pipelinefile").open("a") as file:
        file.write("# changed\n")
    tracked.ok("good", "lr=3")
    assert revision(tracked) == (head, True)
    assert f"commit   {head[:12]}, with changes" in told(tracked, "3")


def test_a_workspace_below_the_top_of_a_repository(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "inner")
    workspace.pipeline(PIPELINE)
    above = Workspace(tmp_path)
    above.write("other.txt", "1\n")
    git(above, "init", "-q")
    git(above, "add", ".")
    git(above, "commit", "-qm", "first")
    workspace.ok("good")
    assert revision(workspace)[1] is False
    above.write("other.txt", "2\n")
    workspace.ok("good", "lr=2")
    assert revision(workspace)[1] is True


def test_a_repository_without_a_commit(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    git(workspace, "init", "-q")
    workspace.ok("good")
    assert revision(workspace) == (None, None)


def test_git_is_asked_only_if_something_runs(tracked: Workspace) -> None:
    fake = tracked.write("bin/git", '#!/bin/sh\necho "$3" >> asked\necho 0123456789abcdef\n')
    fake.chmod(0o755)
    path = {"PATH": f"{fake.parent}:{os.environ['PATH']}"}
    tracked.ok("good", env=path)
    assert sorted(tracked.lines("asked")) == ["rev-parse", "status"]
    tracked.ok("good", env=path)
    assert len(tracked.lines("asked")) == 2


def test_a_git_that_hangs_costs_little_and_is_ended(tracked: Workspace) -> None:
    script = '#!/bin/sh\n[ "$3" = rev-parse ] && { echo 0123456789abcdef; exit; }\nexec sleep 1000\n'
    fake = tracked.write("bin/git", script)
    fake.chmod(0o755)
    tracked.ok("good", env={"PATH": f"{fake.parent}:{os.environ['PATH']}"})
    assert revision(tracked) == ("0123456789abcdef", None)
    assert "commit   0123456789ab, whether there were changes is not known" in told(tracked, "1")
    tracked.wait_until_quiet()


# --- what older versions wrote


def test_a_journal_from_before(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    (workspace.root / ".mlbuild").mkdir()
    with sqlite3.connect(workspace.root / ".mlbuild/journal.db") as database:
        database.executescript(MIGRATIONS[0])
        database.execute("PRAGMA user_version=1")
        database.execute("INSERT INTO runs VALUES (1, 5, 7, 'mlbuild', 1, 0, '{\"built\": 1}')")
        values = "('1-1', 'good', 1, 1, '', '', NULL, NULL, 5, 7, 'ok', 0, 2, 1, 1, '', 'x.log')"
        database.execute(f"INSERT INTO attempts VALUES {values}")
    database.close()
    assert told(workspace).splitlines()[1].split() == [
        "1",
        "2026-01-31",
        "14:00:05",
        "ok",
        "0.0s",
        "1",
        "task",
        "run",
        "mlbuild",
    ]
    assert told(workspace, "1").splitlines()[-1] == "good  built  0.0s        1  9M of memory, 0.0s of CPU"
