"""What happens in a build, as values. A screen, a log and a file of JSON lines are folds over them."""

from __future__ import annotations

from msgspec import Struct

from mlbuild.engine.decide import Reason


class BuildStarted(Struct, frozen=True):
    """`tasks` counts all that the goals need; `run` is the build's number; at most `jobs` tasks run at once."""

    run: int
    goals: tuple[str, ...]
    tasks: int
    jobs: int


class TaskFresh(Struct, frozen=True):
    """Nothing to do for it."""

    task: str


class TaskReady(Struct, frozen=True):
    """It must run; `reasons` says why; `expected` is in seconds, from history, None without any."""

    task: str
    reasons: tuple[Reason, ...]
    expected: float | None


class TasksQueued(Struct, frozen=True):
    """Attempts at these tasks, all of one target, were handed over to a cluster, where they wait, or wait for another
    reason than was told before. `reason` is what the cluster calls it, `why` the same in words: both are empty until it
    tells. `starts` is when they are expected to begin, in epoch seconds; None if nobody knows."""

    tasks: tuple[str, ...]
    executor: str
    reason: str = ""
    why: str = ""
    starts: float | None = None


class TaskStarted(Struct, frozen=True):
    """It runs, for `ran` seconds already, on a `node` of a cluster or, if that is empty, on this machine, with these
    `gpus`. `resumed_from` is the checkpoint that it goes on from, empty without any. `taken_over_from` is the build
    that had started it, and died, or had submitted it and `left`; None: this one has. This run of the recipe is for
    `batch` tasks, the first of which is `carrier`; empty: it is for this one alone."""

    task: str
    attempt: int
    executor: str
    resumed_from: str = ""
    taken_over_from: int | None = None
    ran: float = 0.0
    left: bool = False
    batch: int = 1
    carrier: str = ""
    node: str = ""
    gpus: tuple[str, ...] = ()


class TaskSubmitted(Struct, frozen=True):
    """It is left to its executor, which starts it once those of `behind` have succeeded; the next build takes in its
    result."""

    task: str
    executor: str
    attempt: int
    behind: tuple[str, ...]


class Submitted(Struct, frozen=True):
    """A cluster has taken so many jobs; those that are alike are `arrays`, of several jobs each."""

    jobs: int
    arrays: int


class TaskBegunAnew(Struct, frozen=True):
    """An attempt that starts now can't go on from the checkpoints that lie in `directory`: they are set aside.
    `reasons` is what differs, from what they were written for to what is wanted; empty if that is not known."""

    task: str
    directory: str
    reasons: tuple[Reason, ...]


class TaskProgress(Struct, frozen=True):
    """A running attempt says how far it is: `done` of `total` (None: unknown), and the values of its `metrics` now."""

    task: str
    done: float
    total: float | None
    metrics: dict[str, float | str]


class TaskRestored(Struct, frozen=True):
    task: str


class TaskFinished(Struct, frozen=True):
    """It ran and succeeded; memory is in bytes. `gpu_utilization` is from 0 to 1; what is None is not known."""

    task: str
    seconds: float
    max_rss: int
    cpu_seconds: float
    executor: str
    attempt: int
    gpu_utilization: float | None = None
    max_gpu_memory: int | None = None


class TaskFailed(Struct, frozen=True):
    """An attempt failed for good. `detail` says more in words, `log` is where its log lies, `tail` its last lines;
    `checkpoint` is what another build could go on from, empty without any."""

    task: str
    exit_code: int
    reason: str
    detail: str
    command: str
    log: str
    tail: tuple[str, ...]
    attempt: int
    checkpoint: str = ""


class TaskRetried(Struct, frozen=True):
    """An attempt failed; the next one starts in `delay` seconds."""

    task: str
    exit_code: int
    reason: str
    attempt: int
    delay: float
    detail: str


class TaskPreempted(Struct, frozen=True):
    """An attempt was ended from outside, ran out of time or stalled, but left a new checkpoint: the next goes on from
    there at once, and no retry is used up. So it is if a cluster took its place before it began; `checkpoint` is then
    empty."""

    task: str
    reason: str
    attempt: int
    checkpoint: str
    detail: str


class BatchFailed(Struct, frozen=True):
    """A run of a recipe for several tasks came to nothing, which does not tell whose fault it is: each of them is tried
    again alone, and no retry is used up. `log` is where its log lies."""

    tasks: tuple[str, ...]
    exit_code: int
    reason: str
    detail: str
    log: str


class TaskBlocked(Struct, frozen=True):
    """`by` is what failed, was cancelled or is missing."""

    task: str
    by: str


class TaskCancelled(Struct, frozen=True):
    """`checkpoint` is what another build could go on from, empty without any."""

    task: str
    checkpoint: str = ""


class Said(Struct, frozen=True):
    """A word that belongs to no change of state: an edited output was moved, another build is waited for."""

    text: str
    task: str | None = None


class KeysListed(Struct, frozen=True):
    """The keys of a partition are not what they were last time: `task` lists `keys` of them now. `new` and `gone` are
    those that it did not list then, or does no more; `tasks` counts all that the goals need now."""

    task: str
    partition: str
    keys: int
    new: tuple[str, ...]
    gone: tuple[str, ...]
    tasks: int


class BuildFinished(Struct, frozen=True):
    """`counts` is how many tasks ended in each state; `seconds` is how long the build took."""

    exit_status: int
    seconds: float
    counts: dict[str, int]
    overrides: tuple[tuple[str, str, str], ...] = ()
    """(name, value in effect, value without the override) of what was built with."""


Event = (
    BuildStarted
    | TaskFresh
    | TaskReady
    | TasksQueued
    | TaskStarted
    | TaskSubmitted
    | Submitted
    | TaskBegunAnew
    | TaskProgress
    | TaskRestored
    | TaskFinished
    | TaskFailed
    | TaskRetried
    | TaskPreempted
    | BatchFailed
    | TaskBlocked
    | TaskCancelled
    | Said
    | KeysListed
    | BuildFinished
)
