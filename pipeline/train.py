"""Fit a model to the features of many days; write it, and how well it fits them.

Both kinds of model are a scikit-learn pipeline of a preparation and a classifier, and are made in epochs: one more
pass over the flights for the logistic regression, one more tree for the boosted ones.
"""

import argparse
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

CATEGORIES = ["weekday", "hour", "origin", "carrier", "dest"]


def logistic(lr: float, l2: float) -> Pipeline:
    categories = OneHotEncoder(handle_unknown="ignore")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        make_column_transformer((categories, CATEGORIES), remainder=numbers),
        SGDClassifier(loss="log_loss", learning_rate="invscaling", power_t=0.25, eta0=lr, alpha=l2),
    )


def boosted(lr: float, l2: float) -> Pipeline:
    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return make_pipeline(
        make_column_transformer((categories, CATEGORIES), remainder="passthrough"),
        HistGradientBoostingClassifier(
            learning_rate=lr,
            l2_regularization=l2,
            categorical_features=range(len(CATEGORIES)),
            early_stopping=False,
        ),
    )


def fit(model: Pipeline, table: pd.DataFrame, late: pd.Series, epochs: int, seed: int) -> None:
    """Its state between epochs is the classifier and the number of epochs done: the shuffling follows from that."""
    prepare, classifier = model
    x = prepare.fit_transform(table)
    if isinstance(classifier, SGDClassifier):
        for epoch in range(epochs):
            classifier.set_params(random_state=seed + epoch)
            classifier.partial_fit(x, late, classes=[0, 1])
    else:
        classifier.set_params(random_state=seed, max_iter=epochs)
        classifier.fit(x, late)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["logistic", "boosted"])
    parser.add_argument("--features", type=Path, required=True, help="a file with a path a line")
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--l2", type=float, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    args = parser.parse_args()

    table = pd.concat(map(pd.read_csv, args.features.read_text().splitlines()), ignore_index=True)
    late = table.pop("late")
    model = {"logistic": logistic, "boosted": boosted}[args.model](args.lr, args.l2)
    fit(model, table, late, args.epochs, args.seed)
    args.weights.write_bytes(pickle.dumps(model))

    chance = model.predict_proba(table)[:, 1]
    metrics = {
        "flights": len(late),
        "auc": round(roc_auc_score(late, chance), 6),
        "log_loss": round(log_loss(late, chance), 6),
    }
    args.metrics.write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
