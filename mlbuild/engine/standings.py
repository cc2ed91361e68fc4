"""How attempts stand that were submitted: as executors tell it, as the journal keeps it. Blind to how they end."""

from __future__ import annotations

from collections.abc import Mapping

from mlbuild.executors.job import Began, Job, Waits
from mlbuild.executors.slurm import PREFIX
from mlbuild.state.journal import OpenAttempt
from mlbuild.state.layout import Layout
from mlbuild.state.standing import Standing


def as_kept(one: Waits | Began) -> Standing:
    """What an executor tells, as the journal keeps it."""
    if isinstance(one, Waits):
        return Standing(queued=True, reason=one.reason, why=one.why, starts=one.starts)
    return Standing(since=one.at, node=one.node, gpus=one.gpus)


def standings(left: Mapping[str, OpenAttempt], layout: Layout) -> dict[str, Standing]:
    """How those stand that a build which died has left, by task, but for those that a cluster does not have. That is
    asked once, and not for long, if no node can tell of one."""
    runs = {
        record.id: Job.from_json(record.job).run for record in left.values() if (record.handle or "").startswith(PREFIX)
    }
    seen: dict[str, Standing | None] = {}
    if runs:
        from mlbuild.executors.slurm.standing import ask

        seen = {attempt: as_kept(one) if one else None for attempt, one in ask(layout.jobs, runs).items()}
    found = {task: seen.get(record.id, record.standing) for task, record in left.items()}
    return {task: standing for task, standing in found.items() if standing}
