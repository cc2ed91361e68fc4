"""What the models share: reading flowers, and writing what was predicted of them."""

import csv
import sys
from collections.abc import Callable

Flower = tuple[list[float], str]
"""Four lengths, and the species."""
Classifier = Callable[[list[float]], str]


def read(path: str) -> list[Flower]:
    with open(path, newline="") as file:
        _, *rows = csv.reader(file)
    return [([float(value) for value in row[:-1]], row[-1]) for row in rows]


def by_species(flowers: list[Flower]) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {}
    for lengths, species in flowers:
        found.setdefault(species, []).append(lengths)
    return found


def run(learn: Callable[[list[Flower]], Classifier]) -> None:
    """The command line of a model: TRAIN TEST PREDICTIONS."""
    train, test, out = sys.argv[1:]
    classify = learn(read(train))
    with open(out, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["species", "predicted"])
        for lengths, species in read(test):
            rows.writerow([species, classify(lengths)])
