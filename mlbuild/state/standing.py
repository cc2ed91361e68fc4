"""How an attempt stands on a cluster, as its build has written it down. Blind to what a cluster is."""

from __future__ import annotations

import json

from msgspec import Struct
from msgspec.structs import asdict


class Standing(Struct, frozen=True):
    """Of an attempt that was submitted. Times are epoch seconds.

    Attributes:
        queued: it waits; else it runs, or ran.
        reason: for which it waits, as the cluster calls it; empty as long as that does not tell.
        why: the same in words.
        starts: when it should begin; None if nobody knows.
        since: when it began; None if it waits, or runs since it was submitted.
        node: where it runs; empty: on this machine.
        gpus: that it was lent.
    """

    queued: bool = False
    reason: str = ""
    why: str = ""
    starts: float | None = None
    since: float | None = None
    node: str = ""
    gpus: tuple[str, ...] = ()

    def packed(self) -> str:
        return json.dumps(asdict(self))


HERE = Standing()
"""It runs on this machine, since it was submitted."""


def unpacked(text: str | None) -> Standing:
    """What `packed` gave; of an attempt of which nothing was written down, that it runs on this machine."""
    if text is None:
        return HERE
    row = json.loads(text)
    return Standing(**{**row, "gpus": tuple(row["gpus"])})
