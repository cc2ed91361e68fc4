"""Hold an hour against the hours before it: rolling.py HOUR RESULT READINGS…, one file an hour, the newest last."""

import csv
import json
import sys
from pathlib import Path
from statistics import fmean, pstdev

UNUSUAL = 3.0
"""How many standard deviations off the mean."""


def total(path: str) -> float:
    with open(path, newline="") as file:
        return sum(float(row["kwh"]) for row in csv.DictReader(file))


def main() -> None:
    hour, out, *readings = sys.argv[1:]
    hours = [total(path) for path in readings]
    mean, deviation = fmean(hours), pstdev(hours)
    result = {
        "hour": hour,
        "kwh": round(hours[-1], 3),
        "mean": round(mean, 3),
        "unusual": abs(hours[-1] - mean) > UNUSUAL * deviation > 0,
    }
    Path(out).write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
