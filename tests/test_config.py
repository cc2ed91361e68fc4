"""`mlbuild.toml` in the workspace over `~/.config/mlbuild/config.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_startup import loaded
from workspace import Workspace

USER = ".config/mlbuild/config.toml"

TWO = """
    partition n: range(2)
    target broken[n]:
        outputs: "{n}.txt"
        run: false
    target fine:
        outputs: "fine.txt"
        run: sleep 0.3; echo > {outputs}
    target all:
        inputs: broken[*], fine
    default all
"""


def test_the_command_line_beats_the_workspace_and_that_the_user(workspace: Workspace) -> None:
    workspace.pipeline(TWO)
    workspace.write(USER, "jobs = 1\nkeep_going = true\n")
    assert workspace.build().failed == ["broken[0]", "broken[1]"]
    workspace.write("mlbuild.toml", "keep_going = false\n")
    assert workspace.build().failed == ["broken[0]"]
    assert workspace.build("-k").failed == ["broken[0]", "broken[1]"]
    workspace.write("mlbuild.toml", "keep_going = true\n")
    assert workspace.build("--no-keep-going").failed == ["broken[0]"]


def test_mistakes_of_both_files_are_said_in_one_go(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: true\n")
    workspace.write(USER, "jobs = true\nkeep-going = 1\n")
    workspace.write(
        "mlbuild.toml",
        """
        job = 3
        [executors.big]
        cpu = 4
        memory = 8

        [executors."odd name".pools]
        licences = "two"

        [stor]
        [store]
        link = "soft"
        """,
    )
    ended = workspace.run("status")
    assert (ended.status, ended.out) == (2, "")
    assert (
        ended.err.replace(str(workspace.root / USER), "USER")
        == """\
USER:1:1: error: `jobs` must be a whole number from 1 on
  1 | jobs = true
    | ^^^^

USER:2:1: error: there is no setting `keep-going`
  2 | keep-going = 1
    | ^^^^^^^^^^
  hint: did you mean `keep_going`?

mlbuild.toml:1:1: error: there is no setting `job`
  1 | job = 3
    | ^^^
  hint: did you mean `jobs`?

mlbuild.toml:3:1: error: there is no setting `executors.big.cpu`
  3 | cpu = 4
    | ^^^
  hint: did you mean `cpus`?

mlbuild.toml:4:1: error: `executors.big.memory` must be a size with its unit, as in "8G"
  4 | memory = 8
    | ^^^^^^

mlbuild.toml:7:1: error: `executors.odd name.pools.licences` must be a number above 0
  7 | licences = "two"
    | ^^^^^^^^

mlbuild.toml:9:2: error: there is no setting `stor`
  9 | [stor]
    |  ^^^^
  hint: did you mean `store`?

mlbuild.toml:11:1: error: `store.link` must be "auto" or "copy" or "hard"
  11 | link = "soft"
     | ^^^^
"""
    )


def test_tables_are_merged_deeply(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        executor big: local()
        target t:
            resources: seats = 2, desks = 2
            on: big
            run: true
        """
    )
    workspace.write(USER, "[executors.big]\njobs = 1\n[executors.big.pools]\nseats = 1\ndesks = 2\n")
    workspace.write("mlbuild.toml", "[executors.big]\ncpus = 2\n")
    assert workspace.build().status == 2
    workspace.write("mlbuild.toml", "[executors.big.pools]\nseats = 2\n")
    assert workspace.ok().ran == ["t"]


def test_a_file_that_is_no_toml(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: true\n")
    workspace.write("mlbuild.toml", "jobs = 2\ncolor =\n")
    assert workspace.run("status").err == (
        "mlbuild.toml:2:8: error: this is no TOML: Invalid value\n  2 | color =\n    |        ^\n"
    )
    (workspace.root / "mlbuild.toml").write_bytes(b"jobs = \xff\n")
    assert workspace.run("status").err == "error: mlbuild.toml is not UTF-8\n  hint: save it as UTF-8\n"
    (workspace.root / "mlbuild.toml").unlink()
    (workspace.root / "mlbuild.toml").mkdir()
    assert workspace.run("status").err == "error: can't read mlbuild.toml: Is a directory\n"


@pytest.mark.parametrize(("link", "shared"), [("auto", {300_000}), ("copy", set()), ("hard", {300_000, 100_000})])
def test_how_the_store_shares_files(workspace: Workspace, link: str, shared: set[int]) -> None:
    workspace.pipeline(
        """
        target sizes:
            outputs: "10000", "100000", "300000"
            run: for n in 10000 100000 300000; do head -c $n /dev/zero > $n; done
        """
    )
    workspace.write("mlbuild.toml", f'[store]\nlink = "{link}"\n')
    if link == "auto" and _can_clone(workspace.root):
        shared = set()  # their blocks are shared, and no name
    workspace.ok()
    sizes = (10_000, 100_000, 300_000)
    assert {size for size in sizes if (workspace.root / str(size)).stat().st_nlink > 1} == shared
    for size in sizes:
        (workspace.root / str(size)).unlink()
    workspace.ok()
    assert {size for size in sizes if (workspace.root / str(size)).stat().st_nlink > 1} == shared


def _can_clone(folder: Path) -> bool:
    from mlbuild.state.store import _clone

    (folder / "probe").write_text("x")
    return _clone(str(folder / "probe"), str(folder / "probe2"))


def test_nothing_is_loaded_for_it_where_there_is_none(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: true\n")
    assert "tomllib" not in loaded(workspace.root, "status")
    workspace.write("mlbuild.toml", "jobs = 2\n")
    assert "tomllib" in loaded(workspace.root, "status")
