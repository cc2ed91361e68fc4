"""The checkpoints of a task: what it would go on from, what those that lie there are for; what a result grew out of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from mlbuild.engine.decide import Reason, as_reason
from mlbuild.engine.facts import Inspector
from mlbuild.engine.resume import on_checkpoints
from mlbuild.executors import checkpoints
from mlbuild.executors.directory import Owner
from mlbuild.executors.job import Job
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Fingerprint, by_definition, difference
from mlbuild.state.journal import Journal
from mlbuild.state.runs import Attempted
from mlbuild.values import formatted


class Lying(Struct, frozen=True):
    """What an attempt at a task would find.

    Attributes:
        directory: relative to the workspace.
        resume_from: the checkpoint that it would go on from, relative to the workspace; empty without any.
        set_aside: whether those that lie there now are for something else, so that they would be set aside.
        differs: from what they are for to what is wanted; empty if that is not known, too.
    """

    directory: str
    resume_from: str
    set_aside: bool
    differs: tuple[Reason, ...]


class Grown(Struct, frozen=True):
    """Another fingerprint, out of whose checkpoint a result grew: its key, and what differs from there to the result's
    own; empty if that is not known."""

    fingerprint: str
    differs: tuple[Reason, ...]


def lying(task: Task, fingerprint: Fingerprint, graph: Graph, inspector: Inspector, journal: Journal) -> Lying | None:
    """What an attempt at a task would find; None if it has no checkpoints, or there are none that matter to it."""
    if not task.checkpoint:
        return None
    resume = inspector.resume_fingerprint(task, fingerprint)
    told = on_checkpoints(graph, task, fingerprint, resume, journal.run)
    return lying_for(Job("", task.name, inspector.folder, "", **told), resume, inspector, journal)


def lying_for(job: Job, resume: Fingerprint, inspector: Inspector, journal: Journal) -> Lying | None:
    """As `lying`, of a job that has checkpoints and is to start now."""
    assert job.checkpoints
    owner, resume_from = checkpoints.belong_to(job), checkpoints.newest(job)
    differs: tuple[Reason, ...] = ()
    is_other = owner is not None and owner.key != job.checkpoints.key
    if owner and is_other:
        # What is ignored stands there with a value of no meaning.
        hidden = {*job.checkpoints.ignored, *checkpoints.ignored_under(job, owner.key)}
        found = _differences(owner.key, resume, inspector, journal)
        differs = tuple(reason for reason in found if reason.kind != "param" or reason.what not in hidden)
    elif owner:
        differs = tuple(_apart(owner, job.checkpoints.ignored))
    set_aside = is_other or bool(differs)
    return Lying(job.checkpoints.directory, resume_from, set_aside, differs) if resume_from or set_aside else None


def _apart(owner: Owner, now: Mapping[str, object]) -> Iterator[Reason]:
    """What keeps checkpoints from an attempt under their own key."""
    for name, then in owner.ignored.items():
        yield Reason("param", name, *(None if value is None else _shown(value) for value in (then, now.get(name))))
    for path, digest in owner.reads.items():
        yield Reason("read", path, digest, "")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else str(formatted(value, "json"))


def grown(
    attempt: Attempted | None, fingerprint: Fingerprint, inspector: Inspector, journal: Journal
) -> tuple[Grown, ...]:
    """What a result grew out of, beside itself.

    Args:
        attempt: that made it.
        fingerprint: of the result.
    """
    keys, own = attempt.grown_from if attempt else (), fingerprint.reading({})
    return tuple(Grown(key, tuple(_differences(key, own, inspector, journal))) for key in keys)


def _differences(key: str, new: Fingerprint, inspector: Inspector, journal: Journal) -> Iterator[Reason]:
    old = journal.remembered(key)
    for change in difference(old, new) if old else ():
        digests = [digest for digest in (change.old, change.new) if digest and change.kind == "code"]
        yield from map(as_reason, by_definition(change, {digest: inspector.definitions(digest) for digest in digests}))
