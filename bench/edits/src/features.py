"""Features of a day: features.py DAY OUT. It reads a correction from a file that nobody declares."""

import sys
from pathlib import Path

import common
import tables

source, out = sys.argv[1:]
shift = float(Path("data/offset.txt").read_text())
rows = [
    {"celsius": common.celsius(float(row["temperature"]) + shift), "load": row["load"]} for row in tables.read(source)
]
tables.write(out, rows)
tables.ran(f"features {Path(out).stem}")
