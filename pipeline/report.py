"""One page on the year and the models, with nothing to load: report.py OUT PAGE LATE_AFTER FLIGHTS METRICS…

FLIGHTS is a file with the path of a day's flights a line; each of METRICS is named after its model.
"""

import csv
import json
import sys
from calendar import month_abbr
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from string import Template
from typing import Any

CARRIERS = {
    "9E": "Endeavor",
    "AA": "American",
    "AS": "Alaska",
    "B6": "JetBlue",
    "DL": "Delta",
    "EV": "ExpressJet",
    "F9": "Frontier",
    "FL": "AirTran",
    "HA": "Hawaiian",
    "MQ": "Envoy",
    "OO": "SkyWest",
    "UA": "United",
    "US": "US Airways",
    "VX": "Virgin",
    "WN": "Southwest",
    "YV": "Mesa",
}
SCORES = ["auc", "log_loss", "accuracy"]
COLOURS = "abcd"  # classes of the page, one a model

Rates = dict[str, float]
Models = dict[str, dict[str, Any]]


class Tally:
    """How many flights were planned, left, and left late."""

    def __init__(self) -> None:
        self.planned = self.left = self.late = 0

    def add(self, delay: str, late_after: float) -> None:
        self.planned += 1
        if delay:  # none: it was cancelled
            self.left += 1
            self.late += float(delay) > late_after

    @property
    def rate(self) -> float:
        return self.late / self.left


def tallies(paths: Iterable[str], late_after: float) -> dict[str, dict[str, Tally]]:
    """By hour, carrier and day, and of all flights."""
    result: dict[str, dict[str, Tally]] = {by: defaultdict(Tally) for by in ("hour", "carrier", "day", "all")}
    for path in paths:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                row |= {"hour": f"{row['scheduled'][:2]}:00", "all": "flights"}
                for by, tally in result.items():
                    tally[row[by]].add(row["delay"], late_after)
    return result


def svg(width: int, height: int, parts: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'


def text(x: float, y: float, value: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{value}</text>'


def bars(rates: Rates) -> str:
    def parts() -> Iterator[str]:
        for row, (label, rate) in enumerate(rates.items()):
            y, width = 20 * row, 220 * rate / max(rates.values())
            yield text(72, y + 14, label, "end")
            yield f'<rect x="80" y="{y + 3}" width="{width:.1f}" height="14" rx="3" class="fill a"/>'
            yield text(86 + width, y + 14, f"{rate:.0%}", "value")

    return svg(340, 20 * len(rates), parts())


def squares(rates: Rates) -> str:
    """A row a month, a square a day."""

    def parts() -> Iterator[str]:
        for month in range(1, 13):
            yield text(36, 20 * month - 5, month_abbr[month], "end")
        for day, rate in rates.items():
            _, month, column = map(int, day.split("-"))
            place = f'x="{24 + 20 * column}" y="{20 * month - 20}" width="18" height="18" rx="3"'
            opacity = 0.08 + 0.92 * rate / max(rates.values())
            yield f'<rect {place} class="fill a" opacity="{opacity:.2f}"><title>{day}: {rate:.0%}</title></rect>'

    return svg(664, 240, parts())


def curves(models: Models, name: str) -> str:
    """A line a model through its points in the unit square, beside the diagonal."""

    def parts() -> Iterator[str]:
        yield '<path d="M40 10V290H320M40 290L320 10" class="grid"/>'
        for tick in (0, 0.25, 0.5, 0.75, 1):
            yield text(40 + 280 * tick, 308, f"{tick:.0%}", "mid")
            yield text(34, 294 - 280 * tick, f"{tick:.0%}", "end")
        for colour, metrics in zip(COLOURS, models.values(), strict=False):
            points = " ".join(f"{40 + 280 * x:.1f},{290 - 280 * y:.1f}" for x, y in metrics[name])
            yield f'<polyline points="{points}" class="curve {colour}"/>'

    return svg(340, 312, parts())


def scores(models: Models) -> str:
    return "".join(
        f'<tr><th class="{colour}">{model}</th>{"".join(f"<td>{metrics[score]:.3f}</td>" for score in SCORES)}</tr>'
        for colour, (model, metrics) in zip(COLOURS, models.items(), strict=False)
    )


def main() -> None:
    out, page, late_after, flights, *tests = sys.argv[1:]
    year = tallies(Path(flights).read_text(encoding="utf-8").splitlines(), float(late_after))
    models = {Path(test).stem: json.loads(Path(test).read_text(encoding="utf-8")) for test in tests}

    total = year["all"]["flights"]
    hours, carriers, days = (
        {key: tally.rate for key, tally in sorted(year[by].items()) if tally.left} for by in ("hour", "carrier", "day")
    )
    worst = max(days, key=days.__getitem__)
    values = {
        "late_after": late_after,
        "planned": f"{total.planned:,}",
        "cancelled": f"{1 - total.left / total.planned:.1%}",
        "late": f"{total.rate:.1%}",
        "auc": f"{max(metrics['auc'] for metrics in models.values()):.3f}",
        "worst": f"{date.fromisoformat(worst):%B} {int(worst[-2:])}, with {days[worst]:.0%}",
        "hours": bars(hours),
        "carriers": bars(
            {CARRIERS.get(key, key): carriers[key] for key in sorted(carriers, key=lambda key: -carriers[key])}
        ),
        "days": squares(days),
        "models": scores(models),
        "roc": curves(models, "roc"),
        "calibration": curves(models, "calibration"),
    }
    filled = Template(Path(page).read_text(encoding="utf-8")).substitute(values)
    Path(out).write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
