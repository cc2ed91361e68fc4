"""Partition statements: calendars, checked, and the keys of lists."""

from __future__ import annotations

import re
from glob import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlbuild.errors import LEAVE_OUT, Location, PipelineError
from mlbuild.expression import (
    Attribute,
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Name,
    Node,
    Slot,
    Template,
    Unary,
    evaluate,
    expand,
    walk,
    written,
)
from mlbuild.files import as_regex
from mlbuild.language.ast import PartitionOf, Periods
from mlbuild.language.constants import Constants
from mlbuild.target import Calendar, Lines, Listed, Partition, Target
from mlbuild.values import Key, kind_of, moment, nearest, unfit_key

SHAPES = {
    "daily": ("2013-01-31",),
    "weekly": ("2013-01-31",),
    "monthly": ("2013-01", "2013-01-31"),
    "hourly": ("2013-01-31T06", "2013-01-31"),
}
"""Dates that a calendar may begin and end with, by example."""
PERIODS = tuple(SHAPES)


def partition(statement: PartitionOf, constants: Constants) -> Partition:
    """The partition that a statement declares. Raises PipelineError."""
    source = statement.source
    if isinstance(source, Periods):
        return Partition(statement.name.text, _calendar(source, constants), statement.name.at)
    name = statement.name.text
    if lines := _lines(source, constants):
        return Partition(name, lines, statement.name.at)
    if isinstance(source, Call) and source.function == "glob":
        paths = _matched(name, source, constants)
        return Partition(
            name, Listed(_keys(name, list(paths), source, constants), tuple(paths.values())), statement.name.at
        )
    return Partition(name, Listed(_keys(name, _values(source, constants), source, constants)), statement.name.at)


# --- Calendars


def _calendar(source: Periods, constants: Constants) -> Calendar:
    first = _date(source.first, source.period, constants)
    last = _date(source.last, source.period, constants) if source.last else None
    shortest = min(len(first), len(last)) if last else 0
    if source.last and last and last[:shortest] < first[:shortest]:
        message = f"this partition ends ({last}) before it begins ({first})"
        raise PipelineError(message, source.last.at, "the first key stands behind `from`, the last behind `to`")
    return Calendar(source.period, first, last, _zone(source, constants))


def _zone(source: Periods, constants: Constants) -> str | None:
    if source.zone is None:
        return None
    zone = evaluate(source.zone, constants)
    if not isinstance(zone, str):
        raise PipelineError(f'a time zone is a text such as "Europe/Berlin", not {kind_of(zone)}', source.zone.at)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = 'zones are named as in "Europe/Berlin"; on a system without zone data: pip install tzdata'
        raise PipelineError(f'there is no time zone "{zone}"', source.zone.at, hint) from None
    return zone


def _date(node: Node, period: str, constants: Constants) -> str:
    value = evaluate(node, constants)
    shapes = SHAPES[period]
    if not isinstance(value, str) or len(value) not in [len(shape) for shape in shapes]:
        shown = value if isinstance(value, str) else written(node)
        raise PipelineError(f"{shown} can't be an end of {period} periods", node.at, f"write {' or '.join(shapes)}")
    try:
        year = moment(value).year
    except ValueError:
        raise PipelineError(f"{value} is no date", node.at) from None
    if not 1000 <= year <= 9998:
        raise PipelineError(f"{value} lies outside the years that a calendar may have: 1000 to 9998", node.at)
    return value


# --- What a target makes


def _lines(source: Node, constants: Constants) -> Lines | None:
    """`lines(target.output)` or `lines(target)`; None for everything else."""
    if not isinstance(source, Call) or source.function != "lines" or len(source.arguments) != 1:
        return None
    node = source.arguments[0].value
    base, output = (node.base, node.name) if isinstance(node, Attribute) else (node, None)
    if not isinstance(base, Name) or not constants.is_target(base.name):
        return None
    return Lines(base.name, output, node.at)


def verify_lines(lines: Lines, target: Target) -> None:
    """Raises PipelineError unless a target makes one file whose lines can be keys."""
    if target.partitions:
        keys = " and ".join(f"`{name}`" for name in target.partitions)
        message = f"`{target.name}` makes one for each key of {keys}, and a partition has one list of keys"
        raise PipelineError(message, lines.at, "take the lines of an output of a target without partitions")
    names = [output.name for output in target.outputs if output.name]
    if lines.output is None and len(target.outputs) != 1:
        made = f"has {len(target.outputs)} outputs" if target.outputs else "has no output"
        hint = f"name the one whose lines are the keys: lines({target.name}.{names[0] if names else 'NAME'})"
        raise PipelineError(f"`{target.name}` {made}", lines.at, hint)
    output = lines.of(target)
    if output is None:
        near = nearest(lines.output or "", names)
        known = ", ".join(names) or "none"
        hint = f"did you mean `{near}`?" if near else f"its outputs with a name: {known} (metrics have no lines)"
        raise PipelineError(f"`{target.name}` has no output `{lines.output}`", lines.at, hint)
    if output.temporary:
        message = "what is temporary can't list keys: they are read from it in every build"
        raise PipelineError(message, lines.at, f"write it without temp() in `{target.name}`")
    last = output.path.parts[-1] if output.path.parts else ""
    if isinstance(last, str) and last.endswith("/"):
        message = f"`{written(output.path)}` is a directory, which has no lines"
        raise PipelineError(message, lines.at, f"have `{target.name}` write the keys into a file, too")


# --- Lists


def _keys(name: str, values: list[object], source: Node, constants: Constants) -> tuple[Key, ...]:
    """The keys of these values, as written where they stand in a list of the Pipelinefile."""
    if isinstance(source, ListOf):
        placed = [(_written_key(item, constants), item.at) for item in source.items]
    else:
        placed = [(_key(value, source.at), source.at) for value in values]
    if not placed:
        raise PipelineError(f"partition `{name}` has no keys", source.at, "a partition has at least one")
    seen: set[str] = set()
    for key, at in placed:
        if key.text in seen:
            raise PipelineError(f"two keys have the text {key.text}", at, LEAVE_OUT)
        seen.add(key.text)
    return tuple(key for key, _ in placed)


def _matched(name: str, source: Call, constants: Constants) -> dict[object, str]:
    """The keys that `glob("raw/{name}.csv")` finds, each with the file behind it."""
    node = source.arguments[0].value if source.arguments else None
    slot = "{" + name + "}"
    if not isinstance(node, Template) or not any(_is_slot(part, name) for part in node.parts):
        hint = f'write {slot} where the keys stand: glob("raw/{slot}.csv")'
        raise PipelineError(f"this says not which part of a path is the key of `{name}`", source.at, hint)
    texts = [_pattern(part, name, constants) for part in node.parts]
    regex = as_regex("".join(texts)).replace(KEY, "(?P<key>[^/]+?)", 1).replace(KEY, "(?P=key)")
    found: dict[object, str] = {}
    for path in constants.files.glob("".join(texts).replace(KEY, "*")):
        match = re.fullmatch(regex, path, re.DOTALL)
        if match and match["key"] in found:
            message = f"two files have the key {match['key']}: {found[match['key']]} and {path}"
            raise PipelineError(message, source.at, "rename one of them, or write a pattern that only one matches")
        if match:
            found[match["key"]] = path
    if not found:
        message = f"partition `{name}` has no keys: no file matches"
        raise PipelineError(message, source.at, "correct the pattern, or make such a file")
    return found


KEY = "\0"
"""Stands in a pattern for the key that is looked for."""


def _is_slot(part: str | Slot, name: str) -> bool:
    return isinstance(part, Slot) and isinstance(part.expression, Name) and part.expression.name == name


def _pattern(part: str | Slot, name: str, constants: Constants) -> str:
    if isinstance(part, str):
        return part
    if _is_slot(part, name):
        return KEY
    text = expand(part, constants)
    return escape(text if isinstance(text, str) else " ".join(text))


def _values(source: Node, constants: Constants) -> list[object]:
    _refuse_other_sources(source, constants)
    value = evaluate(source, constants)
    if isinstance(value, list):
        return value
    hint = 'write a list such as ["us", "eu"], range(5), keys(…), or: daily from 2013-01-01'
    raise PipelineError(f"a partition has many keys, and this is {kind_of(value)}", source.at, hint)


def _refuse_other_sources(source: Node, constants: Constants) -> None:
    if isinstance(source, Name) and source.name in PERIODS:
        hint = f"write: {source.name} from {SHAPES[source.name][0]}"
        raise PipelineError(f"`{source.name}` needs the date at which it begins", source.at, hint)
    if any(isinstance(part, Name) and constants.is_target(part.name) for part in walk(source)):
        hint = "it can have the lines of an output for its keys: lines(TARGET.OUTPUT)"
        raise PipelineError(f"`{written(source)}` is not known before a target has made it", source.at, hint)


def _written_key(item: Node, constants: Constants) -> Key:
    """A key of a list in the Pipelinefile, whose text is what is written there."""
    value = evaluate(item, constants)
    if isinstance(item, Template | Name | Index | Call | Binary) or isinstance(value, str):
        return _key(value, item.at)
    if isinstance(item, Literal | Unary):
        return Key(written(item), _key(value, item.at).value)
    return _key(value, item.at)


def _key(value: object, at: Location) -> Key:
    if isinstance(value, bool):
        return Key("true" if value else "false", value)
    if isinstance(value, int | float):
        return Key(repr(value), value)
    if not isinstance(value, str):
        raise PipelineError(f"a key is a text or a number, not {kind_of(value)}", at)
    if problem := unfit_key(value):
        raise PipelineError(f"{value!r} can't be a key: {problem}", at, "keys stand in paths and in the names of tasks")
    return Key(value, value)
