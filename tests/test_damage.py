"""A store that lost something: what is damaged or missing is dropped, and made again in the same build."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from workspace import Ended, Workspace

CHAIN = """
    target clean:
        inputs: "raw.txt"
        outputs: "clean.txt"
        run: cp {inputs} {outputs}

    target train:
        inputs: clean
        outputs: "model.txt"
        run: (cat {inputs}; cat extra.txt) > {outputs}

    default train
"""
LARGE = """
    target load:
        inputs: "raw.txt"
        outputs: "large.bin"
        run: (cat {inputs}; head -c 400000 /dev/zero) > {outputs}
"""
FOLDER = """
    target split:
        inputs: "raw.txt"
        outputs: "parts/", "count.txt"
        run:
            cp {inputs} parts/small.txt
            (cat {inputs}; head -c 100000 /dev/zero) > parts/large.bin
            mkdir parts/empty; ln -s small.txt parts/link; wc -l < {inputs} > count.txt
"""


def store_db(workspace: Workspace) -> Path:
    return workspace.root / ".mlbuild/store/store.db"


def rows(workspace: Workspace, query: str, *values: object) -> list[tuple[object, ...]]:
    """What the store's database says, or is told."""
    database = sqlite3.connect(store_db(workspace), isolation_level=None)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def files(workspace: Workspace) -> list[Path]:
    """The objects that have files of their own."""
    return [path for path in (workspace.root / ".mlbuild/store/objects").rglob("*") if path.is_file()]


def break_all(workspace: Workspace) -> None:
    """Damage every object, those without a file of their own included."""
    rows(workspace, "UPDATE objects SET data = CAST('?' AS BLOB)")
    for path in files(workspace):
        os.chmod(path, 0o644)
        path.write_bytes(b"?")


def said(ended: Ended) -> list[str]:
    return [row["text"] for row in ended.events if row["event"] == "said"]


def remove(workspace: Workspace, *paths: str) -> None:
    for path in paths:
        (workspace.root / path).unlink()


@pytest.mark.parametrize("text, path", [(CHAIN, "clean.txt"), (LARGE, "large.bin")], ids=["small", "large"])
def test_a_damaged_object_is_dropped_and_its_task_runs(workspace: Workspace, text: str, path: str) -> None:
    workspace.pipeline(text)
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "")
    made = workspace.ok(path).ran
    before = (workspace.root / path).read_bytes()
    break_all(workspace)
    remove(workspace, path)
    ended = workspace.ok(path)
    assert (ended.ran, ended.restored) == (made, [])
    (text,) = said(ended)
    assert text.endswith("was damaged or missing and has been dropped")
    assert (workspace.root / path).read_bytes() == before
    remove(workspace, path)
    assert workspace.ok(path).restored == made
    assert (workspace.root / path).read_bytes() == before


def test_a_missing_object_file_is_made_again(workspace: Workspace) -> None:
    workspace.pipeline(LARGE)
    workspace.write("raw.txt", "a\n")
    workspace.ok()
    for path in files(workspace):
        path.unlink()
    remove(workspace, "large.bin")
    assert workspace.ok().ran == ["load"]
    remove(workspace, "large.bin")
    assert workspace.ok().restored == ["load"]


def test_of_something_absent_that_must_come_back(workspace: Workspace) -> None:
    workspace.pipeline(CHAIN)
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "1\n")
    workspace.ok()
    break_all(workspace)
    remove(workspace, "clean.txt")
    # Nothing needs it: that it is lost is found out, and no more.
    ended = workspace.ok()
    assert (ended.ran, ended.restored, len(said(ended))) == ([], [], 1)
    assert workspace.states("clean") == {"clean": "missing"}
    assert workspace.states("train") == {"clean": "absent", "train": "fresh"}
    workspace.write("extra.txt", "2\n")
    assert workspace.ok().ran == ["clean", "train"]
    assert workspace.read("model.txt") == "a\n2\n"


def test_found_damaged_when_what_needs_it_must_run(workspace: Workspace) -> None:
    workspace.pipeline(CHAIN)
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "1\n")
    workspace.ok()
    break_all(workspace)
    remove(workspace, "clean.txt")
    workspace.write("extra.txt", "2\n")
    ended = workspace.ok()
    assert (ended.ran, len(said(ended))) == (["clean", "train"], 1)
    assert workspace.read("model.txt") == "a\n2\n"


@pytest.mark.parametrize("which", ["small member", "large member", "missing member", "listing", "no listing"])
def test_a_folder_with_one_damaged_object(workspace: Workspace, which: str) -> None:
    workspace.pipeline(FOLDER)
    workspace.write("raw.txt", "a\n")
    workspace.ok()
    (large,) = files(workspace)
    match which:
        case "small member":
            rows(workspace, "UPDATE objects SET data = CAST('?' AS BLOB) WHERE data = CAST(? AS BLOB)", "a\n")
        case "large member":
            large.chmod(0o644)
            large.write_bytes(b"?")
        case "missing member":
            large.unlink()
        case "listing":
            # Whole JSON, of another folder.
            changed = "UPDATE objects SET data = CAST(replace(data, 'small', 'other') AS BLOB)"
            rows(workspace, changed + " WHERE digest LIKE 't%'")
        case "no listing":
            rows(workspace, "UPDATE objects SET data = CAST('[[1' AS BLOB) WHERE digest LIKE 't%'")
    for path in sorted((workspace.root / "parts").rglob("*"), reverse=True):
        path.rmdir() if path.name == "empty" else path.unlink()
    (workspace.root / "parts").rmdir()
    remove(workspace, "count.txt")
    ended = workspace.ok()
    assert (ended.ran, ended.restored, len(said(ended))) == (["split"], [], 1)
    assert workspace.read("parts/link") == "a\n"
    # Nothing that was laid down before the damage was met is left, in place or beside it.
    assert sorted(os.listdir(workspace.root / "parts")) == ["empty", "large.bin", "link", "small.txt"]
    assert not [name for name in os.listdir(workspace.root) if "aside" in name]
    assert not (workspace.root / ".mlbuild/failed").exists() or not os.listdir(workspace.root / ".mlbuild/failed")
    remove(workspace, "count.txt")
    assert workspace.ok().restored == ["split"]


def test_an_object_that_was_edited_through_its_hard_link(workspace: Workspace) -> None:
    """With `store.link = "hard"` output and object are one file, to which root may write, and its owner after chmod."""
    workspace.pipeline(LARGE)
    workspace.write("mlbuild.toml", '[store]\nlink = "hard"\n')
    workspace.write("raw.txt", "a\n")
    workspace.ok()
    path = workspace.root / "large.bin"
    assert path.stat().st_nlink == 2
    before = path.read_bytes()
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b"by hand")
    ended = workspace.ok()
    assert ended.ran == ["load"]
    assert path.read_bytes() == before
    dropped, moved = said(ended)
    assert dropped.endswith("was damaged or missing and has been dropped")
    assert moved.startswith("large.bin was not as mlbuild had left it; that version is now .mlbuild/failed/")
    assert (workspace.root / moved.rpartition(" ")[2]).read_bytes() == before + b"by hand"
    path.unlink()
    assert workspace.ok().restored == ["load"]
    assert path.read_bytes() == before


def test_outputs_in_place_are_taken_whatever_became_of_their_objects(workspace: Workspace) -> None:
    workspace.pipeline(CHAIN)
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "")
    workspace.ok("clean")
    workspace.write("raw.txt", "b\n")
    workspace.ok("clean")
    break_all(workspace)
    # Back to what was built before: its output stands there, so nothing has to come out of the store.
    workspace.write("raw.txt", "a\n")
    remove(workspace, "clean.txt")
    workspace.write("clean.txt", "a\n")
    ended = workspace.ok("clean")
    assert (ended.ran, ended.restored, said(ended)) == ([], [], [])
    assert workspace.ok("clean").ran == []
    remove(workspace, "clean.txt")
    assert workspace.ok("clean").ran == ["clean"]


def test_an_action_that_can_not_be_read(workspace: Workspace) -> None:
    workspace.pipeline(CHAIN)
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "")
    workspace.ok()
    rows(workspace, "UPDATE actions SET outputs = substr(outputs, 3)")
    remove(workspace, "clean.txt", "model.txt")
    assert workspace.ok().ran == ["clean", "train"]
    remove(workspace, "clean.txt")
    assert workspace.ok().restored == ["clean"]


@pytest.mark.parametrize("with_log", [True, False])
def test_without_its_database_the_store_begins_anew(workspace: Workspace, with_log: bool) -> None:
    """A store that is deleted costs time. (What is said of one that SQLite can't read: `test_failures`.)"""
    workspace.pipeline(LARGE + CHAIN.replace("default train", "default load, train"))
    workspace.write("raw.txt", "a\n")
    workspace.write("extra.txt", "")
    workspace.ok()
    if with_log:
        Path(f"{store_db(workspace)}-wal").write_bytes(store_db(workspace).read_bytes())
    store_db(workspace).unlink()
    assert workspace.ok().ran == []
    remove(workspace, "large.bin", "model.txt")
    assert workspace.ok().ran == ["load", "train"]
    remove(workspace, "large.bin", "model.txt")
    assert workspace.ok().restored == ["load", "train"]
