"""Choose what is least off: best.py CHOICE METRICS…; of equals the simpler one."""

import json
import sys
from pathlib import Path


def main() -> None:
    out, *metrics = map(Path, sys.argv[1:])
    found = [json.loads(path.read_text()) for path in metrics]
    best = min(found, key=lambda one: (one["error"], one["degree"], -one["penalty"]))
    out.write_text(json.dumps({"degree": best["degree"], "penalty": best["penalty"]}) + "\n")


if __name__ == "__main__":
    main()
