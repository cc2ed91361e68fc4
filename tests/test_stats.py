"""When a stat may be trusted: an edit that looks like nothing is seen all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlbuild import digest
from mlbuild.state import stats
from mlbuild.state.stats import FileClock, Record, Stats


@pytest.fixture
def whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system whose times come in whole seconds, so that two writes in a row look alike."""

    def rounded(path: str) -> tuple[str, int] | None:
        status = os.stat(path)
        seconds = int(max(status.st_mtime, status.st_ctime))
        return f"{seconds}:{status.st_size}", seconds * 1_000_000_000

    monkeypatch.setattr(stats, "signature", rounded)


def look(folder: Path, records: dict[str, Record]) -> tuple[str, dict[str, Record]]:
    """The digest of `f` as one command sees it, and the records that the next one starts from."""
    clock = FileClock(str(folder))
    seen = Stats(str(folder), records.get, clock)
    content = seen.content("f")
    seen.settle()
    clock.close()
    assert content is not None
    return content[0], {**records, **dict(seen.changed())}


@pytest.mark.usefixtures("whole_seconds")
def test_an_edit_within_the_same_second_and_of_the_same_size_is_seen(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one")
    first, records = look(tmp_path, {})
    (tmp_path / "f").write_text("two")
    second, _ = look(tmp_path, records)
    assert (first, second) == (digest.digest_bytes(b"one"), digest.digest_bytes(b"two"))


@pytest.mark.usefixtures("whole_seconds")
def test_an_old_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("one")
    later = os.stat(tmp_path / "f").st_mtime_ns + 10_000_000_000
    monkeypatch.setattr(FileClock, "now", lambda self: later)
    first, records = look(tmp_path, {})
    assert records["f"].settled
    monkeypatch.setattr(stats, "digest_path", lambda path: pytest.fail("read again"))
    assert look(tmp_path, records)[0] == first


def test_a_time_in_the_future_is_never_trusted(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one")
    os.utime(tmp_path / "f", (4_000_000_000, 4_000_000_000))
    _, records = look(tmp_path, {})
    assert not records["f"].settled


def test_other_times_mean_another_look_and_no_other_digest(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one")
    first, records = look(tmp_path, {})
    os.chmod(tmp_path / "f", 0o600)
    assert look(tmp_path, records)[0] == first
