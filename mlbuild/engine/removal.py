"""Removing outputs or checkpoints because somebody asks for it. Blind to the store, which keeps what outputs held."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from mlbuild.errors import StateError
from mlbuild.executors.directory import ASIDE, OWN, UNKNOWN
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import Fingerprint
from mlbuild.state.journal import Journal
from mlbuild.state.leases import Conflict
from mlbuild.state.outputs import Outputs
from mlbuild.state.stats import Stats


class Kind(Enum):
    """What stands at the path of an output."""

    MADE = "made"
    """What the last success of its task left there."""
    EDITED = "edited"
    """Something else: it was edited by hand."""
    FOREIGN = "foreign"
    """mlbuild made nothing there."""


class Standing(Struct, frozen=True):
    """An output that is in place, or a checkpoint directory."""

    task: str
    path: str
    kind: Kind
    fingerprint: Fingerprint | None = None
    """Of the task's last success."""
    is_checkpoint: bool = False
    """It is a directory of checkpoints, which may lie elsewhere, behind a link."""


def standing(tasks: Iterable[Task], journal: Journal | None, outputs: Outputs, stats: Stats) -> list[Standing]:
    """What stands at the outputs and metrics of tasks."""
    found = []
    for task in tasks:
        paths = outputs.lingering(task.made)
        trace = journal.trace(task.name) if journal and paths else None
        made = {output.path: output.digest for output in trace.outputs} if trace else {}
        for path in paths:
            whole = outputs.standing((path,)) and path in made
            edited = whole and not stats.is_as_seen(path, made[path])
            kind = Kind.EDITED if edited else Kind.MADE if path in made else Kind.FOREIGN
            found.append(Standing(task.name, path, kind, trace.fingerprint if trace else None))
    return found


def checkpoints(tasks: Iterable[Task], outputs: Outputs) -> list[Standing]:
    """The checkpoint directories of tasks that are there, behind what lies in them and was there before them."""
    found = []
    for task in tasks:
        for path in outputs.lingering([task.checkpoint] if task.checkpoint else ()):
            is_foreign = outputs.standing((path,)) and not outputs.standing((path + OWN,))
            aside = f"{path}{OWN}/{ASIDE}/"
            if not is_foreign:
                strange = outputs.holding(aside, UNKNOWN)
                found += [Standing(task.name, aside + name, Kind.EDITED) for name in strange]
            kind = Kind.FOREIGN if is_foreign else Kind.MADE
            found.append(Standing(task.name, path, kind, is_checkpoint=True))
    return found


def hold(found: Iterable[Standing], journal: Journal) -> None:
    """Have these outputs to ourselves until this run ends. Raises StateError if a build works on one or needs it."""
    for task, paths in _by_task(found).items():
        conflict = journal.leases.take(task, "", [(f"output {path}", "") for path in paths])
        if conflict is not None:
            raise _in_use(task, conflict)


def remove(found: Iterable[Standing], journal: Journal, outputs: Outputs) -> list[tuple[Standing, str]]:
    """Remove outputs that are held: each with where it was moved to, if it was edited by hand, else ''."""
    done = []
    for each in found:
        if each.kind is Kind.EDITED:
            done.append((each, outputs.move_away(each.path, f"removed-{journal.run}")))
        else:
            outputs.drop(each.path, follow=each.is_checkpoint)
            done.append((each, ""))
    return done


def _by_task(found: Iterable[Standing]) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for each in found:
        paths.setdefault(each.task, []).append(each.path)
    return paths


def _in_use(task: str, conflict: Conflict) -> StateError:
    doing = "died while it worked on" if conflict.dead else "works on or needs"
    hint = "run `mlbuild` first" if conflict.dead else "wait until it has ended"
    return StateError(f"run {conflict.run} (process {conflict.pid}) {doing} {task}", hint=hint)
