"""Judge a model on days that it has not seen: evaluate.py WEIGHTS METRICS FEATURES, a file with one path a line."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, roc_curve

BINS = 10


def main() -> None:
    weights, out, features = map(Path, sys.argv[1:])
    model = pickle.loads(weights.read_bytes())
    table = pd.concat(map(pd.read_csv, features.read_text().splitlines()), ignore_index=True)
    late = table.pop("late").to_numpy()
    chance = model.predict_proba(table)[:, 1]

    false_alarms, found, _ = roc_curve(late, chance)
    bins = np.array_split(np.argsort(chance, kind="stable"), BINS)
    metrics = {
        "flights": len(late),
        "late": round(late.mean(), 6),
        "auc": round(roc_auc_score(late, chance), 6),
        "log_loss": round(log_loss(late, chance), 6),
        "accuracy": round(accuracy_score(late, chance > 0.5), 6),
        "roc": [[x / 50, round(np.interp(x / 50, false_alarms, found), 4)] for x in range(51)],
        "calibration": [[round(chance[of].mean(), 4), round(late[of].mean(), 4)] for of in bins],
    }
    out.write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
