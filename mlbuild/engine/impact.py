"""What some changes make run, added up: how many tasks, how much time, by their first causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from mlbuild.engine.causes import Cause, Causes, kind_of
from mlbuild.engine.history import History
from mlbuild.engine.scope import RecipeScope
from mlbuild.engine.survey import Surveyed
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task


class Amount(Struct):
    """Tasks that would run and that may, and what they took when they ran last.

    Attributes:
        seconds: of all of them, one after the other.
        gpu_seconds: GPUs times seconds.
        unknown: how many of them belong to a target that never ran: they count nothing.
    """

    run: int = 0
    may_run: int = 0
    seconds: float = 0.0
    gpu_seconds: float = 0.0
    unknown: int = 0

    def add(self, surveyed: Surveyed, expected: float | None, gpus: float) -> None:
        if surveyed.maybe:
            self.may_run += 1
        else:
            self.run += 1
        self.unknown += expected is None
        self.seconds += expected or 0.0
        self.gpu_seconds += gpus * (expected or 0.0)


class Share(Struct):
    """What one cause makes run, alone or with others.

    Attributes:
        cause: the first that was met.
        things: how many things like it changed.
    """

    cause: Cause
    things: int
    targets: dict[str, Amount]


class Impact(Struct, frozen=True):
    """Every task is in `targets` and `total` once, but in each share that it belongs to."""

    shares: tuple[Share, ...]
    targets: Mapping[str, Amount]
    total: Amount


def impact(graph: Graph, tasks: Mapping[Task, Surveyed], causes: Causes, history: History) -> Impact:
    """What a survey's tasks come to."""
    running = _running(tasks.values())
    shares, mark = _shares(causes, running)
    targets: dict[str, Amount] = {}
    total = Amount()
    behind = causes.behind([each.task for each in running], mark.__getitem__)
    for each in running:
        name = each.task.target.name
        cost = _cost(graph, each.task, history)
        concerned = [shares[number].targets for number in sorted(behind[each.task])]
        for amounts in (*concerned, targets):
            amounts.setdefault(name, Amount()).add(each, *cost)
        total.add(each, *cost)
    return Impact(tuple(shares), targets, total)


def add_up(graph: Graph, tasks: Iterable[Surveyed], history: History) -> tuple[dict[str, Amount], Amount]:
    """What those of these tasks that would run come to: by target, and altogether."""
    targets: dict[str, Amount] = {}
    total = Amount()
    for each in _running(tasks):
        cost = _cost(graph, each.task, history)
        targets.setdefault(each.task.target.name, Amount()).add(each, *cost)
        total.add(each, *cost)
    return targets, total


def _running(tasks: Iterable[Surveyed]) -> list[Surveyed]:
    return [each for each in tasks if each.runs and not each.blocked and not each.task.is_group]


def _cost(graph: Graph, task: Task, history: History) -> tuple[float | None, float]:
    """How long a task should take, in seconds, and how many GPUs it has meanwhile."""
    asked = RecipeScope(graph, task).amounts()
    return history.expected(task), (asked["gpus"] or 0) * (asked["nodes"] or 1)


def _shares(causes: Causes, running: list[Surveyed]) -> tuple[list[Share], dict[Cause, int]]:
    """The first causes, whatever their tasks, and which of them each cause belongs to."""
    found: dict[tuple[object, ...], int] = {}
    shares: list[Share] = []
    things: list[set[str]] = []
    mark: dict[Cause, int] = {}
    for alike in causes.first([each.task for each in running]):
        first = alike.first
        thing = (first.what, first.reason.old, first.reason.new) if alike.things == 1 else ()
        number = found.setdefault((*kind_of(first.reason), *thing), len(shares))
        if number == len(shares):
            shares.append(Share(first, 0, {}))
            things.append(set())
        things[number].update(cause.reason.what for cause in alike.causes)
        shares[number].things = len(things[number])
        mark.update(dict.fromkeys(alike.causes, number))
    return shares, mark
