"""Outputs as a transaction, where an ordinary user may not do all that root may."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from workspace import Workspace

from mlbuild.state.layout import Layout
from mlbuild.state.outputs import Outputs

NOBODY = 65534


def as_a_user(folder: Path, work: Callable[[], object]) -> None:
    """Do this in a process for which permissions count, with the folder its own."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.chdir(folder)
            if os.geteuid() == 0:
                os.chown(folder, NOBODY, NOBODY)
                os.setuid(NOBODY)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def replace_folder(lock: Callable[[], object]) -> None:
    """Set an output aside, of which some part was made read-only, and publish another."""
    outputs = Outputs(Layout("."))
    os.makedirs("d/inner")
    Path("d/inner/file").write_text("old")
    lock()
    outputs.prepare(["d/"], "1-1")
    Path("d/file").write_text("new")
    outputs.publish(["d/"], [], "1-1")


def test_folders_that_a_recipe_made_read_only_are_dropped(tmp_path: Path) -> None:
    def lock() -> None:
        os.chmod("d/inner", 0o500)
        os.chmod("d", 0o500)

    as_a_user(tmp_path, lambda: replace_folder(lock))
    assert os.listdir(tmp_path) == ["d"]
    assert os.listdir(tmp_path / "d") == ["file"]


def test_outputs_that_change_hands_were_not_edited(workspace: Workspace) -> None:
    """A target gets another name, and two swap what they make: what stands there is still mlbuild's own."""
    two = """
        target {}:
            outputs: "{}.txt"
            run: echo one > {{outputs}}
        target {}:
            outputs: "{}.txt"
            run: echo two > {{outputs}}
        default {}, {}
    """
    workspace.pipeline(two.format("a", "x", "b", "y", "a", "b"))
    workspace.ok()
    workspace.pipeline(two.format("a", "y", "b", "x", "a", "b").replace("echo one", "echo 1"))
    ended = workspace.ok()
    assert ended.ran == ["a", "b"]
    assert "was not as mlbuild had left it" not in ended.out
    assert (workspace.read("x.txt"), workspace.read("y.txt")) == ("two\n", "1\n")
    workspace.pipeline(two.format("a", "y", "c", "x", "a", "c").replace("echo one", "echo 1").replace("two", "2"))
    ended = workspace.ok()
    assert ended.ran == ["c"]
    assert "was not as mlbuild had left it" not in ended.out
    # An edit is still one.
    workspace.pipeline(two.format("a", "y", "d", "x", "a", "d").replace("echo one", "echo 1"))
    workspace.write("x.txt", "by hand\n")
    assert "d: x.txt was not as mlbuild had left it; that version is now .mlbuild/failed/" in workspace.ok().out
