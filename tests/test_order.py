"""Which of the tasks that could start does: the one behind which the longest path lies, by what tasks took before."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from workspace import Workspace


def test_the_longest_path_goes_first(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param v = 1
        target quick:
            outputs: "quick.txt"
            run: echo quick >> order; echo {v} > {outputs}
        target behind:
            inputs: quick
            outputs: "behind.txt"
            run: echo behind >> order; echo {v} > {outputs}
        target slow:
            outputs: "slow.txt"
            run: echo slow >> order; echo {v} > {outputs}
        default behind, slow
        """
    )
    workspace.ok("-j1")
    # Nothing is known yet but how many tasks a path has.
    assert workspace.lines("order")[0] == "quick"
    (workspace.root / "order").unlink()
    # Whatever else this machine does: it took longer than all else.
    with closing(sqlite3.connect(workspace.root / ".mlbuild/journal.db")) as journal, journal:
        assert journal.execute("UPDATE traces SET seconds = 100 WHERE task = 'slow'").rowcount == 1
    # It is decided first here, since what is decided may start before the rest is.
    workspace.ok("-j1", "v=2", "slow", "behind")
    assert workspace.lines("order") == ["slow", "quick", "behind"]
