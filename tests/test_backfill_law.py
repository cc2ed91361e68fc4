"""What runs is what a plain model says: random partitions, windows and ranges, edits, builds and backfills."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeExecutor
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from plain import CALENDARS, Axis, Link, Model, Selector, Target, Task, World, name, path

from mlbuild import app
from mlbuild.app import building
from mlbuild.engine import events
from mlbuild.engine.backfill import MODES, Choice
from mlbuild.executors.attempt import measured
from mlbuild.executors.job import Job, JobResult, Reason

CASES = int(os.environ.get("MLBUILD_TEST_CASES", "60"))
"""The soak has thousands."""
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where writing costs nothing; else where temporary files are."""


happened: Counter[str] = Counter()
"""How many builds there were, and how many tasks ran, failed and did not run in them."""


# --- what is drawn

small = st.integers(0, 11)
shifts = st.integers(-3, 2)


@st.composite
def axes(draw: Callable[..., Any], number: int) -> Axis:
    kind = draw(st.sampled_from(["list", "range", *CALENDARS]))
    most = {"weekly": 5, "monthly": 3}.get(kind, 8)
    return Axis(f"p{number}", kind, draw(st.integers(0, 2)), draw(st.integers(1, most)))


@st.composite
def selectors(draw: Callable[..., Any], axis: Axis, own: list[Axis]) -> Selector:
    """Of a target's partition, in one that has partitions of its own."""
    ways = [("every", ""), ("key", ""), ("range", ""), ("from", ""), ("to", ""), ("ends", "")]
    ways += [("months", "")] if axis.kind in ("daily", "weekly") else []
    if axis in own:
        ways = [*ways, *[("same", ""), ("shift", axis.name), ("window", axis.name)] * 3]
        ways += [("since", axis.name), ("until", axis.name)]
    others = [other.name for other in own if other is not axis and other.is_calendar and axis.is_calendar]
    ways += [(how, other) for other in others for how in ("held", "held", "spanned")]
    how, by = draw(st.sampled_from(ways))
    if how in ("window", "spanned", "shift"):
        first = draw(shifts)
        return Selector(how, by, first, first if how == "shift" else first + draw(st.integers(0, 3)))
    return Selector(how, by, draw(small), draw(st.integers(0, 3) if how == "ends" else small))


@st.composite
def links(draw: Callable[..., Any], number: int, own: list[Axis], before: list[list[Axis]]) -> Link:
    """One to a target before this one."""
    target = draw(st.integers(0, number - 1))
    chosen = tuple(draw(selectors(axis, own)) for axis in before[target])
    may_lack = any(one.how in ("shift", "held") for one in chosen)
    return Link(target, chosen, may_lack or draw(st.booleans()))


@st.composite
def worlds(draw: Callable[..., Any]) -> World:
    every = [draw(axes(number)) for number in range(draw(st.integers(1, 3)))]
    own: list[list[Axis]] = []
    targets: list[Target] = []
    for number in range(draw(st.integers(2, 4))):
        own.append(draw(st.lists(st.sampled_from(every), max_size=2, unique=True)))
        found = draw(st.lists(links(number, own[-1], own), min_size=1, max_size=2)) if number else []
        if own[-1] and draw(st.integers(0, 2)) == 0:
            found.append(draw(to_itself(number, own[-1])))
        reads = not found or draw(st.booleans())
        add, most = draw(st.integers(0, 2)), draw(st.integers(2, 9))
        targets.append(Target(tuple(axis.name for axis in own[-1]), tuple(found), reads, add, most))
    return World(tuple(every), tuple(targets))


@st.composite
def to_itself(draw: Callable[..., Any], number: int, own: list[Axis]) -> Link:
    """At the keys before its own, or at those behind them."""
    line = draw(st.sampled_from(own))
    near, far = draw(st.sampled_from([(-1, -1), (-2, -1), (-3, -2), (1, 1), (1, 2)]))
    single = near == far and draw(st.booleans())
    moved = Selector("shift" if single else "window", line.name, near, far)
    chosen = tuple(moved if axis is line else Selector("same") for axis in own)
    return Link(number, chosen, single or draw(st.booleans()))


@dataclass(frozen=True)
class Step:
    """An edit of what `which` says, modulo what there is, or a build of it."""

    what: str
    which: int
    value: int
    other: int


EDITS = ("data", "data", "data", "add", "salt", "grow", "shrink", "remove", "scribble", "fail", "fail", "mend")
RUNS = ("build", "backfill", "backfill")
steps = st.lists(
    st.tuples(
        st.lists(st.builds(Step, st.sampled_from(EDITS), small, small, small), max_size=3),
        st.builds(Step, st.sampled_from(RUNS), small, small, small),
        st.sampled_from([MODES, ("missing",), ("failed",), ("stale",), ("all",), ("missing", "failed")]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=3,
    max_size=5,
)


# --- the law


class Place:
    """A world in a folder, and what the model knows of it."""

    def __init__(self, root: Path, world: World) -> None:
        self.root = root
        self.model = Model(world)
        (root / "data").mkdir()
        self._write()

    def _write(self) -> None:
        world = self.model.world
        (self.root / "Pipelinefile").write_text(world.pipelinefile())
        (self.root / "params.json").write_text(world.params())
        for task in world.every():
            if world.targets[task[0]].reads and path(task, "data") not in self.model.data:
                self._put(path(task, "data"), sum(map(ord, path(task))) % 5)

    def _put(self, where: str, number: int) -> None:
        (self.root / where).write_text(f"{number}\n")
        (self.model.data if where.startswith("data/") else self.model.made)[where] = number

    def apply(self, edit: Step) -> None:
        model, world = self.model, self.model.world
        every, number = world.every(), edit.which % len(world.targets)
        there = sorted(model.made)
        match edit.what:
            case "data" if model.data:
                self._put(sorted(model.data)[(edit.which * 12 + edit.other) % len(model.data)], edit.value)
            case "add" | "salt":
                value = {edit.what: edit.value % 4}
                targets = [*world.targets]
                targets[number] = replace(targets[number], **value)  # type: ignore[arg-type]
                model.world = replace(world, targets=tuple(targets))
            case "grow" | "shrink":
                axes = [*world.axes]
                axis = axes[edit.which % len(axes)]
                size = axis.size + 1 if edit.what == "grow" else max(1, axis.size - 1)
                axes[edit.which % len(axes)] = replace(axis, size=min(size, 9))
                model.world = replace(world, axes=tuple(axes))
            case "remove" if there:
                where = there[edit.value % len(there)]
                (self.root / where).unlink()
                del model.made[where]
            case "scribble" if there:
                self._put(there[edit.value % len(there)], 100 + edit.other)
            case "fail":
                model.failing.update(every[edit.value % 3 :: 3])
            case "mend":
                model.failing.clear()
        self._write()

    def made(self) -> dict[str, int]:
        found = (self.root / "out").glob("*") if (self.root / "out").exists() else ()
        return {f"out/{file.name}": int(file.read_text()) for file in found}


class HereExecutor(FakeExecutor):
    """Carries recipes out in this process: `most SALT ADD MOST OUTPUT INPUT…`."""

    failing: frozenset[str] = frozenset()

    def __init__(self, *rest: object) -> None:
        super().__init__(self._act, jobs=3)

    def cut_short(self, job: Job) -> str | None:
        return None

    def _act(self, job: Job) -> JobResult:
        now = time.time()
        if job.outputs[0] in self.failing:
            return JobResult(job.attempt, Reason.EXIT, exit_status=1, started=now, ended=now)
        _, _, add, most, output, *inputs = job.recipe.split()
        numbers = [int(Path(job.workspace, each).read_text()) for each in inputs]
        Path(job.workspace, output).write_text(f"{min(int(most), max([0, *numbers]) + int(add))}\n")
        (result,) = measured([job], JobResult(job.attempt, Reason.OK, started=now, ended=time.time()))
        return result


Ran = tuple[list[str], list[str], dict[str, str]]
"""The tasks that ran well, those that failed, and, of a backfill, the kind of each from which it chose."""


def run(root: Path, goals: list[str], keys: list[tuple[str, str]], choice: Choice | None) -> Ran:
    """A build, or a backfill."""
    said: list[events.Event] = []
    options = app.Options(jobs=3, keep_going=True)
    workspace = app.open_workspace(str(root / "Pipelinefile"), keys=keys)
    kinds: dict[str, str] = {}
    if choice is None:
        app.build(workspace, goals, options, said.append)
    else:
        plan = app.plan_backfill(workspace, goals, choice)
        kinds = {task.name: kind for task, kind in plan.kinds.items()}
        if plan.chosen:
            app.backfill(workspace, plan, options, said.append)
    ran = [event.task for event in said if isinstance(event, events.TaskFinished)]
    return sorted(ran), sorted(event.task for event in said if isinstance(event, events.TaskFailed)), kinds


def asked(world: World, step: Step, *, ranged: bool) -> tuple[list[Task], list[str], list[tuple[str, str]]]:
    """Tasks, and how a command names them: as a task each, or by ranges of their partitions."""
    with_keys = [number for number, target in enumerate(world.targets) if target.axes or not ranged]
    number = with_keys[step.which % len(with_keys)]
    tasks = world.tasks(number)
    if not ranged and step.value % 2:
        tasks = [task for at, task in enumerate(tasks) if at % 3 == step.other % 3] or tasks
        return tasks, [name(task) for task in tasks], []
    keys = []
    for at, axis in enumerate(world.named[each] for each in world.targets[number].axes):
        first, last = sorted((step.value % axis.size, step.other % axis.size))
        chosen = axis.keys[first : last + 1]
        keys.append((axis.name, f"{chosen[0]}..{chosen[-1]}"))
        tasks = [task for task in tasks if task[1][at] in chosen]
    return tasks, [f"t{number}"], keys


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes run in this process."""
    monkeypatch.setattr(building, "LocalExecutor", HereExecutor)


@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(worlds(), steps)
def test_what_runs_is_what_the_rules_say(here: None, world: World, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        place = Place(Path(folder), world)
        for edits, step, modes, upstream, downstream in steps:
            for edit in edits:
                place.apply(edit)
            model = place.model
            HereExecutor.failing = frozenset(path(task) for task in model.failing)
            is_backfill = step.what == "backfill" and any(target.axes for target in model.world.targets)
            tasks, goals, keys = asked(model.world, step, ranged=is_backfill)
            choice = Choice(modes, upstream, downstream) if is_backfill else None
            note(f"--- {edits}, then {goals} {keys} {choice}; failing: {HereExecutor.failing}")
            note(model.world.pipelinefile())

            ran, failed, found = run(place.root, goals, keys, choice)
            happened.update({"builds": 1, "ran": len(ran), "failed": len(failed), "none": not ran})
            kinds: dict[Task, str] = {}
            if choice is None:
                should = model.build(tasks)
            else:
                kinds = model.kinds(tasks, upstream=upstream, downstream=downstream)
                should = model.backfill(tasks, modes, upstream=upstream, downstream=downstream)
            assert found == {name(task): kind for task, kind in kinds.items()}
            assert [ran, failed] == [sorted(map(name, tasks)) for tasks in should]
            assert place.made() == model.made
        shown = app.show(app.open_workspace(str(place.root / "Pipelinefile")), name(tasks[0]))
        touched = {reader.task.name for reader in shown.readers} | {task.name for task in shown.downstream}
        assert touched == {name(task) for task in model.world.behind(tasks[:1])}


def test_what_happened() -> None:
    """Stands last, so that a long run (`-rP`) ends with the counts."""
    print("{builds} builds: {ran} tasks ran, {failed} failed; in {none} none ran".format_map(happened))
    assert not happened or min(happened.values()) > CASES // 100
