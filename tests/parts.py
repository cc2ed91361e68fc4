"""Tasks that tell on it if two copies of them run at once, and what must hold after any kill."""

from __future__ import annotations

import json
import os
from pathlib import Path

from workspace import Workspace, names

KEYS = [str(number) for number in range(6)]

PIPELINE = """
    param version = 1
    partition k: range(6)

    defaults:
        retry: 0

    target part[k]:
        inputs: "in.txt"
        outputs: file = "out/{k}.txt", folder = "dir/{k}/"
        run:
            exec 9> lock.{k}
            flock -n 9 || { echo {target} {k} >> doubled; exit 9; }
            echo half > {outputs.file}; echo half > {outputs.folder}/x
            sleep 0.05
            (cat {inputs}; echo {k} {version}) > {outputs.file}
            cp {outputs.file} {outputs.folder}/x
            echo {k} >> finished

    target whole:
        inputs: part[*].file
        outputs: "whole.txt"
        run: cat {inputs} > {outputs}

    default whole
"""

ROUNDS = int(os.environ.get("MLBUILD_TEST_ROUNDS", "6"))
"""Random moments; the soak has more."""


def whole(version: int) -> str:
    return "".join(f"in\n{key} {version}\n" for key in KEYS)


def events(path: Path) -> list[dict[str, object]]:
    """The events of a build that may have been cut off in the middle of a line."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def recorded(path: Path) -> set[object]:
    return {row["task"] for row in events(path) if row["event"] == "task_finished"}


def complete(workspace: Workspace, before: set[object]) -> None:
    """The next build completes, and what had been recorded did not run again; nothing ever ran twice at once."""
    ended = workspace.ok("-j2", "version=2")
    assert not before & set(ended.ran), "recorded, and yet it ran again"
    assert not workspace.exists("doubled"), workspace.lines("doubled")
    assert workspace.read("whole.txt") == whole(2)
    for key in KEYS:
        assert workspace.read(f"dir/{key}/x") == f"in\n{key} 2\n"
    assert not [*workspace.root.rglob("*mlbuild-aside*")]
    assert workspace.ok("version=2").ran == []
    # What version 1 came to is still known.
    ended = workspace.ok()
    assert (ended.ran, sorted(ended.restored)) == ([], [*names("part", KEYS), "whole"])
    workspace.wait_until_quiet()
