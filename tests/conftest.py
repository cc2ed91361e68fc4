"""Fixtures that every test file may use."""

from __future__ import annotations

import compileall
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import ROOT, Workspace

for number in (signal.SIGINT, signal.SIGHUP):
    # Whoever starts the tests in the background has them ignored, and so would the builds that tests interrupt.
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# Modules of recipes are edited several times a second, and Python tells a compiled one's age in whole seconds. Ours are
# compiled below, and as they are imported here.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Compile mlbuild once, and not in each of thousands of commands: that is more than half of what one costs."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(ROOT / "mlbuild", quiet=1)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace; nothing may run in it when the test is over."""
    made = Workspace(tmp_path)
    yield made
    made.wait_until_quiet()
