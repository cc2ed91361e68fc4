"""What a build goes on with once a task has listed keys that were not known. Blind to who is told what."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from mlbuild.engine.states import ACTIVE, OVER, States
from mlbuild.graph.dag import Order
from mlbuild.graph.task import Task


class Course(Struct, frozen=True):
    """What is to be built.

    Attributes:
        order: task → the tasks that it needs, each behind its needs.
        goals: these were asked for, so that all that they make must be in place.
        forced: these run whether or not they are fresh.
        canary: these come first, and all else only if they come to be in place.
        in_turn: those that are started one after another.
    """

    order: Order
    goals: Collection[Task]
    forced: Collection[Task] = ()
    canary: Collection[Task] = ()
    in_turn: Sequence[Task] = ()


def merged(old: Order, new: Order, states: States) -> Order:
    """The new order, and behind it what of the old one runs or is over, were it needed no more."""
    kept = [task for task in old if task not in new and (states[task] in OVER or states[task] in ACTIVE)]
    order = {**new, **{task: list[Task]() for task in kept}}
    for task in kept:
        order[task] = [need for need in old[task] if need in order]
    return order
