"""The days, one a line: report.py REPORT DAYS…"""

import json
import sys
from pathlib import Path


def main() -> None:
    out, *days = map(Path, sys.argv[1:])
    lines = []
    for path in days:
        day = json.loads(path.read_text())
        unusual = f", unusual: {', '.join(day['unusual'])}" if day["unusual"] else ""
        lines.append(f"{day['day']}  {day['hours']} hours  {day['kwh']:.2f} kWh{unusual}")
    out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
