"""What one run of the recipe for many small keys saves: 365 days with and without `batch:`, by turns.

    python bench/batches.py                 two rounds, as a table in Markdown
    python bench/batches.py DAYS ROUNDS     other numbers

The recipe is Python, as most are, and does next to nothing: all of the time is what it costs to have it done.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

SIZES = (1, 30, 365)
FIRST = date(2013, 1, 1)

PIPELINE = """
partition day: daily from {first} to {last}

target raw[day]:
    outputs: "raw/{{day}}.csv"
    batch: {days}
    run: for day in {{day}}; do echo $day > raw/$day.csv; done

target features[day]:
    inputs: raw
    outputs: "features/{{day}}.csv"
    batch: {batch}
    run python:
        import csv
        for source, path in zip(inputs, outputs, strict=True):
            with open(source) as read, open(path, "w") as write:
                csv.writer(write).writerows(csv.reader(read))
"""


def timed(days: int, batch: int) -> float:
    """Seconds that a build of all days takes, the raw ones being there."""
    with tempfile.TemporaryDirectory() as folder:
        last = FIRST + timedelta(days=days - 1)
        text = PIPELINE.format(first=FIRST, last=last, days=days, batch=batch)
        Path(folder, "Pipelinefile").write_text(text)
        build(folder, "raw")
        began = time.perf_counter()
        build(folder, "features")
        return time.perf_counter() - began


def build(folder: str, goal: str) -> None:
    subprocess.run([sys.executable, "-m", "mlbuild", "--quiet", "-j2", goal], cwd=folder, check=True)


def main() -> None:
    days, rounds = (int(word) for word in sys.argv[1:] or (365, 2))
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size, seconds in took.items():
            seconds.append(timed(days, size))
    print(f"| {days} days | s, median | ms a day | times as fast |\n| --- | --: | --: | --: |")
    alone = statistics.median(took[1])
    for size, seconds in took.items():
        median = statistics.median(seconds)
        print(f"| `batch: {size}` | {median:.2f} | {1000 * median / days:.1f} | {alone / median:.1f} |")


if __name__ == "__main__":
    main()
