"""A folder with a Pipelinefile: found, read, and its whole graph looked at. Blind to what was built before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from mlbuild import config
from mlbuild.collect import Mistakes
from mlbuild.config import Config
from mlbuild.engine.checks import verify_checks
from mlbuild.engine.disk import Disk
from mlbuild.engine.preconditions import verify_amounts, verify_files
from mlbuild.errors import MlbuildError, UsageError
from mlbuild.files import Files
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.flaws import MissingInput
from mlbuild.graph.select import Selection, select, selection
from mlbuild.graph.task import Task
from mlbuild.language import load
from mlbuild.language.lost import Lost
from mlbuild.state.layout import Layout
from mlbuild.target import Pipeline

PIPELINEFILE = "Pipelinefile"


class Workspace(Struct, frozen=True):
    """A folder with a Pipelinefile that was read.

    Attributes:
        folder: of the user, relative to the workspace; goals that are paths are looked up from there first.
        keys: (partition, keys as typed): which keys of the goals are wanted.
        overrides: (dotted name of a param, value as typed).
    """

    files: Files
    config: Config
    layout: Layout
    pipeline: Pipeline
    graph: Graph
    folder: str
    keys: tuple[tuple[str, str], ...] = ()
    overrides: tuple[tuple[str, str], ...] = ()

    def wanted(self, goals: Sequence[str]) -> list[Task]:
        """The tasks that goals mean, at the keys that are wanted, as far as keys are known. Raises UsageError."""
        found = self.selection(goals)
        if found.unknown:
            raise found.unknown
        return [*found.tasks]

    def selection(self, goals: Sequence[str]) -> Selection:
        """What goals mean, at the keys that are wanted; what is not known yet is no error. Raises UsageError."""
        return selection(self.graph, goals, self.folder, self.keys)


def find(file: str | None = None, start: str = ".") -> str:
    """The absolute path of the Pipelinefile: `file`, else the nearest in the folder `start` or above.

    Raises:
        UsageError: there is none.
    """
    if file is not None:
        path = os.path.abspath(os.path.join(start, file))
        if not os.path.isfile(path):
            hint = "it is there, but is no file that can be read twice" if os.path.exists(path) else None
            raise UsageError(f"there is no file {file}", hint=hint)
        return path
    folder = os.path.abspath(start)
    hint = "`-f PATH` names another, `mlbuild init` writes a first one"
    while True:
        path = os.path.join(folder, PIPELINEFILE)
        if os.path.isfile(path):
            return path
        if os.path.lexists(path):
            hint = f"{path} is there, but is no file"
        if os.path.dirname(folder) == folder:
            raise UsageError(f"there is no {PIPELINEFILE} in {os.path.abspath(start)} or above", hint=hint)
        folder = os.path.dirname(folder)


def open_workspace(
    path: str,
    overrides: Sequence[tuple[str, str]] = (),
    start: str = ".",
    keys: Sequence[tuple[str, str]] = (),
) -> Workspace:
    """Read a Pipelinefile; its folder is the workspace.

    Args:
        path: absolute.
        overrides: (dotted name of a param, value as typed).
        start: where the user stands.
        keys: (partition, keys as typed), which alone are wanted of the goals.

    Raises:
        MlbuildError: every mistake in it, or in the configuration, that could be found.
    """
    root = os.path.dirname(path)
    files, layout = Files(root), Layout(root)
    settings, graph = read_pipeline(files, layout, os.path.basename(path), overrides)
    folder = os.path.relpath(os.path.abspath(start), root)
    inside = folder != "." and not folder.startswith("..")
    below = folder if inside else ""
    return Workspace(files, settings, layout, graph.pipeline, graph, below, tuple(keys), tuple(overrides))


def read_pipeline(
    files: Files, layout: Layout, name: str, overrides: Sequence[tuple[str, str]]
) -> tuple[Config, Graph]:
    """The configuration, and the graph of a Pipelinefile. Raises as `open_workspace` does."""
    settings = config.read(files)
    reading = load(name, files, overrides, settings.executors)
    pipeline, mistakes = reading.pipeline, reading.mistakes
    graph = Graph(pipeline, datetime.now(UTC), Disk(files, layout))
    if mistakes.found:
        mistakes.found += [one for one in _flaws(graph, files).found if not _may_follow(one, reading.lost)]
    mistakes.settle()
    return settings, graph


def verify(workspace: Workspace) -> None:
    """Look at every task of the pipeline. Raises ManyErrors for what only the whole graph shows."""
    _flaws(workspace.graph, workspace.files).settle()


def _flaws(graph: Graph, files: Files) -> Mistakes:
    mistakes, tasks = Mistakes(graph.pipeline.files), []
    for target in graph.pipeline.targets.values():
        with mistakes.noted():
            tasks += graph.tasks(target)
    _examined(graph, files, tasks, mistakes)
    return mistakes


def ordered(workspace: Workspace, wanted: Sequence[Task]) -> Order:
    """What the wanted tasks need, in order. Raises ManyErrors for every mistake among them."""
    mistakes = Mistakes(workspace.pipeline.files)
    order = _examined(workspace.graph, workspace.files, wanted, mistakes)
    mistakes.settle()
    return order


def _examined(graph: Graph, files: Files, wanted: Sequence[Task], mistakes: Mistakes) -> Order:
    """What the wanted tasks need, in order; what is wrong is noted."""
    order = graph.closure(wanted, mistakes)
    for verify_all in (verify_checks, verify_amounts):
        with mistakes.noted():
            verify_all(graph, order)
    with mistakes.noted():
        verify_files(graph, files, order)
    return order


def _may_follow(mistake: MlbuildError, lost: Lost) -> bool:
    """Whether a mistake may be none once what is lost can be read: what makes the path that is missing."""
    return isinstance(mistake, MissingInput) and lost.may_make(mistake.path)


def select_some(workspace: Workspace, goals: Sequence[str]) -> list[Task]:
    """As `select`, but no goals are no tasks."""
    return select(workspace.graph, goals, workspace.folder) if goals else []
