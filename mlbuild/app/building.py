"""The verb build: what a scheduler needs is put together, and the build begins and ends in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from socket import socket
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.app.access import opened
from mlbuild.app.looking import status
from mlbuild.app.workspace import Workspace, ordered, select_some
from mlbuild.engine import events
from mlbuild.engine.account import Account
from mlbuild.engine.attempts import Attempts, request
from mlbuild.engine.chain import Chain
from mlbuild.engine.facts import Inspector
from mlbuild.engine.growth import Course
from mlbuild.engine.history import History
from mlbuild.engine.preconditions import verify_variables
from mlbuild.engine.refusals import refusal
from mlbuild.engine.requests import Requests
from mlbuild.engine.revision import Revision
from mlbuild.engine.room import at_once
from mlbuild.engine.scheduler import Scheduler
from mlbuild.engine.states import OVER
from mlbuild.engine.submission import Submission
from mlbuild.engine.survey import Surveyed
from mlbuild.errors import MlbuildError, StateError, UsageError
from mlbuild.executors.capacity import Limits
from mlbuild.executors.job import Job
from mlbuild.executors.local import LocalExecutor
from mlbuild.executors.machine import available_cpus, available_memory
from mlbuild.executors.together import Together
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal
from mlbuild.state.runs import INTERRUPTED
from mlbuild.target import Resources
from mlbuild.values import formatted, nearest

NO_GPUS = (
    "GPUs are those that the NVIDIA driver tells of and CUDA_VISIBLE_DEVICES leaves;"
    " where no driver tells, `gpus = N` in mlbuild.toml does"
)


class Options(Struct, frozen=True):
    """How to build.

    Attributes:
        jobs: at most so many local tasks at once; None: as configured, else as many as there are CPUs to use.
        keep_going: go on with what does not depend on a failure; None: as configured.
        always: run the goals whether or not they are fresh.
        force: goals to run so, beside the others.
        max_active: at most so many tasks of each partitioned target at once.
        on: the executor on which all run, whatever their targets say.
        max_failures: after so many failures go on no more.
        submit: have all that must run submitted at once, and leave it.
    """

    jobs: int | None = None
    keep_going: bool | None = None
    always: bool = False
    force: tuple[str, ...] = ()
    max_active: int | None = None
    on: str | None = None
    max_failures: int | None = None
    submit: bool = False
    command: str = "mlbuild"


class Work(Struct, frozen=True):
    """What to build.

    Attributes:
        goals: its names for people.
        wanted: the tasks that are to be in place.
        forced: tasks to run whether or not they are fresh.
        backfill: what was chosen from, if this is a backfill.
        canary: tasks of them that come first, and all others only if these come to be in place.
        in_turn: the wanted tasks are started as they stand there, and not what the longest path hangs on first.
        listers: tasks that list keys on which it hangs what the goals mean.
    """

    goals: tuple[str, ...]
    wanted: Sequence[Task]
    forced: Sequence[Task] = ()
    backfill: str | None = None
    canary: Sequence[Task] = ()
    in_turn: bool = False
    listers: Sequence[Task] = ()


def build(
    workspace: Workspace,
    goals: Sequence[str],
    options: Options,
    say: Callable[[events.Event], None],
    on_start: Callable[[Callable[[], None]], None] = lambda interrupt: None,
    prepared: socket | None = None,
) -> int:
    """Bring the goals up to date: as `build_tasks`, of which it is the everyday case."""
    if workspace.graph.listings and workspace.selection(goals).unknown:
        status(workspace, goals)  # raises, if no other keys are to come

    def work() -> Work:
        found = workspace.selection(goals)
        forced = [*(found.tasks if options.always else ()), *select_some(workspace, options.force)]
        return Work(tuple(goals or workspace.pipeline.default), found.tasks, forced, listers=found.listers)

    return build_tasks(workspace, work, options, say, on_start, prepared)


def build_tasks(
    workspace: Workspace,
    plan: Callable[[], Work],
    options: Options,
    say: Callable[[events.Event], None],
    on_start: Callable[[Callable[[], None]], None] = lambda interrupt: None,
    prepared: socket | None = None,
) -> int:
    """Have tasks in place.

    Args:
        plan: what to build, by the keys that are known; is asked again once a task has listed others.
        say: is told of every event.
        on_start: is given a function that interrupts the build (safe in a signal handler).

    Returns:
        The exit status: 0, 1 if a task failed, 130 if it was interrupted.

    Raises:
        MlbuildError: nothing ran, since the goals or the Pipelinefile are wrong.
    """
    started = time.monotonic()
    verify_executor(workspace, options.on)
    graph, layout = workspace.graph, workspace.layout
    work = plan()
    course = _course(workspace, work)
    order = course.order
    verify_variables(order)
    with opened(workspace) as (journal, store, stats), ExitStack() as stack:
        observe = workspace.config.observe == "on"
        inspector = Inspector(graph, workspace.files, stats, journal, store, work.wanted, work.forced, observe=observe)
        revision = Revision(layout.workspace, layout.tmp, lambda path: any(graph.makers.of(path)))
        account = Account(journal, stack.enter_context(closing(revision)))

        def tell(event: events.Event) -> None:
            account(event)
            say(event)

        def word(text: str, task: Task) -> None:
            tell(events.Said(text, task.name))

        attempts = Attempts(graph, layout, inspector, stats, journal, store, word, options.on, observe=observe)
        run = stack.enter_context(_begun(journal, options.command, _overridden(workspace), work))
        jobs = options.jobs or workspace.config.jobs or available_cpus()
        executor = stack.enter_context(closing(_executors(workspace, run, jobs, prepared, options.max_active)))
        requests = stack.enter_context(closing(Requests(layout.run(run))))

        def fit(tasks: Iterable[Task]) -> None:
            for task, text in _fit(executor, attempts.request, tasks).items():
                word(text, task)

        def replan() -> Course:
            new = _course(workspace, plan())
            added = [task for task in new.order if task not in scheduler.states]
            verify_variables(added)
            fit(added)
            return new

        fit(order)
        attempts.finish_publishing()
        history = History(journal, order, course.in_turn)
        keep_going = workspace.config.keep_going if options.keep_going is None else options.keep_going
        scheduler = (Submission if options.submit else Scheduler)(
            graph,
            course,
            replan,
            workspace.files,
            inspector,
            attempts,
            journal,
            executor,
            history,
            tell,
            requests,
            most_failures=options.max_failures if keep_going else 1,
            max_active=options.max_active,
        )
        tell(events.BuildStarted(run, work.goals, len(order), jobs))
        if not graph.listings:
            _tell_orphans(graph, tell)
        on_start(scheduler.interrupt)
        scheduler.run()
        if isinstance(scheduler, Submission):
            scheduler.sent(executor.send())
            tell(events.Submitted(sum(executor.arrays), sum(size > 1 for size in executor.arrays)))
        if graph.listings:  # before, what keys will be there was not known
            _tell_orphans(graph, tell)
        exit_status = INTERRUPTED if scheduler.interrupted else 1 if scheduler.failed else 0
        stats.settle()
        journal.memory.save_stats(stats.changed())
        counts = {state.value: count for state, count in scheduler.states.counts.items() if count and state in OVER}
        if isinstance(scheduler, Submission):
            counts |= scheduler.left
        account.end(exit_status, counts)
        say(events.BuildFinished(exit_status, time.monotonic() - started, counts, _overridden(workspace)))
        return exit_status


def _tell_orphans(graph: Graph, tell: Callable[[events.Event], None]) -> None:
    for path in sorted(graph.orphans):
        tell(events.Said(f"{path} was made by a task that is no more, so it does not count"))


def _course(workspace: Workspace, work: Work) -> Course:
    """What to build as the scheduler takes it. Raises ManyErrors for every mistake among it."""
    order = ordered(workspace, [*work.wanted, *work.listers])
    return Course(order, work.wanted, work.forced, work.canary, work.wanted if work.in_turn else ())


@contextmanager
def _begun(journal: Journal, command: str, overrides: Sequence[tuple[str, str, str]], work: Work) -> Iterator[int]:
    """A run in the journal: its number. That it ended by an error is noted."""
    run = journal.begin(command, overrides, work.backfill, (task.name for task in work.wanted))
    try:
        yield run
    except MlbuildError as error:
        with suppress(StateError):  # which may be the very reason
            journal.break_off(error.exit_status)
        raise


def verify_executor(workspace: Workspace, name: str | None) -> None:
    """Raises UsageError unless an executor is called so, or None is given."""
    known = workspace.pipeline.executors
    if name is not None and name not in known:
        near = nearest(name, known)
        hint = f"did you mean `{near}`?" if near else "there are: " + ", ".join(known)
        raise UsageError(f"--on: there is no executor `{name}`", hint=hint)


def verify_room(workspace: Workspace, tasks: Iterable[Task], on: str | None = None) -> None:
    """Raises UsageError, as `build` would, if one of the tasks asks for what can never be had here."""
    for problem in misfits(workspace, [tasks], on):
        raise problem


def misfits(workspace: Workspace, groups: Iterable[Iterable[Task]], on: str | None = None) -> Iterator[UsageError]:
    """Of each of these groups of tasks the first that asks for what can never be had here."""
    with closing(_executors(workspace, 0, 1, None)) as executor:
        for tasks in groups:
            try:
                _fit(executor, partial(request, workspace.graph, on), tasks)
            except UsageError as problem:
                yield problem


def verify_submission(workspace: Workspace, seen: Iterable[Surveyed], on: str | None = None) -> None:
    """Raises PipelineError, as `build` would, if one of the tasks that run can't be submitted."""
    tasks = [each.task for each in seen if each.runs and not (each.blocked or each.task.is_group)]
    chain = Chain(workspace.graph, ordered(workspace, tasks))
    for task in tasks:
        problem = refusal(task, chain.behind(task), workspace.graph, on or task.target.on)
        if problem:
            raise problem
        chain.add(task, "")


def _executors(
    workspace: Workspace, run: int, jobs: int, prepared: socket | None, max_active: int | None = None
) -> Together:
    layout, folder, most = workspace.layout, workspace.layout.run(run), max(available_cpus(), jobs)
    executors = workspace.pipeline.executors.values()
    limits = {one.name: Limits(one.cpus, one.memory, one.gpus, one.disk, one.jobs, one.pools) for one in executors}
    gpus = workspace.config.gpus
    here = LocalExecutor(folder, layout.workspace, jobs, most, available_memory(), prepared, limits, gpus)
    sites = {one.name: one.settings for one in executors if one.kind == "slurm"}
    targets = workspace.pipeline.targets.values()
    active = {target.name: each for target in targets if (each := at_once(target, max_active)) is not None}
    return Together(here, layout.jobs, sites, limits, active)


def _fit(executor: Together, asked: Callable[[Task], dict[str, Any]], tasks: Iterable[Task]) -> dict[Task, str]:
    """What is to be said of tasks that get less than they ask for, one a target.

    Raises:
        UsageError: a task asks for what can never be had.
    """
    said: dict[str, tuple[Task, str]] = {}
    asks: dict[str, bool] = {}
    for task in tasks:
        target = task.target
        is_first = target.name not in asks
        if is_first:
            asks[target.name] = replace(target.resources, at=None) != Resources()
        if not (is_first or asks[target.name]):  # of a target that asks for nothing, one task tells of all
            continue
        job = Job("", task.name, "", "", **asked(task))
        if problem := executor.too_large(job):
            lacks_gpus = job.gpus and not executor.gpus and not executor.is_remote(job)
            raise UsageError(problem, hint=NO_GPUS if lacks_gpus else None)
        if text := executor.cut_short(job):
            said.setdefault(task.target.name, (task, text))
    return dict(said.values())


def _overridden(workspace: Workspace) -> tuple[tuple[str, str, str], ...]:
    """(name, value in effect, value without the override) in the words of the Pipelinefile, of those that differ."""
    shown = ((name, _shown(new), _shown(old)) for name, (new, old) in workspace.pipeline.overrides.items())
    return tuple(row for row in shown if row[1] != row[2])


def _shown(value: object) -> str:
    return value if isinstance(value, str) else str(formatted(value, "json"))
