"""What a person decides about outputs: accept and remove. Runs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from mlbuild.app.access import opened
from mlbuild.app.workspace import Workspace, ordered
from mlbuild.engine import accept as acceptance
from mlbuild.engine import removal
from mlbuild.engine.decide import Verdict
from mlbuild.engine.facts import Inspector
from mlbuild.engine.survey import Survey, Surveyed
from mlbuild.engine.vanished import Vanished
from mlbuild.errors import UsageError
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal
from mlbuild.state.outputs import Outputs
from mlbuild.state.store import Store


class Accepted(Struct, frozen=True):
    """What `accept` did.

    Attributes:
        tasks: that were accepted.
        stale: tasks that they need and that a build would run or restore first.
        run: under which it is recorded; None if it is not.
    """

    tasks: tuple[acceptance.Candidate, ...]
    stale: tuple[Surveyed, ...]
    run: int | None


def accept(
    workspace: Workspace, goals: Sequence[str], why: str, *, command: str = "mlbuild accept", dry_run: bool = False
) -> Accepted:
    """Take the outputs of tasks, as they stand there, for the results of their present fingerprints.

    Args:
        goals: only the tasks that they name are accepted, not what those need.
        why: is recorded, with who and when.
        dry_run: record nothing.

    Raises:
        UsageError: a task's outputs can't be accepted; then none are.
        StateError: a build works on one of the tasks, or on what it needs.
    """
    if not goals:
        raise UsageError("no goal is given", hint="name the tasks whose outputs are accepted, as in 'train[*]'")
    if not why.strip():
        raise UsageError("no reason is given", hint='as in --because "refactoring"')
    graph = workspace.graph
    wanted = workspace.wanted(goals)
    order = ordered(workspace, wanted)
    with opened(workspace) as (journal, store, stats):
        inspector = Inspector(graph, workspace.files, stats, journal, store, wanted)
        survey = Survey(graph, order, inspector, standing=set(wanted))
        found = acceptance.candidates(graph, survey, wanted)
        stale = [each for each in survey.tasks.values() if each.runs or each.decision.verdict is Verdict.RESTORE]
        run = None
        if found and not dry_run:
            run = journal.begin(command)
            accepted = 0
            try:
                acceptance.accept(found, order, survey, workspace.files, stats, journal, why)
                accepted = len(found)
            finally:
                journal.end(0 if accepted else 1, {"accepted": accepted})
        journal.memory.save_stats(stats.changed())
        return Accepted(tuple(found), tuple(stale), run)


class Removed(Struct, frozen=True):
    """What `remove` did, or would do, by path.

    Attributes:
        removed: outputs that were as mlbuild had left them; or directories of checkpoints.
        stored: those of them that can be restored.
        edited: (path, where it was moved to or '') of outputs that were edited by hand.
        foreign: what stands at outputs, and mlbuild did not make.
    """

    removed: tuple[str, ...]
    stored: frozenset[str]
    edited: tuple[tuple[str, str], ...]
    foreign: tuple[str, ...]


def remove(
    workspace: Workspace,
    goals: Sequence[str],
    *,
    checkpoints: bool = False,
    command: str = "mlbuild remove",
    dry_run: bool = False,
) -> Removed:
    """Remove the outputs and metrics of goals, of a group those of what it gathers. They stay in the store.

    Args:
        checkpoints: remove the checkpoints instead, which are stored nowhere.

    Raises:
        UsageError: nothing is called so.
        StateError: a build works on one of the tasks, or needs it as it is; then nothing is removed.
    """
    with opened(workspace) as (journal, store, stats):
        outputs = Outputs(workspace.layout)
        tasks = _gathered(workspace.graph, workspace.wanted(goals))
        found = removal.checkpoints(tasks, outputs) if checkpoints else removal.standing(tasks, journal, outputs, stats)
        return _remove(found, journal, store, outputs, command, dry_run, "checkpoints" if checkpoints else "removed")


def remove_vanished(
    workspace: Workspace, left: Sequence[Vanished], *, command: str = "mlbuild remove", dry_run: bool = False
) -> Removed:
    """Remove what tasks that are no more made, but for what others read. It stays in the store. Raises as `remove`."""
    found = [
        removal.Standing(one.task, path, removal.Kind.MADE, one.fingerprint) for one in left for path in one.outputs
    ]
    with opened(workspace) as (journal, store, _):
        return _remove(found, journal, store, Outputs(workspace.layout), command, dry_run, "removed")


def _remove(
    found: Sequence[removal.Standing],
    journal: Journal,
    store: Store,
    outputs: Outputs,
    command: str,
    dry_run: bool,
    what: str,
) -> Removed:
    """Args: what: by which word the journal counts them."""
    ours = [each for each in found if each.kind is not removal.Kind.FOREIGN]
    foreign = tuple(each.path for each in found if each.kind is removal.Kind.FOREIGN)
    stored = frozenset(each.path for each in ours if each.fingerprint and store.holds(each.fingerprint))
    done = [(each, "") for each in ours]
    if found and not dry_run:
        journal.begin(command)
        done = []
        try:
            removal.hold(found, journal)
            done = removal.remove(ours, journal, outputs)
        finally:
            journal.end(int(len(done) < len(ours)), {what: len(done)})
    removed = tuple(each.path for each, _ in done if each.kind is removal.Kind.MADE)
    edited = tuple((each.path, place) for each, place in done if each.kind is removal.Kind.EDITED)
    return Removed(removed, stored, edited, foreign)


def _gathered(graph: Graph, tasks: Sequence[Task]) -> list[Task]:
    """These tasks, with what the groups among them gather in their places."""
    found: dict[Task, None] = {}
    left = [*reversed(tasks)]
    while left:
        task = left.pop()
        if task.is_group:
            left += [need for need in reversed(graph.producers(task)) if need not in found]
        else:
            found[task] = None
    return list(found)
