"""What a cluster says of itself: which of its commands are here, its queues and their nodes, who may use them.

What is not told is None. Blind to what is made of it.
"""

from __future__ import annotations

import getpass
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mlbuild.executors.slurm import nodes
from mlbuild.executors.slurm.commands import WAIT, Answer, Command, queue, rows
from mlbuild.executors.slurm.nodes import Nodes

NEEDED = ("sbatch", "squeue", "scancel")
COMMANDS = (*NEEDED, "sinfo", "scontrol", "sacct", "sacctmgr")
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What Slurm calls a partition.

    Attributes:
        state: `UP`, or why it takes or starts no jobs.
        longest: seconds that a job may run; None: any.
        default: seconds after which a job is ended that doesn't say; None: `longest`.
        accounts, qos: to whom it is open; None: to all.
    """

    name: str
    is_default: bool
    state: str
    longest: float | None
    default: float | None
    accounts: tuple[str, ...] | None
    qos: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Association:
    """That this user may use an account, in one queue or in all (`queue` is empty), with these qualities of service."""

    account: str
    queue: str
    qos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was found.

    Attributes:
        commands: those that are here.
        silence: why Slurm gives no answer; empty if it does.
        most: how many jobs an array may have.
        has_accounting: whether it keeps the books.
        enforces: what of its books it minds as it takes a job: `associations`, `qos`, `limits`.
        associations: what this user may use; None if nobody tells.
    """

    commands: tuple[str, ...]
    version: str | None
    silence: str
    queues: tuple[QueueFacts, ...]
    nodes: tuple[Nodes, ...]
    most: int | None
    has_accounting: bool | None
    enforces: tuple[str, ...]
    associations: tuple[Association, ...] | None

    @property
    def answers(self) -> bool:
        """Whether jobs can be given to it."""
        return not self.silence and set(NEEDED) <= {*self.commands}

    def queue(self, name: str | None) -> QueueFacts | None:
        """The queue of that name, the first of several; the default one without a name. None if there is none."""
        names = name.split(",") if name else ()
        return next((one for one in self.queues if (one.name in names if names else one.is_default)), None)

    def of(self, name: str) -> list[Nodes]:
        """The nodes of a queue."""
        return [each for each in self.nodes if each.queue == name]


def look() -> Cluster:
    """Ask all that there is to be asked, all at once; what does not answer in time is not known."""
    here = tuple(name for name in COMMANDS if shutil.which(name))
    asked = {
        "jobs": queue(),
        "nodes": nodes.asking(),
        "queues": Command(["scontrol", "show", "partition", "--oneliner"], WAIT),
        "settings": _asking_settings(),
        "associations": Command(["sacctmgr", "--noheader", "--parsable2", *_associations()], WAIT),
    }
    until = time.monotonic() + WAIT
    answers = {name: _answer(command, until) for name, command in asked.items()}
    settings = _settings(answers["settings"])
    books = settings.get("AccountingStorageType")
    return Cluster(
        here,
        settings.get("SLURM_VERSION"),
        "" if rows(answers["jobs"]) is not None else answers["jobs"].word,
        tuple(_queues(answers["queues"])),
        tuple(nodes.read(answers["nodes"])),
        _largest_array(settings),
        None if books is None else not books.endswith("none"),
        tuple(settings.get("AccountingStorageEnforce", "").split(",")),
        tuple(_read_associations(answers["associations"])) if answers["associations"].status == 0 else None,
    )


def largest_array() -> int | None:
    """How many jobs an array may have; None if nobody tells."""
    return _largest_array(_settings(_answer(_asking_settings(), time.monotonic() + WAIT)))


def _largest_array(settings: dict[str, str]) -> int | None:
    return int(text) if (text := settings.get("MaxArraySize", "")).isdigit() else None


def _asking_settings() -> Command:
    return Command(["scontrol", "show", "config"], WAIT)


def _settings(answer: Answer) -> dict[str, str]:
    return _pairs(answer.out, r"^(\w+)\s*=\s*(.*?)\s*$")


def _answer(command: Command, until: float) -> Answer:
    answer = command.answer(max(0.0, until - time.monotonic()))
    command.give_up()
    return answer or Answer(None, "", "")


def _associations() -> list[str]:
    return ["show", "associations", f"user={getpass.getuser()}", "format=account,partition,qos"]


def _read_associations(answer: Answer) -> Iterator[Association]:
    for line in answer.out.splitlines():
        if line.count("|") == 2:
            account, name, qos = line.split("|")
            yield Association(account, name, tuple(filter(None, qos.split(","))))


def _queues(answer: Answer) -> Iterator[QueueFacts]:
    for line in answer.out.splitlines() if answer.status == 0 else ():
        told = _pairs(line, r"(?:^|(?<= ))(\w+)=(\S*)")
        if name := told.get("PartitionName"):
            yield QueueFacts(
                name,
                told.get("Default") == "YES",
                told.get("State", "UP"),
                seconds(told.get("MaxTime", "")),
                seconds(told.get("DefaultTime", "")),
                _open_to(told.get("AllowAccounts")),
                _open_to(told.get("AllowQos")),
            )


def _pairs(text: str, pattern: str) -> dict[str, str]:
    return {match[1]: match[2] for match in re.finditer(pattern, text, re.MULTILINE)}


def _open_to(text: str | None) -> tuple[str, ...] | None:
    return None if text in (None, "ALL", "(null)") else tuple(text.split(",")) if text else None


def seconds(text: str) -> float | None:
    """A time as Slurm writes it, `1-12:00:00` or `30:00`; None if it is none."""
    if not (match := TIME.fullmatch(text)):
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
