"""The verbs of mlbuild as a library: build, plan, status, explain, check, log. Unaware of argv and of the terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from socket import socket
from typing import Any

from mlbuild import config
from mlbuild.collect import Mistakes
from mlbuild.config import Config
from mlbuild.engine import accept as acceptance
from mlbuild.engine import events, provenance, removal
from mlbuild.engine.account import Account
from mlbuild.engine.attempts import Attempts
from mlbuild.engine.causes import Causes
from mlbuild.engine.checks import verify_checks
from mlbuild.engine.compare import Side, compare
from mlbuild.engine.decide import Verdict
from mlbuild.engine.disk import Disk
from mlbuild.engine.explain import Explanation
from mlbuild.engine.explain import explain as _explain
from mlbuild.engine.facts import Inspector
from mlbuild.engine.history import History
from mlbuild.engine.impact import Impact
from mlbuild.engine.impact import impact as added_up
from mlbuild.engine.metrics import Measured, values
from mlbuild.engine.preconditions import verify_amounts, verify_files, verify_variables
from mlbuild.engine.provenance import Shown
from mlbuild.engine.recovery import Recovery
from mlbuild.engine.revision import PATIENCE, Revision
from mlbuild.engine.scheduler import Scheduler
from mlbuild.engine.states import State
from mlbuild.engine.survey import Seen, Survey, Surveyed, see
from mlbuild.engine.undeclared import Missing, missing
from mlbuild.errors import MlbuildError, StateError, UsageError
from mlbuild.executors.job import Job
from mlbuild.executors.local import Limits, LocalExecutor
from mlbuild.executors.machine import available_cpus, available_memory
from mlbuild.files import Files
from mlbuild.graph.dag import Graph, Order
from mlbuild.graph.flaws import MissingInput
from mlbuild.graph.select import at_keys, inside, path_of, select
from mlbuild.graph.task import Task
from mlbuild.language import load
from mlbuild.language.amend import amended
from mlbuild.language.ast import TargetOf
from mlbuild.language.layout import laid_out
from mlbuild.language.lost import Lost
from mlbuild.language.parser import parse
from mlbuild.state.garbage import Garbage
from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout
from mlbuild.state.outputs import Outputs
from mlbuild.state.revision import EarlierFiles, EarlierStats, earlier_files
from mlbuild.state.runs import INTERRUPTED, Attempted, Outcome, Run
from mlbuild.state.stats import FileClock, Stats
from mlbuild.state.store import Store
from mlbuild.target import Executor, Pipeline, Resources, Target
from mlbuild.values import formatted, nearest

PIPELINEFILE = "Pipelinefile"


@dataclass(frozen=True, slots=True)
class Workspace:
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
        """The tasks that goals mean, at the keys that are wanted. Raises UsageError."""
        return at_keys(self.graph, select(self.graph, goals, self.folder), self.keys)


def find(file: str | None = None, start: str = ".") -> str:
    """The absolute path of the Pipelinefile: `file`, else the nearest in the folder `start` or above.

    Raises:
        UsageError: there is none.
    """
    if file is not None:
        path = os.path.abspath(os.path.join(start, file))
        if not os.path.isfile(path):
            raise UsageError(f"there is no file {file}")
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
    settings, graph = _read(files, layout, os.path.basename(path), overrides)
    folder = os.path.relpath(os.path.abspath(start), root)
    inside = folder != "." and not folder.startswith("..")
    below = folder if inside else ""
    return Workspace(files, settings, layout, graph.pipeline, graph, below, tuple(keys), tuple(overrides))


def _read(files: Files, layout: Layout, name: str, overrides: Sequence[tuple[str, str]]) -> tuple[Config, Graph]:
    """The configuration, and the graph of a Pipelinefile. Raises as `open_workspace` does."""
    settings = config.read(files)
    configured = [Executor(name, **asdict(own)) for name, own in settings.executors.items()]
    reading = load(name, files, overrides, configured)
    pipeline, mistakes = reading.pipeline, reading.mistakes
    graph = Graph(pipeline, datetime.now(UTC), Disk(files, layout))
    if mistakes.found:
        mistakes.found += [one for one in _flaws(graph, files).found if not _may_follow(one, reading.lost)]
    mistakes.settle()
    return settings, graph


# --- looking


@contextmanager
def _looking(workspace: Workspace, goals: Sequence[Task]) -> Iterator[tuple[Inspector, Journal | None, Stats]]:
    """What is known of a workspace, without changing more than stat records."""
    layout = workspace.layout
    with ExitStack() as stack:
        journal = store = None
        if layout.exists():
            journal = Journal(layout)
            stack.callback(journal.close)
            store = Store(layout.store, layout.workspace, layout.tmp, workspace.config.link)
            stack.callback(store.close)
        clock = FileClock(layout.tmp)
        stack.callback(clock.close)
        stats = Stats(layout.workspace, journal.stats() if journal else {}, clock)
        observe = workspace.config.observe == "on"
        inspector = Inspector(workspace.graph, workspace.files, stats, journal, store, goals, observe=observe)
        yield inspector, journal, stats
        if journal:
            with suppress(StateError):  # nothing but time is lost
                journal.save_stats(stats.changed())


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
    wanted = workspace.wanted(list(workspace.pipeline.targets) if everything else goals)
    order = _ordered(workspace, wanted)
    with _looking(workspace, _asked_for(workspace, order) if everything else wanted) as (inspector, journal, _):
        inspector.forced.update(select_some(workspace, forced))
        return list(_seen(Survey(graph, order, inspector), journal, order).values())


def explain(workspace: Workspace, goals: Sequence[str]) -> Explanation:
    """Why the tasks that the goals name are as they are, down to the first causes. Raises as `status` does."""
    graph = workspace.graph
    wanted = workspace.wanted(goals)
    order = _ordered(workspace, wanted)
    with _looking(workspace, wanted) as (inspector, journal, _):
        survey = Survey(graph, order, inspector)
        return _explain(graph, survey, journal, _seen(survey, journal, order), wanted)


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
    order = _ordered(workspace, wanted)
    with _looking(workspace, wanted if goals else _asked_for(workspace, order)) as (inspector, journal, stats):
        history = History(journal.durations() if journal else {}, order)
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
        _, graph = _read(files, workspace.layout, name, workspace.overrides)
    except MlbuildError as error:
        raise UsageError(f"the pipeline of {revision} can't be read", hint=str(error)) from None
    return graph, Inspector(graph, files, EarlierStats(files, now), None, None, ())


def _seen(survey: Survey, journal: Journal | None, order: Order) -> dict[Task, Seen]:
    """The tasks of a survey with what happened to them before."""
    history = History(journal.durations() if journal else {}, order)
    running = journal.running_tasks() if journal else set()
    return {task: see(surveyed, journal, history, running) for task, surveyed in survey.tasks.items()}


def _asked_for(workspace: Workspace, order: Order) -> list[Task]:
    """What is asked for where nothing is: the default goals, and what nothing else needs."""
    needed = {need for needs in order.values() for need in needs}
    return [*workspace.wanted(()), *(task for task in order if task not in needed)]


def last_attempt(workspace: Workspace, goal: str, number: int | None = None) -> tuple[str, Attempted | None]:
    """(name of the task, its last attempt or the one of this number). Raises UsageError unless the goal is one task."""
    tasks = select(workspace.graph, [goal], workspace.folder)
    if len(tasks) != 1:
        example = tasks[0].name if tasks else goal
        raise UsageError(f"{goal} is {len(tasks)} tasks; a log is of one", hint=f"for example: {example}")
    with _journal(workspace.layout) as journal:
        return tasks[0].name, journal.past.last_attempt(tasks[0].name, number) if journal else None


def runs(folder: str, limit: int) -> list[Run]:
    """The newest builds in a workspace that had something to do, or did not end well; the newest first.

    Args:
        folder: of the workspace, absolute. Its Pipelinefile is not read.
    """
    with _journal(Layout(folder)) as journal:
        return journal.past.newest(limit) if journal else []


def run(folder: str, number: int) -> tuple[Run, list[Attempted], list[Outcome]]:
    """A build, its attempts (`log` is empty where nothing was printed), and what came of tasks without one.

    Raises:
        UsageError: there was no such build.
    """
    with _journal(Layout(folder)) as journal:
        found = journal.past.run(number) if journal else None
        if found is None or journal is None:
            raise UsageError(f"there is no build {number}", hint="`mlbuild runs` lists them")
        attempts = [_with_log(each, folder) for each in journal.past.attempts(number)]
        accepted = [
            Outcome(each.task, "accepted", f"{each.why} ({each.who})") for each in journal.acceptances(run=number)
        ]
        return found, attempts, [*journal.past.outcomes(number), *accepted]


def metrics(workspace: Workspace, goals: Sequence[str], against: int | None = None) -> list[Measured]:
    """The values of the metrics files of the goals, or of all targets that have any.

    Args:
        against: the number of a build, whose values are wanted beside.

    Raises:
        UsageError: none of them has metrics, or there was no such build.
    """
    measured = [target.name for target in workspace.pipeline.targets.values() if target.metrics]
    wanted = [task for task in workspace.wanted(goals or measured) if task.metrics] if measured else []
    if not wanted:
        hint = f"these do: {', '.join(measured)}" if measured else '`metrics: "scores.json"` in a target declares them'
        raise UsageError(f"{'none of the goals' if goals else 'no target'} has metrics", hint=hint)
    then: dict[str, dict[str, Any]] | None = None
    if against is not None:
        with _journal(workspace.layout) as journal:
            if journal is None or journal.past.run(against) is None:
                raise UsageError(f"there is no build {against}", hint="`mlbuild runs` lists them")
            then = journal.past.metrics(against)
    found = []
    for task in wanted:
        now, broken = values(workspace.files, task)
        found.append(Measured(task, now, None if then is None else then.get(task.name, {}), broken))
    return found


def _with_log(attempt: Attempted, folder: str) -> Attempted:
    return attempt if os.path.exists(os.path.join(folder, attempt.log)) else replace(attempt, log="")


@contextmanager
def _journal(layout: Layout) -> Iterator[Journal | None]:
    """None where the workspace was never built."""
    journal = Journal(layout) if layout.exists() else None
    try:
        yield journal
    finally:
        if journal:
            journal.close()


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
    order = _ordered(workspace, workspace.wanted(list(workspace.pipeline.targets)))
    with _looking(workspace, tasks) as (inspector, journal, _):
        origin = provenance.origin(task, journal, inspector) if journal else None
    readers = tuple(provenance.readers(graph, order, task, path))
    downstream = provenance.downstream(order, [reader.task for reader in readers])
    return Shown(path, task, origin, provenance.makers(task, graph), readers, downstream)


def _show_file(workspace: Workspace, path: str) -> Shown:
    order = _ordered(workspace, workspace.wanted(list(workspace.pipeline.targets)))
    params = {name for name, constant in workspace.pipeline.constants.items() if constant.path == path}
    with _looking(workspace, ()) as (inspector, _, _):
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


def has_target(path: str, name: str) -> bool:
    """Whether a Pipelinefile (absolute) declares a target itself. Raises MlbuildError if it can't be read."""
    tree = parse(os.path.basename(path), _bytes(Files("/"), path))
    return any(isinstance(one, TargetOf) and one.name.text == name for one in tree.statements)


def lay_out(folder: str, paths: Sequence[str], *, write: bool) -> list[str]:
    """Lay out Pipelinefiles; none is touched if one of them can't be read.

    Args:
        folder: what paths are relative to.

    Returns:
        Those that are laid out otherwise (or were, with `write`).

    Raises:
        ManyErrors: what is wrong with them.
        UsageError: one can't be read or written.
    """
    files, mistakes, changed = Files(folder), Mistakes(), {}
    for path in paths:
        with mistakes.noted():
            before = _bytes(files, path)
            after = laid_out(path, before).encode()
            if before != after:
                changed[path] = after
    mistakes.settle()
    for path, after in changed.items() if write else ():
        try:
            files.replace(path, after)
        except OSError as error:
            raise UsageError(f"can't write {path}: {error.strerror}") from None
    return list(changed)


def _bytes(files: Files, path: str) -> bytes:
    try:
        return files.read(path)
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from None


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


def _ordered(workspace: Workspace, wanted: Sequence[Task]) -> Order:
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


def observed(workspace: Workspace) -> list[Missing]:
    """What the last runs of all tasks read and the Pipelinefile does not declare."""
    with _looking(workspace, []) as (inspector, journal, _):
        return list(missing(workspace.graph, inspector, journal)) if journal else []


def declare(workspace: Workspace, found: Sequence[Missing]) -> list[Missing]:
    """Write into the Pipelinefile what is missing there, as far as that changes nothing else.

    Returns:
        What was left, each with its problem.

    Raises:
        UsageError: a file can't be written.
    """
    additions: dict[str, dict[str, dict[str, list[str]]]] = {}
    left = []
    for one in found:
        target = one.target
        problem = one.problem
        if not problem and getattr(target, one.clause) and not _has_own(workspace, target, one.clause):
            problem = f"its `{one.clause}:` stands in `defaults:`"
        if problem:
            left.append(replace(one, problem=problem))
        else:
            clauses = additions.setdefault(target.at.source.path, {}).setdefault(target.name, {})
            clauses.setdefault(one.clause, []).append(one.item)
    texts = {
        path: amended(path, _bytes(workspace.files, path), targets).encode() for path, targets in additions.items()
    }
    for path, text in texts.items():
        try:
            workspace.files.replace(path, text)
        except OSError as error:
            raise UsageError(f"can't write {path}: {error.strerror}") from None
    return left


def _has_own(workspace: Workspace, target: Target, clause: str) -> bool:
    """Whether a target has a clause of its own, not one of `defaults:`."""
    path = target.at.source.path
    return any(
        isinstance(one, TargetOf) and one.name.text == target.name and any(own.word == clause for own in one.clauses)
        for one in parse(path, _bytes(workspace.files, path)).statements
    )


# --- building


@contextmanager
def _opened(workspace: Workspace) -> Iterator[tuple[Journal, Store, Stats]]:
    """The state of a workspace, to be changed."""
    layout = workspace.layout
    layout.create()
    with ExitStack() as stack:
        journal = Journal(layout)
        stack.callback(journal.close)
        store = Store(layout.store, layout.workspace, layout.tmp, workspace.config.link)
        stack.callback(store.close)
        clock = FileClock(layout.tmp)
        stack.callback(clock.close)
        yield journal, store, Stats(layout.workspace, journal.stats(), clock)


@dataclass(frozen=True, slots=True)
class Options:
    """How to build.

    Attributes:
        jobs: at most so many local tasks at once; None: as configured, else as many as there are CPUs to use.
        keep_going: go on with what does not depend on a failure; None: as configured.
        always: run the goals whether or not they are fresh.
        force: goals to run so, beside the others.
        max_active: at most so many tasks of each partitioned target at once.
        on: the executor on which all run, whatever their targets say.
    """

    jobs: int | None = None
    keep_going: bool | None = None
    always: bool = False
    force: tuple[str, ...] = ()
    max_active: int | None = None
    on: str | None = None
    command: str = "mlbuild"


def build(
    workspace: Workspace,
    goals: Sequence[str],
    options: Options,
    say: Callable[[events.Event], None],
    on_start: Callable[[Callable[[], None]], None] = lambda interrupt: None,
    prepared: socket | None = None,
) -> int:
    """Bring the goals up to date.

    Args:
        say: is told of every event.
        on_start: is given a function that interrupts the build (safe in a signal handler).

    Returns:
        The exit status: 0, or 1 if a task failed.

    Raises:
        MlbuildError: nothing ran, since the goals or the Pipelinefile are wrong.
    """
    started = time.monotonic()
    verify_executor(workspace, options.on)
    graph, layout = workspace.graph, workspace.layout
    wanted = workspace.wanted(goals)
    order = _ordered(workspace, wanted)
    verify_variables(order)
    with _opened(workspace) as (journal, store, stats), ExitStack() as stack:
        forced = [*(wanted if options.always else ()), *select_some(workspace, options.force)]
        observe = workspace.config.observe == "on"
        inspector = Inspector(graph, workspace.files, stats, journal, store, wanted, forced, observe=observe)

        account = Account()
        revision = Revision(layout.workspace, layout.tmp, lambda path: any(graph.makers.of(path)))
        stack.callback(revision.close)

        def tell(event: events.Event) -> None:
            account(event)
            if isinstance(event, events.TaskStarted):
                revision.ask()
            if known := revision.answer():
                journal.note_revision(*known)
            say(event)

        def word(text: str, task: Task) -> None:
            tell(events.Said(text, task.name))

        attempts = Attempts(graph, layout, inspector, stats, journal, store, word, options.on, observe=observe)
        run = stack.enter_context(_begun(journal, options.command, _overridden(workspace)))
        executor = _local(workspace, run, options.jobs or workspace.config.jobs, prepared)
        stack.callback(executor.close)
        for task, text in _fit(executor, attempts, order).items():
            word(text, task)
        attempts.finish_publishing()
        recovery = Recovery(order, journal, executor, attempts, word)
        history = History(journal.durations(), order)
        scheduler = Scheduler(
            graph,
            order,
            workspace.files,
            inspector,
            attempts,
            recovery,
            journal,
            executor,
            history,
            tell,
            keep_going=workspace.config.keep_going if options.keep_going is None else options.keep_going,
            max_active=options.max_active,
        )
        tell(events.BuildStarted(run, tuple(goals or workspace.pipeline.default), len(order)))
        for path in sorted(graph.orphans):
            tell(events.Said(f"{path} was made by a task that is no more, so it does not count"))
        on_start(scheduler.interrupt)
        scheduler.run()
        exit_status = 1 if scheduler.failed else 0
        stats.settle()
        journal.save_stats(stats.changed())
        counts = {state.value: count for state, count in scheduler.states.counts.items() if count}
        if known := revision.answer(PATIENCE):
            journal.note_revision(*known)
        journal.end(INTERRUPTED if scheduler.interrupted else exit_status, counts, account.outcomes())
        say(events.BuildFinished(exit_status, time.monotonic() - started, counts, _overridden(workspace)))
        return exit_status


@dataclass(frozen=True, slots=True)
class Accepted:
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
    order = _ordered(workspace, wanted)
    with _opened(workspace) as (journal, store, stats):
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
        journal.save_stats(stats.changed())
        return Accepted(tuple(found), tuple(stale), run)


def verify_executor(workspace: Workspace, name: str | None) -> None:
    """Raises UsageError unless an executor is called so, or None is given."""
    known = workspace.pipeline.executors
    if name is not None and name not in known:
        near = nearest(name, known)
        hint = f"did you mean `{near}`?" if near else "there are: " + ", ".join(known)
        raise UsageError(f"--on: there is no executor `{name}`", hint=hint)


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove` did, or would do, by path.

    Attributes:
        removed: outputs that were as mlbuild had left them.
        stored: those of them that can be restored.
        edited: (path, where it was moved to or '') of outputs that were edited by hand.
        foreign: what stands at outputs, and mlbuild did not make.
    """

    removed: tuple[str, ...]
    stored: frozenset[str]
    edited: tuple[tuple[str, str], ...]
    foreign: tuple[str, ...]


def remove(
    workspace: Workspace, goals: Sequence[str], *, command: str = "mlbuild remove", dry_run: bool = False
) -> Removed:
    """Remove the outputs and metrics of goals, of a group those of what it gathers. They stay in the store.

    Raises:
        UsageError: nothing is called so.
        StateError: a build works on one of the tasks, or needs it as it is; then nothing is removed.
    """
    with _opened(workspace) as (journal, store, stats):
        outputs = Outputs(workspace.layout)
        found = removal.standing(_gathered(workspace.graph, workspace.wanted(goals)), journal, outputs, stats)
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
                journal.end(int(len(done) < len(ours)), {"removed": len(done)})
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


@contextmanager
def opened_store(path: str) -> Iterator[Garbage]:
    """The store of the workspace of a Pipelinefile (absolute), which itself is not read.

    Raises:
        MlbuildError: it can't be used, or the configuration is wrong.
    """
    root = os.path.dirname(path)
    layout = Layout(root)
    layout.create()
    with ExitStack() as stack:
        journal = Journal(layout)
        stack.callback(journal.close)
        store = Store(layout.store, root, layout.tmp, config.read(Files(root)).link)
        stack.callback(store.close)
        yield Garbage(layout, journal, store)


@contextmanager
def _begun(journal: Journal, command: str, overrides: Sequence[tuple[str, str, str]]) -> Iterator[int]:
    """A run in the journal: its number. That it ended by an error is noted."""
    run = journal.begin(command, overrides)
    try:
        yield run
    except MlbuildError as error:
        with suppress(StateError):  # which may be the very reason
            journal.break_off(error.exit_status)
        raise


def select_some(workspace: Workspace, goals: Sequence[str]) -> list[Task]:
    """As `select`, but no goals are no tasks."""
    return select(workspace.graph, goals, workspace.folder) if goals else []


def _local(workspace: Workspace, run: int, jobs: int | None, prepared: socket | None) -> LocalExecutor:
    layout, cpus = workspace.layout, available_cpus()
    folder, most = layout.run(run), max(cpus, jobs or 0)
    executors = workspace.pipeline.executors.values()
    limits = {one.name: Limits(one.cpus, one.memory, one.gpus, one.disk, one.jobs, one.pools) for one in executors}
    return LocalExecutor(folder, layout.workspace, jobs or cpus, most, available_memory(), prepared, limits)


def _fit(executor: LocalExecutor, attempts: Attempts, order: Order) -> dict[Task, str]:
    """What is to be said of tasks that get less than they ask for, one a target.

    Raises:
        UsageError: a task asks for what can never be had.
    """
    said: dict[str, tuple[Task, str]] = {}
    plain = Resources()
    for task in order:
        if replace(task.target.resources, at=None) == plain:
            continue
        job = Job("", task.name, "", "", **attempts.request(task))
        if problem := executor.too_large(job):
            raise UsageError(problem)
        if text := executor.cut_short(job):
            said.setdefault(task.target.name, (task, text))
    return dict(said.values())


def _overridden(workspace: Workspace) -> tuple[tuple[str, str, str], ...]:
    """(name, value in effect, value without the override) in the words of the Pipelinefile."""
    return tuple((name, _shown(new), _shown(old)) for name, (new, old) in workspace.pipeline.overrides.items())


def _shown(value: object) -> str:
    text = formatted(value, "")
    return text if isinstance(text, str) else " ".join(text)


__all__ = [
    "Options",
    "State",
    "Workspace",
    "build",
    "find",
    "last_attempt",
    "lay_out",
    "metrics",
    "open_workspace",
    "run",
    "runs",
    "show",
    "status",
    "verify",
    "verify_executor",
]
