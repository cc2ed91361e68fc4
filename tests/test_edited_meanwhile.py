"""Code that is edited while it runs: what it meant before the edit and means after it is what counts."""

from __future__ import annotations

import pytest
from workspace import Workspace

SCRIPT = """
import pathlib, time

def used():
    return "one"

def unused():
    return 1

with open("log", "a") as log:
    print("began", file=log)
while not pathlib.Path("go").exists():
    time.sleep(0.02)
pathlib.Path("t.txt").write_text(used())
"""


@pytest.fixture
def script(workspace: Workspace) -> Workspace:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: python train.py\n')
    workspace.write("train.py", SCRIPT)
    return workspace


def built_with_edit(workspace: Workspace, old: str, new: str) -> str:
    """What a build says during which the script is edited; the second time it runs, it need not wait."""
    build = workspace.start("--progress", "plain")
    workspace.wait_for("log")
    workspace.write("train.py", SCRIPT.replace(old, new))
    workspace.write("go", "")
    out, err = build.communicate(timeout=60)
    assert build.returncode == 0, err
    return out


@pytest.mark.parametrize(
    ("old", "new"),
    [("import", "# a word on it\nimport"), ("return 1", "return 2"), ('"one"', '"one"  # 1')],
)
def test_an_edit_that_means_nothing_costs_nothing(script: Workspace, old: str, new: str) -> None:
    assert "decided again" not in built_with_edit(script, old, new)
    assert script.lines("log") == ["began"]
    assert script.ok().ran == []


def test_an_edit_that_means_something_has_it_run_again(script: Workspace) -> None:
    out = built_with_edit(script, '"one"', '"two"')
    assert "t: is decided again: train.py has changed" in out
    assert script.lines("log") == ["began", "began"]
    assert script.read("t.txt") == "two"
    assert [line.split()[1] for line in script.run("runs", "1").out.splitlines()[-2:]] == ["decided", "built"]
    assert script.ok().ran == []


def test_a_script_that_is_gone_has_changed(script: Workspace) -> None:
    build = script.start()
    script.wait_for("log")
    (script.root / "train.py").unlink()
    script.write("go", "")
    out, _ = build.communicate(timeout=60)
    assert build.returncode == 1
    assert "t: is decided again: train.py has changed" in out


def test_a_shell_script_counts_by_its_bytes(script: Workspace) -> None:
    script.pipeline('target t:\n    outputs: "t.txt"\n    run: bash train.sh\n')
    text = "echo began >> log\nwhile ! test -e g[o]; do sleep 0.02; done\necho one > t.txt\n"
    script.write("train.sh", text)
    build = script.start("--progress", "plain")
    script.wait_for("log")
    (script.root / "train.new").write_text(text + "# a word on it\n")
    (script.root / "train.new").rename(script.root / "train.sh")
    script.write("go", "")
    out, _ = build.communicate(timeout=60)
    assert build.returncode == 0
    assert "t: is decided again: train.sh has changed" in out
