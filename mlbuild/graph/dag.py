"""The graph: tasks, made as they are asked for, what each needs, and an order in which each stands behind its needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from json import dumps
from re import compile as compile_pattern
from typing import Protocol

from msgspec.structs import replace

from mlbuild.collect import Mistakes
from mlbuild.errors import ManyErrors, MlbuildError, PipelineError
from mlbuild.expression import Key, Reference, Template
from mlbuild.files import literal_start
from mlbuild.graph.checkpoints import misplaced_checkpoints
from mlbuild.graph.flaws import Circle, MissingInput, apart, conflicts, cycle, misplaced
from mlbuild.graph.listings import Listing, Listings
from mlbuild.graph.makers import Makers
from mlbuild.graph.partitions import Keys
from mlbuild.graph.paths import KeyScope, Path, clean
from mlbuild.graph.references import OutsidePartition, is_plural, resolve
from mlbuild.graph.task import Source, Task
from mlbuild.target import Checkpoint, Glob, Input, Listed, Output, Pipeline, Target

BARE_KEY = compile_pattern(r"(?!.*\.\.)[A-Za-z0-9_.+:@%/-]+").fullmatch
"""A key that stands as it is in a task's name; any other is written as a JSON string."""


Order = dict[Task, list[Task]]
"""Task → the tasks that it needs, each behind its needs."""


class Disk(Protocol):
    """What the graph asks of the workspace."""

    def exists(self, path: str) -> bool:
        """Whether a path is there (files that no target makes must be)."""
        ...

    def is_directory(self, path: str) -> bool:
        """Whether a directory is there."""
        ...

    def read(self, path: str) -> bytes:
        """All bytes of a file. Raises OSError as the system does."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """The existing paths that a pattern matches, sorted."""
        ...

    def walk(self, path: str) -> Iterator[str]:
        """Every file below a directory, relative to it."""
        ...

    def copy_of(self, url: str) -> str:
        """Where a copy of what lies elsewhere is put."""
        ...

    def was_made(self, path: str) -> bool:
        """Whether a task, of now or of earlier, made what is there."""
        ...

    def look_again(self) -> None:
        """What was made is to be asked for anew: another build may have made more."""
        ...


class Graph:
    """The tasks of a pipeline.

    Args:
        pipeline: what the Pipelinefile declares.
        now: the moment up to which calendars without an end go; aware.
        disk: what is there.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        now: datetime,
        disk: Disk,
    ) -> None:
        self.pipeline = pipeline
        self._disk = disk
        self._now = now
        self._tasks: dict[tuple[str, tuple[str, ...]], Task] = {}
        self._written: dict[tuple[str, int], Path] = {}
        self._left_out: set[Task] = set()
        self.listings = Listings(pipeline, lambda output, target: self._path(output, target, ()), disk.read)
        self._awaited: set[str] = set()
        """Partitions of which keys were asked for that they may still come to have."""
        self._spell_out(self.listings.guess())

    def _spell_out(self, listed: Mapping[str, tuple[Key, ...]]) -> None:
        """Begin with these keys: all that hangs on keys is found out from here on.

        Args:
            listed: the keys of those partitions that tasks list.
        """
        partitions = self.pipeline.partitions
        self._same: dict[int, Source] = {}
        """Of items of `inputs:` that mean one file of the user's at every key: what they bring."""
        self._sources: dict[Task, tuple[Source, ...]] = {}
        self._listers: dict[Task, tuple[Task, ...]] = {}
        self._paths: dict[str, bool] = {}
        self.missing: dict[Task, ManyErrors] = {}
        """Tasks of partitioned targets that lack inputs which other keys may have: they are blocked."""
        self.orphans: set[str] = set()
        """Paths among inputs that tasks made which are no more: they do not count."""
        self._wrong: list[PipelineError] = []
        self.partitions = {name: Keys(each, self._now, listed.get(name, ())) for name, each in partitions.items()}
        self.makers = Makers(list(self.pipeline.targets.values()), self.partitions, self._path)
        if any(isinstance(one.source, Listed) and one.source.paths for one in partitions.values()):
            self.partitions |= {name: self._without_made(keys, self._now) for name, keys in self.partitions.items()}
            self.makers = Makers(list(self.pipeline.targets.values()), self.partitions, self._path)

    # --- keys that a task lists

    def lists(self, task: Task) -> list[Keys]:
        """The keys, as they are known, of the partitions whose keys a task lists."""
        return [self.partitions[each.partition] for each in self.listings.by(task.target)] if self.listings else []

    def lacks_list(self, task: Task) -> bool:
        """Whether a file is gone in which a task listed keys."""
        lists = self.listings.by(task.target) if self.listings else ()
        return any(not self._disk.exists(each.path) for each in lists)

    def problem_with_list(self, task: Task) -> str:
        """Why what a task lists, as it stands there, can't be keys; empty if it can, or lists none."""
        own = self.listings.by(task.target) if self.listings.problems else ()
        problems = (self.listings.problems.get(each.partition) for each in own)
        return next((problem.message for problem in problems if problem), "")

    def learn(self, task: Task) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None:
        """A task that lists keys is in place: what it lists holds from here on.

        Returns:
            For each of its partitions the keys that are new, and those that are no more. None if nothing has changed
            for anybody: all were known, and nothing was asked for that was not.

        Raises:
            PipelineError: what it lists can't be keys.
        """
        own = self.listings.by(task.target)
        found = {each.partition: self.listings.keys(each) for each in own}
        changes: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        for name, keys in found.items():
            was, now = [key.text for key in self.partitions[name].all], [key.text for key in keys]
            before, after = set(was), set(now)
            if was != now or name in self._awaited:
                changes[name] = tuple(key for key in now if key not in before), tuple(k for k in was if k not in after)
        if changes:
            self._awaited.clear()
            self._replace(found)
        for name in found:
            self.partitions[name].settled = True
        return changes or None

    def forget(self, task: Task, keys: Mapping[str, tuple[Key, ...]]) -> None:
        """What a task lists can't be: these keys, which were assumed before, are again what can be told."""
        self._replace({each.partition: keys[each.partition] for each in self.listings.by(task.target)})
        for each in self.listings.by(task.target):
            self.partitions[each.partition].settled = False

    def listed(self) -> dict[str, tuple[Key, ...]]:
        """The keys, as they are known, of all partitions whose keys tasks list."""
        return {each.partition: self.partitions[each.partition].all for each in self.listings.of(self.partitions)}

    def _replace(self, keys: Mapping[str, tuple[Key, ...]]) -> None:
        """Begin again with other keys for some of the partitions whose keys tasks list."""
        self._disk.look_again()
        settled = [name for name, each in self.partitions.items() if each.settled]
        self._spell_out({**self.listed(), **keys})
        for name in settled:
            self.partitions[name].settled = True

    def listers(self, task: Task) -> tuple[Task, ...]:
        """The tasks that list the keys on which it hangs what `task` is and needs: they come before it."""
        if not self.listings:
            return ()
        found = self._listers.get(task)
        if found is None:
            both = (*self.listers_of([task.target]), *self.gathered(task))
            found = self._listers[task] = tuple(dict.fromkeys(both))
        return found

    def listers_of(self, targets: Iterable[Target]) -> list[Task]:
        """The tasks that list the keys of these targets."""
        names = [name for target in targets for name in target.partitions]
        return list(dict.fromkeys(self.task(each.maker, ()) for each in self.listings.of(names)))

    def gathered(self, task: Task) -> list[Task]:
        """The tasks that list the keys on which it hangs what `task` takes, or waits for."""
        listings: list[Listing] = []
        for item in (*task.target.inputs, *task.target.after) if self.listings else ():
            if isinstance(item.source, Reference):
                listings += self.listings.of(self.pipeline.targets[item.source.target].partitions)
            else:
                listings += self._that_may_make(item, task)
        return list(dict.fromkeys(self.task(each.maker, ()) for each in listings))

    def _that_may_make(self, item: Input, task: Task) -> list[Listing]:
        """On whose keys it hangs whether a task makes what an input names."""
        if isinstance(item.source, Glob):
            pattern = self.path(item.source.pattern, task.target).at(task.keys)
            return self.listings.that_may_make(literal_start(pattern), self.makers, task.target, whole=False)
        assert isinstance(item.source, Template)
        path = self.path(item.source, task.target).at(task.keys)
        is_file = self._disk.exists(path) and not self._disk.is_directory(path) and not self._disk.was_made(path)
        is_made = any(made.rstrip("/") == path.rstrip("/") for _, _, made in self.makers.of(path))
        if "://" in path or is_file or is_made:
            return []
        return self.listings.that_may_make(path, self.makers, task.target, whole=True)

    def may_come(self, partitions: Iterable[str]) -> bool:
        """Whether these partitions may still come to have other keys than are known. It is noted that this was asked:
        once they are known, `learn` says so whatever they are."""
        open_ones = [name for name in partitions if not self.partitions[name].settled]
        self._awaited.update(open_ones)
        return bool(open_ones)

    def _without_made(self, keys: Keys, now: datetime) -> Keys:
        """The keys of a glob without those whose file a target makes; all, which is noted, if none would be left."""
        partition = keys.partition
        if not isinstance(partition.source, Listed) or not partition.source.paths:
            return keys
        pairs = zip(partition.source.keys, partition.source.paths, strict=True)
        kept = [(key, path) for key, path in pairs if not any(self.makers.of(path))]
        if not kept:
            hint = "the keys of a glob are those of files that no target makes"
            message = f"partition `{partition.name}` has no keys: targets make all that it matches"
            self._wrong.append(PipelineError(message, partition.at, hint))
            return keys
        source = Listed(tuple(key for key, _ in kept), tuple(path for _, path in kept))
        return Keys(replace(partition, source=source), now)

    # --- tasks

    def task(self, target: Target, keys: tuple[Key, ...]) -> Task:
        """The task of a target at these keys (one for each of its partitions, in order); always the same object."""
        identity = (target.name, tuple([key.text for key in keys]))
        task = self._tasks.get(identity)
        if task is None:
            outputs = tuple([self._path(output, target, keys) for output in target.outputs])
            metrics = tuple([self._path(output, target, keys) for output in target.metrics])
            checkpoint = self._path(target.checkpoint, target, keys) or "./" if target.checkpoint else ""
            task = Task(task_name(target.name, keys), target, keys, outputs, metrics, checkpoint)
            self._tasks[identity] = task
        return task

    def holds(self, task: Task) -> bool:
        """Whether there is this task, by the keys as they are known."""
        keys = zip(task.target.partitions, task.keys, strict=True)
        return all(self.partitions[name].position(key.text) is not None for name, key in keys)

    def tasks(self, target: Target, only: Mapping[str, Collection[str]] | None = None) -> list[Task]:
        """All tasks of a target, in key order.

        Args:
            only: partition → the texts of its keys that alone are meant; of those not in it: all.
        """
        combinations: list[tuple[Key, ...]] = [()]
        for name in target.partitions:
            own: Sequence[Key] = self.partitions[name].all
            if only and name in only:
                own = [key for key in own if key.text in only[name]]
            combinations = [(*keys, key) for keys in combinations for key in own]
        return [self.task(target, keys) for keys in combinations]

    def scope(self, target: Target, keys: tuple[Key, ...]) -> KeyScope:
        """The names of the task's keys and of the file's constants."""
        return KeyScope(self.pipeline, dict(zip(target.partitions, keys, strict=True)))

    def _path(self, output: Output | Checkpoint, target: Target, keys: tuple[Key, ...]) -> str:
        return self.path(output.path, target).at(keys)

    def path(self, template: Template, target: Target) -> Path:
        """A path as a target writes it; the same object whenever it is asked for. Raises PipelineError."""
        identity = (target.name, id(template))
        found = self._written.get(identity)
        if found is None:
            found = self._written[identity] = Path(template, target.partitions, self.pipeline)
        return found

    # --- edges

    def sources(self, task: Task) -> tuple[Source, ...]:
        """Where the inputs of a task come from, in the order of its `inputs:`.

        Raises:
            ManyErrors: each path that nothing makes and that is not there, each key outside its partition.
        """
        found = self._sources.get(task)
        if found is None:
            found = self._sources[task] = self._all_sources(task)
        return tuple(source.without(self._left_out) for source in found) if self._left_out else found

    def _all_sources(self, task: Task) -> tuple[Source, ...]:
        mistakes, found = Mistakes(), []
        for item in task.target.inputs:
            with mistakes.noted():
                found.append(self._source(item, task))
        mistakes.settle()
        return tuple(found)

    def producers(self, task: Task) -> list[Task]:
        """The tasks whose results a task takes, each once, in order."""
        return list(dict.fromkeys(need for source in self.sources(task) for need in source.needs))

    def needs(self, task: Task) -> list[Task]:
        """The tasks that must come before a task, each once: what lists keys, its producers, what is only for order."""
        after = (need for need, _ in self._after(task))
        return list(dict.fromkeys((*self.listers(task), *self.producers(task), *after)))

    def _after(self, task: Task) -> Iterator[tuple[Task, bool]]:
        """What comes before a task for the order alone, and whether it may be absent."""
        for item in task.target.after:
            assert isinstance(item.source, Reference)
            for need in self._meant(item.source, task, optional=item.optional):
                yield need, item.optional

    def may_lack(self, task: Task, need: Task) -> bool:
        """Whether a task can be made although something that it needs was not."""
        if need in self.listers(task):
            return False
        if need.target.on_failure == "continue":
            return True
        if not any(item.optional for item in (*task.target.inputs, *task.target.after)):
            return False
        ways = [source.optional for source in self.sources(task) if need in source.needs]
        return all((*ways, *(optional for other, optional in self._after(task) if other is need)))

    def leave_out(self, task: Task) -> None:
        """From now on nothing that the task makes counts: it failed, or can't be made."""
        self._left_out.add(task)

    def leave_in(self) -> None:
        """Everything counts again: what was known of failures is to be found out anew."""
        self._left_out.clear()

    def referred(self, reference: Reference, task: Task, *, optional: bool = False) -> list[Task]:
        """The tasks that a reference means where it stands in `task`. Raises OutsidePartition, unless `optional`."""
        target = self.pipeline.targets[reference.target]
        own = dict(zip(task.target.partitions, task.keys, strict=True))
        found = resolve(reference, target, own, self.partitions, optional=optional)
        return [self.task(target, keys) for keys in found]

    def _meant(self, reference: Reference, task: Task, *, optional: bool) -> list[Task]:
        """As `referred`, but a key that its partition may still come to have is left out."""
        try:
            return self.referred(reference, task, optional=optional)
        except OutsidePartition:
            if not self.may_come(self.pipeline.targets[reference.target].partitions):
                raise
            return []

    def _source(self, item: Input, task: Task) -> Source:
        if isinstance(item.source, Reference):
            return self._from_reference(item, item.source, task)
        if isinstance(item.source, Glob):
            return self._from_glob(item, self.path(item.source.pattern, task.target).at(task.keys), task)
        same = self._same.get(id(item))
        if same is not None:
            return same
        path = self.path(item.source, task.target)
        text = path.text(task.keys)
        if "://" in text:
            return self._from_url(item, text)
        found = self._from_path(item, clean(text), task)
        if not path.varies and found.reads == ((clean(text), None),):
            self._same[id(item)] = found
        return found

    def _from_reference(self, item: Input, reference: Reference, task: Task) -> Source:
        tasks = self._meant(reference, task, optional=item.optional)
        reads = tuple((path, task) for task in tasks for path in self.brought(reference, task))
        name = item.name or reference.output or reference.target
        target = self.pipeline.targets[reference.target]
        single = len(reads) < 2 and not is_plural(reference, target, self.partitions)
        return Source(name, tuple(path for path, _ in reads), reads, tuple(tasks), single, item.at, item.optional)

    def brought(self, reference: Reference, producer: Task) -> list[str]:
        """The paths that a reference brings of one task: the output named, else the outputs, else the metrics."""
        if reference.metrics is not None:
            return list(producer.metrics)
        if reference.output is None:
            return list(producer.outputs or producer.metrics)
        return [
            path
            for declared, path in zip((*producer.target.outputs, *producer.target.metrics), producer.made, strict=True)
            if declared.name == reference.output
        ]

    def _from_url(self, item: Input, url: str) -> Source:
        if item.optional:
            message = f"whether {url} is there is known only when it is read"
            raise PipelineError(message, item.at, "leave out the `?`")
        is_local = item.kind == "local"
        paths = (self._disk.copy_of(url),) if is_local else (url,)
        kind = "local" if is_local else "remote"
        return Source(item.name, paths, ((url, None),), (), True, item.at, item.optional, kind)

    def _from_path(self, item: Input, path: str, task: Task) -> Source:
        made = {made: self.task(target, keys) for target, keys, made in self.makers.of(path)}
        inside = {made: maker for made, maker in made.items() if made.startswith(path.rstrip("/") + "/")}
        inside.pop(path.rstrip("/") + "/", None)
        around = [maker for made, maker in made.items() if made not in inside]
        paths: tuple[str, ...] = (path,)
        reads: tuple[tuple[str, Task | None], ...]
        if around or not (inside or self._is_there(path)):
            reads = tuple((path, maker) for maker in around)
        elif inside:
            reads = self._held(path, {made: maker for made, maker in inside.items() if maker is not task})
        else:
            reads = ((path, None),)
        if not reads:
            paths = () if item.optional else paths
            self._note_missing(item, path, task)
        needs = tuple(dict.fromkeys(maker for _, maker in reads if maker is not None))
        kind = "stat" if item.kind == "stat" else "input"
        return Source(item.name, paths, reads, needs, True, item.at, item.optional, kind)

    def _note_missing(self, item: Input, path: str, task: Task) -> None:
        """Raises MissingInput, unless other keys of the target may have what it lacks."""
        if item.optional or self.may_come(each.partition for each in self._that_may_make(item, task)):
            return
        hint = "make it, correct the path, or write `?` behind it if it may be absent"
        error = MissingInput(path, f"no target makes {path}, and it does not exist", item.at, hint)
        if not task.keys:
            raise error
        before = self.missing[task].errors if task in self.missing else ()
        self.missing[task] = ManyErrors((*before, error))

    def _from_glob(self, item: Input, pattern: str, task: Task) -> Source:
        self._refuse_looking_in(pattern, item)
        made = {path: self.task(target, keys) for target, keys, path in self.makers.matching(pattern)}
        own = {path: maker for path, maker in made.items() if maker is not task}
        reads = self._with_users(own, self._disk.glob(pattern))
        needs = tuple(dict.fromkeys(maker for _, maker in reads if maker is not None))
        return Source(item.name, tuple(path for path, _ in reads), reads, needs, False, item.at, item.optional)

    def _refuse_looking_in(self, pattern: str, item: Input) -> None:
        """Raises PipelineError for a glob of what is known only once a task has run."""
        folder = literal_start(pattern).rpartition("/")[0]
        for target, _, made in self.makers.of(folder) if folder else ():
            if made.endswith("/") and f"{folder}/".startswith(made):
                message = f"what lies in {made} is known only once `{target.name}` has made it"
                raise PipelineError(message, item.at, f'name the directory: "{made}"')

    def _held(self, path: str, made: dict[str, Task]) -> tuple[tuple[str, Task | None], ...]:
        """What counts of a directory that holds what tasks make."""
        folder = path.rstrip("/")
        return self._with_users(made, [f"{folder}/{name}" for name in self._disk.walk(folder)])

    def _with_users(self, made: dict[str, Task], there: Iterable[str]) -> tuple[tuple[str, Task | None], ...]:
        """What tasks make, and beside it the user's own files; what tasks made that are no more does not count."""
        found: dict[str, Task | None] = dict(made)
        for path in there:
            if any(self.makers.of(path)):
                continue
            if self._disk.was_made(path):
                self.orphans.add(path)
            else:
                found[path] = None
        return tuple(sorted(found.items(), key=lambda item: item[0]))

    def _is_there(self, path: str) -> bool:
        there = self._paths.get(path)
        if there is None:
            there = self._paths[path] = self._disk.exists(path)
        return there

    # --- order

    def closure(self, wanted: Iterable[Task], mistakes: Mistakes) -> Order:
        """The wanted tasks and all that they need, each behind its needs.

        Args:
            mistakes: where what is wrong among them is noted: cycles, each shown whole; inputs that are not there;
                keys outside their partitions; paths that two make. What is wrong is left out of the order.
        """
        order, circles = self._walked(wanted, mistakes)
        with mistakes.noted():
            mistakes.found += self._lacking(order)
        mistakes.one_a_place()
        mistakes.found += misplaced(order, self.pipeline.files)
        if any(task.checkpoint for task in order):
            reads = {task: self._reads(task) for task in order}
            mistakes.found += misplaced_checkpoints(reads, self.pipeline.files)
        mistakes.found += [*self._wrong, *conflicts(order), *(cycle(circle) for circle in apart(circles))]
        return order

    def _reads(self, task: Task) -> list[str]:
        """The paths whose content counts for a task; none if something is wrong with its inputs, which was noted."""
        with suppress(MlbuildError):
            return [path for source in self.sources(task) for path, _ in source.reads]
        return []

    def _walked(self, wanted: Iterable[Task], mistakes: Mistakes) -> tuple[Order, list[Circle]]:
        """The order, without the needs that close a circle, and the circles."""
        order: Order = {}
        circles: list[Circle] = []
        entered: dict[Task, None] = {}
        for goal in wanted:
            if goal in order:
                continue
            path = [(goal, self._noted_needs(goal, mistakes), 0)]
            entered[goal] = None
            while path:
                task, needs, position = path.pop()
                if position == len(needs):
                    order[task] = needs
                    del entered[task]
                    continue
                below = needs[position]
                if below in entered:
                    circles.append([*entered][[*entered].index(below) :])
                    path.append((task, [*needs[:position], *needs[position + 1 :]], position))
                    continue
                path.append((task, needs, position + 1))
                if below not in order:
                    path.append((below, self._noted_needs(below, mistakes), 0))
                    entered[below] = None
        return order, circles

    def _noted_needs(self, task: Task, mistakes: Mistakes) -> list[Task]:
        found: list[Task] = []
        with mistakes.noted():
            found += self.listers(task)
        with mistakes.noted():
            found += self.producers(task)
        if not task.target.after:
            return found
        with mistakes.noted():
            found += (need for need, _ in self._after(task))
        return list(dict.fromkeys(found))

    def _lacking(self, tasks: Collection[Task]) -> Iterator[MlbuildError]:
        """For each target of the tasks: the inputs that it declares and no key of it has."""
        for target in {task.target.name: task.target for task in self.missing if task in tasks}.values():
            own = self.tasks(target)
            if self.may_come(target.partitions):  # the keys of last time may be those of files that are gone
                continue
            if all(self._lacks(task) for task in own):
                errors = [error for task in own for error in self.missing[task].errors]
                times = Counter(str(error.at) for error in errors)
                common = [error for error in self.missing[own[0]].errors if times[str(error.at)] == len(own)]
                yield from common or errors[:1]

    def _lacks(self, task: Task) -> bool:
        self.sources(task)
        return task in self.missing


def task_name(target: str, keys: tuple[Key, ...]) -> str:
    """`target` or `target[key,key]`, each key bare where that can be read back, else a JSON string."""
    if not keys:
        return target
    return f"{target}[{','.join(map(key_text, keys))}]"


def key_text(key: Key) -> str:
    """A key as it stands in a task's name."""
    return key.text if BARE_KEY(key.text) else dumps(key.text, ensure_ascii=False)
