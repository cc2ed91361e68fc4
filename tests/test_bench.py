"""The benchmarks run; in that of edits mlbuild misses nothing, and what is not needed runs where it must."""

from __future__ import annotations

import os
import subprocess
import sys

from workspace import ROOT


def test_ten_edits() -> None:
    """An expression that is written otherwise is another program: whether its value is the same only a run can tell."""
    ended = subprocess.run(
        [sys.executable, ROOT / "bench/edits.py", "mlbuild"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    version, _, *table = ended.stdout.splitlines()
    assert version.startswith("mlbuild ")
    assert table == [
        "| edit | needed | mlbuild |",
        "| --- | --: | --- |",
        "| every file touched | 0 | 0 |",
        "| comments, docstrings, layout of a shared module | 0 | 0 |",
        "| a function that nothing calls | 0 | 0 |",
        "| a shared function that only training calls | 3 | 3 |",
        "| a constant two imports away | 6 | 6 |",
        "| another expression of the same value | 0 | 1: 1 unneeded |",
        "| one measurement of one day | 5 | 5 |",
        "| a param of one model | 2 | 2 |",
        "| that param, and back | 0 | 0 |",
        "| a file that a script reads and nobody declared | 6 | 6 |",
    ]


def test_checkpoints() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "bench/checkpoints.py", "--rounds", "1", "--seconds", "0.1", "--many", "10"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    rows = [line.split(" | ") for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows if "---" not in row[0]] == [
        "an attempt",
        "without checkpoints",
        "with an empty directory",
        "the same file written, without checkpoints",
        "one saved, `keep = 2`",
        "nothing saved, 10 there",
        "watching over",
        "10 checkpoints, nothing saved",
        "10 checkpoints, one saved a second",
    ]


def test_batches() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "bench/batches.py", "3", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert [line.split(" | ")[0] for line in ended.stdout.splitlines()] == [
        "| 3 days",
        "| ---",
        "| `batch: 1`",
        "| `batch: 30`",
        "| `batch: 365`",
    ]


def test_scale() -> None:
    """A plan, a look, a build with nothing to do and a backfill; how long they take is not looked at."""
    ended = subprocess.run(
        [sys.executable, ROOT / "bench/scale.py", "mlbuild", "--keys", "200"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    version, _, head, _, row = ended.stdout.splitlines()
    assert version.startswith("mlbuild ")
    assert head == (
        "| tool | keys | plan | `status` | nothing to do | `backfill -n` of 100 | backfill of 100 | memory |"
    )
    assert row.startswith("| mlbuild | 200 | ")
    assert row.count(" s |") == 5


def test_slurm() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "bench/slurm.py", "--tasks", "3", "--rounds", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    first, _, *rows = [line.strip("| ").split(" | ") for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert first[0] == "3 tasks"
    calls = {row[0]: dict(zip(first[3:], row[3:], strict=True)) for row in rows}
    assert {tool: each["`sbatch`"] for tool, each in calls.items()} == {"a plain array": "1", "mlbuild": "1"}
