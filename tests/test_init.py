"""`mlbuild init`: a first Pipelinefile that builds at once."""

from __future__ import annotations

from workspace import Workspace


def test_what_it_writes_builds_at_once(workspace: Workspace) -> None:
    ended = workspace.run("init")
    assert (ended.status, ended.out) == (0, "wrote Pipelinefile; build it: mlbuild\n")
    assert 10 <= len(workspace.lines("Pipelinefile")) <= 25
    assert workspace.ok().ran == ["greet[Ada]", "greet[Alan]", "greet[Grace]", "page"]
    assert workspace.read("build/page.txt") == "Hello, Ada!\nHello, Alan!\nHello, Grace!\n3 greetings\n"
    assert workspace.ok().ran == []
    assert workspace.ok("greeting=Bonjour", "greet[Ada]").ran == ["greet[Ada]"]
    assert workspace.run("fmt", "--check").status == 0
    assert workspace.run("check").err == ""


def test_it_overwrites_nothing(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: true\n")
    ended = workspace.run("init")
    assert (ended.status, ended.err) == (
        2,
        "error: Pipelinefile is there already\n  hint: `mlbuild check` says whether it can be read\n",
    )
    assert workspace.read("Pipelinefile") == "target t:\n    run: true\n"


def test_elsewhere(workspace: Workspace) -> None:
    (workspace.root / "new").mkdir()
    assert (
        workspace.run("init", "-C", "new", "-f", "other").out == "wrote new/other; build it: mlbuild -C new -f other\n"
    )
    assert workspace.exists("new/other")
    assert workspace.run("init", "new").err.startswith("error: init takes no words\n")
    assert workspace.run("init", "-f", "no/such").err == "error: can't write no/such: No such file or directory\n"
