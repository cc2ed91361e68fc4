"""The verb executors: where targets run is looked at, and what a build would refuse to run there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from msgspec.structs import replace

from mlbuild.app.building import misfits
from mlbuild.app.workspace import Workspace
from mlbuild.engine.sites import Described, Machine, described
from mlbuild.errors import UsageError
from mlbuild.executors.lender import Lender
from mlbuild.executors.machine import available_cpus, available_memory, disk_space
from mlbuild.executors.slurm import cluster
from mlbuild.target import Executor
from mlbuild.values import nearest


def executors(workspace: Workspace, names: Sequence[str]) -> list[Described]:
    """The executors that are called so, or all, with what there is of them and what is wrong.

    Raises:
        UsageError: none is called so.
    """
    known = workspace.pipeline.executors
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean `{near}`?" if near else "there are: " + ", ".join(known)
            raise UsageError(f"there is no executor `{name}`", hint=hint)
    chosen = [known[name] for name in dict.fromkeys(names or known)]
    # A cluster is asked only if an executor is on it.
    found = {kind: look(workspace) for kind, look in LOOKS.items() if any(one.kind == kind for one in chosen)}
    return [_described(workspace, one, found[one.kind]) for one in chosen]


def _described(workspace: Workspace, executor: Executor, found: Machine | cluster.Cluster) -> Described:
    targets = [one for one in workspace.pipeline.targets.values() if one.on == executor.name and one.recipe]
    one = described(executor, targets, found, workspace.files.root)
    # Where something is wrong already, what the nodes can hold is not known, or said.
    refused = () if one.wrong else misfits(workspace, map(workspace.graph.tasks, targets))
    return replace(one, wrong=(*one.wrong, *refused))


def _machine(workspace: Workspace) -> Machine:
    with closing(Lender(workspace.config.gpus)) as lender:
        free, disk = disk_space(workspace.files.root)
        return Machine(available_cpus(), available_memory(), disk, free, tuple(lender.gpus))


LOOKS: dict[str, Callable[[Workspace], Machine | cluster.Cluster]] = {
    "local": _machine,
    "slurm": lambda _: cluster.look(),
}
"""What tells of what there is, by the kind of executor."""
