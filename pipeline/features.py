"""What is known of a day's flights an hour before each is due: features.py DAY LATE_AFTER OUT WEATHER FLIGHTS…

That is the schedule, the weather of the hour before, how often flights like it left late on the days before (all
FLIGHTS but the last), and how the day has gone so far. Cancelled flights count as late ones there, and get no row.
"""

import csv
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from datetime import date
from itertools import groupby
from math import nan
from typing import NamedTuple

NOTICE = 60  # minutes from the forecast to the departure as scheduled
RECENT = 180  # minutes of the day so far that count
PRIOR = 10  # flights at the overall rate that are added to those of a kind, which may be few


class Flight(NamedTuple):
    """A row of an extracted day; it is due at a minute of that day."""

    due: int
    origin: str
    carrier: str
    number: str
    dest: str
    distance: str
    late: bool
    cancelled: bool

    @property
    def hour(self) -> int:
        return self.due // 60


Kind = Callable[[Flight], Hashable]
WEEK: dict[str, Kind] = {
    "week_carrier": lambda flight: (flight.origin, flight.carrier),
    "week_hour": lambda flight: (flight.origin, flight.hour),
    "week_dest": lambda flight: flight.dest,
    "week_flight": lambda flight: (flight.carrier, flight.number),
}
TODAY: dict[str, Kind] = {
    "today_origin": lambda flight: flight.origin,
    "today_carrier": lambda flight: (flight.origin, flight.carrier),
}
PLAN = ["late", "weekday", "hour", "origin", "carrier", "dest", "distance"]


class Rates:
    """The share of late flights of each kind, drawn to the overall share where there are few."""

    def __init__(self, flights: list[Flight], kind: Kind, overall: float) -> None:
        late: defaultdict[Hashable, list[bool]] = defaultdict(list)
        for flight in flights:
            late[kind(flight)].append(flight.late)
        self.shares = {key: (sum(of) + PRIOR * overall) / (len(of) + PRIOR) for key, of in late.items()}
        self.kind, self.overall = kind, overall

    def of(self, flight: Flight) -> str:
        return f"{self.shares.get(self.kind(flight), self.overall):.4f}"


def read(path: str) -> tuple[list[str], list[list[str]]]:
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def read_flights(path: str, late_after: int) -> Iterator[Flight]:
    for _, clock, origin, carrier, number, dest, distance, delay in read(path)[1]:
        due = int(clock[:2]) * 60 + int(clock[3:])
        cancelled = not delay
        late = cancelled or int(delay) > late_after
        yield Flight(due, origin, carrier, number, dest, distance, late, cancelled)


def main() -> None:
    day, minutes, out, weather_path, *before, of_today = sys.argv[1:]
    weekday, late_after = date.fromisoformat(day).weekday(), int(minutes)

    past = [flight for path in before for flight in read_flights(path, late_after)]
    overall = sum(flight.late for flight in past) / len(past) if past else nan
    week = [Rates(past, kind, overall) for kind in WEEK.values()]

    (_, _, _, *measures), rows = read(weather_path)
    weather = {(origin, int(hour)): values for _, hour, origin, *values in rows}
    unknown = [""] * len(measures)

    today = sorted(read_flights(of_today, late_after))
    dues = [flight.due for flight in today]
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*PLAN, *WEEK, *TODAY, *measures])
        for due, flights in groupby(today, lambda flight: flight.due):
            settled = due - NOTICE - late_after  # of a flight due before, it is known whether it was late
            recent = today[bisect_left(dues, settled - RECENT) : bisect_left(dues, settled)]
            rates = week + [Rates(recent, kind, overall) for kind in TODAY.values()]
            for flight in flights:
                if not flight.cancelled:
                    plan = [weekday, flight.hour, flight.origin, flight.carrier, flight.dest, flight.distance]
                    observed = weather.get((flight.origin, flight.hour - 1), unknown)
                    writer.writerow([int(flight.late), *plan, *(rate.of(flight) for rate in rates), *observed])


if __name__ == "__main__":
    main()
