"""The keys of a partition, in order. Unaware of targets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from difflib import get_close_matches
from itertools import accumulate, islice
from zoneinfo import ZoneInfo

from mlbuild.expression import Key
from mlbuild.target import WIDTHS, Calendar, Lines, Listed, Partition
from mlbuild.values import moment

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
"""Every time zone's offset is a multiple of it."""
DAY = timedelta(days=1)
MOST_COMPARED = 10_000
"""Keys, with one that is none: for about a second."""


class Keys:
    """All keys of one partition, in order, and where each stands.

    Args:
        partition: what the Pipelinefile declares.
        now: the moment up to which a calendar without an end goes; aware.
        listed: the keys that a task has listed, as far as is known.
    """

    def __init__(self, partition: Partition, now: datetime, listed: tuple[Key, ...] = ()) -> None:
        self.partition = partition
        source = partition.source
        self.settled = not isinstance(source, Lines)
        """Whether these are the keys; else they are what can be told before the task that lists them is in place."""
        if isinstance(source, Listed):
            self.all = source.keys
        elif isinstance(source, Lines):
            self.all = listed
        else:
            self.all = tuple(Key(text, text) for text in _texts(source, now))
        self._positions = {key.text: position for position, key in enumerate(self.all)}
        self._periods: dict[str, list[str]] = {}
        self._nearest: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self.all)

    def position(self, text: str) -> int | None:
        """Where the key of this text stands; None if it is none."""
        return self._positions.get(text)

    def nearest(self, text: str) -> str | None:
        """The key that is written most like this one, which is none."""
        if text not in self._nearest:
            self._nearest[text] = get_close_matches(text, [key.text for key in islice(self.all, MOST_COMPARED)], 1)
        return next(iter(self._nearest[text]), None)

    def span(self, text: str) -> tuple[int, int] | None:
        """Of a calendar: where the keys stand that begin in a month, on a day or in an hour, or else the one key that
        holds it, as first and one past last position; empty, where they would stand, if there are none.

        None if the text is no date, or says an offset and is none of the keys.
        """
        position = self.position(text)
        if position is not None:
            return position, position + 1
        try:
            moment(text)
        except ValueError:
            return None
        if len(text) > len("2013-01-31T06"):
            return None
        unit = {len("2013-01"): "monthly", len("2013-01-31"): "daily"}.get(len(text), "hourly")
        if WIDTHS.index(unit) < WIDTHS.index(self.period):
            unit, text = self.period, period_of(text, self.period)
        return self.within(text, unit)

    def within(self, text: str, unit: str) -> tuple[int, int]:
        """Where the keys of a calendar stand that begin in the period `text` of this width."""
        position = self.position(text) if unit == self.period else None
        if position is not None:
            return position, position + 1
        begins = self._periods.get(unit)
        if begins is None:
            # Where the clock goes back over midnight a day begins twice: what follows stays with what has begun.
            begins = self._periods[unit] = [*accumulate((period_of(key.text, unit) for key in self.all), max)]
        return bisect_left(begins, text), bisect_right(begins, text)

    @property
    def ordered(self) -> bool:
        """Whether the texts of the keys sort as the keys do (calendars)."""
        return isinstance(self.partition.source, Calendar)

    @property
    def period(self) -> str:
        """Of a calendar: `hourly`, `daily`, `weekly` or `monthly`; else ''."""
        source = self.partition.source
        return source.period if isinstance(source, Calendar) else ""


def is_finer(keys: Keys, others: Keys) -> bool:
    """Whether a key of another calendar may contain several keys of this one."""
    return keys is not others and WIDTHS.index(keys.period) < WIDTHS.index(others.period)


def period_of(text: str, unit: str) -> str:
    """The period of this width in which the period `text` begins: 2013-02 → 2013-01-28, for `weekly`. Of an hour that
    occurs twice the offset is left out."""
    if unit == "hourly":
        return text[: len("2013-01-31T06")]
    day = f"{text[:7]}-01" if len(text) == len("2013-01") else text[:10]
    if unit == "weekly":
        monday = date.fromisoformat(day)
        return (monday - timedelta(days=monday.weekday())).isoformat()
    return day[:7] if unit == "monthly" else day


def _texts(calendar: Calendar, now: datetime) -> Iterator[str]:
    zone = ZoneInfo(calendar.zone) if calendar.zone else UTC
    local_now = now.astimezone(zone)
    if calendar.period == "hourly":
        return _hours(calendar, zone, local_now)
    return _days(calendar, local_now.date())


def _end_of(text: str) -> datetime:
    """The moment just after what `text` names: a month, a day or an hour."""
    start = moment(text)
    if len(text) == len("2013-01"):
        return _next_month(start)
    return start + (HOUR if "T" in text else DAY)


def _next_month(day: datetime) -> datetime:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _days(calendar: Calendar, today: date) -> Iterator[str]:
    """Daily, weekly (ISO weeks, named by their Monday) and monthly keys."""
    first = moment(calendar.first)
    until = datetime(today.year, today.month, today.day)
    if calendar.last is not None:
        until = _end_of(calendar.last)
    if calendar.period == "weekly":
        first -= timedelta(days=first.weekday())
    elif calendar.period == "monthly":
        first = first.replace(day=1)
    while first < until:
        after = _next_month(first) if calendar.period == "monthly" else first + _step(calendar)
        if calendar.last is None and after > until:
            return
        yield first.strftime("%Y-%m" if calendar.period == "monthly" else "%Y-%m-%d")
        first = after


def _step(calendar: Calendar) -> timedelta:
    return timedelta(weeks=1) if calendar.period == "weekly" else DAY


def _hours(calendar: Calendar, zone: tzinfo, now: datetime) -> Iterator[str]:
    """Hours of the local clock: one begins when the clock first shows it; one that occurs twice says its offset."""
    first = moment(calendar.first).replace(tzinfo=zone).astimezone(UTC)
    if calendar.last is None:
        until = now.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    else:
        until = _end_of(calendar.last).replace(tzinfo=zone).astimezone(UTC)
    # Whether an hour occurs twice doesn't depend on where the calendar begins, or on what the time is.
    shown = [*_shown(first - DAY, until + DAY, zone)]
    twice = Counter(text for text, _ in shown)
    for text, local in shown:
        if first <= local.astimezone(UTC) < until:
            yield text if twice[text] == 1 else text + local.strftime("%z")


def _shown(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[str, datetime]]:
    """Each hour that the local clock shows, and when it first shows it."""
    before = ""
    while begin < end:
        local = begin.astimezone(zone)
        text = local.isoformat()[: len("2013-01-31T06")]
        # What the clock shows once more, from its first minute on, is another hour; half of one makes it longer.
        if text != before or (local.fold and not local.minute):
            yield text, local
            before = text
        shifts = (begin + HOUR).astimezone(zone).utcoffset() != local.utcoffset()
        begin += QUARTER if shifts or local.minute else HOUR
