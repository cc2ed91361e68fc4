"""The regions side by side: report.py REPORT METRICS…; a region is the folder of its metrics."""

import json
import sys
from pathlib import Path


def main() -> None:
    out, *metrics = map(Path, sys.argv[1:])
    lines = []
    for path in metrics:
        found = json.loads(path.read_text())
        lines.append(f"{path.parent.name:<8}{found['houses']:>4} houses, off by {found['error']:.1f} thousand")
    out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
