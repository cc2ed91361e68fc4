"""The law of code by meaning: an edit that changes what a program does changes what counts of it."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from random import Random

from fakes import MemoryFiles
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packages import Package, Runner, edited, package, texts

from mlbuild.code.reach import Entry, reach
from mlbuild.code.sources import Sources

CASES = int(os.environ.get("MLBUILD_TEST_CASES", "150"))
ADDRESS = re.compile(r"at [0-9a-f]{6,}")


def digest(package: Package) -> str:
    return reach(Entry("main.py"), Sources(MemoryFiles(dict(texts(package))))).digest


def test_an_edit_that_changes_what_is_printed_is_never_missed(tmp_path: Path) -> None:
    runner, counts = Runner(tmp_path), Counter[str]()

    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.integers(0, 1 << 40))
    def law(seed: int) -> None:
        random = Random(seed)
        before = package(random)
        after = edited(random, before)
        outputs = [ADDRESS.sub("at", runner.output(package)) for package in (before, after)]
        is_fresh = digest(before) == digest(after)
        counts["same output" if outputs[0] == outputs[1] else "other output", is_fresh] += 1
        assert not is_fresh or outputs[0] == outputs[1], (
            "\n".join(f"--- {path}\n{text}" for path, text in texts(after).items()),
            outputs,
        )

    try:
        law()
    finally:
        runner.close()
        print(counts)
    assert counts["other output", False] > CASES / 20
    assert counts["same output", True] > CASES / 20
