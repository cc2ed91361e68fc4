"""Split the measurements by day: prepare.py RAW DAY…"""

import sys
from pathlib import Path

import tables

raw, *outs = sys.argv[1:]
rows = tables.read(raw)
for out in outs:
    tables.write(out, [row for row in rows if row["day"] == Path(out).stem])
tables.ran("prepare")
