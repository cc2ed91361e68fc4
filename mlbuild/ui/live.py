"""A build on a terminal: what runs, how far it is, what failed."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mlbuild.engine import events
from mlbuild.ui.failures import Told, apart, failure_text
from mlbuild.ui.plain import (
    alone_text,
    batch_text,
    begun_anew_text,
    closing_lines,
    end_text,
    listed_text,
    preempted_text,
    progress_text,
    sent_text,
    submitted_text,
    taken_over_text,
)
from mlbuild.ui.progress import Progress
from mlbuild.ui.words import and_more, duration, place_text, reasons_text, waits_text

SHOWN = 8
"""Running tasks that are shown before the rest is counted."""


class Live:
    """A context manager that draws while it is open; call it with each event."""

    def __init__(self, *, verbose: bool = False, color: bool = True, told: Told = apart) -> None:
        self._console = Console(no_color=not color, highlight=False, soft_wrap=True)
        self._verbose = verbose
        self._told = told
        self._progress = Progress()
        self._live = RichLive(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: events.Event, age: float = 0.0) -> None:
        """Take in an event that happened `age` seconds ago."""
        self._progress.add(event, time.monotonic() - age)
        match event:
            case events.TaskFinished():
                self._print("✓", "green", f"{event.task} in {duration(event.seconds)}")
            case events.TaskStarted() if event.taken_over_from is not None and not event.left:
                self._print("!", "yellow", taken_over_text(event))
            case events.TaskSubmitted():
                self._print("→", "blue", submitted_text(event))
            case events.Submitted() if event.jobs:
                self._print(" ", "dim", sent_text(event))
            case events.TaskBegunAnew():
                self._print("!", "yellow", begun_anew_text(event))
            case events.TaskCancelled():
                self._print("■", "yellow", f"{event.task} stopped")
            case events.TaskRestored():
                self._print("↺", "cyan", f"{event.task} restored")
            case events.TaskFailed():
                self._print("✗", "red", f"{event.task}: {failure_text(event)}")
            case events.TaskRetried():
                self._print("…", "yellow", f"{event.task} again in {duration(event.delay)}, after {end_text(event)}")
            case events.TaskPreempted():
                self._print("…", "yellow", preempted_text(event))
            case events.BatchFailed():
                self._print("…", "yellow", alone_text(event))
            case events.TaskReady() if self._verbose:
                self._print(" ", "dim", f"{event.task}: {reasons_text(event.reasons)}")
            case events.KeysListed():
                self._print("+", "cyan", listed_text(event))
            case events.Said():
                self._print("!", "yellow", f"{event.task}: {event.text}" if event.task else event.text)
            case events.BuildFinished():
                self._close(event)

    def _print(self, mark: str, style: str, text: str) -> None:
        self._console.print(Text.assemble((mark, style), " ", text))

    def _draw(self) -> Group:
        now = time.monotonic()
        progress = self._progress
        table = Table.grid(padding=(0, 1))
        # A batch is one row, and what is reported of it is its first task's.
        runs = {self._run_of(task): (task, since) for task, since in reversed(progress.running.items())}
        running = sorted(runs.items(), key=lambda item: item[1][1])
        for name, (task, since) in running[:SHOWN]:
            start = progress.starts[task]
            told = filter(None, [place_text(start.node, start.gpus), self._reported(task, now)])
            table.add_row(Text("▸", "blue"), Text(name), Text(duration(now - since), "dim"), Text("  ".join(told)))
        if len(running) > SHOWN:
            table.add_row("", Text(f"and {len(running) - SHOWN} more", "dim"), "", "")
        self._add_waiting(table, now)
        return Group(table, self._bar(now))

    def _add_waiting(self, table: Table, now: float) -> None:
        """What waits in a cluster: for each reason a row, which tells since when, and when the first should start."""
        groups: dict[tuple[str, str], list[str]] = {}
        for task, waiting in self._progress.waiting.items():
            groups.setdefault((task.partition("[")[0], waiting.last.why), []).append(task)
        for (_, why), tasks in [*groups.items()][:SHOWN]:
            known = [self._progress.waiting[task] for task in tasks]
            starts = min((each.last.starts for each in known if each.last.starts), default=None)
            since = duration(now - min(each.since for each in known))
            text = waits_text(why, starts) or "queued"
            table.add_row(
                Text("◦", "yellow"),
                Text(and_more(tasks)),
                Text(since, "dim"),
                Text(text, no_wrap=True, overflow="ellipsis"),
            )
        if len(groups) > SHOWN:
            hidden = sum(map(len, [*groups.values()][SHOWN:]))
            table.add_row("", Text(f"and {hidden} more", "dim"), "", "")

    def _run_of(self, task: str) -> str:
        """What the run of a recipe is called that a task has a part in."""
        start = self._progress.starts[task]
        return batch_text(start) if start.carrier else task

    def _reported(self, task: str, now: float) -> str:
        """How far a running task says it is."""
        reported = self._progress.reported.get(task)
        if reported is None:
            return ""
        left = reported.left(now)
        return progress_text(reported.last) + (f", about {duration(left)} left" if left else "")

    def _bar(self, now: float) -> Table:
        progress = self._progress
        left = progress.remaining(now)
        words = f"{progress.done}/{progress.total}"
        if left and progress.queued:
            words += f", about {duration(left)} left"
        if progress.failed:
            words += f", {len(progress.failed)} failed"
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(max(1, progress.total), progress.done, width=40), Text(words))
        return row

    def _close(self, event: events.BuildFinished) -> None:
        self._live.stop()
        if told := self._told([*self._progress.failed.values()], self._progress.blocked):
            self._console.print(Text("\n".join([*told, ""])))
        for line in closing_lines(event, self._progress.resumable, [*self._progress.taken_over.values()]):
            self._console.print(Text(line, "bold red" if event.exit_status else "bold"))
