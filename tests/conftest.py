"""Fixtures that every test file may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace; nothing may run in it when the test is over."""
    made = Workspace(tmp_path)
    yield made
    made.wait_until_quiet()
