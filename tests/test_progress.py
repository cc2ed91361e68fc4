"""What a running task reports of its progress: in the events, on a terminal, in plain lines."""

from __future__ import annotations

import io
import itertools
import os
import signal
from pathlib import Path

import pytest
from workspace import Workspace

from mlbuild.engine import events
from mlbuild.engine.reports import MOST_BYTES, PAUSE, Reports
from mlbuild.ui.plain import PROGRESS_EVERY, Plain
from mlbuild.ui.progress import Progress

TRAIN = """
import os, time
from mlbuild.stage import progress

for epoch in range(1, 4):
    progress(epoch, 3, loss=1 / epoch)
    while not os.path.exists(f"go{epoch}"):
        time.sleep(0.01)
open("model", "w").close()
"""


def progress_of(ended_events: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {name: value for name, value in row.items() if name not in ("time", "event")}
        for row in ended_events
        if row["event"] == "task_progress"
    ]


def wait_for_event(workspace: Workspace, text: str) -> None:
    workspace.wait_until(lambda: any(text in line for line in workspace.lines("events.jsonl")))


def test_events_as_they_happen(workspace: Workspace) -> None:
    workspace.write("train.py", TRAIN)
    workspace.pipeline('target train:\n    outputs: "model"\n    run: python train.py\n')
    process = workspace.start(events=str(workspace.root / "events.jsonl"))
    for epoch in (1, 2, 3):
        report = f'"task_progress", "task": "train", "done": {epoch}, "total": 3, "metrics": {{"loss": {1 / epoch}}}'
        wait_for_event(workspace, report)
        workspace.write(f"go{epoch}", "")
    process.communicate()
    assert process.returncode == 0
    assert list((workspace.root / ".mlbuild/runs").rglob("*.progress")) == []


def test_the_last_report_comes_before_the_end(workspace: Workspace) -> None:
    workspace.write("train.py", TRAIN)
    for epoch in (1, 2, 3):
        workspace.write(f"go{epoch}", "")
    workspace.pipeline('target train:\n    outputs: "model"\n    run: python train.py\n')
    rows = workspace.ok().events
    assert [row["done"] for row in progress_of(rows)] == [1, 2, 3]
    assert [row["event"] for row in rows][-3:] == ["task_progress", "task_finished", "build_finished"]


def test_any_language_can_report(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target train:
            outputs: "model"
            run:
                echo '{"done": 0.5}' >> "$MLBUILD_PROGRESS"
                echo '{"done": 1, "total": 2, "metrics": {"loss": NaN, "more": [1]}}' >> "$MLBUILD_PROGRESS"
                for bad in 1 '{}' '{"done": "1"}' '{"done": NaN}' '{"done": 1, "total": []}' '[' '{"done": true}'; do
                    echo "$bad" >> "$MLBUILD_PROGRESS"
                done
                printf '{"done": 2}' >> "$MLBUILD_PROGRESS"
                touch {outputs}
        """
    )
    assert progress_of(workspace.ok().events) == [
        {"task": "train", "done": 0.5, "total": None, "metrics": {}},
        {"task": "train", "done": 1, "total": 2, "metrics": {"loss": "nan"}},
    ]


def test_a_failed_attempt_leaves_no_file_either(workspace: Workspace) -> None:
    workspace.pipeline("""target t:\n    run: echo '{"done": 1}' >> "$MLBUILD_PROGRESS"; exit 3\n""")
    assert [row["done"] for row in progress_of(workspace.build().events)] == [1]
    assert list((workspace.root / ".mlbuild/runs").rglob("*.progress")) == []


def test_an_attempt_that_is_taken_over_reports_to_the_new_build(workspace: Workspace) -> None:
    workspace.write("train.py", TRAIN)
    workspace.pipeline('target train:\n    outputs: "model"\n    run: python train.py\n')
    process = workspace.start(events=str(workspace.root / "events.jsonl"))
    wait_for_event(workspace, '"done": 1')
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    for epoch in (1, 2, 3):
        workspace.write(f"go{epoch}", "")
    assert [row["done"] for row in progress_of(workspace.ok().events)] == [1, 2, 3]


def test_a_terminal_shows_how_far_it_is_and_when_it_is_through(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target train:
            outputs: "model"
            run:
                echo '{"done": 10, "total": 30, "metrics": {"loss": 0.123456}}' >> "$MLBUILD_PROGRESS"
                until test -e shown; do sleep 0.1; done
                echo '{"done": 20, "total": 30}' >> "$MLBUILD_PROGRESS"
                sleep 1.5
                touch {outputs}
        target look:
            outputs: "shown"
            run: sleep 1; touch {outputs}
        default train, look
        """
    )
    status, shown = workspace.on_a_terminal("-j2")
    assert status == 0
    assert "10/30, loss 0.1235" in shown
    assert "20/30, about " in shown


# --- the parts


def event(done: float, total: float | None = 20, **metrics: float | str) -> events.TaskProgress:
    return events.TaskProgress("train", done, total, metrics)


def test_what_is_left_goes_by_what_was_seen_done() -> None:
    """A task that goes on from epoch 10 has not done ten epochs in its first second."""
    progress = Progress()
    progress.add(events.TaskStarted("train", 1, "local"), 0.0)
    progress.add(event(10), 1.0)
    reported = progress.reported["train"]
    assert reported.left(1.0) is None
    progress.add(event(12), 7.0)
    assert reported.left(7.0) == 24.0
    assert reported.left(17.0) == 14.0
    assert reported.left(100.0) == 0.0
    progress.queued["train"] = 1000.0
    assert progress.remaining(7.0) == 24.0
    progress.add(event(13, None), 8.0)
    assert reported.left(8.0) is None
    progress.add(events.TaskStarted("train", 2, "local"), 9.0)
    assert progress.reported == {}


def test_what_is_left_is_no_less_than_the_longest_task_takes() -> None:
    progress = Progress(jobs=2)
    progress.add(events.TaskStarted("train", 1, "local"), 0.0)
    progress.queued["train"] = 20.0
    assert progress.remaining(4.0) == 16.0
    progress.queued |= {"a": 10.0, "b": 14.0}
    assert progress.remaining(4.0) == 20.0
    progress.queued["c"] = None
    assert progress.remaining(4.0) is None


def test_plain_lines_come_seldom() -> None:
    now, out = 0.0, io.StringIO()
    plain = Plain(out, clock=lambda: now)
    plain(events.TaskStarted("train", 1, "local"))
    for done in range(21):
        now = done * PROGRESS_EVERY / 8
        plain(event(done, loss=1 / 3, step=12345))
    assert out.getvalue().splitlines() == [
        "start   train",
        "at      train: 8/20, loss 0.3333, step 12345",
        "at      train: 16/20, loss 0.3333, step 12345",
    ]


def test_quiet_says_nothing_of_it() -> None:
    out, times = io.StringIO(), iter(range(0, 10_000, 1000))
    plain = Plain(out, quiet=True, clock=lambda: next(times))
    plain(event(1))
    assert out.getvalue() == ""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlbuild.engine.reports.PAUSE", 0.0)


def test_a_line_is_read_when_it_is_whole_and_once(quick: None, tmp_path: Path) -> None:
    path, reports = tmp_path / "progress", Reports()
    reports.follow("1-1", "train", str(path))
    assert list(reports.new()) == []
    with path.open("a") as file:
        for text, seen in (('{"done": 1', []), ("}\n{", [1]), ('"done": 2}\n', [2]), ("", [])):
            file.write(text)
            file.flush()
            assert [one.done for one in reports.new()] == seen
    assert list(reports.last("1-1")) == []
    assert list(reports.new()) == []


def test_a_flood_is_read_from_its_end(quick: None, tmp_path: Path) -> None:
    path, reports = tmp_path / "progress", Reports()
    reports.follow("1-1", "train", str(path))
    path.write_text("".join(f'{{"done": {done}}}\n' for done in range(20_000)))
    found = [one.done for one in reports.new()]
    assert found[-1] == 19_999
    assert len(found) < MOST_BYTES / 13


def test_many_are_looked_at_in_turn(quick: None, tmp_path: Path) -> None:
    reports = Reports()
    for number in range(250):
        (tmp_path / str(number)).write_text('{"done": 1}\n')
        reports.follow(f"1-{number}", str(number), str(tmp_path / str(number)))
    looks = [[one.task for one in reports.new()] for _ in range(4)]
    assert [len(look) for look in looks] == [100, 100, 50, 0]
    assert sorted(itertools.chain(*looks), key=int) == [str(number) for number in range(250)]


def test_there_is_a_pause_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, path, reports = 100.0, tmp_path / "progress", Reports()
    monkeypatch.setattr("time.monotonic", lambda: now)
    reports.follow("1-1", "train", str(path))
    assert list(reports.new()) == []
    path.write_text('{"done": 1}\n')
    now += PAUSE * 0.6
    assert list(reports.new()) == []
    now += PAUSE * 0.6
    assert [one.done for one in reports.new()] == [1]


def test_what_is_left_of_a_batch_is_one_run() -> None:
    """Each of its tasks has its share of the time, and no other job takes any of it over."""
    progress = Progress(jobs=2)
    names = [f"f[{key}]" for key in range(4)]
    for name in names:
        progress.add(events.TaskReady(name, (), 5.0), 0.0)
    assert progress.remaining(0.0) == 10.0
    for name in names:
        progress.add(events.TaskStarted(name, 1, "local", batch=4, carrier="f[0]"), 0.0)
    assert progress.remaining(8.0) == 12.0
    for done in (10, 15):  # half of 20 in 10 seconds
        progress.add(events.TaskProgress("f[0]", done, 20, {}), 2.0 * done - 10)
    assert progress.remaining(20.0) == 10.0
    progress.add(events.BatchFailed(tuple(names), 1, "exit", "", ""), 21.0)
    assert progress.remaining(21.0) == 10.0


def test_what_waits_in_a_cluster_is_not_through_before_it_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    progress, names = Progress(jobs=1), ("f[0]", "f[1]")
    for name in names:
        progress.add(events.TaskReady(name, (), 5.0), 0.0)
    progress.add(events.TasksQueued(names, "gpu"), 0.0)
    assert progress.remaining(0.0) is None, "nobody knows when it starts"
    progress.add(events.TasksQueued(names, "gpu", "Priority", "others come first", 1030.0), 1.0)
    assert progress.remaining(1.0) == 35.0, "a cluster runs both beside each other"
    progress.add(events.TaskStarted("f[0]", 1, "gpu", node="n1"), 40.0)
    progress.add(events.TaskStarted("f[1]", 1, "gpu", ran=3.0, node="n2"), 40.0)
    assert progress.remaining(41.0) == 4.0, "the time in the queue is not a part of what it takes"


def test_plain_lines_say_each_reason_to_wait_once() -> None:
    out = io.StringIO()
    plain, names = Plain(out), ("f[0]", "f[1]", "f[2]")
    for why in ("", "others come first", "for nodes that are free", "others come first"):
        plain(events.TasksQueued(names, "gpu", "", why))
    plain(events.TasksQueued(("f[0]", "g"), "gpu", "", "others come first"))
    assert out.getvalue().splitlines() == [
        "queued  f[0] and 2 more tasks",
        "queued  f[0] and 2 more tasks: others come first",
        "queued  f[0] and 2 more tasks: for nodes that are free",
        "queued  g: others come first",
    ]
