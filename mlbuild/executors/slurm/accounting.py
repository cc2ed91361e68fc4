"""What Slurm's accounting says of how jobs ended that left no word, where there is any.

Whatever it doesn't say, says wrong or doesn't come to say changes nothing. Blind to what follows from it.
"""

from __future__ import annotations

import time

from mlbuild.executors.slurm.commands import Command, accounted, accounting
from mlbuild.executors.slurm.known import Known

LATE = 5.0
"""Seconds for which it may still be without the end of a job that is over."""
PAUSE = 1.0
"""Seconds between two questions."""


class Accounting:
    """Asks for all jobs of an array at once, and again while it may not know yet how one has ended."""

    def __init__(self) -> None:
        self._asking: dict[str, Command] = {}
        self._said: dict[str, tuple[float, dict[str, str]]] = {}
        """Id of an array → when it was asked for, in `time.monotonic` seconds, and id of a job and its name → state."""
        self._since: dict[str, float] = {}
        """Id of a job → since when its end is asked for."""

    def state(self, known: Known) -> str | None:
        """In which state a job ended; empty if nobody tells, None as long as that isn't clear."""
        claim = known.folder.claimant()
        id = known.id or (claim.id if claim else "")
        if not id:
            return ""
        array, now = id.partition("_")[0], time.monotonic()
        since = self._since.setdefault(id, now)
        if array in self._asking:
            self._hear(array)
        asked, said = self._said.get(array, (float("-inf"), {}))
        if state := said.get(f"{id} {known.name}"):
            return state
        if asked >= since + LATE:
            return ""
        if array not in self._asking and now >= asked + PAUSE:
            self._asking[array] = accounting(array)
        return None

    def _hear(self, array: str) -> None:
        answer = self._asking[array].answer()
        if answer:
            # Where there is no accounting, nothing is waited for.
            late = 0.0 if answer.status == 0 else LATE
            self._said[array] = self._asking.pop(array).began + late, accounted(answer)
