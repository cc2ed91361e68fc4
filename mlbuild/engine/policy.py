"""What follows from a failure: whether to try again and when. Pure."""

from __future__ import annotations

import random

from mlbuild.executors.job import JobResult, Reason
from mlbuild.target import Retry

NEVER = frozenset({Reason.CANCELLED, Reason.MISSING_OUTPUT})
"""Trying again would not help: nobody wants it, or the recipe itself is wrong."""


def delay_before_retry(retry: Retry, failures: int, result: JobResult) -> float | None:
    """Seconds to wait before the next attempt; None if there is none.

    Args:
        failures: how many attempts have failed, this one included.
    """
    if failures > retry.count or result.reason in NEVER:
        return None
    if retry.on and not _named(retry.on, result):
        return None
    delay = min(retry.backoff * 2.0 ** (failures - 1), retry.longest)
    # Jitter, so that tasks that failed together do not all come back together.
    return delay * random.uniform(0.75, 1.0)


def _named(classes: tuple[str, ...], result: JobResult) -> bool:
    return str(result.reason) in classes or (result.reason is Reason.EXIT and str(result.exit_status) in classes)
