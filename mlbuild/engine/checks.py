"""Whether the conditions of a task's `check:` hold, once it has run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlbuild.engine.scope import CheckScope, LeftOut
from mlbuild.engine.states import IN_PLACE, OVER, State, States
from mlbuild.errors import ManyErrors, MlbuildError, PipelineError
from mlbuild.expression import (
    MISSING,
    Binary,
    Call,
    Key,
    Name,
    Node,
    Reference,
    Template,
    Unary,
    evaluate,
    walk,
    written,
)
from mlbuild.files import Files
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.flaws import Circle, apart, shown
from mlbuild.graph.references import OutsidePartition
from mlbuild.graph.task import Task
from mlbuild.target import Check
from mlbuild.template import render
from mlbuild.values import formatted

LONGEST = 60
"""Characters of a value that is shown beside a condition."""


class Conditions:
    """Tests the conditions of tasks, each once what it looks at is over.

    Args:
        states: of all tasks of the build.
    """

    def __init__(self, graph: Graph, files: Files, states: States) -> None:
        self._graph = graph
        self._files = files
        self._states = states
        self._waiting: dict[Task, Callable[[str | None], None]] = {}

    def __bool__(self) -> bool:
        """Something waits to be tested."""
        return bool(self._waiting)

    def test(self, task: Task, then: Callable[[str | None], None]) -> None:
        """Test a task's conditions now or when it can be done; `then` is told what is wrong, or None."""
        self._states.set(task, State.CHECKING)
        self._waiting[task] = then
        self._test_if_due(task)

    def look_again(self) -> None:
        """What was over just now may be what conditions wait for."""
        for task in list(self._waiting):
            if task in self._waiting:
                self._test_if_due(task)

    def test_now(self) -> None:
        """Test what waits without what it looks at: that won't come any more, or not before all else is over."""
        while self._waiting:
            # What another looks at is tested before it; none waits for itself.
            self._test(next(task for task in self._waiting if self._waiting.keys().isdisjoint(self._others(task))))

    def _test_if_due(self, task: Task) -> None:
        if all(other not in self._states or self._states[other] in OVER for other in self._others(task)):
            self._test(task)

    def _others(self, task: Task) -> list[Task]:
        """The tasks that its conditions look at, without itself."""
        return [other for other in check_references(self._graph, task) if other is not task]

    def _test(self, task: Task) -> None:
        then = self._waiting.pop(task)
        then(failed_check(self._graph, task, self._files, self._is_in_place))

    def _is_in_place(self, task: Task) -> bool:
        if task in self._states and self._states[task] not in IN_PLACE:
            return False
        return all(self._files.exists(path) for path in task.made)


def failed_check(graph: Graph, task: Task, files: Files, is_in_place: Callable[[Task], bool]) -> str | None:
    """What is wrong with what a task made, in words; None if all conditions hold.

    Args:
        is_in_place: whether the outputs of a task that a condition refers to can be looked at.
    """
    scope = CheckScope(graph, task, files, is_in_place)
    for check in task.target.checks:
        try:
            holds = evaluate(check.condition, scope)
        except LeftOut:
            continue
        except MlbuildError as error:
            return f"check {check.text}: {error.message}"
        if not holds:
            said = _said(check, scope)
            values = ", ".join(_values(check.condition, scope))
            return f"check {check.text} does not hold" + f" ({values})" * bool(values) + f": {said}" * bool(said)
    return None


def _said(check: Check, scope: CheckScope) -> str:
    """The message of a condition; as written where a value in it can't be had (a metric that is missing)."""
    if not isinstance(check.message, Template):
        return check.message or ""
    try:
        return render(check.message, scope)
    except (LeftOut, MlbuildError):
        return "".join(part if isinstance(part, str) else written(part) for part in check.message.parts)


def _values(condition: Node, scope: CheckScope) -> Iterator[str]:
    """What the things are that a condition looks at, each once; what can't be had, or is long, is left out."""
    seen: set[str] = set()
    waiting = list(_looked_at(condition))
    for node in waiting:
        text = node.at.source.line(node.at.line)[node.at.column - 1 :][: node.at.length]
        try:
            value = evaluate(node, scope)
            shown = value.text if isinstance(value, Key) else str(formatted(value, "json"))
        except (LeftOut, MlbuildError, TypeError, ValueError):  # of JSON: a YAML file may hold what it does not know
            continue
        if value is MISSING:
            shown = "missing"
            if isinstance(node, Binary | Unary):  # one thing in it is
                sides = (node.left, node.right) if isinstance(node, Binary) else (node.operand,)
                waiting += [part for side in sides for part in _looked_at(side)]
                continue
        if text not in seen and len(shown) <= LONGEST and not (value is False and node is condition):
            seen.add(text)
            yield f"{text} is {shown}"


def _looked_at(node: Node) -> Iterator[Node]:
    """The sides of the comparisons in a condition, and what else is true or false; no constants."""
    match node:
        case Binary(operator=operator, left=left, right=right) if operator not in ("+", "-", "*", "/"):
            yield from _looked_at(left)
            yield from _looked_at(right)
        case Unary(operator="not", operand=operand):
            yield from _looked_at(operand)
        case _ if any(isinstance(part, Name | Reference | Call) for part in walk(node)):
            yield node


def check_references(graph: Graph, task: Task) -> Iterator[Task]:
    """The tasks that a task's conditions look at; none of them is an edge."""
    for check in task.target.checks:
        for part in walk(check.condition):
            if isinstance(part, Reference):
                yield from _referred(graph, part, task)


def _referred(graph: Graph, reference: Reference, task: Task) -> list[Task]:
    try:
        return graph.referred(reference, task)
    except OutsidePartition:
        return []


def verify_checks(graph: Graph, order: Order) -> None:
    """Raises ManyErrors if conditions wait for each other in circles.

    A task is over when all that it needs is over and its conditions were tested, which waits for what they refer to.
    """
    if not any(task.target.checks for task in order):
        return
    waits = {
        task: [*needs, *(other for other in check_references(graph, task) if other in order and other is not task)]
        for task, needs in order.items()
    }
    if all(len(waits[task]) == len(needs) for task, needs in order.items()):
        return
    if circles := [_circle(tasks) for tasks in apart(_circles(waits))]:
        raise ManyErrors(circles)


def _circles(waits: Order) -> Iterator[Circle]:
    over: set[Task] = set()
    for start in waits:
        path: dict[Task, Iterator[Task]] = {} if start in over else {start: iter(waits[start])}
        while path:
            task, others = next(reversed(path.items()))
            other = next((other for other in others if other not in over), None)
            if other is None:
                over.add(task)
                del path[task]
            elif other in path:
                yield [*path][[*path].index(other) :]
            else:
                path[other] = iter(waits[other])


def _circle(tasks: Circle) -> PipelineError:
    checks = tasks[-1].target.checks or tasks[0].target.checks
    message = f"these conditions wait for each other in a circle: {shown(tasks)}"
    return PipelineError(message, checks[0].at if checks else tasks[-1].target.at)
