"""The models side by side: report.py REPORT METRICS…"""

import json
import sys
from pathlib import Path


def main() -> None:
    out, *metrics = map(Path, sys.argv[1:])
    found = {path.stem: json.loads(path.read_text()) for path in metrics}
    ranked = sorted(found, key=lambda model: found[model]["accuracy"], reverse=True)
    lines = [f"{model:<10}{found[model]['accuracy']:.3f} ± {found[model]['deviation']:.3f}" for model in ranked]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
