"""How many jobs of each target may run at once where that is limited, over all arrays of it that Slurm has.

Slurm keeps to it within an array (`--array=0-364%20`); what an array leaves free, the next one may use, or itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mlbuild.executors.slurm.commands import Orders
from mlbuild.executors.slurm.known import Known


class Widths:
    """The width of an array is how many of its jobs Slurm runs at once.

    Args:
        most: target → at most so many of its jobs run at once; the others have no limit.
        known: all jobs whose end was not told yet.
    """

    def __init__(self, most: Mapping[str, int], known: Mapping[str, Known], orders: Orders) -> None:
        self._most = most
        self._known = known
        self._orders = orders
        self._of: dict[str, int] = {}
        """By the name of an array, if it was submitted here."""

    def free(self, target: str) -> int | None:
        """How wide the next array of a target may be: 0 as long as it has to wait; None without a limit.

        It waits as long as Slurm has another of which more jobs are left than may run: what is free is for those.
        """
        if target not in self._most:
            return None
        left = self._left()[target]
        return 0 if self._too_narrow(target, left) else max(0, self._unused(target, left))

    def widen(self) -> None:
        """Let arrays use what others have left free."""
        for target, left in self._left().items():
            name, unused = self._too_narrow(target, left), self._unused(target, left)
            if name and unused > 0 and (id := left[name][0].id.partition("_")[0]):
                self._of[name] = width = self._width(target, name) + unused
                self._orders.give(["scontrol", "update", f"ArrayTaskThrottle={width}"], [f"JobId={id}"])

    def note(self, name: str, width: int | None) -> None:
        """An array is submitted of which so many run at once."""
        if width is not None:
            self._of[name] = width

    def _left(self) -> dict[str, dict[str, list[Known]]]:
        """Of each target with a limit, what Slurm has been given and is not over, by array."""
        left: dict[str, dict[str, list[Known]]] = defaultdict(lambda: defaultdict(list))
        for known in self._known.values():
            if known.name and known.target in self._most and known.job.run == known.job.attempt:
                left[known.target][known.name].append(known)
        return left

    def _width(self, target: str, name: str) -> int:
        """That of an array; if another build has submitted it, at most what is allowed."""
        return self._of.get(name, self._most[target])

    def _unused(self, target: str, left: Mapping[str, Sequence[Known]]) -> int:
        return self._most[target] - sum(min(self._width(target, name), len(each)) for name, each in left.items())

    def _too_narrow(self, target: str, left: Mapping[str, Sequence[Known]]) -> str | None:
        """An array of which more are left than may run."""
        return next((name for name, each in left.items() if len(each) > self._width(target, name)), None)
