"""The power goes, as far as that can be had on a running machine: all processes of a build are held by STOP at random
moments and what is on the disk is copied; from each copy the next build goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from parts import ROUNDS, complete, recorded
from workspace import Workspace


def copied_while_held(workspace: Workspace, place: Path) -> None:
    """All of the workspace as it is while nothing in it moves."""
    held: set[int] = set()
    while more := set(workspace.processes()) - held:  # one that is being listed may fork
        for pid in more:
            send(pid, signal.SIGSTOP)
        held |= more
    subprocess.run(["cp", "-a", str(workspace.root), str(place)], check=True)
    for pid in held:
        send(pid, signal.SIGCONT)


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def put_back(workspace: Workspace, copy: Path) -> None:
    """The machine is on again: nothing runs, and the disk is what it was."""
    subprocess.run(["rm", "-rf", str(workspace.root)], check=True)
    copy.rename(workspace.root)


def copies(workspace: Workspace, into: Path, number: int) -> list[Path]:
    """Of a build of version 2, at so many moments."""
    process = workspace.start("-j2", "version=2", events=str(workspace.root / ".killed.jsonl"))
    places = []
    for one in range(number):
        time.sleep(random.uniform(0.0, 1.6 / number))
        places.append(into / str(one))
        copied_while_held(workspace, places[-1])
    process.communicate(timeout=60)
    workspace.wait_until_quiet()
    return places


def test_a_build_goes_on_from_what_was_on_the_disk(parts: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    for place in copies(parts, tmp_path_factory.mktemp("copies"), ROUNDS):
        put_back(parts, place)
        before = recorded(parts.root / ".killed.jsonl")
        complete(parts, before)


def test_and_if_the_last_of_the_journal_never_reached_the_disk(
    parts: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What had been recorded then may run again; nothing is wrong for that.

    What an attempt of which nobody knows had set aside stays beside the output.
    """
    for place in copies(parts, tmp_path_factory.mktemp("copies"), ROUNDS):
        put_back(parts, place)
        log = parts.root / ".mlbuild" / "journal.db-wal"
        if log.exists():
            os.truncate(log, max(0, log.stat().st_size - random.randrange(1, 20_000)))
        complete(parts, set(), tidy=False)
