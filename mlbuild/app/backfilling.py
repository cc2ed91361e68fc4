"""The verb backfill: tasks of a range of keys are chosen by how they stand, and built one after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from socket import socket

from msgspec.structs import replace

from mlbuild.app.access import looking
from mlbuild.app.building import Options, Work, build_tasks
from mlbuild.app.looking import seen
from mlbuild.app.workspace import Workspace, ordered
from mlbuild.engine import events
from mlbuild.engine.backfill import MODES, Choice, Plan, canary, chosen, kinds
from mlbuild.engine.decide import Verdict
from mlbuild.engine.history import History
from mlbuild.engine.impact import add_up
from mlbuild.engine.provenance import downstream
from mlbuild.engine.survey import Survey, unknown_keys
from mlbuild.errors import UsageError
from mlbuild.graph.select import in_turn, line_of, select, verify_ends
from mlbuild.graph.task import Task
from mlbuild.state.journal import Journal


def between(workspace: Workspace, goals: Sequence[str], first: str | None, last: str | None) -> Workspace:
    """The workspace with only those keys of the goals wanted that lie between two, which both belong to it.

    Raises:
        UsageError: the goals have no partition along which that could be, or several; one of the two is a range.
    """
    if first is None and last is None:
        return workspace
    graph = workspace.graph
    # One task of a target is enough to know its partitions.
    a_key = {name: {key.text for key in keys.all[:1]} for name, keys in graph.partitions.items()}
    tasks = select(graph, goals, workspace.folder, a_key)
    name = line_of(graph, tasks, "--from" if first is not None else "--to", default=not goals)
    for option, key in (("--from", first), ("--to", last)):
        if ".." in (key or ""):
            raise UsageError(f"{option} {key}: that is no key but a range", hint=f"as in --{name} {key}")
    verify_ends(graph.partitions[name], first or "", last or "")
    return replace(workspace, keys=(*workspace.keys, (name, f"{first or ''}..{last or ''}")))


def plan_backfill(workspace: Workspace, goals: Sequence[str], choice: Choice) -> Plan:
    """What a backfill would do, which is all there is to it: how the tasks of the goals stand, and what that asks for.

    Raises:
        MlbuildError: a goal that nothing is called or that has no partition, a cycle, a missing input.
    """
    graph = workspace.graph
    asked = workspace.wanted(goals)
    if not asked and (listers := workspace.selection(goals).listers):
        if not graph.lacks_list(listers[0]) and (problem := graph.problem_with_list(listers[0])):
            raise UsageError(f"no keys of the goals are known: {problem}")
        raise UsageError("no keys of the goals are known yet", hint=f"`mlbuild {listers[0].name}` lists them")
    line = line_of(graph, asked, default=not goals)
    named = _named(workspace, goals, choice)
    behind = dict.fromkeys(_behind(workspace, asked) if choice.downstream else ())
    order = ordered(workspace, [*asked, *behind])
    with looking(workspace, [*asked, *behind]) as (inspector, journal, _):
        survey = Survey(graph, order, inspector)
        known = seen(survey, workspace, journal, order)
        found, unknown = kinds(order, known), unknown_keys(graph, known.values())
        candidates = [*ordered(workspace, asked)] if choice.upstream else asked
        runs = journal.past.not_through(named) if journal else []
        done = _made_in(runs, [task for task in (*candidates, *behind) if found[task] == "fresh"], journal)
        before = journal.past.chosen(runs) if journal and runs else set()
        wanted = [task for task in chosen(candidates, found, choice.modes, before) if task not in done]
        forced = wanted if "all" in choice.modes else []
        if forced:
            graph.leave_in()
            inspector.forced.update(forced)
            survey = Survey(graph, order, inspector)
        if choice.downstream:
            own = chosen(behind, found, MODES if "all" in choice.modes else choice.modes, before)
            wanted = [*dict.fromkeys((*wanted, *own))]
            touched = downstream(order, wanted)
            wanted += [task for task in touched if found[task] != "fresh" or survey.tasks[task].runs]
        wanted = in_turn(graph, wanted, line, newest_first=choice.newest_first)
        needed = ordered(workspace, wanted)
        history = History(journal, order)
        surveyed = [survey.tasks[task] for task in needed]
        targets, total = add_up(graph, surveyed, history)
        restored = sum(each.decision.verdict is Verdict.RESTORE for each in surveyed)
        blocked = sum(each.blocked is not None and not each.task.is_group for each in surveyed)
        graph.leave_in()
        running = {task: None for task in wanted if survey.tasks[task].runs and not survey.tasks[task].blocked}
        heads = in_turn(
            graph, [task for task in asked if task in running or task in done], line, newest_first=choice.newest_first
        )
        heads = (heads or [*running])[: choice.canary]
        first = canary(heads, behind, running, needed)
        since = runs[0] if runs else None
        standing = {task: found[task] for task in (*candidates, *behind)}
        takes_new = not {"missing", "all"}.isdisjoint(choice.modes)
        return Plan(
            goals=tuple(goals),
            kinds=standing,
            chosen=wanted,
            forced=forced,
            canary=first,
            targets=targets,
            total=total,
            restored=restored,
            blocked=blocked,
            named=named,
            since=since,
            done=done,
            unknown=unknown,
            takes_new=takes_new,
            spare=choice.canary - len(heads),
        )


def _made_in(runs: Collection[int], tasks: Sequence[Task], journal: Journal | None) -> set[Task]:
    """Those of the tasks whose last success is of one of these runs."""
    return {task for task in tasks if journal and runs and journal.last_run(task.name) in runs}


def _named(workspace: Workspace, goals: Sequence[str], choice: Choice) -> str:
    """What is chosen from, and how: the same for every command that means the same backfill."""
    options = [sorted(choice.modes), choice.upstream, choice.downstream]
    return json.dumps([workspace.folder, [*goals], sorted(workspace.keys), sorted(workspace.overrides), options])


def _behind(workspace: Workspace, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """All tasks of the pipeline that need one of these."""
    everything = [task for target in workspace.pipeline.targets.values() for task in workspace.graph.tasks(target)]
    return downstream(ordered(workspace, everything), tasks)


def backfill(
    workspace: Workspace,
    plan: Plan,
    options: Options,
    say: Callable[[events.Event], None],
    on_start: Callable[[Callable[[], None]], None] = lambda interrupt: None,
    prepared: socket | None = None,
) -> int:
    """Make what a plan has chosen; what came to be fresh meanwhile is left alone. As `build_tasks`."""
    graph = workspace.graph
    goals = plan.goals or workspace.pipeline.default

    def work() -> Work:
        """What the plan has chosen; where targets list keys, what of it there is now, and behind it what is new."""
        wanted, forced, first = plan.chosen, plan.forced, plan.canary
        listers: Sequence[Task] = ()
        if graph.listings:
            selected = workspace.selection(goals)
            own = dict.fromkeys(selected.tasks)
            new = [task for task in own if task not in plan.kinds] if plan.takes_new else []
            listers = selected.listers if plan.takes_new else ()
            wanted = [*(task for task in wanted if graph.holds(task)), *new]
            forced = [task for task in forced if graph.holds(task)]
            held = [task for task in first if graph.holds(task)]
            lacking = plan.spare + len(first) - len(held)
            first = [*held, *[task for task in wanted if task in own and task not in held][:lacking]]
            if lacking and not first:
                first = listers  # until they have listed what comes first
        return Work(goals, wanted, forced, plan.named, first, in_turn=True, listers=listers)

    return build_tasks(workspace, work, options, say, on_start, prepared)
