"""How often predictions are right: score.py METRICS PREDICTIONS…, one file a fold."""

import csv
import json
import sys
from pathlib import Path
from statistics import fmean, stdev


def accuracy(path: str) -> float:
    with open(path, newline="") as file:
        return fmean(row["species"] == row["predicted"] for row in csv.DictReader(file))


def main() -> None:
    out, *folds = sys.argv[1:]
    found = [accuracy(path) for path in folds]
    metrics = {"accuracy": round(fmean(found), 4), "deviation": round(stdev(found), 4), "folds": len(found)}
    Path(out).write_text(json.dumps(metrics) + "\n")


if __name__ == "__main__":
    main()
