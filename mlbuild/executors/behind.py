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


def found(job: Job, results: Mapping[str, JobResult], patience: float) -> dict[str, str]:
    """Path → digest of what was yet to be made.

    Args:
        results: of the attempts before it.
        patience: seconds after which the file system shows here what they have left, wherever they were.
    """
    until = time.monotonic() + patience
    return {read.path: _digest(job, read, results[read.maker], until) for read in job.reads if read.maker}


def completed(job: Job, digests: Mapping[str, str]) -> Job:
    """The job, with the digests of what was yet to be made."""
    reads = tuple(replace(read, digest=digests[read.path]) if read.maker else read for read in job.reads)
    own = job.checkpoints
    if own and own.parts:
        parts = own.parts | {f"input {path}": digest for path, digest in digests.items()}
        # What stands before a key says that it holds for one build.
        *only, _ = own.key.split()
        key = " ".join((*only, digest.digest_parts(parts | own.neutral)))
        own = replace(own, key=key, fingerprint=digest.digest_parts(parts), parts={}, neutral={})
    return replace(job, reads=reads, checkpoints=own)


def _digest(job: Job, read: Read, result: JobResult, until: float) -> str:
    """Of a file or directory: as its maker tells; of one within a directory that it made, as it is now."""
    path = os.path.join(job.workspace, read.path)
    told = next((made.digest for made in result.made if made.path == read.path), None)
    while True:
        now = digest.digest_path(path)
        if now and told in (None, now[0]):
            return now[0]
        if time.monotonic() > until:
            return told or ""
        time.sleep(LOOK_EVERY)
