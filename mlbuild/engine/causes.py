"""Why tasks are not as they were left, followed up to the first causes. Blind to what kinds of reasons there are.

A link of the chain is a task as a build would find it now, or as builds since a run have found it already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct, field

from mlbuild.engine.decide import Reason, Verdict
from mlbuild.engine.survey import Surveyed
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task, with_names
from mlbuild.state.journal import Journal, Made

T = TypeVar("T")
Key = tuple[Task, int | None]
"""A task now, or as it was made after this run."""
Kind = tuple[str, ...]
"""What causes of one kind have in common."""
NAMED = 3
"""How many causes of one kind are told apart before they are only counted."""


class Cause(Struct, frozen=True):
    """Something that changed for a task, and that no task before it explains.

    Attributes:
        since: the run of the task's last success before it changed, if that is known.
        made: the run in which the task was made anew for it; None: a build would do that now.
        verdict: what a build would do with the task now.
    """

    task: Task
    reason: Reason
    since: int | None
    made: int | None
    verdict: Verdict

    @property
    def kind(self) -> Kind:
        return (self.task.target.name, *kind_of(self.reason), str(self.made), self.verdict.value)

    @property
    def what(self) -> str:
        """`reason.what` with the names of partitions for the task's own keys, so that it is alike for its siblings."""
        return with_names(self.reason.what, self.task)


def kind_of(reason: Reason) -> Kind:
    """Its kind, and whether something is new, gone or different."""
    return reason.kind, str(reason.old is None), str(reason.new is None)


class Link(Struct):
    """What is behind a task: its own first causes, and the links before it that explain the rest."""

    causes: list[Cause] = field(default_factory=list)
    before: list[Key] = field(default_factory=list)


class Alike(Struct, frozen=True):
    """Causes that differ in nothing but their tasks, or of which there are too many to be told apart.

    Attributes:
        causes: not empty; one a task and thing.
        way: the tasks between the first of them and what it explains, the nearest to the cause first.
    """

    causes: tuple[Cause, ...]
    way: tuple[Task, ...]

    @property
    def first(self) -> Cause:
        return self.causes[0]

    @property
    def tasks(self) -> list[str]:
        """The names of their tasks."""
        return list(dict.fromkeys(cause.task.name for cause in self.causes))

    @property
    def things(self) -> int:
        """How many different things changed."""
        return len({cause.reason.what for cause in self.causes})


class Causes:
    """The chains of causes behind tasks.

    Args:
        tasks: what would happen to them, and to all that they need.
        journal: None where nothing is known of earlier builds, or none of it matters.
    """

    def __init__(self, graph: Graph, tasks: Mapping[Task, Surveyed], journal: Journal | None) -> None:
        self._graph = graph
        self._tasks = tasks
        self._journal = journal
        self._by_name = {task.name: task for task in tasks}
        self._links: dict[Key, Link] = {}
        self._made: dict[Key, list[Made]] = {}

    def link(self, key: Key) -> Link:
        found = self._links.get(key)
        if found is None:
            task, after = key
            found = self._links[key] = self._now(task) if after is None else self._then(task, after)
        return found

    def behind(self, tasks: Iterable[Task], mark: Callable[[Cause], T]) -> dict[Task, frozenset[T]]:
        """The marks of all first causes behind each of the tasks."""
        marks: dict[Key, frozenset[T]] = {}
        found = {}
        for task in tasks:
            for key in self._unmarked((task, None), marks):
                link = self._links[key]
                own = {mark(cause) for cause in link.causes}
                marks[key] = frozenset(own.union(*(marks[other] for other in link.before)))
            found[task] = marks[task, None]
        return found

    def _unmarked(self, start: Key, marks: Mapping[Key, object]) -> Iterator[Key]:
        """All links from here on without a mark, each behind those before it."""
        path = [(start, iter(self.link(start).before))] if start not in marks else []
        while path:
            key, rest = path[-1]
            below = next((other for other in rest if other not in marks), None)
            if below is None:
                path.pop()
                yield key
            else:
                path.append((below, iter(self.link(below).before)))

    def first(self, tasks: Iterable[Task]) -> list[Alike]:
        """The first causes behind some tasks, the nearest first, those that are alike together; their own apart."""
        way: dict[Key, Key | None] = {(task, None): None for task in tasks}
        groups: dict[tuple[bool, Kind], dict[str, list[tuple[Cause, Key]]]] = {}
        for key in (queue := list(way)):
            link = self.link(key)
            for cause in link.causes:
                groups.setdefault((way[key] is None, cause.kind), {}).setdefault(cause.what, []).append((cause, key))
            fresh = [other for other in dict.fromkeys(link.before) if other not in way]
            way.update(dict.fromkeys(fresh, key))
            queue += fresh
        return [self._alike(found, way) for kind in groups.values() for found in _told_apart(list(kind.values()))]

    def _alike(self, found: list[tuple[Cause, Key]], way: dict[Key, Key | None]) -> Alike:
        between: list[Task] = []
        key = way[found[0][1]]
        while key is not None:
            between.append(key[0])
            key = way[key]
        return Alike(tuple(cause for cause, _ in found), tuple(between[:-1]))

    # --- links

    def _now(self, task: Task) -> Link:
        """A task as a build would find it."""
        link, surveyed = Link(), self._tasks[task]
        since = self._journal.last_run(task.name) if self._journal else None
        makers = self._makers(task)
        for reason in surveyed.decision.reasons:
            if reason.kind == "upstream":
                link.before.append((self._by_name[reason.what], None))
                continue
            maker = makers.get(reason.what)
            before = list(self._explaining(maker, since)) if maker else []
            link.before += before
            if not before:
                link.causes.append(Cause(task, reason, since, None, surveyed.decision.verdict))
        return link

    def _explaining(self, maker: Task, since: int | None) -> Iterator[Key]:
        """The links that say why what a task makes is not as it was in a run."""
        surveyed = self._tasks.get(maker)
        if surveyed and surveyed.decision.reasons and surveyed.decision.verdict is not Verdict.ABSENT:
            yield maker, None
        if since is not None and self._made_after(maker, since):
            yield maker, since

    def _then(self, task: Task, after: int) -> Link:
        """A task as builds after a run have found it."""
        link, makers = Link(), self._makers(task)
        for made in self._made_after(task, after):
            for reason in (Reason(*each) for each in made.reasons):
                maker = makers.get(reason.what)
                if maker and self._made_after(maker, after):
                    link.before.append((maker, after))
                else:
                    link.causes.append(Cause(task, reason, None, made.run, Verdict.FRESH))
        return link

    def _made_after(self, task: Task, run: int) -> list[Made]:
        found = self._made.get((task, run))
        if found is None:
            made = self._journal.made(task.name, after=run) if self._journal else []
            found = self._made[task, run] = [each for each in made if each.reasons]
        return found

    def _makers(self, task: Task) -> dict[str, Task]:
        """Path among what a task reads → the task that makes it."""
        if task in self._graph.missing:
            return {}
        reads = (read for source in self._graph.sources(task) for read in source.reads)
        return {path: maker for path, maker in reads if maker is not None}


def _told_apart(alike: Sequence[list[tuple[Cause, Key]]]) -> list[list[tuple[Cause, Key]]]:
    """The first few by themselves, unless there are more; then all that are of the kind are one."""
    if len(alike) <= NAMED:
        return list(alike)
    return [[cause for some in alike for cause in some]]
