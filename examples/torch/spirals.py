"""Write points on two spirals, with noise: spirals.py SEED OUT."""

import math
import random
import sys

POINTS, TURNS, NOISE = 600, 1.5, 0.05


def main() -> None:
    seed, out = sys.argv[1:]
    numbers = random.Random(int(seed))
    with open(out, "w") as file:
        print("x,y,side", file=file)
        for number in range(POINTS):
            side, way = number % 2, numbers.random()
            angle = math.pi * (2 * TURNS * way + side)
            x, y = (way * turn(angle) + numbers.gauss(0, NOISE) for turn in (math.cos, math.sin))
            print(f"{x:.6f},{y:.6f},{side}", file=file)


if __name__ == "__main__":
    main()
