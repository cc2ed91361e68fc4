"""Fit a polynomial by least squares with a penalty on its coefficients, or say how far one is off."""

import argparse
import csv
import json
import math
from pathlib import Path


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with pivoting."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    found = [0.0] * size
    for row in reversed(range(size)):
        known = sum(rows[row][column] * found[column] for column in range(row + 1, size))
        found[row] = (rows[row][size] - known) / rows[row][row]
    return found


def fit(points: list[tuple[float, float]], degree: int, penalty: float) -> list[float]:
    """The normal equations of ridge regression; the constant term is not penalised."""
    powers = [[x**power for power in range(degree + 1)] for x, _ in points]
    matrix = [
        [
            sum(row[i] * row[j] for row in powers) / len(points) + (penalty if i == j > 0 else 0.0)
            for j in range(degree + 1)
        ]
        for i in range(degree + 1)
    ]
    right = [
        sum(row[i] * y for row, (_, y) in zip(powers, points, strict=True)) / len(points) for i in range(degree + 1)
    ]
    return solve(matrix, right)


def error(points: list[tuple[float, float]], coefficients: list[float]) -> float:
    """The root of the mean squared error."""
    squares = [(sum(c * x**power for power, c in enumerate(coefficients)) - y) ** 2 for x, y in points]
    return math.sqrt(sum(squares) / len(squares))


def read(paths: list[Path]) -> list[tuple[float, float]]:
    points = []
    for path in paths:
        with path.open(newline="") as file:
            points += [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["fit", "test"])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--degree", type=int)
    parser.add_argument("--penalty", type=float)
    parser.add_argument("--choice", type=Path, help="a file that holds degree and penalty")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path)
    args = parser.parse_args()

    points = read(args.data)
    if args.verb == "fit":
        choice = {"degree": args.degree, "penalty": args.penalty}
        if args.choice:
            choice = json.loads(args.choice.read_text())
        coefficients = fit(points, choice["degree"], choice["penalty"])
        model = {**choice, "coefficients": [round(c, 6) for c in coefficients]}
        args.model.write_text(json.dumps(model) + "\n")
    else:
        model = json.loads(args.model.read_text())
        found = {"degree": model["degree"], "penalty": model["penalty"]}
        found["error"] = round(error(points, model["coefficients"]), 4)
        args.metrics.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
