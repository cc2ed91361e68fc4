"""What is known of a workspace, opened to be looked at or to be changed, and closed whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress

from mlbuild import config
from mlbuild.app.workspace import Workspace
from mlbuild.engine.facts import Inspector
from mlbuild.errors import StateError
from mlbuild.files import Files
from mlbuild.graph.task import Task
from mlbuild.state.garbage import Garbage
from mlbuild.state.journal import Journal
from mlbuild.state.layout import Layout
from mlbuild.state.stats import FileClock, Stats
from mlbuild.state.store import Store

POLL = 0.1
"""Seconds between two looks at what another process does."""


def _kept(stack: ExitStack, layout: Layout, link: str) -> tuple[Journal, Store]:
    """The journal and the store, closed with the stack."""
    journal = stack.enter_context(closing(Journal(layout)))
    return journal, stack.enter_context(closing(Store(layout.store, layout.workspace, layout.tmp, link)))


@contextmanager
def looking(workspace: Workspace, goals: Sequence[Task]) -> Iterator[tuple[Inspector, Journal | None, Stats]]:
    """What is known of a workspace, without changing more than stat records."""
    layout = workspace.layout
    with ExitStack() as stack:
        journal = store = None
        if layout.exists():
            journal, store = _kept(stack, layout, workspace.config.link)
        clock = stack.enter_context(closing(FileClock(layout.tmp)))
        stats = Stats(layout.workspace, journal.memory.stat if journal else lambda path: None, clock)
        observe = workspace.config.observe == "on"
        inspector = Inspector(
            workspace.graph, workspace.files, stats, journal, store, goals, observe=observe, still=True
        )
        yield inspector, journal, stats
        if journal:
            with suppress(StateError):  # nothing but time is lost
                journal.memory.save_stats(stats.changed())


@contextmanager
def opened(workspace: Workspace) -> Iterator[tuple[Journal, Store, Stats]]:
    """The state of a workspace, to be changed."""
    layout = workspace.layout
    layout.create()
    with ExitStack() as stack:
        journal, store = _kept(stack, layout, workspace.config.link)
        clock = stack.enter_context(closing(FileClock(layout.tmp)))
        yield journal, store, Stats(layout.workspace, journal.memory.stat, clock)


@contextmanager
def journal_of(layout: Layout) -> Iterator[Journal | None]:
    """None where the workspace was never built."""
    if not layout.exists():
        yield None
        return
    with closing(Journal(layout)) as journal:
        yield journal


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
        journal, store = _kept(stack, layout, config.read(Files(root)).link)
        yield Garbage(layout, journal, store)
