"""Where checkpoint directories may not lie: in each other, in what tasks make, in what they read. Knows no disk."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from mlbuild.errors import PipelineError
from mlbuild.graph.flaws import folders, not_to_be_made
from mlbuild.graph.task import Task


def misplaced_checkpoints(reads: Mapping[Task, Sequence[str]], files: Collection[str]) -> Iterator[PipelineError]:
    """What is wrong with the checkpoint directories of some tasks; once for each target.

    Args:
        reads: task → the paths whose content counts for it.
        files: those that say what there is to make, relative to the workspace.
    """
    owners: dict[str, Task] = {}
    seen: set[str] = set()

    def first(owner: Task, message: str, hint: str) -> Iterator[PipelineError]:
        if owner.target.name not in seen and owner.target.checkpoint:
            seen.add(owner.target.name)
            yield PipelineError(message, owner.target.checkpoint.at, hint)

    for task in reads:
        if task.checkpoint and (wrong := not_to_be_made(task.checkpoint, files)):
            yield from first(task, *wrong)
        other = owners.setdefault(task.checkpoint.rstrip("/"), task) if task.checkpoint else task
        if other is not task:
            message = f"{task.name} and {other.name} have one checkpoint directory: {task.checkpoint}"
            yield from first(task, message, f"the other is declared at {other.target.at}")
    around = {folder: owner for path, owner in owners.items() for folder in folders(path)}
    for task, paths in reads.items():
        named = [*((path, "makes") for path in task.made), *((path, "reads") for path in paths)]
        for path, verb in named:
            place = path.rstrip("/")
            hint = f"{task.name} is declared at {task.target.at}"
            if owner := owners.get(place) or around.get(place):
                message = f"the checkpoint directory {owner.checkpoint} of {owner.name} lies in {path}"
                message = f"{message}, which {task.name} {verb}"
                yield from first(owner, message, hint)
            elif owner := next((owners[folder] for folder in folders(place) if folder in owners), None):
                message = f"{task.name} {verb} {path}, which lies in the checkpoint directory of {owner.name}"
                yield from first(owner, message, hint)
        if task.checkpoint and (outer := around.get(task.checkpoint.rstrip("/"))):
            message = f"the checkpoint directory {outer.checkpoint} of {outer.name} lies in that of {task.name}"
            yield from first(outer, message, f"the other is declared at {task.target.at}")
