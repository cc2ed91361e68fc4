"""What a person sees on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import sys

from workspace import ROOT, Workspace


def on_a_terminal(workspace: Workspace, *arguments: str, typed: bytes = b"", after: bytes = b"") -> tuple[int, str]:
    """(exit status, all that was drawn, without colours and moves) of a command; `typed` once `after` was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(workspace.root)
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
        os.execve(sys.executable, [sys.executable, "-m", "mlbuild", *arguments], env)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 1 << 16)
        except OSError:
            break
        if typed and after in shown:
            os.write(terminal, typed)
            typed = b""
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))


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
    status, shown = on_a_terminal(workspace, "-k", "-j2")
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
    status, shown = on_a_terminal(workspace, typed=b"\x03", after=b"0/1")
    assert status == 130, shown
    assert "1 task not run in" in shown
    assert "1/1" not in shown
    workspace.wait_until_quiet()
