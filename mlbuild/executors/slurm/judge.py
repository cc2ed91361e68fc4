"""What became of a job: by the result that its node wrote, and by Slurm's word only where that never comes.

Blind to how a job came to Slurm.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from dataclasses import replace

from mlbuild.executors.attempt import words
from mlbuild.executors.folder import NOW, OUTPUT, REVOKED, SOFT
from mlbuild.executors.job import JobResult, Reason
from mlbuild.executors.slurm.accounting import Accounting
from mlbuild.executors.slurm.commands import AGAIN, ENDED, Orders, Row
from mlbuild.executors.slurm.known import Known
from mlbuild.executors.slurm.queue import Queue

SILENT_BEATS = 4
"""A node is silent if so many of its signs of life have failed to come."""
BY_HAND = "ended: its job in Slurm was cancelled"
"""What was done to it, as words of other signals say."""
DOUBTFUL = ("", "CANCELLED")
"""What Slurm also says of a job if its controller has lost what it knew, and the job goes on."""


class Judge:
    """Tells how jobs ended.

    Args:
        queue: what Slurm says of them.
        news: where a word goes on what is worth one.
    """

    def __init__(self, queue: Queue, orders: Orders, news: list[str]) -> None:
        self.lost_on: dict[str, set[str]] = defaultdict(set)
        """Task → nodes on which it was lost."""
        self._queue = queue
        self._orders = orders
        self._news = news
        self._accounting = Accounting()
        self._gone: dict[str, float] = {}
        """Since when it is known that there is nothing of this name, or nothing any more."""

    def result(self, known: Known) -> JobResult | None:
        """Its result, if that has come. One that tells of a signal is held until it is clear whose that was."""
        result = known.held or known.folder.result(known.job.attempt)
        if result is None:
            return None
        try:
            if REVOKED in (known.stop, known.folder.asked()):
                return self._lost(known, "")
        except OSError:  # as long as the file system has a fault, nobody can tell
            return None
        if result.reason is not Reason.PREEMPTED:
            return result
        if known.held is None:
            known.held = result
            self._queue.look_soon()
        return None

    def judge(self, known: Known) -> JobResult | None:
        """How it ended, if what Slurm said last means that it did."""
        if known.sent is None or known.sent > self._queue.picture.asked:
            return None
        if known.index is not None:
            with contextlib.suppress(OSError):  # which of its array has it will be seen later
                known.claimant()
        row = self._queue.picture.of(known)
        known.id = row.id if row else known.id
        if known.held:
            return self._judge_held(known.held, row)
        if row and row.state not in ENDED:
            known.is_seen, known.gone = True, None
            return None
        result = self.result(known)
        if result or known.held:
            return result
        try:
            return self._bury(known, row)
        except OSError:  # or its disk is full
            self._queue.look_soon()
            return None

    def _judge_held(self, result: JobResult, row: Row | None) -> JobResult | None:
        """A signal of Slurm's ended it: was that somebody's wish, or does Slurm only want its node?"""
        if row is None or row.state in ENDED:
            return _by_hand(result) if row and row.state == "CANCELLED" else result
        if row.state in AGAIN:  # requeued: another attempt is another job
            self._orders.give(["scancel", "--quiet"], [row.id])
            return result
        self._queue.look_soon()
        return None

    def _bury(self, known: Known, row: Row | None) -> JobResult | None:
        """It is over, or Slurm doesn't know it, and there is no result: be sure of that, and that nothing runs.

        Raises OSError.
        """
        now = time.monotonic()
        # Of an array that was never seen, as of a build that died before it was sent, only the first is waited for.
        known.gone = known.gone or (now if known.is_seen else self._gone.setdefault(known.name, now))
        state = row.state if row else ""
        refusal = known.folder.refusal()
        never_had_a_node = row is not None and not row.node
        if not (refusal or never_had_a_node) and now - known.gone < known.delay:
            self._queue.look_soon()
            return None
        if known.folder.withdraw():
            ended = state if refusal or known.stop else self._ended(known, state)
            if ended is not None:
                return _never_began(known, row, refusal, ended)
            self._queue.look_soon()
            return None
        if known.claimant() and self._queue.picture.of(known) != row:  # another of its array has just taken it up
            known.gone = None
            return None
        is_silent = known.folder.silence() > known.delay / 2 * SILENT_BEATS
        result = self.result(known)
        if result or known.held:
            return result
        if not is_silent and state in DOUBTFUL:
            known.is_seen, known.gone = True, None
            return None
        if known.stop != REVOKED and not self.ask(known, REVOKED):
            return None
        if is_silent and (ended := self._ended(known, state)) is not None:
            return self._lost(known, ended)
        self._queue.look_soon()
        return None

    def _ended(self, known: Known, state: str) -> str | None:
        """In which state it ended, by the queue or, where that says little, by accounting; None until that is clear."""
        if state not in ("", "FAILED"):  # which Slurm may call also what it has killed for want of memory
            return state
        told = self._accounting.state(known)
        return told if told is None else told or state

    def _lost(self, known: Known, state: str) -> JobResult:
        """Nobody will tell how it ended."""
        match state:
            case "TIMEOUT":
                return known.unseen(Reason.TIMEOUT, "Slurm killed it at the end of its time")
            case "OUT_OF_MEMORY":
                return known.unseen(Reason.OUT_OF_MEMORY, "killed for want of memory, as Slurm says")
            case "PREEMPTED":
                return known.unseen(Reason.PREEMPTED, "Slurm killed it since others come first")
            case "CANCELLED":
                reason = Reason.CANCELLED if known.stop in (SOFT, NOW) else Reason.SIGNAL
                return known.unseen(reason, BY_HAND)
        where = ""
        if claim := known.claimant():
            self.lost_on[known.job.task].add(claim.node)
            where = f" on {claim.node}"
        said = f": Slurm says {state}" if state else ""
        return known.unseen(Reason.LOST, f"nothing is heard of it any more{where}{said}")

    def ask(self, known: Known, how: str) -> bool:
        """Have it end; False if that can't be written down, on a full disk for one."""
        try:
            known.folder.ask(how)
        except OSError as error:
            self._news.append(f"{known.job.task} can't be told to end: {words(error)}")
            return False
        known.stop = how
        return True


def _never_began(known: Known, row: Row | None, refusal: str, state: str) -> JobResult:
    """Args: refusal: why its node says that it could not; state: in which it ended, empty if nobody tells."""
    if known.stop in (SOFT, NOW):
        return known.unseen(Reason.CANCELLED, "")
    if state == "CANCELLED":
        return known.unseen(Reason.NOT_STARTED, "its job in Slurm was cancelled")
    if state == "PREEMPTED":
        return known.unseen(Reason.PREEMPTED, "Slurm took its node before it began")
    if refusal:
        return known.unseen(Reason.NOT_STARTED, f"{refusal}; see {_shown(known, OUTPUT)}")
    word = f"it ended as {state}" if state else "Slurm knows nothing of it"
    # Before anything else the node writes there.
    if state == "OUT_OF_MEMORY":
        more = ": there was too little memory for mlbuild itself"
    elif row and row.node and not os.path.exists(known.folder.at(OUTPUT)):
        more = f": it seems that {row.node} does not see {known.job.workspace}, or can't write there"
    else:
        more = f"; see {_shown(known)}"
    return known.unseen(Reason.NOT_STARTED, f"its job in Slurm came to nothing: {word}{more}")


def _by_hand(result: JobResult) -> JobResult:
    return replace(result, reason=Reason.SIGNAL, exit_status=-15, detail=BY_HAND)


def _shown(known: Known, name: str = "") -> str:
    """A file in its folder, or that, as people call it."""
    return os.path.relpath(known.folder.at(name), known.job.workspace)
