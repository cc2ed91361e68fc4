"""`mlbuild impact`: what edits would make run, and what that costs; against what was built, or a revision of git."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from workspace import Ended, Workspace

PIPELINE = """
    params "params.yaml" as settings
    partition day: ["mon", "tue", "wed"]

    target features[day]:
        inputs: "data/{day}.csv"
        outputs: "out/features/{day}.csv"
        run: sh src/features.sh {inputs} > {outputs}

    target train:
        inputs: features[*]
        outputs: "out/model.txt"
        resources: gpus = 2
        run: (cat {inputs}; echo {settings.lr}) > {outputs}

    target scores:
        inputs: train
        outputs: "out/scores.txt"
        run: wc -l {inputs} > {outputs}

    target notes:
        inputs: "docs/"
        outputs: "out/notes.txt"
        run: cat docs/* > {outputs}
"""
DAYS = ("mon", "tue", "wed")


def git(workspace: Workspace, *words: str) -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = ["-c", "user.name=me", "-c", "user.email=me@here", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *names, *words],
        cwd=workspace.root,
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """A pipeline in a repository that has its code and not its data, built."""
    workspace.pipeline(PIPELINE)
    workspace.write("src/features.sh", "grep -v '#' $1\n")
    workspace.write("params.yaml", "lr: 1\nseed: 3\n")
    workspace.write("docs/one.md", "one\n")
    workspace.write(".gitignore", "data/\nout/\n.events/\n.mlbuild/\nscratch*\n")
    for day in DAYS:
        workspace.write(f"data/{day}.csv", f"{day}\n")
    git(workspace, "init")
    git(workspace, "add", ".")
    git(workspace, "commit", "-m", "first")
    build(workspace)
    return workspace


def build(workspace: Workspace) -> None:
    """On a machine that may have no GPU."""
    written = workspace.read("Pipelinefile")
    workspace.pipeline(written.replace("resources: gpus = 2", "retry: 0"))
    workspace.ok("scores", "notes")
    workspace.pipeline(written)


def impact(workspace: Workspace, *words: str) -> str:
    """What is said, with durations and amounts as 0."""
    ended = workspace.run("impact", *words)
    assert (ended.status, ended.err) == (0, ""), ended.err
    return re.sub(r"\b\d+\.\d GPU", "0.0 GPU", re.sub(r"\b\d+(\.\d)?s\b", "0s", ended.out))


def would_run(workspace: Workspace, *words: str) -> dict[str, tuple[int, int]]:
    """Target → how many tasks would run, and how many may."""
    rows = document(workspace, *words)["targets"]
    return {row["target"]: (row["run"], row["may_run"]) for row in rows}


def document(workspace: Workspace, *words: str) -> dict[str, Any]:
    ended = workspace.run("impact", "--json", *words)
    assert (ended.status, ended.err) == (0, ""), ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


# --- against what was built


def test_nothing_changed(built: Workspace) -> None:
    assert impact(built) == "nothing would run\n"
    assert document(built) == {
        "since": None,
        "causes": [],
        "targets": [],
        "total": {"run": 0, "may_run": 0, "seconds": 0.0, "gpu_hours": 0.0, "unknown": 0},
        "over": False,
    }


def test_edits_are_told_by_their_causes(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    built.write("params.yaml", "lr: 2\nseed: 3\n")
    assert impact(built) == (
        "code src/features.sh changed:\n"
        "  features  3 tasks would run; they took 0s before\n"
        "  train     1 task would run; it took 0s before, 0.0 GPU-hours\n"
        "  scores    1 task may run; it took 0s before\n"
        "settings.lr changed from 1 to 2:\n"
        "  train   1 task would run; it took 0s before, 0.0 GPU-hours\n"
        "  scores  1 task may run; it took 0s before\n"
        "altogether: 4 tasks would run, 1 may run; they took 0s before, 0.0 GPU-hours\n"
    )
    assert would_run(built) == {"features": (3, 0), "train": (1, 0), "scores": (0, 1)}
    assert would_run(built, "features[mon]") == {"features": (1, 0)}


def test_a_task_is_counted_once(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    built.write("params.yaml", "lr: 2\nseed: 3\n")
    found = document(built)
    assert [(cause["kind"], cause["what"], len(cause["targets"])) for cause in found["causes"]] == [
        ("code", "src/features.sh", 3),
        ("param", "settings.lr", 2),
    ]
    assert (found["total"]["run"], found["total"]["may_run"], found["total"]["unknown"]) == (4, 1, 0)
    assert found["total"]["seconds"] == pytest.approx(sum(row["seconds"] for row in found["targets"]))
    train = next(row for row in found["targets"] if row["target"] == "train")
    assert train["gpu_hours"] == pytest.approx(2 * train["seconds"] / 3600)


def test_what_never_ran_has_no_time(built: Workspace) -> None:
    built.pipeline(PIPELINE + '\n    target more:\n        outputs: "out/more"\n        run: echo > {outputs}\n')
    assert impact(built) == (
        "it was never built here:\n"
        "  more  1 task would run; 1 task never ran, so how long is not known\n"
        "altogether: 1 task would run; 1 task never ran, so how long is not known\n"
    )


def test_what_was_restored_takes_what_it_took_when_it_was_made(built: Workspace) -> None:
    for day in DAYS:
        (built.root / f"out/features/{day}.csv").unlink()
    append(built.root / "src/features.sh", "true\n")
    before = document(built, "features")["total"]["seconds"]
    built.write("src/features.sh", "grep -v '#' $1\n")
    assert len(built.ok("features").restored) == len(DAYS)
    append(built.root / "src/features.sh", "true\n")
    after = document(built, "features")["total"]
    assert (after["seconds"], after["unknown"]) == (before, 0)
    assert "; at most " in built.run("-n", "features").out
    assert built.run("impact", "features", "--budget", "0s").status == 1


def test_a_key_that_is_part_of_a_word_leaves_the_cause_one(workspace: Workspace) -> None:
    workspace.write("lib.py", "K = 1\n")
    workspace.write("a.py", "import lib\nprint(lib.K)\n")
    workspace.pipeline(
        """
        partition key: ["a", "b", "on"]

        target t[key]:
            outputs: "{key}.txt"
            run: python a.py > {outputs}
        """
    )
    workspace.ok()
    workspace.write("lib.py", "K = 2\n")
    assert impact(workspace) == (
        "code lib.py: constant K changed:\n"
        "  t  3 tasks would run; they took 0s before\n"
        "altogether: 3 tasks would run; they took 0s before\n"
    )


# --- the budget


@pytest.mark.parametrize(("budget", "status"), [("0s", 1), ("1.5h", 0), ("2d", 0)])
def test_above_the_budget_the_exit_status_is_1(built: Workspace, budget: str, status: int) -> None:
    append(built.root / "src/features.sh", "true\n")
    ended = built.run("impact", "--budget", budget)
    assert ended.status == status
    assert ("over the budget: " in ended.out) == bool(status)
    ended = built.run("impact", "--budget", budget, "--json")
    assert (ended.status, json.loads(ended.out)["over"]) == (status, bool(status))


def test_gpu_hours_have_a_budget_of_their_own(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    assert built.run("impact", "--gpu-hours", "0").status == 1
    assert built.run("impact", "--gpu-hours", "1000").status == 0
    assert built.run("impact", "features", "--gpu-hours", "0").status == 0


def test_a_budget_is_a_duration(built: Workspace) -> None:
    ended = built.run("impact", "--budget", "4 weeks")
    assert ended.status == 2
    assert "4 weeks is no duration; write it as 90s, 30m, 4h or 2d" in ended.err


# --- since a revision of git


def test_a_commit_is_compared_with_the_working_tree(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    built.write("params.yaml", "lr: 2\nseed: 4\n")
    expected = (
        "code src/features.sh changed:\n"
        "  features  3 tasks would run; they took 0s before\n"
        "  train     1 task would run; it took 0s before, 0.0 GPU-hours\n"
        "  scores    1 task may run; it took 0s before\n"
        "settings.lr changed from 1 to 2:\n"
        "  train   1 task would run; it took 0s before, 0.0 GPU-hours\n"
        "  scores  1 task may run; it took 0s before\n"
        "altogether: 4 tasks would run, 1 may run; they took 0s before, 0.0 GPU-hours\n"
    )
    assert impact(built, "--since", "HEAD") == expected
    # What was built meanwhile, and what was committed, makes no difference to that.
    build(built)
    assert impact(built) == "nothing would run\n"
    assert impact(built, "--since", "HEAD") == expected
    git(built, "commit", "-am", "second")
    assert impact(built, "--since", "HEAD") == "nothing would run\n"
    assert impact(built, "--since", "HEAD~1") == expected


def test_what_git_does_not_track_is_the_same_on_both_sides(built: Workspace) -> None:
    append(built.root / "data/mon.csv", "x\n")
    built.write("untracked.txt", "x\n")
    assert would_run(built) == {"features": (1, 0), "train": (0, 1), "scores": (0, 1)}
    assert impact(built, "--since", "HEAD") == "nothing would run\n"


def test_code_that_several_steps_import_is_named_where_it_was_edited(workspace: Workspace) -> None:
    """Also what no build here ever reached: the journal knows nothing of a revision."""
    workspace.write("steps/common.py", "def write():\n    print(1)\n\n\ndef unused():\n    pass\n")
    for step in ("prepare", "features"):
        workspace.write(f"steps/{step}.py", "import common\ncommon.write()\n")
    workspace.pipeline(
        """
        target prepare:
            outputs: "out/a.txt"
            run: python steps/prepare.py > {outputs}

        target features:
            inputs: prepare
            outputs: "out/b.txt"
            run: python steps/features.py {inputs} > {outputs}
        """
    )
    workspace.write(".gitignore", "out/\n.events/\n.mlbuild/\n")
    git(workspace, "init")
    git(workspace, "add", ".")
    git(workspace, "commit", "-m", "first")
    workspace.write("steps/common.py", "def write():\n    print(2)\n\n\ndef unused():\n    pass\n")
    expected = [("code", "steps/common.py: function write", ["prepare", "features"])]
    for _ in range(2):
        found = document(workspace, "--since", "HEAD")["causes"]
        assert [(one["kind"], one["what"], [row["target"] for row in one["targets"]]) for one in found] == expected
        workspace.ok("features")


def test_a_folder_is_compared_as_a_whole(built: Workspace) -> None:
    """Also where some of it is not tracked."""
    built.write("docs/scratch.md", "x\n")
    assert impact(built, "--since", "HEAD") == "nothing would run\n"
    built.write("docs/two.md", "two\n")
    git(built, "add", ".")
    assert would_run(built, "--since", "HEAD") == {"notes": (1, 0)}
    git(built, "commit", "-m", "second")
    (built.root / "docs/one.md").unlink()
    assert would_run(built, "--since", "HEAD") == {"notes": (1, 0)}
    git(built, "checkout", "docs/one.md")
    assert impact(built, "--since", "HEAD") == "nothing would run\n"


def test_an_edited_pipelinefile(built: Workspace) -> None:
    built.pipeline(
        PIPELINE.replace('["mon", "tue", "wed"]', '["mon", "tue"]').replace("wc -l", "wc -c")
        + '\n    target more:\n        outputs: "out/more"\n        run: echo > {outputs}\n'
    )
    assert would_run(built, "--since", "HEAD") == {"train": (1, 0), "scores": (1, 0), "more": (1, 0)}
    assert "it is new:\n  more  1 task would run; " in impact(built, "--since", "HEAD")
    # Edits that count for nothing.
    built.pipeline(PIPELINE.replace("gpus = 2", "gpus = 1") + "    # a comment\n")
    assert impact(built, "--since", "HEAD") == "nothing would run\n"


def test_a_glob_of_tracked_files(built: Workspace) -> None:
    built.pipeline(PIPELINE.replace('"docs/"', 'glob("docs/*.md")'))
    built.write("docs/gone.md", "x\n")
    git(built, "add", ".")
    git(built, "commit", "-m", "second")
    git(built, "rm", "-q", "docs/gone.md")
    (cause,) = document(built, "--since", "HEAD")["causes"]
    assert (cause["kind"], cause["what"], "new" in cause) == ("input", "docs/gone.md", False)


def test_a_workspace_below_the_top_of_the_repository(workspace: Workspace) -> None:
    workspace.write("shared/lib.sh", "echo\n")
    workspace.write(
        "work/Pipelinefile",
        """
        target t:
            outputs: "t.txt"
            code: "../shared/lib.sh"
            run: sh ../shared/lib.sh > {outputs}
        """,
    )
    git(workspace, "init")
    git(workspace, "add", ".")
    git(workspace, "commit", "-m", "first")
    assert impact(workspace, "-C", "work", "--since", "HEAD") == "nothing would run\n"
    append(workspace.root / "shared/lib.sh", "echo more\n")
    assert would_run(workspace, "-C", "work", "--since", "HEAD") == {"t": (1, 0)}


def test_the_repository_is_left_as_it_is(built: Workspace) -> None:
    append(built.root / "src/features.sh", "true\n")
    before = git(built, "status", "--porcelain"), (built.root / ".git/index").read_bytes()
    impact(built, "--since", "HEAD")
    assert (git(built, "worktree", "list").count("\n"), git(built, "stash", "list")) == (1, "")
    assert before == (git(built, "status", "--porcelain"), (built.root / ".git/index").read_bytes())


def refused(ended: Ended) -> str:
    assert (ended.status, ended.out) == (2, "")
    return ended.err


def test_no_such_revision(built: Workspace) -> None:
    assert refused(built.run("impact", "--since", "nowhere")) == (
        "error: git knows no revision nowhere\n  hint: a branch, a tag or a commit\n"
    )
    assert refused(built.run("impact", "--since=--all")) == (
        "error: git knows no revision --all\n  hint: a branch, a tag or a commit\n"
    )


def test_no_repository(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    for day in DAYS:
        workspace.write(f"data/{day}.csv", "x\n")
    workspace.write("params.yaml", "lr: 1\n")
    workspace.write("docs/one.md", "one\n")
    ended = workspace.run("impact", "--since", "HEAD", env={"GIT_CEILING_DIRECTORIES": str(workspace.root.parent)})
    assert refused(ended).startswith("error: git rev-parse: not a git repository")


def test_no_git(built: Workspace, tmp_path: Path) -> None:
    empty = tmp_path / "scratch-bin"
    empty.mkdir()
    process = built.start("impact", "--since", "HEAD", env={"PATH": str(empty)})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == "error: git is not installed, so there are no revisions to compare with\n"


def test_a_revision_without_a_pipelinefile_that_can_be_read(built: Workspace) -> None:
    git(built, "rm", "-q", "--cached", "Pipelinefile")
    git(built, "commit", "-m", "without")
    built.write("scratch", built.read("Pipelinefile"))
    built.write("Pipelinefile", "target t\n")
    git(built, "add", "Pipelinefile")
    git(built, "commit", "-m", "broken")
    built.write("Pipelinefile", built.read("scratch"))
    git(built, "add", "Pipelinefile")
    assert refused(built.run("impact", "--since", "HEAD")).startswith(
        "error: the pipeline of HEAD can't be read\n  hint: Pipelinefile:1:9: error: "
    )
    assert refused(built.run("impact", "--since", "HEAD~1")) == "error: there is no Pipelinefile in HEAD~1\n"
