"""How each class of failure is said: while it builds, in events, in the build's account, in explain."""

from __future__ import annotations

import pytest
from workspace import Workspace

from mlbuild.ui.words import ended, failed

LOST = "its supervisor died (if that was a bug, .mlbuild/runs/1/supervisor.log tells)"
CLASSES = {
    "exit": ("", "exit 3", "exit status 3", "with exit status 3"),
    "signal": ("", "kill -SEGV $$", "killed by SIGSEGV", ""),
    "signal, of a command": ("", "bash -c 'kill -TERM $$'; true", "a command in it was killed by SIGTERM", ""),
    "signal, KILL": ("", "kill -KILL $$", "killed by SIGKILL", ""),
    "timeout": ("timeout: 200ms", "sleep 1000", "ran longer than its timeout", ""),
    "stalled": ("stall: 1s", "sleep 1000", "stalled: no sign of life for 1s", ""),
    "missing_output": ("", "true", "t.txt is not there", ""),
    "lost": ("", "kill -KILL $PPID; sleep 1000", f"lost: {LOST}", ""),
}


@pytest.mark.parametrize("name", CLASSES)
def test_how_it_is_said(workspace: Workspace, name: str) -> None:
    clause, recipe, said, explained = CLASSES[name]
    workspace.pipeline(f'target t:\n    outputs: "t.txt"\n    {clause}\n    run: {recipe}\n')
    built = workspace.build("t")
    assert built.status == 1
    assert built.out.splitlines()[1] == f"FAILED  t: {said}"
    assert f"\nt failed: {said}\n" in built.out
    (event,) = [row for row in built.events if row["event"] == "task_failed"]
    assert event["reason"] == name.partition(",")[0]
    assert event["detail"] == {"exit": "", "timeout": ""}.get(name, said.removeprefix(f"{name}: "))
    assert f"  {said}" in workspace.run("runs", "1").out
    if name != "lost":  # which says nothing of the task
        last = f"its last attempt failed {explained or f'({said})'}, in run 1: `mlbuild log t`"
        assert last in workspace.run("explain", "t").out


def test_where_it_hung_is_said(workspace: Workspace) -> None:
    workspace.write("train.py", "import time\n\n\ndef fit():\n    time.sleep(1000)\n\n\nfit()\n")
    workspace.pipeline(
        'target t:\n    outputs: "t.txt"\n    stall: 2s\n    retry: 1, backoff = 1ms\n    run: python train.py\n'
    )
    out = workspace.build("t").out.splitlines()
    said = "no sign of life for 2s; its stacks are in .mlbuild/runs/1/logs/1-{}.stacks"
    assert out[:4] == [
        "start   t",
        f"retry   t in 0.0s, after a stall: {said.format(1)}",
        "start   t (attempt 2)",
        f"FAILED  t: stalled: {said.format(2)}",
    ]
    for number in (1, 2):
        assert "line 5 in fit\n" in workspace.read(f".mlbuild/runs/1/logs/1-{number}.stacks")
        assert f"stalled: {said.format(number)}" in workspace.run("runs", "1").out


def test_one_that_goes_on_from_its_checkpoint(workspace: Workspace) -> None:
    workspace.pipeline("""
        target t:
            outputs: "t.txt"
            checkpoint: "saved/"
            stall: 1s
            run:
                test -z "$MLBUILD_RESUME_FROM" || { touch {outputs}; exit; }
                touch saved/x.tmp; mv saved/x.tmp saved/x
                sleep 1000
        """)
    assert workspace.ok("t").out.splitlines()[:3] == [
        "start   t",
        "resume  t from saved/x, after a stall: no sign of life for 1s",
        "start   t from saved/x (attempt 2)",
    ]


def test_what_ran_out_of_memory() -> None:
    """As the kernel's counters tell it: `test_memory_death.py`."""
    assert failed("out_of_memory", -9, "out of memory: the kernel killed it") == "out of memory: the kernel killed it"
    guess = "killed by SIGKILL, which mlbuild did not send: perhaps it ran out of memory"
    assert failed("out_of_memory", -9, guess) == guess
    assert failed("exit", 1, "out of memory, the kernel killed a process meanwhile") == (
        "exit status 1: out of memory, the kernel killed a process meanwhile"
    )


@pytest.mark.parametrize(
    ("reason", "status", "detail", "said"),
    [
        ("exit", 7, "more", "exit status 7"),
        ("signal", -9, "killed by SIGKILL", "it was killed by SIGKILL"),
        ("signal", 137, "a command in it was killed by SIGKILL", "a command in it was killed by SIGKILL"),
        ("timeout", 0, "more", "timeout"),
        ("stalled", 0, "more", "a stall: more"),
        ("out_of_memory", -9, "more", "running out of memory"),
        ("preempted", -15, "more", "preemption"),
        ("lost", 0, "more", "losing it"),
    ],
)
def test_after_what_it_is_tried_again(reason: str, status: int, detail: str, said: str) -> None:
    assert ended(reason, status, detail) == said
