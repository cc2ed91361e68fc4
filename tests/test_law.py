"""The law: after any edits, a build leaves what a clean build leaves, and runs nothing that ran before.

Random pipelines and edits (`worlds`), built in this process with an executor that runs recipes right here, and by the
real command.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import worlds
from fakes import FakeExecutor
from hypothesis import HealthCheck, given, note, settings
from workspace import Workspace

from mlbuild import app
from mlbuild.app import building
from mlbuild.digest import digest_path
from mlbuild.engine import events
from mlbuild.executors.attempt import changed, measured
from mlbuild.executors.job import Job, JobResult, Opened, Reason
from mlbuild.executors.observed import within

CASES = int(os.environ.get("MLBUILD_TEST_CASES", "40"))
"""In this process; by the command a quarter of it. The soak has thousands, for these take long."""
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where writing costs nothing; else where temporary files are."""

Built = tuple[int, list[str]]
"""Exit status of a build, and the tasks that were restored."""


happened: Counter[str] = Counter()
"""How many builds there were, and how many tasks ran and were restored in them."""


# --- two ways to build


class HereExecutor(FakeExecutor):
    """Runs recipes of the form `python SCRIPT WORD…` in this process, and sees what they open."""

    def __init__(self, *rest: object) -> None:
        super().__init__(self._act, jobs=2)

    def cut_short(self, job: Job) -> str | None:
        return None

    def _act(self, job: Job) -> JobResult:
        now = time.time()
        if problem := changed(job):
            return JobResult(job.attempt, Reason.INPUT_CHANGED, detail=problem)
        opens.clear()
        _run_here(job.recipe)
        seen = tuple(_opened(job))
        (result,) = measured([job], JobResult(job.attempt, Reason.OK, started=now, ended=time.time()))
        return replace(result, opened=seen) if result.ok else result


opens: dict[str, None] = {}
"""The paths of what was last opened to be read, as given."""


def _note_open(event: str, arguments: tuple[object, ...]) -> None:
    """Hooks can't be taken off again, so that this one stays cheap."""
    if event == "open" and isinstance(arguments[0], str) and not int(str(arguments[2])) & os.O_ACCMODE:
        opens[arguments[0]] = None


sys.addaudithook(_note_open)


def _opened(job: Job) -> Iterator[Opened]:
    """What was opened of the workspace, and the job does not name."""
    named = {path.rstrip("/") for path in (*job.outputs, *(read.path for read in job.reads))}
    for path in [os.path.normpath(os.path.join(job.workspace, path)) for path in opens]:
        inside = path.removeprefix(job.workspace + "/")
        is_seen = inside != path and not inside.startswith(".") and not within(inside, named)
        if is_seen and (found := digest_path(path)):
            yield Opened(inside, found[0], is_new=False)


def _run_here(recipe: str) -> None:
    """As `python SCRIPT WORD…` would, in the current folder."""
    _, script, *words = shlex.split(recipe)
    before = set(sys.modules), sys.argv, sys.path[:]
    folder = os.path.abspath(os.path.dirname(script))
    sys.argv, sys.path[:] = [script, *words], [folder, *sys.path]
    # What an earlier recipe saw there is forgotten, and there only: to list all folders again takes long.
    for path in [path for path in sys.path_importer_cache if path.startswith(folder)]:
        del sys.path_importer_cache[path]
    try:
        exec(compile(Path(script).read_bytes(), script, "exec"), {"__name__": "__main__", "__file__": script})
    finally:
        for name in set(sys.modules) - before[0]:
            del sys.modules[name]
        _, sys.argv, sys.path[:] = before


def build_here(root: Path, goals: Sequence[str]) -> Built:
    """Through the library."""
    os.chdir(root)
    said: list[events.Event] = []
    status = app.build(app.open_workspace(str(root / "Pipelinefile")), goals, app.Options(jobs=2), said.append)
    return status, [event.task for event in said if isinstance(event, events.TaskRestored)]


def build_by_command(root: Path, goals: Sequence[str]) -> Built:
    workspace = Workspace(root)
    ended = workspace.build("-j2", *goals)
    workspace.wait_until_quiet()
    assert ended.status == 0, ended.out + ended.err
    return ended.status, ended.restored


# --- the law


class Log:
    """What the recipes themselves say that they were and depended on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0

    def take(self) -> list[tuple[str, str]]:
        """(task, digest of all that it depended on) of every recipe that ran since the last look."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        fresh, self._seen = lines[self._seen :], len(lines)
        return [(task, digest) for task, digest in map(json.loads, fresh)]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Log:
    """The log of all recipes, wherever they run; the library runs them in this process."""
    monkeypatch.setenv("LAW_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(building, "LocalExecutor", HereExecutor)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    return Log(tmp_path / "log")


def holds(
    log: Log, world: worlds.World, rounds: list[worlds.Round], build: Callable[[Path, Sequence[str]], Built]
) -> None:
    """Build a world, edit it and build it again, round after round; all of the law each time."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        place = worlds.Place(Path(folder, "edited"), world)
        stored: set[tuple[str, str]] = set()
        for number, (edits, goal) in enumerate([([], 0), *rounds]):
            for edit in edits:
                place.apply(edit)
                if edit.kind == "lose":
                    stored.clear()
            goals = place.world.goals(goal)
            note(f"--- round {number}: {edits}, then {goals}\n{place.world.files()['Pipelinefile']}")

            status, restored = build(place.root, goals)
            ran = log.take()
            assert status == 0
            happened.update({"builds": 1, "ran": len(ran), "restored": len(restored), "none": not ran})
            twice = [task for task, times in Counter(task for task, _ in ran).items() if times > 1]
            assert not twice, "a build ran these more than once"
            storing = {one for one in ran if place.world.stores(one[0])}
            assert not stored & storing, "these ran although their results were stored"
            stored |= storing

            left = place.made()
            status, restored = build(place.root, goals)
            assert (status, restored, log.take()) == (0, [], []), "a second build did something"
            assert place.made() == left

            clean = worlds.Place(Path(folder, f"clean{number}"), place.world)
            status, _ = build_here(clean.root, goals)
            log.take()
            assert status == 0
            made = clean.made()
            lacked = {path for path in made.keys() - left.keys() if place.has_lost or place.world.may_lack(path)}
            found = {path: text for path, text in left.items() if _counts(path, made)}
            assert found == {path: text for path, text in made.items() if path not in lacked}


def _counts(path: str, made: dict[str, str]) -> bool:
    """Whether a path is one that a clean build makes, or lies in a directory that it makes."""
    folder, tree, _ = path.partition("/tree/")
    return path in made or bool(tree and any(other.startswith(f"{folder}/tree/") for other in made))


_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@settings(_patient, max_examples=CASES)
@given(worlds.worlds(5), worlds.rounds(3, 6))
def test_in_this_process(log: Log, world: worlds.World, rounds: list[worlds.Round]) -> None:
    holds(log, world, rounds, build_here)


@settings(_patient, max_examples=CASES // 4)
@given(worlds.worlds(4), worlds.rounds(2, 3))
def test_by_the_command(log: Log, world: worlds.World, rounds: list[worlds.Round]) -> None:
    holds(log, world, rounds, build_by_command)


def test_what_happened() -> None:
    """Stands last, so that a long run (`-rP`) ends with the counts."""
    print("{builds} builds: {ran} tasks ran, {restored} were restored; in {none} none ran".format_map(happened))
    assert not happened or min(happened.values()) > CASES // 10
