"""What attempts took of what they asked for, target by target, and what would do. Blind to all but the journal.

Of memory the largest process of an attempt is known, of CPUs what its own processes did: not what others did for it, as
those on the other nodes of a cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mlbuild.state.runs import Asked, Attempted

LITTLE, CLOSE = 0.5, 0.9
"""Below, and above, these parts of what was asked for there is something to say."""
SPARE = 1.25
"""By how much more than what was needed would do."""
WORTH_IT = 256 << 20
"""Bytes of memory that are worth a word."""
LONG = 60.0
"""Seconds of work after which it is worth one how busy CPUs and GPUs were."""


class Usage(Struct, frozen=True):
    """What the attempts of a target took that asked for the same.

    Attributes:
        seconds: that they took together.
        seen: of these, seconds of attempts of which it is known what their processes took. Of one that its node took
            with it, it is not.
        max_rss: bytes of the largest process of any.
        cpu_seconds: of all.
        gpu_utilization: for which part of the time GPUs were at work, from 0 to 1; None if nobody can tell.
        out_of_memory: one was killed for want of memory.
    """

    target: str
    asked: Asked
    attempts: int
    seconds: float
    seen: float
    max_rss: int
    cpu_seconds: float
    gpu_utilization: float | None
    out_of_memory: bool

    @property
    def memory_part(self) -> float | None:
        """Which part of the memory that it asked for the largest process held; None if that is not known."""
        return self.max_rss / self.asked.memory if self.asked.memory and self.max_rss else None

    @property
    def cpus_busy(self) -> float:
        """How many CPUs were at work on average."""
        return self.cpu_seconds / self.seen if self.seen else 0.0

    @property
    def gpu_hours(self) -> float:
        return self.seconds * self.asked.gpus * self.asked.nodes / 3600

    @property
    def says_much(self) -> bool:
        """Whether it is long enough, and all of it was seen."""
        return self.seen >= LONG and self.asked.nodes == 1


class Advice(Struct, frozen=True):
    """What would do of something that was asked for.

    Attributes:
        what: `memory`, `cpus` or `gpus`.
        enough: what would do, in bytes or CPUs; None: that is not known.
        more: what was asked for was scarce; else it was too much.
    """

    what: str
    enough: int | None = None
    more: bool = False


def usage(attempts: Iterable[Attempted]) -> list[Usage]:
    """Of attempts that have ended after they had begun, in the order of the first of each target."""
    alike: dict[tuple[str, Asked], list[Attempted]] = {}
    for attempt in attempts:
        if attempt.asked and attempt.seconds:
            alike.setdefault((attempt.task.partition("[")[0], attempt.asked), []).append(attempt)
    return [_usage(target, asked, some) for (target, asked), some in alike.items()]


def _usage(target: str, asked: Asked, attempts: Sequence[Attempted]) -> Usage:
    seen = [(each.seconds or 0.0, each.gpu_utilization) for each in attempts if each.gpu_utilization is not None]
    time = sum(seconds for seconds, _ in seen)
    return Usage(
        target,
        asked,
        len(attempts),
        sum(each.seconds or 0.0 for each in attempts),
        sum(each.seconds or 0.0 for each in attempts if each.max_rss),
        max(each.max_rss or 0 for each in attempts),
        sum(each.cpu_seconds or 0.0 for each in attempts),
        sum(seconds * rate for seconds, rate in seen) / time if time else None,
        any(each.reason == "out_of_memory" for each in attempts),
    )


def advice(used: Usage) -> list[Advice]:
    """What to ask for instead, where that was far more than was used, or hardly enough."""
    found = []
    asked, part = used.asked, used.memory_part
    if asked.memory and asked.nodes == 1:
        if used.out_of_memory or (part or 0.0) > CLOSE:
            found.append(Advice("memory", _round(round(max(asked.memory, used.max_rss) * 1.5)), more=True))
        elif (
            part is not None
            and part < LITTLE
            and asked.memory - (enough := _round(round(used.max_rss * SPARE))) >= WORTH_IT
        ):
            found.append(Advice("memory", enough))
    if used.says_much and asked.cpus > 1 and used.cpus_busy < asked.cpus * LITTLE:
        enough_cpus = max(1, -int(-used.cpus_busy * SPARE // 1))
        found.append(Advice("cpus", enough_cpus))
    if used.says_much and asked.gpus and used.gpu_utilization is not None and used.gpu_utilization < LITTLE:
        found.append(Advice("gpus"))
    return found


def _round(amount: int) -> int:
    """Up to what people would write: whole numbers of 128 mebibytes, or of gibibytes."""
    unit = 1 << 30 if amount > 1 << 30 else 128 << 20
    return -(-amount // unit) * unit
