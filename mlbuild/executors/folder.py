"""The folder of one run on another node, of an attempt or of a batch: what its driver and the node tell each other.

Both see it, through a file system that may show the one late what the other has written. Blind to what a cluster is.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from glob import escape, glob
from typing import Any

from mlbuild.executors.job import Job, JobResult

JOB, SCRIPT, OUTPUT = "job.json", "script.sh", "slurm.out"
CLAIM, STOP, REFUSED = "claim", "stop", "refused"
RESULTS = "results"
"""Beside the folders of the jobs: one listing of it tells of all that have ended."""
SOFT, NOW, REVOKED = "soft", "now", "revoked"
"""What a driver can ask for: an end with signal and grace, one at once, one of what it takes for lost."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the driver writes down before anything is submitted.

    Attributes:
        jobs: of the run: one, or those of a batch.
        name: what the cluster calls the job. No other submission is ever called so.
        index: which of an array it is; None: it is no array.
        limit: after so many seconds the cluster ends it; None: that is not known.
        delay: seconds after which both are sure to see what the other has written.
    """

    jobs: tuple[Job, ...]
    name: str
    index: int | None
    limit: float | None
    delay: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What a node says as it takes a run.

    Attributes:
        id: of the cluster's job.
        node: empty if a driver has seen to it that no node will.
        at: when, in epoch seconds.
        gpus: that the cluster lent it, as they are called on the node.
    """

    id: str
    node: str
    at: float = 0.0
    gpus: tuple[str, ...] = ()


class JobFolder:
    """The folder of a run.

    Args:
        path: absolute; its last part is the name of the attempt that carries it.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    # --- the driver's part

    def write(self, note: Note) -> None:
        """Say what is going to be submitted. Raises OSError."""
        os.makedirs(self.path, exist_ok=True)
        os.makedirs(self._beside(RESULTS), exist_ok=True)
        self._put(self.at(JOB), {**asdict(note), "jobs": [job.as_json() for job in note.jobs]})

    def ask(self, how: str) -> None:
        """Have it end. Raises OSError."""
        self._put(self.at(STOP), {"how": how})

    def result(self, attempt: str) -> JobResult | None:
        """How an attempt ended, as its node tells; None if it doesn't (yet)."""
        try:
            row = _read(self._beside(RESULTS, attempt))
        except OSError:  # as long as the file system has a fault, nobody can tell
            return None
        return JobResult.from_json(row) if row else None

    def refusal(self) -> str:
        """Why its node could not begin; empty if it could, or if that isn't told."""
        try:
            with open(self.at(REFUSED), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""

    def claimant(self) -> Claim | None:
        """The node that has taken it; None if it never began. Raises OSError."""
        row = _read(self.at(CLAIM))
        return Claim(**{**row, "gpus": tuple(row.get("gpus", ()))}) if row and row["node"] else None

    def withdraw(self) -> bool:
        """See to it that it never begins; False if it has. Of this and a claim one comes first. Raises OSError."""
        return self.claim(Claim("", "")) or self.claimant() is None

    def is_withdrawn(self) -> bool:
        """Whether it was seen to that it never begins. Raises OSError."""
        row = _read(self.at(CLAIM))
        return bool(row) and not row["node"]

    def silence(self) -> float:
        """For how many seconds its node has shown no sign of life, by the clock of the file system. Raises OSError."""
        return self._age(self.at(CLAIM))

    def age(self, attempt: str) -> float:
        """How many seconds ago its node has told how an attempt ended, by that clock. Raises OSError."""
        return self._age(self._beside(RESULTS, attempt))

    def _age(self, path: str) -> float:
        """After this, what there is of results is seen: NFS looks anew at a folder in which we have made something, and
        at a file that is opened."""
        probe = self._beside(RESULTS, f".clock-{os.getpid()}")
        with open(probe, "w") as file:
            now = os.fstat(file.fileno()).st_mtime
        os.unlink(probe)
        try:
            with open(path) as file:
                return now - os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return float("inf")

    # --- the node's part

    def claim(self, claim: Claim) -> bool:
        """Take the job; False if another has: the cluster started it anew, or it was submitted twice, or withdrawn; or
        if the folder is gone, since its attempt is over.

        Raises OSError.
        """
        whole = self.at(f"{CLAIM}.{os.getpid()}.{claim.node}")
        try:
            self._put(whole, asdict(claim))
            os.link(whole, self.at(CLAIM))
        except (FileExistsError, FileNotFoundError):
            return False
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(whole)
        return True

    def beat(self) -> None:
        """Show a sign of life. A file system that doesn't take it will take the next."""
        with contextlib.suppress(OSError):
            os.utime(self.at(CLAIM))

    def publish(self, result: JobResult) -> None:
        """Tell how an attempt ended. Raises OSError."""
        self._put(self._beside(RESULTS, result.attempt), result.as_json())

    # --- of both

    def read(self) -> Note | None:
        """What was written; None if nothing was."""
        row = _read(self.at(JOB))
        return Note(**{**row, "jobs": tuple(map(Job.from_json, row["jobs"]))}) if row else None

    def asked(self) -> str:
        """How it shall end; empty if nobody asked for it."""
        row = _read(self.at(STOP))
        return row["how"] if row else ""

    def at(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _beside(self, *names: str) -> str:
        return os.path.join(os.path.dirname(self.path), *names)

    def _put(self, path: str, row: dict[str, Any]) -> None:
        part = f"{path}.{os.getpid()}.part"
        try:
            with open(part, "w", encoding="utf-8") as file:
                json.dump(row, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise


def ended(jobs: str) -> set[str]:
    """The attempts of which there is a result, in the folder of all jobs, as far as can be told."""
    try:
        return set(os.listdir(os.path.join(jobs, RESULTS)))
    except OSError:
        return set()


def still_runs(jobs: str, run: str, attempt: str) -> bool:
    """Whether a run was submitted and not given up, and there is no result of an attempt in it. Asks nobody."""
    place = JobFolder(os.path.join(jobs, run))
    return place.read() is not None and not place.is_withdrawn() and attempt not in ended(jobs)


def lost(jobs: str, since: float) -> Iterator[tuple[str, str]]:
    """The tasks that were given up while they ran, each with its node, as far as can be told.

    Args:
        jobs: the folder of all.
        since: in epoch seconds.
    """
    for path in glob(os.path.join(escape(jobs), "*", STOP)):
        place = JobFolder(os.path.dirname(path))
        with contextlib.suppress(OSError):
            if os.stat(path).st_mtime > since and place.asked() == REVOKED:
                note, claim = place.read(), place.claimant()
                if note and claim:
                    yield from ((job.task, claim.node) for job in note.jobs)


def _read(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):  # ESTALE: it was there, over NFS
            return None
        raise
