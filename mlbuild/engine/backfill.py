"""How the tasks of a range stand, and which of them a backfill is to make. Runs nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from mlbuild.engine.impact import Amount
from mlbuild.engine.survey import Seen, Unknown
from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task

MODES = ("missing", "failed", "stale")
"""The kinds of tasks that a backfill makes unless it is told which."""
KINDS = ("fresh", *MODES)
KIND_OF = {
    **dict.fromkeys(("fresh", "absent"), "fresh"),
    **dict.fromkeys(("stale", "queued", "running"), "stale"),
    "failed": "failed",
}
"""By the state of a task; in all other states it is missing."""


class Choice(Struct, frozen=True):
    """Which tasks of a range are chosen.

    Attributes:
        modes: the kinds; `all`: fresh ones are run again, too.
        upstream: choose among the tasks that those of the range need, too. (What a chosen task needs is made anyway.)
        downstream: choose among the tasks that need those of the range, too; and what needs a chosen task is chosen.
        newest_first: else the oldest.
        canary: how many tasks of the range come first, and all else only if they hold.
    """

    modes: Collection[str] = MODES
    upstream: bool = False
    downstream: bool = False
    newest_first: bool = False
    canary: int = 0


class Plan(Struct, frozen=True):
    """What a backfill has to do.

    Attributes:
        goals: for which it was made; none: the default of the Pipelinefile.
        kinds: of each task from which it chooses.
        chosen: in the order in which they are to be made.
        forced: those of them that run although they may be fresh.
        canary: those of them that come first, and all others only if they hold; none: nothing does.
        targets, total: what would run, with all that the chosen tasks need.
        restored, blocked: how many tasks beside these the store would bring back, and how many nothing would come of.
        named: what it chooses from, so that it is known again.
        since: the first run of it, if it was stopped before it had tried everything.
        done: the tasks that it has made since then.
        unknown: partitions whose keys are not known before what lists them is in place.
        takes_new: tasks of keys that come to be known meanwhile are made, too.
        spare: so many of these come first, too, since the canary was to be of more tasks.
    """

    goals: tuple[str, ...]
    kinds: Mapping[Task, str]
    chosen: Sequence[Task]
    forced: Sequence[Task]
    canary: Sequence[Task]
    targets: Mapping[str, Amount]
    total: Amount
    restored: int
    blocked: int
    named: str
    since: int | None
    done: Collection[Task]
    unknown: Sequence[Unknown] = ()
    takes_new: bool = False
    spare: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do, whatever keys come to be known."""
        return not self.chosen and not (self.takes_new and self.unknown)


def kinds(order: Order, seen: Mapping[Task, Seen]) -> dict[Task, str]:
    """One of KINDS for each task. Failed is also what must be made, and needs a task that failed."""
    found: dict[Task, str] = {}
    for task, needs in order.items():
        own = KIND_OF.get(seen[task].state, "missing")
        if own != "fresh" and any(found[need] == "failed" for need in needs):
            own = "failed"
        found[task] = own
    return found


def chosen(
    candidates: Iterable[Task], kinds: Mapping[Task, str], modes: Collection[str], before: Collection[str] = ()
) -> list[Task]:
    """Those of the candidates that are of the kinds asked for.

    Args:
        before: the names of those that the backfill chose before it was stopped: of whatever kind they are now, if they
            are not fresh.
    """

    def is_chosen(task: Task) -> bool:
        kind = kinds[task]
        return "all" in modes or kind in modes or (kind != "fresh" and task.name in before)

    return [task for task in candidates if is_chosen(task)]


def canary(heads: Sequence[Task], behind: Collection[Task], running: Collection[Task], order: Order) -> list[Task]:
    """The tasks that come first: those of `heads` that run, and what needs nothing of what runs but them.

    Args:
        behind: what may be added so.
        running: what is chosen and would run.
        order: task → the tasks that it needs, each behind its needs.
    """
    first = {task: None for task in heads if task in running}
    trusted = {*heads}
    for task in order:
        if task in behind and task in running:
            needs = {need for need in order[task] if need in running or need in trusted}
            if needs and needs <= trusted:
                trusted.add(task)
                first[task] = None
    return [*first]
