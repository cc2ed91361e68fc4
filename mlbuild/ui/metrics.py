"""The values of metrics files side by side, for people and programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlbuild.engine.metrics import Measured
from mlbuild.ui.words import table

MISSING = "-"
WIDEST = 40
"""Characters of a text, and of a list, in a cell."""


def metrics_table(measured: Sequence[Measured], against: int | None) -> str:
    """A table for each target; against an earlier build, one of all values."""
    if against is not None:
        head = ("task", "metric", f"run {against}", "now", "difference")
        rows = [[task, name, _cell(then), _cell(now), _signed(by)] for task, name, then, now, by in _compared(measured)]
        return "\n".join(table([head, *rows], right=[2, 3, 4]))
    targets: dict[str, list[Measured]] = {}
    for each in measured:
        targets.setdefault(each.task.target.name, []).append(each)
    return "\n\n".join("\n".join(_of_target(name, group)) for name, group in targets.items())


def _of_target(name: str, group: Sequence[Measured]) -> list[str]:
    names = _names(group)
    if not names:
        return [f"{name}: no values yet"]
    rows = [[each.task.name, *(_cell(each.now.get(metric, ABSENT)) for metric in names)] for each in group]
    return table([["task", *names], *rows], right=range(1, len(names) + 1))


def metrics_csv(measured: Sequence[Measured], against: int | None) -> str:
    """As the table, but all targets in one, and every value whole."""
    if against is not None:
        rows = [["task", "metric", f"run {against}", "now", "difference"]]
        rows += [[task, name, *map(_plain, values)] for task, name, *values in _compared(measured)]
    else:
        names = _names(measured)
        rows = [["task", *names]]
        rows += [[each.task.name, *(_plain(each.now.get(name, ABSENT)) for name in names)] for each in measured]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().removesuffix("\n")


def metrics_json(measured: Sequence[Measured], against: int | None) -> str:
    """All values. What is no number in JSON is written as `"NaN"`, `"Infinity"` or `"-Infinity"`."""
    document: dict[str, Any] = {"metrics": _names(measured), "tasks": [_task(each) for each in measured]}
    if against is not None:
        document["against"] = against
    return json.dumps(_strict(document), indent=2, ensure_ascii=False)


def _task(each: Measured) -> dict[str, Any]:
    row: dict[str, Any] = {
        "task": each.task.name,
        "keys": {name: key.text for name, key in zip(each.task.target.partitions, each.task.keys, strict=True)},
        "values": dict(each.now),
        "unreadable": list(each.broken),
    }
    if each.then is None:
        return row
    changes = {name: by for _, name, _, _, by in _compared([each]) if not isinstance(by, str)}
    return row | {"then": dict(each.then), "differences": changes}


ABSENT = object()
"""Stands for a value that is not there."""


def _names(measured: Iterable[Measured]) -> list[str]:
    """The names of all values, in the order in which they are met."""
    return list(dict.fromkeys(name for each in measured for name in (*each.now, *(each.then or ()))))


def _compared(measured: Iterable[Measured]) -> list[tuple[str, str, Any, Any, Any]]:
    """(task, name, value then, value now, difference) of every value."""
    rows = []
    for each in measured:
        for name in _names([each]):
            then, now = (values.get(name, ABSENT) for values in (each.then or {}, each.now))
            rows.append((each.task.name, name, then, now, _difference(then, now)))
    return rows


def _difference(then: Any, now: Any) -> Any:
    """A number if both are; else what happened in a word, or nothing."""
    if then is ABSENT or now is ABSENT:
        return "new" if then is ABSENT else "gone"
    if _is_number(then) and _is_number(now):
        return now - then
    return "" if json.dumps(then) == json.dumps(now) else "changed"


def _is_number(value: Any) -> bool:
    """One that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1 << 63 if isinstance(value, int) else math.isfinite(value)


def _signed(difference: Any) -> str:
    return difference if isinstance(difference, str) else f"{difference:+.6g}" if difference else ""


def _cell(value: Any) -> str:
    """A value in few characters."""
    if value is ABSENT:
        return MISSING
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(_plain(value).split())
    if len(text) <= WIDEST:
        return text
    return f"[{len(value)} values]" if isinstance(value, list) else f"{text[: WIDEST - 1]}…"


def _plain(value: Any) -> str:
    """A value whole: a text and a number as they are, all else as JSON; nothing for none."""
    if value is ABSENT:
        return ""
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else json.dumps(value)


def _strict(value: Any) -> Any:
    """A value that any reader of JSON knows."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case Mapping():
            return {name: _strict(item) for name, item in value.items()}
        case list():
            return [_strict(item) for item in value]
    return value
