"""What is kept with a run beside its attempts: what came of the tasks that made none, from which commit it started."""

from __future__ import annotations

from mlbuild.engine import events
from mlbuild.engine.revision import PATIENCE, Revision
from mlbuild.state.journal import Journal
from mlbuild.state.runs import Outcome


class Account:
    """Listens to a build."""

    def __init__(self, journal: Journal, revision: Revision) -> None:
        self._journal = journal
        self._revision = revision
        self._outcomes: dict[str, Outcome] = {}

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.TasksQueued() | events.TaskStarted():
                self._revision.ask()
            case events.TaskRestored():
                self._note(event.task, "restored")
            case events.TaskBlocked():
                self._note(event.task, "blocked", event.by)
            case events.TaskFailed() if not event.attempt:
                self._note(event.task, "failed", event.detail)
        self._note_revision()

    def _note(self, task: str, state: str, detail: str = "") -> None:
        self._outcomes[task] = Outcome(task, state, detail)

    def _note_revision(self, patience: float = 0.0) -> None:
        if known := self._revision.answer(patience):
            self._journal.note_revision(*known)

    def end(self, exit_status: int, counts: dict[str, int]) -> None:
        """The build has ended, with so many tasks in each state."""
        self._note_revision(PATIENCE)
        self._journal.end(exit_status, counts, list(self._outcomes.values()))
