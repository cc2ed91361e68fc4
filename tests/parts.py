"""Tasks that tell on it if two copies of them run at once, one of which saves checkpoints and tells from which it goes
on; and what must hold after any kill."""

from __future__ import annotations

import json
import os
from pathlib import Path

from workspace import Workspace, names

KEYS = [str(number) for number in range(6)]

PIPELINE = """
    param version = 1
    param epochs = 4
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

    target trained:
        inputs: "in.txt"
        outputs: "trained.txt"
        checkpoint: "saved/", keep = 2, ignore = epochs
        run: python train.py {version} {epochs} {outputs}

    target whole:
        inputs: part[*].file, trained
        outputs: "whole.txt"
        run: cat {inputs} > {outputs}

    default whole
"""

TRAIN = """
    import fcntl, os, sys, time
    from pathlib import Path
    from mlbuild.stage import checkpoint

    version, epochs, out = sys.argv[1:]
    lock = open("lock.trained", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        open("doubled", "a").write("trained\\n")
        raise
    Path(out).write_text("half")
    start = checkpoint.latest()
    done = int(start.read_text()) if start else 0

    # Names come by a rename, so each is of a whole one; those of the other version are for nobody now.
    folder = Path(os.environ["MLBUILD_CHECKPOINT_DIR"])
    there = [path.name for place in (folder, *folder.glob(".mlbuild/aside/*")) for path in place.glob(f"{version}-*")]
    newest = max((int(name.partition("-")[2]) for name in there), default=0)
    with open("begun", "a") as file:
        print(version, done, newest, file=file)

    while done < int(epochs):
        done += 1
        time.sleep(0.02)
        with checkpoint.save(f"{version}-{done}") as path:
            path.write_text(str(done))
    Path(out).write_text(f"trained {version}\\n")
"""

ROUNDS = int(os.environ.get("MLBUILD_TEST_ROUNDS", "3"))
"""Random moments; the soak has more."""


def whole(version: int) -> str:
    return "".join([*(f"in\n{key} {version}\n" for key in KEYS), f"trained {version}\n"])


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


def complete(workspace: Workspace, before: set[object], *, tidy: bool = True) -> None:
    """The next build completes, and what had been recorded did not run again; nothing ever ran twice at once.

    Args:
        tidy: nothing that was set aside is left.
    """
    ended = workspace.ok("-j2", "version=2")
    assert not before & set(ended.ran), "recorded, and yet it ran again"
    assert not workspace.exists("doubled"), workspace.lines("doubled")
    assert workspace.read("whole.txt") == whole(2)
    for key in KEYS:
        assert workspace.read(f"dir/{key}/x") == f"in\n{key} 2\n"
    assert not tidy or not [*workspace.root.rglob("*mlbuild-aside*")]
    assert_nothing_lost(workspace, here=["2-3", "2-4"], aside=["1-3", "1-4"])
    assert workspace.ok("version=2").ran == []
    # What version 1 came to is still known.
    ended = workspace.ok()
    assert (ended.ran, sorted(ended.restored)) == ([], [*names("part", KEYS), "trained", "whole"])
    workspace.wait_until_quiet()


def assert_nothing_lost(workspace: Workspace, here: list[str], aside: list[str]) -> None:
    """Whenever the training began, it was from the newest checkpoint that there was; these are left, and no others."""
    begun = [line.split() for line in workspace.lines("begun")]
    assert [done for _, done, _ in begun] == [newest for _, _, newest in begun], begun
    own = workspace.root / "saved/.mlbuild"
    assert {path.name for path in own.iterdir()} <= {"aside", "journal", "lock", "saving"}
    assert not [*own.glob("saving/*/*")]
    assert sorted(path.name for path in own.glob("aside/*/*")) == aside
    assert sorted(path.name for path in own.parent.glob("?-*")) == here
