"""What mlbuild promises of targets with partitions, as a plain model, and the Pipelinefiles of its worlds.

Each key is held against each other, and each task is looked at each time. Uses nothing of mlbuild.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product

CALENDARS = ("daily", "weekly", "monthly")
"""The narrowest first."""
DAYS = {"daily": date(2024, 2, 26), "weekly": date(2024, 1, 29)}
"""Where they begin at the earliest: a leap day and the beginnings of months lie ahead."""


@dataclass(frozen=True)
class Axis:
    """A partition."""

    name: str
    kind: str
    offset: int
    size: int

    @property
    def is_calendar(self) -> bool:
        return self.kind in CALENDARS

    @property
    def keys(self) -> list[str]:
        return [self._key(self.offset + number) for number in range(self.size)]

    def _key(self, number: int) -> str:
        match self.kind:
            case "list":
                return "abcdefghijklm"[number]
            case "range":
                return str(number)
            case "monthly":
                return f"2024-{number + 1:02}"
        days = timedelta(days=number if self.kind == "daily" else 7 * number)
        return (DAYS[self.kind] + days).isoformat()

    def written(self, key: str) -> str:
        return f'"{key}"' if self.kind == "list" else key

    def declared(self) -> str:
        match self.kind:
            case "list":
                return f"[{', '.join(map(self.written, self.keys))}]"
            case "range":
                return f"range({self.offset}, {self.offset + self.size})"
        return f"{self.kind} from {self.keys[0]} to {self.keys[-1]}"

    def holds(self, own: str, other: Axis, key: str) -> bool:
        """Whether the period `own` is, holds or lies in `key` of another calendar, by where periods begin."""
        widths = CALENDARS.index(self.kind), CALENDARS.index(other.kind)
        if widths[0] == widths[1]:
            return own == key
        wide, inner = ((self, own), other._begin(key)) if widths[0] > widths[1] else ((other, key), self._begin(own))
        begin = wide[0]._begin(wide[1])
        if wide[0].kind == "monthly":
            return (begin.year, begin.month) == (inner.year, inner.month)
        return begin <= inner < begin + timedelta(days=7)

    def _begin(self, key: str) -> date:
        return date.fromisoformat(f"{key}-01" if self.kind == "monthly" else key)


@dataclass(frozen=True)
class Selector:
    """What stands in `[ ]` for one partition; `first` and `last` are shifts, or positions, modulo what there is.

    Attributes:
        how: `same`, `every`, `key`, `range`, `from`, `to`, `months` (a range that ends in months), `ends`; of the
            partition `by`: `shift`, `window`, `since`, `until`, and, of another calendar, `held` and `spanned`.
    """

    how: str
    by: str = ""
    first: int = 0
    last: int = 0

    def written(self, axis: Axis) -> str:
        keys = axis.keys
        first, last = (axis.written(keys[number % len(keys)]) for number in sorted((self.first, self.last)))
        first, last = sorted((first, last), key=[axis.written(key) for key in keys].index)
        texts = {
            "every": "*",
            "key": first,
            "range": f"{first}..{last}",
            "from": f"{first}..",
            "to": f"..{last}",
            "months": f"{first[:7]}..{last[:7]}",
            "ends": f"{axis.name}.last-{self.last}..{axis.name}.last",
            "shift": f"{self.by}{self.first:+}",
            "held": self.by,
            "window": f"{self.by}{self.first:+}..{self.by}{self.last:+}",
            "spanned": f"{self.by}{self.first:+}..{self.by}{self.last:+}",
            "since": f"{self.by}..",
            "until": f"..{self.by}",
        }
        return texts[self.how].replace("+0", "").replace("-0", "") if self.how in BY else texts[self.how]

    def meant(self, axis: Axis, own: Mapping[str, str], axes: Mapping[str, Axis]) -> list[str]:
        """The keys of the other target's partition `axis`; none if it is a single one that lies outside."""
        keys = axis.keys
        at = {key: number for number, key in enumerate(keys)}
        first, last = sorted(number % len(keys) for number in (self.first, self.last))
        match self.how:
            case "same":
                return [own[axis.name]]
            case "every":
                return keys
            case "key":
                return [keys[first]]
            case "range":
                return [key for key in keys if first <= at[key] <= last]
            case "from":
                return [key for key in keys if first <= at[key]]
            case "to":
                return [key for key in keys if at[key] <= last]
            case "months":
                return [key for key in keys if keys[first][:7] <= key[:7] <= keys[last][:7]]
            case "ends":
                return [key for key in keys if at[key] >= len(keys) - 1 - self.last]
        by, here = axes[self.by], axes[self.by].keys.index(own[self.by])
        low, high = {"since": (0, 99), "until": (-99, 0), "shift": (self.first,) * 2, "held": (0, 0)}.get(
            self.how, (self.first, self.last)
        )
        near = [key for number, key in enumerate(by.keys) if here + low <= number <= here + high]
        if by is axis:
            return [key for key in keys if key in near]
        return [key for key in keys if any(by.holds(one, axis, key) for one in near)]


BY = ("shift", "window", "spanned", "ends")


@dataclass(frozen=True)
class Link:
    """A reference to a target before this one, or to itself; one selector for each of its partitions."""

    target: int
    selectors: tuple[Selector, ...]
    optional: bool


@dataclass(frozen=True)
class Target:
    """Makes the largest number of its inputs and `add`, but never more than `most`; `salt` only makes it run again."""

    axes: tuple[str, ...]
    links: tuple[Link, ...]
    reads: bool
    add: int
    most: int
    salt: int = 0


Task = tuple[int, tuple[str, ...]]
"""The number of its target, and its keys."""


@dataclass(frozen=True)
class World:
    axes: tuple[Axis, ...]
    targets: tuple[Target, ...]

    @property
    def named(self) -> dict[str, Axis]:
        return {axis.name: axis for axis in self.axes}

    def tasks(self, number: int) -> list[Task]:
        choices = [self.named[name].keys for name in self.targets[number].axes]
        return [(number, keys) for keys in product(*choices)]

    def every(self) -> list[Task]:
        return [task for number in range(len(self.targets)) for task in self.tasks(number)]

    def needs(self, task: Task) -> list[tuple[Task, bool]]:
        """What a task reads, in order, and whether it may be absent."""
        target, own = self.targets[task[0]], dict(zip(self.targets[task[0]].axes, task[1], strict=True))
        found = []
        for link in target.links:
            other = self.targets[link.target]
            axes = [self.named[name] for name in other.axes]
            pairs = zip(link.selectors, axes, strict=True)
            choices = [selector.meant(axis, own, self.named) for selector, axis in pairs]
            found += [((link.target, keys), link.optional) for keys in product(*choices)]
        return found

    def closure(self, wanted: Iterable[Task]) -> list[Task]:
        """The wanted tasks and all that they need, each behind its needs."""
        found: dict[Task, None] = {}

        def visit(task: Task) -> None:
            if task not in found:
                for need, _ in self.needs(task):
                    visit(need)
                found[task] = None

        for task in wanted:
            visit(task)
        return list(found)

    def behind(self, tasks: Collection[Task]) -> list[Task]:
        """All that needs one of these, without these."""
        return [one for one in self.every() if one not in tasks and not set(self.closure([one])).isdisjoint(tasks)]

    def pipelinefile(self) -> str:
        lines = ['params "params.json"']
        lines += [f"partition {axis.name}: {axis.declared()}" for axis in self.axes]
        for number, target in enumerate(self.targets):
            slots = "".join(f"-{{{name}}}" for name in target.axes)
            inputs = [self._written(link) for link in target.links]
            inputs += [f'"data/{number}{slots}"'] if target.reads else []
            lines.append(f"target t{number}[{', '.join(target.axes)}]:" if target.axes else f"target t{number}:")
            lines += [f"    inputs: {', '.join(inputs)}"] if inputs else []
            lines += [f'    outputs: "out/{number}{slots}"', "    code: none"]
            lines.append(f"    run: most {target.salt} {{params.t{number}}} {target.most} {{outputs}} {{inputs}}")
        return "\n".join(lines) + "\n"

    def _written(self, link: Link) -> str:
        axes = [self.named[name] for name in self.targets[link.target].axes]
        pairs = [(axis, one) for axis, one in zip(axes, link.selectors, strict=True) if one.how != "same"]
        chosen = ", ".join(f"{axis.name} = {one.written(axis)}" for axis, one in pairs)
        return f"t{link.target}" + (f"[{chosen}]" if chosen else "") + ("?" if link.optional else "")

    def params(self) -> str:
        return json.dumps({f"t{number}": target.add for number, target in enumerate(self.targets)})


def name(task: Task) -> str:
    return f"t{task[0]}" + (f"[{','.join(task[1])}]" if task[1] else "")


def path(task: Task, folder: str = "out") -> str:
    return f"{folder}/" + "-".join((str(task[0]), *task[1]))


MODES = ("missing", "failed", "stale")
UNKNOWN = -1
"""What a task makes that was never built."""
Fingerprint = tuple[object, ...]


@dataclass
class Model:
    """What there is, and what was.

    Attributes:
        data, made: path → number.
        failing: the tasks that fail whenever they run.
        last: the fingerprint of each task's last success, and what it made then.
        stored: fingerprint → what it made.
        failed: the tasks whose last attempt failed.
    """

    world: World
    data: dict[str, int] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    failing: set[Task] = field(default_factory=set)
    last: dict[Task, tuple[Fingerprint, int]] = field(default_factory=dict)
    stored: dict[Fingerprint, int] = field(default_factory=dict)
    failed: set[Task] = field(default_factory=set)

    def _found(self, task: Task, needs: list[Task], planned: Mapping[str, int]) -> tuple[Fingerprint, int]:
        """The fingerprint of a task, and what it would make."""
        target = self.world.targets[task[0]]
        inputs = [(path(need), planned.get(path(need), self.made.get(path(need), UNKNOWN))) for need in needs]
        if target.reads:
            inputs.append((path(task, "data"), self.data[path(task, "data")]))
        made = min(target.most, max([0, *(value for _, value in inputs)]) + target.add)
        return (path(task), target.salt, target.add, target.most, *inputs), made

    def _verdict(self, task: Task, fingerprint: Fingerprint) -> str:
        there = self.made.get(path(task))
        if task in self.last and self.last[task] == (fingerprint, there):
            return "fresh"
        if fingerprint in self.stored:
            return "fresh" if self.stored[fingerprint] == there else "restore"
        return "run"

    def build(self, wanted: Iterable[Task], forced: Collection[Task] = ()) -> tuple[set[Task], set[Task]]:
        """The tasks that run well, and those that fail, of a build that keeps going."""
        ran: set[Task] = set()
        failed: set[Task] = set()
        gone: set[Task] = set()
        for task in self.world.closure(wanted):
            needs = self.world.needs(task)
            if any(need in gone and not all(may for other, may in needs if other == need) for need, _ in needs):
                gone.add(task)
                continue
            fingerprint, made = self._found(task, [need for need, _ in needs if need not in gone], {})
            verdict = "run" if task in forced else self._verdict(task, fingerprint)
            if verdict == "run" and task in self.failing:
                failed.add(task)
                gone.add(task)
                self.failed.add(task)
                continue
            if verdict == "run":
                ran.add(task)
                self.failed.discard(task)
                self.stored[fingerprint] = made
            self.made[path(task)] = self.stored[fingerprint]
            self.last[task] = fingerprint, self.stored[fingerprint]
        return ran, failed

    def kinds(self, asked: list[Task], *, upstream: bool, downstream: bool) -> dict[Task, str]:
        """How the tasks that were asked for stand, and perhaps those that they need, and that need them: fresh,
        missing, stale or failed."""
        planned: dict[str, int] = {}
        running: set[Task] = set()
        found: dict[Task, str] = {}
        behind = self.world.behind(asked) if downstream else []
        for task in self.world.closure([*asked, *behind]):
            needs = [need for need, _ in self.world.needs(task)]
            fingerprint, _ = self._found(task, needs, planned)
            verdict = self._verdict(task, fingerprint)
            if verdict == "run" or any(need in running for need in needs):
                running.add(task)
                is_there = task in self.last and path(task) in self.made
                found[task] = "failed" if task in self.failed else "stale" if is_there else "missing"
            else:
                found[task] = "missing" if verdict == "restore" else "fresh"
            if found[task] != "fresh" and any(found[need] == "failed" for need in needs):
                found[task] = "failed"
            if verdict != "run":
                planned[path(task)] = self.stored[fingerprint]
            elif task in running:
                planned[path(task)] = self.last[task][1] if task in self.last else UNKNOWN
        return {task: found[task] for task in (*(self.world.closure(asked) if upstream else asked), *behind)}

    def backfill(
        self, asked: list[Task], modes: Collection[str], *, upstream: bool, downstream: bool
    ) -> tuple[set[Task], set[Task]]:
        """As `build`."""
        kinds = self.kinds(asked, upstream=upstream, downstream=downstream)
        behind = self.world.behind(asked) if downstream else []
        forced = [task for task in kinds if "all" in modes and task not in behind]
        chosen = [task for task, kind in kinds.items() if kind in (MODES if "all" in modes else modes)]
        after = self.world.behind([*forced, *chosen]) if downstream else []
        rerun = self.world.behind(forced)
        also = [task for task in kinds if task in after and (kinds[task] != "fresh" or task in rerun)]
        return self.build([*forced, *chosen, *also], forced)
