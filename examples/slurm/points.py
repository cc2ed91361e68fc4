"""Write points in the plane, and whether each lies inside a flower: points.py SEED OUT."""

import math
import random
import sys

POINTS, PETALS = 1000, 3


def main() -> None:
    seed, out = sys.argv[1:]
    numbers = random.Random(seed)
    with open(out, "w") as file:
        print("x,y,inside", file=file)
        for _ in range(POINTS):
            x, y = numbers.uniform(-1.5, 1.5), numbers.uniform(-1.5, 1.5)
            edge = 1 + 0.4 * math.cos(PETALS * math.atan2(y, x))
            print(f"{x:.6f},{y:.6f},{int(math.hypot(x, y) < edge)}", file=file)


if __name__ == "__main__":
    main()
