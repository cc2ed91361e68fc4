"""Where things come from and where they go: the attempt and the fingerprint behind a task's outputs; who reads what.

Knows of the past what the journal keeps: of each task the last success.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from mlbuild.engine.facts import Inspector
from mlbuild.engine.lying import Grown, grown
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.task import Task
from mlbuild.state.journal import Acceptance, Journal, Trace
from mlbuild.state.runs import Attempted, Run
from mlbuild.state.store import Stored


class Origin(Struct, frozen=True):
    """What made a task's outputs.

    Attributes:
        attempt: that ran the recipe; None if that is not known here: they came out of a store that others fill.
        beside: the other tasks that its run of the recipe was for.
        run: the build that started the attempt.
        again: the build that restored them or took them as they stood, if it was no attempt that put them there.
        accepted: who took them for the result, if this success is somebody's word.
        grown: out of whose checkpoints they grew, beside their own.
        outputs: each with whether it is as it was made: `as made`, `changed`, `gone`; `removed` if it is temporary.
    """

    trace: Trace
    attempt: Attempted | None
    beside: tuple[str, ...]
    run: Run | None
    again: Run | None
    accepted: Acceptance | None
    outputs: tuple[tuple[Stored, str], ...]
    grown: tuple[Grown, ...]


class Reader(Struct, frozen=True):
    """A task that reads something, and as what: `input`, `code`, `requires`, …; `read` if that is undeclared.

    One that only comes later reads it as `after`.
    """

    task: Task
    kinds: tuple[str, ...]


class Shown(Struct, frozen=True):
    """All that is known of a task, of what it makes at a path, or of a file that no task makes.

    Attributes:
        path: the file or directory that was asked for; None if it was a task.
        task: that makes it; None for a file that no task makes.
        makers: path → the task that makes it, for the inputs of the task.
        readers: the tasks that read it.
        downstream: the tasks that depend on those.
    """

    path: str | None
    task: Task | None
    origin: Origin | None
    makers: dict[str, Task]
    readers: tuple[Reader, ...]
    downstream: tuple[Task, ...]


def origin(task: Task, journal: Journal, inspector: Inspector) -> Origin | None:
    """None if it never succeeded here."""
    trace = journal.trace(task.name)
    if trace is None:
        return None
    past = journal.past
    attempt = past.attempt_behind(task.name, trace.attempt, trace.fingerprint)
    accepted = journal.acceptance(trace)
    if accepted and trace.attempt is None:
        attempt = None  # what it was made by is not known: that is why somebody had to say so
    return Origin(
        trace,
        attempt,
        tuple(name for name in past.batch(attempt.id) if name != task.name) if attempt else (),
        past.run(attempt.begun) if attempt else None,
        past.run(trace.run) if trace.attempt is None and not accepted else None,
        accepted,
        tuple((output, _how(output, task, inspector)) for output in trace.outputs),
        grown(attempt, trace.fingerprint, inspector, journal),
    )


def _how(output: Stored, task: Task, inspector: Inspector) -> str:
    digest = inspector.digest(output.path)
    if digest is None:
        return "removed" if output.path in task.temporary else "gone"
    return "as made" if digest == output.digest else "changed"


def makers(task: Task, graph: Graph) -> dict[str, Task]:
    """Path → the task that makes it, of what a task reads."""
    return {path: maker for source in graph.sources(task) for path, maker in source.reads if maker is not None}


def readers(graph: Graph, order: Order, task: Task, path: str | None) -> Iterator[Reader]:
    """The tasks that read what a task makes, at one path or anywhere; those too that only come after it."""
    for other, needs in order.items():
        if task in needs:
            read = [name for source in graph.sources(other) for name, maker in source.reads if maker is task]
            if any(path is None or _is_in(path, name) or _is_in(name, path) for name in read):
                yield Reader(other, ("input",))
            elif path is None:
                yield Reader(other, ("after",))


def readers_of_file(order: Order, inspector: Inspector, path: str, params: Collection[str]) -> Iterator[Reader]:
    """The tasks that read a file of the user's.

    Args:
        params: the names that stand for the file's values, if it is one of params.
    """
    for task in order:
        if task.is_group:
            continue
        fingerprint, trace = inspector.fingerprint(task, {}), inspector.trace(task)
        undeclared = (f"read {each}" for each in (trace.fingerprint.reads if trace else ()))
        imported = (f"code {each}" for each in inspector.code(task).files)
        names = (*fingerprint.parts, *imported, *fingerprint.notes, *undeclared)
        kinds = dict.fromkeys(
            kind
            for kind, _, what in (name.partition(" ") for name in names)
            if (what.partition(".")[0] in params if kind == "param" else kind != "output" and _is_in(path, what))
        )
        if kinds:
            yield Reader(task, tuple(kinds))


def _is_in(path: str, what: str) -> bool:
    """Whether a part of a fingerprint is a file, a definition in it (behind a colon), or a directory around it."""
    return what == path or what.startswith(f"{path}:") or path.startswith(what.rstrip("/") + "/")


def downstream(order: Order, first: Collection[Task]) -> tuple[Task, ...]:
    """The tasks that depend on these, without these, each behind what it needs."""
    reached, given = set(first), frozenset(first)
    for task, needs in order.items():
        if not reached.isdisjoint(needs):
            reached.add(task)
    return tuple(task for task in order if task in reached and task not in given)
