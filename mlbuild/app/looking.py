"""The verbs that look at what is in place: status, explain, impact, show. They change nothing but stat records."""

from __future__ import annotations

from collections.abc import Sequence

from mlbuild.app.access import looking
from mlbuild.app.workspace import Workspace, ordered, read_pipeline, select_some
from mlbuild.code.reach import Unfollowed
from mlbuild.engine import provenance
from mlbuild.engine.causes import Causes
from mlbuild.engine.compare import Side, compare
from mlbuild.engine.explain import Explanation
from mlbuild.engine.explain import explain as _explain
from mlbuild.engine.facts import Inspector
from mlbuild.engine.history import History
from mlbuild.engine.impact import Impact
from mlbuild.engine.impact import impact as added_up
from mlbuild.engine.orphans import failed, orphans
from mlbuild.engine.provenance import Shown
from mlbuild.engine.standings import standings
from mlbuild.engine.survey import Seen, Survey, see, unknown_keys
from mlbuild.engine.vanished import Vanished, vanished
from mlbuild.errors import Doubt, Location, MlbuildError, Source, UsageError
from mlbuild.files import Files
from mlbuild.graph.dag import Order
from mlbuild.graph.select import inside, path_of, select
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal
from mlbuild.state.outputs import Outputs
from mlbuild.state.revision import EarlierFiles, EarlierStats, earlier_files
from mlbuild.state.stats import Stats
from mlbuild.target import Target


def status(
    workspace: Workspace, goals: Sequence[str], *, whole: bool = False, forced: Sequence[str] = ()
) -> list[Seen]:
    """What a build of the goals would find, each task behind its needs.

    Args:
        whole: without goals, all targets instead of the default ones.
        forced: goals that would run whatever their state.

    Raises:
        MlbuildError: a goal that nothing is called, a cycle, a missing input.
    """
    graph = workspace.graph
    everything = whole and not goals
    selected = workspace.selection(list(workspace.pipeline.targets) if everything else goals)
    order = ordered(workspace, [*selected.tasks, *selected.listers])
    asked = _asked_for(workspace, order) if everything else selected.tasks
    with looking(workspace, asked) as (inspector, journal, _):
        inspector.forced.update(select_some(workspace, forced))
        found = list(seen(Survey(graph, order, inspector), workspace, journal, order).values())
        if selected.unknown and not unknown_keys(graph, found):
            raise UsageError(selected.unknown.message)
        return found


def gone(workspace: Workspace, seen: Sequence[Seen]) -> list[Vanished]:
    """The tasks that are no more, as far as can be told, and left something.

    Args:
        seen: all tasks that there are, as `status` gives them.
    """
    graph, tasks = workspace.graph, [each.surveyed.task for each in seen]
    unsure = {each.partition for each in unknown_keys(graph, seen)}
    with looking(workspace, ()) as (inspector, journal, stats):
        outputs = Outputs(workspace.layout)
        return vanished(graph, tasks, unsure, inspector, journal, stats, outputs) if journal else []


def explain(workspace: Workspace, goals: Sequence[str]) -> Explanation:
    """Why the tasks that the goals name are as they are, down to the first causes. Raises as `status` does."""
    graph = workspace.graph
    wanted = workspace.wanted(goals)
    order = ordered(workspace, wanted)
    with looking(workspace, wanted) as (inspector, journal, _):
        survey = Survey(graph, order, inspector)
        return _explain(graph, survey, inspector, journal, seen(survey, workspace, journal, order), wanted)


def doubtful_imports(workspace: Workspace) -> list[Doubt]:
    """The imports, in the code of all tasks, that can't be followed: what they bring does not count. By place."""
    graph, files = workspace.graph, workspace.files
    found: dict[str, Doubt] = {}
    with looking(workspace, ()) as (inspector, _, _):
        for task in (task for target in workspace.pipeline.targets.values() for task in graph.tasks(target)):
            for one in inspector.code(task).unfollowed:
                at = _place(one, task.target, files)
                hint = "name the files that it brings in `code:`"
                found.setdefault(str(at), Doubt(f"this import can't be followed: {one.what}", at, hint))
    return [found[place] for place in sorted(found)]


def _place(one: Unfollowed, target: Target, files: Files) -> Location:
    """Where it stands: in a file, or in the target's own recipe in Python."""
    if not one.path and target.recipe is not None:
        at = target.recipe.text.at
        source, number = at.source, at.line + one.line - 1
    else:
        source, number = Source(one.path, files.read(one.path).decode(errors="replace")), one.line
    line = source.line(number)
    return Location(source, number, len(line) - len(line.lstrip()) + 1, len(line.strip()))


def impact(workspace: Workspace, goals: Sequence[str], *, since: str | None = None) -> Impact:
    """What edits would make run, added up.

    Args:
        goals: none: the whole pipeline.
        since: a revision of git to compare the working tree with; None: with what was built here.

    Raises:
        MlbuildError: as `status` does; and git knows no such revision, or it has no Pipelinefile that can be read.
    """
    graph = workspace.graph
    wanted = workspace.wanted(goals or list(workspace.pipeline.targets))
    order = ordered(workspace, wanted)
    with looking(workspace, wanted if goals else _asked_for(workspace, order)) as (inspector, journal, stats):
        history = History(journal, order)
        if since is None:
            tasks = Survey(graph, order, inspector).tasks
            return added_up(graph, tasks, Causes(graph, tasks, journal), history)
        with earlier_files(workspace.files.root, since) as files:
            before = _side(workspace, files, since, stats)
            tasks = compare((graph, inspector), order, before)
        return added_up(graph, tasks, Causes(graph, tasks, None), history)


def _side(workspace: Workspace, files: EarlierFiles, revision: str, now: Stats) -> Side:
    """The graph of a revision, and what looks at its tasks."""
    name = workspace.pipeline.files[0]
    if not files.exists(name):
        raise UsageError(f"there is no {name} in {revision}")
    try:
        _, graph = read_pipeline(files, workspace.layout, name, workspace.overrides)
    except MlbuildError as error:
        raise UsageError(f"the pipeline of {revision} can't be read", hint=str(error)) from None
    return graph, Inspector(graph, files, EarlierStats(files, now), None, None, ())


def seen(survey: Survey, workspace: Workspace, journal: Journal | None, order: Order) -> dict[Task, Seen]:
    """The tasks of a survey with what happened to them before."""
    history = History(journal, order)
    left, over = orphans(journal, workspace.layout) if journal else ({}, {})
    goes_on = standings(left, workspace.layout)
    running = {**goes_on, **journal.running()} if journal else {}
    gone = {**over, **{task: record for task, record in left.items() if task in goes_on}}
    in_vain = failed(over, workspace.layout)
    return {
        task: see(survey, surveyed, journal, history, running, gone, in_vain) for task, surveyed in survey.tasks.items()
    }


def _asked_for(workspace: Workspace, order: Order) -> list[Task]:
    """What is asked for where nothing is: the default goals, and what nothing else needs."""
    needed = {need for needs in order.values() for need in needs}
    default = (task for task in select(workspace.graph, (), workspace.folder) if task in order)
    return [*default, *(task for task in order if task not in needed)]


def show(workspace: Workspace, goal: str) -> Shown:
    """What made something, and what depends on it.

    Args:
        goal: a task, a named output, or a path; also of a file that no task makes, or its URL.

    Raises:
        UsageError: it is several tasks, or nothing is called so.
    """
    graph = workspace.graph
    try:
        tasks = select(graph, [goal], workspace.folder)
    except UsageError as error:
        return _show_file(workspace, _file(workspace, goal, error))
    if len(tasks) != 1:
        raise UsageError(f"{goal} is {len(tasks)} tasks; one is shown", hint=f"for example: {tasks[0].name}")
    (task,), path = tasks, path_of(tasks[0], goal, workspace.folder)
    order = ordered(workspace, workspace.wanted(list(workspace.pipeline.targets)))
    with looking(workspace, tasks) as (inspector, journal, _):
        origin = provenance.origin(task, journal, inspector) if journal else None
    readers = tuple(provenance.readers(graph, order, task, path))
    downstream = provenance.downstream(order, [reader.task for reader in readers])
    return Shown(path, task, origin, provenance.makers(task, graph), readers, downstream)


def _show_file(workspace: Workspace, path: str) -> Shown:
    order = ordered(workspace, workspace.wanted(list(workspace.pipeline.targets)))
    params = {name for name, constant in workspace.pipeline.constants.items() if constant.path == path}
    with looking(workspace, ()) as (inspector, _, _):
        readers = tuple(provenance.readers_of_file(order, inspector, path, params))
    downstream = provenance.downstream(order, [reader.task for reader in readers])
    return Shown(path, None, None, {}, readers, downstream)


def _file(workspace: Workspace, goal: str, error: UsageError) -> str:
    """A file of the user's, relative to the workspace; a URL as it is. Raises UsageError if there is none."""
    if "://" in goal:
        return goal
    for path in (inside(workspace.folder, goal), inside("", goal)):
        if workspace.files.exists(path):
            return path
    raise UsageError(f"{goal}: no target is called so, no task makes it, and there is no such file", hint=error.hint)
