"""The flights model, however it is interrupted: built again it comes to the same, bit for bit, and no epoch that was
checkpointed is computed twice. So that a training can be hit at a moment that has a name, a copy of its script stands
still there; the moments without a name are random."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from parts import ROUNDS
from test_examples import EXAMPLES
from workspace import Workspace

HOLDS = """
    import os, threading, time
    from pathlib import Path
    from mlbuild import stage

    where = os.environ.get("HOLDS", "").split()
    is_held = False
    Path("pid").write_text(str(os.getpid()))


    def live():
        while True:
            if not is_held:
                print(end=".", flush=True)
            time.sleep(0.1)


    def begin(done):
        "Note where it begins, and what there is to begin from: names come by a rename, so each is of a whole one."
        folder = Path(os.environ["MLBUILD_CHECKPOINT_DIR"])
        places = [folder, *folder.glob(".mlbuild/aside/*")]
        newest = max((int(path.name[6:]) for place in places for path in place.glob("epoch-*")), default=0)
        with open("begun", "a") as file:
            print(done, newest, file=file)


    def hold(point, epoch):
        "The first time, stand still until told to go on or to stop."
        global is_held
        if f"{point}@{epoch}" in where and not os.path.exists(f"held-{point}"):
            is_held = True
            Path(f"held-{point}").touch()
            while not os.path.exists(f"go-{point}") and not stage._stop.signal:
                time.sleep(0.01)
            is_held = False


    def move(path, place, move=stage._move):
        hold("noted", int(place.name[6:]))
        move(path, place)
        hold("placed", int(place.name[6:]))


    stage._move = move
    threading.Thread(target=live, daemon=True).start()
"""
SAVE = "            path.write_bytes(pickle.dumps("
STATE = '{"done": done, "classifier": classifier, "random": random.get_state()}'
EDITS = [
    ("import csv\n", "import holds\nimport csv\n"),
    ("    while done < params.epochs:\n", "    holds.begin(done)\n    while done < params.epochs:\n"),
    ("        log(done)\n", "        log(done)\n        holds.time.sleep(0.02)\n"),
    (
        f"{SAVE}{STATE}))\n",
        f'            holds.hold("before", done)\n            state = pickle.dumps({STATE})\n'
        '            path.write_bytes(state[:9999])\n            holds.hold("midst", done)\n'
        '            path.write_bytes(state)\n            holds.hold("written", done)\n'
        '        holds.hold("saved", done)\n',
    ),
    # Of two pickles of equal objects the one may say twice what the other refers back to.
    (
        "    found = {",
        '    Path("weights").write_bytes(b"".join(each.tobytes() for each in (classifier.coef_, '
        "classifier.intercept_)))\n    found = {",
    ),
]
FORGETS = 'random.set_state(state["random"])', "pass"
POINTS = {"before": 2, "midst": 4, "written": 6, "noted": 8, "placed": 10, "saved": 12}
"""Each moment around saving, and the epoch at whose end the training is held there."""
SOME_POINTS = {point: POINTS[point] for point in ("midst", "noted", "saved")}
RESULTS = "build/metrics.json", "weights"
GRACE = "grace = 2s"


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The flights of the month, one in ten: the model is no less one for that, and sooner made."""
    folder = tmp_path_factory.mktemp("month")
    shutil.copy(EXAMPLES / "flights-epochs/month.py", folder)
    month = Workspace(folder)
    month.pipeline('target month:\n    outputs: "flights.csv"\n    run: python month.py 7 {outputs}\n')
    month.ok()
    first, *rows = month.read("flights.csv").splitlines(keepends=True)
    return "".join([first, *rows[::10]])


def lay_out(workspace: Workspace, flights: str, clauses: str = "", *edits: tuple[str, str]) -> None:
    """The example, with a script that can be held; `clauses` are of the target that trains."""
    text = (EXAMPLES / "flights-epochs/Pipelinefile").read_text()
    text = re.sub(r"^target month:.*?\n\n", "", text, flags=re.DOTALL | re.MULTILINE)
    replaced = [
        ("flights = month", 'flights = "flights.csv"'),
        ("    timeout: 10m\n", f"    {clauses}\n"),
        ("ignore = epochs", f"ignore = epochs, {GRACE}"),
    ]
    workspace.pipeline(edited(text, *replaced))
    script = (EXAMPLES / "flights-epochs/train.py").read_text()
    workspace.write("train.py", edited(script, *EDITS, *edits))
    workspace.write("holds.py", HOLDS)
    workspace.write("flights.csv", flights)


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Whole:
    """A training that nobody interrupted: what it came to, and how many seconds it took."""

    results: list[bytes]
    seconds: float


def results(workspace: Workspace) -> list[bytes]:
    return [(workspace.root / path).read_bytes() for path in RESULTS]


def train_whole(folder: Path, flights: str, epochs: int) -> Whole:
    workspace = Workspace(folder)
    lay_out(workspace, flights)
    began = time.monotonic()
    workspace.ok(f"epochs={epochs}")
    assert workspace.lines("begun") == ["0 0"]
    return Whole(results(workspace), time.monotonic() - began)


@pytest.fixture(scope="module")
def whole(flights: str, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return train_whole(tmp_path_factory.mktemp("whole"), flights, 20)


Build = subprocess.Popen[str]


def send(workspace: Workspace, number: int) -> None:
    """A signal to the script, unless it has just ended."""
    with suppress(ProcessLookupError):
        os.kill(int(workspace.read("pid")), number)


def term(workspace: Workspace, build: Build) -> None:
    send(workspace, signal.SIGTERM)


def kill(workspace: Workspace, build: Build) -> None:
    send(workspace, signal.SIGKILL)


def kill_group(workspace: Workspace, build: Build) -> None:
    with suppress(ProcessLookupError):
        os.killpg(os.getpgid(int(workspace.read("pid"))), signal.SIGKILL)


def kill_all(workspace: Workspace, build: Build) -> None:
    """Driver, supervisor, its children and the recipe; one that is being listed may fork."""
    while pids := workspace.processes():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill_supervisor(workspace: Workspace, build: Build) -> None:
    workspace.kill_supervisors()


def kill_driver(workspace: Workspace, build: Build) -> None:
    """The recipe goes on, and the next build takes it over."""
    build.kill()
    build.communicate()
    for point in POINTS:
        if workspace.exists(f"held-{point}"):
            workspace.write(f"go-{point}", "")


def interrupt(workspace: Workspace, build: Build) -> None:
    build.send_signal(signal.SIGINT)


def stop(workspace: Workspace, build: Build) -> None:
    """Nothing of it moves any more, once it has saved something: what stalls before that is tried from further back."""
    computed = len(workspace.lines("computed"))
    while len(workspace.lines("computed")) < computed + 2 and build.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.1))
    send(workspace, signal.SIGSTOP)


def wait(workspace: Workspace, build: Build) -> None:
    """Its time passes."""


Way = Callable[[Workspace, Build], None]
WAYS: list[Way] = [term, kill, kill_group, kill_all, kill_supervisor, kill_driver, interrupt]
MOMENTS = max(7, ROUNDS)
AROUND = WAYS if MOMENTS >= 20 else [term, kill, kill_all, kill_driver]
"""The soak has all ways, and each at all points."""
RETRIED = "retry: 20, backoff = 10ms, on = [timeout, lost]"


def limit(kind: str, whole: Whole) -> str:
    """The clause by which an attempt that stands still is ended."""
    return "stall: 5s" if kind == "stall" else f"timeout: {whole.seconds + 3:.0f}s\n    {RETRIED}"


def train(workspace: Workspace, way: Way, points: dict[str, int]) -> None:
    """Interrupt a training at these points, and build again until it is done."""
    env = {"EPOCHS_LOG": "computed", "HOLDS": " ".join(f"{point}@{epoch}" for point, epoch in points.items())}
    build = workspace.start(env=env)
    for point in points:
        while not workspace.exists(f"held-{point}"):
            if build.poll() is not None:
                out, _ = build.communicate()
                assert build.returncode, f"it was done before {point}: {out}"
                build = workspace.start(env=env)
            time.sleep(0.01)
        way(workspace, build)
    build.communicate()
    workspace.ok(env=env)


def train_at_random(workspace: Workspace, ways: list[Way], seconds: float) -> int:
    """Interrupt a training in each of these ways, and build again until it is done: how many epochs it has.

    Whenever it is done before it was interrupted often enough, it gets more epochs.

    Args:
        seconds: how long a build takes.
    """
    epochs, begun, env = 20, 0, {"EPOCHS_LOG": "computed"}
    build = workspace.start(f"epochs={epochs}", env=env)
    for way in ways:
        while True:
            if way is kill_all:  # it may come before anything else does
                time.sleep(random.uniform(0, seconds))
            else:
                while len(workspace.lines("begun")) == begun and build.poll() is None:
                    time.sleep(0.01)
                time.sleep(random.uniform(0, 0.4))
            if build.poll() is None:
                break
            build.communicate()
            epochs += 0 if build.returncode else 20
            build = workspace.start(f"epochs={epochs}", env=env)
        way(workspace, build)
        begun = len(workspace.lines("begun"))
    build.communicate()
    workspace.ok(f"epochs={epochs}", env=env)
    return epochs


def assert_same(workspace: Workspace, whole: Whole, epochs: int = 20) -> None:
    """It came to the same, always began from the newest checkpoint that there was, and left nothing lying about."""
    assert results(workspace) == whole.results
    begun = [line.split() for line in workspace.lines("begun")]
    assert [done for done, _ in begun] == [newest for _, newest in begun]
    assert set(workspace.lines("computed")) == {str(epoch) for epoch in range(1, epochs + 1)}
    workspace.wait_until_quiet()
    own = workspace.root / "build/checkpoints/.mlbuild"
    assert sorted(path.name for path in own.iterdir() if path.name != "saving") == ["aside", "journal", "lock"]
    assert not [*own.glob("aside/*"), *own.glob("saving/*/*")]
    there = sorted(path.name for path in own.parent.glob("epoch-*"))
    assert there == [f"epoch-{epoch:04}" for epoch in range(epochs - 2, epochs + 1)]
    assert not [*workspace.root.rglob("*mlbuild-aside*")]
    assert workspace.ok(f"epochs={epochs}").ran == []


@pytest.mark.parametrize("way", AROUND)
def test_at_the_moments_around_saving(workspace: Workspace, flights: str, whole: Whole, way: Way) -> None:
    lay_out(workspace, flights, RETRIED)
    points = POINTS if way in (kill, kill_driver) or MOMENTS >= 20 else SOME_POINTS
    train(workspace, way, points)
    assert_same(workspace, whole)
    # What was computed and not yet in its place was lost, unless it was still put there.
    saves = way in (term, kill_supervisor, kill_driver, interrupt)
    lost = [] if saves else [str(points[point]) for point in points if point not in ("placed", "saved")]
    assert sorted(workspace.lines("computed")) == sorted([*(str(epoch) for epoch in range(1, 21)), *lost])


@pytest.mark.parametrize("kind", ["timeout", "stall"])
def test_its_time_passes_around_saving(workspace: Workspace, flights: str, whole: Whole, kind: str) -> None:
    lay_out(workspace, flights, limit(kind, whole))
    train(workspace, wait, POINTS if MOMENTS >= 20 else SOME_POINTS)
    assert_same(workspace, whole)


def test_at_random_moments(
    workspace: Workspace, flights: str, whole: Whole, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lay_out(workspace, flights, RETRIED)
    ways = [WAYS[number % len(WAYS)] for number in range(MOMENTS)]
    random.shuffle(ways)
    epochs = train_at_random(workspace, ways, whole.seconds)
    assert_same(workspace, train_whole(tmp_path_factory.mktemp("longer"), flights, epochs), epochs)


@pytest.mark.parametrize("kind", ["timeout", "stall"])
def test_its_time_passes_at_random_moments(
    workspace: Workspace, flights: str, whole: Whole, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    lay_out(workspace, flights, limit(kind, whole))
    epochs = train_at_random(workspace, [stop] * (MOMENTS // 4), whole.seconds)
    assert_same(workspace, train_whole(tmp_path_factory.mktemp("longer"), flights, epochs), epochs)


def test_what_it_comes_to_if_the_random_numbers_are_not_restored(
    workspace: Workspace, flights: str, whole: Whole
) -> None:
    """Something else; so these tests can fail."""
    lay_out(workspace, flights, "", FORGETS)
    train(workspace, kill, {"saved": 12})
    assert [line.split()[0] for line in workspace.lines("begun")] == ["0", "12"]
    assert sorted(workspace.lines("computed")) == sorted(str(epoch) for epoch in range(1, 21))
    assert all(one != other for one, other in zip(results(workspace), whole.results, strict=True))
