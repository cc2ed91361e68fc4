"""Fit a model: train.py MODEL PENALTY OUT FEATURES…"""

import json
import sys
from pathlib import Path

import common
import tables

model, penalty, out, *days = sys.argv[1:]
points = [(float(row["celsius"]), float(row["load"])) for day in days for row in tables.read(day)]
slope = common.fit(points, float(penalty))
Path(out).write_text(json.dumps({"model": model, "slope": round(slope, 6)}))
tables.ran(f"train {model}")
