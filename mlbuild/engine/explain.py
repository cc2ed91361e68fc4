"""What `explain` tells of tasks: what would happen to them and why, or where what is in place comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from mlbuild.code.reach import Whole
from mlbuild.engine.causes import Alike, Causes
from mlbuild.engine.decide import Verdict
from mlbuild.engine.facts import Inspector
from mlbuild.engine.lying import Grown, grown
from mlbuild.engine.survey import Seen, Survey
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.state.journal import Acceptance, Journal


class Origin(Struct, frozen=True):
    """Where the outputs of a task come from, or would be restored from; of a result that was made before what was made
    last, and still is what is in place, where that comes from.

    Attributes:
        how: `built`, `restored` or `accepted`.
        time: when, in epoch seconds.
        seconds: that making them took.
        inputs: how many files it read that count by their content.
        again: tasks that it needs and that ran again since, and came out the same.
        grown: out of whose checkpoints it grew, beside its own.
    """

    how: str
    run: int
    time: float
    seconds: float
    inputs: int
    acceptance: Acceptance | None = None
    again: tuple[str, ...] = ()
    grown: tuple[Grown, ...] = ()


class Explained(Struct, frozen=True):
    """A task that was asked for; without an origin if nothing of it is in place or stored."""

    seen: Seen
    origin: Origin | None

    @property
    def task(self) -> Task:
        return self.seen.surveyed.task


class Group(Struct, frozen=True):
    """Tasks of one target to which the same happens for causes of the same kinds."""

    tasks: tuple[Explained, ...]
    causes: tuple[Alike, ...]


class Node(Struct, frozen=True):
    """A task that was asked for or is on the way to a cause; `behind`: the tasks that are the cause of its state."""

    explained: Explained
    behind: tuple[str, ...]


class Explanation(Struct, frozen=True):
    """Groups of the tasks asked for; them and all that is behind them, each task once; and the files of their code of
    which everything counts, since what reaches into them is not clear."""

    groups: tuple[Group, ...]
    nodes: tuple[Node, ...]
    whole: tuple[Whole, ...]


def explain(
    graph: Graph,
    survey: Survey,
    inspector: Inspector,
    journal: Journal | None,
    seen: Mapping[Task, Seen],
    wanted: Sequence[Task],
) -> Explanation:
    """Why each of the tasks wanted is as it is, those together of which the same is to be said.

    Args:
        journal: None if nothing was ever built.
        seen: every task of the survey.
    """
    causes = Causes(graph, survey.tasks, journal)
    origins = {task: _origin(task, graph, survey, inspector, journal) if journal else None for task in wanted}
    kinds = causes.behind(wanted, lambda cause: cause.kind)
    groups: dict[tuple[object, ...], list[Explained]] = {}
    for task in wanted:
        origin, surveyed = origins[task], survey.tasks[task]
        comes_from = (origin.how, origin.again) if origin else None
        same = (
            task.target.name,
            seen[task].state,
            seen[task].orphan,
            surveyed.decision.verdict,
            surveyed.maybe,
            comes_from,
        )
        groups.setdefault((*same, kinds[task]), []).append(Explained(seen[task], origin))
    return Explanation(
        tuple(Group(tuple(group), tuple(causes.first(each.task for each in group))) for group in groups.values()),
        tuple(_nodes(causes, seen, {each.task: each for group in groups.values() for each in group})),
        tuple(dict.fromkeys(whole for task in wanted for whole in inspector.code(task).whole)),
    )


def _nodes(causes: Causes, seen: Mapping[Task, Seen], explained: Mapping[Task, Explained]) -> Iterator[Node]:
    tasks = dict.fromkeys(explained)
    for task in (queue := list(tasks)):
        behind = dict.fromkeys(other for other, after in causes.link((task, None)).before if after is None)
        queue += [other for other in behind if other not in tasks]
        tasks.update(behind)
        yield Node(explained.get(task) or Explained(seen[task], None), tuple(other.name for other in behind))


def _origin(task: Task, graph: Graph, survey: Survey, inspector: Inspector, journal: Journal) -> Origin | None:
    surveyed = survey.tasks[task]
    decision = surveyed.decision
    if decision.verdict is Verdict.RESTORE or (decision.verdict is Verdict.FRESH and decision.take is not None):
        made = journal.made(task.name, fingerprint=survey.facts(task).fingerprint.key)
        stored = decision.restore or decision.take
        seconds = stored.seconds if stored else 0.0
        return Origin("built", made[-1].run, made[-1].ended, seconds, 0) if made else None
    trace = journal.trace(task.name) if decision.verdict is Verdict.FRESH and not task.is_group else None
    if trace is None:
        return None
    acceptance = journal.acceptance(trace)
    how = "accepted" if acceptance else "restored" if trace.attempt is None else "built"
    inputs = sum(name.startswith("input ") for name in trace.fingerprint.parts)
    producers = [need.name for need in graph.producers(task)]
    again = tuple(name for name in producers if journal.made(name, after=trace.run))
    attempt = journal.past.attempt_behind(trace.task, trace.attempt, trace.fingerprint)
    grew = () if acceptance else grown(attempt, trace.fingerprint, inspector, journal)
    return Origin(how, trace.run, trace.finished, trace.seconds, inputs, acceptance, again, grew)
