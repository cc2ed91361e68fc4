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
        arrays: of these, the job with the same index as this one.
        index: that; None if there are none.
    """

    jobs: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    index: int | None = None

    def option(self, *, as_array: bool) -> str:
        """As the option of `sbatch` has it, for a job of an array or one alone; empty if there is nothing before it."""
        jobs = self.jobs if as_array else (*self.jobs, *(f"{array}_{self.index}" for array in self.arrays))
        kinds = {"afterok": jobs, "aftercorr": self.arrays if as_array else ()}
        return ",".join(":".join((kind, *ids)) for kind, ids in kinds.items() if ids)


def dependency(ids: Iterable[str], sizes: Mapping[str, int]) -> Dependency:
    """Behind these jobs.

    Args:
        ids: as Slurm calls them, `12` or `12_3`.
        sizes: of the arrays that are known, by their ids.
    """
    jobs: list[str] = []
    found: dict[str, list[int]] = {}
    for id in ids:
        array, _, index = id.partition("_")
        if index:
            found.setdefault(array, []).append(int(index))
        else:
            jobs.append(id)
    whole = [array for array, indices in found.items() if len(indices) == sizes.get(array)]
    parts = {array: indices for array, indices in found.items() if array not in whole}
    same = {index for indices in parts.values() for index in indices}
    if len(same) == 1:
        return Dependency((*jobs, *whole), tuple(parts), same.pop())
    single = (f"{array}_{index}" for array, indices in parts.items() for index in indices)
    return Dependency((*jobs, *whole, *single))
