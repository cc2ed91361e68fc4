"""INT, TERM, HUP and a terminal that hangs up: nothing is left running, and nothing half made."""

from __future__ import annotations

import os
import pty
import signal
import sys

import pytest
from parts import KEYS, PIPELINE
from workspace import COMMAND, ROOT, Workspace


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_running(parts: Workspace, number: signal.Signals) -> None:
    parts.pipeline(PIPELINE.replace("sleep 0.05", "echo > started; sleep 60"))
    process = parts.start("-j2", "version=2")
    parts.wait_for("started")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    parts.wait_until_quiet()
    assert [parts.read(f"out/{key}.txt") for key in KEYS] == [f"in\n{key} 1\n" for key in KEYS]


def test_a_second_signal_does_not_wait_for_grace(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t.txt"
            checkpoint: "saved/", grace = 1h
            run: trap "echo > told" TERM; echo > started; while true; do sleep 0.1 || true; done
        """
    )
    process = workspace.start()
    workspace.wait_for("started")
    process.send_signal(signal.SIGINT)
    workspace.wait_for("told")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_terminal_that_hangs_up_leaves_nothing_running(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: ["a", "b"]
        target t[k]:
            outputs: "{k}.txt"
            run: trap "echo {k} >> told; exit 1" TERM; echo > s{k}; while true; do sleep 0.1; done
        """
    )
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(workspace.root)
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
        os.execve(sys.executable, [*COMMAND, "-j2"], environment)
    workspace.wait_for("sa")
    workspace.wait_for("sb")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    assert sorted(workspace.lines("told")) == ["a", "b"]
    workspace.wait_until_quiet()
