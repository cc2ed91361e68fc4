"""What an executor is given, what it answers, and the protocol between. Unaware of targets, the graph and caching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self


class Reason(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    EXIT = "exit"
    """The recipe ended with a status other than 0."""
    SIGNAL = "signal"
    """The recipe was killed by a signal that mlbuild did not send."""
    TIMEOUT = "timeout"
    STALLED = "stalled"
    """It went on without a sign of life for longer than its target allows."""
    OUT_OF_MEMORY = "out_of_memory"
    """The kernel killed it for want of memory, or so it seems."""
    PREEMPTED = "preempted"
    """Somebody's signal ended it after it had left a new checkpoint: it goes on from there."""
    CANCELLED = "cancelled"
    """Stopped because somebody asked for it."""
    MISSING_OUTPUT = "missing_output"
    CHECK_FAILED = "check_failed"
    """It went well, but what it made is not what its conditions ask for."""
    INPUT_CHANGED = "input_changed"
    """An input was not what the fingerprint says: before the start (`started` is 0) or meanwhile."""
    NOT_STARTED = "not_started"
    """The recipe could not be started at all: no shell, no log file, no memory."""
    LOST = "lost"
    """Neither a result nor anybody who could still bring one."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file or directory that the attempt must find as it was fingerprinted."""

    path: str
    digest: str
    signature: str
    """As `digest.signature` gives it: while that is the same, the content is not looked at again."""
    is_code: bool = False
    """It counts by what it means. Whether an edit meanwhile changed that, its driver knows."""
    maker: str = ""
    """The attempt that has yet to make it, and whose result then tells its digest; empty: the digest is known."""


@dataclass(frozen=True, slots=True)
class Made:
    """An output as it was when the recipe ended; size in bytes."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that the attempt was seen to read although the job does not name it."""

    path: str
    digest: str
    """Of what was read; empty if that is no longer known, since the file changed meanwhile."""
    is_new: bool
    """It was written since the attempt began, so perhaps by itself."""
    by_other: bool = False
    """It is Python code, and a process read it that began with none of the job's `programs`."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where an attempt leaves checkpoints, and what says which of those that lie there it may go on from.

    Attributes:
        directory: relative to the workspace, with a `/` at the end.
        key: the resume key: a checkpoint that was written under another one is not for this attempt.
        fingerprint: the key of the task's fingerprint.
        ignored: name → value of the params that may differ: a checkpoint qualifies if each number is at least what it
            was when that was written, and all else is equal.
        keep: how many whole ones stay, the newest; None: all.
        complete: the name of the file that makes a folder a whole checkpoint; None: one is whole if it was renamed
            to its place.
    """

    directory: str
    key: str
    fingerprint: str
    ignored: dict[str, Any] = field(default_factory=dict)
    keep: int | None = None
    complete: str | None = None
    parts: dict[str, str] = field(default_factory=dict)
    """Of the fingerprint, if some of what it reads is yet to be made: both keys follow from these once it is."""
    neutral: dict[str, str] = field(default_factory=dict)
    """Those of them that are otherwise for the resume key."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A recipe that is run once for several attempts.

    Attributes:
        carrier: the attempt whose job holds the recipe. The jobs of the others say what they read and make, and are
            submitted with it, behind it.
        task: that of the carrier.
        size: how many attempts there are.
    """

    carrier: str
    task: str
    size: int


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at a task, with all that is needed to carry it out anywhere that sees the workspace.

    Paths are relative to `workspace`, which is absolute. `timeout` and `grace` are in seconds, memory in bytes.
    `attempt` is unique in the workspace and outlives this process; `task` is for people.
    """

    attempt: str
    task: str
    workspace: str
    recipe: str
    kind: str = "shell"
    environment: dict[str, str] = field(default_factory=dict)
    log: str = ""
    notes: str = ""
    """Where its Python processes note what they open; if empty, they don't."""
    programs: tuple[str, ...] = ()
    """What its Python processes are known to begin with: scripts, `-m MODULE`, `-c` for the recipe itself."""
    reads: tuple[Read, ...] = ()
    outputs: tuple[str, ...] = ()
    """Must be there at the end; one that ends in `/` is a directory."""
    checkpoints: Checkpoints | None = None
    timeout: float | None = None
    stall: float | None = None
    """Seconds without a sign of life after which it is stopped."""
    signal: int = 15
    grace: float = 10.0
    cpus: float = 1.0
    memory: int | None = None
    gpus: int = 0
    gpu_memory: int | None = None
    """Of each of its GPUs; None: they are its alone."""
    disk: int | None = None
    """Bytes that must be free when it starts."""
    nodes: int = 1
    executor: str = "local"
    pools: dict[str, float] = field(default_factory=dict)
    """What it takes of the executor's pools."""
    devices: tuple[str, ...] = ()
    """The GPUs that its executor has lent it."""
    has_visible: bool = False
    """A cluster has lent it the GPUs that CUDA_VISIBLE_DEVICES names where it runs."""
    batch: Batch | None = None
    """If others have a part in its run; each has its own handle and its own result."""
    after: tuple[str, ...] = ()
    """Attempts that must have succeeded before it starts. They are submitted with it, or go on."""

    @property
    def run(self) -> str:
        """The attempt whose process does its work: its own, unless it is carried by another of its batch."""
        return self.batch.carrier if self.batch else self.attempt

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        reads = tuple(Read(**row) for row in data["reads"])
        lists = {"outputs": tuple(data["outputs"]), "devices": tuple(data.get("devices", ()))}
        lists |= {name: tuple(data.get(name, ())) for name in ("programs", "after")}
        kept, batch = data.get("checkpoints"), data.get("batch")
        both = {"checkpoints": Checkpoints(**kept) if kept else None, "batch": Batch(**batch) if batch else None}
        return cls(**{**data, **lists, **both, "reads": reads})


@dataclass(frozen=True, slots=True)
class JobResult:
    """How an attempt ended. Times are epoch seconds, `max_rss` is in bytes, `cpu_seconds` user and system together.

    `exit_status` is the recipe's, or minus the signal that killed it. `detail` is for people: which input changed,
    which output is missing. Paths are relative to the workspace.
    """

    attempt: str
    reason: Reason
    exit_status: int = 0
    detail: str = ""
    started: float = 0.0
    ended: float = 0.0
    sharers: int = 1
    """How many attempts shared the run: its CPU time is divided among them."""
    max_rss: int = 0
    cpu_seconds: float = 0.0
    gpu_utilization: float | None = None
    """For which part of its time its GPUs were at work, on average, from 0 to 1; None if nobody can tell."""
    max_gpu_memory: int | None = None
    """The most bytes that it held on all its GPUs together; None if nobody can tell."""
    node: str = ""
    made: tuple[Made, ...] = ()
    opened: tuple[Opened, ...] = ()
    edited: tuple[str, ...] = ()
    """The files of code that were not as they had been any more when it ended."""
    resumed_from: str = ""
    """The checkpoint that it was given to go on from."""
    saved: int = 0
    """How many new whole checkpoints it left."""
    overlooked: str = ""
    """What it wrote among its checkpoints, if none of it counts: it is not known to be whole."""
    checkpoint: str = ""
    """The newest from which the next attempt can go on; empty without any."""
    grown_from: tuple[str, ...] = ()
    """The keys of the other fingerprints under which what it went on from was written."""
    found: dict[str, str] = field(default_factory=dict)
    """Path → digest of what it read and others had yet to make when it was submitted."""

    @property
    def ok(self) -> bool:
        return self.reason is Reason.OK

    @property
    def seconds(self) -> float:
        """How long it ran, or its share of that; 0 if it never began."""
        return (self.ended - self.started) / self.sharers if self.started else 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        made = tuple(Made(**row) for row in data["made"])
        opened = tuple(Opened(**row) for row in data["opened"])
        lists = {name: tuple(data.get(name, ())) for name in ("edited", "grown_from")}
        return cls(**{**data, **lists, "reason": Reason(data["reason"]), "made": made, "opened": opened})


@dataclass(frozen=True, slots=True)
class Waits:
    """An attempt was submitted and has not begun.

    Attributes:
        reason: for which it waits, as its executor calls it; empty as long as that does not tell.
        why: the same in words.
        starts: when it is expected to begin, in epoch seconds; None if nobody knows.
    """

    attempt: str
    reason: str = ""
    why: str = ""
    starts: float | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """An attempt runs.

    Attributes:
        at: since when, in epoch seconds; None: since it was submitted.
        node: where; empty: on this machine.
        gpus: that it was lent, as they are called there.
    """

    attempt: str
    at: float | None = None
    node: str = ""
    gpus: tuple[str, ...] = ()


class Executor(Protocol):
    """A place where jobs run. It answers by results and never calls anybody back."""

    def has_room(self, job: Job) -> bool:
        """Whether the job could start now, beside what was submitted and has not finished."""
        ...

    def queues(self, executor: str) -> bool:
        """Whether what is submitted waits there for its turn, so that only so many of a target run at once as may."""
        ...

    def too_large(self, job: Job) -> str | None:
        """What the job asks for that can never be had here, in words; None if it fits."""
        ...

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Start these, all that are ready together. The handles, one a job, outlive this process.

        The jobs of a batch are one run of the recipe of the first of them, which has to find what all of them read. It
        takes what that one asks for, and each has a result of its own. At the latest they are started while `finished`
        is waited in: what is submitted meanwhile may go together.
        """
        ...

    def finished(self, timeout: float) -> list[JobResult]:
        """Results that have come in, after waiting for one at most `timeout` seconds. Each is given once."""
        ...

    def find(self, job: Job) -> str | None:
        """The handle of a job whose submitter died before it noted one; None if it was never submitted."""
        ...

    def reattach(self, handle: str, job: Job) -> bool:
        """Take over a job that another process submitted; its result will come out of `finished`.

        False if nobody is left who runs it or knows how it ended: it is lost, and nothing of it runs any more.
        """
        ...

    def standing(self) -> Sequence[Waits | Began]:
        """How attempts stand that have not ended, where that is not what was told before. Asks nobody, and never waits.

        Of one that is over soon only the result may tell.
        """
        ...

    def news(self) -> list[str]:
        """What there is to say of where jobs run, in words; each is given once."""
        ...

    def cancel(self, handles: Sequence[str], *, now: bool = False) -> None:
        """Stop these jobs, and those of the same batches, with their signal and grace, or at once; their results still
        come."""
        ...

    def hold_back(self) -> None:
        """Don't begin what was submitted and has not begun; the results of that come, as cancelled."""
        ...

    def end(self, handle: str, job: Job) -> None:
        """Stop a job that another process submitted, and wait until nothing of it runs. How it ended is not told."""
        ...

    def close(self) -> None:
        """Let go. What still runs goes on."""
        ...
