"""The tasks of a target as a grid of cells, each with the sign of its state. Knows of a terminal its width alone, and
takes all characters of keys for equally wide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from mlbuild.graph.dag import Graph, key_text
from mlbuild.graph.partitions import Keys
from mlbuild.graph.select import folded
from mlbuild.graph.task import Task
from mlbuild.ui.calendar import Place, sheets
from mlbuild.values import Key

SIGNS = {
    "fresh": "■",
    "absent": "·",
    "restorable": "↺",
    "running": "▸",
    "queued": "◦",
    "stale": "▒",
    "missing": "□",
    "blocked": "!",
    "failed": "✗",
}
"""Of each state, the best first: a cell of several tasks shows the worst of them."""
QUIET = ("fresh", "absent")
"""States in which nothing is to be done, so that no keys are named."""

LONGEST = 32
"""Lines that a grid may have: a month of hours, and what stands above them."""
FEW = 14
"""So many tasks need no grid."""
STRIP = 8
"""Lines that keys without any order of their own may have."""
NAMED = 3
"""Lines that name the keys in one state."""
GAP = "  "
"""Between keys, and before all lines."""
LEAST_NAME = 4
"""Characters of a column's name that say something."""

Piece = tuple[str, str]
"""A text, and the state whose colour it has; '' for none."""
Line = Sequence[Piece]


class Grid(Struct, frozen=True):
    """Where each task has its cell.

    Attributes:
        rows: what stands at the left of each row.
        columns: how many there are.
        place: of a task.
        marks: (column, what stands above it), from left to right; it holds up to the next.
        pitch: how many characters a column is best wide.
        unit: the period that a cell stands for; '' for none.
    """

    rows: Sequence[str]
    columns: int
    place: Callable[[Task], Place]
    marks: Sequence[tuple[int, str]] = ()
    pitch: int = 2
    unit: str = ""

    @property
    def margin(self) -> int:
        """How wide what stands at the left is."""
        widest = max(map(len, self.rows))
        return widest + 1 if widest else 0

    def pitch_in(self, room: int) -> int:
        """How wide a column is, if all have so much room."""
        return max(1, min(self.pitch, room // self.columns))

    def lines_in(self, width: int) -> int:
        """How many lines it takes, those above the cells too."""
        room = width - self.margin
        bands = ceil(self.columns * self.pitch_in(room) / room)
        return bands * (len(self.rows) + bool(self.marks))

    def thinned(self, rows: int, columns: int) -> Grid:
        """With so many rows and columns of it in one."""
        if rows == columns == 1:
            return self
        place = self.place

        def thinned(task: Task) -> Place:
            row, column = place(task)
            return row // rows, column // columns

        marks = dict(reversed([(column // columns, text) for column, text in self.marks]))
        return replace(
            self,
            rows=self.rows[::rows],
            columns=ceil(self.columns / columns),
            place=thinned,
            marks=sorted(marks.items()),
            unit="",
        )


def grid_lines(graph: Graph, states: Mapping[Task, str], width: int) -> Iterator[Line]:
    """The tasks of one target as cells, and below them the keys of those that are not as they should be.

    Nothing where all are in one state: then there is nothing to look for.

    Args:
        states: of at least one task.
        width: of the terminal, in characters.
    """
    if len(set(states.values())) == 1:
        return
    width = max(width - len(GAP), 20)
    grid = _grid(graph, [*states], width)
    if grid is not None:
        for line in _cell_lines(grid, states, width):
            yield (GAP, ""), *line
    by_state: dict[str, list[Task]] = {state: [] for state in reversed(SIGNS)}
    for task, state in states.items():
        by_state[state].append(task)
    for state, tasks in by_state.items():
        if tasks and state not in QUIET:
            for line in _named(graph, tasks, state, width):
                yield (GAP, ""), *line


# --- Which grid


def _grid(graph: Graph, tasks: Sequence[Task], width: int) -> Grid | None:
    """None for a handful of tasks, whose keys say it all."""
    if len(tasks) <= FEW:
        return None
    names = tasks[0].target.partitions
    keys = [_keys(graph.partitions[name], tasks, at) for at, name in enumerate(names)]
    for at, name in enumerate(names):
        if graph.partitions[name].period and len(keys[at]) > FEW:
            return _calendar(graph.partitions[name].period, [key.text for key in keys[at]], at, width)
    several = [at for at in range(len(names)) if len(keys[at]) > 1]
    if len(several) > 1:
        return _matrix(keys, several, width)
    places = {key.text: (0, column) for column, key in enumerate(keys[several[0]])}
    strip = Grid([""], len(places), _by_key(places, several[0]), pitch=1)
    return strip.thinned(1, ceil(strip.columns / (width * STRIP)))


def _keys(partition: Keys, tasks: Sequence[Task], at: int) -> list[Key]:
    """The keys of a partition that tasks have, in its order, which need not be that of the tasks."""
    found = {task.keys[at].text: task.keys[at] for task in tasks}
    return sorted(found.values(), key=lambda key: partition.position(key.text) or 0)


def _by_key(places: Mapping[str, Place], at: int) -> Callable[[Task], Place]:
    """Args: at: which of a task's keys has the place."""
    return lambda task: places[task.keys[at].text]


def _calendar(period: str, texts: Sequence[str], at: int, width: int) -> Grid:
    """In the finest periods in which it is not too long."""
    for sheet in sheets(period, texts):
        place = _by_key(sheet.places, at)
        grid = Grid(sheet.rows, sheet.columns, place, sheet.marks, sheet.pitch, sheet.unit)
        if grid.lines_in(width) <= LONGEST:
            return grid
    return grid.thinned(ceil(len(grid.rows) / (LONGEST - 1)), 1)


def _matrix(keys: Sequence[Sequence[Key]], several: Sequence[int], width: int) -> Grid:
    """The names of the longest partition at the left, of the next one above; the others share cells."""
    down, across = sorted(several, key=lambda at: -len(keys[at]))[:2]
    rows = {key.text: row for row, key in enumerate(keys[down])}
    columns = {key.text: column for column, key in enumerate(keys[across])}
    labels = [_cut(key_text(key), width // 3) for key in keys[down]]
    names = [key_text(key) for key in keys[across]]
    room = width - max(map(len, labels)) - 1
    pitch = min(max(map(len, names)) + len(GAP), room // len(names))
    if pitch > LEAST_NAME:
        names = [_cut(name, pitch - 1) for name in names]

    def place(task: Task) -> Place:
        return rows[task.keys[down].text], columns[task.keys[across].text]

    grid = Grid(labels, len(names), place, [*enumerate(names)], max(pitch, 2))
    return grid.thinned(ceil(len(labels) / (LONGEST - 1)), ceil(len(names) / room))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


# --- How it is drawn


def _cell_lines(grid: Grid, states: Mapping[Task, str], width: int) -> Iterator[Line]:
    worst = {state: rank for rank, state in enumerate(SIGNS)}
    cells: dict[Place, str] = {}
    tasks: Counter[Place] = Counter()
    for task, state in states.items():
        place = grid.place(task)
        tasks[place] += 1
        if place not in cells or worst[state] > worst[cells[place]]:
            cells[place] = state
    room = width - grid.margin
    pitch = grid.pitch_in(room)
    bands = ceil(grid.columns * pitch / room)
    columns = ceil(grid.columns / bands)
    for start in range(0, grid.columns, columns):
        stop = min(start + columns, grid.columns)
        if grid.marks:
            yield [(" " * grid.margin + _above(grid.marks, start, stop, pitch), "")]
        for row, label in enumerate(grid.rows):
            yield [(label.ljust(grid.margin), ""), *_row(cells, row, range(start, stop), pitch)]
    most = max(tasks.values())
    if most > 1:
        of = f"a {grid.unit}'s {most} tasks" if grid.unit else f"up to {most} tasks"
        yield [(f"a cell: the worst of {of}", "")]


def _row(cells: Mapping[Place, str], row: int, columns: range, pitch: int) -> Iterator[Piece]:
    for column in columns:
        state = cells.get((row, column))
        yield SIGNS[state].ljust(pitch) if state else " " * pitch, state or ""


def _above(marks: Sequence[tuple[int, str]], start: int, stop: int, pitch: int) -> str:
    """The marks of these columns. One that would touch another is left out, and the last before them holds on."""
    own = [((column - start) * pitch, text) for column, text in marks if start <= column < stop]
    earlier = [(0, text) for column, text in marks if column < start][-1:]
    line = ""
    for at, text in [*(one for one in earlier if not own or len(one[1]) < own[0][0]), *own]:
        if not line or len(line) < at:
            line = line.ljust(at) + text
    return line


def _named(graph: Graph, tasks: Sequence[Task], state: str, width: int) -> Iterator[Line]:
    """The keys of these tasks as they stand in goals, as many as a few lines hold."""
    start = len(tasks[0].target.name) + 1
    lines, room = [""], width - len(GAP)
    for key in (goal[start:-1] for goal in folded(graph, tasks)):
        joined = f"{lines[-1]}{GAP}{key}" if lines[-1] else key
        if len(joined) <= room or not lines[-1]:
            lines[-1] = joined
        elif len(lines) < NAMED:
            lines.append(key)
        else:
            lines[-1] += " …"
            break
    for number, line in enumerate(lines):
        yield [(SIGNS[state].ljust(len(GAP)) if number == 0 else GAP, state), (line, "")]
