"""Tables in CSV, and the log of what ran."""

import csv
import os
from pathlib import Path


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def ran(stage):
    """Note it for the benchmark, outside of what is built."""
    if log := os.environ.get("EDITS_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{stage}\n")
