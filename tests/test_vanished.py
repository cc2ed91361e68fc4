"""What tasks made that are no more: said by `status`, removed by `remove --vanished`."""

from __future__ import annotations

import json

import pytest
from workspace import Workspace

PIPELINE = """
    partition shard: %s

    target all:
        inputs: process[*]

    target process[shard]:
        outputs: "out/{shard}.txt"
        metrics: "out/{shard}.json"
        run: echo {shard} > {outputs}; echo {} > {metrics}

    target extra:
        outputs: "extra/"
        run: echo > {outputs}/file
"""
WITHOUT_EXTRA = PIPELINE.partition("    target extra")[0]


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE % '["a", "b", "c"]')
    workspace.ok("all", "extra")
    return workspace


def said(workspace: Workspace) -> str:
    """The last line of `status`."""
    return workspace.run("status").out.splitlines()[-1]


def rows(workspace: Workspace) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(workspace.run("status", "--json").out)["vanished"]
    return found


def test_keys_and_targets_that_are_no_more(built: Workspace) -> None:
    assert rows(built) == []
    built.pipeline(WITHOUT_EXTRA % '["b", "c"]')
    assert said(built) == "2 tasks are no more, and what they made still lies there: mlbuild remove --vanished"
    assert rows(built) == [
        {"task": "extra", "outputs": ["extra/"]},
        {"task": "process[a]", "outputs": ["out/a.txt", "out/a.json"]},
    ]
    ended = built.run("remove", "--vanished", "-n")
    assert ended.out == (
        "would be removed extra/\nwould be removed out/a.txt\nwould be removed out/a.json\n3 outputs would be removed\n"
    )
    assert built.exists("extra/file")
    ended = built.run("remove", "--vanished")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "removed extra/\nremoved out/a.txt\nremoved out/a.json\n3 outputs removed\n"
    assert not built.exists("extra") and not built.exists("out/a.txt") and built.exists("out/b.txt")
    assert rows(built) == []
    assert built.run("remove", "--vanished").out == "0 outputs removed\n"


def test_what_was_removed_is_restored_if_it_comes_back(built: Workspace) -> None:
    built.pipeline(WITHOUT_EXTRA % '["b", "c"]')
    built.run("remove", "--vanished")
    built.pipeline(PIPELINE % '["a", "b", "c"]')
    ended = built.ok("all", "extra")
    assert (ended.ran, ended.restored) == ([], ["extra", "process[a]"])


def test_the_status_of_goals_says_nothing_of_it(built: Workspace) -> None:
    built.pipeline(WITHOUT_EXTRA % '["b", "c"]')
    assert "no more" not in built.run("status", "process").out


def test_what_was_edited_since_is_the_users(built: Workspace) -> None:
    built.pipeline(WITHOUT_EXTRA % '["b", "c"]')
    built.write("out/a.txt", "by hand\n")
    built.write("extra/more", "by hand\n")
    assert rows(built) == [{"task": "process[a]", "outputs": ["out/a.json"]}]
    ended = built.run("remove", "--vanished")
    assert ended.out == "removed out/a.json\n1 output removed\n"
    assert ended.err == (
        "extra/ was edited since mlbuild made it: it stays\n"
        "  hint: `rm -r extra/` removes it\n"
        "out/a.txt was edited since mlbuild made it: it stays\n"
        "  hint: `rm out/a.txt` removes it\n"
    )
    assert built.read("out/a.txt") == built.read("extra/more") == "by hand\n"


def test_what_another_makes_now_is_not_left(built: Workspace) -> None:
    built.pipeline((PIPELINE % '["a", "b", "c"]').replace("target extra", "target renamed"))
    assert rows(built) == []


def test_what_another_reads_stays(built: Workspace) -> None:
    built.pipeline(
        (WITHOUT_EXTRA % '["b", "c"]')
        + """
    target last:
        inputs: "out/a.txt"
        outputs: "last.txt"
        run: cat {inputs} extra/file > {outputs}
"""
    )
    assert rows(built) == [{"task": "process[a]", "outputs": ["out/a.json"]}]
    ended = built.run("remove", "--vanished")
    assert ended.err == "extra/ stays: last reads it\nout/a.txt stays: last reads it\n"
    assert ended.out == "removed out/a.json\n1 output removed\n"
    assert built.exists("extra/file")


LISTED = (
    WITHOUT_EXTRA % "lines(split)"
    + """
    target split:
        inputs: "data.txt"
        outputs: "index.txt"
        run: cp {inputs} {outputs}
"""
)


def test_keys_that_are_not_known_are_not_gone(workspace: Workspace) -> None:
    workspace.pipeline(LISTED)
    workspace.write("data.txt", "a\nb\n")
    workspace.ok()
    (workspace.root / "index.txt").unlink()
    assert rows(workspace) == []
    ended = workspace.run("remove", "--vanished")
    assert ended.out == "0 outputs removed\n"
    assert ended.err == (
        "the keys of `shard` are known once `split` is in place: none are known yet; what they made stays\n"
    )
    workspace.write("data.txt", "b\n")
    assert rows(workspace) == []
    workspace.ok()
    assert rows(workspace) == [{"task": "process[a]", "outputs": ["out/a.txt", "out/a.json"]}]
    assert workspace.run("remove", "--vanished").out == "removed out/a.txt\nremoved out/a.json\n2 outputs removed\n"


def test_a_list_that_is_none_says_nothing_of_keys(workspace: Workspace) -> None:
    workspace.pipeline(LISTED)
    workspace.write("data.txt", "a\nb\n")
    workspace.ok()
    workspace.write("data.txt", "b\nb\n")
    assert workspace.build().status == 1
    assert rows(workspace) == []
    problem = "line 2 of index.txt, which `split` makes, can't be a key of `shard`: 'b': line 1 is the same"
    assert said(workspace) == f"the keys of `shard` are not known: {problem}"
    assert workspace.run("remove", "--vanished").out == "0 outputs removed\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--vanished", "process"], "both goals and --vanished are given"),
        (["--vanished", "--all"], "both --all and --vanished are given"),
        (["--vanished", "--checkpoints"], "--vanished is of outputs alone"),
    ],
)
def test_what_does_not_go_together(built: Workspace, words: list[str], error: str) -> None:
    ended = built.run("remove", *words)
    assert ended.status == 2
    assert error in ended.err
