"""Fit a logistic regression to a month's flights, an epoch at a time, with a checkpoint after each.

Whenever it is interrupted, the model's numbers come out the same to the last bit: a checkpoint holds the classifier,
the state of the random numbers that shuffle the flights, and the number of epochs done.
"""

import csv
import json
import os
import pickle
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score

from mlbuild.stage import checkpoint, inputs, leave, metrics, outputs, params, progress, stopping

LAST_DAY = 24  # of those that it learns from


def read(path: str) -> tuple[object, np.ndarray, np.ndarray]:
    """What is known of each flight, whether it was late, and its day."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = ("hour", "origin", "carrier", "dest")
    words = [[f"{kind}={row[kind]}" for kind in kinds] + [f"{row['origin']} {row['hour']}"] for row in rows]
    x = FeatureHasher(n_features=1 << 12, input_type="string").transform(words)
    return x, np.array([int(row["late"]) for row in rows]), np.array([int(row["day"]) for row in rows])


def log(epoch: int) -> None:
    """What is computed, for whoever asks for it."""
    if path := os.environ.get("EPOCHS_LOG"):
        with open(path, "a") as file:
            print(epoch, file=file)


def main() -> None:
    x, late, day = read(inputs.flights)
    known, new = np.flatnonzero(day <= LAST_DAY), np.flatnonzero(day > LAST_DAY)

    done = 0
    random = np.random.RandomState(params.seed)
    classifier = SGDClassifier(
        loss="log_loss", learning_rate="invscaling", power_t=0.25, eta0=params.rate, shuffle=False
    )
    if start := checkpoint.latest():
        state = pickle.loads(start.read_bytes())
        done, classifier = state["done"], state["classifier"]
        random.set_state(state["random"])
        print(f"goes on from {start.name}")

    while done < params.epochs:
        order = random.permutation(known)
        classifier.partial_fit(x[order], late[order], classes=[0, 1])
        done += 1
        log(done)
        with checkpoint.save(f"epoch-{done:04}") as path:
            path.write_bytes(pickle.dumps({"done": done, "classifier": classifier, "random": random.get_state()}))
        chance = classifier.predict_proba(x[new])[:, 1]
        progress(done, params.epochs, log_loss=log_loss(late[new], chance))
        if stopping():
            leave()

    chance = classifier.predict_proba(x[new])[:, 1]
    found = {"auc": roc_auc_score(late[new], chance), "log_loss": log_loss(late[new], chance)}
    Path(metrics).write_text(json.dumps(found, indent=2) + "\n")
    Path(outputs.weights).write_bytes(pickle.dumps(classifier))


if __name__ == "__main__":
    main()
