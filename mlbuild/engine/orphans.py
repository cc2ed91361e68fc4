"""What builds that died have left running, for those who only look. Blind to how that goes."""

from __future__ import annotations

from msgspec import Struct

from mlbuild.executors.job import Job
from mlbuild.executors.together import still_runs
from mlbuild.state.journal import Journal, OpenAttempt
from mlbuild.state.layout import Layout


class Orphan(Struct, frozen=True):
    """An attempt that goes on although its build died.

    Attributes:
        run: that build.
        started: in epoch seconds.
        submitted: it had submitted it, and left.
        wanted: whether the next build wants just that, and so takes it over; else it stops it.
    """

    run: int
    started: float
    submitted: bool
    wanted: bool


def orphans(journal: Journal, layout: Layout) -> dict[str, OpenAttempt]:
    """The attempts that go on although their builds died, by task."""
    return {
        record.task: record
        for record in journal.open_attempts()
        if not journal.lives(record.run)
        and still_runs(layout.run(_begun(record)), layout.jobs, Job.from_json(record.job))
    }


def _begun(record: OpenAttempt) -> int:
    """The build that had started it, whichever has it now."""
    return int(record.id.partition("-")[0])
