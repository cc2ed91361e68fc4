"""How jobs stand that have not ended: which their nodes have begun, and for what Slurm lets the others wait.

Blind to how they end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping

from mlbuild.executors.folder import Claim, JobFolder
from mlbuild.executors.job import Began, Waits
from mlbuild.executors.slurm import limits
from mlbuild.executors.slurm.commands import AGAIN, ENDED, WAITING, Row
from mlbuild.executors.slurm.known import Known
from mlbuild.executors.slurm.queue import Queue, ask_once

PATIENCE = 3.0
"""Seconds for which whoever only looks waits for an answer of Slurm's."""
AT_ONCE = 50
"""Of so many jobs at once is looked whether they have begun."""
SAME = 0.1
"""By which part of the wait an expected start may move without a word, and"""
NEAR = 60.0
"""by how many seconds."""
SLOW = 10.0
"""Seconds that a node may take to begin what Slurm has given it before that is worth a word."""


class Standings:
    """Tells of changes.

    Args:
        queue: what Slurm says.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._news: dict[str, Waits | Began] = {}
        self._looked_at = 0

    def news(self) -> list[Waits | Began]:
        """How attempts stand, where that is not what was told before."""
        news, self._news = [*self._news.values()], {}
        return news

    def look(self, jobs: Collection[Known]) -> None:
        """See which have been submitted, and which have begun: of many only some, the others at the next looks."""
        for known in jobs:
            if known.told is None and known.sent is not None:
                self._tell(known, Waits(known.job.attempt))
        waiting = [known for known in jobs if isinstance(known.told, Waits)]
        start = self._looked_at if self._looked_at < len(waiting) else 0
        for known in waiting[start : start + AT_ONCE]:
            self._has_begun(known)
        self._looked_at = start + AT_ONCE

    def take(self, jobs: Collection[Known]) -> None:
        """See by a new picture of the queue for what they wait."""
        for known in [known for known in jobs if isinstance(known.told, Waits)]:
            row = self._queue.picture.of(known)
            is_begun = row is not None and row.state not in AGAIN and self._has_begun(known)
            if not is_begun and (waits := waits_for(known.job.attempt, row)):
                self._tell(known, waits)

    def _has_begun(self, known: Known) -> bool:
        """Whether its node has taken it."""
        if claim := _claim(known.folder):
            self._tell(known, _began(known.job.attempt, claim))
        return claim is not None

    def _tell(self, known: Known, standing: Waits | Began) -> None:
        before = known.told
        if not (isinstance(before, Waits) and isinstance(standing, Waits) and is_same(before, standing)):
            known.told = self._news[standing.attempt] = standing


def ask(jobs: str, runs: Mapping[str, str]) -> dict[str, Waits | Began | None]:
    """How attempts stand that a process has submitted which is no more, as far as their nodes or Slurm tell now.

    None of one that Slurm does not have, or no more, and that no node has begun: why, the next build finds out.

    Args:
        jobs: the folder of all jobs.
        runs: attempt → the one in whose run it is.
    """
    found: dict[str, Waits | Began | None] = {}
    waiting: list[Known] = []
    for attempt, run in runs.items():
        folder = JobFolder(os.path.join(jobs, run))
        if claim := _claim(folder):
            found[attempt] = _began(attempt, claim)
        elif note := folder.read():
            job = next(job for job in note.jobs if job.attempt == attempt)
            waiting.append(Known(job, folder, note.name, note.index))
    if waiting and (picture := ask_once(PATIENCE)):
        for each in waiting:
            attempt, row = each.job.attempt, picture.of(each)
            goes_on = row is not None and row.state not in ENDED
            found[attempt] = waits_for(attempt, row) or Waits(attempt) if goes_on else None
    return found


def _claim(folder: JobFolder) -> Claim | None:
    """What its node says; None if it says nothing, or nobody can tell."""
    try:
        return folder.claimant()
    except OSError:
        return None


def _began(attempt: str, claim: Claim) -> Began:
    return Began(attempt, claim.at, claim.node, claim.gpus)


def waits_for(attempt: str, row: Row | None) -> Waits | None:
    """Why it waits; None if it does not, or is about to begin."""
    if row is None or row.state in ENDED:
        return None
    if row.state not in AGAIN:
        is_slow = time.time() - (row.starts or 0.0) > SLOW
        return Waits(attempt, row.state, f"starts on {row.node}") if is_slow else None
    if row.reason == "None":  # Slurm has not looked at it yet
        return Waits(attempt)
    # Where nodes are not available it names them.
    reason = row.reason.partition(",")[0]
    return Waits(attempt, reason, WAITING.get(reason) or limits.words(reason) or reason, row.starts)


def is_same(before: Waits, now: Waits) -> bool:
    """Whether nobody would want to hear of the difference."""
    if (before.reason, before.why) != (now.reason, now.why):
        return False
    if before.starts is None or now.starts is None:
        return before.starts == now.starts
    return abs(before.starts - now.starts) <= max(NEAR, (now.starts - time.time()) * SAME)
