"""A build as a file of JSON lines (`--events`), each written as it happens."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict
from typing import Any, TextIO

from mlbuild.engine import events
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
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    row = {"time": time.time(), "event": name, **asdict(event)}
    if isinstance(event, events.TaskReady):
        row["reasons"] = [reason_json(reason) for reason in event.reasons]
    return row
