"""Where the periods of a calendar stand in a picture, in fine or coarse units. Knows neither tasks nor terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from msgspec import Struct

from mlbuild.graph.partitions import period_of
from mlbuild.target import WIDTHS

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_BEGIN = (0, 4, 8, 13, 17, 22, 26, 30, 35, 39, 43, 48)
"""Weeks of the year, from 0, that are the first, or nearly, of each month."""
WHOLE_MONTH = 4
"""Weeks, at least, from the one in which a month begins to that of the next."""
HOURS_MARKED = 3
"""Every so many hours are written above the columns."""

Place = tuple[int, int]
"""Row and column, from 0."""


class Sheet(Struct, frozen=True):
    """A calendar with a cell for each period of one width.

    Attributes:
        unit: what a cell stands for: `hour`, `day`, `week` or `month`.
        rows: what stands at the left of each row.
        columns: how many there are.
        marks: (column, what stands above it), from left to right; it holds up to the next.
        places: the text of each key → its cell.
        pitch: how many characters a column is best wide.
    """

    unit: str
    rows: Sequence[str]
    columns: int
    marks: Sequence[tuple[int, str]]
    places: dict[str, Place]
    pitch: int = 2


def sheets(period: str, texts: Sequence[str]) -> Iterator[Sheet]:
    """The calendar of these keys in its own periods, then in each wider one.

    Args:
        period: `hourly`, `daily`, `weekly` or `monthly`.
        texts: of the keys, at least one, in order.
    """
    for unit in WIDTHS[WIDTHS.index(period) :]:
        periods = [text if unit == period else period_of(text, unit) for text in texts]
        yield SHEETS[unit](texts, periods)


def _hours(texts: Sequence[str], periods: Sequence[str]) -> Sheet:
    """A row a day. An hour that a day has twice is a column of its own, behind the first."""
    days = {day: row for row, day in enumerate(dict.fromkeys(text[:10] for text in periods))}
    slots = [
        (int(text[11:13]), text[:13] == before[:13]) for before, text in zip(["", *periods], periods, strict=False)
    ]
    columns = {slot: column for column, slot in enumerate(sorted({(hour, False) for hour in range(24)} | {*slots}))}
    marks = [(columns[hour, False], f"{hour:02}") for hour in range(0, 24, HOURS_MARKED)]
    places = {text: (days[text[:10]], columns[slot]) for text, slot in zip(texts, slots, strict=True)}
    return Sheet("hour", [*days], len(columns), marks, places)


def _days(texts: Sequence[str], periods: Sequence[str]) -> Sheet:
    """A column a week, from Monday to Sunday. Where there are several years, January goes by the number of its own."""
    ordinals = [date.fromisoformat(text).toordinal() - 1 for text in periods]  # of a Monday: a multiple of 7
    first, last = ordinals[0] // 7, ordinals[-1] // 7
    several = periods[0][:4] != periods[-1][:4]
    marks = []
    for month in dict.fromkeys(text[:7] for text in periods):
        begin = (date.fromisoformat(f"{month}-01").toordinal() - 1) // 7
        name = month[:4] if several and month.endswith("-01") else MONTHS[int(month[5:]) - 1]
        marks.append((max(0, begin - first), name))
    if len(marks) > 1 and marks[1][0] < WHOLE_MONTH:
        del marks[0]  # the end of a month, with no room for its name
    places = {text: (day % 7, day // 7 - first) for text, day in zip(texts, ordinals, strict=True)}
    return Sheet("day", WEEKDAYS, last - first + 1, marks, places)


def _weeks(texts: Sequence[str], periods: Sequence[str]) -> Sheet:
    """A row a year, which is that of the Monday. The months above may be one week off: years begin on other days."""
    years = {year: row for row, year in enumerate(dict.fromkeys(text[:4] for text in periods))}
    days = [date.fromisoformat(text).timetuple().tm_yday - 1 for text in periods]
    places = {text: (years[week[:4]], day // 7) for text, week, day in zip(texts, periods, days, strict=True)}
    return Sheet("week", [*years], 53, [*zip(MONTHS_BEGIN, MONTHS, strict=True)], places)


def _months(texts: Sequence[str], periods: Sequence[str]) -> Sheet:
    """A row a year."""
    years = {year: row for row, year in enumerate(dict.fromkeys(text[:4] for text in periods))}
    places = {text: (years[month[:4]], int(month[5:7]) - 1) for text, month in zip(texts, periods, strict=True)}
    return Sheet("month", [*years], 12, list(enumerate(MONTHS)), places, pitch=4)


SHEETS: dict[str, Callable[[Sequence[str], Sequence[str]], Sheet]] = {
    "hourly": _hours,
    "daily": _days,
    "weekly": _weeks,
    "monthly": _months,
}
