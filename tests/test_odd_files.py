"""Pipelinefiles that are no text, are not there, or can't be read: a clear word, at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workspace import Workspace

TARGET = b"target t:\n    run: true\n"


def said(workspace: Workspace, data: bytes) -> str:
    (workspace.root / "Pipelinefile").write_bytes(data)
    ended = workspace.run("check")
    assert ended.status == (2 if ended.err else 0)
    return ended.err


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + TARGET, TARGET.replace(b"\n", b"\r\n"), TARGET.rstrip()])
def test_texts_from_elsewhere(workspace: Workspace, data: bytes) -> None:
    assert said(workspace, data) == ""


def test_what_is_no_text(workspace: Workspace) -> None:
    assert said(workspace, b"\n# nothing\n").startswith("error: Pipelinefile has no target\n")
    assert said(workspace, b"target t:\n    run: caf\xe9\n") == (
        "Pipelinefile:2:13: error: the file is not UTF-8: byte 0xe9\n"
        "  2 |     run: caf\ufffd\n    |             ^\n  hint: save it as UTF-8\n"
    )
    assert said(workspace, b"target t:\n    run: a\0b\n") == (
        "Pipelinefile:2:11: error: the file holds a NUL character, so it is no text\n"
        "  2 |     run: a\ufffdb\n    |           ^\n  hint: was another file meant?\n"
    )
    assert said(workspace, TARGET.replace(b"\n", b"\r")).endswith("  hint: save the file with plain line breaks\n")


def test_a_large_file_is_refused_at_once(workspace: Workspace) -> None:
    before = time.monotonic()
    assert said(workspace, TARGET * 450_000) == (
        "error: Pipelinefile is 10.3 MiB long, which no Pipelinefile is\n  hint: was another file meant?\n"
    )
    assert time.monotonic() - before < 10
    (workspace.root / "Pipelinefile").rename(workspace.root / "all.pipe")
    assert said(workspace, b'include "all.pipe"\n') == (
        "Pipelinefile:1:9: error: all.pipe is 10.3 MiB long, which no Pipelinefile is\n"
        '  1 | include "all.pipe"\n    |         ^^^^^^^^^^\n  hint: was another file meant?\n'
    )


def test_of_a_long_line_only_what_is_around_the_place_is_shown(workspace: Workspace) -> None:
    text = said(workspace, b"x" * 3_000_000)
    assert len(text) < 1500
    text = said(workspace, b"let x = " + b"1 + " * 1000 + b"; 3" + b" + 1" * 1000 + b"\n")
    _, line, caret, _ = text.splitlines()
    assert (line[6], line[-1], line[caret.index("^")]) == ("…", "…", ";")


def test_what_is_no_file(workspace: Workspace) -> None:
    (workspace.root / "Pipelinefile").mkdir()
    ended = workspace.run("check")
    assert ended.status == 2
    assert ended.err == (
        f"error: there is no Pipelinefile in {workspace.root} or above\n"
        f"  hint: {workspace.root / 'Pipelinefile'} is there, but is no file\n"
    )


def test_files_that_include_each_other(workspace: Workspace) -> None:
    workspace.write("b", 'include "Pipelinefile"\n')
    assert said(workspace, b'include "b"\n') == (
        "b:1:9: error: Pipelinefile includes itself: Pipelinefile → b → Pipelinefile\n"
        '  1 | include "Pipelinefile"\n    |         ^^^^^^^^^^^^^^\n  hint: leave out this `include`\n'
    )


@pytest.mark.parametrize("command", ["check", "fmt"])
def test_a_file_that_may_not_be_read(tmp_path_factory: pytest.TempPathFactory, command: str) -> None:
    folder = Path("/tmp") / tmp_path_factory.mktemp("unreadable").name  # where any user may go
    folder.mkdir(exist_ok=True)
    try:
        (folder / "Pipelinefile").write_bytes(TARGET)
        (folder / "Pipelinefile").chmod(0)
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        user = other if os.geteuid() == 0 else []  # root may read everything
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(
            [*user, sys.executable, "-m", "mlbuild", command], cwd=folder, env=env, capture_output=True, text=True
        )
        assert ended.returncode == 2
        assert ended.stderr.endswith("Pipelinefile: Permission denied\n")
    finally:
        shutil.rmtree(folder)


def test_a_name_that_is_not_utf_8(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    inputs: glob("data/*")\n    outputs: "t.txt"\n    run: cat {inputs} > t.txt\n')
    workspace.write("data/a", "a\n")
    Path(os.fsdecode(os.fsencode(workspace.root) + b"/data/\xff")).write_text("b\n")
    for command in ("build", "status", "check"):
        ended = workspace.run(command)
        assert ended.status == 2
        assert r"error: the name of the file 'data/\udcff' is not UTF-8" in ended.err
    assert workspace.run("build", os.fsdecode(b"\xff")).status == 2


def test_a_command_line_that_is_not_utf_8(workspace: Workspace) -> None:
    workspace.pipeline('param p = "a"\ntarget t:\n    outputs: "t.txt"\n    run: echo {p} > t.txt\n')
    workspace.ok("p=" + os.fsdecode(b"\xff"))
    assert (workspace.root / "t.txt").read_bytes() == b"\xff\n"
    assert workspace.ok().ran == ["t"]
