"""Sum up the hours of a day: summary.py DAY RESULT HOURS…"""

import json
import sys
from pathlib import Path


def main() -> None:
    day, out, *paths = sys.argv[1:]
    hours = [json.loads(Path(path).read_text()) for path in paths]
    result = {
        "day": day,
        "hours": len(hours),
        "kwh": round(sum(hour["kwh"] for hour in hours), 2),
        "unusual": [hour["hour"] for hour in hours if hour["unusual"]],
    }
    Path(out).write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
