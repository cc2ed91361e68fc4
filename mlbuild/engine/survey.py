"""What a build would do, task by task, without doing it: the dry run, `status` and `explain` are readings of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.engine.decide import FRESH, Decision, Facts, Reason, Verdict, decide
from mlbuild.engine.facts import Inspector
from mlbuild.engine.history import History
from mlbuild.engine.lying import Lying, lying
from mlbuild.engine.orphans import Orphan
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import UNKNOWN
from mlbuild.state.journal import Journal, OpenAttempt
from mlbuild.state.runs import Attempted
from mlbuild.state.standing import Standing


class Surveyed(Struct, frozen=True):
    """What would happen to a task.

    Attributes:
        decision: as a build would decide, if what it needs came out as it did last time.
        maybe: it runs only if something that it needs, and that runs first, comes out otherwise.
        blocked: why nothing will come of it: a path that is missing, a condition that does not hold.
        gone: something that it makes is not there, and is not temporary.
    """

    task: Task
    decision: Decision
    maybe: bool = False
    blocked: str | None = None
    gone: bool = False

    @property
    def runs(self) -> bool:
        return self.decision.verdict is Verdict.RUN


class Seen(Struct, frozen=True):
    """A task as `status` and `explain` show it; `state` is one of the words of `status`."""

    surveyed: Surveyed
    state: str
    last: Attempted | None
    expected: float | None
    """Seconds, from history."""
    lying: Lying | None = None
    """What it would find of checkpoints, if it would run and it is known on what."""
    orphan: Orphan | None = None
    """What a build that died has left running of it."""
    standing: Standing | None = None
    """How it stands, if it is queued or runs."""


class Survey:
    """What a build of these tasks would do, each behind its needs.

    Args:
        order: task → the tasks that it needs, as `Graph.closure` gives it.
        standing: tasks that are taken for fresh, with the outputs that stand there.

    Attributes:
        tasks: in the order of `order`.
    """

    def __init__(self, graph: Graph, order: Order, inspector: Inspector, standing: Collection[Task] = ()) -> None:
        self._graph = graph
        self._inspector = inspector
        self._planned: dict[str, str | None] = {}
        """Path → digest of what a build would put there, as far as can be told."""
        self.tasks: dict[Task, Surveyed] = {}
        for task, needs in order.items():
            self.tasks[task] = Surveyed(task, FRESH) if task in standing else self._look(task, needs)
        is_any_absent = any(each.decision.verdict is Verdict.ABSENT for each in self.tasks.values())
        for task in reversed(order) if is_any_absent else ():
            if self.tasks[task].runs and not self.tasks[task].blocked:
                self._bring_in(inspector.lacking(task))

    def facts(self, task: Task) -> Facts:
        """What the decision on a task rests on. Looked up once more: to keep it of all tasks would take much memory."""
        return self._inspector.facts(task, self._planned)

    def lying(self, task: Task, journal: Journal) -> Lying | None:
        """What a task would find of checkpoints, if it would run and it is known on what."""
        surveyed = self.tasks[task]
        waits = surveyed.blocked or any(reason.kind == "upstream" for reason in surveyed.decision.reasons)
        if not task.checkpoint or not surveyed.runs or waits:
            return None
        return lying(task, self.facts(task).fingerprint, self._graph, self._inspector, journal)

    def orphan(self, task: Task, record: OpenAttempt, journal: Journal, *, over: bool, failed: bool) -> Orphan:
        """What a build that is gone has left of a task, as the next one sees it."""
        wanted = not failed and record.fingerprint.completed(self.facts(task).fingerprint) is not None
        run, submitted = journal.past.left_by(record.run, record.begun)
        return Orphan(run, record.started, submitted, wanted, over, failed)

    def _look(self, task: Task, needs: list[Task]) -> Surveyed:
        missing = self._graph.missing.get(task)
        blocked = missing.message if missing else self._blocked(task, needs)
        if blocked:
            self._graph.leave_out(task)
            return Surveyed(task, Decision(Verdict.RUN, (Reason("blocked", blocked),)), blocked=blocked)
        before: Iterable[Task] = self._graph.producers(task) if task.target.after else needs
        if self._graph.listings:
            before = dict.fromkeys((*self._graph.producers(task), *self._graph.gathered(task)))
        running = [self.tasks[need] for need in before]
        return self._decide(task, [need for need in running if need.runs and not need.blocked])

    def _blocked(self, task: Task, needs: list[Task]) -> str | None:
        """By what: the first task of the chain is named, those between are not."""
        for lister in self._graph.listers(task):
            problem = self._graph.problem_with_list(lister)
            if problem and self.tasks[lister].decision.verdict in (Verdict.FRESH, Verdict.ABSENT):
                return problem
        for need in map(self.tasks.__getitem__, needs):
            if need.blocked and not self._graph.may_lack(task, need.task):
                if need.task in self._graph.missing:
                    return f"{need.task.name} is blocked: {need.blocked}"
                return f"{need.task.name} fails: {need.blocked}" if _fails(need) else need.blocked
        return None

    def _decide(self, task: Task, running: list[Surveyed]) -> Surveyed:
        """Args: running: those of its needs that would run."""
        upstream = tuple(Reason("upstream", need.task.name) for need in running)
        if task.is_group:
            return Surveyed(task, Decision(Verdict.RUN if running else Verdict.FRESH, upstream), maybe=bool(running))
        facts = self.facts(task)
        decision = decide(facts)
        gone = any(digest is None and path not in facts.temporary for path, digest in facts.present.items())
        brought = decision.restore or decision.take
        if brought is not None:
            self._planned.update((output.path, output.digest) for output in brought.outputs)
        elif decision.verdict is not Verdict.FRESH or running:
            last = {output.path: output.digest for output in facts.trace.outputs} if facts.trace else {}
            self._planned.update((path, last.get(path, UNKNOWN)) for path in task.made)
        if not running:
            problem = self._inspector.failed_check(task, self._stands) if decision.recheck else None
            if problem and decision.verdict is Verdict.FRESH:
                return Surveyed(task, Decision(Verdict.RUN, (Reason("check failed", problem),)), blocked=problem)
            return Surveyed(task, decision, gone=gone)
        if decision.verdict is not Verdict.RUN:
            return Surveyed(task, Decision(Verdict.RUN, upstream), maybe=True, gone=gone)
        own = tuple(reason for reason in decision.reasons if reason.new != UNKNOWN)
        return Surveyed(task, Decision(Verdict.RUN, (*own, *upstream), decision.edited), gone=gone)

    def _stands(self, task: Task) -> bool:
        """Whether what a condition refers to is there to be looked at."""
        surveyed = self.tasks.get(task)
        return (surveyed is None or not surveyed.runs) and all(self._inspector.digest(path) for path in task.made)

    def _bring_in(self, needs: list[Task]) -> None:
        """What is absent must be made after all, or restored, for a task that runs."""
        for need in needs:
            if self.tasks[need].decision.verdict is Verdict.ABSENT:
                self.tasks[need] = Surveyed(need, decide(replace(self.facts(need), needed=True)))


class Unknown(Struct, frozen=True):
    """A partition whose keys are not known before a task is in place.

    Attributes:
        keys: how many it had as of last time.
        problem: the task is in place, but what it lists can't be keys; empty otherwise.
    """

    partition: str
    lister: Task
    keys: int
    problem: str = ""


def unknown_keys(graph: Graph, seen: Iterable[Seen]) -> list[Unknown]:
    """The partitions whose keys are not known, of those that the tasks seen list."""
    found = []
    for each in seen:
        task = each.surveyed.task
        problem = graph.problem_with_list(task) if each.state in ("fresh", "absent") else ""
        if problem or each.state not in ("fresh", "absent"):
            found += [Unknown(keys.partition.name, task, len(keys), problem) for keys in graph.lists(task)]
    return found


UNREMARKABLE = frozenset({None, "ok", "lost", "cancelled", "preempted", "input_changed"})
"""Ends of an attempt after which a task is not called failed: it was never through, or by no fault of its own."""


def see(
    survey: Survey,
    surveyed: Surveyed,
    journal: Journal | None,
    history: History,
    running: Mapping[str, Standing],
    left: Mapping[str, OpenAttempt],
    failed: Collection[str],
) -> Seen:
    """A surveyed task with what happened to it before.

    Args:
        running: how the tasks stand, by name, that are queued or run now, in another build or though theirs died.
        left: the attempts of builds that are gone, at some of these and at others, where they have ended.
        failed: the tasks of which those have come to nothing.
    """
    name, standing = surveyed.task.name, running.get(surveyed.task.name)
    last = journal.past.last_attempt(name) if journal and surveyed.runs else None
    gone = left.get(name)
    orphan = None
    if journal and gone:
        orphan = survey.orphan(surveyed.task, gone, journal, over=standing is None, failed=name in failed)
    state = ("queued" if standing.queued else "running") if standing else _state(surveyed, last)
    lies = survey.lying(surveyed.task, journal) if journal and not standing else None
    return Seen(surveyed, state, last, history.expected(surveyed.task), lies, orphan, standing)


def _fails(surveyed: Surveyed) -> bool:
    """It need not run, but what it made is not what its conditions now ask for."""
    return any(reason.kind == "check failed" for reason in surveyed.decision.reasons)


def _state(surveyed: Surveyed, last: Attempted | None) -> str:
    if surveyed.blocked:
        return "failed" if _fails(surveyed) else "blocked"
    if surveyed.decision.verdict is Verdict.RESTORE:
        return "restorable"
    if not surveyed.runs:
        return str(surveyed.decision.verdict.value)
    if last is not None and last.reason not in UNREMARKABLE:
        return "failed"
    kinds = {reason.kind for reason in surveyed.decision.reasons}
    return "missing" if surveyed.gone or kinds & {"never built", "output missing"} else "stale"
