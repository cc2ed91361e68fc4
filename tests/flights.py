"""The flights pipeline with only the first days of the year, from plain tables: the same targets, built sooner."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import date, timedelta

from workspace import ROOT, Workspace

MODELS = ["boosted", "logistic"]


def first_days(number: int) -> list[str]:
    return [str(date(2013, 1, 1) + timedelta(days=each)) for each in range(number)]


def trained(days: list[str]) -> list[str]:
    """Those that the models are fitted to; the others are what they are evaluated on."""
    return days[: len(days) * 3 // 4]


def lay_out(workspace: Workspace, days: list[str]) -> None:
    """The pipeline, its scripts and its tables."""
    shutil.copytree(ROOT / "pipeline", workspace.root / "pipeline")
    shutil.copy(ROOT / "params.yaml", workspace.root)
    (workspace.root / "Pipelinefile").write_text(_pipelinefile((ROOT / "Pipelinefile").read_text(), days))
    tables = [workspace.root / "build/flights.csv", workspace.root / "build/weather.csv"]
    tables[0].parent.mkdir()
    subprocess.run([sys.executable, ROOT / "pipeline/unpack.py", *tables], check=True)
    for path in tables:
        head, *rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join([head, *(row for row in rows if row[:10] <= days[-1])]))


def _pipelinefile(text: str, days: list[str]) -> str:
    """The real one with fewer days, and less asked of a model that saw so few."""
    last = trained(days)[-1]
    text = re.sub(r"^target unpack:.*?\n\n", "", text, flags=re.DOTALL | re.MULTILINE)
    text = text.replace("features[2013-11-01..2013-12-31]", f"features[{days[len(trained(days))]}..{days[-1]}]")
    text = text.replace("2013-10-31", last).replace("2013-12-31", days[-1])
    return text.replace("metrics.auc >= 0.74", "metrics.auc >= 0.5")
