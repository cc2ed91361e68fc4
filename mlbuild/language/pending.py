"""What the grammar reads and nothing carries out yet. Whoever brings one of these removes its row."""

from __future__ import annotations

from mlbuild.errors import Location, PipelineError

NOT_YET = frozenset(
    {
        # kinds of executors
        "ray()",
        # clauses
        "when:",
        *("after failed", "after finished", "after started"),
        # items of inputs and outputs
        *("first()", "any()"),
        # options of clauses
        "share_resumed",
    }
)


def refuse_pending(what: str, at: Location, shown: str | None = None) -> None:
    """Raise PipelineError if `what` is not there yet; the message calls it `shown`, else what the table calls it."""
    if what in NOT_YET:
        raise PipelineError(f"`{shown or what}` is not there yet", at, "a later version of mlbuild brings it")
