"""`status` on a terminal: each target with the signs of its states, and a grid of cells where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mlbuild.engine.survey import Seen
from mlbuild.graph.dag import Graph
from mlbuild.ui.grid import SIGNS, Line, Piece, grid_lines
from mlbuild.ui.survey import ORDER, by_target

COLORS = {
    "fresh": "#008700",
    "absent": "#767676",
    "restorable": "#008787",
    "running": "#0087ff",
    "queued": "#5f87af",
    "stale": "#af8700",
    "missing": "#d75f00",
    "blocked": "#af00af",
    "failed": "bold #d70000",
}
"""Of signs: none so bright or so dark that it would not stand out from white as from black."""


def show_status(seen: Sequence[Seen], graph: Graph, *, color: bool) -> None:
    """Print it, as wide as the terminal is."""
    console = Console(no_color=not color, highlight=False)
    for line in status_picture(seen, graph, console.width):
        text = Text.assemble(*((text, COLORS.get(state, "")) for text, state in line))
        text.rstrip()
        console.print(text)


def status_picture(seen: Sequence[Seen], graph: Graph, width: int) -> Iterator[Line]:
    """The lines of the picture; `width` in characters."""
    rows = by_target(seen)
    margin = max(map(len, rows), default=0) + 2
    for name, group in rows.items():
        beside = name
        for line in _states(Counter(each.state for each in group), width - margin):
            yield (beside.ljust(margin), ""), *line
            beside = ""
        yield from grid_lines(graph, {each.surveyed.task: each.state for each in group}, width)


def _states(counts: Counter[str], room: int) -> Iterator[Line]:
    """How many tasks are in each state, in as many lines as it takes."""
    line: list[Piece] = []
    used = 0
    states = [state for state in ORDER if counts[state]]
    for state in states:
        text = f" {counts[state]} {state}" if counts.total() > 1 else f" {state}"
        text += "," if state != states[-1] else ""
        if line and used + len(text) + 2 > room:
            yield line
            line, used = [], 0
        line += [(f"{' ' if line else ''}{SIGNS[state]}", state), (text, "")]
        used += len(text) + 2
    yield line
