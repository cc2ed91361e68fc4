"""What happens in a build, as values. A screen, a log and a file of JSON lines are folds over them."""

from __future__ import annotations

from dataclasses import dataclass

from mlbuild.engine.decide import Reason


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """`tasks` counts all that the goals need; `run` is the build's number; at most `jobs` tasks run at once."""

    run: int
    goals: tuple[str, ...]
    tasks: int
    jobs: int


@dataclass(frozen=True, slots=True)
class TaskFresh:
    """Nothing to do for it."""

    task: str


@dataclass(frozen=True, slots=True)
class TaskReady:
    """It must run; `reasons` says why; `expected` is in seconds, from history, None without any."""

    task: str
    reasons: tuple[Reason, ...]
    expected: float | None


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """`resumed_from` is the checkpoint that it goes on from, empty without any. `taken_over_from` is the build that had
    started it `ran` seconds ago, and died; None: it starts now. This run of the recipe is for `batch` tasks, the
    first of which is `carrier`; empty: it is for this one alone."""

    task: str
    attempt: int
    executor: str
    resumed_from: str = ""
    taken_over_from: int | None = None
    ran: float = 0.0
    batch: int = 1
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class TaskBegunAnew:
    """An attempt that starts now can't go on from the checkpoints that lie in `directory`: they are set aside.
    `reasons` is what differs, from what they were written for to what is wanted; empty if that is not known."""

    task: str
    directory: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """A running attempt says how far it is: `done` of `total` (None: unknown), and the values of its `metrics` now."""

    task: str
    done: float
    total: float | None
    metrics: dict[str, float | str]


@dataclass(frozen=True, slots=True)
class TaskRestored:
    task: str


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """It ran and succeeded; memory is in bytes. `gpu_utilization` is from 0 to 1; what is None is not known."""

    task: str
    seconds: float
    max_rss: int
    cpu_seconds: float
    executor: str
    attempt: int
    gpu_utilization: float | None = None
    max_gpu_memory: int | None = None


@dataclass(frozen=True, slots=True)
class TaskFailed:
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


@dataclass(frozen=True, slots=True)
class TaskRetried:
    """An attempt failed; the next one starts in `delay` seconds."""

    task: str
    exit_code: int
    reason: str
    attempt: int
    delay: float
    detail: str


@dataclass(frozen=True, slots=True)
class TaskPreempted:
    """An attempt was ended from outside, ran out of time or stalled, but left a new checkpoint: the next goes on from
    there at once, and no retry is used up."""

    task: str
    reason: str
    attempt: int
    checkpoint: str
    detail: str


@dataclass(frozen=True, slots=True)
class BatchFailed:
    """A run of a recipe for several tasks came to nothing, which does not tell whose fault it is: each of them is tried
    again alone, and no retry is used up. `log` is where its log lies."""

    tasks: tuple[str, ...]
    exit_code: int
    reason: str
    detail: str
    log: str


@dataclass(frozen=True, slots=True)
class TaskBlocked:
    """`by` is what failed, was cancelled or is missing."""

    task: str
    by: str


@dataclass(frozen=True, slots=True)
class TaskCancelled:
    """`checkpoint` is what another build could go on from, empty without any."""

    task: str
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A word that belongs to no change of state: an edited output was moved, another build is waited for."""

    text: str
    task: str | None = None


@dataclass(frozen=True, slots=True)
class KeysListed:
    """The keys of a partition are not what they were last time: `task` lists `keys` of them now. `new` and `gone` are
    those that it did not list then, or does no more; `tasks` counts all that the goals need now."""

    task: str
    partition: str
    keys: int
    new: tuple[str, ...]
    gone: tuple[str, ...]
    tasks: int


@dataclass(frozen=True, slots=True)
class BuildFinished:
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
    | TaskStarted
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
