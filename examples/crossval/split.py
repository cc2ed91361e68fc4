"""Deal the rows of a table out to five folds: split.py FOLD TABLE TRAIN TEST."""

import random
import sys
from pathlib import Path

FOLDS = 5
SEED = 1


def main() -> None:
    fold = int(sys.argv[1])
    table, train, test = map(Path, sys.argv[2:])
    header, *rows = table.read_text().splitlines(keepends=True)
    random.Random(SEED).shuffle(rows)
    train.write_text(header + "".join(row for number, row in enumerate(rows) if number % FOLDS != fold))
    test.write_text(header + "".join(row for number, row in enumerate(rows) if number % FOLDS == fold))


if __name__ == "__main__":
    main()
