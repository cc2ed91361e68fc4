"""Builds that go on without the process that asks: which there are, and what happens in them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from mlbuild.app.access import POLL, journal_of
from mlbuild.engine.events import Event
from mlbuild.errors import UsageError
from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout
from mlbuild.state.living import Living
from mlbuild.state.runs import Run
from mlbuild.ui.jsonl import from_json
from mlbuild.ui.words import when

CHUNK = 1 << 20


def detached(folder: str, number: int | None = None) -> Run:
    """The detached build of this number, or the one that goes on.

    Args:
        folder: of the workspace, absolute. Its Pipelinefile is not read.

    Raises:
        UsageError: there is none, or several go on; the message says which there are.
    """
    layout = Layout(folder)
    with journal_of(layout) as journal:
        if journal is None:
            raise UsageError("nothing was built here")
        if number is not None:
            return _numbered(layout, journal, number)
        living = journal.past.living()
        found = [run for run in living if _is_detached(layout, run.number)]
        if len(found) > 1:
            lines = "\n".join(f"    {_told(run)}" for run in found)
            raise UsageError(
                f"{len(found)} detached builds go on; which one?\n{lines}", hint=f"`mlbuild attach {found[0].number}`"
            )
        if not found:
            raise _none(layout, journal, living)
        return found[0]


def _numbered(layout: Layout, journal: Journal, number: int) -> Run:
    found = journal.past.run(number)
    if found is None:
        raise UsageError(f"there is no run {number}", hint="`mlbuild runs` lists them")
    if not _is_detached(layout, number):
        if found.lives:
            raise UsageError(f"run {number} has a terminal of its own (process {found.pid})")
        raise UsageError(f"run {number} was not detached", hint=f"`mlbuild runs {number}` tells what it did")
    return found


def _none(layout: Layout, journal: Journal, living: list[Run]) -> UsageError:
    """What there is instead of a detached build that goes on."""
    message = "no detached build goes on here"
    if living:
        message += "".join(f"\n    {_told(run)} goes on in a terminal of its own" for run in living)
    last = next((number for number in _numbers(layout) if _is_detached(layout, number)), None)
    run = journal.past.run(last) if last else None
    if run is None:
        return UsageError(message, hint="`mlbuild --detach GOAL` starts one")
    ended = f"the last one was run {run.number}: {run.end}" + (f", {when(run.ended)}" if run.ended else "")
    return UsageError(
        f"{message}; {ended}" if not living else f"{message}\n    {ended}",
        hint=f"`mlbuild attach {run.number}` shows it",
    )


def _told(run: Run) -> str:
    return f"run {run.number} (process {run.pid}, since {when(run.started)}): {run.command}"


def _is_detached(layout: Layout, number: int) -> bool:
    return os.path.exists(layout.events(number))


def _numbers(layout: Layout) -> list[int]:
    """The numbers of all runs that left something, the newest first."""
    return sorted((int(name) for name in os.listdir(layout.runs) if name.isdigit()), reverse=True)


def happened(folder: str, number: int) -> Iterator[tuple[float, Event]]:
    """What happens in a detached build, each with its moment (epoch seconds), from its beginning until it has ended."""
    layout = Layout(folder)
    living, rest = Living(layout), b""
    with open(layout.events(number), "rb") as file:
        while True:
            lives = living.lives(number)  # before reading: what one that has ended wrote is all there
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from filter(None, map(from_json, lines))
            if not lives:
                return
            time.sleep(POLL)


def last_words(folder: str, number: int) -> str:
    """What the process of a detached build said beside its events: of what it died, if of anything."""
    with open(Layout(folder).driver_log(number), encoding="utf-8", errors="replace") as file:
        return file.read()
