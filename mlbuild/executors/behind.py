"""A job that was submitted behind others: what they made is what it reads. Blind to how it comes after them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace

from mlbuild import digest
from mlbuild.executors.job import Job, JobResult, Read

LOOK_EVERY = 0.25
"""Seconds between two looks at whether a file system shows what others have made."""


def problem(job: Job, results: Mapping[str, JobResult | None]) -> str:
    """Which of the attempts before it did not succeed, in words; empty if all did."""
    for attempt in job.after:
        result = results[attempt]
        if result is None:
            return f"what it needs has not ended (attempt {attempt})"
        if not result.ok:
            return f"what it needs came to nothing (attempt {attempt}: {result.reason})"
    return ""


def completed(job: Job, results: Mapping[str, JobResult], patience: float) -> Job:
    """The job, with the digests of what was yet to be made.

    Args:
        results: of the attempts before it.
        patience: seconds after which the file system shows here what they have left, wherever they were.
    """
    until = time.monotonic() + patience
    return replace(
        job, reads=tuple(_known(job, read, results[read.maker], until) if read.maker else read for read in job.reads)
    )


def found(job: Job) -> dict[str, str]:
    """As `JobResult.found`, of a completed job."""
    return {read.path: read.digest for read in job.reads if read.maker}


def _known(job: Job, read: Read, result: JobResult, until: float) -> Read:
    """A file or directory with its digest: as its maker tells; of one within a directory that it made, as it is now."""
    path = os.path.join(job.workspace, read.path)
    told = next((made.digest for made in result.made if made.path == read.path), None)
    while True:
        seen = digest.signature(path)
        now = digest.digest_path(path) if seen else None
        if seen and now and told in (None, now[0]):
            return replace(read, digest=now[0], signature=seen[0])
        if time.monotonic() > until:
            return replace(read, digest=told or "")
        time.sleep(LOOK_EVERY)
