"""The keys of a partition, in order. Unaware of targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from mlbuild.errors import PipelineError
from mlbuild.expression import Key
from mlbuild.target import Calendar, Listed, Partition

WIDTHS = ("hourly", "daily", "weekly", "monthly")
"""The periods of calendars, the narrowest first."""
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
"""Every time zone's offset is a multiple of it."""


class Keys:
    """All keys of one partition, in order, and where each stands.

    Args:
        partition: what the Pipelinefile declares.
        now: the moment up to which a calendar without an end goes; aware.
    """

    def __init__(self, partition: Partition, now: datetime) -> None:
        self.partition = partition
        source = partition.source
        if isinstance(source, Listed):
            self.all = source.keys
        else:
            self.all = tuple(Key(text, text) for text in _texts(source, partition, now))
        self._positions = {key.text: position for position, key in enumerate(self.all)}
        self._periods: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self.all)

    def position(self, text: str) -> int | None:
        """Where the key of this text stands; None if it is none."""
        return self._positions.get(text)

    def first_from(self, text: str) -> int:
        """The position of the first key that is not before `text`: exact for a list, by order for a calendar."""
        position = self._positions.get(text)
        if position is not None:
            return position
        return sum(1 for key in self.all if key.text < text)

    @property
    def ordered(self) -> bool:
        """Whether the texts of the keys sort as the keys do (calendars)."""
        return isinstance(self.partition.source, Calendar)

    @property
    def period(self) -> str:
        """Of a calendar: `hourly`, `daily`, `weekly` or `monthly`; else ''."""
        source = self.partition.source
        return source.period if isinstance(source, Calendar) else ""

    def periods(self, unit: str) -> list[str]:
        """For each key of a calendar, the period of this width in which it begins."""
        if unit not in self._periods:
            self._periods[unit] = [period_of(key.text, unit) for key in self.all]
        return self._periods[unit]


def is_finer(keys: Keys, others: Keys) -> bool:
    """Whether a key of another calendar may contain several keys of this one."""
    return keys is not others and WIDTHS.index(keys.period) < WIDTHS.index(others.period)


def period_of(text: str, unit: str) -> str:
    """The key of the period of this width in which the period `text` begins: 2013-02 → 2013-01-28, for `weekly`."""
    if unit == "hourly":
        return text
    day = f"{text[:7]}-01" if len(text) == len("2013-01") else text[:10]
    if unit == "weekly":
        monday = date.fromisoformat(day)
        return (monday - timedelta(days=monday.weekday())).isoformat()
    return day[:7] if unit == "monthly" else day


def _texts(calendar: Calendar, partition: Partition, now: datetime) -> Iterator[str]:
    zone = ZoneInfo(calendar.zone) if calendar.zone else UTC
    local_now = now.astimezone(zone)
    if calendar.period == "hourly":
        return _hours(calendar, partition, zone, local_now)
    return _days(calendar, partition, local_now.date())


def _parse(text: str, partition: Partition) -> datetime:
    """A month, date or hour as written."""
    for pattern in ("%Y-%m-%d", "%Y-%m", "%Y-%m-%dT%H"):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise PipelineError(f"{text} is no date", partition.at)


def _end_of(text: str, partition: Partition) -> datetime:
    """The moment just after what `text` names: a month, a day or an hour."""
    start = _parse(text, partition)
    if len(text) == len("2013-01"):
        return _next_month(start)
    return start + (timedelta(hours=1) if "T" in text else timedelta(days=1))


def _next_month(day: datetime) -> datetime:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _days(calendar: Calendar, partition: Partition, today: date) -> Iterator[str]:
    """Daily, weekly (ISO weeks, named by their Monday) and monthly keys."""
    first = _parse(calendar.first, partition)
    until = datetime(today.year, today.month, today.day)
    if calendar.last is not None:
        until = _end_of(calendar.last, partition)
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
    return timedelta(weeks=1) if calendar.period == "weekly" else timedelta(days=1)


def _hours(calendar: Calendar, partition: Partition, zone: tzinfo, now: datetime) -> Iterator[str]:
    """Hours of the local clock: one begins when the clock first shows it; one that occurs twice says its offset."""
    moment = _parse(calendar.first, partition).replace(tzinfo=zone).astimezone(UTC)
    if calendar.last is None:
        until = now.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    else:
        until = _end_of(calendar.last, partition).replace(tzinfo=zone).astimezone(UTC)
    shown: list[tuple[str, datetime]] = []
    while moment < until:
        local = moment.astimezone(zone)
        text = local.isoformat()[: len("2013-01-31T06")]
        # What the clock shows once more, from its first minute on, is another hour; half of one makes it longer.
        if not shown or text != shown[-1][0] or (local.fold and not local.minute):
            shown.append((text, local))
        shifts = (moment + HOUR).astimezone(zone).utcoffset() != local.utcoffset()
        moment += QUARTER if shifts or local.minute else HOUR
    twice = Counter(text for text, _ in shown)
    for text, local in shown:
        yield text if twice[text] == 1 else text + local.strftime("%z")
