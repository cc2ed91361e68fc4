"""What is known of a workspace, opened to be looked at or to be changed, and closed whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

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


@contextmanager
def looking(workspace: Workspace, goals: Sequence[Task]) -> Iterator[tuple[Inspector, Journal | None, Stats]]:
    """What is known of a workspace, without changing more than stat records."""
    layout = workspace.layout
    with ExitStack() as stack:
        journal = store = None
        if layout.exists():
            journal = Journal(layout)
            stack.callback(journal.close)
            store = Store(layout.store, layout.workspace, layout.tmp, workspace.config.link)
            stack.callback(store.close)
        clock = FileClock(layout.tmp)
        stack.callback(clock.close)
        stats = Stats(layout.workspace, journal.memory.stats() if journal else {}, clock)
        observe = workspace.config.observe == "on"
        inspector = Inspector(workspace.graph, workspace.files, stats, journal, store, goals, observe=observe)
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
        journal = Journal(layout)
        stack.callback(journal.close)
        store = Store(layout.store, layout.workspace, layout.tmp, workspace.config.link)
        stack.callback(store.close)
        clock = FileClock(layout.tmp)
        stack.callback(clock.close)
        yield journal, store, Stats(layout.workspace, journal.memory.stats(), clock)


@contextmanager
def journal_of(layout: Layout) -> Iterator[Journal | None]:
    """None where the workspace was never built."""
    journal = Journal(layout) if layout.exists() else None
    try:
        yield journal
    finally:
        if journal:
            journal.close()


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
        journal = Journal(layout)
        stack.callback(journal.close)
        store = Store(layout.store, root, layout.tmp, config.read(Files(root)).link)
        stack.callback(store.close)
        yield Garbage(layout, journal, store)
