"""What came of the tasks of a build that made no attempt, gathered from its events, to be kept with the run."""

from __future__ import annotations

from mlbuild.engine import events
from mlbuild.state.runs import Outcome


class Account:
    """Listens to a build."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Outcome] = {}

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.TaskRestored():
                self._note(event.task, "restored")
            case events.TaskBlocked():
                self._note(event.task, "blocked", event.by)
            case events.TaskFailed() if not event.attempt:
                self._note(event.task, "failed", event.detail)

    def _note(self, task: str, state: str, detail: str = "") -> None:
        self._outcomes[task] = Outcome(task, state, detail)

    def outcomes(self) -> list[Outcome]:
        return list(self._outcomes.values())
