"""A build as a file of JSON lines (`--events`), each written as it happens; and the events that such a line holds."""

from __future__ import annotations

import json
import re
import time
from typing import Any, TextIO, get_args

from msgspec.structs import asdict, fields

from mlbuild.engine import events
from mlbuild.engine.decide import Reason
from mlbuild.ui.words import reason_json


class JsonLines:
    """Writes to an open text file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, event: events.Event) -> None:
        self._out.write(json.dumps(as_json(event), ensure_ascii=False) + "\n")
        self._out.flush()


def as_json(event: events.Event) -> dict[str, Any]:
    """`{"time": epoch seconds, "event": "task_started", …the fields of the event}`"""
    row = {"time": time.time(), "event": _name(type(event)), **asdict(event)}
    if isinstance(event, events.TaskReady | events.TaskBegunAnew):
        row["reasons"] = [reason_json(reason) for reason in event.reasons]
    return row


def from_json(line: bytes) -> tuple[float, events.Event] | None:
    """When it happened, in epoch seconds, and what; None for a torn line, and for an event of another mlbuild."""
    try:
        row = json.loads(line)
        kind = _KINDS[row["event"]]
        known = {field.name: _tuples(row[field.name]) for field in fields(kind) if field.name in row}
        if "reasons" in known:
            known["reasons"] = tuple(_reason(reason) for reason in row["reasons"])
        return row["time"], kind(**known)
    except (ValueError, KeyError, TypeError):
        return None


def _name(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_KINDS = {_name(kind): kind for kind in get_args(events.Event)}


def _tuples(value: Any) -> Any:
    """Events hold tuples, JSON has lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _reason(row: dict[str, Any]) -> Reason:
    return Reason(row["kind"], row["what"], row.get("old"), row.get("new"))
