"""Where targets run: what each executor is told, what was found there, and what is wrong with it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.errors import ConfigError, Doubt, Location, MlbuildError
from mlbuild.executors.gpus import Gpu
from mlbuild.executors.job import Waits
from mlbuild.executors.machine import size, span
from mlbuild.executors.mounts import Mount, mount
from mlbuild.executors.slurm import limits
from mlbuild.executors.slurm.cluster import NEEDED, Cluster, QueueFacts
from mlbuild.executors.slurm.script import Site
from mlbuild.executors.slurm.trial import Tried
from mlbuild.language.executors import LIMITS
from mlbuild.target import Executor, Target
from mlbuild.values import nearest

FOR_EVER = frozenset(
    {
        *("PartitionDown", "PartitionInactive", "PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints"),
        *("JobHeldUser", "JobHeldAdmin", "InvalidAccount", "InvalidQOS", "AccountNotAllowed", "QOSNotAllowed"),
    }
)
"""Slurm's reasons for which a job waits that don't pass by themselves."""
MODULE = "where a script does not have `module`, begin with what defines it: `source /etc/profile`, on most clusters"
"""What to do about a `setup` that does not find it."""
DOWN = frozenset({"down", "drained", "draining", "fail", "failing", "error", "inval", "unknown"})
"""States of nodes that start no jobs."""
DISBELIEF = "Slurm does not believe who we are", "is `munged` running here, and is this machine's clock right?"
SILENCES = (
    ("there is no `", "Slurm's commands are not all here", "mlbuild runs where they are: on a login node, for example"),
    (
        "configuration source",
        "Slurm's commands don't find the cluster",
        "the variable SLURM_CONF names its slurm.conf; those who run the cluster know which machines are set up for it",
    ),
    ("authentication", *DISBELIEF),
    ("munge", *DISBELIEF),
)
"""What stands in the words of a Slurm that does not answer, what that means, and what to do."""
OUTAGE = (
    "Slurm's controller does not answer",
    "`scontrol ping` tells when it does; a build waits for it, and nothing fails",
)


class Unseen(Doubt):
    """That nodes may not see the workspace. A job that went well shows that they do."""


class Machine(Struct, frozen=True):
    """What this one has; sizes in bytes."""

    cpus: int
    memory: int
    disk: int
    disk_free: int
    gpus: tuple[Gpu, ...]


class Setting(Struct, frozen=True):
    """What an executor is told.

    Attributes:
        value: as in `target.Executor`: in seconds, bytes.
    """

    name: str
    value: Any
    at: Location | None


class Described(Struct, frozen=True):
    """An executor.

    Attributes:
        targets: those that run there.
        found: what there is.
        mount: the file system of the workspace, for one that is elsewhere.
    """

    name: str
    kind: str
    settings: tuple[Setting, ...]
    targets: tuple[str, ...]
    found: Machine | Cluster
    queue: QueueFacts | None
    mount: Mount | None
    wrong: tuple[MlbuildError, ...]
    doubtful: tuple[Doubt, ...]
    tried: Tried | None = None
    """How a job went that was submitted to see."""


def described(executor: Executor, targets: Sequence[Target], found: Machine | Cluster, workspace: str) -> Described:
    """Look at an executor in the light of what was found.

    Args:
        targets: those that run there.
        workspace: absolute.
    """
    queue = where = None
    wrong: list[MlbuildError] = []
    if isinstance(found, Cluster):
        queue, where = found.queue(Site(**executor.settings).queue), mount(workspace)
        wrong += _wrong_with_site(executor, found, queue)
        doubtful = [*_doubtful_limit(executor, queue, targets), *_doubtful_mount(workspace, where)]
    else:
        doubtful = [*_doubtful_amounts(executor, found)]
    names, settings = tuple(target.name for target in targets), tuple(_settings(executor))
    return Described(executor.name, executor.kind, settings, names, found, queue, where, tuple(wrong), tuple(doubtful))


def judged(one: Described, tried: Tried, longest: float) -> Described:
    """With how a job went that was submitted to see.

    Args:
        longest: for so many seconds it was waited for that it began.
    """
    before = (doubt for doubt in one.doubtful if tried.delay is None or not isinstance(doubt, Unseen))
    doubtful = *before, *_doubtful_trial(one, tried, longest)
    return replace(one, tried=tried, wrong=(*one.wrong, *_wrong_with_trial(one, tried, longest)), doubtful=doubtful)


def _settings(executor: Executor) -> Iterator[Setting]:
    limits = {name: value for name in LIMITS if (value := getattr(executor, name)) is not None}
    kind = {"kind": executor.kind} if "kind" in executor.at else {}  # as the configuration has it
    for name, value in {**kind, **executor.settings, **limits, **executor.pools}.items():
        yield Setting(name, value, executor.at.get(name))


# ---------------------------------------------------------------------------------------------------------------------
# What is wrong


def _doubtful_amounts(executor: Executor, machine: Machine) -> Iterator[Doubt]:
    """Limits above what the machine has."""
    there = {"cpus": machine.cpus, "memory": machine.memory, "gpus": len(machine.gpus), "disk": machine.disk}
    for name, most in there.items():
        if (limit := getattr(executor, name) or 0) > most:
            amounts = [size(each) if name in ("memory", "disk") else f"{each:g}" for each in (limit, most)]
            message = (
                f"`{executor.name}` has {name} = {amounts[0]}, and this machine has {amounts[1]}: that is what counts"
            )
            yield Doubt(message, executor.at.get(name))


def _doubtful_mount(workspace: str, where: Mount | None) -> Iterator[Unseen]:
    if where and where.is_shared is False:
        message = f"nodes may not see the workspace: {workspace} is on this machine's own {where.kind}"
        hint = "put it where all nodes see it, under the same path; `mlbuild executors --test` shows whether they do"
        yield Unseen(message, None, hint)


def _doubtful_limit(executor: Executor, queue: QueueFacts | None, targets: Sequence[Target]) -> Iterator[Doubt]:
    """Jobs that Slurm would end before they know that their time is over."""
    limit = (queue.default or queue.longest) if queue and "time" not in executor.settings else None
    endless = [target.name for target in targets if target.timeout is None]
    if limit and endless:
        message = f"Slurm ends jobs of `{executor.name}` after {span(limit)}, and {endless[0]} has no `timeout:`"
        hint = f"with `time = {span(limit)}` a job ends itself before that, saves, and another goes on from there"
        yield Doubt(message, None, hint)


def _wrong_with_site(executor: Executor, cluster: Cluster, queue: QueueFacts | None) -> Iterator[MlbuildError]:
    missing = [name for name in NEEDED if name not in cluster.commands]
    if missing:
        message = f"there is no {', '.join(f'`{name}`' for name in missing)} here: nothing can run on `{executor.name}`"
        hint = "mlbuild runs where Slurm's commands are, on a login node for example; `--on local` runs all here"
        yield ConfigError(message, None, hint)
    elif cluster.silence:
        yield _silence(cluster.silence)
    elif cluster.queues:
        yield from _wrong_with_queue(executor, cluster, queue)
        yield from _wrong_with_account(executor, cluster, queue)


def _wrong_with_trial(one: Described, tried: Tried, longest: float) -> Iterator[MlbuildError]:
    delay, at = _setting(one, "delay", Site().delay), {each.name: each.at for each in one.settings}
    if tried.problem:
        place = at.get("setup") if tried.problem.startswith("setup ") else None
        hint = MODULE if "module: command not found" in tried.problem else None
        yield ConfigError(f"the test of {one.name} failed: {tried.problem}", place, hint)
    elif tried.waited is None and tried.waits is None:
        message = f"`sbatch` has not answered to the test of {one.name} after {span(longest)}"
        yield ConfigError(message, None, OUTAGE[1])
    elif tried.waited is None and tried.waits and _is_for_ever(tried.waits):
        yield ConfigError(f"the test of {one.name} would wait for ever: {tried.waits.why}")
    elif tried.delay is not None and tried.delay > delay:
        message = f"what {tried.node} wrote was seen here after {span(ceil(tried.delay))}, and `delay` is {span(delay)}"
        hint = f"say `delay = {span(ceil(tried.delay) * 3)}`: what is later than that is taken for lost"
        yield ConfigError(message, at.get("delay"), hint)
    if tried.delay is not None and tried.asked > len(tried.gpus):
        yield ConfigError(f"a GPU was asked for, and {tried.node} lent none", at.get("gpu"))
    elif tried.asked and tried.shown == 0:
        yield ConfigError(f"{tried.node} lent a GPU, and its driver shows none: `nvidia-smi -L` there lists nothing")


def _is_for_ever(waits: Waits) -> bool:
    return waits.reason in FOR_EVER or limits.is_of_job(waits.reason)


def _doubtful_trial(one: Described, tried: Tried, longest: float) -> Iterator[Doubt]:
    ours = platform.python_version()
    if tried.python and tried.python.split(".")[:2] != ours.split(".")[:2]:
        yield Doubt(f"{tried.node} has Python {tried.python} where this machine has {ours}: {sys.executable}")
    if tried.waited is None and not tried.problem and tried.waits and not _is_for_ever(tried.waits):
        why = tried.waits.why or "Slurm does not say why"
        message = f"the test of {one.name} had not begun after {span(longest)}: {why}"
        yield Doubt(message, None, "`--wait 1h` waits for longer")


def _setting(one: Described, name: str, default: Any) -> Any:
    return next((each.value for each in one.settings if each.name == name), default)


def _silence(word: str) -> MlbuildError:
    """Why Slurm can't be asked."""
    told = (each[1:] for each in SILENCES if each[0] in word.lower())
    what, hint = next(told, OUTAGE)
    return ConfigError(f"{what}: {word}", None, hint)


def _wrong_with_queue(executor: Executor, cluster: Cluster, queue: QueueFacts | None) -> Iterator[MlbuildError]:
    site, at = Site(**executor.settings), executor.at
    names = [one.name for one in cluster.queues]
    for name in (name for name in (site.queue or "").split(",") if name and name not in names):
        near = nearest(name, names)
        hint = f"did you mean `{near}`?" if near else None
        yield ConfigError(f"Slurm has no queue `{name}`: it has {', '.join(names)}", at.get("queue"), hint)
    if queue is None and not site.queue:
        hint = f'choose one of {", ".join(names)}: `queue = "{names[0]}"`'
        yield ConfigError(f"`{executor.name}` names no queue, and Slurm has none for those that don't", None, hint)
    if queue is None:
        return
    where = f"the queue `{queue.name}`"
    if queue.state != "UP":
        yield ConfigError(f"{where} is {queue.state}", at.get("queue"), "jobs wait until those who run Slurm open it")
    if site.time and queue.longest and site.time > queue.longest:
        message = f"`time` is {span(site.time)}, and no job in {where} runs for more than {span(queue.longest)}"
        yield ConfigError(message, at.get("time"), f"time = {span(queue.longest)}")
    of_queue = cluster.of(queue.name)
    if of_queue and all(each.state in DOWN for each in of_queue):
        yield ConfigError(f"no node of {where} is up", at.get("queue"), f"`sinfo -R -p {queue.name}` says why")
    types = {type for each in of_queue for type in each.gpus}
    if of_queue and site.gpu and site.gpu not in types:
        there = ", ".join(filter(None, sorted(types))) or ("GPUs without a type" if types else "no GPUs")
        yield ConfigError(f"{where} has no GPUs of the type `{site.gpu}`: it has {there}", at.get("gpu"))


def _wrong_with_account(executor: Executor, cluster: Cluster, queue: QueueFacts | None) -> Iterator[MlbuildError]:
    """What Slurm refuses: where it doesn't enforce what its books say, it takes a job all the same."""
    site, at, known = Site(**executor.settings), executor.at, cluster.associations
    if known == () and "associations" in cluster.enforces:
        yield ConfigError(
            "Slurm takes no jobs of yours: no account is open to you", None, "those who run it give you one"
        )
    elif known and "associations" in cluster.enforces:
        here = [one for one in known if queue is None or one.queue in ("", queue.name)]
        accounts = [*dict.fromkeys(one.account for one in here)]
        if site.account and site.account not in accounts:
            near = nearest(site.account, accounts)
            is_elsewhere = any(one.account == site.account for one in known)
            where = f" in the queue `{queue.name}`" if queue and is_elsewhere else ""
            message = f"the account `{site.account}` is not open to you{where}: {_are(accounts)}"
            yield ConfigError(message, at.get("account"), f"did you mean `{near}`?" if near else None)
        qos = {each for one in here if site.account in (None, one.account) for each in one.qos}
        if "qos" in cluster.enforces and site.qos and qos and site.qos not in qos:
            yield ConfigError(f"the qos `{site.qos}` is not open to you: {_are(sorted(qos))}", at.get("qos"))
    for name, given, allowed in (
        ("account", site.account, queue and queue.accounts),
        ("qos", site.qos, queue and queue.qos),
    ):
        if queue and given and allowed and given not in allowed:
            message = f"the queue `{queue.name}` is not open to the {name} `{given}`: it is to {', '.join(allowed)}"
            yield ConfigError(message, at.get(name))


def _are(names: Sequence[str]) -> str:
    if not names:
        return "none is"
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
