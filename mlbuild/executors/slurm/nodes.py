"""What the nodes of a queue have, as `sinfo` tells: what no node can hold is known before anything is submitted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mlbuild.executors.job import Job
from mlbuild.executors.machine import size
from mlbuild.executors.slurm.commands import WAIT, Answer, Command
from mlbuild.executors.slurm.script import Site

FORMAT = "%P|%c|%m|%D|%T|%G"
GPU = re.compile(r"gpu(?::([\w.-]+))??(?::(\d+))?(?:\(|$)")
MARKS = "*~#!%$@^-+"
"""Stand behind a state: the node does not respond, sleeps, is about to start anew …"""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Some of a queue that are alike. Memory is in bytes; `gpus` by type, which is empty if it is not told; `state` is
    as Slurm calls it."""

    queue: str
    is_default: bool
    cpus: int
    memory: int
    count: int
    gpus: dict[str, int]
    state: str = ""

    def gpus_of(self, type: str | None) -> int:
        return self.gpus.get(type, 0) if type else sum(self.gpus.values())


def ask() -> list[Nodes]:
    """All nodes by queue; none if Slurm doesn't tell."""
    answer = asking().answer(WAIT)
    return read(answer) if answer else []


def asking() -> Command:
    """The question, whose answer `read` reads."""
    return Command(["sinfo", "--exact", f"--format={FORMAT}"], WAIT)


def read(answer: Answer) -> list[Nodes]:
    """What `sinfo` says; what can't be read is passed over."""
    if answer.status != 0 or not answer.out.startswith("PARTITION|"):
        return []
    found = []
    for line in answer.out.splitlines()[1:]:
        fields = line.split("|", 5)
        if len(fields) == 6 and all(number.isdigit() for number in fields[1:4]):
            (queue, *_, state, gres), (cpus, memory, count) = fields, map(int, fields[1:4])
            own = queue.rstrip("*"), queue.endswith("*")
            found.append(Nodes(*own, cpus, memory << 20, count, _gpus(gres), state.rstrip(MARKS)))
    return found


def _gpus(gres: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in re.split(r",(?![^(]*\))", gres):
        if match := GPU.match(part):
            found[match[1] or ""] = found.get(match[1] or "", 0) + int(match[2] or 1)
    return found


def too_large(job: Job, site: Site, nodes: list[Nodes]) -> str | None:
    """What the job asks for that no node of its queue has, in words; None if it fits, or nobody knows."""
    if not nodes:
        return None
    # Slurm takes several, and chooses.
    names = site.queue.split(",") if site.queue else ()
    of_queue = [each for each in nodes if (each.queue in names if names else each.is_default)]
    if not of_queue:
        if site.queue is None:
            return None
        known = ", ".join(dict.fromkeys(each.queue for each in nodes))
        return f"{job.task} is for the queue `{site.queue}`, and Slurm has {known}"
    where = f"of the queue `{of_queue[0].queue}`"
    gpus = f"{job.gpus} GPU{'s' * (job.gpus > 1)}" + (f" of the type `{site.gpu}`" if site.gpu else "")
    holds: list[tuple[str, Callable[[Nodes], bool]]] = [
        (f"{job.cpus:g} CPUs", lambda each: each.cpus >= job.cpus),
        (f"{size(job.memory or 0)} of memory", lambda each: each.memory >= (job.memory or 0)),
        (gpus, lambda each: each.gpus_of(site.gpu) >= job.gpus),
    ]
    fitting = of_queue
    for what, has in holds:
        if not any(map(has, of_queue)):
            return f"{job.task} asks for {what}, and no node {where} has that"
        fitting = [each for each in fitting if has(each)]
    count = sum(each.count for each in fitting)
    if job.nodes > count:
        together = "no node" if count == 0 else "one node" if count == 1 else f"{count} nodes"
        return f"{job.task} asks for {job.nodes} nodes, and {together} {where} can hold it"
    return None
