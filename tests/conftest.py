"""Fixtures that every test file may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import Workspace

for number in (signal.SIGINT, signal.SIGHUP):
    # Whoever starts the tests in the background has them ignored, and so would the builds that tests interrupt.
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace; nothing may run in it when the test is over."""
    made = Workspace(tmp_path)
    yield made
    made.wait_until_quiet()
