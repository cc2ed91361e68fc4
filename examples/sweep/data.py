"""Make up a noisy curve: data.py --seed N --points N TRAIN VALID TEST."""

import argparse
import csv
import math
import random

NOISE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--points", type=int, required=True)
    parser.add_argument("paths", nargs=3)
    args = parser.parse_args()

    chance = random.Random(args.seed)
    for path in args.paths:
        with open(path, "w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["x", "y"])
            for _ in range(args.points // 3):
                x = chance.uniform(-1, 1)
                y = math.sin(3 * x) + chance.gauss(0, NOISE)
                rows.writerow([round(x, 4), round(y, 4)])


if __name__ == "__main__":
    main()
