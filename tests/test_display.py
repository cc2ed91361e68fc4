"""What a person sees on a real terminal."""

from __future__ import annotations

import re

from workspace import Workspace


def test_a_terminal_shows_what_runs_and_what_came_of_it(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target slow:
            outputs: "slow.txt"
            run: sleep 0.5; touch {outputs}
        target bad:
            run: echo what went wrong; exit 3
        default slow, bad
        """
    )
    status, shown = workspace.on_a_terminal("-k", "-j2")
    assert status == 1
    assert re.search(r"▸ slow +0\.\ds", shown)
    assert re.search(r"1/2.*1 failed", shown)
    assert re.search(r"✓ slow in 0\.\ds", shown)
    assert "✗ bad: exit status 3" in shown
    assert "bad failed: exit status 3" in shown
    assert "    | what went wrong" in shown
    assert re.search(r"1 task run, 1 task failed in \d", shown)


def test_ctrl_c_stops_the_build_and_leaves_the_terminal_in_order(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: sleep 60\n')
    status, shown = workspace.on_a_terminal(typed=b"\x03", after=b"0/1")
    assert status == 130, shown
    assert "1 task not run in" in shown
    assert "1/1" not in shown
    workspace.wait_until_quiet()
