"""Where targets run, for people and programs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mlbuild.engine.sites import Described, Machine, Setting
from mlbuild.errors import Location
from mlbuild.executors.machine import size, span
from mlbuild.executors.mounts import Mount
from mlbuild.executors.slurm.cluster import COMMANDS, NEEDED, Cluster, QueueFacts
from mlbuild.executors.slurm.nodes import Nodes
from mlbuild.executors.slurm.trial import Tried
from mlbuild.ui.words import counted, duration, problem_row, table

WRITTEN = {"memory": size, "disk": size, "time": span, "delay": span}
"""How the values of settings are written that are no numbers or texts."""
NAMED = 3
"""Targets that are named before the rest is counted."""


def executors_lines(found: Sequence[Described]) -> Iterator[str]:
    said: set[str] = set()
    for number, one in enumerate(found):
        if number:
            yield ""
        yield f"{one.name}: {'this machine' if one.kind == 'local' else 'Slurm'}{_users(one.targets)}"
        facts = [*_facts(one)]
        width = max(len(name) for name in (*(each.name for each in one.settings), *(name for name, _ in facts)))
        rows = [(each.name.ljust(width), _written(each), _place(each.at)) for each in one.settings]
        yield from (
            f"  {line}"
            for line in (*(table(rows) if rows else ()), *table([(name.ljust(width), text) for name, text in facts]))
        )
        # What is doubtful about several is said once.
        doubtful = [text for problem in one.doubtful if (text := str(problem)) not in said]
        said.update(doubtful)
        for text in (*map(str, one.wrong), *doubtful):
            yield from ("", *text.splitlines())


def _users(targets: Sequence[str]) -> str:
    more = f" and {counted(len(targets) - NAMED, 'more target')}" if len(targets) > NAMED else ""
    return f", for {', '.join(targets[:NAMED])}{more}" if targets else ""


def _written(setting: Setting) -> str:
    value = setting.value
    if setting.name in WRITTEN:
        return WRITTEN[setting.name](value)
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, int | float) else "; ".join(value.splitlines())


def _place(at: Location | None) -> str:
    """Where a setting stands; the user's home is `~`."""
    if at is None:
        return ""
    home, path = os.path.expanduser("~"), at.source.path
    return f"{f'~{path[len(home) :]}' if path.startswith(f'{home}/') else path}:{at.line}"


def _facts(one: Described) -> Iterator[tuple[str, str]]:
    if isinstance(one.found, Machine):
        yield from _machine_facts(one.found)
    else:
        yield from _cluster_facts(one.found, one.queue)
        if one.mount:
            yield "workspace", _mount_text(one.mount)
    if one.tried and one.tried.delay is not None:
        yield "test", _tried_text(one.tried)


def _machine_facts(machine: Machine) -> Iterator[tuple[str, str]]:
    gpus = Counter(size(gpu.memory) if gpu.memory else "" for gpu in machine.gpus)
    texts = [f"{counted(count, 'GPU')}{f' of {memory}' if memory else ''}" for memory, count in gpus.items()]
    yield "has", ", ".join((counted(machine.cpus, "CPU"), f"{size(machine.memory)} of memory", *(texts or ["no GPUs"])))
    yield "disk", f"{size(machine.disk_free)} free of {size(machine.disk)}"


def _cluster_facts(cluster: Cluster, queue: QueueFacts | None) -> Iterator[tuple[str, str]]:
    missing = [name for name in COMMANDS if name not in (*cluster.commands, *NEEDED)]
    without = f"; no {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not needed" if missing else ""
    if cluster.commands:
        yield "commands", f"{', '.join(cluster.commands)}{without}"
    if not cluster.silence:
        books = "; it keeps no accounts, which is not needed" if cluster.has_accounting is False else ""
        most = f"; MaxArraySize {cluster.most}" if cluster.most else ""
        yield "Slurm", f"{cluster.version or 'of an unknown version'} answers{most}{books}"
    if cluster.associations:
        yield "accounts", ", ".join(dict.fromkeys(each.account for each in cluster.associations))
    if queue:
        yield "queue", _queue_text(queue)
        names = iter(("nodes",))
        for kind, states in _kinds(cluster.of(queue.name)).items():
            yield next(names, ""), f"{states.total()} with {kind}: {_states(states)}"


def _queue_text(queue: QueueFacts) -> str:
    default = ", the default one," if queue.is_default else ""
    longest = f"of at most {span(queue.longest)}" if queue.longest else "of any length"
    unsaid = f"; one that doesn't say is ended after {span(queue.default)}" if queue.default else ""
    return f"{queue.name}{default} is {queue.state.lower()}; for jobs {longest}{unsaid}"


def _kinds(nodes: Sequence[Nodes]) -> dict[str, Counter[str]]:
    """What nodes have, in words → how many are in each state."""
    kinds: dict[str, Counter[str]] = {}
    for each in nodes:
        gpus = [f"{counted(count, 'GPU')}{f' {type}' if type else ''}" for type, count in each.gpus.items()]
        kind = ", ".join((counted(each.cpus, "CPU"), f"{size(each.memory)} of memory", *gpus))
        kinds.setdefault(kind, Counter())[each.state] += each.count
    return kinds


def _states(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _tried_text(tried: Tried) -> str:
    """How the job went that was submitted to see; times are for people."""
    gpus = f", was lent GPU {' '.join(tried.gpus)}" if tried.gpus else ""
    seen = duration(max(0.0, tried.delay or 0.0))
    began = f"began on {tried.node} after {duration(tried.waited or 0.0)}, by Python {tried.python}{gpus}"
    return f"{began}; what it wrote was seen here {seen} later"


def _mount_text(mount: Mount) -> str:
    seen = {True: "which nodes see", False: "which no other machine sees", None: "which nodes see if it is given out"}
    source = f" ({mount.source})" if mount.source not in ("", "none", mount.kind) else ""
    return f"on {mount.kind}{source}, {seen[mount.is_shared]}"


# ---------------------------------------------------------------------------------------------------------------------
# For programs


def executors_json(found: Sequence[Described]) -> dict[str, Any]:
    return {"executors": [_row(one) for one in found]}


def _row(one: Described) -> dict[str, Any]:
    return {
        "executor": one.name,
        "kind": one.kind,
        "targets": one.targets,
        "settings": [_setting_row(each) for each in one.settings],
        "found": _machine_row(one.found) if isinstance(one.found, Machine) else _cluster_row(one.found, one),
        "test": _tried_row(one.tried) if one.tried else None,
        "wrong": [problem_row(each) for each in one.wrong],
        "doubtful": [problem_row(each) for each in one.doubtful],
    }


def _setting_row(setting: Setting) -> dict[str, Any]:
    at = setting.at
    row = {"setting": setting.name, "value": setting.value}
    return row | ({"file": at.source.path, "line": at.line} if at else {})


def _machine_row(machine: Machine) -> dict[str, Any]:
    gpus = [{"id": gpu.id, "memory": gpu.memory} for gpu in machine.gpus]
    return {
        "cpus": machine.cpus,
        "memory": machine.memory,
        "disk": machine.disk,
        "disk_free": machine.disk_free,
        "gpus": gpus,
    }


def _cluster_row(cluster: Cluster, one: Described) -> dict[str, Any]:
    accounts = cluster.associations
    return {
        "commands": cluster.commands,
        "version": cluster.version,
        "silence": cluster.silence or None,
        "accounting": cluster.has_accounting,
        "max_array_size": cluster.most,
        "accounts": None if accounts is None else [*dict.fromkeys(each.account for each in accounts)],
        "queue": _queue_row(one.queue, cluster.of(one.queue.name)) if one.queue else None,
        "queues": [each.name for each in cluster.queues],
        "workspace": {"type": one.mount.kind, "source": one.mount.source, "shared": one.mount.is_shared}
        if one.mount
        else None,
    }


def _tried_row(tried: Tried) -> dict[str, Any]:
    return {
        "waited": tried.waited,
        "node": tried.node or None,
        "python": tried.python or None,
        "gpus": tried.gpus,
        "delay": tried.delay,
        "waits": (tried.waits.reason or None) if tried.waits and tried.waited is None else None,
    }


def _queue_row(queue: QueueFacts, nodes: Sequence[Nodes]) -> dict[str, Any]:
    kinds = [
        {"cpus": each.cpus, "memory": each.memory, "gpus": each.gpus, "count": each.count, "state": each.state}
        for each in nodes
    ]
    return {
        "name": queue.name,
        "default": queue.is_default,
        "state": queue.state,
        "max_time": queue.longest,
        "default_time": queue.default,
        "nodes": kinds,
    }
