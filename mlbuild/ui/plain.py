"""A build as lines of text, one per change of state: for logs, pipes and terminals that can do no more."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from mlbuild.engine import events
from mlbuild.ui.failures import Told, apart, failure_text
from mlbuild.ui.words import (
    and_more,
    anew_text,
    counted,
    did_text,
    duration,
    ended,
    failed,
    place_text,
    reasons_text,
    waits_text,
)

SHOWN = 3
"""How many tasks of a batch are named before all are counted."""
SHOWN_KEYS = 8
"""Keys that are named before the rest is counted."""
PROGRESS_EVERY = 60.0
"""Seconds between two lines on the progress of a task, and before the first."""


class Plain:
    """Writes to `out`.

    Args:
        verbose: say also why each task runs, and which are fresh.
        quiet: say only failures, and words to the user.
        told: how failures are told at the end.
        clock: seconds of any steady clock.
    """

    def __init__(
        self,
        out: TextIO = sys.stdout,
        *,
        verbose: bool = False,
        quiet: bool = False,
        told: Told = apart,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._verbose = verbose
        self._quiet = quiet
        self._told = told
        self._clock = clock
        self._last_said: dict[str, float] = {}
        """Task → when something was said of it while it runs."""
        self._waits: dict[str, list[str]] = {}
        """Task → the reasons for which it waits, of which was said."""
        self._failures: list[events.TaskFailed] = []
        self._resumable: list[events.TaskCancelled] = []
        self._taken_over: dict[str, events.TaskStarted] = {}
        self._blocked: dict[str, str] = {}

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.TaskReady():
                self._taken_over.pop(event.task, None)  # what was taken over is not what is wanted, or came to nothing
            case events.TaskStarted():
                self._last_said[event.task] = self._clock()
                if event.taken_over_from is not None and not event.left:
                    self._taken_over[event.task] = event
            case events.TaskFailed():
                self._failures.append(event)
            case events.TaskCancelled() if event.checkpoint:
                self._resumable.append(event)
            case events.TaskBlocked():
                self._blocked[event.task] = event.by
        line = self._line(event)
        if line and (not self._quiet or isinstance(event, events.TaskFailed | events.Said)):
            self._write(line)
        if isinstance(event, events.BuildFinished):
            self._summary(event)

    def _line(self, event: events.Event) -> str | None:
        match event:
            case events.TaskReady() if self._verbose:
                return f"        {event.task}: {reasons_text(event.reasons)}"
            case events.TaskFresh() if self._verbose:
                return f"fresh   {event.task}"
            case events.TasksQueued():
                return self._queued(event)
            case events.TaskStarted() if event.taken_over_from is not None:
                return f"goes on {taken_over_text(event)}"
            case events.TaskStarted() if event.carrier:
                return f"start   {batch_text(event)}{_on(event)}" if event.task == event.carrier else None
            case events.TaskStarted():
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                origin = f" from {event.resumed_from}" if event.resumed_from else ""
                return f"start   {event.task}{_on(event)}{origin}{again}"
            case events.TaskSubmitted():
                return f"submit  {submitted_text(event)}"
            case events.Submitted() if event.jobs:
                return f"        {sent_text(event)}"
            case events.TaskBegunAnew():
                return f"        {begun_anew_text(event)}"
            case events.TaskProgress() if self._is_time(event.task):
                return f"at      {event.task}: {progress_text(event)}"
            case events.TaskRestored():
                return f"restore {event.task}"
            case events.TaskFinished():
                return f"done    {event.task} in {duration(event.seconds)}"
            case events.TaskFailed():
                return f"FAILED  {event.task}: {failure_text(event)}"
            case events.TaskRetried():
                return f"retry   {event.task} in {duration(event.delay)}, after {end_text(event)}"
            case events.TaskPreempted():
                return f"resume  {preempted_text(event)}"
            case events.BatchFailed():
                return f"alone   {alone_text(event)}"
            case events.TaskCancelled():
                return f"stopped {event.task}"
            case events.KeysListed():
                return f"        {listed_text(event)}"
            case events.Said():
                return f"        {event.task}: {event.text}" if event.task else f"        {event.text}"
        return None

    def _queued(self, event: events.TasksQueued) -> str | None:
        """That tasks wait, said once for each reason. When they should start would be said anew all day."""
        new = [task for task in event.tasks if event.why not in self._waits.get(task, ())]
        for task in new:
            self._waits.setdefault(task, []).append(event.why)
        why = waits_text(event.why, event.starts)
        return f"queued  {and_more(new)}{': ' if why else ''}{why}" if new else None

    def _is_time(self, task: str) -> bool:
        """Whether a line on the progress of a task is due now."""
        now = self._clock()
        if now - self._last_said.get(task, 0.0) < PROGRESS_EVERY:
            return False
        self._last_said[task] = now
        return True

    def _summary(self, event: events.BuildFinished) -> None:
        told = self._told(self._failures, self._blocked)
        for line in (*told, *([""] if told else [])):
            self._write(line)
        if not self._quiet:
            for line in closing_lines(event, self._resumable, [*self._taken_over.values()]):
                self._write(line)

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


def progress_text(event: events.TaskProgress) -> str:
    """How far a task is: 7/20, loss 0.31"""
    done = _number(event.done) if event.total is None else f"{_number(event.done)}/{_number(event.total)}"
    return ", ".join([done, *(f"{name} {_number(value)}" for name, value in event.metrics.items())])


def _number(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _on(event: events.TaskStarted) -> str:
    place = place_text(event.node, event.gpus)
    return f" on {place}" if place else ""


def batch_text(event: events.TaskStarted) -> str:
    """The tasks of one run of a recipe, by the first of them: `features[2013-01-01 … +29]`."""
    return f"{event.carrier.removesuffix(']')} … +{event.batch - 1}]"


def alone_text(event: events.BatchFailed) -> str:
    """That the tasks of a batch are tried one by one, and why."""
    *others, last = event.tasks
    names = f"{', '.join(others)} and {last}" if 0 < len(others) < SHOWN else counted(len(event.tasks), "task")
    are = "are run one by one" if others else "is run alone"
    by_signal = event.reason == "signal" and not event.detail.startswith("a command")
    how = f"was {event.detail}" if by_signal else f"failed: {failed(event.reason, event.exit_code, event.detail)}"
    log = f" (its log: {event.log})" if event.log else ""
    return f"{names} {are}: the run for all of them {how}{log}"


def listed_text(event: events.KeysListed) -> str:
    """split lists 3 keys of shard: b is new; c is no more"""
    changes = [f"{_keys(keys)} {what}" for keys, what in ((event.new, "new"), (event.gone, "no more")) if keys]
    listed = f"{event.task} lists {counted(event.keys, 'key')} of {event.partition}"
    return f"{listed}: {'; '.join(changes)}" if changes else listed


def _keys(keys: Sequence[str]) -> str:
    """a, b and 3 others are"""
    shown, more = keys[:SHOWN_KEYS], len(keys) - SHOWN_KEYS
    others = [f"{more} other{'s' if more > 1 else ''}"] if more > 0 else []
    *first, last = [*shown, *others]
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def submitted_text(event: events.TaskSubmitted) -> str:
    """train to gpu, behind clean"""
    return f"{event.task} to {event.executor}" + (f", behind {and_more(event.behind)}" if event.behind else "")


def sent_text(event: events.Submitted) -> str:
    """Slurm has taken 12 jobs, 2 arrays among them"""
    arrays = f", {counted(event.arrays, 'array')} among them" if event.arrays else ""
    return f"Slurm has taken {counted(event.jobs, 'job')}{arrays}"


def end_text(event: events.TaskFailed | events.TaskRetried | events.BatchFailed) -> str:
    return ended(event.reason, event.exit_code, event.detail)


def preempted_text(event: events.TaskPreempted) -> str:
    if not event.checkpoint:
        return f"{event.task}, whose place was taken before it began"
    return f"{event.task} from {event.checkpoint}, after {ended(event.reason, 0, event.detail)}"


def begun_anew_text(event: events.TaskBegunAnew) -> str:
    more = shlex.join(["mlbuild", "explain", event.task])
    return f"{event.task} {anew_text(event.directory, event.reasons)}; `{more}` tells more"


def taken_over_text(event: events.TaskStarted) -> str:
    ran = duration(event.ran)
    if event.left:
        return f"{event.task}: submitted by run {event.taken_over_from}; it began {ran} ago"
    return f"{event.task}: taken over from run {event.taken_over_from}, which died; it was started {ran} ago"


def closing_lines(
    event: events.BuildFinished,
    resumable: Sequence[events.TaskCancelled] = (),
    taken_over: Sequence[events.TaskStarted] = (),
) -> list[str]:
    """What a build came to: one line, one for each task that was taken over, or was stopped and can go on from a
    checkpoint, and one more if anything was built with overrides."""
    did = did_text(event.counts)
    took = f" in {duration(event.seconds)}"
    fresh = counted(event.counts.get("fresh", 0), "task")
    lines = [did + took if did else f"nothing to do: {fresh} fresh"]
    lines += [f"{adopted.task} was taken over from run {adopted.taken_over_from}, which died" for adopted in taken_over]
    lines += [f"{stopped.task} can go on from {stopped.checkpoint}" for stopped in resumable]
    if event.overrides and (event.counts.get("built") or event.counts.get("restored")):
        with_, back = (", ".join(f"{name}={values[which]}" for name, *values in event.overrides) for which in (0, 1))
        lines.append(f"built with {with_}; the next build without it puts back {back}")
    return lines
