"""Cut one day out of tables sorted by day: extract.py DAY TABLE… OUT…, as many outs as tables.

It runs once a day of the year, so it starts fast and finds its lines by bisection, without reading the rest.
"""

import sys
from bisect import bisect_left, bisect_right
from mmap import ACCESS_READ, mmap


def cut(table: mmap, day: bytes) -> bytes:
    """The header, and the lines that begin with `day`."""

    def line_after(offset: int) -> int:
        return table.find(b"\n", offset) + 1 or len(table)

    def day_after(offset: int) -> bytes:
        start = line_after(offset)
        return table[start : start + len(day)] or b"end"  # which sorts after every day

    body = line_after(0)
    offsets = range(body - 1, len(table) + 1)
    start = line_after(offsets[bisect_left(offsets, day, key=day_after)])
    end = line_after(offsets[bisect_right(offsets, day, key=day_after)])
    return table[:body] + table[start:end]


def main() -> None:
    day, *paths = sys.argv[1:]
    half = len(paths) // 2
    for source, target in zip(paths[:half], paths[half:], strict=True):
        with open(source, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as table:
            rows = cut(table, day.encode())
        with open(target, "wb") as out:
            out.write(rows)


if __name__ == "__main__":
    main()
