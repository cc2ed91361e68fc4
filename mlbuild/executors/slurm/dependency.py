"""How a job comes behind others, in Slurm's words: an array behind arrays goes by index, so that none waits for all.

Blind to what comes behind what, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dependency:
    """What must have succeeded before a job starts.

    Attributes:
        jobs: jobs, arrays, and single jobs of arrays.
        over: arrays of which all jobs must be over, well or not: they may do each other's work.
        arrays: of these, the job with the same index as this one.
        index: that; None if there are none.
    """

    jobs: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    index: int | None = None

    def option(self, *, as_array: bool) -> str:
        """As the option of `sbatch` has it, for a job of an array or one alone; empty if there is nothing before it."""
        jobs = self.jobs if as_array else (*self.jobs, *(f"{array}_{self.index}" for array in self.arrays))
        kinds = {"afterok": jobs, "afterany": self.over, "aftercorr": self.arrays if as_array else ()}
        return ",".join(":".join((kind, *ids)) for kind, ids in kinds.items() if ids)


def dependency(ids: Iterable[str], sizes: Mapping[str, int]) -> Dependency:
    """Behind these jobs.

    Args:
        ids: as Slurm calls them, `12` or `12_3`.
        sizes: of the arrays whose jobs do no other work than their own, by their ids.
    """
    jobs: list[str] = []
    found: dict[str, list[int]] = {}
    for id in ids:
        array, _, index = id.partition("_")
        if index:
            found.setdefault(array, []).append(int(index))
        else:
            jobs.append(id)
    over = tuple(array for array in found if array not in sizes)
    whole = [array for array, indices in found.items() if len(indices) == sizes.get(array)]
    parts = {array: indices for array, indices in found.items() if array not in (*whole, *over)}
    same = {index for indices in parts.values() for index in indices}
    if len(same) == 1:
        return Dependency((*jobs, *whole), over, tuple(parts), same.pop())
    single = (f"{array}_{index}" for array, indices in parts.items() for index in indices)
    return Dependency((*jobs, *whole, *single), over)
