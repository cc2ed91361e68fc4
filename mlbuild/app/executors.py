"""The verb executors: where targets run is looked at, and what a build would refuse to run there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress

from msgspec.structs import replace

from mlbuild.app.building import misfits
from mlbuild.app.workspace import Workspace
from mlbuild.engine.sites import Described, Machine, described, judged
from mlbuild.errors import StateError, UsageError
from mlbuild.executors.lender import Lender
from mlbuild.executors.machine import available_cpus, available_memory, disk_space, span
from mlbuild.executors.slurm import cluster
from mlbuild.executors.slurm.script import Site
from mlbuild.executors.slurm.trial import Trials
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


def tried(
    workspace: Workspace, found: Sequence[Described], longest: float, say: Callable[[str], None]
) -> list[Described]:
    """The same, and how a job went on each that is on a cluster which can be asked.

    Args:
        longest: for so many seconds it is waited for that a job begins.
        say: is told what there is to say meanwhile.

    Raises:
        StateError: nothing can be written in the workspace.
    """
    known = workspace.pipeline.executors
    asked = {one.name: known[one.name] for one in found if isinstance(one.found, cluster.Cluster) and one.found.answers}
    if not asked:
        say("there is nothing to try: none of these is on a cluster that answers")
        return [*found]
    layout = workspace.layout
    folder = os.path.join(layout.jobs, f"test-{os.getpid()}")
    sites = {name: Site(**executor.settings) for name, executor in asked.items()}
    gpus = {name: int(_uses_gpus(workspace, name) or site.gpu is not None) for name, site in sites.items()}
    say(f"tries {', '.join(sites)} by a job of a second, for which it waits {span(longest)} at most")
    try:
        how = Trials(folder, layout.workspace, sites, gpus, say).run(longest)
    except OSError as error:
        raise StateError(f"can't write to {folder}: {error.strerror}") from None
    finally:
        with suppress(OSError):  # where nothing was built yet there were none before
            os.rmdir(layout.jobs)
            os.rmdir(layout.root)
    return [judged(one, how[one.name], longest) if one.name in how else one for one in found]


def _uses_gpus(workspace: Workspace, name: str) -> bool:
    return any(one.on == name and one.resources.gpus != 0 for one in workspace.pipeline.targets.values())


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
