"""Goals as typed → the tasks that are wanted. A range, and so a backfill, is a selection and not a mode."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice, product
from posixpath import join, normpath

from msgspec import Struct

from mlbuild.errors import PipelineError, UsageError
from mlbuild.expression import Key
from mlbuild.graph.dag import Graph, key_text
from mlbuild.graph.partitions import Keys
from mlbuild.graph.paths import clean
from mlbuild.graph.references import OutsidePartition, extent, known
from mlbuild.graph.task import Task
from mlbuild.target import Lines, Target

GOAL = re.compile(r"(?P<target>[A-Za-z_]\w*)(?:\[(?P<keys>.*)\])?(?:\.(?P<output>[A-Za-z_]\w*))?", re.DOTALL)
KEY = re.compile(r'\s*(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<text>"(?:[^"\\]|\\.)*"|[^,\]"]*?)\s*(?:,|$)')
LISTED = re.compile(r'"(?:[^"\\]|\\.)*"|[^,]+')

MOST_COMPARED = 10_000
"""Paths, with one that nothing makes: for about a second."""


class NotYetKnown(UsageError):
    """A key that its partition does not have, as far as can be told before the task that lists its keys is in place."""


class Selection(Struct, frozen=True):
    """What goals mean, as far as keys are known.

    Attributes:
        listers: the tasks that list keys on which it hangs what the goals mean.
        unknown: a key is asked for that may still come to be there; if no list is to come any more, it is wrong.
    """

    tasks: Sequence[Task]
    listers: Sequence[Task] = ()
    unknown: NotYetKnown | None = None


def selection(graph: Graph, goals: Sequence[str], folder: str, keys: Sequence[tuple[str, str]]) -> Selection:
    """What goals mean, at these keys (as in `at_keys`) only.

    Raises:
        UsageError: nothing is called so, nor can it come to be.
    """
    chosen: dict[Task, None] = {}
    listers: dict[Task, None] = {}
    unknown: NotYetKnown | None = None
    only = narrowed(graph, keys)
    for goal in goals or graph.pipeline.default:
        listers.update(dict.fromkeys(_listers(graph, goal, folder)))
        try:
            chosen.update(dict.fromkeys(select(graph, [goal], folder, only)))
        except NotYetKnown as error:
            unknown = unknown or error
    tasks = [*chosen]
    try:
        tasks = at_keys(graph, tasks, keys, listers)
    except NotYetKnown as error:
        unknown = unknown or error
        tasks = [task for task in tasks if not {name for name, _ in keys} & {*task.target.partitions}]
    if unknown:
        graph.may_come(keys.partition.name for task in listers for keys in graph.lists(task))
    return Selection(tasks, [*listers], unknown)


def _listers(graph: Graph, goal: str, folder: str) -> list[Task]:
    """The tasks that list keys on which it hangs what a goal means."""
    match = GOAL.fullmatch(goal)
    target = graph.pipeline.targets.get(match["target"]) if match else None
    return graph.listers_of([target] if target else _may_make(graph, goal, folder))


def _may_make(graph: Graph, goal: str, folder: str) -> list[Target]:
    """The targets that may come to make a path."""
    paths = (inside(folder, goal), inside("", goal))
    return [target for path in paths for target in graph.makers.might(path, whole=True)] if graph.listings else []


def select(
    graph: Graph, goals: Sequence[str], folder: str = "", only: Mapping[str, Collection[str]] | None = None
) -> list[Task]:
    """The tasks that goals mean, each once, in the order of the goals and of the keys.

    Args:
        goals: targets, tasks, ranges, named outputs, paths (see `docs`); none: the default of the Pipelinefile.
        folder: where the user stands, relative to the workspace; paths are looked up from there first.
        only: partition → the texts of its keys at which alone a whole target is meant.

    Raises:
        UsageError: nothing is called so; NotYetKnown, if that may come to be.
    """
    targets = graph.pipeline.targets
    chosen: dict[Task, None] = {}
    if not goals:
        for name in graph.pipeline.default:
            chosen.update(dict.fromkeys(graph.tasks(targets[name], only)))
    for goal in goals:
        chosen.update(dict.fromkeys(_tasks(graph, goal, folder, only)))
    return list(chosen)


def narrowed(graph: Graph, keys: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
    """What `keys` (as in `at_keys`) leave of each partition that they name, as texts; what is wrong with them is left
    for that to say."""
    found: dict[str, set[str]] = {}
    for name, text in keys:
        with suppress(UsageError):
            if name in graph.partitions:
                texts = {key.text for key in _several(graph.partitions[name], text, "")}
                found[name] = texts & found.get(name, texts)
    return found


def at_keys(
    graph: Graph, tasks: Sequence[Task], keys: Sequence[tuple[str, str]], listers: Collection[Task] = ()
) -> list[Task]:
    """Of these tasks, those at the keys given; one whose target lacks the partition stays.

    Args:
        keys: (partition, keys as typed: one, a range, `*`, or several of these with commas between them).
        listers: of the goals: there may be no tasks as yet of a partition whose keys one of them lists.

    Raises:
        UsageError: no such partition or key, or none of the tasks has it; NotYetKnown, if it may come to be.
    """
    kept = list(tasks)
    for name, text in keys:
        if name not in graph.partitions:
            near = get_close_matches(name, graph.partitions, 1)
            hint = f"did you mean --{near[0]}?" if near else "`mlbuild --help` lists the options"
            raise UsageError(f"there is no option or partition `{name}`", hint=hint)
        is_listed = any(graph.partitions[name] in graph.lists(task) for task in listers)
        if not is_listed and not any(name in task.target.partitions for task in tasks):
            raise UsageError(f"none of the goals has the partition `{name}`", hint=_theirs(graph, tasks, text))
        wanted = {key.text for key in _several(graph.partitions[name], text, f"--{name} {text}")}
        kept = [task for task in kept if _key_of(task, name) is None or _key_of(task, name) in wanted]
    return kept


def _theirs(graph: Graph, tasks: Sequence[Task], text: str) -> str | None:
    """The options that name the partitions of tasks, with the text that was meant for another where it fits."""
    options = []
    for name in dict.fromkeys(each for task in tasks for each in task.target.partitions):
        option = f"--{name}"
        with suppress(UsageError):
            option += f" {text}" if [*_several(graph.partitions[name], text, "")] else ""
        options.append(option)
    return f"theirs: {', '.join(options)}" if options else None


def _several(keys: Keys, text: str, goal: str) -> Iterator[Key]:
    for one in [text] if keys.position(text) is not None else LISTED.findall(text) or [text]:
        yield from chosen(keys, one.strip(), goal)


def line_of(graph: Graph, tasks: Sequence[Task], option: str = "", *, default: bool = False) -> str:
    """The partition of these tasks along which their keys lie one after another: a calendar, else any.

    Args:
        option: that needs it to be the only one; without it, the first is taken.
        default: no goals were given.

    Raises:
        UsageError: there are no tasks; there is none, or several.
    """
    if not tasks:
        raise UsageError("there are no keys of the goals as yet")
    names = dict.fromkeys(name for task in tasks for name in task.target.partitions)
    found = [name for name in names if graph.partitions[name].ordered] or [*names]
    if not found:
        having = [target.name for target in graph.pipeline.targets.values() if target.partitions]
        these = f"; with keys there are: {', '.join(having)}" if having else ""
        if default:
            hint = these.removeprefix("; ") or None
            raise UsageError("a goal is needed: nothing of the default has a partition", hint=hint)
        raise UsageError("none of the goals has a partition", hint=f"`mlbuild GOAL` builds what has no keys{these}")
    if option and len(found) > 1:
        hint = f"as in --{found[0]} FIRST..LAST"
        raise UsageError(f"{option}: the goals have the partitions {', '.join(found)}; which is meant?", hint=hint)
    return found[0]


def in_turn(graph: Graph, tasks: Sequence[Task], line: str, *, newest_first: bool = False) -> list[Task]:
    """Tasks in the order of their keys of a partition; those at the same one stay as they are, those without any are
    the last."""
    keys = graph.partitions[line]

    def place(task: Task) -> int:
        position = keys.position(_key_of(task, line) or "")
        if position is None:
            return len(keys)
        return len(keys) - 1 - position if newest_first else position

    return sorted(tasks, key=place)


def folded(graph: Graph, tasks: Sequence[Task]) -> list[str]:
    """Goals that mean exactly these tasks, which are all different: keys that follow each other stand as a range."""
    rows: dict[tuple[str, ...], list[Task]] = {}
    for task in tasks:
        if not task.keys:
            rows[task.name,] = [task]
            continue
        at = task.target.partitions.index(line_of(graph, [task]))
        shown = [key_text(key) for key in task.keys]
        rows.setdefault((task.target.name, *shown[:at], "", *shown[at + 1 :]), []).append(task)
    return [goal for row in rows.values() for goal in _ranges(graph, row)]


def _ranges(graph: Graph, row: Sequence[Task]) -> Iterator[str]:
    """The goals for tasks of a target that differ in their keys of one partition only."""
    target = row[0].target
    if not target.partitions:
        yield target.name
        return
    line = line_of(graph, row[:1])
    keys, at = graph.partitions[line], target.partitions.index(line)
    places = sorted(known(task.keys[at].text, keys, None) for task in row)
    runs: list[list[int]] = []
    for place in places:
        # An end of a range is read back only where it stands without quotes.
        if runs and runs[-1][-1] == place - 1 and _is_bare(keys.all[runs[-1][0]]) and _is_bare(keys.all[place]):
            runs[-1].append(place)
        else:
            runs.append([place])
    for first, last in ((keys.all[run[0]], keys.all[run[-1]]) for run in runs):
        shown = [key_text(key) for key in row[0].keys]
        shown[at] = key_text(first) if first is last else f"{first.text}..{last.text}"
        yield f"{target.name}[{','.join(shown)}]"


def _is_bare(key: Key) -> bool:
    return key_text(key) == key.text


def _key_of(task: Task, partition: str) -> str | None:
    names = task.target.partitions
    return task.keys[names.index(partition)].text if partition in names else None


def _tasks(graph: Graph, goal: str, folder: str, only: Mapping[str, Collection[str]] | None) -> list[Task]:
    match = GOAL.fullmatch(goal)
    target = graph.pipeline.targets.get(match["target"]) if match else None
    if match and target and match["output"] in (None, *_output_names(target)):
        if match["keys"] is None:
            return graph.tasks(target, only)
        return [graph.task(target, keys) for keys in _keys(graph, target, match["keys"], goal)]
    for path in dict.fromkeys((inside(folder, goal), inside("", goal))):
        makers = [graph.task(maker, keys) for maker, keys, made in graph.makers.of(path) if _is_at(path, made)]
        if makers:
            return list(dict.fromkeys(makers))
    if match and target:
        names = _output_names(target)
        hint = f"its named outputs are: {', '.join(names)}" if names else "none of its outputs has a name"
        raise UsageError(f"{goal}: `{target.name}` has no output called `{match['output']}`", hint=hint)
    if graph.may_come(name for target in _may_make(graph, goal, folder) for name in target.partitions):
        raise NotYetKnown(f"none of the tasks that there are makes {goal}")
    names = [*graph.pipeline.targets]
    near = [] if "/" in goal else get_close_matches(match["target"] if match else goal, names, 1)
    near = near or get_close_matches(inside(folder, goal), islice(_made(graph), MOST_COMPARED), 1)
    hint = f"did you mean {near[0]}?" if near else f"the targets are: {', '.join(names)}"
    raise UsageError(f"no target is called {goal}, and none makes a path of that name", hint=hint)


def _made(graph: Graph) -> Iterator[str]:
    """Every path that a task makes."""
    for target in graph.pipeline.targets.values():
        with suppress(PipelineError):  # its keys can't be read
            yield from [path for task in graph.tasks(target) for path in task.made]


def path_of(task: Task, goal: str, folder: str) -> str | None:
    """The path that a goal means, which means this task alone; None if it means the task."""
    match = GOAL.fullmatch(goal)
    if match and match["target"] == task.target.name:
        declared = (*task.target.outputs, *task.target.metrics)
        named = {output.name: path for output, path in zip(declared, task.made, strict=True) if output.name}
        if match["output"] is None:
            return None
        if match["output"] in named:
            return named[match["output"]]
    found = (path for path in (inside(folder, goal), inside("", goal)) if any(_is_at(path, made) for made in task.made))
    return next(found, None)


def inside(folder: str, path: str) -> str:
    """A path as seen from a folder of the workspace, from the workspace itself."""
    return clean(normpath(join(folder, path)) + ("/" if path.endswith("/") else ""))


def _is_at(path: str, made: str) -> bool:
    """Whether a goal means what is made: the path itself, something in a directory made, or a folder of made paths."""
    return True if path.rstrip("/") == made.rstrip("/") else made.startswith(path) or path.startswith(made)


def _output_names(target: Target) -> list[str]:
    return [output.name for output in (*target.outputs, *target.metrics) if output.name]


def _keys(graph: Graph, target: Target, text: str, goal: str) -> list[tuple[Key, ...]]:
    """The keys meant by what stands inside `[ ]`; partitions that are not named mean all of their keys."""
    choices = {name: graph.partitions[name].all for name in target.partitions}
    unnamed = list(target.partitions)
    position = 0
    while position < len(text):
        match = KEY.match(text, position)
        if not match:
            raise UsageError(
                f"{goal}: can't be read after `{text[:position]}`", hint='a key with other signs is a string: ["a,b"]'
            )
        position = match.end()
        name = match["name"] if match["name"] in choices else None
        shown = match["text"] if name or not match["name"] else f"{match['name']}={match['text']}"
        if name is None:
            if not unnamed:
                raise UsageError(f"{goal}: `{target.name}` has {_count(target)}")
            name = unnamed[0]
            if match["name"] and graph.partitions[name].position(shown) is None:
                hint = f"its partitions: {', '.join(target.partitions)}"
                raise UsageError(f"{goal}: `{target.name}` has no partition `{match['name']}`", hint=hint)
        if name in unnamed:
            unnamed.remove(name)
        choices[name] = chosen(graph.partitions[name], shown, goal)
    return list(product(*(choices[name] for name in target.partitions)))


def chosen(keys: Keys, text: str, goal: str) -> tuple[Key, ...]:
    """The keys that one key, a range `a..b` (an end may be left out) or `*` means. Raises UsageError."""
    if text == "*":
        return keys.all
    try:
        if text.startswith('"'):
            return (keys.all[known(_string(text, goal), keys, None)],)
        first, dots, last = text.partition("..")
        if not dots or keys.position(text) is not None:
            start, stop = _meant(text, keys)
        else:
            start = _meant(first, keys, cut=True)[0] if first else 0
            stop = _meant(last, keys, cut=True)[1] if last else len(keys)
            if start >= stop:
                raise _unknown(keys, f"{goal}: no key of `{keys.partition.name}` lies in {text} ({extent(keys)})")
        return keys.all[start:stop]
    except OutsidePartition as error:
        raise _unknown(keys, f"{goal}: {error.message}", error.hint) from None


def verify_ends(keys: Keys, first: str, last: str) -> None:
    """Raises UsageError if no keys lie from `--from` to `--to`, or one of them is none; an end may be left out."""
    if not keys.settled:
        return  # the keys that there will be may lie there
    ends = {"--from": first, "--to": last}
    begin, end = 0, len(keys)
    for option, text in ends.items():
        try:
            span = _meant(text, keys, cut=True) if text else (begin, end)
        except OutsidePartition as error:
            raise UsageError(f"{option} {text}: {error.message}", hint=error.hint) from None
        begin, end = (span[0], end) if option == "--from" else (begin, span[1])
    if begin < end:
        return
    if first and last and (begin > end or not keys.ordered or first > last):
        raise UsageError(f"--from {first} lies behind --to {last}")
    typed = " ".join(f"{option} {text}" for option, text in ends.items() if text)
    raise UsageError(f"{typed}: no key of `{keys.partition.name}` lies there ({extent(keys)})")


def _unknown(keys: Keys, message: str, hint: str | None = None) -> UsageError:
    """The error for a key that is none."""
    source = keys.partition.source
    if keys.settled or not isinstance(source, Lines):
        return UsageError(message, hint=hint)
    return NotYetKnown(message, hint=f"which keys there are is known once `{source.target}` has listed them")


def _string(text: str, goal: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        message = f"{goal}: {text} is not one JSON string"
        raise UsageError(message, hint='as in "a,b"') from None


def _meant(text: str, keys: Keys, *, cut: bool = False) -> tuple[int, int]:
    """Where the key of this text stands; of a calendar also the keys of a month or a day, or the one that holds it.

    Args:
        cut: a date outside the calendar is where it would stand. Else it is no key, and raises OutsidePartition.
    """
    found = keys.span(text) if keys.ordered else None
    if found and (cut or found[0] < found[1]):
        return found
    position = known(text, keys, None)
    return position, position + 1


def _count(target: Target) -> str:
    if not target.partitions:
        return "no partitions"
    return f"only the partition{'s' if len(target.partitions) > 1 else ''} {', '.join(target.partitions)}"
