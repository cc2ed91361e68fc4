"""Fit the price of houses (in thousands) to area and rooms by gradient descent; every fifth house is kept out."""

import argparse
import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev

FEATURES = ("area", "rooms")
House = tuple[list[float], float]


def read(path: Path) -> list[House]:
    with path.open(newline="") as file:
        return [([float(row[name]) for name in FEATURES], float(row["price"])) for row in csv.DictReader(file)]


def predict(weights: Sequence[float], values: Sequence[float]) -> float:
    return weights[0] + sum(weight * value for weight, value in zip(weights[1:], values, strict=True))


def fit(houses: list[House], lr: float, epochs: int, l2: float, seed: int) -> list[float]:
    """Weights for the features as they are; inside, they are brought to one scale."""
    columns = list(zip(*(values for values, _ in houses), strict=True))
    means, scales = [fmean(column) for column in columns], [pstdev(column) for column in columns]
    scaled = [
        ([(value - mean) / scale for value, mean, scale in zip(values, means, scales, strict=True)], price)
        for values, price in houses
    ]
    weights = [0.0] * (len(FEATURES) + 1)
    chance = random.Random(seed)
    for epoch in range(epochs):
        chance.shuffle(scaled)
        step = lr / (1 + epoch) ** 0.5
        for values, price in scaled:
            off = predict(weights, values) - price
            weights[0] -= step * off
            for place, value in enumerate(values, 1):
                weights[place] -= step * (off * value + l2 * weights[place])
    slopes = [weight / scale for weight, scale in zip(weights[1:], scales, strict=True)]
    return [weights[0] - sum(slope * mean for slope, mean in zip(slopes, means, strict=True)), *slopes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("metrics", type=Path)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--l2", type=float, default=0.0)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()

    houses = read(args.rows)
    kept_out = houses[::5]
    weights = fit([house for place, house in enumerate(houses) if place % 5], args.lr, args.epochs, args.l2, args.seed)
    error = fmean(abs(predict(weights, values) - price) for values, price in kept_out)
    names = ("constant", *FEATURES)
    args.model.write_text(json.dumps({name: round(w, 3) for name, w in zip(names, weights, strict=True)}) + "\n")
    args.metrics.write_text(json.dumps({"houses": len(houses), "error": round(error, 1)}) + "\n")


if __name__ == "__main__":
    main()
