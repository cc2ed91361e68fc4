"""What Slurm's accounting says of jobs that its queue knows no more: how they ended, where there is any.

Whatever it doesn't say, says wrong or doesn't come to say changes nothing. Blind to what follows from it.
"""

from __future__ import annotations

from mlbuild.executors.slurm.commands import Command, accounted, accounting
from mlbuild.executors.slurm.known import Known


class Accounting:
    """Asks for all jobs of an array at once, and once only."""

    def __init__(self) -> None:
        self._asking: dict[str, Command] = {}
        self._said: dict[str, dict[str, str]] = {}
        """Id of an array → id of a job and its name → state."""

    def state(self, known: Known) -> str | None:
        """In which state a job ended; empty if nobody tells, None as long as that isn't clear."""
        claim = known.folder.claimant()
        id = known.id or (claim.id if claim else "")
        array = id.partition("_")[0]
        if array and array not in self._said:
            if array not in self._asking:
                self._asking[array] = accounting(array)
            answer = self._asking[array].answer()
            if answer is None:
                return None
            self._said[array] = accounted(answer)
        return self._said.get(array, {}).get(f"{id} {known.name}", "")
