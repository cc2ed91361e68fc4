"""What builds that died have left, or that left it themselves, for those who only look. Blind to how that goes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from mlbuild.executors.job import Job
from mlbuild.executors.together import ended_on_cluster, has_failed_on_cluster, still_runs
from mlbuild.state.journal import Journal, OpenAttempt
from mlbuild.state.layout import Layout


class Orphan(Struct, frozen=True):
    """An attempt without its build, which died or left it to a cluster.

    Attributes:
        run: that build.
        started: in epoch seconds.
        submitted: it had submitted it, and left.
        wanted: whether the next build wants just that, and so takes it over; else it stops it.
        over: it has ended, and nobody has taken in how.
        failed: it has ended, and came to nothing.
    """

    run: int
    started: float
    submitted: bool
    wanted: bool
    over: bool = False
    failed: bool = False


def failed(over: Mapping[str, OpenAttempt], layout: Layout) -> set[str]:
    """Those of the tasks whose attempts have ended on a cluster that came to nothing there."""
    return {task for task, record in over.items() if has_failed_on_cluster(layout.jobs, record.id)}


def orphans(journal: Journal, layout: Layout) -> tuple[dict[str, OpenAttempt], dict[str, OpenAttempt]]:
    """The attempts whose builds have gone, by task: those that go on, and those that have ended on a cluster."""
    ended = ended_on_cluster(layout.jobs)
    left: dict[str, OpenAttempt] = {}
    over: dict[str, OpenAttempt] = {}
    for record in journal.open_attempts():
        if journal.lives(record.run):
            continue
        if record.id in ended:
            over[record.task] = record
        elif still_runs(layout.run(record.begun), layout.jobs, Job.from_json(record.job)):
            left[record.task] = record
    return left, over
